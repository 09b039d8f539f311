/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/firewall.h"

#include "service/operation/step.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

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

int step_firewall(Job *job, Error *ret_error) {
        Manager *m = job->manager;
        g_autofree char *lock = g_build_filename(m->run_dir, "firewall", NULL);
        GVariantDict args;

        /* Ever more, over restarts of the service too: who comes later knows more. */
        m->firewall_generation = MAX(m->firewall_generation + 1, (uint64_t) g_get_monotonic_time());
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "generation", "t", m->firewall_generation);
        g_variant_dict_insert(&args, "lock-file", "s", lock);
        g_variant_dict_insert_value(&args, "networks", describe_networks(m));
        return job_run_worker(job, OPERATION_NETWORK_FIREWALL, g_variant_dict_end(&args), NULL, 0,
                              NULL, ret_error);
}

static const JobStep firewall_steps[] = {
        { "Setting the firewall", step_firewall, NULL },
        { NULL },
};

void network_firewall_lost(void *manager) {
        Manager *m = manager;
        g_auto(Error) error = ERROR_INIT;
        Job *job;

        if (g_hash_table_size(m->objects[OBJECT_NETWORK]) == 0)
                return;
        log_notice("The firewall rules were changed by somebody else; putting them back.");
        if (job_new(m, "network-firewall", 0, firewall_steps, NULL, NULL, &job, &error) < 0)
                log_error("The firewall rules cannot be put back: %s", error.message);
        else
                job_start(job);
}
