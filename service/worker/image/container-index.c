/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/container-index.h"

#include <stdint.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/worker/image/architecture.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/text.h"
#include "service/worker/image/yaml-document.h"
#include "service/worker/image/yaml-writer.h"

const ArchiveLayout archive_of_container = {
        .family = &volume_family_container,
        .noun = "container",
        .type = "container",
        .directory = "backup/container",
        .snapshots = "backup/snapshots",
        .key = "container",
        .other_key = "instance",
        .snapshots_key = "snapshots",
};

const ArchiveLayout archive_of_volume = {
        .family = &volume_family_custom,
        .noun = "volume",
        .type = "custom",
        .directory = "backup/volume",
        .snapshots = "backup/volume-snapshots",
        .key = "volume",
        .other_key = "volume",
        .snapshots_key = "volume_snapshots",
        .plain = true,
};

const ArchiveLayout archive_of_state = {
        .family = &volume_family_state,
        .noun = "state",
        .type = "berth-state",
        .directory = "backup/state",
        .snapshots = "backup/state-snapshots",
        .key = "state",
        .other_key = "state",
        .snapshots_key = "state_snapshots",
        .plain = true,
};

/* --- Writing ----------------------------------------------------------------------------- */

static void put_text(YamlWriter *w, GVariant *instance, const char *key) {
        const char *text = "";

        (void) g_variant_lookup(instance, key, "&s", &text);
        yaml_put_string(w, key);
        yaml_put_string(w, text);
}

static void put_time(YamlWriter *w, GVariant *instance, const char *key, const char *name) {
        guint64 usec = 0;

        (void) g_variant_lookup(instance, key, "t", &usec);
        yaml_put_string(w, name);
        yaml_put_time(w, usec);
}

static void put_config(YamlWriter *w, GVariant *instance, const char *key) {
        g_autoptr(GVariant) config = g_variant_lookup_value(instance, key,
                                                            G_VARIANT_TYPE("a{ss}"));

        if (!config)
                return;
        yaml_put_string(w, key);
        yaml_put_map(w, config);
}

static void put_devices(YamlWriter *w, GVariant *instance, const char *key) {
        g_autoptr(GVariant) devices = g_variant_lookup_value(instance, key,
                                                             G_VARIANT_TYPE("a{sa{ss}}"));
        GVariantIter iter;
        GVariant *options;
        const char *name;

        if (!devices)
                return;
        yaml_put_string(w, key);
        yaml_begin_map(w);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                yaml_put_string(w, name);
                yaml_put_map(w, options);
                g_variant_unref(options);
        }
        yaml_end_map(w);
}

static void put_volume(YamlWriter *w, GVariant *volume) {
        yaml_begin_map(w);
        put_text(w, volume, "name");
        put_text(w, volume, "description");
        put_config(w, volume, "config");
        put_time(w, volume, "created", "created_at");
        put_time(w, volume, "expires", "expires_at");
        yaml_put_string(w, "type");
        yaml_put_string(w, "custom");
        yaml_put_string(w, "content_type");
        yaml_put_string(w, "filesystem");
        yaml_end_map(w);
}

static void put_instance(YamlWriter *w, GVariant *instance) {
        g_autoptr(GVariant) profiles = g_variant_lookup_value(instance, "profiles",
                                                              G_VARIANT_TYPE_STRING_ARRAY);
        gboolean ephemeral = FALSE;

        (void) g_variant_lookup(instance, "ephemeral", "b", &ephemeral);
        yaml_begin_map(w);
        put_text(w, instance, "name");
        put_text(w, instance, "architecture");
        put_text(w, instance, "description");
        put_config(w, instance, "config");
        put_devices(w, instance, "devices");
        put_config(w, instance, "expanded_config");
        put_devices(w, instance, "expanded_devices");
        put_time(w, instance, "created", "created_at");
        put_time(w, instance, "expires", "expires_at");
        yaml_put_string(w, "ephemeral");
        yaml_put_boolean(w, ephemeral);
        yaml_put_string(w, "profiles");
        yaml_put_words(w, profiles);
        yaml_put_string(w, "stateful");
        yaml_put_boolean(w, false);
        yaml_put_string(w, "type");
        yaml_put_string(w, "container");
        yaml_end_map(w);
}

