/* SPDX-License-Identifier: Apache-2.0 */
#include "client/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/editor.h"
#include "client/format.h"
#include "client/job.h"
#include "client/table.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

void settings_free(Settings *s) {
        if (!s)
                return;

        object_free(s->object);
        g_clear_pointer(&s->config, g_variant_unref);
        g_clear_pointer(&s->devices, g_variant_unref);
        g_free(s);
}

static bool kind_has_devices(ObjectKind kind) {
        return kind == OBJECT_CONTAINER || kind == OBJECT_PROFILE || kind == OBJECT_SNAPSHOT;
}

static GVariant *read_options(ObjectKind kind, SettingsFlags flags, bool devices) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if ((kind == OBJECT_CONTAINER || kind == OBJECT_SNAPSHOT) && flags & SETTINGS_EXPANDED)
                g_variant_dict_insert(&options, "expanded", "b", TRUE);
        if (kind == OBJECT_PROFILE && flags & SETTINGS_SECRETS && !devices)
                g_variant_dict_insert(&options, "secrets", "b", TRUE);
        return g_variant_new("(@a{sv})", g_variant_dict_end(&options));
}

/* Takes the only child of the reply out of a call, if it is of `type`. */
static int call_take(Call *call, const char *type, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        int r;

        if (call->error.message) {
                r = -error_code_to_errno(call->error.code);
                error_move(ret_error, &call->error);
                return r;
        }
        if (g_variant_n_children(call->reply) == 1)
                value = g_variant_get_child_value(call->reply, 0);
        if (!value || !g_variant_is_of_type(value, G_VARIANT_TYPE(type)))
                return error_set(ret_error, ERROR_FAILED,
                                 "The service answered %s() with '%s'; client and service are of "
                                 "different versions",
                                 call->member, g_variant_get_type_string(call->reply));
        *ret = TAKE_PTR(value);
        return 0;
}

static int settings_take(Settings *s, Call *calls, Error *ret_error) {
        int r;

        r = call_take(&calls[0], "a{sv}", &s->object->properties, ret_error);
        if (r < 0)
                return r;
        r = call_take(&calls[1], "a{ss}", &s->config, ret_error);
        if (r < 0)
                return r;
        if (!kind_has_devices(s->object->kind)) {
                s->devices = g_variant_ref_sink(
                        g_variant_new_array(G_VARIANT_TYPE("{sa{ss}}"), NULL, 0));
                return 0;
        }
        return call_take(&calls[2], "a{sa{ss}}", &s->devices, ret_error);
}

int settings_read(Client *c, ObjectKind kind, const char *path, SettingsFlags flags,
                  Settings **ret, Error *ret_error) {
        const char *interface = object_kind_to_interface(kind);
        g_autoptr(Settings) s = g_new0(Settings, 1);
        /* The revision comes first: what is read after it is at least as new. */
        Call calls[] = {
                { .path = path, .interface = "org.freedesktop.DBus.Properties",
                  .member = "GetAll", .arguments = g_variant_new("(s)", interface) },
                { .path = path, .interface = interface, .member = "GetConfig",
                  .arguments = read_options(kind, flags, false) },
                { .path = path, .interface = interface, .member = "GetDevices",
                  .arguments = read_options(kind, flags, true) },
        };
        int r;

        s->object = g_new0(Object, 1);
        s->object->kind = kind;
        s->object->path = g_strdup(path);
        if (!object_parse_path(path, NULL, &s->object->name))
                s->object->name = g_strdup("");
        r = client_connect(c, ret_error);
        if (r >= 0)
                r = connection_call_many(c->connection, calls, kind_has_devices(kind) ? 3 : 2,
                                         ret_error);
        if (r >= 0)
                r = settings_take(s, calls, ret_error);
        for (size_t i = 0; i < ELEMENTSOF(calls); i++)
                call_done(&calls[i]);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

/* What has some may be told that they have no effect. */
static bool has_limits(ObjectKind kind) {
        return kind == OBJECT_CONTAINER || kind == OBJECT_PROFILE;
}

static GVariant *or_empty(GVariant *value, const char *element_type) {
        return value ?: g_variant_new_array(G_VARIANT_TYPE(element_type), NULL, 0);
}

int settings_update(Client *c, ObjectKind kind, const char *path, GVariant *set, GVariant *unset,
                    GVariant *options, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL, warnings = NULL;
        int r;

        r = client_call(c, kind, path, "Update",
                        g_variant_new("(@a{ss}@as@a{sv})", or_empty(set, "{ss}"),
                                      or_empty(unset, "s"), or_empty(options, "{sv}")),
                        has_limits(kind) ? "(as)" : "()", &reply, ret_error);
        if (r < 0 || !has_limits(kind))
                return r;
        warnings = g_variant_get_child_value(reply, 0);
        warnings_print(warnings);
        return 0;
}

GVariant *settings_used_by(const Object *o) {
        g_autoptr(GVariant) paths = object_get_value(o, "UsedBy", "ao");
        g_autoptr(GPtrArray) users = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; paths && i < g_variant_n_children(paths); i++) {
                g_autofree char *name = NULL;
                const char *path;
                ObjectKind kind;

                g_variant_get_child(paths, i, "&o", &path);
                if (object_parse_path(path, &kind, &name))
                        g_ptr_array_add(users, g_strdup_printf("%s/%s", object_kind_to_word(kind),
                                                               name));
        }
        return g_variant_new_strv((const char *const *) users->pdata, users->len);
}

