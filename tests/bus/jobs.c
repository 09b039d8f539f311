/* SPDX-License-Identifier: Apache-2.0 */

/* Jobs as a client sees them: progress, the end, cancelling, lingering, limits, locks. */

#include <signal.h>
#include <string.h>

#include "service/operation/job.h"
#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

static char *create(Client *client, const char *name) {
        return client_start_job(client, PATH_ROOT, "Manager.CreateContainer",
                                world_create_args(name, "{}"));
}

static Call *cancel(Client *client, const char *job) {
        return client_call(client, job, "Job.Cancel", g_variant_new("(@a{sv})", no_options()));
}

static void assert_property(Client *client, const char *path, const char *property,
                            const char *expected) {
        g_autofree char *value = client_get_string(client, path, property);

        g_assert_cmpstr(value, ==, expected);
}

static void assert_no_container(Harness *h, const char *name) {
        g_autofree char *path = g_strconcat("/org/berth1/container/", name, NULL);
        g_autofree char *record = g_strconcat("state/containers/", name, NULL);
        g_autofree char *volume = g_strconcat("state/mounts/default/containers/", name, NULL);

        g_assert_false(world_has_object(h, path));
        g_assert_false(harness_has_file(h, record));
        g_assert_false(harness_has_file(h, volume));
}

TEST(progress_and_end) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autofree char *job = NULL;
        g_autoptr(GVariant) progress = NULL, objects = NULL, started = NULL, owner = NULL;
        g_autoptr(GVariant) expected = g_variant_ref_sink(g_variant_new_parsed("('done','','')"));
        g_autoptr(Call) end = NULL;
        const Signal *finished, *added;
        guint from;

        world_make_image(h);
        harness_plan(h, "storage.container-create", "gate");
        from = h->root->signals->len;
        job = create(alice, "c1");
        world_wait_at_gate(h, job);
        progress = client_find_value(h->root, from, job, "Progress");
        g_assert_cmpfloat(g_variant_get_double(progress), ==, 0.5);
        assert_property(alice, job, "State", "running");
        assert_property(alice, job, "Result", "");
        assert_property(alice, job, "Operation", "container-create");
        assert_property(alice, "/org/berth1/container/c1", "State", "creating");
        objects = client_get(alice, job, "Objects");
        g_assert_cmpuint(g_variant_n_children(objects), ==, 1);
        owner = client_get(alice, job, "Owner");
        g_assert_cmpuint(g_variant_get_uint32(owner), ==, UID_ALICE);
        started = client_get(alice, job, "Started");
        g_assert_cmpint(ABS((gint64) g_variant_get_uint64(started) - g_get_real_time()), <,
                        60 * G_USEC_PER_SEC);

        harness_open_gate(h, "storage.container-create");
        end = client_wait_job(alice, job);
        call_assert_ok(end);
        HARNESS_WAIT(h, client_find_signal(h->root, from, job, "Finished"));
        finished = client_find_signal(h->root, from, job, "Finished");
        /* All that has changed was told before. */
        g_assert_true(client_heard_value(h->root, from, job, "Result", "done"));
        g_assert_true(client_heard_value(h->root, from, job, "State", "done"));
        g_assert_true(client_heard_value(h->root, from, "/org/berth1/container/c1", "State",
                                         "stopped"));
        added = client_find_signal(h->root, from, "/org/berth1", "InterfacesAdded");
        g_assert_nonnull(added);
        g_assert_cmpuint(added->index, <, finished->index);
        for (guint i = finished->index + 1; i < h->root->signals->len; i++)
                g_assert_cmpstr(((Signal *) g_ptr_array_index(h->root->signals, i))->path, !=, job);
        g_assert_cmpvariant(finished->body, expected);
}

