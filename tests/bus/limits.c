/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Changes of limits on containers that run: the kernel comes first, the record after it, and the
 * answer last; what the kernel refuses is recorded nowhere; a profile reaches all who use it.
 */

#include <string.h>
#include <sys/stat.h>

#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define PATH_C1 "/org/berth1/container/c1"
#define PATH_C2 "/org/berth1/container/c2"

static Harness *stage(void) {
        Harness *h = harness_new();

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        g_free(world_start_container(h->root, "c2"));
        return h;
}

static Call *begin_set(Harness *h, const char *path, const char *key, const char *value) {
        return client_begin(h->root, path,
                            strstr(path, "/profile/") ? "Profile.Update" : "Container.Update",
                            g_variant_new_parsed("({%s: %s}, @as [], @a{sv} {})", key, value));
}

static Call *set(Harness *h, const char *path, const char *key, const char *value) {
        return call_wait(h->root, begin_set(h, path, key, value));
}

static void must_set(Harness *h, const char *path, const char *key, const char *value) {
        g_autoptr(Call) call = set(h, path, key, value);

        call_assert_ok(call);
}

static char *value_of(Harness *h, const char *path, const char *key) {
        g_autoptr(Call) call = client_call(h->root, path, "Container.GetConfig",
                                           g_variant_new_parsed("({'expanded': <true>},)"));
        g_autoptr(GVariant) config = NULL;
        char *value = NULL;

        call_assert_ok(call);
        config = g_variant_get_child_value(call->body, 0);
        (void) g_variant_lookup(config, key, "s", &value);
        return value;
}

static uint64_t revision_of(Harness *h, const char *path) {
        g_autoptr(GVariant) value = client_get(h->root, path, "Revision");

        g_assert_nonnull(value);
        return g_variant_get_uint64(value);
}

/* The last line of the workers' log that begins so. */
static char *last_run(Harness *h, const char *operation) {
        g_autofree char *log = harness_read_log(h);
        g_auto(GStrv) lines = g_strsplit(log, "\n", -1);
        char *found = NULL;

        for (char **line = lines; *line; line++)
                if (g_str_has_prefix(*line, operation)) {
                        g_free(found);
                        found = g_strdup(*line);
                }
        return found;
}

TEST(a_start_has_the_whole_configuration) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *run = NULL;

        world_make_image(h);
        must_set(h, PATH_PROFILE, "limits.memory", "1GiB");
        g_free(world_start_container(h->root, "c1"));
        run = last_run(h, "runtime.start");
        g_assert_nonnull(strstr(run, "'limits.memory': '1GiB'"));
        g_assert_nonnull(strstr(run, "'cpus': <''>"));
}

TEST(the_kernel_comes_first) {
        g_autoptr(Harness) h = stage();
        uint64_t before = revision_of(h, PATH_C1);
        g_autofree char *during = NULL, *after = NULL, *run = NULL;
        g_autoptr(Call) call = NULL, busy = NULL;

        harness_plan(h, "runtime.limits", "gate");
        call = begin_set(h, PATH_C1, "limits.memory", "64MiB");
        HARNESS_WAIT(h, harness_count_runs(h, "runtime.limits") == 1);
        g_assert_false(call->answered);
        during = value_of(h, PATH_C1, "limits.memory");
        g_assert_null(during);
        g_assert_cmpuint(revision_of(h, PATH_C1), ==, before);
        busy = set(h, PATH_C1, "user.x", "y");
        call_assert_error(busy, ERROR_BUSY, "c1");

        harness_open_gate(h, "runtime.limits");
        (void) call_wait(h->root, call);
        call_assert_ok(call);
        after = value_of(h, PATH_C1, "limits.memory");
        g_assert_cmpstr(after, ==, "64MiB");
        g_assert_cmpuint(revision_of(h, PATH_C1), ==, before + 1);
        run = last_run(h, "runtime.limits");
        g_assert_nonnull(strstr(run, "('c1', "));
        g_assert_null(strstr(run, "('c2', "));
}

