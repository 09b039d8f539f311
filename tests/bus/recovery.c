/* SPDX-License-Identifier: Apache-2.0 */

/* berthd is killed at various moments: the next one finishes or undoes what was under way, finds
 * what runs, and leaves alone what it cannot read. */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define C2 "/org/berth1/container/c2"

static GVariant *nothing(void) {
        return g_variant_new("(@a{sv})", no_options());
}

static void run_job(Client *client, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) end = client_run_job(client, path, method, args);

        call_assert_ok(end);
}

static void assert_state(Harness *h, const char *path, const char *expected) {
        g_autofree char *state = client_get_string(h->root, path, "State");

        g_assert_cmpstr(state, ==, expected);
}

/* Kills berthd while the worker of a call is at the gate, and starts it anew with the gate gone. */
static void kill_at_gate(Harness *h, const char *operation, const char *path, const char *method,
                         GVariant *args) {
        g_autofree char *job = NULL;

        harness_plan(h, operation, "gate");
        job = client_start_job(h->root, path, method, args);
        world_wait_at_gate(h, job);
        harness_kill_service(h);
        harness_plan(h, operation, NULL);
        harness_start_service(h, NULL);
}

static void assert_no_container(Harness *h, const char *name) {
        g_autofree char *path = g_strconcat("/org/berth1/container/", name, NULL);
        g_autofree char *volume = g_strconcat("state/mounts/default/containers/", name, NULL);
        g_autofree char *record = g_strconcat("state/containers/", name, NULL);
        g_autofree char *facts = g_strconcat("run/containers/", name, NULL);

        g_assert_false(world_has_object(h, path));
        g_assert_false(harness_has_file(h, volume));
        g_assert_false(harness_has_file(h, record));
        g_assert_false(harness_has_file(h, facts));
}

/* --- interrupted verbs --- */

TEST(killed_while_creating) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        kill_at_gate(h, "storage.container-create", PATH_ROOT, "Manager.CreateContainer",
                     world_create_args("c1", "{}"));
        assert_no_container(h, "c1");
        g_free(world_make_container(h->root, "c1"));
}

TEST(killed_while_launching) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        kill_at_gate(h, "runtime.start", PATH_ROOT, "Manager.CreateContainer",
                     world_create_args("c1", "{'start': <true>}"));
        assert_no_container(h, "c1");
        g_assert_cmpuint(harness_count_runs(h, "runtime.clean"), ==, 1);
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 0);
}

TEST(killed_while_starting) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        kill_at_gate(h, "runtime.start", C1, "Container.Start", nothing());
        assert_state(h, C1, "stopped");
        g_assert_cmpuint(harness_count_runs(h, "runtime.clean"), ==, 1);
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 0);
        run_job(h->root, C1, "Container.Start", nothing());
}

TEST(killed_while_deleting) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        kill_at_gate(h, "storage.container-delete", C1, "Container.Delete", nothing());
        assert_no_container(h, "c1");
}

TEST(killed_while_renaming) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        kill_at_gate(h, "storage.container-rename", C1, "Container.Rename",
                     g_variant_new("(s@a{sv})", "c2", no_options()));
        assert_no_container(h, "c1");
        assert_state(h, C2, "stopped");
        g_assert_true(harness_has_file(h, "state/containers/c2"));
        g_assert_true(harness_has_file(h, "state/mounts/default/containers/c2"));
}

TEST(killed_while_importing) {
        g_autoptr(Harness) h = harness_new();

        world_make_pool(h);
        harness_write_file(h, "state/archives/.7.new", "left over", 9);
        kill_at_gate(h, "image.import", PATH_ROOT, "Manager.OpenImageImport", nothing());
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 0);
        g_assert_cmpuint(harness_count_entries(h, "state/images"), ==, 0);
}

TEST(killed_while_deleting_an_image) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *image = NULL;

        world_make_pool(h);
        image = world_import_image(h->root, "image", "fake");
        kill_at_gate(h, "storage.image-delete", image, "Image.Delete", nothing());
        g_assert_false(world_has_object(h, image));
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 0);
        g_assert_cmpuint(harness_count_entries(h, "state/images"), ==, 0);
}

TEST(killed_while_making_a_pool) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *log = NULL;

        kill_at_gate(h, "storage.pool-create", PATH_ROOT, "Manager.CreateStoragePool",
                     g_variant_new_parsed("('slow', 'dir', @a{ss} {}, @a{sv} {})"));
        g_assert_false(world_has_object(h, "/org/berth1/pool/slow"));
        g_assert_cmpuint(harness_count_entries(h, "state/pools"), ==, 0);
        g_assert_cmpuint(harness_count_runs(h, "storage.pool-delete"), ==, 1);
        /* Nobody knows how far it came, and whether what is there is its own. */
        log = harness_read_log(h);
        g_assert_nonnull(strstr(strstr(log, "storage.pool-delete"), "'incomplete': <true>"));
}

