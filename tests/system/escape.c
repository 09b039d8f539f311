/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the root of a container tries in order to get out of it, or at what is the host's, for
 * test-containment: static and without any library, so that it runs in a container that holds
 * nothing but busybox. Nothing that it tries does harm where it works: as root of the host nearly
 * all of it does, which is how the test knows that each attempt is one.
 *
 *   escape try             names of the attempts that worked
 *   escape list            names of all of them
 *   escape writable DIR    regular files below DIR that can be opened for writing
 *   escape host            what there is for the attempts to find, until it is killed
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of the host that the test prepares. */
#define MARKER "run/world/marker"
#define SHM_KEY 0x62657274
#define SOCKET_NAME "berth-escape"
#define KEY_NAME "berth-escape"
#define TRY_SECONDS 10U

static bool can_open(const char *path, int flags) {
        int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);

        if (fd >= 0)
                (void) close(fd);
        return fd >= 0;
}

/* Refused for want of a right, or not there at all: anything else is an answer. */
static bool was_heard(long r) {
        return r >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS);
}

/* --- device nodes --- */

static bool make_node(mode_t type, unsigned major_number, unsigned minor_number) {
        bool made = mknod("/tmp/node", type | 0600, makedev(major_number, minor_number)) >= 0;

        (void) unlink("/tmp/node");
        return made;
}

static bool mknod_memory(void) {
        return make_node(S_IFCHR, 1, 1);
}

static bool mknod_disk(void) {
        return make_node(S_IFBLK, 7, 0);
}

/* One that a user of the host has put on the disk that he shares. */
static bool node_on_a_disk(void) {
        return can_open("/mnt/data/zero", O_RDONLY);
}

static bool kernel_log(void) {
        return can_open("/dev/kmsg", O_WRONLY);
}

static bool loop_control(void) {
        return can_open("/dev/loop-control", O_RDWR);
}

/* --- files of the kernel --- */

static bool sysrq(void) {
        return can_open("/proc/sysrq-trigger", O_WRONLY);
}

static bool core_pattern(void) {
        return can_open("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static bool drop_caches(void) {
        return can_open("/proc/sys/vm/drop_caches", O_WRONLY);
}

static bool interrupts(void) {
        return can_open("/proc/irq/default_smp_affinity", O_WRONLY);
}

static bool kernel_memory(void) {
        return can_open("/proc/kcore", O_RDONLY);
}

static bool uevents(void) {
        return can_open("/sys/devices/virtual/mem/null/uevent", O_WRONLY);
}

static bool kernel_pages(void) {
        return can_open("/proc/kpagecount", O_RDONLY);
}

/* Mounted anew, without what covers some of it. */
static bool fresh(const char *type, const char *file) {
        char path[128];

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("fresh", "/mnt", type, 0, NULL) < 0)
                return false;
        (void) snprintf(path, sizeof(path), "/mnt/%s", file);
        return can_open(path, O_WRONLY);
}

static bool fresh_proc(void) {
        return fresh("proc", "sys/kernel/core_pattern");
}

static bool fresh_sysfs(void) {
        return fresh("sysfs", "devices/virtual/mem/null/uevent");
}

static bool uncovered_proc(void) {
        (void) umount2("/proc/sys", MNT_DETACH);
        (void) umount2("/proc/sysrq-trigger", MNT_DETACH);
        (void) mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND, NULL);
        return can_open("/proc/sys/kernel/core_pattern", O_WRONLY) ||
               can_open("/proc/sysrq-trigger", O_WRONLY);
}

/* --- control groups --- */

static const char *const group_files[] = {
        "release_agent", "devices.allow", "memory.limit_in_bytes", "memory.max", "pids.max",
        "cpu.max",
};

/* Its own group, as it sees it at the top: what is set there others have set for it. */
static bool is_limit_writable(const char *type, const char *options) {
        char path[128];
        bool any = false;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("group", "/mnt", type, 0, options) < 0)
                return false;
        for (size_t i = 0; i < sizeof(group_files) / sizeof(*group_files); i++) {
                (void) snprintf(path, sizeof(path), "/mnt/%s", group_files[i]);
                any = any || can_open(path, O_WRONLY);
        }
        return any;
}

