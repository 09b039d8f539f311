/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "tests/bus/client.h"
#include "tests/bus/mock-polkit.h"

/* Nothing at all happening for this long means that what a test waits for will not come. */
#define PATIENCE_USEC (15 * G_USEC_PER_SEC)

/* Of all tests of this program; removed at its end. */
static const char *base_dir;

static void remove_tree(const char *path) {
        g_autofree char *parent = g_path_get_dirname(path), *name = g_path_get_basename(path);
        _cleanup_close_ int fd = path_open_dir(parent);

        if (fd < 0 || path_remove_tree(fd, name) < 0)
                g_error("Cannot remove %s", path);
}

/* --- processes --- */

static void reap(Harness *h) {
        int status;
        pid_t pid;

        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
                if (pid == h->service_pid) {
                        h->service_pid = 0;
                        h->service_status = status;
                } else if (pid == h->bus_pid)
                        h->bus_pid = 0;
}

static int on_child(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        reap(userdata);
        return 0;
}

/* The child dies with us, whatever happens. */
static pid_t spawn(const char *const *argv, const char *address, int inherited_fd) {
        pid_t pid = fork();
        sigset_t none;

        g_assert_cmpint(pid, >=, 0);
        if (pid > 0)
                return pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        if (address)
                (void) setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
        (void) setenv("G_DEBUG", "fatal-criticals", 1);
        if (inherited_fd >= 0)
                (void) fd_set_cloexec(inherited_fd, false);
        (void) execvp(argv[0], (char *const *) argv);
        _exit(127);
}

static void wait_for_end(Harness *h, const pid_t *pid) {
        while (*pid > 0)
                harness_step(h, "the end of a process");
}

/* --- the bus --- */

static char *write_bus_config(Harness *h) {
        g_autofree char *path = g_build_filename(h->dir, "bus.conf", NULL);
        g_autofree char *services = g_build_filename(h->dir, "services", NULL);
        g_autofree char *text = g_strdup_printf(
                "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-BUS Bus Configuration "
                "1.0//EN\" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
                "<busconfig>\n"
                "  <listen>unix:path=%s/bus</listen>\n"
                "  <auth>EXTERNAL</auth>\n"
                "  <servicedir>%s</servicedir>\n"
                "  <policy context=\"default\">\n"
                "    <allow user=\"*\"/>\n"
                "    <allow own=\"*\"/>\n"
                "    <allow send_destination=\"*\" eavesdrop=\"true\"/>\n"
                "    <allow eavesdrop=\"true\"/>\n"
                "  </policy>\n"
                /* Some tests have polkit answer nothing for a while: one question a method. */
                "</busconfig>\n", h->dir, services);

        g_assert_true(g_file_set_contents(path, text, -1, NULL));
        g_assert_cmpint(mkdir(services, 0755), ==, 0);
        return TAKE_PTR(path);
}

static void start_bus(Harness *h) {
        g_autofree char *config = write_bus_config(h);
        g_autofree char *config_arg = g_strconcat("--config-file=", config, NULL);
        g_autofree char *print_arg = NULL;
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        g_autoptr(GBytes) line = NULL;
        int pair[2];

        g_assert_cmpint(pipe2(pair, O_CLOEXEC), ==, 0);
        ours = pair[0];
        theirs = pair[1];
        print_arg = g_strdup_printf("--print-address=%d", theirs);
        h->address = g_strdup_printf("unix:path=%s/bus", h->dir);
        h->bus_pid = spawn((const char *const[]) { "dbus-daemon", config_arg, "--nofork",
                                                   "--nopidfile", print_arg, NULL },
                           h->address, theirs);
        theirs = fd_close(theirs);
        /* It closes its end when it has written the address, and then it listens. */
        g_assert_cmpint(fd_read_all(ours, 4096, &line), ==, 0);
        g_assert_cmpuint(g_bytes_get_size(line), >, 0);
}

char *harness_get_owner(Harness *h) {
        g_autoptr(Call) call = client_call(h->root, "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus.GetNameOwner",
                                           g_variant_new("(s)", "org.berth1"));
        char *owner;

        if (call->error)
                return NULL;
        g_variant_get(call->body, "(s)", &owner);
        return owner;
}

/* --- berthd --- */

