/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-nic.h"

#include <net/if.h>
#include <netinet/in.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/nic-route.h"
#include "service/model/nic-vlan.h"
#include "service/operation/container-address.h"
#include "service/operation/container.h"
#include "service/operation/network.h"
#include "service/util/cleanup.h"

/* Ethernet addresses of ours begin with the prefix that Xen registered and LXC uses. */
static char *make_hwaddr(Manager *m) {
        for (;;) {
                g_autofree char *made = g_strdup_printf("00:16:3e:%02x:%02x:%02x",
                                                        g_random_int_range(0, 256),
                                                        g_random_int_range(0, 256),
                                                        g_random_int_range(0, 256));

                if (!container_address_find(m, "hwaddr", made))
                        return TAKE_PTR(made);
        }
}

static const char *name_of(const Container *c, const char *device, GVariant *options) {
        return config_get(options, "name") ?: container_get_volatile(c, device, "name");
}

static bool name_is_taken(const Container *c, GVariant *devices, const char *name) {
        GVariantIter iter;
        const char *device;
        GVariant *options;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &device, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_get_nictype(owned) &&
                    g_strcmp0(name_of(c, device, owned), name) == 0)
                        return true;
        }
        return false;
}

static void choose_name(Container *c, GVariant *devices, const char *device) {
        for (unsigned i = 0;; i++) {
                g_autofree char *name = g_strdup_printf("eth%u", i);

                if (!name_is_taken(c, devices, name)) {
                        container_set_volatile(c, device, "name", name);
                        return;
                }
        }
}

static bool has_host_name(Manager *m, const Container *c, const char *name) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantIter iter;
        GVariant *options;
        bool found = false;

        container_expand(m, c, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                found |= device_get_nictype(options) &&
                         g_strcmp0(config_get(options, "host_name"), name) == 0;
                g_variant_unref(options);
        }
        return found;
}

int container_nic_check_host_name(Manager *m, const Container *c, GVariant *options,
                                  Error *ret_error) {
        const char *name = config_get(options, "host_name");
        GHashTableIter iter;
        bool taken;
        Container *other;

        if (!name)
                return 0;
        taken = if_nametoindex(name) != 0;
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (!taken && g_hash_table_iter_next(&iter, NULL, (void **) &other))
                taken = other != c && other->facts.lxc_path && has_host_name(m, other, name);
        if (taken)
                return error_set(ret_error, ERROR_IN_USE,
                                 "The host has a network interface \"%s\" already; give the device "
                                 "another \"host_name\"", name);
        return 0;
}

int container_nic_prepare(Manager *m, Container *c, GVariant *devices, const char *device,
                          GVariant *options, Error *ret_error) {
        const char *hwaddr = config_get(options, "hwaddr"), *network = device_get_network(options);
        int r;

        if (!name_of(c, device, options))
                choose_name(c, devices, device);
        /* A physical interface keeps its own. */
        if (g_str_equal(device_get_nictype(options), "physical"))
                return 0;
        if (!hwaddr && !container_get_volatile(c, device, "hwaddr")) {
                g_autofree char *made = make_hwaddr(m);

                container_set_volatile(c, device, "hwaddr", made);
        }
        if (!network)
                return 0;
        r = container_address_choose(m, c, device, options, ret_error);
        return r < 0 ? r : container_nic_tell(m, c, device, options, ret_error);
}

int container_nic_tell(Manager *m, const Container *c, const char *device, GVariant *options,
                       Error *ret_error) {
        const char *network = device_get_network(options);
        const char *ipv4 = container_address_get(c, device, options, "ipv4.address");
        g_autofree char *ipv6 = container_address_get_ipv6(m, c, device, options);
        const NetworkHost host = {
                .container = c->object.name,
                .device = device,
                .hwaddr = container_address_get(c, device, options, "hwaddr"),
                .ipv4 = g_strcmp0(ipv4, "none") == 0 ? NULL : ipv4,
                .ipv6 = ipv6,
        };

        return host.hwaddr ? network_add_host(m, network, &host, ret_error) : 0;
}

static int prepare_nics_of(Manager *m, Container *c, const char *network, Error *ret_error) {
        g_autoptr(GVariant) before = g_variant_ref(c->config), config = NULL, devices = NULL;
        GVariantIter iter;
        const char *device;
        GVariant *options;
        int r = 0;

        container_expand(m, c, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (r >= 0 && g_variant_iter_next(&iter, "{&s@a{ss}}", &device, &options)) {
                g_autoptr(GVariant) owned = options;

                if (g_strcmp0(device_get_network(owned), network) == 0)
                        r = container_nic_prepare(m, c, devices, device, owned, ret_error);
        }
        if (r >= 0 && !g_variant_equal(before, c->config))
                r = manager_save(m, &c->object, ret_error);
        return r;
}

int container_nics_prepare_on(Manager *m, const char *network, Error *ret_error) {
        GHashTableIter iter;
        Container *c;
        int r = 0;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                int failed = container_is_up(c) ? prepare_nics_of(m, c, network, ret_error) : 0;

                r = r < 0 ? r : MIN(failed, 0);
        }
        return r;
}

