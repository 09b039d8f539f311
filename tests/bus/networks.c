/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Networks and those who use them: the firewall knows of a nic before it is, who may take its
 * guards away, and UsedBy is true at all times, of every kind of object that has it.
 */

#include <signal.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define PATH_NETWORK "/org/berth1/network/br0"
#define PATH_C1 "/org/berth1/container/c1"
#define PATH_C2 "/org/berth1/container/c2"

static GVariant *devices_args(const char *devices) {
        g_autofree char *text = g_strdup_printf("{'devices': <%s>}", devices);

        return g_variant_new("(@a{ss}@as@a{sv})",
                             g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0),
                             g_variant_new_strv(NULL, 0), options(text));
}

static void set_devices(Client *client, const char *path, const char *devices) {
        g_autoptr(Call) call = client_call(client, path, strstr(path, "/profile/")
                                                                 ? "Profile.Update"
                                                                 : "Container.Update",
                                           devices_args(devices));

        call_assert_ok(call);
}

static void make_network(Harness *h, const char *name) {
        g_autoptr(Call) call = client_run_job(
                h->root, PATH_ROOT, "Manager.CreateNetwork",
                g_variant_new_parsed("(%s, 'bridge', {'ipv4.address': '10.9.0.1/24', "
                                     "'ipv6.address': 'none'}, @a{sv} {})", name));

        call_assert_ok(call);
}

static void run(Client *client, const char *path, const char *method) {
        g_autoptr(Call) call = client_run_job(client, path, method,
                                              g_variant_new("(@a{sv})", no_options()));

        call_assert_ok(call);
}

static void do_call(Client *client, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_call(client, path, method, args);

        call_assert_ok(call);
}

/* Line of the fake workers' log, from `start` on, that begins with the operation. */
static const char *find_run(const char *start, const char *operation) {
        g_autofree char *line = g_strconcat("\n", operation, " ", NULL);
        const char *found = strstr(start, line);

        return found ? found + 1 : NULL;
}

/* --- guards --- */

/* In a line of an operation before `end`, that is: by the worker that has to do with it. */
static bool has_run_with(const char *log, const char *end, const char *operation,
                         const char *const *parts) {
        for (const char *run = find_run(log, operation); run && run < end;
             run = find_run(run, operation)) {
                g_autofree char *line = g_strndup(run, strcspn(run, "\n"));
                bool all = true;

                for (const char *const *part = parts; *part; part++)
                        all = all && strstr(line, *part);
                if (all)
                        return true;
        }
        return false;
}

static const char *const guarded0[] = {
        "'host_name': 'guarded0'", "'security.mac_filtering': 'true'",
        "'security.ipv4_filtering': 'true'", "'ipv4.address': '10.9.0.", NULL,
};

TEST(rules_come_before_the_nic) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *log = NULL, *c1 = NULL;
        const char *start;

        world_make_image(h);
        make_network(h, "br0");
        c1 = world_make_container(h->root, "c1");
        set_devices(h->root, PATH_C1, "{'eth0': {'type': 'nic', 'network': 'br0', "
                                      "'host_name': 'guarded0', 'hwaddr': '00:16:3e:01:02:03'}}");
        run(h->root, PATH_C1, "Container.Start");
        log = harness_read_log(h);
        start = find_run(log, "runtime.start");
        g_assert_nonnull(start);
        g_assert_true(has_run_with(log, start, "network.guard", guarded0));

        /* They go when it has gone. */
        set_devices(h->root, PATH_C1, "@a{sa{ss}} {}");
        HARNESS_WAIT(h, ({
                             g_autofree char *now = harness_read_log(h);
                             const char *last = g_strrstr(now, "\nnetwork.guard ");
                             const char *gone = strstr(now, "\nruntime.devices ");
                             const char *removed = last ? strstr(last, "'remove': <[{") : NULL;

                             gone && last > gone && removed && strstr(removed, "guarded0") &&
                                     strstr(last, "'add': <@aa{ss} []>");
                     }));
        g_assert_cmpuint(harness_count_runs(h, "network.guard"), ==, 2);
        g_assert_cmpuint(harness_count_runs(h, "network.firewall"), ==, 1);
}

