/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-import-plan.h"

#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/image.h"
#include "service/model/name.h"
#include "service/operation/container-address.h"
#include "service/operation/container-ids.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"

/* The longest description and the most profiles that an archive may bring. */
#define DESCRIPTION_MAX 4096U
#define PROFILES_MAX 64U
#define VOLATILE "volatile."
#define IMAGE "image."
#define BASE_IMAGE_KEY VOLATILE "base_image"

static void snapshot_destroy(void *p) {
        (void) snapshot_free(p);
}

void import_plan_done(ImportPlan *plan) {
        g_free(plan->name);
        g_free(plan->description);
        g_free(plan->architecture);
        g_free(plan->image);
        g_free(plan->pool);
        g_strfreev(plan->profiles);
        g_clear_pointer(&plan->config, g_variant_unref);
        g_clear_pointer(&plan->devices, g_variant_unref);
        g_clear_pointer(&plan->snapshots, g_ptr_array_unref);
        g_clear_pointer(&plan->warnings, g_ptr_array_unref);
        privilege_change_done(&plan->needed);
        *plan = (ImportPlan) { 0 };
}

/* --- the fields of a container or snapshot --- */

typedef struct Fields {
        const char *name, *description, *architecture;
        GVariant *config, *devices;
        char **profiles;
        gboolean ephemeral;
        guint64 created, expires;
} Fields;

static void fields_done(Fields *fields) {
        g_clear_pointer(&fields->config, g_variant_unref);
        g_clear_pointer(&fields->devices, g_variant_unref);
        g_clear_pointer(&fields->profiles, g_strfreev);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fields, fields_done)

static void keep(GVariant **config, const char *key, const char *value) {
        g_autoptr(GVariant) old = *config, set = NULL;
        GVariantBuilder builder;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_builder_add(&builder, "{ss}", key, value);
        set = g_variant_ref_sink(g_variant_builder_end(&builder));
        *config = config_merge(old, set, NULL);
}

/* The keys with that prefix, without it; or with `prefix` NULL those that a caller may set. */
static GVariant *keys_with(GVariant *config, const char *prefix) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                bool is_own = g_str_has_prefix(key, VOLATILE) || g_str_has_prefix(key, IMAGE);

                if (prefix ? g_str_has_prefix(key, prefix) : !is_own)
                        g_variant_builder_add(&builder, "{ss}",
                                              key + (prefix ? strlen(prefix) : 0), value);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

/* What the service kept for the container ("volatile.*") is no caller's to give; what its image
 * said is kept, for what it is. */
static int read_config(GVariant *config, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) properties = keys_with(config, IMAGE), keys = keys_with(config, NULL);
        g_autoptr(GVariant) merged = NULL;
        GVariantIter iter;
        const char *key, *value;
        int r;

        r = config_check(keys, NULL, CONFIG_SCOPE_CONTAINER, ret_error);
        if (r >= 0)
                r = image_check_properties(properties, ret_error);
        if (r < 0)
                return r;
        merged = config_merge(keys, NULL, NULL);
        g_variant_iter_init(&iter, properties);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                g_autofree char *name = g_strconcat(IMAGE, key, NULL);

                keep(&merged, name, value);
        }
        *ret = TAKE_PTR(merged);
        return 0;
}

