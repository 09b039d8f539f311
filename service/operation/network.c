/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/network.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/name.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/watch/firewall-watch.h"
#include "service/watch/process-watch.h"
#include "service/worker/operations.h"

/* dnsmasq of one network. */
struct Resolver {
        Manager *manager;
        char *network;
        int pidfd;
        ProcessWatch *watch;
};

typedef struct NetworkJob {
        Network *network; /* locked; NULL once it has been removed */
} NetworkJob;

static char *network_run_dir(Manager *m, const char *name) {
        return g_build_filename(m->run_dir, "networks", name, NULL);
}

static char *network_lease_file(Manager *m, const char *name) {
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

static void on_resolver_end(void *userdata) {
        Resolver *resolver = userdata;
        Manager *m = resolver->manager;
        Network *network = manager_find_network(m, resolver->network);

        log_warning("dnsmasq of network \"%s\" has ended; starting it again.", resolver->network);
        g_hash_table_remove(m->resolvers, resolver->network);
        if (network && network->state == NETWORK_UP && !manager_get_lock(m, &network->object))
                bring_up_again(m, network);
}

static int resolver_new(Manager *m, const char *network, int pidfd) {
        Resolver *resolver = g_new0(Resolver, 1);

        resolver->manager = m;
        resolver->network = g_strdup(network);
        resolver->pidfd = pidfd;
        g_hash_table_replace(m->resolvers, g_strdup(network), resolver);
        return process_watch_new(m->event, pidfd, on_resolver_end, resolver, &resolver->watch);
}

static int open_hosts_dir(Manager *m, const char *network) {
        g_autofree char *run_dir = network_run_dir(m, network);
        g_autofree char *hosts = g_build_filename(run_dir, "hosts", NULL);

        return path_open_dir(hosts);
}

int network_add_host(Manager *m, const char *network, const char *container, const char *device,
                     const char *hwaddr, Error *ret_error) {
        _cleanup_close_ int fd = open_hosts_dir(m, network);
        g_autofree char *file = g_strdup_printf("%s.%s", container, device);
        g_autofree char *line = g_strdup_printf("%s,%s\n", hwaddr, container);
        int r;

        if (fd == -ENOENT) /* a network without addresses has no dnsmasq */
                return 0;
        /* Read by dnsmasq, which is not root. */
        r = fd < 0 ? fd : path_replace_file(fd, file, line, strlen(line), 0644);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot tell network \"%s\" the name of container \"%s\"",
                                       network, container);
        return 0;
}

static bool remove_hosts_of(int dir_fd, const char *container) {
        g_autofree char *prefix = g_strconcat(container, ".", NULL);
        _cleanup_close_ int fd = path_open_beneath(dir_fd, "hosts", O_RDONLY | O_DIRECTORY, 0);
        bool removed = false;
        struct dirent *entry;
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                return false;
        (void) TAKE_FD(fd);
        while ((entry = readdir(d)))
                if (g_str_has_prefix(entry->d_name, prefix))
                        removed |= path_remove_file(dirfd(d), entry->d_name) >= 0;
        (void) closedir(d);
        return removed;
}

void network_remove_hosts(Manager *m, const char *container) {
        GHashTableIter iter;
        Resolver *resolver;

        g_hash_table_iter_init(&iter, m->resolvers);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &resolver)) {
                g_autofree char *path = network_run_dir(m, resolver->network);
                _cleanup_close_ int fd = path_open_dir(path);

                /* dnsmasq sees by itself what comes, but what goes only when told. */
                if (fd >= 0 && remove_hosts_of(fd, container))
                        (void) fd_pidfd_send_signal(resolver->pidfd, SIGHUP);
        }
}

/* --- the firewall, of all networks at once --- */

static int step_firewall(Job *job, Error *ret_error) {
        Manager *m = job->manager;
        GVariantBuilder networks;
        GVariantDict args;
        GHashTableIter iter;
        Network *network;

        g_variant_builder_init(&networks, G_VARIANT_TYPE("a(ssssbb)"));
        g_hash_table_iter_init(&iter, m->objects[OBJECT_NETWORK]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &network))
                if (network->state != NETWORK_DELETING)
                        g_variant_builder_add(&networks, "(ssssbb)", network->object.name,
                                              network_get_ipv4(network), network_get_ipv6(network),
                                              "", network_has_nat(network, "ipv4.nat"),
                                              network_has_nat(network, "ipv6.nat"));
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert_value(&args, "networks", g_variant_builder_end(&networks));
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

/* --- bringing up and down --- */

/* Bridge and dnsmasq. */
static int up_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        NetworkJob *data = job->data;
        gint32 pid;

        if (!g_variant_lookup(result, "dnsmasq-pid", "i", &pid) || (pid > 0) != (n_fds == 1))
                return error_set(ret_error, ERROR_FAILED,
                                 "The network worker's result is incomplete");
        if (pid > 0)
                return resolver_new(job->manager, data->network->object.name, TAKE_FD(fds[0]));
        return 0;
}

