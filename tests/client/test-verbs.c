/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/client/fixture.h"
#include "tests/unit/test.h"

TEST(start_stop_and_their_like_wait_for_their_jobs) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "start", "c2");
        fixture_expect_log(f, "/org/berth1/container/c2 Start ({},)");
        fixture_expect_log(f, "Wait");
        RUN_ONLY(f, 5, "start", "c2");
        RUN_ONLY(f, 0, "pause", "c2");
        fixture_expect_log(f, "c2 Freeze");
        RUN_ONLY(f, 0, "stop", "c2", "--timeout", "30", "-f");
        fixture_expect_log(f, "Stop ({'force': <true>, 'timeout': <uint64 30000000>},)");
        RUN_ONLY(f, 5, "stop", "c2");
        RUN_ONLY(f, 0, "restart", "c1");
        RUN_ONLY(f, 0, "stop", "--timeout=-1", "local:c1");
        fixture_expect_log(f, "c1 Stop ({},)");
}

TEST(start_thaws_a_frozen_container) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "pause", "c1");
        RUN_ONLY(f, 0, "start", "c1");
        fixture_expect_log(f, "c1 Unfreeze");
}

TEST(several_containers_fail_each_for_itself) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 1, "start", "c2", "broken", "nope");

        EXPECT_ERR(r, "Error: broken: Container 'broken' does not start: no init in its root");
        EXPECT_ERR(r, "Error: nope: Container 'nope' does not exist");
        EXPECT_ERR(r, "2 of 3 containers failed");
        fixture_expect_log(f, "c2 Start");
}

TEST(all_means_those_in_the_right_state) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "stop", "--all");
        fixture_expect_log(f, "c1 Stop");
        fixture_reject_log(f, "c2 Stop");
        RUN_ONLY(f, 2, "stop", "--all", "c1");
        RUN_ONLY(f, 2, "stop");
}

TEST(delete_refuses_what_runs_and_says_what_to_do) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 5, "delete", "c1");

        EXPECT_ERR(r, "--force");
        RUN_ONLY(f, 0, "rm", "-f", "c1", "c2");
        fixture_expect_log(f, "c1 Delete ({'force': <true>},)");
        RUN_ONLY(f, 4, "delete", "c1");
}

TEST(delete_asks_when_it_shall) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) no = run_check(fixture_run(f, "no\n", "delete", "-i", "c2", NULL), 1, 0);
        g_autoptr(Run) yes = NULL;

        EXPECT_ERR(no, "Remove c2 (yes/no)");
        fixture_reject_log(f, "Delete");
        yes = run_check(fixture_run(f, "yes\n", "delete", "-i", "c2", NULL), 0, 0);
        fixture_expect_log(f, "c2 Delete");
}

TEST(aliases_stand_for_command_lines) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) list = NULL, program = NULL, again = NULL, broken = NULL;

        RUN_ONLY(f, 0, "alias", "add", "freeze", "pause");
        RUN_ONLY(f, 0, "freeze", "c1");
        fixture_expect_log(f, "c1 Freeze");
        /* An alias may be a command's name, have several words, and say where the rest goes. */
        RUN_ONLY(f, 0, "alias", "add", "stop now", "stop @ARGS@ --force");
        RUN_ONLY(f, 0, "stop", "now", "c1");
        fixture_expect_log(f, "c1 Stop ({'force': <true>},)");
        RUN_ONLY(f, 0, "alias", "add", "say", "/bin/echo 'a b' @ARGS@ end");
        program = RUN(f, 0, "say", "x");
        g_assert_cmpstr(program->out, ==, "a b x end\n");
        again = RUN(f, 5, "alias", "add", "say", "list");
        EXPECT_ERR(again, "There is an alias 'say' already");
        RUN_ONLY(f, 0, "alias", "rename", "say", "tell");
        RUN_ONLY(f, 0, "alias", "rm", "freeze");
        RUN_ONLY(f, 2, "freeze", "c1");
        list = RUN(f, 0, "alias", "list", "-f", "csv");
        g_assert_cmpstr(list->out, ==, "stop now,stop @ARGS@ --force\n"
                                       "tell,/bin/echo 'a b' @ARGS@ end\n");
        /* What is wrong with the file is said, and what is somebody else's stays. */
        fixture_write(f, "config.yml", "default-remote: local\naliases: {x: list}\n");
        RUN_ONLY(f, 0, "alias", "add", "w", "list");
        {
                g_autofree char *path = fixture_path(f, "config.yml"), *text = NULL;

                g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
                g_assert_nonnull(strstr(text, "default-remote: local"));
                g_assert_nonnull(strstr(text, "w: list"));
        }
        fixture_write(f, "config.yml", "aliases: [}");
        broken = RUN(f, 2, "list");
        EXPECT_ERR(broken, "config.yml");
}

