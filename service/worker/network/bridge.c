/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/bridge.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/network/bridge-ports.h"
#include "service/worker/network/bridge-routes.h"
#include "service/worker/network/netlink.h"
#include "service/worker/network/route.h"
#include "service/worker/network/sysctl.h"

#define MAC_SIZE 6
#define MTU_DEFAULT 1500U
/* What marks a bridge as ours where its address does not. */
#define BRIDGE_ALIAS "berth"

/* What the kernel is to do on the bridge. A kernel without IPv6 lacks some of the files. */
static const struct {
        const char *name;
        long value;
} bridge_settings[] = {
        { "ipv4/conf/%s/accept_redirects", 0 },
        { "ipv4/conf/%s/send_redirects", 0 },
        { "ipv4/conf/%s/accept_source_route", 0 },
        { "ipv6/conf/%s/accept_ra", 0 },
        { "ipv6/conf/%s/autoconf", 0 },
        { "ipv6/conf/%s/accept_redirects", 0 },
        /* The link-local address is made from our MAC address; waiting a second to hear whether
         * somebody has it would only keep dnsmasq from binding. */
        { "ipv6/conf/%s/accept_dad", 0 },
};

/* Stable, since neighbours remember it: by itself a bridge takes the least address of its ports.
 * FNV-1a spreads names well; nothing here needs to withstand somebody who looks for collisions. */
static void bridge_mac(const char *name, uint8_t ret[static MAC_SIZE]) {
        g_autofree char *seed = g_strdup_printf("berth bridge %s", name);
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (const char *p = seed; *p; p++) {
                hash ^= (uint8_t) *p;
                hash *= UINT64_C(0x100000001b3);
        }
        for (size_t i = 0; i < MAC_SIZE; i++)
                ret[i] = (uint8_t) (hash >> (8 * i));
        ret[0] = (uint8_t) ((ret[0] & ~0x01) | 0x02); /* unicast, locally administered */
}

/* 1: the bridge is there and ours; 0: no such interface; *ret_other: somebody else's. */
static int bridge_find(NetlinkSocket *sock, const char *name, NetlinkLink **ret, bool *ret_other,
                       Error *ret_error) {
        g_autoptr(NetlinkLink) link = NULL;
        struct nl_addr *address;
        uint8_t mac[MAC_SIZE];
        const char *type, *alias;
        int r;

        *ret_other = false;
        r = rtnl_link_get_kernel(sock, 0, name, &link);
        if (r == -NLE_OBJ_NOTFOUND || r == -NLE_NODEV)
                return 0;
        if (r < 0)
                return netlink_error(ret_error, r, "Cannot look for the interface %s", name);

        bridge_mac(name, mac);
        type = rtnl_link_get_type(link);
        address = rtnl_link_get_addr(link);
        alias = rtnl_link_get_ifalias(link);
        if (!type || !g_str_equal(type, "bridge") || !address ||
            nl_addr_get_len(address) != MAC_SIZE ||
            (memcmp(nl_addr_get_binary_addr(address), mac, MAC_SIZE) != 0 &&
             g_strcmp0(alias, BRIDGE_ALIAS) != 0)) {
                *ret_other = true;
                return 0;
        }
        *ret = g_steal_pointer(&link);
        return 1;
}

/* libnl knows a bridge's flags but not its spanning tree, so this message is put together here. The
 * kernel takes an alias for an interface that is there only; a new one has its own address until it
 * is set up. */
