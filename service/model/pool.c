/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/pool.h"

#include "service/model/config.h"
#include "service/model/record.h"

static const char *const states[] = {
        [POOL_CREATING] = "creating",
        [POOL_UNAVAILABLE] = "unavailable",
        [POOL_AVAILABLE] = "available",
        [POOL_DELETING] = "deleting",
};
G_STATIC_ASSERT(G_N_ELEMENTS(states) == _POOL_STATE_MAX);

const char *storage_pool_state_to_string(PoolState state) {
        return states[state];
}

StoragePool *storage_pool_new(const char *name, uid_t owner) {
        StoragePool *pool = g_new0(StoragePool, 1);

        object_init(&pool->object, OBJECT_POOL, name, owner);
        pool->description = g_strdup("");
        pool->driver = g_strdup("");
        pool->source = g_strdup("");
        pool->config = config_empty();
        return pool;
}

StoragePool *storage_pool_free(StoragePool *pool) {
        if (!pool)
                return NULL;

        object_done(&pool->object);
        g_free(pool->description);
        g_free(pool->driver);
        g_free(pool->source);
        g_free(pool->problem);
        g_variant_unref(pool->config);
        g_free(pool);
        return NULL;
}

GVariant *storage_pool_to_record(const StoragePool *pool) {
        GVariantDict dict;
        PoolState state = pool->state;

        if (state != POOL_CREATING && state != POOL_DELETING)
                state = POOL_UNAVAILABLE;
        g_variant_dict_init(&dict, NULL);
        record_put_object(&dict, &pool->object);
        g_variant_dict_insert(&dict, "state", "s", states[state]);
        g_variant_dict_insert(&dict, "description", "s", pool->description);
        g_variant_dict_insert(&dict, "driver", "s", pool->driver);
        g_variant_dict_insert(&dict, "source", "s", pool->source);
        g_variant_dict_insert_value(&dict, "config", pool->config);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

int storage_pool_from_record(const char *name, GVariant *value, StoragePool **ret) {
        g_autoptr(Record) record = record_open(value);
        g_autoptr(StoragePool) pool = storage_pool_new(name, 0);
        int state;

        if (record_get_object(record, &pool->object) < 0 ||
            record_get_enum(record, "state", states, _POOL_STATE_MAX, &state) < 0 ||
            record_get_string(record, "description", &pool->description) < 0 ||
            record_get_string(record, "driver", &pool->driver) < 0 ||
            record_get_string(record, "source", &pool->source) < 0 ||
            record_get_variant(record, "config", CONFIG_TYPE, &pool->config) < 0)
                return -EBADMSG;
        pool->state = (PoolState) state;
        *ret = g_steal_pointer(&pool);
        return 0;
}

int storage_pool_unavailable(const StoragePool *pool, Error *ret_error) {
        if (pool->state == POOL_UNAVAILABLE && pool->problem)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Storage pool \"%s\" is not available: %s", pool->object.name,
                                 pool->problem);
        return error_set(ret_error, ERROR_BACKEND_FAILED, "Storage pool \"%s\" (%s) is %s",
                         pool->object.name, pool->source, states[pool->state]);
}

int storage_pool_check_driver(const char *driver, Error *ret_error) {
        static const char *const drivers[] = { "btrfs", "dir", "lvm", NULL };

        if (g_strv_contains(drivers, driver))
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "There is no storage driver \"%.32s\": use \"dir\", \"btrfs\" or \"lvm\"",
                         driver);
}

static int check_lvm_keys(GVariant *config, Error *ret_error) {
        GVariantIter iter;
        const char *key;

        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                if (g_str_has_prefix(key, "lvm.") || g_str_has_prefix(key, "volume.block."))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "\"%s\" is for storage pools of driver lvm", key);
        return 0;
}

int storage_pool_check_config(const char *driver, const char *source, GVariant *config,
                              Error *ret_error) {
        bool is_lvm = g_str_equal(driver, "lvm");

        if (config_get(config, "size") && (g_str_equal(driver, "dir") || *source))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"size\" is for a btrfs or lvm pool in a loop file of its own");
        if (!is_lvm && *source && *source != '/')
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The source \"%s\" is not an absolute path", source);
        if (is_lvm && *source == '/' && !g_str_has_prefix(source, "/dev/"))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The source \"%s\" is neither a block device (/dev/...) nor the "
                                 "name of a volume group", source);
        return is_lvm ? 0 : check_lvm_keys(config, ret_error);
}

bool storage_pool_takes_pictures(const StoragePool *pool) {
        return !g_str_equal(pool->driver, "dir");
}

bool storage_pool_has_file(const StoragePool *pool) {
        return !g_str_equal(pool->driver, "dir") && !config_get(pool->config, "source");
}
