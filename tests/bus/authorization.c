/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who may call what: every method, by its object's owner, by another user and by root; what polkit
 * is asked and told; and what becomes of an answer that comes when things have changed.
 */

#include <string.h>

#include "service/bus/bus.h"
#include "service/bus/call.h"
#include "service/bus/path.h"
#include "service/util/cleanup.h"
#include "tests/bus/authorization.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

/* --- every method --- */

static const BusMethod *row_of(const char *method) {
        g_auto(GStrv) parts = g_strsplit(method, ".", 2);
        g_autofree char *interface = g_strconcat(BUS_NAME ".", parts[0], NULL);
        const BusMethod *row = bus_method_find(interface, parts[1]);

        g_assert_nonnull(row);
        return row;
}

static const char *expected_action(const BusMethod *row, bool own) {
        return row->access == BUS_PUBLIC  ? NULL
               : row->access == BUS_OWNER ? own ? row->own_action : row->action
                                          : row->action;
}

TEST(no_method_is_forgotten_here) {
        for (const BusClass *const *c = bus_classes(); *c; c++)
                for (const BusMethod *m = (*c)->methods; m->name; m++) {
                        g_autofree char *method = g_strdup_printf(
                                "%s.%s", strrchr((*c)->interface, '.') + 1, m->name);
                        bool found = false;

                        for (size_t i = 0; stage_get_method(i); i++)
                                found |= g_str_equal(stage_get_method(i), method);
                        if (!found)
                                g_error("%s has no line in the table of calls", method);
                }
}

/* What polkit shows must be whole: each $(name) of the prompt is a detail that is there. */
static void check_prompt(const PolkitQuestion *q) {
        const char *message = mock_polkit_get_detail(q, "polkit.message");
        g_auto(GStrv) parts = NULL;

        g_assert_nonnull(message);
        g_assert_true(g_str_has_prefix(message, "Authentication is required to "));
        g_assert_cmpstr(mock_polkit_get_detail(q, "polkit.gettext_domain"), ==, "berth");
        parts = g_strsplit(message, "$(", -1);
        for (guint i = 1; i < g_strv_length(parts); i++) {
                g_autofree char *key = g_strndup(parts[i], strcspn(parts[i], ")"));

                if (!mock_polkit_get_detail(q, key))
                        g_error("\"%s\": there is no detail \"%s\"", message, key);
        }
}

static void check_question(const PolkitQuestion *q, Client *client, size_t i, const char *action) {
        g_autofree char *id = g_strconcat("org.berth1.", action, NULL);

        g_assert_nonnull(q);
        g_assert_cmpstr(q->subject_kind, ==, "system-bus-name");
        g_assert_cmpstr(q->subject_name, ==, client->name);
        g_assert_cmpstr(q->action, ==, id);
        g_assert_cmpstr(mock_polkit_get_detail(q, "verb"), ==,
                        strchr(stage_get_method(i), '.') + 1);
        if (strstr(stage_get_path(i), "/container/")) {
                g_assert_cmpstr(mock_polkit_get_detail(q, "container"), ==, "c1");
                g_assert_cmpstr(mock_polkit_get_detail(q, "owner"), ==, "4242");
        }
        check_prompt(q);
}

/* All calls by one client, polkit saying no to all. */
static void everything_is_refused_to(Client *client, bool owner, Stage *stage) {
        Harness *h = stage->h;

        for (size_t i = 0; stage_get_method(i); i++) {
                const char *action = expected_action(row_of(stage_get_method(i)),
                                                     owner && stage_is_alices(i));
                guint asked = h->polkit->questions->len;
                unsigned runs = harness_count_runs(h, "");
                g_autoptr(Call) call = NULL;

                if (!action)
                        continue;
                call = call_wait(client, stage_begin(stage, client, i));
                if (g_strcmp0(call->error, "org.freedesktop.DBus.Error.AccessDenied") != 0)
                        g_error("%s: %s", stage_get_method(i), call->error ?: "success");
                g_assert_cmpuint(h->polkit->questions->len, ==, asked + 1);
                check_question(mock_polkit_last(h->polkit), client, i, action);
                g_assert_cmpuint(harness_count_runs(h, ""), ==, runs);
        }
}

