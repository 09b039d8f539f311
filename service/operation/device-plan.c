/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/device-plan.h"

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container-forward.h"
#include "service/operation/container-hotplug.h"
#include "service/operation/container-nic.h"
#include "service/operation/container-run.h"
#include "service/operation/container.h"
#include "service/operation/firewall.h"
#include "service/operation/network.h"
#include "service/operation/step.h"
#include "service/operation/volume-device.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

/* One container that runs. */
typedef struct Entry {
        char *name;
        uint64_t generation;
        pid_t init_pid;
        GVariant *before;      /* all its devices, nics described */
        GVariant *remove, *add;
} Entry;

struct DevicePlan {
        Manager *manager;
        GPtrArray *entries; /* when finished: of those that differ */
        bool has_left;
};

static void entry_free(void *p) {
        Entry *e = p;

        g_free(e->name);
        g_clear_pointer(&e->before, g_variant_unref);
        g_clear_pointer(&e->remove, g_variant_unref);
        g_clear_pointer(&e->add, g_variant_unref);
        g_free(e);
}

static bool have_nics(GVariant *devices) {
        GVariantIter iter;
        GVariant *options;
        bool found = false;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                found |= device_get_nictype(options) ||
                         (device_is_proxy(options) && device_get_boolean(options, "nat", false));
                g_variant_unref(options);
        }
        return found;
}

static bool entry_has_nics(const Entry *e) {
        return e->add && (have_nics(e->add) || have_nics(e->remove));
}

int device_plan_guard(const DevicePlan *plan, Job *job, Error *ret_error) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);

                if (entry_has_nics(e))
                        g_ptr_array_add(names, e->name);
        }
        if (names->len == 0)
                return JOB_STEP_DONE;
        g_ptr_array_add(names, NULL);
        return step_firewall_for(job, (const char *const *) names->pdata, ret_error);
}

/* What a service that starts in the middle of it would want to know. */
static int facts_mark(Manager *m, Container *c, GVariant *going, GVariant *coming,
                      Error *ret_error) {
        g_clear_pointer(&c->facts.going, g_variant_unref);
        g_clear_pointer(&c->facts.coming, g_variant_unref);
        c->facts.going = going ? g_variant_ref(going) : NULL;
        c->facts.coming = coming ? g_variant_ref(coming) : NULL;
        return container_run_save(m, c, ret_error);
}

static Container *find_run(Manager *m, const Entry *e) {
        return container_run_find(m, e->name, e->generation, e->init_pid);
}

static void facts_unmark(Manager *m, const Entry *e) {
        Container *c = find_run(m, e);

        if (c && c->facts.coming && facts_mark(m, c, NULL, NULL, NULL) < 0)
                log_warning("Cannot record that the devices of container \"%s\" are what they "
                            "should be.", e->name);
}

int device_plan_enter(DevicePlan *plan, Error *ret_error) {
        g_ptr_array_add(plan->manager->device_plans, plan);
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                Container *c = find_run(plan->manager, e);
                int r = c ? facts_mark(plan->manager, c, e->remove, e->add, ret_error) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

void device_plan_leave(DevicePlan *plan) {
        bool had_nics = false;

        if (plan->has_left)
                return;
        plan->has_left = true;
        (void) g_ptr_array_remove_fast(plan->manager->device_plans, plan);
        /* What was said of nics that have gone, or have not come about. */
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);

                facts_unmark(plan->manager, e);
                if (!entry_has_nics(e))
                        continue;
                firewall_settle(plan->manager, e->name);
                had_nics = true;
        }
        if (had_nics)
                network_settle_hosts(plan->manager);
}

DevicePlan *device_plan_free(DevicePlan *plan) {
        if (!plan)
                return NULL;
        device_plan_leave(plan);
        g_ptr_array_unref(plan->entries);
        g_free(plan);
        return NULL;
}

/* Those that can come and go, as the worker is told of them. */
static GVariant *describe(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantBuilder builder;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        container_expand(m, c, &config, &devices);
        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_get_nictype(owned))
                        g_variant_builder_add(&builder, "{s@a{ss}}", name,
                                              container_nic_describe(m, c, name, owned));
                else if (device_get_target(owned) || device_has_nodes(owned) ||
                         device_is_proxy(owned) ||
                         (device_is_disk(owned) && device_has_limits(owned))) {
                        g_autoptr(GVariant) described = volume_device_describe(m, owned);

                        g_variant_builder_add(&builder, "{s@a{ss}}", name, described);
                }
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

