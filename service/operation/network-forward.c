/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/firewall.h"
#include "service/operation/network-job.h"
#include "service/operation/network.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"

/* The new forwards stand beside the old ones until the firewall has them. */
static int forward_begin(Job *job, Error *ret_error) {
        return JOB_STEP_DONE;
}

static int forward_end_trial(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        g_clear_pointer(&data->network->trial_forwards, g_variant_unref);
        return JOB_STEP_DONE;
}

static int forward_firewall_undo(Job *job, Error *ret_error) {
        (void) forward_end_trial(job, NULL);
        return step_firewall(job, ret_error);
}

static void forward_swap(Network *network) {
        GVariant *forwards = network->forwards;

        network->forwards = network->trial_forwards;
        network->trial_forwards = forwards;
}

static int forward_commit(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        Network *network = data->network;
        int r;

        forward_swap(network);
        network->object.revision++;
        r = manager_save(job->manager, &network->object, ret_error);
        if (r < 0) {
                forward_swap(network);
                network->object.revision--;
                return r;
        }
        g_clear_pointer(&network->trial_forwards, g_variant_unref);
        manager_changed(job->manager, &network->object);
        return JOB_STEP_DONE;
}

static const JobStep forward_steps[] = {
        { NULL, forward_begin, forward_end_trial },
        { "Setting the firewall", step_firewall, forward_firewall_undo },
        { NULL, forward_commit, NULL },
        { NULL },
};

/* An address of the host leads to one network. */
static int check_listen(Manager *m, const Network *network, const char *listen, bool create,
                        Error *ret_error) {
        g_autoptr(GVariant) own = forwards_get(network->forwards, listen);
        GHashTableIter iter;
        Network *other;

        if (own && create)
                return error_set(ret_error, ERROR_EXISTS,
                                 "Network \"%s\" has a forward of %s already",
                                 network->object.name, listen);
        if (!own && !create)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Network \"%s\" has no forward of %s", network->object.name,
                                 listen);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_NETWORK]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &other)) {
                g_autoptr(GVariant) taken = other != network
                                                    ? forwards_get(other->forwards, listen) : NULL;

                if (taken)
                        return error_set(ret_error, ERROR_EXISTS,
                                         "%s is forwarded to network \"%s\" already", listen,
                                         other->object.name);
        }
        return 0;
}

int network_set_forward(Manager *m, Caller caller, Network *network, const NetworkForward *forward,
                        Job **ret, Error *ret_error) {
        g_autoptr(GVariant) forwards = NULL;
        g_auto(NetworkOptions) options = { 0 };
        g_autofree char *listen = NULL;
        int r;

        if (forward->if_revision && *forward->if_revision != network->object.revision)
                return error_set(ret_error, ERROR_CONFLICT,
                                 "Network \"%s\" has changed meanwhile; read it again",
                                 network->object.name);
        if (network->type != NETWORK_BRIDGE)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Only networks of type bridge have forwards");
        r = forward_parse_listen(forward->listen, &listen, ret_error);
        if (r >= 0)
                r = check_listen(m, network, listen, forward->create, ret_error);
        if (r < 0)
                return r;
        network_read_options(network, &options);
        forwards = forwards_set(network->forwards, listen, forward->value);
        r = forwards_check(forwards, &options, ret_error);
        if (r >= 0)
                r = network_job_new(m, "network-forward", caller, forward_steps,
                                    network_job_data(network), ret, ret_error);
        if (r >= 0)
                network->trial_forwards = TAKE_PTR(forwards);
        return r;
}