static int bridge_send(NetlinkSocket *sock, const BridgeConfig *config, bool create) {
        struct ifinfomsg info = {
                .ifi_family = AF_UNSPEC,
                .ifi_flags = create ? 0 : IFF_UP,
                .ifi_change = create ? 0 : IFF_UP,
        };
        g_autoptr(NetlinkMessage) message =
                nlmsg_alloc_simple(RTM_NEWLINK, create ? NLM_F_CREATE | NLM_F_EXCL : 0);
        uint8_t mac[MAC_SIZE];
        struct nlattr *link_info, *data;

        bridge_mac(config->name, mac);
        if (config->options->has_hwaddr && !create)
                memcpy(mac, config->options->hwaddr, MAC_SIZE);
        /* A message has room for a page; that this little does not fit means no memory. */
        if (!message || nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO) < 0 ||
            nla_put_string(message, IFLA_IFNAME, config->name) < 0 ||
            nla_put(message, IFLA_ADDRESS, MAC_SIZE, mac) < 0 ||
            nla_put_u32(message, IFLA_MTU, config->options->mtu ?: MTU_DEFAULT) < 0 ||
            (!create && nla_put_string(message, IFLA_IFALIAS, BRIDGE_ALIAS) < 0) ||
            !(link_info = nla_nest_start(message, IFLA_LINKINFO)) ||
            nla_put_string(message, IFLA_INFO_KIND, "bridge") < 0 ||
            !(data = nla_nest_start(message, IFLA_INFO_DATA)) ||
            nla_put_u32(message, IFLA_BR_STP_STATE, 0) < 0 ||
            nla_put_u32(message, IFLA_BR_FORWARD_DELAY, 0) < 0)
                g_error("Out of memory");
        nla_nest_end(message, data);
        nla_nest_end(message, link_info);
        return nl_send_sync(sock, g_steal_pointer(&message));
}

static int bridge_set(const char *name, const char *format, long value, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(format, "%s", 2);
        g_autofree char *path = g_strjoinv(name, parts);
        int r = sysctl_write(path, value);

        if (r == -ENOENT && g_str_has_prefix(path, "ipv6/"))
                return 0;
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot set net/%s to %ld", path, value);
        return 0;
}

static int bridge_harden(const BridgeConfig *config, Error *ret_error) {
        int r;

        for (size_t i = 0; i < ELEMENTSOF(bridge_settings); i++) {
                r = bridge_set(config->name, bridge_settings[i].name, bridge_settings[i].value,
                               ret_error);
                if (r < 0)
                        return r;
        }
        return bridge_set(config->name, "ipv6/conf/%s/disable_ipv6",
                          config->options->ipv6.subnet.family == AF_UNSPEC, ret_error);
}

static Subnet subnet_from_netlink(struct rtnl_addr *address) {
        struct nl_addr *local = rtnl_addr_get_local(address);

        return subnet_new(rtnl_addr_get_family(address), nl_addr_get_binary_addr(local),
                          nl_addr_get_len(local), (unsigned) rtnl_addr_get_prefixlen(address));
}

/* Removes the addresses that are not wanted and notes which of the wanted ones are there. */
static int bridge_remove_addresses(NetlinkSocket *sock, const BridgeConfig *config, int ifindex,
                                   bool *has_ipv4, bool *has_ipv6, bool *ret_changed,
                                   Error *ret_error) {
        const Subnet *ipv4 = &config->options->ipv4.subnet, *ipv6 = &config->options->ipv6.subnet;
        g_autoptr(NetlinkCache) addresses = NULL;
        int r;

        r = rtnl_addr_alloc_cache(sock, &addresses);
        if (r < 0)
                return netlink_error(ret_error, r, "Cannot list the addresses of the bridge %s",
                                     config->name);
        for (struct nl_object *o = nl_cache_get_first(addresses); o; o = nl_cache_get_next(o)) {
                struct rtnl_addr *address = (struct rtnl_addr *) o;
                Subnet subnet;

                if (rtnl_addr_get_ifindex(address) != ifindex ||
                    rtnl_addr_get_scope(address) == RT_SCOPE_LINK || !rtnl_addr_get_local(address))
                        continue;
                subnet = subnet_from_netlink(address);
                if (subnet_equal(&subnet, ipv4)) {
                        *has_ipv4 = true;
                        continue;
                }
                if (subnet_equal(&subnet, ipv6)) {
                        *has_ipv6 = true;
                        continue;
                }
                r = rtnl_addr_delete(sock, address, 0);
                if (r < 0 && r != -NLE_NOADDR && r != -NLE_OBJ_NOTFOUND)
                        return netlink_error(ret_error, r,
                                             "Cannot remove an address from the bridge %s",
                                             config->name);
                *ret_changed = true;
        }
        return 0;
}