/* However many run: it is the network that makes the rules. */
TEST(a_start_adds_only_what_is_its_own) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *log = NULL;

        world_make_image(h);
        make_network(h, "br0");
        for (unsigned i = 1; i <= 3; i++) {
                g_autofree char *name = g_strdup_printf("c%u", i);
                g_autofree char *devices = g_strdup_printf(
                        "{'eth0': {'type': 'nic', 'network': 'br0', 'host_name': 'guarded%u'}}", i);
                g_autofree char *path = world_make_container(h->root, name);

                set_devices(h->root, path, devices);
                run(h->root, path, "Container.Start");
        }
        log = harness_read_log(h);
        g_assert_cmpuint(harness_count_runs(h, "network.firewall"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "network.guard"), ==, 3);
        g_assert_null(strstr(g_strrstr(log, "\nnetwork.guard "), "guarded2"));
}

TEST(rules_that_are_not_there_are_made_whole) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *log = NULL, *c1 = NULL;

        world_make_image(h);
        make_network(h, "br0");
        c1 = world_make_container(h->root, "c1");
        set_devices(h->root, PATH_C1, "{'eth0': {'type': 'nic', 'network': 'br0', "
                                      "'host_name': 'guarded0', 'hwaddr': '00:16:3e:01:02:03'}}");
        harness_plan(h, "network.guard", "fail BackendFailed no such table");
        run(h->root, PATH_C1, "Container.Start");
        log = harness_read_log(h);
        g_assert_true(has_run_with(log, find_run(log, "runtime.start"), "network.firewall",
                                   guarded0));

        /* And where that fails, nothing starts. */
        run(h->root, PATH_C1, "Container.Stop");
        HARNESS_WAIT(h, harness_count_runs(h, "network.firewall") == 3);
        harness_plan(h, "network.firewall", "fail BackendFailed no rules today");
        {
                g_autofree char *job = client_start_job(h->root, PATH_C1, "Container.Start",
                                                        g_variant_new_parsed("(@a{sv} {},)"));
                g_autoptr(Call) end = client_wait_job(h->root, job);

                call_assert_error(end, ERROR_BACKEND_FAILED, "no rules today");
        }
        g_assert_cmpuint(harness_count_runs(h, "runtime.start"), ==, 1);
}

TEST(without_guards_it_takes_an_administrator) {
        static const char *const guards[] = { "mac", "ipv4", "ipv6" };
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autofree char *c1 = NULL;

        world_make_image(h);
        make_network(h, "br0");
        c1 = world_make_container(alice, "c1");
        h->polkit->answer = POLKIT_NO;
        h->polkit->only_yes_to = "org.berth1.use";
        set_devices(alice, PATH_C1, "{'eth0': {'type': 'nic', 'network': 'br0', "
                                    "'security.mac_filtering': 'true', "
                                    "'security.port_isolation': 'true'}}");
        for (size_t i = 0; i < ELEMENTSOF(guards); i++) {
                g_autofree char *devices = g_strdup_printf(
                        "{'eth0': {'type': 'nic', 'network': 'br0', 'security.%s_filtering': "
                        "'false'}}", guards[i]);
                g_autoptr(Call) call = client_call(alice, PATH_C1, "Container.Update",
                                                   devices_args(devices));

                call_assert_error(call, ERROR_ACCESS_DENIED, "host-access");
        }
        h->polkit->only_yes_to = NULL;
        h->polkit->answer = POLKIT_YES;
}

/* --- dnsmasq --- */

static void kill_dnsmasq(Harness *h) {
        g_autofree char *path = g_build_filename(h->libexec_dir, "dnsmasq", NULL), *text = NULL;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_cmpint(kill((pid_t) g_ascii_strtoll(text, NULL, 10), SIGKILL), ==, 0);
}

/* Also when it ends while a job has the network, and nobody would look afterwards. */
TEST(dnsmasq_is_started_again) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *job = NULL;
        g_autoptr(Call) end = NULL;

        harness_plan(h, "network.up", "set dnsmasq yes");
        make_network(h, "br0");
        kill_dnsmasq(h);
        HARNESS_WAIT(h, harness_count_runs(h, "network.up") == 2);
        /* The job after the one that made it. */
        world_wait_for(h, 0, PATH_ROOT "/job/_32", "State", "done");

        harness_plan(h, "network.firewall", "gate");
        job = client_start_job(h->root, PATH_ROOT, "Manager.CreateNetwork",
                               g_variant_new_parsed("('br1', 'bridge', {'ipv4.address': "
                                                    "'10.8.0.1/24', 'ipv6.address': 'none'}, "
                                                    "@a{sv} {})"));
        world_wait_at_gate(h, job);
        kill_dnsmasq(h);
        harness_open_gate(h, "network.firewall");
        end = client_wait_job(h->root, job);
        call_assert_ok(end);
        HARNESS_WAIT(h, harness_count_runs(h, "network.up") == 4);
        /* Before berthd ends, which the worker would not notice any more. */
        world_wait_for(h, 0, PATH_ROOT "/job/_34", "State", "done");
}

