/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/volume-device.h"

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container.h"
#include "service/operation/step.h"
#include "service/operation/volume-job.h"
#include "service/util/cleanup.h"

static char *full_name(GVariant *options) {
        return g_strconcat(config_get(options, "pool"), "/", config_get(options, "source"), NULL);
}

StorageVolume *volume_of_device(Manager *m, GVariant *options) {
        g_autofree char *name = NULL;

        if (!device_is_volume(options))
                return NULL;
        name = full_name(options);
        return (StorageVolume *) manager_find(m, OBJECT_VOLUME, name);
}

static GVariant *with_option(GVariant *options, const char *key, const char *value) {
        g_autoptr(GVariant) set = g_variant_ref_sink(
                g_variant_new_parsed("{%s: %s}", key, value));

        return config_merge(options, set, NULL);
}

GVariant *volume_device_resolve(Manager *m, uid_t owner, GVariant *options) {
        const StorageVolume *v = volume_of_device(m, options);
        g_autofree char *uid = NULL;

        if (!v || v->object.owner == owner)
                return g_variant_ref(options);
        uid = g_strdup_printf("%u", v->object.owner);
        return with_option(options, "volatile.owner", uid);
}

GVariant *volume_devices_of_profile(GVariant *devices) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options, marked = NULL;

                marked = device_is_volume(owned) ? with_option(owned, "volatile.owner", "")
                                                 : g_variant_ref(owned);
                g_variant_builder_add(&builder, "{s@a{ss}}", name, marked);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

GVariant *volume_device_describe(Manager *m, GVariant *options) {
        g_autofree char *pool = NULL, *path = NULL;

        if (!device_is_volume(options))
                return g_variant_ref(options);
        pool = pool_get_path(m, config_get(options, "pool"));
        path = g_build_filename(pool, "custom", config_get(options, "source"), NULL);
        return with_option(options, "source", path);
}

GVariant *volume_devices_describe(Manager *m, GVariant *devices) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options, described = volume_device_describe(m, owned);

                g_variant_builder_add(&builder, "{s@a{ss}}", name, described);
        }
        return g_variant_builder_end(&builder);
}

/* Calls `func` for each device that is a volume; ends with the first that is not 0. */
typedef int (*VolumeFunc)(Manager *m, GVariant *options, void *userdata, Error *ret_error);

static int for_each_volume(Manager *m, GVariant *devices, VolumeFunc func, void *userdata,
                           Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;
                int r = device_is_volume(owned) ? func(m, owned, userdata, ret_error) : 0;

                if (r < 0)
                        error_prefix(ret_error, "Device \"%s\"", name);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int check_volume(Manager *m, GVariant *options, void *userdata, Error *ret_error) {
        g_autofree char *name = full_name(options);
        StorageVolume *v;
        Object *pool;
        int r;

        r = manager_get(m, OBJECT_POOL, config_get(options, "pool"), &pool, ret_error);
        if (r >= 0)
                r = manager_get(m, OBJECT_VOLUME, name, (Object **) &v, ret_error);
        if (r >= 0 && v->state != STORAGE_VOLUME_READY)
                return error_set(ret_error, ERROR_BUSY, "Volume \"%s\" is %s", name,
                                 storage_volume_state_to_string(v->state));
        return r;
}

int volume_devices_check(Manager *m, GVariant *devices, Error *ret_error) {
        return for_each_volume(m, devices, check_volume, NULL, ret_error);
}

static int wait_for_volume(Manager *m, GVariant *options, void *userdata, Error *ret_error) {
        StorageVolume *v = volume_of_device(m, options);
        Job *job = userdata, *holder = v ? manager_get_lock(m, &v->object) : NULL;
        StoragePool *unused;

        /* Its files are just being exchanged. */
        if (holder && holder != job &&
            (v->restore_from || v->refreshing || g_str_equal(holder->operation, VOLUME_REFRESH)))
                return job_wait_for(job, holder);
        return step_wait_for_pool(job, config_get(options, "pool"), &unused, ret_error);
}

int volume_devices_wait(Job *job, GVariant *devices, Error *ret_error) {
        return for_each_volume(job->manager, devices, wait_for_volume, job, ret_error);
}

/* --- users --- */

typedef struct Wanted {
        Job *job;
        GVariant *before;
} Wanted;

static int lock_volume(Manager *m, GVariant *options, void *userdata, Error *ret_error) {
        StorageVolume *v = volume_of_device(m, options);
        const Wanted *wanted = userdata;

        if (!v || manager_get_lock(m, &v->object) == wanted->job ||
            (wanted->before && volume_devices_have(wanted->before, v)))
                return 0;
        return job_lock(wanted->job, &v->object, ret_error);
}

int volume_devices_lock(Job *job, GVariant *before, GVariant *after, Error *ret_error) {
        Wanted wanted = { job, before };

        return for_each_volume(job->manager, after, lock_volume, &wanted, ret_error);
}

static bool device_is_of_volume(GVariant *options, const StorageVolume *v) {
        g_autofree char *name = device_is_volume(options) ? full_name(options) : NULL;

        return g_strcmp0(name, v->object.name) == 0;
}

static int is_volume(Manager *m, GVariant *options, void *userdata, Error *ret_error) {
        return device_is_of_volume(options, userdata);
}

bool volume_devices_have(GVariant *devices, const StorageVolume *v) {
        return for_each_volume(NULL, devices, is_volume, (void *) v, NULL) > 0;
}

Container *volume_find_running_user(Manager *m, const StorageVolume *v) {
        GHashTableIter iter;
        Container *c;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                g_autoptr(GVariant) config = NULL, devices = NULL;

                if (!container_is_up(c) && c->state != CONTAINER_STARTING)
                        continue;
                container_expand(m, c, &config, &devices);
                if (volume_devices_have(devices, v))
                        return c;
        }
        return NULL;
}
