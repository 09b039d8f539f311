/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-address.h"

#include <netinet/in.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/proxy.h"
#include "service/operation/container.h"
#include "service/operation/network-leases.h"
#include "service/util/cleanup.h"

#define KEY_HWADDR "hwaddr"
#define KEY_IPV4 "ipv4.address"
#define KEY_IPV6 "ipv6.address"

/* An address that somebody wants, as it is compared. An Ethernet address stands for the IPv6
 * address that follows from it as well, and that for it: who has one could use the other. */
typedef struct Claim {
        const char *key, *value; /* as configured */
        int family;              /* AF_UNSPEC: an Ethernet address */
        Subnet address;
        uint8_t hwaddr[6];
        bool has_hwaddr;
} Claim;

/* The Ethernet address that this IPv6 address follows from, if it looks as if. */
static bool eui64_to_hwaddr(const Subnet *address, uint8_t ret[static 6]) {
        const uint8_t *id = address->bytes + 8;

        if (id[3] != 0xff || id[4] != 0xfe)
                return false;
        memcpy(ret, id, 3);
        memcpy(ret + 3, id + 5, 3);
        ret[0] ^= 0x02;
        return true;
}

/* False for what is no address: "none", or nothing. */
static bool claim_read(const char *key, const char *value, Claim *ret) {
        Claim claim = { .key = key, .value = value };

        if (!value)
                return false;
        if (g_str_equal(key, KEY_HWADDR)) {
                claim.has_hwaddr = network_parse_hwaddr(value, claim.hwaddr);
                *ret = claim;
                return claim.has_hwaddr;
        }
        claim.family = g_str_equal(key, KEY_IPV4) ? AF_INET : AF_INET6;
        if (subnet_parse_address(value, claim.family, &claim.address, NULL) < 0)
                return false;
        if (claim.family == AF_INET6)
                claim.has_hwaddr = eui64_to_hwaddr(&claim.address, claim.hwaddr);
        *ret = claim;
        return true;
}

static bool claims_collide(const Claim *a, const Claim *b) {
        if (a->has_hwaddr && b->has_hwaddr && memcmp(a->hwaddr, b->hwaddr, 6) == 0)
                return true;
        return a->family != AF_UNSPEC && a->family == b->family &&
               subnet_compare(&a->address, &b->address) == 0;
}

static bool value_collides(const char *key, const char *value, const Claim *claim) {
        Claim other;

        return claim_read(key, value, &other) && claims_collide(&other, claim);
}

/* --- who has it --- */

static const char *const keys[] = { KEY_HWADDR, KEY_IPV4, KEY_IPV6 };

static bool options_collide(GVariant *options, const Claim *claim) {
        bool found = false;

        if (!device_get_nictype(options))
                return false;
        for (size_t i = 0; !found && i < ELEMENTSOF(keys); i++)
                found = value_collides(keys[i], config_get(options, keys[i]), claim);
        return found;
}

static bool devices_collide(GVariant *devices, const Claim *claim) {
        GVariantIter iter;
        GVariant *options;
        bool found = false;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                found |= options_collide(options, claim);
                g_variant_unref(options);
        }
        return found;
}

static bool volatile_collides(const Container *c, const Claim *claim) {
        const char *key, *value;
        GVariantIter iter;

        g_variant_iter_init(&iter, c->config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                if (!g_str_has_prefix(key, "volatile."))
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                        if (g_str_has_suffix(key, keys[i]) &&
                            value_collides(keys[i], value, claim))
                                return true;
        }
        return false;
}

/* Quick, since it is asked of every container; says yes also where an address is written that is
 * not in effect, as in a profile's device that the container replaces. */
static bool may_have(Manager *m, const Container *c, const Claim *claim) {
        if (volatile_collides(c, claim) || devices_collide(c->devices, claim))
                return true;
        for (char **name = c->profiles; *name; name++) {
                const Profile *profile = manager_find_profile(m, *name);

                if (profile && devices_collide(profile->devices, claim))
                        return true;
        }
        return false;
}

const char *container_address_get(const Container *c, const char *device, GVariant *options,
                                  const char *key) {
        return config_get(options, key) ?: container_get_volatile(c, device, key);
}

static bool has(Manager *m, const Container *c, const Claim *claim) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        const char *device;
        GVariant *options;
        GVariantIter iter;
        bool found = false;

        if (!may_have(m, c, claim))
                return false;
        container_expand(m, c, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &device, &options)) {
                g_autoptr(GVariant) owned = options;

                if (!device_get_nictype(owned))
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                        found |= value_collides(keys[i],
                                                container_address_get(c, device, owned, keys[i]),
                                                claim);
        }
        return found;
}

