/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/network-leases.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container-address.h"
#include "service/operation/container.h"
#include "service/operation/network-job.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

/* A line has some 100 bytes, and there are at most 16384 leases of either kind. */
#define LEASES_FILE_MAX (8U << 20)
/* The Ethernet address in a DUID of types 1 and 3 (RFC 8415, 11.2 and 11.4). */
#define DUID_LLT "00:01:00:01:"
#define DUID_LL "00:03:00:01:"

void lease_clear(void *p) {
        Lease *lease = p;

        g_free(lease->name);
        g_free(lease->address);
}

/* "EXPIRES MAC ADDRESS NAME CLIENT-ID"; after the line "duid ID" those of DHCPv6, "EXPIRES IAID
 * ADDRESS NAME DUID". It is dnsmasq's file, which answers containers: nothing in it is believed to
 * be what it should. */
static bool parse_line(char *line, bool ipv6, Lease *ret) {
        g_auto(GStrv) words = g_strsplit(line, " ", -1);
        const char *hwaddr;
        Subnet unused;

        if (g_strv_length(words) != 5 ||
            !g_ascii_string_to_unsigned(words[0], 10, 0, UINT32_MAX, &ret->expires, NULL) ||
            subnet_parse_address(words[2], ipv6 ? AF_INET6 : AF_INET, &unused, NULL) < 0)
                return false;
        hwaddr = ipv6 ? words[4] : words[1];
        if (ipv6 && g_str_has_prefix(hwaddr, DUID_LLT) && strlen(hwaddr) == 41)
                hwaddr += 24;
        else if (ipv6 && g_str_has_prefix(hwaddr, DUID_LL) && strlen(hwaddr) == 29)
                hwaddr += 12;
        if (!network_parse_hwaddr(hwaddr, ret->hwaddr))
                memset(ret->hwaddr, 0, sizeof(ret->hwaddr));
        ret->address = g_strdup(words[2]);
        ret->name = network_check_domain(words[3], NULL) >= 0 ? g_strdup(words[3]) : g_strdup("");
        return true;
}

GArray *network_read_leases(Manager *m, const char *network) {
        GArray *leases = g_array_new(FALSE, TRUE, sizeof(Lease));
        g_autofree char *path = network_lease_file(m, network), *text = NULL;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        g_auto(GStrv) lines = NULL;
        bool ipv6 = false;

        g_array_set_clear_func(leases, lease_clear);
        if (fd < 0 || fd_read_text(fd, LEASES_FILE_MAX, &text) < 0)
                return leases;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                Lease lease = { 0 };

                if (g_str_has_prefix(*line, "duid "))
                        ipv6 = true;
                else if (parse_line(*line, ipv6, &lease))
                        g_array_append_val(leases, lease);
        }
        return leases;
}

static char *hwaddr_to_string(const uint8_t hwaddr[static 6]) {
        static const uint8_t none[6];

        if (memcmp(hwaddr, none, sizeof(none)) == 0)
                return g_strdup("");
        return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", hwaddr[0], hwaddr[1], hwaddr[2],
                               hwaddr[3], hwaddr[4], hwaddr[5]);
}

static void add_gateway(GVariantBuilder *builder, const Subnet *subnet) {
        g_autofree char *address = NULL;

        if (subnet->family == AF_UNSPEC)
                return;
        address = subnet_address_to_string(subnet);
        g_variant_builder_add(builder, "(sssst)", "_gateway", "", address, "gateway",
                              (guint64) 0);
}

/* What nics have by their options, whether they have asked for it or not. */
static void add_static(Manager *m, const Network *network, GHashTable *known,
                       GVariantBuilder *builder) {
        static const char *const keys[] = { "ipv4.address", "ipv6.address" };
        GHashTableIter iter;
        Container *c;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                g_autoptr(GVariant) config = NULL, devices = NULL;
                GVariantIter device_iter;
                const char *device;
                GVariant *options;

                container_expand(m, c, &config, &devices);
                g_variant_iter_init(&device_iter, devices);
                while (g_variant_iter_next(&device_iter, "{&s@a{ss}}", &device, &options)) {
                        g_autoptr(GVariant) owned = options;
                        const char *hwaddr = container_address_get(c, device, owned, "hwaddr");

                        if (g_strcmp0(device_get_network(owned), network->object.name) != 0)
                                continue;
                        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                                const char *value = config_get(owned, keys[i]);

                                if (!value || g_str_equal(value, "none"))
                                        continue;
                                g_hash_table_add(known, g_strdup(value));
                                g_variant_builder_add(builder, "(sssst)", c->object.name,
                                                      hwaddr ?: "", value, "static", (guint64) 0);
                        }
                }
        }
}

GVariant *network_get_leases(Manager *m, const Network *network) {
        g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GArray) leases = network_read_leases(m, network->object.name);
        g_auto(NetworkOptions) options = { 0 };
        GVariantBuilder builder;

        network_read_options(network, &options);
        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(sssst)"));
        add_gateway(&builder, &options.ipv4.subnet);
        add_gateway(&builder, &options.ipv6.subnet);
        add_static(m, network, known, &builder);
        for (guint i = 0; i < leases->len; i++) {
                const Lease *lease = &g_array_index(leases, Lease, i);
                g_autofree char *hwaddr = hwaddr_to_string(lease->hwaddr);

                if (g_hash_table_contains(known, lease->address))
                        continue;
                g_variant_builder_add(&builder, "(sssst)", lease->name, hwaddr, lease->address,
                                      "dynamic", lease->expires * G_USEC_PER_SEC);
        }
        return g_variant_builder_end(&builder);
}
