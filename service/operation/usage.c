/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/usage.h"

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/volume-device.h"

/* What is met on the way through all of a kind that somebody uses. */
typedef struct Search {
        Manager *manager;
        ObjectKind kind;
        const Object *wanted; /* whether it is met, or NULL: */
        GHashTable *all;      /* everything that is met */
        bool found;
} Search;

static void search_meet(Search *s, const char *name) {
        Object *o;

        if (!name)
                return;
        if (s->wanted) {
                s->found = s->found || g_str_equal(name, s->wanted->name);
                return;
        }
        o = manager_find(s->manager, s->kind, name);
        if (o)
                g_hash_table_add(s->all, o);
}

static void search_device(Search *s, GVariant *options) {
        const char *type = device_get_type(options);
        const StorageVolume *v;

        if (s->kind == OBJECT_NETWORK && g_str_equal(type, "nic")) {
                search_meet(s, device_get_network(options));
                search_meet(s, config_get(options, "network"));
        } else if (s->kind == OBJECT_POOL && g_str_equal(type, "disk")) {
                search_meet(s, config_get(options, "pool"));
        } else if (s->kind == OBJECT_VOLUME) {
                v = volume_of_device(s->manager, options);
                search_meet(s, v ? v->object.name : NULL);
        }
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

/* All devices; of a container's profile (`of`, with its place in the container's list) those that
 * nothing hides. */
static void search_devices(Search *s, GVariant *devices, const Container *of, char *const *place) {
        GVariantIter iter;
        const char *device;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &device, &options)) {
                g_autoptr(GVariant) owned = options;

                if (!of || !is_hidden(s->manager, of, place, device))
                        search_device(s, owned);
        }
}

/* Those of the expanded devices, without making these: it is asked of every container whenever
 * somebody reads who uses a network. */
static void search_effective_devices(Search *s, const Container *c) {
        search_devices(s, c->devices, NULL, NULL);
        for (char *const *name = c->profiles; *name; name++) {
                const Profile *profile = manager_find_profile(s->manager, *name);

                if (profile)
                        search_devices(s, profile->devices, c, name);
        }
}

static void search_container(Search *s, const Container *c) {
        switch (s->kind) {
        case OBJECT_IMAGE:
                search_meet(s, c->image);
                return;
        case OBJECT_PROFILE:
                for (char *const *name = c->profiles; *name; name++)
                        search_meet(s, *name);
                return;
        case OBJECT_POOL:
                search_meet(s, c->pool);
                return;
        case OBJECT_NETWORK:
        case OBJECT_VOLUME:
                search_effective_devices(s, c);
                return;
        case OBJECT_CONTAINER:
        case OBJECT_SNAPSHOT:
        case OBJECT_JOB:
        case _OBJECT_KIND_MAX:
                return;
        }
        g_assert_not_reached();
}

static void search_user(Search *s, const Object *user) {
        if (user->kind == OBJECT_CONTAINER) {
                search_container(s, (const Container *) user);
        } else if (user->kind == OBJECT_PROFILE) {
                search_devices(s, ((const Profile *) user)->devices, NULL, NULL);
        } else if (user->kind == OBJECT_VOLUME && s->kind == OBJECT_POOL) {
                g_autofree char *pool = storage_volume_get_pool((const StorageVolume *) user);

                search_meet(s, pool);
        }
}

/* --- users --- */

static const ObjectKind user_kinds[] = { OBJECT_CONTAINER, OBJECT_PROFILE, OBJECT_VOLUME };

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
        const Object *user;

        g_array_set_clear_func(users, subject_clear);
        for (size_t i = 0; i < G_N_ELEMENTS(user_kinds); i++) {
                g_hash_table_iter_init(&iter, m->objects[user_kinds[i]]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &user)) {
                        Search search = { .manager = m, .kind = o->kind, .wanted = o };

                        search_user(&search, user);
                        if (search.found)
                                add_user(users, user);
                }
        }
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

/* --- what they use --- */

/* A set of Object. */
static GHashTable *used_by(Manager *m, const Object *user) {
        GHashTable *used = g_hash_table_new(NULL, NULL);

        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                Search search = { .manager = m, .kind = kind, .all = used };

                search_user(&search, user);
        }
        return used;
}

/* What is in `set`, and not in `other`, if there is one. */
static void changed_without(Manager *m, GHashTable *set, GHashTable *other) {
        GHashTableIter iter;
        Object *o;

        g_hash_table_iter_init(&iter, set);
        while (g_hash_table_iter_next(&iter, (void **) &o, NULL))
                if (!other || !g_hash_table_contains(other, o))
                        manager_announce(m, o);
}

void usage_changed(Manager *m, const Object *user) {
        g_autoptr(GHashTable) used = used_by(m, user);

        changed_without(m, used, NULL);
}

struct UsageNote {
        Manager *manager;
        GHashTable *used; /* Object -> set of Object that it used */
};

UsageNote *usage_note(Manager *m, const Object *user) {
        UsageNote *note = g_new0(UsageNote, 1);
        GHashTableIter iter;
        Container *c;

        note->manager = m;
        note->used = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify) g_hash_table_unref);
        g_hash_table_insert(note->used, (void *) user, used_by(m, user));
        if (user->kind != OBJECT_PROFILE)
                return note;
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (g_strv_contains((const char *const *) c->profiles, user->name))
                        g_hash_table_insert(note->used, c, used_by(m, &c->object));
        return note;
}

void usage_note_tell(const UsageNote *note) {
        GHashTableIter iter;
        const Object *user;
        GHashTable *before;

        g_hash_table_iter_init(&iter, note->used);
        while (g_hash_table_iter_next(&iter, (void **) &user, (void **) &before)) {
                g_autoptr(GHashTable) now = used_by(note->manager, user);

                changed_without(note->manager, before, now);
                changed_without(note->manager, now, before);
        }
}

UsageNote *usage_note_free(UsageNote *note) {
        if (!note)
                return NULL;

        g_hash_table_unref(note->used);
        g_free(note);
        return NULL;
}
