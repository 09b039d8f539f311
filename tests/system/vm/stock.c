/* SPDX-License-Identifier: Apache-2.0 */

/*
 * All that there is of berth, for test-killed: stock CONTAINER...
 *
 * What "stock" of ../test-crashes tells, in one process: in the emulated machine each of the dozens
 * that it takes there costs as much as all of this. Lines in no order, with names and numbers as
 * they are. Exits with 75 while anything is under way. Of the containers that are named, the first
 * of which may run, it tells more.
 */

#include <dirent.h>
#include <fcntl.h>
#include <glib.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define SERVICE "org.berth1"
#define ROOT "/org/berth1"
#define BUSY 75
#define STATE_DIR "/var/lib/berth"
/* Of LVM's metadata: the area begins here, with a header that says where the text is. */
#define AREA 4096
#define AREA_TEXT (AREA + 40)

static int32_t init_pid; /* of the first container */

G_GNUC_NORETURN static void busy(void) {
        exit(BUSY);
}

/* --- what the service says --- */

static char *value_to_text(sd_bus_message *m);

static int compare(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Sorted, since the service's tables have no order. */
static char *elements_to_text(sd_bus_message *m, char type, const char *contents) {
        g_autoptr(GPtrArray) elements = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *text = NULL;

        if (sd_bus_message_enter_container(m, type, contents) < 0)
                busy();
        while (sd_bus_message_at_end(m, 0) == 0)
                g_ptr_array_add(elements, value_to_text(m));
        (void) sd_bus_message_exit_container(m);
        if (type == SD_BUS_TYPE_ARRAY && elements->len > 1)
                qsort(elements->pdata, elements->len, sizeof(void *), compare);
        g_ptr_array_add(elements, NULL);
        text = g_strjoinv(",", (char **) elements->pdata);
        return g_strconcat("[", text, "]", NULL);
}

static char *value_to_text(sd_bus_message *m) {
        union {
                const char *s;
                uint8_t y;
                int b;
                int16_t n;
                int32_t i;
                int64_t x;
                double d;
        } value = { .x = 0 };
        const char *contents;
        char type;

        if (sd_bus_message_peek_type(m, &type, &contents) <= 0)
                busy();
        if (strchr("avr(e{", type))
                return elements_to_text(m, type, contents);
        if (sd_bus_message_read_basic(m, type, &value) < 0)
                busy();
        switch (type) {
        case 's':
        case 'o':
        case 'g':
                return g_strdup(value.s);
        case 'd':
                return g_strdup_printf("%g", value.d);
        default:
                return g_strdup_printf("%" PRId64, value.x);
        }
}

/* What differs each time, or says when. */
static bool is_passing(const char *property) {
        static const char *const names[] = { "Created", "Revision", "LastStarted", "LastUsed",
                                             "Uploaded", "Addresses", NULL };

        return g_strv_contains(names, property);
}

static void tell_property(sd_bus_message *m, const char *path, const char *interface,
                          const char *first) {
        g_autofree char *name = value_to_text(m), *value = value_to_text(m);
        bool is_job = g_str_equal(interface, SERVICE ".Job");

        if (is_job && g_str_equal(name, "State") && !g_str_equal(value, "[done]"))
                busy();
        if (is_job || is_passing(name) || !g_str_has_prefix(interface, SERVICE))
                return;
        if (!g_str_equal(name, "InitPid"))
                printf("%s %s %s\n", path, name, value);
        else if (g_str_has_suffix(path, first))
                init_pid = (int32_t) g_ascii_strtoll(value + 1, NULL, 10);
}

static void tell_object(sd_bus_message *m, const char *first) {
        const char *path, *interface;

        if (sd_bus_message_read_basic(m, 'o', &path) < 0 ||
            sd_bus_message_enter_container(m, 'a', "{sa{sv}}") < 0)
                busy();
        while (sd_bus_message_enter_container(m, 'e', "sa{sv}") > 0) {
                if (sd_bus_message_read_basic(m, 's', &interface) < 0 ||
                    sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
                        busy();
                while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
                        tell_property(m, path, interface, first);
                        (void) sd_bus_message_exit_container(m);
                }
                (void) sd_bus_message_exit_container(m);
                (void) sd_bus_message_exit_container(m);
        }
        (void) sd_bus_message_exit_container(m);
}

static void tell_objects(sd_bus *bus, const char *first) {
        g_autofree char *suffix = g_strconcat("/container/", first, NULL);
        sd_bus_message *m = NULL;

        if (sd_bus_call_method(bus, SERVICE, ROOT, "org.freedesktop.DBus.ObjectManager",
                               "GetManagedObjects", NULL, &m, "") < 0 ||
            sd_bus_message_enter_container(m, 'a', "{oa{sa{sv}}}") < 0)
                busy();
        while (sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}") > 0) {
                tell_object(m, suffix);
                (void) sd_bus_message_exit_container(m);
        }
        sd_bus_message_unref(m);
}

