/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/profile.h"

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/name.h"
#include "service/operation/network.h"
#include "service/operation/step.h"
#include "service/operation/update-plan.h"
#include "service/operation/usage.h"
#include "service/operation/volume-device.h"
#include "service/util/cleanup.h"

static int check_devices(Manager *m, GVariant *devices, Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;
        int r;

        r = devices_check(devices, ret_error);
        if (r < 0)
                return r;
        r = volume_devices_check(m, devices, ret_error);
        if (r < 0)
                return r;
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;
                const char *network = device_get_network(owned);
                const char *pool = config_get(owned, "pool");
                Object *unused;

                r = 0;
                if (network)
                        r = manager_get(m, OBJECT_NETWORK, network, &unused, ret_error);
                else if (pool)
                        r = manager_get(m, OBJECT_POOL, pool, &unused, ret_error);
                if (r < 0) {
                        error_prefix(ret_error, "Device \"%s\"", name);
                        return r;
                }
        }
        return 0;
}

static int check_change(Manager *m, const ProfileChange *change, Error *ret_error) {
        g_autoptr(GVariant) empty = config_empty();
        int r;

        r = config_check(change->set ?: empty, change->unset, CONFIG_SCOPE_PROFILE, ret_error);
        if (r >= 0 && change->devices)
                r = check_devices(m, change->devices, ret_error);
        return r;
}

/* Containers that use it must still make sense: a root disk on the pool where it is. */
static int check_users(Manager *m, Profile *profile, GVariant *devices, Error *ret_error) {
        g_autoptr(GVariant) kept = profile->devices;
        GHashTableIter iter;
        Container *c;
        int r = 0;

        profile->devices = devices;
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (r >= 0 && g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                g_autofree char *pool = NULL;

                if (!g_strv_contains((const char *const *) c->profiles, profile->object.name))
                        continue;
                r = container_check(m, c->object.name, (const char *const *) c->profiles, c->config,
                                    c->devices, &pool, ret_error);
                if (r >= 0 && !g_str_equal(pool, c->pool))
                        r = error_set(ret_error, ERROR_INVALID_DEVICE,
                                      "its root disk is on pool \"%s\" and cannot be put on \"%s\"",
                                      c->pool, pool);
                if (r < 0)
                        error_prefix(ret_error, "Container \"%s\" uses profile \"%s\"",
                                     c->object.name, profile->object.name);
        }
        profile->devices = TAKE_PTR(kept);
        return r;
}

/* The strongest of what changes in the profile and in each container that uses it. */
static void compare(Manager *m, Profile *profile, GVariant *config, GVariant *devices,
                    PrivilegeChange *ret) {
        g_autoptr(GVariant) old_config = g_variant_ref(profile->config);
        g_autoptr(GVariant) old_devices = g_variant_ref(profile->devices);
        g_autoptr(GVariant) old_as_given = volume_devices_of_profile(old_devices);
        g_autoptr(GVariant) as_given = volume_devices_of_profile(devices);
        GHashTableIter iter;
        Container *c;

        privilege_compare(old_config, old_as_given, config, as_given, ret);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                g_autoptr(GVariant) config_before = NULL, devices_before = NULL;
                g_autoptr(GVariant) config_after = NULL, devices_after = NULL;
                g_auto(PrivilegeChange) change = { 0 };

                if (!g_strv_contains((const char *const *) c->profiles, profile->object.name))
                        continue;
                container_expand(m, c, &config_before, &devices_before);
                profile->config = config;
                profile->devices = devices;
                container_expand(m, c, &config_after, &devices_after);
                profile->config = old_config;
                profile->devices = old_devices;
                privilege_compare(config_before, devices_before, config_after, devices_after,
                                  &change);
                if (change.privilege <= ret->privilege)
                        continue;
                privilege_change_done(ret);
                *ret = change;
                change = (PrivilegeChange) { 0 };
        }
}

int profile_change_privilege(Manager *m, Profile *profile, const ProfileChange *change,
                             PrivilegeChange *ret, Error *ret_error) {
        g_autoptr(GVariant) no_config = config_empty(), no_devices = devices_empty();
        g_autoptr(GVariant) config = NULL, devices = NULL, as_given = NULL;
        int r = check_change(m, change, ret_error);

        if (r < 0)
                return r;
        config = config_merge(profile ? profile->config : no_config, change->set, change->unset);
        devices = devices_merge(change->devices ?: profile ? profile->devices : no_devices, NULL);
        as_given = volume_devices_of_profile(devices);
        if (profile)
                compare(m, profile, config, devices, ret);
        else
                privilege_compare(NULL, NULL, config, as_given, ret);
        return 0;
}

