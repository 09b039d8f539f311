/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/snapshot.h"

#include <string.h>

#include "service/model/config.h"
#include "service/model/name.h"
#include "service/model/snapshot-calendar.h"
#include "service/model/snapshot-pattern.h"
#include "service/operation/container-copy.h"
#include "service/operation/container-stateful.h"
#include "service/operation/volume-size.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

/*
 * Where a new snapshot replaces one of the same name, it is made as a stand-in (see the model), and
 * the other stays as it is meanwhile. The record that says that the new one is whole says too that
 * the old one goes: from there on nothing is undone, and what is left is settled: the old one is
 * deleted, then the new one gets its name. So is what is half done after a crash.
 */

typedef struct SnapshotJob {
        ContainerJob container; /* its container, locked; what shared steps look at */
        Snapshot *snapshot;     /* NULL once it has been removed, and until it is in the model */
        Snapshot *made;         /* the one to be created until then, the job's own */
        bool committed;         /* create: nothing is undone any more */
        char *name;             /* rename: the new one */
} SnapshotJob;

static void snapshot_job_free(void *p) {
        SnapshotJob *data = p;

        (void) snapshot_free(data->made);
        g_free(data->name);
        container_job_free(p);
}

static int run_on(Job *job, const Container *c, const char *operation, const char *snapshot,
                  const char *name,
                  int (*done)(Job *, GVariant *, int *, size_t, Error *), Error *ret_error) {
        GVariantDict args;
        int r;

        r = step_begin_volume(job, c, &args, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_insert(&args, "snapshot", "s", snapshot);
        if (name)
                g_variant_dict_insert(&args, "name", "s", name);
        return job_run_worker(job, operation, g_variant_dict_end(&args), NULL, 0, done, ret_error);
}

static int run_worker(Job *job, const char *operation, const char *snapshot, const char *name,
                      Error *ret_error) {
        SnapshotJob *data = job->data;

        return run_on(job, data->container.container, operation, snapshot, name, NULL, ret_error);
}

static void tell(Manager *m, Container *c, const char *event, const char *snapshot) {
        GVariantDict details;

        g_variant_dict_init(&details, NULL);
        g_variant_dict_insert(&details, "snapshot", "s", snapshot);
        manager_lifecycle(m, c, event, g_variant_dict_end(&details));
}

/* --- settling: what is half made or half gone goes, what is to have a name gets it --- */

/* Out of the record first: what a crash leaves then has no name any more. */
static int forget(Manager *m, Snapshot *s, Error *ret_error) {
        Container *c = manager_get_container_of(m, s);
        guint index;
        bool found = g_ptr_array_find(c->snapshots, s, &index);
        int r;

        g_assert(found);
        g_ptr_array_remove_index(c->snapshots, index);
        r = manager_save(m, &c->object, ret_error);
        if (r < 0) {
                g_ptr_array_insert(c->snapshots, (int) index, s);
                return r;
        }
        manager_remove(m, &s->object);
        manager_changed(m, &c->object);
        return 0;
}

static int settle_gone(Manager *m, Container *c, Snapshot *s, Error *ret_error) {
        g_autofree char *name = g_strdup(snapshot_get_name(s));
        bool was_seen = !snapshot_is_stand_in(s);
        int r = forget(m, s, ret_error);

        if (r >= 0 && was_seen)
                tell(m, c, "snapshot-deleted", name);
        return r;
}

static int settle_named(Manager *m, Container *c, Snapshot *s, Error *ret_error) {
        g_autofree char *old = g_strdup(s->object.name), *rename_to = g_strdup(s->rename_to);
        g_autofree char *name = g_strconcat(c->object.name, "/", snapshot_get_name_to_be(s), NULL);
        SnapshotState state = s->state;
        int r;

        s->state = SNAPSHOT_READY;
        g_clear_pointer(&s->rename_to, g_free);
        manager_rename(m, &s->object, name);
        r = manager_save(m, &s->object, ret_error);
        if (r < 0) {
                manager_rename(m, &s->object, old);
                s->rename_to = TAKE_PTR(rename_to);
                s->state = state;
                return r;
        }
        manager_changed(m, &c->object);
        tell(m, c, rename_to ? "snapshot-renamed" : "snapshot-created", snapshot_get_name(s));
        return 0;
}

int snapshots_settle(Job *job, Container *c,
                     int (*done)(Job *, GVariant *, int *, size_t, Error *), Error *ret_error) {
        const Snapshot *s = snapshots_find_half(c->snapshots);

        if (!s)
                return JOB_STEP_DONE;
        job->cancelable = false;
        if (snapshot_is_to_go(s))
                return run_on(job, c, OPERATION_SNAPSHOT_DELETE, snapshot_get_name(s), NULL, done,
                              ret_error);
        return run_on(job, c, OPERATION_SNAPSHOT_RENAME, snapshot_get_name(s),
                      snapshot_get_name_to_be(s), done, ret_error);
}

int snapshots_settled(Job *job, Container *c, Error *ret_error) {
        Snapshot *s = snapshots_find_half(c->snapshots);
        int r = snapshot_is_to_go(s) ? settle_gone(job->manager, c, s, ret_error)
                                     : settle_named(job->manager, c, s, ret_error);

        if (r >= 0)
                job_repeat_step(job); /* for the next one */
        return r;
}

static int one_settled(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ContainerJob *data = job->data;

        return snapshots_settled(job, data->container, ret_error);
}

int snapshots_step_settle(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return snapshots_settle(job, data->container, one_settled, ret_error);
}

/* --- deleting --- */

static int delete_mark(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        Snapshot *s = TAKE_PTR(data->snapshot);

        job->cancelable = false;
        s->state = SNAPSHOT_DELETING;
        manager_changed(job->manager, &s->object);
        return manager_save(job->manager, &s->object, ret_error);
}

static int delete_wait(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        return step_wait_to_delete(job, data->container.container->pool, ret_error);
}

static const JobStep delete_steps[] = {
        { NULL, delete_wait, NULL },
        { NULL, delete_mark, NULL },
        { "Deleting the snapshot", snapshots_step_settle, NULL, .again = true },
        { NULL },
};

/* --- creating --- */

/* Where a copy takes its time, nothing may change meanwhile; nor between processes and files. */
static bool must_freeze(Manager *m, const Container *c, const Snapshot *s) {
        const StoragePool *pool = manager_find_pool(m, c->pool);

        return container_is_up(c) && !c->facts.frozen && pool &&
               (s->stateful || !storage_pool_takes_pictures(pool));
}

static int create_record(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        Container *c = data->container.container;
        Snapshot *s = data->made;
        int r;

        s->froze = must_freeze(job->manager, c, s);
        g_ptr_array_add(c->snapshots, s);
        r = manager_save(job->manager, &c->object, ret_error);
        if (r < 0) {
                g_ptr_array_remove(c->snapshots, s);
                return r;
        }
        data->snapshot = TAKE_PTR(data->made);
        manager_add(job->manager, &s->object);
        manager_changed(job->manager, &c->object);
        return JOB_STEP_DONE;
}

static int create_record_undo(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        Snapshot *s = data->committed ? NULL : TAKE_PTR(data->snapshot);

        return s ? forget(job->manager, s, ret_error) : JOB_STEP_DONE;
}

static int create_freeze(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        return data->snapshot->froze ? step_freeze(job, ret_error) : JOB_STEP_DONE;
}

static int create_thaw(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        Container *c = data->container.container;

        /* It may have ended meanwhile. */
        if (!data->snapshot->froze || !container_is_up(c))
                return JOB_STEP_DONE;
        return step_unfreeze(job, ret_error);
}

static int create_room(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        const Snapshot *s = data->snapshot;

        return s->stateful ? stateful_make_room(job, snapshot_get_name(s), ret_error)
                           : JOB_STEP_DONE;
}

static int create_room_undo(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        const Snapshot *s = data->snapshot;

        return s->stateful && !data->committed
                       ? stateful_remove(job, snapshot_get_name(s), ret_error)
                       : JOB_STEP_DONE;
}

static int create_dump(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        const Snapshot *s = data->snapshot;

        if (!s->stateful)
                return JOB_STEP_DONE;
        if (!container_is_up(data->container.container))
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" has ended meanwhile",
                                 data->container.container->object.name);
        return stateful_dump(job, snapshot_get_name(s), ret_error);
}

