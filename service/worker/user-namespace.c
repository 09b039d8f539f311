/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/user-namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/process.h"

static const char *const files[] = { [ID_USER] = "uid_map", [ID_GROUP] = "gid_map" };
G_STATIC_ASSERT(G_N_ELEMENTS(files) == _ID_KIND_MAX);

int user_namespace_open(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/ns/user", pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int write_map(pid_t pid, const char *file, const char *text) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, file);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

        /* The kernel takes all of it at once or nothing. */
        return fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
}

/* The ids below `count` that there are here, each as itself. */
static int read_own(const char *file, uint64_t count, char **ret) {
        g_autofree char *text = NULL;
        g_autoptr(GString) own = g_string_new(NULL);
        g_auto(GStrv) lines = NULL;
        int r = process_read_file(getpid(), file, &text);

        if (r < 0)
                return r;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line && **line; line++) {
                char *p = *line;
                guint64 first = g_ascii_strtoull(p, &p, 10), n;

                (void) g_ascii_strtoull(p, &p, 10);
                n = g_ascii_strtoull(p, &p, 10);
                if (first < count)
                        g_string_append_printf(own, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                                               " %" G_GUINT64_FORMAT "\n", first, first,
                                               MIN(n, count - first));
        }
        *ret = g_strdup(own->str);
        return 0;
}

int user_namespace_map_own(pid_t pid, uint32_t count) {
        int r = 0;

        for (IdKind kind = 0; r >= 0 && kind < _ID_KIND_MAX; kind++) {
                g_autofree char *text = NULL;

                r = read_own(files[kind], count, &text);
                if (r >= 0)
                        r = write_map(pid, files[kind], text);
        }
        return r;
}

int user_namespace_map(pid_t pid, const IdMap *map) {
        int r = 0;

        if (idmap_is_host(map))
                return user_namespace_map_own(pid, UINT32_MAX);
        for (IdKind kind = 0; r >= 0 && kind < _ID_KIND_MAX; kind++) {
                g_autofree char *text = idmap_to_proc(map, kind);

                r = write_map(pid, files[kind], text);
        }
        return r;
}

G_GNUC_NORETURN static void hold(pid_t parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        for (;;)
                (void) pause();
}

/* It takes a process to make one; that one ends here. */
int user_namespace_new(const IdMap *map) {
        _cleanup_close_ int pidfd = -EBADF, fd = -EBADF;
        pid_t pid, parent = getpid();
        int r, status;

        pid = process_fork(-EBADF, CLONE_NEWUSER, &pidfd);
        if (pid < 0)
                return pid;
        if (pid == 0)
                hold(parent);
        r = user_namespace_map(pid, map);
        if (r >= 0)
                r = fd = user_namespace_open(pid);
        (void) fd_pidfd_send_signal(pidfd, SIGKILL);
        (void) process_reap(pidfd, &status);
        return r < 0 ? r : TAKE_FD(fd);
}
