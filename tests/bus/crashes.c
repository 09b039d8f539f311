/* SPDX-License-Identifier: Apache-2.0 */

/*
 * berthd is killed before each step of a verb that lasts or that others see (failpoint.c), one
 * after the other until the verb gets through; likewise each worker of it. Whatever the moment: the
 * next berthd finds the verb done or undone, nothing in between, nothing left over, and the verb
 * can be done then. What was told to have succeeded is done. The same when the power fails at that
 * moment, and with it all that was not synced (shadow.h), what is in memory, and the containers.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/bus/shadow.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define C2 "/org/berth1/container/c2"
#define C3 "/org/berth1/container/c3"
#define VOLUME(name) PATH_POOL "/volume/" name
/* What fake-download.c's server has. */
#define DOWNLOADED \
        "/org/berth1/image/_3" \
        "1455e81198d6e8104a796fe8e5a22521763eec000e16a9e093afda2b62e01340"
/* More steps than any verb has. */
#define STEPS_MAX 60U

/* A verb, the object that is there before and not after it or the other way round (or the state of
 * one), and the verb that takes it back. "VOLUME#NAME" is a snapshot of a volume. */
typedef struct Verb {
        const char *path, *method, *args;
        const char *before, *after, *state_after;
        const char *back_path, *back_method, *back_args;
} Verb;

static const Verb verbs[] = {
        { PATH_ROOT, "Manager.CreateContainer", "('c1', 'fake', @a{sv} {})", NULL, C1, NULL,
          C1, "Container.Delete", "(@a{sv} {},)" },
        { PATH_ROOT, "Manager.DownloadImage", "('images', 'debian/12', @a{sv} {})", NULL,
          DOWNLOADED, NULL, DOWNLOADED, "Image.Delete", "(@a{sv} {},)" },
        { C2, "Container.Delete", "(@a{sv} {},)", C2, NULL, NULL,
          PATH_ROOT, "Manager.CreateContainer", "('c2', 'fake', @a{sv} {})" },
        { C3, "Container.Rename", "('c9', @a{sv} {})", C3, "/org/berth1/container/c9", NULL,
          "/org/berth1/container/c9", "Container.Rename", "('c3', @a{sv} {})" },
        { C3, "Container.CreateSnapshot", "('s1', @a{sv} {})", NULL, C3 "/snapshot/s1", NULL,
          C3 "/snapshot/s1", "Snapshot.Delete", "(@a{sv} {},)" },
        { C3 "/snapshot/s0", "Snapshot.Delete", "(@a{sv} {},)", C3 "/snapshot/s0", NULL, NULL,
          C3, "Container.CreateSnapshot", "('s0', @a{sv} {})" },
        { C3 "/snapshot/s0", "Snapshot.Rename", "('s2', @a{sv} {})", C3 "/snapshot/s0",
          C3 "/snapshot/s2", NULL, C3 "/snapshot/s2", "Snapshot.Rename", "('s0', @a{sv} {})" },
        { C3, "Container.Copy", "('c4', @a{sv} {})", NULL, "/org/berth1/container/c4", NULL,
          "/org/berth1/container/c4", "Container.Delete", "(@a{sv} {},)" },
        { PATH_POOL, "StoragePool.CreateVolume", "('v1', @a{ss} {}, @a{sv} {})", NULL, VOLUME("v1"),
          NULL, VOLUME("v1"), "Volume.Delete", "(@a{sv} {},)" },
        { VOLUME("v0"), "Volume.Delete", "(@a{sv} {},)", VOLUME("v0"), NULL, NULL,
          PATH_POOL, "StoragePool.CreateVolume", "('v0', @a{ss} {}, @a{sv} {})" },
        { VOLUME("v3"), "Volume.Rename", "('v9', @a{sv} {})", VOLUME("v3"), VOLUME("v9"), NULL,
          VOLUME("v9"), "Volume.Rename", "('v3', @a{sv} {})" },
        { VOLUME("v3"), "Volume.Copy", "('v4', @a{sv} {})", NULL, VOLUME("v4"), NULL,
          VOLUME("v4"), "Volume.Delete", "(@a{sv} {},)" },
        { VOLUME("v3"), "Volume.Copy", "('v5', {'refresh': <true>})", NULL, VOLUME("v5") "#s0",
          NULL, VOLUME("v5"), "Volume.DeleteSnapshot", "('s0', @a{sv} {})" },
        { VOLUME("v3"), "Volume.CreateSnapshot", "('s1', @a{sv} {})", NULL, VOLUME("v3") "#s1",
          NULL, VOLUME("v3"), "Volume.DeleteSnapshot", "('s1', @a{sv} {})" },
        { VOLUME("v3"), "Volume.DeleteSnapshot", "('s0', @a{sv} {})", VOLUME("v3") "#s0", NULL,
          NULL, VOLUME("v3"), "Volume.CreateSnapshot", "('s0', @a{sv} {})" },
        { VOLUME("v3"), "Volume.RenameSnapshot", "('s0', 's2', @a{sv} {})", VOLUME("v3") "#s0",
          VOLUME("v3") "#s2", NULL, VOLUME("v3"), "Volume.RenameSnapshot",
          "('s2', 's0', @a{sv} {})" },
        { VOLUME("v3"), "Volume.RestoreSnapshot", "('s0', @a{sv} {})", NULL, VOLUME("v3") "#s0",
          NULL, VOLUME("v3"), "Volume.RestoreSnapshot", "('s0', @a{sv} {})" },
        { C3, "Container.Start", "(@a{sv} {},)", NULL, NULL, "running",
          C3, "Container.Stop", "({'force': <true>},)" },
        { PATH_ROOT, "Manager.CreateNetwork", "('net0', 'bridge', @a{ss} {}, @a{sv} {})", NULL,
          "/org/berth1/network/net0", NULL, "/org/berth1/network/net0", "Network.Delete",
          "(@a{sv} {},)" },
        { PATH_ROOT, "Manager.CreateStoragePool", "('other', 'dir', @a{ss} {}, @a{sv} {})", NULL,
          "/org/berth1/pool/other", NULL, "/org/berth1/pool/other", "StoragePool.Delete",
          "(@a{sv} {},)" },
        { PATH_ROOT, "Manager.CreateProfile", "('p1', @a{sv} {})", NULL, "/org/berth1/profile/p1",
          NULL, "/org/berth1/profile/p1", "Profile.Delete", "(@a{sv} {},)" },
};

