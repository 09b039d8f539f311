/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/network/network-call.h"

#include <unistd.h>

#include "service/worker/operations.h"
#include "tests/network/room.h"

/* Sets what it was given; without a default route, busybox has nothing that would do so. */
static const char lease_script[] =
        "#!/bin/sh\n"
        "[ \"$1\" = bound ] || exit 0\n"
        "date +%s%N >/run/bound.$interface\n"
        "ip addr flush dev $interface scope global\n"
        "ip addr add $ip/$mask dev $interface\n"
        "ip route replace default via $router\n"
        "echo $hostname >/run/hostname.$interface\n";

static WorkerClient *call(const char *operation, GVariant *args) {
        WorkerClient *client = worker_client_start(WORKER_NETWORK, operation, args, NULL, 0);

        worker_client_finish(client);
        return client;
}

static GVariant *config_of(const Network *network, bool nat) {
        g_autofree char *mtu = network->mtu > 0 ? g_strdup_printf("%u", network->mtu) : NULL;
        const char *forward = network->forward ? "true" : "false";
        const char *const pairs[][2] = {
                { "ipv4.address", network->ipv4 },  { "ipv6.address", network->ipv6 },
                { "bridge.mtu", mtu },              { "dns.domain", network->domain },
                { "ipv4.routing", forward },        { "ipv6.routing", forward },
                { "ipv4.nat", nat ? "true" : NULL }, { "ipv6.nat", nat ? "true" : NULL },
        };
        GVariantBuilder config;

        g_variant_builder_init(&config, (const GVariantType *) "a{ss}");
        for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
                if (pairs[i][1])
                        g_variant_builder_add(&config, "{ss}", pairs[i][0], pairs[i][1]);
        for (const char *const *extra = network->extra; extra && *extra; extra += 2)
                g_variant_builder_add(&config, "{ss}", extra[0], extra[1]);
        return g_variant_builder_end(&config);
}

WorkerClient *network_try_up(const Network *network) {
        GVariantDict args;

        g_assert_cmpint(g_mkdir_with_parents("/run/leases", 0700), ==, 0);
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", network->name);
        g_variant_dict_insert_value(&args, "config", config_of(network, false));
        g_variant_dict_insert(&args, "strict", "b", TRUE);
        g_variant_dict_insert(&args, "run-dir", "s", network->run_dir);
        g_variant_dict_insert(&args, "lease-file", "s", network->lease_file);
        return call(OPERATION_NETWORK_UP, g_variant_dict_end(&args));
}

WorkerClient *network_try_down(const Network *network) {
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", network->name);
        g_variant_dict_insert(&args, "run-dir", "s", network->run_dir);
        g_variant_dict_insert(&args, "lease-file", "s", network->lease_file);
        return call(OPERATION_NETWORK_DOWN, g_variant_dict_end(&args));
}

WorkerClient *network_try_firewall(const Network *network, bool nat) {
        GVariantBuilder list;
        GVariantDict args;

        g_variant_builder_init(&list, (const GVariantType *) "a(sa{ss})");
        if (network)
                g_variant_builder_add(&list, "(s@a{ss})", network->name, config_of(network, nat));
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "generation", "t", (guint64) g_get_monotonic_time());
        g_variant_dict_insert(&args, "lock-file", "s", "/run/firewall");
        g_variant_dict_insert_value(&args, "networks", g_variant_builder_end(&list));
        g_variant_dict_insert_value(&args, "nics",
                                    g_variant_parse((const GVariantType *) "aa{ss}",
                                                    network && network->nics ? network->nics : "[]",
                                                    NULL, NULL, NULL));
        g_variant_dict_insert_value(&args, "translations",
                                    g_variant_new_array((const GVariantType *) "(ssqqsq)", NULL,
                                                        0));
        return call(OPERATION_NETWORK_FIREWALL, g_variant_dict_end(&args));
}

static GVariant *nics_of(const char *text) {
        return g_variant_parse((const GVariantType *) "aa{ss}", text, NULL, NULL, NULL);
}

bool network_guard(const char *remove, const char *add, guint64 generation) {
        g_autoptr(WorkerClient) client = NULL;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "generation", "t",
                              generation > 0 ? generation : (guint64) g_get_monotonic_time());
        g_variant_dict_insert(&args, "lock-file", "s", "/run/firewall");
        g_variant_dict_insert_value(&args, "remove", nics_of(remove));
        g_variant_dict_insert_value(&args, "add", nics_of(add));
        client = call(OPERATION_NETWORK_GUARD, g_variant_dict_end(&args));
        return client->result != NULL;
}

WorkerClient *network_try_pick(bool ipv4, bool ipv6) {
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "ipv4", "b", ipv4);
        g_variant_dict_insert(&args, "ipv6", "b", ipv6);
        return call(OPERATION_NETWORK_PICK, g_variant_dict_end(&args));
}

int network_up(const Network *network) {
        g_autoptr(WorkerClient) client = network_try_up(network);
        int pid = -1;

        worker_client_assert_result(client);
        g_assert_true(g_variant_lookup(client->result, "dnsmasq-pid", "i", &pid));
        g_assert_cmpint(client->n_fds, ==, pid > 0);
        return pid;
}

void network_down(const Network *network) {
        g_autoptr(WorkerClient) client = network_try_down(network);

        worker_client_assert_result(client);
}

void network_firewall(const Network *network, bool nat) {
        g_autoptr(WorkerClient) client = network_try_firewall(network, nat);

        worker_client_assert_result(client);
}

void network_firewall_none(void) {
        network_firewall(NULL, false);
}

void network_add_host(const char *client, const char *name) {
        /* Written elsewhere and moved in, so that it is never seen half written. */
        room_run("echo \"$(ip netns exec %s cat /sys/class/net/eth0/address),%s\" >/run/host.%s && "
                 "chmod 644 /run/host.%s && mv /run/host.%s %s/hosts/%s",
                 client, name, name, name, name, RUN_DIR, name);
}

void network_get_lease(const char *client, const char *hostname) {
        g_assert_true(g_file_set_contents_full("/run/lease-script", lease_script, -1,
                                               G_FILE_SET_CONTENTS_NONE, 0755, NULL));
        room_run("ip netns exec %s busybox udhcpc -i eth0 -n -q -f -t 5 -T 1 -s /run/lease-script "
                 "-x hostname:%s >/dev/null 2>&1",
                 client, hostname);
}
