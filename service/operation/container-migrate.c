/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-migrate.h"

#include <fcntl.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/archive.h"
#include "service/operation/container-ids.h"
#include "service/operation/container-stateful.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/operations.h"

typedef struct MigrateJob {
        ContainerJob container;
        int fd;          /* -EBADF once it has been handed on */
        GVariant *index; /* receive: as the worker gave it; NULL: not yet */
        char *from;      /* what the container was called where the state was saved */
        IdRange range;   /* that it had there */
} MigrateJob;

static void migrate_job_free(void *p) {
        MigrateJob *data = p;

        fd_close(data->fd);
        g_clear_pointer(&data->index, g_variant_unref);
        g_free(data->from);
        container_job_free(p);
}

static int new_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                   Container *c, int fd, Job **ret, Error *ret_error) {
        MigrateJob *data = g_new0(MigrateJob, 1);
        g_autoptr(Job) job = NULL;
        int r;

        data->container.container = c;
        data->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        r = job_new(m, operation, caller.uid, steps, data, migrate_job_free, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &c->object, ret_error);
        if (r < 0)
                return r;
        if (data->fd < 0)
                return error_set_errno(ret_error, EMFILE, "Cannot duplicate the stream's fd");
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

/* Whether states go from and to this host at all: criu.enabled, and the key. */
static int check_allowed(Manager *m, const Container *c, Error *ret_error) {
        _cleanup_close_ int dir_fd = -EBADF, fd = -EBADF;
        int r = stateful_check_allowed(m, c, ret_error);

        if (r < 0)
                return r;
        dir_fd = path_open_dir(m->state_dir);
        fd = dir_fd < 0 ? dir_fd : path_open_beneath(dir_fd, MIGRATION_KEY_FILE, O_PATH, 0);
        if (fd >= 0)
                return 0;
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "The state of containers goes neither from nor to this host: there is no "
                         "key %s/" MIGRATION_KEY_FILE " that it shares with another; see "
                         "berthd(8)", m->state_dir);
}

/* What runs keeps the addresses that its interfaces have, and another host gives it others. */
static int check_no_nic(Manager *m, const Container *c, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        container_expand(m, c, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_get_nictype(owned))
                        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                         "The state of container \"%s\" cannot go to another host: "
                                         "the addresses of its interface \"%s\" are this host's; "
                                         "take it away first", c->object.name, name);
        }
        return 0;
}

static int check(Manager *m, Caller caller, const Container *c, int fd, int mode, const char *what,
                 Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        int r = archive_check_stream(fd, mode, what, ret_error);

        if (r >= 0)
                r = check_allowed(m, c, ret_error);
        if (r >= 0)
                r = check_no_nic(m, c, ret_error);
        if (r >= 0)
                r = stateful_check_no_snapshots(c, "moved to another host", ret_error);
        if (r < 0)
                return r;
        stateful_privilege(&needed);
        r = caller_check(caller, &needed, c->object.name, ret_error);
        if (r < 0)
                return r;
        if (c->state != CONTAINER_STOPPED || c->incomplete)
                return error_set(ret_error, ERROR_BUSY, "Container \"%s\" is %s", c->object.name,
                                 container_state_to_string(c->state));
        return 0;
}

/* Puts a seal of the one key beside that of the other, once that is right. */
static int run_sign(Job *job, bool incoming, const char *from, const IdMap *map,
                    Error *ret_error) {
        MigrateJob *data = job->data;
        const Container *c = data->container.container;
        Manager *m = job->manager;
        g_autofree char *key = g_build_filename(m->state_dir, MIGRATION_KEY_FILE, NULL);
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        stateful_put_state(&args, m, c);
        g_variant_dict_insert(&args, "migration-key", "s", key);
        g_variant_dict_insert(&args, "incoming", "b", incoming);
        g_variant_dict_insert(&args, "name", "s", c->object.name);
        g_variant_dict_insert(&args, "from", "s", from);
        g_variant_dict_insert_value(&args, "idmap", idmap_to_variant(map));
        return job_run_worker(job, OPERATION_SIGN, g_variant_dict_end(&args), NULL, 0, NULL,
                              ret_error);
}

/* --- out --- */

static int step_wait(Job *job, Error *ret_error) {
        const MigrateJob *data = job->data;
        StoragePool *pool;

        return step_wait_for_pool(job, data->container.container->pool, &pool, ret_error);
}

static int send_sign(Job *job, Error *ret_error) {
        const MigrateJob *data = job->data;
        const Container *c = data->container.container;
        g_autoptr(IdMap) map = container_get_idmap(job->manager, c);

        return run_sign(job, false, c->object.name, map, ret_error);
}

/* What the other host has to know of it. */
static GVariant *describe(Manager *m, const Container *c) {
        GVariantBuilder config;
        GVariantDict dict;
        g_autofree char *base = g_strdup_printf("%" G_GUINT32_FORMAT, c->ids.base);
        g_autofree char *size = g_strdup_printf("%" G_GUINT32_FORMAT, c->ids.size);

        g_variant_builder_init(&config, CONFIG_TYPE);
        g_variant_builder_add(&config, "{ss}", "idmap.base", base);
        g_variant_builder_add(&config, "{ss}", "idmap.size", size);
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "name", "s", c->object.name);
        g_variant_dict_insert_value(&dict, "config", g_variant_builder_end(&config));
        g_variant_dict_insert(&dict, "created", "t", (guint64) g_get_real_time());
        g_variant_dict_insert(&dict, "pool", "s", c->pool);
        g_variant_dict_insert(&dict, "backend", "s", manager_find_pool(m, c->pool)->driver);
        return g_variant_dict_end(&dict);
}

