/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/volume-size.h"

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/size.h"
#include "service/operation/container.h"
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

int size_plan_run(SizePlan *plan, Job *job, bool back, Error *ret_error) {
        Manager *m = plan->manager;
        GVariantBuilder volumes;
        GVariantDict args;
        int r;

        if (size_plan_is_empty(plan))
                return JOB_STEP_DONE;
        r = wait_for_pools(plan, job, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_builder_init(&volumes, G_VARIANT_TYPE("a(sssssttb)"));
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                const StoragePool *pool = manager_find_pool(m, e->pool);
                g_autofree char *path = pool_get_path(m, e->pool);

                g_variant_builder_add(&volumes, "(sssssttb)", e->pool, pool->driver, path,
                                      "containers", e->name, back ? e->before : e->after,
                                      back ? e->after : e->before, !back);
        }
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert_value(&args, "volumes", g_variant_builder_end(&volumes));
        return job_run_worker(job, OPERATION_VOLUME_RESIZE, g_variant_dict_end(&args), NULL, 0,
                              NULL, ret_error);
}

/* --- in the background --- */

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
                { "Changing sizes", settle_run, settle_undo },
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
