/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-rules.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

static const char *const basic[] = {
        "c *:* m",   "b *:* m",   /* nodes may be made, but not opened */
        "c 1:3 rwm", "c 1:5 rwm", /* null, zero */
        "c 1:7 rwm", "c 1:8 rwm", /* full, random */
        "c 1:9 rwm", "c 5:0 rwm", /* urandom, tty */
        "c 5:1 rwm", "c 5:2 rwm", /* console, ptmx */
        "c 10:229 rwm", "c 10:200 rwm", /* fuse, tun */
        "c 136:* rwm", /* pts */
        NULL,
};

static char *rule_for(const DeviceNode *node) {
        return g_strdup_printf("%c %u:%u rwm", node->type == S_IFCHR ? 'c' : 'b',
                               major(node->number), minor(node->number));
}

static void append(GPtrArray *lines, bool v1, bool allow, const char *rule) {
        g_ptr_array_add(lines, g_strdup_printf("lxc.cgroup%s.devices.%s", v1 ? "" : "2",
                                               allow ? "allow" : "deny"));
        g_ptr_array_add(lines, g_strdup(rule));
}

int device_rules_append(const CgroupHost *host, GVariant *devices, GPtrArray *lines) {
        bool v1 = cgroup_find_controller(host, "devices");
        GVariantIter iter;
        GVariant *options;

        append(lines, v1, false, "a");
        for (size_t i = 0; basic[i]; i++)
                append(lines, v1, true, basic[i]);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                g_autoptr(GVariant) owned = options;
                g_autoptr(GPtrArray) nodes = NULL;
                int r;

                if (!device_has_nodes(owned))
                        continue;
                r = device_find(owned, &nodes);
                if (r < 0)
                        return r;
                for (guint i = 0; i < nodes->len; i++) {
                        g_autofree char *rule = rule_for(nodes->pdata[i]);

                        append(lines, v1, true, rule);
                }
        }
        return 0;
}

int device_rules_change(const CgroupHost *host, const char *container, const DeviceNode *node,
                        bool allow) {
        const CgroupHierarchy *h = cgroup_find_controller(host, "devices");
        _cleanup_close_ int group = -EBADF, fd = -EBADF;
        g_autofree char *rule = rule_for(node);

        if (g_strv_contains(basic, rule))
                return 0;
        if (!h)
                return -EOPNOTSUPP;
        group = cgroup_open_group(h, CGROUP_PAYLOAD, container);
        if (group < 0)
                return group;
        fd = openat(group, allow ? "devices.allow" : "devices.deny", O_WRONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd_write_all(fd, rule, strlen(rule));
}
