/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What polkit is asked when a device comes to a container: each kind of each type in the table, by
 * every way that it can come, from every kind of caller; and that nothing changes without the
 * grant.
 */

#include <string.h>

#include "service/model/device.h"
#include "service/model/privilege.h"
#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define PATH_C1 "/org/berth1/container/c1"
#define PATH_C2 "/org/berth1/container/c2"
#define PATH_P1 "/org/berth1/profile/p1"

/* Every kind of source that a type has, and the action that it takes of its owner. */
static const struct {
        const char *type, *options, *action;
} kinds[] = {
        { "disk", "'path': '/mnt', 'source': '/home'", "attach-own-files" },
        { "disk", "'path': '/mnt', 'source': '/home', 'readonly': 'true'", "attach-own-files" },
        { "disk", "'path': '/mnt', 'source': '/home', 'shift': 'true'", "host-access" },
        { "disk", "'path': '/mnt', 'source': '/home', 'shift': 'false'", "host-access" },
        { "disk", "'path': '/mnt', 'source': '/home', 'recursive': 'true'", "host-access" },
        { "disk", "'path': '/mnt', 'source': '/home', 'propagation': 'slave'", "host-access" },
        { "gpu", "'id': '0'", "host-access" },
        { "gpu", "'render': 'true'", "use-kernel-surface" },
        { "nic", "'network': 'br0'", "use" },
        { "nic", "'nictype': 'bridged', 'parent': 'br0'", "use" },
        { "nic", "'nictype': 'p2p'", "host-access" },
        { "nic", "'nictype': 'macvlan', 'parent': 'eth7'", "host-access" },
        { "nic", "'nictype': 'ipvlan', 'parent': 'eth7'", "host-access" },
        { "nic", "'nictype': 'physical', 'parent': 'eth7'", "host-access" },
        { "nic", "'nictype': 'routed', 'ipv4.address': '10.8.0.5'", "host-access" },
        { "none", NULL, "use" },
        { "proxy", "'listen': 'tcp:127.0.0.1:80', 'connect': 'tcp:127.0.0.1:80'", "host-access" },
        { "proxy", "'listen': 'unix:@x', 'connect': 'unix:/run/x', 'bind': 'instance'",
          "attach-own-files" },
        { "unix-block", "'source': '/dev/sda', 'path': '/dev/sda'", "host-access" },
        { "unix-char", "'source': '/dev/fuse', 'path': '/dev/fuse'", "use-kernel-surface" },
        { "unix-char", "'path': '/dev/kvm'", "use-kernel-surface" },
        { "unix-char", "'path': '/dev/net/tun', 'required': 'false'", "use-kernel-surface" },
        { "unix-char", "'path': '/dev/dri/renderD128'", "use-kernel-surface" },
        { "unix-char", "'path': '/dev/mem'", "host-access" },
        { "unix-char", "'path': '/dev/fuse', 'major': '1', 'minor': '1'", "host-access" },
        { "unix-hotplug", "'vendorid': '046d'", "host-access" },
        { "usb", "'vendorid': '046d'", "host-access" },
};

/* Who calls, and what he is asked for. */
typedef struct Caller {
        Harness *h;
        Client *client;
        const char *on_own, *on_create, *on_profile;
        const char *detail; /* the device's name, of what is more than "use" */
} Caller;

static bool is_above_use(const char *action) {
        return !g_str_equal(action, "use");
}

static char *devices_text(size_t i) {
        return g_strdup_printf("@a{sa{ss}} {'dev': {'type': '%s'%s%s}}", kinds[i].type,
                               kinds[i].options ? ", " : "", kinds[i].options ?: "");
}

static GVariant *update_args(const char *devices) {
        g_autofree char *text = g_strdup_printf("{'devices': <%s>}", devices);

        return g_variant_new("(@a{ss}@as@a{sv})",
                             g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0),
                             g_variant_new_strv(NULL, 0), options(text));
}

static void must(Client *root, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_call(root, path, method, args);

        call_assert_ok(call);
}

static void must_run(Client *root, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_run_job(root, path, method, args);

        call_assert_ok(call);
}

static char *devices_of(Client *root, const char *path) {
        bool profile = strstr(path, "/profile/");
        g_autoptr(Call) call = client_call(root, path, profile ? "Profile.GetDevices"
                                                               : "Container.GetDevices",
                                           g_variant_new("(@a{sv})", no_options()));
        g_autoptr(GVariant) devices = NULL;

        call_assert_ok(call);
        devices = g_variant_get_child_value(call->body, 0);
        return g_variant_print(devices, FALSE);
}

/* --- one way --- */

typedef Call *(*WayFunc)(const Caller *caller, const char *devices);