/* --- what is on disk --- */

/* How much there is of everything; two equal texts mean that nothing was left. */
static char *take_stock(Harness *h) {
        static const char *const directories[] = {
                "state/containers", "state/images", "state/profiles", "state/networks",
                "state/pools", "state/archives", "state/mounts/default/containers",
                "state/mounts/default/snapshots", "state/mounts/default/images",
                "state/volumes", "state/mounts/default/custom",
                "state/mounts/default/custom-snapshots/v3",
                "state/mounts/default/custom-snapshots/v5",
                "run/containers", "run/lxc",
        };
        GString *stock = g_string_new(NULL);

        for (size_t i = 0; i < ELEMENTSOF(directories); i++)
                g_string_append_printf(stock, "%s %u\n", directories[i],
                                       harness_count_entries(h, directories[i]));
        return g_string_free(stock, FALSE);
}

/* An object, or a snapshot of a volume, be it that its deletion was interrupted. */
static bool is_there(Harness *h, const char *name) {
        g_auto(GStrv) parts = g_strsplit(name, "#", 2);
        g_autoptr(GVariant) snapshots = NULL;
        bool found = false;

        if (!parts[1])
                return world_has_object(h, name);
        snapshots = client_get(h->root, parts[0], "Snapshots");
        g_assert_nonnull(snapshots);
        for (gsize i = 0; i < g_variant_n_children(snapshots); i++) {
                g_autoptr(GVariant) s = g_variant_get_child_value(snapshots, i);
                const char *own;

                g_assert_true(g_variant_lookup(s, "name", "&s", &own));
                found |= g_str_equal(own, parts[1]);
        }
        return found;
}

