/* SPDX-License-Identifier: Apache-2.0 */
#include "client/list-columns.h"

#include <string.h>

#include "client/commands.h"
#include "client/container-record.h"
#include "client/format.h"
#include "service/util/cleanup.h"

#define WIDTH_MAX 10000U
/* Asks for no answer. */
#define NO_DETAIL _DETAIL_MAX

struct Column {
        char letter; /* 0 for a key */
        const char *heading;
        Detail needs;
        const char *property; /* of the container, NULL for none */
        GPtrArray *(*make)(const ContainerDetails *d, const Column *column);
        const char *refusal;
        char *own_heading, *key, *device; /* key of the configuration, or of the device's options */
        size_t width_max;                 /* 0 without bound */
};

static void column_free(gpointer p) {
        Column *column = p;

        g_free(column->own_heading);
        g_free(column->key);
        g_free(column->device);
        g_free(column);
}

/* --- cells --- */

static GPtrArray *cell_new(char *text) {
        GPtrArray *cell = g_ptr_array_new_with_free_func(g_free);

        g_ptr_array_add(cell, text);
        return cell;
}

static GPtrArray *make_text(const ContainerDetails *d, const Column *column) {
        return cell_new(g_strdup(object_get_string(d->container, column->property)));
}

static GPtrArray *make_time(const ContainerDetails *d, const Column *column) {
        return cell_new(format_time(object_get_number(d->container, column->property)));
}

static GPtrArray *make_ipv4(const ContainerDetails *d, const Column *column) {
        return container_addresses(d->container, "inet");
}

static GPtrArray *make_ipv6(const ContainerDetails *d, const Column *column) {
        return container_addresses(d->container, "inet6");
}

/* The only one there is. */
static GPtrArray *make_project(const ContainerDetails *d, const Column *column) {
        return cell_new(g_strdup("default"));
}

static GPtrArray *make_image(const ContainerDetails *d, const Column *column) {
        return cell_new(g_strndup(object_get_string(d->container, column->property), 12));
}

static GPtrArray *make_disk(const ContainerDetails *d, const Column *column) {
        uint64_t used;

        return cell_new(container_details_number(d, DETAIL_DISK, "used", &used)
                                ? format_size_binary(used)
                                : g_strdup(""));
}

static GPtrArray *make_memory(const ContainerDetails *d, const Column *column) {
        uint64_t used;

        return cell_new(container_details_number(d, DETAIL_STATE, "memory-current", &used)
                                ? format_size_binary(used)
                                : g_strdup(""));
}

/* Of its limit, where it has one. */
static GPtrArray *make_memory_share(const ContainerDetails *d, const Column *column) {
        uint64_t used, limit;

        if (!container_details_number(d, DETAIL_STATE, "memory-current", &used) ||
            !container_details_number(d, DETAIL_STATE, "memory-limit", &limit) || limit == 0)
                return cell_new(g_strdup(""));
        return cell_new(g_strdup_printf("%.1f%%", 100.0 * (double) used / (double) limit));
}

static GPtrArray *make_name(const ContainerDetails *d, const Column *column) {
        return cell_new(g_strdup(d->container->name));
}

static GPtrArray *make_processes(const ContainerDetails *d, const Column *column) {
        uint64_t n;

        return cell_new(container_details_number(d, DETAIL_STATE, "processes", &n)
                                ? g_strdup_printf("%" G_GUINT64_FORMAT, n)
                                : g_strdup(""));
}

static GPtrArray *make_owner(const ContainerDetails *d, const Column *column) {
        return cell_new(container_owner(d->container));
}

static GPtrArray *make_pid(const ContainerDetails *d, const Column *column) {
        uint64_t pid = object_get_number(d->container, column->property);

        return cell_new(pid > 0 ? g_strdup_printf("%" G_GUINT64_FORMAT, pid) : g_strdup(""));
}

static GPtrArray *make_profiles(const ContainerDetails *d, const Column *column) {
        g_autoptr(GVariant) profiles = object_get_value(d->container, column->property, "as");
        GPtrArray *cell = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; profiles && i < g_variant_n_children(profiles); i++) {
                char *name;

                g_variant_get_child(profiles, i, "s", &name);
                g_ptr_array_add(cell, name);
        }
        return cell;
}