static int check_profile_names(char **profiles, Error *ret_error) {
        if (g_strv_length(profiles) > PROFILES_MAX)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The archive names more than %u profiles", PROFILES_MAX);
        for (char **name = profiles; *name; name++) {
                int r = name_check(NAME_PROFILE, *name, ret_error);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int fields_read(GVariant *dict, Fields *ret, Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        int r;

        if (!g_variant_lookup(dict, "name", "&s", &ret->name) ||
            !g_variant_lookup(dict, "description", "&s", &ret->description) ||
            !g_variant_lookup(dict, "architecture", "&s", &ret->architecture) ||
            !g_variant_lookup(dict, "config", "@a{ss}", &config) ||
            !g_variant_lookup(dict, "devices", "@a{sa{ss}}", &ret->devices) ||
            !g_variant_lookup(dict, "profiles", "^as", &ret->profiles) ||
            !g_variant_lookup(dict, "ephemeral", "b", &ret->ephemeral) ||
            !g_variant_lookup(dict, "created", "t", &ret->created) ||
            !g_variant_lookup(dict, "expires", "t", &ret->expires) ||
            strlen(ret->description) > DESCRIPTION_MAX || strlen(ret->architecture) > 32)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive's index lacks something or holds too much");
        r = read_config(config, &ret->config, ret_error);
        if (r >= 0)
                r = devices_check(ret->devices, ret_error);
        if (r >= 0)
                r = check_profile_names(ret->profiles, ret_error);
        return r;
}

/* --- what is kept of "volatile.*" --- */

static void keep_base_image(GVariant *original, ImportPlan *plan) {
        const char *image = config_get(original, BASE_IMAGE_KEY);
        bool known = image && name_is_fingerprint(image);

        plan->image = g_strdup(known ? image : "");
        if (known)
                keep(&plan->config, BASE_IMAGE_KEY, image);
}

/* The address goes with its container, unless that is still here beside its copy. */
static void keep_hwaddrs(Manager *m, GVariant *original, ImportPlan *plan) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        const char *name;
        GVariant *options;
        GVariantIter iter;

        profiles_expand(m, plan->owner, (const char *const *) plan->profiles, plan->config,
                        plan->devices, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autofree char *key = g_strdup_printf("volatile.%s.hwaddr", name);
                const char *hwaddr = config_get(original, key);
                g_autoptr(GVariant) owned = options;

                if (device_get_nictype(owned) && hwaddr && device_hwaddr_is_valid(hwaddr) &&
                    !container_address_find(m, "hwaddr", hwaddr))
                        keep(&plan->config, key, hwaddr);
        }
}

/* A nic whose options name an address that another container has gets one of its own. */
static void drop_taken_address(Manager *m, ImportPlan *plan, const char *device,
                               const char *key) {
        g_autoptr(GVariant) options = devices_get(plan->devices, device);
        const char *value = config_get(options, key);
        const Container *other = value ? container_address_find(m, key, value) : NULL;
        g_autoptr(GVariant) unset = NULL, without = NULL, over = NULL, old = NULL;
        GVariantBuilder builder;

        if (!other || !device_get_nictype(options))
                return;
        unset = g_variant_ref_sink(g_variant_new_strv(&key, 1));
        without = config_merge(options, NULL, unset);
        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_builder_add(&builder, "{s@a{ss}}", device, without);
        over = g_variant_ref_sink(g_variant_builder_end(&builder));
        old = plan->devices;
        plan->devices = devices_merge(old, over);
        g_ptr_array_add(plan->warnings,
                        g_strdup_printf("The address %s of the device \"%s\" is that of container "
                                        "\"%s\"; it gets another", value, device,
                                        other->object.name));
}

static void drop_taken_addresses(Manager *m, ImportPlan *plan) {
        static const char *const keys[] = { "hwaddr", "ipv4.address", "ipv6.address" };
        g_autoptr(GVariant) devices = g_variant_ref(plan->devices);
        GVariantIter iter;
        const char *name;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, NULL))
                for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                        drop_taken_address(m, plan, name, keys[i]);
}

/* --- the whole --- */

static int read_container(Manager *m, GVariant *dict, const char *name, const char *pool,
                          ImportPlan *plan, Error *ret_error) {
        uint64_t now = (uint64_t) g_get_real_time();
        g_autoptr(GVariant) original = NULL;
        g_auto(Fields) fields = { 0 };
        int r;

        r = fields_read(dict, &fields, ret_error);
        if (r < 0)
                return r;
        r = container_choose_name(m, *name ? name : fields.name, &plan->name, ret_error);
        if (r < 0)
                return r;
        (void) g_variant_lookup(dict, "config", "@a{ss}", &original);
        plan->renamed = !g_str_equal(plan->name, fields.name);
        plan->description = g_strdup(fields.description);
        plan->architecture = g_strdup(fields.architecture);
        plan->ephemeral = fields.ephemeral;
        plan->created = fields.created > 0 && fields.created < now ? fields.created : now;
        plan->profiles = TAKE_PTR(fields.profiles);
        plan->config = TAKE_PTR(fields.config);
        plan->devices = pool ? devices_with_pool(m, (const char *const *) plan->profiles,
                                                 fields.devices, pool)
                             : devices_merge(fields.devices, NULL);
        r = devices_check(plan->devices, ret_error);
        if (r < 0)
                return r;
        drop_taken_addresses(m, plan);
        r = container_check(m, NULL, (const char *const *) plan->profiles, plan->config,
                            plan->devices, &plan->pool, ret_error);
        if (r < 0)
                return r;
        keep_base_image(original, plan);
        keep_hwaddrs(m, original, plan);
        return 0;
}