/* Whether the verb is done; fails the test when it is neither that nor undone. */
static bool is_done(Harness *h, const Verb *verb) {
        bool before = verb->before && is_there(h, verb->before);
        bool after = verb->after && is_there(h, verb->after);

        if (verb->state_after) {
                g_autofree char *state = client_get_string(h->root, verb->path, "State");

                if (!g_str_equal(state, verb->state_after) && !g_str_equal(state, "stopped"))
                        g_error("%s: the state is %s", verb->method, state);
                return g_str_equal(state, verb->state_after);
        }
        if ((verb->before && verb->after && before == after))
                g_error("%s: %s and %s are both %s", verb->method, verb->before, verb->after,
                        before ? "there" : "gone");
        return verb->after ? after : !before;
}

/* --- doing it --- */

static Call *run(Harness *h, const char *path, const char *method, const char *args) {
        g_autoptr(Call) call = client_call(h->root, path, method, g_variant_new_parsed(args));
        const char *job = !call->error && g_variant_n_children(call->body) > 0
                                  ? call_get_path(call) : NULL;

        if (!job || !strstr(job, "/job/"))
                return TAKE_PTR(call);
        return client_wait_job(h->root, job);
}

static void run_well(Harness *h, const char *path, const char *method, const char *args) {
        g_autoptr(Call) call = run(h, path, method, args);

        if (call->error)
                g_error("%s on %s: %s", method, path, call->message);
}

static Harness *prepare(char **ret_failpoint, bool power) {
        Harness *h = harness_new_idle();
        g_autofree char *shadow = g_build_filename(h->dir, "shadow", NULL);

        if (power) {
                (void) setenv("BERTH_SHADOW", shadow, 1);
                (void) setenv("BERTH_SHADOW_OF", h->state_dir, 1);
        }

        h->service = BERTHD_FAILPOINT;
        *ret_failpoint = g_build_filename(h->dir, "failpoint", NULL);
        (void) setenv("BERTH_FAILPOINT", *ret_failpoint, 1);
        harness_start_service(h, NULL);
        world_make_image(h);
        g_free(world_make_container(h->root, "c2"));
        g_free(world_make_container(h->root, "c3"));
        run_well(h, C3, "Container.CreateSnapshot", "('s0', @a{sv} {})");
        world_make_volume(h->root, "v0");
        world_make_volume(h->root, "v3");
        world_make_volume(h->root, "v5");
        run_well(h, VOLUME("v3"), "Volume.CreateSnapshot", "('s0', @a{sv} {})");
        return h;
}

/* --- the power fails --- */

/* Tells the shadow that what lies there now is what the disk holds. */
static void begin_shadow(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        g_assert_cmpint(fd, >=, 0);
        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *entry = g_build_filename(path, name, NULL);

                begin_shadow(entry);
        }
        shadow_synced(fd);
}

static void copy_tree(const char *from, const char *to) {
        const char *argv[] = { "cp", "-a", from, to, NULL };
        int status;

        g_assert_true(g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
                                   NULL, NULL, &status, NULL));
        g_assert_cmpint(status, ==, 0);
}

