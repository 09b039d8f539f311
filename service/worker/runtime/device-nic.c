/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-nic.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <netlink/route/link/ipvlan.h>
#include <netlink/route/link/macvlan.h>
#include <netlink/route/link/veth.h>

#include "service/model/config.h"
#include "service/util/cleanup.h"
#include "service/worker/runtime/device-inside.h"
#include "service/worker/runtime/nic-netlink.h"

static bool is_type(GVariant *nic, const char *type) {
        return g_strcmp0(config_get(nic, "nictype"), type) == 0;
}

static bool has_host_end(GVariant *nic) {
        return is_type(nic, "bridged") || is_type(nic, "p2p");
}

/* --- inside --- */

typedef struct Inside {
        const char *name;
        const char *type;      /* libnl's name of the kind that may be deleted */
        int host_namespace;    /* where it goes to; -EBADF: it is deleted */
        const char *host_name;
} Inside;

static int set_up_inside(void *userdata) {
        const Inside *inside = userdata;
        g_autoptr(NicLink) link = NULL, change = rtnl_link_alloc();
        g_autoptr(NicSocket) sock = NULL;
        int r;

        r = nic_socket_open(&sock);
        if (r >= 0)
                r = nic_link_find(sock, inside->name, &link);
        if (r < 0)
                return r;
        rtnl_link_set_flags(change, IFF_UP);
        return nic_errno_of(rtnl_link_change(sock, link, change, 0));
}

static int take_away_inside(void *userdata) {
        const Inside *inside = userdata;
        g_autoptr(NicLink) link = NULL, change = rtnl_link_alloc();
        g_autoptr(NicSocket) sock = NULL;
        const char *type;
        int r;

        r = nic_socket_open(&sock);
        if (r >= 0)
                r = nic_link_find(sock, inside->name, &link);
        if (r == -ENODEV)
                return 0;
        if (r < 0)
                return r;
        if (inside->host_namespace < 0) {
                type = rtnl_link_get_type(link);
                /* One of the container's own has taken the name. */
                if (g_strcmp0(type, inside->type) != 0)
                        return 0;
                return nic_errno_of(rtnl_link_delete(sock, link));
        }
        rtnl_link_set_ns_fd(change, inside->host_namespace);
        rtnl_link_set_name(change, inside->host_name);
        return nic_errno_of(rtnl_link_change(sock, link, change, 0));
}

/* --- adding --- */

static int set_common(NicLink *link, GVariant *nic, int namespace_fd) {
        const char *hwaddr = config_get(nic, "hwaddr"), *mtu = config_get(nic, "mtu");
        g_autoptr(NicAddress) address = NULL;
        guint64 number;

        rtnl_link_set_name(link, config_get(nic, "name"));
        rtnl_link_set_ns_fd(link, namespace_fd);
        if (mtu && g_ascii_string_to_unsigned(mtu, 10, 68, 65535, &number, NULL))
                rtnl_link_set_mtu(link, (unsigned) number);
        if (hwaddr && !is_type(nic, "ipvlan")) {
                if (nl_addr_parse(hwaddr, AF_LLC, &address) < 0)
                        return -EINVAL;
                rtnl_link_set_addr(link, address);
        }
        return 0;
}

static int set_up_host_end(NicSocket *sock, const char *name, unsigned bridge) {
        g_autoptr(NicLink) link = NULL, change = rtnl_link_alloc();
        int r;

        r = nic_link_find(sock, name, &link);
        if (r < 0)
                return r;
        if (bridge > 0)
                rtnl_link_set_master(change, (int) bridge);
        rtnl_link_set_flags(change, IFF_UP);
        return nic_errno_of(rtnl_link_change(sock, link, change, 0));
}

static int add_veth(NicSocket *sock, GVariant *nic, unsigned parent, int namespace_fd) {
        const char *host_name = config_get(nic, "host_name"), *mtu = config_get(nic, "mtu");
        g_autoptr(NicLink) link = rtnl_link_veth_alloc(), peer = NULL;
        guint64 number;
        int r;

        if (!link || !host_name)
                return -EINVAL;
        peer = rtnl_link_veth_get_peer(link);
        r = set_common(peer, nic, namespace_fd);
        if (r < 0)
                return r;
        rtnl_link_set_name(link, host_name);
        if (mtu && g_ascii_string_to_unsigned(mtu, 10, 68, 65535, &number, NULL))
                rtnl_link_set_mtu(link, (unsigned) number);
        r = nic_errno_of(rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL));
        return r < 0 ? r : set_up_host_end(sock, host_name, parent);
}

