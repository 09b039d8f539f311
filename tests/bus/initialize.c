/* SPDX-License-Identifier: Apache-2.0 */

/* Manager.Initialize(): a host is set up whole, or not at all, and as often as one likes. */

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/client.h"
#include "tests/bus/harness.h"
#include "tests/bus/world.h"
#include "tests/unit/test.h"

#define POOLS "[{'name': <'fast'>, 'driver': <'btrfs'>, 'config': <{'size': '1GiB'}>}]"
#define NETWORKS "[{'name': <'berthbr0'>, 'description': <'for all'>}]"
#define PROFILES \
        "[{'name': <'default'>, 'devices': <{'root': {'type': 'disk', 'path': '/', 'pool': " \
        "'fast'}, 'eth0': {'type': 'nic', 'network': 'berthbr0'}}>}, {'name': <'web'>}]"

static GVariant *plan_with(const char *pools, const char *networks, const char *profiles,
                           GVariant *options) {
        const char *const texts[] = { pools, networks, profiles };
        GVariant *lists[ELEMENTSOF(texts)];

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                g_autoptr(GError) error = NULL;

                lists[i] = g_variant_parse(G_VARIANT_TYPE("aa{sv}"), texts[i], NULL, NULL, &error);
                g_assert_no_error(error);
        }
        return g_variant_new("(@aa{sv}@aa{sv}@aa{sv}@a{sv})", lists[0], lists[1], lists[2],
                             options);
}

static GVariant *plan(const char *pools, const char *networks, const char *profiles) {
        return plan_with(pools, networks, profiles, no_options());
}

static Call *run(Harness *h, const char *pools, const char *networks, const char *profiles) {
        return client_run_job(h->root, PATH_ROOT, "Manager.Initialize",
                              plan(pools, networks, profiles));
}

static void assert_there(Harness *h, const char *path, const char *property, const char *value) {
        g_autofree char *is = client_get_string(h->root, path, property);

        g_assert_cmpstr(is, ==, value);
}

static void assert_absent(Harness *h, const char *path) {
        g_autoptr(GVariant) name = client_get(h->root, path, "Name");

        g_assert_null(name);
}

TEST(all_of_it_is_made) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) end = run(h, POOLS, NETWORKS, PROFILES), devices = NULL;
        g_autofree char *text = NULL;

        call_assert_ok(end);
        assert_there(h, "/org/berth1/pool/fast", "State", "available");
        assert_there(h, "/org/berth1/network/berthbr0", "Description", "for all");
        assert_there(h, "/org/berth1/profile/web", "Name", "web");
        devices = client_call(h->root, PATH_PROFILE, "Profile.GetDevices",
                              g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(devices);
        text = g_variant_print(devices->body, FALSE);
        g_assert_nonnull(strstr(text, "berthbr0"));
        g_assert_true(harness_has_file(h, "state/pools/fast"));
        g_assert_true(harness_has_file(h, "state/networks/berthbr0"));
}

TEST(again_it_changes_nothing) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) first = run(h, POOLS, NETWORKS, PROFILES), second = NULL;
        g_autoptr(GVariant) before = NULL, after = NULL;

        call_assert_ok(first);
        before = client_get(h->root, "/org/berth1/network/berthbr0", "IPv4Address");
        second = run(h, POOLS, NETWORKS, PROFILES);
        call_assert_ok(second);
        after = client_get(h->root, "/org/berth1/network/berthbr0", "IPv4Address");
        g_assert_true(g_variant_equal(before, after));
}

static void assert_config(Harness *h, const char *path, const char *method, const char *key,
                          const char *value) {
        g_autoptr(Call) call = client_call(h->root, path, method,
                                           g_variant_new("(@a{sv})", no_options()));
        g_autoptr(GVariant) config = NULL;
        const char *is = NULL;

        call_assert_ok(call);
        config = g_variant_get_child_value(call->body, 0);
        (void) g_variant_lookup(config, key, "&s", &is);
        g_assert_cmpstr(is, ==, value);
}

#define NETWORK_CONFIG "/org/berth1/network/berthbr0", "Network.GetConfig"

