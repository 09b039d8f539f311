/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/jail-inside.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/bounds.h"

/* Address sanitizer reserves terabytes of address space, makes system calls of its own, and its
 * complaints should be seen. */
#if defined(__SANITIZE_ADDRESS__)
#define HAVE_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_SANITIZER 1
#endif
#endif
#ifndef HAVE_SANITIZER
#define HAVE_SANITIZER 0
#endif

/* Where the tree is until it has been entered. */
#define FD_TREE JAIL_FD_FIRST_FREE

/* A report of progress for every half percent. */
#define PROGRESS_STEP 0.005

static int send_message(int channel_fd, const char *kind, GVariant *content) {
        g_autoptr(GVariant) message =
                g_variant_ref_sink(g_variant_new("(s@a{sv})", kind, content));

        return fd_send(channel_fd, g_variant_get_data(message), g_variant_get_size(message), NULL,
                       0);
}

void jail_report_progress(Jail *jail, double fraction) {
        g_auto(GVariantDict) content = G_VARIANT_DICT_INIT(NULL);

        if (fraction < jail->progress + PROGRESS_STEP)
                return;
        jail->progress = fraction;
        g_variant_dict_insert(&content, "fraction", "d", MIN(fraction, 1.0));
        (void) send_message(jail->channel_fd, "progress", g_variant_dict_end(&content));
}

int jail_ask(Jail *jail, GVariant *question, int *ret_fd) {
        size_t n_fds = 1;
        int fd = -EBADF, r;
        ssize_t n;
        char byte;

        r = send_message(jail->channel_fd, "ask", question);
        if (r < 0)
                return r;
        n = fd_receive(jail->channel_fd, &byte, sizeof(byte), &fd, &n_fds);
        if (n <= 0)
                return n < 0 ? (int) n : -EPIPE;
        *ret_fd = n_fds > 0 ? fd : -EBADF;
        return 0;
}

/* --- Giving up --------------------------------------------------------------------------- */

/* Moves the three fds to their places and closes all others. */
static int keep_fds(int input_fd, int channel_fd, int tree_fd) {
        const int from[] = { input_fd, channel_fd, tree_fd };
        const int to[] = { JAIL_FD_INPUT, JAIL_FD_CHANNEL, FD_TREE };
        int high[ELEMENTSOF(from)], null_fd;

        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (null_fd < 0)
                return -errno;
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (!(HAVE_SANITIZER && fd == STDERR_FILENO) && dup2(null_fd, fd) < 0)
                        return -errno;
        for (size_t i = 0; i < ELEMENTSOF(from); i++) {
                high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FD_TREE + 1);
                if (high[i] < 0)
                        return -errno;
        }
        for (size_t i = 0; i < ELEMENTSOF(from); i++)
                if (dup3(high[i], to[i], O_CLOEXEC) < 0)
                        return -errno;
        return close_range(FD_TREE + 1, ~0U, 0) < 0 ? -errno : 0;
}

static int become_root(const JailSpec *spec) {
        if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
                return -errno;
        return 0;
}

