/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/container-record.h"
#include "client/filter.h"
#include "client/format.h"
#include "client/table.h"
#include "service/util/cleanup.h"

#define COLUMNS_DEFAULT "ns46tS"
#define COLUMNS_FAST "nsacPt"

const Option list_options[] = {
        { "columns", 'c', "LETTERS", "Columns to show (see berth(1)); " COLUMNS_DEFAULT
          " by default", NULL },
        { "fast", 0, NULL, "The same as -c " COLUMNS_FAST, NULL },
        { "format", 'f', "FORMAT", "table, compact, csv, json or yaml", NULL },
        { "all-projects", 0, NULL, NULL, "" },
        { NULL },
};

/* What a column's text is made of beyond the container's properties. */
typedef enum ColumnNeeds {
        NEEDS_NOTHING,
        NEEDS_SNAPSHOTS,
        NEEDS_STATE,
        NEEDS_CONFIG,
} ColumnNeeds;

typedef struct Line {
        const Object *container;
        size_t n_snapshots;
        GVariant *state;  /* a{sv} of GetState(), or NULL */
        GVariant *config; /* a{ss}, expanded, or NULL */
} Line;

typedef struct Column Column;
struct Column {
        char letter; /* 0 for a key of the configuration */
        const char *heading;
        ColumnNeeds needs;
        GPtrArray *(*make)(const Line *line, const Column *column);
        const char *refusal;
        const char *key; /* interned */
        size_t width_max; /* 0 without bound */
};

static GPtrArray *cell_new(char *text) {
        GPtrArray *cell = g_ptr_array_new_with_free_func(g_free);

        g_ptr_array_add(cell, text);
        return cell;
}

static GPtrArray *make_ipv4(const Line *l, const Column *column) {
        return container_addresses(l->container, "inet");
}

static GPtrArray *make_ipv6(const Line *l, const Column *column) {
        return container_addresses(l->container, "inet6");
}

static GPtrArray *make_architecture(const Line *l, const Column *column) {
        return cell_new(g_strdup(object_get_string(l->container, "Architecture")));
}

static GPtrArray *make_pool(const Line *l, const Column *column) {
        return cell_new(g_strdup(object_get_string(l->container, "StoragePool")));
}

static GPtrArray *make_created(const Line *l, const Column *column) {
        return cell_new(format_time(object_get_number(l->container, "Created")));
}

static GPtrArray *make_description(const Line *l, const Column *column) {
        return cell_new(g_strdup(object_get_string(l->container, "Description")));
}

static GPtrArray *make_image(const Line *l, const Column *column) {
        return cell_new(g_strndup(object_get_string(l->container, "Image"), 12));
}

static GPtrArray *make_full_image(const Line *l, const Column *column) {
        return cell_new(g_strdup(object_get_string(l->container, "Image")));
}

static GPtrArray *make_last_used(const Line *l, const Column *column) {
        return cell_new(format_time(object_get_number(l->container, "LastStarted")));
}

static GPtrArray *make_memory(const Line *l, const Column *column) {
        guint64 bytes;

        if (!l->state || !g_variant_lookup(l->state, "memory-current", "t", &bytes))
                return cell_new(g_strdup(""));
        return cell_new(format_size_binary(bytes));
}

static GPtrArray *make_name(const Line *l, const Column *column) {
        return cell_new(g_strdup(l->container->name));
}

static GPtrArray *make_processes(const Line *l, const Column *column) {
        guint32 n;

        if (!l->state || !g_variant_lookup(l->state, "processes", "u", &n))
                return cell_new(g_strdup("0"));
        return cell_new(g_strdup_printf("%u", n));
}

static GPtrArray *make_owner(const Line *l, const Column *column) {
        return cell_new(container_owner(l->container));
}

static GPtrArray *make_pid(const Line *l, const Column *column) {
        uint64_t pid = object_get_number(l->container, "InitPid");

        return cell_new(pid > 0 ? g_strdup_printf("%" G_GUINT64_FORMAT, pid) : g_strdup(""));
}

static GPtrArray *make_profiles(const Line *l, const Column *column) {
        g_autoptr(GVariant) profiles = object_get_value(l->container, "Profiles", "as");
        GPtrArray *cell = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; profiles && i < g_variant_n_children(profiles); i++) {
                const char *name;

                g_variant_get_child(profiles, i, "&s", &name);
                g_ptr_array_add(cell, g_strdup(name));
        }
        return cell;
}

static GPtrArray *make_state(const Line *l, const Column *column) {
        return cell_new(container_status(l->container));
}

static GPtrArray *make_snapshots(const Line *l, const Column *column) {
        return cell_new(g_strdup_printf("%zu", l->n_snapshots));
}

static GPtrArray *make_type(const Line *l, const Column *column) {
        return cell_new(g_strdup(container_type(l->container)));
}

static GPtrArray *make_cpu(const Line *l, const Column *column) {
        guint64 usec;

        if (!l->state || !g_variant_lookup(l->state, "cpu-usage", "t", &usec))
                return cell_new(g_strdup("0s"));
        return cell_new(g_strdup_printf("%" G_GUINT64_FORMAT "s", usec / G_USEC_PER_SEC));
}

