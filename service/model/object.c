/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/object.h"

#include "service/util/error.h"

typedef struct KindInfo {
        const char *noun;
        const char *directory;
        ErrorCode missing;
} KindInfo;

static const KindInfo kinds[] = {
        [OBJECT_CONTAINER] = { "container", "containers", ERROR_NO_SUCH_CONTAINER },
        [OBJECT_IMAGE] = { "image", "images", ERROR_NO_SUCH_IMAGE },
        [OBJECT_PROFILE] = { "profile", "profiles", ERROR_NO_SUCH_PROFILE },
        [OBJECT_NETWORK] = { "network", "networks", ERROR_NO_SUCH_NETWORK },
        [OBJECT_POOL] = { "storage pool", "pools", ERROR_NO_SUCH_POOL },
        [OBJECT_VOLUME] = { "volume", "volumes", ERROR_NO_SUCH_VOLUME },
        [OBJECT_SNAPSHOT] = { "snapshot", NULL, ERROR_NO_SUCH_SNAPSHOT },
        [OBJECT_JOB] = { "job", NULL, ERROR_FAILED },
};
G_STATIC_ASSERT(G_N_ELEMENTS(kinds) == _OBJECT_KIND_MAX);

const char *object_kind_to_noun(ObjectKind kind) {
        return kinds[kind].noun;
}

const char *object_kind_to_directory(ObjectKind kind) {
        return kinds[kind].directory;
}

int object_error_missing(ObjectKind kind) {
        return (int) kinds[kind].missing;
}

char *object_name_to_record(ObjectKind kind, const char *name) {
        return kind == OBJECT_VOLUME ? g_strdelimit(g_strdup(name), "/", ':') : g_strdup(name);
}

char *object_name_from_record(ObjectKind kind, const char *file) {
        return kind == OBJECT_VOLUME ? g_strdelimit(g_strdup(file), ":", '/') : g_strdup(file);
}

void object_init(Object *o, ObjectKind kind, const char *name, uid_t owner) {
        static uint64_t last_generation;

        *o = (Object) {
                .kind = kind,
                .name = g_strdup(name),
                .generation = ++last_generation,
                .owner = owner,
                .revision = 1,
        };
}

void object_done(Object *o) {
        g_clear_pointer(&o->name, g_free);
}
