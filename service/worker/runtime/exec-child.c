/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/exec-child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/runtime/apparmor.h"
#include "service/worker/runtime/terminal.h"
#include "service/worker/runtime/user.h"

#define NAMESPACES \
        (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
         CLONE_NEWCGROUP)

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* As shells have it. */
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

/* Where the child keeps the one fd that is not the program's. */
#define CHILD_REPORT_FD 3

G_GNUC_NORETURN static void fail(int report_fd, const Error *error, int exit_status) {
        ExecReport report = {
                .kind = EXEC_REPORT_FAILED,
                .code = error->code,
                .exit_status = exit_status,
        };

        (void) g_strlcpy(report.text, error->message, sizeof(report.text));
        (void) fd_send(report_fd, &report, sizeof(report), NULL, 0);
        _exit(EXIT_FAILURE);
}

/* Nobody inside may look into us, and we do not outlive the worker. Every change of credentials
 * takes both back. */
static int guard(void) {
        return prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
}

static int become(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups) {
        if (setgroups(n_groups, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
            setresuid(uid, uid, uid) < 0)
                return -errno;
        return guard();
}

static int enter_groups(const CgroupEntry *cgroups) {
        for (size_t i = 0; i < cgroups->n_tasks_fds; i++)
                if (write(cgroups->tasks_fds[i], "0", 1) < 0)
                        return -errno;
        return 0;
}

static int take_limits(const ExecPlan *plan) {
        for (int i = 0; i < RLIM_NLIMITS; i++)
                if (setrlimit(i, &plan->limits[i]) < 0)
                        return -errno;
        return 0;
}

/* The child's half. */

static int take_stdio(const ExecPlan *plan, int slave) {
        if (setsid() < 0)
                return -errno;
        if (plan->terminal && ioctl(slave, TIOCSCTTY, 0) < 0)
                return -errno;
        for (int i = 0; i < 3; i++)
                if (dup2(plan->terminal ? slave : plan->stdio_fds[i], i) < 0)
                        return -errno;
        return 0;
}

/* Only the task itself may set its label, and only the host's root may open the file for it. */
static int take_security_label(const ExecPlan *plan) {
        _cleanup_close_ int fd = -EBADF;
        size_t n_fds = 1;
        ssize_t n;
        char ignored;

        if (!plan->security_label)
                return 0;
        n = fd_receive(plan->report_fd, &ignored, sizeof(ignored), &fd, &n_fds);
        if (n < 0)
                return (int) n;
        return n_fds != 1 ? -ECONNRESET : apparmor_write_exec(fd, plan->security_label);
}

/* After this no name in /proc/self/fd leads anywhere but to the program's own files. */
static int close_others(int report_fd) {
        if (report_fd != CHILD_REPORT_FD &&
            dup3(report_fd, CHILD_REPORT_FD, O_CLOEXEC) < 0)
                return -errno;
        return close_range(CHILD_REPORT_FD + 1, UINT_MAX, 0) < 0 ? -errno : 0;
}

static int drop_capabilities(uint64_t bounding_set) {
        for (int cap = 0; cap < 64; cap++) {
                if (bounding_set & UINT64_C(1) << cap)
                        continue;
                if (prctl(PR_CAPBSET_DROP, cap) < 0) {
                        if (errno == EINVAL)
                                break; /* past the kernel's last */
                        return -errno;
                }
        }
        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ? -errno : 0;
}

static int become_user(const ExecPlan *plan, const User *user) {
        int r;

        /* The keys of the host's session are not for the container. */
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
                return -errno;
        if (plan->personality != 0 && personality(plan->personality) < 0)
                return -errno;
        if (plan->terminal && fchown(STDIN_FILENO, user->uid, (gid_t) -1) < 0)
                return -errno;
        r = drop_capabilities(plan->bounding_set);
        if (r >= 0)
                r = seccomp_load(plan->filter);
        if (r < 0)
                return r;
        return become(user->uid, user->gid, (const gid_t *) (void *) user->groups->data,
                      user->groups->len);
}

static int enter_directory(const char *path) {
        struct open_how how = {
                .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int fd = (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
        g_autofree char *cwd = g_malloc(PATH_MAX);

        if (fd < 0 || fchdir(fd) < 0)
                return -errno;
        /* The kernel's own answer: "(unreachable)/…" for what is not below our root. */
        if (syscall(SYS_getcwd, cwd, PATH_MAX) < 0)
                return -errno;
        return cwd[0] == '/' ? 0 : -EXDEV;
}

static int choose_directory(const ExecPlan *plan, const User *user, Error *ret_error) {
        int r;

        if (*plan->cwd == '\0') {
                if (user->home && enter_directory(user->home) >= 0)
                        return 0;
                r = enter_directory("/");
        } else
                r = *plan->cwd == '/' ? enter_directory(plan->cwd) : -EINVAL;
        if (r == -ENOENT || r == -ENOTDIR)
                return error_set(ret_error, ERROR_NO_SUCH_FILE,
                                 "The container has no directory \"%s\"", plan->cwd);
        if (r < 0)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "\"%s\" can't be the working directory: %s", plan->cwd,
                                 g_strerror(-r));
        return 0;
}

static GStrv make_environment(const ExecPlan *plan, const User *user) {
        GStrv environment = NULL;

        environment = g_environ_setenv(environment, "PATH", DEFAULT_PATH, TRUE);
        environment = g_environ_setenv(environment, "LANG", "C.UTF-8", TRUE);
        environment = g_environ_setenv(environment, "HOME",
                                       user->home ?: user->uid == 0 ? "/root" : "/", TRUE);
        if (user->name || user->uid == 0)
                environment = g_environ_setenv(environment, "USER", user->name ?: "root", TRUE);
        for (char **e = plan->environment; e && *e; e++) {
                g_auto(GStrv) pair = g_strsplit(*e, "=", 2);

                environment = g_environ_setenv(environment, pair[0], pair[1], TRUE);
        }
        return environment;
}

G_GNUC_NORETURN static void execute(const ExecPlan *plan) {
        g_auto(Error) error = ERROR_INIT;

        (void) execvp(plan->argv[0], plan->argv);
        if (errno == ENOENT || errno == ENOTDIR) {
                (void) error_set(&error, ERROR_NO_SUCH_FILE, "The container has no program \"%s\"",
                                 plan->argv[0]);
                fail(CHILD_REPORT_FD, &error, EXIT_NOT_FOUND);
        }
        (void) error_set_errno(&error, errno, "\"%s\" can't be executed in the container",
                               plan->argv[0]);
        fail(CHILD_REPORT_FD, &error, EXIT_NOT_EXECUTABLE);
}

G_GNUC_NORETURN static void child(const ExecPlan *plan, int slave) {
        g_auto(Error) error = ERROR_INIT;
        g_auto(User) user = {};
        int report_fd = plan->report_fd, r;

        process_reset_signals();
        r = guard();
        if (r >= 0)
                r = take_stdio(plan, slave);
        if (r >= 0)
                r = take_security_label(plan);
        if (r >= 0)
                r = close_others(report_fd);
        if (r < 0) {
                (void) error_set_errno(&error, -r, "Cannot prepare for the program");
                fail(report_fd, &error, -1);
        }

        report_fd = CHILD_REPORT_FD;
        if (user_resolve_here(plan->user, plan->group, &user, &error) < 0)
                fail(report_fd, &error, -1);
        r = become_user(plan, &user);
        if (r < 0) {
                (void) error_set_errno(&error, -r, "Cannot become user %u with group %u",
                                       user.uid, user.gid);
                fail(report_fd, &error, -1);
        }
        if (choose_directory(plan, &user, &error) < 0)
                fail(report_fd, &error, -1);
        umask(0022);
        environ = make_environment(plan, &user); /* execvp() searches in this PATH */
        (void) prctl(PR_SET_PDEATHSIG, 0);
        execute(plan);
}

/* The intermediate's half. */

static int enter(const ExecPlan *plan, Error *ret_error) {
        int r;

        r = guard();
        if (r >= 0)
                r = enter_groups(&plan->cgroups);
        if (r >= 0)
                r = process_write_oom_score_adj(plan->proc_fd, plan->oom_score_adj);
        if (r >= 0)
                r = take_limits(plan);
        if (r >= 0)
                r = process_enter(&plan->init, NAMESPACES);
        /* Root inside, so that what is made from now on belongs to somebody there. */
        if (r >= 0)
                r = become(0, 0, NULL, 0);
        if (r == -ESRCH)
                return error_set(ret_error, ERROR_NOT_RUNNING, "The container has stopped");
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot enter the container");
        return 0;
}

void exec_child_run(const ExecPlan *plan) {
        ExecReport report = { .kind = EXEC_REPORT_READY };
        g_auto(Error) error = ERROR_INIT;
        int fds[3] = { -EBADF, -EBADF, -EBADF };
        pid_t pid;
        int r;

        r = enter(plan, &error);
        if (r >= 0 && plan->terminal)
                r = terminal_open(plan->width, plan->height, &fds[1], &fds[2], &error);
        if (r < 0)
                fail(plan->report_fd, &error, -1);

        pid = process_fork(-EBADF, CLONE_PARENT, &fds[0]);
        if (pid < 0) {
                (void) error_set_errno(&error, -pid, "Cannot make a process in the container");
                fail(plan->report_fd, &error, -1);
        }
        if (pid == 0)
                child(plan, fds[2]);

        r = fd_send(plan->report_fd, &report, sizeof(report), fds, plan->terminal ? 3 : 1);
        _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
