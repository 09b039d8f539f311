/* SPDX-License-Identifier: Apache-2.0 */

/* The life of volumes: who has them, what keeps them from going, what workers are told of them. */

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define V1 PATH_POOL "/volume/v1"
#define FILES "state/mounts/default/custom/"
#define SNAPSHOTS "state/mounts/default/custom-snapshots/"

static void run_well(Client *client, const char *path, const char *method, const char *args) {
        g_autoptr(Call) call = client_run_job(client, path, method, g_variant_new_parsed(args));

        if (call->error)
                g_error("%s: %s", method, call->message);
}

static void run_badly(Client *client, const char *path, const char *method, const char *args,
                      ErrorCode code, const char *text) {
        g_autoptr(Call) call = client_run_job(client, path, method, g_variant_new_parsed(args));

        call_assert_error(call, code, text);
}

static void call_well(Client *client, const char *path, const char *method, const char *args) {
        g_autoptr(Call) call = client_call(client, path, method, g_variant_new_parsed(args));

        if (call->error)
                g_error("%s: %s", method, call->message);
}

static void call_badly(Client *client, const char *path, const char *method, const char *args,
                       ErrorCode code, const char *text) {
        g_autoptr(Call) call = client_call(client, path, method, g_variant_new_parsed(args));

        call_assert_error(call, code, text);
}

static Harness *new_with_volume(void) {
        Harness *h = harness_new();

        world_make_image(h);
        world_make_volume(h->root, "v1");
        return h;
}

#define ATTACH(source) \
        "(@a{ss} {}, @as [], {'devices': <{'data': {'type': 'disk', 'pool': 'default', " \
        "'source': '" source "', 'path': '/data'}}>})"
#define DETACH "(@a{ss} {}, @as [], {'devices': <@a{sa{ss}} {}>})"

static gsize count(Client *client, const char *path, const char *property) {
        g_autoptr(GVariant) value = client_get(client, path, property);

        g_assert_nonnull(value);
        return g_variant_n_children(value);
}

TEST(created_listed_deleted) {
        g_autoptr(Harness) h = new_with_volume();
        g_autofree char *name = client_get_string(h->root, V1, "Name");
        g_autofree char *state = client_get_string(h->root, V1, "State");
        g_autoptr(GVariant) pool = client_get(h->root, V1, "Pool");

        g_assert_cmpstr(name, ==, "v1");
        g_assert_cmpstr(state, ==, "ready");
        g_assert_cmpstr(g_variant_get_string(pool, NULL), ==, PATH_POOL);
        g_assert_true(harness_has_file(h, FILES "v1"));
        run_badly(h->root, PATH_POOL, "StoragePool.CreateVolume", "('v1', @a{ss} {}, @a{sv} {})",
                  ERROR_EXISTS, "default/v1");
        run_badly(h->root, PATH_POOL, "StoragePool.CreateVolume", "('../v', @a{ss} {}, @a{sv} {})",
                  ERROR_INVALID_NAME, "volume");
        run_badly(h->root, PATH_POOL, "StoragePool.CreateVolume",
                  "('v2', {'limits.cpu': '1'}, @a{sv} {})", ERROR_INVALID_CONFIG, "limits.cpu");
        run_badly(h->root, PATH_POOL, "StoragePool.Delete", "(@a{sv} {},)", ERROR_IN_USE,
                  "and others");
        g_assert_cmpuint(count(h->root, PATH_POOL, "UsedBy"), ==, 2); /* the profile, too */
        run_well(h->root, V1, "Volume.Delete", "(@a{sv} {},)");
        g_assert_false(world_has_object(h, V1));
        g_assert_false(harness_has_file(h, FILES "v1"));
        g_assert_cmpuint(harness_count_entries(h, "state/volumes"), ==, 0);
        g_assert_nonnull(client_find_signal(h->root, 0, PATH_ROOT, "InterfacesRemoved"));
}

