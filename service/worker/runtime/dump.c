/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/dump.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/runtime/apparmor.h"
#include "service/worker/runtime/cgroup.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/criu.h"
#include "service/worker/runtime/process.h"
#include "service/worker/runtime/state-seal.h"
#include "service/worker/runtime/wait.h"

/* Where liblxc, when it restores, looks for the name that CRIU knows the console by. */
#define TTY_FILE "tty.info"

typedef struct Dump {
        const char *name, *state, *key, *criu;
        IdMap *idmap;
        CgroupHost *host;
        Process init;
        int state_fd;
        char *terminal; /* "tty[…]", NULL for a container without a console */
} Dump;

static void dump_done(Dump *dump) {
        dump->idmap = idmap_free(dump->idmap);
        g_clear_pointer(&dump->host, cgroup_host_free);
        process_close(&dump->init);
        dump->state_fd = fd_close(dump->state_fd);
        g_clear_pointer(&dump->terminal, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Dump, dump_done)

static int read_args(Worker *worker, Dump *dump, Error *ret_error) {
        g_autoptr(GVariant) pid = NULL;
        int r;

        r = worker_get_string(worker, "name", &dump->name, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "state", &dump->state, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "state-key", &dump->key, ret_error);
        if (r >= 0)
                r = worker_get_idmap(worker, "idmap", &dump->idmap, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "init-pid", "i", &pid, ret_error);
        if (r < 0)
                return r;
        if (!container_name_is_valid(dump->name) || !container_path_is_plain(dump->state))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Name or path of a container to be saved make no sense");
        r = cgroup_host_new(&dump->host, ret_error);
        if (r >= 0)
                r = criu_find(dump->host, dump->name, &dump->criu, ret_error);
        if (r < 0)
                return r;
        r = process_open(worker_take_fd(worker, 0), g_variant_get_int32(pid), &dump->init);
        if (r >= 0)
                r = cgroup_has_process(dump->host, CGROUP_PAYLOAD, dump->name, &dump->init);
        if (r <= 0)
                return error_set(ret_error, ERROR_NOT_RUNNING, "Container \"%s\" does not run",
                                 dump->name);
        return 0;
}

/* liblxc gives what it restores the profile by name, and has none for one of its own making. */
static int check_apparmor(const Dump *dump, Error *ret_error) {
        g_autofree char *label = NULL;
        int r = apparmor_is_on() ? apparmor_read_label(&dump->init, &label) : 0;

        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot read the AppArmor label of container \"%s\"",
                                       dump->name);
        if (!label || g_str_equal(label, APPARMOR_PROFILE))
                return 0;
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "The state of container \"%s\" cannot be saved: it runs with the AppArmor "
                         "profile \"%s\"; load " APPARMOR_PROFILE " and start it again",
                         dump->name, label);
}