/* Of the state what was synced comes back; volumes are the workers' matter and stay. */
static void cut_power(Harness *h) {
        g_autofree char *tree = g_build_filename(h->dir, "shadow", "tree", NULL);
        g_autoptr(GPtrArray) restored = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GDir) dir = g_dir_open(tree, 0, NULL);
        const char *name;

        if (h->service_pid > 0) {
                GArray *workers = harness_open_workers(h);

                harness_kill_service(h);
                harness_wait_for_workers(workers);
        }
        harness_end_containers(h);
        harness_remove_tree(h, "run");
        g_assert_nonnull(dir);
        while ((name = g_dir_read_name(dir))) {
                g_autofree char *from = g_build_filename(tree, name, NULL);
                g_autofree char *place = g_build_filename("state", name, NULL);

                if (!g_file_test(from, G_FILE_TEST_IS_DIR) || g_str_equal(name, "mounts"))
                        continue;
                harness_remove_tree(h, place);
                copy_tree(from, h->state_dir);
                g_ptr_array_add(restored, g_build_filename(h->state_dir, name, NULL));
        }
        g_assert_cmpuint(restored->len, >, 0);
        harness_remove_tree(h, "shadow");
        for (guint i = 0; i < restored->len; i++)
                begin_shadow(restored->pdata[i]);
}

/* --- berthd --- */

/* Kills at step number `n`; false when the verb got through before it. */
static bool kill_at(Harness *h, const Verb *verb, const char *failpoint, unsigned n,
                    const char *stock, bool power) {
        g_autofree char *number = g_strdup_printf("%u", n), *now = NULL;
        g_autoptr(Call) call = NULL;
        bool told, done, killed;

        g_assert_true(g_file_set_contents(failpoint, number, -1, NULL));
        call = run(h, verb->path, verb->method, verb->args);
        told = !call->error;
        if (!told)
                HARNESS_WAIT(h, h->service_pid == 0);
        g_assert_cmpint(unlink(failpoint), ==, 0);
        /* It may be on its way out, killed behind its answer. */
        killed = h->service_pid == 0 || !told;
        if (power)
                cut_power(h);
        if (h->service_pid == 0)
                harness_start_service(h, NULL);
        done = is_done(h, verb);
        if (told && !done)
                g_error("%s was told to be done and is not, step %u", verb->method, n);
        if (!done)
                run_well(h, verb->path, verb->method, verb->args);
        g_assert_true(is_done(h, verb));
        run_well(h, verb->back_path, verb->back_method, verb->back_args);
        now = take_stock(h);
        if (!g_str_equal(now, stock))
                g_error("%s, killed at step %u, left something:\n%sinstead of\n%s", verb->method,
                        n, now, stock);
        return killed;
}

TEST(berthd_is_killed_at_every_step) {
        g_autofree char *failpoint = NULL;
        g_autoptr(Harness) h = prepare(&failpoint, false);
        g_autofree char *stock = take_stock(h);

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                unsigned n = 1;

                while (kill_at(h, &verbs[i], failpoint, n, stock, false)) {
                        n++;
                        g_assert_cmpuint(n, <, STEPS_MAX);
                }
                if (n == 1)
                        g_error("%s has no step to be killed at", verbs[i].method);
                printf("%-24s %u steps\n", verbs[i].method, n - 1);
        }
        (void) unsetenv("BERTH_FAILPOINT");
}

TEST(the_power_fails_at_every_step) {
        g_autofree char *failpoint = NULL, *stock = NULL;
        g_autoptr(Harness) h = NULL;

        h = prepare(&failpoint, true);
        stock = take_stock(h);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                unsigned n = 1;

                /* Nothing runs after that. */
                if (verbs[i].state_after)
                        continue;
                while (kill_at(h, &verbs[i], failpoint, n, stock, true)) {
                        n++;
                        g_assert_cmpuint(n, <, STEPS_MAX);
                }
                g_assert_cmpuint(n, >, 1);
        }
        (void) unsetenv("BERTH_FAILPOINT");
        (void) unsetenv("BERTH_SHADOW");
}

/* --- recovery --- */

/* The records of `c3` and `v3` are lost, their files and the copies of their records are not. */
static void lose_records(Harness *h) {
        harness_stop_service(h);
        harness_remove_tree(h, "state/containers/c3");
        harness_remove_tree(h, "state/volumes/default:v3");
        harness_start_service(h, NULL);
        g_assert_false(world_has_object(h, C3));
        g_assert_false(world_has_object(h, VOLUME("v3")));
}

