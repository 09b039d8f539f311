/* SPDX-License-Identifier: Apache-2.0 */
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/operations.h"
#include "service/worker/runtime/process.h"
#include "tests/unit/test.h"
#include "tests/worker/container.h"

/* The aim is 0.5 MiB for a running container. */
#define MONITOR_PRIVATE_MAX (512U << 10)

static char *read_proc(pid_t pid, const char *name) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
        char *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return text;
}

static const char *error_message(const WorkerMessage *message) {
        const char *text = NULL;

        g_assert_cmpstr(message->kind, ==, "error");
        g_assert_true(g_variant_lookup(message->content, "message", "&s", &text));
        return text;
}

static void assert_error(const WorkerMessage *message, const char *name, const char *words) {
        const char *n = NULL, *text = error_message(message);

        g_assert_true(g_variant_lookup(message->content, "name", "&s", &n));
        g_assert_cmpstr(strrchr(n, '.') + 1, ==, name);
        if (!strstr(text, words))
                g_error("\"%s\" is not in \"%s\"", words, text);
}

/* A failed start leaves nothing behind. */
static void assert_failure(Container *c, GVariantDict *args, const char *name, const char *words) {
        g_auto(WorkerMessage) message = container_start_with(c, args);

        assert_error(&message, name, words);
        g_assert_cmpint(access(c->lxc_path, F_OK), <, 0);
        g_assert_false(container_has_groups(c));
}

/* What one more container costs. The clean pages of liblxc count as private too while there is
 * only one, but they are in the page cache once for all. */
static uint64_t private_memory(pid_t pid) {
        g_autofree char *text = read_proc(pid, "smaps_rollup");
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        uint64_t sum = 0;

        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, "Private_Dirty:"))
                        sum += g_ascii_strtoull(strchr(*line, ':') + 1, NULL, 10) * 1024;
        return sum;
}

TEST(start_and_clean) {
        g_autoptr(Container) c = container_new();
        g_auto(Process) init = PROCESS_INIT;
        g_autofree char *map = NULL, *environment = NULL, *config = NULL, *names = NULL;
        struct stat st;
        pid_t parent;

        if (!c)
                return;
        container_start(c);

        g_assert_cmpint(process_open_by_pid(c->init, &init), ==, 0);
        g_assert_cmpint(process_read_parent(&init, &parent), ==, 0);
        g_assert_cmpint(parent, ==, c->monitor);
        map = read_proc(c->init, "uid_map");
        g_assert_nonnull(strstr(map, " 1700000000 "));
        environment = read_proc(c->init, "environ");
        g_assert_true(g_str_has_prefix(environment, "container=lxc"));

        config = g_build_filename(c->lxc_path, c->name, "config", NULL);
        g_assert_cmpint(stat(config, &st), ==, 0);
        g_assert_cmpint(st.st_mode & 07777, ==, 0600);
        names = g_path_get_dirname(config);
        g_assert_cmpint(stat(names, &st), ==, 0);
        g_assert_cmpint(st.st_mode & 07777, ==, 0700);

        container_clean(c);
}

TEST(monitor_is_small_and_alone) {
        g_autoptr(Container) c = container_new();
        g_autofree char *fds = NULL;
        const char *name;
        g_autoptr(GDir) dir = NULL;
        uint64_t memory;

        if (!c)
                return;
        container_start(c);
        fds = g_strdup_printf("/proc/%d/fd", c->monitor);
        dir = g_dir_open(fds, 0, NULL);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *link = g_build_filename(fds, name, NULL);
                g_autofree char *to = g_file_read_link(link, NULL);

                /* Nothing of the worker's request, and none of its sockets but the command one. */
                g_assert_false(g_str_has_prefix(to, "/memfd:"));
                g_assert_false(g_str_has_prefix(to, "pipe:"));
        }
        g_assert_cmpint(getsid(c->monitor), ==, c->monitor);
        memory = private_memory(c->monitor);
        printf("monitor: %" G_GUINT64_FORMAT " bytes private\n", memory);
        g_assert_cmpuint(memory, >, 0);
        if (!BERTH_SANITIZED) /* their shadow is none of a real monitor's */
                g_assert_cmpuint(memory, <=, MONITOR_PRIVATE_MAX);
}

TEST(poweroff_inside) {
        g_autoptr(Container) c = container_new();
        g_autofree char *target = NULL;

        if (!c)
                return;
        container_start(c);
        {
                g_auto(ExecResult) r = container_shell(c, "poweroff -f");
                (void) r;
        }
        container_await_end(c->monitor_pidfd);
        target = container_target(c);
        g_assert_cmpstr(target, ==, "stop");
        container_clean(c);
}

