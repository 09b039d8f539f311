/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/recovery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "service/operation/boot.h"
#include "service/operation/container-interruption.h"
#include "service/operation/container-run.h"
#include "service/operation/container-stateful.h"
#include "service/operation/image.h"
#include "service/operation/network.h"
#include "service/operation/pool.h"
#include "service/operation/snapshot.h"
#include "service/operation/step.h"
#include "service/operation/update-plan.h"
#include "service/operation/volume.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"

static void start_or_log(Object *o, int r, Job *job, Error *error) {
        if (r < 0)
                log_error("The %s \"%s\" cannot be recovered: %s", object_kind_to_noun(o->kind),
                          o->name, error->message);
        else
                job_start(job);
}

/* --- containers --- */

static void load_facts(const char *name, GVariant *record, void *userdata) {
        Manager *m = userdata;
        Container *c = manager_find_container(m, name);

        if (!c || container_facts_from_record(record, &c->facts) < 0) {
                log_warning("What is said of a run of container \"%s\" makes no sense.", name);
                (void) record_dir_remove(m->facts, name, NULL);
        }
}

/* A run that ended, or never came to be, while we were away: whatever is left of it goes, and an
 * interrupted creation or deletion is brought to its end. */
static int clean_run(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return step_run_clean(job, data->container, ret_error);
}

static int clean_done(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        if (!c->incomplete && c->state != CONTAINER_DELETING) {
                boot_remember(job->manager, c, false);
                c->state = CONTAINER_STOPPED;
        }
        container_run_discard(job->manager, c);
        manager_changed(job->manager, &c->object);
        return JOB_STEP_DONE;
}

/* The end of one job is the beginning of the other: both want the container. */
static int clean_snapshots(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        g_auto(Error) error = ERROR_INIT;
        Job *next = NULL;
        int r;

        if (!snapshots_are_half(c))
                return container_resume(job->manager, c, job, ret_error);
        job_unlock(job, &c->object);
        r = snapshots_recover(job->manager, c, &next, &error);
        if (r >= 0)
                next->cancelable = false;
        start_or_log(&c->object, r, next, &error);
        return JOB_STEP_DONE;
}

/* Nobody was told that it exists, or everybody that it does not. */
static bool is_half(const Container *c) {
        return c->incomplete || c->state == CONTAINER_DELETING;
}

static const JobStep clean_steps[] = {
        { "Cleaning up", clean_run, NULL },
        { NULL, clean_done, NULL },
        { NULL, clean_snapshots, NULL },
        { NULL },
};

static const JobStep clean_and_delete_steps[] = {
        { "Cleaning up", clean_run, NULL },
        { NULL, clean_done, NULL },
        { NULL, step_delete_mark, NULL },
        { "Deleting the container", step_delete_volume, NULL, .again = true },
        { NULL, step_delete_forget, NULL },
        { NULL },
};

/* The record under the new name was written, and the old one is all that is left. */
static bool recover_renamed(Manager *m, Container *c) {
        if (!c->rename_to || !manager_find_container(m, c->rename_to))
                return false;
        (void) manager_forget(m, OBJECT_CONTAINER, c->object.name, NULL);
        manager_remove(m, &c->object);
        return true;
}

static void recover_container(Manager *m, Container *c) {
        g_auto(Error) error = ERROR_INIT;
        bool half = is_half(c), gone;
        Job *job = NULL;
        int r = 0;

        if (recover_renamed(m, c))
                return;
        gone = half || container_run_adopt(m, c) < 0;
        if (!half && stateful_start_was_cut(m, c))
                r = stateful_recover_start(m, c, &job, &error);
        else if (gone) {
                r = job_new(m, "container-recover", 0,
                            half || c->ephemeral ? clean_and_delete_steps : clean_steps,
                            container_job_new(c), container_job_free, &job, &error);
                if (r >= 0)
                        r = job_lock(job, &c->object, &error);
        } else if (update_plan_was_interrupted(c))
                r = update_plan_recover(m, c, &job, &error);
        else if (c->rename_to)
                r = container_rename(m, CALLER_SERVICE, c, c->rename_to, &job, &error);
        else if (snapshots_are_half(c))
                r = snapshots_recover(m, c, &job, &error);
        else if (boot_left_behind(c))
                r = container_delete(m, CALLER_SERVICE, c, false, &job, &error);
        else {
                if (container_resume(m, c, NULL, &error) < 0)
                        start_or_log(&c->object, -1, NULL, &error);
                return;
        }
        if (r >= 0)
                job->cancelable = false;
        start_or_log(&c->object, r, job, &error);
}