static int add_child(NicSocket *sock, GVariant *nic, unsigned parent, int namespace_fd) {
        bool ipvlan = is_type(nic, "ipvlan");
        g_autoptr(NicLink) link = ipvlan ? rtnl_link_ipvlan_alloc() : rtnl_link_macvlan_alloc();
        int r, mode = ipvlan ? rtnl_link_ipvlan_str2mode(config_get(nic, "mode") ?: "l3s") : 0;

        if (!link || mode < 0)
                return -EINVAL;
        r = set_common(link, nic, namespace_fd);
        if (r < 0)
                return r;
        rtnl_link_set_link(link, (int) parent);
        r = ipvlan ? rtnl_link_ipvlan_set_mode(link, (uint16_t) mode)
                   : rtnl_link_macvlan_set_mode(link, MACVLAN_MODE_BRIDGE);
        if (r >= 0)
                r = rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL);
        return nic_errno_of(r);
}

static int move_physical(NicSocket *sock, GVariant *nic, int namespace_fd) {
        g_autoptr(NicLink) link = NULL, change = rtnl_link_alloc();
        int r;

        r = nic_link_find(sock, config_get(nic, "parent"), &link);
        if (r >= 0)
                r = set_common(change, nic, namespace_fd);
        return r < 0 ? r : nic_errno_of(rtnl_link_change(sock, link, change, 0));
}

static int nic_error(GVariant *nic, const char *what, int r, Error *ret_error) {
        const char *name = config_get(nic, "name");

        if (r == -EEXIST)
                return error_set(ret_error, ERROR_IN_USE,
                                 "There is a network interface \"%s\" already; give the device "
                                 "another \"name\"", name);
        return error_set_errno(ret_error, -r, "Cannot %s network interface \"%s\" of type %s", what,
                               name, config_get(nic, "nictype"));
}

int device_nic_add(const Process *init, GVariant *nic, Error *ret_error) {
        _cleanup_close_ int namespace_fd = openat(init->proc_fd, "ns/net", O_RDONLY | O_CLOEXEC);
        const char *parent = config_get(nic, "parent");
        Inside inside = { .name = config_get(nic, "name") };
        unsigned index = parent ? if_nametoindex(parent) : 0;
        g_autoptr(NicSocket) sock = NULL;
        int r = 0;

        if (parent && index == 0)
                return error_set(ret_error, ERROR_NO_SUCH_NETWORK,
                                 "Network interface \"%s\" of the host does not exist", parent);
        if (namespace_fd < 0)
                return nic_error(nic, "add", -errno, ret_error);
        r = nic_socket_open(&sock);
        if (r < 0)
                return nic_error(nic, "add", r, ret_error);
        if (has_host_end(nic))
                r = add_veth(sock, nic, index, namespace_fd);
        else if (is_type(nic, "physical"))
                r = move_physical(sock, nic, namespace_fd);
        else
                r = add_child(sock, nic, index, namespace_fd);
        if (r == -EEXIST)
                return nic_error(nic, "add", r, ret_error); /* what is there is not ours */
        if (r >= 0)
                r = device_inside_run(init, CLONE_NEWNET, set_up_inside, &inside);
        if (r < 0) {
                (void) device_nic_remove(init, nic, NULL);
                return nic_error(nic, "add", r, ret_error);
        }
        return 0;
}

/* --- removing --- */

/* With one end of a veth goes the other. */
static int remove_host_end(GVariant *nic) {
        g_autoptr(NicSocket) sock = NULL;
        g_autoptr(NicLink) link = NULL;
        int r;

        r = nic_socket_open(&sock);
        if (r >= 0)
                r = nic_link_find(sock, config_get(nic, "host_name"), &link);
        if (r < 0)
                return r == -ENODEV ? 0 : r;
        if (g_strcmp0(rtnl_link_get_type(link), "veth") != 0)
                return 0;
        return nic_errno_of(rtnl_link_delete(sock, link));
}

int device_nic_remove(const Process *init, GVariant *nic, Error *ret_error) {
        _cleanup_close_ int ours = -EBADF;
        Inside inside = {
                .name = config_get(nic, "name"),
                .type = config_get(nic, "nictype"),
                .host_namespace = -EBADF,
                .host_name = config_get(nic, "parent"),
        };
        int r;

        if (has_host_end(nic))
                r = remove_host_end(nic);
        else {
                if (is_type(nic, "physical"))
                        inside.host_namespace = ours = open("/proc/self/ns/net",
                                                            O_RDONLY | O_CLOEXEC);
                r = device_inside_run(init, CLONE_NEWNET, take_away_inside, &inside);
        }
        return r < 0 ? nic_error(nic, "remove", r, ret_error) : 0;
}