static GPtrArray *make_key(const Line *l, const Column *column) {
        const char *value = "";
        char *text;

        if (l->config)
                (void) g_variant_lookup(l->config, column->key, "&s", &value);
        text = g_strdup(value);
        if (column->width_max > 0 && (size_t) g_utf8_strlen(text, -1) > column->width_max)
                *g_utf8_offset_to_pointer(text, (glong) column->width_max) = 0;
        return cell_new(text);
}

static const Column column_table[] = {
        { '4', "IPV4", NEEDS_NOTHING, make_ipv4 },
        { '6', "IPV6", NEEDS_NOTHING, make_ipv6 },
        { 'a', "ARCHITECTURE", NEEDS_NOTHING, make_architecture },
        { 'b', "STORAGE POOL", NEEDS_NOTHING, make_pool },
        { 'c', "CREATED AT", NEEDS_NOTHING, make_created },
        { 'd', "DESCRIPTION", NEEDS_NOTHING, make_description },
        { 'f', "BASE IMAGE", NEEDS_NOTHING, make_image },
        { 'F', "BASE IMAGE", NEEDS_NOTHING, make_full_image },
        { 'l', "LAST USED AT", NEEDS_NOTHING, make_last_used },
        { 'm', "MEMORY USAGE", NEEDS_STATE, make_memory },
        { 'n', "NAME", NEEDS_NOTHING, make_name },
        { 'N', "PROCESSES", NEEDS_STATE, make_processes },
        { 'o', "OWNER", NEEDS_NOTHING, make_owner },
        { 'p', "PID", NEEDS_NOTHING, make_pid },
        { 'P', "PROFILES", NEEDS_NOTHING, make_profiles },
        { 's', "STATE", NEEDS_NOTHING, make_state },
        { 'S', "SNAPSHOTS", NEEDS_SNAPSHOTS, make_snapshots },
        { 't', "TYPE", NEEDS_NOTHING, make_type },
        { 'u', "CPU USAGE", NEEDS_STATE, make_cpu },
        { 'D', .refusal = "the service does not measure disk usage" },
        { 'e', .refusal = "berth has no projects" },
        { 'L', .refusal = "berth works on this machine only" },
        { 'M', .refusal = "the service does not tell what a limit comes to; use 'm'" },
};

static int columns_add_letters(GArray *columns, const char *letters, Error *ret_error) {
        for (const char *p = letters; *p; p++) {
                const Column *found = NULL;

                for (size_t i = 0; i < ELEMENTSOF(column_table) && !found; i++)
                        if (column_table[i].letter == *p)
                                found = &column_table[i];
                if (!found && (*p < ' ' || *p > '~'))
                        return client_usage_error(ret_error, "There is no such column");
                if (!found)
                        return client_usage_error(ret_error, "There is no column '%c'", *p);
                if (found->refusal)
                        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                         "There is no column '%c': %s", *p, found->refusal);
                g_array_append_val(columns, *found);
        }
        return 0;
}

/* "KEY[:HEADING][:MAXWIDTH]" */
static int columns_add_key(GArray *columns, const char *text, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(text, ":", 3);
        Column column = { .needs = NEEDS_CONFIG, .make = make_key };
        uint64_t width;

        if (!*parts[0])
                return client_usage_error(ret_error, "The column '%s' has no key", text);
        if (parts[1] && parts[2]) {
                if (parse_number(parts[2], &width) < 0 || width > 10000)
                        return client_usage_error(ret_error, "'%s' is no width", parts[2]);
                column.width_max = width;
        }
        column.key = g_intern_string(parts[0]);
        column.heading = parts[1] && *parts[1] ? g_intern_string(parts[1])
                                               : g_intern_string(parts[0]);
        g_array_append_val(columns, column);
        return 0;
}

