/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a verb is to make belongs to its job until it is in the model: wherever the job comes to its
 * end before that, the new object goes with it. Nothing of it is seen from outside but by the
 * sanitizers, which look at berthd when it ends; harness_stop_service() wants it to end well.
 */

#include <string.h>

#include "service/operation/job.h"
#include "service/util/cleanup.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define V1 PATH_POOL "/volume/v1"

typedef struct Maker {
        const char *path, *method, *args;
        const char *operation; /* of the first worker that it runs */
        const char *made;      /* the new object, or NULL where there is one of that name already */
} Maker;

static const Maker makers[] = {
        { PATH_ROOT, "Manager.CreateContainer", "('c2', 'fake', @a{sv} {})",
          "storage.container-create", "/org/berth1/container/c2" },
        { C1, "Container.Copy", "('c3', @a{sv} {})", "storage.container-copy",
          "/org/berth1/container/c3" },
        { C1, "Container.CreateSnapshot", "('s1', {'reuse': <true>})", "storage.snapshot-create" },
        { C1, "Container.CreateSnapshot", "('s2', @a{sv} {})", "storage.snapshot-create",
          C1 "/snapshot/s2" },
        { C1, "Container.Publish", "({'aliases': <['published']>},)", "image.publish" },
        { PATH_ROOT, "Manager.OpenContainerImport", "('c4', @a{sv} {})", "image.import-container" },
        { PATH_ROOT, "Manager.OpenImageImport", "(@a{sv} {},)", "image.import" },
        { PATH_ROOT, "Manager.FetchImage", "('https://images.example/x', @a{sv} {})",
          "download.locate" },
        { PATH_POOL, "StoragePool.CreateVolume", "('v2', @a{ss} {}, @a{sv} {})",
          "storage.volume-create", PATH_POOL "/volume/v2" },
        { PATH_POOL, "StoragePool.OpenVolumeImport", "('v4', @a{sv} {})", "image.import-volume" },
        { V1, "Volume.Copy", "('v3', @a{sv} {})", "storage.volume-copy",
          PATH_POOL "/volume/v3" },
        { V1, "Volume.CreateSnapshot", "('s1', {'reuse': <true>})",
          "storage.volume-snapshot-create" },
        { V1, "Volume.CreateSnapshot", "('s2', @a{sv} {})", "storage.volume-snapshot-create" },
        { PATH_ROOT, "Manager.CreateStoragePool", "('p2', 'dir', @a{ss} {}, @a{sv} {})",
          "storage.pool-create", "/org/berth1/pool/p2" },
        { PATH_ROOT, "Manager.CreateNetwork",
          "('n2', 'bridge', {'ipv4.address': '10.9.0.1/24', 'ipv6.address': 'none'}, @a{sv} {})",
          "network.up", "/org/berth1/network/n2" },
};

static void run_job(Client *client, const char *path, const char *method, const char *args) {
        g_autoptr(Call) end = client_run_job(client, path, method, g_variant_new_parsed(args));

        call_assert_ok(end);
}

static Harness *stage(Client **ret_alice) {
        Harness *h = harness_new();

        *ret_alice = client_new(h, UID_ALICE);
        world_make_image(h);
        g_free(world_make_container(*ret_alice, "c1"));
        world_make_volume(*ret_alice, "v1");
        run_job(*ret_alice, C1, "Container.CreateSnapshot", "('s1', @a{sv} {})");
        run_job(*ret_alice, V1, "Volume.CreateSnapshot", "('s1', @a{sv} {})");
        return h;
}

static char *begin(Client *client, const Maker *maker) {
        return client_start_job(client, maker->path, maker->method,
                                g_variant_new_parsed(maker->args));
}

static void assert_not_made(Harness *h, const Maker *maker) {
        if (maker->made)
                g_assert_false(world_has_object(h, maker->made));
}

TEST(when_a_worker_fails) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        for (size_t i = 0; i < ELEMENTSOF(makers); i++) {
                g_autofree char *job = NULL;
                g_autoptr(Call) end = NULL;

                harness_plan(h, makers[i].operation, "fail NoSpace Full");
                job = begin(alice, &makers[i]);
                end = client_wait_job(alice, job);
                call_assert_error(end, ERROR_NO_SPACE, "Full");
                harness_plan(h, makers[i].operation, NULL);
                assert_not_made(h, &makers[i]);
        }
        harness_stop_service(h);
}