static void put_head(YamlWriter *w, const ArchiveLayout *layout, GVariant *container,
                     GVariant *snapshots) {
        static const char *const flags[] = { "optimized", "optimized_header" };

        put_text(w, container, "name");
        put_text(w, container, "pool");
        put_text(w, container, "backend");
        yaml_put_string(w, "type");
        yaml_put_string(w, layout->type);
        for (size_t i = 0; i < ELEMENTSOF(flags); i++) {
                yaml_put_string(w, flags[i]);
                yaml_put_boolean(w, false);
        }
        yaml_put_string(w, "snapshots");
        yaml_begin_list(w);
        for (gsize i = 0; i < g_variant_n_children(snapshots); i++) {
                g_autoptr(GVariant) snapshot = g_variant_get_child_value(snapshots, i);
                const char *name = "";

                (void) g_variant_lookup(snapshot, "name", "&s", &name);
                yaml_put_string(w, name);
        }
        yaml_end_list(w);
}

int container_index_write(const ArchiveLayout *layout, GVariant *container, GVariant *snapshots,
                          GBytes **ret, Error *ret_error) {
        void (*put)(YamlWriter *, GVariant *) = layout->plain ? put_volume : put_instance;
        g_autoptr(YamlWriter) w = yaml_writer_new();

        yaml_begin_map(w);
        put_head(w, layout, container, snapshots);
        yaml_put_string(w, "config");
        yaml_begin_map(w);
        yaml_put_string(w, layout->key);
        put(w, container);
        yaml_put_string(w, layout->snapshots_key);
        yaml_begin_list(w);
        for (gsize i = 0; i < g_variant_n_children(snapshots); i++) {
                g_autoptr(GVariant) snapshot = g_variant_get_child_value(snapshots, i);

                put(w, snapshot);
        }
        yaml_end_list(w);
        yaml_end_map(w);
        yaml_end_map(w);
        return yaml_writer_finish(w, CONTAINER_INDEX_NAME, ret, ret_error);
}

/* --- Reading ----------------------------------------------------------------------------- */

static int invalid(Error *ret_error, const char *key, const char *why) {
        g_autofree char *shown = text_for_message(key);

        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         CONTAINER_INDEX_NAME " is not acceptable: \"%s\" %s", shown, why);
}

static bool node_is_null(const YamlNode *node) {
        return !node || (node->kind == YAML_SCALAR && !node->is_quoted &&
                         (g_str_equal(node->text, "") || g_str_equal(node->text, "~") ||
                          g_str_equal(node->text, "null")));
}

/* Text, "" where there is none. */
static int get_text(const YamlNode *map, const char *key, const char **ret, Error *ret_error) {
        const YamlNode *node = yaml_node_get(map, key);

        if (node_is_null(node)) {
                *ret = "";
                return 0;
        }
        if (node->kind != YAML_SCALAR)
                return invalid(ret_error, key, "is not text");
        *ret = node->text;
        return 0;
}

static int get_boolean(const YamlNode *map, const char *key, bool *ret, Error *ret_error) {
        const char *text = "";
        int r = get_text(map, key, &text, ret_error);

        if (r < 0)
                return r;
        if (*text && !g_str_equal(text, "true") && !g_str_equal(text, "false"))
                return invalid(ret_error, key, "is neither true nor false");
        *ret = g_str_equal(text, "true");
        return 0;
}

static int get_time(const YamlNode *map, const char *key, uint64_t *ret, Error *ret_error) {
        g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
        g_autoptr(GDateTime) time = NULL;
        const char *text = "";
        int r = get_text(map, key, &text, ret_error);

        if (r < 0)
                return r;
        *ret = 0;
        if (!*text)
                return 0;
        time = g_date_time_new_from_iso8601(text, utc);
        if (!time || g_date_time_get_year(time) > 9999)
                return invalid(ret_error, key, "is not a time");
        if (g_date_time_to_unix(time) > 0)
                *ret = (uint64_t) g_date_time_to_unix(time) * G_USEC_PER_SEC +
                       (uint64_t) g_date_time_get_microsecond(time);
        return 0;
}

static int parse_map(const YamlNode *node, const char *what, GVariantBuilder *builder,
                     Error *ret_error) {
        if (node_is_null(node))
                return 0;
        if (node->kind != YAML_MAPPING)
                return invalid(ret_error, what, "is not a map");
        for (size_t i = 0; i < node->keys->len; i++) {
                const YamlNode *value = node->items->pdata[i];

                if (value->kind != YAML_SCALAR)
                        return invalid(ret_error, node->keys->pdata[i], "is not text");
                g_variant_builder_add(builder, "{ss}", node->keys->pdata[i],
                                      node_is_null(value) ? "" : value->text);
        }
        return 0;
}

static int add_config(const YamlNode *map, GVariantDict *dict, Error *ret_error) {
        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{ss}"));
        int r = parse_map(yaml_node_get(map, "config"), "config", &builder, ret_error);

        if (r >= 0)
                g_variant_dict_insert_value(dict, "config", g_variant_builder_end(&builder));
        return r;
}