DevicePlan *device_plan_new(Manager *m) {
        DevicePlan *plan = g_new0(DevicePlan, 1);
        GHashTableIter iter;
        Container *c;

        plan->manager = m;
        plan->entries = g_ptr_array_new_with_free_func(entry_free);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                Entry *e;

                if (!container_is_up(c) && c->state != CONTAINER_STARTING)
                        continue;
                e = g_new0(Entry, 1);
                e->name = g_strdup(c->object.name);
                e->generation = c->object.generation;
                e->init_pid = c->facts.init_pid;
                e->before = describe(m, c);
                g_ptr_array_add(plan->entries, e);
        }
        return plan;
}

/* --- comparing --- */

/* What is in `devices` and not, or not the same, in `other`. */
static GVariant *difference(GVariant *devices, GVariant *other) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options, old = devices_get(other, name);

                if (!old || !g_variant_equal(old, owned))
                        g_variant_builder_add(&builder, "{s@a{ss}}", name, owned);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

/* Nics that are new, or not what they were. */
static int prepare_nics(Manager *m, Container *c, GVariant *before, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantIter iter;
        const char *name;
        GVariant *options;
        int r = 0;

        container_expand(m, c, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (r >= 0 && g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options, old = devices_get(before, name), now = NULL;

                if (!device_get_nictype(owned))
                        continue;
                now = g_variant_ref_sink(container_nic_describe(m, c, name, owned));
                if (old && g_variant_equal(old, now))
                        continue;
                if (!old || g_strcmp0(config_get(old, "host_name"),
                                      config_get(now, "host_name")) != 0)
                        r = container_nic_check_host_name(m, c, owned, ret_error);
                if (r >= 0)
                        r = container_nic_prepare(m, c, devices, name, owned, ret_error);
        }
        return r;
}

static int entry_finish(DevicePlan *plan, Entry *e, Container *c, Error *ret_error) {
        g_autoptr(GVariant) after = NULL;
        int r;

        r = prepare_nics(plan->manager, c, e->before, ret_error);
        if (r < 0)
                return r;
        after = describe(plan->manager, c);
        e->remove = difference(e->before, after);
        e->add = difference(after, e->before);
        if (g_variant_n_children(e->remove) + g_variant_n_children(e->add) == 0)
                return 0;
        if (!container_is_up(c))
                return error_set(ret_error, ERROR_BUSY,
                                 "Container \"%s\" is just being started; try again when it runs",
                                 e->name);
        return 1;
}

int device_plan_finish(DevicePlan *plan, Error *ret_error) {
        for (guint i = plan->entries->len; i > 0; i--) {
                Entry *e = g_ptr_array_index(plan->entries, i - 1);
                Container *c = manager_find_container(plan->manager, e->name);
                int r = c ? entry_finish(plan, e, c, ret_error) : 0;

                if (r < 0)
                        return r;
                if (r == 0)
                        g_ptr_array_remove_index_fast(plan->entries, i - 1);
        }
        return 0;
}

GVariant *device_plan_overlay(Manager *m, const Container *c, GVariant *devices) {
        GVariant *all = g_variant_ref_sink(devices);

        for (guint i = 0; i < m->device_plans->len; i++) {
                const DevicePlan *plan = g_ptr_array_index(m->device_plans, i);

                for (guint j = 0; j < plan->entries->len; j++) {
                        const Entry *e = g_ptr_array_index(plan->entries, j);
                        g_autoptr(GVariant) old = NULL;

                        if (e->generation != c->object.generation)
                                continue;
                        old = all;
                        all = devices_merge(old, e->add);
                }
        }
        return all;
}

bool device_plan_is_empty(const DevicePlan *plan) {
        return plan->entries->len == 0;
}

int device_plan_lock(const DevicePlan *plan, Job *job, Error *ret_error) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                Container *c = manager_find_container(plan->manager, e->name);

                if (c)
                        r = job_lock(job, &c->object, ret_error);
        }
        return r;
}

/* --- doing --- */

#define CHANGES_TYPE ((const GVariantType *) "a(ssiua(suuu)a{sa{ss}}a{sa{ss}})")

