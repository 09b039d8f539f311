/* SPDX-License-Identifier: Apache-2.0 */
#include "client/object.h"

#include <string.h>

#include <systemd/sd-bus.h>

#include "client/format.h"
#include "service/util/cleanup.h"

typedef struct KindInfo {
        const char *word;
        const char *noun;
        const char *interface;
        ErrorCode missing;
} KindInfo;

static const KindInfo kinds[] = {
        [OBJECT_MANAGER] = { "manager", "Manager", BERTH_MANAGER_INTERFACE, ERROR_FAILED },
        [OBJECT_CONTAINER] = { "container", "Container", "org.berth1.Container",
                               ERROR_NO_SUCH_CONTAINER },
        [OBJECT_SNAPSHOT] = { "snapshot", "Snapshot", "org.berth1.Snapshot",
                              ERROR_NO_SUCH_SNAPSHOT },
        [OBJECT_IMAGE] = { "image", "Image", "org.berth1.Image", ERROR_NO_SUCH_IMAGE },
        [OBJECT_PROFILE] = { "profile", "Profile", "org.berth1.Profile", ERROR_NO_SUCH_PROFILE },
        [OBJECT_NETWORK] = { "network", "Network", "org.berth1.Network", ERROR_NO_SUCH_NETWORK },
        [OBJECT_POOL] = { "pool", "Storage pool", "org.berth1.StoragePool", ERROR_NO_SUCH_POOL },
        [OBJECT_VOLUME] = { "volume", "Volume", "org.berth1.Volume", ERROR_NO_SUCH_VOLUME },
        [OBJECT_JOB] = { "job", "Job", "org.berth1.Job", ERROR_NO_SUCH_JOB },
};
G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == _OBJECT_KIND_MAX);

const char *object_kind_to_word(ObjectKind kind) {
        g_assert(kind >= 0 && kind < _OBJECT_KIND_MAX);
        return kinds[kind].word;
}

ObjectKind object_kind_from_word(const char *word) {
        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
                if (g_str_equal(kinds[i].word, word))
                        return i;
        return _OBJECT_KIND_INVALID;
}

const char *object_kind_to_noun(ObjectKind kind) {
        g_assert(kind >= 0 && kind < _OBJECT_KIND_MAX);
        return kinds[kind].noun;
}

const char *object_kind_to_interface(ObjectKind kind) {
        g_assert(kind >= 0 && kind < _OBJECT_KIND_MAX);
        return kinds[kind].interface;
}

ObjectKind object_kind_from_interface(const char *interface) {
        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
                if (g_str_equal(kinds[i].interface, interface))
                        return i;
        return _OBJECT_KIND_INVALID;
}

ErrorCode object_kind_to_error(ObjectKind kind) {
        g_assert(kind >= 0 && kind < _OBJECT_KIND_MAX);
        return kinds[kind].missing;
}

char *object_make_path(ObjectKind kind, const char *name) {
        g_autofree char *prefix = NULL;
        char *encoded = NULL, *path;

        g_assert(kind >= 0 && kind < _OBJECT_KIND_MAX);
        if (kind == OBJECT_MANAGER)
                return g_strdup(BERTH_ROOT_PATH);
        if (kind == OBJECT_SNAPSHOT || kind == OBJECT_VOLUME) {
                g_auto(GStrv) parts = g_strsplit(name, "/", 2);
                const char *form = kind == OBJECT_VOLUME
                                           ? BERTH_ROOT_PATH "/pool/%/volume/%"
                                           : BERTH_ROOT_PATH "/container/%/snapshot/%";

                if (sd_bus_path_encode_many(&encoded, form, parts[0], parts[1]) < 0)
                        g_error("Out of memory");
                path = g_strdup(encoded);
                free(encoded);
                return path;
        }

        prefix = g_strconcat(BERTH_ROOT_PATH "/", kinds[kind].word, NULL);
        if (sd_bus_path_encode(prefix, name, &encoded) < 0)
                g_error("Out of memory"); /* the one way for it to fail with a valid prefix */
        path = g_strdup(encoded);
        free(encoded);
        return path;
}

bool object_parse_path(const char *path, ObjectKind *ret_kind, char **ret_name) {
        static const char root[] = BERTH_ROOT_PATH "/";
        g_auto(GStrv) parts = NULL;
        g_autofree char *prefix = NULL;
        ObjectKind kind;
        char *decoded = NULL;
        const char *slash;
        int r;

        if (!g_str_has_prefix(path, root))
                return false;
        parts = g_strsplit(path + strlen(root), "/", -1);
        if (g_strv_length(parts) == 4 && g_str_equal(parts[2], "snapshot"))
                kind = OBJECT_SNAPSHOT;
        else if (g_strv_length(parts) == 4 && g_str_equal(parts[2], "volume"))
                kind = OBJECT_VOLUME;
        else if (g_strv_length(parts) == 2)
                kind = object_kind_from_word(parts[0]);
        else
                return false;
        if (kind < 0)
                return false;

        slash = strrchr(path, '/');
        prefix = g_strndup(path, slash - path);
        r = sd_bus_path_decode(path, prefix, &decoded);
        if (r <= 0)
                return false;
        if (ret_kind)
                *ret_kind = kind;
        if (ret_name)
                *ret_name = g_strdup(decoded);
        free(decoded);
        return true;
}

GPtrArray *object_names(GVariant *paths) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; paths && i < g_variant_n_children(paths); i++) {
                const char *path;
                char *name;

                g_variant_get_child(paths, i, "&o", &path);
                if (object_parse_path(path, NULL, &name))
                        g_ptr_array_add(names, name);
        }
        format_sort(names);
        return g_steal_pointer(&names);
}

void object_free(Object *o) {
        if (!o)
                return;

        g_free(o->path);
        g_free(o->name);
        g_clear_pointer(&o->properties, g_variant_unref);
        g_free(o);
}

const char *object_get_string(const Object *o, const char *property) {
        const char *s = "";

        (void) g_variant_lookup(o->properties, property, "&s", &s);
        return s;
}

uint64_t object_get_number(const Object *o, const char *property) {
        g_autoptr(GVariant) v = g_variant_lookup_value(o->properties, property, NULL);

        if (!v)
                return 0;
        if (g_variant_is_of_type(v, G_VARIANT_TYPE_UINT64))
                return g_variant_get_uint64(v);
        if (g_variant_is_of_type(v, G_VARIANT_TYPE_UINT32))
                return g_variant_get_uint32(v);
        return 0;
}

double object_get_double(const Object *o, const char *property) {
        double d = 0;

        (void) g_variant_lookup(o->properties, property, "d", &d);
        return d;
}

bool object_get_boolean(const Object *o, const char *property) {
        gboolean b = FALSE;

        (void) g_variant_lookup(o->properties, property, "b", &b);
        return b;
}

GVariant *object_get_value(const Object *o, const char *property, const char *type) {
        return g_variant_lookup_value(o->properties, property, G_VARIANT_TYPE(type));
}
