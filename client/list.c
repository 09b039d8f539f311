/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/container-details.h"
#include "client/container-record.h"
#include "client/filter.h"
#include "client/list-columns.h"
#include "client/snapshot.h"
#include "client/table.h"
#include "service/util/cleanup.h"

const Option list_options[] = {
        { "columns", 'c', "LETTERS", "Columns to show (see berth(1)); " LIST_COLUMNS_DEFAULT
          " by default", NULL },
        { "fast", 0, NULL, "The same as -c " LIST_COLUMNS_FAST, NULL },
        { "format", 'f', "FORMAT", "table, compact, csv, json or yaml", NULL },
        { "all-projects", 0, NULL, NULL, "" },
        { NULL },
};

/* What is shown, of what. */
typedef struct List {
        GPtrArray *columns, *filters;
        GPtrArray *containers, *snapshots; /* the latter for records alone */
        GArray *lines;                     /* ContainerDetails */
        OutputFormat format;
} List;

static void list_clear(List *list) {
        g_clear_pointer(&list->columns, g_ptr_array_unref);
        g_clear_pointer(&list->filters, g_ptr_array_unref);
        g_clear_pointer(&list->lines, g_array_unref);
        g_clear_pointer(&list->containers, g_ptr_array_unref);
        g_clear_pointer(&list->snapshots, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(List, list_clear)

static int columns_parse(Client *c, List *list, Error *ret_error) {
        const char *text = client_option(c, "columns");

        if (text && client_flag(c, "fast"))
                return client_usage_error(ret_error, "-c and --fast exclude each other");
        if (!text)
                text = client_flag(c, "fast") ? LIST_COLUMNS_FAST : LIST_COLUMNS_DEFAULT;
        return list_columns_parse(c, text, &list->columns, ret_error);
}

static int filters_parse(Client *c, GPtrArray *filters, Error *ret_error) {
        for (size_t i = 0; i < client_n_arguments(c); i++) {
                const char *text = client_argument(c, i);
                Filter *f;
                int r;

                /* "local:" alone means everything on this machine. */
                if (g_str_has_prefix(text, "local:"))
                        text += strlen("local:");
                if (!*text)
                        continue;
                r = filter_new(text, &f, ret_error);
                if (r < 0)
                        return r;
                g_ptr_array_add(filters, f);
        }
        return 0;
}

/* Filters that can be decided from properties alone spare the others their questions. */
static void lines_filter(List *list, bool with_config) {
        for (size_t i = list->lines->len; i > 0; i--) {
                const ContainerDetails *d = &g_array_index(list->lines, ContainerDetails, i - 1);
                bool matches = true;

                for (size_t j = 0; matches && j < list->filters->len; j++) {
                        const Filter *f = g_ptr_array_index(list->filters, j);

                        if (filter_needs_config(f) == with_config)
                                matches = filter_matches(f, d->container,
                                                         d->answers[DETAIL_EXPANDED_CONFIG]);
                }
                if (!matches)
                        g_array_remove_index(list->lines, (guint) i - 1);
        }
}

/* JSON and YAML have it all. */
static bool list_has_all(const List *list) {
        return list->format == OUTPUT_JSON || list->format == OUTPUT_YAML;
}

static bool list_needs(const List *list, Detail detail) {
        if (list_has_all(list))
                return true;
        for (size_t i = 0; i < list->columns->len; i++)
                if (list_column_needs(g_ptr_array_index(list->columns, i), detail))
                        return true;
        return false;
}

static int lines_ask(Client *c, List *list, Error *ret_error) {
        bool needs_config = false;
        int r = 0;

        lines_filter(list, false);
        for (size_t i = 0; i < list->filters->len; i++)
                needs_config |= filter_needs_config(g_ptr_array_index(list->filters, i));
        if (needs_config) {
                r = container_details_ask(c, list->lines, DETAIL_EXPANDED_CONFIG, ret_error);
                lines_filter(list, true);
        }
        for (Detail detail = 0; r >= 0 && detail < _DETAIL_MAX; detail++)
                if (list_needs(list, detail) &&
                    !(needs_config && detail == DETAIL_EXPANDED_CONFIG))
                        r = container_details_ask(c, list->lines, detail, ret_error);
        return r;
}

static GVariant *line_to_record(const List *list, const ContainerDetails *d) {
        g_autoptr(GPtrArray) snapshots = NULL;

        if (!list_has_all(list))
                return NULL;
        snapshots = snapshots_among(list->snapshots, d->container->path);
        return container_to_record(d, snapshots_to_record(snapshots));
}

static int list_print(const List *list, Error *ret_error) {
        g_autoptr(GPtrArray) headings = g_ptr_array_new();
        g_autoptr(Table) table = NULL;

        for (size_t i = 0; i < list->columns->len; i++)
                g_ptr_array_add(headings,
                                (char *) list_column_heading(list->columns->pdata[i]));
        g_ptr_array_add(headings, NULL);
        table = table_new((const char *const *) headings->pdata);
        for (size_t i = 0; i < list->columns->len; i++)
                if (list_column_is_state(list->columns->pdata[i]))
                        table_set_state_column(table, i);

        for (size_t i = 0; i < list->lines->len; i++) {
                const ContainerDetails *d = &g_array_index(list->lines, ContainerDetails, i);

                table_add_row(table, line_to_record(list, d));
                for (size_t j = 0; j < list->columns->len; j++) {
                        g_autoptr(GPtrArray) cell = list_column_make(list->columns->pdata[j], d);

                        table_add_lines(table, cell);
                }
        }
        return table_print(table, list->format, ret_error);
}

static void add_property(GPtrArray *properties, const char *name) {
        if (name && !g_ptr_array_find(properties, name, NULL))
                g_ptr_array_add(properties, (char *) name);
}

static int list_read(Client *c, List *list, Error *ret_error) {
        g_autoptr(GPtrArray) properties = g_ptr_array_new();
        int r;

        for (size_t i = 0; i < list->columns->len; i++)
                add_property(properties, list_column_property(list->columns->pdata[i]));
        for (size_t i = 0; i < list->filters->len; i++)
                add_property(properties, filter_property(list->filters->pdata[i]));
        g_ptr_array_add(properties, NULL);
        r = client_get_objects(c, OBJECT_CONTAINER,
                               list_has_all(list) ? NULL
                                                  : (const char *const *) properties->pdata,
                               &list->containers, ret_error);
        if (r >= 0 && list_has_all(list))
                r = client_get_objects(c, OBJECT_SNAPSHOT, NULL, &list->snapshots, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < list->containers->len; i++) {
                ContainerDetails d = { .container = g_ptr_array_index(list->containers, i) };

                g_array_append_val(list->lines, d);
        }
        return 0;
}

int run_list(Client *c, Error *ret_error) {
        g_auto(List) list = { 0 };
        int r;

        list.filters = g_ptr_array_new_with_free_func((GDestroyNotify) filter_free);
        list.lines = g_array_new(FALSE, FALSE, sizeof(ContainerDetails));
        g_array_set_clear_func(list.lines, container_details_clear);
        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &list.format, ret_error);
        if (r >= 0)
                r = columns_parse(c, &list, ret_error);
        if (r >= 0)
                r = filters_parse(c, list.filters, ret_error);
        if (r >= 0)
                r = list_read(c, &list, ret_error);
        if (r >= 0)
                r = lines_ask(c, &list, ret_error);
        return r < 0 ? r : list_print(&list, ret_error);
}