/* Its console is the host's end of a terminal, which CRIU is told to leave to whoever restores. */
static int note_terminal(Dump *dump) {
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int root = openat(dump->init.proc_fd, "root",
                                          O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int console = -EBADF;
        struct stat st;

        if (root < 0)
                return -errno;
        console = (int) syscall(SYS_openat2, root, "dev/console", &how, sizeof(how));
        if (console < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(console, &st) < 0)
                return -errno;
        if (!S_ISCHR(st.st_mode))
                return 0;
        dump->terminal = g_strdup_printf("tty[%llx:%llx]", (unsigned long long) st.st_rdev,
                                         (unsigned long long) st.st_dev);
        return path_replace_file(dump->state_fd, TTY_FILE, dump->terminal, strlen(dump->terminal),
                                 0600);
}

static void add(GPtrArray *argv, const char *text) {
        g_ptr_array_add(argv, g_strdup(text));
}

/* As liblxc calls it, so that what it restores is what it expects. */
static GPtrArray *make_argv(const Dump *dump) {
        static const char *const fixed[] = {
                "--tcp-established", "--file-locks", "--link-remap", "--force-irmap",
                "--skip-in-flight", "--manage-cgroups=full", "--ext-mount-map", "auto",
                "--enable-external-sharing", "--enable-external-masters", "--enable-fs",
                "hugetlbfs", "--enable-fs", "tracefs",
                /* Or it would need iptables, beside the library that it has. */
                "--network-lock", "nftables",
                /* The caller ends it, once the state is safe. */
                "--leave-running", "-v2", "-o", "dump.log",
        };
        GPtrArray *argv = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *name = cgroup_name(dump->host, CGROUP_PAYLOAD, dump->name);
        g_autofree char *group = g_build_filename("/", dump->host->unified->base, name, NULL);
        g_autofree char *freezer = g_build_filename("/sys/fs/cgroup", group, NULL);
        g_autofree char *pid = g_strdup_printf("%d", dump->init.pid);
        const char *const own[] = { "-D", dump->state, "-t", pid, "--cgroup-root", group,
                                    "--freeze-cgroup", freezer };

        add(argv, dump->criu);
        add(argv, "dump");
        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                add(argv, fixed[i]);
        for (size_t i = 0; i < ELEMENTSOF(own); i++)
                add(argv, own[i]);
        if (dump->terminal) {
                add(argv, "--ext-mount-map");
                add(argv, "/dev/console:console");
                add(argv, "--external");
                add(argv, dump->terminal);
        }
        g_ptr_array_add(argv, NULL);
        return argv;
}

G_GNUC_NORETURN static void execute_criu(const Dump *dump, GPtrArray *argv) {
        static char *const environment[] = { (char *) CRIU_PATH, NULL };
        int r = criu_unshare_cgroups(dump->host, false);

        process_reset_signals();
        umask(0022);
        if (r >= 0 && chdir("/") >= 0 && close_range(3, UINT_MAX, 0) >= 0)
                (void) execve(dump->criu, (char *const *) argv->pdata, environment);
        log_error("Cannot execute %s: %s", dump->criu, g_strerror(r < 0 ? -r : errno));
        _exit(EXIT_FAILURE);
}

/* Whoever stops CRIU half-way leaves its code in the processes: it is always waited for. */
static int run_criu(const Dump *dump, Error *ret_error) {
        g_autoptr(GPtrArray) argv = make_argv(dump);
        _cleanup_close_ int pidfd = -EBADF;
        g_autofree char *cause = NULL;
        int status, r;
        pid_t pid;

        r = pid = process_fork(-EBADF, 0, &pidfd);
        if (pid == 0)
                execute_criu(dump, argv);
        if (r >= 0)
                r = process_reap(pidfd, &status);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot run %s", dump->criu);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        cause = criu_read_cause(dump->state_fd, "dump.log");
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "CRIU cannot save the state of container \"%s\": %s", dump->name,
                         cause ?: "it gives no reason in its log");
}

/* CRIU reads its files as root of the container when it restores: they are open, and kept from
 * everybody by the directory that theirs is in. */
static int open_files(int dir_fd) {
        g_autoptr(GPtrArray) names = NULL;
        int r = path_list_names(dir_fd, &names);

        if (r < 0)
                return r;
        for (guint i = 0; i < names->len; i++)
                if (fchmodat(dir_fd, g_ptr_array_index(names, i), 0644, 0) < 0)
                        return -errno;
        return fchmod(dir_fd, 0711) < 0 ? -errno : 0;
}

int dump_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Dump) dump = { .init = PROCESS_INIT, .state_fd = -EBADF };
        int r;

        wait_block_term();
        r = read_args(worker, &dump, ret_error);
        if (r < 0)
                return r;
        r = check_apparmor(&dump, ret_error);
        if (r < 0)
                return r;
        r = dump.state_fd = path_open_dir(dump.state);
        if (r >= 0)
                r = note_terminal(&dump);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot prepare to save the state of container \"%s\"",
                                       dump.name);
        r = run_criu(&dump, ret_error);
        if (r < 0)
                return r;
        r = open_files(dump.state_fd);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot keep the state of container \"%s\"",
                                       dump.name);
        return state_seal(dump.state_fd, STATE_SEAL_OWN, dump.key, dump.name, dump.idmap,
                          ret_error);
}
