/* SPDX-License-Identifier: Apache-2.0 */

/* Images from image servers: which there are, what becomes of what they have, what follows them,
 * and what goes by itself when it is not used. The server is fake-download.c's. */

#include <string.h>

#include "service/state/record-file.h"
#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define DAY_USEC (24 * 3600 * (guint64) G_USEC_PER_SEC)

static GVariant *download_args(const char *image, const char *options_text) {
        return g_variant_new("(ss@a{sv})", "images", image, options(options_text));
}

static char *object_path(const char *content) {
        g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, content, -1);

        return g_strconcat("/org/berth1/image/", g_ascii_isdigit(hash[0]) ? "_3" : "", hash, NULL);
}

/* The image of the server's first, and of its second, content. */
static char *first_image(void) {
        return object_path("pool/remote+1.tar");
}

static char *second_image(void) {
        return object_path("pool/remote+2.tar");
}

static void run_ok(Client *client, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_run_job(client, path, method, args);

        call_assert_ok(call);
}

static void call_ok(Client *client, const char *method, const char *args) {
        g_autoptr(Call) call = client_call(client, PATH_ROOT, method, g_variant_new_parsed(args));

        call_assert_ok(call);
}

static bool get_boolean(Client *client, const char *path, const char *property) {
        g_autoptr(GVariant) value = client_get(client, path, property);

        g_assert_nonnull(value);
        return g_variant_get_boolean(value);
}

static guint64 get_number(Client *client, const char *path, const char *property) {
        g_autoptr(GVariant) value = client_get(client, path, property);

        g_assert_nonnull(value);
        return g_variant_get_type_string(value)[0] == 'u' ? g_variant_get_uint32(value)
                                                          : g_variant_get_uint64(value);
}

static bool has_alias(Client *client, const char *path, const char *alias) {
        g_autoptr(GVariant) value = client_get(client, path, "Aliases");
        g_autofree const char **aliases = g_variant_get_strv(value, NULL);

        return g_strv_contains(aliases, alias);
}

static Harness *new_with_pool(Client **ret_alice, Client **ret_bob) {
        Harness *h = harness_new();

        world_make_pool(h);
        h->polkit->answer = POLKIT_YES;
        *ret_alice = client_new(h, UID_ALICE);
        *ret_bob = client_new(h, UID_BOB);
        return h;
}

/* --- servers and settings --- */

