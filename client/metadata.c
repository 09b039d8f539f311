/* SPDX-License-Identifier: Apache-2.0 */
#include "client/metadata.h"

#include <stdio.h>
#include <unistd.h>

#include "client/editor.h"
#include "client/format.h"
#include "client/table.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

#define RULE_TYPE "(sasa{ss}b)"
#define RULES_TYPE "a{s" RULE_TYPE "}"

static int container_path(Client *c, char **ret, Error *ret_error) {
        return client_object_path(OBJECT_CONTAINER, client_argument(c, 0), ret, ret_error);
}

/* --- texts --- */

static int template_list(Client *c, Error *ret_error) {
        static const char *const headings[] = { "FILENAME", NULL };
        g_autoptr(GVariant) reply = NULL, names = NULL;
        g_autoptr(Table) table = table_new(headings);
        g_autofree char *path = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = container_path(c, &path, ret_error);
        if (r >= 0)
                r = client_call(c, OBJECT_CONTAINER, path, "ListTemplates",
                                g_variant_new("(a{sv})", NULL), "(as)", &reply, ret_error);
        if (r < 0)
                return r;
        names = g_variant_get_child_value(reply, 0);
        for (size_t i = 0; i < g_variant_n_children(names); i++) {
                g_autoptr(GVariant) name = g_variant_get_child_value(names, i);

                table_add_row(table, name);
                table_add_cell(table, g_variant_get_string(name, NULL));
        }
        return table_print(table, format, ret_error);
}

static int template_read(Client *c, const char *path, char **ret, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        int r;

        r = client_call(c, OBJECT_CONTAINER, path, "ReadTemplate",
                        g_variant_new("(sa{sv})", client_argument(c, 1), NULL), "(s)", &reply,
                        ret_error);
        if (r >= 0)
                g_variant_get(reply, "(s)", ret);
        return r;
}

static int template_write(Client *c, const char *path, const char *text, bool create,
                          Error *ret_error) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (create)
                g_variant_dict_insert(&options, "create", "b", TRUE);
        return client_call(c, OBJECT_CONTAINER, path, "WriteTemplate",
                           g_variant_new("(ss@a{sv})", client_argument(c, 1), text,
                                         g_variant_dict_end(&options)),
                           "()", NULL, ret_error);
}

static int template_show(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *text = NULL, *shown = NULL;
        int r;

        r = container_path(c, &path, ret_error);
        if (r >= 0)
                r = template_read(c, path, &text, ret_error);
        if (r < 0)
                return r;
        if (isatty(STDOUT_FILENO))
                shown = format_printable_lines(text);
        fputs(shown ?: text, stdout);
        return 0;
}

/* LXD makes an empty one; what comes from a pipe is not lost here. */
static int template_create(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *text = NULL;
        int r;

        r = container_path(c, &path, ret_error);
        if (r >= 0 && !isatty(STDIN_FILENO))
                r = editor_read_stdin(&text, ret_error);
        return r < 0 ? r : template_write(c, path, text ?: "", true, ret_error);
}

static int template_apply(Client *c, const char *text, void *userdata, Error *ret_error) {
        return template_write(c, userdata, text, false, ret_error);
}

static int template_edit(Client *c, Error *ret_error) {
        g_autofree char *path = NULL, *text = NULL;
        int r;

        r = container_path(c, &path, ret_error);
        if (r >= 0)
                r = template_read(c, path, &text, ret_error);
        return r < 0 ? r : editor_run(c, client_argument(c, 1), text, template_apply, path,
                                      ret_error);
}

static int template_delete(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        int r = container_path(c, &path, ret_error);

        return r < 0 ? r : client_call(c, OBJECT_CONTAINER, path, "DeleteTemplate",
                                       g_variant_new("(sa{sv})", client_argument(c, 1), NULL),
                                       "()", NULL, ret_error);
}

/* --- what is said --- */

static void record_add(GVariantBuilder *b, const char *key, GVariant *value) {
        g_variant_builder_add(b, "{sv}", key, value);
}

