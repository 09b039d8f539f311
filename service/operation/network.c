/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/network.h"

#include <errno.h>
#include <fcntl.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/name.h"
#include "service/operation/container-nic.h"
#include "service/operation/firewall.h"
#include "service/operation/network-job.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/watch/process-watch.h"
#include "service/worker/operations.h"

char *network_run_dir(Manager *m, const char *name) {
        return g_build_filename(m->run_dir, "networks", name, NULL);
}

char *network_lease_file(Manager *m, const char *name) {
        g_autofree char *file = g_strconcat(name, ".leases", NULL);

        return g_build_filename(m->state_dir, "leases", file, NULL);
}

/* --- dnsmasq --- */

void resolver_free(void *p) {
        Resolver *resolver = p;

        process_watch_free(resolver->watch);
        fd_close(resolver->pidfd);
        g_free(resolver->network);
        g_free(resolver);
}

static void bring_up_again(Manager *m, Network *network) {
        g_auto(Error) error = ERROR_INIT;
        Job *job;

        if (network_bring_up(m, network, &job, &error) < 0)
                log_error("Network \"%s\" cannot be put right: %s", network->object.name,
                          error.message);
        else
                job_start(job);
}

/* Who works on the network may have ended it, or started another; else it is missed when he is done
 * (see network_restart_resolvers()). */
static void restart_resolver(Manager *m, Network *network) {
        if (manager_get_lock(m, &network->object))
                return;
        network->resolver_lost = false;
        if (network->state != NETWORK_UP ||
            g_hash_table_contains(m->resolvers, network->object.name))
                return;
        log_warning("dnsmasq of network \"%s\" has ended; starting it again.",
                    network->object.name);
        bring_up_again(m, network);
}

static void on_resolver_end(void *userdata) {
        Resolver *resolver = userdata;
        Manager *m = resolver->manager;
        Network *network = manager_find_network(m, resolver->network);

        g_hash_table_remove(m->resolvers, resolver->network);
        if (network) {
                network->resolver_lost = true;
                restart_resolver(m, network);
        }
}

void network_restart_resolvers(Manager *m) {
        GHashTableIter iter;
        Network *network;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_NETWORK]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &network))
                if (network->resolver_lost)
                        restart_resolver(m, network);
}

static int resolver_new(Manager *m, const char *network, int pidfd) {
        Resolver *resolver = g_new0(Resolver, 1);

        resolver->manager = m;
        resolver->network = g_strdup(network);
        resolver->pidfd = pidfd;
        g_hash_table_replace(m->resolvers, g_strdup(network), resolver);
        return process_watch_new(m->event, pidfd, on_resolver_end, resolver, &resolver->watch);
}

/* --- bringing up and down --- */

/* Bridge and dnsmasq. */
static int up_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        NetworkJob *data = job->data;
        gint32 pid;
        int r;

        if (!g_variant_lookup(result, "dnsmasq-pid", "i", &pid) || (pid > 0) != (n_fds == 1))
                return error_set(ret_error, ERROR_FAILED,
                                 "The network worker's result is incomplete");
        g_hash_table_remove(job->manager->resolvers, data->network->object.name);
        if (pid <= 0)
                return 0;
        r = resolver_new(job->manager, data->network->object.name, TAKE_FD(fds[0]));
        if (r >= 0)
                network_settle_hosts_of(job->manager, data->network->object.name);
        return r;
}

int step_network_up(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        Network *network = data->network;
        Manager *m = job->manager;
        g_autofree char *run_dir = network_run_dir(m, network->object.name);
        g_autofree char *lease_file = network_lease_file(m, network->object.name);
        GVariantDict args;

        if (network->type != NETWORK_BRIDGE)
                return JOB_STEP_DONE;
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", network->object.name);
        g_variant_dict_insert_value(&args, "config", network_get_config(network));
        g_variant_dict_insert(&args, "strict", "b", data->strict);
        g_variant_dict_insert(&args, "run-dir", "s", run_dir);
        g_variant_dict_insert(&args, "lease-file", "s", lease_file);
        return job_run_worker(job, OPERATION_NETWORK_UP, g_variant_dict_end(&args), NULL, 0,
                              up_done, ret_error);
}

int step_network_down(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        const char *name = data->network->object.name;
        Manager *m = job->manager;
        g_autofree char *run_dir = network_run_dir(m, name);
        g_autofree char *lease_file = network_lease_file(m, name);
        GVariantDict args;

        if (data->network->type != NETWORK_BRIDGE)
                return JOB_STEP_DONE;
        g_hash_table_remove(m->resolvers, name); /* its end is wanted */
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", name);
        g_variant_dict_insert(&args, "run-dir", "s", run_dir);
        g_variant_dict_insert(&args, "lease-file", "s", lease_file);
        return job_run_worker(job, OPERATION_NETWORK_DOWN, g_variant_dict_end(&args), NULL, 0, NULL,
                              ret_error);
}