/* --- UsedBy --- */

/* Whoever listens has been told, and whoever asks is. `users`: text of an "ao". */
static void expect_users(Harness *h, guint from, const char *path, const char *users) {
        g_autoptr(GVariant) expected = g_variant_ref_sink(g_variant_new_parsed(users)), now = NULL;

        HARNESS_WAIT(h, ({
                             g_autoptr(GVariant) told = client_find_value(h->root, from, path,
                                                                          "UsedBy");
                             told && g_variant_equal(told, expected);
                     }));
        now = client_get(h->root, path, "UsedBy");
        g_assert_true(g_variant_equal(now, expected));
}

#define NIC "{'root': {'type': 'disk', 'path': '/', 'pool': 'default'}, " \
            "'eth0': {'type': 'nic', 'network': 'br0'}}"
#define ROOT "{'root': {'type': 'disk', 'path': '/', 'pool': 'default'}}"
#define NOBODY "@ao []"

static void make_profile(Harness *h, const char *name, const char *devices) {
        g_autofree char *text = g_strdup_printf("{'devices': <%s>}", devices);

        do_call(h->root, PATH_ROOT, "Manager.CreateProfile",
                g_variant_new("(s@a{sv})", name, options(text)));
}

TEST(users_of_a_network_are_known) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *c1 = NULL;

        world_make_image(h);
        make_network(h, "br0");
        expect_users(h, 0, PATH_NETWORK, NOBODY);
        c1 = world_make_container(h->root, "c1");
        set_devices(h->root, PATH_C1, NIC);
        expect_users(h, 0, PATH_NETWORK, "[objectpath '" PATH_C1 "']");
        do_call(h->root, PATH_C1, "Container.Update", devices_args(ROOT));
        expect_users(h, 0, PATH_NETWORK, NOBODY);

        make_profile(h, "p1", NIC);
        expect_users(h, 0, PATH_NETWORK, "[objectpath '/org/berth1/profile/p1']");
        do_call(h->root, "/org/berth1/profile/p1", "Profile.Rename",
                g_variant_new("(s@a{sv})", "p2", no_options()));
        expect_users(h, 0, PATH_NETWORK, "[objectpath '/org/berth1/profile/p2']");
        do_call(h->root, PATH_C1, "Container.Update",
                g_variant_new_parsed("(@a{ss} {}, @as [], {'profiles': <['default', 'p2']>})"));
        expect_users(h, 0, PATH_NETWORK,
                     "[objectpath '" PATH_C1 "', objectpath '/org/berth1/profile/p2']");
        set_devices(h->root, "/org/berth1/profile/p2", "@a{sa{ss}} {}");
        expect_users(h, 0, PATH_NETWORK, NOBODY);
        set_devices(h->root, "/org/berth1/profile/p2", NIC);
        expect_users(h, 0, PATH_NETWORK,
                     "[objectpath '" PATH_C1 "', objectpath '/org/berth1/profile/p2']");
        run(h->root, PATH_C1, "Container.Delete");
        expect_users(h, 0, PATH_NETWORK, "[objectpath '/org/berth1/profile/p2']");
        do_call(h->root, "/org/berth1/profile/p2", "Profile.Delete",
                g_variant_new("(@a{sv})", no_options()));
        expect_users(h, 0, PATH_NETWORK, NOBODY);
}

