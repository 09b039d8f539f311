/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What fails is undone. Each worker of each verb fails or is killed, and each call of the kernel by
 * which berthd writes a record or starts a worker fails once (failpoint.c): the verb fails, and
 * then everything is as it was before, or it gets by without that. Looked at are the objects, all
 * files, and what workers were told that lasts, of which the fakes leave no trace but their log.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define C2 "/org/berth1/container/c2"
#define R1 "/org/berth1/container/r1"
#define BR0 "/org/berth1/network/br0"
#define VOLUME(name) PATH_POOL "/volume/" name
/* More steps than any verb has. */
#define STEPS_MAX 80U

/* A verb, and what takes it back. An argument of type h is an archive with `index`. */
typedef struct Verb {
        const char *path, *method, *args;
        const char *back_path, *back_method, *back_args; /* NULL: nothing has to */
        const char *index;
        /* What is done by the time that this operation runs: failing, it is done later. */
        const char *last;
} Verb;

#define NOTHING "(@a{sv} {},)"
#define FORCE "({'force': <true>},)"
#define FACTS "'description': <''>, 'architecture': <'x86_64'>, 'ephemeral': <false>, " \
              "'created': <@t 5>, 'expires': <@t 0>, 'config': <@a{ss} {}>, " \
              "'devices': <@a{sa{ss}} {}>"

