/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watch/namespace-addresses.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

/* A container is free to make as many as it likes; what nobody can read through is not kept. */
#define LINKS_MAX 256U
#define ADDRESSES_MAX 256U
#define ADDRESSES_TYPE ((const GVariantType *) "a(sssus)")

struct NamespaceAddresses {
        GHashTable *links;  /* int index → Link */
        GArray *addresses;  /* of Address */
};

typedef struct Link {
        int index;
        unsigned flags;
        char name[IF_NAMESIZE];
} Link;

typedef struct Address {
        int ifindex;
        int family;
        unsigned prefix;
        unsigned scope;     /* RT_SCOPE_* */
        uint32_t flags;     /* IFA_F_* */
        uint8_t bytes[16];
} Address;

NamespaceAddresses *namespace_addresses_new(void) {
        NamespaceAddresses *n = g_new0(NamespaceAddresses, 1);

        n->links = g_hash_table_new_full(g_int_hash, g_int_equal, NULL, g_free);
        n->addresses = g_array_new(FALSE, TRUE, sizeof(Address));
        return n;
}

NamespaceAddresses *namespace_addresses_free(NamespaceAddresses *n) {
        if (!n)
                return NULL;

        g_hash_table_unref(n->links);
        g_array_unref(n->addresses);
        g_free(n);
        return NULL;
}

void namespace_addresses_clear(NamespaceAddresses *n) {
        g_hash_table_remove_all(n->links);
        g_array_set_size(n->addresses, 0);
}

static void apply_link(NamespaceAddresses *n, struct nlmsghdr *message) {
        const struct ifinfomsg *info = nlmsg_data(message);
        struct nlattr *attributes[IFLA_MAX + 1];
        Link *link;

        /* Messages of a bridge about its ports (AF_BRIDGE) come under the same type. */
        if (nlmsg_parse(message, sizeof(*info), attributes, IFLA_MAX, NULL) < 0 ||
            info->ifi_family != AF_UNSPEC)
                return;
        if (message->nlmsg_type == RTM_DELLINK) {
                (void) g_hash_table_remove(n->links, &info->ifi_index);
                for (guint i = n->addresses->len; i-- > 0;)
                        if (g_array_index(n->addresses, Address, i).ifindex == info->ifi_index)
                                (void) g_array_remove_index(n->addresses, i);
                return;
        }

        link = g_hash_table_lookup(n->links, &info->ifi_index);
        if (!link) {
                if (!attributes[IFLA_IFNAME] || g_hash_table_size(n->links) >= LINKS_MAX)
                        return;
                link = g_new0(Link, 1);
                link->index = info->ifi_index;
                (void) g_hash_table_insert(n->links, &link->index, link);
        }
        link->flags = info->ifi_flags;
        if (attributes[IFLA_IFNAME])
                (void) nla_strlcpy(link->name, attributes[IFLA_IFNAME], sizeof(link->name));
}

static Address *find_address(NamespaceAddresses *n, const Address *wanted, guint *ret_index) {
        for (guint i = 0; i < n->addresses->len; i++) {
                Address *a = &g_array_index(n->addresses, Address, i);

                if (a->ifindex != wanted->ifindex || a->family != wanted->family ||
                    a->prefix != wanted->prefix ||
                    memcmp(a->bytes, wanted->bytes, sizeof(a->bytes)) != 0)
                        continue;
                *ret_index = i;
                return a;
        }
        return NULL;
}

static void apply_address(NamespaceAddresses *n, struct nlmsghdr *message) {
        const struct ifaddrmsg *ifa = nlmsg_data(message);
        struct nlattr *attributes[IFA_MAX + 1], *bytes, *flags;
        Address address, *known;
        guint index;

        if (nlmsg_parse(message, sizeof(*ifa), attributes, IFA_MAX, NULL) < 0)
                return;
        /* On a point-to-point link IFA_ADDRESS is the other end. */
        bytes = attributes[IFA_LOCAL] ?: attributes[IFA_ADDRESS];
        if (!bytes || !((ifa->ifa_family == AF_INET && nla_len(bytes) == 4) ||
                        (ifa->ifa_family == AF_INET6 && nla_len(bytes) == 16)))
                return;

        flags = attributes[IFA_FLAGS];
        address = (Address) {
                .ifindex = (int) ifa->ifa_index,
                .family = ifa->ifa_family,
                .prefix = ifa->ifa_prefixlen,
                .scope = ifa->ifa_scope,
                .flags = flags ? nla_get_u32(flags) : ifa->ifa_flags,
        };
        memcpy(address.bytes, nla_data(bytes), (size_t) nla_len(bytes));

        known = find_address(n, &address, &index);
        if (message->nlmsg_type == RTM_DELADDR) {
                if (known)
                        (void) g_array_remove_index(n->addresses, index);
        } else if (known)
                *known = address;
        else if (n->addresses->len < ADDRESSES_MAX)
                (void) g_array_append_val(n->addresses, address);
}

void namespace_addresses_apply(NamespaceAddresses *n, struct nlmsghdr *message) {
        switch (message->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
                if (nlmsg_valid_hdr(message, sizeof(struct ifinfomsg)))
                        apply_link(n, message);
                break;
        case RTM_NEWADDR:
        case RTM_DELADDR:
                if (nlmsg_valid_hdr(message, sizeof(struct ifaddrmsg)))
                        apply_address(n, message);
                break;
        }
}

/* Optimistic addresses are still being probed, but in use. */
static bool is_usable(const Address *address) {
        if (address->flags & IFA_F_DADFAILED)
                return false;
        return !(address->flags & IFA_F_TENTATIVE) || address->flags & IFA_F_OPTIMISTIC;
}

static int compare(const void *a, const void *b) {
        const Address *x = a, *y = b;

        if (x->ifindex != y->ifindex)
                return x->ifindex < y->ifindex ? -1 : 1;
        if (x->family != y->family)
                return x->family == AF_INET ? -1 : 1;
        if (x->scope != y->scope)
                return x->scope < y->scope ? -1 : 1;
        return memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

static const char *scope_to_string(unsigned scope) {
        return scope < RT_SCOPE_LINK ? "global" : scope == RT_SCOPE_LINK ? "link" : "local";
}

static void list_add(GVariantBuilder *list, const Link *link, const Address *address) {
        g_autofree char *name = g_utf8_make_valid(link->name, -1);
        char text[INET6_ADDRSTRLEN];

        if (inet_ntop(address->family, address->bytes, text, sizeof(text)))
                g_variant_builder_add(list, "(sssus)", name,
                                      address->family == AF_INET ? "inet" : "inet6", text,
                                      address->prefix, scope_to_string(address->scope));
}

GVariant *namespace_addresses_list(NamespaceAddresses *n) {
        GVariantBuilder list;

        g_variant_builder_init(&list, ADDRESSES_TYPE);
        g_array_sort(n->addresses, compare);
        for (guint i = 0; i < n->addresses->len; i++) {
                const Address *address = &g_array_index(n->addresses, Address, i);
                const Link *link = g_hash_table_lookup(n->links, &address->ifindex);

                if (link && !(link->flags & IFF_LOOPBACK) && link->flags & IFF_UP &&
                    is_usable(address))
                        list_add(&list, link, address);
        }
        return g_variant_ref_sink(g_variant_builder_end(&list));
}