static int read_snapshot(Manager *m, GVariant *dict, const char *pool, ImportPlan *plan,
                         Error *ret_error) {
        g_auto(Fields) fields = { 0 };
        Snapshot *s;
        int r;

        r = fields_read(dict, &fields, ret_error);
        if (r >= 0)
                r = name_check(NAME_SNAPSHOT, fields.name, ret_error);
        if (r < 0)
                return r;
        if (snapshots_find(plan->snapshots, fields.name))
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive's index has the snapshot \"%s\" twice", fields.name);
        s = snapshot_new(plan->name, fields.name, 0);
        g_ptr_array_add(plan->snapshots, s);
        s->state = SNAPSHOT_READY;
        g_free(s->description);
        s->description = g_strdup(fields.description);
        s->created = fields.created;
        s->expires = fields.expires;
        s->ephemeral = fields.ephemeral;
        g_strfreev(s->profiles);
        s->profiles = TAKE_PTR(fields.profiles);
        g_variant_unref(s->config);
        s->config = TAKE_PTR(fields.config);
        g_variant_unref(s->devices);
        s->devices = pool ? devices_with_pool(m, (const char *const *) s->profiles, fields.devices,
                                              pool)
                          : devices_merge(fields.devices, NULL);
        return 0;
}

static int read_snapshots(Manager *m, GVariant *index, const char *pool, ImportPlan *plan,
                          Error *ret_error) {
        g_autoptr(GVariant) list = g_variant_lookup_value(index, "snapshots", SNAPSHOTS_TYPE);
        int r = 0;

        if (!list || g_variant_n_children(list) > SNAPSHOTS_MAX)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive's index has no list of snapshots, or more than %u",
                                 SNAPSHOTS_MAX);
        for (gsize i = 0; r >= 0 && i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) dict = g_variant_get_child_value(list, i);

                r = read_snapshot(m, dict, pool, plan, ret_error);
        }
        return r;
}

static int check_pool(Manager *m, const char *name, Error *ret_error) {
        const StoragePool *pool = manager_find_pool(m, name);

        if (pool->state == POOL_AVAILABLE)
                return 0;
        return error_set(ret_error, ERROR_BACKEND_FAILED, "Storage pool \"%s\" is not available",
                         name);
}

int import_plan_read(Manager *m, uid_t owner, GVariant *index, const char *name, const char *pool,
                     ImportPlan *ret, Error *ret_error) {
        g_autoptr(GVariant) container = NULL, config = NULL, devices = NULL;
        g_auto(ImportPlan) plan = { .owner = owner };
        int r;

        plan.snapshots = g_ptr_array_new_with_free_func(snapshot_destroy);
        plan.warnings = g_ptr_array_new_with_free_func(g_free);
        container = g_variant_lookup_value(index, "container", G_VARIANT_TYPE_VARDICT);
        if (!container)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive's index holds no container");
        r = read_container(m, container, name, pool, &plan, ret_error);
        if (r >= 0)
                r = check_pool(m, plan.pool, ret_error);
        if (r >= 0)
                r = read_snapshots(m, index, pool, &plan, ret_error);
        if (r < 0)
                return r;
        profiles_expand(m, plan.owner, (const char *const *) plan.profiles, plan.config,
                        plan.devices, &config, &devices);
        privilege_compare(NULL, NULL, config, devices, &plan.needed);
        *ret = plan;
        plan = (ImportPlan) { 0 };
        return 0;
}

int import_plan_make_container(Manager *m, ImportPlan *plan, Container **ret, Error *ret_error) {
        g_autoptr(Container) c = container_new(plan->name, plan->owner);
        int r;

        c->state = CONTAINER_CREATING;
        c->incomplete = true;
        c->image = TAKE_PTR(plan->image);
        c->architecture = TAKE_PTR(plan->architecture);
        c->pool = TAKE_PTR(plan->pool);
        c->ephemeral = plan->ephemeral;
        c->granted = plan->needed.privilege;
        c->created = plan->created;
        g_free(c->description);
        c->description = TAKE_PTR(plan->description);
        g_strfreev(c->profiles);
        c->profiles = TAKE_PTR(plan->profiles);
        g_variant_unref(c->config);
        c->config = TAKE_PTR(plan->config);
        g_variant_unref(c->devices);
        c->devices = TAKE_PTR(plan->devices);
        r = container_choose_first_ids(m, c, ret_error);
        if (r < 0)
                return r;
        while (plan->snapshots->len > 0) {
                Snapshot *s = g_ptr_array_steal_index(plan->snapshots, 0);

                s->object.owner = plan->owner;
                g_ptr_array_add(c->snapshots, s);
        }
        *ret = TAKE_PTR(c);
        return 0;
}
