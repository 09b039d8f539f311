/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names that are none, by every way that a name can come to the service: arguments and options of
 * methods, and what archives say. Each is refused for what it is, and not because there happens to
 * be nothing of that name.
 */

#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define S1 C1 "/snapshot/s1"
#define V1 PATH_POOL "/volume/v1"
#define P2 "/org/berth1/profile/p2"
#define FACTS "'description': <''>, 'architecture': <'x86_64'>, 'ephemeral': <false>, " \
              "'created': <@t 5>, 'expires': <@t 0>, 'config': <@a{ss} {}>, " \
              "'devices': <@a{sa{ss}} {}>"

/* None of these is a name of anything. */
static const char *const bad[] = { "..", "../x", "/x", "a b", "a/", "-x", "a\n", "\303\244" };

typedef struct Way {
        const char *path, *method; /* path NULL: the image's */
        const char *args;    /* %s: where the name goes; NULL: `index` is an archive */
        const char *index;
        ErrorCode error;
        bool is_file; /* any name of a file may be one */
} Way;

/* In the order of the interfaces. */
static const Way ways[] = {
        { PATH_ROOT, "Manager.CreateContainer", "(%s, 'fake', @a{sv} {})" },
        { PATH_ROOT, "Manager.CreateContainer", "('n1', 'fake', {'pool': <%s>})" },
        { PATH_ROOT, "Manager.CreateContainer",
          "('n1', 'fake', {'devices': <{%s: {'type': 'none'}}>})" },
        { PATH_ROOT, "Manager.CreateProfile", "(%s, @a{sv} {})" },
        { PATH_ROOT, "Manager.CreateNetwork", "(%s, 'bridge', @a{ss} {}, @a{sv} {})" },
        { PATH_ROOT, "Manager.CreateStoragePool", "(%s, 'dir', @a{ss} {}, @a{sv} {})" },
        { PATH_ROOT, "Manager.AddImageServer", "(%s, 'https://a.example', @a{sv} {})" },
        { PATH_ROOT, "Manager.AddImageServer", "('n1', %s, @a{sv} {})", NULL, ERROR_INVALID_ARGS },
        { PATH_ROOT, "Manager.ChangeImageServer", "('images', {'name': <%s>})" },
        { PATH_ROOT, "Manager.ChangeImageServer", "('images', {'url': <%s>})", NULL,
          ERROR_INVALID_ARGS },
        { PATH_ROOT, "Manager.DownloadImage", "('images', %s, @a{sv} {})" },
        { PATH_ROOT, "Manager.DownloadImage", "('images', 'x', {'aliases': <[%s]>})" },
        { PATH_ROOT, "Manager.FetchImage", "(%s, @a{sv} {})", NULL, ERROR_INVALID_ARGS },
        { PATH_ROOT, "Manager.Recover",
          "([{'name': <%s>, 'driver': <'dir'>, 'source': <'/srv/x'>}], @a{sv} {})" },
        { C1, "Container.Rename", "(%s, @a{sv} {})" },
        { C1, "Container.Copy", "(%s, @a{sv} {})" },
        { C1, "Container.Copy", "('n1', {'pool': <%s>})" },
        { C1, "Container.Move", "(%s, @a{sv} {})" },
        { C1, "Container.CreateSnapshot", "(%s, @a{sv} {})" },
        { C1, "Container.Update", "({'boot.after': %s}, @as [], @a{sv} {})" },
        { C1, "Container.WriteTemplate", "(%s, '', @a{sv} {})", .is_file = true },
        { C1, "Container.Publish", "({'aliases': <[%s]>},)" },
        { NULL, "Image.AddAlias", "(%s, @a{sv} {})" },
        { S1, "Snapshot.Rename", "(%s, @a{sv} {})" },
        { S1, "Snapshot.Copy", "(%s, @a{sv} {})" },
        { P2, "Profile.Rename", "(%s, @a{sv} {})" },
        { "/org/berth1/network/br0", "Network.Rename", "(%s, @a{sv} {})" },
        { PATH_POOL, "StoragePool.CreateVolume", "(%s, @a{ss} {}, @a{sv} {})" },
        { V1, "Volume.Rename", "(%s, @a{sv} {})" },
        { V1, "Volume.Copy", "(%s, @a{sv} {})" },
        { V1, "Volume.CreateSnapshot", "(%s, @a{sv} {})" },
        { V1, "Volume.RenameSnapshot", "('s1', %s, @a{sv} {})" },
        { PATH_ROOT, "Manager.ImportContainer", "(@h 0, %s, @a{sv} {})",
          "{'container': <{'name': <'n1'>, 'profiles': <['default']>, " FACTS
          "}>, 'snapshots': <@aa{sv} []>}" },
        { PATH_ROOT, "Manager.ImportContainer", NULL,
          "{'container': <{'name': <%s>, 'profiles': <['default']>, " FACTS
          "}>, 'snapshots': <@aa{sv} []>}" },
        { PATH_ROOT, "Manager.ImportContainer", NULL,
          "{'container': <{'name': <'n1'>, 'profiles': <[%s]>, " FACTS
          "}>, 'snapshots': <@aa{sv} []>}" },
        { PATH_ROOT, "Manager.ImportContainer", NULL,
          "{'container': <{'name': <'n1'>, 'profiles': <['default']>, " FACTS
          "}>, 'snapshots': <[{'name': <%s>, 'profiles': <['default']>, " FACTS "}]>}" },
        { PATH_POOL, "StoragePool.ImportVolume", "(@h 0, %s, @a{sv} {})",
          "{'container': <{'name': <'n1'>, 'description': <''>, 'config': <@a{ss} {}>}>, "
          "'snapshots': <@aa{sv} []>}" },
        { PATH_POOL, "StoragePool.ImportVolume", NULL,
          "{'container': <{'name': <%s>, 'description': <''>, 'config': <@a{ss} {}>}>, "
          "'snapshots': <@aa{sv} []>}" },
        { PATH_POOL, "StoragePool.ImportVolume", NULL,
          "{'container': <{'name': <'n1'>, 'description': <''>, 'config': <@a{ss} {}>}>, "
          "'snapshots': <[{'name': <%s>, 'description': <''>, 'created': <uint64 5>, "
          "'expires': <uint64 0>}]>}" },
};

