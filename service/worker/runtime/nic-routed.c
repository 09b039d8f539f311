/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/nic-routed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <netlink/route/addr.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/nic-route.h"
#include "service/model/subnet.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/runtime/nic-netlink.h"

/* A file a nic, named as the host's end or, of ipvlan, "inside:NAME": lines "PARENT ADDRESS" for
 * what the host answers for, "lo ADDRESS" for routes that are there for its answers alone. */
#define PROXIES_DIR "proxies"
#define RECORD_MAX (64U << 10)
#define SYSCTL_MAX 64U

typedef struct rtnl_addr NicLinkAddress;
typedef struct rtnl_neigh NicNeighbour;
typedef struct rtnl_route NicRoute;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicLinkAddress, rtnl_addr_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicNeighbour, rtnl_neigh_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicRoute, rtnl_route_put)

/* What differs between the two. */
typedef struct Family {
        int family;
        const char *word;      /* in options and below /proc/sys/net */
        const char *gateway;
        const char *host_address, *gateway_option, *table;
} Family;

static const Family families[] = {
        { AF_INET, "ipv4", NIC_GATEWAY_IPV4, "ipv4.host_address", "ipv4.gateway",
          "ipv4.host_table" },
        { AF_INET6, "ipv6", NIC_GATEWAY_IPV6, "ipv6.host_address", "ipv6.gateway",
          "ipv6.host_table" },
};

/* Those of ipvlan are led to by the parent, in modes where they do not answer themselves. */
static bool is_answered_for(GVariant *nic) {
        return g_strcmp0(config_get(nic, "nictype"), "ipvlan") == 0 && !nic_is_on_link(nic);
}

static char *record_name(GVariant *nic) {
        if (nic_is_routed(nic))
                return g_strdup(config_get(nic, "host_name"));
        return g_strconcat("inside:", config_get(nic, "name"), NULL);
}

static const char *host_address_of(GVariant *nic, const Family *family) {
        return config_get(nic, family->host_address) ?: family->gateway;
}

static NicAddress *address_new(const Subnet *subnet) {
        NicAddress *address = nl_addr_build(subnet->family, (void *) subnet->bytes,
                                            subnet_size(subnet));

        if (address)
                nl_addr_set_prefixlen(address, (int) subnet->prefix);
        return address;
}

/* --- settings of the kernel --- */

static int open_sysctl(const char *family, const char *link, const char *name, int flags) {
        _cleanup_close_ int dir_fd = open("/proc/sys/net", O_PATH | O_DIRECTORY | O_CLOEXEC);
        g_autofree char *path = g_strdup_printf("%s/conf/%s/%s", family, link, name);

        return dir_fd < 0 ? -errno : path_open_beneath(dir_fd, path, flags, 0);
}

static bool sysctl_is_on(const char *family, const char *link, const char *name) {
        _cleanup_close_ int fd = open_sysctl(family, link, name, O_RDONLY);
        g_autofree char *text = NULL;

        return fd >= 0 && fd_read_text(fd, SYSCTL_MAX, &text) >= 0 && *text != '0';
}

static int sysctl_turn_on(const char *family, const char *link, const char *name) {
        _cleanup_close_ int fd = -EBADF;

        if (sysctl_is_on(family, link, name))
                return 0;
        fd = open_sysctl(family, link, name, O_WRONLY);
        return fd < 0 ? fd : fd_write_all(fd, "1", 1);
}

int nic_routed_check(GVariant *nic, Error *ret_error) {
        static const struct {
                const char *address, *family, *name;
        } needed[] = {
                { "ipv4.address", "ipv4", "forwarding" },
                { "ipv6.address", "ipv6", "forwarding" },
                { "ipv6.address", "ipv6", "proxy_ndp" },
        };
        const char *parent = config_get(nic, "parent");

        /* Names with dots in them, such as those of VLANs, sysctl(8) takes with slashes. */
        g_autofree char *shown = parent ? g_strdelimit(g_strdup(parent), ".", '/') : NULL;

        if (!parent || !(nic_is_routed(nic) || is_answered_for(nic)))
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(needed); i++) {
                const char *address = config_get(nic, needed[i].address);

                if (!address || g_str_equal(address, "none") ||
                    sysctl_is_on(needed[i].family, parent, needed[i].name))
                        continue;
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Network interface \"%s\" cannot be routed to from \"%s\": the "
                                 "host does not do that yet; set net.%s.conf.%s.%s=1 with "
                                 "sysctl(8)", config_get(nic, "name"), parent, needed[i].family,
                                 shown, needed[i].name);
        }
        return 0;
}

/* --- pieces --- */