TEST(move_and_rename_are_the_same) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "mv", "c2", "c3");
        RUN_ONLY(f, 0, "rename", "c3", "c4");
        fixture_expect_log(f, "c3 Rename ('c4', {})");
        RUN_ONLY(f, 1, "move", "c4", "c5", "-s", "other");
}

TEST(launch_says_what_it_does) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) named = RUN(f, 0, "launch", "busybox", "x1"), nameless = NULL, quiet = NULL;

        g_assert_cmpstr(named->out, ==, "Creating x1\nStarting x1\n");
        fixture_expect_log(f, "CreateContainer ('x1', 'busybox', {'start': <true>})");
        nameless = RUN(f, 0, "init", "local:busybox");
        EXPECT_OUT(nameless, "Instance name is: made-up\n");
        quiet = RUN(f, 0, "-q", "launch", "busybox", "x2");
        g_assert_cmpstr(quiet->out, ==, "");
        RUN_ONLY(f, 5, "init", "busybox", "c1");
        RUN_ONLY(f, 4, "init", "nope", "x3");
}

TEST(create_options_arrive) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "init", "busybox", "x1", "-p", "default", "-c", "limits.cpu=2", "-e", "-s",
                 "fast", "--description", "for tests");
        fixture_expect_log(f, "'config': <{'limits.cpu': '2'}>");
        fixture_expect_log(f, "'profiles': <['default']>");
        fixture_expect_log(f, "'ephemeral': <true>");
        fixture_expect_log(f, "'pool': <'fast'>");
        fixture_expect_log(f, "'description': <'for tests'>");
        RUN_ONLY(f, 0, "init", "busybox", "x2", "--no-profiles", "-n", "br7");
        fixture_expect_log(f, "'profiles': <@as []>");
        fixture_expect_log(f, "'network': 'br7'");
        RUN_ONLY(f, 2, "init", "busybox", "x3", "--no-profiles", "-p", "default");
        RUN_ONLY(f, 2, "init", "busybox", "x3", "-c", "nonsense");
        RUN_ONLY(f, 1, "init", "busybox", "x3", "--vm");
}

TEST(a_type_is_bounds) {
        static const char *const wrong[] = { "t2.micro", "c", "c0", "m-1", "c1-m1x", "c1-", "x2" };
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "init", "busybox", "x1", "-t", "c0.5-m0.2");
        fixture_expect_log(f, "'limits.cpu': '1'");
        fixture_expect_log(f, "'limits.cpu.allowance': '50%'");
        fixture_expect_log(f, "'limits.memory': '204MB'");
        RUN_ONLY(f, 0, "init", "busybox", "x2", "-t", "c3-m4", "-c", "limits.memory=1GiB");
        fixture_expect_log(f, "'limits.cpu': '3'");
        fixture_expect_log(f, "'limits.memory': '1GiB'");
        fixture_reject_log(f, "4096MB");
        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                g_autoptr(Run) run = RUN(f, 2, "init", "busybox", "x3", "-t", wrong[i]);

                EXPECT_ERR(run, "is not cCPUS-mGIB");
        }
}

