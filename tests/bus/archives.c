/* SPDX-License-Identifier: Apache-2.0 */

/* Containers go out as archives and come in again: what is in one counts as much as its importer,
 * and what is interrupted leaves nothing. */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define C2 "/org/berth1/container/c2"
#define EXPORT "image.export-container"
#define IMPORT "image.import-container"

#define FACTS "'description': <'text'>, 'architecture': <'x86_64'>, 'ephemeral': <false>, " \
              "'created': <@t 5>, 'expires': <@t 0>, 'profiles': <['default']>"

static Call *import(Client *client, const char *index, const char *name) {
        _cleanup_close_ int fd = world_new_archive(index);

        return call_wait(client, client_begin_fds(client, PATH_ROOT, "Manager.ImportContainer",
                                                  g_variant_new("(hs@a{sv})", 0, name,
                                                                no_options()),
                                                  &fd));
}

/* Of one container c1 with that configuration and devices, and a snapshot s1. */
static char *index_of(const char *config, const char *devices) {
        return g_strdup_printf("{'container': <{'name': <'c1'>, 'config': <@a{ss} {%s}>, "
                               "'devices': <@a{sa{ss}} {%s}>, " FACTS "}>, "
                               "'snapshots': <[{'name': <'s1'>, 'config': <@a{ss} {}>, "
                               "'devices': <@a{sa{ss}} {}>, " FACTS "}]>}", config, devices);
}

static void assert_nothing(Harness *h) {
        g_assert_false(world_has_object(h, C1));
        g_assert_false(world_has_object(h, C1 "/snapshot/s1"));
        g_assert_false(harness_has_file(h, "state/containers/c1"));
        g_assert_false(harness_has_file(h, "state/mounts/default/containers/c1"));
        g_assert_false(harness_has_file(h, "state/mounts/default/snapshots/c1"));
}

static Call *await_end(Client *client, const Call *started) {
        return client_wait_job(client, call_get_path(started));
}

static Harness *new_harness(Client **ret_alice) {
        Harness *h = harness_new();

        world_make_image(h);
        *ret_alice = client_new(h, UID_ALICE);
        return h;
}

TEST(imported_ones_are_the_importers) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_harness(&alice);
        g_autofree char *index = index_of("'user.a': '1', 'image.os': 'Fake', "
                                          "'volatile.eth0.hwaddr': 'nonsense', "
                                          "'volatile.secret': 'x'", "");
        g_autoptr(Call) started = NULL, end = NULL, again = NULL, config = NULL;
        g_autoptr(GVariant) owner = NULL;
        g_autofree char *shown = NULL, *state = NULL;

        started = import(alice, index, "");
        call_assert_ok(started);
        end = await_end(alice, started);
        call_assert_ok(end);
        owner = client_get(alice, C1, "Owner");
        state = client_get_string(alice, C1, "State");
        g_assert_cmpuint(g_variant_get_uint32(owner), ==, UID_ALICE);
        g_assert_cmpstr(state, ==, "stopped");
        g_assert_true(world_has_object(h, C1 "/snapshot/s1"));
        config = client_call(alice, C1, "Container.GetConfig",
                             g_variant_new("(@a{sv})", no_options()));
        shown = g_variant_print(config->body, FALSE);
        g_assert_nonnull(strstr(shown, "'user.a': '1'"));
        g_assert_nonnull(strstr(shown, "'image.os': 'Fake'"));
        g_assert_null(strstr(shown, "volatile"));
        again = import(alice, index, "");
        call_assert_error(again, ERROR_EXISTS, "c1");
}

/* What the archive asks for is asked for, once and before anything is there. */
TEST(polkit_is_asked_for_what_is_in_it) {
        static const struct {
                const char *config, *devices, *action;
        } cases[] = {
                { "'security.nesting': 'true'", "", "org.berth1.use-kernel-surface" },
                { "'security.privileged': 'true'", "", "org.berth1.host-access" },
                { "", "'d': {'type': 'unix-char', 'path': '/dev/x', 'source': '/dev/x'}",
                  "org.berth1.host-access" },
        };
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_harness(&alice);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *index = index_of(cases[i].config, cases[i].devices);
                g_autoptr(Call) refused = NULL, started = NULL, end = NULL, gone = NULL;

                h->polkit->answer = POLKIT_NO;
                h->polkit->only_yes_to = "org.berth1.use";
                refused = import(alice, index, "");
                call_assert_error(refused, ERROR_ACCESS_DENIED,
                                  cases[i].action + strlen("org.berth1."));
                assert_nothing(h);
                h->polkit->answer = POLKIT_YES;
                h->polkit->only_yes_to = NULL;
                started = import(alice, index, "");
                call_assert_ok(started);
                g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, cases[i].action);
                end = await_end(alice, started);
                call_assert_ok(end);
                gone = client_run_job(alice, C1, "Container.Delete",
                                      g_variant_new("(@a{sv})", no_options()));
                call_assert_ok(gone);
        }
}