TEST(servers) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) list = NULL, again = NULL, twice = NULL, plain = NULL, local = NULL;
        g_autoptr(Call) none = NULL;
        g_autofree char *text = NULL, *later = NULL;

        list = client_call(h->root, PATH_ROOT, "Manager.GetImageServers",
                           g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(list);
        text = g_variant_print(list->body, FALSE);
        g_assert_nonnull(strstr(text, "'protocol': <'simplestreams'>"));
        g_assert_nonnull(strstr(text, "'url': <'https://images.linuxcontainers.org'>"));
        call_ok(h->root, "Manager.AddImageServer",
                "('mine', 'https://example.com:8443/x//', {'protocol': <'directory'>})");
        twice = client_call(h->root, PATH_ROOT, "Manager.AddImageServer",
                            g_variant_new_parsed("('mine', 'https://a.b', @a{sv} {})"));
        call_assert_error(twice, ERROR_EXISTS, "mine");
        plain = client_call(h->root, PATH_ROOT, "Manager.AddImageServer",
                            g_variant_new_parsed("('plain', 'http://a.b', @a{sv} {})"));
        call_assert_error(plain, ERROR_INVALID_ARGS, "https://");
        local = client_call(h->root, PATH_ROOT, "Manager.AddImageServer",
                            g_variant_new_parsed("('local', 'https://a.b', @a{sv} {})"));
        call_assert_error(local, ERROR_INVALID_NAME, "this machine");
        call_ok(h->root, "Manager.ChangeImageServer", "('mine', {'name': <'ours'>})");
        call_ok(h->root, "Manager.RemoveImageServer", "('images', @a{sv} {})");
        none = client_call(h->root, PATH_ROOT, "Manager.DownloadImage",
                           download_args("debian/12", "{}"));
        call_assert_error(none, ERROR_NO_SUCH_IMAGE_SERVER, "images");
        harness_stop_service(h);
        harness_start_service(h, NULL);
        again = client_call(h->root, PATH_ROOT, "Manager.GetImageServers",
                            g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(again);
        later = g_variant_print(again->body, FALSE);
        g_assert_true(g_str_has_prefix(later, "([('ours', {"));
        g_assert_nonnull(strstr(later, "'protocol': <'directory'>"));
        g_assert_nonnull(strstr(later, "'url': <'https://example.com:8443/x'>"));
        g_assert_null(strstr(later, "images"));
}

TEST(service_settings) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) bad = NULL, unknown = NULL, wrong_scope = NULL, get = NULL;
        g_autofree char *text = NULL;

        call_ok(h->root, "Manager.UpdateConfig",
                "({'images.remote_cache_expiry': '3'}, @as [], @a{sv} {})");
        bad = client_call(h->root, PATH_ROOT, "Manager.UpdateConfig",
                          g_variant_new_parsed("({'images.auto_update_interval': '1', "
                                               "'images.remote_cache_expiry': 'soon'}, @as [], "
                                               "@a{sv} {})"));
        call_assert_error(bad, ERROR_INVALID_CONFIG, "soon");
        unknown = client_call(h->root, PATH_ROOT, "Manager.UpdateConfig",
                              g_variant_new_parsed("({'images.remote_cache_expir': '3'}, @as [], "
                                                   "@a{sv} {})"));
        call_assert_error(unknown, ERROR_INVALID_CONFIG, "images.remote_cache_expiry");
        wrong_scope = client_call(h->root, PATH_ROOT, "Manager.UpdateConfig",
                                  g_variant_new_parsed("({'limits.cpu': '3'}, @as [], @a{sv} {})"));
        call_assert_error(wrong_scope, ERROR_INVALID_CONFIG, "limits.cpu");
        harness_stop_service(h);
        harness_start_service(h, NULL);
        get = client_call(h->root, PATH_ROOT, "Manager.GetConfig",
                          g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(get);
        text = g_variant_print(get->body, FALSE);
        g_assert_cmpstr(text, ==, "({'images.remote_cache_expiry': '3'},)");
}

/* --- downloading --- */

TEST(what_a_server_has) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);
        g_autoptr(Call) list = NULL, failed = NULL, lie = NULL;
        g_autofree char *text = NULL;

        list = client_call(alice, PATH_ROOT, "Manager.GetServerImages",
                           g_variant_new("(s@a{sv})", "images", no_options()));
        call_assert_ok(list);
        text = g_variant_print(list->body, FALSE);
        g_assert_nonnull(strstr(text, "'aliases': <['debian/12', 'debian/bookworm']>"));
        harness_plan(h, "download.list", "fail BackendFailed No route");
        failed = client_call(alice, PATH_ROOT, "Manager.GetServerImages",
                             g_variant_new("(s@a{sv})", "images", no_options()));
        call_assert_error(failed, ERROR_BACKEND_FAILED, "No route");
        harness_plan(h, "download.list", "set content ../escape");
        lie = client_call(alice, PATH_ROOT, "Manager.GetServerImages",
                          g_variant_new("(s@a{sv})", "images", no_options()));
        call_assert_error(lie, ERROR_INVALID_IMAGE, "not acceptable");
}

TEST(copied) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);
        g_autofree char *image = first_image(), *server = NULL, *name = NULL;
        g_autoptr(Call) none = NULL, theirs = NULL;

        run_ok(alice, PATH_ROOT, "Manager.DownloadImage",
               download_args("debian/12", "{'aliases': <['d']>, 'copy-aliases': <true>, "
                                          "'auto-update': <true>}"));
        g_assert_cmpuint(get_number(h->root, image, "Owner"), ==, UID_ALICE);
        g_assert_true(has_alias(h->root, image, "d"));
        g_assert_true(has_alias(h->root, image, "debian/bookworm"));
        g_assert_true(get_boolean(h->root, image, "AutoUpdate"));
        g_assert_false(get_boolean(h->root, image, "Cached"));
        server = client_get_string(h->root, image, "Server");
        name = client_get_string(h->root, image, "ServerAlias");
        g_assert_cmpstr(server, ==, "images");
        g_assert_cmpstr(name, ==, "debian/12");
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 1);
        /* What the worker is to compare. */
        {
                g_autofree char *log = harness_read_log(h);

                g_assert_nonnull(strstr(log, "'expected': <'"));
        }
        none = client_run_job(alice, PATH_ROOT, "Manager.DownloadImage",
                              download_args("debian/99", "{}"));
        call_assert_error(none, ERROR_NO_SUCH_IMAGE, "no such image");
        /* It is there: bob may have it, and not name it. */
        run_ok(bob, PATH_ROOT, "Manager.DownloadImage", download_args("debian/12", "{}"));
        theirs = client_run_job(bob, PATH_ROOT, "Manager.DownloadImage",
                                download_args("debian/12", "{'aliases': <['b']>}"));
        call_assert_error(theirs, ERROR_ACCESS_DENIED, "another user's");
        g_assert_cmpuint(harness_count_runs(h, "download.fetch"), ==, 1);
}