TEST(killed_while_making_a_network) {
        g_autoptr(Harness) h = harness_new();

        kill_at_gate(h, "network.up", PATH_ROOT, "Manager.CreateNetwork",
                     g_variant_new_parsed("('net0', 'bridge', @a{ss} {}, @a{sv} {})"));
        g_assert_false(world_has_object(h, "/org/berth1/network/net0"));
        g_assert_cmpuint(harness_count_entries(h, "state/networks"), ==, 0);
        g_assert_cmpuint(harness_count_runs(h, "network.down"), ==, 1);
}

/* A worker must not go on behind the back of the next berthd. */
TEST(workers_die_with_berthd) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(GArray) workers = NULL;
        g_autofree char *job = NULL;

        world_make_image(h);
        harness_plan(h, "storage.container-create", "deaf\ngate");
        job = client_start_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                               world_create_args("c1", "{}"));
        world_wait_at_gate(h, job);
        workers = harness_open_workers(h);
        g_assert_cmpuint(workers->len, ==, 1);
        harness_kill_service(h);
        harness_wait_for_workers(workers);
        harness_plan(h, "storage.container-create", NULL);
        harness_start_service(h, NULL);
        assert_no_container(h, "c1");
}

/* --- what runs --- */

TEST(running_container_is_found_again) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(GVariant) started = NULL, started_again = NULL;
        unsigned runs;
        pid_t init;
        guint from;

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        init = world_get_init(h->root, C1);
        started = client_get(h->root, C1, "LastStarted");
        harness_kill_service(h);
        runs = harness_count_runs(h, "");
        harness_start_service(h, NULL);
        assert_state(h, C1, "running");
        g_assert_cmpint(world_get_init(h->root, C1), ==, init);
        started_again = client_get(h->root, C1, "LastStarted");
        g_assert_cmpvariant(started, started_again);
        g_assert_cmpuint(harness_count_runs(h, "runtime.start"), ==, 1);
        g_assert_cmpuint(harness_count_runs(h, "runtime.clean"), ==, 0);
        g_assert_cmpuint(harness_count_runs(h, ""), >=, runs);
        /* Its end is noticed as before. */
        from = h->root->signals->len;
        g_assert_cmpint(kill(init, SIGPWR), ==, 0);
        world_wait_for(h, from, C1, "State", "stopped");
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 0);
}

TEST(orderly_end_leaves_containers_alone) {
        g_autoptr(Harness) h = harness_new();
        pid_t init;

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        init = world_get_init(h->root, C1);
        harness_stop_service(h);
        g_assert_cmpint(kill(init, 0), ==, 0);
        harness_start_service(h, NULL);
        assert_state(h, C1, "running");
        run_job(h->root, C1, "Container.Stop", nothing());
}

TEST(frozen_container_is_found_frozen) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        run_job(h->root, C1, "Container.Freeze", nothing());
        harness_kill_service(h);
        harness_start_service(h, NULL);
        assert_state(h, C1, "frozen");
        run_job(h->root, C1, "Container.Unfreeze", nothing());
        assert_state(h, C1, "running");
}

static void kill_and_wait(pid_t pid) {
        int fd = harness_open_process(pid);

        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
        harness_wait_for_process(fd);
}

TEST(container_that_ended_meanwhile) {
        g_autoptr(Harness) h = harness_new();
        pid_t init;

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        init = world_get_init(h->root, C1);
        harness_kill_service(h);
        kill_and_wait(init);
        harness_start_service(h, NULL);
        assert_state(h, C1, "stopped");
        g_assert_cmpint(world_get_init(h->root, C1), ==, 0);
        g_assert_cmpuint(harness_count_runs(h, "runtime.clean"), ==, 1);
        g_assert_cmpuint(harness_count_entries(h, "run/lxc"), ==, 0);
        g_assert_false(harness_has_file(h, "run/containers/c1"));
}

TEST(ephemeral_that_ended_meanwhile) {
        g_autoptr(Harness) h = harness_new();
        pid_t init;

        world_make_image(h);
        run_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                world_create_args("c1", "{'start': <true>, 'ephemeral': <true>}"));
        init = world_get_init(h->root, C1);
        harness_kill_service(h);
        kill_and_wait(init);
        harness_start_service(h, NULL);
        assert_no_container(h, "c1");
}

/* The machine was booted anew: everything below the run directory has gone. */
TEST(after_a_boot) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        run_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                world_create_args("c2", "{'start': <true>, 'ephemeral': <true>}"));
        harness_kill_service(h);
        harness_end_containers(h);
        harness_remove_tree(h, "run");
        harness_start_service(h, NULL);
        /* It ran when the host went down, so it comes up with it. */
        HARNESS_WAIT(h, world_get_init(h->root, C1) > 0);
}

/* What was to go with its end goes when the host took it; what has never run has not ended. */
TEST(ephemeral_ones_after_a_boot) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        run_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                world_create_args("c1", "{'start': <true>, 'ephemeral': <true>}"));
        run_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                world_create_args("c2", "{'ephemeral': <true>}"));
        harness_kill_service(h);
        harness_end_containers(h);
        harness_remove_tree(h, "run");
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, !world_has_object(h, C1));
        assert_no_container(h, "c1");
        g_assert_true(world_has_object(h, "/org/berth1/container/c2"));
}