static int step_up_told(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        data->network->state = NETWORK_UP;
        manager_changed(job->manager, &data->network->object);
        return JOB_STEP_DONE;
}

static int step_up_failed(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        data->network->state = NETWORK_ERROR;
        g_free(data->network->error);
        data->network->error = g_strdup(job->error.message);
        manager_changed(job->manager, &data->network->object);
        log_error("Network \"%s\" cannot be brought up: %s", data->network->object.name,
                  job->error.message);
        return JOB_STEP_DONE;
}

/* Containers that ran before addresses were chosen, or while the network had others. */
static int step_up_addresses(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        g_auto(Error) error = ERROR_INIT;

        /* One of them is no reason to leave all the others without the network. */
        if (container_nics_prepare_on(job->manager, data->network->object.name, &error) < 0)
                log_warning("%s", error.message);
        return JOB_STEP_DONE;
}

static const JobStep bring_up_steps[] = {
        { "Bringing up the network", step_network_up, step_up_failed },
        { NULL, step_up_addresses, NULL },
        { "Setting the firewall", step_firewall, NULL },
        { NULL, step_up_told, NULL },
        { NULL },
};

NetworkJob *network_job_data(Network *network) {
        NetworkJob *data = g_new0(NetworkJob, 1);

        data->network = network;
        return data;
}

static void network_job_free(void *p) {
        NetworkJob *data = p;

        update_plan_done(&data->plan);
        g_free(data->description);
        g_free(data->name);
        g_free(data);
}

int network_job_new(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                    NetworkJob *owned, Job **ret, Error *ret_error) {
        Network *network = owned->network;
        g_autoptr(Job) job = NULL;
        int r;

        r = job_new(m, operation, caller.uid, steps, owned, network_job_free, &job, ret_error);
        if (r >= 0)
                r = job_lock(job, &network->object, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job->cancelable = false;
        job_add_subject(job, OBJECT_NETWORK, network->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

int network_bring_up(Manager *m, Network *network, Job **ret, Error *ret_error) {
        return network_job_new(m, "network-start", CALLER_SERVICE, bring_up_steps,
                               network_job_data(network), ret, ret_error);
}

int step_wait_for_network(Job *job, const char *name, Error *ret_error) {
        Network *network;
        Job *other;
        int r;

        r = manager_get(job->manager, OBJECT_NETWORK, name, (Object **) &network, ret_error);
        if (r < 0)
                return r;
        if (network->state == NETWORK_UP)
                return JOB_STEP_DONE;
        other = manager_get_lock(job->manager, &network->object);
        if (other)
                return job_wait_for(job, other);
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "Network \"%s\" is %s; see the service's log for the reason", name,
                         network_state_to_string(network->state));
}

/* --- creating --- */

int step_network_record(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        return manager_save(job->manager, &data->network->object, ret_error);
}

int step_network_forget(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        Network *network = TAKE_PTR(data->network);
        int r;

        r = manager_forget(job->manager, OBJECT_NETWORK, network->object.name, ret_error);
        if (r < 0)
                return r;
        manager_remove(job->manager, &network->object);
        return 0;
}

/* "auto" becomes an address for good, and NAT is on where it was not spoken of. */
static void settle_family(GVariantBuilder *set, GVariant *config, GVariant *picked,
                          const char *address_key, const char *nat_key) {
        const char *address = config_get(config, address_key), *value;

        if (address && !g_str_equal(address, "auto"))
                return;
        if (!g_variant_lookup(picked, address_key, "&s", &value))
                value = "none";
        g_variant_builder_add(set, "{ss}", address_key, value);
        if (!config_get(config, nat_key) && !g_str_equal(value, "none"))
                g_variant_builder_add(set, "{ss}", nat_key, "true");
}

/* The configuration without "auto", checked. */
static int settle(const Network *network, GVariant *config, GVariant *picked, GVariant **ret,
                  Error *ret_error) {
        g_autoptr(GVariant) set = NULL, settled = NULL;
        g_auto(NetworkOptions) options = { 0 };
        GVariantBuilder builder;
        int r;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        settle_family(&builder, config, picked, "ipv4.address", "ipv4.nat");
        settle_family(&builder, config, picked, "ipv6.address", "ipv6.nat");
        set = g_variant_ref_sink(g_variant_builder_end(&builder));
        settled = config_merge(config, set, NULL);
        r = network_options_read(network->type, settled, &options, ret_error);
        if (r >= 0)
                *ret = TAKE_PTR(settled);
        return r;
}

static int pick_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        NetworkJob *data = job->data;
        Network *network = data->network;
        GVariant **place = network->trial ? &network->trial : &network->config;
        g_autoptr(GVariant) settled = NULL;
        int r = settle(network, *place, result, &settled, ret_error);

        if (r < 0)
                return r;
        g_variant_unref(*place);
        *place = TAKE_PTR(settled);
        return network->trial ? 0 : manager_save(job->manager, &network->object, ret_error);
}

static bool wants_auto(const Network *network, const char *key) {
        const char *value = config_get(network_get_config(network), key);

        return !value || g_str_equal(value, "auto");
}

int step_network_pick(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        bool ipv4 = wants_auto(data->network, "ipv4.address");
        bool ipv6 = wants_auto(data->network, "ipv6.address");
        GVariantDict args;

        if (data->network->type != NETWORK_BRIDGE || (!ipv4 && !ipv6))
                return JOB_STEP_DONE;
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "ipv4", "b", ipv4);
        g_variant_dict_insert(&args, "ipv6", "b", ipv6);
        return job_run_worker(job, OPERATION_NETWORK_PICK, g_variant_dict_end(&args), NULL, 0,
                              pick_done, ret_error);
}

