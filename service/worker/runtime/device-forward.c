/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-forward.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/proxy.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/util/process.h"
#include "service/worker/operations.h"
#include "service/worker/runtime/forward-sockets.h"
#include "service/worker/runtime/identity.h"
#include "service/worker/runtime/wait.h"

#define RECORD_MAX 512
#define SOCKET_MODE_DEFAULT 0644
/* "nobody" of most systems, inside as well. */
#define UID_NOBODY 65534U
#define START_TIMEOUT_USEC (10 * G_TIME_SPAN_SECOND)
#define END_TIMEOUT_USEC (5 * G_TIME_SPAN_SECOND)

/* What is known before the process is started. */
typedef struct Forward {
        const DeviceContext *context;
        const CgroupHost *host;
        const Process *init;
        const char *name;
        GVariant *options;
        ProxyAddress from, to;
        bool inside;          /* it listens there */
        ForwardSpec *spec;
        size_t spec_size;
        gid_t *groups;
        size_t n_groups;
        GArray *sockets;
} Forward;

static void forward_clear(Forward *f) {
        proxy_address_clear(&f->from);
        proxy_address_clear(&f->to);
        g_clear_pointer(&f->spec, g_free);
        g_clear_pointer(&f->groups, g_free);
        for (guint i = 0; f->sockets && i < f->sockets->len; i++)
                (void) close(g_array_index(f->sockets, int, i));
        g_clear_pointer(&f->sockets, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Forward, forward_clear)

static int G_GNUC_PRINTF(3, 5)
        forward_error(const Forward *f, int r, const char *format, Error *ret_error, ...) {
        g_autofree char *what = NULL;
        va_list ap;

        va_start(ap, ret_error);
        what = g_strdup_vprintf(format, ap);
        va_end(ap);
        return error_set_errno(ret_error, -r, "Device \"%s\" of container \"%s\" cannot %s",
                               f->name, f->context->container, what);
}

/* --- the process that is there --- */

/* -ESRCH: it has gone, or never was. */
static int find_process(int dir_fd, const char *name, int *ret_pidfd) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY, 0), pidfd = -EBADF;
        g_autofree char *text = NULL;
        g_auto(GStrv) words = NULL;
        guint64 pid, start, now;

        if (fd < 0)
                return fd == -ENOENT ? -ESRCH : fd;
        if (fd_read_text(fd, RECORD_MAX, &text) < 0)
                return -ESRCH;
        words = g_strsplit_set(text, " \n", 3);
        if (g_strv_length(words) != 3 ||
            !g_ascii_string_to_unsigned(words[0], 10, 2, INT_MAX, &pid, NULL) ||
            !g_ascii_string_to_unsigned(words[1], 10, 0, G_MAXUINT64, &start, NULL))
                return -ESRCH;
        pidfd = fd_pidfd_open((pid_t) pid);
        if (pidfd < 0 || process_get_start_time((pid_t) pid, &now) < 0 || now != start)
                return -ESRCH;
        *ret_pidfd = TAKE_FD(pidfd);
        return 0;
}