TEST(survives_the_service) {
        g_autoptr(Harness) h = new_with_volume();

        run_well(h->root, V1, "Volume.CreateSnapshot",
                 "('s1', {'description': <'mine'>, 'expires': <uint64 7000000000000000>})");
        call_well(h->root, V1, "Volume.Update", "({'user.a': 'b'}, @as [], @a{sv} {})");
        harness_stop_service(h);
        harness_start_service(h, NULL);
        g_assert_cmpuint(count(h->root, V1, "Snapshots"), ==, 1);
        run_well(h->root, V1, "Volume.RenameSnapshot", "('s1', 's2', @a{sv} {})");
        g_assert_true(harness_has_file(h, SNAPSHOTS "v1/s2"));
        run_well(h->root, V1, "Volume.Rename", "('v2', @a{sv} {})");
        g_assert_true(harness_has_file(h, SNAPSHOTS "v2/s2"));
        g_assert_cmpuint(count(h->root, PATH_POOL "/volume/v2", "Snapshots"), ==, 1);
}

TEST(a_volume_in_use_stays) {
        g_autoptr(Harness) h = new_with_volume();

        g_free(world_make_container(h->root, "c1"));
        call_well(h->root, C1, "Container.Update", ATTACH("v1"));
        g_assert_cmpuint(count(h->root, V1, "UsedBy"), ==, 1);
        {
                g_autoptr(GVariant) told = client_find_value(h->root, 0, V1, "UsedBy");

                g_assert_nonnull(told);
                g_assert_cmpuint(g_variant_n_children(told), ==, 1);
        }
        run_badly(h->root, V1, "Volume.Delete", "(@a{sv} {},)", ERROR_IN_USE, "\"c1\"");
        run_badly(h->root, V1, "Volume.Rename", "('v2', @a{sv} {})", ERROR_IN_USE, "\"c1\"");
        run_well(h->root, V1, "Volume.CreateSnapshot", "('s1', @a{sv} {})");
        /* Not while it runs. */
        run_well(h->root, V1, "Volume.RestoreSnapshot", "('s1', @a{sv} {})");
        run_well(h->root, C1, "Container.Start", "(@a{sv} {},)");
        run_badly(h->root, V1, "Volume.RestoreSnapshot", "('s1', @a{sv} {})", ERROR_IN_USE,
                  "\"c1\"");
        call_well(h->root, C1, "Container.Update", DETACH);
        g_assert_cmpuint(count(h->root, V1, "UsedBy"), ==, 0);
        call_well(h->root, PATH_PROFILE, "Profile.Update",
                  "(@a{ss} {}, @as [], {'devices': <{'root': {'type': 'disk', 'path': '/', 'pool': "
                  "'default'}, 'data': {'type': 'disk', 'pool': 'default', 'source': 'v1', 'path': "
                  "'/data'}}>})");
        run_badly(h->root, V1, "Volume.Delete", "(@a{sv} {},)", ERROR_IN_USE, "container \"c1\"");
        run_well(h->root, C1, "Container.Delete", "({'force': <true>},)");
        run_badly(h->root, V1, "Volume.Delete", "(@a{sv} {},)", ERROR_IN_USE,
                  "profile \"default\"");
}

TEST(what_is_not_there_cannot_be_attached) {
        g_autoptr(Harness) h = new_with_volume();

        g_free(world_make_container(h->root, "c1"));
        call_badly(h->root, C1, "Container.Update", ATTACH("v2"), ERROR_NO_SUCH_VOLUME, "v2");
        call_badly(h->root, C1, "Container.Update", ATTACH("../v1"), ERROR_INVALID_NAME, "source");
        call_badly(h->root, C1, "Container.Update", ATTACH("/etc"), ERROR_INVALID_DEVICE, "source");
        call_badly(h->root, PATH_PROFILE, "Profile.Update", ATTACH("v2"), ERROR_NO_SUCH_VOLUME,
                   "v2");
        /* The mark of somebody else's is not to be had from outside. */
        call_badly(h->root, C1, "Container.Update",
                   "(@a{ss} {}, @as [], {'devices': <{'data': {'type': 'disk', 'pool': 'default', "
                   "'source': 'v1', 'path': '/data', 'volatile.owner': '0'}}>})",
                   ERROR_INVALID_DEVICE, "volatile.owner");
}

/* The worker is told where it is, and shows it with the ids of the container. */
TEST(workers_are_told_the_path) {
        g_autoptr(Harness) h = new_with_volume();
        g_autofree char *log = NULL, *path = g_build_filename(h->state_dir,
                                                              "mounts/default/custom/v1", NULL);
        const char *line;

        g_free(world_make_container(h->root, "c1"));
        call_well(h->root, C1, "Container.Update", ATTACH("v1"));
        run_well(h->root, C1, "Container.Start", "(@a{sv} {},)");
        call_well(h->root, C1, "Container.Update", DETACH);
        log = harness_read_log(h);
        line = strstr(log, "runtime.start");
        g_assert_nonnull(line);
        g_assert_nonnull(strstr(line, path));
        line = strstr(log, "runtime.devices");
        g_assert_nonnull(line);
        g_assert_nonnull(strstr(line, path));
}

