/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <json-c/json.h>

#include "tests/client/fixture.h"
#include "tests/unit/test.h"

static size_t count_lines(const char *text) {
        size_t n = 0;

        for (const char *p = text; *p; p++)
                n += *p == '\n';
        return n;
}

TEST(list_is_one_call) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 0, "list");
        g_autofree char *log = fixture_log(f);

        g_assert_true(g_str_has_prefix(r->out, "NAME     STATE    IPV4"));
        EXPECT_OUT(r, "c1       RUNNING  10.1.2.3 (eth0)  fd42::3 (eth0)  CONTAINER  0");
        EXPECT_OUT(r, "                  10.1.3.3 (eth1)");
        g_assert_cmpint(count_lines(log), ==, 1);
}

TEST(list_has_lxds_columns) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) some = NULL, state = NULL, key = NULL, fast = NULL, refused = NULL;
        g_autoptr(Run) disk = NULL, stopped = NULL, device = NULL;

        some = RUN(f, 0, "ls", "-c", "nsapPbc", "-f", "csv", "^c1$");
        g_assert_cmpstr(some->out, ==,
                        "c1,RUNNING,x86_64,4242,default,default,2017/09/08 02:07 UTC\n");
        state = RUN(f, 0, "ls", "-c", "nNmu", "-f", "csv", "c1");
        g_assert_cmpstr(state->out, ==, "c1,6,69.01MiB,25s\n");
        key = RUN(f, 0, "ls", "-c", "n,user.note:NOTE:3,limits.cpu", "-f", "compact", "c1");
        g_assert_cmpstr(key->out, ==, "NAME  NOTE  limits.cpu\nc1    two   6\n");
        fast = RUN(f, 0, "ls", "--fast", "-f", "csv", "c1");
        EXPECT_OUT(fast, "c1,RUNNING,x86_64,");
        disk = RUN(f, 0, "ls", "-c", "nDMe", "-f", "csv", "c1");
        g_assert_cmpstr(disk->out, ==, "c1,180.00KiB,27.0%,default\n");
        /* What there is none of is blank. */
        stopped = RUN(f, 0, "ls", "-c", "nDmMNpu", "-f", "csv", "c2");
        g_assert_cmpstr(stopped->out, ==, "c2,,,,,,\n");
        device = RUN(f, 0, "ls", "-c", "n,devices:eth0.network:NET:5,config:user.team", "-f",
                     "compact", "c1");
        g_assert_cmpstr(device->out, ==,
                        "NAME  NET    user.team\nc1    berth  web\n");
        refused = RUN(f, 1, "ls", "-c", "L");
        EXPECT_ERR(refused, "this machine only");
        RUN_ONLY(f, 2, "ls", "-c", "%");
        RUN_ONLY(f, 2, "ls", "-c", "");
        RUN_ONLY(f, 2, "ls", "--fast", "-c", "n");
        RUN_ONLY(f, 2, "ls", "-c", "n,,s");
        RUN_ONLY(f, 2, "ls", "-c", "n:x");
        RUN_ONLY(f, 2, "ls", "-c", "user.team:TEAM:x");
        RUN_ONLY(f, 2, "ls", "-c", "user.team:");
        RUN_ONLY(f, 2, "ls", "-c", "nonsense.key");
        RUN_ONLY(f, 2, "ls", "-c", "devices:eth0");
        RUN_ONLY(f, 2, "ls", "-f", "xml");
}