static int end_process(int dir_fd, const char *name) {
        g_autofree char *temporary = path_temporary_name(name);
        _cleanup_close_ int pidfd = -EBADF;
        struct pollfd p = { .events = POLLIN };
        int r;

        r = find_process(dir_fd, name, &pidfd);
        if (r >= 0) {
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
                p.fd = pidfd;
                /* Only then are its ports free. */
                if (wait_poll_stubborn(&p, 1, wait_deadline(END_TIMEOUT_USEC)) == 0)
                        return -ETIMEDOUT;
        } else if (r != -ESRCH)
                return r;
        /* What a writer that was killed left. */
        (void) unlinkat(dir_fd, temporary, 0);
        return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static int open_records(int path_fd, bool create) {
        return create ? path_make_dir(path_fd, RUNTIME_FORWARDS_DIR, 0700)
                      : path_open_beneath(path_fd, RUNTIME_FORWARDS_DIR, O_RDONLY | O_DIRECTORY, 0);
}

static int write_record(const Forward *f, int dir_fd, pid_t pid) {
        bool path = f->from.protocol == PROXY_UNIX && !proxy_address_is_abstract(&f->from);
        g_autofree char *text = NULL;
        uint64_t start;
        int r;

        r = process_get_start_time(pid, &start);
        if (r < 0)
                return r;
        text = g_strdup_printf("%d %" G_GUINT64_FORMAT "\n%s\n", pid, start,
                               path && !f->inside ? config_get(f->options, "listen") : "");
        return path_replace_file(dir_fd, f->name, text, strlen(text), 0600);
}

/* --- what it is to be --- */

/* Connections inside are made by nobody's process, or where a path leads to the socket, by one that
 * has become root inside; those to the host by the owner. */
static int choose_identity(Forward *f, Error *ret_error) {
        bool path = f->to.protocol == PROXY_UNIX && !proxy_address_is_abstract(&f->to);
        const DeviceContext *context = f->context;
        unsigned fallback = f->to.protocol == PROXY_UNIX ? 0 : UID_NOBODY;
        unsigned uid = device_get_number(f->options, "security.uid", 10, fallback);
        unsigned gid = device_get_number(f->options, "security.gid", 10, fallback);
        g_auto(Identity) owner = { 0 };
        int r;

        if (f->inside) {
                r = identity_get(context->owner, &owner);
                if (r < 0)
                        return forward_error(f, r, "take on the rights of uid %u", ret_error,
                                             context->owner);
                f->spec->uid = device_get_number(f->options, "security.uid", 10, owner.uid);
                f->spec->gid = device_get_number(f->options, "security.gid", 10, owner.gid);
                if (!config_get(f->options, "security.uid") &&
                    !config_get(f->options, "security.gid")) {
                        f->n_groups = (size_t) owner.n_groups;
                        f->groups = TAKE_PTR(owner.groups);
                }
                return 0;
        }
        if (!idmap_to_host(context->idmap, ID_USER, uid, &f->spec->uid) ||
            !idmap_to_host(context->idmap, ID_GROUP, gid, &f->spec->gid))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "Device \"%s\" of container \"%s\": security.uid or security.gid "
                                 "is beyond the ids that the container has", f->name,
                                 context->container);
        f->spec->namespaces = CLONE_NEWNET;
        if (path) {
                f->spec->namespaces |= CLONE_NEWNS;
                if (!idmap_is_host(context->idmap))
                        f->spec->namespaces |= CLONE_NEWUSER;
                f->spec->uid = uid;
                f->spec->gid = gid;
        }
        return 0;
}

static int make_spec(Forward *f, Error *ret_error) {
        size_t n = proxy_address_count(&f->from), n_to = proxy_address_count(&f->to);

        f->spec_size = sizeof(ForwardSpec) + n * sizeof(ForwardTarget);
        f->spec = g_malloc0(f->spec_size);
        f->spec->n_targets = (uint32_t) n;
        f->spec->datagrams = f->to.protocol == PROXY_UDP;
        f->spec->proxy_protocol = device_get_boolean(f->options, "proxy_protocol", false);
        for (size_t i = 0; i < n; i++) {
                guint which = n_to == 1 ? 0 : (guint) i;
                uint16_t port = f->to.ports ? g_array_index(f->to.ports, uint16_t, which) : 0;

                forward_target_fill(&f->to, port, &f->spec->targets[i]);
        }
        return choose_identity(f, ret_error);
}

static int open_sockets(Forward *f, Error *ret_error) {
        ForwardSocketOwner owner = {
                .uid = device_get_number(f->options, "uid", 10, 0),
                .gid = device_get_number(f->options, "gid", 10, 0),
                .mode = device_get_number(f->options, "mode", 8, SOCKET_MODE_DEFAULT),
        };
        const char *listen = config_get(f->options, "listen");
        int r;

        /* A device with many ports needs more fds than a process has unasked. */
        fd_limit_raise();
        f->sockets = g_array_new(FALSE, FALSE, sizeof(int));
        r = forward_sockets_open(&f->from, f->inside, f->init, &owner, f->sockets);
        if (r == -EADDRINUSE)
                return error_set(ret_error, ERROR_IN_USE,
                                 "Device \"%s\" of container \"%s\" cannot listen on %s %s: "
                                 "something else does", f->name, f->context->container, listen,
                                 f->inside ? "inside" : "of the host");
        return r < 0 ? forward_error(f, r, "listen on %s", ret_error, listen) : 0;
}

