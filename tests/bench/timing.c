/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs a command and writes how long it took to fd 3: timing COMMAND [ARGUMENT...]
 *
 * One line, microseconds of wall time from just before the process is made until it has been
 * reaped, as its user feels it. The exit status is the command's.
 */

#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RESULT_FD 3

static int64_t now_usec(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(int argc, char **argv) {
        int64_t begin, end;
        int r, status;
        pid_t pid;

        if (argc < 2) {
                fprintf(stderr, "usage: timing COMMAND [ARGUMENT...] 3>RESULT\n");
                return EXIT_FAILURE;
        }
        begin = now_usec();
        r = posix_spawnp(&pid, argv[1], NULL, NULL, argv + 1, environ);
        if (r != 0) {
                fprintf(stderr, "cannot run %s: %s\n", argv[1], strerror(r));
                return EXIT_FAILURE;
        }
        if (waitpid(pid, &status, 0) < 0)
                return EXIT_FAILURE;
        end = now_usec();
        if (dprintf(RESULT_FD, "%lld\n", (long long) (end - begin)) < 0)
                return EXIT_FAILURE;
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