static bool is_on_our_bridge(Manager *m, GVariant *options) {
        const char *name = device_get_network(options);
        const Network *network = name ? manager_find_network(m, name) : NULL;

        return network && network->type == NETWORK_BRIDGE;
}

bool container_nic_is_guarded(Manager *m, GVariant *options) {
        return nic_is_routed(options) || is_on_our_bridge(m, options);
}

bool container_nics_are_guarded(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantIter iter;
        GVariant *options;
        bool found = false;

        container_expand(m, c, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                found |= container_nic_is_guarded(m, options);
                g_variant_unref(options);
        }
        return found;
}

/* Whether it is kept to addresses of that family. On a network without addresses its containers
 * agree on some among themselves, and nobody else knows who has which. */
static bool is_filtered(const Network *network, GVariant *options, const char *key) {
        g_auto(NetworkOptions) network_options = { 0 };

        network_read_options(network, &network_options);
        return device_get_boolean(options, key,
                                  network_options.ipv4.subnet.family != AF_UNSPEC ||
                                  network_options.ipv6.subnet.family != AF_UNSPEC);
}

static void add_guards(GVariantBuilder *nic, const Network *network, GVariant *options) {
        static const char *const keys[] = { "security.ipv4_filtering", "security.ipv6_filtering" };
        bool isolated = device_get_boolean(options, "security.port_isolation", false);
        bool mac = device_get_boolean(options, "security.mac_filtering", true);

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                g_variant_builder_add(nic, "{ss}", keys[i],
                                      is_filtered(network, options, keys[i]) ? "true" : "false");
        g_variant_builder_add(nic, "{ss}", "security.mac_filtering", mac ? "true" : "false");
        g_variant_builder_add(nic, "{ss}", "security.port_isolation", isolated ? "true" : "false");
}

GVariant *container_nic_describe(Manager *m, const Container *c, const char *device,
                                 GVariant *options) {
        g_autofree char *seed = g_strdup_printf("%s/%s", c->facts.lxc_path, device);
        /* The path is random, new with every start. */
        g_autofree char *veth = g_strdup_printf("veth%08x", g_str_hash(seed));
        const char *network = device_get_network(options);
        Network *managed = network ? manager_find_network(m, network) : NULL;
        g_autofree char *ipv6 = container_address_get_ipv6(m, c, device, options);
        unsigned mtu = managed ? network_get_mtu(managed) : 0;
        g_autofree char *mtu_text = mtu > 0 ? g_strdup_printf("%u", mtu) : NULL;
        const char *nictype = device_get_nictype(options);
        bool physical = g_str_equal(nictype, "physical");
        const char *parent = network ?: config_get(options, "parent");
        /* A bridge has VLANs itself; of another interface each is a link. */
        const char *vlan = network ? NULL : config_get(options, "vlan");
        g_autofree char *link = vlan && parent ? nic_vlan_link_name(parent, vlan) : NULL;
        const struct {
                const char *key, *value;
        } values[] = {
                { "type", "nic" },
                { "nictype", nictype },
                { "name", name_of(c, device, options) },
                { "hwaddr", config_get(options, "hwaddr") ?:
                            physical ? NULL : container_get_volatile(c, device, "hwaddr") },
                { "host_name", config_get(options, "host_name") ?: veth },
                { "parent", link ?: parent },
                { "vlan.parent", link ? parent : NULL },
                { "mtu", config_get(options, "mtu") ?: mtu_text },
                { "mode", config_get(options, "mode") },
                { "ipv4.address", managed ? container_address_get(c, device, options,
                                                                  "ipv4.address")
                                          : config_get(options, "ipv4.address") },
                { "ipv6.address", ipv6 ?: managed ? NULL : config_get(options, "ipv6.address") },
                { "limits.ingress", config_get(options, "limits.ingress") },
                { "limits.egress", config_get(options, "limits.egress") },
                { "limits.max", config_get(options, "limits.max") },
        };
        static const char *const as_they_are[] = {
                "vlan", "vlan.tagged", "gvrp",
                "ipv4.gateway", "ipv6.gateway", "ipv4.host_address", "ipv6.host_address",
                "ipv4.host_table", "ipv6.host_table", "ipv4.routes", "ipv6.routes",
        };
        GVariantBuilder nic;

        g_variant_builder_init(&nic, CONFIG_TYPE);
        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                if (values[i].value)
                        g_variant_builder_add(&nic, "{ss}", values[i].key, values[i].value);
        for (size_t i = 0; i < ELEMENTSOF(as_they_are); i++)
                if (config_get(options, as_they_are[i]))
                        g_variant_builder_add(&nic, "{ss}", as_they_are[i],
                                              config_get(options, as_they_are[i]));
        if (is_on_our_bridge(m, options))
                add_guards(&nic, managed, options);
        return g_variant_builder_end(&nic);
}