/* Without this one's rules: it is being deleted by then. */
static int create_firewall_undo(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        data->network->state = NETWORK_DELETING;
        return step_firewall(job, ret_error);
}

static int create_commit(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        int r;

        data->network->state = NETWORK_UP;
        r = manager_save(job->manager, &data->network->object, ret_error);
        manager_changed(job->manager, &data->network->object);
        return r;
}

static const JobStep create_steps[] = {
        { NULL, step_network_record, step_network_forget },
        { "Picking addresses", step_network_pick, NULL },
        { "Making the bridge", step_network_up, step_network_down },
        { "Setting the firewall", step_firewall, create_firewall_undo },
        { NULL, create_commit, NULL },
        { NULL },
};

int network_create_privilege(const NetworkCreate *args, PrivilegeChange *ret, Error *ret_error) {
        g_autoptr(GVariant) config = config_merge(args->config, NULL, NULL);
        g_autoptr(GVariant) devices = devices_empty();
        NetworkType type = network_type_from_string(args->type);
        g_auto(NetworkOptions) options = { 0 };
        int r;

        if (type == _NETWORK_TYPE_INVALID)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "There is no network type \"%.32s\", only \"bridge\", "
                                 "\"macvlan\" and \"physical\"", args->type);
        r = config_check(args->config, NULL, CONFIG_SCOPE_NETWORK, ret_error);
        if (r >= 0)
                r = network_options_read(type, config, &options, ret_error);
        if (r >= 0)
                privilege_compare(NULL, NULL, config, devices, ret);
        return r;
}

int network_create(Manager *m, Caller caller, const NetworkCreate *args, Job **ret,
                   Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_autoptr(Network) network = NULL;
        NetworkJob *data;
        int r;

        r = name_check(NAME_NETWORK, args->name, ret_error);
        if (r >= 0)
                r = network_create_privilege(args, &needed, ret_error);
        if (r >= 0)
                r = caller_check(caller, &needed, args->name, ret_error);
        if (r >= 0)
                r = manager_check_free(m, OBJECT_NETWORK, args->name, ret_error);
        if (r < 0)
                return r;
        network = network_new(args->name, caller.uid);
        network->state = NETWORK_CREATING;
        network->type = network_type_from_string(args->type);
        g_variant_unref(network->config);
        network->config = config_merge(args->config, NULL, NULL);
        if (args->description) {
                g_free(network->description);
                network->description = g_strdup(args->description);
        }
        data = network_job_data(network);
        data->strict = true;
        r = network_job_new(m, "network-create", caller, create_steps, data, ret, ret_error);
        if (r < 0)
                return r;
        manager_add(m, &TAKE_PTR(network)->object);
        return 0;
}

/* --- deleting --- */

static int delete_mark(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        int r;

        data->network->state = NETWORK_DELETING;
        r = manager_save(job->manager, &data->network->object, ret_error);
        manager_changed(job->manager, &data->network->object);
        return r;
}

static const JobStep delete_steps[] = {
        { NULL, delete_mark, NULL },
        { "Removing the bridge", step_network_down, NULL, .again = true },
        { "Setting the firewall", step_firewall, NULL },
        { NULL, step_network_forget, NULL },
        { NULL },
};

int network_delete(Manager *m, Caller caller, Network *network, Job **ret, Error *ret_error) {
        int r = usage_check_none(m, &network->object, ret_error);

        if (r < 0)
                return r;
        return network_job_new(m, "network-delete", caller, delete_steps,
                               network_job_data(network), ret, ret_error);
}