TEST(failure_is_told_everywhere_alike) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autofree char *job = NULL;
        g_autoptr(Call) first = NULL, second = NULL;
        const char *result, *name, *message;

        world_make_image(h);
        harness_plan(h, "storage.container-create", "fail NoSpace The disk is full");
        job = create(alice, "c1");
        first = client_wait_job(alice, job);
        call_assert_error(first, ERROR_NO_SPACE, "The disk is full");
        second = client_wait_job(alice, job);
        call_assert_error(second, ERROR_NO_SPACE, "The disk is full");
        assert_property(alice, job, "Result", "failed");
        assert_property(alice, job, "ErrorName", "org.berth1.Error.NoSpace");
        assert_property(alice, job, "ErrorMessage", "The disk is full");
        HARNESS_WAIT(h, client_find_signal(h->root, 0, job, "Finished"));
        g_variant_get(client_find_signal(h->root, 0, job, "Finished")->body, "(&s&s&s)", &result,
                      &name, &message);
        g_assert_cmpstr(result, ==, "failed");
        g_assert_cmpstr(name, ==, "org.berth1.Error.NoSpace");
        g_assert_cmpstr(message, ==, "The disk is full");
        assert_no_container(h, "c1");
}

TEST(cancel_undoes) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) waiting = NULL, cancelled = NULL, again = NULL;
        g_autofree char *job = NULL;

        world_make_image(h);
        harness_plan(h, "storage.container-create", "gate");
        job = create(alice, "c1");
        world_wait_at_gate(h, job);
        waiting = client_begin(alice, job, "Job.Wait", g_variant_new("(@a{sv})", no_options()));
        cancelled = cancel(alice, job);
        call_assert_ok(cancelled);
        call_assert_error(call_wait(alice, waiting), ERROR_CANCELLED, NULL);
        assert_property(alice, job, "Result", "cancelled");
        assert_no_container(h, "c1");
        again = cancel(alice, job);
        call_assert_ok(again);
}

/* A worker that ends with success although it was told to stop: what it did is undone. */
TEST(cancel_that_comes_too_late_for_the_worker) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) cancelled = NULL, end = NULL;
        g_autofree char *job = NULL;

        world_make_image(h);
        harness_plan(h, "storage.container-create", "deaf\ngate");
        job = create(alice, "c1");
        world_wait_at_gate(h, job);
        cancelled = cancel(alice, job);
        call_assert_ok(cancelled);
        world_wait_for(h, 0, job, "State", "cancelling");
        harness_open_gate(h, "storage.container-create");
        end = client_wait_job(alice, job);
        call_assert_error(end, ERROR_CANCELLED, NULL);
        assert_no_container(h, "c1");
        g_assert_cmpuint(harness_count_runs(h, "storage.container-delete"), ==, 1);
}

TEST(what_cannot_be_cancelled_says_so) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *image = NULL, *job = NULL;
        g_autoptr(Call) refused = NULL, end = NULL;
        g_autoptr(GVariant) cancelable = NULL;

        world_make_pool(h);
        image = world_import_image(h->root, "image", NULL);
        harness_plan(h, "storage.image-delete", "gate");
        job = client_start_job(h->root, image, "Image.Delete",
                               g_variant_new("(@a{sv})", no_options()));
        world_wait_at_gate(h, job);
        cancelable = client_get(h->root, job, "Cancelable");
        g_assert_false(g_variant_get_boolean(cancelable));
        refused = cancel(h->root, job);
        call_assert_error(refused, ERROR_NOT_SUPPORTED, "cannot be cancelled");
        harness_open_gate(h, "storage.image-delete");
        end = client_wait_job(h->root, job);
        call_assert_ok(end);
}