TEST(reboot_inside_ends_it) {
        g_autoptr(Container) c = container_new();
        g_autofree char *target = NULL;

        if (!c)
                return;
        container_start(c);
        {
                g_auto(ExecResult) r = container_shell(c, "reboot -f");
                (void) r;
        }
        container_await_end(c->init_pidfd);
        container_await_end(c->monitor_pidfd);
        target = container_target(c);
        g_assert_cmpstr(target, ==, "reboot");
        container_clean(c);
        container_start(c);
}

TEST(init_killed) {
        g_autoptr(Container) c = container_new();
        g_autofree char *target = NULL;

        if (!c)
                return;
        container_start(c);
        g_assert_cmpint(fd_pidfd_send_signal(c->init_pidfd, SIGKILL), ==, 0);
        container_await_end(c->monitor_pidfd);
        target = container_target(c);
        g_assert_cmpstr(target, ==, "stop");
}

TEST(monitor_killed) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        g_assert_cmpint(fd_pidfd_send_signal(c->monitor_pidfd, SIGKILL), ==, 0);
        container_await_end(c->monitor_pidfd);
        g_assert_cmpint(fd_pidfd_send_signal(c->init_pidfd, 0), ==, 0);
        {
                g_auto(ExecResult) r = container_shell(c, "echo still here");

                g_assert_cmpint(r.status, ==, 0);
                g_assert_cmpstr(r.out, ==, "still here\n");
        }
        {
                g_auto(WorkerMessage) m = container_start_with(c, container_start_args(c));

                assert_error(&m, "AlreadyRunning", "running already");
                g_assert_cmpint(fd_pidfd_send_signal(c->init_pidfd, 0), ==, 0);
        }
        container_clean(c);
        g_assert_false(container_has_groups(c));
}

static char *frozen_state(Container *c) {
        g_autofree char *path =
                g_strdup_printf("/sys/fs/cgroup/unified/berth.payload.%s/cgroup.events", c->name);
        char *text = NULL;

        if (!g_file_get_contents(path, &text, NULL, NULL)) {
                g_free(path);
                path = g_strdup_printf("/sys/fs/cgroup/berth.payload.%s/cgroup.events", c->name);
                g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        }
        return text;
}

TEST(freeze_and_thaw) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        {
                g_auto(WorkerMessage) m = container_run(c, OPERATION_FREEZE);
                g_autofree char *state = frozen_state(c);
                g_auto(ExecResult) r = container_shell(c, "true");

                g_assert_cmpstr(m.kind, ==, "result");
                g_assert_nonnull(strstr(state, "frozen 1"));
                g_assert_cmpint(r.status, ==, -1);
                g_assert_nonnull(strstr(r.error, "frozen"));
        }
        {
                g_auto(WorkerMessage) again = container_run(c, OPERATION_FREEZE);
                g_auto(WorkerMessage) m = container_run(c, OPERATION_UNFREEZE);
                g_auto(ExecResult) r = container_shell(c, "true");

                g_assert_cmpstr(again.kind, ==, "result");
                g_assert_cmpstr(m.kind, ==, "result");
                g_assert_cmpint(r.status, ==, 0);
        }
        {
                g_auto(WorkerMessage) m = container_run(c, OPERATION_FREEZE);

                g_assert_cmpstr(m.kind, ==, "result");
        }
        container_clean(c); /* also what is frozen */
}

TEST(clean_is_idempotent) {
        g_autoptr(Container) c = container_new();
        g_autofree char *path = NULL;

        if (!c)
                return;
        container_start(c);
        path = g_strdup(c->lxc_path);
        container_clean(c);
        c->lxc_path = g_strdup(path);
        container_clean(c);
}

TEST(clean_ends_fork_bombs_and_deep_groups) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        container_start(c);
        {
                g_auto(ExecResult) r = container_shell(
                        c,
                        "mkdir -p /tmp/cg && mount -t cgroup2 none /tmp/cg && cd /tmp/cg &&"
                        " i=0 && while [ $i -lt 600 ]; do mkdir d && cd d && i=$((i+1)) || exit 1;"
                        " done && echo deep");

                if (!strstr(r.out, "deep"))
                        g_error("%s", r.err);
        }
        {
                g_auto(ExecResult) r = container_shell(
                        c, "b() { (trap '' TERM HUP; while :; do sleep 0.01 & done) & }; b; b; b");

                g_assert_cmpint(r.status, ==, 0);
        }
        container_clean(c);
}

