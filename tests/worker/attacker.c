/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the root of a hostile container runs, for test-runtime-attacks.c: static and without any
 * library, so that it runs in a container that holds nothing but busybox.
 *
 *   attacker terminals  tries on its standard fds what terminals allow; prints how much worked
 */

#include <fcntl.h>
#include <linux/tiocl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

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

int main(int argc, char *argv[]) {
        if (argc == 2 && strcmp(argv[1], "terminals") == 0)
                return terminals();
        return EXIT_FAILURE;
}