TEST(list_filters) {
        static const struct {
                const char *filter, *names;
        } cases[] = {
                { "c", "c1\nc2\n" },           { "c[13]", "c1\n" },
                { "status=running", "c1\n" },  { "ipv4=10.1.3.0/24", "c1\n" },
                { "ipv4=10.9.0.0/16", "" },    { "ipv6=fd42::/64", "c1\n" },
                { "user.team=web", "c1\n" },   { "u.te=w.b", "c1\n" },
                { "type=virtual-machine", "" }, { "name=c2", "c2\n" },
                { "local:c2", "c2\n" },         { "1", "" },
                { "C1", "" },                  { "1$", "c1\n" },
                { "user.team=^w", "c1\n" },    { "user.team=w", "" },
                { "user.team=WEB", "" },       { "u.t=web|x", "c1\n" },
                { "limits.cpu=6", "c1\n" },    { "l.c=[56]", "c1\n" },
                { "type=container", "c1\nc2\n" }, { "type=cont", "" },
                { "status=run.*", "c1\n" },    { "location=none", "c1\nc2\n" },
                { "project=default", "c1\nc2\n" }, { "architecture=x86_64", "c1\nc2\n" },
                { "architecture=x86", "" },    { "description=x", "" },
                { "nosuch=1", "" },            { "user.nothing=", "c1\nc2\n" },
        };
        g_autoptr(Fixture) f = fixture_new();

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                /* There are more, which none of these is about. */
                g_autoptr(Run) r = RUN(f, 0, "ls", "-c", "n", "-f", "csv", "c", cases[i].filter);

                g_assert_cmpstr(r->out, ==, cases[i].names);
        }
        RUN_ONLY(f, 2, "ls", "ipv4=nonsense");
        RUN_ONLY(f, 2, "ls", "ipv4=10.0.0.0/33");
}

TEST(image_list_filters) {
        static const struct {
                const char *filter, *aliases;
        } cases[] = {
                { "busy", "busybox\n" },     { "sybox", "busybox\n" },
                { "os=busybox", "busybox\n" }, { "os=busy", "" },
                { "os=^busy", "busybox\n" }, { "os=BUSYBOX", "" },
                { "description=.*complete.*", "busybox\n" }, { "des=Small", "" },
                { "type=container", "busybox\n" }, { "public=true", "" },
                { "local:", "busybox\n" },   { "alias=busybox", "" },
        };
        g_autoptr(Fixture) f = fixture_new();

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Run) r = RUN(f, 0, "image", "ls", "-c", "L", "-f", "csv",
                                       cases[i].filter);

                g_assert_cmpstr(r->out, ==, cases[i].aliases);
        }
        RUN_ONLY(f, 2, "image", "ls", "-c", "q");
}

TEST(all_filters_have_to_match) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 0, "ls", "-c", "n", "-f", "csv", "c", "status=stopped");

        g_assert_cmpstr(r->out, ==, "c2\n");
}

TEST(json_is_json) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 0, "ls", "-f", "json", "c1");
        struct json_object *all = json_tokener_parse(r->out), *one, *state, *network, *found;

        g_assert_nonnull(all);
        g_assert_cmpint(json_object_array_length(all), ==, 1);
        one = json_object_array_get_idx(all, 0);
        g_assert_true(json_object_object_get_ex(one, "status", &found));
        g_assert_cmpstr(json_object_get_string(found), ==, "Running");
        g_assert_true(json_object_object_get_ex(one, "state", &state));
        g_assert_true(json_object_object_get_ex(state, "network", &network));
        g_assert_true(json_object_object_get_ex(network, "eth0", &found));
        /* As scripts for LXD ask for it. */
        EXPECT_OUT(r, "\"counters\":{\"bytes_received\":83650,");
        EXPECT_OUT(r, "\"hwaddr\":\"00:16:3e:12:34:56\"");
        EXPECT_OUT(r, "\"host_name\":\"veth2a\"");
        EXPECT_OUT(r, "\"cpu\":{\"usage\":25000000000}");
        EXPECT_OUT(r, "\"disk\":{\"root\":{\"usage\":184320,");
        EXPECT_OUT(r, "\"expanded_devices\":{\"eth0\":{\"network\":\"berthbr0\"");
        EXPECT_OUT(r, "\"config\":{\"image.os\":\"BusyBox\",\"limits.cpu\":\"6\"");
        EXPECT_OUT(r, "\"snapshots\":[]");
        json_object_put(all);
}

