/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/name.h"
#include "service/operation/container-nic.h"
#include "service/operation/firewall.h"
#include "service/operation/network-job.h"
#include "service/operation/network.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/util/cleanup.h"

/* --- changing --- */

/* The new configuration stands beside the old one until all of it is in effect. */
static int update_end_trial(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        g_clear_pointer(&data->network->trial, g_variant_unref);
        return JOB_STEP_DONE;
}

static int update_up_undo(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        (void) update_end_trial(job, NULL);
        data->strict = false;
        return step_network_up(job, ret_error);
}

static int update_firewall_undo(Job *job, Error *ret_error) {
        (void) update_end_trial(job, NULL);
        return step_firewall(job, ret_error);
}

/* Containers that run get addresses that the new network lends; the old ones again for the undo. */
static int step_choose_addresses(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        return container_nics_prepare_on(job->manager, data->network->object.name, ret_error);
}

static int choose_addresses_undo(Job *job, Error *ret_error) {
        (void) update_end_trial(job, NULL);
        return step_choose_addresses(job, ret_error);
}

static void update_swap(NetworkJob *data) {
        Network *network = data->network;
        GVariant *config = network->config;
        char *description = network->description;

        network->config = network->trial;
        network->trial = config;
        network->description = data->description;
        data->description = description;
}

static int update_commit(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        Network *network = data->network;
        int r;

        update_swap(data);
        network->object.revision++;
        r = manager_save(job->manager, &network->object, ret_error);
        if (r < 0) {
                update_swap(data);
                network->object.revision--;
                return r;
        }
        g_clear_pointer(&network->trial, g_variant_unref);
        network->state = NETWORK_UP;
        manager_changed(job->manager, &network->object);
        return JOB_STEP_DONE;
}

static int update_begin(Job *job, Error *ret_error) {
        return JOB_STEP_DONE;
}

static const JobStep update_bridge_steps[] = {
        { NULL, update_begin, update_end_trial },
        { "Picking addresses", step_network_pick, NULL },
        { "Changing the bridge", step_network_up, update_up_undo },
        { NULL, step_choose_addresses, choose_addresses_undo },
        { "Setting the firewall", step_firewall, update_firewall_undo },
        { NULL, update_commit, NULL },
        { NULL },
};

static int update_nics_commit(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        int r = update_commit(job, ret_error);

        if (r >= 0) {
                limits_plan_commit(data->plan.limits);
                device_plan_commit(data->plan.devices);
        }
        return r;
}

/* A network on an interface of the host is nothing but what its nics are. */
static const JobStep update_nics_steps[] = {
        { NULL, update_begin, update_end_trial },
        UPDATE_PLAN_STEPS(update_nics_commit),
};

static int update_check(const Network *network, const NetworkUpdate *update, GVariant **ret,
                        Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        g_auto(NetworkOptions) options = { 0 };
        int r;

        if (update->if_revision && *update->if_revision != network->object.revision)
                return error_set(ret_error, ERROR_CONFLICT,
                                 "Network \"%s\" has changed meanwhile; read it again",
                                 network->object.name);
        r = config_check(update->set, update->unset, CONFIG_SCOPE_NETWORK, ret_error);
        if (r < 0)
                return r;
        config = config_merge(network->config, update->set, update->unset);
        /* Nobody asked for another address: without one there is none. */
        if (network->type == NETWORK_BRIDGE) {
                static const char *const keys[] = { "ipv4.address", "ipv6.address" };

                for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                        g_autoptr(GVariant) none = NULL, old = NULL;

                        if (config_get(config, keys[i]))
                                continue;
                        none = g_variant_ref_sink(g_variant_new_parsed("{%s: 'none'}", keys[i]));
                        old = TAKE_PTR(config);
                        config = config_merge(old, none, NULL);
                }
        }
        r = network_options_read(network->type, config, &options, ret_error);
        if (r >= 0)
                r = forwards_check(network->forwards, &options, ret_error);
        if (r >= 0)
                *ret = TAKE_PTR(config);
        return r;
}

int network_update_privilege(const Network *network, const NetworkUpdate *update,
                             PrivilegeChange *ret, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = devices_empty();
        int r = update_check(network, update, &config, ret_error);

        if (r >= 0)
                privilege_compare(network->config, devices, config, devices, ret);
        return r;
}

/* What becomes of nics of containers that run, with the trial that has just begun. */
static int update_plan_nics(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        int r = update_plan_finish(&data->plan, ret_error);

        if (r >= 0)
                r = update_plan_lock(&data->plan, job, ret_error);
        if (r < 0)
                (void) update_end_trial(job, NULL);
        return r;
}

