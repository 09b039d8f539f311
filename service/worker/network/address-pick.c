/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/address-pick.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/random.h>

#include "service/util/cleanup.h"
#include "service/worker/network/netlink.h"
#include "service/worker/network/route.h"

#define PREFIX_IPV4 24
#define PREFIX_IPV6 64
/* Of 2^48; only a route over all of fd42::/16 makes a few tries fail. */
#define TRIES_IPV6 64

/* The private ranges (RFC 1918), in the order in which they are tried. */
static const struct {
        uint32_t network;
        unsigned prefix;
} ranges_ipv4[] = {
        { 0x0a000000, 8 },
        { 0xac100000, 12 },
        { 0xc0a80000, 16 },
};

static int random_bytes(void *buffer, size_t size, Error *ret_error) {
        ssize_t n;

        do
                n = getrandom(buffer, size, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return error_set_errno(ret_error, errno, "Cannot get random numbers");
        g_assert((size_t) n == size); /* up to 256 bytes come whole */
        return 0;
}

static void on_used(const Route *route, void *userdata) {
        GArray *used = userdata;

        /* The default route touches everything and means nothing. */
        if (route->destination.prefix > 0)
                g_array_append_val(used, route->destination);
}

static int list_used(int family, GArray **ret, Error *ret_error) {
        g_autoptr(GArray) used = g_array_new(FALSE, FALSE, sizeof(Subnet));
        g_autoptr(NetlinkSocket) sock = NULL;
        int r;

        r = netlink_open(&sock, ret_error);
        if (r < 0)
                return r;
        r = route_foreach(sock, family, on_used, used, ret_error);
        if (r < 0)
                return r;
        r = route_foreach_address(sock, family, on_used, used, ret_error);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&used);
        return 0;
}

static bool is_free(const Subnet *subnet, const GArray *used) {
        for (guint i = 0; i < used->len; i++)
                if (subnet_overlaps(subnet, &g_array_index(used, Subnet, i)))
                        return false;
        return true;
}

int address_pick_ipv4(Subnet *ret, Error *ret_error) {
        g_autoptr(GArray) used = NULL;
        uint32_t start;
        int r;

        r = list_used(AF_INET, &used, ret_error);
        if (r < 0)
                return r;
        r = random_bytes(&start, sizeof(start), ret_error);
        if (r < 0)
                return r;

        for (size_t range = 0; range < ELEMENTSOF(ranges_ipv4); range++) {
                uint32_t count = UINT32_C(1) << (PREFIX_IPV4 - ranges_ipv4[range].prefix);

                /* From a random place on, so that the search ends with every network tried. */
                for (uint32_t i = 0; i < count; i++) {
                        uint32_t be = htonl(ranges_ipv4[range].network +
                                            (((start + i) % count) << 8) + 1);
                        Subnet candidate = subnet_new(AF_INET, &be, sizeof(be), PREFIX_IPV4);

                        if (is_free(&candidate, used)) {
                                *ret = candidate;
                                return 0;
                        }
                }
        }
        return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                         "No private IPv4 network is free of routes of the host; "
                         "set ipv4.address of the network");
}

int address_pick_ipv6(Subnet *ret, Error *ret_error) {
        g_autoptr(GArray) used = NULL;
        int r;

        r = list_used(AF_INET6, &used, ret_error);
        if (r < 0)
                return r;

        for (int i = 0; i < TRIES_IPV6; i++) {
                uint8_t bytes[16] = { 0xfd, 0x42, [15] = 1 };
                Subnet candidate;

                r = random_bytes(bytes + 2, 6, ret_error);
                if (r < 0)
                        return r;
                candidate = subnet_new(AF_INET6, bytes, sizeof(bytes), PREFIX_IPV6);
                if (is_free(&candidate, used)) {
                        *ret = candidate;
                        return 0;
                }
        }
        return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                         "No unique local IPv6 network below fd42::/16 is free of routes of the "
                         "host; set ipv6.address of the network");
}

int address_pick_operation(Worker *worker, GVariantDict *result, Error *ret_error) {
        static const struct {
                const char *argument, *key;
                int (*pick)(Subnet *ret, Error *ret_error);
        } families[] = {
                { "ipv4", "ipv4.address", address_pick_ipv4 },
                { "ipv6", "ipv6.address", address_pick_ipv6 },
        };

        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                g_autofree char *text = NULL;
                Subnet subnet;
                bool wanted;
                int r;

                r = worker_get_boolean(worker, families[i].argument, &wanted, ret_error);
                if (r < 0)
                        return r;
                if (!wanted)
                        continue;
                r = families[i].pick(&subnet, ret_error);
                if (r < 0)
                        return r;
                text = subnet_to_string(&subnet);
                g_variant_dict_insert(result, families[i].key, "s", text);
        }
        return 0;
}
