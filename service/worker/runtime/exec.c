/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/exec.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/operations.h"
#include "service/worker/runtime/apparmor.h"
#include "service/worker/runtime/cgroup-control.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/exec-child.h"
#include "service/worker/runtime/exec-session.h"
#include "service/worker/runtime/syscall-filter.h"
#include "service/worker/runtime/wait.h"

/* To be inside and executed. The container's root can make opening a file take for ever. */
#define SETUP_TIMEOUT_USEC (5 * G_TIME_SPAN_SECOND)

#define EXEC_PLAN_INIT \
        ((ExecPlan) { \
                .stdio_fds = { -EBADF, -EBADF, -EBADF }, \
                .init = PROCESS_INIT, \
                .proc_fd = -EBADF, \
                .cgroups = CGROUP_ENTRY_INIT, \
                .report_fd = -EBADF, \
        })

/* Closes what is not needed once the program runs: its standard fds are its own then. */
static void plan_close(ExecPlan *plan) {
        for (int i = 0; i < 3; i++)
                plan->stdio_fds[i] = fd_close(plan->stdio_fds[i]);
        plan->proc_fd = fd_close(plan->proc_fd);
        plan->report_fd = fd_close(plan->report_fd);
        cgroup_entry_close(&plan->cgroups);
}

static void plan_done(ExecPlan *plan) {
        plan_close(plan);
        process_close(&plan->init);
        g_clear_pointer(&plan->argv, g_strfreev);
        g_clear_pointer(&plan->environment, g_strfreev);
        g_clear_pointer(&plan->oom_score_adj, g_free);
        g_clear_pointer(&plan->security_label, g_free);
        g_clear_pointer(&plan->filter, seccomp_release);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ExecPlan, plan_done)

static int get_strv(Worker *worker, const char *key, GStrv *ret, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        int r = worker_get_variant(worker, key, "as", &value, ret_error);

        if (r >= 0)
                *ret = g_variant_dup_strv(value, NULL);
        return r;
}

static int get_uint32(Worker *worker, const char *key, uint32_t *ret, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        int r = worker_get_variant(worker, key, "u", &value, ret_error);

        if (r >= 0)
                *ret = g_variant_get_uint32(value);
        return r;
}

static int check_texts(const ExecPlan *plan, Error *ret_error) {
        if (!plan->argv[0] || *plan->argv[0] == '\0')
                return error_set(ret_error, ERROR_INVALID_ARGS, "There is no program to execute");
        for (char **e = plan->environment; *e; e++)
                if (**e == '=' || !strchr(*e, '='))
                        return error_set(
                                ret_error, ERROR_INVALID_ARGS,
                                "\"%s\" is no environment variable; it has to be NAME=VALUE", *e);
        return 0;
}

/* A terminal would let the program type into whatever else reads from it; a directory or an
 * O_PATH fd would lead it out of the container. */
static int check_stdio(int fd, int i, Error *ret_error) {
        static const char *const names[] = { "standard input", "standard output",
                                             "standard error" };
        int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
        struct stat st;

        if (flags < 0 || fstat(fd, &st) < 0)
                return error_set(ret_error, ERROR_INVALID_ARGS, "There is no fd for %s", names[i]);
        if (flags & O_PATH || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) || isatty(fd))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The fd for %s has to be a file, a pipe or a socket, and no "
                                 "terminal",
                                 names[i]);
        if ((flags & O_ACCMODE) != O_RDWR &&
            (flags & O_ACCMODE) != (i == STDIN_FILENO ? O_RDONLY : O_WRONLY))
                return error_set(ret_error, ERROR_INVALID_ARGS, "The fd for %s can't be %s",
                                 names[i], i == STDIN_FILENO ? "read" : "written");
        return 0;
}

static int read_args(Worker *worker, ExecPlan *plan, Error *ret_error) {
        const struct {
                const char *key;
                const char **value;
        } strings[] = {
                { "cwd", &plan->cwd },
                { "user", &plan->user },
                { "group", &plan->group },
        };
        int r;

        r = get_strv(worker, "argv", &plan->argv, ret_error);
        if (r >= 0)
                r = get_strv(worker, "environment", &plan->environment, ret_error);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(strings); i++)
                r = worker_get_string(worker, strings[i].key, strings[i].value, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "terminal", &plan->terminal, ret_error);
        if (r >= 0)
                r = get_uint32(worker, "width", &plan->width, ret_error);
        if (r >= 0)
                r = get_uint32(worker, "height", &plan->height, ret_error);
        if (r >= 0)
                r = check_texts(plan, ret_error);
        for (int i = 0; r >= 0 && !plan->terminal && i < 3; i++) {
                plan->stdio_fds[i] = worker_take_fd(worker, (size_t) i + 1);
                r = check_stdio(plan->stdio_fds[i], i, ret_error);
        }
        return r;
}

