/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/network.h"

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
        network->forwards = forwards_empty();
        return network;
}

Network *network_free(Network *network) {
        if (!network)
                return NULL;

        object_done(&network->object);
        g_free(network->description);
        g_free(network->rename_to);
        g_free(network->error);
        g_clear_pointer(&network->config, g_variant_unref);
        g_clear_pointer(&network->trial, g_variant_unref);
        g_clear_pointer(&network->forwards, g_variant_unref);
        g_clear_pointer(&network->trial_forwards, g_variant_unref);
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
        g_variant_dict_insert(&dict, "type", "s", network_type_to_string(network->type));
        g_variant_dict_insert(&dict, "description", "s", network->description);
        g_variant_dict_insert_value(&dict, "config", network->config);
        g_variant_dict_insert_value(&dict, "forwards", network->forwards);
        if (network->rename_to)
                g_variant_dict_insert(&dict, "rename-to", "s", network->rename_to);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

int network_from_record(const char *name, GVariant *value, Network **ret) {
        g_autoptr(Record) record = record_open(value);
        g_autoptr(Network) network = network_new(name, 0);
        g_autofree char *type = g_strdup("bridge"); /* the only one that older services knew */
        int state;

        if (record_has(record, "type") && record_get_string(record, "type", &type) < 0)
                return -EBADMSG;
        network->type = network_type_from_string(type);
        if (network->type == _NETWORK_TYPE_INVALID ||
            record_get_object(record, &network->object) < 0 ||
            record_get_enum(record, "state", states, _NETWORK_STATE_MAX, &state) < 0 ||
            record_get_string(record, "description", &network->description) < 0 ||
            record_get_variant(record, "config", CONFIG_TYPE, &network->config) < 0)
                return -EBADMSG;
        if (record_has(record, "forwards") &&
            record_get_variant(record, "forwards", FORWARDS_TYPE, &network->forwards) < 0)
                return -EBADMSG;
        (void) record_get_string(record, "rename-to", &network->rename_to);
        network->state = (NetworkState) state;
        *ret = g_steal_pointer(&network);
        return 0;
}

GVariant *network_get_config(const Network *network) {
        return network->trial ?: network->config;
}

GVariant *network_get_forwards(const Network *network) {
        return network->trial_forwards ?: network->forwards;
}

const char *network_get_ipv4(const Network *network) {
        return config_get(network_get_config(network), "ipv4.address") ?: "none";
}

const char *network_get_ipv6(const Network *network) {
        return config_get(network_get_config(network), "ipv6.address") ?: "none";
}

void network_read_options(const Network *network, NetworkOptions *ret) {
        g_autoptr(GVariant) empty = config_empty();

        if (network_options_read(network->type, network_get_config(network), ret, NULL) < 0 &&
            network_options_read(NETWORK_BRIDGE, empty, ret, NULL) < 0)
                g_assert_not_reached();
}

unsigned network_get_mtu(const Network *network) {
        g_auto(NetworkOptions) options = { 0 };

        network_read_options(network, &options);
        return options.mtu;
}