static int step_up(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        Network *network = data->network;
        Manager *m = job->manager;
        g_autofree char *run_dir = network_run_dir(m, network->object.name);
        g_autofree char *lease_file = network_lease_file(m, network->object.name);
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", network->object.name);
        g_variant_dict_insert(&args, "ipv4.address", "s", network_get_ipv4(network));
        g_variant_dict_insert(&args, "ipv6.address", "s", network_get_ipv6(network));
        g_variant_dict_insert(&args, "mtu", "u", network_get_mtu(network));
        g_variant_dict_insert(&args, "forward4", "b", network_has_nat(network, "ipv4.nat"));
        g_variant_dict_insert(&args, "forward6", "b", network_has_nat(network, "ipv6.nat"));
        g_variant_dict_insert(&args, "dns-domain", "s", network_get_domain(network));
        g_variant_dict_insert(&args, "run-dir", "s", run_dir);
        g_variant_dict_insert(&args, "lease-file", "s", lease_file);
        return job_run_worker(job, OPERATION_NETWORK_UP, g_variant_dict_end(&args), NULL, 0,
                              up_done, ret_error);
}

static int step_down(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        const char *name = data->network->object.name;
        Manager *m = job->manager;
        g_autofree char *run_dir = network_run_dir(m, name);
        g_autofree char *lease_file = network_lease_file(m, name);
        GVariantDict args;

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
        manager_changed(job->manager, &data->network->object);
        log_error("Network \"%s\" cannot be brought up: %s", data->network->object.name,
                  job->error.message);
        return JOB_STEP_DONE;
}

static const JobStep bring_up_steps[] = {
        { "Bringing up the network", step_up, step_up_failed },
        { "Setting the firewall", step_firewall, NULL },
        { NULL, step_up_told, NULL },
        { NULL },
};

static int new_job(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                   Network *network, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        NetworkJob *data = g_new0(NetworkJob, 1);
        int r;

        data->network = network;
        r = job_new(m, operation, caller.uid, steps, data, g_free, &job, ret_error);
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
        return new_job(m, "network-start", CALLER_SERVICE, bring_up_steps, network, ret, ret_error);
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

static int create_record(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;

        return manager_save(job->manager, &data->network->object, ret_error);
}

static int create_record_undo(Job *job, Error *ret_error) {
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

static int pick_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        NetworkJob *data = job->data;
        Network *network = data->network;
        g_autoptr(GVariant) old = network->config, set = NULL;
        GVariantBuilder builder;
        int r;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        settle_family(&builder, old, result, "ipv4.address", "ipv4.nat");
        settle_family(&builder, old, result, "ipv6.address", "ipv6.nat");
        set = g_variant_ref_sink(g_variant_builder_end(&builder));
        network->config = config_merge(old, set, NULL);
        r = config_check(network->config, NULL, CONFIG_SCOPE_NETWORK, ret_error);
        if (r < 0)
                return r;
        return manager_save(job->manager, &network->object, ret_error);
}

static bool wants_auto(const Network *network, const char *key) {
        const char *value = config_get(network->config, key);

        return !value || g_str_equal(value, "auto");
}

static int create_pick(Job *job, Error *ret_error) {
        NetworkJob *data = job->data;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "ipv4", "b", wants_auto(data->network, "ipv4.address"));
        g_variant_dict_insert(&args, "ipv6", "b", wants_auto(data->network, "ipv6.address"));
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
        { NULL, create_record, create_record_undo },
        { "Picking addresses", create_pick, NULL },
        { "Making the bridge", step_up, step_down },
        { "Setting the firewall", step_firewall, create_firewall_undo },
        { NULL, create_commit, NULL },
        { NULL },
};

int network_create(Manager *m, Caller caller, const NetworkCreate *args, Job **ret,
                   Error *ret_error) {
        g_autoptr(Network) network = NULL;
        int r;

        r = name_check(NAME_NETWORK, args->name, ret_error);
        if (r >= 0 && !g_str_equal(args->type, "bridge"))
                r = error_set(ret_error, ERROR_NOT_SUPPORTED,
                              "There is no network type \"%.32s\", only \"bridge\"", args->type);
        if (r >= 0)
                r = config_check(args->config, NULL, CONFIG_SCOPE_NETWORK, ret_error);
        if (r >= 0)
                r = manager_check_free(m, OBJECT_NETWORK, args->name, ret_error);
        if (r < 0)
                return r;
        network = network_new(args->name, caller.uid);
        network->state = NETWORK_CREATING;
        g_variant_unref(network->config);
        network->config = config_merge(args->config, NULL, NULL);
        if (args->description) {
                g_free(network->description);
                network->description = g_strdup(args->description);
        }
        r = new_job(m, "network-create", caller, create_steps, network, ret, ret_error);
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
        { "Removing the bridge", step_down, NULL },
        { "Setting the firewall", step_firewall, NULL },
        { NULL, create_record_undo, NULL },
        { NULL },
};

int network_delete(Manager *m, Caller caller, Network *network, Job **ret, Error *ret_error) {
        int r = usage_check_none(m, &network->object, ret_error);

        if (r < 0)
                return r;
        return new_job(m, "network-delete", caller, delete_steps, network, ret, ret_error);
}