/* --- whose they are --- */

TEST(volumes_of_others_take_host_access) {
        g_autoptr(Harness) h = new_with_volume();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        const PolkitQuestion *q;

        run_well(alice, PATH_POOL, "StoragePool.CreateVolume", "('mine', @a{ss} {}, @a{sv} {})");
        g_free(world_make_container(alice, "c1"));
        call_well(alice, C1, "Container.Update", ATTACH("mine"));
        g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, "org.berth1.use");
        call_well(alice, C1, "Container.Update", DETACH);

        call_well(alice, C1, "Container.Update", ATTACH("v1"));
        q = mock_polkit_last(h->polkit);
        g_assert_cmpstr(q->action, ==, "org.berth1.host-access");
        g_assert_cmpstr(mock_polkit_get_detail(q, "devices"), ==, "data");
        call_well(alice, C1, "Container.Update", DETACH);

        g_free(world_make_container(bob, "c2"));
        h->polkit->answer = POLKIT_NO;
        call_badly(bob, "/org/berth1/container/c2", "Container.Update", ATTACH("mine"),
                   ERROR_ACCESS_DENIED, "");
        h->polkit->answer = POLKIT_YES;
}

#define PROFILE_WITH_VOLUME \
        "(@a{ss} {}, @as [], {'devices': <{'root': {'type': 'disk', 'path': '/', 'pool': " \
        "'default'}, 'data': {'type': 'disk', 'pool': 'default', 'source': 'v1', 'path': " \
        "'/data'}}>})"

/* A profile hands its volumes to everybody, so that takes host-access; what was granted for the
 * profile then holds for those who use it. */
TEST(volumes_in_profiles) {
        g_autoptr(Harness) h = new_with_volume();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);

        g_free(world_make_container(alice, "c1"));
        call_well(alice, PATH_PROFILE, "Profile.Update", PROFILE_WITH_VOLUME);
        g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, "org.berth1.host-access");
        run_well(alice, C1, "Container.Start", "(@a{sv} {},)");
        g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, "org.berth1.use");
        run_well(alice, C1, "Container.Stop", "({'force': <true>},)");
}

/* The last fence: a container whose volume is another's by now is not started by who may not. */
TEST(volumes_of_others_are_refused_at_the_start) {
        g_autoptr(Harness) h = new_with_volume();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);

        run_well(alice, PATH_POOL, "StoragePool.CreateVolume", "('mine', @a{ss} {}, @a{sv} {})");
        g_free(world_make_container(alice, "c1"));
        call_well(alice, C1, "Container.Update", ATTACH("mine"));
        harness_stop_service(h);
        harness_remove_tree(h, "state/volumes/default:mine");
        harness_remove_tree(h, FILES "mine");
        harness_start_service(h, NULL);
        /* There is none of that name any more, and then one of root's. */
        world_make_volume(h->root, "mine");
        h->polkit->answer = POLKIT_NO;
        run_badly(alice, C1, "Container.Start", "(@a{sv} {},)", ERROR_ACCESS_DENIED, "");
        g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, "org.berth1.host-access");
        h->polkit->answer = POLKIT_YES;
}

/* --- archives --- */

static Call *import(Client *client, const char *name, const char *index) {
        _cleanup_close_ int fd = world_new_archive(index);
        g_autoptr(Call) call = call_wait(
                client, client_begin_fds(client, PATH_POOL, "StoragePool.ImportVolume",
                                         g_variant_new("(hs@a{sv})", 0, name, no_options()), &fd));

        return call->error ? TAKE_PTR(call) : client_wait_job(client, call_get_path(call));
}

#define INDEX(config, snapshots) \
        "{'container': <{'name': <'in'>, 'description': <'text'>, 'config': <" config ">}>, " \
        "'snapshots': <" snapshots ">}"
#define SNAPSHOT(name) \
        "{'name': <'" name "'>, 'description': <''>, 'created': <uint64 5>, 'expires': <uint64 0>}"