TEST(start_failures_leave_nothing) {
        g_autoptr(Container) c = container_new();
        g_autofree char *init = NULL, *away = NULL;
        GVariantDict *args;
        GVariantBuilder nics;

        if (!c)
                return;

        args = container_start_args(c);
        g_variant_dict_insert(args, "rootfs", "s", "/tmp/berth-test-missing");
        assert_failure(c, args, "Failed", "root filesystem");

        args = container_start_args(c);
        g_variant_builder_init(&nics, G_VARIANT_TYPE("aa{ss}"));
        g_variant_builder_open(&nics, G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_add(&nics, "{ss}", "name", "eth0");
        g_variant_builder_add(&nics, "{ss}", "host_name", "berthtest0");
        g_variant_builder_add(&nics, "{ss}", "hwaddr", "00:16:3e:00:00:01");
        g_variant_builder_add(&nics, "{ss}", "parent", "berthnone0");
        g_variant_builder_close(&nics);
        g_variant_dict_insert_value(args, "nics", g_variant_builder_end(&nics));
        assert_failure(c, args, "NoSuchNetwork", "berthnone0");

        init = g_build_filename(c->rootfs, "sbin/init", NULL);
        away = g_build_filename(c->rootfs, "sbin/away", NULL);
        g_assert_cmpint(rename(init, away), ==, 0);
        assert_failure(c, container_start_args(c), "Failed", "/sbin/init");

        g_assert_cmpint(symlink("/etc/passwd", init), ==, 0);
        assert_failure(c, container_start_args(c), "BackendFailed", "/sbin/init");

        g_assert_cmpint(unlink(init), ==, 0);
        g_assert_cmpint(rename(away, init), ==, 0);
        container_start(c);
}

TEST(environment_of_init) {
        g_autoptr(Container) c = container_new();
        g_autofree char *environment = NULL;
        GVariantDict *args;
        GVariantBuilder builder;
        bool found = false;

        if (!c)
                return;
        args = container_start_args(c);
        g_variant_builder_init(&builder, G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_add(&builder, "{ss}", "environment.ODD", " \"quoted\" # = $x ' ");
        g_variant_builder_add(&builder, "{ss}", "environment.EMPTY", "");
        g_variant_dict_insert_value(args, "config", g_variant_builder_end(&builder));
        {
                g_auto(WorkerMessage) m = container_start_with(c, args);

                g_assert_cmpstr(m.kind, ==, "result");
        }
        {
                g_autofree char *path = g_strdup_printf("/proc/%d/environ", c->init);
                gsize size;

                g_assert_true(g_file_get_contents(path, &environment, &size, NULL));
                for (char *p = environment; p < environment + size; p += strlen(p) + 1)
                        found = found || g_str_equal(p, "ODD= \"quoted\" # = $x ' ");
        }
        g_assert_true(found);
}

TEST(control_characters_are_refused) {
        static const char *const bad[][2] = {
                { "A", "x\nlxc.hook.pre-start = /bin/true" },
                { "A\nlxc.hook.pre-start", "/bin/true" },
                { "A", "x\r" },
                { "A", "\x1b[2J" },
                { "A", "\x7f" },
                { "A", "tab\t" },
                { "A", "line\xe2\x80\xa8separator" },
                { "A", "c1\xc2\x85" },
                { "A=B", "x" },
                { "", "x" },
        };
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                GVariantDict *args = container_start_args(c);
                g_autofree char *key = g_strconcat("environment.", bad[i][0], NULL);
                GVariantBuilder builder;

                g_variant_builder_init(&builder, G_VARIANT_TYPE("a{ss}"));
                g_variant_builder_add(&builder, "{ss}", key, bad[i][1]);
                g_variant_dict_insert_value(args, "config", g_variant_builder_end(&builder));
                assert_failure(c, args, "InvalidConfig", c->name);
        }
}

TEST(cancel_during_start) {
        g_autoptr(Container) c = container_new();

        if (!c)
                return;
        /* At any moment: it either runs then, or nothing of it is there. */
        for (unsigned usec = 0; usec < 30000; usec += 1500) {
                GVariantDict *args = container_start_args(c);
                WorkerClient *client = worker_client_new(container_worker(), OPERATION_START,
                                                         g_variant_dict_end(args), NULL, 0);
                g_auto(WorkerMessage) m = {};
                pid_t pid = client->pid;

                g_variant_dict_unref(args);
                g_usleep(usec);
                g_assert_cmpint(kill(pid, SIGTERM), ==, 0);
                m = worker_client_receive(client);
                (void) worker_client_end(client);
                if (!m.kind)
                        continue; /* before it could take a signal */
                if (g_str_equal(m.kind, "error")) {
                        assert_error(&m, "Cancelled", "cancelled");
                        g_assert_false(container_has_groups(c));
                        g_assert_cmpint(access(c->lxc_path, F_OK), <, 0);
                } else
                        container_clean(c);
        }
}

TEST_MAIN()
