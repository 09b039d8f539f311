/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/container-config.h"

#include <netinet/in.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/nic-route.h"
#include "service/model/nic-vlan.h"
#include "service/model/subnet.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/operations.h"
#include "service/worker/runtime/cgroup.h"

#define CONTAINER_NAME_MAX 63
#define ENVIRONMENT "environment."

bool container_name_is_valid(const char *name) {
        size_t n = strlen(name);

        if (n == 0 || n > CONTAINER_NAME_MAX || name[0] == '-' || name[n - 1] == '-')
                return false;
        for (const char *p = name; *p; p++)
                if (!g_ascii_isalnum(*p) && *p != '-')
                        return false;
        return true;
}

bool container_path_is_plain(const char *path) {
        if (path[0] != '/')
                return false;
        for (const char *p = path; *p; p++)
                if (!g_ascii_isalnum(*p) && !strchr("/._+-", *p))
                        return false;
        g_auto(GStrv) components = g_strsplit(path + 1, "/", -1);
        for (char **c = components; *c; c++)
                if (!path_is_component(*c))
                        return false;
        return components[0] != NULL;
}

static bool is_plain_text(const char *text) {
        if (!g_utf8_validate(text, -1, NULL))
                return false;
        for (const char *p = text; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);
                GUnicodeType type = g_unichar_type(c);

                if (g_unichar_iscntrl(c) || type == G_UNICODE_LINE_SEPARATOR ||
                    type == G_UNICODE_PARAGRAPH_SEPARATOR)
                        return false;
        }
        return true;
}

/* The one place where a line is made. The quotes are taken off again by liblxc's parser, which
 * looks for nothing but the outermost pair; they keep blanks at the ends. */
int container_config_add(GString *text, const char *key, const char *value, Error *ret_error) {
        if (!is_plain_text(key) || !is_plain_text(value))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "A value for %s holds a line break, another control character or "
                                 "is not UTF-8; remove it",
                                 is_plain_text(key) ? key : "the container's configuration");
        g_string_append_printf(text, "%s = \"%s\"\n", key, value);
        return 0;
}

static int add(GString *text, const char *key, const char *value, Error *ret_error) {
        return container_config_add(text, key, value, ret_error);
}

static int G_GNUC_PRINTF(3, 5)
        addf(GString *text, const char *key, const char *format, Error *ret_error, ...) {
        g_autofree char *value = NULL;
        va_list ap;

        va_start(ap, ret_error);
        value = g_strdup_vprintf(format, ap);
        va_end(ap);
        return add(text, key, value, ret_error);
}

static int add_fixed(GString *text, const ContainerConfig *config, Error *ret_error) {
        static const char *const lines[][2] = {
                { "lxc.autodev", "1" },
                { "lxc.tty.max", "0" },
                { "lxc.mount.auto", "proc:mixed sys:mixed" },
                /* Of no use in a user namespace, but systemd inside looks at them to decide what
                 * it may try. */
                { "lxc.cap.drop", "mac_admin mac_override sys_module sys_rawio sys_time" },
                /* The container outlives its monitor. */
                { "lxc.monitor.signal.pdeath", "0" },
                { "lxc.console.rotate", "1" },
                /* Whoever starts it may be under a filter of its own, a unit's or ours: without
                 * this liblxc would then leave out the container's. */
                { "lxc.seccomp.allow_nesting", "1" },
                { "lxc.log.level", "ERROR" },
        };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                r = add(text, lines[i][0], lines[i][1], ret_error);
                if (r < 0)
                        return r;
        }
        /* liblxc takes the console from the container's own devpts. One that is restored is to have
         * its console before there is a devpts; liblxc only makes it so for who has no other. */
        r = add(text, "lxc.pty.max", config->restored ? "1" : "1024", ret_error);
        if (r < 0)
                return r;
        /* With version 1 mounted as well the container's init mounts what it wants by itself, in
         * its cgroup namespace; a version 2 only system expects to find it mounted. */
        return add(text, "lxc.mount.auto",
                   cgroup_host_is_pure_unified(config->cgroups) ? "cgroup:rw:force"
                                                                : "cgroup:mixed",
                   ret_error);
}