TEST(archives_come_in) {
        g_autoptr(Harness) h = new_with_volume();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) done = NULL, again = NULL, other = NULL, full = NULL;
        g_autoptr(GVariant) owner = NULL, size = NULL;

        done = import(alice, "", INDEX("{'size': '1GiB', 'volatile.x': 'y'}",
                                       "[" SNAPSHOT("s1") "]"));
        call_assert_ok(done);
        owner = client_get(h->root, PATH_POOL "/volume/in", "Owner");
        size = client_get(h->root, PATH_POOL "/volume/in", "Size");
        g_assert_cmpuint(g_variant_get_uint32(owner), ==, UID_ALICE);
        g_assert_cmpuint(g_variant_get_uint64(size), ==, UINT64_C(1) << 30);
        g_assert_cmpuint(count(h->root, PATH_POOL "/volume/in", "Snapshots"), ==, 1);
        g_assert_true(harness_has_file(h, SNAPSHOTS "in/s1"));
        again = import(alice, "", INDEX("@a{ss} {}", "@aa{sv} []"));
        call_assert_error(again, ERROR_EXISTS, "default/in");
        other = import(alice, "other", INDEX("@a{ss} {}", "@aa{sv} []"));
        call_assert_ok(other);
        harness_plan(h, "image.import-volume", "set full yes");
        full = import(alice, "full", INDEX("@a{ss} {}", "[" SNAPSHOT("s1") "]"));
        call_assert_error(full, ERROR_NO_SPACE, "Full");
        g_assert_false(world_has_object(h, PATH_POOL "/volume/full"));
        g_assert_false(harness_has_file(h, FILES "full"));
        g_assert_false(harness_has_file(h, SNAPSHOTS "full"));
}

/* What is in one is a stranger's word. */
TEST(archives_are_not_believed) {
        static const struct {
                const char *index;
                ErrorCode code;
        } cases[] = {
                { "{}", ERROR_INVALID_IMAGE },
                { "{'container': <'x'>}", ERROR_INVALID_IMAGE },
                { INDEX("{'raw.lxc': 'x'}", "@aa{sv} []"), ERROR_INVALID_CONFIG },
                { INDEX("{'size': 'x'}", "@aa{sv} []"), ERROR_INVALID_CONFIG },
                { INDEX("@a{ss} {}", "[" SNAPSHOT("../x") "]"), ERROR_INVALID_NAME },
                { INDEX("@a{ss} {}", "[" SNAPSHOT("s") ", " SNAPSHOT("s") "]"),
                  ERROR_INVALID_IMAGE },
                { INDEX("@a{ss} {}", "'x'"), ERROR_INVALID_IMAGE },
                { "damaged", ERROR_INVALID_IMAGE },
        };
        g_autoptr(Harness) h = new_with_volume();
        g_autoptr(Call) name = NULL;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Call) call = import(h->root, "", cases[i].index);

                call_assert_error(call, cases[i].code, "");
        }
        name = import(h->root, "../x", INDEX("@a{ss} {}", "@aa{sv} []"));
        call_assert_error(name, ERROR_INVALID_NAME, "volume");
        g_assert_cmpuint(harness_count_entries(h, "state/volumes"), ==, 1);
        g_assert_cmpuint(harness_count_entries(h, "state/mounts/default/custom"), ==, 1);
}

/* --- sizes --- */

TEST(sizes_reach_the_worker_first) {
        g_autoptr(Harness) h = new_with_volume();
        g_autoptr(GVariant) size = NULL;

        call_well(h->root, V1, "Volume.Update", "({'size': '1GiB'}, @as [], @a{sv} {})");
        g_assert_cmpuint(harness_count_runs(h, "storage.volume-resize"), ==, 1);
        size = client_get(h->root, V1, "Size");
        g_assert_cmpuint(g_variant_get_uint64(size), ==, UINT64_C(1) << 30);
        harness_plan(h, "storage.volume-resize", "fail NoSpace it holds more");
        call_badly(h->root, V1, "Volume.Update", "({'size': '1MiB'}, @as [], @a{sv} {})",
                   ERROR_NO_SPACE, "it holds more");
        g_variant_unref(size);
        size = client_get(h->root, V1, "Size");
        g_assert_cmpuint(g_variant_get_uint64(size), ==, UINT64_C(1) << 30);
        call_badly(h->root, V1, "Volume.Update",
                   "({'user.a': ''}, @as [], {'if-revision': <uint64 1>})", ERROR_CONFLICT, "v1");
}

