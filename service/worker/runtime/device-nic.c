/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-nic.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <unistd.h>

#include <netlink/route/link/ipvlan.h>
#include <netlink/route/link/macvlan.h>
#include <netlink/route/link/veth.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/worker/runtime/nic-netlink.h"
#include "service/worker/runtime/nic-port.h"
#include "service/worker/runtime/nic-record.h"

static bool is_type(GVariant *nic, const char *type) {
        return g_strcmp0(config_get(nic, "nictype"), type) == 0;
}

bool device_nic_has_host_end(GVariant *nic) {
        return is_type(nic, "bridged") || is_type(nic, "p2p") || is_type(nic, "routed");
}

/* --- inside --- */

static int open_inside(const Process *init, NicSocket **ret) {
        _cleanup_close_ int fd = openat(init->proc_fd, "ns/net", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : nic_socket_open_in(fd, ret);
}

static int set_up_inside(const Process *init, GVariant *nic) {
        g_autoptr(NicLink) link = NULL, change = rtnl_link_alloc();
        g_autoptr(NicSocket) sock = NULL;
        int r;

        r = open_inside(init, &sock);
        if (r >= 0)
                r = nic_link_find(sock, config_get(nic, "name"), &link);
        if (r < 0)
                return r;
        rtnl_link_set_flags(change, IFF_UP);
        return nic_errno_of(rtnl_link_change(sock, link, change, 0));
}

/* By its number, for its root may have given it another name. */
static int find_inside(NicSocket *sock, int path_fd, GVariant *nic, NicLink **ret) {
        unsigned unused;
        int index;

        if (nic_record_read(path_fd, nic, &index, &unused) >= 0)
                return nic_link_find_index(sock, index, ret);
        return nic_link_find(sock, config_get(nic, "name"), ret);
}

static int delete_inside(const Process *init, int path_fd, GVariant *nic) {
        g_autoptr(NicSocket) sock = NULL;
        g_autoptr(NicLink) link = NULL;
        int r;

        r = open_inside(init, &sock);
        if (r >= 0)
                r = find_inside(sock, path_fd, nic, &link);
        if (r < 0)
                return r == -ENODEV ? 0 : r;
        /* One of the container's own has taken the name. */
        if (!is_type(nic, rtnl_link_get_type(link) ?: ""))
                return 0;
        r = nic_errno_of(rtnl_link_delete(sock, link));
        if (r >= 0)
                nic_record_forget(path_fd, nic);
        return r;
}

/* --- adding --- */

/* 0: it is not said. */
static unsigned mtu_of(GVariant *nic) {
        return device_get_number(nic, "mtu", 10, 0);
}

static int set_common(NicLink *link, GVariant *nic, int namespace_fd) {
        const char *hwaddr = config_get(nic, "hwaddr");
        g_autoptr(NicAddress) address = NULL;

        rtnl_link_set_name(link, config_get(nic, "name"));
        rtnl_link_set_ns_fd(link, namespace_fd);
        if (mtu_of(nic) > 0)
                rtnl_link_set_mtu(link, mtu_of(nic));
        if (hwaddr && !is_type(nic, "ipvlan")) {
                if (nl_addr_parse(hwaddr, AF_LLC, &address) < 0)
                        return -EINVAL;
                rtnl_link_set_addr(link, address);
        }
        return 0;
}

static int set_up_host_end(NicSocket *sock, GVariant *nic, unsigned bridge) {
        g_autoptr(NicLink) link = NULL, joined = rtnl_link_alloc(), up = rtnl_link_alloc();
        int r;

        r = nic_link_find(sock, config_get(nic, "host_name"), &link);
        if (r < 0)
                return r;
        if (bridge > 0) {
                rtnl_link_set_master(joined, (int) bridge);
                r = nic_errno_of(rtnl_link_change(sock, link, joined, 0));
                /* Before anything gets through. */
                if (r >= 0)
                        r = nic_port_apply(sock, link, nic);
                if (r < 0)
                        return r;
        }
        rtnl_link_set_flags(up, IFF_UP);
        return nic_errno_of(rtnl_link_change(sock, link, up, 0));
}

static int add_veth(NicSocket *sock, GVariant *nic, unsigned parent, int namespace_fd) {
        const char *host_name = config_get(nic, "host_name");
        g_autoptr(NicLink) link = rtnl_link_veth_alloc(), peer = NULL;
        int r;

        if (!link || !host_name)
                return -EINVAL;
        peer = rtnl_link_veth_get_peer(link);
        r = set_common(peer, nic, namespace_fd);
        if (r < 0)
                return r;
        rtnl_link_set_name(link, host_name);
        if (mtu_of(nic) > 0)
                rtnl_link_set_mtu(link, mtu_of(nic));
        r = nic_errno_of(rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL));
        return r < 0 ? r : set_up_host_end(sock, nic, parent);
}

