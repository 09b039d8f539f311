/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"

#define ATTRIBUTE_MAX (64U << 10)
#define DIR_USB "/sys/bus/usb/devices"
#define DIR_DRM "/sys/class/drm"
#define DIR_NUMBERS "/sys/dev"

/* --- nodes --- */

void device_node_free(DeviceNode *node) {
        if (!node)
                return;
        g_free(node->target);
        g_free(node);
}

static void node_free(void *p) {
        device_node_free(p);
}

GPtrArray *device_node_list_new(void) {
        return g_ptr_array_new_with_free_func(node_free);
}

void device_node_list_add(GPtrArray *nodes, mode_t type, dev_t number, const char *target) {
        DeviceNode *node = g_new(DeviceNode, 1);

        *node = (DeviceNode) { type, number, g_strdup(target) };
        g_ptr_array_add(nodes, node);
}

const DeviceNode *device_node_list_find(const GPtrArray *nodes, const DeviceNode *node) {
        for (guint i = 0; i < nodes->len; i++) {
                const DeviceNode *other = nodes->pdata[i];

                if (other->type == node->type && other->number == node->number &&
                    g_str_equal(other->target, node->target))
                        return other;
        }
        return NULL;
}

char *device_node_stage_name(const DeviceNode *node, const char *device) {
        return g_strdup_printf("%s:%c%u.%u", device, node->type == S_IFCHR ? 'c' : 'b',
                               major(node->number), minor(node->number));
}

static int compare_nodes(gconstpointer a, gconstpointer b) {
        const DeviceNode *x = *(const DeviceNode *const *) a, *y = *(const DeviceNode *const *) b;

        return strcmp(x->target, y->target);
}

/* --- /sys --- */

/* An attribute without the line's end, or NULL. */
static char *read_attribute(int dir_fd, const char *name) {
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
        char *text;

        if (fd < 0 || fd_read_text(fd, ATTRIBUTE_MAX, &text) < 0)
                return NULL;
        return g_strchomp(text);
}

/* "046d" of USB, "0x8086" of PCI. */
static bool has_id(int dir_fd, const char *attribute, const char *wanted) {
        g_autofree char *value = wanted ? read_attribute(dir_fd, attribute) : NULL;

        if (!wanted)
                return true;
        return value && g_ascii_strcasecmp(g_str_has_prefix(value, "0x") ? value + 2 : value,
                                           wanted) == 0;
}

static bool name_is_plain(const char *name) {
        g_auto(GStrv) parts = g_strsplit(name, "/", -1);

        for (char **part = parts; *part; part++)
                if (!path_is_component(*part))
                        return false;
        return *name != '\0';
}

static bool parse_number(const char *text, unsigned *ret) {
        guint64 number;

        if (!text || !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &number, NULL))
                return false;
        *ret = (unsigned) number;
        return true;
}

/* The node of the device whose directory that is, as "uevent" there tells of it; none is no
 * error. */
static void add_node_of(int dir_fd, mode_t type, GPtrArray *nodes) {
        g_autofree char *text = read_attribute(dir_fd, "uevent"), *target = NULL;
        g_auto(GStrv) lines = g_strsplit(text ?: "", "\n", -1);
        const char *name = NULL, *major_text = NULL, *minor_text = NULL;
        unsigned major_number, minor_number;

        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, "DEVNAME="))
                        name = *line + strlen("DEVNAME=");
                else if (g_str_has_prefix(*line, "MAJOR="))
                        major_text = *line + strlen("MAJOR=");
                else if (g_str_has_prefix(*line, "MINOR="))
                        minor_text = *line + strlen("MINOR=");
        if (!name || !name_is_plain(name) || !parse_number(major_text, &major_number) ||
            !parse_number(minor_text, &minor_number))
                return;
        target = g_strconcat("dev/", name, NULL);
        device_node_list_add(nodes, type, makedev(major_number, minor_number), target);
}

/* Calls `func` for what each entry of a directory of /sys leads to; without the directory there is
 * nothing of that kind. */
typedef void (*EntryFunc)(int dir_fd, const char *name, GVariant *options, GPtrArray *nodes);

static int for_each_entry(const char *path, EntryFunc func, GVariant *options, GPtrArray *nodes) {
        struct dirent *entry;
        DIR *d = opendir(path);

        if (!d)
                return errno == ENOENT ? 0 : -errno;
        while ((entry = readdir(d))) {
                _cleanup_close_ int fd = -EBADF;

                if (!path_is_component(entry->d_name))
                        continue;
                /* They are links. One may just have gone. */
                fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (fd >= 0)
                        func(fd, entry->d_name, options, nodes);
        }
        (void) closedir(d);
        return 0;
}

/* --- each kind --- */

static void add_usb(int dir_fd, const char *name, GVariant *options, GPtrArray *nodes) {
        g_autofree char *vendor = read_attribute(dir_fd, "idVendor");

        /* The others are interfaces. */
        if (vendor && has_id(dir_fd, "idVendor", config_get(options, "vendorid")) &&
            has_id(dir_fd, "idProduct", config_get(options, "productid")))
                add_node_of(dir_fd, S_IFCHR, nodes);
}

/* "card0" and "renderD128", but not the sockets for screens: "card0-HDMI-A-1". */
static bool is_drm_name(const char *name, const char *prefix) {
        const char *number = g_str_has_prefix(name, prefix) ? name + strlen(prefix) : "";

        return *number && strspn(number, "0123456789") == strlen(number);
}