TEST(a_device_of_the_profile_is_changed) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "init", "busybox", "x1", "-d", "root,size=3GiB");
        fixture_expect_log(f, "'path': '/'");
        fixture_expect_log(f, "'size': '3GiB'");
        RUN_ONLY(f, 2, "init", "busybox", "x2", "-d", "nosuch,size=3GiB");
        RUN_ONLY(f, 0, "init", "busybox", "x2", "-d", "data,type=disk,path=/data");
        RUN_ONLY(f, 2, "init", "busybox", "x3", "-d", "data");
}

TEST(launch_reads_yaml_from_standard_input) {
        static const char yaml[] = "config:\n  limits.cpu: 4\ndevices:\n  d0: {type: none}\n"
                                   "profiles: []\ndescription: from yaml\nephemeral: yes\n";
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) good = NULL, unknown = NULL, broken = NULL;

        good = run_check(fixture_run(f, yaml, "init", "busybox", "x1", NULL), 0, 0);
        fixture_expect_log(f, "'limits.cpu': '4'");
        fixture_expect_log(f, "'d0': {'type': 'none'}");
        fixture_expect_log(f, "'profiles': <@as []>");
        fixture_expect_log(f, "'ephemeral': <true>");
        unknown = run_check(fixture_run(f, "nonsense: 1\n", "init", "busybox", "x2", NULL), 2, 0);
        EXPECT_ERR(unknown, "unknown key 'nonsense'");
        broken = run_check(fixture_run(f, "a: [1\n", "init", "busybox", "x2", NULL), 2, 0);
        EXPECT_ERR(broken, "Line 2 of the YAML is malformed");
        EXPECT_ERR(broken, "Standard input, read as it is no terminal (give /dev/null for none)");
}

TEST(config_takes_both_forms_of_set) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) one = NULL, input = NULL, warned = NULL;

        RUN_ONLY(f, 0, "config", "set", "c1", "limits.memory", "256MB");
        fixture_expect_log(f, "Update ({'limits.memory': '256MB'}, [], {})");
        RUN_ONLY(f, 0, "config", "set", "c1", "a=1", "b=x=y", "limits.cpu=");
        fixture_expect_log(f, "Update ({'a': '1', 'b': 'x=y'}, ['limits.cpu'], {})");
        one = RUN(f, 0, "config", "get", "c1", "b");
        g_assert_cmpstr(one->out, ==, "x=y\n");
        RUN_ONLY(f, 0, "config", "unset", "c1", "b");
        fixture_expect_log(f, "['b']");
        input = run_check(fixture_run(f, "from stdin", "config", "set", "c1", "k", "-", NULL), 0,
                          0);
        fixture_expect_log(f, "'k': 'from stdin'");
        warned = RUN(f, 0, "config", "set", "c1", "limits.disk.priority", "3");
        EXPECT_ERR(warned, "Warning: limits.disk.priority does nothing");
        RUN_ONLY(f, 2, "config", "set", "c1", "no.such.key", "1");
        RUN_ONLY(f, 2, "config", "set", "c1", "a=1", "nonsense");
        RUN_ONLY(f, 2, "config", "set", "c1", "a=1", "a=2");
        RUN_ONLY(f, 4, "config", "get", "nope", "key");
}

TEST(devices_of_a_profile_are_overridden) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) size = NULL, list = NULL, own = NULL, inherited = NULL;

        RUN_ONLY(f, 0, "config", "device", "set", "c1", "root", "size", "20GB");
        size = RUN(f, 0, "config", "device", "get", "c1", "root", "size");
        g_assert_cmpstr(size->out, ==, "20GB\n");
        fixture_expect_log(f, "'if-revision': <uint64 1>");
        RUN_ONLY(f, 5, "config", "device", "override", "c1", "root", "size=1GB");
        RUN_ONLY(f, 0, "config", "device", "override", "c1", "eth0", "mtu=1400");
        RUN_ONLY(f, 0, "config", "device", "add", "c1", "data", "disk", "path=/data");
        RUN_ONLY(f, 5, "config", "device", "add", "c1", "data", "disk", "path=/data");
        list = RUN(f, 0, "config", "device", "ls", "c1");
        g_assert_cmpstr(list->out, ==, "data\neth0\nroot\n");
        RUN_ONLY(f, 0, "config", "device", "unset", "c1", "eth0", "mtu");
        RUN_ONLY(f, 0, "config", "device", "rm", "c1", "data", "eth0");
        own = RUN(f, 2, "config", "device", "remove", "c1", "eth0");
        EXPECT_ERR(own, "comes from a profile");
        inherited = RUN(f, 0, "config", "device", "show", "c1", "-e");
        EXPECT_OUT(inherited, "network: berthbr0");
        RUN_ONLY(f, 4, "config", "device", "set", "c1", "nosuch", "a=b");
}