static void tell_configuration(sd_bus *bus, const char *container) {
        static const char *const methods[] = { "GetConfig", "GetDevices" };
        g_autofree char *path = g_strconcat(ROOT "/container/", container, NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
                g_autofree char *text = NULL;
                sd_bus_message *m = NULL;

                /* There may be none. */
                if (sd_bus_call_method(bus, SERVICE, path, SERVICE ".Container", methods[i], NULL,
                                       &m, "a{sv}", 0) < 0)
                        continue;
                text = value_to_text(m);
                printf("%s %s %s\n", path, methods[i], text);
                sd_bus_message_unref(m);
        }
}

/* --- what the kernel has --- */

static char *read_file(const char *path, gsize *ret_size) {
        char *text = NULL;

        return g_file_get_contents(path, &text, ret_size, NULL) ? text : NULL;
}

/* tell(directory, name) for each entry. */
static void for_each(const char *directory, void (*tell)(const char *directory, const char *name)) {
        GDir *d = g_dir_open(directory, 0, NULL);
        const char *name;

        while (d && (name = g_dir_read_name(d)))
                tell(directory, name);
        if (d)
                g_dir_close(d);
}

static void tell_process(const char *directory, const char *name) {
        static const char *const known[] = { "berth-", "[lxc monitor]", "init", "sleep 98765" };
        g_autofree char *path = g_build_filename(directory, name, "cmdline", NULL);
        g_autofree char *text = NULL;
        gsize size;

        if (!g_ascii_isdigit(*name) || !(text = read_file(path, &size)) || size == 0)
                return;
        for (gsize i = 0; i + 1 < size; i++)
                if (text[i] == '\0')
                        text[i] = ' ';
        if (g_str_has_prefix(text, "/usr/libexec/berth/berth-worker") || strstr(text, "criu"))
                busy();
        for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
                if (g_str_has_prefix(text, known[i]))
                        printf("process %s\n", text);
}

/* Where something is mounted below what `part` names. */
static void tell_mounts(const char *what, const char *path, const char *part) {
        g_autofree char *text = read_file(path, NULL);
        g_auto(GStrv) lines = g_strsplit(text ?: "", "\n", -1);

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, " ", 6);

                if (g_strv_length(fields) == 6 && strstr(fields[4], part))
                        printf("%s %s\n", what, fields[4]);
        }
}

static void tell_links(const char *what) {
        struct if_nameindex *links = if_nameindex();

        for (struct if_nameindex *link = links; link && link->if_index > 0; link++) {
                g_autofree char *path = g_strdup_printf("/sys/class/net/%s/master", link->if_name);
                g_autofree char *master = g_file_read_link(path, NULL);

                printf("%s %s %s\n", what, link->if_name, master ? strrchr(master, '/') : "");
        }
        if_freenameindex(links);
}

static void tell_groups(const char *directory, const char *name) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        if (!g_file_test(path, G_FILE_TEST_IS_DIR) || g_str_has_prefix(name, "berthd.service"))
                return;
        printf("group %s\n", path);
        for_each(path, tell_groups);
}

static uint64_t read_u64(const char *p) {
        uint64_t n;

        memcpy(&n, p, sizeof(n));
        return GUINT64_FROM_LE(n);
}

/* The names of volumes are those of blocks in "logical_volumes" of LVM's text, which goes round in
 * its area; with each, how many it has of what it is made of. */
static void tell_text(const char *text) {
        const char *begin = strstr(text, "\nlogical_volumes {\n");
        g_auto(GStrv) lines = g_strsplit(begin ?: "", "\n", -1);
        const char *name = "";
        int depth = 0;

        for (char **line = lines; *line; line++) {
                const char *word = g_strchug(*line);

                if (depth == 1 && g_str_has_suffix(word, "{"))
                        name = word;
                else if (depth == 3 && g_str_has_prefix(word, "extent_count"))
                        printf("volume %s %s\n", name, word);
                depth += g_str_has_suffix(word, "{") ? 1 : g_str_has_prefix(word, "}") ? -1 : 0;
                if (line > lines + 1 && depth == 0)
                        return;
        }
}

static void tell_group_of_volumes(const char *path) {
        g_autofree char *data = g_malloc0(AREA_TEXT + 32), *text = NULL;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        uint64_t start, size, offset, length;

        if (fd >= 0 && pread(fd, data, AREA_TEXT + 32, 0) == AREA_TEXT + 32 &&
            memcmp(data + 512, "LABELONE", 8) == 0) {
                start = read_u64(data + AREA + 24);
                size = read_u64(data + AREA + 32);
                offset = read_u64(data + AREA_TEXT);
                length = read_u64(data + AREA_TEXT + 8);
                if (start == AREA && size <= 4 << 20 && offset < size && length < size) {
                        uint64_t first = MIN(length, size - offset);

                        text = g_malloc0(length + 1);
                        if (pread(fd, text, first, (off_t) (start + offset)) != (ssize_t) first ||
                            pread(fd, text + first, length - first, (off_t) (start + 512)) !=
                                    (ssize_t) (length - first))
                                busy();
                        tell_text(text);
                }
        }
        if (fd >= 0)
                (void) close(fd);
}