TEST(queued_behind_another_job) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *pool = NULL, *job = NULL, *doomed = NULL;
        g_autoptr(Call) end = NULL, cancelled = NULL, doomed_end = NULL;

        world_make_image(h);
        harness_plan(h, "storage.pool-create", "gate");
        pool = client_start_job(h->root, PATH_ROOT, "Manager.CreateStoragePool",
                                g_variant_new_parsed("('slow', 'dir', @a{ss} {}, @a{sv} {})"));
        world_wait_at_gate(h, pool);
        job = client_start_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                               world_create_args("c1", "{'pool': <'slow'>}"));
        doomed = client_start_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                                  world_create_args("c2", "{'pool': <'slow'>}"));
        world_wait_for(h, 0, job, "State", "queued");
        world_wait_for(h, 0, doomed, "State", "queued");
        cancelled = cancel(h->root, doomed);
        call_assert_ok(cancelled);
        doomed_end = client_wait_job(h->root, doomed);
        call_assert_error(doomed_end, ERROR_CANCELLED, NULL);
        harness_open_gate(h, "storage.pool-create");
        end = client_wait_job(h->root, job);
        call_assert_ok(end);
        g_assert_true(harness_has_file(h, "state/mounts/slow/containers/c1"));
        g_assert_false(harness_has_file(h, "state/containers/c2"));
}

/* As two busctl calls in a row: the first has left when the second asks how it went. */
TEST(the_result_stays_when_the_starter_leaves) {
        g_autoptr(Harness) h = harness_new();
        Client *first = client_new(h, UID_ALICE);
        g_autoptr(Client) second = client_new(h, UID_ALICE);
        g_autofree char *done = NULL, *failed = NULL, *running = NULL;
        g_autoptr(Call) done_end = NULL, failed_end = NULL, again = NULL, running_end = NULL;

        world_make_image(h);
        done = create(first, "c1");
        done_end = client_wait_job(first, done);
        call_assert_ok(done_end);
        harness_plan(h, "runtime.start", "fail BackendFailed It does not start");
        failed = client_start_job(first, "/org/berth1/container/c1", "Container.Start",
                                  g_variant_new("(@a{sv})", no_options()));
        failed_end = client_wait_job(first, failed);
        call_assert_error(failed_end, ERROR_BACKEND_FAILED, "It does not start");
        harness_plan(h, "storage.container-create", "gate");
        running = create(first, "c2");
        world_wait_at_gate(h, running);

        (void) client_free(first);
        assert_property(second, done, "Result", "done");
        again = client_wait_job(second, failed);
        call_assert_error(again, ERROR_BACKEND_FAILED, "It does not start");
        /* What is under way goes on without its starter. */
        harness_open_gate(h, "storage.container-create");
        running_end = client_wait_job(second, running);
        call_assert_ok(running_end);
}

/* Nobody fills the service with jobs that he leaves behind: the last ones stay, and those of others
 * are left alone. */
TEST(jobs_left_behind_make_room) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) bob = client_new(h, UID_BOB);
        g_autofree char *bobs = NULL;
        g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(Call) bobs_end = NULL;

        world_make_image(h);
        bobs = create(bob, "c1");
        bobs_end = client_wait_job(bob, bobs);
        call_assert_ok(bobs_end);
        harness_plan(h, "image.import", "fail InvalidImage It is none");
        for (unsigned i = 0; i < JOBS_LEFT_PER_UID_MAX + 3; i++) {
                Client *alice = client_new(h, UID_ALICE);
                char *job = client_start_job(alice, PATH_ROOT, "Manager.OpenImageImport",
                                             g_variant_new("(@a{sv})", no_options()));
                g_autoptr(Call) end = client_wait_job(alice, job);

                call_assert_error(end, ERROR_INVALID_IMAGE, "It is none");
                g_ptr_array_add(jobs, job);
                (void) client_free(alice);
        }
        HARNESS_WAIT(h, !world_has_object(h, g_ptr_array_index(jobs, 2)));
        g_assert_false(world_has_object(h, g_ptr_array_index(jobs, 0)));
        for (unsigned i = 3; i < jobs->len; i++)
                g_assert_true(world_has_object(h, g_ptr_array_index(jobs, i)));
        g_assert_true(world_has_object(h, bobs));
}