static const Verb verbs[] = {
        { PATH_ROOT, "Manager.CreateContainer", "('c1', 'fake', @a{sv} {})",
          C1, "Container.Delete", NOTHING },
        { PATH_ROOT, "Manager.CreateContainer", "('c1', 'fake', {'start': <true>})",
          C1, "Container.Delete", FORCE },
        { C2, "Container.Rename", "('c1', @a{sv} {})",
          C1, "Container.Rename", "('c2', @a{sv} {})" },
        { C2, "Container.CreateSnapshot", "('s1', @a{sv} {})",
          C2 "/snapshot/s1", "Snapshot.Delete", NOTHING },
        { R1, "Container.CreateSnapshot", "('s1', @a{sv} {})",
          R1 "/snapshot/s1", "Snapshot.Delete", NOTHING },
        { C2 "/snapshot/s0", "Snapshot.Rename", "('s2', @a{sv} {})",
          C2 "/snapshot/s2", "Snapshot.Rename", "('s0', @a{sv} {})" },
        { C2, "Container.RestoreSnapshot", "('s0', @a{sv} {})",
          .last = "storage.snapshot-restore-end" },
        { C2, "Container.Copy", "('c1', @a{sv} {})", C1, "Container.Delete", NOTHING },
        { R1, "Container.Copy", "('c1', @a{sv} {})", C1, "Container.Delete", NOTHING },
        { R1, "Container.Copy", "('c5', {'refresh': <true>})",
          .last = "storage.snapshot-restore-end" },
        { C2, "Container.Move", "('other', @a{sv} {})",
          C2, "Container.Move", "('default', @a{sv} {})", .last = "storage.container-delete" },
        { C2, "Container.Start", NOTHING, C2, "Container.Stop", FORCE },
        { R1, "Container.Freeze", NOTHING, R1, "Container.Unfreeze", NOTHING },
        { R1, "Container.Update", "({'limits.memory': '64MiB'}, @as [], @a{sv} {})",
          R1, "Container.Update", "(@a{ss} {}, ['limits.memory'], @a{sv} {})" },
        { C2, "Container.Update",
          "(@a{ss} {}, @as [], {'devices': <{'root': {'type': 'disk', 'path': '/', "
          "'pool': 'default', 'size': '200MiB'}}>})",
          C2, "Container.Update", "(@a{ss} {}, @as [], {'devices': <@a{sa{ss}} {}>})" },
        { PATH_PROFILE, "Profile.Update", "({'limits.memory': '96MiB'}, @as [], @a{sv} {})",
          PATH_PROFILE, "Profile.Update", "(@a{ss} {}, ['limits.memory'], @a{sv} {})" },
        { PATH_ROOT, "Manager.CreateStoragePool", "('p1', 'dir', @a{ss} {}, @a{sv} {})",
          "/org/berth1/pool/p1", "StoragePool.Delete", NOTHING },
        { PATH_ROOT, "Manager.CreateNetwork",
          "('net0', 'bridge', {'ipv4.address': '10.78.0.1/24', 'ipv6.address': 'none'}, "
          "@a{sv} {})", "/org/berth1/network/net0", "Network.Delete", NOTHING },
        { BR0, "Network.Update", "({'ipv4.address': '10.80.0.1/24'}, @as [], @a{sv} {})",
          BR0, "Network.Update", "({'ipv4.address': '10.79.0.1/24'}, @as [], @a{sv} {})" },
        { "/org/berth1/network/br1", "Network.Rename", "('br2', @a{sv} {})",
          "/org/berth1/network/br2", "Network.Rename", "('br1', @a{sv} {})" },
        { BR0, "Network.SetForward",
          "('198.51.100.1', '', {'target_address': '10.79.0.9'}, @a(sssss) [], "
          "{'create': <true>})", BR0, "Network.DeleteForward", "('198.51.100.1', @a{sv} {})" },
        { PATH_POOL, "StoragePool.CreateVolume", "('v1', {'size': '64MiB'}, @a{sv} {})",
          VOLUME("v1"), "Volume.Delete", NOTHING },
        { VOLUME("v3"), "Volume.Rename", "('v9', @a{sv} {})",
          VOLUME("v9"), "Volume.Rename", "('v3', @a{sv} {})" },
        { VOLUME("v3"), "Volume.Copy", "('v4', @a{sv} {})",
          VOLUME("v4"), "Volume.Delete", NOTHING },
        { VOLUME("v3"), "Volume.Copy", "('v5', {'refresh': <true>})",
          VOLUME("v5"), "Volume.DeleteSnapshot", "('s0', @a{sv} {})",
          .last = "storage.volume-snapshot-restore-end" },
        { VOLUME("v3"), "Volume.CreateSnapshot", "('s1', @a{sv} {})",
          VOLUME("v3"), "Volume.DeleteSnapshot", "('s1', @a{sv} {})" },
        { VOLUME("v3"), "Volume.RenameSnapshot", "('s0', 's2', @a{sv} {})",
          VOLUME("v3"), "Volume.RenameSnapshot", "('s2', 's0', @a{sv} {})" },
        { VOLUME("v3"), "Volume.RestoreSnapshot", "('s0', @a{sv} {})",
          .last = "storage.volume-snapshot-restore-end" },
        { VOLUME("v3"), "Volume.Update", "({'size': '128MiB'}, @as [], @a{sv} {})",
          VOLUME("v3"), "Volume.Update", "(@a{ss} {}, ['size'], @a{sv} {})" },
        { PATH_ROOT, "Manager.ImportImage", "(@h 0, {'aliases': <['i1']>})",
          "i1", "Image.Delete", NOTHING, "another image" },
        { PATH_ROOT, "Manager.DownloadImage", "('images', 'debian/12', {'aliases': <['i1']>})",
          "i1", "Image.Delete", NOTHING },
        { C2, "Container.Publish", "({'aliases': <['i1']>},)", "i1", "Image.Delete", NOTHING },
        { PATH_ROOT, "Manager.ImportContainer", "(@h 0, 'c1', @a{sv} {})",
          C1, "Container.Delete", NOTHING,
          "{'container': <{'name': <'n1'>, 'profiles': <['default']>, " FACTS
          "}>, 'snapshots': <@aa{sv} []>}" },
        { PATH_POOL, "StoragePool.ImportVolume", "(@h 0, 'v1', @a{sv} {})",
          VOLUME("v1"), "Volume.Delete", NOTHING,
          "{'container': <{'name': <'n1'>, 'description': <''>, 'config': <@a{ss} {}>}>, "
          "'snapshots': <@aa{sv} []>}" },
        { PATH_ROOT, "Manager.Recover",
          "([{'name': <'p1'>, 'driver': <'dir'>, 'source': <'/srv/x'>}], @a{sv} {})",
          "/org/berth1/pool/p1", "StoragePool.Delete", NOTHING },
};

