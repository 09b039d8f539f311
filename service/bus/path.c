/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/path.h"

#include <string.h>
#include <systemd/sd-bus.h>

static const char *const prefixes[] = {
        [OBJECT_CONTAINER] = BUS_ROOT "/container", [OBJECT_IMAGE] = BUS_ROOT "/image",
        [OBJECT_PROFILE] = BUS_ROOT "/profile",     [OBJECT_NETWORK] = BUS_ROOT "/network",
        [OBJECT_POOL] = BUS_ROOT "/pool",           [OBJECT_JOB] = BUS_ROOT "/job",
        [OBJECT_SNAPSHOT] = BUS_ROOT "/container", /* below its container */
        [OBJECT_VOLUME] = BUS_ROOT "/pool",        /* below its pool */
};
G_STATIC_ASSERT(G_N_ELEMENTS(prefixes) == _OBJECT_KIND_MAX);

const char *bus_path_prefix(ObjectKind kind) {
        return prefixes[kind];
}

/* Objects below others: their names are PARENT/NAME. */
typedef struct Nesting {
        ObjectKind kind;
        const char *word; /* between the two names */
        const char *path;
} Nesting;

static const Nesting nestings[] = {
        { OBJECT_SNAPSHOT, "/snapshot/", BUS_ROOT "/container/%/snapshot/%" },
        { OBJECT_VOLUME, "/volume/", BUS_ROOT "/pool/%/volume/%" },
};

static const Nesting *find_nesting(ObjectKind kind) {
        for (size_t i = 0; i < G_N_ELEMENTS(nestings); i++)
                if (nestings[i].kind == kind)
                        return &nestings[i];
        return NULL;
}

static int nested_path(const Nesting *nesting, const char *name, char **ret) {
        g_auto(GStrv) parts = g_strsplit(name, "/", 2);

        return sd_bus_path_encode_many(ret, nesting->path, parts[0], parts[1]);
}

static Object *find_nested(Manager *m, const Nesting *nesting, const char *path) {
        g_autofree char *parent = NULL, *last = NULL, *name = NULL;
        Object *o;

        if (sd_bus_path_decode_many(path, nesting->path, &parent, &last) <= 0)
                return NULL;
        name = g_strconcat(parent, "/", last, NULL);
        o = manager_find(m, nesting->kind, name);
        return o && bus_shows(o) ? o : NULL;
}

bool bus_shows(const Object *o) {
        return o->kind != OBJECT_SNAPSHOT || !snapshot_is_stand_in((const Snapshot *) o);
}

char *bus_path_of(ObjectKind kind, const char *name) {
        const Nesting *nesting = find_nesting(kind);
        char *path = NULL;
        int r = nesting ? nested_path(nesting, name, &path)
                        : sd_bus_path_encode(prefixes[kind], name, &path);

        g_assert(r >= 0); /* only for lack of memory, or a prefix that is no path */
        return path;
}

Object *bus_path_find(Manager *m, const char *path) {
        for (size_t i = 0; i < G_N_ELEMENTS(nestings); i++)
                if (strstr(path, nestings[i].word))
                        return find_nested(m, &nestings[i], path);
        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                g_autofree char *name = NULL;

                if (!find_nesting(kind) && sd_bus_path_decode(path, prefixes[kind], &name) > 0)
                        return manager_find(m, kind, name);
        }
        return NULL;
}

GVariant *bus_paths_of(GArray *subjects) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_OBJECT_PATH_ARRAY);
        for (guint i = 0; i < subjects->len; i++) {
                const JobSubject *subject = &g_array_index(subjects, JobSubject, i);
                g_autofree char *path = bus_path_of(subject->kind, subject->name);

                g_variant_builder_add(&builder, "o", path);
        }
        return g_variant_builder_end(&builder);
}