static int open_init(Worker *worker, Process *ret, Error *ret_error) {
        g_autoptr(GVariant) pid = NULL;
        g_autoptr(IdMap) map = NULL;
        int r;

        r = worker_get_variant(worker, "init-pid", "i", &pid, ret_error);
        if (r >= 0)
                r = worker_get_idmap(worker, "idmap", &map, ret_error);
        if (r < 0)
                return r;
        r = process_open(worker_take_fd(worker, 0), g_variant_get_int32(pid), ret);
        if (r < 0)
                return error_set(ret_error, ERROR_NOT_RUNNING, "The container does not run");
        return process_check_init(ret, map, ret_error);
}

/* Other containers may have the same ids; the control group is root's to give, and by name. */
static int check_group(Worker *worker, const CgroupHost *host, const Process *init,
                       Error *ret_error) {
        const char *name;
        int r;

        r = worker_get_string(worker, "name", &name, ret_error);
        if (r < 0)
                return r;
        if (!container_name_is_valid(name))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "\"%s\" is not a name for a container", name);
        r = cgroup_has_process(host, CGROUP_PAYLOAD, name, init);
        if (r < 0)
                return error_set(ret_error, ERROR_NOT_RUNNING, "The container has stopped");
        if (r == 0)
                return error_set(ret_error, ERROR_FAILED,
                                 "Process %d is not the init of container \"%s\": it is not in its "
                                 "control group",
                                 init->pid, name);
        return 0;
}

static int parse_hex(const char *text, uint64_t *ret) {
        return g_ascii_string_to_unsigned(text, 16, 0, G_MAXUINT64, ret, NULL) ? 0 : -EBADMSG;
}

static int read_init(ExecPlan *plan) {
        g_autofree char *bounding = NULL, *persona = NULL;
        uint64_t n;
        int r;

        for (int i = 0; i < RLIM_NLIMITS; i++)
                if (prlimit(plan->init.pid, i, NULL, &plan->limits[i]) < 0)
                        return -errno;
        r = process_read_status(&plan->init, "CapBnd", &bounding);
        if (r >= 0)
                r = parse_hex(bounding, &plan->bounding_set);
        if (r >= 0)
                r = process_read(&plan->init, "personality", &persona);
        if (r >= 0)
                r = parse_hex(g_strchomp(persona), &n);
        if (r >= 0) {
                plan->personality = (uint32_t) n;
                r = process_read(&plan->init, "oom_score_adj", &plan->oom_score_adj);
        }
        if (r >= 0 && apparmor_is_on())
                r = apparmor_read_label(&plan->init, &plan->security_label);
        if (r >= 0 && !process_is_alive(&plan->init))
                r = -ESRCH; /* prlimit() by number might have met another process */
        return r;
}

/* Without a word about them: those of every container. */
static int make_filter(Worker *worker, ExecPlan *plan, Error *ret_error) {
        g_autoptr(GVariant) config = g_variant_lookup_value(worker->args, "syscalls",
                                                            G_VARIANT_TYPE("a{ss}"));
        g_autoptr(SyscallRules) rules = NULL;
        int r;

        if (!config)
                config = g_variant_ref_sink(g_variant_new("a{ss}", NULL));
        r = syscall_rules_new(config, &rules, ret_error);
        return r < 0 ? r : syscall_rules_to_filter(rules, &plan->filter, ret_error);
}

static int prepare(Worker *worker, ExecPlan *plan, Error *ret_error) {
        g_autoptr(CgroupHost) host = NULL;
        int r;

        r = cgroup_host_new(&host, ret_error);
        if (r >= 0)
                r = check_group(worker, host, &plan->init, ret_error);
        if (r < 0)
                return r;
        if (cgroup_is_frozen(host, &plan->init) > 0)
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "The container is frozen; unfreeze it first");
        r = cgroup_entry_open(host, &plan->init, &plan->cgroups, ret_error);
        if (r < 0)
                return r;
        r = read_init(plan);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read about the container's init");
        plan->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (plan->proc_fd < 0)
                return error_set_errno(ret_error, errno, "Cannot open /proc");
        return make_filter(worker, plan, ret_error);
}

/* Opens what the child needs to set its label; it waits for that. */
static int send_label_fd(int socket, int child_pidfd) {
        g_auto(Process) child = PROCESS_INIT;
        _cleanup_close_ int fd = -EBADF;
        pid_t pid;
        int r;

        r = fd_pidfd_get_pid(child_pidfd, &pid);
        if (r >= 0)
                r = process_open(fcntl(child_pidfd, F_DUPFD_CLOEXEC, 0), pid, &child);
        if (r < 0)
                return r;
        fd = apparmor_open_exec(&child);
        return fd < 0 ? fd : fd_send(socket, "", 1, &fd, 1);
}

typedef struct Launch {
        int socket;
        int child_pidfd;
        int master, slave;
        int exit_status; /* 126 or 127 when execve() failed, else -1 */
        char *exec_error;
} Launch;

#define LAUNCH_INIT ((Launch) { -EBADF, -EBADF, -EBADF, -EBADF, -1, NULL })

