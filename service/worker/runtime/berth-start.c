/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starts a container by liblxc, and lives on as its monitor: the process that liblxc forks off and
 * that stays as long as the container. Every page of it is there once for each running container,
 * so this program links nothing else.
 *
 *   berth-start LXC-PATH NAME LOG [STATE]
 *       starts, or makes its processes of what CRIU saved in the directory STATE; the exit status
 *       tells whether init runs
 *   berth-start --stopped LXC-PATH ...
 *       liblxc's hook when the container has ended: leaves the reason in LXC-PATH, and fails unless
 *       that is "stop", because liblxc then does not start it again by itself: berthd decides that,
 *       with the configuration of then
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lxc/lxccontainer.h>

#include "service/worker/operations.h"

#define TEMPORARY_FILE "." RUNTIME_TARGET_FILE ".new"

static bool write_target(const char *lxc_path, const char *target) {
        size_t size = strlen(target);
        int dir_fd, fd;

        dir_fd = open(lxc_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return false;
        if (unlinkat(dir_fd, TEMPORARY_FILE, 0) < 0 && errno != ENOENT)
                return false;
        fd = openat(dir_fd, TEMPORARY_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return false;
        return write(fd, target, size) == (ssize_t) size && fsync(fd) >= 0 &&
               renameat(dir_fd, TEMPORARY_FILE, dir_fd, RUNTIME_TARGET_FILE) >= 0;
}

static int stopped(const char *lxc_path) {
        const char *target = getenv("LXC_TARGET");

        if (!target || (strcmp(target, "stop") != 0 && strcmp(target, "reboot") != 0))
                return EXIT_FAILURE;
        if (!write_target(lxc_path, target))
                return EXIT_FAILURE;
        return strcmp(target, "stop") == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* liblxc's monitor of what it restores is a child of ours as it is: nobody gives it other standard
 * files. */
static bool leave_stdio(void) {
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        return fd >= 0 && dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0 &&
               dup2(fd, STDERR_FILENO) >= 0;
}

static bool restore(struct lxc_container *container, const char *state) {
        return leave_stdio() && container->restore(container, (char *) state, false);
}

static bool start_new(struct lxc_container *container) {
        return container->want_daemonize(container, true) &&
               container->want_close_all_fds(container, true) &&
               container->start(container, 0, NULL);
}

static int start(const char *lxc_path, const char *name, const char *log_file,
                 const char *state) {
        struct lxc_log log = {
                .name = name,
                .lxcpath = lxc_path,
                .file = log_file,
                .level = "ERROR",
                .prefix = "lxc",
                .quiet = true,
        };
        struct lxc_container *container;
        bool started;

        /* The configuration names the log; this is for what is wrong with the configuration. */
        (void) lxc_log_init(&log);
        container = lxc_container_new(name, lxc_path);
        if (!container)
                return EXIT_FAILURE;
        started = container->is_defined(container) &&
                  (state ? restore(container, state) : start_new(container));
        lxc_container_put(container);
        return started ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[]) {
        if (argc >= 3 && strcmp(argv[1], "--stopped") == 0)
                return stopped(argv[2]);
        if (argc < 4 || argc > 5 || argv[1][0] != '/') {
                (void) fputs("This program is run by berthd, not by hand.\n", stderr);
                return EXIT_FAILURE;
        }
        return start(argv[1], argv[2], argv[3], argc == 5 ? argv[4] : NULL);
}