/* What is there before. */
static const Verb stage[] = {
        { PATH_ROOT, "Manager.CreateStoragePool", "('other', 'dir', @a{ss} {}, @a{sv} {})" },
        { PATH_ROOT, "Manager.CreateNetwork",
          "('br0', 'bridge', {'ipv4.address': '10.79.0.1/24', 'ipv6.address': 'none'}, "
          "@a{sv} {})" },
        { PATH_ROOT, "Manager.CreateNetwork",
          "('br1', 'bridge', {'ipv4.address': '10.81.0.1/24', 'ipv6.address': 'none'}, "
          "@a{sv} {})" },
        { PATH_ROOT, "Manager.CreateContainer", "('c2', 'fake', @a{sv} {})" },
        { C2, "Container.CreateSnapshot", "('s0', @a{sv} {})" },
        { PATH_ROOT, "Manager.CreateContainer", "('r1', 'fake', {'start': <true>})" },
        { R1, "Container.Copy", "('c5', @a{sv} {})" },
        { PATH_POOL, "StoragePool.CreateVolume", "('v3', @a{ss} {}, @a{sv} {})" },
        { PATH_POOL, "StoragePool.CreateVolume", "('v5', @a{ss} {}, @a{sv} {})" },
        { VOLUME("v3"), "Volume.CreateSnapshot", "('s0', @a{sv} {})" },
};

/* --- what there is --- */

static int by_text(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void append_sorted(GString *text, GPtrArray *lines) {
        g_ptr_array_sort(lines, by_text);
        for (guint i = 0; i < lines->len; i++)
                g_string_append_printf(text, "%s\n", (char *) lines->pdata[i]);
}

/* A change and its undoing count as two. */
static bool is_revision(GVariant *entry) {
        const char *key;

        if (!g_variant_is_of_type(entry, G_VARIANT_TYPE("{sv}")))
                return false;
        g_variant_get_child(entry, 0, "&s", &key);
        return g_ascii_strcasecmp(key, "revision") == 0;
}

/* As text in which entries of dictionaries have an order. */
static char *print_sorted(GVariant *value) {
        bool is_dict = g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY);
        g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *all = NULL;

        if (!g_variant_is_container(value))
                return g_variant_print(value, FALSE);
        for (gsize i = 0; i < g_variant_n_children(value); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

                if (!is_revision(child))
                        g_ptr_array_add(parts, print_sorted(child));
        }
        if (is_dict)
                g_ptr_array_sort(parts, by_text);
        g_ptr_array_add(parts, NULL);
        all = g_strjoinv(", ", (char **) parts->pdata);
        return g_strdup_printf("(%s)", all);
}

static void describe_objects(Harness *h, GString *text) {
        g_autoptr(Call) call = client_call(h->root, PATH_ROOT,
                                           "org.freedesktop.DBus.ObjectManager.GetManagedObjects",
                                           NULL);
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GVariant) objects = NULL;

        call_assert_ok(call);
        objects = g_variant_get_child_value(call->body, 0);
        for (gsize i = 0; i < g_variant_n_children(objects); i++) {
                g_autoptr(GVariant) object = g_variant_get_child_value(objects, i);
                g_autofree char *line = print_sorted(object);

                if (!strstr(line, "/org/berth1/job/"))
                        g_ptr_array_add(lines, TAKE_PTR(line));
        }
        append_sorted(text, lines);
}

/* What could not be written says what was before: then files count for being there. */
static bool writing_fails;

/* A record by what it says, any other file by its hash. */
static char *describe_file(const char *path) {
        g_autofree char *content = NULL;
        g_autoptr(GVariant) record = NULL;
        gsize size;

        if (writing_fails || !g_file_test(path, G_FILE_TEST_IS_REGULAR) ||
            !g_file_get_contents(path, &content, &size, NULL))
                return g_strdup("");
        record = g_variant_ref_sink(g_variant_new_from_data(G_VARIANT_TYPE("(qa{sv})"), content,
                                                            size, FALSE, NULL, NULL));
        return size > 0 && g_variant_is_normal_form(record)
                       ? print_sorted(record)
                       : g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *) content, size);
}

static void list_files(GPtrArray *lines, const char *root, const char *below) {
        g_autofree char *path = g_build_filename(root, below, NULL);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name;

        while (dir && (name = g_dir_read_name(dir))) {
                g_autofree char *entry = g_build_filename(below, name, NULL);
                g_autofree char *file = g_build_filename(root, entry, NULL);
                g_autofree char *content = describe_file(file);

                /* Copies of records need not follow at once; what the fakes mount stays. */
                if (g_str_has_suffix(entry, "/records") || g_str_has_suffix(entry, "mounts/p1"))
                        continue;
                g_ptr_array_add(lines, g_strdup_printf("%s %s", entry, content));
                if (g_file_test(file, G_FILE_TEST_IS_DIR))
                        list_files(lines, root, entry);
        }
}