/* The text with the name, quoted, where it has "%s". */
static char *with_name(const char *text, const char *name) {
        g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_new_string(name));
        g_autofree char *quoted = g_variant_print(value, FALSE);
        const char *gap = strstr(text, "%s");

        return gap ? g_strdup_printf("%.*s%s%s", (int) (gap - text), text, quoted, gap + 2)
                   : g_strdup(text);
}

static char *path_of_image(Client *client) {
        g_autoptr(Call) call = client_call(client, PATH_ROOT, "Manager.GetImage",
                                           g_variant_new("(s)", "fake"));

        return g_strdup(call_get_path(call));
}

static Call *go(Client *client, const Way *way, const char *name) {
        g_autofree char *index = way->index ? with_name(way->index, name) : NULL;
        g_autofree char *args = with_name(way->args ?: "(@h 0, '', @a{sv} {})", name);
        _cleanup_close_ int fd = index ? world_new_archive(index) : -EBADF;
        g_autofree char *image = way->path ? NULL : path_of_image(client);
        g_autoptr(Call) call = call_wait(client, client_begin_fds(client, way->path ?: image,
                                                                  way->method,
                                                                  g_variant_new_parsed(args),
                                                                  index ? &fd : NULL));

        /* What returns a job may have it fail. */
        if (call->error || !g_str_has_prefix(g_variant_get_type_string(call->body), "(o"))
                return g_steal_pointer(&call);
        return client_wait_job(client, call_get_path(call));
}

static void must(Client *client, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_run_job(client, path, method, args);

        call_assert_ok(call);
}

static Harness *new_with_one_of_each(void) {
        g_autoptr(Call) profile = NULL;
        Harness *h = harness_new();

        world_make_image(h);
        g_free(world_make_container(h->root, "c1"));
        world_make_volume(h->root, "v1");
        must(h->root, C1, "Container.CreateSnapshot", g_variant_new_parsed("('s1', @a{sv} {})"));
        must(h->root, V1, "Volume.CreateSnapshot", g_variant_new_parsed("('s1', @a{sv} {})"));
        must(h->root, PATH_ROOT, "Manager.CreateNetwork",
             g_variant_new_parsed("('br0', 'bridge', @a{ss} {}, @a{sv} {})"));
        profile = client_call(h->root, PATH_ROOT, "Manager.CreateProfile",
                              g_variant_new_parsed("('p2', @a{sv} {})"));
        call_assert_ok(profile);
        return h;
}