TEST(when_the_service_ends) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        for (size_t i = 0; i < ELEMENTSOF(makers); i++) {
                g_autofree char *job = NULL;

                harness_plan(h, makers[i].operation, "gate");
                job = begin(alice, &makers[i]);
                world_wait_at_gate(h, job);
                harness_stop_service(h);
                harness_plan(h, makers[i].operation, NULL);
                harness_start_service(h, NULL);
                if (makers[i].made)
                        HARNESS_WAIT(h, !world_has_object(h, makers[i].made));
        }
        harness_stop_service(h);
}

static void fail_at(Harness *h, Client *client, const Maker *maker, const char *args) {
        g_autoptr(Call) end = NULL;

        harness_plan(h, maker->operation, "fail NoSpace Full");
        end = client_run_job(client, maker->path, maker->method, g_variant_new_parsed(args));
        call_assert_error(end, ERROR_NO_SPACE, "Full");
}

/* What an earlier job has left half done is in the way of one that has a snapshot to make. */
TEST(when_the_way_is_not_free) {
        static const Maker left[] = {
                { C1, "Container.CreateSnapshot", "('s2', @a{sv} {})", "storage.snapshot-delete",
                  C1 "/snapshot/s2" },
                { V1, "Volume.CreateSnapshot", "('s2', @a{sv} {})",
                  "storage.volume-snapshot-delete" },
        };

        for (size_t i = 0; i < ELEMENTSOF(left); i++) {
                g_autoptr(Client) alice = NULL;
                g_autoptr(Harness) h = stage(&alice);
                g_autofree char *job = NULL;

                fail_at(h, alice, &left[i], "('s1', {'reuse': <true>})");
                fail_at(h, alice, &left[i], left[i].args);
                assert_not_made(h, &left[i]);
                harness_plan(h, left[i].operation, "gate");
                job = begin(alice, &left[i]);
                world_wait_at_gate(h, job);
                harness_stop_service(h);
        }
}

/* As many as a user may have, at the gate. */
static GPtrArray *take_all_jobs(Harness *h, Client *client) {
        GPtrArray *calls = g_ptr_array_new_with_free_func(call_free_in_array);

        harness_plan(h, "image.import", "gate");
        for (unsigned i = 0; i < JOBS_RUNNING_PER_UID_MAX; i++) {
                Call *call = client_call(client, PATH_ROOT, "Manager.OpenImageImport",
                                         g_variant_new("(@a{sv})", no_options()));

                call_assert_ok(call);
                g_ptr_array_add(calls, call);
        }
        return calls;
}

TEST(when_the_user_has_too_many_jobs) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        g_autoptr(GPtrArray) jobs G_GNUC_UNUSED = take_all_jobs(h, alice);

        for (size_t i = 0; i < ELEMENTSOF(makers); i++) {
                g_autoptr(Call) refused = client_call(alice, makers[i].path, makers[i].method,
                                                      g_variant_new_parsed(makers[i].args));

                call_assert_error(refused, ERROR_LIMITS_EXCEEDED, "4242");
                assert_not_made(h, &makers[i]);
        }
        harness_stop_service(h);
}

/* Something is in the way of the archive, and of what is removed when it cannot be kept. */
TEST(when_it_cannot_even_be_undone) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, "c1", -1);
        g_autofree char *kept = g_strconcat("state/archives/", hash, NULL);
        g_autofree char *job = NULL, *spool = NULL;
        g_autoptr(Call) end = NULL;

        harness_plan(h, "image.publish", "gate");
        job = client_start_job(alice, C1, "Container.Publish",
                               g_variant_new("(@a{sv})", no_options()));
        world_wait_at_gate(h, job);
        spool = g_strdup_printf("state/archives/.%u.%s.new.rootfs", UID_ALICE,
                                job + strlen("/org/berth1/job/_3"));
        harness_make_dirs(h, kept);
        harness_make_dirs(h, spool);
        harness_open_gate(h, "image.publish");
        end = client_wait_job(alice, job);
        call_assert_error(end, ERROR_FAILED, "Cannot keep the archive");
        harness_stop_service(h);
        harness_remove_tree(h, kept);
        harness_remove_tree(h, spool);
}

HARNESS_MAIN()
