/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A container's files as a file system of this machine, made with the user's own rights and
 * answered by the service. Nothing is left behind, even when we are killed.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/commands.h"
#include "client/file-listen.h"
#include "client/file.h"
#include "client/format.h"
#include "client/fuse-mount.h"
#include "client/job.h"
#include "service/util/cleanup.h"

const Option file_mount_options[] = {
        { "auth-user", 0, "USER", "Name to log in with over SFTP (default: one is made up)", NULL },
        { "listen", 0, "ADDRESS:PORT", "Serve the files over SFTP there, instead of mounting them",
          NULL },
        { "no-auth", 0, NULL, "Let everybody in over SFTP, without a password", NULL },
        { NULL },
};

/* The container alone stands for all of it. */
static int parse_source(const char *argument, FilePlace *ret, Error *ret_error) {
        g_autofree char *whole = strchr(argument, '/') ? g_strdup(argument)
                                                       : g_strconcat(argument, "/", NULL);

        return file_place_parse(whole, ret, ret_error);
}

/* Returns 1 when it was unmounted, 0 when it was to end. */
static int serve(Client *c, const FilePlace *source, const char *target, int fd,
                 Error *ret_error) {
        _cleanup_close_ int fuse_fd = fd;
        g_autofree char *shown = format_printable(target);
        g_auto(Error) error = ERROR_INIT;
        g_autoptr(Job) job = NULL;
        int r;

        r = job_start(c, OBJECT_CONTAINER, source->container, "MountFiles",
                      g_variant_new("(sh@a{sv})", source->path, fuse_fd,
                                    g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0)),
                      &job, ret_error);
        /* The service's is the only one: the mount is dead as soon as nobody serves it. */
        fuse_fd = fd_close(fuse_fd);
        if (r < 0)
                return r;
        if (!c->quiet)
                fprintf(stderr, "%s is mounted on %s until Ctrl+C or 'fusermount3 -u'\n",
                        client_argument(c, 0), shown);
        r = job_wait(job, &error);
        /* That was what to wait for. */
        if (r < 0 && error.code == ERROR_CANCELLED)
                return 0;
        error_move(ret_error, &error);
        return r < 0 ? r : 1;
}

/* Absolute, so that it is the same for everybody. */
static int find_target(const char *argument, char **ret, Error *ret_error) {
        g_autofree char *target = realpath(argument, NULL), *shown = format_printable(argument);
        struct stat st;

        if (!target || stat(target, &st) < 0 || !S_ISDIR(st.st_mode))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "'%s' is no directory to mount on", shown);
        *ret = TAKE_PTR(target);
        return 0;
}

static int mount_on(Client *c, const FilePlace *source, Error *ret_error) {
        g_autofree char *name = g_strndup(client_argument(c, 0),
                                          strcspn(client_argument(c, 0), "/"));
        g_auto(MountGuard) guard = MOUNT_GUARD_INIT;
        g_autofree char *target = NULL;
        int fd = -EBADF, r;

        r = find_target(client_argument(c, 1), &target, ret_error);
        if (r >= 0)
                r = mount_guard_start(&guard, target, ret_error);
        if (r < 0)
                return r;
        r = fuse_mount(name, target, &fd, ret_error);
        if (r >= 0)
                r = serve(c, source, target, fd, ret_error);
        else
                mount_guard_dismiss(&guard);
        /* The user himself has unmounted it. */
        if (r > 0)
                mount_guard_dismiss(&guard);
        return r < 0 ? r : 0;
}

int run_file_mount(Client *c, Error *ret_error) {
        static const char *const others[] = { "listen", "auth-user", "no-auth" };
        g_auto(FilePlace) source = { 0 };
        int r;

        r = parse_source(client_argument(c, 0), &source, ret_error);
        if (r < 0)
                return r;
        if (client_n_arguments(c) < 2)
                return file_listen(c, &source, ret_error);
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (client_flag(c, others[i]))
                        return client_usage_error(ret_error,
                                                  "--%s is for SFTP, which does without a "
                                                  "directory to mount on",
                                                  others[i]);
        return mount_on(c, &source, ret_error);
}
