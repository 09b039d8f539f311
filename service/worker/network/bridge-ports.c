/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/bridge-ports.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include <netlink/errno.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/network/netlink.h"

#define PORTS_FILE "external"
#define PORTS_FILE_MAX 4096

static int read_file(int run_fd, char ***ret) {
        _cleanup_close_ int fd = path_open_beneath(run_fd, PORTS_FILE, O_RDONLY, 0);
        g_autofree char *text = NULL;
        int r;

        if (fd == -ENOENT) {
                *ret = g_new0(char *, 1);
                return 0;
        }
        if (fd < 0)
                return fd;
        r = fd_read_text(fd, PORTS_FILE_MAX, &text);
        if (r < 0)
                return r;
        *ret = g_strsplit(text, "\n", -1);
        return 0;
}

static int write_file(int run_fd, char *const *names, char *const *more) {
        g_autoptr(GString) text = g_string_new(NULL);
        int r;

        for (char *const *name = names; *name; name++)
                g_string_append_printf(text, "%s\n", *name);
        for (char *const *name = more; *name; name++)
                if (**name && !g_strv_contains((const char *const *) names, *name))
                        g_string_append_printf(text, "%s\n", *name);
        if (text->len > 0)
                return path_replace_file(run_fd, PORTS_FILE, text->str, text->len, 0600);
        r = path_remove_file(run_fd, PORTS_FILE);
        return r == -ENOENT ? 0 : r;
}

static bool has_addresses(NetlinkSocket *sock, int ifindex) {
        g_autoptr(NetlinkCache) addresses = NULL;

        if (rtnl_addr_alloc_cache(sock, &addresses) < 0)
                return true;
        for (struct nl_object *o = nl_cache_get_first(addresses); o; o = nl_cache_get_next(o))
                if (rtnl_addr_get_ifindex((struct rtnl_addr *) o) == ifindex &&
                    rtnl_addr_get_scope((struct rtnl_addr *) o) != RT_SCOPE_LINK)
                        return true;
        return false;
}

static int check_port(NetlinkSocket *sock, struct rtnl_link *link, const char *bridge,
                      Error *ret_error) {
        const char *name = rtnl_link_get_name(link), *type = rtnl_link_get_type(link);

        if (rtnl_link_get_master(link) > 0)
                return error_set(ret_error, ERROR_IN_USE,
                                 "Interface %s is part of another interface and cannot be put on "
                                 "the bridge %s", name, bridge);
        if (g_strcmp0(type, "bridge") == 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "Interface %s is a bridge and cannot be put on another", name);
        if (has_addresses(sock, rtnl_link_get_ifindex(link)))
                return error_set(ret_error, ERROR_IN_USE,
                                 "Interface %s has addresses of the host, which would lose them "
                                 "on the bridge %s; remove them first", name, bridge);
        return 0;
}

static int add_port(NetlinkSocket *sock, const char *bridge, const char *name, bool strict,
                    Error *ret_error) {
        g_autoptr(NetlinkLink) link = NULL, change = rtnl_link_alloc();
        int master = (int) if_nametoindex(bridge), r;

        r = rtnl_link_get_kernel(sock, 0, name, &link);
        if (r < 0 && strict)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "There is no interface %s to put on the bridge %s", name, bridge);
        if (r < 0) {
                log_warning("There is no interface %s to put on the bridge %s", name, bridge);
                return 0;
        }
        if (rtnl_link_get_master(link) == master)
                return 0;
        r = check_port(sock, link, bridge, ret_error);
        if (r < 0)
                return r;
        if (!change)
                g_error("Out of memory");
        rtnl_link_set_master(change, master);
        rtnl_link_set_flags(change, IFF_UP);
        r = rtnl_link_change(sock, link, change, 0);
        if (r < 0)
                return netlink_error(ret_error, r, "Cannot put the interface %s on the bridge %s",
                                     name, bridge);
        return 0;
}

static int remove_port(NetlinkSocket *sock, const char *bridge, const char *name,
                       Error *ret_error) {
        g_autoptr(NetlinkLink) link = NULL;
        int r;

        if (rtnl_link_get_kernel(sock, 0, name, &link) < 0 ||
            rtnl_link_get_master(link) != (int) if_nametoindex(bridge))
                return 0;
        r = rtnl_link_release(sock, link);
        if (r < 0)
                return netlink_error(ret_error, r, "Cannot take the interface %s off the bridge %s",
                                     name, bridge);
        return 0;
}

static int change_ports(NetlinkSocket *sock, const char *bridge, char *const *names,
                        char *const *before, bool strict, Error *ret_error) {
        int r = 0;

        for (char *const *name = names; r >= 0 && *name; name++)
                r = add_port(sock, bridge, *name, strict, ret_error);
        for (char *const *name = before; r >= 0 && *name; name++)
                if (**name && !g_strv_contains((const char *const *) names, *name))
                        r = remove_port(sock, bridge, *name, ret_error);
        return r;
}

int bridge_set_ports(const char *bridge, char *const *names, const char *run_dir, bool strict,
                     Error *ret_error) {
        g_autoptr(NetlinkSocket) sock = NULL;
        _cleanup_close_ int run_fd = -EBADF;
        g_auto(GStrv) before = NULL;
        int r = 0;

        if (*names)
                r = path_make_dirs(run_dir, 0755);
        run_fd = r < 0 ? r : path_open_dir(run_dir);
        if (run_fd == -ENOENT)
                return 0;
        r = run_fd < 0 ? run_fd : read_file(run_fd, &before);
        if (r >= 0)
                r = write_file(run_fd, names, before);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot write %s/" PORTS_FILE, run_dir);
        r = netlink_open(&sock, ret_error);
        if (r >= 0)
                r = change_ports(sock, bridge, names, before, strict, ret_error);
        if (r < 0)
                return r;
        r = write_file(run_fd, names, (char *const[]) { NULL });
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot write %s/" PORTS_FILE, run_dir);
        return 0;
}