static Privilege content_privilege(const Profile *profile) {
        g_autoptr(GVariant) devices = volume_devices_of_profile(profile->devices);

        return MAX(config_privilege(profile->config), devices_privilege(devices));
}

int profile_create(Manager *m, Caller caller, const char *name, const ProfileChange *content,
                   Profile **ret, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_autoptr(Profile) profile = NULL;
        int r;

        r = name_check(NAME_PROFILE, name, ret_error);
        if (r >= 0)
                r = manager_check_free(m, OBJECT_PROFILE, name, ret_error);
        if (r >= 0)
                r = profile_change_privilege(m, NULL, content, &needed, ret_error);
        if (r >= 0)
                r = caller_check(caller, &needed, name, ret_error);
        if (r < 0)
                return r;
        profile = profile_new(name, caller.uid);
        profile->granted = needed.privilege;
        if (content->set) {
                g_variant_unref(profile->config);
                profile->config = config_merge(content->set, NULL, NULL);
        }
        if (content->devices) {
                g_variant_unref(profile->devices);
                profile->devices = devices_merge(content->devices, NULL);
        }
        if (content->description) {
                g_free(profile->description);
                profile->description = g_strdup(content->description);
        }
        r = manager_save(m, &profile->object, ret_error);
        if (r < 0)
                return r;
        *ret = profile;
        manager_add(m, &TAKE_PTR(profile)->object);
        usage_changed(m, &(*ret)->object);
        return 0;
}

/* All that an update exchanges, with what is needed to exchange it back. */
typedef struct UpdateJob {
        UpdatePlan plan; /* first: see UPDATE_PLAN_STEPS */
        Profile *profile; /* locked by the job */
        GVariant *config, *devices;
        char *description;
        Privilege granted;
} UpdateJob;

static void update_job_free(void *p) {
        UpdateJob *data = p;

        if (!data)
                return;
        g_clear_pointer(&data->config, g_variant_unref);
        g_clear_pointer(&data->devices, g_variant_unref);
        g_free(data->description);
        update_plan_done(&data->plan);
        g_free(data);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UpdateJob, update_job_free)

static void update_swap(UpdateJob *data) {
        Profile *profile = data->profile;
        GVariant *config = profile->config, *devices = profile->devices;
        char *description = profile->description;

        profile->config = data->config;
        profile->devices = data->devices;
        profile->description = data->description;
        data->config = config;
        data->devices = devices;
        data->description = description;
}

static int update_commit(Manager *m, UpdateJob *data, Error *ret_error) {
        Profile *profile = data->profile;
        g_autoptr(UsageNote) used = usage_note(m, &profile->object);
        Privilege granted = profile->granted;
        int r;

        update_swap(data);
        profile->granted = MIN(MAX(granted, data->granted), content_privilege(profile));
        profile->object.revision++;
        r = manager_save(m, &profile->object, ret_error);
        if (r < 0) {
                update_swap(data);
                profile->granted = granted;
                profile->object.revision--;
                return r;
        }
        manager_changed(m, &profile->object);
        usage_note_tell(used);
        if (!g_variant_equal(profile->devices, data->devices))
                network_settle_hosts(m);
        return 0;
}

static int step_commit(Job *job, Error *ret_error) {
        UpdateJob *data = job->data;
        int r = update_commit(job->manager, data, ret_error);

        if (r >= 0) {
                limits_plan_commit(data->plan.limits);
                device_plan_commit(data->plan.devices);
                device_plan_settle(data->plan.devices);
        }
        return r;
}

