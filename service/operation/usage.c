/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container.h"
#include "service/operation/step.h"
#include "service/operation/volume-device.h"

static bool device_uses(GVariant *options, const Object *o) {
        if (o->kind == OBJECT_NETWORK && g_str_equal(device_get_type(options), "nic"))
                return g_strcmp0(device_get_network(options), o->name) == 0 ||
                       g_strcmp0(config_get(options, "network"), o->name) == 0;
        if (o->kind == OBJECT_POOL && g_str_equal(device_get_type(options), "disk"))
                return g_strcmp0(config_get(options, "pool"), o->name) == 0;
        return o->kind == OBJECT_VOLUME && device_is_of_volume(options, (const StorageVolume *) o);
}

/* Whether one of the devices is a nic on that network, or a disk on that pool. */
static bool devices_use(GVariant *devices, const Object *o) {
        GVariantIter iter;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_uses(owned, o))
                        return true;
        }
        return false;
}

static bool has_device(GVariant *devices, const char *name) {
        g_autoptr(GVariant) options = devices_get(devices, name);

        return options;
}

/* Whether a device of the profile is hidden by one of the container's own, or of later profiles. */
static bool is_hidden(Manager *m, const Container *c, char *const *profile, const char *device) {
        if (has_device(c->devices, device))
                return true;
        while (*++profile) {
                const Profile *later = manager_find_profile(m, *profile);

                if (later && has_device(later->devices, device))
                        return true;
        }
        return false;
}

static bool profile_lends(Manager *m, const Container *c, char *const *name, const Object *o) {
        const Profile *profile = manager_find_profile(m, *name);
        GVariantIter iter;
        const char *device;
        GVariant *options;

        if (!profile)
                return false;
        g_variant_iter_init(&iter, profile->devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &device, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_uses(owned, o) && !is_hidden(m, c, name, device))
                        return true;
        }
        return false;
}

/* What devices_use() says of the expanded devices, without making these: it is asked of every
 * container whenever one changes. */
static bool effective_devices_use(Manager *m, const Container *c, const Object *o) {
        if (devices_use(c->devices, o))
                return true;
        for (char *const *profile = c->profiles; *profile; profile++)
                if (profile_lends(m, c, profile, o))
                        return true;
        return false;
}

static bool container_uses(Manager *m, const Container *c, const Object *o) {
        switch (o->kind) {
        case OBJECT_IMAGE:
                return g_str_equal(c->image, o->name);
        case OBJECT_PROFILE:
                return g_strv_contains((const char *const *) c->profiles, o->name);
        case OBJECT_POOL:
                return g_str_equal(c->pool, o->name);
        case OBJECT_NETWORK:
        case OBJECT_VOLUME:
                return effective_devices_use(m, c, o);
        case OBJECT_CONTAINER:
        case OBJECT_SNAPSHOT:
        case OBJECT_JOB:
        case _OBJECT_KIND_MAX:
                return false;
        }
        g_assert_not_reached();
}

static void subject_clear(void *p) {
        g_free(((JobSubject *) p)->name);
}

static void add_user(GArray *users, const Object *o) {
        JobSubject subject = { o->kind, g_strdup(o->name) };

        g_array_append_val(users, subject);
}

static int compare_subjects(const void *a, const void *b) {
        const JobSubject *x = a, *y = b;

        return x->kind != y->kind ? (int) x->kind - (int) y->kind : g_strcmp0(x->name, y->name);
}

static void add_volumes(Manager *m, GArray *users, const Object *pool) {
        GHashTableIter iter;
        StorageVolume *v;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_VOLUME]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &v)) {
                g_autofree char *name = storage_volume_get_pool(v);

                if (g_str_equal(name, pool->name))
                        add_user(users, &v->object);
        }
}

GArray *usage_of(Manager *m, Object *o) {
        GArray *users = g_array_new(FALSE, FALSE, sizeof(JobSubject));
        GHashTableIter iter;
        Container *c;
        Profile *profile;

        g_array_set_clear_func(users, subject_clear);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (container_uses(m, c, o))
                        add_user(users, &c->object);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_PROFILE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &profile))
                if (devices_use(profile->devices, o))
                        add_user(users, &profile->object);
        if (o->kind == OBJECT_POOL)
                add_volumes(m, users, o);
        g_array_sort(users, compare_subjects);
        return users;
}

int usage_check_none(Manager *m, Object *o, Error *ret_error) {
        g_autoptr(GArray) users = usage_of(m, o);
        const JobSubject *first = users->len > 0 ? &g_array_index(users, JobSubject, 0) : NULL;

        if (!first)
                return 0;
        return error_set(ret_error, ERROR_IN_USE, "The %s \"%s\" is used by the %s \"%s\"%s",
                         object_kind_to_noun(o->kind), o->name, object_kind_to_noun(first->kind),
                         first->name, users->len > 1 ? " and others" : "");
}

static void all_changed(Manager *m, ObjectKind kind) {
        GHashTableIter iter;
        Object *o;

        g_hash_table_iter_init(&iter, m->objects[kind]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &o))
                manager_changed(m, o);
}

void usage_changed(Manager *m, const Container *c) {
        Object *o = manager_find(m, OBJECT_IMAGE, c->image);

        if (o)
                manager_changed(m, o);
        usage_changed_all(m);
}

/* There are few of these, and their signals are merged into one each. */
void usage_changed_all(Manager *m) {
        all_changed(m, OBJECT_PROFILE);
        all_changed(m, OBJECT_NETWORK);
        all_changed(m, OBJECT_POOL);
        all_changed(m, OBJECT_VOLUME);
}
