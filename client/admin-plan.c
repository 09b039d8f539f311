/* SPDX-License-Identifier: Apache-2.0 */
#include "client/admin-plan.h"

#include <string.h>

#include "client/format.h"
#include "client/job.h"
#include "client/service-settings.h"
#include "client/settings.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

static void value_free(void *p) {
        g_variant_unref(p);
}

AdminPlan *admin_plan_new(void) {
        AdminPlan *plan = g_new0(AdminPlan, 1);

        plan->config = variant_seal(g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0));
        plan->pools = g_ptr_array_new_with_free_func(value_free);
        plan->networks = g_ptr_array_new_with_free_func(value_free);
        plan->profiles = g_ptr_array_new_with_free_func(value_free);
        return plan;
}

void admin_plan_free(AdminPlan *plan) {
        if (!plan)
                return;

        g_clear_pointer(&plan->config, g_variant_unref);
        g_ptr_array_unref(plan->pools);
        g_ptr_array_unref(plan->networks);
        g_ptr_array_unref(plan->profiles);
        g_free(plan);
}

static void add(GPtrArray *list, GVariantDict *dict) {
        g_ptr_array_add(list, variant_seal(g_variant_dict_end(dict)));
}

static void dict_init(GVariantDict *dict, const char *name, const char *key, GVariant *value) {
        g_variant_dict_init(dict, NULL);
        g_variant_dict_insert(dict, "name", "s", name);
        if (value)
                g_variant_dict_insert_value(dict, key, value);
}

void admin_plan_set_config(AdminPlan *plan, const char *key, const char *value) {
        g_variant_unref(plan->config);
        plan->config = variant_seal(g_variant_new_parsed("{%s: %s}", key, value));
}

void admin_plan_add_pool(AdminPlan *plan, const char *name, const char *driver, GVariant *config) {
        GVariantDict dict;

        dict_init(&dict, name, "config", config);
        g_variant_dict_insert(&dict, "driver", "s", driver);
        add(plan->pools, &dict);
}

void admin_plan_add_network(AdminPlan *plan, const char *name, GVariant *config) {
        GVariantDict dict;

        dict_init(&dict, name, "config", config);
        add(plan->networks, &dict);
}

void admin_plan_add_profile(AdminPlan *plan, const char *name, GVariant *devices) {
        GVariantDict dict;

        dict_init(&dict, name, "devices", devices);
        add(plan->profiles, &dict);
}

/* --- from YAML --- */

typedef struct Field {
        const char *name;
        int (*get)(GVariant *mapping, const char *key, GVariant **ret, Error *ret_error);
} Field;

static int get_text(GVariant *mapping, const char *key, GVariant **ret, Error *ret_error) {
        g_autofree char *text = NULL;
        int r = yaml_get_string(mapping, key, &text, ret_error);

        if (r > 0)
                *ret = g_variant_ref_sink(g_variant_new_string(text));
        return r;
}

/* Where LXD and its kin keep what is theirs: berth has places of its own. */
static bool is_of_lxd(const char *key, const char *value) {
        static const char *const places[] = { "/var/lib/lxd/", "/var/snap/lxd/common/lxd/",
                                              "/var/lib/incus/" };

        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (g_str_equal(key, "source") && g_str_has_prefix(value, places[i]))
                        return true;
        return false;
}

/* Without what a service keeps for itself, which says nothing elsewhere. */
static GVariant *config_to_give(GVariant *config) {
        GVariantBuilder b;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (!g_str_has_prefix(key, "volatile.") && !is_of_lxd(key, value))
                        g_variant_builder_add(&b, "{ss}", key, value);
        return variant_seal(g_variant_builder_end(&b));
}

static int get_config(GVariant *mapping, const char *key, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        int r = yaml_get_config(mapping, key, &config, ret_error);

        if (r > 0)
                *ret = config_to_give(config);
        return r;
}

static const Field pool_fields[] = {
        { "name", get_text }, { "driver", get_text }, { "description", get_text },
        { "config", get_config }, { NULL },
};

static const Field network_fields[] = {
        { "name", get_text }, { "type", get_text }, { "description", get_text },
        { "config", get_config }, { NULL },
};

static const Field profile_fields[] = {
        { "name", get_text }, { "description", get_text }, { "config", get_config },
        { "devices", yaml_get_devices }, { NULL },
};