TEST(one_user_cannot_take_all_jobs) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), alice2 = client_new(h, UID_ALICE),
                          bob = client_new(h, UID_BOB);
        g_autoptr(Call) over = NULL, other = NULL;

        world_make_pool(h);
        harness_plan(h, "image.import", "gate");
        for (unsigned i = 0; i < JOBS_RUNNING_PER_UID_MAX; i++) {
                g_autoptr(Call) call = client_call(
                        i % 2 ? alice : alice2, PATH_ROOT, "Manager.OpenImageImport",
                        g_variant_new("(@a{sv})", no_options()));

                call_assert_ok(call);
        }
        over = client_call(alice, PATH_ROOT, "Manager.OpenImageImport",
                           g_variant_new("(@a{sv})", no_options()));
        call_assert_error(over, ERROR_LIMITS_EXCEEDED, "4242");
        other = client_call(bob, PATH_ROOT, "Manager.OpenImageImport",
                            g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(other);
}

static unsigned count_jobs(Harness *h) {
        g_autoptr(Call) call = client_call(h->root, "/org/berth1",
                                           "org.freedesktop.DBus.ObjectManager.GetManagedObjects",
                                           NULL);
        g_autoptr(GVariant) objects = NULL;
        GVariantIter iter;
        const char *path;
        unsigned n = 0;

        call_assert_ok(call);
        objects = g_variant_get_child_value(call->body, 0);
        g_variant_iter_init(&iter, objects);
        while (g_variant_iter_next(&iter, "{&o@a{sa{sv}}}", &path, NULL))
                n += g_str_has_prefix(path, "/org/berth1/job/");
        return n;
}

/* Jobs that have ended are kept for who started them: not more of one user than leave room for
 * the others. */
TEST(ended_jobs_of_one_user_make_room) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autofree char *last = NULL;
        unsigned before;

        world_make_pool(h);
        harness_plan(h, "image.import", "fail InvalidImage It is none");
        before = count_jobs(h);
        for (unsigned i = 0; i < JOBS_KEPT_PER_UID_MAX + 10; i++) {
                g_autoptr(Call) end = NULL;

                g_free(last);
                last = client_start_job(alice, PATH_ROOT, "Manager.OpenImageImport",
                                        g_variant_new("(@a{sv})", no_options()));
                end = client_wait_job(alice, last);
                call_assert_error(end, ERROR_INVALID_IMAGE, "It is none");
        }
        g_assert_cmpuint(count_jobs(h), <=, before + JOBS_KEPT_PER_UID_MAX);
        assert_property(alice, last, "Result", "failed");
}

static unsigned jobs_in_state(Client *client, GPtrArray *jobs, const char *state) {
        unsigned n = 0;

        for (guint i = 0; i < jobs->len; i++) {
                g_autofree char *value = client_get_string(client, jobs->pdata[i], "State");

                n += g_str_equal(value, state);
        }
        return n;
}

/* However much one user has to do, others' jobs find a worker at once. */
TEST(workers_of_one_user_are_bounded) {
        const unsigned n = WORKERS_PER_UID_MAX + 4;
        g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autofree char *hers = NULL;
        g_autoptr(Call) made = NULL, cancelled = NULL, end = NULL;

        world_make_image(h);
        harness_plan(h, "storage.container-create", "gate");
        for (unsigned i = 0; i < n; i++) {
                g_autofree char *name = g_strdup_printf("bobs%u", i);

                g_ptr_array_add(jobs, create(bob, name));
        }
        for (unsigned i = 0; i < WORKERS_PER_UID_MAX; i++)
                world_wait_at_gate(h, jobs->pdata[i]);
        hers = create(alice, "hers");
        world_wait_at_gate(h, hers);
        g_assert_cmpuint(harness_count_runs(h, "storage.container-create"), ==,
                         WORKERS_PER_UID_MAX + 1);
        g_assert_cmpuint(jobs_in_state(bob, jobs, "running"), ==, WORKERS_PER_UID_MAX);
        g_assert_cmpuint(jobs_in_state(bob, jobs, "queued"), ==, 4);

        /* What has not begun is cancelled at once. */
        cancelled = cancel(bob, jobs->pdata[n - 1]);
        call_assert_ok(cancelled);
        end = client_wait_job(bob, jobs->pdata[n - 1]);
        call_assert_error(end, ERROR_CANCELLED, NULL);
        harness_open_gate(h, "storage.container-create");
        made = client_wait_job(alice, hers);
        call_assert_ok(made);
        for (unsigned i = 0; i < n - 1; i++) {
                g_autoptr(Call) done = client_wait_job(bob, jobs->pdata[i]);

                call_assert_ok(done);
        }
        g_assert_cmpuint(harness_count_runs(h, "storage.container-create"), ==, n);
        assert_no_container(h, "bobs11");
}