/* --- the process --- */

typedef struct Handover {
        int spec_fd, control_fd;
        const char *program;
} Handover;

/* Fds that stand in the way of their places are moved up before any takes its place. */
static int arrange_fds(const Forward *f, const Handover *handover) {
        int n = FORWARD_FIRST_FD + (int) f->sockets->len;
        g_autofree int *fds = g_new(int, n);

        fds[FORWARD_SPEC_FD] = handover->spec_fd;
        fds[FORWARD_CONTROL_FD] = handover->control_fd;
        fds[FORWARD_INIT_FD] = f->init->pidfd;
        for (guint i = 0; i < f->sockets->len; i++)
                fds[FORWARD_FIRST_FD + (int) i] = g_array_index(f->sockets, int, i);
        for (int i = FORWARD_SPEC_FD; i < n; i++) {
                fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, n);
                if (fds[i] < 0)
                        return -errno;
        }
        for (int i = FORWARD_SPEC_FD; i < n; i++)
                if (dup2(fds[i], i) < 0)
                        return -errno;
        return close_range((unsigned) n, UINT_MAX, 0) < 0 ? -errno : 0;
}

G_GNUC_NORETURN static void execute(const Forward *f, const Handover *handover) {
        const char *const argv[] = { FORWARD_PROGRAM, f->context->container, f->name, NULL };
        _cleanup_close_ int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char *const envp[] = { NULL };

        process_reset_signals();
        /* As of containers: berthd alone is protected from the kernel's hunt for memory. */
        (void) process_write_oom_score_adj(proc, "0");
        (void) setsid();
        if (setgroups(f->n_groups, f->groups) >= 0 && chdir("/") >= 0 &&
            arrange_fds(f, handover) >= 0)
                (void) execve(handover->program, (char *const *) argv, envp);
        _exit(EXIT_FAILURE);
}

/* It is installed next to this program. */
static char *find_program(void) {
        g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
        g_autofree char *directory = self ? g_path_get_dirname(self) : NULL;

        return directory ? g_build_filename(directory, FORWARD_PROGRAM, NULL) : NULL;
}

/* It is ready; from the record on it is known, and may serve. */
static int shake_hands(const Forward *f, int control_fd, int dir_fd, pid_t pid, Error *ret_error) {
        struct pollfd p = { .fd = control_fd, .events = POLLIN };
        ForwardStatus status;
        int r;

        r = wait_poll_stubborn(&p, 1, wait_deadline(START_TIMEOUT_USEC));
        if (r <= 0)
                return forward_error(f, r == 0 ? -ETIMEDOUT : r, "start its process", ret_error);
        if (read(control_fd, &status, sizeof(status)) != sizeof(status))
                return forward_error(f, -EPIPE, "start its process", ret_error);
        status.what[sizeof(status.what) - 1] = '\0';
        if (status.error < 0)
                return forward_error(f, status.error, "%s", ret_error, status.what);
        r = write_record(f, dir_fd, pid);
        if (r < 0)
                return forward_error(f, r, "be recorded", ret_error);
        return write(control_fd, "", 1) == 1 ? 0
               : forward_error(f, -errno, "start its process", ret_error);
}

