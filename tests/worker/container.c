/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/worker/container.h"

#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/model/idmap.h"
#include "service/worker/operations.h"
#include "tests/unit/test.h"

#define BUSYBOX "/bin/busybox"
#define END_MSEC 10000

static const IdRange ids = { CONTAINER_ID_BASE, ID_RANGE_SIZE };

static const char *const files[][2] = {
        { "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                        "alice:x:1000:1000:Alice:/home/alice:/bin/sh\n"
                        "nohome:x:1001:1001::/home/missing:/bin/sh\n" },
        { "etc/group", "root:x:0:\nalice:x:1000:\nwheel:x:10:alice\nvideo:x:44:alice,nohome\n"
                       "nohome:x:1001:\n" },
        { "etc/inittab", "::sysinit:/bin/true\n::respawn:/bin/sleep 1000000\n" },
        { "bin/not-executable", "#!/bin/sh\n" },
};

static const char *const directories[] = { "bin",  "dev",  "etc", "home", "proc", "root",
                                           "run",  "sbin", "sys", "tmp",  "var" };

static const char *const applets[] = {
        "cat",  "chmod", "chown", "dd",     "echo",   "env",   "false", "grep", "head", "id",
        "kill", "ln",    "ls",    "mkdir",  "mount",  "printf", "ps",   "pwd",  "readlink",
        "sed",  "seq",   "sh",    "sleep",  "stat",   "stty",  "test",  "true", "tty",  "umount",
        "wc",   "yes",   "poweroff", "reboot", "touch", "trap", "umask", "rm", "nc", "ulimit", "tr",
        "unshare", "hostname", "mkfifo", "basename", "sort", "cut",
};

static void make_file(const char *root, const char *name, const char *text, mode_t mode) {
        g_autofree char *path = g_build_filename(root, name, NULL);

        g_assert_true(g_file_set_contents(path, text, -1, NULL));
        g_assert_cmpint(chmod(path, mode), ==, 0);
}