static int update_job_new(Manager *m, Caller caller, UpdateJob *owned, Job **ret,
                          Error *ret_error) {
        static const JobStep steps[] = {
                UPDATE_PLAN_STEPS(step_commit),
        };
        Profile *profile = owned->profile;
        g_autoptr(Job) job = NULL;
        int r;

        r = job_new(m, "profile-update", caller.uid, steps, owned, update_job_free, &job,
                    ret_error);
        if (r >= 0)
                r = job_lock(job, &profile->object, ret_error);
        if (r >= 0)
                r = update_plan_lock(&owned->plan, job, ret_error);
        if (r >= 0)
                r = volume_devices_lock(job, profile->devices, owned->devices, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_PROFILE, profile->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

static int check_unlocked(Manager *m, Profile *profile, Error *ret_error) {
        Job *holder = manager_get_lock(m, &profile->object);

        if (!holder)
                return 0;
        return error_set(ret_error, ERROR_BUSY, "Job %s (%s) works on the profile \"%s\"",
                         holder->object.name, holder->operation, profile->object.name);
}

static int update_check(Manager *m, Caller caller, const ProfileChange *change, UpdateJob *data,
                        Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        Profile *profile = data->profile;
        int r;

        if (change->if_revision && *change->if_revision != profile->object.revision)
                return error_set(ret_error, ERROR_CONFLICT,
                                 "Profile \"%s\" has changed meanwhile; read it again",
                                 profile->object.name);
        r = check_unlocked(m, profile, ret_error);
        if (r >= 0)
                r = profile_change_privilege(m, profile, change, &needed, ret_error);
        if (r >= 0)
                r = caller_check(caller, &needed, profile->object.name, ret_error);
        if (r >= 0 && change->devices)
                r = check_users(m, profile, data->devices, ret_error);
        data->granted = needed.privilege;
        return r;
}

int profile_update(Manager *m, Caller caller, Profile *profile, const ProfileChange *change,
                   Job **ret, Error *ret_error) {
        g_autoptr(UpdateJob) data = g_new0(UpdateJob, 1);
        int r;

        data->profile = profile;
        data->config = config_merge(profile->config, change->set, change->unset);
        data->devices = devices_merge(change->devices ?: profile->devices, NULL);
        data->description = g_strdup(change->description ?: profile->description);
        r = update_check(m, caller, change, data, ret_error);
        if (r < 0)
                return r;

        update_plan_begin(&data->plan, m);
        update_swap(data);
        r = update_plan_finish(&data->plan, ret_error);
        update_swap(data);
        if (r < 0)
                return r;
        if (ret && !update_plan_is_empty(&data->plan))
                return update_job_new(m, caller, TAKE_PTR(data), ret, ret_error);
        if (ret)
                *ret = NULL;
        r = update_commit(m, data, ret_error);
        if (r >= 0) {
                limits_plan_settle(TAKE_PTR(data->plan.limits));
                size_plan_settle(TAKE_PTR(data->plan.sizes));
        }
        return r;
}

static int check_not_default(const Profile *profile, const char *verb, Error *ret_error) {
        if (!g_str_equal(profile->object.name, PROFILE_DEFAULT))
                return 0;
        return error_set(ret_error, ERROR_IN_USE, "The profile \"default\" cannot be %s", verb);
}

/* Containers name their profiles, so each of them is written before the profile itself goes. If
 * one write fails, those that were written go back. */
static int rename_in_containers(Manager *m, const char *from, const char *to, Error *ret_error) {
        GHashTableIter iter;
        Container *c;
        int r = 0;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (r >= 0 && g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                bool uses = false;

                for (char **name = c->profiles; *name; name++)
                        if (g_str_equal(*name, from)) {
                                g_free(*name);
                                *name = g_strdup(to);
                                uses = true;
                        }
                if (!uses)
                        continue;
                r = manager_save(m, &c->object, ret_error);
                manager_changed(m, &c->object);
        }
        return r;
}

int profile_rename(Manager *m, Profile *profile, const char *name, Error *ret_error) {
        g_autofree char *old = g_strdup(profile->object.name);
        g_autoptr(GVariant) record = NULL;
        int r;

        r = name_check(NAME_PROFILE, name, ret_error);
        if (r >= 0)
                r = check_not_default(profile, "renamed", ret_error);
        if (r >= 0)
                r = manager_check_free(m, OBJECT_PROFILE, name, ret_error);
        if (r < 0)
                return r;
        /* Both names exist while the containers change theirs: a crash in between loses nothing. */
        record = profile_to_record(profile);
        r = record_dir_write(m->records[OBJECT_PROFILE], name, record, ret_error);
        if (r < 0) {
                /* It may be there, and not be sure to last. */
                (void) record_dir_remove(m->records[OBJECT_PROFILE], name, NULL);
                return r;
        }
        r = rename_in_containers(m, old, name, ret_error);
        if (r < 0) {
                (void) rename_in_containers(m, name, old, NULL);
                (void) manager_forget(m, OBJECT_PROFILE, name, NULL);
                return r;
        }
        manager_rename(m, &profile->object, name);
        usage_changed(m, &profile->object);
        return manager_forget(m, OBJECT_PROFILE, old, ret_error);
}

int profile_delete(Manager *m, Profile *profile, Error *ret_error) {
        int r;

        r = check_not_default(profile, "deleted", ret_error);
        if (r >= 0)
                r = check_unlocked(m, profile, ret_error);
        if (r >= 0)
                r = usage_check_none(m, &profile->object, ret_error);
        if (r >= 0)
                r = manager_forget(m, OBJECT_PROFILE, profile->object.name, ret_error);
        if (r < 0)
                return r;
        usage_changed(m, &profile->object);
        manager_remove(m, &profile->object);
        return 0;
}