static int create_volume(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        return run_worker(job, OPERATION_SNAPSHOT_CREATE, snapshot_get_name(data->snapshot), NULL,
                          ret_error);
}

static int create_volume_undo(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        return data->committed ? JOB_STEP_DONE
                               : run_worker(job, OPERATION_SNAPSHOT_DELETE,
                                            snapshot_get_name(data->snapshot), NULL, ret_error);
}

static int create_commit(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        Container *c = data->container.container;
        Snapshot *s = data->snapshot;
        Snapshot *old = snapshots_find_replaced(c->snapshots, s);
        bool froze = s->froze;
        int r;

        snapshot_set_made(s);
        s->froze = false;
        if (old)
                old->state = SNAPSHOT_DELETING;
        r = manager_save(job->manager, &s->object, ret_error);
        if (r < 0) {
                s->state = SNAPSHOT_CREATING;
                s->froze = froze;
                if (old)
                        old->state = SNAPSHOT_READY;
                return r;
        }
        data->committed = true;
        manager_changed(job->manager, &s->object);
        if (old)
                manager_changed(job->manager, &old->object);
        if (s->state == SNAPSHOT_READY)
                tell(job->manager, c, "snapshot-created", snapshot_get_name(s));
        return JOB_STEP_DONE;
}

static const JobStep create_steps[] = {
        { "Settling what was interrupted", snapshots_step_settle, NULL, .again = true },
        { NULL, create_record, create_record_undo },
        { "Freezing the container", create_freeze, create_thaw },
        { "Making room for its state", create_room, create_room_undo },
        { "Saving its state", create_dump, NULL },
        { "Taking the snapshot", create_volume, create_volume_undo },
        { "Thawing the container", create_thaw, NULL },
        { NULL, create_commit, NULL },
        { "Deleting the old snapshot", snapshots_step_settle, NULL, .again = true },
        { NULL },
};