static struct nl_addr *subnet_to_netlink(const Subnet *subnet) {
        struct nl_addr *address = nl_addr_build(subnet->family, (void *) subnet->bytes,
                                                subnet_size(subnet));

        if (!address)
                g_error("Out of memory");
        nl_addr_set_prefixlen(address, (int) subnet->prefix);
        return address;
}

static int bridge_add_address(NetlinkSocket *sock, const char *name, int ifindex,
                              const Subnet *subnet, Error *ret_error) {
        g_autoptr(NetlinkLinkAddress) address = rtnl_addr_alloc();
        g_autoptr(NetlinkAddress) local = subnet_to_netlink(subnet);
        int r;

        if (!address)
                g_error("Out of memory");
        rtnl_addr_set_ifindex(address, ifindex);
        r = rtnl_addr_set_local(address, local);
        if (r >= 0 && subnet->family == AF_INET) {
                Subnet broadcast = subnet_broadcast(subnet);
                g_autoptr(NetlinkAddress) to_all = subnet_to_netlink(&broadcast);

                r = rtnl_addr_set_broadcast(address, to_all);
        }
        /* Usable at once: the network is ours, and dnsmasq binds to the address next. */
        if (subnet->family == AF_INET6)
                rtnl_addr_set_flags(address, IFA_F_NODAD);
        if (r >= 0)
                r = rtnl_addr_add(sock, address, NLM_F_REPLACE);
        if (r < 0) {
                g_autofree char *text = subnet_to_string(subnet);

                return netlink_error(ret_error, r, "Cannot give the address %s to the bridge %s",
                                     text, name);
        }
        return 0;
}