static void tell_block(const char *directory, const char *name) {
        g_autofree char *loop = g_build_filename(directory, name, "loop/backing_file", NULL);
        g_autofree char *mapped = g_build_filename(directory, name, "dm/name", NULL);
        g_autofree char *file = read_file(loop, NULL), *label = read_file(mapped, NULL);

        if (file) {
                printf("loop %s\n", g_strchomp(file));
                tell_group_of_volumes(file);
        }
        if (label)
                printf("mapped %s\n", g_strchomp(label));
}

/* --- files --- */

static bool is_told(const char *path, bool is_directory) {
        bool in_pool = g_str_has_prefix(path, STATE_DIR "/mounts/");
        static const char *const others[] = { "/records/profiles", "/records/networks" };

        if (!in_pool) /* directories of the service's own may stay when they are empty */
                return !is_directory && !strstr(path, ".log") && !g_str_has_suffix(path, ".leases");
        for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
                if (strstr(path, others[i]))
                        return false;
        return true;
}

/* Of states CRIU chooses the files. */
static bool tell_state(const char *path) {
        g_autofree char *seal = g_build_filename(path, "seal", NULL);
        const char *states = strstr(path, "/states/"), *kept = strstr(path, "/snapshot-states/");
        const char *last = kept ? strchr(kept + strlen("/snapshot-states/"), '/') : states;

        if (!g_str_has_prefix(path, STATE_DIR "/mounts/") || !last)
                return false;
        if (g_file_test(seal, G_FILE_TEST_EXISTS))
                printf("state %s whole\n", path);
        else {
                GDir *d = g_dir_open(path, 0, NULL);

                if (d && g_dir_read_name(d))
                        printf("state %s torn\n", path);
                if (d)
                        g_dir_close(d);
        }
        return true;
}

static void tell_files(const char *directory, unsigned depth, dev_t device, unsigned most) {
        GDir *d = g_dir_open(directory, 0, NULL);
        const char *name;

        while (d && (name = g_dir_read_name(d))) {
                g_autofree char *path = g_build_filename(directory, name, NULL);
                bool is_directory;
                struct stat st;

                if (lstat(path, &st) < 0)
                        continue;
                is_directory = S_ISDIR(st.st_mode);
                if (is_directory && tell_state(path))
                        continue;
                if (is_told(path, is_directory))
                        printf("file %s %o\n", path, st.st_mode >> 12);
                if (is_directory && st.st_dev == device && depth < most &&
                    !(strstr(path, "/containers/") && depth >= 3))
                        tell_files(path, depth + 1, device, most);
        }
        if (d)
                g_dir_close(d);
}

static void tell_pool(const char *directory, const char *name) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        struct stat st;

        if (lstat(path, &st) >= 0)
                tell_files(path, 1, st.st_dev, 4);
}

static void tell_run_directory(const char *directory, const char *name) {
        printf("run %s/%s\n", directory, name);
}

static void tell_all_files(void) {
        static const char *const roots[] = { "/run/berth", STATE_DIR };

        for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
                struct stat st;

                if (lstat(roots[i], &st) >= 0)
                        tell_files(roots[i], 1, st.st_dev, G_MAXUINT);
        }
        for_each("/run/berth/lxc", tell_run_directory);
        for_each(STATE_DIR "/mounts", tell_pool);
}

/* --- the first container, while it runs --- */

static void tell_run(void) {
        g_autofree char *mounts = g_strdup_printf("/proc/%d/mountinfo", init_pid);
        g_autofree char *net = g_strdup_printf("/proc/%d/ns/net", init_pid);
        g_autofree char *groups = g_strdup_printf("/proc/%d/cgroup", init_pid);
        g_autofree char *group = read_file(groups, NULL), *limit = NULL, *text = NULL;
        int fd = open(net, O_RDONLY | O_CLOEXEC);

        tell_mounts("its mount", mounts, "/");
        if (group && g_str_has_prefix(group, "0::")) {
                limit = g_strconcat("/sys/fs/cgroup", g_strchomp(group) + 3, "/memory.max", NULL);
                text = read_file(limit, NULL);
                printf("its memory %s\n", text ? g_strchomp(text) : "");
        }
        if (fd >= 0 && setns(fd, CLONE_NEWNET) >= 0)
                tell_links("its link");
        if (fd >= 0)
                (void) close(fd);
}

int main(int argc, char *argv[]) {
        sd_bus *bus = NULL;

        if (argc < 2)
                return EXIT_FAILURE;
        if (sd_bus_open_system(&bus) < 0 || sd_bus_set_method_call_timeout(bus, 60000000) < 0)
                return EXIT_FAILURE;
        tell_objects(bus, argv[1]);
        for_each("/proc", tell_process);
        for (int i = 1; i < argc; i++)
                tell_configuration(bus, argv[i]);
        tell_mounts("mount", "/proc/self/mountinfo", "berth");
        tell_links("link");
        for_each("/sys/fs/cgroup/berth.slice", tell_groups);
        for_each("/sys/block", tell_block);
        tell_all_files();
        if (init_pid > 0)
                tell_run();
        sd_bus_unref(bus);
        return fflush(stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