TEST(profiles_are_managed) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) created = RUN(f, 0, "profile", "create", "small"), added = NULL;
        g_autoptr(Run) assigned = NULL, none = NULL, device = NULL;

        g_assert_cmpstr(created->out, ==, "Profile small created\n");
        RUN_ONLY(f, 0, "profile", "set", "small", "limits.memory", "4GB");
        RUN_ONLY(f, 0, "profile", "device", "add", "small", "root", "disk", "path=/", "size=1GB");
        RUN_ONLY(f, 0, "profile", "copy", "small", "large");
        fixture_expect_log(f, "CreateProfile ('large'");
        RUN_ONLY(f, 0, "profile", "device", "set", "large", "root", "size", "200GB");
        device = RUN(f, 0, "profile", "device", "get", "large", "root", "size");
        g_assert_cmpstr(device->out, ==, "200GB\n");
        added = RUN(f, 0, "profile", "add", "c1", "small");
        g_assert_cmpstr(added->out, ==, "Profile small added to c1\n");
        fixture_expect_log(f, "'profiles': <['default', 'small']>");
        RUN_ONLY(f, 5, "profile", "add", "c1", "small");
        RUN_ONLY(f, 0, "profile", "remove", "c1", "small");
        RUN_ONLY(f, 4, "profile", "remove", "c1", "small");
        assigned = RUN(f, 0, "profile", "assign", "c1", "large,small");
        g_assert_cmpstr(assigned->out, ==, "Profiles large, small applied to c1\n");
        none = RUN(f, 0, "profile", "apply", "c1", "");
        g_assert_cmpstr(none->out, ==, "Profiles (none) applied to c1\n");
        RUN_ONLY(f, 0, "profile", "rename", "large", "huge");
        RUN_ONLY(f, 0, "profile", "delete", "huge", "small");
        RUN_ONLY(f, 5, "profile", "delete", "default");
        RUN_ONLY(f, 4, "profile", "show", "nope");
}

TEST(secrets_of_profiles_are_asked_for_when_they_matter) {
        g_autoptr(Fixture) f = fixture_new();

        g_autoptr(Run) open = NULL, closed = NULL, quiet = NULL;

        /* What is shown is what is edited, unless that takes a password. */
        RUN_ONLY(f, 0, "profile", "create", "closed");
        closed = RUN(f, 0, "profile", "show", "closed");
        EXPECT_ERR(closed, "who may change them");
        quiet = RUN(f, 0, "-q", "profile", "show", "closed");
        g_assert_cmpstr(quiet->err, ==, "");
        fixture_reject_log(f, "secrets");
        open = RUN(f, 0, "profile", "show", "default");
        g_assert_cmpstr(open->err, ==, "");
        fixture_expect_log(f, "profile/default GetConfig ({'secrets': <true>},)");
        RUN_ONLY(f, 0, "profile", "get", "closed", "user.password");
        fixture_expect_log(f, "profile/closed GetConfig ({'secrets': <true>},)");
}