static int send_run(Job *job, Error *ret_error) {
        MigrateJob *data = job->data;
        const Container *c = data->container.container;
        _cleanup_close_ int fd = TAKE_FD(data->fd);
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, manager_find_pool(job->manager, c->pool));
        g_variant_dict_insert(&args, "container", "s", c->object.name);
        g_variant_dict_insert(&args, "running", "b", FALSE);
        g_variant_dict_insert(&args, "compression", "s", "none");
        g_variant_dict_insert_value(&args, "index", describe(job->manager, c));
        g_variant_dict_insert_value(&args, "snapshots", g_variant_new_array(
                                                                G_VARIANT_TYPE_VARDICT, NULL, 0));
        return job_run_worker(job, OPERATION_STATE_EXPORT, g_variant_dict_end(&args), &fd, 1, NULL,
                              ret_error);
}

static const JobStep send_steps[] = {
        { "Waiting for storage", step_wait, NULL },
        { "Sealing the state", send_sign, NULL },
        { "Writing the state", send_run, NULL },
        { NULL },
};

int container_send_state(Manager *m, Caller caller, Container *c, int fd, Job **ret,
                         Error *ret_error) {
        int r = check(m, caller, c, fd, O_WRONLY, "writing", ret_error);

        if (r < 0)
                return r;
        if (!c->stateful)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Container \"%s\" has no saved state; stop it with its state",
                                 c->object.name);
        return new_job(m, "container-send-state", caller, send_steps, c, fd, ret, ret_error);
}

/* --- in --- */

static int read_index(MigrateJob *data, Error *ret_error) {
        g_autoptr(GVariant) dict = NULL, config = NULL;
        guint64 base = 0, size = 0;
        const char *name;

        dict = g_variant_lookup_value(data->index, "container", G_VARIANT_TYPE_VARDICT);
        if (!dict || !g_variant_lookup(dict, "name", "&s", &name) ||
            !g_variant_lookup(dict, "config", "@a{ss}", &config) ||
            !g_ascii_string_to_unsigned(config_get(config, "idmap.base") ?: "", 10, 0,
                                        G_MAXUINT32, &base, NULL) ||
            !g_ascii_string_to_unsigned(config_get(config, "idmap.size") ?: "", 10, 0,
                                        G_MAXUINT32, &size, NULL))
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The index of the state lacks something");
        data->from = g_strdup(name);
        data->range = (IdRange) { (uint32_t) base, (uint32_t) size };
        return 0;
}

static int accept_state(Job *job, Error *ret_error) {
        MigrateJob *data = job->data;
        const Container *c = data->container.container;
        g_autoptr(IdMap) map = NULL;
        GVariantDict args;
        int r = read_index(data, ret_error);

        if (r >= 0)
                r = container_check_range(job->manager, c, data->range, &map, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, manager_find_pool(job->manager, c->pool));
        g_variant_dict_insert(&args, "container", "s", c->object.name);
        g_variant_dict_insert(&args, "id-count", "t", (guint64) ID_RANGE_SIZE);
        g_variant_dict_insert_value(&args, "snapshots", g_variant_new_strv(NULL, 0));
        r = worker_process_send(job->worker, "accept", g_variant_dict_end(&args));
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot go on with the state") : 0;
}

static void on_event(Job *job, GVariant *content, int *fds, size_t n_fds) {
        MigrateJob *data = job->data;

        archive_take_index(job, fds, n_fds, &data->index, accept_state,
                           "The index of the state cannot be used");
}

/* Also what an earlier one has left there, of which no record knows. */
static int receive_clear(Job *job, Error *ret_error) {
        return stateful_remove(job, NULL, ret_error);
}

static int receive_run(Job *job, Error *ret_error) {
        MigrateJob *data = job->data;
        _cleanup_close_ int fd = TAKE_FD(data->fd);
        GVariantDict args;
        int r;

        g_variant_dict_init(&args, NULL);
        r = job_run_worker(job, OPERATION_STATE_IMPORT, g_variant_dict_end(&args), &fd, 1, NULL,
                           ret_error);
        job->on_worker_event = on_event;
        return r;
}

static int receive_sign(Job *job, Error *ret_error) {
        const MigrateJob *data = job->data;
        g_autoptr(IdMap) map = NULL;
        int r;

        job->cancelable = false;
        r = stateful_make_key(job->manager, ret_error);
        if (r >= 0)
                r = container_check_range(job->manager, data->container.container, data->range,
                                          &map, ret_error);
        return r < 0 ? r : run_sign(job, true, data->from, map, ret_error);
}

static int receive_commit(Job *job, Error *ret_error) {
        MigrateJob *data = job->data;
        Container *c = data->container.container;
        IdRange before = c->ids;
        int r;

        c->ids = data->range;
        c->stateful = true;
        r = manager_save(job->manager, &c->object, ret_error);
        if (r < 0) {
                c->ids = before;
                c->stateful = false;
                return r;
        }
        manager_changed(job->manager, &c->object);
        return JOB_STEP_DONE;
}

static const JobStep receive_steps[] = {
        { "Making room for the state", receive_clear, NULL },
        { "Reading the state", receive_run, receive_clear },
        { "Checking the seal of the state", receive_sign, NULL },
        { NULL, receive_commit, NULL },
        { NULL },
};

int container_receive_state(Manager *m, Caller caller, Container *c, int fd, Job **ret,
                            Error *ret_error) {
        int r = check(m, caller, c, fd, O_RDONLY, "reading", ret_error);

        if (r >= 0)
                r = stateful_check_none(c, "given another", ret_error);
        return r < 0 ? r
                     : new_job(m, "container-receive-state", caller, receive_steps, c, fd, ret,
                               ret_error);
}