static void make_rootfs(const char *root) {
        g_autofree char *busybox = NULL, *init = NULL, *home = NULL;
        gsize size;

        g_assert_cmpint(mkdir(root, 0755), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                g_autofree char *path = g_build_filename(root, directories[i], NULL);

                g_assert_cmpint(mkdir(path, 0755), ==, 0);
                g_assert_cmpint(chmod(path, 0755), ==, 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                make_file(root, files[i][0], files[i][1], 0644);

        g_assert_true(g_file_get_contents(BUSYBOX, &busybox, &size, NULL));
        {
                g_autofree char *path = g_build_filename(root, "bin/busybox", NULL);

                g_assert_true(g_file_set_contents(path, busybox, (gssize) size, NULL));
                g_assert_cmpint(chmod(path, 0755), ==, 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(applets); i++) {
                g_autofree char *path = g_build_filename(root, "bin", applets[i], NULL);

                g_assert_cmpint(symlink("busybox", path), ==, 0);
        }
        init = g_build_filename(root, "sbin/init", NULL);
        g_assert_cmpint(symlink("/bin/busybox", init), ==, 0);
        home = g_build_filename(root, "home/alice", NULL);
        g_assert_cmpint(mkdir(home, 0700), ==, 0);
        g_assert_cmpint(chown(home, 1000, 1000), ==, 0);
}

const char *container_worker(void) {
        const char *worker = g_getenv("BERTH_WORKER_RUNTIME");

        g_assert_nonnull(worker);
        return worker;
}

Container *container_new(void) {
        static unsigned count;
        g_autofree char *directory = g_strdup("/tmp/berth-test-XXXXXX");
        Container *c;

        if (geteuid() != 0 || access(BUSYBOX, X_OK) < 0) {
                test_skip("needs root and busybox-static");
                return NULL;
        }
        umask(0022);
        g_assert_nonnull(mkdtemp(directory));
        g_assert_cmpint(chmod(directory, 0711), ==, 0);

        c = g_new(Container, 1);
        *c = (Container) {
                .name = g_strdup_printf("test-%d-%u", getpid(), ++count),
                .rootfs = g_build_filename(directory, "pool", "rootfs", NULL),
                .log_file = g_build_filename(directory, "log", NULL),
                .console_log = g_build_filename(directory, "console", NULL),
                .init_pidfd = -EBADF,
                .monitor_pidfd = -EBADF,
        };
        c->directory = TAKE_PTR(directory);
        {
                g_autofree char *pool = g_path_get_dirname(c->rootfs);

                g_assert_cmpint(mkdir(pool, 0700), ==, 0);
        }
        make_rootfs(c->rootfs);
        return c;
}

static void forget(Container *c) {
        c->init_pidfd = fd_close(c->init_pidfd);
        c->monitor_pidfd = fd_close(c->monitor_pidfd);
        c->init = c->monitor = 0;
}

Container *container_free(Container *c) {
        _cleanup_close_ int tmp = -EBADF;
        g_autofree char *last = NULL;

        if (!c)
                return NULL;
        if (c->lxc_path)
                container_clean(c);
        last = g_path_get_basename(c->directory);
        tmp = path_open_dir("/tmp");
        g_assert_cmpint(path_remove_tree(tmp, last), ==, 0);
        g_free(c->name);
        g_free(c->directory);
        g_free(c->rootfs);
        g_free(c->lxc_path);
        g_free(c->log_file);
        g_free(c->console_log);
        g_free(c);
        return NULL;
}

GVariantDict *container_start_args(Container *c) {
        GVariantDict *args = g_variant_dict_new(NULL);
        g_autoptr(IdMap) idmap = idmap_new_range(ids);

        g_free(c->lxc_path);
        c->lxc_path = g_strdup_printf("%s/%08x%08x", c->directory, g_random_int(), g_random_int());
        g_assert_cmpint(mkdir(c->lxc_path, 0700), ==, 0);

        g_variant_dict_insert(args, "name", "s", c->name);
        g_variant_dict_insert(args, "lxc-path", "s", c->lxc_path);
        g_variant_dict_insert(args, "rootfs", "s", c->rootfs);
        g_variant_dict_insert(args, "idmapped", "b", TRUE);
        g_variant_dict_insert_value(args, "idmap", idmap_to_variant(idmap));
        g_variant_dict_insert_value(args, "nics", g_variant_new("aa{ss}", NULL));
        g_variant_dict_insert_value(args, "devices", g_variant_new("a{sa{ss}}", NULL));
        g_variant_dict_insert(args, "owner", "u", 0U);
        g_variant_dict_insert_value(args, "config", g_variant_new("a{ss}", NULL));
        g_variant_dict_insert(args, "cpus", "s", "");
        g_variant_dict_insert(args, "log-file", "s", c->log_file);
        g_variant_dict_insert(args, "console-log", "s", c->console_log);
        g_variant_dict_insert(args, "architecture", "s", "x86_64");
        g_variant_dict_insert(args, "state", "s", "");
        g_variant_dict_insert(args, "state-key", "s", "");
        g_variant_dict_insert(args, "stateless", "b", FALSE);
        g_variant_dict_insert(args, "keep-state", "b", FALSE);
        g_variant_dict_insert(args, "take-over", "b", FALSE);
        return args;
}

WorkerMessage container_start_with(Container *c, GVariantDict *args) {
        WorkerMessage message = worker_client_finish(worker_client_new(
                container_worker(), OPERATION_START, g_variant_dict_end(args), NULL, 0));

        g_variant_dict_unref(args);
        if (!g_str_equal(message.kind, "result"))
                return message;
        forget(c);
        g_assert_true(g_variant_lookup(message.content, "init-pid", "i", &c->init));
        g_assert_true(g_variant_lookup(message.content, "monitor-pid", "i", &c->monitor));
        g_assert_cmpuint(message.n_fds, ==, 2);
        c->init_pidfd = message.fds[0];
        c->monitor_pidfd = message.fds[1];
        message.n_fds = 0;
        return message;
}

void container_start(Container *c) {
        g_auto(WorkerMessage) message = container_start_with(c, container_start_args(c));

        if (!g_str_equal(message.kind, "result"))
                g_error("%s", g_variant_print(message.content, FALSE));
}

WorkerMessage container_run(Container *c, const char *operation) {
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", c->name);
        g_variant_dict_insert(&args, "lxc-path", "s", c->lxc_path);
        g_variant_dict_insert(&args, "init-pid", "i", c->init);
        return worker_client_finish(worker_client_new(container_worker(), operation,
                                                      g_variant_dict_end(&args), &c->init_pidfd,
                                                      c->init_pidfd >= 0 ? 1 : 0));
}

void container_clean(Container *c) {
        g_auto(WorkerMessage) message = container_run(c, OPERATION_CLEAN);

        if (!g_str_equal(message.kind, "result"))
                g_error("%s", g_variant_print(message.content, FALSE));
        g_assert_cmpint(access(c->lxc_path, F_OK), <, 0);
        g_assert_false(container_has_groups(c));
        if (c->init_pidfd >= 0) {
                container_await_end(c->init_pidfd);
                container_await_end(c->monitor_pidfd);
        }
        forget(c);
        g_clear_pointer(&c->lxc_path, g_free);
}

void container_await_end(int pidfd) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        g_assert_cmpint(poll(&p, 1, END_MSEC), ==, 1);
}

char *container_target(Container *c) {
        g_autofree char *path = g_build_filename(c->lxc_path, RUNTIME_TARGET_FILE, NULL);
        char *target = NULL;

        (void) g_file_get_contents(path, &target, NULL, NULL);
        return target;
}

bool container_has_groups(Container *c) {
        g_autofree char *v1 = g_strdup_printf("/sys/fs/cgroup/*/berth.*.%s", c->name);
        g_autofree char *v2 = g_strdup_printf("/sys/fs/cgroup/berth.*.%s", c->name);
        glob_t found;
        bool has;

        has = glob(v1, 0, NULL, &found) == 0;
        globfree(&found);
        has = glob(v2, 0, NULL, &found) == 0 || has;
        globfree(&found);
        return has;
}

GVariant *container_exec_args(Container *c, const Exec *exec, const char *const *argv,
                              bool terminal) {
        static const char *const none[] = { NULL };
        g_autoptr(IdMap) idmap = idmap_new_range(ids);
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", c->name);
        g_variant_dict_insert(&args, "init-pid", "i", c->init);
        g_variant_dict_insert_value(&args, "idmap", idmap_to_variant(idmap));
        g_variant_dict_insert(&args, "argv", "^as", argv);
        g_variant_dict_insert(&args, "environment", "^as", exec->environment ?: none);
        g_variant_dict_insert(&args, "cwd", "s", exec->cwd ?: "");
        g_variant_dict_insert(&args, "user", "s", exec->user ?: "");
        g_variant_dict_insert(&args, "group", "s", exec->group ?: "");
        g_variant_dict_insert(&args, "terminal", "b", terminal);
        g_variant_dict_insert(&args, "width", "u", 100);
        g_variant_dict_insert(&args, "height", "u", 40);
        return g_variant_dict_end(&args);
}

static char *read_back(int fd) {
        char *text;

        g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
        g_assert_cmpint(fd_read_text(fd, 64U << 20, &text), ==, 0);
        return text;
}

ExecResult container_exec_with(Container *c, const Exec *exec, const char *const *argv) {
        _cleanup_close_ int in = memfd_create("in", MFD_CLOEXEC);
        _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
        _cleanup_close_ int err = memfd_create("err", MFD_CLOEXEC);
        int fds[] = { c->init_pidfd, in, out, err };
        g_auto(WorkerMessage) message = {};
        ExecResult result = { .status = -1 };

        if (exec->input) {
                g_assert_cmpint(fd_write_all(in, exec->input, strlen(exec->input)), ==, 0);
                g_assert_cmpint(lseek(in, 0, SEEK_SET), ==, 0);
        }
        message = worker_client_finish(worker_client_new(container_worker(), OPERATION_EXEC,
                                                         container_exec_args(c, exec, argv, false),
                                                         fds, ELEMENTSOF(fds)));
        if (g_str_equal(message.kind, "result")) {
                g_assert_true(
                        g_variant_lookup(message.content, "exit-status", "i", &result.status));
                (void) g_variant_lookup(message.content, "exec-error", "s", &result.error);
        } else {
                g_assert_true(g_variant_lookup(message.content, "message", "s", &result.error));
                g_assert_true(g_variant_lookup(message.content, "name", "s", &result.error_name));
        }
        result.out = read_back(out);
        result.err = read_back(err);
        return result;
}

ExecResult container_shell(Container *c, const char *command) {
        const char *const argv[] = { "sh", "-c", command, NULL };

        return container_exec_with(c, &(Exec) {}, argv);
}

void exec_result_clear(ExecResult *result) {
        g_clear_pointer(&result->out, g_free);
        g_clear_pointer(&result->err, g_free);
        g_clear_pointer(&result->error, g_free);
        g_clear_pointer(&result->error_name, g_free);
}
