/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/image.h"
#include "client/image-record.h"
#include "client/image-server.h"
#include "client/table.h"
#include "service/util/cleanup.h"

static int alias_add(Client *c, const char *image, const char *alias, Error *ret_error) {
        return client_call(c, OBJECT_IMAGE, image, "AddAlias",
                           g_variant_new("(sa{sv})", alias, NULL), "()", NULL, ret_error);
}

static int alias_remove(Client *c, const char *image, const char *alias, Error *ret_error) {
        return client_call(c, OBJECT_IMAGE, image, "RemoveAlias",
                           g_variant_new("(sa{sv})", alias, NULL), "()", NULL, ret_error);
}

static int alias_create(Client *c, Error *ret_error) {
        g_autofree char *alias = NULL, *image = NULL;
        int r;

        r = client_object_name(client_argument(c, 0), &alias, ret_error);
        if (r >= 0)
                r = client_get_image_path(c, client_argument(c, 1), &image, ret_error);
        if (r < 0)
                return r;
        return alias_add(c, image, alias, ret_error);
}

static int alias_delete(Client *c, Error *ret_error) {
        g_autofree char *alias = NULL, *image = NULL;
        int r;

        r = client_object_name(client_argument(c, 0), &alias, ret_error);
        if (r >= 0)
                r = client_get_image_path(c, client_argument(c, 0), &image, ret_error);
        if (r < 0)
                return r;
        return alias_remove(c, image, alias, ret_error);
}

static int alias_rename(Client *c, Error *ret_error) {
        g_autofree char *alias = NULL, *name = NULL, *image = NULL;
        int r;

        r = client_object_name(client_argument(c, 0), &alias, ret_error);
        if (r >= 0)
                r = client_object_name(client_argument(c, 1), &name, ret_error);
        if (r >= 0)
                r = client_get_image_path(c, client_argument(c, 0), &image, ret_error);
        if (r < 0)
                return r;
        /* The new name first: the image is never without one. */
        r = alias_add(c, image, name, ret_error);
        if (r < 0)
                return r;
        return alias_remove(c, image, alias, ret_error);
}

static GVariant *alias_to_record(const char *alias, const Object *o) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(alias));
        g_variant_builder_add(&b, "{sv}", "target", g_variant_new_string(o->name));
        g_variant_builder_add(&b, "{sv}", "type", g_variant_new_string("container"));
        return g_variant_builder_end(&b);
}

static int alias_list(Client *c, Error *ret_error) {
        static const char *const headings[] = { "ALIAS", "FINGERPRINT", "TYPE", "DESCRIPTION",
                                                NULL };
        const char *filter = client_argument(c, 0);
        g_autoptr(Table) table = table_new(headings);
        g_autofree char *server = NULL, *name = NULL;
        g_autoptr(GPtrArray) images = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r < 0)
                return r;
        image_source_parse(filter ?: "", &server, &name);
        filter = name;
        r = image_get_all(c, server, &images, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < images->len; i++) {
                const Object *o = g_ptr_array_index(images, i);
                g_autoptr(GPtrArray) aliases = image_aliases(o);
                g_autofree char *description = image_property(o, "description");
                g_autofree char *fingerprint = g_strndup(o->name, 12);

                for (size_t j = 0; j < aliases->len; j++) {
                        const char *alias = g_ptr_array_index(aliases, j);

                        if (!strstr(alias, filter) &&
                            !g_str_has_prefix(o->name, filter))
                                continue;
                        table_add_row(table, alias_to_record(alias, o));
                        table_add_cell(table, alias);
                        table_add_cell(table, fingerprint);
                        table_add_cell(table, "CONTAINER");
                        table_add_cell(table, description);
                }
        }
        return table_print(table, format, ret_error);
}

const Command image_alias_commands[] = {
        { "create", NULL, "<alias> <image>", "Give an image another name", NULL, "-i", 2, 2,
          .run = alias_create },
        { "delete", "rm", "<alias>", "Take a name from its image", NULL, "i-", 1, 1,
          .run = alias_delete },
        { "list", "ls", "[<server>:][<part of alias>]", "List aliases", client_list_options, "-",
          0, 1, .run = alias_list },
        { "rename", "mv", "<alias> <new alias>", "Rename an alias", NULL, "i-", 2, 2,
          .run = alias_rename },
        { NULL },
};
