/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/host-network.h"

#include <net/if.h>
#include <netinet/in.h>

#include "service/bus/bus.h"
#include "service/bus/message.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"

#define RESOLVED_NAME "org.freedesktop.resolve1"
#define RESOLVED_PATH "/org/freedesktop/resolve1"
#define RESOLVED_INTERFACE "org.freedesktop.resolve1.Manager"
#define FIREWALLD_NAME "org.fedoraproject.FirewallD1"
#define FIREWALLD_PATH "/org/fedoraproject/FirewallD1"
#define FIREWALLD_INTERFACE "org.fedoraproject.FirewallD1.zone"
#define FIREWALLD_ZONE "trusted"
#define TIMEOUT_USEC (25 * G_USEC_PER_SEC)

static const char *const matches[] = {
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
        "member='NameOwnerChanged',arg0='" RESOLVED_NAME "'",
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
        "member='NameOwnerChanged',arg0='" FIREWALLD_NAME "'",
        "type='signal',sender='" FIREWALLD_NAME "',path='" FIREWALLD_PATH "',"
        "interface='" FIREWALLD_NAME "',member='Reloaded'",
};

struct HostNetwork {
        sd_bus *bus;
        Manager *manager;
        GHashTable *told; /* name of a network -> what was said of it last, as text */
        sd_bus_slot *slots[G_N_ELEMENTS(matches)];
};

/* --- saying it --- */

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const sd_bus_error *e = sd_bus_message_get_error(m);

        if (e)
                log_debug("%s", e->message ?: e->name);
        return 0;
}

/* `args`: a tuple, floating. */
static void say(HostNetwork *host, const char *name, const char *path, const char *interface,
                const char *member, GVariant *args) {
        g_autoptr(GVariant) body = g_variant_ref_sink(args);
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        r = sd_bus_message_new_method_call(host->bus, &m, name, path, interface, member);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = message_append_body(m, body, NULL);
        if (r >= 0)
                r = sd_bus_call_async(host->bus, NULL, m, on_reply, NULL, TIMEOUT_USEC);
        if (r < 0)
                log_debug("Cannot call %s: %s", member, g_strerror(-r));
}

static void say_resolved(HostNetwork *host, const char *member, GVariant *args) {
        say(host, RESOLVED_NAME, RESOLVED_PATH, RESOLVED_INTERFACE, member, args);
}

static GVariant *servers_of(const NetworkOptions *options) {
        const Subnet *subnets[] = { &options->ipv4.subnet, &options->ipv6.subnet };
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(iay)"));
        for (size_t i = 0; i < ELEMENTSOF(subnets); i++)
                if (subnets[i]->family != AF_UNSPEC)
                        g_variant_builder_add(
                                &builder, "(i@ay)", (gint32) subnets[i]->family,
                                g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, subnets[i]->bytes,
                                                          subnet_size(subnets[i]), 1));
        return g_variant_builder_end(&builder);
}

/* Only names in the domain are asked there ("~berth"): what else the host wants to know is none of
 * the containers' business. */
static void tell_resolved(HostNetwork *host, gint32 index, const NetworkOptions *options) {
        bool has_names = options->dns_mode != NETWORK_DNS_NONE &&
                         (options->ipv4.subnet.family != AF_UNSPEC ||
                          options->ipv6.subnet.family != AF_UNSPEC);

        if (!has_names) {
                say_resolved(host, "RevertLink", g_variant_new("(i)", index));
                return;
        }
        say_resolved(host, "SetLinkDNS", g_variant_new("(i@a(iay))", index, servers_of(options)));
        say_resolved(host, "SetLinkDomains",
                     g_variant_new_parsed("(%i, [(%s, true)])", index, options->domain));
        say_resolved(host, "SetLinkDefaultRoute", g_variant_new("(ib)", index, FALSE));
        say_resolved(host, "SetLinkDNSSEC", g_variant_new("(is)", index, "no"));
}

static void tell_firewalld(HostNetwork *host, const char *member, const char *interface) {
        say(host, FIREWALLD_NAME, FIREWALLD_PATH, FIREWALLD_INTERFACE, member,
            g_variant_new("(ss)", FIREWALLD_ZONE, interface));
}

void host_network_changed(HostNetwork *host, const Network *network) {
        const char *name = network->object.name, *told;
        unsigned index = network->type == NETWORK_BRIDGE ? if_nametoindex(name) : 0;
        g_auto(NetworkOptions) options = { 0 };
        g_autofree char *text = NULL;

        if (network->state != NETWORK_UP || index == 0)
                return;
        network_read_options(network, &options);
        text = g_strdup_printf("%u %s %s %d %s", index, network_get_ipv4(network),
                               network_get_ipv6(network), options.dns_mode, options.domain);
        told = g_hash_table_lookup(host->told, name);
        if (told && g_str_equal(told, text))
                return;
        g_hash_table_replace(host->told, g_strdup(name), TAKE_PTR(text));
        tell_resolved(host, (gint32) index, &options);
        tell_firewalld(host, "changeZoneOfInterface", name);
}

/* resolved forgets a link that goes by itself. */
void host_network_removed(HostNetwork *host, const Network *network) {
        if (g_hash_table_remove(host->told, network->object.name))
                tell_firewalld(host, "removeInterface", network->object.name);
}

/* --- saying it again --- */

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        HostNetwork *host = userdata;
        GHashTableIter iter;
        Network *network;

        g_hash_table_remove_all(host->told);
        g_hash_table_iter_init(&iter, host->manager->objects[OBJECT_NETWORK]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &network))
                host_network_changed(host, network);
        return 0;
}

int host_network_new(sd_bus *bus, Manager *manager, HostNetwork **ret) {
        g_autoptr(HostNetwork) host = g_new0(HostNetwork, 1);

        host->bus = sd_bus_ref(bus);
        host->manager = manager;
        host->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        for (size_t i = 0; i < ELEMENTSOF(matches); i++) {
                int r = sd_bus_add_match_async(bus, &host->slots[i], matches[i], on_signal, NULL,
                                               host);

                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(host);
        return 0;
}

HostNetwork *host_network_free(HostNetwork *host) {
        if (!host)
                return NULL;

        for (size_t i = 0; i < ELEMENTSOF(host->slots); i++)
                sd_bus_slot_unref(host->slots[i]);
        g_clear_pointer(&host->told, g_hash_table_unref);
        sd_bus_unref(host->bus);
        g_free(host);
        return NULL;
}
