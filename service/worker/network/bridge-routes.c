/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/bridge-routes.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

#include <netlink/errno.h>

#include "service/util/cleanup.h"
#include "service/worker/network/netlink.h"
#include "service/worker/network/route.h"

typedef struct Walk {
        int ifindex;
        GArray *found; /* Subnet */
} Walk;

static void on_route(const Route *route, void *userdata) {
        Walk *walk = userdata;

        if (route->oif == walk->ifindex && route->table == RT_TABLE_MAIN &&
            route->protocol == RTPROT_STATIC)
                g_array_append_val(walk->found, route->destination);
}

static bool has(const GArray *routes, const Subnet *route) {
        for (guint i = 0; i < routes->len; i++)
                if (subnet_equal(&g_array_index(routes, Subnet, i), route))
                        return true;
        return false;
}

static NetlinkRoute *route_to_netlink(const Subnet *subnet, int ifindex) {
        g_autoptr(NetlinkAddress) destination = nl_addr_build(
                subnet->family, (void *) subnet->bytes, subnet_size(subnet));
        g_autoptr(NetlinkRoute) route = rtnl_route_alloc();
        struct rtnl_nexthop *hop = rtnl_route_nh_alloc();

        if (!destination || !route || !hop)
                g_error("Out of memory");
        nl_addr_set_prefixlen(destination, (int) subnet->prefix);
        rtnl_route_set_family(route, (uint8_t) subnet->family);
        rtnl_route_set_table(route, RT_TABLE_MAIN);
        rtnl_route_set_protocol(route, RTPROT_STATIC);
        rtnl_route_set_scope(route, subnet->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
        (void) rtnl_route_set_dst(route, destination);
        rtnl_route_nh_set_ifindex(hop, ifindex);
        rtnl_route_add_nexthop(route, hop);
        return g_steal_pointer(&route);
}

static int change_route(NetlinkSocket *sock, const char *bridge, int ifindex, const Subnet *subnet,
                        bool add, Error *ret_error) {
        g_autoptr(NetlinkRoute) route = route_to_netlink(subnet, ifindex);
        g_autofree char *text = subnet_to_string(subnet);
        int r;

        if (add)
                r = rtnl_route_add(sock, route, NLM_F_EXCL);
        else
                r = rtnl_route_delete(sock, route, 0);
        if (r == -NLE_EXIST)
                return error_set(ret_error, ERROR_EXISTS,
                                 "The host has a route to %s already, which is not that of the "
                                 "network %s", text, bridge);
        if (r < 0 && (add || r != -NLE_OBJ_NOTFOUND))
                return netlink_error(ret_error, r, "Cannot %s the route to %s over the bridge %s",
                                     add ? "make" : "remove", text, bridge);
        return 0;
}

static int set_family(NetlinkSocket *sock, const char *bridge, int family, const GArray *wanted,
                      Error *ret_error) {
        g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(Subnet));
        Walk walk = { (int) if_nametoindex(bridge), found };
        g_autoptr(NetlinkSocket) list = NULL; /* its callback is for what is listed alone */
        int r;

        r = netlink_open(&list, ret_error);
        if (r >= 0)
                r = route_foreach(list, family, on_route, &walk, ret_error);
        for (guint i = 0; r >= 0 && i < found->len; i++)
                if (!has(wanted, &g_array_index(found, Subnet, i)))
                        r = change_route(sock, bridge, walk.ifindex,
                                         &g_array_index(found, Subnet, i), false, ret_error);
        for (guint i = 0; r >= 0 && i < wanted->len; i++)
                if (!has(found, &g_array_index(wanted, Subnet, i)))
                        r = change_route(sock, bridge, walk.ifindex,
                                         &g_array_index(wanted, Subnet, i), true, ret_error);
        return r;
}

int bridge_set_routes(const char *bridge, const NetworkOptions *options, Error *ret_error) {
        g_autoptr(NetlinkSocket) sock = NULL;
        int r;

        r = netlink_open(&sock, ret_error);
        if (r >= 0)
                r = set_family(sock, bridge, AF_INET, options->ipv4.routes, ret_error);
        if (r >= 0)
                r = set_family(sock, bridge, AF_INET6, options->ipv6.routes, ret_error);
        return r;
}
