/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/jail-inside.h"
#include "tests/unit/jail-fixture.h"
#include "tests/unit/test.h"

/* As jail.c has it: nobody else's ids. */
#define ID_BASE 0x7FFD0000U
/* For what should take milliseconds. */
#define PATIENCE_MSEC 10000

/* --- Seen from outside ------------------------------------------------------------------- */

/* A jail whose function waits for a word, in a process of its own. */
typedef struct Inmate {
        pid_t host;
        pid_t pid;
        int gate_fd;
} Inmate;

static int wait_at_gate(Jail *jail, GVariantDict *result, Error *ret_error) {
        char byte = 0;

        if (write(jail->input_fd, &byte, 1) != 1 || read(jail->input_fd, &byte, 1) != 1)
                return -errno;
        g_variant_dict_insert(result, "free", "b", TRUE);
        return 0;
}

static pid_t child_of(pid_t parent) {
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", parent, parent);
        g_autofree char *text = NULL;
        guint64 pid;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_strstrip(text);
        g_assert_true(g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT32, &pid, NULL));
        return (pid_t) pid;
}

static Inmate *inmate_new(int root_fd, bool idmapped) {
        Inmate *inmate = g_new0(Inmate, 1);
        int gate[2];
        char byte;

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, gate), ==, 0);
        /* Children of a host that dies come to us. */
        g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1), ==, 0);
        inmate->host = fork();
        g_assert_cmpint(inmate->host, >=, 0);
        if (inmate->host == 0) {
                static const gid_t groups[] = { 4, 5 };
                g_auto(Error) error = ERROR_INIT;

                (void) close(gate[0]);
                g_assert_cmpint(setgroups(ELEMENTSOF(groups), groups), ==, 0);
                g_assert_nonnull(room_run(wait_at_gate, gate[1], root_fd, idmapped, &error));
                _exit(0);
        }
        (void) close(gate[1]);
        inmate->gate_fd = gate[0];
        g_assert_cmpint(read(inmate->gate_fd, &byte, 1), ==, 1);
        inmate->pid = child_of(inmate->host);
        return inmate;
}

/* Lets it go and sees it off. */
static void inmate_free(Inmate *inmate) {
        int status;

        if (inmate->host > 0) {
                g_assert_cmpint(write(inmate->gate_fd, "", 1), ==, 1);
                g_assert_cmpint(waitpid(inmate->host, &status, 0), ==, inmate->host);
                g_assert_cmpint(status, ==, 0);
        }
        (void) close(inmate->gate_fd);
        g_free(inmate);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Inmate, inmate_free)

static char *proc_text(pid_t pid, const char *file) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, file);
        char *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return text;
}

static char *proc_link(pid_t pid, const char *file) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, file);
        char *text = g_file_read_link(path, NULL);

        g_assert_nonnull(text);
        return text;
}

/* What `key` has in /proc/PID/status, blanks made one. */
static char *status_get(const char *status, const char *key) {
        g_auto(GStrv) lines = g_strsplit(status, "\n", -1);

        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, key) && (*line)[strlen(key)] == ':')
                        return g_strstrip(g_strdelimit(g_strdup(*line + strlen(key) + 1), "\t",
                                                       ' '));
        g_error("no %s", key);
}

static void assert_status(const char *status, const char *key, const char *expected) {
        g_autofree char *value = status_get(status, key);

        if (!g_str_equal(value, expected))
                g_error("%s is %s, not %s", key, value, expected);
}

