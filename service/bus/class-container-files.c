/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/class-container-files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "service/bus/path.h"
#include "service/operation/container-files.h"
#include "service/util/cleanup.h"

#define OWNER_OPTIONS { "uid", "u" }, { "gid", "u" }, { "mode", "u" }

const Option bus_pull_tree_options[] = {
        { "special-modes", "b" },
        { NULL },
};

const Option bus_push_file_options[] = {
        OWNER_OPTIONS,
        { "make-directories", "b" },
        { NULL },
};

const Option bus_push_tree_options[] = {
        { "make-directories", "b" },
        { NULL },
};

const Option bus_stat_options[] = {
        { "follow", "b" },
        { NULL },
};

const Option bus_make_directory_options[] = {
        OWNER_OPTIONS,
        { "parents", "b" },
        { NULL },
};

const Option bus_delete_path_options[] = {
        { "recursive", "b" },
        { NULL },
};

static const char *get_path(BusCall *call) {
        const char *path;

        g_variant_get_child(call->args, 0, "&s", &path);
        return path;
}

int bus_files_prepare(BusCall *call, Error *ret_error) {
        const char *path = get_path(call);
        uint32_t mode = option_get_uint32(call->options, "mode", 0);

        if (*path == '\0' || strlen(path) >= PATH_MAX)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The path inside the container is empty or too long");
        if (mode > 07777)
                return error_set(ret_error, ERROR_INVALID_ARGS, "%o is no mode of a file", mode);
        bus_call_detail(call, "path", path);
        return 0;
}

