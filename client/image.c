/* SPDX-License-Identifier: Apache-2.0 */
#include "client/image.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/editor.h"
#include "client/format.h"
#include "client/image-record.h"
#include "client/image-server.h"
#include "client/job.h"
#include "client/table.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

static int image_of_argument(Client *c, Object **ret, Error *ret_error) {
        g_autofree char *path = NULL, *server = NULL, *name = NULL;
        int r;

        image_source_parse(client_argument(c, 0), &server, &name);
        if (server)
                return image_server_find(c, server, name, ret, ret_error);
        r = client_get_image_path(c, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        return client_get_object(c, OBJECT_IMAGE, path, ret, ret_error);
}

static int image_update(Client *c, const char *path, GVariant *set, GVariant *unset,
                        GVariant *options, Error *ret_error) {
        return client_call(c, OBJECT_IMAGE, path, "Update",
                           g_variant_new("(@a{ss}@as@a{sv})", set, unset, options), "()", NULL,
                           ret_error);
}

static GVariant *empty(const char *element_type) {
        return g_variant_new_array(G_VARIANT_TYPE(element_type), NULL, 0);
}

static void print_time(const char *label, uint64_t usec, const char *never) {
        g_autofree char *text = format_time(usec);

        printf("    %s: %s\n", label, *text ? text : never);
}

static void print_text(const char *label, const char *value) {
        g_autofree char *shown = format_printable(value);

        printf("%s: %s\n", label, shown);
}

int run_image_info(Client *c, Error *ret_error) {
        g_autoptr(GVariant) properties = NULL;
        g_autoptr(GPtrArray) aliases = NULL, entries = NULL;
        g_autofree char *size = NULL;
        g_autoptr(Object) o = NULL;
        int r;

        r = image_of_argument(c, &o, ret_error);
        if (r < 0)
                return r;
        size = format_size(object_get_number(o, "Size"));
        print_text("Fingerprint", o->name);
        print_text("Size", size);
        print_text("Architecture", object_get_string(o, "Architecture"));
        print_text("Type", "container");
        print_text("Public", object_get_boolean(o, "Public") ? "yes" : "no");
        printf("Timestamps:\n");
        if (object_get_number(o, "Created") > 0)
                print_time("Created", object_get_number(o, "Created"), "");
        print_time("Uploaded", object_get_number(o, "Uploaded"), "unknown");
        print_time("Expires", object_get_number(o, "Expires"), "never");
        print_time("Last used", object_get_number(o, "LastUsed"), "never");
        printf("Properties:\n");
        properties = object_get_value(o, "Properties", "a{ss}");
        if (properties)
                entries = variant_entries(properties);
        for (size_t i = 0; entries && i < entries->len; i++) {
                g_autofree char *line = NULL, *shown = NULL;
                const char *key, *value;

                g_variant_get(g_ptr_array_index(entries, i), "{&s&s}", &key, &value);
                line = g_strdup_printf("%s: %s", key, value);
                shown = format_printable(line);
                printf("    %s\n", shown);
        }
        printf("Aliases:\n");
        aliases = image_aliases(o);
        for (size_t i = 0; i < aliases->len; i++) {
                g_autofree char *shown = format_printable(g_ptr_array_index(aliases, i));

                printf("    - %s\n", shown);
        }
        print_text("Cached", object_get_boolean(o, "Cached") ? "yes" : "no");
        print_text("Auto update", object_get_boolean(o, "AutoUpdate") ? "enabled" : "disabled");
        if (*object_get_string(o, "Server")) {
                printf("Source:\n");
                print_text("    Server", object_get_string(o, "Server"));
                print_text("    Alias", object_get_string(o, "ServerAlias"));
        }
        return 0;
}

int run_image_show(Client *c, Error *ret_error) {
        g_autoptr(Object) o = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r < 0)
                return r;
        r = image_of_argument(c, &o, ret_error);
        if (r < 0)
                return r;
        return record_print(image_to_editable(o), format, ret_error);
}

