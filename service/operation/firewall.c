/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/firewall.h"

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container-nic.h"
#include "service/operation/device-plan.h"
#include "service/operation/step.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

/* When many containers end at once, as they do with the host, once is enough. */
#define SETTLE_USEC (100 * G_TIME_SPAN_MILLISECOND)

static GVariant *describe_networks(Manager *m) {
        GVariantBuilder builder;
        GHashTableIter iter;
        Network *network;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(sa{ss})"));
        g_hash_table_iter_init(&iter, m->objects[OBJECT_NETWORK]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &network))
                if (network->type == NETWORK_BRIDGE && network->state != NETWORK_DELETING)
                        g_variant_builder_add(&builder, "(s@a{ss})", network->object.name,
                                              network_get_config(network));
        return g_variant_builder_end(&builder);
}

/* Those that a container has, and those that a job is about to put in: rules come before what they
 * are for. */
static void describe_nics_of(Manager *m, const Container *c, GVariantBuilder *nics) {
        g_autoptr(GVariant) config = NULL, devices = NULL, all = NULL;
        GVariantBuilder described;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        container_expand(m, c, &config, &devices);
        g_variant_builder_init(&described, DEVICES_TYPE);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                if (container_nic_is_guarded(m, options))
                        g_variant_builder_add(&described, "{s@a{ss}}", name,
                                              container_nic_describe(m, c, name, options));
                g_variant_unref(options);
        }
        all = device_plan_overlay(m, c, g_variant_builder_end(&described));
        g_variant_iter_init(&iter, all);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                if (container_nic_is_guarded(m, options) && config_get(options, "hwaddr"))
                        g_variant_builder_add_value(nics, options);
                g_variant_unref(options);
        }
}

/* Proxies of a container that translate addresses lead to its own, and to no others. */
static void translate_proxies_of(Manager *m, const Container *c, GVariantBuilder *translations) {
        g_autoptr(GVariant) nics = NULL, config = NULL, devices = NULL, all = NULL;
        g_autoptr(GPtrArray) targets = g_ptr_array_new_with_free_func(g_free);
        GVariantBuilder described;
        GVariantIter iter;
        GVariant *options;

        g_variant_builder_init(&described, G_VARIANT_TYPE("aa{ss}"));
        describe_nics_of(m, c, &described);
        nics = g_variant_ref_sink(g_variant_builder_end(&described));
        for (size_t i = 0; i < g_variant_n_children(nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(nics, i);
                const char *ipv4 = config_get(nic, "ipv4.address");
                const char *ipv6 = config_get(nic, "ipv6.address");

                if (ipv4)
                        g_ptr_array_add(targets, g_strdup(ipv4));
                if (ipv6)
                        g_ptr_array_add(targets, g_strdup(ipv6));
        }
        g_ptr_array_add(targets, NULL);
        container_expand(m, c, &config, &devices);
        all = device_plan_overlay(m, c, g_variant_ref(devices));
        g_variant_iter_init(&iter, all);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                if (device_is_proxy(options) && device_get_boolean(options, "nat", false))
                        proxy_translate(options, (const char *const *) targets->pdata,
                                        translations);
                g_variant_unref(options);
        }
}

static GVariant *describe_translations(Manager *m) {
        GVariantBuilder builder;
        GHashTableIter iter;
        Network *network;
        Container *c;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(ssqqsq)"));
        /* Proxies first: a forward may have all that is left of an address. */
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (c->facts.lxc_path)
                        translate_proxies_of(m, c, &builder);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_NETWORK]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &network))
                if (network->type == NETWORK_BRIDGE && network->state != NETWORK_DELETING)
                        forwards_translate(network_get_forwards(network), &builder);
        return g_variant_builder_end(&builder);
}

static GVariant *describe_nics(Manager *m) {
        GVariantBuilder builder;
        GHashTableIter iter;
        Container *c;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{ss}"));
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (c->facts.lxc_path)
                        describe_nics_of(m, c, &builder);
        return g_variant_builder_end(&builder);
}

int step_firewall_then(Job *job,
                       int (*on_result)(Job *job, GVariant *result, int *fds, size_t n_fds,
                                        Error *ret_error),
                       Error *ret_error) {
        Manager *m = job->manager;
        g_autofree char *lock = g_build_filename(m->run_dir, "firewall", NULL);
        GVariantDict args;

        /* Ever more, over restarts of the service too: who comes later knows more. */
        m->firewall_generation = MAX(m->firewall_generation + 1, (uint64_t) g_get_monotonic_time());
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "generation", "t", m->firewall_generation);
        g_variant_dict_insert(&args, "lock-file", "s", lock);
        g_variant_dict_insert_value(&args, "networks", describe_networks(m));
        g_variant_dict_insert_value(&args, "nics", describe_nics(m));
        g_variant_dict_insert_value(&args, "translations", describe_translations(m));
        return job_run_worker(job, OPERATION_NETWORK_FIREWALL, g_variant_dict_end(&args), NULL, 0,
                              on_result, ret_error);
}

int step_firewall(Job *job, Error *ret_error) {
        return step_firewall_then(job, NULL, ret_error);
}

static const JobStep firewall_steps[] = {
        { "Setting the firewall", step_firewall, NULL },
        { NULL },
};

static void set_anew(Manager *m) {
        g_auto(Error) error = ERROR_INIT;
        Job *job;

        if (job_new(m, "network-firewall", 0, firewall_steps, NULL, NULL, &job, &error) < 0)
                log_error("The firewall rules cannot be set: %s", error.message);
        else
                job_start(job);
}

void network_firewall_lost(void *manager) {
        Manager *m = manager;

        if (g_hash_table_size(m->objects[OBJECT_NETWORK]) == 0)
                return;
        log_notice("The firewall rules were changed by somebody else; putting them back.");
        set_anew(m);
}

static int on_settle(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        m->firewall_timer = sd_event_source_disable_unref(m->firewall_timer);
        set_anew(m);
        return 0;
}

void firewall_settle(Manager *m) {
        if (m->firewall_timer)
                return;
        (void) sd_event_add_time_relative(m->event, &m->firewall_timer, CLOCK_MONOTONIC,
                                          SETTLE_USEC, 0, on_settle, m);
}