int network_update(Manager *m, Caller caller, Network *network, const NetworkUpdate *update,
                   Job **ret, Error *ret_error) {
        bool is_bridge = network->type == NETWORK_BRIDGE;
        g_auto(PrivilegeChange) needed = { 0 };
        g_autoptr(GVariant) config = NULL;
        g_autoptr(Job) job = NULL;
        NetworkJob *data;
        int r;

        r = update_check(network, update, &config, ret_error);
        if (r >= 0)
                r = network_update_privilege(network, update, &needed, ret_error);
        if (r >= 0)
                r = caller_check(caller, &needed, network->object.name, ret_error);
        if (r < 0)
                return r;
        data = network_job_data(network);
        data->strict = true;
        data->description = g_strdup(update->description ?: network->description);
        r = network_job_new(m, "network-update", caller,
                            is_bridge ? update_bridge_steps : update_nics_steps, data, &job,
                            ret_error);
        if (r < 0)
                return r;
        if (!is_bridge)
                update_plan_begin(&data->plan, m);
        network->trial = TAKE_PTR(config);
        if (!is_bridge)
                r = update_plan_nics(job, ret_error);
        if (r >= 0)
                *ret = TAKE_PTR(job);
        return r;
}

/* --- renaming --- */

static int rename_mark(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        data->network->rename_to = g_strdup(data->name);
        return manager_save(job->manager, &data->network->object, ret_error);
}

static int rename_mark_undo(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        g_clear_pointer(&data->network->rename_to, g_free);
        return manager_save(job->manager, &data->network->object, ret_error);
}

static int rename_begin(Job *job, Error *ret_error) {
        return JOB_STEP_DONE;
}

/* Once it has its old name again; a worker that failed may have done what it was to do. */
static int rename_firewall_again(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        return data->is_renamed ? step_firewall(job, ret_error) : JOB_STEP_DONE;
}

static int rename_down(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        data->is_down = true;
        return step_network_down(job, ret_error);
}

static int rename_up_again(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        return data->is_down ? step_network_up(job, ret_error) : JOB_STEP_DONE;
}

/* Gives it the name in data->name, on disk too, and leaves the old one there. The record under the
 * old name goes last: as long as it is there, it says what was under way. */
static int rename_swap(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        Network *network = data->network;
        g_autofree char *old = g_strdup(network->object.name);
        Manager *m = job->manager;
        int r;

        g_clear_pointer(&network->rename_to, g_free);
        manager_rename(m, &network->object, data->name);
        g_free(data->name);
        data->name = g_strdup(old);
        r = manager_save(m, &network->object, ret_error);
        if (r >= 0)
                r = manager_forget(m, OBJECT_NETWORK, old, ret_error);
        return r;
}

static int rename_commit(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        int r = manager_check_free(job->manager, OBJECT_NETWORK, data->name, ret_error);

        if (r < 0)
                return r;
        data->network->object.revision++;
        data->is_renamed = true;
        return rename_swap(job, ret_error);
}

static int rename_commit_undo(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        return data->is_renamed ? rename_swap(job, ret_error) : JOB_STEP_DONE;
}

static int rename_end(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        job_clear_subjects(job);
        job_add_subject(job, OBJECT_NETWORK, data->network->object.name);
        manager_changed(job->manager, &data->network->object);
        return JOB_STEP_DONE;
}

static const JobStep rename_steps[] = {
        { NULL, rename_mark, rename_mark_undo },
        { NULL, rename_begin, rename_firewall_again },
        { "Removing the bridge", rename_down, rename_up_again },
        { NULL, rename_commit, rename_commit_undo },
        { "Making the bridge", step_network_up, step_network_down },
        { "Setting the firewall", step_firewall, NULL },
        { NULL, rename_end, NULL },
        { NULL },
};

int network_rename(Manager *m, Caller caller, Network *network, const char *name, Job **ret,
                   Error *ret_error) {
        NetworkJob *data;
        int r;

        r = name_check(NAME_NETWORK, name, ret_error);
        if (r >= 0)
                r = manager_check_free(m, OBJECT_NETWORK, name, ret_error);
        if (r >= 0)
                r = usage_check_none(m, &network->object, ret_error);
        if (r < 0)
                return r;
        data = network_job_data(network);
        data->name = g_strdup(name);
        return network_job_new(m, "network-rename", caller, rename_steps, data, ret, ret_error);
}