static GVariant *rules_to_record(GVariant *rules) {
        GVariantBuilder b, rule;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{sa{sv}}"));
        for (size_t i = 0; i < g_variant_n_children(rules); i++) {
                g_autoptr(GVariant) when = NULL, properties = NULL;
                const char *path, *file;
                gboolean create_only;

                g_variant_get_child(rules, i, "{&s(&s@as@a{ss}b)}", &path, &file, &when,
                                    &properties, &create_only);
                g_variant_builder_init(&rule, G_VARIANT_TYPE_VARDICT);
                record_add(&rule, "when", when);
                record_add(&rule, "create_only", g_variant_new_boolean(create_only));
                record_add(&rule, "template", g_variant_new_string(file));
                record_add(&rule, "properties", properties);
                g_variant_builder_add(&b, "{s@a{sv}}", path, g_variant_builder_end(&rule));
        }
        return g_variant_builder_end(&b);
}

/* With LXD's names. */
static GVariant *metadata_to_record(GVariant *metadata) {
        g_autoptr(GVariant) properties = g_variant_lookup_value(metadata, "properties",
                                                                G_VARIANT_TYPE("a{ss}"));
        g_autoptr(GVariant) rules = g_variant_lookup_value(metadata, "templates",
                                                           G_VARIANT_TYPE(RULES_TYPE));
        const char *architecture = "";
        guint64 created = 0;
        GVariantBuilder b;

        (void) g_variant_lookup(metadata, "architecture", "&s", &architecture);
        (void) g_variant_lookup(metadata, "created", "t", &created);
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        record_add(&b, "architecture", g_variant_new_string(architecture));
        record_add(&b, "creation_date", g_variant_new_uint64(created / G_USEC_PER_SEC));
        record_add(&b, "expiry_date", g_variant_new_uint64(0));
        if (properties)
                record_add(&b, "properties", properties);
        if (rules)
                record_add(&b, "templates", rules_to_record(rules));
        return g_variant_builder_end(&b);
}

static int metadata_read(Client *c, const char *path, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        int r;

        r = client_call(c, OBJECT_CONTAINER, path, "GetMetadata", g_variant_new("(a{sv})", NULL),
                        "(a{sv})", &reply, ret_error);
        if (r >= 0)
                *ret = g_variant_get_child_value(reply, 0);
        return r;
}

static int metadata_show(Client *c, Error *ret_error) {
        g_autoptr(GVariant) metadata = NULL;
        g_autofree char *path = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r >= 0)
                r = container_path(c, &path, ret_error);
        if (r >= 0)
                r = metadata_read(c, path, &metadata, ret_error);
        return r < 0 ? r : record_print(metadata_to_record(metadata), format, ret_error);
}

static int rule_from_yaml(const char *path, GVariant *mapping, GVariantBuilder *b,
                          Error *ret_error) {
        static const char *const keys[] = { "when", "create_only", "template", "properties",
                                            NULL };
        g_autoptr(GVariant) when = NULL, properties = NULL;
        g_autofree char *file = NULL;
        bool create_only = false;
        int r;

        r = yaml_check_keys(mapping, keys, ret_error);
        if (r >= 0)
                r = yaml_get_string(mapping, "template", &file, ret_error);
        if (r >= 0)
                r = yaml_get_boolean(mapping, "create_only", &create_only, ret_error);
        if (r >= 0)
                r = yaml_get_strings(mapping, "when", &when, ret_error);
        if (r >= 0)
                r = yaml_get_config(mapping, "properties", &properties, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_open(b, G_VARIANT_TYPE("{s" RULE_TYPE "}"));
        g_variant_builder_add(b, "s", path);
        g_variant_builder_add(b, "(s@as@a{ss}b)", file ?: "",
                              when ?: g_variant_new_strv(NULL, 0),
                              properties ?: g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0),
                              create_only);
        g_variant_builder_close(b);
        return 0;
}