static void record_add(GVariantBuilder *b, const char *key, GVariant *value) {
        g_variant_builder_add(b, "{sv}", key, value);
}

static void record_add_string(GVariantBuilder *b, const char *key, const Object *o,
                              const char *property) {
        record_add(b, key, g_variant_new_string(object_get_string(o, property)));
}

GVariant *settings_to_record(const Settings *s) {
        g_autoptr(GVariant) profiles = object_get_value(s->object, "Profiles", "as");
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        if (s->object->kind == OBJECT_CONTAINER)
                record_add_string(&b, "architecture", s->object, "Architecture");
        record_add(&b, "config", s->config);
        if (s->object->kind != OBJECT_CONTAINER)
                record_add_string(&b, "description", s->object, "Description");
        if (kind_has_devices(s->object->kind))
                record_add(&b, "devices", s->devices);
        if (s->object->kind == OBJECT_CONTAINER) {
                record_add(&b, "ephemeral",
                           g_variant_new_boolean(object_get_boolean(s->object, "Ephemeral")));
                record_add(&b, "profiles", profiles ?: g_variant_new_strv(NULL, 0));
                record_add(&b, "stateful",
                           g_variant_new_boolean(object_get_boolean(s->object, "Stateful")));
                record_add_string(&b, "description", s->object, "Description");
                return g_variant_builder_end(&b);
        }
        record_add(&b, "name", g_variant_new_string(s->object->name));
        if (s->object->kind == OBJECT_NETWORK)
                record_add_string(&b, "type", s->object, "Type");
        if (s->object->kind == OBJECT_POOL) {
                record_add_string(&b, "driver", s->object, "Driver");
                record_add_string(&b, "source", s->object, "Source");
        }
        if (s->object->kind == OBJECT_VOLUME) {
                g_autofree char *created = format_time_rfc3339(object_get_number(s->object,
                                                                                 "Created"));

                record_add(&b, "type", g_variant_new_string("custom"));
                record_add(&b, "content_type", g_variant_new_string("filesystem"));
                record_add(&b, "created_at", g_variant_new_string(created));
        }
        record_add(&b, "used_by", settings_used_by(s->object));
        if (s->object->kind != OBJECT_PROFILE)
                record_add_string(&b, "status", s->object, "State");
        return g_variant_builder_end(&b);
}

/* `config get KEY` and its like are about LXD's own server. */
static int refuse_server_settings(Error *ret_error) {
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "The service's own settings are set one by one; give a container first");
}

/* What profiles hold of secrets is for those who may change them; asked without a prompt. */
static bool may_see_secrets(Client *c, const char *path) {
        g_autoptr(GVariant) reply = NULL;
        const char *answer;

        if (client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "CheckAccess",
                        g_variant_new("(so)", "manage-profiles", path), "(s)", &reply, NULL) < 0)
                return false;
        g_variant_get(reply, "(&s)", &answer);
        return g_str_equal(answer, "yes");
}