TEST(the_pool_has_a_size_for_those_without) {
        g_autoptr(Harness) h = new_with_volume();
        g_autoptr(GVariant) size = NULL;

        call_well(h->root, PATH_POOL, "StoragePool.Update",
                  "({'volume.size': '2GiB'}, @as [], @a{sv} {})");
        world_make_volume(h->root, "v2");
        size = client_get(h->root, PATH_POOL "/volume/v2", "Size");
        g_assert_cmpuint(g_variant_get_uint64(size), ==, UINT64_C(2) << 30);
}

/* --- copies and snapshots --- */

TEST(copies_are_the_callers) {
        g_autoptr(Harness) h = new_with_volume();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(GVariant) owner = NULL;

        run_well(h->root, V1, "Volume.CreateSnapshot", "('', @a{sv} {})");
        run_well(alice, V1, "Volume.Copy", "('v2', @a{sv} {})");
        g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, "org.berth1.enter");
        owner = client_get(h->root, PATH_POOL "/volume/v2", "Owner");
        g_assert_cmpuint(g_variant_get_uint32(owner), ==, UID_ALICE);
        g_assert_cmpuint(count(h->root, PATH_POOL "/volume/v2", "Snapshots"), ==, 1);
        g_assert_true(harness_has_file(h, SNAPSHOTS "v2/snap0"));
        run_well(h->root, V1, "Volume.Copy", "('v3', {'snapshot': <'snap0'>})");
        g_assert_cmpuint(count(h->root, PATH_POOL "/volume/v3", "Snapshots"), ==, 0);
        run_badly(h->root, V1, "Volume.Copy", "('v4', {'snapshot': <'snap1'>})",
                  ERROR_NO_SUCH_SNAPSHOT, "snap1");
        run_badly(h->root, V1, "Volume.Copy", "('v4', {'pool': <'nowhere'>})", ERROR_NO_SUCH_POOL,
                  "nowhere");
}

TEST(a_copy_is_brought_up_to_date) {
        g_autoptr(Harness) h = new_with_volume();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);

        run_well(h->root, V1, "Volume.CreateSnapshot", "('', @a{sv} {})");
        run_well(alice, V1, "Volume.Copy", "('v2', @a{sv} {})");
        run_well(alice, PATH_POOL "/volume/v2", "Volume.CreateSnapshot", "('own', @a{sv} {})");
        run_well(h->root, V1, "Volume.CreateSnapshot", "('', @a{sv} {})");
        run_well(h->root, V1, "Volume.CreateSnapshot", "('', @a{sv} {})");
        run_well(alice, V1, "Volume.Copy",
                 "('v2', {'refresh': <true>, 'without-snapshots': <true>})");
        g_assert_true(harness_has_file(h, SNAPSHOTS "v2/own"));
        run_well(alice, V1, "Volume.Copy", "('v2', {'refresh': <true>})");
        g_assert_cmpuint(count(h->root, PATH_POOL "/volume/v2", "Snapshots"), ==, 3);
        g_assert_true(harness_has_file(h, SNAPSHOTS "v2/snap2"));
        g_assert_false(harness_has_file(h, SNAPSHOTS "v2/own"));

        run_badly(alice, V1, "Volume.Copy", "('v3', {'refresh': <true>})", ERROR_NO_SUCH_VOLUME,
                  "v3");
        run_badly(alice, V1, "Volume.Copy", "('v1', {'refresh': <true>})", ERROR_INVALID_ARGS,
                  "itself");
        run_well(h->root, V1, "Volume.Copy", "('roots', @a{sv} {})");
        run_badly(alice, V1, "Volume.Copy", "('roots', {'refresh': <true>})", ERROR_ACCESS_DENIED,
                  "owner");
}