static void describe_files(Harness *h, GString *text) {
        static const char *const below[] = { "state", "run/containers", "run/lxc" };
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

        for (size_t i = 0; i < ELEMENTSOF(below); i++)
                list_files(lines, h->dir, below[i]);
        append_sorted(text, lines);
}

/* What workers were told that lasts: the arguments count until one of the others comes. */
static const struct {
        const char *operation, *key, *ends[2];
} lasting[] = {
        { "network.up", "name", { "network.down" } },
        { "network.firewall", NULL },
        { "runtime.freeze", "name", { "runtime.unfreeze" } },
        { "runtime.limits", NULL },
        { "storage.volume-resize", NULL },
        { "storage.snapshot-restore", "container",
          { "storage.snapshot-restore-undo", "storage.snapshot-restore-end" } },
        { "storage.volume-snapshot-restore", "volume",
          { "storage.volume-snapshot-restore-undo", "storage.volume-snapshot-restore-end" } },
};

/* Of volumes that get a size: which, and that. */
static char *print_sizes(GVariant *args) {
        g_autoptr(GVariant) volumes = g_variant_lookup_value(args, "volumes",
                                                             G_VARIANT_TYPE("a(sssssttb)"));
        GString *text = g_string_new(NULL);
        const char *pool, *name;
        GVariantIter iter;
        guint64 size;

        if (volumes)
                g_variant_iter_init(&iter, volumes);
        while (volumes && g_variant_iter_next(&iter, "(&ssss&sttb)", &pool, NULL, NULL, NULL,
                                              &name, &size, NULL, NULL))
                g_string_append_printf(text, "%s/%s: %" G_GUINT64_FORMAT " ", pool, name, size);
        return g_string_free(text, FALSE);
}

static void take_in(GHashTable *table, const char *operation, const char *args_text) {
        /* Those that are other ones each time, or say how rather than what. */
        static const char *const beside[] = { "generation", "strict", "volumes" };
        g_autoptr(GVariant) args = g_variant_parse(G_VARIANT_TYPE_VARDICT, args_text, NULL, NULL,
                                                   NULL);

        for (size_t i = 0; i < ELEMENTSOF(lasting); i++) {
                g_autofree char *key = NULL;
                const char *object = "";
                GVariantDict dict;

                if (lasting[i].key && !g_variant_lookup(args, lasting[i].key, "&s", &object))
                        continue;
                key = g_strdup_printf("%s %s", lasting[i].operation, object);
                if (g_str_equal(operation, lasting[i].operation)) {
                        g_autofree char *sizes = print_sizes(args), *others = NULL;
                        g_autoptr(GVariant) rest = NULL;

                        g_variant_dict_init(&dict, args);
                        for (size_t k = 0; k < ELEMENTSOF(beside); k++)
                                (void) g_variant_dict_remove(&dict, beside[k]);
                        rest = g_variant_ref_sink(g_variant_dict_end(&dict));
                        others = print_sorted(rest);
                        g_hash_table_insert(table, TAKE_PTR(key), g_strconcat(sizes, others, NULL));
                } else if (g_strv_contains((const char *const[]) { lasting[i].ends[0] ?: "",
                                                                   lasting[i].ends[1] ?: "", NULL },
                                           operation))
                        (void) g_hash_table_remove(table, key);
        }
}

static char *failpoint;
static unsigned n_failed; /* verbs */

/* Where in the log are operations whose worker said why it failed: it has undone what it did. */
static GArray *failed_ones;

static bool has_failed(gsize at) {
        for (guint i = 0; i < failed_ones->len; i++)
                if (g_array_index(failed_ones, gsize, i) == at)
                        return true;
        return false;
}

/* The first of `operation` behind `from`. */
static void note_failed(Harness *h, const char *operation, gsize from) {
        g_autofree char *log = harness_read_log(h);
        const char *found = strstr(log + from, operation);
        gsize at = found ? (gsize) (found - log) : 0;

        if (found)
                g_array_append_val(failed_ones, at);
}

static void describe_workers(Harness *h, GString *text) {
        g_autoptr(GHashTable) table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                            g_free);
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *log = harness_read_log(h);
        g_auto(GStrv) calls = g_strsplit(log, "\n", -1);
        const char *key, *args, *at = log;
        GHashTableIter iter;

        for (char **line = calls; *line; at += strlen(*line) + 1, line++) {
                g_auto(GStrv) words = g_strsplit(*line, " ", 2);

                if (has_failed((gsize) (at - log)))
                        continue;
                if (words[0] && words[1] && words[1][0] == '{')
                        take_in(table, words[0], words[1]);
        }
        g_hash_table_iter_init(&iter, table);
        while (g_hash_table_iter_next(&iter, (void **) &key, (void **) &args))
                g_ptr_array_add(lines, g_strdup_printf("%s %s", key, args));
        append_sorted(text, lines);
}