TEST(networks_and_pools_are_managed) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) network = NULL, networks = NULL, pool = NULL, info = NULL, bytes = NULL;

        network = RUN(f, 0, "network", "create", "br1", "ipv4.nat=true");
        g_assert_cmpstr(network->out, ==, "Network br1 created\n");
        fixture_expect_log(f, "CreateNetwork ('br1', 'bridge', {'ipv4.nat': 'true'}, {})");
        networks = RUN(f, 0, "network", "list", "-f", "csv");
        g_assert_cmpstr(networks->out, ==, "br1,bridge,YES,10.1.2.1/24,none,,0,UP\n");
        RUN_ONLY(f, 0, "network", "show", "br1");
        RUN_ONLY(f, 0, "network", "rm", "br1");
        RUN_ONLY(f, 4, "network", "show", "br1");

        pool = RUN(f, 0, "storage", "create", "p1", "btrfs", "size=10GiB");
        g_assert_cmpstr(pool->out, ==, "Storage pool p1 created\n");
        info = RUN(f, 0, "storage", "info", "p1");
        EXPECT_OUT(info, "space used: 1.00GiB");
        EXPECT_OUT(info, "total space: 10.00GiB");
        bytes = RUN(f, 0, "storage", "info", "p1", "--bytes");
        EXPECT_OUT(bytes, "total space: 10737418240");
        RUN_ONLY(f, 0, "storage", "delete", "p1");
        RUN_ONLY(f, 4, "storage", "info", "p1");
}

TEST(edit_changes_what_has_changed) {
        static const char yaml[] = "config:\n  limits.cpu: 8\n  user.team: web\n"
                                   "  user.note: |-\n    two\n    lines\n"
                                   "profiles:\n- default\nephemeral: false\n"
                                   "description: edited\nname: ignored\n";
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) good = NULL, empty = NULL, wrong = NULL;

        good = run_check(fixture_run(f, yaml, "config", "edit", "c1", NULL), 0, 0);
        fixture_expect_log(f, "Update ({'limits.cpu': '8'}, [], {'if-revision': <uint64 1>");
        fixture_expect_log(f, "'description': <'edited'>");
        empty = run_check(fixture_run(f, "", "config", "edit", "c1", NULL), 2, 0);
        EXPECT_ERR(empty, "nothing is changed");
        /* What the service keeps for itself is no key to remove. */
        fixture_reject_log(f, "volatile.");
        fixture_reject_log(f, "image.");
        wrong = run_check(fixture_run(f, "ephemeral: perhaps\n", "config", "edit", "c1", NULL), 2,
                          0);
        EXPECT_ERR(wrong, "'ephemeral' has to be true or false");
}

TEST(keys_are_listed_and_completed) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) all = RUN(f, 0, "config", "keys", "-f", "csv"), pool = NULL, json = NULL;
        g_autoptr(Run) words = NULL, family = NULL, table = NULL, none = NULL, part = NULL;

        EXPECT_OUT(all, "limits.memory,size or share,,yes,use,\"container,profile\",memory\n");
        EXPECT_OUT(all, "security.nesting,boolean,false,no,use-kernel-surface,");
        EXPECT_OUT(all, "size,,,no,,pool,of the loop file");
        pool = RUN(f, 0, "config", "keys", "pool", "-f", "csv");
        g_assert_null(strstr(pool->out, "limits.memory"));
        EXPECT_OUT(pool, "user.*");
        json = RUN(f, 0, "config", "keys", "-f", "json");
        EXPECT_OUT(json, "\"name\":\"security.nesting\"");
        table = RUN(f, 0, "config", "keys");
        EXPECT_OUT(table, "KEY");
        part = RUN(f, 0, "config", "keys", "limits.", "-f", "csv");
        EXPECT_OUT(part, "limits.memory");
        g_assert_null(strstr(part->out, "security"));
        RUN_ONLY(f, 2, "config", "keys", "nosuch");
        words = RUN(f, 0, "--complete", "config", "set", "c1", "s");
        g_assert_cmpstr(words->out, ==, "security.nesting\n");
        family = RUN(f, 0, "--complete", "config", "unset", "c1", "u");
        g_assert_cmpstr(family->out, ==, "user.\n");
        none = RUN(f, 0, "--complete", "profile", "set", "default", "vol");
        g_assert_cmpstr(none->out, ==, "");
}