static int add_groups(GString *text, const ContainerConfig *config, Error *ret_error) {
        static const char *const keys[] = {
                [CGROUP_MONITOR] = "lxc.cgroup.dir.monitor",
                [CGROUP_PAYLOAD] = "lxc.cgroup.dir.container",
                [CGROUP_PIVOT] = "lxc.cgroup.dir.monitor.pivot",
        };

        for (CgroupKind kind = 0; kind < _CGROUP_KIND_MAX; kind++) {
                g_autofree char *group = cgroup_name(config->cgroups, kind, config->name);
                int r = add(text, keys[kind], group, ret_error);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_paths(GString *text, const ContainerConfig *config, Error *ret_error) {
        const struct {
                const char *key, *path;
        } paths[] = {
                { "lxc.rootfs.path", config->rootfs },
                { "lxc.seccomp.profile", config->seccomp_file },
                { "lxc.log.file", config->log_file },
                { "lxc.console.logfile", config->console_log },
        };
        int r;

        if (!container_path_is_plain(config->directory))
                return error_set(ret_error, ERROR_INVALID_ARGS, "\"%s\" is not a plain path",
                                 config->directory);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                if (!container_path_is_plain(paths[i].path))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "\"%s\" is not a plain path", paths[i].path);
                r = addf(text, paths[i].key, "%s%s", ret_error, i == 0 ? "dir:" : "",
                         paths[i].path);
                if (r < 0)
                        return r;
        }
        if (config->idmapped && !idmap_is_host(config->idmap)) {
                r = add(text, "lxc.rootfs.options", "idmap=container", ret_error);
                if (r < 0)
                        return r;
        }
        r = addf(text, "lxc.console.size", "%u", ret_error, CONSOLE_LOG_MAX / 2);
        if (r < 0)
                return r;
        return add(text, "lxc.hook.post-stop", config->stopped_hook, ret_error);
}

static int add_idmap(GString *text, const ContainerConfig *config, Error *ret_error) {
        g_auto(GStrv) lines = idmap_to_lxc(config->idmap);
        int r = 0;

        for (char **line = lines; r >= 0 && *line; line++)
                r = add(text, "lxc.idmap", *line, ret_error);
        return r;
}

/* What liblxc calls each type, and what it wants to know of it. */
typedef struct NicType {
        const char *ours, *lxc;
        bool has_parent, has_host_end;
        bool has_hwaddr; /* of its own: an ipvlan has its parent's */
        const char *mode_key, *mode;
        bool addressed; /* liblxc gives it its addresses */
} NicType;

static const NicType *nic_type_find(const char *name) {
        static const NicType types[] = {
                { "bridged", "veth", true, true, true },
                { "p2p", "veth", false, true, true },
                { "macvlan", "macvlan", true, false, true, "macvlan.mode", "bridge" },
                { "ipvlan", "ipvlan", true, false, false, "ipvlan.mode", "l3s", true },
                { "physical", "phys", true, false, true },
                /* Its parent is the host's business. */
                { "routed", "veth", false, true, true, .addressed = true },
        };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if (g_str_equal(types[i].ours, name))
                        return &types[i];
        return NULL;
}

/* Of a port of a bridge. liblxc takes one VLAN at a time. */
static int add_vlans(GString *text, unsigned i, GVariant *nic, Error *ret_error) {
        g_autofree char *key = g_strdup_printf("lxc.net.%u.veth.vlan.id", i);
        g_autofree char *tagged_key = g_strdup_printf("lxc.net.%u.veth.vlan.tagged.id", i);
        const char *vlan = config_get(nic, "vlan"), *tagged = config_get(nic, "vlan.tagged");
        g_autoptr(GArray) ranges = NULL;
        int r = vlan ? add(text, key, vlan, ret_error) : 0;

        if (r >= 0 && tagged)
                r = nic_parse_vlans(tagged, &ranges, ret_error);
        for (guint k = 0; r >= 0 && ranges && k < ranges->len; k++) {
                const VlanRange *range = &g_array_index(ranges, VlanRange, k);

                for (unsigned id = range->first; r >= 0 && id <= range->last; id++)
                        r = addf(text, tagged_key, "%u", ret_error, id);
        }
        return r;
}

/* Of a routed nic, or one of ipvlan, which has no gateway but itself; in mode l2 that is as it is
 * told. */
static int add_addresses(GString *text, unsigned i, GVariant *nic, int family, const char *word,
                         const char *gateway, Error *ret_error) {
        g_autofree char *gateway_key = g_strdup_printf("%s.gateway", word);
        g_autofree char *host_key = g_strdup_printf("%s.host_address", word);
        g_autofree char *lxc_key = g_strdup_printf("lxc.net.%u.%s.address", i, word);
        g_autofree char *lxc_gateway = g_strdup_printf("lxc.net.%u.%s", i, gateway_key);
        const char *via = config_get(nic, gateway_key);
        bool ipvlan = g_strcmp0(config_get(nic, "nictype"), "ipvlan") == 0;
        g_autoptr(GArray) addresses = NULL;
        int r = nic_read_addresses(nic, family, &addresses, ret_error);

        if (r < 0 || addresses->len == 0)
                return r;
        for (guint k = 0; r >= 0 && k < addresses->len; k++) {
                g_autofree char *one = subnet_to_string(&g_array_index(addresses, Subnet, k));

                r = add(text, lxc_key, one, ret_error);
        }
        if (r < 0 || g_strcmp0(via, "none") == 0 || (nic_is_on_link(nic) && !via))
                return r;
        if (ipvlan)
                return add(text, lxc_gateway, nic_is_on_link(nic) ? via : "dev", ret_error);
        return add(text, lxc_gateway, config_get(nic, host_key) ?: gateway, ret_error);
}

