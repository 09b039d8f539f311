/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-state.h"

#include <fcntl.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/watch/address-watch.h"

#define STATE_FILE_MAX (256U << 10)
/* What is no limit in effect. */
#define LIMIT_NONE_MIN (UINT64_C(1) << 60)

/* Text of a file, or NULL. */
static char *read_file(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        g_autoptr(GBytes) bytes = NULL;

        if (fd < 0 || fd_read_all(fd, STATE_FILE_MAX, &bytes) < 0)
                return NULL;
        return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

/* Directory of init's cgroup in the hierarchy that has `controller` ("" for v2), or NULL. */
static char *cgroup_directory(const char *cgroups, const char *controller) {
        g_auto(GStrv) lines = g_strsplit(cgroups, "\n", -1);

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, ":", 3);
                g_auto(GStrv) controllers = NULL;

                if (g_strv_length(fields) != 3)
                        continue;
                controllers = g_strsplit(fields[1], ",", -1);
                if (!*controller && !*fields[1]) {
                        /* On hybrid hosts v2 is mounted beside the others. */
                        bool hybrid = g_file_test("/sys/fs/cgroup/unified", G_FILE_TEST_IS_DIR);

                        return g_strconcat("/sys/fs/cgroup", hybrid ? "/unified" : "", fields[2],
                                           NULL);
                }
                if (*controller &&
                    g_strv_contains((const char *const *) controllers, controller))
                        return g_strconcat("/sys/fs/cgroup/", fields[1], fields[2], NULL);
        }
        return NULL;
}

/* systemd inside moves itself into a cgroup below the container's; that one is the first whose name
 * begins as liblxc makes it. */
static char *payload_directory(char *directory) {
        char *payload = directory ? strstr(directory, "/lxc.payload.") : NULL;
        char *slash = payload ? strchr(payload + 1, '/') : NULL;

        if (slash)
                *slash = 0;
        return directory;
}

static bool read_number(const char *directory, const char *file, guint64 *ret) {
        g_autofree char *path = directory ? g_build_filename(directory, file, NULL) : NULL;
        g_autofree char *text = path ? read_file(path) : NULL;

        return text && g_ascii_string_to_unsigned(g_strchomp(text), 10, 0, UINT64_MAX, ret, NULL);
}

/* A value of a file of "key value" lines. */
static bool read_keyed(const char *directory, const char *file, const char *key, guint64 *ret) {
        g_autofree char *path = directory ? g_build_filename(directory, file, NULL) : NULL;
        g_autofree char *text = path ? read_file(path) : NULL;
        g_auto(GStrv) lines = g_strsplit(text ?: "", "\n", -1);

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) words = g_strsplit(*line, " ", 2);

                if (words[0] && words[1] && g_str_equal(words[0], key))
                        return g_ascii_string_to_unsigned(words[1], 10, 0, UINT64_MAX, ret, NULL);
        }
        return false;
}

/* The hard limit, or the soft one; false where there is neither: "max" in version 2, a number
 * beyond all memory in version 1. */
static bool read_limit(const char *directory, const char *hard, const char *soft, guint64 *ret) {
        return (read_number(directory, hard, ret) && *ret < LIMIT_NONE_MIN) ||
               (read_number(directory, soft, ret) && *ret < LIMIT_NONE_MIN);
}