TEST(what_the_kernel_refuses_is_not_recorded) {
        g_autoptr(Harness) h = stage();
        uint64_t before = revision_of(h, PATH_C1);
        g_autofree char *value = NULL, *other = NULL;
        g_autoptr(Call) call = NULL;

        harness_plan(h, "runtime.limits", "fail Busy It uses more than that");
        call = client_call(h->root, PATH_C1, "Container.Update",
                           g_variant_new_parsed("({'limits.memory': '1MiB', 'user.x': 'y'}, "
                                                "@as [], {'description': <'new'>})"));
        call_assert_error(call, ERROR_BUSY, "uses more");
        value = value_of(h, PATH_C1, "limits.memory");
        other = value_of(h, PATH_C1, "user.x");
        g_assert_null(value);
        g_assert_null(other);
        g_assert_cmpuint(revision_of(h, PATH_C1), ==, before);
        harness_plan(h, "runtime.limits", NULL);
        must_set(h, PATH_C1, "limits.memory", "1GiB");
}

/* A directory in place of the record: it can be neither replaced nor removed. */
TEST(what_cannot_be_recorded_is_taken_back) {
        g_autoptr(Harness) h = stage();
        g_autofree char *record = g_build_filename(h->state_dir, "containers", "c1", NULL);
        g_autofree char *kept = g_strconcat(record, ".kept", NULL), *run = NULL, *value = NULL;
        g_autoptr(Call) call = NULL;

        g_assert_cmpint(rename(record, kept), ==, 0);
        g_assert_cmpint(mkdir(record, 0700), ==, 0);
        call = set(h, PATH_C1, "limits.memory", "64MiB");
        g_assert_nonnull(call->error);
        g_assert_cmpuint(harness_count_runs(h, "runtime.limits"), ==, 2);
        run = last_run(h, "runtime.limits");
        /* before: with it, after: without */
        g_assert_nonnull(strstr(run, "'limits.memory': '64MiB'"));
        value = value_of(h, PATH_C1, "limits.memory");
        g_assert_null(value);
        g_assert_cmpint(rmdir(record), ==, 0);
        g_assert_cmpint(rename(kept, record), ==, 0);
}

TEST(what_is_no_limit_needs_no_worker) {
        g_autoptr(Harness) h = stage();

        must_set(h, PATH_C1, "user.x", "y");
        must_set(h, PATH_C1, "boot.autostart", "true");
        must_set(h, PATH_C1, "limits.kernel.nofile", "1024");
        must_set(h, PATH_PROFILE, "user.x", "y");
        g_assert_cmpuint(harness_count_runs(h, "runtime.limits"), ==, 0);
}

TEST(a_stopped_container_needs_no_worker) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        must_set(h, PATH_C1, "limits.memory", "64MiB");
        g_assert_cmpuint(harness_count_runs(h, "runtime.limits"), ==, 0);
}

TEST(a_profile_reaches_all_who_use_it) {
        g_autoptr(Harness) h = stage();
        g_autofree char *run = NULL, *c1 = NULL, *c2 = NULL, *failed = NULL;
        g_autoptr(Call) refused = NULL;

        must_set(h, PATH_C2, "limits.memory", "2GiB"); /* its own, which counts */
        g_assert_cmpuint(harness_count_runs(h, "runtime.limits"), ==, 1);
        must_set(h, PATH_PROFILE, "limits.memory", "1GiB");
        g_assert_cmpuint(harness_count_runs(h, "runtime.limits"), ==, 2);
        run = last_run(h, "runtime.limits");
        g_assert_nonnull(strstr(run, "('c1', "));
        g_assert_null(strstr(run, "('c2', "));
        c1 = value_of(h, PATH_C1, "limits.memory");
        c2 = value_of(h, PATH_C2, "limits.memory");
        g_assert_cmpstr(c1, ==, "1GiB");
        g_assert_cmpstr(c2, ==, "2GiB");

        harness_plan(h, "runtime.limits", "fail Busy It uses more than that");
        refused = set(h, PATH_PROFILE, "limits.processes", "3");
        call_assert_error(refused, ERROR_BUSY, "uses more");
        failed = value_of(h, PATH_C1, "limits.processes");
        g_assert_null(failed);
}