TEST(without_a_grant_nothing_happens) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_auto(Stage) stage = stage_new(h, alice);
        g_autoptr(Call) before = NULL, after = NULL;

        before = client_call(alice, PATH_ROOT,
                             "org.freedesktop.DBus.ObjectManager.GetManagedObjects", NULL);
        h->polkit->answer = POLKIT_NO;
        everything_is_refused_to(bob, false, &stage);
        everything_is_refused_to(alice, true, &stage);
        after = client_call(alice, PATH_ROOT,
                            "org.freedesktop.DBus.ObjectManager.GetManagedObjects", NULL);
        call_assert_ok(before);
        call_assert_ok(after);
        g_assert_cmpvariant(before->body, after->body);
}

/* With a grant each call gets past authorization; what is for everybody asks nobody. */
static void everything_is_granted_to(Client *client, bool owner, bool ask, Stage *stage) {
        Harness *h = stage->h;
        g_autoptr(GPtrArray) held = g_ptr_array_new_with_free_func(call_free_in_array);

        for (size_t i = 0; stage_get_method(i); i++) {
                const char *action = expected_action(row_of(stage_get_method(i)),
                                                     owner && stage_is_alices(i));
                bool passes_on = g_str_equal(stage_get_method(i), "Manager.CheckAccess");
                guint asked = h->polkit->questions->len;
                Call *call = stage_begin(stage, client, i);

                g_ptr_array_add(held, call);
                if (g_str_equal(stage_get_method(i), "Job.Wait"))
                        continue; /* answered when the job is killed below */
                (void) call_wait(client, call);
                if (call->error && (g_str_has_suffix(call->error, ".AccessDenied") ||
                                    g_str_has_suffix(call->error, "AuthorizationRequired")))
                        g_error("%s: %s", stage_get_method(i), call->message);
                if (h->polkit->questions->len != asked + (ask && (action || passes_on)))
                        g_error("%s: polkit was asked %u times", stage_get_method(i),
                                h->polkit->questions->len - asked);
        }
}

TEST(the_owner_with_grants) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_auto(Stage) stage = stage_new(h, alice);

        everything_is_granted_to(alice, true, true, &stage);
}

TEST(another_user_with_grants) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_auto(Stage) stage = stage_new(h, alice);

        everything_is_granted_to(bob, false, true, &stage);
}

TEST(root_is_not_asked) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_auto(Stage) stage = stage_new(h, alice);

        h->polkit->answer = POLKIT_NO;
        everything_is_granted_to(h->root, false, false, &stage);
}

/* --- answers --- */

static Call *begin_stop(Client *client) {
        return client_begin(client, "/org/berth1/container/c1", "Container.GetConfig",
                            g_variant_new("(@a{sv})", no_options()));
}

TEST(answers) {
        static const struct {
                PolkitAnswer answer;
                bool interactive;
                ErrorCode error;
                const char *text;
        } cases[] = {
                { POLKIT_YES, false, -1, NULL },
                { POLKIT_YES, true, -1, NULL },
                { POLKIT_NO, false, ERROR_ACCESS_DENIED, "org.berth1.enter" },
                { POLKIT_NO, true, ERROR_ACCESS_DENIED, "org.berth1.enter" },
                { POLKIT_CHALLENGE, false, ERROR_AUTH_REQUIRED, "org.berth1.enter" },
                { POLKIT_CHALLENGE, true, ERROR_ACCESS_DENIED, "org.berth1.enter" },
                { POLKIT_ERROR, false, ERROR_ACCESS_DENIED, "Out of order" },
                { POLKIT_GARBAGE, false, ERROR_ACCESS_DENIED, "makes no sense" },
        };
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Call) call = NULL;

                h->polkit->answer = cases[i].answer;
                bob->interactive = cases[i].interactive;
                call = call_wait(bob, begin_stop(bob));
                g_assert_cmpuint(mock_polkit_last(h->polkit)->flags, ==, cases[i].interactive);
                if ((int) cases[i].error < 0)
                        call_assert_ok(call);
                else
                        call_assert_error(call, cases[i].error, cases[i].text);
        }
}

