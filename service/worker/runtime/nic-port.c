/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/nic-port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/nic-vlan.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"

#define SYSFS_MAX 64U

typedef struct nl_msg NetlinkMessage;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetlinkMessage, nlmsg_free)

static bool wants_vlans(GVariant *nic) {
        return g_strcmp0(config_get(nic, "nictype"), "bridged") == 0 &&
               (config_get(nic, "vlan") || config_get(nic, "vlan.tagged"));
}

/* A number that a bridge has in sysfs; -ENOENT where it is no bridge. */
static int read_number(const char *bridge, const char *name, unsigned *ret) {
        g_autofree char *path = g_strdup_printf("/sys/class/net/%s/bridge/%s", bridge, name);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        g_autofree char *text = NULL;
        guint64 number;
        int r;

        if (fd < 0)
                return -errno;
        r = fd_read_text(fd, SYSFS_MAX, &text);
        if (r < 0)
                return r;
        if (!g_ascii_string_to_unsigned(g_strchomp(text), 10, 0, UINT16_MAX, &number, NULL))
                return -EBADMSG;
        *ret = (unsigned) number;
        return 0;
}

int nic_port_check(GVariant *nic, Error *ret_error) {
        const char *bridge = config_get(nic, "parent");
        unsigned on = 0;
        int r;

        if (!wants_vlans(nic))
                return 0;
        r = read_number(bridge, "vlan_filtering", &on);
        if (r == -ENOENT)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "\"%s\", the parent of a nic with VLANs, is no bridge of the "
                                 "kernel's", bridge);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read the settings of bridge \"%s\"",
                                       bridge);
        if (!on)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Bridge \"%s\" does not tell VLANs apart; turn that on with \"ip "
                                 "link set %s type bridge vlan_filtering 1\"", bridge, bridge);
        return 0;
}

/* One message of RTM_SETLINK or RTM_DELLINK about the VLANs from `first` to `last`. */
static int send_vlans(NicSocket *sock, int type, int index, unsigned flags, unsigned first,
                      unsigned last) {
        const struct ifinfomsg header = { .ifi_family = AF_BRIDGE, .ifi_index = index };
        struct bridge_vlan_info begin = { .flags = (uint16_t) flags, .vid = (uint16_t) first };
        struct bridge_vlan_info end = { .flags = (uint16_t) flags, .vid = (uint16_t) last };
        g_autoptr(NetlinkMessage) message = nlmsg_alloc_simple(type, 0);
        struct nlattr *nest;

        if (!message || nlmsg_append(message, (void *) &header, sizeof(header), NLMSG_ALIGNTO) < 0)
                return -ENOMEM;
        nest = nla_nest_start(message, IFLA_AF_SPEC);
        if (!nest)
                return -ENOMEM;
        if (first != last) {
                begin.flags |= BRIDGE_VLAN_INFO_RANGE_BEGIN;
                end.flags |= BRIDGE_VLAN_INFO_RANGE_END;
                if (nla_put(message, IFLA_BRIDGE_VLAN_INFO, sizeof(begin), &begin) < 0)
                        return -ENOMEM;
        }
        if (nla_put(message, IFLA_BRIDGE_VLAN_INFO, sizeof(end), &end) < 0)
                return -ENOMEM;
        (void) nla_nest_end(message, nest);
        return nic_errno_of(nl_send_sync(sock, g_steal_pointer(&message)));
}

/* A port begins as one of the bridge's own VLAN. */
static int apply_untagged(NicSocket *sock, int index, GVariant *nic) {
        unsigned vlan = device_get_number(nic, "vlan", 10, 0), own = 0;
        int r;

        if (!config_get(nic, "vlan"))
                return 0;
        r = read_number(config_get(nic, "parent"), "default_pvid", &own);
        if (r >= 0 && own > 0 && own != vlan)
                r = send_vlans(sock, RTM_DELLINK, index, 0, own, own);
        if (r >= 0 && vlan > 0)
                r = send_vlans(sock, RTM_SETLINK, index,
                               BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, vlan, vlan);
        return r;
}

int nic_port_apply(NicSocket *sock, NicLink *link, GVariant *nic) {
        const char *tagged = config_get(nic, "vlan.tagged");
        int index = rtnl_link_get_ifindex(link), r;
        g_autoptr(GArray) ranges = NULL;

        if (!wants_vlans(nic))
                return 0;
        r = apply_untagged(sock, index, nic);
        if (r < 0 || !tagged)
                return r;
        r = nic_parse_vlans(tagged, &ranges, NULL);
        for (guint i = 0; r >= 0 && i < ranges->len; i++) {
                const VlanRange *range = &g_array_index(ranges, VlanRange, i);

                r = send_vlans(sock, RTM_SETLINK, index, 0, range->first, range->last);
        }
        return r;
}
