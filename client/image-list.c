/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/filter.h"
#include "client/format.h"
#include "client/image.h"
#include "client/image-record.h"
#include "client/image-server.h"
#include "client/table.h"
#include "service/util/cleanup.h"

#define COLUMNS_DEFAULT "lfpdatsu"

typedef struct ImageColumn {
        char letter;
        const char *heading;
        char *(*make)(const Object *o);
} ImageColumn;

static char *make_alias(const Object *o) {
        g_autoptr(GPtrArray) aliases = image_aliases(o);

        if (aliases->len == 0)
                return g_strdup("");
        if (aliases->len == 1)
                return g_strdup(g_ptr_array_index(aliases, 0));
        return g_strdup_printf("%s (%u more)", (char *) g_ptr_array_index(aliases, 0),
                               aliases->len - 1);
}

static char *make_aliases(const Object *o) {
        g_autoptr(GPtrArray) aliases = image_aliases(o);

        return format_join(aliases, ", ");
}

static char *make_fingerprint(const Object *o) {
        return g_strndup(o->name, 12);
}

static char *make_full_fingerprint(const Object *o) {
        return g_strdup(o->name);
}

static char *make_public(const Object *o) {
        return g_strdup(object_get_boolean(o, "Public") ? "yes" : "no");
}

static char *make_description(const Object *o) {
        return image_property(o, "description");
}

static char *make_architecture(const Object *o) {
        return g_strdup(object_get_string(o, "Architecture"));
}

static char *make_size(const Object *o) {
        return format_size(object_get_number(o, "Size"));
}

static char *make_uploaded(const Object *o) {
        return format_time(object_get_number(o, "Uploaded"));
}

static char *make_type(const Object *o) {
        return g_strdup("CONTAINER");
}

static const ImageColumn column_table[] = {
        { 'a', "ARCHITECTURE", make_architecture },
        { 'd', "DESCRIPTION", make_description },
        { 'f', "FINGERPRINT", make_fingerprint },
        { 'F', "FINGERPRINT", make_full_fingerprint },
        { 'l', "ALIAS", make_alias },
        { 'L', "ALIASES", make_aliases },
        { 'p', "PUBLIC", make_public },
        { 's', "SIZE", make_size },
        { 't', "TYPE", make_type },
        { 'u', "UPLOAD DATE", make_uploaded },
};

static int columns_parse(const char *letters, GPtrArray *columns, Error *ret_error) {
        for (const char *p = letters; *p; p++) {
                const ImageColumn *found = NULL;

                for (size_t i = 0; i < ELEMENTSOF(column_table) && !found; i++)
                        if (column_table[i].letter == *p)
                                found = &column_table[i];
                if (!found && (*p < ' ' || *p > '~'))
                        return client_usage_error(ret_error, "There is no such column");
                if (!found)
                        return client_usage_error(ret_error, "There is no column '%c'", *p);
                g_ptr_array_add(columns, (gpointer) found);
        }
        if (columns->len == 0)
                return client_usage_error(ret_error, "There has to be a column");
        return 0;
}

/* A property, or one of the facts that LXD filters by as well. */
static char *value_of(const Object *o, const char *key) {
        g_autofree char *value = image_property(o, key);

        if (*value)
                return g_steal_pointer(&value);
        if (g_str_equal(key, "architecture"))
                return make_architecture(o);
        if (g_str_equal(key, "fingerprint"))
                return make_full_fingerprint(o);
        if (g_str_equal(key, "type"))
                return g_strdup("container");
        if (g_str_equal(key, "public"))
                return g_strdup(object_get_boolean(o, "Public") ? "true" : "false");
        return g_steal_pointer(&value);
}

/* A beginning of the fingerprint, a part of an alias, or PROPERTY=VALUE, the value a regular
 * expression. */
static bool image_matches(const Object *o, const char *filter) {
        g_autoptr(GPtrArray) aliases = NULL;
        g_autofree char *key = NULL, *wanted = NULL, *value = NULL;

        if (parse_assignment(filter, &key, &wanted) >= 0) {
                g_autoptr(GRegex) regex = filter_regex_new(wanted, false);

                value = value_of(o, key);
                return filter_regex_matches(regex, wanted, value);
        }
        if (g_str_has_prefix(o->name, filter))
                return true;
        aliases = image_aliases(o);
        for (size_t i = 0; i < aliases->len; i++)
                if (strstr(g_ptr_array_index(aliases, i), filter))
                        return true;
        return false;
}

/* The first may say where, before a colon. */
static bool image_matches_all(Client *c, const Object *o) {
        for (size_t i = 0; i < client_n_arguments(c); i++) {
                const char *filter = client_argument(c, i);
                g_autofree char *server = NULL, *name = NULL;

                if (i == 0 && !strchr(filter, '=')) {
                        image_source_parse(filter, &server, &name);
                        filter = name;
                }
                if (*filter && !image_matches(o, filter))
                        return false;
        }
        return true;
}

static int get_images(Client *c, GPtrArray **ret, Error *ret_error) {
        const char *first = client_argument(c, 0) ?: "";
        g_autofree char *server = NULL, *name = NULL;

        if (!strchr(first, '='))
                image_source_parse(first, &server, &name);
        return image_get_all(c, server, ret, ret_error);
}

static Table *image_table_new(const GPtrArray *columns) {
        g_autoptr(GPtrArray) headings = g_ptr_array_new();
        Table *table;

        for (size_t i = 0; i < columns->len; i++) {
                const ImageColumn *column = g_ptr_array_index(columns, i);

                g_ptr_array_add(headings, (char *) column->heading);
        }
        g_ptr_array_add(headings, NULL);
        table = table_new((const char *const *) headings->pdata);
        for (size_t i = 0; i < columns->len; i++)
                if (((const ImageColumn *) g_ptr_array_index(columns, i))->letter == 's')
                        table_set_right(table, i);
        return table;
}

int run_image_list(Client *c, Error *ret_error) {
        const char *letters = client_option(c, "columns") ?: COLUMNS_DEFAULT;
        g_autoptr(GPtrArray) columns = g_ptr_array_new(), images = NULL;
        g_autoptr(Table) table = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = columns_parse(letters, columns, ret_error);
        if (r >= 0)
                r = get_images(c, &images, ret_error);
        if (r < 0)
                return r;
        table = image_table_new(columns);
        for (size_t i = 0; i < images->len; i++) {
                const Object *o = g_ptr_array_index(images, i);

                if (!image_matches_all(c, o))
                        continue;
                table_add_row(table, image_to_record(o));
                for (size_t j = 0; j < columns->len; j++) {
                        const ImageColumn *column = g_ptr_array_index(columns, j);
                        g_autofree char *text = column->make(o);

                        table_add_cell(table, text);
                }
        }
        return table_print(table, format, ret_error);
}