/* The tree is put over a directory that every host has, and then nothing but it is left. */
static int enter_tree(const JailSpec *spec) {
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -errno;
        if (syscall(SYS_move_mount, FD_TREE, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return -errno;
        if (fchdir(FD_TREE) < 0)
                return -errno;
        (void) close(FD_TREE);
        /* The tree is a copy of what systemd shares, and shares with it; such a root is refused. */
        if (mount(NULL, ".", NULL, MS_PRIVATE, NULL) < 0)
                return -errno;
        /* Puts the old root above the new one, in the same place, from where it is taken away. */
        if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
                return -errno;
        return chdir("/") < 0 ? -errno : 0;
}

static int set_limits(const JailSpec *spec) {
        const struct {
                int resource;
                uint64_t value;
        } limits[] = {
                { RLIMIT_AS, HAVE_SANITIZER ? RLIM_INFINITY : JAIL_MEMORY_MAX },
                { RLIMIT_CORE, 0 },
                { RLIMIT_CPU, spec->of_container ? RLIM_INFINITY :
                                                   JAIL_TIME_MAX_USEC / G_TIME_SPAN_SECOND },
                { RLIMIT_FSIZE, spec->of_container ? CONTAINER_UNPACKED_MAX : IMAGE_UNPACKED_MAX },
                { RLIMIT_MEMLOCK, 0 },
                { RLIMIT_MSGQUEUE, 0 },
                { RLIMIT_NOFILE, JAIL_FILES_MAX },
                { RLIMIT_NPROC, spec->threads || spec->network ? JAIL_THREADS_MAX : 0 },
        };

        for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
                struct rlimit limit = { limits[i].value, limits[i].value };

                if (setrlimit((__rlimit_resource_t) limits[i].resource, &limit) < 0)
                        return -errno;
        }
        return 0;
}

/* Leaves the capabilities over files, for good. */
static int drop_capabilities(const JailSpec *spec) {
        static const unsigned kept[] = {
                CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP,
        };
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
        uint64_t mask = 0;

        for (size_t i = 0; i < ELEMENTSOF(kept) && !spec->network; i++)
                mask |= UINT64_C(1) << kept[i];
        for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
                if (!(mask & UINT64_C(1) << cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
                        return -errno;
        for (size_t i = 0; i < ELEMENTSOF(data); i++)
                data[i].permitted = data[i].effective = (uint32_t) (mask >> (32 * i));
        return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int lock_process(const JailSpec *spec) {
        if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return HAVE_SANITIZER ? 0 : jail_filter_load(spec);
}

/* Waits for the parent to have mapped the ids. */
static int await_start(const JailSpec *spec) {
        char byte;
        ssize_t n = recv(JAIL_FD_CHANNEL, &byte, sizeof(byte), 0);

        return n < 0 ? -errno : n == 0 ? -EPIPE : 0;
}

/* From here on the child dies with its parent. */
static int tie_to_parent(const JailSpec *spec) {
        char byte;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return -errno;
        /* It may have gone before that. */
        if (recv(JAIL_FD_CHANNEL, &byte, sizeof(byte), MSG_DONTWAIT) == 0)
                return -EPIPE;
        return 0;
}

static int open_root(Jail *jail) {
        jail->root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return jail->root_fd < 0 ? -errno : 0;
}

static int confine(const JailSpec *spec, Jail *jail, Error *ret_error) {
        static const struct {
                const char *what;
                int (*func)(const JailSpec *spec);
        } steps[] = {
                { "waiting for the id mapping", await_start },
                { "changing ids", become_root },
                { "binding it to its parent", tie_to_parent }, /* a change of ids would undo it */
                { "entering its root", enter_tree },
                { "setting limits", set_limits },
                { "dropping capabilities", drop_capabilities },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(steps); i++) {
                r = steps[i].func(spec);
                if (r < 0)
                        (void) error_set_errno(ret_error, -r,
                                               "A process cannot be confined, %s", steps[i].what);
        }
        umask(0);
        if (r >= 0 && spec->root_fd >= 0)
                r = open_root(jail);
        if (r >= 0)
                r = lock_process(spec);
        if (r < 0)
                return error_set_errno(ret_error, -r, "A process cannot be confined");
        return 0;
}

static int report(Jail *jail, GVariantDict *result, int r, Error *error) {
        g_auto(GVariantDict) content = G_VARIANT_DICT_INIT(NULL);

        if (r >= 0)
                return send_message(jail->channel_fd, "result", g_variant_dict_end(result));
        (void) error_set_errno(error, -r, "The confined process failed");
        g_variant_dict_insert(&content, "name", "s", error_code_to_name(error->code));
        g_variant_dict_insert(&content, "message", "s", error->message);
        return send_message(jail->channel_fd, "error", g_variant_dict_end(&content));
}

void jail_inside(const JailSpec *spec, int channel_fd, int tree_fd) {
        Jail jail = {
                .userdata = spec->userdata,
                .input_fd = JAIL_FD_INPUT,
                .root_fd = -EBADF,
                .channel_fd = JAIL_FD_CHANNEL,
        };
        g_auto(GVariantDict) result = G_VARIANT_DICT_INIT(NULL);
        g_auto(Error) error = ERROR_INIT;
        int r;

        (void) signal(SIGPIPE, SIG_IGN);
        if (keep_fds(spec->input_fd, channel_fd, tree_fd) < 0)
                _exit(EXIT_FAILURE);
        r = confine(spec, &jail, &error);
        if (r >= 0)
                r = spec->func(&jail, &result, &error);
        /* No exit handlers: they are the parent's. */
        _exit(report(&jail, &result, r, &error) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
