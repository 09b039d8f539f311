/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watch/namespace-links.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/watch/netlink-socket.h"

/* A container is free to make as many as it likes; what nobody can read through is not told. */
#define LINKS_MAX 256U
#define LINKS_TYPE ((const GVariantType *) "a{sa{sv}}")
#define HWADDR_MAX 20 /* InfiniBand's */
#define NSID_NONE (-1)

typedef struct Link {
        int index;
        unsigned flags, mtu;
        bool is_veth;
        int other_index, other_nsid; /* of a veth: its other end; NSID_NONE: it is here too */
        int n_hwaddr;
        uint8_t hwaddr[HWADDR_MAX];
        char name[IF_NAMESIZE];
} Link;

static bool is_veth(struct nlattr *info) {
        struct nlattr *attributes[IFLA_INFO_MAX + 1];

        return info && nla_parse_nested(attributes, IFLA_INFO_MAX, info, NULL) >= 0 &&
               attributes[IFLA_INFO_KIND] &&
               nla_strcmp(attributes[IFLA_INFO_KIND], "veth") == 0;
}

static bool parse_link(struct nlmsghdr *message, Link *ret) {
        const struct ifinfomsg *info = nlmsg_data(message);
        struct nlattr *a[IFLA_MAX + 1];

        if (message->nlmsg_type != RTM_NEWLINK || !nlmsg_valid_hdr(message, sizeof(*info)) ||
            nlmsg_parse(message, sizeof(*info), a, IFLA_MAX, NULL) < 0 || !a[IFLA_IFNAME])
                return false;
        *ret = (Link) {
                .index = info->ifi_index,
                .flags = info->ifi_flags,
                .mtu = a[IFLA_MTU] ? nla_get_u32(a[IFLA_MTU]) : 0,
                .is_veth = is_veth(a[IFLA_LINKINFO]),
                .other_index = a[IFLA_LINK] ? nla_get_s32(a[IFLA_LINK]) : 0,
                .other_nsid = a[IFLA_LINK_NETNSID] ? nla_get_s32(a[IFLA_LINK_NETNSID]) : NSID_NONE,
        };
        (void) nla_strlcpy(ret->name, a[IFLA_IFNAME], sizeof(ret->name));
        if (a[IFLA_ADDRESS])
                ret->n_hwaddr = nla_memcpy(ret->hwaddr, a[IFLA_ADDRESS], sizeof(ret->hwaddr));
        return true;
}

static void on_link(struct nlmsghdr *message, int nsid, void *userdata) {
        GArray *links = userdata;
        Link link;

        if (links->len < LINKS_MAX && parse_link(message, &link))
                (void) g_array_append_val(links, link);
}

/* The number of the other end is one of a namespace that only the container has an id for. It is
 * ours when the interface that has that number here says the same of it. */
static bool find_host_end(int ask_fd, const Link *inside, int nsid, Link *ret) {
        const struct ifinfomsg header = { .ifi_family = AF_UNSPEC,
                                          .ifi_index = inside->other_index };
        g_autoptr(NetlinkMessage) get = netlink_message_new(RTM_GETLINK, 0, &header,
                                                            sizeof(header));
        g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(Link));

        if (!inside->is_veth || inside->other_nsid == NSID_NONE || inside->other_index <= 0 ||
            netlink_socket_ask(ask_fd, nlmsg_hdr(get), on_link, found) < 0 || found->len != 1)
                return false;
        *ret = g_array_index(found, Link, 0);
        return ret->is_veth && ret->other_index == inside->index && ret->other_nsid == nsid;
}

static const char *type_of(const Link *link) {
        if (link->flags & IFF_LOOPBACK)
                return "loopback";
        return link->flags & IFF_POINTOPOINT ? "point-to-point" : "broadcast";
}

static char *hwaddr_of(const Link *link) {
        GString *text = g_string_new(NULL);

        for (int i = 0; i < link->n_hwaddr; i++)
                g_string_append_printf(text, "%s%02x", i > 0 ? ":" : "", link->hwaddr[i]);
        return g_string_free(text, FALSE);
}

static void add_text(GVariantBuilder *b, const char *key, const char *text) {
        g_autofree char *valid = g_utf8_make_valid(text, -1);

        g_variant_builder_add(b, "{sv}", key, g_variant_new_string(valid));
}

static void add_link(GVariantBuilder *b, int ask_fd, const Link *link, int nsid) {
        g_autofree char *name = g_utf8_make_valid(link->name, -1), *hwaddr = hwaddr_of(link);
        Link host;

        g_variant_builder_open(b, G_VARIANT_TYPE("{sa{sv}}"));
        g_variant_builder_add(b, "s", name);
        g_variant_builder_open(b, G_VARIANT_TYPE_VARDICT);
        add_text(b, "type", type_of(link));
        add_text(b, "state", link->flags & IFF_UP ? "up" : "down");
        g_variant_builder_add(b, "{sv}", "mtu", g_variant_new_uint32(link->mtu));
        if (*hwaddr && !(link->flags & IFF_LOOPBACK))
                add_text(b, "hwaddr", hwaddr);
        if (find_host_end(ask_fd, link, nsid, &host))
                add_text(b, "host-name", host.name);
        g_variant_builder_close(b);
        g_variant_builder_close(b);
}

GVariant *namespace_links_read(int ask_fd, int nsid) {
        const struct ifinfomsg header = { .ifi_family = AF_UNSPEC };
        g_autoptr(NetlinkMessage) dump = netlink_message_new(RTM_GETLINK, NLM_F_DUMP, &header,
                                                             sizeof(header));
        g_autoptr(GArray) links = g_array_new(FALSE, FALSE, sizeof(Link));
        GVariantBuilder b;
        int r = 0;

        if (nsid >= 0) {
                netlink_message_put(dump, IFLA_TARGET_NETNSID, nsid);
                r = netlink_socket_ask(ask_fd, nlmsg_hdr(dump), on_link, links);
        }
        if (r < 0)
                log_debug("Cannot list interfaces: %s", g_strerror(-r));
        g_variant_builder_init(&b, LINKS_TYPE);
        for (guint i = 0; i < links->len; i++)
                add_link(&b, ask_fd, &g_array_index(links, Link, i), nsid);
        return g_variant_builder_end(&b);
}