static const Container *find_other(Manager *m, const char *container, const Claim *claim) {
        GHashTableIter iter;
        Container *c;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (g_strcmp0(c->object.name, container) != 0 && has(m, c, claim))
                        return c;
        return NULL;
}

const Container *container_address_find(Manager *m, const char *key, const char *value) {
        Claim claim;

        return claim_read(key, value, &claim) ? find_other(m, NULL, &claim) : NULL;
}

/* --- checking --- */

static int check_fits(const Network *network, const Claim *claim, Error *ret_error) {
        g_auto(NetworkOptions) options = { 0 };
        const NetworkFamily *family;

        if (claim->family == AF_UNSPEC)
                return 0;
        network_read_options(network, &options);
        family = claim->family == AF_INET ? &options.ipv4 : &options.ipv6;
        if (!subnet_can_lend(&family->subnet, &claim->address) ||
            (family->gateway.family == claim->family &&
             subnet_compare(&family->gateway, &claim->address) == 0)) {
                g_autofree char *range = subnet_to_string(&family->subnet);

                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "%s %s is none that network \"%s\" (%s) has for containers",
                                 claim->key, claim->value, network->object.name, range);
        }
        if (claim->family == AF_INET6 && !options.ipv6.stateful)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "network \"%s\" hands out no IPv6 addresses, containers make their"
                                 " own; set ipv6.dhcp.stateful=true on it, or give the device a "
                                 "\"hwaddr\"", network->object.name);
        return 0;
}

static int check_free(Manager *m, const char *container, GVariant *devices, const char *device,
                      const Claim *claim, Error *ret_error) {
        const Container *other = find_other(m, container, claim);
        GVariantIter iter;
        const char *name;
        GVariant *options;

        if (other)
                return error_set(ret_error, ERROR_IN_USE, "%s %s is that of container \"%s\"",
                                 claim->key, claim->value, other->object.name);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (!g_str_equal(name, device) && options_collide(owned, claim))
                        return error_set(ret_error, ERROR_IN_USE,
                                         "%s %s is that of device \"%s\"", claim->key,
                                         claim->value, name);
        }
        return 0;
}

/* Of a network of another type than bridge only its name was seen before. */
static int check_not_guarded(GVariant *options, Error *ret_error) {
        const char *key;
        GVariantIter iter;

        g_variant_iter_init(&iter, options);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                if (g_str_has_prefix(key, "security."))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%s\" is for nics on a network of type bridge", key);
        return 0;
}

static int check_nic(Manager *m, const char *container, GVariant *devices, const char *device,
                     GVariant *options, Error *ret_error) {
        const char *name = device_get_network(options);
        const Network *network = name ? manager_find_network(m, name) : NULL;
        int r = network ? 0 : check_not_guarded(options, ret_error);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(keys); i++) {
                const char *value = config_get(options, keys[i]);
                Claim claim;

                if (!value)
                        continue;
                /* What the host answers for, an administrator has chosen. */
                if (g_str_equal(device_get_nictype(options), "routed") ||
                    g_str_equal(device_get_nictype(options), "ipvlan"))
                        continue;
                if (!network && !g_str_equal(keys[i], KEY_HWADDR))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%s\" is for nics on a network of type bridge", keys[i]);
                if (!network || !claim_read(keys[i], value, &claim))
                        continue;
                r = check_fits(network, &claim, ret_error);
                if (r >= 0)
                        r = check_free(m, container, devices, device, &claim, ret_error);
        }
        return r;
}

/* Whether a nic has the address: by its options, or as far as there is a container, as chosen. */
static bool nics_have(Manager *m, const Container *c, GVariant *devices, const Claim *claim) {
        GVariantIter iter;
        const char *name;
        GVariant *options;
        bool found = false;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;
                g_autofree char *ipv6 = NULL;

                if (!device_get_network(owned))
                        continue;
                found |= options_collide(owned, claim);
                if (!c)
                        continue;
                ipv6 = container_address_get_ipv6(m, c, name, owned);
                found |= value_collides(KEY_IPV6, ipv6, claim) ||
                         value_collides(KEY_IPV4, container_address_get(c, name, owned, KEY_IPV4),
                                        claim);
        }
        return found;
}