TEST(device_types_are_listed_and_completed) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) all = RUN(f, 0, "config", "device", "types", "-f", "csv");
        g_autoptr(Run) one = NULL, unknown = NULL, types = NULL, options = NULL;

        g_assert_cmpstr(all->out, ==, "disk,path,path,yes,where\ndisk,pool,name,no,which pool\n"
                                      "none,,,no,nothing\n");
        one = RUN(f, 0, "config", "device", "types", "none", "-f", "json");
        EXPECT_OUT(one, "\"device\":\"none\"");
        g_assert_null(strstr(one->out, "disk"));
        unknown = RUN(f, 2, "config", "device", "types", "teapot");
        EXPECT_ERR(unknown, "no device type \"teapot\"");
        types = RUN(f, 0, "--complete", "config", "device", "add", "c1", "data", "d");
        g_assert_cmpstr(types->out, ==, "disk\n");
        options = RUN(f, 0, "--complete", "profile", "device", "add", "p", "data", "disk", "p");
        g_assert_cmpstr(options->out, ==, "path=\npool=\n");
}

TEST(show_has_the_fields_of_lxds) {
        static const char *const fields[] = { "architecture:", "config:", "devices:", "ephemeral:",
                                              "profiles:", "stateful:", "description:" };
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) shown = RUN(f, 0, "config", "show", "c1"), all = NULL;
        const char *last = shown->out;

        for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
                last = strstr(last, fields[i]);
                if (!last)
                        g_error("%s is not there, or in another order:\n%s", fields[i], shown->out);
        }
        all = RUN(f, 0, "config", "show", "-e", "c1");
        fixture_expect_log(f, "'expanded': <true>");
}

TEST(what_is_shown_can_be_edited_without_a_change) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) shown = RUN(f, 0, "config", "show", "c1"), edited = NULL, profile = NULL;
        g_autoptr(Run) profile_edited = NULL;

        edited = run_check(fixture_run(f, shown->out, "config", "edit", "c1", NULL), 0, 0);
        fixture_expect_log(f, "Update ({}, [], {");
        profile = RUN(f, 0, "profile", "show", "default");
        profile_edited = run_check(
                fixture_run(f, profile->out, "profile", "edit", "default", NULL), 0, 0);
}

TEST(images_are_imported_and_exported) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) file = NULL, pipe = NULL, out = NULL, directory = NULL, url = NULL;
        g_autofree char *text = NULL, *path = NULL, *sum = NULL, *wanted = NULL;

        fixture_write(f, "i.tar.xz", "some archive");
        file = RUN(f, 0, "image", "import", "i.tar.xz", "os=funtoo", "--alias", "f1", "--alias",
                   "f2");
        sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "some archive", -1);
        wanted = g_strdup_printf("Image imported with fingerprint: %s\n", sum);
        g_assert_cmpstr(file->out, ==, wanted);
        fixture_expect_log(f, "'aliases': <['f1', 'f2']>");
        fixture_expect_log(f, "'filename': <'i.tar.xz'>");
        fixture_expect_log(f, "'properties': <{'os': 'funtoo'}>");

        pipe = run_check(fixture_run(f, "piped archive", "image", "import", "-", NULL), 0, 0);
        fixture_reject_log(f, "'filename': <'-'>");
        out = RUN(f, 0, "image", "export", "f1", "-");
        g_assert_cmpstr(out->out, ==, "some archive");
        RUN_ONLY(f, 0, "image", "export", "f1", "named");
        path = fixture_path(f, "named.tar.xz");
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_cmpstr(text, ==, "some archive");

        directory = RUN(f, 1, "image", "import", ".");
        EXPECT_ERR(directory, "pack it first");
        url = RUN(f, 1, "image", "import", "http://example.org/i.tar.xz");
        EXPECT_ERR(url, "https alone");
        RUN_ONLY(f, 0, "image", "import", "https://example.org/i.tar.xz", "os=x", "--alias", "u");
        fixture_expect_log(f, "FetchImage ('https://example.org/i.tar.xz'");
        fixture_expect_log(f, "'properties': <{'os': 'x'}>");
        RUN_ONLY(f, 1, "image", "import", "nosuch.tar");
        RUN_ONLY(f, 1, "image", "import", "i.tar.xz", "rootfs.tar.xz");
        RUN_ONLY(f, 2, "image", "import", "i.tar.xz", "r.squashfs", "third.tar");
        fixture_write(f, "r.squashfs", "a root filesystem");
        RUN_ONLY(f, 0, "image", "import", "i.tar.xz", "r.squashfs", "os=split");
        fixture_expect_log(f, "'rootfs-filename': <'r.squashfs'>");
        RUN_ONLY(f, 4, "image", "export", "nope", "-");
}

