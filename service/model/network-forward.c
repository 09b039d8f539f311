/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/network-forward.h"

#include <netinet/in.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/subnet.h"
#include "service/util/cleanup.h"

#define FORWARDS_MAX 256U
#define PORTS_MAX 256U
#define TEXT_MAX 1024U
#define KEY_TARGET "target_address"

typedef GArray Ports;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Ports, g_array_unref)

/* --- as a dictionary --- */

GVariant *forwards_empty(void) {
        return g_variant_ref_sink(g_variant_new_array(g_variant_type_element(FORWARDS_TYPE), NULL,
                                                      0));
}

GVariant *forwards_get(GVariant *forwards, const char *listen) {
        return g_variant_lookup_value(forwards, listen, FORWARD_TYPE);
}

GVariant *forwards_set(GVariant *forwards, const char *listen, GVariant *forward) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *other;
        GVariant *value;

        g_variant_builder_init(&builder, FORWARDS_TYPE);
        g_variant_iter_init(&iter, forwards);
        while (g_variant_iter_next(&iter, "{&s@*}", &other, &value)) {
                if (!g_str_equal(other, listen))
                        g_variant_builder_add(&builder, "{s@*}", other, value);
                g_variant_unref(value);
        }
        if (forward)
                g_variant_builder_add(&builder, "{s@*}", listen, forward);
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

/* --- checking --- */

static int parse_any(const char *text, Subnet *ret) {
        return subnet_parse_address(text, strchr(text, ':') ? AF_INET6 : AF_INET, ret, NULL);
}

int forward_parse_listen(const char *text, char **ret, Error *ret_error) {
        Subnet address;

        if (parse_any(text, &address) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.64s\" is no address of the host that could be forwarded",
                                 text);
        *ret = subnet_address_to_string(&address);
        return 0;
}

static int check_target(const char *target, const Subnet *listen, const NetworkOptions *options,
                        Error *ret_error) {
        const Subnet *subnet = listen->family == AF_INET ? &options->ipv4.subnet
                                                         : &options->ipv6.subnet;
        Subnet address;

        if (parse_any(target, &address) < 0 || address.family != listen->family ||
            !subnet_can_lend(subnet, &address)) {
                g_autofree char *range = subnet_to_string(subnet);

                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "target address \"%.64s\" is none that a container on the network "
                                 "(%s) can have", target, range);
        }
        return 0;
}

static int check_config(GVariant *config, const Subnet *listen, const NetworkOptions *options,
                        Error *ret_error) {
        const char *key, *value;
        GVariantIter iter;
        int r = 0;

        r = config_check_unique(config, "Key", ret_error);
        g_variant_iter_init(&iter, config);
        while (r >= 0 && g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                if (g_str_equal(key, KEY_TARGET))
                        r = check_target(value, listen, options, ret_error);
                else if (!g_str_has_prefix(key, "user.") || strlen(value) > TEXT_MAX ||
                         strlen(key) > TEXT_MAX)
                        r = error_set(ret_error, ERROR_INVALID_CONFIG,
                                      "a forward has no key \"%.64s\", only \"" KEY_TARGET "\" and "
                                      "\"user.\"", key);
        }
        return r;
}

static int parse_ports(const char *text, Ports **ret, Error *ret_error) {
        g_autoptr(Ports) ports = g_array_new(FALSE, FALSE, sizeof(uint16_t));

        if (proxy_ports_parse(text, ports, NULL) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.64s\" is no list of at most %u ports such as 80,8000-8009",
                                 text, PROXY_PORTS_MAX);
        *ret = TAKE_PTR(ports);
        return 0;
}

/* `taken`: "tcp" and "udp" as numbers above those of ports. */
static int check_port(GVariant *port, const Subnet *listen, const NetworkOptions *options,
                      GHashTable *taken, Error *ret_error) {
        const char *protocol, *called, *target, *there, *description;
        g_autoptr(Ports) from = NULL, to = NULL;
        unsigned offset;
        int r;

        g_variant_get(port, "(&s&s&s&s&s)", &protocol, &called, &target, &there, &description);
        if (!g_str_equal(protocol, "tcp") && !g_str_equal(protocol, "udp"))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%.32s\" is neither \"tcp\" nor \"udp\"", protocol);
        offset = g_str_equal(protocol, "tcp") ? 0 : 1U << 16;
        r = parse_ports(called, &from, ret_error);
        if (r >= 0 && *there)
                r = parse_ports(there, &to, ret_error);
        if (r >= 0)
                r = check_target(target, listen, options, ret_error);
        if (r < 0)
                return r;
        if (to && to->len != 1 && to->len != from->len)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "ports %s lead to one port, or to as many", called);
        if (strlen(description) > TEXT_MAX)
                return error_set(ret_error, ERROR_INVALID_CONFIG, "a description is too long");
        for (guint i = 0; i < from->len; i++) {
                unsigned number = g_array_index(from, uint16_t, i);

                if (!g_hash_table_add(taken, GUINT_TO_POINTER(offset + number)))
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "%s port %u is forwarded twice", protocol, number);
        }
        return 0;
}

