/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-files.h"

#include <errno.h>
#include <fcntl.h>

#include "service/operation/container-ids.h"
#include "service/operation/container-stateful.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

static const struct {
        const char *job, *operation;
        bool changes; /* files, or can */
} verbs[] = {
        [FILES_PULL] = { "container-pull-file", OPERATION_FILE_PULL },
        [FILES_PUSH] = { "container-push-file", OPERATION_FILE_PUSH, true },
        [FILES_STAT] = { "container-stat-path", OPERATION_FILE_STAT },
        [FILES_LIST] = { "container-list-directory", OPERATION_FILE_LIST },
        [FILES_MAKE_DIRECTORY] = { "container-make-directory", OPERATION_FILE_MAKE_DIRECTORY,
                                   true },
        [FILES_DELETE] = { "container-delete-path", OPERATION_FILE_DELETE, true },
        [FILES_PULL_TREE] = { "container-pull-tree", OPERATION_TREE_PULL },
        [FILES_PUSH_TREE] = { "container-push-tree", OPERATION_TREE_PUSH, true },
        [FILES_MOUNT] = { "container-mount-files", OPERATION_MOUNT, true },
};
G_STATIC_ASSERT(G_N_ELEMENTS(verbs) == _FILES_VERB_MAX);

typedef struct FilesJob {
        char *container;
        uint64_t generation;
        FilesVerb verb;
        GVariant *args;  /* a{sv}, but for where */
        int fds[2];      /* data, pidfd of init: those that there are */
        size_t n_fds;
        bool told;
        void (*begun)(Job *job, GVariant *found, Error *error, void *userdata);
        void *userdata;
} FilesJob;

/* The worker has its own copies; ours would keep pipes from ending. */
static void files_close(FilesJob *data) {
        for (size_t i = 0; i < data->n_fds; i++)
                data->fds[i] = fd_close(data->fds[i]);
}

static void files_job_free(void *p) {
        FilesJob *data = p;

        files_close(data);
        g_clear_pointer(&data->args, g_variant_unref);
        g_free(data->container);
        g_free(data);
}

static void files_begun(Job *job, GVariant *found, Error *error) {
        FilesJob *data = job->data;

        if (data->told)
                return;
        data->told = true;
        if (data->begun)
                data->begun(job, found, error, data->userdata);
}

static void on_event(Job *job, GVariant *content, int *fds, size_t n_fds) {
        files_begun(job, content, NULL);
}

static int files_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        files_begun(job, result, NULL);
        return 0;
}

/* The container that was meant, which may have gone since. */
static int files_find(Job *job, Container **ret, Error *ret_error) {
        FilesJob *data = job->data;
        Container *c = manager_find_container(job->manager, data->container);

        if (!c || c->object.generation != data->generation)
                return error_set(ret_error, ERROR_NO_SUCH_CONTAINER,
                                 "Container \"%s\" has gone", data->container);
        *ret = c;
        return 0;
}

/* Whether that is work on files that will be over soon. */
static bool is_turn(const Job *holder, const Job *job) {
        const FilesJob *data = holder->data;

        return holder != job && holder->steps == job->steps && data->verb != FILES_MOUNT;
}

/* The volume of a stopped container is for one at a time: others wait their turn. */
static int files_wait(Job *job, Error *ret_error) {
        StoragePool *pool;
        Container *c = NULL;
        Job *holder;
        int r;

        r = files_find(job, &c, ret_error);
        if (r < 0)
                return r;
        /* The root filesystem of one that runs is there. */
        if (container_is_up(c))
                return JOB_STEP_DONE;
        holder = manager_get_lock(job->manager, &c->object);
        if (holder && is_turn(holder, job))
                return job_wait_for(job, holder);
        r = job_lock(job, &c->object, ret_error);
        if (r < 0)
                return r;
        if (c->state != CONTAINER_STOPPED)
                return error_set(ret_error, ERROR_BUSY, "Container \"%s\" is %s", c->object.name,
                                 container_state_to_string(c->state));
        if (verbs[((FilesJob *) job->data)->verb].changes) {
                r = stateful_check_files(c, ret_error);
                if (r < 0)
                        return r;
        }
        return step_wait_for_pool(job, c->pool, &pool, ret_error);
}

static int files_add_fd(FilesJob *data, int fd, Error *ret_error) {
        int copy;

        if (fd < 0)
                return 0;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (copy < 0)
                return error_set_errno(ret_error, errno, "Cannot duplicate an fd");
        data->fds[data->n_fds++] = copy;
        return 0;
}

static int files_run(Job *job, Error *ret_error) {
        FilesJob *data = job->data;
        GVariantDict args;
        Container *c = NULL;
        int init_fd, r;

        r = files_find(job, &c, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&args, data->args);
        container_files_where(job->manager, c, &args, &init_fd);
        r = files_add_fd(data, init_fd, ret_error);
        if (r < 0) {
                g_variant_dict_clear(&args);
                return r;
        }
        r = job_run_worker(job, verbs[data->verb].operation, g_variant_dict_end(&args), data->fds,
                           data->n_fds, files_done, ret_error);
        if (r < 0)
                return r;
        job->on_worker_event = on_event;
        files_close(data);
        return r;
}

static int files_undo(Job *job, Error *ret_error) {
        files_begun(job, NULL, &job->error);
        files_close(job->data);
        return JOB_STEP_DONE;
}

static const JobStep files_steps[] = {
        { "Waiting", files_wait, files_undo },
        { "Working on files", files_run, files_undo },
        { NULL },
};

void container_files_where(Manager *m, const Container *c, GVariantDict *args, int *ret_fd) {
        g_autofree char *rootfs = container_get_rootfs(m, c);
        g_autoptr(IdMap) idmap = container_get_idmap(m, c);

        g_variant_dict_insert(args, "init-pid", "i", (gint32) c->facts.init_pid);
        g_variant_dict_insert_value(args, "idmap", idmap_to_variant(idmap));
        g_variant_dict_insert(args, "rootfs", "s", rootfs);
        g_variant_dict_insert(args, "idmapped", "b", !c->shifted);
        *ret_fd = c->init_fd;
}

int container_files(Manager *m, Caller caller, Container *c, const ContainerFiles *args, Job **ret,
                    Error *ret_error) {
        g_autoptr(GVariant) options = args->options ? g_variant_ref_sink(args->options) : NULL;
        FilesJob *data = g_new0(FilesJob, 1);
        g_autoptr(Job) job = NULL;
        GVariantDict dict;
        int r;

        g_variant_dict_init(&dict, options);
        g_variant_dict_insert(&dict, "path", "s", args->path);
        data->container = g_strdup(c->object.name);
        data->generation = c->object.generation;
        data->verb = args->verb;
        data->begun = args->begun;
        data->userdata = args->userdata;
        data->args = g_variant_ref_sink(g_variant_dict_end(&dict));
        r = files_add_fd(data, args->data_fd, ret_error);
        if (r < 0) {
                files_job_free(data);
                return r;
        }
        r = job_new(m, verbs[args->verb].job, caller.uid, files_steps, data, files_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        /* Of a mount nobody else would know what to do with it. */
        job->ends_with_starter = args->verb == FILES_MOUNT;
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}