static bool has_pci_address(int dir_fd, const char *wanted) {
        g_autofree char *uevent = read_attribute(dir_fd, "uevent"), *slot = NULL;

        slot = g_strdup_printf("PCI_SLOT_NAME=%s%s", strlen(wanted) < 12 ? "0000:" : "", wanted);
        for (char *line = uevent; line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
                if (g_ascii_strncasecmp(line, slot, strlen(slot)) == 0 &&
                    (line[strlen(slot)] == '\n' || line[strlen(slot)] == '\0'))
                        return true;
        return false;
}

/* `dir_fd` is of the card itself, on its bus. */
static bool is_wanted_card(int dir_fd, GVariant *options) {
        const char *id = config_get(options, "id"), *pci = config_get(options, "pci");
        struct stat st;

        if (id) {
                g_autofree char *card = g_strdup_printf("drm/card%s", id);

                return fstatat(dir_fd, card, &st, 0) >= 0;
        }
        return (!pci || has_pci_address(dir_fd, pci)) &&
               has_id(dir_fd, "vendor", config_get(options, "vendorid")) &&
               has_id(dir_fd, "device", config_get(options, "productid"));
}

static void add_gpu(int dir_fd, const char *name, GVariant *options, GPtrArray *nodes) {
        _cleanup_close_ int card = -EBADF;

        if (!is_drm_name(name, "renderD") &&
            (device_get_boolean(options, "render", false) ||
             !(is_drm_name(name, "card") || is_drm_name(name, "controlD"))))
                return;
        card = openat(dir_fd, "device", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (card >= 0 && is_wanted_card(card, options))
                add_node_of(dir_fd, S_IFCHR, nodes);
}

/* The USB hardware that a device belongs to is above it in the tree. */
static bool is_below_hardware(const char *path, GVariant *options) {
        g_autofree char *place = g_strdup(path);

        while (strchr(place, '/') != strrchr(place, '/')) {
                _cleanup_close_ int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                g_autofree char *vendor = fd < 0 ? NULL : read_attribute(fd, "idVendor");

                if (vendor)
                        return has_id(fd, "idVendor", config_get(options, "vendorid")) &&
                               has_id(fd, "idProduct", config_get(options, "productid"));
                *strrchr(place, '/') = '\0';
        }
        return false;
}

static void add_hotplug(int dir_fd, const char *name, GVariant *options, GPtrArray *nodes,
                        mode_t type) {
        g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", dir_fd);
        g_autofree char *path = realpath(self, NULL), *link = g_new0(char, PATH_MAX);
        g_autofree char *subsystem = NULL;

        if (!path || readlinkat(dir_fd, "subsystem", link, PATH_MAX - 1) < 0)
                return;
        /* The hardware itself is what a device of type usb is for. */
        subsystem = g_path_get_basename(link);
        if (!g_str_equal(subsystem, "usb") && is_below_hardware(path, options))
                add_node_of(dir_fd, type, nodes);
}

static void add_hotplug_char(int dir_fd, const char *name, GVariant *options, GPtrArray *nodes) {
        add_hotplug(dir_fd, name, options, nodes, S_IFCHR);
}

static void add_hotplug_block(int dir_fd, const char *name, GVariant *options, GPtrArray *nodes) {
        add_hotplug(dir_fd, name, options, nodes, S_IFBLK);
}

static int find_hotplug(GVariant *options, GPtrArray *nodes) {
        int r = for_each_entry(DIR_NUMBERS "/char", add_hotplug_char, options, nodes);

        return r < 0 ? r : for_each_entry(DIR_NUMBERS "/block", add_hotplug_block, options, nodes);
}

/* Type and number: as given, or those of the host's node. */
static int find_unix(GVariant *options, GPtrArray *nodes) {
        mode_t type = g_str_equal(device_get_type(options), "unix-char") ? S_IFCHR : S_IFBLK;
        const char *source = config_get(options, "source") ?: config_get(options, "path");
        const char *target = device_get_target(options);
        struct stat st;

        if (config_get(options, "major")) {
                device_node_list_add(nodes, type,
                                     makedev(device_get_number(options, "major", 10, 0),
                                             device_get_number(options, "minor", 10, 0)), target);
                return 0;
        }
        if (!source || stat(source, &st) < 0)
                return !source || errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        if ((st.st_mode & S_IFMT) != type)
                return -ENODEV;
        device_node_list_add(nodes, type, st.st_rdev, target);
        return 0;
}

int device_find(GVariant *options, GPtrArray **ret) {
        g_autoptr(GPtrArray) nodes = device_node_list_new();
        const char *type = device_get_type(options);
        int r;

        if (g_str_equal(type, "usb"))
                r = for_each_entry(DIR_USB, add_usb, options, nodes);
        else if (g_str_equal(type, "gpu"))
                r = for_each_entry(DIR_DRM, add_gpu, options, nodes);
        else if (g_str_equal(type, "unix-hotplug"))
                r = find_hotplug(options, nodes);
        else
                r = find_unix(options, nodes);
        if (r < 0)
                return r;
        g_ptr_array_sort(nodes, compare_nodes);
        *ret = TAKE_PTR(nodes);
        return 0;
}