static void launch_done(Launch *launch) {
        launch->socket = fd_close(launch->socket);
        launch->child_pidfd = fd_close(launch->child_pidfd);
        launch->master = fd_close(launch->master);
        launch->slave = fd_close(launch->slave);
        g_clear_pointer(&launch->exec_error, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Launch, launch_done)

static int on_report(const ExecPlan *plan, Launch *launch, ExecReport *report, int *fds,
                     Error *ret_error) {
        report->text[sizeof(report->text) - 1] = '\0';
        if (report->kind == EXEC_REPORT_READY) {
                launch->child_pidfd = fds[0];
                launch->master = fds[1];
                launch->slave = fds[2];
                return plan->security_label ? send_label_fd(launch->socket, launch->child_pidfd)
                                            : 0;
        }
        if (report->exit_status >= 0) {
                launch->exit_status = report->exit_status;
                launch->exec_error = g_strdup(report->text);
                return 0;
        }
        return error_set(ret_error, report->code, "%s", report->text);
}

/* Until the end of file, which is the moment of execve(). */
static int await_execution(const ExecPlan *plan, Launch *launch, Error *ret_error) {
        int64_t deadline = wait_deadline(SETUP_TIMEOUT_USEC);

        for (;;) {
                struct pollfd p = { .fd = launch->socket, .events = POLLIN };
                int fds[3] = { -EBADF, -EBADF, -EBADF };
                size_t n_fds = ELEMENTSOF(fds);
                ExecReport report = { 0 };
                ssize_t n;
                int r;

                r = wait_poll(&p, 1, deadline);
                if (r == -ECANCELED)
                        return worker_cancelled(ret_error);
                if (r == 0)
                        return error_set(ret_error, ERROR_TIMED_OUT,
                                         "The container did not let the program start in time; its "
                                         "file systems may hang");
                n = r < 0 ? r : fd_receive(launch->socket, &report, sizeof(report), fds, &n_fds);
                if (n == 0)
                        break;
                r = n == sizeof(report) ? on_report(plan, launch, &report, fds, ret_error)
                                        : (n < 0 ? (int) n : -EBADMSG);
                if (r < 0)
                        return error_set_errno(ret_error, -r, "Cannot execute in the container");
        }
        if (launch->child_pidfd < 0)
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "The container stopped while the program was started");
        return 0;
}

/* The intermediate ends by itself; after a failure it and the child may hang somewhere. The child's
 * own death follows from ours where it is not known. */
static int launch(ExecPlan *plan, Launch *ret, Error *ret_error) {
        _cleanup_close_ int pidfd = -EBADF;
        int sockets[2], r, status;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a socket");
        ret->socket = sockets[0];
        plan->report_fd = sockets[1];

        pid = process_fork(plan->cgroups.unified_fd, 0, &pidfd);
        if (pid < 0)
                return error_set_errno(ret_error, -pid,
                                       "Cannot make a process in the container's control groups");
        if (pid == 0)
                exec_child_run(plan);
        plan_close(plan);

        r = await_execution(plan, ret, ret_error);
        if (r < 0) {
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
                if (ret->child_pidfd >= 0)
                        (void) fd_pidfd_send_signal(ret->child_pidfd, SIGKILL);
        }
        (void) process_reap(pidfd, &status);
        return r;
}

static int announce(Worker *worker, Launch *launch, Error *ret_error) {
        GVariantDict event;
        int r;

        g_variant_dict_init(&event, NULL);
        g_variant_dict_insert(&event, "started", "b", TRUE);
        r = worker_send_event(worker, g_variant_dict_end(&event), &launch->master,
                              launch->master >= 0 ? 1 : 0);
        /* From now on the client's is the only one: closing it hangs up. */
        launch->master = fd_close(launch->master);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot tell that the program runs") : 0;
}

/* Whatever is not found or not let in when its init has just ended, that is the reason. */
static int blame_end(const ExecPlan *plan, int r, Error *ret_error) {
        if (ret_error->code == ERROR_CANCELLED || plan->init.pidfd < 0 ||
            !fd_pidfd_has_ended(plan->init.pidfd))
                return r;
        error_clear(ret_error);
        return error_set(ret_error, ERROR_NOT_RUNNING, "The container has stopped");
}

int exec_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(ExecPlan) plan = EXEC_PLAN_INIT;
        g_auto(Launch) l = LAUNCH_INIT;
        int r, status;

        wait_block_term();
        r = read_args(worker, &plan, ret_error);
        if (r >= 0)
                r = open_init(worker, &plan.init, ret_error);
        if (r >= 0)
                r = prepare(worker, &plan, ret_error);
        if (r >= 0)
                r = launch(&plan, &l, ret_error);
        if (r < 0)
                return blame_end(&plan, r, ret_error);

        if (l.exit_status >= 0) {
                (void) process_reap(l.child_pidfd, &status);
                g_variant_dict_insert(result, "exit-status", "i", l.exit_status);
                g_variant_dict_insert(result, "exec-error", "s", l.exec_error);
                return 0;
        }
        r = announce(worker, &l, ret_error);
        if (r >= 0)
                r = exec_session_run(worker, l.child_pidfd, l.slave, &status, ret_error);
        else
                exec_session_kill(l.child_pidfd);
        l.slave = fd_close(l.slave);
        if (r < 0)
                return r;
        g_variant_dict_insert(result, "exit-status", "i", status);
        return 0;
}
