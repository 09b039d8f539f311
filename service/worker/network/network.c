/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/network.h"

#include <errno.h>
#include <netinet/in.h>

#include "service/model/network-options.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/network/bridge.h"
#include "service/worker/network/dnsmasq.h"
#include "service/worker/network/word.h"

typedef struct NetworkConfig {
        const char *name;
        NetworkOptions options;
        bool strict;
        const char *run_dir, *lease_file;
} NetworkConfig;

static void network_config_done(NetworkConfig *config) {
        network_options_done(&config->options);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NetworkConfig, network_config_done)

static int get_name(Worker *worker, const char **ret, Error *ret_error) {
        const char *name;
        int r;

        r = worker_get_string(worker, "name", &name, ret_error);
        if (r < 0)
                return r;
        r = word_check_network(name, ret_error);
        if (r < 0)
                return r;
        *ret = name;
        return 0;
}

static int get_path(Worker *worker, const char *key, const char **ret, Error *ret_error) {
        const char *path;
        int r;

        r = worker_get_string(worker, key, &path, ret_error);
        if (r < 0)
                return r;
        if (!word_is_plain_path(path))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Worker argument \"%s\" is no plain absolute path: \"%s\"", key,
                                 path);
        *ret = path;
        return 0;
}

static int get_config(Worker *worker, NetworkConfig *config, Error *ret_error) {
        g_autoptr(GVariant) keys = NULL;
        int r;

        r = get_name(worker, &config->name, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "config", "a{ss}", &keys, ret_error);
        if (r >= 0)
                r = network_options_read(NETWORK_BRIDGE, keys, &config->options, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "strict", &config->strict, ret_error);
        if (r >= 0)
                r = get_path(worker, "run-dir", &config->run_dir, ret_error);
        if (r >= 0)
                r = get_path(worker, "lease-file", &config->lease_file, ret_error);
        return r;
}

static int set_forwarding(const NetworkConfig *config, Error *ret_error) {
        const NetworkFamily *families[] = { &config->options.ipv4, &config->options.ipv6 };
        static const int numbers[] = { AF_INET, AF_INET6 };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(families); i++) {
                if (families[i]->subnet.family == AF_UNSPEC)
                        continue;
                r = families[i]->routing ? bridge_forward(config->name, numbers[i], ret_error)
                                         : bridge_forward_not(config->name, numbers[i], ret_error);
        }
        return r;
}

static int set_dnsmasq(const NetworkConfig *config, BridgeChange change, pid_t *ret_pid,
                       int *ret_pidfd, Error *ret_error) {
        const DnsmasqConfig dnsmasq = {
                .interface = config->name,
                .options = &config->options,
                .run_dir = config->run_dir,
                .lease_file = config->lease_file,
        };

        if (config->options.ipv4.subnet.family == AF_UNSPEC &&
            config->options.ipv6.subnet.family == AF_UNSPEC) {
                *ret_pid = 0;
                return dnsmasq_stop(config->run_dir, ret_error);
        }
        /* Sockets that were bound to an interface or address do not follow to its successor. */
        return dnsmasq_ensure(&dnsmasq, change != BRIDGE_UNCHANGED, ret_pid, ret_pidfd, ret_error);
}

int network_up_operation(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int pidfd = -EBADF;
        g_auto(NetworkConfig) config = { 0 };
        BridgeConfig bridge;
        BridgeChange change;
        pid_t pid = 0;
        int r;

        r = get_config(worker, &config, ret_error);
        if (r < 0)
                return r;
        bridge = (BridgeConfig) {
                .name = config.name,
                .options = &config.options,
                .run_dir = config.run_dir,
                .strict = config.strict,
        };
        r = bridge_up(&bridge, &change, ret_error);
        if (r < 0)
                return r;

        r = set_forwarding(&config, ret_error);
        if (r >= 0)
                r = set_dnsmasq(&config, change, &pid, &pidfd, ret_error);
        if (r >= 0 && worker_is_cancelled()) {
                r = worker_cancelled(ret_error);
                if (change == BRIDGE_CREATED)
                        (void) dnsmasq_stop(config.run_dir, NULL);
        }
        if (r < 0) {
                if (change == BRIDGE_CREATED)
                        (void) bridge_down(config.name, NULL);
                return r;
        }

        g_variant_dict_insert(result, "dnsmasq-pid", "i", (int) pid);
        if (pidfd >= 0)
                worker_add_result_fd(worker, TAKE_FD(pidfd));
        return 0;
}

static int remove_lease_file(const char *path, Error *ret_error) {
        g_autofree char *directory = g_path_get_dirname(path), *name = g_path_get_basename(path);
        int r;

        _cleanup_close_ int fd = path_open_dir(directory);
        r = fd < 0 ? fd : path_remove_file(fd, name);
        if (r < 0 && r != -ENOENT)
                return error_set_errno(ret_error, -r, "Cannot remove the lease file %s", path);
        return 0;
}

int network_down_operation(Worker *worker, GVariantDict *result, Error *ret_error) {
        const char *name = NULL, *run_dir = NULL, *lease_file = NULL;
        int r;

        r = get_name(worker, &name, ret_error);
        if (r >= 0)
                r = get_path(worker, "run-dir", &run_dir, ret_error);
        if (r >= 0)
                r = get_path(worker, "lease-file", &lease_file, ret_error);
        if (r < 0)
                return r;

        r = dnsmasq_stop(run_dir, ret_error);
        if (r < 0)
                return r;
        r = bridge_down(name, ret_error);
        if (r < 0)
                return r;
        return remove_lease_file(lease_file, ret_error);
}