/* A launch takes what was compared with the server lately, and what there is when it is away. */
/* What the worker of the operation was told last. */
static char *last_run(Harness *h, const char *operation) {
        g_autofree char *log = harness_read_log(h);
        g_auto(GStrv) lines = g_strsplit(log, "\n", -1);

        for (guint i = g_strv_length(lines); i > 0; i--)
                if (g_str_has_prefix(lines[i - 1], operation))
                        return g_strdup(lines[i - 1]);
        g_error("%s never ran", operation);
}

static void assert_bound(Harness *h, const char *operation, const char *prefix) {
        g_autofree char *told = last_run(h, operation);

        g_assert_true(!prefix == !strstr(told, "'spool-max': <uint64 68719476736>"));
        g_assert_true(!prefix || strstr(told, prefix));
}

/* How much a user may have coming in is for the workers to see to, who see it coming. */
TEST(what_comes_in_is_bounded) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);

        run_ok(h->root, PATH_ROOT, "Manager.DownloadImage", download_args("debian/12", "{}"));
        assert_bound(h, "download.fetch", NULL);
        assert_bound(h, "image.import", NULL);
        run_ok(alice, PATH_ROOT, "Manager.FetchImage",
               g_variant_new_parsed("('https://a/pool/x.tar', @a{sv} {})"));
        assert_bound(h, "download.fetch", "'spool-prefix': <'.4242+'>");
        assert_bound(h, "image.import", "'spool-prefix': <'.4242.'>");
        /* Nothing is left of what was downloaded but what was brought in. */
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 2);
}

TEST(cached) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);
        g_autofree char *image = first_image();
        g_autoptr(Call) away = NULL;

        run_ok(alice, PATH_ROOT, "Manager.DownloadImage",
               download_args("debian/12", "{'cached': <true>}"));
        g_assert_true(get_boolean(h->root, image, "Cached"));
        g_assert_true(get_boolean(h->root, image, "AutoUpdate"));
        run_ok(bob, PATH_ROOT, "Manager.DownloadImage",
               download_args("debian/12", "{'cached': <true>}"));
        g_assert_cmpuint(harness_count_runs(h, "download.list"), ==, 1);
        call_ok(h->root, "Manager.UpdateConfig",
                "({'images.auto_update_interval': '0'}, @as [], @a{sv} {})");
        run_ok(bob, PATH_ROOT, "Manager.DownloadImage",
               download_args("debian/12", "{'cached': <true>}"));
        g_assert_cmpuint(harness_count_runs(h, "download.list"), ==, 2);
        g_assert_cmpuint(harness_count_runs(h, "download.fetch"), ==, 1);
        /* Who copies it means to keep it. */
        run_ok(alice, PATH_ROOT, "Manager.DownloadImage", download_args("debian/12", "{}"));
        g_assert_false(get_boolean(h->root, image, "Cached"));
        harness_plan(h, "download.list", "fail BackendFailed No route");
        away = client_run_job(bob, PATH_ROOT, "Manager.DownloadImage",
                              download_args("debian/12", "{}"));
        call_assert_error(away, ERROR_BACKEND_FAILED, "No route");
}