static void add_cgroup_state(GVariantDict *state, const char *cgroups) {
        g_autofree char *unified = payload_directory(cgroup_directory(cgroups, ""));
        g_autofree char *memory = payload_directory(cgroup_directory(cgroups, "memory"));
        g_autofree char *cpu = payload_directory(cgroup_directory(cgroups, "cpuacct"));
        g_autofree char *pids = payload_directory(cgroup_directory(cgroups, "pids"));
        guint64 value, with_swap;

        if (read_number(pids ?: unified, "pids.current", &value))
                g_variant_dict_insert(state, "processes", "u", (guint32) value);
        if (read_number(cpu, "cpuacct.usage", &value))
                g_variant_dict_insert(state, "cpu-usage", "t", value / 1000);
        else if (read_keyed(unified, "cpu.stat", "usage_usec", &value))
                g_variant_dict_insert(state, "cpu-usage", "t", value);
        if (read_number(memory, "memory.usage_in_bytes", &value)) {
                g_variant_dict_insert(state, "memory-current", "t", value);
                if (read_number(memory, "memory.memsw.usage_in_bytes", &with_swap))
                        g_variant_dict_insert(state, "swap-current", "t",
                                              with_swap > value ? with_swap - value : 0);
        } else if (read_number(unified, "memory.current", &value))
                g_variant_dict_insert(state, "memory-current", "t", value);
        if (read_limit(memory, "memory.limit_in_bytes", "memory.soft_limit_in_bytes", &value) ||
            read_limit(unified, "memory.max", "memory.high", &value))
                g_variant_dict_insert(state, "memory-limit", "t", value);
        if (read_number(memory, "memory.max_usage_in_bytes", &value) ||
            read_number(unified, "memory.peak", &value))
                g_variant_dict_insert(state, "memory-peak", "t", value);
        if (read_number(unified, "memory.swap.current", &value))
                g_variant_dict_insert(state, "swap-current", "t", value);
}

/* One line of /proc/PID/net/dev: the name, 8 numbers received, 8 sent. */
static void add_interface(GVariantBuilder *network, char *line) {
        g_autoptr(GPtrArray) numbers = g_ptr_array_new();
        char *colon = strchr(line, ':');
        g_autofree char *name = NULL;
        g_auto(GStrv) words = NULL;

        if (!colon)
                return;
        *colon = 0;
        words = g_strsplit(colon + 1, " ", -1);
        for (char **word = words; *word; word++)
                if (**word)
                        g_ptr_array_add(numbers, *word);
        if (numbers->len < 16)
                return;
        /* The container chooses it. */
        name = g_utf8_make_valid(g_strchug(line), -1);
        g_variant_builder_open(network, G_VARIANT_TYPE("{sa{st}}"));
        g_variant_builder_add(network, "s", name);
        g_variant_builder_open(network, G_VARIANT_TYPE("a{st}"));
        g_variant_builder_add(network, "{st}", "bytes-received",
                              g_ascii_strtoull(g_ptr_array_index(numbers, 0), NULL, 10));
        g_variant_builder_add(network, "{st}", "packets-received",
                              g_ascii_strtoull(g_ptr_array_index(numbers, 1), NULL, 10));
        g_variant_builder_add(network, "{st}", "bytes-sent",
                              g_ascii_strtoull(g_ptr_array_index(numbers, 8), NULL, 10));
        g_variant_builder_add(network, "{st}", "packets-sent",
                              g_ascii_strtoull(g_ptr_array_index(numbers, 9), NULL, 10));
        g_variant_builder_close(network);
        g_variant_builder_close(network);
}

static GVariant *read_network(const Container *c) {
        g_autofree char *path = g_strdup_printf("/proc/%d/net/dev", c->facts.init_pid);
        g_autofree char *text = read_file(path);
        g_auto(GStrv) lines = g_strsplit(text ?: "", "\n", -1);
        GVariantBuilder network;

        g_variant_builder_init(&network, G_VARIANT_TYPE("a{sa{st}}"));
        for (char **line = lines; *line; line++)
                add_interface(&network, *line);
        return g_variant_builder_end(&network);
}

GVariant *container_read_state(Manager *m, const Container *c) {
        g_autofree char *path = g_strdup_printf("/proc/%d/cgroup", c->facts.init_pid);
        g_autofree char *cgroups = NULL;
        GVariantDict state;

        g_variant_dict_init(&state, NULL);
        if (!container_is_up(c))
                return g_variant_dict_end(&state);
        cgroups = read_file(path);
        if (cgroups)
                add_cgroup_state(&state, cgroups);
        g_variant_dict_insert_value(&state, "network", read_network(c));
        g_variant_dict_insert_value(&state, "interfaces",
                                    address_watch_read_links(m->address_watch, c->object.name));
        return g_variant_dict_end(&state);
}