TEST(the_process_has_ids_of_nobody_and_rights_over_files_alone) {
        g_autoptr(Room) r = room_new();

        for (int idmapped = 0; idmapped < 2; idmapped++) {
                g_autoptr(Inmate) inmate = inmate_new(r->root_fd, idmapped);
                g_autofree char *status = proc_text(inmate->pid, "status");
                unsigned base = idmapped ? ID_BASE : 0;
                g_autofree char *ids = g_strdup_printf("%u %u %u %u", base, base, base, base);
                g_autofree char *caps = g_strdup_printf(
                        "%016x", 1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_FOWNER |
                        1U << CAP_FSETID | 1U << CAP_SETFCAP);
                g_autofree char *map = proc_text(inmate->pid, "uid_map");
                g_autofree char *group_map = proc_text(inmate->pid, "gid_map");
                g_autofree char *expected_map =
                        g_strdup_printf("%10u %10u %10u\n", 0, base, IMAGE_ID_COUNT);
                        struct stat st;
                g_autofree char *path = g_strdup_printf("/proc/%d/status", inmate->pid);

                assert_status(status, "Uid", ids);
                assert_status(status, "Gid", ids);
                assert_status(status, "Groups", "");
                assert_status(status, "CapInh", "0000000000000000");
                assert_status(status, "CapPrm", caps);
                assert_status(status, "CapEff", caps);
                assert_status(status, "CapBnd", caps);
                assert_status(status, "CapAmb", "0000000000000000");
                assert_status(status, "NoNewPrivs", "1");
                assert_status(status, "Seccomp", "2");
                assert_status(status, "Threads", "1");
                g_assert_cmpstr(map, ==, expected_map);
                g_assert_cmpstr(group_map, ==, expected_map);
                /* Processes that cannot be dumped belong to root. */
                g_assert_cmpint(stat(path, &st), ==, 0);
                g_assert_cmpuint(st.st_uid, ==, 0);
        }
}

TEST(the_process_is_in_namespaces_of_its_own) {
        static const char *const kinds[] = { "user", "mnt", "pid", "net", "ipc", "uts" };
        g_autoptr(Room) r = room_new();
        g_autoptr(Inmate) inmate = inmate_new(r->root_fd, true);
        g_autofree char *devices = proc_text(inmate->pid, "net/dev");
        g_autofree char *routes = proc_text(inmate->pid, "net/route");
        g_autofree char *status = proc_text(inmate->pid, "status");
        g_autofree char *pids = status_get(status, "NSpid");
        g_auto(GStrv) lines = g_strsplit(g_strstrip(devices), "\n", -1);

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                g_autofree char *file = g_strdup_printf("ns/%s", kinds[i]);
                g_autofree char *theirs = proc_link(inmate->pid, file);
                g_autofree char *ours = proc_link(getpid(), file);

                g_assert_cmpstr(theirs, !=, ours);
        }
        g_assert_true(g_str_has_suffix(pids, " 1"));
        /* Two lines of heading, and the loopback. */
        g_assert_cmpuint(g_strv_length(lines), ==, 3);
        g_assert_nonnull(strstr(lines[2], "lo:"));
        g_assert_null(strchr(g_strstrip(routes), '\n'));
}

TEST(the_process_has_one_mount_and_six_open_files) {
        static const char *const options[] = {
                "nosuid", "nodev", "noexec", "nosymfollow", "idmapped",
        };
        g_autoptr(Room) r = room_new();
        g_autoptr(Inmate) inmate = inmate_new(r->root_fd, true);
        g_autofree char *mounts = proc_text(inmate->pid, "mountinfo");
        g_autofree char *root = g_strdup_printf("/proc/%d/root", inmate->pid);
        g_autofree char *cwd = g_strdup_printf("/proc/%d/cwd", inmate->pid);
        g_autofree char *fds = g_strdup_printf("/proc/%d/fd", inmate->pid);
        g_auto(GStrv) lines = g_strsplit(g_strstrip(mounts), "\n", -1), words = NULL, words6 = NULL;
        g_autoptr(GDir) dir = g_dir_open(fds, 0, NULL);
        struct stat inside, st;
        unsigned n = 0;

        g_assert_cmpuint(g_strv_length(lines), ==, 1);
        words = g_strsplit(lines[0], " ", -1);
        g_assert_cmpstr(words[4], ==, "/");
        words6 = g_strsplit(words[5], ",", -1);
        for (size_t i = 0; i < ELEMENTSOF(options); i++)
                if (!g_strv_contains((const char *const *) words6, options[i]))
                        g_error("%s is not %s", words[5], options[i]);

        g_assert_cmpint(fstat(r->root_fd, &inside), ==, 0);
        g_assert_cmpint(stat(root, &st), ==, 0);
        g_assert_cmpuint(st.st_ino, ==, inside.st_ino);
        g_assert_cmpint(stat(cwd, &st), ==, 0);
        g_assert_cmpuint(st.st_ino, ==, inside.st_ino);

        while (g_dir_read_name(dir))
                n++;
        g_assert_cmpuint(n, ==, 6);
        for (int fd = 0; fd < 6; fd++) {
                g_autofree char *name = g_strdup_printf("/proc/%d/fd/%d", inmate->pid, fd);

                g_assert_cmpint(stat(name, &st), ==, 0);
                if (fd < JAIL_FD_INPUT)
                        g_assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
                else if (fd <= JAIL_FD_CHANNEL)
                        g_assert_true(S_ISSOCK(st.st_mode));
                else
                        g_assert_cmpuint(st.st_ino, ==, inside.st_ino);
        }
}