static char *describe(Harness *h) {
        g_autoptr(GString) text = g_string_new(NULL);

        describe_objects(h, text);
        describe_files(h, text);
        describe_workers(h, text);
        return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The lines that one of both has alone. */
static char *difference(const char *before, const char *after) {
        g_auto(GStrv) old = g_strsplit(before, "\n", -1), new = g_strsplit(after, "\n", -1);
        GString *text = g_string_new(NULL);

        for (char **line = old; *line; line++)
                if (!g_strv_contains((const char *const *) new, *line))
                        g_string_append_printf(text, "- %s\n", *line);
        for (char **line = new; *line; line++)
                if (!g_strv_contains((const char *const *) old, *line))
                        g_string_append_printf(text, "+ %s\n", *line);
        return g_string_free(text, FALSE);
}

/* --- doing it --- */

static Call *run(Harness *h, const char *path, const char *method, const char *args,
                  const char *index) {
        _cleanup_close_ int fd = index ? world_new_archive(index) : -EBADF;
        g_autoptr(Call) begun = call_wait(h->root, client_begin_fds(h->root, path, method,
                                                                    g_variant_new_parsed(args),
                                                                    index ? &fd : NULL));

        if (begun->error || !g_str_has_prefix(g_variant_get_type_string(begun->body), "(o") ||
            !strstr(call_get_path(begun), "/job/"))
                return TAKE_PTR(begun);
        return client_wait_job(h->root, call_get_path(begun));
}

static Call *try(Harness *h, const Verb *verb) {
        return run(h, verb->path, verb->method, verb->args, verb->index);
}

static Call *try_back(Harness *h, const Verb *verb) {
        g_autoptr(Call) image = NULL;

        if (verb->back_path[0] == '/')
                return run(h, verb->back_path, verb->back_method, verb->back_args, NULL);
        image = client_call(h->root, PATH_ROOT, "Manager.GetImage",
                            g_variant_new("(s)", verb->back_path));
        call_assert_ok(image);
        return run(h, call_get_path(image), verb->back_method, verb->back_args, NULL);
}

/* What could not be tidied away may be in the way until the next start. */
static void take_back(Harness *h, const Verb *verb) {
        g_autoptr(Call) end = NULL, again = NULL;

        if (!verb->back_path)
                return;
        end = try_back(h, verb);
        if (!end->error)
                return;
        harness_stop_service(h);
        harness_start_service(h, NULL);
        again = try_back(h, verb);
        if (again->error)
                g_error("%s: %s; %s", verb->back_method, end->message, again->message);
}

static void do_and_take_back(Harness *h, const Verb *verb) {
        g_autoptr(Call) end = try(h, verb);

        if (end->error)
                g_error("%s: %s", verb->method, end->message);
        take_back(h, verb);
}

/* What was done when no more could be written of it can be taken back. */
static bool takes_back_all(Harness *h, const Verb *verb, const char *before) {
        g_autofree char *after = NULL;

        take_back(h, verb);
        after = describe(h);
        return g_str_equal(before, after);
}

/* `how` fails now: nothing has happened, or the verb got by without it. `failed`: an operation that
 * says why it fails, or NULL. Whether it was the last step that could. */
static bool fails_whole(Harness *h, const Verb *verb, const char *how, const char *failed) {
        g_autofree char *log = harness_read_log(h), *before = describe(h), *after = NULL;
        g_autofree char *what = NULL;
        g_autoptr(Call) end = try(h, verb);

        bool was_last = unlink(failpoint) == 0;

        if (failed)
                note_failed(h, failed, strlen(log));
        if (!end->error) {
                take_back(h, verb);
                return was_last;
        }
        n_failed++;
        after = describe(h);
        what = difference(before, after);
        if (*what && !(writing_fails && takes_back_all(h, verb, before)))
                g_error("%s %s: %s fails (%s), and this is not undone:\n%s", verb->method,
                        verb->args, how, end->message, what);
        return was_last;
}

static Harness *prepare(void) {
        Harness *h = harness_new_idle();

        failed_ones = g_array_new(FALSE, FALSE, sizeof(gsize));
        h->service = BERTHD_FAILPOINT;
        n_failed = 0;
        failpoint = g_build_filename(h->dir, "failpoint", NULL);
        (void) setenv("BERTH_FAILPOINT", failpoint, 1);
        harness_start_service(h, NULL);
        world_make_image(h);
        for (size_t i = 0; i < ELEMENTSOF(stage); i++)
                do_and_take_back(h, &stage[i]);
        return h;
}

static void finish(void) {
        printf("%u times\n", n_failed);
        g_assert_cmpuint(n_failed, >, 0);
        g_array_unref(failed_ones);
        g_clear_pointer(&failpoint, g_free);
        (void) unsetenv("BERTH_FAILPOINT");
}

/* The operations that the verb asked of workers, and leaves undone when they fail. */
static GPtrArray *operations_of(Harness *h, const Verb *verb) {
        GPtrArray *operations = g_ptr_array_new_with_free_func(g_free);
        g_autofree char *before = harness_read_log(h), *after = NULL;
        g_auto(GStrv) lines = NULL;
        g_autoptr(Call) end = try(h, verb);

        call_assert_ok(end);
        after = harness_read_log(h);
        lines = g_strsplit(after + strlen(before), "\n", -1);
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) words = g_strsplit(*line, " ", 2);

                if (words[0] && words[1] && words[1][0] == '{' &&
                    g_strcmp0(words[0], verb->last) != 0 &&
                    !g_ptr_array_find_with_equal_func(operations, words[0], g_str_equal, NULL))
                        g_ptr_array_add(operations, g_strdup(words[0]));
        }
        take_back(h, verb);
        return operations;
}