static bool limits_memory(void) {
        return is_limit_writable("cgroup", "memory");
}

static bool limits_devices(void) {
        return is_limit_writable("cgroup", "devices");
}

static bool limits_pids(void) {
        return is_limit_writable("cgroup", "pids");
}

static bool limits_unified(void) {
        return is_limit_writable("cgroup2", NULL);
}

static bool limits_mounted(void) {
        static const char *const mounts[] = {
                "", "/memory", "/devices", "/pids", "/unified", "/systemd", "/cpu",
        };
        char path[128];

        for (size_t m = 0; m < sizeof(mounts) / sizeof(*mounts); m++)
                for (size_t i = 0; i < sizeof(group_files) / sizeof(*group_files); i++) {
                        (void) snprintf(path, sizeof(path), "/sys/fs/cgroup%s/%s", mounts[m],
                                        group_files[i]);
                        if (can_open(path, O_WRONLY))
                                return true;
                }
        return false;
}

/* --- calls --- */

static bool load_module(void) {
        return was_heard(syscall(SYS_init_module, NULL, 0UL, ""));
}

static bool load_module_file(void) {
        return was_heard(syscall(SYS_finit_module, -1, "", 0));
}

static bool load_kernel(void) {
        return was_heard(syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0xffffUL));
}

static bool set_clock(void) {
        struct timex state = { 0 };

        (void) adjtimex(&state);
        state.modes = ADJ_STATUS;
        return adjtimex(&state) >= 0;
}

static bool swap_on(void) {
        return was_heard(swapon("/nonexistent", 0));
}

static bool ports(void) {
        return ioperm(0x80, 1, 1) >= 0;
}

static bool program_of_kernel(void) {
        struct bpf_insn code[] = {
                { .code = BPF_ALU64 | BPF_MOV | BPF_K },
                { .code = BPF_JMP | BPF_EXIT },
        };
        union bpf_attr attributes = {
                .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                .insn_cnt = 2,
                .insns = (__u64) (uintptr_t) code,
                .license = (__u64) (uintptr_t) "GPL",
        };

        return syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes)) >= 0;
}

static bool real_time(void) {
        struct sched_param parameters = { .sched_priority = 1 };

        return sched_setscheduler(0, SCHED_RR, &parameters) >= 0;
}

static bool priority(void) {
        return nice(-10) != -1;
}

/* Files by number, whatever directory they are in. */
static bool file_handle(void) {
        static const char *const places[] = { "/", "/run/world", "/var/lib/berth" };
        struct {
                struct file_handle handle;
                unsigned char bytes[MAX_HANDLE_SZ];
        } file;

        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
                int mount_id, dir_fd = open(places[i], O_RDONLY | O_DIRECTORY);

                file.handle.handle_bytes = MAX_HANDLE_SZ;
                if (dir_fd >= 0 &&
                    name_to_handle_at(dir_fd, "", &file.handle, &mount_id, AT_EMPTY_PATH) >= 0 &&
                    open_by_handle_at(dir_fd, &file.handle, O_RDONLY) >= 0)
                        return true;
        }
        return false;
}

/* --- what others have --- */

static bool climb_out(void) {
        int fd = open("/", O_RDONLY | O_DIRECTORY);

        (void) mkdir("/tmp/cage", 0700);
        if (fd < 0 || chroot("/tmp/cage") < 0 || fchdir(fd) < 0)
                return false;
        for (int i = 0; i < 64; i++)
                if (chdir("..") < 0)
                        return false;
        return can_open(MARKER, O_RDONLY);
}

static bool shared_memory(void) {
        return shmget(SHM_KEY, 0, 0) >= 0;
}

static socklen_t abstract_address(struct sockaddr_un *address) {
        *address = (struct sockaddr_un) { .sun_family = AF_UNIX };
        memcpy(address->sun_path + 1, SOCKET_NAME, strlen(SOCKET_NAME));
        return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + strlen(SOCKET_NAME));
}

static bool abstract_socket(void) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address;
        socklen_t n = abstract_address(&address);

        return connect(fd, (struct sockaddr *) &address, n) >= 0;
}