static int check_one(const char *listen, GVariant *forward, const NetworkOptions *options,
                     Error *ret_error) {
        g_autoptr(GHashTable) taken = g_hash_table_new(NULL, NULL);
        g_autoptr(GVariant) config = NULL, ports = NULL;
        const char *description;
        const Subnet *own;
        Subnet address;
        int r;

        if (parse_any(listen, &address) < 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG, "it is no address");
        own = address.family == AF_INET ? &options->ipv4.subnet : &options->ipv6.subnet;
        if (own->family == address.family && subnet_compare(&address, own) == 0)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "it is the network's own address, which its containers need");
        g_variant_get(forward, "(&s@a{ss}@a(sssss))", &description, &config, &ports);
        if (strlen(description) > TEXT_MAX || g_variant_n_children(ports) > PORTS_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "it has too many ports, or too long a description");
        r = check_config(config, &address, options, ret_error);
        for (size_t i = 0; r >= 0 && i < g_variant_n_children(ports); i++) {
                g_autoptr(GVariant) port = g_variant_get_child_value(ports, i);

                r = check_port(port, &address, options, taken, ret_error);
        }
        return r;
}

int forwards_check(GVariant *forwards, const NetworkOptions *options, Error *ret_error) {
        GVariantIter iter;
        const char *listen;
        GVariant *value;

        if (g_variant_n_children(forwards) > FORWARDS_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "A network has at most %u forwards", FORWARDS_MAX);
        g_variant_iter_init(&iter, forwards);
        while (g_variant_iter_next(&iter, "{&s@*}", &listen, &value)) {
                g_autoptr(GVariant) forward = value;
                int r = check_one(listen, forward, options, ret_error);

                if (r < 0) {
                        error_prefix(ret_error, "Forward of %s", listen);
                        return r;
                }
        }
        return 0;
}

/* --- translating --- */

/* Runs of ports that keep their numbers, or all go to one, are one translation; others are one
 * each. `to` NULL: the same. */
static void translate(GVariantBuilder *translations, const char *protocol, const char *listen,
                      const GArray *from, const char *target, const GArray *to) {
        guint end;

        for (guint i = 0; i < from->len; i = end) {
                uint16_t first = g_array_index(from, uint16_t, i);
                uint16_t there = !to ? 0 : g_array_index(to, uint16_t, to->len == 1 ? 0 : i);
                bool is_run = !to || to->len == 1;

                for (end = i + 1; is_run && end < from->len; end++)
                        if (g_array_index(from, uint16_t, end) != first + (end - i))
                                break;
                g_variant_builder_add(translations, "(ssqqsq)", protocol, listen, first,
                                      g_array_index(from, uint16_t, end - 1), target, there);
        }
}

void forwards_translate(GVariant *forwards, GVariantBuilder *translations) {
        GVariantIter iter;
        const char *listen;
        GVariant *value;

        g_variant_iter_init(&iter, forwards);
        while (g_variant_iter_next(&iter, "{&s@*}", &listen, &value)) {
                g_autoptr(GVariant) forward = value, config = NULL, ports = NULL;
                const char *target;

                g_variant_get(forward, "(s@a{ss}@a(sssss))", NULL, &config, &ports);
                for (size_t i = 0; i < g_variant_n_children(ports); i++) {
                        g_autoptr(Ports) from = NULL, to = NULL;
                        const char *protocol, *called, *address, *there;

                        g_variant_get_child(ports, i, "(&s&s&s&ss)", &protocol, &called, &address,
                                            &there, NULL);
                        if (parse_ports(called, &from, NULL) >= 0 &&
                            (!*there || parse_ports(there, &to, NULL) >= 0))
                                translate(translations, protocol, listen, from, address, to);
                }
                target = config_get(config, KEY_TARGET);
                if (target)
                        g_variant_builder_add(translations, "(ssqqsq)", "", listen, 0, 0, target,
                                              0);
        }
}

void proxy_translate(GVariant *options, const char *const *targets,
                     GVariantBuilder *translations) {
        g_auto(ProxyAddress) from = { 0 }, to = { 0 };
        Subnet listen, target;
        g_autofree char *listen_text = NULL, *target_text = NULL;

        if (proxy_address_parse(config_get(options, "listen"), &from, NULL) < 0 ||
            proxy_address_parse(config_get(options, "connect"), &to, NULL) < 0 ||
            parse_any(from.host, &listen) < 0 || parse_any(to.host, &target) < 0)
                return;
        listen_text = subnet_address_to_string(&listen);
        target_text = subnet_address_to_string(&target);
        if (g_strv_contains(targets, target_text))
                translate(translations, from.protocol == PROXY_TCP ? "tcp" : "udp", listen_text,
                          from.ports, target_text, to.ports);
}