static int add_address(NicSocket *sock, int index, const Subnet *subnet) {
        g_autoptr(NicLinkAddress) address = rtnl_addr_alloc();
        g_autoptr(NicAddress) local = address_new(subnet);
        int r;

        if (!address || !local)
                return -ENOMEM;
        rtnl_addr_set_ifindex(address, index);
        r = rtnl_addr_set_local(address, local);
        /* Nobody else is on that link to ask. */
        if (subnet->family == AF_INET6)
                rtnl_addr_set_flags(address, IFA_F_NODAD);
        if (r >= 0)
                r = rtnl_addr_add(sock, address, NLM_F_CREATE | NLM_F_REPLACE);
        return nic_errno_of(r);
}

/* `gateway` NULL: what is on the link itself. */
static int add_route(NicSocket *sock, int index, const Subnet *subnet, const Subnet *gateway,
                     uint32_t table) {
        g_autoptr(NicAddress) destination = address_new(subnet);
        g_autoptr(NicAddress) via = gateway ? address_new(gateway) : NULL;
        g_autoptr(NicRoute) route = rtnl_route_alloc();
        struct rtnl_nexthop *hop = rtnl_route_nh_alloc();

        if (!destination || !route || !hop)
                return -ENOMEM;
        rtnl_route_set_family(route, (uint8_t) subnet->family);
        rtnl_route_set_table(route, table);
        rtnl_route_set_protocol(route, RTPROT_STATIC);
        rtnl_route_set_scope(route, subnet->family == AF_INET && !via ? RT_SCOPE_LINK
                                                                      : RT_SCOPE_UNIVERSE);
        (void) rtnl_route_set_dst(route, destination);
        rtnl_route_nh_set_ifindex(hop, index);
        if (via)
                rtnl_route_nh_set_gateway(hop, via);
        rtnl_route_add_nexthop(route, hop);
        return nic_errno_of(rtnl_route_add(sock, route, NLM_F_EXCL));
}

static NicNeighbour *proxy_new(int index, const Subnet *subnet) {
        g_autoptr(NicAddress) address = address_new(subnet);
        NicNeighbour *neighbour = rtnl_neigh_alloc();

        if (!address || !neighbour)
                g_error("Out of memory");
        rtnl_neigh_set_ifindex(neighbour, index);
        rtnl_neigh_set_flags(neighbour, NTF_PROXY);
        rtnl_neigh_set_state(neighbour, NUD_PERMANENT);
        (void) rtnl_neigh_set_dst(neighbour, address);
        return neighbour;
}

/* --- the host's side --- */

static int write_record(int path_fd, GVariant *nic, const GString *record) {
        _cleanup_close_ int dir_fd = path_make_dir(path_fd, PROXIES_DIR, 0700);
        g_autofree char *name = record_name(nic);

        return dir_fd < 0 ? dir_fd
                          : path_replace_file(dir_fd, name, record->str, record->len, 0600);
}

static int add_proxies(NicSocket *sock, int path_fd, GVariant *nic, GString *record,
                       const GArray *addresses) {
        const char *parent = config_get(nic, "parent");
        unsigned index = if_nametoindex(parent);
        int r = 0;

        if (index == 0)
                return -ENODEV;
        for (guint i = 0; i < addresses->len; i++) {
                g_autofree char *text =
                        subnet_address_to_string(&g_array_index(addresses, Subnet, i));

                g_string_append_printf(record, "%s %s\n", parent, text);
        }
        r = write_record(path_fd, nic, record);
        for (guint i = 0; r >= 0 && i < addresses->len; i++) {
                g_autoptr(NicNeighbour) proxy =
                        proxy_new((int) index, &g_array_index(addresses, Subnet, i));

                r = nic_errno_of(rtnl_neigh_add(sock, proxy, NLM_F_CREATE | NLM_F_REPLACE));
        }
        return r;
}

static int add_routes(NicSocket *sock, int index, const GArray *list, uint32_t table) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < list->len; i++)
                r = add_route(sock, index, &g_array_index(list, Subnet, i), NULL, table);
        return r;
}