static int add_devices(const YamlNode *map, GVariantDict *dict, Error *ret_error) {
        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("a{sa{ss}}"));
        const YamlNode *node = yaml_node_get(map, "devices");

        if (!node_is_null(node) && node->kind != YAML_MAPPING)
                return invalid(ret_error, "devices", "is not a map");
        for (size_t i = 0; !node_is_null(node) && i < node->keys->len; i++) {
                const char *name = node->keys->pdata[i];
                int r;

                g_variant_builder_open(&builder, G_VARIANT_TYPE("{sa{ss}}"));
                g_variant_builder_add(&builder, "s", name);
                g_variant_builder_open(&builder, G_VARIANT_TYPE("a{ss}"));
                r = parse_map(node->items->pdata[i], name, &builder, ret_error);
                if (r < 0)
                        return r;
                g_variant_builder_close(&builder);
                g_variant_builder_close(&builder);
        }
        g_variant_dict_insert_value(dict, "devices", g_variant_builder_end(&builder));
        return 0;
}

static int parse_words(const YamlNode *node, const char *what, GPtrArray *words,
                       Error *ret_error) {
        if (node_is_null(node))
                return 0;
        if (node->kind != YAML_SEQUENCE)
                return invalid(ret_error, what, "is not a list");
        for (size_t i = 0; i < node->items->len; i++) {
                const YamlNode *item = node->items->pdata[i];

                if (item->kind != YAML_SCALAR)
                        return invalid(ret_error, what, "is not a list of names");
                g_ptr_array_add(words, item->text);
        }
        return 0;
}

static int add_profiles(const YamlNode *map, GVariantDict *dict, Error *ret_error) {
        g_autoptr(GPtrArray) words = g_ptr_array_new();
        int r = parse_words(yaml_node_get(map, "profiles"), "profiles", words, ret_error);

        if (r >= 0)
                g_variant_dict_insert_value(
                        dict, "profiles",
                        g_variant_new_strv((const char *const *) words->pdata, words->len));
        return r;
}

static int add_facts(const YamlNode *map, GVariantDict *dict, Error *ret_error) {
        const char *name = "", *description = "", *architecture = "", *known;
        uint64_t created = 0, expires = 0;
        bool ephemeral = false;
        int r;

        r = get_text(map, "name", &name, ret_error);
        if (r >= 0)
                r = get_text(map, "description", &description, ret_error);
        if (r >= 0)
                r = get_text(map, "architecture", &architecture, ret_error);
        if (r >= 0)
                r = get_boolean(map, "ephemeral", &ephemeral, ret_error);
        if (r >= 0)
                r = get_time(map, "created_at", &created, ret_error);
        if (r >= 0)
                r = get_time(map, "expires_at", &expires, ret_error);
        if (r < 0)
                return r;
        known = architecture_from_name(architecture);
        if (!known)
                return invalid(ret_error, "architecture", "is none that is known");
        g_variant_dict_insert(dict, "name", "s", name);
        g_variant_dict_insert(dict, "description", "s", description);
        g_variant_dict_insert(dict, "architecture", "s", known);
        g_variant_dict_insert(dict, "ephemeral", "b", ephemeral);
        g_variant_dict_insert(dict, "created", "t", created);
        g_variant_dict_insert(dict, "expires", "t", expires);
        return 0;
}

static int add_volume(const YamlNode *map, GVariantDict *dict, Error *ret_error) {
        const char *name = "", *description = "", *content = "";
        uint64_t created = 0, expires = 0;
        int r;

        r = get_text(map, "name", &name, ret_error);
        if (r >= 0)
                r = get_text(map, "description", &description, ret_error);
        if (r >= 0)
                r = get_text(map, "content_type", &content, ret_error);
        if (r >= 0)
                r = get_time(map, "created_at", &created, ret_error);
        if (r >= 0)
                r = get_time(map, "expires_at", &expires, ret_error);
        if (r < 0)
                return r;
        if (*content && !g_str_equal(content, "filesystem"))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The volume is one of blocks, for virtual machines");
        g_variant_dict_insert(dict, "name", "s", name);
        g_variant_dict_insert(dict, "description", "s", description);
        g_variant_dict_insert(dict, "created", "t", created);
        g_variant_dict_insert(dict, "expires", "t", expires);
        return 0;
}

static int parse_instance(const ArchiveLayout *layout, const YamlNode *map, GVariant **ret,
                          Error *ret_error) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
        int r;

        if (map->kind != YAML_MAPPING)
                return invalid(ret_error, "config", "is not as LXD and berth write it");
        r = layout->plain ? add_volume(map, &dict, ret_error) : add_facts(map, &dict, ret_error);
        if (r >= 0)
                r = add_config(map, &dict, ret_error);
        if (r >= 0 && layout->plain) {
                *ret = g_variant_ref_sink(g_variant_dict_end(&dict));
                return 0;
        }
        if (r >= 0)
                r = add_devices(map, &dict, ret_error);
        if (r >= 0)
                r = add_profiles(map, &dict, ret_error);
        if (r >= 0)
                *ret = g_variant_ref_sink(g_variant_dict_end(&dict));
        return r;
}

