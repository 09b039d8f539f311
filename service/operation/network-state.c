/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "service/model/config.h"
#include "service/operation/network.h"
#include "service/util/cleanup.h"

typedef struct ifaddrs Interfaces;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Interfaces, freeifaddrs)

static void put_mtu(GVariantDict *state, const char *interface) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = { 0 };

        (void) g_strlcpy(request.ifr_name, interface, sizeof(request.ifr_name));
        if (fd >= 0 && ioctl(fd, SIOCGIFMTU, &request) >= 0)
                g_variant_dict_insert(state, "mtu", "u", (guint32) request.ifr_mtu);
}

static void put_link(GVariantDict *state, const Interfaces *link) {
        const struct rtnl_link_stats *stats = link->ifa_data;
        struct sockaddr_ll address;
        g_autofree char *text = NULL;

        memcpy(&address, link->ifa_addr, sizeof(address));
        text = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", address.sll_addr[0],
                               address.sll_addr[1], address.sll_addr[2], address.sll_addr[3],
                               address.sll_addr[4], address.sll_addr[5]);
        g_variant_dict_insert(state, "hwaddr", "s", text);
        if (!stats)
                return;
        g_variant_dict_insert(state, "bytes-received", "t", (guint64) stats->rx_bytes);
        g_variant_dict_insert(state, "bytes-sent", "t", (guint64) stats->tx_bytes);
        g_variant_dict_insert(state, "packets-received", "t", (guint64) stats->rx_packets);
        g_variant_dict_insert(state, "packets-sent", "t", (guint64) stats->tx_packets);
}

int network_get_state(const Network *network, GVariant **ret, Error *ret_error) {
        const char *name = network->type == NETWORK_BRIDGE
                                   ? network->object.name
                                   : config_get(network->config, "parent");
        g_autoptr(Interfaces) interfaces = NULL;
        GVariantDict state;

        if (getifaddrs(&interfaces) < 0)
                return error_set_errno(ret_error, errno, "Cannot list the host's interfaces");
        g_variant_dict_init(&state, NULL);
        for (const Interfaces *i = interfaces; i; i = i->ifa_next)
                if (i->ifa_addr && i->ifa_addr->sa_family == AF_PACKET &&
                    g_strcmp0(i->ifa_name, name) == 0) {
                        put_link(&state, i);
                        put_mtu(&state, name);
                }
        if (network->state == NETWORK_ERROR && network->error)
                g_variant_dict_insert(&state, "error", "s", network->error);
        *ret = g_variant_dict_end(&state);
        return 0;
}