static int check_translation(Manager *m, const char *container, GVariant *devices,
                             GVariant *options, Error *ret_error) {
        g_auto(ProxyAddress) to = { 0 };
        Claim claim;
        int r;

        if (!device_get_boolean(options, "nat", false))
                return 0;
        r = proxy_address_parse(config_get(options, "connect"), &to, ret_error);
        if (r < 0)
                return r;
        if (claim_read(strchr(to.host, ':') ? KEY_IPV6 : KEY_IPV4, to.host, &claim) &&
            nics_have(m, container ? manager_find_container(m, container) : NULL, devices, &claim))
                return 0;
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "with \"nat\" it connects to an address of the container's own, and %s is "
                         "none; give a nic on a network \"ipv4.address\" or \"ipv6.address\"",
                         to.host);
}

int container_addresses_check(Manager *m, const char *container, GVariant *devices,
                              Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;
                int r;

                if (device_is_proxy(owned))
                        r = check_translation(m, container, devices, owned, ret_error);
                else if (device_get_nictype(owned))
                        r = check_nic(m, container, devices, name, owned, ret_error);
                else
                        continue;
                if (r < 0) {
                        error_prefix(ret_error, "Device \"%s\"", name);
                        return r;
                }
        }
        return 0;
}

/* --- choosing --- */

/* IPv4 addresses as numbers: of all containers but this device, and what is lent to others. */
static void take(GHashTable *taken, const char *value) {
        Subnet address;

        if (value && subnet_parse_address(value, AF_INET, &address, NULL) >= 0)
                g_hash_table_add(taken, GUINT_TO_POINTER(subnet_to_uint32(&address)));
}

static void take_devices(GHashTable *taken, GVariant *devices) {
        GVariantIter iter;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                if (device_get_nictype(options))
                        take(taken, config_get(options, KEY_IPV4));
                g_variant_unref(options);
        }
}

static void take_volatile(GHashTable *taken, const Container *c) {
        const char *key, *value;
        GVariantIter iter;

        g_variant_iter_init(&iter, c->config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (g_str_has_prefix(key, "volatile.") && g_str_has_suffix(key, "." KEY_IPV4))
                        take(taken, value);
}

static GHashTable *taken_by_configuration(Manager *m) {
        GHashTable *taken = g_hash_table_new(NULL, NULL);
        GHashTableIter iter;
        Container *c;
        Profile *profile;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                take_devices(taken, c->devices);
                take_volatile(taken, c);
        }
        g_hash_table_iter_init(&iter, m->objects[OBJECT_PROFILE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &profile))
                take_devices(taken, profile->devices);
        return taken;
}

/* What dnsmasq has lent to the nic, as it did before addresses were chosen. */
static char *find_lease(Manager *m, const char *network, const uint8_t hwaddr[static 6]) {
        g_autoptr(GArray) leases = network_read_leases(m, network);

        for (guint i = 0; i < leases->len; i++) {
                const Lease *lease = &g_array_index(leases, Lease, i);

                if (memcmp(lease->hwaddr, hwaddr, 6) == 0 && !strchr(lease->address, ':'))
                        return g_strdup(lease->address);
        }
        return NULL;
}

static void take_leases(GHashTable *taken, Manager *m, const char *network,
                        const uint8_t hwaddr[static 6]) {
        g_autoptr(GArray) leases = network_read_leases(m, network);

        for (guint i = 0; i < leases->len; i++) {
                const Lease *lease = &g_array_index(leases, Lease, i);

                if (memcmp(lease->hwaddr, hwaddr, 6) != 0)
                        take(taken, lease->address);
        }
}

/* Of the addresses that are lent the first that is free, from one on that the Ethernet address
 * leads to: a nic that comes again most likely gets what it had. */
static bool pick(const NetworkFamily *family, const char *hwaddr, GHashTable *taken, Subnet *ret) {
        NetworkRange all = { subnet_first_host(&family->subnet),
                             subnet_last_host(&family->subnet) };
        const NetworkRange *ranges = family->ranges->len > 0
                                             ? (const NetworkRange *) (void *) family->ranges->data
                                             : &all;
        size_t n = MAX(family->ranges->len, 1);
        uint64_t count = 0, start;

        for (size_t i = 0; i < n; i++)
                count += subnet_to_uint32(&ranges[i].last) - subnet_to_uint32(&ranges[i].first) + 1;
        start = g_str_hash(hwaddr) % count;
        for (uint64_t tried = 0; tried < count; tried++) {
                uint64_t offset = (start + tried) % count;
                size_t i = 0;
                uint32_t number, be;

                while (offset > subnet_to_uint32(&ranges[i].last) -
                                        subnet_to_uint32(&ranges[i].first)) {
                        offset -= subnet_to_uint32(&ranges[i].last) -
                                  subnet_to_uint32(&ranges[i].first) + 1;
                        i++;
                }
                number = subnet_to_uint32(&ranges[i].first) + (uint32_t) offset;
                be = htonl(number);
                *ret = subnet_new(AF_INET, &be, sizeof(be), 32);
                if (!g_hash_table_contains(taken, GUINT_TO_POINTER(number)) &&
                    subnet_can_lend(&family->subnet, ret) &&
                    (family->gateway.family == AF_UNSPEC ||
                     subnet_compare(&family->gateway, ret) != 0))
                        return true;
        }
        return false;
}