TEST(no_polkit_is_a_no) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autoptr(Call) refused = NULL, public = NULL, root = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        mock_polkit_leave(h->polkit);
        refused = call_wait(bob, begin_stop(bob));
        call_assert_error(refused, ERROR_ACCESS_DENIED, "polkit cannot be asked");
        public = client_call(bob, PATH_ROOT, "Manager.GetContainer", g_variant_new("(s)", "c1"));
        call_assert_ok(public);
        root = call_wait(h->root, begin_stop(h->root));
        call_assert_ok(root);
}

TEST(polkit_that_dies_says_no) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autoptr(Call) call = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        h->polkit->answer = POLKIT_HOLD;
        call = begin_stop(bob);
        HARNESS_WAIT(h, mock_polkit_last(h->polkit) && mock_polkit_last(h->polkit)->message &&
                                g_str_equal(mock_polkit_last(h->polkit)->subject_name, bob->name));
        mock_polkit_leave(h->polkit);
        call_assert_error(call_wait(bob, call), ERROR_ACCESS_DENIED, "polkit cannot be asked");
}

/* Starts a call that polkit is asked about, and returns the question. */
static PolkitQuestion *hold(Harness *h, Client *client, const char *path, const char *method,
                            GVariant *args, Call **ret) {
        guint asked = h->polkit->questions->len;

        h->polkit->answer = POLKIT_HOLD;
        *ret = client_begin(client, path, method, args);
        HARNESS_WAIT(h, h->polkit->questions->len > asked || (*ret)->answered);
        if ((*ret)->answered)
                g_error("%s was answered at once", method);
        h->polkit->answer = POLKIT_YES;
        return mock_polkit_last(h->polkit);
}

TEST(others_go_on_while_polkit_thinks) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autoptr(Call) held = NULL, own = NULL, other = NULL;
        PolkitQuestion *q;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        q = hold(h, bob, "/org/berth1/container/c1", "Container.GetConfig",
                 g_variant_new("(@a{sv})", no_options()), &held);
        own = client_call(bob, PATH_ROOT, "Manager.GetContainer", g_variant_new("(s)", "c1"));
        call_assert_ok(own);
        other = client_call(alice, "/org/berth1/container/c1", "Container.GetConfig",
                            g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(other);
        g_assert_false(held->answered);
        mock_polkit_answer(q, POLKIT_YES);
        call_assert_ok(call_wait(bob, held));
}

/* --- things change between question and answer --- */

static void delete_container(Client *client, const char *path) {
        g_autoptr(Call) end = client_run_job(client, path, "Container.Delete",
                                             g_variant_new("(@a{sv})", no_options()));

        call_assert_ok(end);
}

TEST(answer_is_not_for_a_namesake) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autofree char *c1 = NULL;
        g_autoptr(Call) held = NULL;
        PolkitQuestion *q;

        world_make_image(h);
        c1 = world_make_container(alice, "c1");
        q = hold(h, bob, c1, "Container.Start", g_variant_new("(@a{sv})", no_options()), &held);
        delete_container(alice, c1);
        g_free(world_make_container(alice, "c1"));
        mock_polkit_answer(q, POLKIT_YES);
        call_assert_error(call_wait(bob, held), ERROR_ACCESS_DENIED, "has changed");
        g_assert_cmpuint(harness_count_runs(h, "runtime.start"), ==, 0);
}

TEST(answer_is_not_for_what_has_gone) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autofree char *c1 = NULL;
        g_autoptr(Call) held = NULL;
        PolkitQuestion *q;

        world_make_image(h);
        c1 = world_make_container(alice, "c1");
        q = hold(h, bob, c1, "Container.Start", g_variant_new("(@a{sv})", no_options()), &held);
        delete_container(alice, c1);
        mock_polkit_answer(q, POLKIT_YES);
        call_assert_error(call_wait(bob, held), ERROR_NO_SUCH_CONTAINER, NULL);
}