int settings_show(Client *c, ObjectKind kind, const char *path, Error *ret_error) {
        SettingsFlags flags = client_flag(c, "expanded") ? SETTINGS_EXPANDED : 0;
        g_autoptr(Settings) s = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r >= 0 && kind == OBJECT_PROFILE && may_see_secrets(c, path))
                flags |= SETTINGS_SECRETS;
        if (r >= 0)
                r = settings_read(c, kind, path, flags, &s, ret_error);
        if (r < 0)
                return r;
        if (kind == OBJECT_PROFILE && !(flags & SETTINGS_SECRETS) && !c->quiet)
                fprintf(stderr, "Note: environment.*, user.* and cloud-init.* of profiles are "
                                "shown to those only who may change them\n");
        return record_print(settings_to_record(s), format, ret_error);
}

int settings_run_show(Client *c, ObjectKind kind, Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        if (client_n_arguments(c) == 0)
                return refuse_server_settings(ret_error);
        r = client_object_path(kind, client_argument(c, 0), &path, ret_error);
        return r < 0 ? r : settings_show(c, kind, path, ret_error);
}

/* Keys whose values profiles tell only to those who may change them. */
static bool key_may_be_secret(const char *key) {
        return g_str_has_prefix(key, "environment.") || g_str_has_prefix(key, "user.") ||
               g_str_has_prefix(key, "cloud-init.");
}

int settings_get(Client *c, ObjectKind kind, const char *path, const char *key,
                 Error *ret_error) {
        SettingsFlags flags = client_flag(c, "expanded") ? SETTINGS_EXPANDED : 0;
        g_autoptr(GVariant) reply = NULL, config = NULL;
        g_autofree char *shown = NULL;
        const char *value = "";
        int r;

        if (key_may_be_secret(key))
                flags |= SETTINGS_SECRETS;
        r = client_call(c, kind, path, "GetConfig", read_options(kind, flags, false), "(a{ss})",
                        &reply, ret_error);
        if (r < 0)
                return r;
        config = g_variant_get_child_value(reply, 0);
        (void) g_variant_lookup(config, key, "&s", &value);
        shown = isatty(STDOUT_FILENO) ? format_printable_lines(value) : NULL;
        puts(shown ?: value);
        return 0;
}

int settings_run_get(Client *c, ObjectKind kind, Error *ret_error) {
        const char *key = client_argument(c, 1);
        g_autofree char *path = NULL;
        int r;

        if (!key)
                return refuse_server_settings(ret_error);
        r = client_object_path(kind, client_argument(c, 0), &path, ret_error);
        return r < 0 ? r : settings_get(c, kind, path, key, ret_error);
}

/* A value may be too long or too secret for a command line. */
static int value_from_stdin(const char *value, char **ret, Error *ret_error) {
        g_autofree char *text = NULL;
        int r;

        if (!g_str_equal(value, "-") || isatty(STDIN_FILENO)) {
                *ret = g_strdup(value);
                return 0;
        }
        r = editor_read_stdin(&text, ret_error);
        if (r < 0)
                return r;
        if (!g_utf8_validate(text, -1, NULL))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The value on standard input is not valid UTF-8");
        *ret = TAKE_PTR(text);
        return 0;
}

static int assignment_add(GVariantBuilder *b, GHashTable *seen, char *key, const char *value,
                          Error *ret_error) {
        g_autofree char *content = NULL;
        int r;

        if (!g_hash_table_add(seen, key))
                return error_set(ret_error, ERROR_INVALID_ARGS, "'%s' is given twice", key);
        r = value_from_stdin(value, &content, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_add(b, "{ss}", key, content);
        return 0;
}

int settings_parse_assignments(Client *c, size_t first, GVariant **ret, Error *ret_error) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_auto(GVariantBuilder) b;
        size_t n = client_n_arguments(c) - first;
        int r = 0;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        if (n == 2 && !strchr(client_argument(c, first), '=')) {
                r = assignment_add(&b, seen, g_strdup(client_argument(c, first)),
                                   client_argument(c, first + 1), ret_error);
                n = 0;
        }
        for (size_t i = first; r >= 0 && i < first + n; i++) {
                g_autofree char *value = NULL;
                char *key;

                if (parse_assignment(client_argument(c, i), &key, &value) < 0)
                        return client_usage_error(ret_error, "'%s' is not KEY=VALUE",
                                                  client_argument(c, i));
                r = assignment_add(&b, seen, key, value, ret_error);
        }
        if (r < 0)
                return r;
        *ret = variant_seal(g_variant_builder_end(&b));
        return 0;
}