TEST(info_looks_like_lxcs) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) running = RUN(f, 0, "info", "c1"), stopped = RUN(f, 0, "info", "c2");
        g_autoptr(Run) json = RUN(f, 0, "info", "c1", "-f", "json"), service = RUN(f, 0, "info");

        g_assert_true(g_str_has_prefix(running->out,
                                       "Name: c1\nStatus: RUNNING\nType: container\n"
                                       "Architecture: x86_64\nPID: 4242\n"
                                       "Created: 2017/09/08 02:07 UTC\n"));
        EXPECT_OUT(running, "  Processes: 6\n  Disk usage:\n    root: 180.00KiB of 953.67MiB\n"
                            "  CPU usage:\n    CPU usage (in seconds): 25\n");
        EXPECT_OUT(running, "    Memory (current): 69.01MiB\n");
        EXPECT_OUT(running, "    Memory (limit): 256.00MiB\n");
        EXPECT_OUT(running, "    eth0:\n      Type: broadcast\n      State: UP\n"
                            "      Host interface: veth2a\n"
                            "      MAC address: 00:16:3e:12:34:56\n      MTU: 1500\n"
                            "      Bytes received: 83.65kB\n");
        EXPECT_OUT(running, "        inet:  10.1.2.3/24 (global)\n");
        g_assert_null(strstr(stopped->out, "Resources"));
        EXPECT_OUT(json, "\"memory\":{\"usage\":72362230,");
        EXPECT_OUT(service, "server_version: \"9.9.9\"\n");
        RUN_ONLY(f, 4, "info", "nope");
}

TEST(csv_quotes_what_needs_it) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = NULL;

        RUN_ONLY(f, 0, "berth-call", "container/c2", "Update", "", "",
                 "description=a \"b\", c");
        r = RUN(f, 0, "ls", "-c", "nd", "-f", "csv", "c2");
        g_assert_cmpstr(r->out, ==, "c2,\"a \"\"b\"\", c\"\n");
}

/* A description is anybody's text. */
static const char hostile[] = "a\033]0;owned\007\033[31m\302\233b\342\200\256c";

static void make_hostile(Fixture *f) {
        g_autofree char *option = g_strconcat("description=", hostile, NULL);

        RUN_ONLY(f, 0, "berth-call", "container/c2", "Update", "", "", option);
        RUN_ONLY(f, 0, "init", "busybox", "x\033[31m");
}

static void expect_harmless(const char *text) {
        if (strchr(text, '\033') || strchr(text, '\007') || strstr(text, "\302\233") ||
            strstr(text, "\342\200\256"))
                g_error("The text writes to the terminal: %s", g_strescape(text, NULL));
}

TEST(no_text_of_others_writes_to_the_terminal) {
        static const char *const formats[] = { "table", "compact", "csv", "json", "yaml" };
        g_autoptr(Fixture) f = fixture_new();

        make_hostile(f);
        g_assert_true(g_setenv("NO_COLOR", "1", TRUE));
        for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
                g_autoptr(Tty) t = tty_new(f, "ls", "-c", "nd", "-f", formats[i], NULL);

                g_assert_cmpint(tty_wait(t), ==, 0);
                expect_harmless(t->text->str);
                g_assert_nonnull(strstr(t->text->str, "owned"));
        }
        {
                g_autoptr(Tty) info = tty_new(f, "info", "c2", NULL);
                g_autoptr(Tty) show = tty_new(f, "config", "show", "c2", NULL);
                g_autoptr(Tty) call = tty_new(f, "berth-call", "container/c2", "GetAll", NULL);
                g_autoptr(Tty) error = tty_new(f, "start", "no\033[31msuch", NULL);

                g_assert_cmpint(tty_wait(info), ==, 0);
                g_assert_cmpint(tty_wait(show), ==, 0);
                g_assert_cmpint(tty_wait(call), ==, 0);
                g_assert_cmpint(tty_wait(error), ==, 4);
                expect_harmless(info->text->str);
                expect_harmless(show->text->str);
                expect_harmless(call->text->str);
                expect_harmless(error->text->str);
        }
}

TEST(a_pipe_gets_csv_as_it_is) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = NULL;

        make_hostile(f);
        r = RUN(f, 0, "ls", "-c", "d", "-f", "csv", "c2");
        g_assert_true(g_str_has_prefix(r->out, hostile));
}

