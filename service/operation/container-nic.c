/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-nic.h"

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/network.h"
#include "service/util/cleanup.h"

/* Ethernet addresses of ours begin with the prefix that Xen registered and LXC uses. */
static char *make_hwaddr(void) {
        return g_strdup_printf("00:16:3e:%02x:%02x:%02x", g_random_int_range(0, 256),
                               g_random_int_range(0, 256), g_random_int_range(0, 256));
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

int container_nic_prepare(Manager *m, Container *c, GVariant *devices, const char *device,
                          GVariant *options, Error *ret_error) {
        const char *hwaddr = config_get(options, "hwaddr"), *network = device_get_network(options);

        if (!name_of(c, device, options))
                choose_name(c, devices, device);
        /* A physical interface keeps its own. */
        if (g_str_equal(device_get_nictype(options), "physical"))
                return 0;
        if (!hwaddr && !container_get_volatile(c, device, "hwaddr")) {
                g_autofree char *made = make_hwaddr();

                container_set_volatile(c, device, "hwaddr", made);
        }
        hwaddr = hwaddr ?: container_get_volatile(c, device, "hwaddr");
        return network ? network_add_host(m, network, c->object.name, device, hwaddr, ret_error)
                       : 0;
}

GVariant *container_nic_describe(Manager *m, const Container *c, const char *device,
                                 GVariant *options) {
        g_autofree char *seed = g_strdup_printf("%s/%s", c->facts.lxc_path, device);
        /* The path is random, new with every start. */
        g_autofree char *veth = g_strdup_printf("veth%08x", g_str_hash(seed));
        const char *network = device_get_network(options);
        Network *managed = network ? manager_find_network(m, network) : NULL;
        unsigned mtu = managed ? network_get_mtu(managed) : 0;
        g_autofree char *mtu_text = mtu > 0 ? g_strdup_printf("%u", mtu) : NULL;
        const char *nictype = device_get_nictype(options);
        bool physical = g_str_equal(nictype, "physical");
        const struct {
                const char *key, *value;
        } values[] = {
                { "type", "nic" },
                { "nictype", nictype },
                { "name", name_of(c, device, options) },
                { "hwaddr", config_get(options, "hwaddr") ?:
                            physical ? NULL : container_get_volatile(c, device, "hwaddr") },
                { "host_name", config_get(options, "host_name") ?: veth },
                { "parent", network ?: config_get(options, "parent") },
                { "mtu", config_get(options, "mtu") ?: mtu_text },
                { "mode", config_get(options, "mode") },
                { "limits.ingress", config_get(options, "limits.ingress") },
                { "limits.egress", config_get(options, "limits.egress") },
                { "limits.max", config_get(options, "limits.max") },
        };
        GVariantBuilder nic;

        g_variant_builder_init(&nic, CONFIG_TYPE);
        for (size_t i = 0; i < ELEMENTSOF(values); i++)
                if (values[i].value)
                        g_variant_builder_add(&nic, "{ss}", values[i].key, values[i].value);
        return g_variant_builder_end(&nic);
}

static bool has_hwaddr(Manager *m, const Container *c, const char *hwaddr) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        const char *device;
        GVariant *options;
        GVariantIter iter;
        bool found = false;

        container_expand(m, c, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &device, &options)) {
                const char *own = config_get(options, "hwaddr");

                if (device_get_nictype(options) && !own)
                        own = container_get_volatile(c, device, "hwaddr");
                found |= own && g_ascii_strcasecmp(own, hwaddr) == 0;
                g_variant_unref(options);
        }
        return found;
}

const Container *container_nic_find_hwaddr(Manager *m, const char *hwaddr) {
        GHashTableIter iter;
        Container *c;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (has_hwaddr(m, c, hwaddr))
                        return c;
        return NULL;
}