static int check_keys(GVariant *mapping, const Field *fields, Error *ret_error) {
        /* LXD's dumps have these; they say nothing here. */
        static const char *const ignored[] = { "project", "managed", "status", "locations",
                                               "used_by", NULL };
        g_autoptr(GPtrArray) keys = g_ptr_array_new();

        for (const Field *f = fields; f->name; f++)
                g_ptr_array_add(keys, (char *) f->name);
        for (const char *const *key = ignored; *key; key++)
                g_ptr_array_add(keys, (char *) *key);
        g_ptr_array_add(keys, NULL);
        return yaml_check_keys(mapping, (const char *const *) keys->pdata, ret_error);
}

static int parse_object(GVariant *mapping, const Field *fields, GPtrArray *list,
                        Error *ret_error) {
        g_auto(GVariantDict) dict;
        int r;

        g_variant_dict_init(&dict, NULL);
        r = check_keys(mapping, fields, ret_error);
        for (const Field *f = fields; r >= 0 && f->name; f++) {
                g_autoptr(GVariant) value = NULL;

                r = f->get(mapping, f->name, &value, ret_error);
                if (r > 0)
                        g_variant_dict_insert_value(&dict, f->name, value);
        }
        if (r < 0)
                return r;
        add(list, &dict);
        return 0;
}

static int parse_list(GVariant *document, const char *key, const Field *fields, GPtrArray *list,
                      Error *ret_error) {
        g_autoptr(GVariant) value = g_variant_lookup_value(document, key, NULL);

        if (!value || g_variant_is_of_type(value, G_VARIANT_TYPE_UNIT))
                return 0;
        if (!g_variant_is_of_type(value, G_VARIANT_TYPE("av")))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The value of '%s' has to be a list", key);
        for (size_t i = 0; i < g_variant_n_children(value); i++) {
                g_autoptr(GVariant) boxed = g_variant_get_child_value(value, i);
                g_autoptr(GVariant) mapping = g_variant_get_variant(boxed);
                int r = parse_object(mapping, fields, list, ret_error);

                if (r < 0) {
                        g_autofree char *where = g_strdup_printf("%s, entry %zu", key, i + 1);

                        error_prefix(ret_error, "%s", where);
                        return r;
                }
        }
        return 0;
}

/* Parts of LXD that berth has not got may be there when they are empty. */
static int refuse_parts(GVariant *document, Error *ret_error) {
        static const struct {
                const char *key, *why;
        } parts[] = {
                { "certificates", "nobody reaches berth over the network" },
                { "cluster", "berth works on this machine only" },
                { "storage_volumes", "make volumes with 'berth storage volume create'" },
        };

        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                g_autoptr(GVariant) value = g_variant_lookup_value(document, parts[i].key, NULL);

                if (!value || g_variant_is_of_type(value, G_VARIANT_TYPE_UNIT) ||
                    (g_variant_is_container(value) && g_variant_n_children(value) == 0))
                        continue;
                return error_set(ret_error, ERROR_NOT_SUPPORTED, "'%s' is not supported: %s",
                                 parts[i].key, parts[i].why);
        }
        return 0;
}

/* LXD's dumps have one, which is no more than where things are when nothing is said. */
static int check_projects(GVariant *document, Error *ret_error) {
        g_autoptr(GVariant) list = g_variant_lookup_value(document, "projects", NULL);

        for (size_t i = 0; list && g_variant_is_of_type(list, G_VARIANT_TYPE("av")) &&
                           i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) boxed = g_variant_get_child_value(list, i);
                g_autoptr(GVariant) mapping = g_variant_get_variant(boxed);
                const char *name = "";

                if (g_variant_is_of_type(mapping, G_VARIANT_TYPE_VARDICT))
                        (void) g_variant_lookup(mapping, "name", "&s", &name);
                if (!g_str_equal(name, "default"))
                        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                         "projects, entry %zu is not supported: berth has no "
                                         "projects, every user owns his containers", i + 1);
        }
        return 0;
}

static int parse_config(GVariant *document, AdminPlan *plan, Error *ret_error) {
        GVariant *config = NULL;
        int r = get_config(document, "config", &config, ret_error);

        if (r > 0) {
                g_variant_unref(plan->config);
                plan->config = config;
        }
        return r;
}