/* Takes the date where it is not the one that was shown. */
static int edit_more(GVariant *mapping, const Object *o, GVariantDict *options, Error *ret_error) {
        g_autofree char *shown = format_time_rfc3339(object_get_number(o, "Expires")), *text = NULL;
        bool auto_update;
        uint64_t expires;
        int r;

        r = yaml_get_boolean(mapping, "auto_update", &auto_update, ret_error);
        if (r > 0)
                g_variant_dict_insert(options, "auto-update", "b", auto_update);
        if (r >= 0)
                r = yaml_get_string(mapping, "expires_at", &text, ret_error);
        if (r <= 0 || g_str_equal(text, shown))
                return r;
        if (!image_parse_date(text, &expires))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "expires_at: this is no date such as 2030-12-31T00:00:00Z");
        g_variant_dict_insert(options, "expires", "t", expires);
        return 0;
}

static int edit_apply(Client *c, const char *text, void *userdata, Error *ret_error) {
        static const char *const keys[] = {
                "aliases", "architecture", "auto_update", "expires_at", "profiles", "properties",
                "public", NULL,
        };
        g_autoptr(GVariant) mapping = NULL, old = NULL, new = NULL;
        GVariantBuilder set, unset;
        const char *key, *value;
        GVariantDict options;
        const Object *o = userdata;
        GVariantIter iter;
        bool public;
        int r;

        r = yaml_to_variant(text, &mapping, ret_error);
        if (r >= 0 && g_variant_is_of_type(mapping, G_VARIANT_TYPE_UNIT))
                r = error_set(ret_error, ERROR_INVALID_ARGS,
                              "The YAML is empty; nothing is changed");
        if (r >= 0)
                r = yaml_check_keys(mapping, keys, ret_error);
        if (r >= 0)
                r = yaml_get_config(mapping, "properties", &new, ret_error);
        if (r < 0)
                return r;
        old = object_get_value(o, "Properties", "a{ss}");
        g_variant_builder_init(&set, G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_init(&unset, G_VARIANT_TYPE_STRING_ARRAY);
        g_variant_dict_init(&options, NULL);
        if (new) {
                g_variant_iter_init(&iter, new);
                while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                        g_variant_builder_add(&set, "{ss}", key, value);
        }
        if (new && old) {
                g_variant_iter_init(&iter, old);
                while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                        if (!g_variant_lookup(new, key, "&s", &value))
                                g_variant_builder_add(&unset, "s", key);
        }
        r = yaml_get_boolean(mapping, "public", &public, ret_error);
        if (r > 0)
                g_variant_dict_insert(&options, "public", "b", public);
        if (r >= 0)
                r = edit_more(mapping, o, &options, ret_error);
        if (r < 0) {
                g_variant_builder_clear(&set);
                g_variant_builder_clear(&unset);
                g_variant_dict_clear(&options);
                return r;
        }
        return image_update(c, o->path, g_variant_builder_end(&set), g_variant_builder_end(&unset),
                            g_variant_dict_end(&options), ret_error);
}

int run_image_edit(Client *c, Error *ret_error) {
        static const char header[] = "### This is an image in YAML.\n"
                                     "### Lines that begin with '#' are ignored.\n"
                                     "### Properties, public, auto_update and expires_at can be "
                                     "changed.\n\n";
        g_autofree char *yaml = NULL, *text = NULL;
        g_autoptr(GVariant) record = NULL;
        g_autoptr(Object) o = NULL;
        g_autofree char *here = NULL;
        int r;

        /* What is elsewhere is not ours to change. */
        r = client_object_name(client_argument(c, 0), &here, ret_error);
        if (r >= 0)
                r = image_of_argument(c, &o, ret_error);
        if (r < 0)
                return r;
        record = g_variant_ref_sink(image_to_editable(o));
        yaml = yaml_from_variant(record);
        text = g_strconcat(header, yaml, NULL);
        return editor_run(c, "image", text, edit_apply, o, ret_error);
}

int run_image_delete(Client *c, Error *ret_error) {
        for (size_t i = 0; i < client_n_arguments(c); i++) {
                g_autofree char *path = NULL;
                int r;

                r = client_get_image_path(c, client_argument(c, i), &path, ret_error);
                if (r < 0)
                        return r;
                r = job_run(c, OBJECT_IMAGE, path, "Delete", g_variant_new("(a{sv})", NULL),
                            ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int run_image_set_property(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        GVariantBuilder set;
        int r;

        r = client_get_image_path(c, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_init(&set, G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_add(&set, "{ss}", client_argument(c, 1), client_argument(c, 2));
        return image_update(c, path, g_variant_builder_end(&set), empty("s"), empty("{sv}"),
                            ret_error);
}

int run_image_unset_property(Client *c, Error *ret_error) {
        const char *key = client_argument(c, 1);
        g_autofree char *path = NULL;
        int r;

        r = client_get_image_path(c, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        return image_update(c, path, empty("{ss}"), g_variant_new_strv(&key, 1), empty("{sv}"),
                            ret_error);
}

int run_image_get_property(Client *c, Error *ret_error) {
        g_autofree char *value = NULL, *shown = NULL;
        g_autoptr(Object) o = NULL;
        int r;

        r = image_of_argument(c, &o, ret_error);
        if (r < 0)
                return r;
        value = image_property(o, client_argument(c, 1));
        shown = isatty(STDOUT_FILENO) ? format_printable_lines(value) : NULL;
        puts(shown ?: value);
        return 0;
}

#define NO_VM "berth runs containers only"

static const Option import_options[] = {
        { "alias", 0, "ALIAS", "Give it this name (may be repeated)", NULL },
        { "public", 0, NULL, "Offer it to other hosts", NULL },
        { NULL },
};

static const Option image_copy_options[] = {
        { "alias", 0, "ALIAS", "Give it this name (may be repeated)", NULL },
        { "auto-update", 0, NULL, "Follow the server: it is refreshed by itself", NULL },
        { "copy-aliases", 0, NULL, "Give it the names that it has there", NULL },
        { "public", 0, NULL, "Offer it to other hosts", NULL },
        { "mode", 0, "MODE", NULL, "this machine fetches it itself" },
        { "profile", 'p', "PROFILE", NULL, "give the profiles when a container is made of it" },
        { "target-project", 0, "NAME", NULL, "berth has no projects" },
        { "vm", 0, NULL, NULL, NO_VM },
        { NULL },
};

static const Option list_image_options[] = {
        { "columns", 'c', "LETTERS", "Columns to show (see berth(1))", NULL },
        { "format", 'f', "FORMAT", "table, compact, csv, json or yaml", NULL },
        { NULL },
};

static const Option vm_options[] = {
        { "vm", 0, NULL, NULL, NO_VM },
        { NULL },
};

static const Option show_image_options[] = {
        { "format", 'f', "FORMAT", "yaml (default) or json", NULL },
        { "vm", 0, NULL, NULL, NO_VM },
        { NULL },
};

const Command image_commands[] = {
        { "alias", NULL, NULL, "Manage names of images", .children = image_alias_commands },
        { "copy", "cp", "<server>:<image> local:", "Download an image from an image server",
          image_copy_options, "-", 2, 2, .run = run_image_copy },
        { "delete", "rm", "<image>...", "Delete images", NULL, "i", 1, -1,
          .run = run_image_delete },
        { "edit", NULL, "<image>", "Edit an image's properties as YAML", NULL, "i-", 1, 1,
          .run = run_image_edit },
        { "export", NULL, "<image> [<file>|<directory>|-]", "Write an image's archive or archives",
          vm_options,
          "if", 1, 2, .run = run_image_export },
        { "get-property", NULL, "<image> <key>", "Print a property", NULL, "i-", 2, 2,
          .run = run_image_get_property },
        { "import", NULL, "<archive>|-|<URL> [<root filesystem>] [<key>=<value>...]",
          "Make an image of an archive, or of metadata and a root filesystem",
          import_options, "f", 1, -1, .run = run_image_import },
        { "info", NULL, "[<server>:]<image>", "Show an image", vm_options, "i-", 1, 1,
          .run = run_image_info },
        { "list", "ls", "[<server>:] [<filter>...]", "List images", list_image_options, "i", 0, -1,
          .run = run_image_list },
        { "refresh", NULL, "<image>...", "Ask image servers for later images", NULL, "i", 1, -1,
          .run = run_image_refresh },
        { "set-property", NULL, "<image> <key> <value>", "Set a property", NULL, "i-", 3, 3,
          .run = run_image_set_property },
        { "show", NULL, "<image>", "Show what can be edited of an image", show_image_options,
          "i-", 1, 1, .run = run_image_show },
        { "unset-property", NULL, "<image> <key>", "Remove a property", NULL, "i-", 2, 2,
          .run = run_image_unset_property },
        { NULL },
};