TEST(what_is_there_gets_what_is_said) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) first = run(h, POOLS, NETWORKS, PROFILES), second = NULL, third = NULL;

        call_assert_ok(first);
        second = run(h, "[{'name': <'fast'>, 'driver': <'btrfs'>, 'config': <{'size': '2GiB'}>}]",
                     "[{'name': <'berthbr0'>, 'type': <''>, 'description': <'for me'>, 'config': "
                     "<{'ipv4.address': '10.5.0.1/24', 'user.x': '1'}>}]", "[]");
        call_assert_ok(second);
        assert_config(h, "/org/berth1/pool/fast", "StoragePool.GetConfig", "size", "2GiB");
        assert_config(h, NETWORK_CONFIG, "ipv4.address", "10.5.0.1/24");
        assert_there(h, "/org/berth1/network/berthbr0", "Description", "for me");
        /* Nobody asked for another one, and what is not said stays. */
        third = run(h, "[]", "[{'name': <'berthbr0'>, 'config': <{'ipv4.address': 'auto'}>}]",
                    "[]");
        call_assert_ok(third);
        assert_config(h, NETWORK_CONFIG, "ipv4.address", "10.5.0.1/24");
        assert_config(h, NETWORK_CONFIG, "user.x", "1");
}

TEST(a_failure_puts_back_what_was_there) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) first = run(h, POOLS, NETWORKS, PROFILES), end = NULL;
        g_autofree char *address = NULL;

        call_assert_ok(first);
        address = client_get_string(h->root, "/org/berth1/network/berthbr0", "IPv4Address");
        end = client_run_job(
                h->root, PATH_ROOT, "Manager.Initialize",
                plan_with("[{'name': <'fast'>, 'driver': <'btrfs'>, 'config': <{'size': '2GiB', "
                          "'volume.size': '1GiB'}>}]",
                          "[{'name': <'berthbr0'>, 'description': <'x'>, 'config': "
                          "<{'ipv4.address': '10.5.0.1/24', 'user.x': '1'}>}]",
                          "[{'name': <'bad'>, 'config': <{'no.such.key': '1'}>}]",
                          options("{'config': <{'images.remote_cache_expiry': '3'}>}")));
        call_assert_error(end, ERROR_INVALID_CONFIG, "no.such.key");
        assert_config(h, NETWORK_CONFIG, "ipv4.address", address);
        assert_config(h, NETWORK_CONFIG, "user.x", NULL);
        assert_there(h, "/org/berth1/network/berthbr0", "Description", "for all");
        assert_config(h, "/org/berth1/pool/fast", "StoragePool.GetConfig", "volume.size", NULL);
        /* That file has grown. */
        assert_config(h, "/org/berth1/pool/fast", "StoragePool.GetConfig", "size", "2GiB");
        assert_config(h, PATH_ROOT, "Manager.GetConfig", "images.remote_cache_expiry", NULL);
}

TEST(what_cannot_be_changed_is_refused) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) first = run(h, POOLS, NETWORKS, PROFILES), smaller = NULL, source = NULL,
                        type = NULL;

        call_assert_ok(first);
        smaller = run(h, "[{'name': <'fast'>, 'driver': <'btrfs'>, 'config': <{'size': "
                         "'512MiB'}>}]", "[]", "[]");
        call_assert_error(smaller, ERROR_INVALID_CONFIG, "smaller");
        source = run(h, "[{'name': <'fast'>, 'driver': <'btrfs'>, 'config': <{'source': "
                        "'/dev/sdx'}>}]", "[]", "[]");
        call_assert_error(source, ERROR_INVALID_CONFIG, "source");
        type = run(h, "[]", "[{'name': <'berthbr0'>, 'type': <'macvlan'>, 'config': <{'parent': "
                            "'eth7'}>}]", "[]");
        call_assert_error(type, ERROR_EXISTS, "of type bridge");
}

/* An administrator who is not root needs another permission for it than this call asks for. */
TEST(the_host_is_roots) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) end = run(h, "[]", "[{'name': <'mac0'>, 'type': <'macvlan'>, 'config': "
                                           "<{'parent': 'eth7'}>}]", "[]");

        call_assert_ok(end);
        assert_there(h, "/org/berth1/network/mac0", "Type", "macvlan");
}

