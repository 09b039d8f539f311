/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/firewall-rules.h"

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container-nic.h"
#include "service/operation/container.h"
#include "service/operation/device-plan.h"
#include "service/util/cleanup.h"

#define NICS_TYPE ((const GVariantType *) "aa{ss}")
#define TRANSLATIONS_TYPE ((const GVariantType *) "a(ssqqsq)")

static bool has_rules(const Network *network) {
        return network->type == NETWORK_BRIDGE && network->state != NETWORK_DELETING;
}

GVariant *firewall_describe_networks(Manager *m) {
        GVariantBuilder builder;
        GHashTableIter iter;
        Network *network;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(sa{ss})"));
        g_hash_table_iter_init(&iter, m->objects[OBJECT_NETWORK]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &network))
                if (has_rules(network))
                        g_variant_builder_add(&builder, "(s@a{ss})", network->object.name,
                                              network_get_config(network));
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

void firewall_describe_forwards(Manager *m, GVariantBuilder *translations) {
        GHashTableIter iter;
        Network *network;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_NETWORK]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &network))
                if (has_rules(network))
                        forwards_translate(network_get_forwards(network), translations);
}

/* --- of a container --- */

/* Sorted, as those of a plan are, so that what is the same is equal. */
static GVariant *describe_nic(Manager *m, const Container *c, const char *name,
                              GVariant *options) {
        g_autoptr(GVariant) nic = g_variant_ref_sink(container_nic_describe(m, c, name, options));

        return config_merge(nic, NULL, NULL);
}

static GVariant *describe_own(Manager *m, const Container *c, GVariant *devices) {
        GVariantBuilder described;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_variant_builder_init(&described, DEVICES_TYPE);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options, nic = NULL;

                if (!container_nic_is_guarded(m, owned))
                        continue;
                nic = describe_nic(m, c, name, owned);
                g_variant_builder_add(&described, "{s@a{ss}}", name, nic);
        }
        return g_variant_ref_sink(g_variant_builder_end(&described));
}

/* The one that is to take its place may have another name, but it is there until then. */
static bool is_replaced(GVariant *nic, const char *device, GVariant *devices) {
        g_autoptr(GVariant) next = devices_get(devices, device);

        return next && g_strcmp0(config_get(next, "host_name"), config_get(nic, "host_name")) == 0;
}

GVariant *firewall_describe_nics(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL, own = NULL, all = NULL;
        GVariantBuilder nics;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        container_expand(m, c, &config, &devices);
        own = describe_own(m, c, devices);
        all = device_plan_overlay(m, c, own);
        g_variant_builder_init(&nics, NICS_TYPE);
        g_variant_iter_init(&iter, all);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                if (container_nic_is_guarded(m, options) && config_get(options, "hwaddr"))
                        g_variant_builder_add_value(&nics, options);
                g_variant_unref(options);
        }
        g_variant_iter_init(&iter, own);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                if (!is_replaced(options, name, all) && config_get(options, "hwaddr"))
                        g_variant_builder_add_value(&nics, options);
                g_variant_unref(options);
        }
        return g_variant_ref_sink(g_variant_builder_end(&nics));
}

/* Where its proxies may lead: to its own addresses, and to no others. */
static GPtrArray *targets_of(GVariant *nics) {
        GPtrArray *targets = g_ptr_array_new_with_free_func(g_free);
        static const char *const keys[] = { "ipv4.address", "ipv6.address" };

        for (size_t i = 0; i < g_variant_n_children(nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(nics, i);

                for (size_t j = 0; j < ELEMENTSOF(keys); j++)
                        if (config_get(nic, keys[j]))
                                g_ptr_array_add(targets, g_strdup(config_get(nic, keys[j])));
        }
        g_ptr_array_add(targets, NULL);
        return targets;
}

GVariant *firewall_describe_proxies(Manager *m, const Container *c, GVariant *nics) {
        g_autoptr(GVariant) config = NULL, devices = NULL, all = NULL;
        g_autoptr(GPtrArray) targets = targets_of(nics);
        GVariantBuilder translations;
        GVariantIter iter;
        GVariant *options;

        g_variant_builder_init(&translations, TRANSLATIONS_TYPE);
        container_expand(m, c, &config, &devices);
        all = device_plan_overlay(m, c, devices);
        g_variant_iter_init(&iter, all);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                if (device_is_proxy(options) && device_get_boolean(options, "nat", false))
                        proxy_translate(options, (const char *const *) targets->pdata,
                                        &translations);
                g_variant_unref(options);
        }
        return g_variant_ref_sink(g_variant_builder_end(&translations));
}
