/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/volume-size.h"

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/size.h"
#include "service/operation/container.h"
#include "service/operation/snapshot.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

/* One container. */
typedef struct Entry {
        char *name, *pool;
        uint64_t generation;
        uint64_t before, after;
} Entry;

struct SizePlan {
        Manager *manager;
        GPtrArray *entries; /* when finished: of those that differ */
};

static void entry_free(void *p) {
        Entry *e = p;

        g_free(e->name);
        g_free(e->pool);
        g_free(e);
}

SizePlan *size_plan_free(SizePlan *plan) {
        if (!plan)
                return NULL;
        g_ptr_array_unref(plan->entries);
        g_free(plan);
        return NULL;
}

static uint64_t parse(const char *text) {
        uint64_t size;

        return text && size_parse(text, &size, NULL) >= 0 ? size : 0;
}

uint64_t root_size_of(Manager *m, GVariant *devices, const char *pool_name) {
        const StoragePool *pool = manager_find_pool(m, pool_name);
        g_autoptr(GVariant) root = NULL;
        const char *name, *unused, *size;

        if (devices_find_root(devices, &name, &unused, NULL) < 0)
                return 0;
        root = devices_get(devices, name);
        size = config_get(root, "size");
        return size ? parse(size) : pool ? parse(config_get(pool->config, "volume.size")) : 0;
}

uint64_t container_get_size(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;

        container_expand(m, c, &config, &devices);
        return root_size_of(m, devices, c->pool);
}

SizePlan *size_plan_new(Manager *m) {
        SizePlan *plan = g_new0(SizePlan, 1);
        GHashTableIter iter;
        Container *c;

        plan->manager = m;
        plan->entries = g_ptr_array_new_with_free_func(entry_free);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                Entry *e;

                /* Its volume is about to go. */
                if (c->state == CONTAINER_DELETING)
                        continue;
                e = g_new0(Entry, 1);
                e->name = g_strdup(c->object.name);
                e->pool = g_strdup(c->pool);
                e->generation = c->object.generation;
                e->before = container_get_size(m, c);
                g_ptr_array_add(plan->entries, e);
        }
        return plan;
}

static Container *find(const SizePlan *plan, const Entry *e) {
        Container *c = manager_find_container(plan->manager, e->name);

        return c && c->object.generation == e->generation ? c : NULL;
}

void size_plan_finish(SizePlan *plan) {
        for (guint i = plan->entries->len; i > 0; i--) {
                Entry *e = g_ptr_array_index(plan->entries, i - 1);
                const Container *c = find(plan, e);

                e->after = c ? container_get_size(plan->manager, c) : e->before;
                if (e->after == e->before)
                        g_ptr_array_remove_index_fast(plan->entries, i - 1);
        }
}

bool size_plan_is_empty(const SizePlan *plan) {
        return plan->entries->len == 0;
}

int size_plan_lock(const SizePlan *plan, Job *job, Error *ret_error) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < plan->entries->len; i++) {
                Container *c = find(plan, g_ptr_array_index(plan->entries, i));

                if (c)
                        r = job_lock(job, &c->object, ret_error);
        }
        return r;
}

static int set_resizing(Manager *m, Container *c, bool resizing, Error *ret_error) {
        bool before = c->resizing;
        int r;

        c->resizing = resizing;
        r = manager_save(m, &c->object, ret_error);
        if (r < 0)
                c->resizing = before;
        return r;
}

int size_plan_enter(const SizePlan *plan, Error *ret_error) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < plan->entries->len; i++) {
                Container *c = find(plan, g_ptr_array_index(plan->entries, i));

                if (c)
                        r = set_resizing(plan->manager, c, true, ret_error);
        }
        return r;
}

void size_plan_leave(const SizePlan *plan) {
        for (guint i = 0; i < plan->entries->len; i++) {
                Container *c = find(plan, g_ptr_array_index(plan->entries, i));
                g_auto(Error) error = ERROR_INIT;

                if (c && c->resizing && set_resizing(plan->manager, c, false, &error) < 0)
                        log_warning("Container \"%s\" stays marked as one whose size changes: %s; "
                                    "the next start of the service will set it.", c->object.name,
                                    error.message);
        }
}