static GPtrArray *make_state(const ContainerDetails *d, const Column *column) {
        return cell_new(container_status(d->container));
}

static GPtrArray *make_snapshots(const ContainerDetails *d, const Column *column) {
        g_autoptr(GVariant) paths = object_get_value(d->container, column->property, "ao");

        return cell_new(g_strdup_printf("%zu", paths ? g_variant_n_children(paths) : 0));
}

static GPtrArray *make_type(const ContainerDetails *d, const Column *column) {
        return cell_new(g_strdup(container_type(d->container)));
}

static GPtrArray *make_cpu(const ContainerDetails *d, const Column *column) {
        uint64_t usec;

        return cell_new(container_details_number(d, DETAIL_STATE, "cpu-usage", &usec)
                                ? g_strdup_printf("%" G_GUINT64_FORMAT "s", usec / G_USEC_PER_SEC)
                                : g_strdup(""));
}

static GPtrArray *make_value(const Column *column, GVariant *values) {
        const char *value = "";
        char *text;

        if (values)
                (void) g_variant_lookup(values, column->key, "&s", &value);
        text = g_strdup(value);
        if (column->width_max > 0 && (size_t) g_utf8_strlen(text, -1) > column->width_max)
                *g_utf8_offset_to_pointer(text, (glong) column->width_max) = 0;
        return cell_new(text);
}

static GPtrArray *make_key(const ContainerDetails *d, const Column *column) {
        return make_value(column, d->answers[DETAIL_EXPANDED_CONFIG]);
}

static GPtrArray *make_device_key(const ContainerDetails *d, const Column *column) {
        GVariant *devices = d->answers[DETAIL_EXPANDED_DEVICES];
        g_autoptr(GVariant) options = NULL;

        if (devices)
                options = g_variant_lookup_value(devices, column->device, G_VARIANT_TYPE("a{ss}"));
        return make_value(column, options);
}

static const Column column_table[] = {
        { '4', "IPV4", NO_DETAIL, "Addresses", make_ipv4 },
        { '6', "IPV6", NO_DETAIL, "Addresses", make_ipv6 },
        { 'a', "ARCHITECTURE", NO_DETAIL, "Architecture", make_text },
        { 'b', "STORAGE POOL", NO_DETAIL, "StoragePool", make_text },
        { 'c', "CREATED AT", NO_DETAIL, "Created", make_time },
        { 'd', "DESCRIPTION", NO_DETAIL, "Description", make_text },
        { 'D', "DISK USAGE", DETAIL_DISK, NULL, make_disk },
        { 'e', "PROJECT", NO_DETAIL, NULL, make_project },
        { 'f', "BASE IMAGE", NO_DETAIL, "Image", make_image },
        { 'F', "BASE IMAGE", NO_DETAIL, "Image", make_text },
        { 'l', "LAST USED AT", NO_DETAIL, "LastStarted", make_time },
        { 'L', .refusal = "berth works on this machine only" },
        { 'm', "MEMORY USAGE", DETAIL_STATE, NULL, make_memory },
        { 'M', "MEMORY USAGE%", DETAIL_STATE, NULL, make_memory_share },
        { 'n', "NAME", NO_DETAIL, NULL, make_name },
        { 'N', "PROCESSES", DETAIL_STATE, NULL, make_processes },
        { 'o', "OWNER", NO_DETAIL, "Owner", make_owner },
        { 'p', "PID", NO_DETAIL, "InitPid", make_pid },
        { 'P', "PROFILES", NO_DETAIL, "Profiles", make_profiles },
        { 's', "STATE", NO_DETAIL, "State", make_state },
        { 'S', "SNAPSHOTS", NO_DETAIL, "Snapshots", make_snapshots },
        { 't', "TYPE", NO_DETAIL, "Ephemeral", make_type },
        { 'u', "CPU USAGE", DETAIL_STATE, NULL, make_cpu },
};

/* --- parsing --- */

static int add_letters(GPtrArray *columns, const char *letters, Error *ret_error) {
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
                g_ptr_array_add(columns, g_memdup2(found, sizeof(*found)));
        }
        return 0;
}

typedef struct KeySearch {
        const char *key;
        bool found;
} KeySearch;