/* --- renaming --- */

static int rename_mark(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        g_free(data->snapshot->rename_to);
        data->snapshot->rename_to = g_strdup(data->name);
        return manager_save(job->manager, &data->snapshot->object, ret_error);
}

static int rename_mark_undo(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        g_clear_pointer(&data->snapshot->rename_to, g_free);
        return manager_save(job->manager, &data->snapshot->object, ret_error);
}

static int rename_volume(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        return run_worker(job, OPERATION_SNAPSHOT_RENAME, snapshot_get_name(data->snapshot),
                          data->name, ret_error);
}

static int rename_volume_undo(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        return run_worker(job, OPERATION_SNAPSHOT_RENAME, data->name,
                          snapshot_get_name(data->snapshot), ret_error);
}

static int rename_commit(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        Container *c = data->container.container;
        Snapshot *s = data->snapshot;
        g_autofree char *old = g_strdup(s->object.name);
        g_autofree char *name = g_strconcat(c->object.name, "/", data->name, NULL);
        int r;

        g_clear_pointer(&s->rename_to, g_free);
        manager_rename(job->manager, &s->object, name);
        r = manager_save(job->manager, &s->object, ret_error);
        if (r < 0) {
                manager_rename(job->manager, &s->object, old);
                s->rename_to = g_strdup(data->name);
                return r;
        }
        job_clear_subjects(job);
        job_add_subject(job, OBJECT_SNAPSHOT, name);
        manager_changed(job->manager, &c->object);
        tell(job->manager, c, "snapshot-renamed", data->name);
        return JOB_STEP_DONE;
}

static const JobStep rename_steps[] = {
        { NULL, rename_mark, rename_mark_undo },
        { "Renaming the snapshot", rename_volume, rename_volume_undo },
        { NULL, rename_commit, NULL },
        { NULL },
};

/* --- the calls --- */