static int bridge_set_addresses(NetlinkSocket *sock, const BridgeConfig *config, bool *ret_changed,
                                Error *ret_error) {
        int ifindex = (int) if_nametoindex(config->name), r;
        const Subnet *ipv4 = &config->options->ipv4.subnet, *ipv6 = &config->options->ipv6.subnet;
        bool has_ipv4 = false, has_ipv6 = false;

        if (ifindex == 0)
                return error_set_errno(ret_error, errno, "Cannot find the bridge %s", config->name);

        /* First the old ones: with the primary address of a network the kernel removes those that
         * came after it. */
        r = bridge_remove_addresses(sock, config, ifindex, &has_ipv4, &has_ipv6, ret_changed,
                                    ret_error);
        if (r < 0)
                return r;
        if (ipv4->family != AF_UNSPEC && !has_ipv4) {
                *ret_changed = true;
                r = bridge_add_address(sock, config->name, ifindex, ipv4, ret_error);
                if (r < 0)
                        return r;
        }
        if (ipv6->family != AF_UNSPEC && !has_ipv6) {
                *ret_changed = true;
                r = bridge_add_address(sock, config->name, ifindex, ipv6, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int bridge_configure(NetlinkSocket *sock, const BridgeConfig *config, bool *ret_changed,
                            Error *ret_error) {
        long forwarding;
        int r;

        if (config->options->ipv6.subnet.family != AF_UNSPEC &&
            sysctl_read("ipv6/conf/all/forwarding", &forwarding) < 0)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The kernel of this host has no IPv6; set ipv6.address of the "
                                 "network %s to none",
                                 config->name);

        r = bridge_harden(config, ret_error);
        if (r < 0)
                return r;
        r = bridge_send(sock, config, false);
        if (r < 0)
                return netlink_error(ret_error, r, "Cannot set up the bridge %s", config->name);
        r = bridge_set_addresses(sock, config, ret_changed, ret_error);
        if (r >= 0)
                r = bridge_set_routes(config->name, config->options, ret_error);
        if (r >= 0)
                r = bridge_set_ports(config->name, config->options->external, config->run_dir,
                                     config->strict, ret_error);
        return r;
}

int bridge_up(const BridgeConfig *config, BridgeChange *ret_change, Error *ret_error) {
        g_autoptr(NetlinkSocket) sock = NULL;
        g_autoptr(NetlinkLink) link = NULL;
        bool is_foreign, changed = false, created = false;
        int r;

        r = netlink_open(&sock, ret_error);
        if (r < 0)
                return r;
        r = bridge_find(sock, config->name, &link, &is_foreign, ret_error);
        if (r < 0)
                return r;
        if (is_foreign)
                return error_set(ret_error, ERROR_EXISTS,
                                 "Interface %s is there already and was not made by berth; "
                                 "choose another name for the network",
                                 config->name);
        if (r == 0) {
                r = bridge_send(sock, config, true);
                if (r < 0)
                        return netlink_error(ret_error, r, "Cannot make the bridge %s",
                                             config->name);
                created = true;
        }

        r = bridge_configure(sock, config, &changed, ret_error);
        if (r < 0) {
                if (created)
                        (void) bridge_down(config->name, NULL);
                return r;
        }
        *ret_change = created ? BRIDGE_CREATED : changed ? BRIDGE_CHANGED : BRIDGE_UNCHANGED;
        return 0;
}

int bridge_down(const char *name, Error *ret_error) {
        g_autoptr(NetlinkSocket) sock = NULL;
        g_autoptr(NetlinkLink) link = NULL;
        bool is_foreign;
        int r;

        r = netlink_open(&sock, ret_error);
        if (r < 0)
                return r;
        r = bridge_find(sock, name, &link, &is_foreign, ret_error);
        if (r < 0)
                return r;
        if (is_foreign)
                log_notice("Interface %s was not made by berth and stays", name);
        if (r == 0)
                return 0;
        r = rtnl_link_delete(sock, link);
        if (r < 0 && r != -NLE_NODEV && r != -NLE_OBJ_NOTFOUND)
                return netlink_error(ret_error, r, "Cannot remove the bridge %s", name);
        return 0;
}

int bridge_forward_not(const char *name, int family, Error *ret_error) {
        g_autofree char *own = g_strdup_printf("%s/conf/%s/forwarding",
                                               family == AF_INET ? "ipv4" : "ipv6", name);
        int r = sysctl_write(own, 0);

        if (r < 0 && r != -ENOENT)
                return error_set_errno(ret_error, -r, "Cannot turn off forwarding of the network "
                                       "%s", name);
        return 0;
}

static void on_route(const Route *route, void *userdata) {
        char name[IF_NAMESIZE];
        long forwarding, accept_ra;

        if (route->destination.prefix > 0 || route->protocol != RTPROT_RA || route->oif <= 0 ||
            !if_indextoname((unsigned) route->oif, name))
                return;

        g_autofree char *accept_path = g_strdup_printf("ipv6/conf/%s/accept_ra", name);
        g_autofree char *forward_path = g_strdup_printf("ipv6/conf/%s/forwarding", name);
        if (sysctl_read(accept_path, &accept_ra) < 0 || accept_ra != 1 ||
            sysctl_read(forward_path, &forwarding) < 0 || forwarding != 0)
                return;
        if (sysctl_write(accept_path, 2) < 0)
                log_warning("Cannot keep %s accepting router advertisements", name);
}

static int bridge_keep_host_routes(Error *ret_error) {
        g_autoptr(NetlinkSocket) sock = NULL;
        int r;

        r = netlink_open(&sock, ret_error);
        if (r < 0)
                return r;
        return route_foreach(sock, AF_INET6, on_route, NULL, ret_error);
}

int bridge_forward(const char *name, int family, Error *ret_error) {
        g_autofree char *own = g_strdup_printf("%s/conf/%s/forwarding",
                                               family == AF_INET ? "ipv4" : "ipv6", name);
        const char *host = family == AF_INET ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding";
        int r;

        if (family == AF_INET6) {
                r = bridge_keep_host_routes(ret_error);
                if (r < 0)
                        return r;
        }
        r = sysctl_write(host, 1);
        if (r >= 0)
                r = sysctl_write(own, 1);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot turn on forwarding of %s for the "
                                       "network %s", family == AF_INET ? "IPv4" : "IPv6", name);
        return 0;
}
