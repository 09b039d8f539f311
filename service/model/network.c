/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/network.h"

#include <arpa/inet.h>
#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/record.h"

static const char *const states[] = {
        [NETWORK_CREATING] = "creating", [NETWORK_DOWN] = "down",   [NETWORK_UP] = "up",
        [NETWORK_DELETING] = "deleting", [NETWORK_ERROR] = "error",
};
G_STATIC_ASSERT(G_N_ELEMENTS(states) == _NETWORK_STATE_MAX);

const char *network_state_to_string(NetworkState state) {
        return states[state];
}

Network *network_new(const char *name, uid_t owner) {
        Network *network = g_new0(Network, 1);

        object_init(&network->object, OBJECT_NETWORK, name, owner);
        network->description = g_strdup("");
        network->config = config_empty();
        return network;
}

Network *network_free(Network *network) {
        if (!network)
                return NULL;

        object_done(&network->object);
        g_free(network->description);
        g_clear_pointer(&network->config, g_variant_unref);
        g_free(network);
        return NULL;
}

GVariant *network_to_record(const Network *network) {
        GVariantDict dict;
        NetworkState state = network->state;

        if (state != NETWORK_CREATING && state != NETWORK_DELETING)
                state = NETWORK_DOWN;
        g_variant_dict_init(&dict, NULL);
        record_put_object(&dict, &network->object);
        g_variant_dict_insert(&dict, "state", "s", states[state]);
        g_variant_dict_insert(&dict, "description", "s", network->description);
        g_variant_dict_insert_value(&dict, "config", network->config);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

int network_from_record(const char *name, GVariant *record, Network **ret) {
        g_autoptr(Network) network = network_new(name, 0);
        int state;

        if (record_get_object(record, &network->object) < 0 ||
            record_get_enum(record, "state", states, _NETWORK_STATE_MAX, &state) < 0 ||
            record_get_string(record, "description", &network->description) < 0 ||
            record_get_variant(record, "config", CONFIG_TYPE, &network->config) < 0)
                return -EBADMSG;
        network->state = (NetworkState) state;
        *ret = g_steal_pointer(&network);
        return 0;
}

const char *network_get_ipv4(const Network *network) {
        return config_get(network->config, "ipv4.address") ?: "none";
}

const char *network_get_ipv6(const Network *network) {
        return config_get(network->config, "ipv6.address") ?: "none";
}

bool network_has_nat(const Network *network, const char *key) {
        const char *value = config_get(network->config, key);
        bool nat = false;

        return value && config_parse_boolean(value, &nat) >= 0 && nat;
}

const char *network_get_domain(const Network *network) {
        return config_get(network->config, "dns.domain") ?: "berth";
}

unsigned network_get_mtu(const Network *network) {
        const char *value = config_get(network->config, "bridge.mtu");
        guint64 mtu = 0;

        if (value)
                (void) g_ascii_string_to_unsigned(value, 10, 0, 65535, &mtu, NULL);
        return (unsigned) mtu;
}

static int check_cidr(int family, const char *value, unsigned min, unsigned max,
                      const char *example, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(value, "/", 2);
        unsigned char address[sizeof(struct in6_addr)];
        guint64 prefix;

        if (g_str_equal(value, "auto") || g_str_equal(value, "none"))
                return 0;
        if (!parts[0] || !parts[1] || inet_pton(family, parts[0], address) != 1 ||
            !g_ascii_string_to_unsigned(parts[1], 10, min, max, &prefix, NULL))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.64s\" is not \"auto\", \"none\" or an address with a prefix "
                                 "length of %u to %u such as %s", value, min, max, example);
        return 0;
}

int network_check_ipv4(const char *value, Error *ret_error) {
        return check_cidr(AF_INET, value, 8, 30, "10.61.3.1/24", ret_error);
}

int network_check_ipv6(const char *value, Error *ret_error) {
        /* Addresses are made by SLAAC, which wants 64 bits for itself. */
        return check_cidr(AF_INET6, value, 64, 64, "fd42:61:3::1/64", ret_error);
}

int network_check_domain(const char *value, Error *ret_error) {
        g_auto(GStrv) labels = g_strsplit(value, ".", -1);
        bool ok = *value && strlen(value) <= 253;

        for (char **label = labels; ok && *label; label++) {
                size_t n = strlen(*label);

                ok = n > 0 && n <= 63 && (*label)[0] != '-' && (*label)[n - 1] != '-' &&
                     strspn(*label, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
        }
        if (!ok)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.64s\" is no domain name in lower case", value);
        return 0;
}
