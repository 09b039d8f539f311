/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/operation/container-ids.h"
#include "service/operation/container.h"
#include "service/operation/network.h"
#include "service/operation/step.h"
#include "service/operation/update-plan.h"
#include "service/operation/usage.h"
#include "service/operation/volume-device.h"
#include "service/util/cleanup.h"

/*
 * A change of configuration, in one transaction: everything is checked, and then, where it concerns
 * limits of containers that run, a job gets the kernel there before the record says so. What the
 * kernel refuses is not recorded, and what cannot be recorded is taken back from the kernel.
 */

/* The values that an update leads to, made whole before anything is touched. */
typedef struct NewValues {
        GVariant *config, *devices;
        char **profiles;
} NewValues;

static void new_values_clear(NewValues *new) {
        g_clear_pointer(&new->config, g_variant_unref);
        g_clear_pointer(&new->devices, g_variant_unref);
        g_clear_pointer(&new->profiles, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NewValues, new_values_clear)

static NewValues new_values_of(const Container *c, const ContainerUpdate *update) {
        return (NewValues) {
                .config = config_merge(c->config, update->set, update->unset),
                .devices = devices_merge(update->devices ?: c->devices, NULL),
                .profiles = g_strdupv(update->profiles ? (char **) update->profiles : c->profiles),
        };
}

static int update_check_ids(Manager *m, const Container *c, const NewValues *new,
                            Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL, new_config = NULL, new_devices = NULL;

        container_expand(m, c, &config, &devices);
        profiles_expand(m, c->object.owner, (const char *const *) new->profiles, new->config,
                        new->devices, &new_config, &new_devices);
        return container_check_ids(m, c, config, new_config, ret_error);
}

static int update_check(Manager *m, Container *c, const ContainerUpdate *update,
                        const NewValues *new, Error *ret_error) {
        g_autofree char *pool = NULL;
        int r;

        if (update->if_revision && *update->if_revision != c->object.revision)
                return error_set(
                        ret_error, ERROR_CONFLICT,
                        "Container \"%s\" has changed meanwhile (revision %" G_GUINT64_FORMAT
                        ", not %" G_GUINT64_FORMAT "); read it again",
                        c->object.name, c->object.revision, *update->if_revision);
        r = config_check(update->set, update->unset, CONFIG_SCOPE_CONTAINER, ret_error);
        if (r >= 0)
                r = container_check(m, c->object.name, (const char *const *) new->profiles,
                                    new->config, new->devices, &pool, ret_error);
        if (r < 0)
                return r;
        if (!g_str_equal(pool, c->pool))
                return error_set(
                        ret_error, ERROR_INVALID_DEVICE,
                        "The root disk of container \"%s\" is on pool \"%s\" and cannot be "
                        "put on \"%s\" by a change of configuration",
                        c->object.name, c->pool, pool);
        return update_check_ids(m, c, new, ret_error);
}

static void update_compare(Manager *m, const Container *c, const NewValues *new,
                           PrivilegeChange *ret) {
        g_autoptr(GVariant) config = NULL, devices = NULL, new_config = NULL, new_devices = NULL;

        container_expand(m, c, &config, &devices);
        profiles_expand(m, c->object.owner, (const char *const *) new->profiles, new->config,
                        new->devices, &new_config, &new_devices);
        privilege_compare(config, devices, new_config, new_devices, ret);
}

int container_update_privilege(Manager *m, Container *c, const ContainerUpdate *update,
                               PrivilegeChange *ret, Error *ret_error) {
        g_auto(NewValues) new = new_values_of(c, update);
        int r = update_check(m, c, update, &new, ret_error);

        if (r >= 0)
                update_compare(m, c, &new, ret);
        return r;
}

/* All that an update exchanges, with what is needed to exchange it back. */
typedef struct UpdateJob {
        UpdatePlan plan; /* first: see UPDATE_PLAN_STEPS */
        Container *container; /* locked by the job */
        NewValues new;
        char *description;
        bool ephemeral;
        Privilege granted;    /* by the caller, for this change */
} UpdateJob;

static void update_job_free(void *p) {
        UpdateJob *data = p;

        if (!data)
                return;
        new_values_clear(&data->new);
        g_free(data->description);
        update_plan_done(&data->plan);
        g_free(data);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UpdateJob, update_job_free)

static void update_swap(UpdateJob *data) {
        Container *c = data->container;
        NewValues old = { c->config, c->devices, c->profiles };
        char *description = c->description;
        bool ephemeral = c->ephemeral;

        c->config = data->new.config;
        c->devices = data->new.devices;
        c->profiles = data->new.profiles;
        data->new = old;
        c->description = data->description;
        data->description = description;
        c->ephemeral = data->ephemeral;
        data->ephemeral = ephemeral;
}

static int update_commit(Manager *m, UpdateJob *data, Error *ret_error) {
        Container *c = data->container;
        g_autoptr(UsageNote) used = usage_note(m, &c->object);
        Privilege old_granted = c->granted;
        int r;

        update_swap(data);
        c->granted = MIN(MAX(c->granted, data->granted), container_get_privilege(m, c));
        c->object.revision++;
        r = manager_save(m, &c->object, ret_error);
        if (r < 0) {
                update_swap(data);
                c->granted = old_granted;
                c->object.revision--;
                return r;
        }
        manager_changed(m, &c->object);
        usage_note_tell(used);
        if (!g_variant_equal(c->devices, data->new.devices) ||
            !g_strv_equal((const char *const *) c->profiles,
                          (const char *const *) data->new.profiles))
                network_settle_hosts(m);
        manager_lifecycle(m, c, "updated", NULL);
        return 0;
}

/* --- on containers that run --- */

static int step_commit(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;
        int r = update_commit(job->manager, data, ret_error);

        if (r < 0)
                return r;
        limits_plan_commit(data->plan.limits);
        device_plan_settle(data->plan.devices);
        return r;
}

static int update_job_new(Manager *m, Caller caller, UpdateJob *owned, Job **ret,
                          Error *ret_error) {
        static const JobStep steps[] = {
                UPDATE_PLAN_STEPS(step_commit),
        };
        Container *c = owned->container;
        g_autoptr(Job) job = NULL;
        int r;

        r = job_new(m, "container-update", caller.uid, steps, owned, update_job_free, &job,
                    ret_error);
        if (r >= 0)
                r = job_lock(job, &c->object, ret_error);
        if (r >= 0)
                r = volume_devices_lock(job, c->devices, owned->new.devices, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

/* --- the call --- */

static int check_unlocked(Manager *m, Container *c, Error *ret_error) {
        Job *holder = manager_get_lock(m, &c->object);

        if (!holder)
                return 0;
        return error_set(ret_error, ERROR_BUSY, "Job %s (%s) works on the container \"%s\"",
                         holder->object.name, holder->operation, c->object.name);
}

int container_update(Manager *m, Caller caller, Container *c, const ContainerUpdate *update,
                     Job **ret, Error *ret_error) {
        g_autoptr(UpdateJob) data = g_new0(UpdateJob, 1);
        g_auto(PrivilegeChange) change = { 0 };
        int r;

        data->container = c;
        data->new = new_values_of(c, update);
        data->description = g_strdup(update->description ?: c->description);
        data->ephemeral = update->ephemeral ? *update->ephemeral : c->ephemeral;
        r = check_unlocked(m, c, ret_error);
        if (r >= 0)
                r = update_check(m, c, update, &data->new, ret_error);
        if (r < 0)
                return r;
        update_compare(m, c, &data->new, &change);
        r = caller_check(caller, &change, c->object.name, ret_error);
        if (r < 0)
                return r;
        data->granted = change.privilege;

        update_plan_begin(&data->plan, m);
        update_swap(data);
        r = update_plan_finish(&data->plan, ret_error);
        update_swap(data);
        if (r < 0)
                return r;
        *ret = NULL;
        if (update_plan_is_empty(&data->plan))
                return update_commit(m, data, ret_error);
        return update_job_new(m, caller, TAKE_PTR(data), ret, ret_error);
}
