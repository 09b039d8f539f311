/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/lease-release.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "service/model/device.h"
#include "service/operation/container-address.h"
#include "service/operation/container.h"
#include "service/operation/network-leases.h"
#include "service/operation/network.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"

#define SERVER_PORT 67U
#define REQUEST 1U
#define ETHERNET 1U
#define OPTION_MESSAGE_TYPE 53U
#define OPTION_SERVER 54U
#define OPTION_END 255U
#define MESSAGE_RELEASE 7U

/* As it is sent: a message of BOOTP (RFC 951) with the options of DHCP that a release needs. */
typedef struct Release {
        uint8_t operation, hardware, hardware_size, hops;
        uint32_t transaction;
        uint16_t seconds, flags;
        uint8_t client[4], your[4], next[4], relay[4];
        uint8_t client_hardware[16];
        uint8_t server_name[64], file[128];
        uint8_t magic[4];
        uint8_t options[10];
        uint8_t padding[50]; /* BOOTP's messages have 300 bytes at least */
} Release;
G_STATIC_ASSERT(sizeof(Release) == 300);

static Release release_new(const Subnet *server, const Lease *lease, const Subnet *address) {
        const uint8_t *s = server->bytes;
        Release release = {
                .operation = REQUEST,
                .hardware = ETHERNET,
                .hardware_size = sizeof(lease->hwaddr),
                .transaction = g_random_int(),
                .magic = { 0x63, 0x82, 0x53, 0x63 },
                .options = { OPTION_MESSAGE_TYPE, 1, MESSAGE_RELEASE,
                             OPTION_SERVER, 4, s[0], s[1], s[2], s[3], OPTION_END },
        };

        memcpy(release.client, address->bytes, sizeof(release.client));
        memcpy(release.client_hardware, lease->hwaddr, sizeof(lease->hwaddr));
        return release;
}

/* The server listens on the bridge alone: it takes what says that it comes from there, though it
 * never leaves the host. */
static int send_release(const char *bridge, const Subnet *server, const Lease *lease) {
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(SERVER_PORT) };
        Subnet address;
        Release release;

        if (subnet_parse_address(lease->address, AF_INET, &address, NULL) < 0)
                return 0; /* one of DHCPv6 */
        release = release_new(server, lease, &address);
        memcpy(&to.sin_addr, server->bytes, sizeof(to.sin_addr));
        if (fd < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bridge, (socklen_t) strlen(bridge)) < 0 ||
            sendto(fd, &release, sizeof(release), 0, (struct sockaddr *) &to, sizeof(to)) < 0)
                return -errno;
        return 0;
}

static void release_of(Manager *m, const Network *network, const char *hwaddr_text) {
        g_auto(NetworkOptions) options = { 0 };
        g_autoptr(GArray) leases = NULL;
        uint8_t hwaddr[6];

        network_read_options(network, &options);
        if (options.ipv4.subnet.family == AF_UNSPEC || !network_parse_hwaddr(hwaddr_text, hwaddr))
                return;
        leases = network_read_leases(m, network->object.name);
        for (guint i = 0; i < leases->len; i++) {
                const Lease *lease = &g_array_index(leases, Lease, i);
                int r = memcmp(lease->hwaddr, hwaddr, sizeof(hwaddr)) != 0 ? 0 :
                        send_release(network->object.name, &options.ipv4.subnet, lease);

                if (r < 0)
                        log_warning("The lease of %s cannot be given back to network \"%s\": %s",
                                    lease->address, network->object.name, g_strerror(-r));
        }
}

void container_release_leases(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        const char *device;
        GVariantIter iter;
        GVariant *options;

        container_expand(m, c, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &device, &options)) {
                g_autoptr(GVariant) owned = options;
                const char *name = device_get_network(owned);
                const char *hwaddr = container_address_get(c, device, owned, "hwaddr");

                if (name && hwaddr && g_hash_table_contains(m->resolvers, name))
                        release_of(m, manager_find_network(m, name), hwaddr);
        }
}
