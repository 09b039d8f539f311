/* SPDX-License-Identifier: Apache-2.0 */
#include "client/service-settings.h"

#include <stdio.h>
#include <string.h>

#include "client/editor.h"
#include "client/settings.h"
#include "client/table.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

bool service_settings_are_set(const Client *c) {
        const char *first = client_argument(c, 0), *second = client_argument(c, 1);

        return strchr(first, '=') || (client_n_arguments(c) == 2 && !strchr(second, '=') &&
                                      strchr(first, '.'));
}

int service_settings_read(Client *c, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        int r = client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "GetConfig",
                            g_variant_new("(a{sv})", NULL), "(a{ss})", &reply, ret_error);

        if (r >= 0)
                *ret = g_variant_get_child_value(reply, 0);
        return r;
}

int service_settings_show(Client *c, Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        OutputFormat format;
        GVariantDict record;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r >= 0)
                r = service_settings_read(c, &config, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&record, NULL);
        g_variant_dict_insert_value(&record, "config", config);
        return record_print(g_variant_dict_end(&record), format, ret_error);
}

int service_settings_get(Client *c, Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        const char *value = "";
        int r = service_settings_read(c, &config, ret_error);

        if (r < 0)
                return r;
        (void) g_variant_lookup(config, client_argument(c, 0), "&s", &value);
        puts(value);
        return 0;
}

static int update(Client *c, GVariant *set, GVariant *unset, Error *ret_error) {
        return client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "UpdateConfig",
                           g_variant_new("(@a{ss}@asa{sv})", set, unset, NULL), "()", NULL,
                           ret_error);
}

int service_settings_set(Client *c, Error *ret_error) {
        g_autoptr(GVariant) assignments = NULL;
        GVariantBuilder set, unset;
        const char *key, *value;
        GVariantIter iter;
        int r;

        r = settings_parse_assignments(c, 0, &assignments, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_init(&set, G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_init(&unset, G_VARIANT_TYPE_STRING_ARRAY);
        g_variant_iter_init(&iter, assignments);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                if (*value)
                        g_variant_builder_add(&set, "{ss}", key, value);
                else
                        g_variant_builder_add(&unset, "s", key);
        }
        return update(c, g_variant_builder_end(&set), g_variant_builder_end(&unset), ret_error);
}

int service_settings_unset(Client *c, Error *ret_error) {
        const char *key = client_argument(c, 0);

        return update(c, g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0),
                      g_variant_new_strv(&key, 1), ret_error);
}

static int edit_apply(Client *c, const char *text, void *userdata, Error *ret_error) {
        static const char *const keys[] = { "config", NULL };
        g_autoptr(GVariant) mapping = NULL, config = NULL, set = NULL, unset = NULL;
        GVariant *old = userdata;
        int r;

        r = yaml_to_variant(text, &mapping, ret_error);
        if (r >= 0)
                r = yaml_check_keys(mapping, keys, ret_error);
        if (r >= 0)
                r = yaml_get_config(mapping, "config", &config, ret_error);
        if (r < 0)
                return r;
        settings_compare(old, config ?: old, &set, &unset);
        return update(c, set, unset, ret_error);
}

int service_settings_edit(Client *c, Error *ret_error) {
        static const char header[] =
                "### This is the configuration of the service in YAML.\n"
                "### Lines that begin with '#' are ignored.\n"
                "###\n"
                "### 'berth config keys service' lists what there is to set, for example\n"
                "###   config:\n"
                "###     images.remote_cache_expiry: \"30\"\n\n";
        g_autoptr(GVariant) config = NULL, record = NULL;
        g_autofree char *yaml = NULL, *text = NULL;
        GVariantDict dict;
        int r = service_settings_read(c, &config, ret_error);

        if (r < 0)
                return r;
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert_value(&dict, "config", config);
        record = g_variant_ref_sink(g_variant_dict_end(&dict));
        yaml = yaml_from_variant(record);
        text = g_strconcat(header, yaml, NULL);
        return editor_run(c, "service", text, edit_apply, config, ret_error);
}