static int make_pipe(int *near, int *far, bool reading, Error *ret_error) {
        int pair[2];

        if (pipe2(pair, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        *near = pair[reading ? 0 : 1];
        *far = pair[reading ? 1 : 0];
        return 0;
}

static int start(BusCall *call, FilesVerb verb, int fd,
                 void (*begun)(Job *, GVariant *, Error *, void *), Job **ret, Error *ret_error) {
        ContainerFiles args = {
                .verb = verb,
                .path = get_path(call),
                .options = call->options,
                .data_fd = fd,
                .begun = begun,
                .userdata = call,
        };

        return container_files(call->manager, bus_call_caller(call), (Container *) call->object,
                               &args, ret, ret_error);
}

/* The fd that is the second argument. */
static int get_fd(BusCall *call, int *ret, Error *ret_error) {
        gint32 handle;

        g_variant_get_child(call->args, 1, "h", &handle);
        *ret = bus_call_get_fd(call, handle);
        return *ret < 0 ? error_set(ret_error, ERROR_INVALID_ARGS, "The argument holds no fd") : 0;
}

/* What the worker found, as far as it makes sense. */
static GVariant *facts_of(GVariant *found) {
        static const char *const keys[][2] = {
                { "type", "s" }, { "size", "t" }, { "mode", "u" },     { "uid", "u" },
                { "gid", "u" },  { "target", "s" }, { "modified", "t" },
        };
        GVariantDict facts;

        g_variant_dict_init(&facts, NULL);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                g_autoptr(GVariant) value = g_variant_lookup_value(
                        found, keys[i][0], (const GVariantType *) keys[i][1]);

                if (value)
                        g_variant_dict_insert_value(&facts, keys[i][0], value);
        }
        return g_variant_dict_end(&facts);
}

/* --- out of it --- */

static void pull_begun(Job *job, GVariant *found, Error *error, void *userdata) {
        BusCall *call = userdata;
        g_autofree char *path = bus_path_of(OBJECT_JOB, job->object.name);

        if (error)
                bus_call_fail(call, error);
        else if (call->n_reply_fds > 0)
                bus_call_reply(call, g_variant_new("(oh@a{sv})", path, 0, facts_of(found)));
        else
                bus_call_reply(call, g_variant_new("(o@a{sv})", path, facts_of(found)));
}

int bus_pull_file(BusCall *call, Error *ret_error) {
        _cleanup_close_ int near = -EBADF, far = -EBADF;
        Job *job;
        int r;

        r = make_pipe(&near, &far, true, ret_error);
        if (r >= 0)
                r = start(call, FILES_PULL, far, pull_begun, &job,
                          ret_error);
        if (r < 0)
                return r;
        (void) bus_call_add_fd(call, TAKE_FD(near));
        job_start(job);
        return BUS_CALL_DEFERRED;
}

int bus_pull_file_to(BusCall *call, Error *ret_error) {
        Job *job;
        int fd, r;

        r = get_fd(call, &fd, ret_error);
        if (r >= 0)
                r = start(call, FILES_PULL, fd, pull_begun, &job,
                          ret_error);
        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}

/* --- as a file system of the host --- */

static void mount_begun(Job *job, GVariant *found, Error *error, void *userdata) {
        BusCall *call = userdata;
        g_autofree char *path = bus_path_of(OBJECT_JOB, job->object.name);

        if (error)
                bus_call_fail(call, error);
        else
                bus_call_reply(call, g_variant_new("(o)", path));
}

int bus_mount_files(BusCall *call, Error *ret_error) {
        Job *job;
        int fd, r;

        r = get_fd(call, &fd, ret_error);
        if (r >= 0)
                r = start(call, FILES_MOUNT, fd, mount_begun, &job, ret_error);
        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}

/* --- with a pipe of our making, or a job alone --- */

static int run_with_pipe(BusCall *call, FilesVerb verb, bool reading,
                         Error *ret_error) {
        _cleanup_close_ int near = -EBADF, far = -EBADF;
        g_autofree char *path = NULL;
        Job *job;
        int r;

        r = make_pipe(&near, &far, reading, ret_error);
        if (r >= 0)
                r = start(call, verb, far, NULL, &job, ret_error);
        if (r < 0)
                return r;
        path = bus_path_of(OBJECT_JOB, job->object.name);
        job_start(job);
        call->reply = g_variant_new("(oh)", path, bus_call_add_fd(call, TAKE_FD(near)));
        return 0;
}

static int run_with_fd(BusCall *call, FilesVerb verb, Error *ret_error) {
        Job *job;
        int fd, r;

        r = get_fd(call, &fd, ret_error);
        if (r >= 0)
                r = start(call, verb, fd, NULL, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

int bus_pull_tree(BusCall *call, Error *ret_error) {
        return run_with_pipe(call, FILES_PULL_TREE, true, ret_error);
}

int bus_push_file(BusCall *call, Error *ret_error) {
        return run_with_fd(call, FILES_PUSH, ret_error);
}

int bus_push_file_pipe(BusCall *call, Error *ret_error) {
        return run_with_pipe(call, FILES_PUSH, false, ret_error);
}

int bus_push_tree(BusCall *call, Error *ret_error) {
        return run_with_fd(call, FILES_PUSH_TREE, ret_error);
}

int bus_push_tree_pipe(BusCall *call, Error *ret_error) {
        return run_with_pipe(call, FILES_PUSH_TREE, false, ret_error);
}

/* --- entries of directories --- */

static void stat_begun(Job *job, GVariant *found, Error *error, void *userdata) {
        BusCall *call = userdata;

        if (error)
                bus_call_fail(call, error);
        else
                bus_call_reply(call, g_variant_new("(@a{sv})", facts_of(found)));
}

int bus_stat_path(BusCall *call, Error *ret_error) {
        Job *job;
        int r = start(call, FILES_STAT, -EBADF, stat_begun, &job,
                      ret_error);

        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}

static void list_begun(Job *job, GVariant *found, Error *error, void *userdata) {
        BusCall *call = userdata;
        g_autoptr(GVariant) entries = NULL;
        g_auto(Error) e = ERROR_INIT;
        gboolean complete = FALSE;

        if (found)
                entries = g_variant_lookup_value(found, "entries", G_VARIANT_TYPE("a(ss)"));
        if (!error && (!entries || !g_variant_lookup(found, "complete", "b", &complete)))
                (void) error_set(&e, ERROR_FAILED, "The files worker's result is incomplete");
        if (error || e.message)
                bus_call_fail(call, error ?: &e);
        else
                bus_call_reply(call, g_variant_new("(@a(ss)b)", entries, complete));
}

int bus_list_directory(BusCall *call, Error *ret_error) {
        Job *job;
        int r = start(call, FILES_LIST, -EBADF, list_begun,
                      &job, ret_error);

        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}

static int run_alone(BusCall *call, FilesVerb verb, Error *ret_error) {
        Job *job;
        int r = start(call, verb, -EBADF, NULL, &job, ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

int bus_make_directory(BusCall *call, Error *ret_error) {
        return run_alone(call, FILES_MAKE_DIRECTORY,
                         ret_error);
}

int bus_delete_path(BusCall *call, Error *ret_error) {
        return run_alone(call, FILES_DELETE, ret_error);
}