/* The name was somebody else's when polkit said that bob may use what is his. */
TEST(answer_is_not_for_another_owners_namesake) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autofree char *c1 = NULL;
        g_autoptr(Call) held = NULL;
        PolkitQuestion *q;

        world_make_image(h);
        c1 = world_make_container(bob, "c1");
        q = hold(h, bob, c1, "Container.Start", g_variant_new("(@a{sv})", no_options()), &held);
        g_assert_cmpstr(q->action, ==, "org.berth1.use");
        delete_container(h->root, c1);
        g_free(world_make_container(alice, "c1"));
        mock_polkit_answer(q, POLKIT_YES);
        call_assert_error(call_wait(bob, held), ERROR_ACCESS_DENIED, "has changed");
        g_assert_cmpuint(harness_count_runs(h, "runtime.start"), ==, 0);
}

/* The alias has come to mean another image. */
TEST(answer_is_for_the_image_that_was_meant) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autofree char *other = NULL;
        g_autoptr(Call) held = NULL, moved = NULL;
        PolkitQuestion *q;

        world_make_image(h);
        other = world_import_image(h->root, "other image", NULL);
        q = hold(h, alice, PATH_ROOT, "Manager.CreateContainer", world_create_args("c1", "{}"),
                 &held);
        moved = client_call(h->root, other, "Image.AddAlias",
                            g_variant_new("(s@a{sv})", "fake", options("{'move': <true>}")));
        call_assert_ok(moved);
        mock_polkit_answer(q, POLKIT_YES);
        call_assert_error(call_wait(alice, held), ERROR_ACCESS_DENIED, "has changed");
        g_assert_false(world_has_object(h, "/org/berth1/container/c1"));
}

TEST(owner_says_when_his_image_expires) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autofree char *image = NULL;
        g_autoptr(Call) update = NULL;
        g_autoptr(GVariant) expires = NULL;

        world_make_pool(h);
        image = world_import_image(alice, "image", NULL);
        update = client_call(alice, image, "Image.Update",
                             g_variant_new_parsed("(@a{ss} {}, @as [], {'expires': <uint64 7>})"));
        call_assert_ok(update);
        expires = client_get(alice, image, "Expires");
        g_assert_cmpuint(g_variant_get_uint64(expires), ==, 7);
}

TEST(public_image_that_is_public_no_more) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autofree char *image = NULL;
        g_autoptr(Call) held = NULL, public = NULL, private = NULL;
        PolkitQuestion *q;

        world_make_pool(h);
        image = world_import_image(alice, "image", NULL);
        public = client_call(alice, image, "Image.Update",
                             g_variant_new_parsed("(@a{ss} {}, @as [], {'public': <true>})"));
        call_assert_ok(public);
        q = hold(h, bob, image, "Image.OpenExport", g_variant_new("(@a{sv})", no_options()), &held);
        g_assert_cmpstr(q->action, ==, "org.berth1.use");
        private = client_call(alice, image, "Image.Update",
                              g_variant_new_parsed("(@a{ss} {}, @as [], {'public': <false>})"));
        call_assert_ok(private);
        mock_polkit_answer(q, POLKIT_YES);
        call_assert_error(call_wait(bob, held), ERROR_ACCESS_DENIED, "has changed");
}

static void launch(Client *client, const char *name, const char *image, const char *options_text,
                   const char *action) {
        MockPolkit *polkit = client->harness->polkit;
        g_autofree char *id = g_strconcat("org.berth1.", action, NULL);
        g_autoptr(Call) refused = NULL, done = NULL;

        polkit->answer = POLKIT_NO;
        polkit->only_yes_to = g_str_equal(action, "use") ? NULL : "org.berth1.use";
        refused = client_run_job(client, PATH_ROOT, "Manager.CreateContainer",
                                 g_variant_new("(ss@a{sv})", name, image, options(options_text)));
        call_assert_error(refused, ERROR_ACCESS_DENIED, action);
        g_assert_cmpstr(mock_polkit_last(polkit)->action, ==, id);
        polkit->only_yes_to = id;
        done = client_run_job(client, PATH_ROOT, "Manager.CreateContainer",
                              g_variant_new("(ss@a{sv})", name, image, options(options_text)));
        call_assert_ok(done);
        polkit->answer = POLKIT_YES;
        polkit->only_yes_to = NULL;
}