/* Pids that have come to belong to others are not taken for containers. */
TEST(facts_of_another_process) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *path = NULL, *data = NULL;
        guint32 old, other = (guint32) getpid();
        pid_t init;
        gsize size;
        char *p;

        world_make_image(h);
        g_free(world_start_container(h->root, "c1"));
        init = world_get_init(h->root, C1);
        old = (guint32) init;
        harness_kill_service(h);
        path = g_build_filename(h->dir, "run/containers/c1", NULL);
        g_assert_true(g_file_get_contents(path, &data, &size, NULL));
        p = memmem(data, size, &old, sizeof(old));
        g_assert_nonnull(p);
        memcpy(p, &other, sizeof(other));
        g_assert_true(g_file_set_contents(path, data, (gssize) size, NULL));
        harness_start_service(h, NULL);
        assert_state(h, C1, "stopped");
}

/* --- what cannot be read --- */

/* Of a later version, or damaged: neither taken for absent nor overwritten, and what it owns stays,
 * so that a later or repaired berth finds it. */
static void unreadable_is_left_alone(const char *damage) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *path = NULL, *data = NULL, *after = NULL;
        g_autoptr(Call) create = NULL, rename = NULL;
        gsize size, size_after;

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        g_free(world_make_container(h->root, "c2"));
        harness_stop_service(h);
        path = g_build_filename(h->dir, "state/containers/c1", NULL);
        g_assert_true(g_file_get_contents(path, &data, &size, NULL));
        if (g_str_equal(damage, "version"))
                data[0]++;
        else
                size /= 2;
        g_assert_true(g_file_set_contents(path, data, (gssize) size, NULL));

        harness_start_service(h, NULL);
        g_assert_false(world_has_object(h, C1));
        assert_state(h, C2, "stopped");
        g_assert_true(harness_has_file(h, "state/mounts/default/containers/c1"));
        create = client_run_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                                world_create_args("c1", "{}"));
        call_assert_error(create, ERROR_EXISTS, "c1");
        rename = client_run_job(h->root, C2, "Container.Rename",
                                g_variant_new("(s@a{sv})", "c1", no_options()));
        call_assert_error(rename, ERROR_EXISTS, "c1");
        g_assert_true(g_file_get_contents(path, &after, &size_after, NULL));
        g_assert_cmpmem(data, size, after, size_after);
}

TEST(record_of_a_later_version) {
        unreadable_is_left_alone("version");
}

TEST(damaged_record) {
        unreadable_is_left_alone("damage");
}

TEST(unreadable_image_keeps_its_archive) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *image = NULL, *fingerprint = NULL, *record = NULL, *archive = NULL,
                        *volume = NULL;

        world_make_pool(h);
        image = world_import_image(h->root, "image", "fake");
        fingerprint = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "image", -1);
        harness_stop_service(h);
        record = g_strconcat("state/images/", fingerprint, NULL);
        archive = g_strconcat("state/archives/", fingerprint, NULL);
        volume = g_strconcat("state/mounts/default/images/", fingerprint, NULL);
        harness_write_file(h, record, "x", 1);
        harness_start_service(h, NULL);
        g_assert_false(world_has_object(h, image));
        g_assert_true(harness_has_file(h, record));
        g_assert_true(harness_has_file(h, archive));
        g_assert_true(harness_has_file(h, volume));
}

/* --- strays --- */

/* What can be made again goes; files of a container stay, since their record may come back. */
TEST(what_nobody_owns_is_swept) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        harness_stop_service(h);
        harness_make_dirs(h, "state/mounts/default/containers/stray");
        harness_make_dirs(h, "state/mounts/default/images/stray");
        harness_make_dirs(h, "run/lxc/0123456789abcdef");
        harness_write_file(h, "state/containers/.c9.new", "x", 1);
        harness_start_service(h, NULL);
        g_assert_true(harness_has_file(h, "state/mounts/default/containers/stray"));
        g_assert_false(harness_has_file(h, "state/mounts/default/images/stray"));
        g_assert_false(harness_has_file(h, "run/lxc/0123456789abcdef"));
        g_assert_false(harness_has_file(h, "state/containers/.c9.new"));
        g_assert_true(harness_has_file(h, "state/mounts/default/containers/c1"));
}

TEST(one_service_to_a_directory) {
        g_autoptr(Harness) h = harness_new();
        int status = harness_run_second(h);

        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 1);
        g_assert_cmpint(h->service_pid, >, 0);
}

/* A pool that cannot be mounted does not keep the others, or berthd, from working. */
TEST(pool_that_cannot_be_mounted) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) end = NULL;

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        harness_stop_service(h);
        harness_plan(h, "storage.pool-mount", "fail BackendFailed Unplugged");
        harness_start_service(h, NULL);
        assert_state(h, PATH_POOL, "unavailable");
        end = client_run_job(h->root, C1, "Container.Start", nothing());
        call_assert_error(end, ERROR_BACKEND_FAILED, "default");
        assert_state(h, C1, "stopped");
}

HARNESS_MAIN()
