/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/inside.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/protocol.h"
#include "service/worker/runtime/process.h"
#include "service/worker/runtime/wait.h"
#include "service/worker/thin-volume.h"
#include "service/worker/user-namespace.h"

/* To have found the file. */
#define BEGIN_TIMEOUT_USEC (10 * G_TIME_SPAN_SECOND)
/* From SIGTERM to SIGKILL: below what berthd leaves to a cancelled worker. */
#define CANCEL_TIMEOUT_USEC (2 * G_TIME_SPAN_SECOND)

/* Where a container's files are. */
typedef struct Where {
        IdMap *idmap;
        Process init;        /* of a running container */
        bool running;
        const char *rootfs;  /* of a stopped one */
        bool idmapped;
        int tree_fd;         /* detached mount of rootfs */
} Where;

#define WHERE_INIT ((Where) { .init = PROCESS_INIT, .tree_fd = -EBADF })

static void where_done(Where *where) {
        where->idmap = idmap_free(where->idmap);
        process_close(&where->init);
        where->tree_fd = fd_close(where->tree_fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Where, where_done)

static int where_open_running(Where *where, Worker *worker, pid_t pid, size_t fd_index,
                              Error *ret_error) {
        int r;

        r = process_open(worker_take_fd(worker, fd_index), pid, &where->init);
        if (r < 0)
                return error_set(ret_error, ERROR_NOT_RUNNING, "The container does not run");
        return process_check_init(&where->init, where->idmap, ret_error);
}

static int where_read(Where *where, Worker *worker, size_t fd_index, Error *ret_error) {
        g_autoptr(GVariant) pid = NULL;
        int r;

        r = worker_get_variant(worker, "init-pid", "i", &pid, ret_error);
        if (r >= 0)
                r = worker_get_idmap(worker, "idmap", &where->idmap, ret_error);
        if (r < 0)
                return r;
        where->running = g_variant_get_int32(pid) > 0;
        if (where->running)
                return where_open_running(where, worker, g_variant_get_int32(pid), fd_index,
                                          ret_error);
        r = worker_get_string(worker, "rootfs", &where->rootfs, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "idmapped", &where->idmapped, ret_error);
        return r;
}

/* --- the child --- */

/* Nobody inside may look into us, and we do not outlive the worker. Every change of credentials
 * takes both back. */
static int guard(void) {
        return prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
}

static int become_root(void) {
        if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return -errno;
        return guard();
}

static int compare_fds(const void *a, const void *b) {
        return *(const int *) a - *(const int *) b;
}

/* Standard input, which is /dev/null, stands for the other standard fds as well. */
static int close_others(const int *fds, size_t n_fds, int socket, int other) {
        g_autofree int *keep = g_new(int, n_fds + 3);
        size_t n = 0;

        if (dup2(STDIN_FILENO, STDOUT_FILENO) < 0 || dup2(STDIN_FILENO, STDERR_FILENO) < 0)
                return -errno;
        keep[n++] = STDERR_FILENO;
        keep[n++] = socket;
        if (other >= 0)
                keep[n++] = other;
        for (size_t i = 0; i < n_fds; i++)
                if (fds[i] >= 0)
                        keep[n++] = fds[i];
        qsort(keep, n, sizeof(int), compare_fds);
        for (size_t i = 0; i < n; i++) {
                unsigned first = (unsigned) keep[i] + 1;
                unsigned last = i + 1 < n ? (unsigned) keep[i + 1] - 1 : UINT_MAX;

                if (first <= last && close_range(first, last, 0) < 0)
                        return -errno;
        }
        return 0;
}

static int enter_running(const Where *where) {
        int r = process_enter(&where->init, CLONE_NEWUSER | CLONE_NEWNS);

        if (r < 0)
                return r;
        (void) close(where->init.pidfd);
        return become_root();
}

/* The worker sends the mount once it has written our id map. */
static int enter_stopped(int socket) {
        _cleanup_close_ int tree_fd = -EBADF;
        size_t n_fds = 1;
        char byte;
        ssize_t n;
        int r;

        n = fd_receive(socket, &byte, sizeof(byte), &tree_fd, &n_fds);
        if (n <= 0 || n_fds != 1)
                return n < 0 ? (int) n : -ECONNRESET;
        r = become_root();
        if (r < 0)
                return r;
        return fchdir(tree_fd) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int enter(const Where *where, int socket, Inside *inside) {
        int r;

        r = guard();
        if (r < 0)
                return r;
        inside->self_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (inside->self_fd < 0)
                return -errno;
        r = where->running ? enter_running(where) : enter_stopped(socket);
        if (r < 0)
                return r;
        umask(0);
        inside->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return inside->root_fd < 0 || fchdir(inside->root_fd) < 0 ? -errno : 0;
}

static int send_end(int socket, GVariantDict *result, const Error *error) {
        g_autoptr(GVariant) message = NULL;

        if (error->message) {
                g_variant_dict_insert(result, "name", "s", error_code_to_name(error->code));
                g_variant_dict_insert(result, "message", "s", error->message);
        }
        message = g_variant_ref_sink(g_variant_new("(s@a{sv})",
                                                   error->message ? "error" : "result",
                                                   g_variant_dict_end(result)));
        if (g_variant_get_size(message) > PROTOCOL_MESSAGE_MAX)
                return -EMSGSIZE;
        return fd_send(socket, g_variant_get_data(message), g_variant_get_size(message), NULL, 0);
}

G_GNUC_NORETURN static void child(const Where *where, Worker *worker, const int *fds, size_t n_fds,
                                  int socket, InsideFunc func, void *data) {
        Worker own = { .args = worker->args, .channel_fd = socket };
        Inside inside = { .worker = &own, .root_fd = -EBADF, .self_fd = -EBADF };
        g_auto(Error) error = ERROR_INIT;
        GVariantDict result;
        sigset_t none;
        int r;

        /* The worker's handler of SIGTERM stays: the loops look at worker_is_cancelled(). */
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        g_variant_dict_init(&result, NULL);
        r = close_others(fds, n_fds, socket, where->running ? where->init.pidfd : -EBADF);
        if (r >= 0)
                r = enter(where, socket, &inside);
        if (r < 0)
                (void) error_set_errno(&error, -r, "Cannot enter the container");
        else
                r = func(&inside, data, &result, &error);
        if (r < 0)
                (void) error_set_errno(&error, -r, "Cannot work on the container's files");
        if (error.message) {
                g_variant_dict_clear(&result);
                g_variant_dict_init(&result, NULL);
        }
        r = send_end(socket, &result, &error);
        _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

int inside_begun(const Inside *inside, GVariant *event) {
        g_autoptr(GVariant) given = event ? g_variant_ref_sink(event) : NULL;
        GVariantDict dict;

        g_variant_dict_init(&dict, given);
        g_variant_dict_insert(&dict, "begun", "b", TRUE);
        return worker_send_event(inside->worker, g_variant_dict_end(&dict), NULL, 0);
}

/* --- the worker --- */

/* A detached mount: it is nowhere in the host's tree, and goes with the last fd of it. */
static int open_tree_for(const Where *where, pid_t pid) {
        struct mount_attr attr = {
                .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
        };
        _cleanup_close_ int root_fd = -EBADF, user_fd = -EBADF, tree_fd = -EBADF;
        int r = thin_volume_show(where->rootfs);

        if (r < 0)
                return r;
        root_fd = open(where->rootfs, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (root_fd < 0)
                return -errno;
        tree_fd = open_tree(root_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree_fd < 0)
                return -errno;
        if (where->idmapped && !idmap_is_host(where->idmap)) {
                user_fd = user_namespace_open(pid);
                if (user_fd < 0)
                        return user_fd;
                attr.attr_set |= MOUNT_ATTR_IDMAP;
                attr.userns_fd = (uint64_t) user_fd;
        }
        if (mount_setattr(tree_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
                return -errno;
        return TAKE_FD(tree_fd);
}

static int give_tree(const Where *where, pid_t pid, int socket, Error *ret_error) {
        _cleanup_close_ int tree_fd = -EBADF;
        int r;

        r = user_namespace_map(pid, where->idmap);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot map the container's ids");
        tree_fd = open_tree_for(where, pid);
        if (tree_fd < 0)
                return error_set_errno(ret_error, -tree_fd,
                                       "The container's root filesystem can't be opened");
        r = fd_send(socket, "", 1, &tree_fd, 1);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot reach the container's files") : 0;
}

typedef struct Relay {
        Worker *worker;
        GVariantDict *result;
        int64_t deadline;
        bool ended;
} Relay;

static int relay_error(GVariant *content, Error *ret_error) {
        const char *name, *message;
        int code = _ERROR_INVALID;

        if (g_variant_lookup(content, "name", "&s", &name) &&
            g_variant_lookup(content, "message", "&s", &message))
                code = error_code_from_name(name);
        if (code < 0)
                return -EBADMSG;
        return error_set(ret_error, (ErrorCode) code, "%s", message);
}

static int relay_message(Relay *relay, const char *kind, GVariant *content, Error *ret_error) {
        GVariantIter iter;
        const char *key, *stage;
        GVariant *value;
        double fraction;

        if (g_str_equal(kind, "progress")) {
                if (g_variant_lookup(content, "stage", "&s", &stage) &&
                    g_variant_lookup(content, "fraction", "d", &fraction))
                        worker_progress(relay->worker, stage, fraction);
                return 0;
        }
        if (g_str_equal(kind, "event")) {
                relay->deadline = WAIT_FOREVER;
                return worker_send_event(relay->worker, content, NULL, 0);
        }
        relay->ended = true;
        if (!g_str_equal(kind, "result"))
                return relay_error(content, ret_error);
        g_variant_iter_init(&iter, content);
        while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
                g_variant_dict_insert_value(relay->result, key, value);
                g_variant_unref(value);
        }
        return 0;
}

static int relay_receive(Relay *relay, int socket, Error *ret_error) {
        g_autofree char *buffer = g_malloc(PROTOCOL_MESSAGE_MAX);
        g_autoptr(GBytes) bytes = NULL;
        g_autoptr(GVariant) message = NULL, content = NULL;
        const char *kind;
        size_t n_fds = 0;
        ssize_t n;

        n = fd_receive(socket, buffer, PROTOCOL_MESSAGE_MAX, NULL, &n_fds);
        if (n <= 0)
                return n < 0 ? (int) n : -ECONNRESET;
        bytes = g_bytes_new(buffer, (gsize) n);
        message = g_variant_ref_sink(g_variant_new_from_bytes(PROTOCOL_MESSAGE_TYPE, bytes, FALSE));
        if (!g_variant_is_normal_form(message))
                return -EBADMSG;
        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        return relay_message(relay, kind, content, ret_error);
}

/* `init_pidfd`: of a container that runs. The child would keep its mounts alive. */
static int relay_until_end(Relay *relay, int socket, int init_pidfd, Error *ret_error) {
        while (!relay->ended) {
                struct pollfd p[] = {
                        { .fd = socket, .events = POLLIN },
                        { .fd = init_pidfd, .events = POLLIN },
                };
                int r = wait_poll(p, ELEMENTSOF(p), relay->deadline);

                if (r == -ECANCELED)
                        return worker_cancelled(ret_error);
                if (r == 0)
                        return error_set(ret_error, ERROR_TIMED_OUT,
                                         "The container's file systems do not answer");
                if (r > 0 && !p[0].revents)
                        return error_set(ret_error, ERROR_NOT_RUNNING,
                                         "The container has stopped meanwhile");
                if (r > 0)
                        r = relay_receive(relay, socket, ret_error);
                if (r < 0)
                        return error_set_errno(ret_error, -r,
                                               "The work on the container's files broke off");
        }
        return 0;
}

static void end_child(int pidfd, bool ask) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };
        int status;

        if (ask && fd_pidfd_send_signal(pidfd, SIGTERM) >= 0)
                (void) wait_poll_stubborn(&p, 1, wait_deadline(CANCEL_TIMEOUT_USEC));
        (void) fd_pidfd_send_signal(pidfd, SIGKILL);
        (void) process_reap(pidfd, &status);
}

int inside_run(Worker *worker, const int *fds, size_t n_fds, InsideFunc func, void *data,
               GVariantDict *result, Error *ret_error) {
        g_auto(Where) where = WHERE_INIT;
        _cleanup_close_ int near = -EBADF, far = -EBADF, pidfd = -EBADF;
        Relay relay = { .worker = worker, .result = result };
        int sockets[2], r;
        pid_t pid;

        wait_block_term();
        r = where_read(&where, worker, n_fds, ret_error);
        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a socket");
        near = sockets[0];
        far = sockets[1];
        pid = process_fork(-EBADF, where.running ? 0 : CLONE_NEWUSER, &pidfd);
        if (pid < 0)
                return error_set_errno(ret_error, -pid, "Cannot make a process for the files");
        if (pid == 0)
                child(&where, worker, fds, n_fds, far, func, data);
        far = fd_close(far);

        relay.deadline = wait_deadline(BEGIN_TIMEOUT_USEC);
        r = where.running ? 0 : give_tree(&where, pid, near, ret_error);
        if (r >= 0)
                r = relay_until_end(&relay, near, where.running ? where.init.pidfd : -EBADF,
                                    ret_error);
        end_child(pidfd, r < 0 && !relay.ended);
        return r;
}