static void add_change(GVariantBuilder *containers, const Container *c, GVariant *remove,
                       GVariant *add) {
        g_variant_builder_add(containers, "(ssiu@a(suuu)@a{sa{ss}}@a{sa{ss}})", c->object.name,
                              c->facts.lxc_path, (gint32) c->facts.init_pid,
                              (guint32) c->object.owner, idmap_to_variant(c->facts.idmap), remove,
                              add);
}

/* There are new processes to look after. */
static int changed(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        for (guint i = 0; i < job->locks->len; i++) {
                Object *o = g_ptr_array_index(job->locks, i);

                if (o->kind == OBJECT_CONTAINER)
                        container_forwards_watch(job->manager, (Container *) o);
        }
        return 0;
}

static int run(Job *job, GVariantBuilder *containers, bool again, const GArray *fds,
               Error *ret_error) {
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "again", "b", again);
        g_variant_dict_insert_value(&args, "containers", g_variant_builder_end(containers));
        return job_run_worker(job, OPERATION_DEVICES, g_variant_dict_end(&args),
                              (const int *) (void *) fds->data, fds->len, changed, ret_error);
}

int device_plan_add(Job *job, Container *c, GVariant *devices, Error *ret_error) {
        g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autoptr(GVariant) none = devices_empty();
        GVariantBuilder containers;

        g_variant_builder_init(&containers, CHANGES_TYPE);
        add_change(&containers, c, none, devices);
        g_array_append_val(fds, c->init_fd);
        return run(job, &containers, false, fds, ret_error);
}

GVariant *device_plan_follow_args(const Container *c, GVariant *devices) {
        g_autoptr(GVariant) none = devices_empty();
        GVariantBuilder containers;
        GVariantDict args;

        g_variant_builder_init(&containers, CHANGES_TYPE);
        add_change(&containers, c, none, devices);
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert_value(&args, "containers", g_variant_builder_end(&containers));
        return g_variant_dict_end(&args);
}

int device_plan_run(DevicePlan *plan, Job *job, bool back, Error *ret_error) {
        g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
        GVariantBuilder containers;

        g_variant_builder_init(&containers, CHANGES_TYPE);
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                Container *c = find_run(plan->manager, e);

                if (!c)
                        continue;
                g_array_append_val(fds, c->init_fd);
                add_change(&containers, c, back ? e->add : e->remove, back ? e->remove : e->add);
        }
        if (fds->len == 0) {
                g_variant_builder_clear(&containers);
                return JOB_STEP_DONE;
        }
        return run(job, &containers, back && job->worker_died, fds, ret_error);
}

/* --- after a service that was killed --- */

static bool has_device(GVariant *devices, const char *name) {
        g_autoptr(GVariant) options = devices_get(devices, name);

        return options != NULL;
}

/* Of those that the change was about, what the record says. */
static GVariant *recorded(Manager *m, const Container *c) {
        g_autoptr(GVariant) all = describe(m, c);
        GVariantBuilder builder;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_iter_init(&iter, all);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (has_device(c->facts.going, name) || has_device(c->facts.coming, name))
                        g_variant_builder_add(&builder, "{s@a{ss}}", name, owned);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

int device_plan_recover(Job *job, Container *c, Error *ret_error) {
        g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autoptr(GVariant) add = recorded(job->manager, c), none = devices_empty();
        GVariantBuilder containers;

        g_variant_builder_init(&containers, CHANGES_TYPE);
        add_change(&containers, c, c->facts.coming, none);
        add_change(&containers, c, c->facts.going, none);
        add_change(&containers, c, none, add);
        for (int i = 0; i < 3; i++)
                g_array_append_val(fds, c->init_fd);
        return run(job, &containers, true, fds, ret_error);
}

void device_plan_recovered(Manager *m, Container *c) {
        container_hotplug_watch(m, c);
        network_settle_hosts(m);
}

void device_plan_settle(const DevicePlan *plan) {
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                Container *c = manager_find_container(plan->manager, e->name);

                if (c && c->object.generation == e->generation)
                        container_hotplug_watch(plan->manager, c);
        }
}

void device_plan_commit(const DevicePlan *plan) {
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                Container *c = manager_find_container(plan->manager, e->name);

                if (c && c->object.generation == e->generation &&
                    manager_save(plan->manager, &c->object, NULL) < 0)
                        log_warning("Cannot record the devices of container \"%s\".", e->name);
        }
}