/* Fingerprints are no secret, so they are no key: to what is in an image that another user
 * imported they do not lead. Nor does importing the same bytes make it one's own. */
TEST(an_image_is_not_had_by_its_fingerprint) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autofree char *image = NULL, *fingerprint = NULL;
        _cleanup_close_ int archive = world_new_archive("alice's");
        g_autoptr(Call) import = NULL, end = NULL, public = NULL;

        world_make_image(h);
        image = world_import_image(alice, "alice's", "hers");
        fingerprint = client_get_string(bob, image, "Fingerprint");
        launch(bob, "b1", fingerprint, "{}", "manage");
        launch(bob, "b2", "hers", "{}", "manage");
        launch(bob, "b3", "hers", "{'config': <{'security.nesting': 'true'}>}", "host-access");
        launch(alice, "a1", "hers", "{}", "use");
        launch(bob, "b4", "fake", "{}", "use");
        import = call_wait(bob, client_begin_fds(bob, PATH_ROOT, "Manager.ImportImage",
                                                 g_variant_new("(h@a{sv})", 0, no_options()),
                                                 &archive));
        call_assert_ok(import);
        end = client_wait_job(bob, call_get_path(import));
        call_assert_error(end, ERROR_EXISTS, "there already");
        launch(bob, "b5", "hers", "{}", "manage");
        public = client_call(alice, image, "Image.Update",
                             g_variant_new_parsed("(@a{ss} {}, @as [], {'public': <true>})"));
        call_assert_ok(public);
        launch(bob, "b6", "hers", "{}", "use");
}

/* --- callers --- */

TEST(caller_that_leaves_takes_its_question_along) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        Client *bob = client_new(h, UID_BOB);
        g_autofree char *c1 = NULL;
        g_autoptr(Call) held = NULL;
        PolkitQuestion *q;

        world_make_image(h);
        c1 = world_make_container(alice, "c1");
        q = hold(h, bob, c1, "Container.Start", g_variant_new("(@a{sv})", no_options()), &held);
        g_clear_pointer(&held, call_free);
        (void) client_free(bob);
        HARNESS_WAIT(h, h->polkit->cancelled->len > 0);
        g_assert_cmpuint(h->polkit->cancelled->len, ==, 1);
        g_assert_cmpstr(g_ptr_array_index(h->polkit->cancelled, 0), ==, q->cancellation_id);
        g_assert_cmpstr(q->cancellation_id, !=, "");
        mock_polkit_answer(q, POLKIT_YES);
        delete_container(alice, c1); /* berthd has dealt with the answer by the end of this */
        g_assert_cmpuint(harness_count_runs(h, "runtime.start"), ==, 0);
}

/* Whenever he leaves: before the bus has said who he is, while polkit is asked, or after. */
TEST(who_leaves_at_once_is_nobody) {
        g_autoptr(Harness) h = harness_new();
        unsigned fds = harness_count_fds(h);

        h->polkit->answer = POLKIT_NO;
        for (unsigned i = 0; i < 400; i++) {
                Client *bob = client_new(h, UID_BOB);
                Call *call = client_begin(bob, PATH_ROOT, "Manager.CreateProfile",
                                          g_variant_new_parsed("('stolen', @a{sv} {})"));
                gint64 until = g_get_monotonic_time() + i * 10;

                g_assert_cmpint(sd_bus_flush(bob->bus), >=, 0);
                while (g_get_monotonic_time() < until)
                        (void) sd_event_run(h->event, 0);
                (void) client_free(bob);
                (void) call_free(call);
        }
        g_assert_false(world_has_object(h, "/org/berth1/profile/stolen"));
        for (guint i = 0; i < h->polkit->questions->len; i++) {
                const PolkitQuestion *q = h->polkit->questions->pdata[i];

                g_assert_cmpstr(q->action, ==, "org.berth1.manage-profiles");
        }
        /* What berthd had open at first of its own start may be less by now. */
        g_assert_cmpuint(harness_count_fds(h), <=, fds);
}