static void let_workers_fail(Harness *h, const Verb *verb) {
        enum { FAILS, DIES, DIES_LATE };
        static const char *const ways[] = { [FAILS] = "once\nfail NoSpace full",
                                            [DIES] = "once\ndie 9",
                                            [DIES_LATE] = "once\ndies-late" };
        g_autoptr(GPtrArray) operations = operations_of(h, verb);

        for (guint j = 0; j < operations->len * ELEMENTSOF(ways); j++) {
                const char *operation = operations->pdata[j / ELEMENTSOF(ways)];

                /* What was unpacked for nobody is swept at the next start. */
                if (j % ELEMENTSOF(ways) == DIES_LATE && g_str_has_prefix(operation, "image."))
                        continue;
                harness_plan(h, operation, ways[j % ELEMENTSOF(ways)]);
                (void) fails_whole(h, verb, operation,
                                   j % ELEMENTSOF(ways) == FAILS ? operation : NULL);
                harness_plan(h, operation, NULL);
        }
}

/* Of verbs whose method has that word; NULL: none of these. */
static void let_workers_of_fail(const char *word) {
        static const char *const words[] = { "Container", "Snapshot.", "Network", "Volume" };
        g_autoptr(Harness) h = prepare();

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                bool named = false;

                for (size_t k = 0; k < ELEMENTSOF(words); k++)
                        named |= strstr(verbs[i].method, words[k]) != NULL;
                if (word ? strstr(verbs[i].method, word) != NULL : !named)
                        let_workers_fail(h, &verbs[i]);
        }
        finish();
}

TEST(workers_of_containers_fail) {
        let_workers_of_fail("Container");
}

TEST(workers_of_snapshots_fail) {
        let_workers_of_fail("Snapshot.");
}

TEST(workers_of_networks_fail) {
        let_workers_of_fail("Network");
}

TEST(workers_of_volumes_fail) {
        let_workers_of_fail("Volume");
}

TEST(workers_of_others_fail) {
        let_workers_of_fail(NULL);
}

/* The call number `step`; whether there was one. */
static bool one_fails(Harness *h, const Verb *verb, unsigned step) {
        g_autofree char *how = g_strdup_printf("-%u", step);

        g_assert_true(g_file_set_contents(failpoint, how, -1, NULL));
        return !fails_whole(h, verb, how, NULL);
}

TEST(each_call_of_the_kernel_fails) {
        g_autoptr(Harness) h = prepare();

        writing_fails = true;
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                unsigned step = 1;

                do_and_take_back(h, &verbs[i]);
                while (one_fails(h, &verbs[i], step)) {
                        step++;
                        g_assert_cmpuint(step, <, STEPS_MAX);
                }
        }
        finish();
}

HARNESS_MAIN()