static int new_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                   Container *c, Snapshot *s, Job **ret, Error *ret_error) {
        SnapshotJob *data = g_new0(SnapshotJob, 1);
        g_autoptr(Job) job = NULL;
        int r;

        data->container.container = c;
        data->snapshot = s;
        r = job_new(m, operation, caller.uid, steps, data, snapshot_job_free, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &c->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        if (s)
                job_add_subject(job, OBJECT_SNAPSHOT, s->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

int snapshot_get(Manager *m, const Container *c, const char *name, Snapshot **ret,
                 Error *ret_error) {
        g_autofree char *shown = NULL;
        Snapshot *s = snapshots_find(c->snapshots, name);

        if (!s || snapshot_is_stand_in(s)) {
                shown = g_strescape(name, NULL);
                return error_set(ret_error, ERROR_NO_SUCH_SNAPSHOT,
                                 "Container \"%s\" has no snapshot \"%.80s\"", c->object.name,
                                 shown);
        }
        *ret = s;
        return 0;
}

static int check_free(const Container *c, const char *name, Error *ret_error) {
        if (!snapshots_claim(c->snapshots, name))
                return 0;
        return error_set(ret_error, ERROR_EXISTS, "Container \"%s\" has a snapshot \"%s\" already",
                         c->object.name, name);
}

static int choose_name(const Container *c, GVariant *config, const SnapshotCreate *args,
                       uint64_t now, char **ret, Error *ret_error) {
        const char *pattern = config_get(config, "snapshots.pattern");
        int r;

        if (!*args->name)
                return snapshot_pattern_apply(pattern && *pattern ? pattern
                                                                  : SNAPSHOT_PATTERN_DEFAULT,
                                              c->snapshots, now, ret, ret_error);
        r = name_check(NAME_SNAPSHOT, args->name, ret_error);
        if (r >= 0 && !args->reuse)
                r = check_free(c, args->name, ret_error);
        if (r < 0)
                return r;
        *ret = g_strdup(args->name);
        return 0;
}

/* What the container is now. */
static int snapshot_prepare(Manager *m, Container *c, const SnapshotCreate *args, Snapshot **ret,
                            Error *ret_error) {
        uint64_t now = (uint64_t) g_get_real_time(), expires = 0;
        g_autoptr(GVariant) config = NULL, devices = NULL;
        g_autoptr(Snapshot) s = NULL;
        g_autofree char *wanted = NULL, *name = NULL;
        int r;

        container_expand(m, c, &config, &devices);
        r = choose_name(c, config, args, now, &wanted, ret_error);
        if (r >= 0 && args->expires)
                expires = *args->expires;
        else if (r >= 0)
                r = snapshot_expiry_apply(config_get(config, "snapshots.expiry") ?: "", now,
                                          &expires, ret_error);
        if (r < 0)
                return r;

        name = snapshots_name_new(c->snapshots, wanted);
        s = snapshot_new(c->object.name, name, c->object.owner);
        s->created = now;
        s->expires = expires;
        s->ephemeral = c->ephemeral;
        s->stateful = args->stateful;
        g_free(s->description);
        s->description = g_strdup(args->description ?: "");
        g_strfreev(s->profiles);
        s->profiles = g_strdupv(c->profiles);
        g_variant_unref(s->config);
        s->config = g_variant_ref(c->config);
        g_variant_unref(s->devices);
        s->devices = g_variant_ref(c->devices);
        *ret = TAKE_PTR(s);
        return 0;
}

static int check_whole(const Container *c, Error *ret_error) {
        if (!c->incomplete && c->state != CONTAINER_DELETING)
                return 0;
        return error_set(ret_error, ERROR_BUSY, "Container \"%s\" is %s", c->object.name,
                         container_state_to_string(c->state));
}

static int check_stateful(Manager *m, Caller caller, const Container *c, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        int r;

        if (!container_is_up(c))
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" is not running (%s), so there are no processes "
                                 "whose state could be saved", c->object.name,
                                 container_state_to_string(c->state));
        r = stateful_check_allowed(m, c, ret_error);
        if (r < 0)
                return r;
        stateful_privilege(&needed);
        return caller_check(caller, &needed, c->object.name, ret_error);
}

int snapshot_create(Manager *m, Caller caller, Container *c, const SnapshotCreate *args, Job **ret,
                    Error *ret_error) {
        g_autoptr(Snapshot) s = NULL;
        g_autofree char *name = NULL;
        int r;

        r = check_whole(c, ret_error);
        if (r >= 0 && args->stateful)
                r = check_stateful(m, caller, c, ret_error);
        if (r >= 0)
                r = snapshot_prepare(m, c, args, &s, ret_error);
        if (r < 0)
                return r;
        if (c->snapshots->len >= SNAPSHOTS_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "Container \"%s\" has %u snapshots already", c->object.name,
                                 c->snapshots->len);
        r = new_job(m, "snapshot-create", caller, create_steps, c, NULL, ret, ret_error);
        if (r < 0)
                return r;
        name = g_strconcat(c->object.name, "/", snapshot_get_name_to_be(s), NULL);
        job_add_subject(*ret, OBJECT_SNAPSHOT, name);
        ((SnapshotJob *) (*ret)->data)->made = TAKE_PTR(s);
        return 0;
}

int snapshot_delete(Manager *m, Caller caller, Snapshot *s, Job **ret, Error *ret_error) {
        return new_job(m, "snapshot-delete", caller, delete_steps, manager_get_container_of(m, s),
                       s, ret, ret_error);
}

int snapshot_rename(Manager *m, Caller caller, Snapshot *s, const char *name, Job **ret,
                    Error *ret_error) {
        Container *c = manager_get_container_of(m, s);
        int r;

        r = name_check(NAME_SNAPSHOT, name, ret_error);
        /* One that was begun is finished. */
        if (r >= 0 && g_strcmp0(s->rename_to, name) != 0)
                r = check_free(c, name, ret_error);
        if (r >= 0)
                r = new_job(m, "snapshot-rename", caller, rename_steps, c, s, ret, ret_error);
        if (r < 0)
                return r;
        ((SnapshotJob *) (*ret)->data)->name = g_strdup(name);
        return 0;
}

int snapshot_update(Manager *m, Snapshot *s, const char *description, const uint64_t *expires,
                    Error *ret_error) {
        Container *c = manager_get_container_of(m, s);
        Job *holder = manager_get_lock(m, &c->object);
        g_autofree char *old_description = NULL;
        uint64_t old_expires = s->expires;
        int r;

        if (holder)
                return error_set(ret_error, ERROR_BUSY,
                                 "Job %s (%s) works on the container \"%s\"", holder->object.name,
                                 holder->operation, c->object.name);
        old_description = s->description;
        s->description = g_strdup(description ?: old_description);
        if (expires)
                s->expires = *expires;
        s->object.revision++;
        r = manager_save(m, &s->object, ret_error);
        if (r < 0) {
                g_free(s->description);
                s->description = TAKE_PTR(old_description);
                s->expires = old_expires;
                s->object.revision--;
                return r;
        }
        manager_changed(m, &s->object);
        return 0;
}

/* --- recovery --- */

bool snapshots_are_half(const Container *c) {
        return c->held || c->move_pool || c->refreshing || c->restore_from || c->resizing ||
               snapshots_find_half(c->snapshots);
}

/* A copy was made of one that ran. */
static int recover_thaw(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        return container_is_up(data->container.container) ? step_unfreeze(job, ret_error)
                                                          : JOB_STEP_DONE;
}

/* So it was while a snapshot was made. */
static int recover_froze(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;
        const GPtrArray *snapshots = data->container.container->snapshots;

        for (guint i = 0; i < snapshots->len; i++)
                if (((const Snapshot *) snapshots->pdata[i])->froze)
                        return recover_thaw(job, ret_error);
        return JOB_STEP_DONE;
}

static int recover_released(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        data->container.container->held = false;
        return manager_save(job->manager, &data->container.container->object, ret_error);
}

int snapshots_step_recover(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        g_auto(Error) error = ERROR_INIT;
        Job *next = NULL;

        if (!snapshots_are_half(c))
                return JOB_STEP_DONE;
        job_unlock(job, &c->object);
        if (snapshots_recover(job->manager, c, &next, &error) >= 0)
                job_start(next);
        else
                log_error("Container \"%s\" cannot be recovered: %s", c->object.name,
                          error.message);
        return JOB_STEP_DONE;
}

/* It may have been held to be stopped with its state, which nobody asks for now. */
static int recover_state(Job *job, Error *ret_error) {
        SnapshotJob *data = job->data;

        return data->container.container->stateful ? JOB_STEP_DONE
                                                   : stateful_remove(job, NULL, ret_error);
}

static const JobStep release_steps[] = {
        { "Thawing the container", recover_thaw, NULL },
        { "Deleting its state", recover_state, NULL, .again = true },
        { NULL, recover_released, NULL },
        { NULL, snapshots_step_recover, NULL },
        { NULL },
};

static const JobStep settle_steps[] = {
        { NULL, recover_froze, NULL },
        { "Settling what was interrupted", snapshots_step_settle, NULL, .again = true },
        { NULL },
};

int snapshots_recover(Manager *m, Container *c, Job **ret, Error *ret_error) {
        if (c->held)
                return new_job(m, "container-recover", CALLER_SERVICE, release_steps, c, NULL, ret,
                               ret_error);
        if (c->move_pool)
                return container_move_recover(m, c, ret, ret_error);
        if (c->refreshing)
                return container_refresh_recover(m, c, ret, ret_error);
        if (c->restore_from)
                return snapshot_restore(m, CALLER_SERVICE, c, c->restore_from, c->restore_stateful,
                                        ret, ret_error);
        if (c->resizing)
                return container_resize_recover(m, c, ret, ret_error);
        return new_job(m, "snapshot-recover", CALLER_SERVICE, settle_steps, c, NULL, ret,
                       ret_error);
}