/* A directory of a run that no facts name: the start got no further. */
static void sweep_runs(Manager *m) {
        g_autofree char *path = g_build_filename(m->run_dir, "lxc", NULL);
        _cleanup_close_ int fd = path_open_dir(path);
        struct dirent *entry;
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                return;
        (void) TAKE_FD(fd);
        while ((entry = readdir(d))) {
                g_autofree char *lxc_path = g_build_filename(path, entry->d_name, NULL);
                GHashTableIter iter;
                Container *c;
                bool owned = false;

                if (!path_is_component(entry->d_name))
                        continue;
                g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
                while (!owned && g_hash_table_iter_next(&iter, NULL, (void **) &c))
                        owned = g_strcmp0(c->facts.lxc_path, lxc_path) == 0;
                if (!owned)
                        (void) path_remove_tree(dirfd(d), entry->d_name);
        }
        (void) closedir(d);
}

/* --- the others --- */

static void recover_pool(Manager *m, StoragePool *pool) {
        g_auto(Error) error = ERROR_INIT;
        Job *job = NULL;
        int r;

        if (pool->state == POOL_CREATING || pool->state == POOL_DELETING)
                r = pool_delete(m, CALLER_SERVICE, pool, &job, &error);
        else
                r = pool_mount(m, pool, &job, &error);
        start_or_log(&pool->object, r, job, &error);
}

/* The record under the new name was written, and the old one is all that is left; or it was not,
 * and nothing has come of it. The bridge of the old name goes either way. */
static int recover_renamed_network(Manager *m, Network *network, Job **ret, Error *ret_error) {
        bool is_done = manager_find_network(m, network->rename_to);

        g_clear_pointer(&network->rename_to, g_free);
        if (is_done) {
                network->state = NETWORK_DELETING;
                return network_delete(m, CALLER_SERVICE, network, ret, ret_error);
        }
        (void) manager_save(m, &network->object, NULL);
        return network_bring_up(m, network, ret, ret_error);
}

static void recover_network(Manager *m, Network *network) {
        g_auto(Error) error = ERROR_INIT;
        Job *job = NULL;
        int r;

        if (network->rename_to) {
                r = recover_renamed_network(m, network, &job, &error);
                start_or_log(&network->object, r, job, &error);
                return;
        }
        if (network->state == NETWORK_CREATING || network->state == NETWORK_DELETING)
                r = network_delete(m, CALLER_SERVICE, network, &job, &error);
        else
                r = network_bring_up(m, network, &job, &error);
        start_or_log(&network->object, r, job, &error);
}

static void recover_image(Manager *m, Image *image) {
        g_auto(Error) error = ERROR_INIT;
        Job *job = NULL;
        int r;

        if (image->state != IMAGE_DELETING)
                return;
        r = image_delete(m, CALLER_SERVICE, image, &job, &error);
        start_or_log(&image->object, r, job, &error);
}

/* The record under the new name was written, and the old one is all that is left. */
static bool recover_renamed_volume(Manager *m, StorageVolume *v) {
        g_autofree char *pool = storage_volume_get_pool(v);
        g_autofree char *name = g_strconcat(pool, "/", v->rename_to, NULL);

        if (!v->rename_to || !manager_find(m, OBJECT_VOLUME, name))
                return false;
        (void) manager_forget(m, OBJECT_VOLUME, v->object.name, NULL);
        manager_remove(m, &v->object);
        return true;
}

static void recover_volume(Manager *m, StorageVolume *v) {
        g_auto(Error) error = ERROR_INIT;
        Job *job = NULL;
        int r;

        if (!volume_is_half(v) || recover_renamed_volume(m, v))
                return;
        r = volume_recover(m, v, &job, &error);
        start_or_log(&v->object, r, job, &error);
}

static void recover_one(Manager *m, Object *o) {
        switch (o->kind) {
        case OBJECT_CONTAINER:
                recover_container(m, (Container *) o);
                break;
        case OBJECT_IMAGE:
                recover_image(m, (Image *) o);
                break;
        case OBJECT_NETWORK:
                recover_network(m, (Network *) o);
                break;
        case OBJECT_POOL:
                recover_pool(m, (StoragePool *) o);
                break;
        case OBJECT_VOLUME:
                recover_volume(m, (StorageVolume *) o);
                break;
        case OBJECT_PROFILE:
        case OBJECT_SNAPSHOT: /* its container's recovery sees to it */
        case OBJECT_JOB:
                break;
        case _OBJECT_KIND_MAX:
                g_assert_not_reached();
        }
}

int recovery_start(Manager *m, Error *ret_error) {
        /* Pools first: the others wait for them. */
        static const ObjectKind order[] = { OBJECT_POOL, OBJECT_NETWORK, OBJECT_IMAGE,
                                            OBJECT_VOLUME, OBJECT_CONTAINER };
        int r;

        r = record_dir_load(m->facts, load_facts, m, ret_error);
        if (r < 0)
                return r;
        sweep_runs(m);
        image_sweep(m);
        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                g_autoptr(GList) objects = g_hash_table_get_values(m->objects[order[i]]);

                for (GList *o = objects; o; o = o->next)
                        recover_one(m, o->data);
        }
        return 0;
}

bool recovery_is_over(Manager *m) {
        GHashTableIter iter;
        Job *job;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_JOB]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &job))
                if (!job_has_ended(job))
                        return false;
        return true;
}