static pid_t spawn_service(Harness *h, const char *const *more) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

        g_ptr_array_add(argv, g_strdup(h->service ?: BERTHD));
        g_ptr_array_add(argv, g_strconcat("--state-dir=", h->state_dir, NULL));
        g_ptr_array_add(argv, g_strconcat("--run-dir=", h->run_dir, NULL));
        g_ptr_array_add(argv, g_strconcat("--libexec-dir=", h->libexec_dir, NULL));
        for (; more && *more; more++)
                g_ptr_array_add(argv, g_strdup(*more));
        g_ptr_array_add(argv, NULL);
        return spawn((const char *const *) argv->pdata, h->address, -EBADF);
}

int harness_run_second(Harness *h) {
        pid_t pid = spawn_service(h, NULL);
        int status;

        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        return status;
}

void harness_start_service(Harness *h, const char *const *more) {
        guint before = h->root->signals->len;

        g_assert_cmpint(h->service_pid, ==, 0);
        h->service_pid = spawn_service(h, more);
        for (;;) {
                const Signal *s = client_find_signal(h->root, before, "/org/freedesktop/DBus",
                                                     "NameOwnerChanged");
                const char *owner;

                if (h->service_pid == 0)
                        g_error("berthd ended with wait status %d before it was on the bus",
                                h->service_status);
                if (s) {
                        g_variant_get_child(s->body, 2, "&s", &owner);
                        if (*owner)
                                return;
                        before = s->index + 1;
                        continue;
                }
                harness_step(h, "berthd on the bus");
        }
}

void harness_stop_service(Harness *h) {
        g_assert_cmpint(h->service_pid, >, 0);
        g_assert_cmpint(kill(h->service_pid, SIGTERM), ==, 0);
        wait_for_end(h, &h->service_pid);
        g_assert_cmpint(h->service_status, ==, 0);
}

void harness_kill_service(Harness *h) {
        g_assert_cmpint(h->service_pid, >, 0);
        g_assert_cmpint(kill(h->service_pid, SIGKILL), ==, 0);
        wait_for_end(h, &h->service_pid);
}

/* --- fake workers --- */

static void install_workers(Harness *h) {
        static const char *const rooms[] = { "storage", "image", "download", "network", "runtime",
                                             "console", "files", "tree", "mount" };
        g_autofree char *plans = g_build_filename(h->libexec_dir, "plan", NULL);

        g_assert_cmpint(mkdir(h->libexec_dir, 0700), ==, 0);
        g_assert_cmpint(mkdir(plans, 0700), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(rooms); i++) {
                g_autofree char *path = g_strdup_printf("%s/berth-worker-%s", h->libexec_dir,
                                                        rooms[i]);

                g_assert_cmpint(symlink(FAKE_WORKER, path), ==, 0);
        }
}

void harness_plan(Harness *h, const char *operation, const char *directives) {
        g_autofree char *path = g_build_filename(h->libexec_dir, "plan", operation, NULL);
        g_autofree char *gate = g_strconcat(path, ".gate", NULL);

        if (directives) {
                g_assert_true(g_file_set_contents(path, directives, -1, NULL));
                g_assert_true(mkfifo(gate, 0600) == 0 || errno == EEXIST);
        } else
                (void) unlink(path);
}

void harness_open_gate(Harness *h, const char *operation) {
        g_autofree char *gate = g_strdup_printf("%s/plan/%s.gate", h->libexec_dir, operation);
        int fd = open(gate, O_RDWR | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        /* There to be read, and never read, as long as this is open: for all that come. */
        g_assert_cmpint(write(fd, "", 1), ==, 1);
        g_array_append_val(h->gates, fd);
}

char *harness_read_log(Harness *h) {
        g_autofree char *path = g_build_filename(h->libexec_dir, "log", NULL);
        char *text;

        return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

unsigned harness_count_runs(Harness *h, const char *operation) {
        g_autofree char *log = harness_read_log(h);
        g_autofree char *prefix = *operation ? g_strconcat(operation, " ", NULL) : g_strdup("");
        g_auto(GStrv) lines = g_strsplit(log, "\n", -1);
        unsigned n = 0;

        for (char **line = lines; *line; line++)
                n += g_str_has_prefix(*line, prefix);
        return n;
}

static unsigned count_entries(const char *path) {
        GDir *d = g_dir_open(path, 0, NULL);
        unsigned n = 0;

        if (!d)
                return 0;
        while (g_dir_read_name(d))
                n++;
        g_dir_close(d);
        return n;
}

unsigned harness_count_entries(Harness *h, const char *path) {
        g_autofree char *full = g_build_filename(h->dir, path, NULL);

        return count_entries(full);
}

unsigned harness_count_fds(Harness *h) {
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", h->service_pid);

        return count_entries(path);
}

int harness_open_process(pid_t pid) {
        int fd = fd_pidfd_open(pid);

        g_assert_cmpint(fd, >=, 0);
        return fd;
}

void harness_wait_for_process(int pidfd) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        g_assert_cmpint(poll(&p, 1, PATIENCE_USEC / G_TIME_SPAN_MILLISECOND), ==, 1);
        fd_close(pidfd);
}

GArray *harness_open_workers(Harness *h) {
        g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", h->service_pid,
                                                h->service_pid);
        g_autofree char *text = NULL;
        g_auto(GStrv) pids = NULL;
        GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        pids = g_strsplit(g_strchomp(text), " ", -1);
        for (char **p = pids; *p && **p; p++) {
                int fd = harness_open_process((pid_t) g_ascii_strtoll(*p, NULL, 10));

                g_array_append_val(fds, fd);
        }
        return fds;
}