/* Two who want the same: one fetches, the other waits, also when the first gives up. */
TEST(fetched_once) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);
        g_autofree char *first = NULL, *second = NULL, *image = first_image();
        g_autoptr(Call) cancel = NULL, end = NULL;

        harness_plan(h, "download.fetch", "gate");
        first = client_start_job(alice, PATH_ROOT, "Manager.DownloadImage",
                                 download_args("debian/12", "{'cached': <true>}"));
        world_wait_at_gate(h, first);
        second = client_start_job(bob, PATH_ROOT, "Manager.DownloadImage",
                                  download_args("debian/12", "{'cached': <true>}"));
        world_wait_for(h, 0, second, "Stage", "Waiting for another download");
        harness_plan(h, "download.fetch", NULL);
        cancel = client_call(alice, first, "Job.Cancel", g_variant_new("(@a{sv})", no_options()));
        call_assert_ok(cancel);
        end = client_wait_job(bob, second);
        call_assert_ok(end);
        g_assert_cmpuint(get_number(h->root, image, "Owner"), ==, UID_BOB);
        g_assert_cmpuint(harness_count_runs(h, "download.fetch"), ==, 2);
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 1);
}

TEST(nothing_stays_of_what_failed) {
        static const char *const operations[] = { "download.list", "download.fetch",
                                                  "image.import" };
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);

        for (size_t i = 0; i < ELEMENTSOF(operations); i++) {
                static const char *const plans[] = { "fail NoSpace Full", "die 9", "garbage",
                                                     "lie" };

                for (size_t k = 0; k < ELEMENTSOF(plans); k++) {
                        g_autoptr(Call) call = NULL;

                        if (i < 2 && g_str_equal(plans[k], "lie"))
                                continue; /* they answer nothing */
                        harness_plan(h, operations[i], plans[k]);
                        call = client_run_job(alice, PATH_ROOT, "Manager.DownloadImage",
                                              download_args("debian/12", "{}"));
                        g_assert_nonnull(call->error);
                        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 0);
                }
                harness_plan(h, operations[i], NULL);
        }
}

TEST(fetched_from_anywhere) {
        static const struct {
                const char *url, *plan; /* of the import */
        } lies[] = {
                { "https://a/lie/url", NULL },
                { "https://a/lie/hash", NULL },
                { "https://a/pool/x.tar", "set fingerprint ../x" },
        };
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);
        g_autofree char *image = object_path("pool/x.tar"), *server = NULL;
        g_autoptr(Call) plain = NULL, again = NULL, lie = NULL;

        plain = client_call(alice, PATH_ROOT, "Manager.FetchImage",
                            g_variant_new_parsed("('http://a/pool/x.tar', @a{sv} {})"));
        call_assert_error(plain, ERROR_INVALID_ARGS, "https://");
        harness_plan(h, "download.locate", "lie");
        lie = client_run_job(alice, PATH_ROOT, "Manager.FetchImage",
                             g_variant_new_parsed("('https://a/pool/x.tar', @a{sv} {})"));
        call_assert_error(lie, ERROR_FAILED, "incomplete");
        harness_plan(h, "download.locate", NULL);
        for (size_t i = 0; i < ELEMENTSOF(lies); i++) {
                g_autoptr(Call) call = NULL;

                harness_plan(h, "image.import", lies[i].plan);
                call = client_run_job(alice, PATH_ROOT, "Manager.FetchImage",
                                      g_variant_new_parsed("(%s, @a{sv} {})", lies[i].url));
                call_assert_error(call, ERROR_FAILED, lies[i].plan ? "image worker's result is "
                                                                     "incomplete"
                                                                   : "download worker's result is "
                                                                     "incomplete");
                harness_plan(h, "image.import", NULL);
        }
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 0);
        run_ok(alice, PATH_ROOT, "Manager.FetchImage",
               g_variant_new_parsed("('https://a/pool/x.tar', {'aliases': <['x']>, "
                                    "'properties': <{'mine': 'yes'}>})"));
        g_assert_true(has_alias(h->root, image, "x"));
        g_assert_cmpuint(get_number(h->root, image, "Owner"), ==, UID_ALICE);
        server = client_get_string(h->root, image, "Server");
        g_assert_cmpstr(server, ==, "");
        again = client_run_job(bob, PATH_ROOT, "Manager.FetchImage",
                               g_variant_new_parsed("('https://a/pool/x.tar', @a{sv} {})"));
        call_assert_error(again, ERROR_EXISTS, "there already");
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 1);
}

/* --- following --- */

static void refresh(Client *client, const char *image) {
        run_ok(client, image, "Image.Refresh", g_variant_new("(@a{sv})", no_options()));
}