/* What is left out becomes none. */
static int rules_from_yaml(GVariant *mapping, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) templates = g_variant_lookup_value(mapping, "templates", NULL);
        g_auto(GVariantBuilder) b = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE(RULES_TYPE));

        if (templates && g_variant_is_of_type(templates, G_VARIANT_TYPE_UNIT))
                g_clear_pointer(&templates, g_variant_unref);
        if (templates && !g_variant_is_of_type(templates, G_VARIANT_TYPE_VARDICT))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The value of 'templates' has to be a mapping");
        for (size_t i = 0; templates && i < g_variant_n_children(templates); i++) {
                g_autoptr(GVariant) value = NULL;
                const char *path;
                int r;

                g_variant_get_child(templates, i, "{&sv}", &path, &value);
                r = rule_from_yaml(path, value, &b, ret_error);
                if (r < 0)
                        return r;
        }
        *ret = variant_seal(g_variant_builder_end(&b));
        return 0;
}

static int metadata_apply(Client *c, const char *text, void *userdata, Error *ret_error) {
        static const char *const keys[] = { "architecture", "creation_date", "expiry_date",
                                            "properties", "templates", NULL };
        g_autoptr(GVariant) mapping = NULL, properties = NULL, rules = NULL;
        GVariantDict options;
        int r;

        r = yaml_to_variant(text, &mapping, ret_error);
        if (r >= 0 && !g_variant_is_of_type(mapping, G_VARIANT_TYPE_VARDICT))
                r = error_set(ret_error, ERROR_INVALID_ARGS,
                              "The YAML is no mapping; nothing is changed");
        if (r >= 0)
                r = yaml_check_keys(mapping, keys, ret_error);
        if (r >= 0)
                r = yaml_get_config(mapping, "properties", &properties, ret_error);
        if (r >= 0)
                r = rules_from_yaml(mapping, &rules, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert_value(&options, "properties",
                                    properties ?: g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL,
                                                                      0));
        g_variant_dict_insert_value(&options, "templates", rules);
        return client_call(c, OBJECT_CONTAINER, userdata, "UpdateMetadata",
                           g_variant_new("(@a{sv})", g_variant_dict_end(&options)), "()", NULL,
                           ret_error);
}

static int metadata_edit(Client *c, Error *ret_error) {
        static const char header[] =
                "### This is what the container's image said of itself, in YAML.\n"
                "### Lines that begin with '#' are ignored.\n"
                "###\n"
                "### properties and templates can be changed:\n"
                "###   templates:\n"
                "###     /etc/hostname:\n"
                "###       when: [create, copy]\n"
                "###       template: hostname.tpl\n\n";
        g_autoptr(GVariant) metadata = NULL, record = NULL;
        g_autofree char *path = NULL, *yaml = NULL, *text = NULL;
        int r;

        r = container_path(c, &path, ret_error);
        if (r >= 0)
                r = metadata_read(c, path, &metadata, ret_error);
        if (r < 0)
                return r;
        record = g_variant_ref_sink(metadata_to_record(metadata));
        yaml = yaml_from_variant(record);
        text = g_strconcat(header, yaml, NULL);
        return editor_run(c, "metadata", text, metadata_apply, path, ret_error);
}

/* --- tables --- */

const Command metadata_commands[] = {
        { "edit", NULL, "<container>", "Edit the metadata as YAML", NULL, "c-", 1, 1,
          .run = metadata_edit },
        { "show", NULL, "<container>", "Show the metadata as YAML", client_show_options, "c-", 1, 1,
          .run = metadata_show },
        { NULL },
};

const Command template_commands[] = {
        { "create", NULL, "<container> <template>", "Make a template, of standard input if it is "
          "no terminal", NULL, "c-", 2, 2, .run = template_create },
        { "delete", "rm", "<container> <template>", "Delete a template", NULL, "c-", 2, 2,
          .run = template_delete },
        { "edit", NULL, "<container> <template>", "Edit a template", NULL, "c-", 2, 2,
          .run = template_edit },
        { "list", "ls", "<container>", "List the templates", client_list_options, "c-", 1, 1,
          .run = template_list },
        { "show", NULL, "<container> <template>", "Show a template", NULL, "c-", 2, 2,
          .run = template_show },
        { NULL },
};