void harness_wait_for_workers(GArray *workers) {
        for (guint i = 0; i < workers->len; i++)
                harness_wait_for_process(g_array_index(workers, int, i));
}

bool harness_has_file(Harness *h, const char *path) {
        g_autofree char *full = g_build_filename(h->dir, path, NULL);

        return access(full, F_OK) == 0;
}

void harness_make_dirs(Harness *h, const char *path) {
        g_autofree char *full = g_build_filename(h->dir, path, NULL);

        g_assert_cmpint(path_make_dirs(full, 0700), ==, 0);
}

void harness_remove_tree(Harness *h, const char *path) {
        g_autofree char *full = g_build_filename(h->dir, path, NULL);

        remove_tree(full);
}

void harness_write_file(Harness *h, const char *path, const void *data, size_t size) {
        g_autofree char *full = g_build_filename(h->dir, path, NULL);

        g_assert_true(g_file_set_contents(full, data, (gssize) size, NULL));
}

/* --- life --- */

void harness_step(Harness *h, const char *what) {
        int r = sd_event_run(h->event, PATIENCE_USEC);

        if (r == 0)
                g_error("Waited in vain for %s", what);
        g_assert_cmpint(r, >, 0);
}

static void set_up_events(Harness *h) {
        sigset_t mask;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGCHLD);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        g_assert_cmpint(prctl(PR_SET_CHILD_SUBREAPER, 1), ==, 0);
        g_assert_cmpint(sd_event_new(&h->event), >=, 0);
        g_assert_cmpint(sd_event_add_signal(h->event, &h->child_source, SIGCHLD, on_child, h), >=,
                        0);
}

Harness *harness_new_idle(void) {
        static unsigned n;
        Harness *h = g_new0(Harness, 1);

        h->dir = g_strdup_printf("%s/%u", base_dir, n++);
        h->libexec_dir = g_build_filename(h->dir, "libexec", NULL);
        h->state_dir = g_build_filename(h->dir, "state", NULL);
        h->run_dir = g_build_filename(h->dir, "run", NULL);
        h->gates = g_array_new(FALSE, FALSE, sizeof(int));
        g_assert_cmpint(mkdir(h->dir, 0711), ==, 0);
        g_assert_cmpint(chmod(h->dir, 0711), ==, 0);
        install_workers(h);
        set_up_events(h);
        start_bus(h);
        h->root = client_new(h, 0);
        client_listen(h->root);
        h->polkit = mock_polkit_new(h);
        return h;
}

Harness *harness_new(void) {
        Harness *h = harness_new_idle();

        harness_start_service(h, NULL);
        return h;
}

void harness_end_containers(Harness *h) {
        g_autofree char *log = harness_read_log(h);
        g_auto(GStrv) lines = g_strsplit(log, "\n", -1);

        for (char **line = lines; *line; line++) {
                guint64 pid;
                int pidfd;

                if (!g_str_has_prefix(*line, "pid ") ||
                    !g_ascii_string_to_unsigned(*line + strlen("pid "), 10, 2, G_MAXINT32, &pid,
                                                NULL))
                        continue;
                pidfd = fd_pidfd_open((pid_t) pid);
                if (pidfd < 0)
                        continue;
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
                harness_wait_for_process(pidfd);
        }
}