/* Of several snapshots that were to come none is left, then or at the next start. */
TEST(a_failed_refresh_leaves_the_copy) {
        g_autoptr(Harness) h = new_with_volume();

        run_well(h->root, V1, "Volume.Copy", "('v2', @a{sv} {})");
        run_well(h->root, V1, "Volume.CreateSnapshot", "('', @a{sv} {})");
        run_well(h->root, V1, "Volume.CreateSnapshot", "('', @a{sv} {})");
        harness_plan(h, "storage.volume-copy", "fail NoSpace full");
        run_badly(h->root, V1, "Volume.Copy", "('v2', {'refresh': <true>})", ERROR_NO_SPACE,
                  "full");
        g_assert_cmpuint(count(h->root, PATH_POOL "/volume/v2", "Snapshots"), ==, 0);
        harness_plan(h, "storage.volume-copy", "die 9");
        run_badly(h->root, V1, "Volume.Copy", "('v2', {'refresh': <true>})", ERROR_FAILED,
                  "signal 9");
        g_assert_cmpuint(count(h->root, PATH_POOL "/volume/v2", "Snapshots"), ==, 0);
        harness_plan(h, "storage.volume-copy", NULL);
        run_well(h->root, V1, "Volume.Copy", "('v2', {'refresh': <true>})");
        g_assert_cmpuint(count(h->root, PATH_POOL "/volume/v2", "Snapshots"), ==, 2);
}

/* The volume has one snapshot, s1, and it is that one. */
static void assert_snapshot(Harness *h, const char *name, const char *expected) {
        g_autofree char *path = g_strconcat(PATH_POOL "/volume/", name, NULL);
        g_autofree char *directory = g_strconcat(SNAPSHOTS, name, NULL);
        g_autoptr(GVariant) snapshots = client_get(h->root, path, "Snapshots"), s = NULL;
        const char *own, *description, *state;

        g_assert_cmpuint(g_variant_n_children(snapshots), ==, 1);
        s = g_variant_get_child_value(snapshots, 0);
        g_assert_true(g_variant_lookup(s, "name", "&s", &own));
        g_assert_true(g_variant_lookup(s, "description", "&s", &description));
        g_assert_true(g_variant_lookup(s, "state", "&s", &state));
        g_assert_cmpstr(own, ==, "s1");
        g_assert_cmpstr(description, ==, expected);
        g_assert_cmpstr(state, ==, "ready");
        g_assert_cmpuint(harness_count_entries(h, directory), ==, 1);
}

static void start_at_gate(Harness *h, const char *operation, const char *method,
                          const char *args) {
        g_autofree char *job = NULL;

        harness_plan(h, operation, "gate");
        job = client_start_job(h->root, V1, method, g_variant_new_parsed(args));
        world_wait_at_gate(h, job);
}

static void kill_at_gate(Harness *h, const char *operation, const char *method,
                         const char *args) {
        start_at_gate(h, operation, method, args);
        harness_kill_service(h);
        harness_plan(h, operation, NULL);
        harness_start_service(h, NULL);
}

