/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What liblxc can do at best: the least program for each verb, to hold berth against.
 *
 *   bare start|exec|stop LXC-PATH NAME
 *   bare snapshot SUBVOLUME NEW-SUBVOLUME
 *   bare delete SUBVOLUME
 */

#include <btrfsutil.h>
#include <errno.h>
#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_true(struct lxc_container *c) {
        lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
        char sh[] = "sh", c_option[] = "-c", colon[] = ":";
        char *argv[] = { sh, c_option, colon, NULL };
        lxc_attach_command_t command = { argv[0], argv };
        int status;
        pid_t pid;

        if (c->attach(c, lxc_attach_run_command, &command, &options, &pid) < 0 ||
            waitpid(pid, &status, 0) < 0)
                return EXIT_FAILURE;
        return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static int container_verb(const char *verb, const char *path, const char *name) {
        struct lxc_container *c = lxc_container_new(name, path);

        if (!c)
                return EXIT_FAILURE;
        if (strcmp(verb, "exec") == 0)
                return run_true(c);
        if (strcmp(verb, "stop") == 0)
                return c->stop(c) ? EXIT_SUCCESS : EXIT_FAILURE;
        c->want_daemonize(c, true);
        return c->start(c, 0, NULL) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
        enum btrfs_util_error e = BTRFS_UTIL_ERROR_INVALID_ARGUMENT;

        if (argc == 4 && strcmp(argv[1], "snapshot") == 0)
                e = btrfs_util_create_snapshot(argv[2], argv[3], 0, NULL, NULL);
        else if (argc == 3 && strcmp(argv[1], "delete") == 0)
                e = btrfs_util_delete_subvolume(argv[2], 0);
        else if (argc == 4)
                return container_verb(argv[1], argv[2], argv[3]);
        if (e != BTRFS_UTIL_OK) {
                fprintf(stderr, "bare: %s\n", btrfs_util_strerror(e));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