/* Within the ranges: what an address that was chosen must still be in. */
static bool is_lent(const NetworkFamily *family, const char *value) {
        Subnet address;

        if (subnet_parse_address(value, AF_INET, &address, NULL) < 0 ||
            !subnet_can_lend(&family->subnet, &address) ||
            (family->gateway.family == AF_INET &&
             subnet_compare(&family->gateway, &address) == 0))
                return false;
        for (guint i = 0; i < family->ranges->len; i++) {
                const NetworkRange *range = &g_array_index(family->ranges, NetworkRange, i);

                if (subnet_compare(&address, &range->first) >= 0 &&
                    subnet_compare(&address, &range->last) <= 0)
                        return true;
        }
        return family->ranges->len == 0;
}

static int choose(Manager *m, Container *c, const char *network, const NetworkFamily *family,
                  const char *device, const char *hwaddr, Error *ret_error) {
        g_autoptr(GHashTable) taken = taken_by_configuration(m);
        g_autofree char *text = NULL;
        uint8_t bytes[6] = { 0 };
        Subnet address;

        (void) network_parse_hwaddr(hwaddr, bytes);
        text = find_lease(m, network, bytes);
        if (text && is_lent(family, text) &&
            subnet_parse_address(text, AF_INET, &address, NULL) >= 0 &&
            !g_hash_table_contains(taken, GUINT_TO_POINTER(subnet_to_uint32(&address)))) {
                container_set_volatile(c, device, KEY_IPV4, text);
                return 0;
        }
        take_leases(taken, m, network, bytes);
        if (!pick(family, hwaddr, taken, &address)) {
                /* What containers had that are gone; dnsmasq keeps it for them for a while. */
                g_hash_table_unref(taken);
                taken = taken_by_configuration(m);
                if (!pick(family, hwaddr, taken, &address))
                        return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                         "Network \"%s\" has no IPv4 address left for device \"%s\""
                                         " of container \"%s\"", network, device, c->object.name);
        }
        g_free(text);
        text = subnet_address_to_string(&address);
        container_set_volatile(c, device, KEY_IPV4, text);
        return 0;
}

int container_address_choose(Manager *m, Container *c, const char *device, GVariant *options,
                             Error *ret_error) {
        const char *name = device_get_network(options);
        const char *chosen = container_get_volatile(c, device, KEY_IPV4);
        const char *hwaddr = container_address_get(c, device, options, KEY_HWADDR);
        const Network *network = name ? manager_find_network(m, name) : NULL;
        g_auto(NetworkOptions) network_options = { 0 };
        const NetworkFamily *family = &network_options.ipv4;
        bool wanted;

        if (network)
                network_read_options(network, &network_options);
        wanted = network && hwaddr && !config_get(options, KEY_IPV4) && family->dhcp &&
                 family->subnet.family != AF_UNSPEC;
        if (wanted && chosen && is_lent(family, chosen))
                return 0;
        if (chosen)
                container_set_volatile(c, device, KEY_IPV4, NULL);
        return wanted ? choose(m, c, name, family, device, hwaddr, ret_error) : 0;
}

char *container_address_get_ipv6(Manager *m, const Container *c, const char *device,
                                 GVariant *options) {
        const char *value = config_get(options, KEY_IPV6), *name = device_get_network(options);
        const char *hwaddr = container_address_get(c, device, options, KEY_HWADDR);
        const Network *network = name ? manager_find_network(m, name) : NULL;
        g_auto(NetworkOptions) network_options = { 0 };
        uint8_t bytes[6];
        Subnet address;

        if (!network)
                return NULL;
        network_read_options(network, &network_options);
        if (network_options.ipv6.subnet.family == AF_UNSPEC)
                return NULL;
        if (value) {
                if (subnet_parse_address(value, AF_INET6, &address, NULL) < 0)
                        return NULL;
        } else {
                if (!hwaddr || !network_parse_hwaddr(hwaddr, bytes))
                        return NULL;
                address = subnet_eui64(&network_options.ipv6.subnet, bytes);
        }
        return subnet_address_to_string(&address);
}