static void assert_no_process_left(void) {
        siginfo_t si = { 0 };

        while (waitpid(-1, NULL, WNOHANG) > 0)
                ;
        if (waitid(P_ALL, 0, &si, WEXITED | WNOWAIT | WNOHANG) < 0)
                g_assert_cmpint(errno, ==, ECHILD);
        else {
                /* Those that were killed just now are on their way out; others would stay. */
                (void) alarm(PATIENCE_USEC / G_USEC_PER_SEC);
                while (waitpid(-1, NULL, 0) > 0)
                        ;
                (void) alarm(0);
                g_assert_cmpint(errno, ==, ECHILD);
        }
}

void harness_free(Harness *h) {
        if (h->service_pid > 0)
                harness_stop_service(h);
        harness_end_containers(h);
        (void) mock_polkit_free(h->polkit);
        (void) client_free(h->root);
        (void) kill(h->bus_pid, SIGTERM);
        wait_for_end(h, &h->bus_pid);
        for (guint i = 0; i < h->gates->len; i++)
                fd_close(g_array_index(h->gates, int, i));
        g_array_unref(h->gates);
        sd_event_source_disable_unref(h->child_source);
        sd_event_unref(h->event);
        assert_no_process_left();
        g_free(h->dir);
        g_free(h->libexec_dir);
        g_free(h->state_dir);
        g_free(h->run_dir);
        g_free(h->address);
        g_free(h);
}

/* --- supervision --- */

/* Kills our children, and those that become ours thereby, until there are none. */
static void kill_all(void) {
        for (;;) {
                g_autofree char *text = NULL;
                g_auto(GStrv) pids = NULL;
                guint64 pid;

                if (!g_file_get_contents("/proc/thread-self/children", &text, NULL, NULL))
                        return;
                pids = g_strsplit(g_strchomp(text), " ", -1);
                for (char **p = pids; *p; p++)
                        if (g_ascii_string_to_unsigned(*p, 10, 2, G_MAXINT32, &pid, NULL))
                                (void) kill((pid_t) pid, SIGKILL);
                if (waitpid(-1, NULL, 0) < 0)
                        return;
        }
}

/* dbus-daemon lets only those in whom passwd knows: ours, in a mount namespace of our own. No
 * subordinate ids, so that berthd takes its default ones. */
static bool set_up_users(const char *dir) {
        g_autofree char *passwd = g_build_filename(dir, "passwd", NULL);
        g_autofree char *subids = g_build_filename(dir, "subids", NULL), *old = NULL;
        g_autoptr(GString) new = NULL;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return false;
        if (!g_file_get_contents("/etc/passwd", &old, NULL, NULL))
                return false;
        new = g_string_new(old);
        g_string_append_printf(new, "alice:x:%u:%u::/:/bin/sh\nbob:x:%u:%u::/:/bin/sh\n"
                               "far:x:%u:%u::/:/bin/sh\n", UID_ALICE, UID_ALICE, UID_BOB, UID_BOB,
                               UID_FAR, UID_FAR);
        for (uid_t uid = UID_CROWD; uid < UID_CROWD + CROWD_USERS; uid++)
                g_string_append_printf(new, "crowd%u:x:%u:%u::/:/bin/sh\n", uid, uid, uid);
        if (!g_file_set_contents(passwd, new->str, -1, NULL) || chmod(passwd, 0644) < 0 ||
            mount(passwd, "/etc/passwd", NULL, MS_BIND, NULL) < 0 ||
            !g_file_set_contents(subids, "", -1, NULL))
                return false;
        (void) mount(subids, "/etc/subuid", NULL, MS_BIND, NULL); /* where there is one */
        (void) mount(subids, "/etc/subgid", NULL, MS_BIND, NULL);
        return true;
}

int harness_main(void) {
        g_autofree char *dir = g_build_filename(g_get_tmp_dir(), "berth-bus-XXXXXX", NULL);
        int status = 0;
        pid_t pid;

        if (geteuid() != 0) {
                printf("SKIP: clients of other users take root\n");
                return 77;
        }
        if (!g_mkdtemp_full(dir, 0711))
                return EXIT_FAILURE;
        base_dir = dir;
        if (!set_up_users(dir)) {
                remove_tree(dir);
                printf("SKIP: no mount namespace can be had\n");
                return 77;
        }
        (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
        pid = fork();
        if (pid < 0)
                return EXIT_FAILURE;
        if (pid == 0) {
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void) g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
                exit(test_run());
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        kill_all();
        remove_tree(dir);
        if (WIFEXITED(status))
                return WEXITSTATUS(status);
        fprintf(stderr, "The tests were ended by signal %d\n", WTERMSIG(status));
        return EXIT_FAILURE;
}