/* What a killed recovery brought back stays, another brings the rest. */
TEST(recovery_is_killed_at_every_step) {
        g_autofree char *failpoint = NULL;
        g_autoptr(Harness) h = prepare(&failpoint, false);
        g_autofree char *stock = take_stock(h);
        unsigned n = 1;

        for (bool killed = true; killed; n++) {
                g_autofree char *number = g_strdup_printf("%u", n), *now = NULL;
                g_autoptr(Call) call = NULL;

                g_assert_cmpuint(n, <, STEPS_MAX);
                lose_records(h);
                g_assert_true(g_file_set_contents(failpoint, number, -1, NULL));
                call = run(h, PATH_ROOT, "Manager.Recover", "(@aa{sv} [], @a{sv} {})");
                killed = call->error != NULL;
                if (killed)
                        HARNESS_WAIT(h, h->service_pid == 0);
                g_assert_cmpint(unlink(failpoint), ==, 0);
                if (h->service_pid == 0)
                        harness_start_service(h, NULL);
                if (killed)
                        run_well(h, PATH_ROOT, "Manager.Recover", "(@aa{sv} [], @a{sv} {})");
                g_assert_true(is_there(h, C3 "/snapshot/s0"));
                g_assert_true(is_there(h, VOLUME("v3") "#s0"));
                now = take_stock(h);
                if (!g_str_equal(now, stock))
                        g_error("killed at step %u, there is\n%sinstead of\n%s", n, now, stock);
        }
        g_assert_cmpuint(n, >, 2);
        (void) unsetenv("BERTH_FAILPOINT");
}

/* --- workers --- */

/* The operations that the verb asked of workers: "storage.container-create" etc. */
static GPtrArray *operations_of(Harness *h, const Verb *verb) {
        GPtrArray *operations = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *before = harness_read_log(h), *after = NULL;
        g_auto(GStrv) lines = NULL;

        run_well(h, verb->path, verb->method, verb->args);
        after = harness_read_log(h);
        lines = g_strsplit(after + strlen(before), "\n", -1);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) words = g_strsplit(*line, " ", 2);

                if (words[0] && strchr(words[0], '.') &&
                    !g_ptr_array_find_with_equal_func(operations, words[0], g_str_equal, NULL))
                        g_ptr_array_add(operations, g_strdup(words[0]));
        }
        run_well(h, verb->back_path, verb->back_method, verb->back_args);
        return operations;
}

/* The verb fails, or gets by without that worker: either is fine, half of it is not. */
static void kill_worker(Harness *h, const Verb *verb, const char *operation, const char *stock) {
        g_autoptr(Call) call = NULL;
        g_autofree char *now = NULL;

        harness_plan(h, operation, "die 9");
        call = run(h, verb->path, verb->method, verb->args);
        harness_plan(h, operation, NULL);
        if (!call->error)
                g_assert_true(is_done(h, verb));
        if (!is_done(h, verb))
                run_well(h, verb->path, verb->method, verb->args);
        g_assert_true(is_done(h, verb));
        run_well(h, verb->back_path, verb->back_method, verb->back_args);
        now = take_stock(h);
        if (!g_str_equal(now, stock))
                g_error("%s, %s killed, left something:\n%sinstead of\n%s", verb->method, operation,
                        now, stock);
}

TEST(each_worker_is_killed) {
        g_autofree char *failpoint = NULL;
        g_autoptr(Harness) h = prepare(&failpoint, false);
        g_autofree char *stock = NULL;
        unsigned n = 0;

        (void) unsetenv("BERTH_FAILPOINT");
        stock = take_stock(h);
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                g_autoptr(GPtrArray) operations = operations_of(h, &verbs[i]);

                for (guint j = 0; j < operations->len; j++, n++)
                        kill_worker(h, &verbs[i], g_ptr_array_index(operations, j), stock);
        }
        g_assert_cmpuint(n, >, ELEMENTSOF(verbs) / 2);
}

HARNESS_MAIN()
