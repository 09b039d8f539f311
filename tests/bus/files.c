/* SPDX-License-Identifier: Apache-2.0 */

/* Files of containers, as the bus sees them. */

#include <errno.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"

static GVariant *args(const char *text) {
        return g_variant_new_parsed(text);
}

static char *pushed(Harness *h) {
        g_autofree char *path = g_build_filename(h->libexec_dir, "pushed", NULL);
        char *text = NULL;

        (void) g_file_get_contents(path, &text, NULL, NULL);
        return text;
}

static void check_facts(const Call *call) {
        g_autoptr(GVariant) facts =
                g_variant_get_child_value(call->body, g_variant_n_children(call->body) - 1);
        g_autofree char *text = g_variant_print(facts, FALSE);

        g_assert_cmpstr(text, ==, "{'mode': <uint32 416>, 'type': <'file'>}");
}

static void check_everything(Harness *h, Client *alice) {
        _cleanup_close_ int in = world_new_archive("content");
        g_autoptr(Call) pull = client_call(alice, C1, "Container.PullFile",
                                           args("('/etc/x', @a{sv} {})"));
        g_autoptr(Call) stat = client_call(alice, C1, "Container.StatPath",
                                           args("('/etc', @a{sv} {})"));
        g_autoptr(Call) list = client_call(alice, C1, "Container.ListDirectory",
                                           args("('/etc', @a{sv} {})"));
        g_autoptr(Call) push = NULL, push_end = NULL, bad = NULL, mode = NULL;
        g_autofree char *text = NULL, *stat_text = NULL, *list_text = NULL;

        call_assert_ok(pull);
        check_facts(pull);
        call_assert_ok(stat);
        stat_text = g_variant_print(stat->body, FALSE);
        /* Nothing but what the contract knows. */
        g_assert_cmpstr(stat_text, ==, "({'type': <'directory'>, 'uid': <uint32 7>},)");
        call_assert_ok(list);
        list_text = g_variant_print(list->body, FALSE);
        g_assert_cmpstr(list_text, ==, "([('a', 'file'), ('b', 'directory')], true)");

        push = call_wait(alice, client_begin_fds(alice, C1, "Container.PushFile",
                                                 args("('/etc/x', handle 0, "
                                                      "{'mode': <uint32 384>})"),
                                                 &in));
        call_assert_ok(push);
        push_end = client_wait_job(alice, call_get_path(push));
        call_assert_ok(push_end);
        text = pushed(h);
        g_assert_cmpstr(text, ==, "content");
        bad = client_call(alice, C1, "Container.StatPath", args("('', @a{sv} {})"));
        call_assert_error(bad, ERROR_INVALID_ARGS, "empty");
        mode = client_call(alice, C1, "Container.MakeDirectory",
                           args("('/x', {'mode': <uint32 65535>})"));
        call_assert_error(mode, ERROR_INVALID_ARGS, "mode");
}

TEST(files_of_a_stopped_and_a_running_container) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) start = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        check_everything(h, alice);
        start = client_run_job(alice, C1, "Container.Start", args("(@a{sv} {},)"));
        call_assert_ok(start);
        check_everything(h, alice);
}

/* Two at once on a stopped container take turns; a start meanwhile is refused. */
TEST(files_of_a_stopped_container_take_turns) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) start = NULL, first_end = NULL, second_end = NULL;
        g_autofree char *first = NULL, *second = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        harness_plan(h, "files.delete", "gate");
        first = client_start_job(alice, C1, "Container.DeletePath", args("('/a', @a{sv} {})"));
        world_wait_at_gate(h, first);
        second = client_start_job(alice, C1, "Container.DeletePath", args("('/b', @a{sv} {})"));
        start = client_run_job(alice, C1, "Container.Start", args("(@a{sv} {},)"));
        call_assert_error(start, ERROR_BUSY, "container-delete-path");
        harness_plan(h, "files.delete", "");
        harness_open_gate(h, "files.delete");
        first_end = client_wait_job(alice, first);
        call_assert_ok(first_end);
        second_end = client_wait_job(alice, second);
        call_assert_ok(second_end);
}