TEST(refreshed) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);
        g_autofree char *image = first_image(), *later = second_image(), *imported = NULL;
        g_autoptr(Call) nowhere = NULL;

        imported = world_import_image(alice, "by hand", NULL);
        nowhere = client_call(alice, imported, "Image.Refresh",
                              g_variant_new("(@a{sv})", no_options()));
        call_assert_error(nowhere, ERROR_NOT_SUPPORTED, "no image server");
        run_ok(alice, PATH_ROOT, "Manager.DownloadImage",
               download_args("debian/12", "{'aliases': <['d']>, 'public': <true>}"));
        refresh(alice, image);
        g_assert_true(world_has_object(h, image));
        harness_plan(h, "download.list", "set content remote 2");
        refresh(h->root, image);
        HARNESS_WAIT(h, !world_has_object(h, image));
        g_assert_cmpuint(get_number(h->root, later, "Owner"), ==, UID_ALICE);
        g_assert_true(has_alias(h->root, later, "d"));
        g_assert_true(get_boolean(h->root, later, "Public"));
        g_assert_false(get_boolean(h->root, later, "AutoUpdate"));
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 2);
}

typedef struct Rewrite {
        RecordDir *dir;
        guint64 age;
} Rewrite;

static void rewrite(const char *name, GVariant *record, void *userdata) {
        static const char *const times[] = { "uploaded", "last-used", "refreshed" };
        const Rewrite *r = userdata;
        g_autoptr(GVariant) changed = NULL;
        GVariantDict dict;

        g_variant_dict_init(&dict, record);
        for (size_t i = 0; i < ELEMENTSOF(times); i++) {
                guint64 value;

                g_assert_true(g_variant_lookup(record, times[i], "t", &value));
                if (value > r->age)
                        g_variant_dict_insert(&dict, times[i], "t", value - r->age);
        }
        changed = g_variant_ref_sink(g_variant_dict_end(&dict));
        g_assert_cmpint(record_dir_write(r->dir, name, changed, NULL), ==, 0);
}

/* Makes everything that the service knows of images so much older, while it does not run. */
static void grow_older(Harness *h, guint64 usec) {
        g_autofree char *state = g_build_filename(h->dir, "state", NULL);
        g_autoptr(RecordDir) images = NULL;
        Rewrite context = { .age = usec };

        harness_stop_service(h);
        g_assert_cmpint(record_dir_open(state, "images", &images, NULL), ==, 0);
        context.dir = images;
        g_assert_cmpint(record_dir_load(images, rewrite, &context, NULL), ==, 0);
        harness_remove_tree(h, "state/service"); /* when it was last asked */
        harness_start_service(h, NULL);
}

TEST(expired) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);
        g_autofree char *image = first_image(), *kept = NULL;

        kept = world_import_image(h->root, "by hand", NULL);
        run_ok(alice, PATH_ROOT, "Manager.DownloadImage",
               download_args("debian/12", "{'cached': <true>}"));
        harness_plan(h, "download.list", "fail BackendFailed No route");
        grow_older(h, 9 * DAY_USEC);
        g_assert_true(world_has_object(h, image));
        grow_older(h, 2 * DAY_USEC);
        HARNESS_WAIT(h, !world_has_object(h, image));
        g_assert_true(world_has_object(h, kept));
        g_assert_cmpuint(harness_count_entries(h, "state/archives"), ==, 1);
}

TEST(followed_by_itself) {
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_pool(&alice, &bob);
        g_autofree char *image = first_image(), *second = second_image();
        unsigned asked;

        run_ok(alice, PATH_ROOT, "Manager.DownloadImage",
               download_args("debian/12", "{'aliases': <['d']>, 'auto-update': <true>}"));
        harness_plan(h, "download.list", "set content remote 2");
        grow_older(h, DAY_USEC / 8);
        asked = harness_count_runs(h, "download.list");
        grow_older(h, DAY_USEC / 4);
        HARNESS_WAIT(h, world_has_object(h, second) && !world_has_object(h, image));
        g_assert_cmpuint(harness_count_runs(h, "download.list"), ==, asked + 1);
        g_assert_true(has_alias(h->root, second, "d"));
        g_assert_true(get_boolean(h->root, second, "AutoUpdate"));
}

HARNESS_MAIN()