/* polkit says no to all but `granted`; unless that is the action it takes, the call must fail. */
static void try(const Caller *caller, WayFunc way, const char *devices, const char *granted,
                const char *action) {
        g_autofree char *id = granted ? g_strconcat("org.berth1.", granted, NULL) : NULL;
        g_autofree char *wanted = g_strconcat("org.berth1.", action, NULL);
        guint asked = caller->h->polkit->questions->len;
        g_autoptr(Call) call = NULL;
        const PolkitQuestion *q;

        caller->h->polkit->answer = POLKIT_NO;
        caller->h->polkit->only_yes_to = id;
        call = way(caller, devices);
        caller->h->polkit->answer = POLKIT_YES;
        caller->h->polkit->only_yes_to = NULL;
        if (caller->client->uid == 0) {
                g_assert_cmpuint(caller->h->polkit->questions->len, ==, asked);
                call_assert_ok(call);
                return;
        }
        if (caller->h->polkit->questions->len == asked)
                g_error("%s: nobody was asked", devices);
        q = mock_polkit_last(caller->h->polkit);
        if (!g_str_equal(q->action, wanted))
                g_error("%s: polkit was asked for %s, expected %s", devices, q->action, wanted);
        g_assert_cmpstr(mock_polkit_get_detail(q, "devices"), ==, caller->detail);
        if (g_strcmp0(granted, action) == 0)
                call_assert_ok(call);
        else
                call_assert_error(call, ERROR_ACCESS_DENIED, action);
}

/* Refused to those who have not been granted it, or less; then granted. `path`: what must be the
 * same after the refusals. */
static void try_all(const Caller *caller, WayFunc way, const char *devices, const char *path,
                    const char *action) {
        g_autofree char *before = path ? devices_of(caller->h->root, path) : NULL, *after = NULL;

        if (caller->client->uid != 0) {
                try(caller, way, devices, NULL, action);
                if (is_above_use(action))
                        try(caller, way, devices, "use", action);
                after = path ? devices_of(caller->h->root, path) : NULL;
                g_assert_cmpstr(before, ==, after);
        }
        try(caller, way, devices, action, action);
}

static Call *set(const Caller *caller, const char *devices) {
        return client_call(caller->client, PATH_C1, "Container.Update", update_args(devices));
}

static Call *create(const Caller *caller, const char *devices) {
        g_autofree char *text = g_strdup_printf("{'devices': <%s>}", devices);

        return client_run_job(caller->client, PATH_ROOT, "Manager.CreateContainer",
                              world_create_args("c2", text));
}

static Call *set_profile(const Caller *caller, const char *devices) {
        return client_call(caller->client, PATH_P1, "Profile.Update", update_args(devices));
}

static Call *assign(const Caller *caller, const char *devices) {
        return client_call(caller->client, PATH_C1, "Container.Update",
                           g_variant_new_parsed("(@a{ss} {}, @as [], "
                                                "{'profiles': <['default', 'p1']>})"));
}

static Call *import(const Caller *caller, const char *devices) {
        g_autofree char *index = g_strdup_printf(
                "{'container': <{'name': <'c2'>, 'config': <@a{ss} {}>, 'devices': <%s>, "
                "'description': <''>, 'architecture': <'x86_64'>, 'ephemeral': <false>, "
                "'created': <@t 5>, 'expires': <@t 0>, 'profiles': <['default']>}>, "
                "'snapshots': <@aa{sv} []>}", devices);
        _cleanup_close_ int fd = world_new_archive(index);
        Call *started = call_wait(caller->client,
                                  client_begin_fds(caller->client, PATH_ROOT,
                                                   "Manager.ImportContainer",
                                                   g_variant_new("(hs@a{sv})", 0, "c2",
                                                                 no_options()), &fd));
        Call *end;

        if (started->error)
                return started;
        end = client_wait_job(caller->client, call_get_path(started));
        call_free(started);
        return end;
}

/* What is in an archive is known after it may be read at all, and asked for then. */
static void try_import(const Caller *caller, const char *devices) {
        g_autofree char *wanted = g_strconcat("org.berth1.", caller->on_create, NULL);
        g_autoptr(Call) refused = NULL, granted = NULL;
        Harness *h = caller->h;

        if (caller->client->uid != 0) {
                h->polkit->answer = POLKIT_NO;
                h->polkit->only_yes_to = is_above_use(caller->on_create) ? "org.berth1.use" : NULL;
                refused = import(caller, devices);
                call_assert_error(refused, ERROR_ACCESS_DENIED, caller->on_create);
                g_assert_false(world_has_object(h, PATH_C2));
                h->polkit->answer = POLKIT_YES;
                h->polkit->only_yes_to = NULL;
        }
        granted = import(caller, devices);
        call_assert_ok(granted);
        if (caller->client->uid != 0)
                g_assert_cmpstr(mock_polkit_last(h->polkit)->action, ==, wanted);
}

static Call *copy(const Caller *caller, const char *devices) {
        return client_run_job(caller->client, PATH_C1, "Container.Copy",
                              g_variant_new_parsed("('c2', @a{sv} {})"));
}