TEST(assigning_a_profile_is_a_change_of_limits) {
        g_autoptr(Harness) h = stage();
        g_autoptr(Call) created = NULL, assigned = NULL;
        g_autofree char *run = NULL;

        created = client_call(h->root, PATH_ROOT, "Manager.CreateProfile",
                              g_variant_new_parsed(
                                      "('small', {'config': <{'limits.processes': '50'}>})"));
        call_assert_ok(created);
        assigned = client_call(h->root, PATH_C1, "Container.Update",
                               g_variant_new_parsed("(@a{ss} {}, @as [], "
                                                    "{'profiles': <['default', 'small']>})"));
        call_assert_ok(assigned);
        run = last_run(h, "runtime.limits");
        g_assert_nonnull(run);
        g_assert_nonnull(strstr(run, "'limits.processes': '50'"));
}

TEST(revisions) {
        g_autoptr(Harness) h = stage();
        uint64_t now = revision_of(h, PATH_C1);
        g_autoptr(Call) stale = NULL, right = NULL, again = NULL;

        stale = client_call(h->root, PATH_C1, "Container.Update",
                            g_variant_new_parsed("({'limits.memory': '1GiB'}, @as [], "
                                                 "{'if-revision': <%t>})", now + 1));
        call_assert_error(stale, ERROR_CONFLICT, "c1");
        g_assert_cmpuint(harness_count_runs(h, "runtime.limits"), ==, 0);
        right = client_call(h->root, PATH_C1, "Container.Update",
                            g_variant_new_parsed("({'limits.memory': '1GiB'}, @as [], "
                                                 "{'if-revision': <%t>})", now));
        call_assert_ok(right);
        again = client_call(h->root, PATH_C1, "Container.Update",
                            g_variant_new_parsed("({'limits.memory': '2GiB'}, @as [], "
                                                 "{'if-revision': <%t>})", now));
        call_assert_error(again, ERROR_CONFLICT, "c1");
}

TEST(bad_values_change_nothing) {
        static const char *const bad[] = {
                "({'limits.memory': 'lots'}, @as [], @a{sv} {})",
                "({'limits.processes': '5', 'limits.memory': ''}, @as [], @a{sv} {})",
                "({'limits.cpu': '7000-7001'}, @as [], @a{sv} {})",
                "({'limits.processes': '5', 'limits.nosuch': '1'}, @as [], @a{sv} {})",
        };
        g_autoptr(Harness) h = stage();
        uint64_t before = revision_of(h, PATH_C1);

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(Call) call = client_call(h->root, PATH_C1, "Container.Update",
                                                   g_variant_new_parsed(bad[i]));

                call_assert_error(call, ERROR_INVALID_CONFIG, "limits.");
        }
        g_assert_cmpuint(revision_of(h, PATH_C1), ==, before);
        g_assert_cmpuint(harness_count_runs(h, "runtime.limits"), ==, 0);
}

/* With a warning of the worker's the job is done all the same, and says so. */
TEST(warnings_are_told) {
        g_autoptr(Harness) h = stage();
        bool told = false;

        harness_plan(h, "runtime.limits", "set warning It has no effect here");
        must_set(h, PATH_C1, "limits.disk.priority", "3");
        for (guint i = 0; i < h->root->signals->len; i++) {
                const Signal *signal = g_ptr_array_index(h->root->signals, i);
                g_autoptr(GVariant) warnings = client_find_value_at(h->root, i, signal->path,
                                                                    "Warnings");
                g_autofree char *text = warnings ? g_variant_print(warnings, FALSE) : NULL;

                told |= text && strstr(text, "no effect here");
        }
        g_assert_true(told);
}

/* --- CPUs by number --- */

TEST(cpus_are_shared_out) {
        g_autoptr(Harness) h = stage();
        g_autofree char *first = NULL, *second = NULL, *online = NULL;

        g_assert_true(g_file_get_contents("/sys/devices/system/cpu/online", &online, NULL, NULL));
        if (!strpbrk(online, "-,")) {
                test_skip("this machine has one CPU");
                return;
        }
        must_set(h, PATH_C1, "limits.cpu", "1");
        first = last_run(h, "runtime.limits");
        g_assert_nonnull(strstr(first, "'', '0')"));
        must_set(h, PATH_C2, "limits.cpu", "1");
        second = last_run(h, "runtime.limits");
        g_assert_nonnull(strstr(second, "'', '1')"));
}

HARNESS_MAIN()