static int columns_parse(Client *c, GArray *columns, Error *ret_error) {
        const char *letters = client_option(c, "columns");
        g_auto(GStrv) parts = NULL;

        if (letters && client_flag(c, "fast"))
                return client_usage_error(ret_error, "-c and --fast exclude each other");
        if (!letters)
                letters = client_flag(c, "fast") ? COLUMNS_FAST : COLUMNS_DEFAULT;
        parts = g_strsplit(letters, ",", -1);
        for (char **part = parts; *part; part++) {
                int r;

                if (strpbrk(*part, ".:"))
                        r = columns_add_key(columns, *part, ret_error);
                else
                        r = columns_add_letters(columns, *part, ret_error);
                if (r < 0)
                        return r;
        }
        if (columns->len == 0)
                return client_usage_error(ret_error, "There has to be a column");
        return 0;
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

/* Asks one question of each container, all at once. What is refused (the configuration of other
 * people's containers) stays empty. */
static int lines_ask(Client *c, GArray *lines, ColumnNeeds what, Error *ret_error) {
        g_autofree Call *calls = g_new0(Call, MAX(lines->len, 1));
        int r;

        for (size_t i = 0; i < lines->len; i++) {
                GVariantDict options;

                g_variant_dict_init(&options, NULL);
                if (what == NEEDS_CONFIG)
                        g_variant_dict_insert(&options, "expanded", "b", TRUE);
                calls[i] = (Call) {
                        .path = g_array_index(lines, Line, i).container->path,
                        .interface = object_kind_to_interface(OBJECT_CONTAINER),
                        .member = what == NEEDS_CONFIG ? "GetConfig" : "GetState",
                        .arguments = g_variant_new("(@a{sv})", g_variant_dict_end(&options)),
                };
        }
        r = connection_call_many(c->connection, calls, lines->len, ret_error);
        for (size_t i = 0; i < lines->len; i++) {
                Line *l = &g_array_index(lines, Line, i);
                GVariant *reply = calls[i].reply;

                if (reply && what == NEEDS_CONFIG &&
                    g_variant_is_of_type(reply, G_VARIANT_TYPE("(a{ss})")))
                        l->config = g_variant_get_child_value(reply, 0);
                if (reply && what == NEEDS_STATE &&
                    g_variant_is_of_type(reply, G_VARIANT_TYPE("(a{sv})")))
                        l->state = g_variant_get_child_value(reply, 0);
                call_done(&calls[i]);
        }
        return r;
}

static void line_clear(gpointer data) {
        Line *l = data;

        g_clear_pointer(&l->state, g_variant_unref);
        g_clear_pointer(&l->config, g_variant_unref);
}

static size_t count_snapshots(const GPtrArray *snapshots, const Object *container) {
        g_autofree char *prefix = g_strconcat(container->path, "/", NULL);
        size_t n = 0;

        for (size_t i = 0; i < snapshots->len; i++)
                if (g_str_has_prefix(((Object *) g_ptr_array_index(snapshots, i))->path, prefix))
                        n++;
        return n;
}

static bool line_matches(const Line *l, const GPtrArray *filters) {
        for (size_t i = 0; i < filters->len; i++)
                if (!filter_matches(g_ptr_array_index(filters, i), l->container, l->config))
                        return false;
        return true;
}

static int lines_print(const GArray *lines, const GPtrArray *filters, const GArray *columns,
                       OutputFormat format, Error *ret_error) {
        g_autoptr(GPtrArray) headings = g_ptr_array_new();
        g_autoptr(Table) table = NULL;

        for (size_t i = 0; i < columns->len; i++)
                g_ptr_array_add(headings, (char *) g_array_index(columns, Column, i).heading);
        g_ptr_array_add(headings, NULL);
        table = table_new((const char *const *) headings->pdata);
        for (size_t i = 0; i < columns->len; i++)
                if (g_array_index(columns, Column, i).letter == 's')
                        table_set_state_column(table, i);

        for (size_t i = 0; i < lines->len; i++) {
                const Line *l = &g_array_index(lines, Line, i);

                if (!line_matches(l, filters))
                        continue;
                table_add_row(table, container_to_record(l->container));
                for (size_t j = 0; j < columns->len; j++) {
                        const Column *column = &g_array_index(columns, Column, j);
                        g_autoptr(GPtrArray) cell = column->make(l, column);

                        table_add_lines(table, cell);
                }
        }
        return table_print(table, format, ret_error);
}

int run_list(Client *c, Error *ret_error) {
        g_autoptr(GPtrArray) filters = NULL, containers = NULL, snapshots = NULL;
        g_autoptr(GArray) columns = g_array_new(FALSE, FALSE, sizeof(Column));
        g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(Line));
        g_autoptr(GVariant) managed = NULL;
        bool needs_config = false, needs_state = false;
        OutputFormat format;
        int r;

        filters = g_ptr_array_new_with_free_func((GDestroyNotify) filter_free);
        g_array_set_clear_func(lines, line_clear);
        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = columns_parse(c, columns, ret_error);
        if (r >= 0)
                r = filters_parse(c, filters, ret_error);
        if (r >= 0)
                r = client_get_managed(c, &managed, ret_error);
        if (r < 0)
                return r;

        containers = objects_select(managed, OBJECT_CONTAINER);
        snapshots = objects_select(managed, OBJECT_SNAPSHOT);
        for (size_t i = 0; i < containers->len; i++) {
                Line l = { .container = g_ptr_array_index(containers, i) };

                l.n_snapshots = count_snapshots(snapshots, l.container);
                g_array_append_val(lines, l);
        }
        for (size_t i = 0; i < filters->len; i++)
                needs_config |= filter_needs_config(g_ptr_array_index(filters, i));
        for (size_t i = 0; i < columns->len; i++) {
                needs_config |= g_array_index(columns, Column, i).needs == NEEDS_CONFIG;
                needs_state |= g_array_index(columns, Column, i).needs == NEEDS_STATE;
        }
        if (needs_config)
                r = lines_ask(c, lines, NEEDS_CONFIG, ret_error);
        if (r >= 0 && needs_state)
                r = lines_ask(c, lines, NEEDS_STATE, ret_error);
        if (r < 0)
                return r;
        return lines_print(lines, filters, columns, format, ret_error);
}