static Call *restore(const Caller *caller, const char *devices) {
        return client_run_job(caller->client, PATH_C1, "Container.RestoreSnapshot",
                              g_variant_new_parsed("('s1', @a{sv} {})"));
}

/* --- all ways --- */

static void set_by_root(const Caller *caller, const char *path, const char *devices) {
        must(caller->h->root, path, strstr(path, "/profile/") ? "Profile.Update"
                                                              : "Container.Update",
             update_args(devices));
}

static void delete_c2(const Caller *caller) {
        must_run(caller->h->root, PATH_C2, "Container.Delete",
                 g_variant_new("(@a{sv})", no_options()));
}

/* A snapshot that has the device, of a container that has not. */
static void make_snapshot(const Caller *caller, const char *devices) {
        set_by_root(caller, PATH_C1, devices);
        must_run(caller->h->root, PATH_C1, "Container.CreateSnapshot",
                 g_variant_new_parsed("('s1', @a{sv} {})"));
        set_by_root(caller, PATH_C1, "@a{sa{ss}} {}");
}

static void all_ways(const Caller *caller, const char *devices) {
        static const char nothing[] = "@a{sa{ss}} {}";

        try_all(caller, set, devices, PATH_C1, caller->on_own);
        /* Taking it away is a change of it as well. */
        try_all(caller, set, nothing, PATH_C1, caller->on_own);
        try_all(caller, create, devices, NULL, caller->on_create);
        delete_c2(caller);
        try_import(caller, devices);
        delete_c2(caller);
        try_all(caller, set_profile, devices, PATH_P1, caller->on_profile);
        try_all(caller, assign, devices, PATH_C1, caller->on_own);
        must(caller->h->root, PATH_C1, "Container.Update",
             g_variant_new_parsed("(@a{ss} {}, @as [], {'profiles': <['default']>})"));
        set_by_root(caller, PATH_P1, nothing);
        make_snapshot(caller, devices);
        try_all(caller, restore, devices, PATH_C1, caller->on_own);
        must_run(caller->h->root, PATH_C1 "/snapshot/s1", "Snapshot.Delete",
             g_variant_new("(@a{sv})", no_options()));
        set_by_root(caller, PATH_C1, nothing);
}

static Harness *stage(Client **ret_alice) {
        Harness *h = harness_new();

        *ret_alice = client_new(h, UID_ALICE);
        world_make_image(h);
        must_run(h->root, PATH_ROOT, "Manager.CreateNetwork",
                 g_variant_new_parsed("('br0', 'bridge', {'ipv4.address': '10.9.0.1/24', "
                                      "'ipv6.address': 'none'}, @a{sv} {})"));
        g_free(world_make_container(*ret_alice, "c1"));
        must(h->root, PATH_ROOT, "Manager.CreateProfile",
             g_variant_new_parsed("('p1', @a{sv} {})"));
        return h;
}

static const char *on_profile(const char *action) {
        return g_str_equal(action, "host-access") ? action : "manage-profiles";
}

TEST(every_type_is_in_it) {
        for (const DeviceType *type = device_type_table(); type->name; type++) {
                bool found = false;

                for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                        found = found || g_str_equal(kinds[i].type, type->name);
                if (!found)
                        g_error("add kinds of type %s to " __FILE__, type->name);
        }
}

TEST(the_owner) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                g_autofree char *devices = devices_text(i);
                const char *action = kinds[i].action;
                const Caller caller = { h, alice, action, action, on_profile(action),
                                        is_above_use(action) ? "dev" : NULL };

                all_ways(&caller, devices);
                /* A copy has what its source has, and whoever makes it answers for that. */
                set_by_root(&caller, PATH_C1, devices);
                try_all(&caller, copy, devices, NULL, action);
                delete_c2(&caller);
                set_by_root(&caller, PATH_C1, "@a{sa{ss}} {}");
        }
}

TEST(another_user) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        g_autoptr(Client) bob = client_new(h, UID_BOB);

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                g_autofree char *devices = devices_text(i);
                bool above = is_above_use(kinds[i].action);
                const Caller caller = { h, bob, above ? "host-access" : "manage", kinds[i].action,
                                        on_profile(kinds[i].action), above ? "dev" : NULL };

                all_ways(&caller, devices);
                /* What he copies becomes his. */
                set_by_root(&caller, PATH_C1, devices);
                try_all(&caller, copy, devices, NULL, above ? "host-access" : "enter");
                delete_c2(&caller);
                set_by_root(&caller, PATH_C1, "@a{sa{ss}} {}");
        }
}

TEST(root) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                g_autofree char *devices = devices_text(i);
                const Caller caller = { h, h->root, "use", "use", "use", NULL };

                all_ways(&caller, devices);
                set_by_root(&caller, PATH_C1, devices);
                try_all(&caller, copy, devices, NULL, "use");
                delete_c2(&caller);
                set_by_root(&caller, PATH_C1, "@a{sa{ss}} {}");
        }
}

HARNESS_MAIN()