TEST(states_have_colours_on_a_terminal_only) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Tty) with = NULL, without = NULL;
        g_autoptr(Run) piped = RUN(f, 0, "list");

        g_assert_null(strchr(piped->out, '\033'));
        g_assert_true(g_setenv("TERM", "xterm", TRUE));
        with = tty_new(f, "list", NULL);
        g_assert_cmpint(tty_wait(with), ==, 0);
        g_assert_nonnull(strstr(with->text->str, "\033[32mRUNNING"));
        g_assert_true(g_setenv("NO_COLOR", "1", TRUE));
        without = tty_new(f, "list", NULL);
        g_assert_cmpint(tty_wait(without), ==, 0);
        g_assert_null(strchr(without->text->str, '\033'));
}

TEST(show_is_yaml_or_json) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) yaml = RUN(f, 0, "config", "show", "c1"), expanded = NULL, json = NULL;

        g_assert_cmpstr(yaml->out, ==,
                        "architecture: x86_64\nconfig:\n  image.os: BusyBox\n  limits.cpu: \"6\"\n"
                        "  user.note: |-\n    two\n    lines\n  user.team: web\n"
                        "  volatile.last_state.power: RUNNING\ndevices: {}\n"
                        "ephemeral: false\nprofiles:\n- default\nstateful: false\n"
                        "description: \"\"\n");
        expanded = RUN(f, 0, "config", "show", "c1", "--expanded");
        EXPECT_OUT(expanded, "devices:\n  eth0:\n    network: berthbr0\n    type: nic\n");
        json = RUN(f, 0, "config", "show", "c1", "-f", "json");
        EXPECT_OUT(json, "\"config\":{\"image.os\":\"BusyBox\",\"limits.cpu\":\"6\"");
        RUN_ONLY(f, 2, "config", "show", "c1", "-f", "csv");
}

TEST(usage_errors_are_told) {
        static const struct {
                const char *words[7];
                int status;
                const char *text;
        } cases[] = {
                { { "lst" }, 2, "did you mean 'list'" },
                { { "lsit" }, 2, "did you mean 'list'" },
                { { "config", "device", "ovrride" }, 2, "did you mean 'override'" },
                { { "xyzzy" }, 2, "has no command 'xyzzy'" },
                { { "list", "--nonsense" }, 2, "Unknown option --nonsense" },
                { { "list", "-z" }, 2, "Unknown option -z" },
                { { "list", "-f" }, 2, "Option -f needs a value" },
                { { "exec", "c1" }, 2, "needs more arguments" },
                { { "rename", "a", "b", "c" }, 2, "takes fewer arguments" },
                { { "config" }, 2, "needs a command" },
                { { "info", "images:debian" }, 1, "works on this machine only" },
                { { "info", "c1/snap0" }, 2, "names a snapshot" },
                { { "info", "local:" }, 0, "" },
                { { "export", "c1/s1" }, 2, "goes with its container" },
                { { "remote", "switch", "images" }, 1, "on this machine" },
                { { "remote", "set-default", "nosuch:" }, 4, "no image server 'nosuch'" },
                { { "config", "trust", "list", "-f", "csv" }, 1, "berth-polkit(7)" },
                { { "warning", "ack", "1" }, 1, "goes when what it warns of has gone" },
                { { "network", "acl", "--help" }, 1, "port_isolation" },
                { { "project", "list" }, 1, "every user owns his containers" },
                { { "operation", "show", "7" }, 4, "Job '7' does not exist" },
                { { "operation", "show", "/org/berth1/network/br0" }, 2, "is no job" },
                { { "admin", "shutdown", "-t", "soon" }, 2, "no number of seconds" },
                { { "remote", "add", "x", "y", "--protocol", "lxd" }, 1, "not supported" },
                { { "image", "copy", "busybox", "local:" }, 1, "on this machine already" },
                { { "image", "copy", "images:a", "other:" }, 1, "to this machine alone" },
                { { "info", "--project", "x" }, 1, "no projects" },
                { { "info", "\377" }, 2, "not valid UTF-8" },
                { { "help", "xyzzy" }, 2, "has no command" },
        };
        g_autoptr(Fixture) f = fixture_new();

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(Run) r = run_check(fixture_run_words(f, NULL, cases[i].words),
                                             cases[i].status, __LINE__);

                EXPECT_ERR(r, cases[i].text);
        }
}