int settings_set(Client *c, ObjectKind kind, const char *path, size_t first, Error *ret_error) {
        g_autoptr(GVariant) assignments = NULL;
        GVariantBuilder set, unset;
        const char *key, *value;
        GVariantIter iter;
        int r;

        r = settings_parse_assignments(c, first, &assignments, ret_error);
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
        return settings_update(c, kind, path, g_variant_builder_end(&set),
                               g_variant_builder_end(&unset), NULL, ret_error);
}

int settings_run_set(Client *c, ObjectKind kind, Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        if (client_n_arguments(c) < 2)
                return refuse_server_settings(ret_error);
        r = client_object_path(kind, client_argument(c, 0), &path, ret_error);
        return r < 0 ? r : settings_set(c, kind, path, 1, ret_error);
}

int settings_run_unset(Client *c, ObjectKind kind, Error *ret_error) {
        const char *key = client_argument(c, 1);
        g_autofree char *path = NULL;
        int r;

        if (!key)
                return refuse_server_settings(ret_error);
        r = client_object_path(kind, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        return settings_update(c, kind, path, NULL, g_variant_new_strv(&key, 1), NULL, ret_error);
}

/* A text that leaves them out is not about them. */
static bool key_is_the_services(const char *key) {
        return g_str_has_prefix(key, "volatile.") || g_str_has_prefix(key, "image.");
}

void settings_compare(GVariant *old, GVariant *new, GVariant **ret_set, GVariant **ret_unset) {
        GVariantBuilder set, unset;
        const char *key, *value;
        GVariantIter iter;

        g_variant_builder_init(&set, G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_init(&unset, G_VARIANT_TYPE_STRING_ARRAY);
        g_variant_iter_init(&iter, new);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                const char *before;

                if (!g_variant_lookup(old, key, "&s", &before) || !g_str_equal(before, value))
                        g_variant_builder_add(&set, "{ss}", key, value);
        }
        g_variant_iter_init(&iter, old);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                if (!g_variant_lookup(new, key, "&s", &value) && !key_is_the_services(key))
                        g_variant_builder_add(&unset, "s", key);
        *ret_set = variant_seal(g_variant_builder_end(&set));
        *ret_unset = variant_seal(g_variant_builder_end(&unset));
}

typedef struct Edit {
        ObjectKind kind;
        const Settings *settings;
} Edit;

/* The options of Update() for what the text says; what it leaves out stays as it is. */
static int edit_read_options(const Edit *edit, GVariant *mapping, GVariant **ret,
                             Error *ret_error) {
        g_autoptr(GVariant) devices = NULL, profiles = NULL;
        g_autofree char *description = NULL;
        bool ephemeral;
        GVariantBuilder b;
        int r;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        record_add(&b, "if-revision",
                   g_variant_new_uint64(object_get_number(edit->settings->object, "Revision")));
        r = kind_has_devices(edit->kind)
                    ? yaml_get_devices(mapping, "devices", &devices, ret_error)
                    : 0;
        if (r > 0 && !g_variant_equal(devices, edit->settings->devices))
                record_add(&b, "devices", devices);
        if (r >= 0)
                r = yaml_get_string(mapping, "description", &description, ret_error);
        if (r > 0)
                record_add(&b, "description", g_variant_new_string(description));
        if (r >= 0 && edit->kind == OBJECT_CONTAINER) {
                r = yaml_get_strings(mapping, "profiles", &profiles, ret_error);
                if (r > 0)
                        record_add(&b, "profiles", profiles);
                if (r >= 0)
                        r = yaml_get_boolean(mapping, "ephemeral", &ephemeral, ret_error);
                if (r > 0)
                        record_add(&b, "ephemeral", g_variant_new_boolean(ephemeral));
        }
        *ret = variant_seal(g_variant_builder_end(&b));
        return r;
}

static int edit_apply(Client *c, const char *text, void *userdata, Error *ret_error) {
        /* Keys that are shown but cannot be changed are let pass, as is what LXD shows. */
        static const char *const container_keys[] = {
                "architecture", "config", "created_at", "description", "devices", "ephemeral",
                "last_used_at", "location", "name", "profiles", "project", "stateful", "status",
                "status_code", "type", NULL,
        };
        static const char *const profile_keys[] = {
                "config", "description", "devices", "name", "project", "used_by", NULL,
        };
        static const char *const network_keys[] = {
                "config", "description", "locations", "managed", "name", "status", "type",
                "used_by", NULL,
        };
        static const char *const pool_keys[] = {
                "config", "description", "driver", "locations", "name", "source", "status",
                "used_by", NULL,
        };
        static const char *const volume_keys[] = {
                "config", "content_type", "created_at", "description", "location", "name", "pool",
                "project", "status", "type", "used_by", NULL,
        };
        g_autoptr(GVariant) mapping = NULL, config = NULL, set = NULL, unset = NULL;
        g_autoptr(GVariant) options = NULL;
        Edit *edit = userdata;
        const char *const *keys = edit->kind == OBJECT_CONTAINER ? container_keys
                                  : edit->kind == OBJECT_NETWORK ? network_keys
                                  : edit->kind == OBJECT_POOL    ? pool_keys
                                  : edit->kind == OBJECT_VOLUME  ? volume_keys
                                                                 : profile_keys;
        int r;

        r = yaml_to_variant(text, &mapping, ret_error);
        if (r < 0)
                return r;
        if (g_variant_is_of_type(mapping, G_VARIANT_TYPE_UNIT))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The YAML is empty; nothing is changed");
        r = yaml_check_keys(mapping, keys, ret_error);
        if (r < 0)
                return r;
        r = yaml_get_config(mapping, "config", &config, ret_error);
        if (r < 0)
                return r;
        settings_compare(edit->settings->config, config ?: edit->settings->config, &set, &unset);
        r = edit_read_options(edit, mapping, &options, ret_error);
        if (r < 0)
                return r;
        return settings_update(c, edit->kind, edit->settings->object->path, set, unset, options,
                               ret_error);
}

int settings_edit(Client *c, ObjectKind kind, const char *path, Error *ret_error) {
        static const char pool_header[] =
                "### This is the storage pool in YAML.\n"
                "### Lines that begin with '#' are ignored.\n"
                "###\n"
                "### config and description can be changed. A larger size makes a pool grow that\n"
                "### is in a file of its own; volume.size limits root disks without a size.\n\n";
        static const char header[] =
                "### This is the configuration in YAML.\n"
                "### Lines that begin with '#' are ignored.\n"
                "###\n"
                "### config holds keys and values, devices one mapping a device:\n"
                "###   config:\n"
                "###     limits.memory: 1GiB\n"
                "###   devices:\n"
                "###     eth0:\n"
                "###       type: nic\n"
                "###       network: berthbr0\n"
                "###\n"
                "### The name and the architecture are shown, but cannot be changed.\n\n";
        static const char volume_header[] =
                "### This is the volume in YAML.\n"
                "### Lines that begin with '#' are ignored.\n"
                "###\n"
                "### config and description can be changed.\n\n";
        g_autoptr(GVariant) record = NULL;
        g_autofree char *yaml = NULL, *text = NULL;
        g_autoptr(Settings) s = NULL;
        Edit edit;
        int r;

        r = settings_read(c, kind, path, SETTINGS_SECRETS, &s, ret_error);
        if (r < 0)
                return r;
        record = g_variant_ref_sink(settings_to_record(s));
        yaml = yaml_from_variant(record);
        text = g_strconcat(kind == OBJECT_POOL     ? pool_header
                           : kind == OBJECT_VOLUME ? volume_header
                                                   : header, yaml, NULL);
        edit = (Edit) { kind, s };
        return editor_run(c, s->object->name, text, edit_apply, &edit, ret_error);
}

int settings_run_edit(Client *c, ObjectKind kind, Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        if (client_n_arguments(c) == 0)
                return refuse_server_settings(ret_error);
        r = client_object_path(kind, client_argument(c, 0), &path, ret_error);
        return r < 0 ? r : settings_edit(c, kind, path, ret_error);
}