static bool keyring(void) {
        return syscall(SYS_keyctl, 10 /* KEYCTL_SEARCH */, -4 /* KEY_SPEC_USER_KEYRING */, "user",
                       KEY_NAME, 0) >= 0;
}

static bool is_the_found_one(const char *pid) {
        char path[64], text[64];
        ssize_t n;
        int fd;

        (void) snprintf(path, sizeof(path), "/proc/%.16s/cmdline", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text));
        if (fd >= 0)
                (void) close(fd);
        return n > 0 && memmem(text, (size_t) n, "escape\0host", sizeof("escape\0host"));
}

static bool process_of_the_host(void) {
        DIR *d = opendir("/proc");
        struct dirent *entry;
        bool found = false;

        while (d && !found && (entry = readdir(d)))
                found = is_the_found_one(entry->d_name);
        if (d)
                (void) closedir(d);
        return found;
}

static const struct {
        const char *name;
        bool (*works)(void);
} attempts[] = {
        { "mknod-memory", mknod_memory },
        { "mknod-disk", mknod_disk },
        { "node-on-a-disk", node_on_a_disk },
        { "kernel-log", kernel_log },
        { "loop-control", loop_control },
        { "sysrq", sysrq },
        { "core-pattern", core_pattern },
        { "drop-caches", drop_caches },
        { "interrupts", interrupts },
        { "kernel-memory", kernel_memory },
        { "kernel-pages", kernel_pages },
        { "uevents", uevents },
        { "fresh-proc", fresh_proc },
        { "fresh-sysfs", fresh_sysfs },
        { "uncovered-proc", uncovered_proc },
        { "limits-memory", limits_memory },
        { "limits-devices", limits_devices },
        { "limits-pids", limits_pids },
        { "limits-unified", limits_unified },
        { "limits-mounted", limits_mounted },
        { "load-module", load_module },
        { "load-module-file", load_module_file },
        { "load-kernel", load_kernel },
        { "set-clock", set_clock },
        { "swap-on", swap_on },
        { "ports", ports },
        { "program-of-kernel", program_of_kernel },
        { "real-time", real_time },
        { "priority", priority },
        { "file-handle", file_handle },
        { "climb-out", climb_out },
        { "shared-memory", shared_memory },
        { "abstract-socket", abstract_socket },
        { "keyring", keyring },
        { "process-of-the-host", process_of_the_host },
};

/* Each in a process of its own, since some change what it is in. */
static void try_all(bool names_only) {
        for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
                int status = -1;
                pid_t pid;

                if (names_only) {
                        puts(attempts[i].name);
                        continue;
                }
                (void) fflush(stdout);
                pid = fork();
                if (pid == 0) {
                        (void) alarm(TRY_SECONDS);
                        _exit(attempts[i].works() ? 0 : 1);
                }
                (void) waitpid(pid, &status, 0);
                if (status == 0)
                        puts(attempts[i].name);
        }
}

static int print_writable(const char *path, const struct stat *st, int type, struct FTW *place) {
        if (type == FTW_F && S_ISREG(st->st_mode) && can_open(path, O_WRONLY))
                puts(path);
        return 0;
}

static int be_found(void) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address;
        socklen_t n = abstract_address(&address);

        if (bind(fd, (struct sockaddr *) &address, n) < 0 || listen(fd, 8) < 0 ||
            shmget(SHM_KEY, 4096, IPC_CREAT | 0666) < 0 ||
            syscall(SYS_add_key, "user", KEY_NAME, "x", 1, -4 /* KEY_SPEC_USER_KEYRING */) < 0)
                return EXIT_FAILURE;
        puts("ready");
        (void) fflush(stdout);
        (void) pause();
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        if (argc == 2 && strcmp(argv[1], "try") == 0)
                try_all(false);
        else if (argc == 2 && strcmp(argv[1], "list") == 0)
                try_all(true);
        else if (argc == 2 && strcmp(argv[1], "host") == 0)
                return be_found();
        else if (argc == 3 && strcmp(argv[1], "writable") == 0)
                return nftw(argv[2], print_writable, 16, FTW_PHYS | FTW_MOUNT) < 0;
        else
                return EXIT_FAILURE;
        return EXIT_SUCCESS;
}