TEST(users_of_a_profile_are_known) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) renamed = NULL;
        g_autofree char *c1 = NULL;

        world_make_image(h);
        make_profile(h, "p1", "@a{sa{ss}} {}");
        expect_users(h, 0, "/org/berth1/profile/p1", NOBODY);
        c1 = world_make_container(h->root, "c1");
        expect_users(h, 0, PATH_PROFILE, "[objectpath '" PATH_C1 "']");
        do_call(h->root, PATH_C1, "Container.Update",
                g_variant_new_parsed("(@a{ss} {}, @as [], {'profiles': <['default', 'p1']>})"));
        expect_users(h, 0, "/org/berth1/profile/p1", "[objectpath '" PATH_C1 "']");
        renamed = client_run_job(h->root, PATH_C1, "Container.Rename",
                                 g_variant_new("(s@a{sv})", "c2", no_options()));
        call_assert_ok(renamed);
        expect_users(h, 0, "/org/berth1/profile/p1", "[objectpath '" PATH_C2 "']");
        expect_users(h, 0, PATH_PROFILE, "[objectpath '" PATH_C2 "']");
        do_call(h->root, PATH_C2, "Container.Update",
                g_variant_new_parsed("(@a{ss} {}, @as [], {'profiles': <['default']>})"));
        expect_users(h, 0, "/org/berth1/profile/p1", NOBODY);
        run(h->root, PATH_C2, "Container.Delete");
        expect_users(h, 0, PATH_PROFILE, NOBODY);
}

TEST(users_of_a_pool_are_known) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *c1 = NULL;

        world_make_image(h);
        expect_users(h, 0, PATH_POOL, "[objectpath '" PATH_PROFILE "']");
        c1 = world_make_container(h->root, "c1");
        expect_users(h, 0, PATH_POOL, "[objectpath '" PATH_C1 "', objectpath '" PATH_PROFILE "']");
        make_profile(h, "p1", ROOT);
        expect_users(h, 0, PATH_POOL, "[objectpath '" PATH_C1 "', objectpath '" PATH_PROFILE
                                      "', objectpath '/org/berth1/profile/p1']");
        do_call(h->root, "/org/berth1/profile/p1", "Profile.Rename",
                g_variant_new("(s@a{sv})", "p2", no_options()));
        expect_users(h, 0, PATH_POOL, "[objectpath '" PATH_C1 "', objectpath '" PATH_PROFILE
                                      "', objectpath '/org/berth1/profile/p2']");
        set_devices(h->root, "/org/berth1/profile/p2", "@a{sa{ss}} {}");
        expect_users(h, 0, PATH_POOL, "[objectpath '" PATH_C1 "', objectpath '" PATH_PROFILE "']");
        run(h->root, PATH_C1, "Container.Delete");
        expect_users(h, 0, PATH_POOL, "[objectpath '" PATH_PROFILE "']");
}

TEST(users_of_an_image_are_known) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *image = NULL, *c1 = NULL;
        g_autoptr(Call) copied = NULL;

        world_make_pool(h);
        image = world_import_image(h->root, "fake image", "fake");
        expect_users(h, 0, image, NOBODY);
        c1 = world_make_container(h->root, "c1");
        expect_users(h, 0, image, "[objectpath '" PATH_C1 "']");
        copied = client_run_job(h->root, PATH_C1, "Container.Copy",
                                g_variant_new("(s@a{sv})", "c2", no_options()));
        call_assert_ok(copied);
        expect_users(h, 0, image, "[objectpath '" PATH_C1 "', objectpath '" PATH_C2 "']");
        run(h->root, PATH_C1, "Container.Delete");
        expect_users(h, 0, image, "[objectpath '" PATH_C2 "']");
        run(h->root, PATH_C2, "Container.Delete");
        expect_users(h, 0, image, NOBODY);
}

static bool has_state(Harness *h, const char *state) {
        g_autofree char *now = client_get_string(h->root, PATH_NETWORK, "State");

        return g_strcmp0(now, state) == 0;
}

static GVariant *network_get_state_of(Harness *h) {
        g_autoptr(Call) call = client_call(h->root, PATH_NETWORK, "Network.GetState",
                                           g_variant_new("(@a{sv})", no_options()));

        call_assert_ok(call);
        return g_variant_get_child_value(call->body, 0);
}

/* Why it cannot be brought up, as long as it cannot. */
TEST(errors_are_told) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(GVariant) before = NULL, after = NULL;
        const char *error;

        make_network(h, "br0");
        harness_plan(h, "network.up", "fail BackendFailed No bridges here");
        harness_stop_service(h);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, has_state(h, "error"));
        before = network_get_state_of(h);
        g_assert_true(g_variant_lookup(before, "error", "&s", &error));
        g_assert_cmpstr(error, ==, "No bridges here");

        harness_plan(h, "network.up", NULL);
        harness_stop_service(h);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, has_state(h, "up"));
        after = network_get_state_of(h);
        g_assert_false(g_variant_lookup(after, "error", "&s", &error));
}

HARNESS_MAIN()
