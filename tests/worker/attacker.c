/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the root of a hostile container runs, for test-runtime-attacks.c: static and without any
 * library, so that it runs in a container that holds nothing but busybox.
 *
 *   attacker terminals   tries on its standard fds what terminals allow; prints how much worked
 *   attacker traced      ends, traced by a process that never takes notice of that
 *   attacker watch FILE  goes for every helper of berth that shows up in /proc until FILE is there;
 *                        prints how often it saw one and what it got hold of
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tiocl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* As the kernel cuts it off in /proc/PID/comm. */
#define HELPER_COMM "berth-worker-ru"
/* Much more than execve() takes, and less than a helper needs for a long /etc/passwd. */
#define SETTLE_USEC 2000

static int terminals(void) {
        int worked = 0;

        for (int fd = 0; fd < 3; fd++) {
                char linux_console = TIOCL_GETSHIFTSTATE;

                worked += ioctl(fd, TIOCSTI, "x") >= 0;
                worked += ioctl(fd, TIOCSCTTY, 1) >= 0;
                worked += ioctl(fd, TIOCLINUX, &linux_console) >= 0;
        }
        worked += open("/dev/tty", O_RDWR) >= 0;
        printf("%d\n", worked);
        return EXIT_SUCCESS;
}

static int open_of(const char *pid, const char *name, int flags) {
        char path[512];

        (void) snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
        return open(path, flags | O_CLOEXEC);
}

static bool is_helper(const char *pid) {
        char comm[32] = "";
        int fd = open_of(pid, "comm", O_RDONLY);

        if (fd < 0)
                return false;
        if (read(fd, comm, sizeof(comm) - 1) < 0)
                comm[0] = '\0';
        (void) close(fd);
        return strncmp(comm, HELPER_COMM, strlen(HELPER_COMM)) == 0;
}

static bool list_fds(const char *pid) {
        int fd = open_of(pid, "fd", O_RDONLY | O_DIRECTORY);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        bool any = false;

        for (struct dirent *e; dir && (e = readdir(dir));)
                any = any || e->d_name[0] != '.';
        if (dir)
                (void) closedir(dir);
        return any;
}

static bool trace(pid_t pid) {
        if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
                return false;
        /* Only a tracee that has stopped can be let go. */
        (void) ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
        (void) waitpid(pid, NULL, __WALL);
        (void) ptrace(PTRACE_DETACH, pid, NULL, NULL);
        return true;
}

static bool read_memory(pid_t pid) {
        char here[8];
        struct iovec local = { here, sizeof(here) }, remote = { (void *) here, sizeof(here) };

        /* The address need not be mapped: without the right to look EPERM comes first. */
        return process_vm_readv(pid, &local, 1, &remote, 1, 0) >= 0 || errno == EFAULT;
}

static const char *attack(const char *pid) {
        static const struct {
                const char *name;
                int flags;
        } files[] = {
                { "mem", O_RDWR },
                { "exe", O_RDONLY },
                { "exe", O_WRONLY },
                { "root", O_PATH },
                { "cwd", O_PATH },
                { "environ", O_RDONLY },
        };
        pid_t number = (pid_t) strtol(pid, NULL, 10);

        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
                int fd = open_of(pid, files[i].name, files[i].flags);

                if (fd < 0)
                        continue;
                (void) close(fd);
                return files[i].name;
        }
        if (list_fds(pid))
                return "fd";
        return read_memory(number) ? "memory" : trace(number) ? "ptrace" : NULL;
}

static int watch(const char *until) {
        unsigned seen = 0, got = 0;
        const char *what = "nothing";

        while (access(until, F_OK) < 0) {
                DIR *proc = opendir("/proc");

                for (struct dirent *e; proc && (e = readdir(proc));) {
                        const char *w;

                        if (e->d_name[0] < '1' || e->d_name[0] > '9' || !is_helper(e->d_name))
                                continue;
                        w = attack(e->d_name);
                        /* It may be about to execute the container's own program. The kernel opens
                         * that to us just before it changes the name, so look again later. */
                        if (w)
                                (void) usleep(SETTLE_USEC);
                        if (!is_helper(e->d_name))
                                continue;
                        seen++;
                        if (w) {
                                got++;
                                what = w;
                        }
                }
                if (proc)
                        (void) closedir(proc);
        }
        printf("%u %u %s\n", seen, got, what);
        return EXIT_SUCCESS;
}

/* Ends while a child of its own traces it, which never asks how. */
static int traced(void) {
        pid_t self = getpid();
        char byte = 0;
        int ready[2];

        if (pipe(ready) < 0)
                return EXIT_FAILURE;
        if (fork() == 0) {
                if (ptrace(PTRACE_SEIZE, self, NULL, NULL) < 0)
                        _exit(EXIT_FAILURE);
                (void) close(ready[0]);
                if (write(ready[1], "x", 1) != 1)
                        _exit(EXIT_FAILURE);
                (void) close(ready[1]);
                for (;;)
                        (void) pause();
        }
        (void) close(ready[1]);
        return read(ready[0], &byte, 1) == 1 ? 7 : EXIT_FAILURE;
}

int main(int argc, char *argv[]) {
        if (argc == 2 && strcmp(argv[1], "traced") == 0)
                return traced();
        if (argc == 2 && strcmp(argv[1], "terminals") == 0)
                return terminals();
        if (argc == 3 && strcmp(argv[1], "watch") == 0)
                return watch(argv[2]);
        return EXIT_FAILURE;
}
