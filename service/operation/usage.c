/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container.h"
#include "service/operation/step.h"

/* Whether one of the devices is a nic on that network, or a disk on that pool. */
static bool devices_use(GVariant *devices, const Object *o) {
        GVariantIter iter;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                g_autoptr(GVariant) owned = options;

                if (o->kind == OBJECT_NETWORK && g_str_equal(device_get_type(owned), "nic") &&
                    (g_strcmp0(device_get_network(owned), o->name) == 0 ||
                     g_strcmp0(config_get(owned, "network"), o->name) == 0))
                        return true;
                if (o->kind == OBJECT_POOL && g_str_equal(device_get_type(owned), "disk") &&
                    g_strcmp0(config_get(owned, "pool"), o->name) == 0)
                        return true;
        }
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
        case OBJECT_NETWORK: {
                g_autoptr(GVariant) config = NULL, devices = NULL;

                container_expand(m, c, &config, &devices);
                return devices_use(devices, o);
        }
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
}
