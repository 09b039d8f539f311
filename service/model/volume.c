/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/volume.h"

#include <errno.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/name.h"
#include "service/model/record.h"
#include "service/model/size.h"
#include "service/util/cleanup.h"

static const char *const states[] = {
        [STORAGE_VOLUME_CREATING] = "creating",
        [STORAGE_VOLUME_READY] = "ready",
        [STORAGE_VOLUME_DELETING] = "deleting",
};
G_STATIC_ASSERT(G_N_ELEMENTS(states) == _STORAGE_VOLUME_STATE_MAX);

const char *storage_volume_state_to_string(StorageVolumeState state) {
        return states[state];
}

static void free_snapshot(void *p) {
        (void) snapshot_free(p);
}

StorageVolume *storage_volume_new(const char *pool, const char *name, uid_t owner) {
        g_autofree char *full = g_strconcat(pool, "/", name, NULL);
        StorageVolume *v = g_new0(StorageVolume, 1);

        object_init(&v->object, OBJECT_VOLUME, full, owner);
        v->state = STORAGE_VOLUME_CREATING;
        v->description = g_strdup("");
        v->config = config_empty();
        v->snapshots = g_ptr_array_new_with_free_func(free_snapshot);
        return v;
}

StorageVolume *storage_volume_free(StorageVolume *v) {
        if (!v)
                return NULL;

        object_done(&v->object);
        g_free(v->description);
        g_variant_unref(v->config);
        g_free(v->rename_to);
        g_free(v->restore_from);
        g_ptr_array_unref(v->snapshots);
        g_free(v);
        return NULL;
}

const char *storage_volume_get_name(const StorageVolume *v) {
        return strchr(v->object.name, '/') + 1;
}

char *storage_volume_get_pool(const StorageVolume *v) {
        return g_strndup(v->object.name, strcspn(v->object.name, "/"));
}

uint64_t storage_volume_get_size(const StorageVolume *v) {
        const char *text = config_get(v->config, "size");
        uint64_t size;

        return text && size_parse(text, &size, NULL) >= 0 ? size : 0;
}

GVariant *storage_volume_to_record(const StorageVolume *v) {
        g_autoptr(GVariant) snapshots = snapshots_to_record(v->snapshots);
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        record_put_object(&dict, &v->object);
        g_variant_dict_insert(&dict, "state", "s", states[v->state]);
        g_variant_dict_insert(&dict, "description", "s", v->description);
        g_variant_dict_insert_value(&dict, "config", v->config);
        g_variant_dict_insert(&dict, "created", "t", v->created);
        g_variant_dict_insert(&dict, "rename-to", "s", v->rename_to ?: "");
        g_variant_dict_insert(&dict, "restore-from", "s", v->restore_from ?: "");
        g_variant_dict_insert(&dict, "refreshing", "b", v->refreshing);
        g_variant_dict_insert(&dict, "resizing", "b", v->resizing);
        g_variant_dict_insert_value(&dict, "snapshots", snapshots);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static void drop_empty(char **s) {
        if (!**s)
                g_clear_pointer(s, g_free);
}

int storage_volume_from_record(const char *name, GVariant *value, StorageVolume **ret) {
        g_autoptr(Record) record = record_open(value);
        g_auto(GStrv) parts = g_strsplit(name, "/", 2);
        g_autoptr(GVariant) snapshots = NULL;
        g_autoptr(StorageVolume) v = NULL;
        int state;

        if (!parts[0] || !parts[1] || name_check(NAME_POOL, parts[0], NULL) < 0 ||
            name_check(NAME_VOLUME, parts[1], NULL) < 0)
                return -EBADMSG;
        v = storage_volume_new(parts[0], parts[1], 0);
        if (record_get_object(record, &v->object) < 0 ||
            record_get_enum(record, "state", states, _STORAGE_VOLUME_STATE_MAX, &state) < 0 ||
            record_get_string(record, "description", &v->description) < 0 ||
            record_get_variant(record, "config", CONFIG_TYPE, &v->config) < 0 ||
            record_get_uint64(record, "created", &v->created) < 0 ||
            record_get_string(record, "rename-to", &v->rename_to) < 0 ||
            record_get_string(record, "restore-from", &v->restore_from) < 0 ||
            record_get_variant(record, "snapshots", SNAPSHOTS_TYPE, &snapshots) < 0 ||
            snapshots_from_record(parts[1], v->object.owner, snapshots, v->snapshots) < 0)
                return -EBADMSG;
        if (record_get_later(record, "refreshing", &v->refreshing) < 0 ||
            record_get_later(record, "resizing", &v->resizing) < 0)
                return -EBADMSG;
        v->state = (StorageVolumeState) state;
        drop_empty(&v->rename_to);
        drop_empty(&v->restore_from);
        *ret = TAKE_PTR(v);
        return 0;
}