static int apply_family(NicSocket *sock, int path_fd, GVariant *nic, int index, GString *record,
                        const Family *family) {
        unsigned table = device_get_number(nic, family->table, 10, 0);
        g_autoptr(GArray) addresses = NULL, routes = NULL;
        Subnet host;
        int r;

        r = nic_read_routes(nic, family->family, &routes, NULL);
        if (r >= 0)
                r = nic_read_addresses(nic, family->family, &addresses, NULL);
        if (r < 0)
                return r;
        /* Those of others nobody leads there. */
        if (!nic_is_routed(nic))
                g_array_set_size(addresses, 0);
        if (addresses->len + routes->len == 0)
                return 0;
        r = sysctl_turn_on(family->word, config_get(nic, "host_name"), "forwarding");
        /* From the container comes what is routed to it, and nothing else. */
        if (r >= 0 && family->family == AF_INET)
                r = sysctl_turn_on(family->word, config_get(nic, "host_name"), "rp_filter");
        if (r >= 0 && addresses->len > 0)
                r = subnet_parse_address(host_address_of(nic, family), family->family, &host, NULL);
        if (r >= 0 && addresses->len > 0)
                r = add_address(sock, index, &host);
        if (r >= 0)
                r = add_routes(sock, index, addresses, RT_TABLE_MAIN);
        if (r >= 0)
                r = add_routes(sock, index, routes, RT_TABLE_MAIN);
        if (r >= 0 && table > 0)
                r = add_routes(sock, index, addresses, table);
        if (r >= 0 && addresses->len > 0 && config_get(nic, "parent"))
                r = add_proxies(sock, path_fd, nic, record, addresses);
        return r;
}

/* The host answers for what it has a route to that leads off the link: one to itself will do, for
 * ipvlan takes what comes before it is looked at. Only what was not there is taken down. */
static int answer_for(NicSocket *sock, int path_fd, GVariant *nic, GString *record,
                      const Family *family) {
        int loopback = (int) if_nametoindex("lo"), r;
        g_autoptr(GArray) addresses = NULL;

        r = nic_read_addresses(nic, family->family, &addresses, NULL);
        for (guint i = 0; r >= 0 && i < addresses->len; i++) {
                const Subnet *address = &g_array_index(addresses, Subnet, i);
                g_autofree char *text = subnet_address_to_string(address);

                r = add_route(sock, loopback, address, NULL, RT_TABLE_MAIN);
                if (r < 0)
                        return r;
                g_string_append_printf(record, "lo %s\n", text);
                r = write_record(path_fd, nic, record);
        }
        return r < 0 || addresses->len == 0 ? r
                                            : add_proxies(sock, path_fd, nic, record, addresses);
}

static int routed_error(GVariant *nic, int r, Error *ret_error) {
        if (r == -EEXIST)
                return error_set(ret_error, ERROR_IN_USE,
                                 "Network interface \"%s\" cannot be routed to: the host has a "
                                 "route to one of its addresses already",
                                 config_get(nic, "name"));
        return error_set_errno(ret_error, -r, "Network interface \"%s\" cannot be routed to",
                               config_get(nic, "name"));
}

static bool has_routes(GVariant *nic) {
        return nic_is_routed(nic) || config_get(nic, "ipv4.routes") ||
               config_get(nic, "ipv6.routes");
}

int nic_routed_apply(int path_fd, GVariant *nic, Error *ret_error) {
        g_autoptr(GString) record = g_string_new(NULL);
        g_autoptr(NicSocket) sock = NULL;
        g_autoptr(NicLink) link = NULL;
        int r;

        if (!has_routes(nic) && !is_answered_for(nic))
                return 0;
        r = nic_socket_open(&sock);
        for (size_t i = 0; r >= 0 && is_answered_for(nic) && i < ELEMENTSOF(families); i++)
                r = answer_for(sock, path_fd, nic, record, &families[i]);
        if (r >= 0 && has_routes(nic))
                r = nic_link_find(sock, config_get(nic, "host_name"), &link);
        for (size_t i = 0; r >= 0 && has_routes(nic) && i < ELEMENTSOF(families); i++)
                r = apply_family(sock, path_fd, nic, rtnl_link_get_ifindex(link), record,
                                 &families[i]);
        return r < 0 ? routed_error(nic, r, ret_error) : 0;
}

/* --- inside --- */

/* The way out: the host's end, or of ipvlan the link itself, in mode l2 an address that is told. */
static int add_gateway(NicSocket *sock, GVariant *nic, int index, const Family *family) {
        const char *gateway = config_get(nic, family->gateway_option);
        Subnet all = { .family = family->family }, via;
        int r = 0;

        if (nic_is_on_link(nic) ? !gateway || g_str_equal(gateway, "none")
                                : gateway && g_str_equal(gateway, "none"))
                return 0;
        if (is_answered_for(nic))
                return add_route(sock, index, &all, NULL, RT_TABLE_MAIN);
        r = subnet_parse_address(nic_is_routed(nic) ? host_address_of(nic, family) : gateway,
                                 family->family, &via, NULL);
        if (r >= 0 && nic_is_routed(nic))
                r = add_route(sock, index, &via, NULL, RT_TABLE_MAIN);
        return r < 0 ? r : add_route(sock, index, &all, &via, RT_TABLE_MAIN);
}