/* Users of a user namespace that maps to nobody, and whoever else the kernel cannot name. */
TEST(nobody_is_refused_every_time) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) nobody = client_new(h, UID_NOBODY);

        for (int i = 0; i < 3; i++) {
                g_autoptr(Call) call = client_call(nobody, PATH_ROOT, "Manager.GetProfile",
                                                   g_variant_new("(s)", "default"));

                call_assert_error(call, ERROR_ACCESS_DENIED, NULL);
        }
        g_assert_cmpuint(h->polkit->questions->len, ==, 0);
}

TEST(uids_beyond_the_signed_range) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) far = client_new(h, UID_FAR), alice = client_new(h, UID_ALICE);
        g_autofree char *c1 = NULL;
        g_autoptr(GVariant) owner = NULL;
        g_autoptr(Call) call = NULL;

        world_make_image(h);
        c1 = world_make_container(far, "c1");
        owner = client_get(far, c1, "Owner");
        g_assert_cmpuint(g_variant_get_uint32(owner), ==, UID_FAR);
        call = client_call(alice, c1, "Container.GetConfig",
                           g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(call);
        g_assert_cmpstr(mock_polkit_get_detail(mock_polkit_last(h->polkit), "owner"), ==,
                        "4000000000");
}

TEST(calls_that_wait_are_bounded) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autoptr(GPtrArray) held = g_ptr_array_new_with_free_func(call_free_in_array);
        g_autoptr(Call) over = NULL, other = NULL;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        h->polkit->answer = POLKIT_HOLD;
        for (unsigned i = 0; i < CALLS_PENDING_MAX; i++)
                g_ptr_array_add(held, begin_stop(bob));
        over = call_wait(bob, begin_stop(bob));
        call_assert_error(over, ERROR_LIMITS_EXCEEDED, NULL);
        other = client_call(alice, PATH_ROOT, "Manager.GetContainer", g_variant_new("(s)", "c1"));
        call_assert_ok(other);
        for (guint i = 0; i < held->len; i++)
                g_assert_false(((Call *) g_ptr_array_index(held, i))->answered);
}

/* --- by another way --- */

/* Aliases of somebody else's images are not for everybody to take, by whatever method. */
TEST(aliases_are_not_stolen) {
        static const char *const methods[] = { "Manager.ImportImage", "Manager.OpenImageImport" };
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autofree char *hers = NULL, *his = NULL;
        g_autoptr(Call) add = NULL;

        world_make_pool(h);
        hers = world_import_image(alice, "alice's", "wanted");
        his = world_import_image(bob, "bob's", NULL);
        h->polkit->answer = POLKIT_NO;
        h->polkit->only_yes_to = "org.berth1.use";
        add = client_call(bob, his, "Image.AddAlias",
                          g_variant_new_parsed("('wanted', {'move': <true>})"));
        call_assert_error(add, ERROR_ACCESS_DENIED, "manage-images");
        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                _cleanup_close_ int fd = world_new_archive("another of bob's");
                g_autoptr(Call) import = NULL;
                GVariant *args =
                        i == 0 ? g_variant_new_parsed("(handle 0, {'aliases': <['wanted']>})")
                               : g_variant_new_parsed("({'aliases': <['wanted']>},)");

                import = call_wait(bob, client_begin_fds(bob, PATH_ROOT, methods[i], args, &fd));
                call_assert_error(import, ERROR_ACCESS_DENIED, "manage-images");
        }
}