/* Once the new one is there it is done, before that it is undone; never neither. */
TEST(killed_while_replacing_a_snapshot) {
        static const struct {
                const char *operation, *left;
        } cases[] = {
                { "storage.volume-snapshot-create", "old" },
                { "storage.volume-snapshot-delete", "new" },
                { "storage.volume-snapshot-rename", "new" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                static const char args[] = "('s1', {'description': <'new'>, 'reuse': <true>})";
                g_autoptr(Harness) h = new_with_volume();

                run_well(h->root, V1, "Volume.CreateSnapshot", "('s1', {'description': <'old'>})");
                kill_at_gate(h, cases[i].operation, "Volume.CreateSnapshot", args);
                assert_snapshot(h, "v1", cases[i].left);
                run_badly(h->root, V1, "Volume.CreateSnapshot", "('s1', @a{sv} {})", ERROR_EXISTS,
                          "s1");
                run_well(h->root, V1, "Volume.CreateSnapshot", args);
                assert_snapshot(h, "v1", "new");
        }
}

/* A copy has a snapshot of the same name that is another one. */
TEST(killed_while_a_refresh_replaces_a_snapshot) {
        static const struct {
                const char *operation, *left;
        } cases[] = {
                { "storage.volume-copy", "old" },
                { "storage.volume-snapshot-restore-end", "new" },
                { "storage.volume-snapshot-delete", "new" },
                { "storage.volume-snapshot-rename", "new" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Harness) h = new_with_volume();

                run_well(h->root, V1, "Volume.Copy", "('v2', @a{sv} {})");
                run_well(h->root, PATH_POOL "/volume/v2", "Volume.CreateSnapshot",
                         "('s1', {'description': <'old'>})");
                run_well(h->root, V1, "Volume.CreateSnapshot", "('s1', {'description': <'new'>})");
                kill_at_gate(h, cases[i].operation, "Volume.Copy", "('v2', {'refresh': <true>})");
                assert_snapshot(h, "v2", cases[i].left);
                run_well(h->root, V1, "Volume.Copy", "('v2', {'refresh': <true>})");
                assert_snapshot(h, "v2", "new");
        }
}

TEST(a_failed_copy_leaves_nothing) {
        g_autoptr(Harness) h = new_with_volume();

        harness_plan(h, "storage.volume-copy", "fail NoSpace full");
        run_badly(h->root, V1, "Volume.Copy", "('v2', @a{sv} {})", ERROR_NO_SPACE, "full");
        g_assert_false(world_has_object(h, PATH_POOL "/volume/v2"));
        g_assert_cmpuint(harness_count_entries(h, "state/volumes"), ==, 1);
        harness_plan(h, "storage.volume-copy", NULL);
        run_well(h->root, V1, "Volume.Copy", "('v2', @a{sv} {})");
}

/* What a pool has of a volume whose record was lost is not taken for a new one's. */
TEST(lost_files_are_kept) {
        g_autoptr(Harness) h = new_with_volume();

        harness_stop_service(h);
        harness_remove_tree(h, "state/volumes/default:v1");
        harness_start_service(h, NULL);
        run_badly(h->root, PATH_POOL, "StoragePool.CreateVolume", "('v1', @a{ss} {}, @a{sv} {})",
                  ERROR_EXISTS, "berth admin recover");
        g_assert_true(harness_has_file(h, FILES "v1"));
        run_well(h->root, PATH_ROOT, "Manager.Recover", "(@aa{sv} [], {'dry-run': <true>})");
        g_assert_false(world_has_object(h, V1));
        run_well(h->root, PATH_ROOT, "Manager.Recover", "(@aa{sv} [], @a{sv} {})");
        g_assert_true(world_has_object(h, V1));
        call_well(h->root, V1, "Volume.Update", "({'user.a': 'b'}, @as [], @a{sv} {})");
        run_badly(h->root, PATH_ROOT, "Manager.Recover",
                  "([{'name': <'default'>, 'driver': <'dir'>, 'source': <'/x'>}], @a{sv} {})",
                  ERROR_EXISTS, "default");
        run_badly(h->root, PATH_ROOT, "Manager.Recover", "([{'name': <'p'>}], @a{sv} {})",
                  ERROR_INVALID_ARGS, "driver");
}

/* No job has v1: then it can be changed. */
static bool is_free(Harness *h) {
        g_autoptr(Call) call = client_call(h->root, V1, "Volume.Update",
                                           g_variant_new_parsed("(@a{ss} {}, @as [], @a{sv} {})"));

        if (call->error)
                call_assert_error(call, ERROR_BUSY, "volume-recover");
        return !call->error;
}

/* The record is lost when a snapshot was just being replaced: as long as it has files it is the old
 * one, and from then on the new one. */
TEST(what_was_half_replaced_is_recovered) {
        static const struct {
                const char *operation, *left;
        } cases[] = {
                { "storage.volume-snapshot-create", "old" },
                { "storage.volume-snapshot-delete", "old" },
                { "storage.volume-snapshot-rename", "new" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Harness) h = new_with_volume();

                run_well(h->root, V1, "Volume.CreateSnapshot", "('s1', {'description': <'old'>})");
                start_at_gate(h, cases[i].operation, "Volume.CreateSnapshot",
                              "('s1', {'description': <'new'>, 'reuse': <true>})");
                harness_kill_service(h);
                harness_plan(h, cases[i].operation, NULL);
                harness_remove_tree(h, "state/volumes/default:v1");
                harness_start_service(h, NULL);
                run_well(h->root, PATH_ROOT, "Manager.Recover", "(@aa{sv} [], @a{sv} {})");
                HARNESS_WAIT(h, is_free(h));
                g_assert_true(harness_has_file(h, SNAPSHOTS "v1/s1"));
                assert_snapshot(h, "v1", cases[i].left);
        }
}

/* What has expired goes by itself. */
TEST(snapshots_expire) {
        g_autoptr(Harness) h = new_with_volume();

        run_well(h->root, V1, "Volume.CreateSnapshot", "('s1', {'expires': <uint64 99>})");
        harness_stop_service(h);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, count(h->root, V1, "Snapshots") == 0);
}

HARNESS_MAIN()