TEST(settings_of_the_service) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) call = NULL, bad = NULL;

        call = client_run_job(h->root, PATH_ROOT, "Manager.Initialize",
                              plan_with("[]", "[]", "[]",
                                        options("{'config': <{'images.remote_cache_expiry': "
                                                "'3'}>}")));
        call_assert_ok(call);
        assert_config(h, PATH_ROOT, "Manager.GetConfig", "images.remote_cache_expiry", "3");
        bad = client_run_job(h->root, PATH_ROOT, "Manager.Initialize",
                             plan_with("[]", "[]", "[]",
                                       options("{'config': <{'core.https_address': 'x'}>}")));
        call_assert_error(bad, ERROR_INVALID_CONFIG, "core.https_address");
}

TEST(a_failure_takes_all_back) {
        static const struct {
                const char *operation, *directive;
        } failures[] = {
                { "storage.pool-create", "fail NoSpace the disk is full" },
                { "network.up", "fail BackendFailed no bridge today" },
        };

        for (size_t i = 0; i < ELEMENTSOF(failures); i++) {
                g_autoptr(Harness) h = harness_new();
                g_autoptr(Call) end = NULL;

                harness_plan(h, failures[i].operation, failures[i].directive);
                end = run(h, POOLS, NETWORKS, PROFILES);
                g_assert_nonnull(end->error);
                g_assert_nonnull(strstr(failures[i].directive, end->message));
                assert_absent(h, "/org/berth1/pool/fast");
                assert_absent(h, "/org/berth1/network/berthbr0");
                assert_absent(h, "/org/berth1/profile/web");
                g_assert_false(harness_has_file(h, "state/pools/fast"));
                g_assert_false(harness_has_file(h, "state/networks/berthbr0"));
        }
}

/* The last thing that can go wrong: both profiles are put back, pool and network go. */
TEST(a_bad_profile_takes_all_back) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) end = NULL, devices = NULL;
        g_autofree char *text = NULL;

        end = run(h, POOLS, NETWORKS,
                  "[{'name': <'web'>}, {'name': <'default'>, 'config': <{'user.x': '1'}>}, "
                  "{'name': <'bad'>, 'config': <{'no.such.key': '1'}>}]");
        call_assert_error(end, ERROR_INVALID_CONFIG, "no.such.key");
        assert_absent(h, "/org/berth1/profile/web");
        assert_absent(h, "/org/berth1/profile/bad");
        assert_absent(h, "/org/berth1/pool/fast");
        assert_absent(h, "/org/berth1/network/berthbr0");
        devices = client_call(h->root, PATH_PROFILE, "Profile.GetConfig",
                              g_variant_new("(@a{sv})", options("{'secrets': <true>}")));
        call_assert_ok(devices);
        text = g_variant_print(devices->body, FALSE);
        g_assert_null(strstr(text, "user.x"));
}

/* What was there before the call is not its to take back. */
TEST(a_failure_spares_what_was_there) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) first = run(h, POOLS, "[]", "[]"), end = NULL;

        call_assert_ok(first);
        harness_plan(h, "network.up", "fail BackendFailed no bridge today");
        end = run(h, POOLS, NETWORKS, PROFILES);
        call_assert_error(end, ERROR_BACKEND_FAILED, "no bridge today");
        assert_there(h, "/org/berth1/pool/fast", "State", "available");
}

TEST(plans_that_make_no_sense) {
        static const struct {
                const char *pools, *networks, *profiles, *text;
        } plans[] = {
                { "[{'driver': <'dir'>}]", "[]", "[]", "name" },
                { "[{'name': <'x'>}]", "[]", "[]", "driver" },
                { "[{'name': <'x'>, 'driver': <'dir'>, 'colour': <'red'>}]", "[]", "[]", "colour" },
                { "[]", "[{'name': <1>}]", "[]", "name" },
                { "[]", "[]", "[{'name': <'x'>, 'config': <'x'>}]", "config" },
        };
        g_autoptr(Harness) h = harness_new();

        for (size_t i = 0; i < ELEMENTSOF(plans); i++) {
                g_autoptr(Call) call = client_call(
                        h->root, PATH_ROOT, "Manager.Initialize",
                        plan(plans[i].pools, plans[i].networks, plans[i].profiles));

                call_assert_error(call, ERROR_INVALID_ARGS, plans[i].text);
        }
}

TEST(another_driver_is_another_pool) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) first = run(h, POOLS, "[]", "[]"), end = NULL;

        call_assert_ok(first);
        end = run(h, "[{'name': <'fast'>, 'driver': <'dir'>}]", "[]", "[]");
        call_assert_error(end, ERROR_EXISTS, "btrfs");
}

HARNESS_MAIN()