/* While it lasts a stopped container is nobody else's; who has mounted leaves, and it ends. */
TEST(a_mount_ends_with_its_client) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), other = client_new(h, UID_ALICE);
        g_autoptr(Call) mount = NULL, start = NULL, pull = NULL, end = NULL, again = NULL;
        g_autofree char *job = NULL;
        _cleanup_close_ int fd = world_new_archive("stands for /dev/fuse");

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        harness_plan(h, "mount.serve", "set held yes");
        mount = call_wait(alice, client_begin_fds(alice, C1, "Container.MountFiles",
                                                  args("('/', handle 0, @a{sv} {})"), &fd));
        call_assert_ok(mount);
        job = g_strdup(call_get_path(mount));
        start = client_run_job(other, C1, "Container.Start", args("(@a{sv} {},)"));
        call_assert_error(start, ERROR_BUSY, "container-mount-files");
        pull = client_call(other, C1, "Container.PullFile", args("('/etc/x', @a{sv} {})"));
        call_assert_error(pull, ERROR_BUSY, "container-mount-files");
        alice = client_free(alice);
        end = client_wait_job(other, job);
        call_assert_error(end, ERROR_CANCELLED, "");
        again = client_run_job(other, C1, "Container.Start", args("(@a{sv} {},)"));
        call_assert_ok(again);
}

TEST(errors_of_the_worker_reach_the_caller) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) pull = NULL, list = NULL, silent = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        harness_plan(h, "files.pull", "fail NoSuchFile There is no such file");
        pull = client_call(alice, C1, "Container.PullFile", args("('/x', @a{sv} {})"));
        call_assert_error(pull, ERROR_NO_SUCH_FILE, "There is no such file");
        harness_plan(h, "files.list", "lie");
        list = client_call(alice, C1, "Container.ListDirectory", args("('/x', @a{sv} {})"));
        call_assert_error(list, ERROR_FAILED, "incomplete");
        /* It never says that it has begun, but ends well. */
        harness_plan(h, "files.pull", "set silent yes");
        silent = client_call(alice, C1, "Container.PullFile", args("('/x', @a{sv} {})"));
        call_assert_ok(silent);
}

/* Those of "create" once, those of "start" each time, those of "rename" after one. */
TEST(templates_are_made_when_they_are_due) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        const char *start = "Container.Start", *stop = "Container.Stop";
        static const struct {
                const char *verb, *expected, *not_expected;
        } rounds[] = {
                { "first", "'/create'", "'/rename'" },
                { "second", "'/start'", "'/create'" },
                { "renamed", "'/rename'", "'/create'" },
        };
        const char *path = C1;

        world_make_pool(h);
        harness_plan(h, "image.import",
                     "set templates [('/create', 'a', 'x', ['create'], @a{ss} {}, false), "
                     "('/start', 'a', 'x', ['start'], {}, false), "
                     "('/rename', 'a', 'x', ['rename'], {}, false)]");
        g_free(world_import_image(h->root, "with templates", "fake"));
        g_free(world_make_container(alice, "c1"));
        for (size_t i = 0; i < ELEMENTSOF(rounds); i++) {
                g_autofree char *log = NULL;
                g_autoptr(Call) up = NULL, down = NULL, renamed = NULL;
                const char *last;

                if (g_str_equal(rounds[i].verb, "renamed")) {
                        renamed = client_run_job(alice, C1, "Container.Rename",
                                                 args("('c2', @a{sv} {})"));
                        call_assert_ok(renamed);
                        path = "/org/berth1/container/c2";
                }
                up = client_run_job(alice, path, start, args("(@a{sv} {},)"));
                call_assert_ok(up);
                down = client_run_job(alice, path, stop, args("({'force': <true>},)"));
                call_assert_ok(down);
                log = harness_read_log(h);
                last = g_strrstr(log, "files.templates");
                g_assert_nonnull(last);
                g_assert_nonnull(strstr(last, rounds[i].expected));
                g_assert_nonnull(strstr(last, "'/start'"));
                g_assert_null(strstr(last, rounds[i].not_expected));
        }
        g_assert_cmpuint(harness_count_runs(h, "files.templates"), ==, ELEMENTSOF(rounds));
}

HARNESS_MAIN()