TEST(help_and_completion_come_from_the_tables) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) help = RUN(f, 0, "help", "config", "device", "set"), version = NULL;
        g_autoptr(Run) option = RUN(f, 0, "config", "device", "set", "--help"), verbs = NULL;
        g_autoptr(Run) names = NULL, images = NULL, profiles = NULL, options = NULL;

        EXPECT_OUT(help, "Usage: berth config device set <container> <device> <key>=<value>...");
        g_assert_cmpstr(help->out, ==, option->out);
        version = RUN(f, 0, "version");
        EXPECT_OUT(version, "Server version: 9.9.9\n");
        verbs = RUN(f, 0, "--complete", "config", "de");
        g_assert_cmpstr(verbs->out, ==, "device\n");
        names = RUN(f, 0, "--complete", "start", "c1", "c");
        g_assert_cmpstr(names->out, ==, "c1\nc2\n");
        images = RUN(f, 0, "--complete", "launch", "");
        g_assert_cmpstr(images->out, ==, "busybox\n");
        profiles = RUN(f, 0, "--complete", "launch", "busybox", "-p", "d");
        g_assert_cmpstr(profiles->out, ==, "default\n");
        options = RUN(f, 0, "--complete", "stop", "--fo");
        g_assert_cmpstr(options->out, ==, "--force\n");
}

TEST(a_reader_that_leaves_early_is_no_trouble) {
        g_autoptr(Fixture) f G_GNUC_UNUSED = fixture_new();
        g_autofree char *output = NULL, *error = NULL;
        const char *argv[] = { "/bin/sh", "-c", "\"$TEST_BERTH\" list | head -n 1", NULL };
        int status;

        g_assert_true(g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output,
                                   &error, &status, NULL));
        g_assert_cmpint(status, ==, 0);
        g_assert_true(g_str_has_prefix(output, "NAME"));
        g_assert_cmpstr(error, ==, "");
}

TEST(a_full_disk_is_an_error) {
        g_autoptr(Fixture) f G_GNUC_UNUSED = fixture_new();
        g_autofree char *error = NULL;
        const char *argv[] = { "/bin/sh", "-c", "\"$TEST_BERTH\" list >/dev/full", NULL };
        int status;

        g_assert_true(g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL,
                                   &error, &status, NULL));
        g_assert_cmpint(status, !=, 0);
        g_assert_nonnull(strstr(error, "Cannot write to standard output"));
}

TEST(jobs_are_listed_and_shown) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) list = NULL, show = NULL;

        RUN_ONLY(f, 0, "start", "c2");
        list = RUN(f, 0, "operation", "list", "-f", "csv");
        EXPECT_OUT(list, "1,container-start,DONE,,YES,");
        show = RUN(f, 0, "operation", "show", "1");
        EXPECT_OUT(show, "description: container-start\n");
        RUN_ONLY(f, 0, "operation", "cancel", "1");
        /* As the bus names it. */
        RUN_ONLY(f, 0, "operation", "show", "/org/berth1/job/_31");
        RUN_ONLY(f, 0, "operation", "delete", "_31");
        RUN_ONLY(f, 0, "info", "/org/berth1/container/c1");
}

TEST(warnings_are_what_is_wrong_now) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = RUN(f, 0, "warning", "list", "-f", "csv");

        /* All of the service's is well; what this machine lacks is its own. */
        g_assert_null(strstr(r->out, "storage pool,"));
        g_assert_null(strstr(r->out, "network,"));
}

TEST(networks_say_why_they_are_not_up) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) up = NULL, broken = NULL, warnings = NULL;

        RUN_ONLY(f, 0, "network", "create", "br1");
        RUN_ONLY(f, 0, "network", "create", "broken");
        up = RUN(f, 0, "network", "info", "br1");
        EXPECT_OUT(up, "State: up");
        g_assert_null(strstr(up->out, "Error"));
        broken = RUN(f, 0, "network", "info", "broken");
        EXPECT_OUT(broken, "State: error\nError: No bridges here");
        warnings = RUN(f, 0, "warning", "list", "-f", "csv");
        EXPECT_OUT(warnings, "network,high,broken,It cannot be brought up: No bridges here");
        g_assert_null(strstr(warnings->out, "br1"));
}

TEST(the_service_is_waited_for) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "admin", "waitready");
}

TEST_MAIN()