static int wait_for_pools(const SizePlan *plan, Job *job, Error *ret_error) {
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                StoragePool *unused;
                int r = step_wait_for_pool(job, e->pool, &unused, ret_error);

                if (r < 0)
                        error_prefix(ret_error, "The size of container \"%s\"", e->name);
                if (r != JOB_STEP_DONE)
                        return r;
        }
        return JOB_STEP_DONE;
}

static void add_volume(GVariantBuilder *volumes, Manager *m, const char *pool_name,
                       const char *container, uint64_t size, uint64_t before, bool room) {
        const StoragePool *pool = manager_find_pool(m, pool_name);
        g_autofree char *path = pool_get_path(m, pool_name);

        g_variant_builder_add(volumes, "(sssssttb)", pool_name, pool->driver, path, "containers",
                              container, size, before, room);
}

static int run_worker(Job *job, GVariantBuilder *volumes, Error *ret_error) {
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert_value(&args, "volumes", g_variant_builder_end(volumes));
        return job_run_worker(job, OPERATION_VOLUME_RESIZE, g_variant_dict_end(&args), NULL, 0,
                              NULL, ret_error);
}

int size_plan_run(SizePlan *plan, Job *job, bool back, Error *ret_error) {
        GVariantBuilder volumes;
        int r;

        if (size_plan_is_empty(plan))
                return JOB_STEP_DONE;
        r = wait_for_pools(plan, job, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_builder_init(&volumes, G_VARIANT_TYPE("a(sssssttb)"));
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);

                add_volume(&volumes, plan->manager, e->pool, e->name, back ? e->before : e->after,
                           back ? e->after : e->before, !back);
        }
        return run_worker(job, &volumes, ret_error);
}

/* --- after a service that was killed --- */

/* Whatever it has come to. */
static int recover_run(Job *job, Error *ret_error) {
        const Container *c = ((ContainerJob *) job->data)->container;
        uint64_t size = container_get_size(job->manager, c);
        GVariantBuilder volumes;
        StoragePool *unused;
        int r;

        r = step_wait_for_pool(job, c->pool, &unused, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_builder_init(&volumes, G_VARIANT_TYPE("a(sssssttb)"));
        add_volume(&volumes, job->manager, c->pool, c->object.name, size, size, false);
        return run_worker(job, &volumes, ret_error);
}

static int recover_done(Job *job, Error *ret_error) {
        return set_resizing(job->manager, ((ContainerJob *) job->data)->container, false,
                            ret_error);
}

int container_resize_recover(Manager *m, Container *c, Job **ret, Error *ret_error) {
        static const JobStep steps[] = {
                { "Changing the size back", recover_run, NULL, .again = true },
                { NULL, recover_done, NULL },
                { NULL, snapshots_step_recover, NULL },
                { NULL },
        };

        return step_new_job(m, "container-recover", CALLER_SERVICE, steps, c, ret, ret_error);
}

/* --- in the background --- */

static int settle_begin(Job *job, Error *ret_error) {
        return size_plan_enter(job->data, ret_error);
}

static int settle_end(Job *job, Error *ret_error) {
        size_plan_leave(job->data);
        return JOB_STEP_DONE;
}

static int settle_run(Job *job, Error *ret_error) {
        return size_plan_run(job->data, job, false, ret_error);
}

static int settle_undo(Job *job, Error *ret_error) {
        log_warning("Sizes of root disks were not changed: %s.", job->error.message);
        return JOB_STEP_DONE;
}

static void plan_free(void *p) {
        (void) size_plan_free(p);
}

void size_plan_settle(SizePlan *owned) {
        static const JobStep steps[] = {
                { NULL, settle_begin, settle_end },
                { "Changing sizes", settle_run, settle_undo, .again = true },
                { NULL, settle_end, NULL },
                { NULL },
        };
        g_autoptr(SizePlan) plan = owned;
        g_auto(Error) error = ERROR_INIT;
        Manager *manager;
        Job *job;

        if (size_plan_is_empty(plan))
                return;
        manager = plan->manager; /* before the plan is handed over, whatever is evaluated first */
        if (job_new(manager, "sizes-settle", 0, steps, TAKE_PTR(plan), plan_free, &job,
                    &error) < 0) {
                log_warning("Sizes of root disks cannot be changed: %s.", error.message);
                return;
        }
        job->cancelable = false;
        job_start(job);
}