TEST(the_process_has_limits) {
        static const struct {
                __rlimit_resource_t resource;
                uint64_t value;
        } limits[] = {
                { RLIMIT_AS, JAIL_MEMORY_MAX },
                { RLIMIT_CORE, 0 },
                { RLIMIT_CPU, JAIL_TIME_MAX_USEC / G_TIME_SPAN_SECOND },
                { RLIMIT_FSIZE, IMAGE_UNPACKED_MAX },
                { RLIMIT_MEMLOCK, 0 },
                { RLIMIT_MSGQUEUE, 0 },
                { RLIMIT_NOFILE, JAIL_FILES_MAX },
                { RLIMIT_NPROC, 0 },
        };
        g_autoptr(Room) r = room_new();
        g_autoptr(Inmate) inmate = inmate_new(r->root_fd, true);

        for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
                struct rlimit limit;

                g_assert_cmpint(prlimit(inmate->pid, limits[i].resource, NULL, &limit), ==, 0);
                g_assert_cmpuint(limit.rlim_cur, ==, limits[i].value);
                g_assert_cmpuint(limit.rlim_max, ==, limits[i].value);
        }
}

TEST(the_process_dies_with_its_worker) {
        g_autoptr(Room) r = room_new();
        g_autoptr(Inmate) inmate = inmate_new(r->root_fd, true);
        _cleanup_close_ int pidfd = fd_pidfd_open(inmate->pid);
        struct pollfd p = { .fd = pidfd, .events = POLLIN };
        int status;

        g_assert_cmpint(kill(inmate->host, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(inmate->host, &status, 0), ==, inmate->host);
        inmate->host = 0;
        g_assert_cmpint(poll(&p, 1, PATIENCE_MSEC), ==, 1);
        g_assert_cmpint(waitpid(inmate->pid, &status, 0), ==, inmate->pid);
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* --- Tried from inside ------------------------------------------------------------------- */

static int open_anyhow(int dir_fd, const char *path, unsigned flags) {
        struct open_how how = { .flags = flags, .mode = flags & O_CREAT ? 0666 : 0 };

        return (int) syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
}

/* The names of the host as the host knows them, and ways up from whatever is open. */
static int look_around(Jail *jail, GVariantDict *result, Error *ret_error) {
        const char *const paths[] = {
                room->secret, room->path, "/etc/passwd", "/proc/self/root", "/proc/1/fd",
                "/dev/null", "../secret", "../../../../../../../../etc/passwd", "/../etc/passwd",
        };
        const int directories[] = { AT_FDCWD, jail->root_fd };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                for (size_t k = 0; k < ELEMENTSOF(directories); k++) {
                        g_autofree char *key = g_strdup_printf("%s from %d", paths[i],
                                                               directories[k]);

                        room_note(result, key, open_anyhow(directories[k], paths[i], O_RDONLY));
                }
        return 0;
}

static int follow_links(Jail *jail, GVariantDict *result, Error *ret_error) {
        room_note(result, "link", open_anyhow(jail->root_fd, "link", O_RDONLY));
        room_note(result, "up", open_anyhow(jail->root_fd, "up", O_RDONLY));
        room_note(result, "new", symlinkat(".", jail->root_fd, "new") < 0 ? -1 :
                            open_anyhow(jail->root_fd, "new", O_RDONLY));
        return 0;
}

static int go_up_from_files(Jail *jail, GVariantDict *result, Error *ret_error) {
        for (int fd = 0; fd <= JAIL_FD_CHANNEL; fd++) {
                g_autofree char *key = g_strdup_printf("%d", fd);

                room_note(result, key, open_anyhow(fd, "..", O_RDONLY));
        }
        return 0;
}

TEST(no_name_of_the_host_leads_anywhere) {
        g_autoptr(Room) r G_GNUC_UNUSED = room_new();
        g_autoptr(GVariant) names = room_answer(look_around), links = room_answer(follow_links);
        g_autoptr(GVariant) files = room_answer(go_up_from_files);

        room_assert_all(names, 18, ENOENT);
        room_assert_all(links, 3, ELOOP);
        room_assert_all(files, 5, ENOTDIR);
}

static int write_tree(Jail *jail, GVariantDict *result, Error *ret_error) {
        int fd = open_anyhow(jail->root_fd, "file", O_WRONLY | O_CREAT | O_EXCL);

        room_note(result, "open", fd);
        room_note(result, "write", write(fd, "x", 1));
        room_note(result, "own", fchown(fd, 65535, 1000));
        room_note(result, "mode", fchmod(fd, 04755));
        room_note(result, "directory", mkdirat(jail->root_fd, "directory", 0700));
        room_note(result, "owner by name", fchownat(jail->root_fd, "directory", 7, 8,
                                               AT_SYMLINK_NOFOLLOW));
        return 0;
}

static int give_away(Jail *jail, GVariantDict *result, Error *ret_error) {
        room_note(result, "uid", fchownat(jail->root_fd, "file", 65536, 0, AT_SYMLINK_NOFOLLOW));
        room_note(result, "gid", fchownat(jail->root_fd, "file", 0, 65536, AT_SYMLINK_NOFOLLOW));
        return 0;
}

TEST(the_directory_is_written_with_the_ids_of_a_container) {
        for (int idmapped = 0; idmapped < 2; idmapped++) {
                g_autoptr(Room) r = room_new();
                g_auto(Error) error = ERROR_INIT;
                g_autoptr(GVariant) written =
                        room_run(write_tree, r->secret_fd, r->root_fd, idmapped, &error);
                g_autoptr(GVariant) given =
                        room_run(give_away, r->secret_fd, r->root_fd, idmapped, &error);
                struct stat st;

                g_assert_cmpstr(error.message, ==, NULL);
                room_assert_all(written, 6, 0);
                room_assert_all(given, 2, EINVAL);
                g_assert_cmpint(fstatat(r->root_fd, "file", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
                g_assert_cmpuint(st.st_uid, ==, 65535);
                g_assert_cmpuint(st.st_gid, ==, 1000);
                g_assert_cmphex(st.st_mode, ==, S_IFREG | 04755);
                g_assert_cmpint(fstatat(r->root_fd, "directory", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
                g_assert_cmpuint(st.st_uid, ==, 7);
        }
}

static int change_given_files(Jail *jail, GVariantDict *result, Error *ret_error) {
        const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };

        for (int fd = 0; fd <= JAIL_FD_CHANNEL; fd++) {
                for (int what = 0; what < 5; what++) {
                        g_autofree char *key = g_strdup_printf("change %d of %d", what, fd);

                        room_note(result, key,
                             what == 0 ? fchmod(fd, 0777) :
                             what == 1 ? fchown(fd, 0, 0) :
                             what == 2 ? fchownat(fd, "", 0, 0, AT_EMPTY_PATH) :
                             what == 3 ? futimens(fd, times) :
                                         fsetxattr(fd, "user.x", "y", 1, 0));
                }
        }
        return 0;
}

TEST(files_of_the_host_that_are_open_stay_as_they_are) {
        g_autoptr(Room) r = room_new();
        struct stat before, after;

        g_assert_cmpint(fstat(r->secret_fd, &before), ==, 0);
        for (int idmapped = 0; idmapped < 2; idmapped++) {
                g_auto(Error) error = ERROR_INIT;
                g_autoptr(GVariant) answer =
                        room_run(change_given_files, r->secret_fd, r->root_fd, idmapped, &error);

                g_assert_cmpstr(error.message, ==, NULL);
                room_assert_all(answer, 25, EPERM);
                g_assert_cmpint(fstat(r->secret_fd, &after), ==, 0);
                g_assert_cmpint(before.st_ctim.tv_sec, ==, after.st_ctim.tv_sec);
                g_assert_cmpint(before.st_ctim.tv_nsec, ==, after.st_ctim.tv_nsec);
        }
}

static int write_without_root(Jail *jail, GVariantDict *result, Error *ret_error) {
        room_note(result, "file", open_anyhow(AT_FDCWD, "/file", O_WRONLY | O_CREAT));
        room_note(result, "directory", mkdirat(AT_FDCWD, "/directory", 0700));
        if (jail->root_fd >= 0)
                g_variant_dict_insert(result, "root", "i", 0);
        return 0;
}

TEST(without_a_directory_there_is_nothing_to_write) {
        g_autoptr(Room) r = room_new();
        g_auto(Error) error = ERROR_INIT;
        g_autoptr(GVariant) answer =
                room_run(write_without_root, r->secret_fd, -EBADF, false, &error);

        g_assert_cmpstr(error.message, ==, NULL);
        room_assert_all(answer, 2, EROFS);
}

/* --- System calls ------------------------------------------------------------------------ */

#define CALL(_name, ...) { #_name, SYS_##_name, { __VA_ARGS__ } }

static int call_what_is_forbidden(Jail *jail, GVariantDict *result, Error *ret_error) {
        static const struct sockaddr_storage address = { .ss_family = AF_UNIX };
        static char page[2 * 65536];
        long p = ((long) page + 65535) & ~65535L, root = jail->root_fd;
        const struct {
                const char *name;
                long number;
                long arguments[6];
        } calls[] = {
                CALL(socket, AF_INET, SOCK_STREAM), CALL(socket, AF_NETLINK, SOCK_RAW),
                CALL(socketpair, AF_UNIX, SOCK_STREAM), CALL(connect, 4, (long) &address, 110),
                CALL(bind, 4, (long) &address, 110), CALL(recvmsg, 4), CALL(recvfrom, 4),
                CALL(sendto, 4), CALL(clone), CALL(clone3), CALL(execve), CALL(execveat),
                CALL(ptrace), CALL(kill, 1, 0), CALL(tkill, 1, 0), CALL(process_vm_readv, 1),
                CALL(process_vm_writev, 1), CALL(pidfd_open, 1), CALL(pidfd_send_signal, 1),
                CALL(pidfd_getfd, 3), CALL(openat, root, (long) "x", O_RDONLY),
                CALL(unlinkat, root, (long) "link"), CALL(open_by_handle_at, root),
                CALL(name_to_handle_at, root),
                CALL(renameat2, root, (long) "link", root, (long) "x"),
                CALL(fchmodat, root, (long) "link", 0777), CALL(readlinkat, root, (long) "link"),
                CALL(getdents64, root, p, 512), CALL(truncate, (long) "x"),
                CALL(fallocate, root), CALL(setxattr, (long) "x"), CALL(fremovexattr, root),
                CALL(mount), CALL(umount2, (long) "/", 2), CALL(pivot_root, (long) ".", (long) "."),
                CALL(chroot, (long) "/"), CALL(chdir, (long) "/"), CALL(fchdir, root),
                CALL(open_tree, root, (long) "", 1), CALL(move_mount), CALL(fsopen, (long) "tmpfs"),
                CALL(fsmount), CALL(mount_setattr), CALL(setns, root), CALL(unshare, 0),
                CALL(setuid, 0), CALL(setgid, 0), CALL(setresuid, -1, -1, -1),
                CALL(setgroups), CALL(capset), CALL(capget), CALL(prctl, PR_GET_DUMPABLE),
                CALL(prlimit64, 0), CALL(seccomp), CALL(umask, 0), CALL(keyctl), CALL(add_key),
                CALL(request_key), CALL(bpf), CALL(perf_event_open), CALL(userfaultfd),
                CALL(io_uring_setup, 1, p), CALL(io_setup), CALL(memfd_create, (long) "x"),
                CALL(ioctl, 0, 0x5401, p), CALL(fcntl, 3, F_SETFL, O_APPEND),
                CALL(fcntl, 3, F_SETOWN, 1), CALL(fcntl, 3, F_SETLK), CALL(dup, 3),
                CALL(dup3, 3, 40), CALL(flock, 3, 2), CALL(pipe2, p), CALL(eventfd2),
                CALL(epoll_create1), CALL(ppoll), CALL(timerfd_create), CALL(signalfd4),
                CALL(inotify_init1), CALL(fanotify_init), CALL(splice), CALL(sendfile),
                CALL(copy_file_range), CALL(reboot), CALL(swapon), CALL(init_module),
                CALL(finit_module), CALL(delete_module), CALL(kexec_load), CALL(syslog),
                CALL(acct), CALL(quotactl), CALL(settimeofday), CALL(clock_settime),
                CALL(adjtimex), CALL(sethostname), CALL(setpriority), CALL(sched_setscheduler),
                CALL(shmget), CALL(msgget), CALL(semget), CALL(mq_open), CALL(mlock, p, 1),
                CALL(mbind), CALL(move_pages), CALL(personality, -1), CALL(uname, p),
                CALL(sysinfo, p), CALL(getppid), CALL(getuid),
                CALL(mmap, 0, 65536, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1),
                CALL(mmap, 0, 65536, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1),
                CALL(mprotect, p, 65536, PROT_READ | PROT_EXEC),
                CALL(mknodat, root, (long) "c", S_IFCHR | 0666, 0x103),
                CALL(mknodat, root, (long) "b", S_IFBLK | 0666, 0x800),
                CALL(mknodat, root, (long) "s", S_IFSOCK | 0666),
                CALL(mknodat, root, (long) "f", 0666),
        };

        for (size_t i = 0; i < ELEMENTSOF(calls); i++) {
                const long *a = calls[i].arguments;
                g_autofree char *key = g_strdup_printf("%zu %s", i, calls[i].name);

                room_note(result, key,
                          syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4], a[5]));
        }
        g_variant_dict_insert(result, "count", "i", (int) ELEMENTSOF(calls));
        return 0;
}

TEST(system_calls_that_unpacking_does_not_need_are_refused) {
        g_autoptr(Room) r G_GNUC_UNUSED = room_new();
        g_autoptr(GVariant) answer = room_answer(call_what_is_forbidden), rest = NULL;
        GVariantDict dict;
        int n = 0;

        g_variant_dict_init(&dict, answer);
        g_assert_true(g_variant_dict_lookup(&dict, "count", "i", &n));
        g_assert_true(g_variant_dict_remove(&dict, "count"));
        rest = g_variant_ref_sink(g_variant_dict_end(&dict));
        g_assert_cmpint(n, >, 100);
        room_assert_all(rest, (unsigned) n, EPERM);
}

#ifdef __x86_64__
/* Numbers of x32, which a filter that looks at the architecture alone would take for unknown. */
static int call_as_x32(Jail *jail, GVariantDict *result, Error *ret_error) {
        room_note(result, "getpid", syscall(0x40000000 | SYS_getpid));
        return 0;
}

TEST(system_calls_of_another_architecture_kill) {
        g_autoptr(Room) r G_GNUC_UNUSED = room_new();

        room_refuse(call_as_x32, ERROR_INVALID_IMAGE, "(SYS)");
}
#endif

/* --- Bounds ------------------------------------------------------------------------------ */

static int take_memory(Jail *jail, GVariantDict *result, Error *ret_error) {
        const size_t step = 8 << 20;
        uint64_t sum = 0;

        while (sum < 2 * JAIL_MEMORY_MAX && g_try_malloc(step))
                sum += step;
        g_variant_dict_insert(result, "sum", "t", sum);
        return 0;
}

static int take_too_much_memory(Jail *jail, GVariantDict *result, Error *ret_error) {
        void *volatile p = g_malloc(JAIL_MEMORY_MAX);

        g_free(p);
        return 0;
}

static int make_huge_file(Jail *jail, GVariantDict *result, Error *ret_error) {
        int fd = open_anyhow(jail->root_fd, "huge", O_WRONLY | O_CREAT);

        room_note(result, "size", ftruncate(fd, (off_t) IMAGE_UNPACKED_MAX + 1));
        return 0;
}

static int open_many_files(Jail *jail, GVariantDict *result, Error *ret_error) {
        int n = 0;

        while (n < 1000 && open_anyhow(jail->root_fd, ".", O_RDONLY) >= 0)
                n++;
        g_variant_dict_insert(result, "n", "i", n);
        return 0;
}

TEST(memory_files_and_their_sizes_are_bounded) {
        g_autoptr(Room) r G_GNUC_UNUSED = room_new();
        g_autoptr(GVariant) memory = room_answer(take_memory), files = room_answer(open_many_files);
        g_autoptr(GVariant) huge = room_answer(make_huge_file);
        uint64_t sum = 0;
        int n = 0;

        g_assert_true(g_variant_lookup(memory, "sum", "t", &sum));
        g_assert_cmpuint(sum, <=, JAIL_MEMORY_MAX);
        g_assert_cmpuint(sum, >, JAIL_MEMORY_MAX / 2);
        g_assert_true(g_variant_lookup(files, "n", "i", &n));
        g_assert_cmpint(n, ==, JAIL_FILES_MAX - 6);
        room_refuse(take_too_much_memory, ERROR_INVALID_IMAGE, "768 MiB of memory");
        /* The signal that goes with it is lost on the first process of a pid namespace. */
        room_assert_all(huge, 1, EFBIG);
}

int main(void) {
        if (geteuid() != 0) {
                printf("SKIP: a jail can be made by root only\n");
                return 77;
        }
        return test_run();
}