static void on_key(const char *name, GVariant *dict, void *userdata) {
        KeySearch *search = userdata;

        if (g_str_has_suffix(name, "*"))
                search->found |= strncmp(name, search->key, strlen(name) - 1) == 0;
        else
                search->found |= g_str_equal(name, search->key);
}

static int check_key(Client *c, const char *key, Error *ret_error) {
        KeySearch search = { .key = key };
        g_autofree char *shown = NULL;
        int r = config_for_each_key(c, "container", on_key, &search, ret_error);

        if (r < 0 || search.found)
                return MIN(r, 0);
        shown = format_printable(key);
        return client_usage_error(ret_error, "There is no configuration key '%s'", shown);
}

/* -1: any width; 0: that of the heading. */
static int set_width(Column *column, const char *text, Error *ret_error) {
        g_autofree char *shown = NULL;
        uint64_t width;

        if (g_str_equal(text, "-1"))
                return 0;
        if (parse_number(text, &width) < 0 || width > WIDTH_MAX) {
                shown = format_printable(text);
                return client_usage_error(ret_error, "'%s' is no width", shown);
        }
        column->width_max = width > 0 ? width : (size_t) g_utf8_strlen(column->own_heading, -1);
        return 0;
}

/* "KEY[:HEADING][:WIDTH]", what is before it taken off. */
static int add_key(Client *c, GPtrArray *columns, const char *text, bool of_device,
                   Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(text, ":", -1);
        Column *column = g_new0(Column, 1);
        const char *dot = strchr(parts[0] ?: "", '.');
        int r = 0;

        g_ptr_array_add(columns, column);
        if (!dot || !dot[1] || dot == parts[0] || (parts[1] && parts[2] && parts[3]) ||
            (parts[1] && !parts[2] && !*parts[1])) {
                g_autofree char *shown = format_printable(text);

                return client_usage_error(ret_error, "'%s' is not %s[:HEADING][:WIDTH]", shown,
                                          of_device ? "DEVICE.KEY" : "KEY");
        }
        column->needs = of_device ? DETAIL_EXPANDED_DEVICES : DETAIL_EXPANDED_CONFIG;
        column->make = of_device ? make_device_key : make_key;
        column->own_heading = g_strdup(parts[1] && *parts[1] ? parts[1] : parts[0]);
        column->heading = column->own_heading;
        if (of_device) {
                column->device = g_strndup(parts[0], (size_t) (dot - parts[0]));
                column->key = g_strdup(dot + 1);
        } else {
                column->key = g_strdup(parts[0]);
                r = check_key(c, column->key, ret_error);
        }
        return r < 0 || !parts[1] || !parts[2] ? r : set_width(column, parts[2], ret_error);
}

static int add_part(Client *c, GPtrArray *columns, const char *part, Error *ret_error) {
        if (!*part)
                return client_usage_error(ret_error, "There is an empty column");
        if (g_str_has_prefix(part, "devices:") && strchr(part, '.'))
                return add_key(c, columns, part + strlen("devices:"), true, ret_error);
        if (g_str_has_prefix(part, "config:"))
                return add_key(c, columns, part + strlen("config:"), false, ret_error);
        if (strchr(part, '.'))
                return add_key(c, columns, part, false, ret_error);
        return add_letters(columns, part, ret_error);
}

int list_columns_parse(Client *c, const char *text, GPtrArray **ret, Error *ret_error) {
        g_autoptr(GPtrArray) columns = g_ptr_array_new_with_free_func(column_free);
        g_auto(GStrv) parts = g_strsplit(text, ",", -1);
        int r = 0;

        if (!parts[0])
                return client_usage_error(ret_error, "There has to be a column");
        for (char **part = parts; r >= 0 && *part; part++)
                r = add_part(c, columns, *part, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(columns);
        return 0;
}

/* --- one of them --- */

const char *list_column_heading(const Column *column) {
        return column->heading;
}

bool list_column_is_state(const Column *column) {
        return column->letter == 's';
}

bool list_column_needs(const Column *column, Detail detail) {
        return column->needs == detail;
}

const char *list_column_property(const Column *column) {
        return column->property;
}

GPtrArray *list_column_make(const Column *column, const ContainerDetails *d) {
        return column->make(d, column);
}