/* What cannot be read here at all. */
static int check_kind(const ArchiveLayout *layout, const YamlNode *root, Error *ret_error) {
        const char *type = "";
        bool optimized = false;
        int r;

        r = get_text(root, "type", &type, ret_error);
        if (r >= 0)
                r = get_boolean(root, "optimized", &optimized, ret_error);
        if (r < 0)
                return r;
        if (*type && !g_str_equal(type, layout->type))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The archive is not one of a %s but of a %s", layout->noun,
                                 g_str_equal(type, "virtual-machine") ? "virtual machine"
                                 : g_str_equal(type, "container")     ? "container"
                                                                      : "volume");
        if (optimized)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The archive is in the form of one storage driver; export the "
                                 "%s again without --optimized-storage", layout->noun);
        return 0;
}

/* The one of `list` (the snapshots of "config") with that name. */
static const YamlNode *find_snapshot(const YamlNode *list, const char *name) {
        for (size_t i = 0; !node_is_null(list) && list->kind == YAML_SEQUENCE &&
                           i < list->items->len; i++) {
                const YamlNode *item = list->items->pdata[i];
                const YamlNode *node = item->kind == YAML_MAPPING ? yaml_node_get(item, "name")
                                                                  : NULL;
                const char *own;

                if (!node || node->kind != YAML_SCALAR)
                        continue;
                /* Older ones have CONTAINER/NAME there. */
                own = strrchr(node->text, '/');
                if (g_str_equal(own ? own + 1 : node->text, name))
                        return item;
        }
        return NULL;
}

/* Those that the head lists are in the archive. */
static int parse_snapshots(const ArchiveLayout *layout, const YamlNode *root,
                           const YamlNode *config, GPtrArray *snapshots, Error *ret_error) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        int r;

        r = parse_words(yaml_node_get(root, "snapshots"), "snapshots", names, ret_error);
        if (r < 0)
                return r;
        for (guint i = 0; i < names->len; i++) {
                const YamlNode *list = yaml_node_get(config, layout->snapshots_key);
                const YamlNode *map = find_snapshot(list, names->pdata[i]);
                g_autoptr(GVariant) snapshot = NULL;
                GVariantDict dict;

                if (!map)
                        return invalid(ret_error, names->pdata[i],
                                       "is a snapshot without configuration");
                r = parse_instance(layout, map, &snapshot, ret_error);
                if (r < 0)
                        return r;
                g_variant_dict_init(&dict, snapshot);
                g_variant_dict_insert(&dict, "name", "s", names->pdata[i]);
                g_ptr_array_add(snapshots, g_variant_ref_sink(g_variant_dict_end(&dict)));
        }
        return 0;
}

static void variant_destroy(gpointer p) {
        g_variant_unref(p);
}

int container_index_parse(const ArchiveLayout *layout, const char *data, size_t size,
                          GVariant **ret_container, GPtrArray **ret_snapshots, Error *ret_error) {
        g_autoptr(GPtrArray) snapshots = g_ptr_array_new_with_free_func(variant_destroy);
        g_autoptr(GVariant) container = NULL;
        const YamlNode *config, *map;
        g_autoptr(YamlNode) root = NULL;
        int r;

        /* A cloud-config is lines; the service judges values as if they were set. */
        r = yaml_document_parse(CONTAINER_INDEX_NAME, data, size, YAML_TEXT_ANY, &root, ret_error);
        if (r < 0)
                return r;
        if (root->kind != YAML_MAPPING)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 CONTAINER_INDEX_NAME " is not acceptable: it is not a map");
        r = check_kind(layout, root, ret_error);
        if (r < 0)
                return r;
        config = yaml_node_get(root, "config");
        if (node_is_null(config) || config->kind != YAML_MAPPING)
                return invalid(ret_error, "config", "is missing; LXD before 4.0 wrote it so");
        /* Later versions of LXD say "instance". */
        map = yaml_node_get(config, layout->key) ?: yaml_node_get(config, layout->other_key);
        if (node_is_null(map))
                return invalid(ret_error, layout->key, "is missing");
        r = parse_instance(layout, map, &container, ret_error);
        if (r >= 0)
                r = parse_snapshots(layout, root, config, snapshots, ret_error);
        if (r < 0)
                return r;
        *ret_container = TAKE_PTR(container);
        *ret_snapshots = TAKE_PTR(snapshots);
        return 0;
}