static int run_process(const Forward *f, int dir_fd, Error *ret_error) {
        g_autoptr(GBytes) bytes = g_bytes_new_static(f->spec, f->spec_size);
        _cleanup_close_ int spec_fd = fd_new_memfd("forward", bytes), ours = -EBADF;
        _cleanup_close_ int group = cgroup_make_pivot(f->host, f->context->container);
        _cleanup_close_ int theirs = -EBADF, pidfd = -EBADF;
        g_autofree char *program = find_program();
        int pair[2], r, status;
        pid_t pid;

        if (spec_fd < 0 || !program)
                return forward_error(f, -ENOMEM, "be handed over", ret_error);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return forward_error(f, -errno, "be handed over", ret_error);
        ours = pair[0];
        theirs = pair[1];
        pid = process_fork(group, 0, &pidfd);
        if (pid < 0)
                return forward_error(f, pid, "start its process", ret_error);
        if (pid == 0)
                execute(f, &(Handover) { spec_fd, theirs, program });
        theirs = fd_close(theirs);
        r = shake_hands(f, ours, dir_fd, pid, ret_error);
        if (r < 0) {
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
                (void) process_reap(pidfd, &status);
        }
        return r;
}

int device_forward_add(const DeviceContext *context, const CgroupHost *host, const Process *init,
                       int path_fd, const char *name, GVariant *options, Error *ret_error) {
        g_auto(Forward) f = { .context = context, .host = host, .init = init, .name = name,
                              .options = options, .inside = proxy_listens_inside(options) };
        _cleanup_close_ int dir_fd = open_records(path_fd, true);
        int r;

        /* The kernel does those by itself; see OPERATION_NETWORK_FIREWALL. */
        if (device_get_boolean(options, "nat", false))
                return 0;
        if (dir_fd < 0)
                return forward_error(&f, dir_fd, "be recorded", ret_error);
        r = end_process(dir_fd, name);
        if (r < 0)
                return forward_error(&f, r, "be started anew", ret_error);
        r = proxy_address_parse(config_get(options, "listen"), &f.from, ret_error);
        if (r >= 0)
                r = proxy_address_parse(config_get(options, "connect"), &f.to, ret_error);
        if (r >= 0)
                r = make_spec(&f, ret_error);
        if (r >= 0)
                r = open_sockets(&f, ret_error);
        return r < 0 ? r : run_process(&f, dir_fd, ret_error);
}

int device_forward_remove(const Process *init, int path_fd, const char *name, GVariant *options,
                          Error *ret_error) {
        _cleanup_close_ int dir_fd = open_records(path_fd, false);
        g_auto(ProxyAddress) from = { 0 };
        int r;

        if (dir_fd == -ENOENT || device_get_boolean(options, "nat", false))
                return 0;
        r = dir_fd < 0 ? dir_fd : end_process(dir_fd, name);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Proxy device \"%s\" cannot be ended", name);
        if (proxy_address_parse(config_get(options, "listen"), &from, NULL) >= 0)
                (void) forward_sockets_remove(&from, proxy_listens_inside(options), init);
        return 0;
}

int device_forward_add_all(const DeviceContext *context, const CgroupHost *host,
                           const Process *init, int path_fd, GVariant *devices, Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;
        int r = 0;

        g_variant_iter_init(&iter, devices);
        while (r >= 0 && g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_is_proxy(owned))
                        r = device_forward_add(context, host, init, path_fd, name, owned,
                                               ret_error);
        }
        if (r < 0)
                device_forward_end_all(path_fd);
        return r;
}

/* With it goes a socket of the host's, which the record's second line names; those inside have gone
 * with the container, or do no harm there. */
static void end_one(int dir_fd, const char *name) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY, 0);
        g_auto(ProxyAddress) from = { 0 };
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;

        if (fd < 0 || fd_read_text(fd, RECORD_MAX, &text) < 0)
                return;
        lines = g_strsplit(text, "\n", 3);
        if (end_process(dir_fd, name) >= 0 && g_strv_length(lines) == 3 &&
            proxy_address_parse(lines[1], &from, NULL) >= 0)
                (void) forward_sockets_remove(&from, false, NULL);
}

void device_forward_end_all(int path_fd) {
        _cleanup_close_ int dir_fd = open_records(path_fd, false);
        struct dirent *entry;
        DIR *d = dir_fd < 0 ? NULL : fdopendir(dup(dir_fd));

        if (!d)
                return;
        while ((entry = readdir(d)))
                if (path_is_component(entry->d_name))
                        end_one(dir_fd, entry->d_name);
        (void) closedir(d);
}
