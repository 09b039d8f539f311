/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/criu.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/util/process.h"

#define LOG_MAX (16U << 20)
#define CAUSE_MAX 300

int criu_find(const CgroupHost *host, const char *container, const char **ret, Error *ret_error) {
        static const char *const places[] = { "/usr/sbin/criu", "/usr/bin/criu",
                                              "/usr/local/sbin/criu" };

        if (!cgroup_host_is_pure_unified(host))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The state of container \"%s\" cannot be saved or restored: this "
                                 "host has version 1 of control groups mounted; boot it with "
                                 "version 2 alone (systemd.unified_cgroup_hierarchy=1)", container);
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (access(places[i], X_OK) >= 0) {
                        *ret = places[i];
                        return 0;
                }
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "The state of container \"%s\" cannot be saved or restored: there is no "
                         "CRIU on this host; install the package criu", container);
}

static int enter_group(int root_fd, const char *group) {
        g_autofree char *name = g_strconcat(group, group[0] ? "/" : "", "cgroup.procs", NULL);
        _cleanup_close_ int fd = path_open_beneath(root_fd, name, O_WRONLY, 0);

        return fd < 0 ? fd : fd_write_all(fd, "0", 1);
}

/* A process that stays where we are until it is killed: systemd takes a scope for ended as soon as
 * nothing is in it. */
static pid_t leave_somebody(void) {
        pid_t pid = fork();

        if (pid != 0)
                return pid < 0 ? -errno : pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
                (void) pause();
}

static int unshare_in_root(const CgroupHost *host) {
        int r = enter_group(host->unified->fd, "");

        if (r < 0)
                return r;
        return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

static int unshare_and_return(const CgroupHost *host, const char *own) {
        pid_t pid = leave_somebody();
        int r;

        if (pid < 0)
                return pid;
        r = unshare_in_root(host);
        if (r >= 0)
                r = enter_group(host->unified->fd, own);
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        return r;
}

int criu_unshare_cgroups(const CgroupHost *host, bool stay) {
        g_autofree char *text = NULL;
        int r;

        if (!stay)
                return unshare_in_root(host);
        r = process_read_file(getpid(), "cgroup", &text);

        if (r < 0)
                return r;
        if (!g_str_has_prefix(text, "0::/"))
                return -EBADMSG;
        text[strcspn(text, "\n")] = '\0';
        return unshare_and_return(host, text + strlen("0::/"));
}

int criu_mount_root(const char *rootfs, const char *target, int userns_fd) {
        struct mount_attr attributes = {
                .attr_set = MOUNT_ATTR_IDMAP,
                .userns_fd = (uint64_t) userns_fd,
        };
        _cleanup_close_ int fd = -EBADF;

        /* What the host unmounts later must not be kept by this. */
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return -errno;
        fd = open_tree(AT_FDCWD, rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
        if (fd < 0)
                return -errno;
        if (userns_fd >= 0 &&
            mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
                return -errno;
        return move_mount(fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* "     1: Error (criu/image.c:475): Unable to open x", maybe with the time before it: what stands
 * behind the first word. */
static char *line_to_cause(const char *line) {
        const char *text = strstr(line, "Error (");
        g_autofree char *valid = NULL;

        if (!text)
                return NULL;
        text += strlen("Error ");
        valid = g_utf8_make_valid(text, MIN((gssize) strlen(text), CAUSE_MAX));
        for (char *p = valid; *p; p = g_utf8_next_char(p))
                if (g_ascii_iscntrl(*p))
                        *p = '?';
        return TAKE_PTR(valid);
}

/* It goes on after these. */
static bool is_harmless(const char *line) {
        return strstr(line, "criu/util.c:") != NULL;
}

char *criu_read_cause(int dir_fd, const char *log) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, log, O_RDONLY | O_NONBLOCK, 0);
        g_autoptr(GBytes) bytes = NULL;
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;

        if (fd < 0 || fd_read_all(fd, LOG_MAX, &bytes) < 0)
                return NULL;
        text = g_strndup(g_bytes_get_data(bytes, NULL) ?: "", g_bytes_get_size(bytes));
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                char *cause = is_harmless(*line) ? NULL : line_to_cause(*line);

                if (cause)
                        return cause;
        }
        return NULL;
}