static int apply_family_inside(NicSocket *sock, GVariant *nic, int index, const Family *family) {
        g_autoptr(GArray) addresses = NULL;
        int r;

        r = nic_read_addresses(nic, family->family, &addresses, NULL);
        for (guint i = 0; r >= 0 && i < addresses->len; i++)
                r = add_address(sock, index, &g_array_index(addresses, Subnet, i));
        if (r < 0 || addresses->len == 0)
                return r;
        r = add_gateway(sock, nic, index, family);
        return r == -EEXIST ? 0 : r; /* it has another way out already */
}

int nic_routed_apply_inside(const Process *init, GVariant *nic, Error *ret_error) {
        _cleanup_close_ int namespace_fd = openat(init->proc_fd, "ns/net", O_RDONLY | O_CLOEXEC);
        g_autoptr(NicSocket) sock = NULL;
        g_autoptr(NicLink) link = NULL;
        int r;

        if (!nic_is_routed(nic) && g_strcmp0(config_get(nic, "nictype"), "ipvlan") != 0)
                return 0;
        r = namespace_fd < 0 ? -errno : nic_socket_open_in(namespace_fd, &sock);
        if (r >= 0)
                r = nic_link_find(sock, config_get(nic, "name"), &link);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(families); i++)
                r = apply_family_inside(sock, nic, rtnl_link_get_ifindex(link), &families[i]);
        return r < 0 ? routed_error(nic, r, ret_error) : 0;
}

/* --- the end of it --- */

static void remove_route(NicSocket *sock, int index, const Subnet *subnet) {
        g_autoptr(NicAddress) destination = address_new(subnet);
        g_autoptr(NicRoute) route = rtnl_route_alloc();
        struct rtnl_nexthop *hop = rtnl_route_nh_alloc();

        if (!destination || !route || !hop)
                g_error("Out of memory");
        rtnl_route_set_family(route, (uint8_t) subnet->family);
        rtnl_route_set_table(route, RT_TABLE_MAIN);
        rtnl_route_set_protocol(route, RTPROT_STATIC);
        rtnl_route_set_scope(route, RT_SCOPE_NOWHERE); /* any */
        (void) rtnl_route_set_dst(route, destination);
        rtnl_route_nh_set_ifindex(hop, index);
        rtnl_route_add_nexthop(route, hop);
        (void) rtnl_route_delete(sock, route, 0);
}

static void remove_recorded_line(NicSocket *sock, const char *line) {
        g_auto(GStrv) words = g_strsplit(line, " ", 2);
        g_autoptr(NicNeighbour) proxy = NULL;
        unsigned index;
        Subnet subnet;

        if (g_strv_length(words) != 2 ||
            subnet_parse_address(words[1], strchr(words[1], ':') ? AF_INET6 : AF_INET, &subnet,
                                 NULL) < 0)
                return;
        index = if_nametoindex(words[0]);
        if (index == 0)
                return;
        if (g_str_equal(words[0], "lo")) {
                remove_route(sock, (int) index, &subnet);
                return;
        }
        proxy = proxy_new((int) index, &subnet);
        (void) rtnl_neigh_delete(sock, proxy, 0);
}

static void remove_recorded(int dir_fd, const char *name) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY, 0);
        g_autoptr(NicSocket) sock = NULL;
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;

        if (fd < 0 || fd_read_text(fd, RECORD_MAX, &text) < 0 || nic_socket_open(&sock) < 0)
                return;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
                remove_recorded_line(sock, *line);
        (void) unlinkat(dir_fd, name, 0);
}

void nic_routed_remove(int path_fd, GVariant *nic) {
        _cleanup_close_ int dir_fd = path_open_beneath(path_fd, PROXIES_DIR,
                                                       O_RDONLY | O_DIRECTORY, 0);

        g_autofree char *name = record_name(nic);

        if (dir_fd >= 0 && (nic_is_routed(nic) || is_answered_for(nic)))
                remove_recorded(dir_fd, name);
}

void nic_routed_remove_all(int path_fd) {
        _cleanup_close_ int dir_fd = path_open_beneath(path_fd, PROXIES_DIR,
                                                       O_RDONLY | O_DIRECTORY, 0);
        DIR *d = dir_fd < 0 ? NULL : fdopendir(dup(dir_fd));
        struct dirent *entry;

        if (!d)
                return;
        while ((entry = readdir(d)))
                if (path_is_component(entry->d_name))
                        remove_recorded(dir_fd, entry->d_name);
        (void) closedir(d);
}
