/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/network.h"

#include <errno.h>
#include <netinet/in.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/network/bridge.h"
#include "service/worker/network/dnsmasq.h"
#include "service/worker/network/subnet.h"
#include "service/worker/network/word.h"

/* What IPv4 (RFC 791) and IPv6 (RFC 8200) ask of a link, and what Linux can give. */
#define MTU_MIN 68U
#define MTU_MIN_IPV6 1280U
#define MTU_MAX 65535U

typedef struct NetworkConfig {
        const char *name;
        Subnet ipv4, ipv6;
        unsigned mtu;
        bool forward4, forward6;
        const char *domain, *run_dir, *lease_file;
} NetworkConfig;

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

static int get_subnet(Worker *worker, const char *key, int family, Subnet *ret, Error *ret_error) {
        const char *text;
        int r;

        r = worker_get_string(worker, key, &text, ret_error);
        if (r < 0)
                return r;
        return subnet_parse(text, family, ret, ret_error);
}

static int get_mtu(Worker *worker, NetworkConfig *config, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        unsigned mtu, least = config->ipv6.family == AF_UNSPEC ? MTU_MIN : MTU_MIN_IPV6;
        int r;

        r = worker_get_variant(worker, "mtu", "u", &value, ret_error);
        if (r < 0)
                return r;
        mtu = g_variant_get_uint32(value);
        if (mtu != 0 && (mtu < least || mtu > MTU_MAX))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The MTU of network %s cannot be %u; use one of %u to %u",
                                 config->name, mtu, least, MTU_MAX);
        config->mtu = mtu;
        return 0;
}

static int get_config(Worker *worker, NetworkConfig *ret, Error *ret_error) {
        NetworkConfig config = { 0 };
        int r;

        r = get_name(worker, &config.name, ret_error);
        if (r >= 0)
                r = get_subnet(worker, "ipv4.address", AF_INET, &config.ipv4, ret_error);
        if (r >= 0)
                r = get_subnet(worker, "ipv6.address", AF_INET6, &config.ipv6, ret_error);
        if (r >= 0)
                r = get_mtu(worker, &config, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "forward4", &config.forward4, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "forward6", &config.forward6, ret_error);
        if (r >= 0)
                r = get_path(worker, "run-dir", &config.run_dir, ret_error);
        if (r >= 0)
                r = get_path(worker, "lease-file", &config.lease_file, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "dns-domain", &config.domain, ret_error);
        if (r < 0)
                return r;
        if (config.domain[0] && !word_is_domain(config.domain))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "dns.domain of network %s is no domain: \"%s\"", config.name,
                                 config.domain);
        *ret = config;
        return 0;
}

static int set_forwarding(const NetworkConfig *config, Error *ret_error) {
        int r;

        if (config->forward4 && config->ipv4.family != AF_UNSPEC) {
                r = bridge_forward(config->name, AF_INET, ret_error);
                if (r < 0)
                        return r;
        }
        if (config->forward6 && config->ipv6.family != AF_UNSPEC)
                return bridge_forward(config->name, AF_INET6, ret_error);
        return 0;
}

static int set_dnsmasq(const NetworkConfig *config, BridgeChange change, pid_t *ret_pid,
                       int *ret_pidfd, Error *ret_error) {
        const DnsmasqConfig dnsmasq = {
                .interface = config->name,
                .ipv4 = config->ipv4,
                .ipv6 = config->ipv6,
                .mtu = config->mtu,
                .domain = config->domain,
                .run_dir = config->run_dir,
                .lease_file = config->lease_file,
        };

        if (config->ipv4.family == AF_UNSPEC && config->ipv6.family == AF_UNSPEC) {
                *ret_pid = 0;
                return dnsmasq_stop(config->run_dir, ret_error);
        }
        /* Sockets that were bound to an interface or address do not follow to its successor. */
        return dnsmasq_ensure(&dnsmasq, change != BRIDGE_UNCHANGED, ret_pid, ret_pidfd, ret_error);
}

int network_up_operation(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int pidfd = -EBADF;
        NetworkConfig config = { 0 };
        BridgeConfig bridge;
        BridgeChange change;
        pid_t pid = 0;
        int r;

        r = get_config(worker, &config, ret_error);
        if (r < 0)
                return r;
        bridge = (BridgeConfig) {
                .name = config.name,
                .ipv4 = config.ipv4,
                .ipv6 = config.ipv6,
                .mtu = config.mtu,
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
        const char *name, *run_dir, *lease_file;
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