/* libnl knows the first two. */
static int ipvlan_mode(const char *word) {
        static const char *const words[] = {
                [IPVLAN_MODE_L2] = "l2",
                [IPVLAN_MODE_L3] = "l3",
                [IPVLAN_MODE_L3S] = "l3s",
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (g_str_equal(words[i], word))
                        return (int) i;
        return -EINVAL;
}

static int add_child(NicSocket *sock, GVariant *nic, unsigned parent, int namespace_fd) {
        bool ipvlan = is_type(nic, "ipvlan");
        g_autoptr(NicLink) link = ipvlan ? rtnl_link_ipvlan_alloc() : rtnl_link_macvlan_alloc();
        int r, mode = ipvlan ? ipvlan_mode(config_get(nic, "mode") ?: "l3s") : 0;

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

int device_nic_add(const Process *init, int path_fd, GVariant *nic, Error *ret_error) {
        _cleanup_close_ int namespace_fd = openat(init->proc_fd, "ns/net", O_RDONLY | O_CLOEXEC);
        const char *parent = config_get(nic, "parent");
        unsigned index = parent ? if_nametoindex(parent) : 0;
        g_autoptr(NicSocket) sock = NULL;
        int r = 0;

        if (parent && index == 0)
                return error_set(ret_error, ERROR_NO_SUCH_NETWORK,
                                 "Network interface \"%s\" of the host does not exist", parent);
        if (namespace_fd < 0)
                return nic_error(nic, "add", -errno, ret_error);
        r = nic_socket_open(&sock);
        if (r >= 0)
                r = nic_record_before(path_fd, nic);
        if (r < 0)
                return nic_error(nic, "add", r, ret_error);
        if (device_nic_has_host_end(nic))
                r = add_veth(sock, nic, is_type(nic, "bridged") ? index : 0, namespace_fd);
        else if (is_type(nic, "physical"))
                r = move_physical(sock, nic, namespace_fd);
        else
                r = add_child(sock, nic, index, namespace_fd);
        if (r == -EEXIST) {
                nic_record_forget(path_fd, nic);
                return nic_error(nic, "add", r, ret_error); /* what is there is not ours */
        }
        if (r >= 0 && !device_nic_has_host_end(nic))
                r = nic_record_inside(path_fd, init, nic);
        if (r >= 0)
                r = set_up_inside(init, nic);
        if (r < 0) {
                (void) device_nic_remove(init, path_fd, nic, NULL);
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

int device_nic_remove(const Process *init, int path_fd, GVariant *nic, Error *ret_error) {
        int r;

        if (device_nic_has_host_end(nic))
                r = remove_host_end(nic);
        else if (is_type(nic, "physical"))
                r = nic_record_return(path_fd, nic);
        else
                r = delete_inside(init, path_fd, nic);
        return r < 0 ? nic_error(nic, "remove", r, ret_error) : 0;
}

/* --- changing --- */

static int link_set_mtu(NicSocket *sock, NicLink *link, unsigned mtu) {
        g_autoptr(NicLink) change = rtnl_link_alloc();

        if (!change)
                return -ENOMEM;
        rtnl_link_set_mtu(change, mtu);
        return nic_errno_of(rtnl_link_change(sock, link, change, 0));
}

/* What one is made with that says nothing of its MTU. */
static int default_mtu(NicSocket *host, int path_fd, GVariant *nic, unsigned *ret) {
        g_autoptr(NicLink) parent = NULL;
        int r, unused;

        if (is_type(nic, "physical"))
                return nic_record_read(path_fd, nic, &unused, ret);
        if (device_nic_has_host_end(nic)) {
                *ret = ETH_DATA_LEN;
                return 0;
        }
        r = nic_link_find(host, config_get(nic, "parent"), &parent);
        if (r >= 0)
                *ret = rtnl_link_get_mtu(parent);
        return r;
}

/* Of both ends, which would lose what only one of them takes. The one inside is found by what the
 * other knows of it; where its root has moved it elsewhere it is his. */
static int veth_set_mtu(NicSocket *host, NicSocket *inside, GVariant *nic, unsigned mtu) {
        g_autoptr(NicLink) link = NULL, peer = NULL;
        int r = nic_link_find(host, config_get(nic, "host_name"), &link);

        if (r >= 0)
                r = link_set_mtu(host, link, mtu);
        if (r < 0)
                return r;
        r = nic_link_find_index(inside, rtnl_link_get_link(link), &peer);
        if (r == -ENODEV || (r >= 0 && g_strcmp0(rtnl_link_get_type(peer), "veth") != 0))
                return 0;
        return r < 0 ? r : link_set_mtu(inside, peer, mtu);
}

int device_nic_set_mtu(const Process *init, int path_fd, GVariant *nic, Error *ret_error) {
        g_autoptr(NicSocket) host = NULL, inside = NULL;
        g_autoptr(NicLink) link = NULL;
        unsigned mtu = mtu_of(nic);
        int r;

        r = nic_socket_open(&host);
        if (r >= 0)
                r = open_inside(init, &inside);
        if (r >= 0 && mtu == 0)
                r = default_mtu(host, path_fd, nic, &mtu);
        if (r >= 0 && device_nic_has_host_end(nic))
                r = veth_set_mtu(host, inside, nic, mtu);
        else if (r >= 0)
                r = find_inside(inside, path_fd, nic, &link);
        if (r >= 0 && link)
                r = link_set_mtu(inside, link, mtu);
        if (r >= 0)
                return 0;
        return error_set_errno(ret_error, -r,
                               "Network interface \"%s\" of type %s cannot have an MTU of %u",
                               config_get(nic, "name"), config_get(nic, "nictype"), mtu);
}
