/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/file.h"
#include "client/format.h"
#include "client/job.h"
#include "client/streams.h"
#include "service/util/cleanup.h"

const Option file_push_options[] = {
        { "create-dirs", 'p', NULL, "Make the directories that are missing", NULL },
        { "gid", 0, "GID", "Group in the container (default: as here)", NULL },
        { "mode", 0, "MODE", "Mode, in octal (default: as here)", NULL },
        { "recursive", 'r', NULL, "Copy directories with all that is in them", NULL },
        { "uid", 0, "UID", "Owner in the container (default: as here)", NULL },
        { NULL },
};

const Option file_pull_options[] = {
        { "create-dirs", 'p', NULL, "Make the directories that are missing", NULL },
        { "recursive", 'r', NULL, "Copy directories with all that is in them", NULL },
        { NULL },
};

/* The service takes files and pipes; anything else is copied through a pipe. */
static int pass_fd(int fd, StreamDirection direction, Relay *relay, int *ret, Error *ret_error) {
        struct stat st;

        if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode))) {
                *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
                return *ret < 0 ? error_set_errno(ret_error, errno, "Cannot copy an fd") : 0;
        }
        return stream_open_pipe(fd, direction, relay, ret, ret_error);
}

/* A place below `place`, by the name that the source has. */
static void place_below(const FilePlace *place, const char *source, FilePlace *ret) {
        g_autofree char *base = file_base_name(source);

        *ret = (FilePlace) {
                g_strdup(place->container),
                g_build_filename(place->path, base, NULL),
        };
}

/* --- push --- */

static int push_fd(Client *c, int fd, const FilePlace *target, GVariantDict *options,
                   Error *ret_error) {
        _cleanup_close_ int theirs = -EBADF;
        g_autoptr(Relay) relay = relay_new();
        g_autoptr(Job) job = NULL;
        int r;

        r = pass_fd(fd, STREAM_INPUT, relay, &theirs, ret_error);
        if (r < 0)
                return r;
        r = job_start(c, OBJECT_CONTAINER, target->container, "PushFile",
                      g_variant_new("(sh@a{sv})", target->path, theirs,
                                    g_variant_dict_end(options)),
                      &job, ret_error);
        theirs = fd_close(theirs);
        if (r < 0)
                return r;
        job_set_relay(job, relay);
        return job_wait(job, ret_error);
}

static int push_options(Client *c, const struct stat *st, GVariantDict *ret, Error *ret_error) {
        g_variant_dict_init(ret, NULL);
        if (S_ISREG(st->st_mode)) {
                g_variant_dict_insert(ret, "uid", "u", (guint32) st->st_uid);
                g_variant_dict_insert(ret, "gid", "u", (guint32) st->st_gid);
                g_variant_dict_insert(ret, "mode", "u", (guint32) (st->st_mode & 07777));
        }
        if (client_flag(c, "create-dirs"))
                g_variant_dict_insert(ret, "make-directories", "b", TRUE);
        return file_owner_options(c, ret, ret_error);
}

static int push_one(Client *c, const char *source, const FilePlace *target, Error *ret_error) {
        bool stdin_wanted = g_str_equal(source, "-");
        g_autofree char *shown = format_printable(source);
        _cleanup_close_ int own = -EBADF;
        GVariantDict options;
        struct stat st;
        int fd = STDIN_FILENO, r;

        if (!stdin_wanted)
                fd = own = open(source, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set_errno(ret_error, errno, "Cannot open '%s'", shown);
        if (S_ISDIR(st.st_mode))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "'%s' is a directory; use --recursive", shown);
        if (stdin_wanted)
                st.st_mode = 0; /* whose it is here says nothing */
        r = push_options(c, &st, &options, ret_error);
        if (r < 0) {
                g_variant_dict_clear(&options);
                return r;
        }
        return push_fd(c, fd, target, &options, ret_error);
}

/* Without a "/" at its end only the container knows whether the target is a directory; it is asked
 * when a file cannot be put there. */
static int push_to(Client *c, const char *source, const FilePlace *target, bool into,
                   Error *ret_error) {
        g_auto(FilePlace) below = { 0 };
        g_autofree char *type = NULL;
        g_auto(Error) error = ERROR_INIT;
        int r;

        place_below(target, source, &below);
        if (into)
                return push_one(c, source, &below, ret_error);
        r = push_one(c, source, target, &error);
        if (r >= 0)
                return 0;
        if (error.code != ERROR_WRONG_FILE_TYPE || g_str_equal(source, "-") ||
            file_place_get_type(c, target, &type, NULL) < 0 || !g_str_equal(type, "directory")) {
                error_move(ret_error, &error);
                return r;
        }
        return push_one(c, source, &below, ret_error);
}