TEST(what_is_no_name_is_refused_everywhere) {
        g_autoptr(Harness) h = new_with_one_of_each();

        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                for (size_t k = 0; k < ELEMENTSOF(bad); k++) {
                        ErrorCode expected = ways[i].error ?: ERROR_INVALID_NAME;
                        g_autoptr(Call) call = NULL;

                        if (ways[i].is_file && path_is_component(bad[k]))
                                continue;
                        call = go(h->root, &ways[i], bad[k]);
                        if (!call->error ||
                            !g_str_equal(call->error, error_code_to_name(expected)))
                                g_error("%s %s %s with \"%s\": %s (%s)", ways[i].method,
                                        ways[i].args ?: "", ways[i].index ?: "", bad[k],
                                        call->error ?: "done", call->message ?: "");
                }
        g_assert_true(world_has_object(h, C1));
        g_assert_false(world_has_object(h, "/org/berth1/container/n1"));
}

static void go_well(Harness *h, const Way *way) {
        ErrorCode unexpected = way->error ?: ERROR_INVALID_NAME;
        g_autoptr(Call) call = go(h->root, way, way->error ? "https://b.example/x" : "good1");

        if (call->error && g_str_equal(call->error, error_code_to_name(unexpected)))
                g_error("%s: %s", way->method, call->message);
}

/* It is the name that is refused: with a good one the same goes through, or further. */
TEST(what_is_one_is_not) {
        g_autoptr(Harness) h = new_with_one_of_each();

        harness_plan(h, "download.locate", "fail NoSuchFile There is none");
        /* What is renamed is not where the others look for it. */
        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                if (!g_str_has_suffix(ways[i].method, ".Rename"))
                        go_well(h, &ways[i]);
        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                if (g_str_has_suffix(ways[i].method, ".Rename"))
                        go_well(h, &ways[i]);
}

/* --- pools --- */

static void copy_record(Harness *h, const char *kind, const char *prefix, const char *from,
                        const char *to) {
        g_autofree char *dir = g_build_filename(h->state_dir, "mounts/default/records", kind, NULL);
        g_autofree char *old = g_strconcat(dir, "/", prefix, from, NULL), *content = NULL;
        g_autofree char *new = g_strconcat(dir, "/", prefix, to, NULL);
        gsize size;

        g_assert_true(g_file_get_contents(old, &content, &size, NULL));
        g_assert_true(g_file_set_contents(new, content, (gssize) size, NULL));
}

static void make_files(Harness *h, const char *directory, const char *name) {
        g_autofree char *path = g_build_filename(h->state_dir, "mounts/default", directory, name,
                                                 NULL);

        g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
}

/* What is in a pool may be a stranger's work: of each kind another, with its files. */
static void plant(Harness *h, const char *name) {
        copy_record(h, "containers", "", "c1", name);
        make_files(h, "containers", name);
        copy_record(h, "volumes", "default:", "v1", name);
        make_files(h, "custom", name);
        copy_record(h, "networks", "", "br0", name);
        copy_record(h, "profiles", "", "p2", name);
}

static void recover(Harness *h) {
        must(h->root, PATH_ROOT, "Manager.Recover",
             g_variant_new_parsed("(@aa{sv} [], @a{sv} {})"));
}

static void assert_count(Harness *h, unsigned of_each) {
        g_assert_cmpuint(harness_count_entries(h, "state/containers"), ==, of_each);
        g_assert_cmpuint(harness_count_entries(h, "state/volumes"), ==, of_each);
        g_assert_cmpuint(harness_count_entries(h, "state/networks"), ==, of_each);
        /* Beside the default one. */
        g_assert_cmpuint(harness_count_entries(h, "state/profiles"), ==, of_each + 1);
}

TEST(records_of_pools_bring_back_names_alone) {
        g_autoptr(Harness) h = new_with_one_of_each();

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (path_is_component(bad[i]))
                        plant(h, bad[i]);
        assert_count(h, 1);
        recover(h);
        assert_count(h, 1);
        plant(h, "good1");
        recover(h);
        assert_count(h, 2);
}

HARNESS_MAIN()
