/* SPDX-License-Identifier: Apache-2.0 */
#include "client/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/format.h"
#include "client/job.h"
#include "service/util/cleanup.h"

int archive_open(const char *name, const char *what, int *ret, Error *ret_error) {
        g_autofree char *shown = format_printable(name);
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (g_str_equal(name, "-")) {
                if (isatty(STDIN_FILENO))
                        return client_usage_error(ret_error, "Cannot import %s from a terminal",
                                                  what);
                fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
        } else
                fd = open(name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(ret_error, errno, "Cannot open '%s'", shown);
        if (S_ISDIR(st.st_mode))
                return error_set(ret_error, ERROR_NOT_SUPPORTED, "'%s' is a directory", shown);
        *ret = TAKE_FD(fd);
        return 0;
}

bool archive_is_passable(int fd) {
        struct stat st;

        return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode));
}

int archive_pass(int fd, StreamDirection direction, Relay *relay, int *ret, Error *ret_error) {
        if (!archive_is_passable(fd))
                return stream_open_pipe(fd, direction, relay, ret, ret_error);
        *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *ret < 0 ? error_set_errno(ret_error, errno, "Cannot copy an fd") : 0;
}

int archive_write_to_fd(Client *c, ObjectKind kind, const char *path, const char *member,
                        GVariant *options, int fd, Error *ret_error) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(options);
        g_autoptr(Relay) relay = relay_new();
        _cleanup_close_ int theirs = -EBADF;
        g_autoptr(Job) job = NULL;
        int r;

        r = archive_pass(fd, STREAM_OUTPUT, relay, &theirs, ret_error);
        if (r < 0)
                return r;
        r = job_start(c, kind, path, member, g_variant_new("(h@a{sv})", theirs, owned), &job,
                      ret_error);
        theirs = fd_close(theirs);
        if (r < 0)
                return r;
        job_set_relay(job, relay);
        r = job_wait(job, ret_error);
        if (r < 0)
                return r;
        relay_drain(relay);
        if (relay_get_error(relay) < 0)
                return error_set_errno(ret_error, -relay_get_error(relay),
                                       "Cannot write the archive");
        return 0;
}

int archive_write_to_file(Client *c, ObjectKind kind, const char *path, const char *member,
                          GVariant *options, const char *file, Error *ret_error) {
        g_autofree char *shown = format_printable(file);
        g_autofree char *temporary = g_strconcat(file, ".part-XXXXXX", NULL);
        g_autoptr(GVariant) owned = g_variant_ref_sink(options);
        _cleanup_close_ int fd = -EBADF;
        mode_t mask;
        int r;

        fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set_errno(ret_error, errno, "Cannot create '%s'", shown);
        r = archive_write_to_fd(c, kind, path, member, owned, fd, ret_error);
        if (r >= 0) {
                mask = umask(0);
                (void) umask(mask);
                if (fchmod(fd, 0666 & ~mask) < 0 || rename(temporary, file) < 0)
                        r = error_set_errno(ret_error, errno, "Cannot put '%s' into place", shown);
        }
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

GVariant *archive_export_options(Client *c, const char *alone) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (client_option(c, "compression"))
                g_variant_dict_insert(&options, "compression", "s",
                                      client_option(c, "compression"));
        if (client_flag(c, alone))
                g_variant_dict_insert(&options, "without-snapshots", "b", TRUE);
        return g_variant_dict_end(&options);
}