int admin_plan_parse(const char *yaml, AdminPlan **ret, Error *ret_error) {
        static const char *const keys[] = {
                "config", "networks", "storage_pools", "profiles", "projects", "cluster",
                "storage_volumes", "certificates", NULL,
        };
        g_autoptr(AdminPlan) plan = admin_plan_new();
        g_autoptr(GVariant) document = NULL;
        int r;

        r = yaml_to_variant(yaml, &document, ret_error);
        if (r >= 0)
                r = yaml_check_keys(document, keys, ret_error);
        if (r < 0)
                return r;
        if (!g_variant_is_of_type(document, G_VARIANT_TYPE_VARDICT))
                return error_set(ret_error, ERROR_INVALID_ARGS, "The preseed is empty");
        r = refuse_parts(document, ret_error);
        if (r >= 0)
                r = check_projects(document, ret_error);
        if (r >= 0)
                r = parse_config(document, plan, ret_error);
        if (r >= 0)
                r = parse_list(document, "storage_pools", pool_fields, plan->pools, ret_error);
        if (r >= 0)
                r = parse_list(document, "networks", network_fields, plan->networks, ret_error);
        if (r >= 0)
                r = parse_list(document, "profiles", profile_fields, plan->profiles, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(plan);
        return 0;
}

/* --- to YAML --- */

static GVariant *list_to_variant(const GPtrArray *list) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE("aa{sv}"));
        for (guint i = 0; i < list->len; i++)
                g_variant_builder_add_value(&b, list->pdata[i]);
        return g_variant_builder_end(&b);
}

char *admin_plan_to_yaml(const AdminPlan *plan) {
        g_autoptr(GVariant) document = NULL;
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "config", plan->config);
        g_variant_builder_add(&b, "{sv}", "networks", list_to_variant(plan->networks));
        g_variant_builder_add(&b, "{sv}", "storage_pools", list_to_variant(plan->pools));
        g_variant_builder_add(&b, "{sv}", "profiles", list_to_variant(plan->profiles));
        document = variant_seal(g_variant_builder_end(&b));
        return yaml_from_variant(document);
}

static void dump_object(AdminPlan *plan, const Settings *s) {
        g_autoptr(GVariant) config = config_to_give(s->config);
        const Object *o = s->object;
        GVariantDict dict;

        dict_init(&dict, o->name, "config", config);
        g_variant_dict_insert(&dict, "description", "s", object_get_string(o, "Description"));
        switch (o->kind) {
        case OBJECT_POOL:
                g_variant_dict_insert(&dict, "driver", "s", object_get_string(o, "Driver"));
                add(plan->pools, &dict);
                break;
        case OBJECT_NETWORK:
                g_variant_dict_insert(&dict, "type", "s", object_get_string(o, "Type"));
                add(plan->networks, &dict);
                break;
        default:
                g_variant_dict_insert_value(&dict, "devices", s->devices);
                add(plan->profiles, &dict);
        }
}

int admin_plan_dump(Client *c, char **ret, Error *ret_error) {
        static const ObjectKind kinds[] = { OBJECT_POOL, OBJECT_NETWORK, OBJECT_PROFILE };
        g_autoptr(AdminPlan) plan = admin_plan_new();
        int r;

        g_clear_pointer(&plan->config, g_variant_unref);
        r = service_settings_read(c, &plan->config, ret_error);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(kinds); i++) {
                g_autoptr(GPtrArray) objects = NULL;

                r = client_get_objects(c, kinds[i], NULL, &objects, ret_error);
                for (guint j = 0; r >= 0 && j < objects->len; j++) {
                        const Object *o = objects->pdata[j];
                        g_autoptr(Settings) s = NULL;

                        r = settings_read(c, kinds[i], o->path, 0, &s, ret_error);
                        if (r >= 0)
                                dump_object(plan, s);
                }
        }
        if (r < 0)
                return r;
        *ret = admin_plan_to_yaml(plan);
        return 0;
}

/* --- carrying it out --- */

int admin_plan_run(Client *c, const AdminPlan *plan, Error *ret_error) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (g_variant_n_children(plan->config) > 0)
                g_variant_dict_insert_value(&options, "config", plan->config);
        return job_run(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "Initialize",
                       g_variant_new("(@aa{sv}@aa{sv}@aa{sv}@a{sv})", list_to_variant(plan->pools),
                                     list_to_variant(plan->networks),
                                     list_to_variant(plan->profiles),
                                     g_variant_dict_end(&options)),
                       ret_error);
}