int run_file_push(Client *c, Error *ret_error) {
        size_t n = client_n_arguments(c) - 1;
        g_auto(FilePlace) target = { 0 };
        bool into, recursive = client_flag(c, "recursive");
        int r;

        if (recursive &&
            (client_option(c, "uid") || client_option(c, "gid") || client_option(c, "mode")))
                return client_usage_error(ret_error, "--recursive keeps owners and modes; --uid, "
                                                     "--gid and --mode are for single files");
        r = file_place_parse(client_argument(c, n), &target, ret_error);
        if (r < 0)
                return r;
        into = g_str_has_suffix(target.path, "/") || n > 1;
        (void) signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; i < n; i++) {
                const char *source = client_argument(c, i);

                r = recursive ? file_push_tree(c, source, &target, client_flag(c, "create-dirs"),
                                               ret_error)
                              : push_to(c, source, &target, into, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- pull --- */

static int pull_fd(Client *c, const FilePlace *source, int fd, guint32 *ret_mode,
                   Error *ret_error) {
        _cleanup_close_ int theirs = -EBADF;
        g_autoptr(Relay) relay = relay_new();
        g_autoptr(GVariant) facts = NULL;
        g_autoptr(Job) job = NULL;
        int r;

        r = pass_fd(fd, STREAM_OUTPUT, relay, &theirs, ret_error);
        if (r < 0)
                return r;
        r = job_start(c, OBJECT_CONTAINER, source->container, "PullFileTo",
                      g_variant_new("(sha{sv})", source->path, theirs, NULL), &job, ret_error);
        theirs = fd_close(theirs);
        if (r < 0)
                return r;
        if (g_variant_is_of_type(job_get_reply(job), G_VARIANT_TYPE("(oa{sv})"))) {
                facts = g_variant_get_child_value(job_get_reply(job), 1);
                (void) g_variant_lookup(facts, "mode", "u", ret_mode);
        }
        job_set_relay(job, relay);
        r = job_wait(job, ret_error);
        if (r < 0)
                return r;
        relay_finish(relay);
        if (relay_get_error(relay) < 0)
                return error_set_errno(ret_error, -relay_get_error(relay), "Cannot write the file");
        return 0;
}

/* A file appears under its name only when it is complete. */
static int pull_to_file(Client *c, const FilePlace *source, const char *path, Error *ret_error) {
        g_autofree char *shown = format_printable(path);
        g_autofree char *temporary = g_strconcat(path, ".part-XXXXXX", NULL);
        _cleanup_close_ int fd = -EBADF;
        guint32 mode = 0644;
        struct stat st;
        int r;

        if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
                fd = open(path, O_WRONLY | O_CLOEXEC);
                if (fd < 0)
                        return error_set_errno(ret_error, errno, "Cannot open '%s'", shown);
                return pull_fd(c, source, fd, &mode, ret_error);
        }
        fd = g_mkstemp_full(temporary, O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set_errno(ret_error, errno, "Cannot create '%s'", shown);
        r = pull_fd(c, source, fd, &mode, ret_error);
        /* Never a set-user-id file: who made it in the container is nobody here. */
        if (r >= 0 && (fchmod(fd, mode & 0777) < 0 || rename(temporary, path) < 0))
                r = error_set_errno(ret_error, errno, "Cannot put '%s' into place", shown);
        if (r < 0)
                (void) unlink(temporary);
        return r;
}

static int pull_one(Client *c, const char *argument, const char *target, bool into,
                    Error *ret_error) {
        g_auto(FilePlace) source = { 0 };
        g_autofree char *base = NULL, *path = NULL;
        g_auto(Error) error = ERROR_INIT;
        guint32 mode;
        int r;

        r = file_place_parse(argument, &source, ret_error);
        if (r < 0)
                return r;
        if (client_flag(c, "recursive"))
                return file_pull_tree(c, &source, target, ret_error);
        base = file_base_name(source.path);
        path = into ? g_build_filename(target, base, NULL) : g_strdup(target);
        if (g_str_equal(target, "-"))
                r = pull_fd(c, &source, STDOUT_FILENO, &mode, &error);
        else
                r = pull_to_file(c, &source, path, &error);
        if (r < 0 && error.code == ERROR_WRONG_FILE_TYPE) {
                g_autofree char *type = NULL;

                if (file_place_get_type(c, &source, &type, NULL) >= 0 &&
                    g_str_equal(type, "directory"))
                        return error_set(ret_error, ERROR_WRONG_FILE_TYPE, "%s; use --recursive",
                                         error.message);
        }
        error_move(ret_error, &error);
        return r;
}

/* Whether the target is a directory to pull into; makes what is to be made. */
static int pull_target(Client *c, const char *target, bool several, bool *ret_into,
                       Error *ret_error) {
        g_autofree char *shown = format_printable(target), *parent = g_path_get_dirname(target);
        bool slash = g_str_has_suffix(target, "/"), recursive = client_flag(c, "recursive");
        struct stat st;

        *ret_into = false;
        if (g_str_equal(target, "-"))
                return recursive ? client_usage_error(ret_error,
                                                      "A directory cannot go to standard output")
                                 : 0;
        if (stat(target, &st) == 0) {
                *ret_into = S_ISDIR(st.st_mode);
                if (!*ret_into && (several || slash || recursive))
                        return error_set(ret_error, ERROR_INVALID_ARGS, "'%s' is no directory",
                                         shown);
                return 0;
        }
        *ret_into = slash || several || recursive;
        if (*ret_into || client_flag(c, "create-dirs"))
                if (g_mkdir_with_parents(*ret_into ? target : parent, 0750) < 0)
                        return error_set_errno(ret_error, errno, "Cannot make the directory '%s'",
                                               *ret_into ? shown : parent);
        return 0;
}

int run_file_pull(Client *c, Error *ret_error) {
        size_t n = client_n_arguments(c) - 1;
        const char *target = client_argument(c, n);
        bool into;
        int r;

        r = pull_target(c, target, n > 1, &into, ret_error);
        (void) signal(SIGPIPE, SIG_IGN);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = pull_one(c, client_argument(c, i), target, into, ret_error);
        return r < 0 ? r : 0;
}