static int add_nic(GString *text, unsigned i, GVariant *nic, Error *ret_error) {
        const char *name = "bridged", *mode = NULL;
        const NicType *nic_type = NULL;

        (void) g_variant_lookup(nic, "nictype", "&s", &name);
        (void) g_variant_lookup(nic, "mode", "&s", &mode);
        nic_type = nic_type_find(name);
        if (!nic_type)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "There is no type \"%s\" of network device", name);
        /* What liblxc calls it, what we call it, whether it has to be there. */
        const struct {
                const char *lxc, *ours;
                bool required, used;
        } keys[] = {
                { "link", "parent", true, nic_type->has_parent },
                { "name", "name", true, true },
                { "veth.pair", "host_name", true, nic_type->has_host_end },
                { "hwaddr", "hwaddr", false, nic_type->has_hwaddr },
                { "mtu", "mtu", false, true },
        };
        g_autofree char *type = g_strdup_printf("lxc.net.%u.type", i);
        g_autofree char *flags = g_strdup_printf("lxc.net.%u.flags", i);
        int r;

        r = add(text, type, nic_type->lxc, ret_error);
        if (r >= 0 && nic_type->mode_key) {
                g_autofree char *key = g_strdup_printf("lxc.net.%u.%s", i, nic_type->mode_key);

                r = add(text, key, mode ?: nic_type->mode, ret_error);
        }
        for (size_t k = 0; r >= 0 && k < ELEMENTSOF(keys); k++) {
                if (!keys[k].used)
                        continue;
                g_autofree char *key = g_strdup_printf("lxc.net.%u.%s", i, keys[k].lxc);
                const char *value;

                if (!g_variant_lookup(nic, keys[k].ours, "&s", &value) || *value == '\0') {
                        if (keys[k].required)
                                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                                 "A network device lacks \"%s\"", keys[k].ours);
                        continue;
                }
                r = add(text, key, value, ret_error);
        }
        if (r >= 0)
                r = add(text, flags, "up", ret_error);
        if (r >= 0 && g_str_equal(name, "bridged"))
                r = add_vlans(text, i, nic, ret_error);
        if (r >= 0 && nic_type->addressed)
                r = add_addresses(text, i, nic, AF_INET, "ipv4", NIC_GATEWAY_IPV4, ret_error);
        if (r >= 0 && nic_type->addressed)
                r = add_addresses(text, i, nic, AF_INET6, "ipv6", NIC_GATEWAY_IPV6, ret_error);
        return r;
}

static int add_nics(GString *text, const ContainerConfig *config, Error *ret_error) {
        size_t n = g_variant_n_children(config->nics);

        /* Its own network namespace, even with nothing in it. */
        if (n == 0)
                return add(text, "lxc.net.0.type", "empty", ret_error);
        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(config->nics, i);
                int r = add_nic(text, (unsigned) i, nic, ret_error);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_mounts(GString *text, const ContainerConfig *config, Error *ret_error) {
        for (guint i = 0; i < config->mounts->len; i++) {
                int r = add(text, "lxc.mount.entry", config->mounts->pdata[i], ret_error);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_environment(GString *text, const ContainerConfig *config, Error *ret_error) {
        GVariantIter iter;
        const char *key, *value;

        g_variant_iter_init(&iter, config->config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                int r;

                if (!g_str_has_prefix(key, ENVIRONMENT))
                        continue;
                key += strlen(ENVIRONMENT);
                if (*key == '\0' || strchr(key, '=') || !is_plain_text(key))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "Container \"%s\" has an environment variable with an "
                                         "impossible name",
                                         config->name);
                if (!is_plain_text(value))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "environment.%s of container \"%s\" holds a line break, "
                                         "another control character or is not UTF-8; remove it",
                                         key, config->name);
                r = addf(text, "lxc.environment", "%s=%s", ret_error, key, value);
                if (r < 0)
                        return r;
        }
        return add(text, "lxc.environment", "container=lxc", ret_error);
}

static bool architecture_is_plain(const char *architecture) {
        for (const char *p = architecture; *p; p++)
                if (!g_ascii_isalnum(*p) && *p != '_')
                        return false;
        return *architecture != '\0';
}

int container_config_format(const ContainerConfig *config, char **ret, Error *ret_error) {
        static int (*const parts[])(GString *, const ContainerConfig *, Error *) = {
                add_fixed, add_groups, add_paths, add_idmap, add_nics, add_mounts,
                add_environment, container_config_add_keys,
        };
        g_autoptr(GString) text = g_string_new(NULL);
        int r;

        if (!container_name_is_valid(config->name))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "\"%s\" is not a name for a container", config->name);
        if (!architecture_is_plain(config->architecture))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is not the name of an architecture", config->architecture);
        r = add(text, "lxc.uts.name", config->name, ret_error);
        if (r >= 0)
                r = add(text, "lxc.arch", config->architecture, ret_error);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(parts); i++)
                r = parts[i](text, config, ret_error);
        if (r < 0)
                return r;
        *ret = g_string_free(TAKE_PTR(text), FALSE);
        return 0;
}