TEST(an_export_that_fails_leaves_nothing) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *path = NULL;

        RUN_ONLY(f, 1, "image", "export", "busybox", "no/such/directory");
        path = fixture_path(f, "no");
        g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

TEST(settings_of_the_service_have_no_container) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) one = NULL, all = NULL, edited = NULL, wrong = NULL;

        one = RUN(f, 0, "config", "get", "images.remote_cache_expiry");
        g_assert_cmpstr(one->out, ==, "5\n");
        all = RUN(f, 0, "config", "show");
        EXPECT_OUT(all, "images.remote_cache_expiry: \"5\"");
        RUN_ONLY(f, 0, "config", "set", "images.remote_cache_expiry", "7");
        fixture_expect_log(f, "UpdateConfig ({'images.remote_cache_expiry': '7'}");
        RUN_ONLY(f, 0, "config", "set", "images.remote_cache_expiry=8", "images.x=9");
        fixture_expect_log(f, "'images.x': '9'");
        RUN_ONLY(f, 0, "config", "unset", "images.x");
        fixture_expect_log(f, "['images.x']");
        edited = run_check(fixture_run(f, "config: {images.y: z}\n", "config", "edit", NULL), 0,
                           0);
        fixture_expect_log(f, "UpdateConfig ({'images.y': 'z'}, ['images.remote_cache_expiry']");
        wrong = run_check(fixture_run(f, "description: x\n", "config", "edit", NULL), 2, 0);
}

TEST(image_servers) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) list = NULL, images = NULL, filtered = NULL, info = NULL, aliases = NULL;

        list = RUN(f, 0, "remote", "list", "-f", "csv");
        EXPECT_OUT(list, "images,https://images.example.org,simplestreams");
        EXPECT_OUT(list, "local (current)");
        RUN_ONLY(f, 0, "remote", "add", "mine", "https://a.example", "--protocol", "directory");
        fixture_expect_log(f, "AddImageServer ('mine', 'https://a.example', "
                              "{'protocol': <'directory'>})");
        RUN_ONLY(f, 0, "remote", "add", "b.example/x");
        fixture_expect_log(f, "AddImageServer ('b', 'https://b.example/x'");
        RUN_ONLY(f, 0, "remote", "rename", "mine:", "ours");
        fixture_expect_log(f, "ChangeImageServer ('mine', {'name': <'ours'>})");
        RUN_ONLY(f, 0, "remote", "set-url", "ours", "https://c.example");
        fixture_expect_log(f, "ChangeImageServer ('ours', {'url': <'https://c.example'>})");
        RUN_ONLY(f, 0, "remote", "set-default", "local:");
        RUN_ONLY(f, 0, "remote", "remove", "ours");
        fixture_expect_log(f, "RemoveImageServer ('ours'");
        images = RUN(f, 0, "image", "list", "images:", "-f", "csv", "-c", "La");
        g_assert_cmpstr(images->out, ==,
                        "\"debian/12, debian/bookworm\",x86_64\nalpine/3.19,riscv64\n");
        filtered = RUN(f, 0, "image", "list", "images:", "alpine", "-f", "csv", "-c", "l");
        g_assert_cmpstr(filtered->out, ==, "alpine/3.19\n");
        info = RUN(f, 0, "image", "info", "images:alpine/3.19/riscv64");
        EXPECT_OUT(info, "Architecture: riscv64");
        RUN_ONLY(f, 4, "image", "info", "images:nothing");
        aliases = RUN(f, 0, "image", "alias", "list", "images:alpine", "-f", "csv");
        EXPECT_OUT(aliases, "alpine/3.19,bbbbbbbbbbbb,CONTAINER");
        RUN_ONLY(f, 1, "image", "edit", "images:alpine/3.19");
        RUN_ONLY(f, 4, "image", "list", "none:");
}

