/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/interruptible.h"
#include "service/worker/image/jail-inside.h"
#include "service/worker/image/text.h"
#include "service/worker/thin-volume.h"
#include "service/worker/user-namespace.h"

#define JAIL_MESSAGE_MAX (128U << 10)
#define JAIL_ERROR_MAX 2048U
/* From the end of the channel to that of the child. */
#define EXIT_USEC (5 * G_TIME_SPAN_SECOND)

#define JAIL_NAMESPACES \
        (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

typedef struct Child {
        pid_t pid;
        int pidfd;
        int channel_fd;
        int userns_fd;
        const char *stage;
} Child;

#define CHILD_INIT ((Child) { .pidfd = -EBADF, .channel_fd = -EBADF, .userns_fd = -EBADF })

/* Ends the child, and with the first process of its pid namespace whatever else is in there. */
static void child_done(Child *child) {
        if (child->pid > 0) {
                (void) fd_pidfd_send_signal(child->pidfd, SIGKILL);
                while (waitid(P_PID, (id_t) child->pid, &(siginfo_t) { 0 }, WEXITED) < 0 &&
                       errno == EINTR)
                        continue;
        }
        child->pid = 0;
        child->pidfd = fd_close(child->pidfd);
        child->channel_fd = fd_close(child->channel_fd);
        child->userns_fd = fd_close(child->userns_fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Child, child_done)

static const char *task_of(const JailSpec *spec) {
        return spec->task ?: "Reading the archive";
}

/* --- Starting ---------------------------------------------------------------------------- */

/* What is mounted nowhere already cannot be cloned. */
static int clone_tree(int dir_fd) {
        int fd = (int) syscall(SYS_open_tree, dir_fd, "",
                               OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

        return fd >= 0 ? fd : errno == EINVAL ? thin_volume_mount_again(dir_fd) : -errno;
}

/* Readable for the child, who is not root to this file system. */
static int make_file(int tree_fd, const JailFile *file) {
        g_autofree char *directory = g_path_get_dirname(file->path + 1);
        _cleanup_close_ int fd = -EBADF;

        if (!g_str_equal(directory, ".") &&
            ((mkdirat(tree_fd, directory, 0755) < 0 && errno != EEXIST) ||
             fchmodat(tree_fd, directory, 0755, 0) < 0))
                return -errno;
        fd = openat(tree_fd, file->path + 1, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0 || fchmod(fd, 0644) < 0)
                return -errno;
        return fd_write_all(fd, g_bytes_get_data(file->content, NULL),
                            g_bytes_get_size(file->content));
}

/* A detached mount of the directory, or of nothing but files that are given. The id mapping comes
 * later, when there is a namespace that has it, and so does what makes it read-only. */
static int make_tree(const JailSpec *spec) {
        _cleanup_close_ int fs_fd = -EBADF, fd = -EBADF;
        int r;

        if (spec->root_fd >= 0)
                return clone_tree(spec->root_fd);
        fs_fd = (int) syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
        if (fs_fd < 0 || syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        fd = (int) syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        for (const JailFile *file = spec->files; file && file->path; file++) {
                r = make_file(fd, file);
                if (r < 0)
                        return r;
        }
        return TAKE_FD(fd);
}

static int start(const JailSpec *spec, int tree_fd, Child *ret) {
        g_auto(Child) child = CHILD_INIT;
        struct clone_args args = {
                .flags = CLONE_PIDFD | JAIL_NAMESPACES | (spec->network ? 0 : CLONE_NEWNET),
                .pidfd = (uint64_t) (uintptr_t) &child.pidfd,
                .exit_signal = SIGCHLD,
        };
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        child.channel_fd = pair[0];
        child.pid = (pid_t) syscall(SYS_clone3, &args, sizeof(args));
        if (child.pid == 0)
                jail_inside(spec, pair[1], tree_fd);
        (void) close(pair[1]);
        if (child.pid < 0) {
                child.pid = 0;
                return -errno;
        }
        *ret = child;
        child = CHILD_INIT;
        return 0;
}

static int confine_tree(int tree_fd, bool read_only, int userns_fd, bool idmapped) {
        struct mount_attr attr = {
                .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC |
                            MOUNT_ATTR_NOSYMFOLLOW,
        };

        if (read_only)
                attr.attr_set |= MOUNT_ATTR_RDONLY;
        if (idmapped) {
                attr.attr_set |= MOUNT_ATTR_IDMAP;
                attr.userns_fd = (uint64_t) userns_fd;
        }
        return syscall(SYS_mount_setattr, tree_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ?
                       -errno :
                       0;
}

static IdRange ids_of(const JailSpec *spec) {
        return spec->wide ? (IdRange) { ID_RANGE_JAIL_WIDE_BASE, CONTAINER_ID_COUNT }
                          : (IdRange) { ID_RANGE_JAIL_BASE, IMAGE_ID_COUNT };
}

static int map_ids(const JailSpec *spec, Child *child, int tree_fd) {
        const IdRange ids = ids_of(spec);
        bool is_plain = spec->root_fd >= 0 && !spec->idmapped;
        g_autoptr(IdMap) map = idmap_new_range(ids);
        int r;

        r = is_plain ? user_namespace_map_own(child->pid, IMAGE_ID_COUNT)
                     : user_namespace_map(child->pid, map);
        if (r < 0)
                return r;
        child->userns_fd = user_namespace_open(child->pid);
        if (child->userns_fd < 0)
                return child->userns_fd;
        return confine_tree(tree_fd, spec->writes_archive || spec->root_fd < 0, child->userns_fd,
                            spec->root_fd >= 0 && spec->idmapped);
}

static int launch(const JailSpec *spec, Child *ret, Error *ret_error) {
        _cleanup_close_ int tree_fd = -EBADF;
        g_auto(Child) child = CHILD_INIT;
        int r;

        tree_fd = make_tree(spec);
        r = tree_fd < 0 ? tree_fd : start(spec, tree_fd, &child);
        if (r >= 0)
                r = map_ids(spec, &child, tree_fd);
        if (r >= 0)
                r = fd_send(child.channel_fd, "", 1, NULL, 0);
        if (r < 0)
                return error_set_errno(ret_error, -r, "%s needs a confined process, which cannot "
                                       "be made", task_of(spec));
        *ret = child;
        child = CHILD_INIT;
        return 0;
}

/* --- Listening --------------------------------------------------------------------------- */

static int bad_answer(const JailSpec *spec, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "%s gave an answer that makes no sense, as manipulated data may cause",
                         task_of(spec));
}

/* Errors that the child may tell of; others would be made up. */
static bool error_is_plausible(const JailSpec *spec, ErrorCode code) {
        if (spec->network && (code == ERROR_TIMED_OUT || code == ERROR_NO_SUCH_FILE ||
                              code == ERROR_BACKEND_FAILED))
                return true;
        return code == ERROR_INVALID_IMAGE || code == ERROR_NO_SPACE ||
               code == ERROR_NOT_SUPPORTED || code == ERROR_LIMITS_EXCEEDED ||
               code == ERROR_ACCESS_DENIED || code == ERROR_FAILED;
}

static int take_error(const JailSpec *spec, GVariant *content, Error *ret_error) {
        const char *name, *message;
        ErrorCode code;

        if (!g_variant_lookup(content, "name", "&s", &name) ||
            !g_variant_lookup(content, "message", "&s", &message))
                return bad_answer(spec, ret_error);
        code = error_code_from_name(name);
        if (code == _ERROR_INVALID || !error_is_plausible(spec, code) || message[0] == '\0' ||
            strlen(message) > JAIL_ERROR_MAX || !text_is_printable(message))
                return bad_answer(spec, ret_error);
        return error_set(ret_error, code, "%s", message);
}

static int child_has_died(const JailSpec *spec, Child *child, Error *ret_error) {
        siginfo_t info = { 0 };

        /* It may as well have closed its end and live on; then it is ended by who calls. */
        if (interruptible_wait(child->pidfd, POLLIN, g_get_monotonic_time() + EXIT_USEC) < 0 ||
            waitid(P_PID, (id_t) child->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
            info.si_pid == 0 || info.si_code == CLD_EXITED)
                return bad_answer(spec, ret_error);
        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "%s was ended by signal %d (%s): it is damaged, or takes more than %u MiB "
                         "of memory", task_of(spec), info.si_status,
                         sigabbrev_np(info.si_status) ?: "unknown",
                         (unsigned) (JAIL_MEMORY_MAX >> 20));
}

/* The directory as the child is to have it: a detached mount like its root, which lives as long as
 * the fd. */
static int confine_directory(const JailSpec *spec, const Child *child, int dir_fd) {
        _cleanup_close_ int tree_fd = clone_tree(dir_fd), userns_fd = -EBADF;
        int fd, r;

        if (tree_fd < 0)
                return tree_fd;
        /* Other owners than these there cannot be then, whatever the child knows. */
        if (spec->id_count) {
                IdRange ids = ids_of(spec);
                g_autoptr(IdMap) map = NULL;

                ids.size = (uint32_t) MIN(ids.size, *spec->id_count);
                map = idmap_new_range(ids);
                userns_fd = user_namespace_new(map);
                if (userns_fd < 0)
                        return userns_fd;
        }
        r = confine_tree(tree_fd, spec->writes_archive,
                         userns_fd >= 0 ? userns_fd : child->userns_fd, true);
        if (r < 0)
                return r;
        fd = openat(tree_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int take_question(const JailSpec *spec, Worker *worker, Child *child, GVariant *question,
                         Error *ret_error) {
        _cleanup_close_ int dir_fd = -EBADF, fd = -EBADF;
        int r;

        if (!spec->answer)
                return bad_answer(spec, ret_error);
        r = spec->answer(worker, question, spec->answer_userdata, &child->stage, &dir_fd,
                         ret_error);
        if (r < 0)
                return r;
        if (r > 0) {
                fd = confine_directory(spec, child, dir_fd);
                if (fd < 0)
                        return error_set_errno(ret_error, -fd,
                                               "Cannot give the confined process a directory");
        }
        r = fd_send(child->channel_fd, "", 1, &fd, r > 0 ? 1 : 0);
        return r < 0 ? child_has_died(spec, child, ret_error) : 0;
}

/* Takes one message. Returns 1 with the result, 0 when there is more to wait for. */
static int take_message(const JailSpec *spec, Worker *worker, Child *child, GVariant **ret_result,
                        Error *ret_error) {
        g_autofree void *data = g_malloc(JAIL_MESSAGE_MAX);
        g_autoptr(GVariant) message = NULL, content = NULL;
        g_autoptr(GBytes) bytes = NULL;
        const char *kind;
        double fraction;
        ssize_t n;

        n = fd_receive(child->channel_fd, data, JAIL_MESSAGE_MAX, NULL, NULL);
        if (n == 0 || n == -ECONNRESET)
                return child_has_died(spec, child, ret_error);
        if (n < 0)
                return bad_answer(spec, ret_error);

        bytes = g_bytes_new(data, (gsize) n);
        message = g_variant_ref_sink(g_variant_new_from_bytes(JAIL_MESSAGE_TYPE, bytes, FALSE));
        if (!g_variant_is_normal_form(message))
                return bad_answer(spec, ret_error);
        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        if (g_str_equal(kind, "result")) {
                *ret_result = TAKE_PTR(content);
                return 1;
        }
        if (g_str_equal(kind, "error"))
                return take_error(spec, content, ret_error);
        if (g_str_equal(kind, "ask"))
                return take_question(spec, worker, child, content, ret_error);
        if (!g_str_equal(kind, "progress") ||
            !g_variant_lookup(content, "fraction", "d", &fraction) ||
            !(fraction >= 0 && fraction <= 1))
                return bad_answer(spec, ret_error);
        worker_progress(worker, child->stage, fraction);
        return 0;
}

int jail_run(const JailSpec *spec, Worker *worker, GVariant **ret_result, Error *ret_error) {
        gint64 longest = spec->network ? DOWNLOAD_TIME_MAX_USEC : JAIL_TIME_MAX_USEC;
        gint64 deadline = spec->of_container ? DEADLINE_NEVER : g_get_monotonic_time() + longest;
        g_auto(Child) child = CHILD_INIT;
        int r;

        worker_progress(worker, spec->stage, 0);
        r = launch(spec, &child, ret_error);
        child.stage = spec->stage;
        while (r == 0) {
                r = interruptible_wait(child.channel_fd, POLLIN, deadline);
                if (r == -ECANCELED)
                        return worker_cancelled(ret_error);
                if (r == -ETIMEDOUT)
                        return error_set(ret_error, ERROR_TIMED_OUT,
                                         "%s was given up after %u minutes", task_of(spec),
                                         (unsigned) (longest / G_TIME_SPAN_MINUTE));
                if (r >= 0)
                        r = take_message(spec, worker, &child, ret_result, ret_error);
        }
        if (r < 0)
                return error_set_errno(ret_error, -r, "%s failed", task_of(spec));
        return 0;
}