TEST(locked_objects_are_busy) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *c1 = NULL, *job = NULL, *number = NULL;
        static const char *const methods[] = { "Container.Start", "Container.Delete" };
        g_autoptr(Call) update = NULL, rename = NULL, end = NULL;

        world_make_image(h);
        c1 = world_make_container(h->root, "c1");
        harness_plan(h, "storage.container-delete", "gate");
        job = client_start_job(h->root, c1, "Container.Delete",
                               g_variant_new("(@a{sv})", no_options()));
        world_wait_at_gate(h, job);
        number = g_strconcat("Job ", job + strlen("/org/berth1/job/_3"), NULL);
        for (size_t i = 0; i < ELEMENTSOF(methods); i++) {
                g_autoptr(Call) call = client_call(h->root, c1, methods[i],
                                                   g_variant_new("(@a{sv})", no_options()));

                call_assert_error(call, ERROR_BUSY, number);
        }
        update = client_call(h->root, c1, "Container.Update",
                             g_variant_new_parsed("(@a{ss} {}, @as [], @a{sv} {})"));
        call_assert_error(update, ERROR_BUSY, number);
        rename = client_call(h->root, c1, "Container.Rename",
                             g_variant_new_parsed("('c2', @a{sv} {})"));
        g_assert_nonnull(rename->error);
        harness_open_gate(h, "storage.container-delete");
        end = client_wait_job(h->root, job);
        call_assert_ok(end);
        assert_no_container(h, "c1");
}

/* Whatever a worker does, the job fails, is undone, and berthd goes on. */
TEST(misbehaving_workers) {
        static const struct {
                const char *plan, *text;
        } cases[] = {
                { "exit 3", "status 3" },
                { "exit 0", "without a result" },
                { "die 9", "signal 9" },
                { "die 6", "signal 6" },
                { "garbage", "makes no sense" },
                { "garbage\nlate", "makes no sense" },
                { "huge\nlate", "makes no sense" },
                { "lie", "incomplete" },
                { "crowd\nfail NoSpace After all", "makes no sense" },
                { "error org.berth1.Error.Unheard Of", "makes no sense" },
                { "flood", NULL },
        };
        g_autoptr(Harness) h = harness_new();
        unsigned fds;

        world_make_image(h);
        fds = harness_count_fds(h);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Call) end = NULL;
                g_autofree char *job = NULL;

                harness_plan(h, "storage.container-create", cases[i].plan);
                job = create(h->root, "c1");
                if (g_str_equal(cases[i].plan, "flood")) {
                        g_autoptr(Call) cancelled = cancel(h->root, job);

                        call_assert_ok(cancelled);
                }
                end = client_wait_job(h->root, job);
                g_assert_nonnull(end->error);
                if (cases[i].text && !strstr(end->message, cases[i].text))
                        g_error("%s: \"%s\"", cases[i].plan, end->message);
                assert_no_container(h, "c1");
        }
        g_assert_cmpuint(harness_count_fds(h), ==, fds);
        harness_plan(h, "storage.container-create", NULL);
        g_free(world_make_container(h->root, "c2"));
}

HARNESS_MAIN()