TEST(images_of_servers_are_downloaded) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) info = NULL;

        RUN_ONLY(f, 0, "image", "copy", "images:debian/12", "local:", "--alias", "d",
                 "--auto-update", "--copy-aliases");
        fixture_expect_log(f, "DownloadImage ('images', 'debian/12'");
        fixture_expect_log(f, "'aliases': <['d']>");
        fixture_expect_log(f, "'copy-aliases': <true>");
        info = RUN(f, 0, "image", "info", "aaaaaaaaaaaa");
        EXPECT_OUT(info, "    Server: images\n    Alias: debian/12\n");
        EXPECT_OUT(info, "Cached: yes");
        RUN_ONLY(f, 0, "launch", "images:debian/12", "new");
        fixture_expect_log(f, "DownloadImage ('images', 'debian/12', {'cached': <true>})");
        fixture_expect_log(f, "CreateContainer ('new', 'aaaaaaaaaaaa0");
        RUN_ONLY(f, 4, "launch", "images:debian/99", "newer");
        RUN_ONLY(f, 2, "launch", "images:", "newer");
}

TEST(images_have_aliases_and_properties) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) aliases = NULL, property = NULL, info = NULL, shown = NULL, edited = NULL;
        g_autoptr(Run) dated = NULL, wrong = NULL;

        RUN_ONLY(f, 0, "image", "alias", "create", "bb", "busybox");
        RUN_ONLY(f, 0, "image", "alias", "rename", "bb", "tiny");
        aliases = RUN(f, 0, "image", "alias", "list", "-f", "csv");
        EXPECT_OUT(aliases, "tiny,b078b7dbc1f6,CONTAINER,\"Small, but \"\"complete\"\"\"\n");
        RUN_ONLY(f, 0, "image", "alias", "delete", "tiny");
        RUN_ONLY(f, 4, "image", "alias", "delete", "tiny");
        RUN_ONLY(f, 0, "image", "set-property", "busybox", "release", "1.36");
        property = RUN(f, 0, "image", "get-property", "busybox", "release");
        g_assert_cmpstr(property->out, ==, "1.36\n");
        RUN_ONLY(f, 0, "image", "unset-property", "busybox", "release");
        info = RUN(f, 0, "image", "info", "busybox");
        EXPECT_OUT(info, "    os: busybox\n");
        EXPECT_OUT(info, "    - busybox\n");
        shown = RUN(f, 0, "image", "show", "busybox");
        edited = run_check(
                fixture_run(f, "properties:\n  os: other\npublic: true\n", "image", "edit",
                            "busybox", NULL),
                0, 0);
        fixture_expect_log(f, "Update ({'os': 'other'}, ['description'], {'public': <true>})");
        dated = run_check(fixture_run(f, "expires_at: 2030-12-31T00:00:00Z\n", "image", "edit",
                                      "busybox", NULL), 0, 0);
        fixture_expect_log(f, "{'expires': <uint64 1924905600000000>}");
        wrong = run_check(fixture_run(f, "expires_at: soon\n", "image", "edit", "busybox", NULL), 2,
                          0);
        EXPECT_ERR(wrong, "no date");
        RUN_ONLY(f, 0, "image", "delete", "busybox");
        RUN_ONLY(f, 4, "image", "info", "busybox");
}

TEST_MAIN()