/* The alias was free when the import began, and alice's when it ended. */
TEST(aliases_are_not_stolen_by_waiting) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        _cleanup_close_ int fd = world_new_archive("bob's");
        g_autofree char *hers = NULL;
        g_autoptr(Call) import = NULL, add = NULL, end = NULL, found = NULL;

        world_make_pool(h);
        hers = world_import_image(alice, "alice's", NULL);
        harness_plan(h, "image.import", "gate");
        import = call_wait(bob, client_begin_fds(
                bob, PATH_ROOT, "Manager.ImportImage",
                g_variant_new_parsed("(handle 0, {'aliases': <['wanted']>})"), &fd));
        world_wait_at_gate(h, call_get_path(import));
        add = client_call(alice, hers, "Image.AddAlias",
                          g_variant_new("(s@a{sv})", "wanted", no_options()));
        call_assert_ok(add);
        harness_open_gate(h, "image.import");
        end = client_wait_job(bob, call_get_path(import));
        call_assert_error(end, ERROR_EXISTS, "wanted");
        found = client_call(bob, PATH_ROOT, "Manager.GetImage", g_variant_new("(s)", "wanted"));
        g_assert_cmpstr(call_get_path(found), ==, hers);
}

/* Secrets of profiles and containers are for who may have them. */
TEST(secrets_are_not_shown) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) set = NULL, open = NULL, secret = NULL, all = NULL;
        g_autofree char *shown = NULL, *everything = NULL;

        set = client_call(h->root, PATH_PROFILE, "Profile.Update",
                          g_variant_new_parsed("({'environment.TOKEN': 'hunter2'}, @as [], "
                                               "@a{sv} {})"));
        call_assert_ok(set);
        h->polkit->answer = POLKIT_NO;
        open = client_call(alice, PATH_PROFILE, "Profile.GetConfig",
                           g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(open);
        shown = g_variant_print(open->body, FALSE);
        g_assert_null(strstr(shown, "hunter2"));
        secret = client_call(alice, PATH_PROFILE, "Profile.GetConfig",
                             g_variant_new("(@a{sv})", options("{'secrets': <true>}")));
        call_assert_error(secret, ERROR_ACCESS_DENIED, NULL);
        all = client_call(alice, PATH_ROOT, "org.freedesktop.DBus.ObjectManager.GetManagedObjects",
                          NULL);
        everything = g_variant_print(all->body, FALSE);
        g_assert_null(strstr(everything, "hunter2"));
}

/* --- CheckAccess --- */

static void check_access(Client *client, const char *action, const char *path,
                         const char *expected) {
        g_autoptr(Call) call = client_call(client, PATH_ROOT, "Manager.CheckAccess",
                                           g_variant_new("(so)", action, path));
        const char *answer;

        call_assert_ok(call);
        g_variant_get(call->body, "(&s)", &answer);
        g_assert_cmpstr(answer, ==, expected);
}

TEST(check_access) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autofree char *c1 = NULL;
        g_autoptr(Call) bad = NULL, missing = NULL;

        world_make_image(h);
        c1 = world_make_container(alice, "c1");
        alice->interactive = bob->interactive = true;
        h->polkit->only_yes_to = "org.berth1.use";
        h->polkit->answer = POLKIT_CHALLENGE;
        check_access(alice, "use", PATH_ROOT, "yes");
        check_access(alice, "manage", c1, "yes");
        check_access(alice, "enter", c1, "yes");
        check_access(bob, "manage", c1, "challenge");
        /* It is a question of a program, not of a person. */
        g_assert_cmpuint(mock_polkit_last(h->polkit)->flags, ==, 0);
        check_access(bob, "enter", c1, "challenge");
        h->polkit->answer = POLKIT_NO;
        check_access(bob, "manage-storage", PATH_ROOT, "no");
        h->polkit->answer = POLKIT_ERROR;
        check_access(bob, "manage-storage", PATH_ROOT, "no");
        check_access(h->root, "configure", PATH_ROOT, "yes");
        bad = client_call(bob, PATH_ROOT, "Manager.CheckAccess",
                          g_variant_new("(so)", "eat", PATH_ROOT));
        call_assert_error(bad, ERROR_INVALID_ARGS, "eat");
        missing = client_call(bob, PATH_ROOT, "Manager.CheckAccess",
                              g_variant_new("(so)", "use", "/org/berth1/container/none"));
        call_assert_error(missing, ERROR_INVALID_ARGS, "none");
}

HARNESS_MAIN()