TEST(what_is_in_it_is_checked) {
        static const struct {
                const char *config, *devices;
                ErrorCode error;
                const char *part;
        } cases[] = {
                { "'no.such.key': '1'", "", ERROR_INVALID_CONFIG, "no.such.key" },
                { "'limits.memory': 'much'", "", ERROR_INVALID_CONFIG, "limits.memory" },
                { "", "'d': {'type': 'bogus'}", ERROR_INVALID_DEVICE, "bogus" },
                { "", "'d': {'type': 'nic', 'network': 'none'}", ERROR_NO_SUCH_NETWORK, "none" },
        };
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_harness(&alice);
        g_autoptr(Call) damaged = NULL, empty = NULL, bad_name = NULL;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *index = index_of(cases[i].config, cases[i].devices);
                g_autoptr(Call) call = import(alice, index, "");

                call_assert_error(call, cases[i].error, cases[i].part);
                assert_nothing(h);
        }
        damaged = import(alice, "no archive", "");
        call_assert_error(damaged, ERROR_INVALID_IMAGE, "damaged");
        empty = import(alice, "@a{sv} {}", "");
        call_assert_error(empty, ERROR_INVALID_IMAGE, "no container");
        bad_name = import(alice, "@a{sv} {}", "../c1");
        call_assert_error(bad_name, ERROR_INVALID_NAME, "c1");
        assert_nothing(h);
}

/* The image that it says to be of is kept for people to know, where it can be one. */
TEST(an_image_that_can_be_none_is_forgotten) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h G_GNUC_UNUSED = new_harness(&alice);
        g_autofree char *fingerprint = g_strnfill(64, 'a');

        for (int good = 0; good < 2; good++) {
                g_autofree char *config = g_strdup_printf("'volatile.base_image': '%s'",
                                                          good ? fingerprint : "../x");
                g_autofree char *index = index_of(config, ""), *text = NULL;
                g_autoptr(Call) started = import(alice, index, ""), end = NULL, read = NULL;
                g_autoptr(Call) gone = NULL;

                call_assert_ok(started);
                end = await_end(alice, started);
                call_assert_ok(end);
                read = client_call(alice, C1, "Container.GetConfig",
                                   g_variant_new("(@a{sv})", no_options()));
                call_assert_ok(read);
                text = g_variant_print(read->body, FALSE);
                g_assert_true(!strstr(text, "volatile.base_image") == !good);
                gone = client_run_job(alice, C1, "Container.Delete",
                                      g_variant_new("(@a{sv})", no_options()));
                call_assert_ok(gone);
        }
}

TEST(a_failed_import_leaves_nothing) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_harness(&alice);
        g_autofree char *index = index_of("", "");
        g_autoptr(Call) started = NULL, end = NULL;

        harness_plan(h, IMPORT, "set full yes");
        started = import(alice, index, "");
        call_assert_ok(started);
        end = await_end(alice, started);
        call_assert_error(end, ERROR_NO_SPACE, "Full");
        assert_nothing(h);
}

TEST(killed_while_importing) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_harness(&alice);
        g_autofree char *index = index_of("", "");
        g_autoptr(Call) started = NULL;

        harness_plan(h, IMPORT, "set hold yes");
        started = import(alice, index, "");
        call_assert_ok(started);
        world_wait_at_gate(h, call_get_path(started));
        g_assert_true(world_has_object(h, C1));
        harness_kill_service(h);
        harness_plan(h, IMPORT, NULL);
        harness_start_service(h, NULL);
        assert_nothing(h);
}

TEST(exported) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_harness(&alice);
        _cleanup_close_ int fd = memfd_create("out", MFD_CLOEXEC), read_only = -EBADF;
        g_autofree char *log = NULL, *path = NULL;
        g_autoptr(Call) started = NULL, end = NULL, bad = NULL;
        char text[16] = "";

        g_free(world_start_container(alice, "c1"));
        started = call_wait(alice, client_begin_fds(alice, C1, "Container.Export",
                                                    g_variant_new_parsed("(handle 0, "
                                                                         "{'compression': "
                                                                         "<'xz'>})"), &fd));
        call_assert_ok(started);
        end = await_end(alice, started);
        call_assert_ok(end);
        g_assert_cmpint(pread(fd, text, sizeof(text) - 1, 0), ==, strlen("archive"));
        g_assert_cmpstr(text, ==, "archive");
        /* It runs, and its pool takes no pictures. */
        g_assert_cmpuint(harness_count_runs(h, "runtime.freeze"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "runtime.unfreeze"), ==, 1);
        log = harness_read_log(h);
        g_assert_nonnull(strstr(log, EXPORT));
        g_assert_nonnull(strstr(log, "'compression': <'xz'>"));
        path = g_strdup_printf("/proc/self/fd/%d", fd);
        read_only = open(path, O_RDONLY | O_CLOEXEC);
        bad = call_wait(alice, client_begin_fds(alice, C1, "Container.Export",
                                                g_variant_new_parsed("(handle 0, @a{sv} {})"),
                                                &read_only));
        call_assert_error(bad, ERROR_INVALID_ARGS, "writing");
}

TEST(a_copy_renders_its_templates) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_harness(&alice);
        g_autofree char *image = NULL, *log = NULL;
        g_autoptr(Call) copy = NULL, start = NULL, made = NULL;

        harness_plan(h, "image.import", "set templates [('/etc/of-copy', 'c.tpl', 'x', ['copy'], "
                                        "@a{ss} {}, false)]");
        image = world_import_image(alice, "with templates", "tpl");
        made = client_run_job(alice, PATH_ROOT, "Manager.CreateContainer",
                              g_variant_new_parsed("('c1', 'tpl', @a{sv} {})"));
        call_assert_ok(made);
        copy = client_run_job(alice, C1, "Container.Copy", g_variant_new_parsed("('c2', "
                                                                                "@a{sv} {})"));
        call_assert_ok(copy);
        start = client_run_job(alice, C2, "Container.Start",
                               g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(start);
        log = harness_read_log(h);
        g_assert_nonnull(strstr(log, "files.templates"));
        g_assert_nonnull(strstr(log, "('/etc/of-copy', 'x', 'copy', "));
}

HARNESS_MAIN()
