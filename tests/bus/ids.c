/* SPDX-License-Identifier: Apache-2.0 */

/* Who has which ids: never two the same, but those that share, whatever comes, changes, goes, is
 * recovered, and in whatever order. */

#include <string.h>

#include "service/state/record-file.h"
#include "service/util/cleanup.h"
#include "tests/bus/world.h"

static GVariant *nothing(void) {
        return g_variant_new("(@a{sv})", no_options());
}

static void run_job(Client *client, const char *name, const char *method, GVariant *args) {
        g_autofree char *path = g_strconcat("/org/berth1/container/", name, NULL);
        g_autoptr(Call) end = client_run_job(client, path, method, args);

        call_assert_ok(end);
}

static Call *update(Harness *h, const char *name, const char *text) {
        g_autofree char *path = g_strconcat("/org/berth1/container/", name, NULL);

        return client_call(h->root, path, "Container.Update", g_variant_new_parsed(text));
}

static void create(Harness *h, const char *name, const char *config) {
        g_autofree char *options = g_strdup_printf("{'config': <%s>}", config);
        g_autoptr(Call) end = client_run_job(h->root, "/org/berth1", "Manager.CreateContainer",
                                             world_create_args(name, options));

        call_assert_ok(end);
}

/* As the record on disk has it. */
typedef struct Recorded {
        uint32_t base, size;
        gboolean shared;
} Recorded;

static void take_record(const char *name, GVariant *record, void *userdata) {
        g_autofree Recorded *r = g_new0(Recorded, 1);

        g_assert_true(g_variant_lookup(record, "idmap-base", "u", &r->base));
        g_assert_true(g_variant_lookup(record, "idmap-size", "u", &r->size));
        g_assert_true(g_variant_lookup(record, "idmap-shared", "b", &r->shared));
        g_hash_table_insert(userdata, g_strdup(name), TAKE_PTR(r));
}

static GHashTable *read_records(Harness *h) {
        GHashTable *records = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        RecordDir *dir;

        g_assert_cmpint(record_dir_open(h->state_dir, "containers", &dir, NULL), >=, 0);
        g_assert_cmpint(record_dir_load(dir, take_record, records, NULL), >=, 0);
        (void) record_dir_close(dir);
        return records;
}

static void assert_range(Harness *h, const char *name, uint32_t base, uint32_t size) {
        g_autoptr(GHashTable) records = read_records(h);
        const Recorded *r = g_hash_table_lookup(records, name);

        g_assert_nonnull(r);
        g_assert_cmpuint(r->base, ==, base);
        g_assert_cmpuint(r->size, ==, size);
}

static void assert_nobody_has_the_same(Harness *h) {
        g_autoptr(GHashTable) records = read_records(h);
        g_autoptr(GList) list = g_hash_table_get_values(records);

        for (GList *a = list; a; a = a->next)
                for (GList *b = a->next; b; b = b->next) {
                        const Recorded *x = a->data, *y = b->data;

                        g_assert_true((x->shared && y->shared) || x->base + x->size <= y->base ||
                                      y->base + y->size <= x->base);
                }
}

static void start(Harness *h, const char *name) {
        run_job(h->root, name, "Container.Start", nothing());
}

static void stop(Harness *h, const char *name) {
        run_job(h->root, name, "Container.Stop", g_variant_new_parsed("({'force': <true>},)"));
}

/* --- tests --- */

TEST(a_change_takes_effect_at_the_next_start) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) changed = NULL;

        world_make_image(h);
        create(h, "c1", "@a{ss} {}");
        create(h, "c2", "@a{ss} {}");
        assert_range(h, "c1", 1065536, 65536);
        assert_range(h, "c2", 1131072, 65536);
        start(h, "c1");
        changed = update(h, "c1", "({'security.idmap.size': '100000'}, @as [], @a{sv} {})");
        call_assert_ok(changed);
        assert_range(h, "c1", 1065536, 65536);
        stop(h, "c1");
        assert_range(h, "c1", 1065536, 65536);
        start(h, "c1");
        assert_range(h, "c1", 1196608, 100000);
        /* What it had is free now. */
        create(h, "c3", "@a{ss} {}");
        assert_range(h, "c3", 1065536, 65536);
        assert_nobody_has_the_same(h);
}

TEST(a_range_is_free_when_its_container_is_gone) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        create(h, "c1", "@a{ss} {}");
        create(h, "c2", "@a{ss} {}");
        run_job(h->root, "c1", "Container.Delete", nothing());
        create(h, "c3", "@a{ss} {}");
        assert_range(h, "c3", 1065536, 65536);
        assert_nobody_has_the_same(h);
}

TEST(those_that_share_share_the_first) {
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        create(h, "c1", "{'security.idmap.isolated': 'false'}");
        create(h, "c2", "@a{ss} {}");
        create(h, "c3", "{'security.idmap.isolated': 'false'}");
        assert_range(h, "c1", 1000000, 65536);
        assert_range(h, "c2", 1065536, 65536);
        assert_range(h, "c3", 1000000, 65536);
        start(h, "c1");
        start(h, "c3");
        assert_nobody_has_the_same(h);
}

TEST(what_is_anothers_is_refused) {
        static const struct {
                const char *change;
                ErrorCode code;
        } cases[] = {
                { "({'security.idmap.base': '1131072'}, @as [], @a{sv} {})", ERROR_IN_USE },
                { "({'security.idmap.base': '1130000'}, @as [], @a{sv} {})", ERROR_IN_USE },
                { "({'security.idmap.base': '1131072', 'security.idmap.isolated': 'false'}, "
                  "@as [], @a{sv} {})", ERROR_IN_USE },
                { "({'security.idmap.base': '999999'}, @as [], @a{sv} {})", ERROR_INVALID_CONFIG },
                { "({'security.idmap.size': '4000000000'}, @as [], @a{sv} {})",
                  ERROR_LIMITS_EXCEEDED },
                { "({'security.idmap.size': '65535'}, @as [], @a{sv} {})", ERROR_INVALID_CONFIG },
                { "({'raw.idmap': 'both 1131072 0'}, @as [], @a{sv} {})", ERROR_INVALID_CONFIG },
                { "({'raw.idmap': 'both 0 0'}, @as [], @a{sv} {})", ERROR_INVALID_CONFIG },
        };
        g_autoptr(Harness) h = harness_new();

        world_make_image(h);
        create(h, "c1", "@a{ss} {}");
        create(h, "c2", "@a{ss} {}");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Call) call = update(h, "c1", cases[i].change);

                call_assert_error(call, cases[i].code, "");
        }
        assert_range(h, "c1", 1065536, 65536);
}

/* Through a profile, of which the update knows nothing: then at the start. */
TEST(a_profile_that_cannot_be_had) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) changed = NULL, started = NULL;

        world_make_image(h);
        create(h, "c1", "@a{ss} {}");
        create(h, "c2", "@a{ss} {}");
        changed = client_call(h->root, "/org/berth1/profile/default", "Profile.Update",
                              g_variant_new_parsed("({'security.idmap.base': '1131072'}, @as [], "
                                                   "@a{sv} {})"));
        call_assert_ok(changed);
        started = client_run_job(h->root, "/org/berth1/container/c1", "Container.Start",
                                 nothing());
        call_assert_error(started, ERROR_IN_USE, "c2");
        start(h, "c2");
        assert_nobody_has_the_same(h);
}

/* A record that was put back by hand: one of the two gets others. */
TEST(a_record_that_comes_twice) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *one = g_build_filename(h->state_dir, "containers/c1", NULL);
        g_autofree char *two = g_build_filename(h->state_dir, "containers/c9", NULL);
        g_autofree char *content = NULL;
        gsize size;

        world_make_image(h);
        create(h, "c1", "@a{ss} {}");
        create(h, "c2", "@a{ss} {}");
        harness_kill_service(h);
        g_assert_true(g_file_get_contents(one, &content, &size, NULL));
        g_assert_true(g_file_set_contents(two, content, (gssize) size, NULL));
        harness_start_service(h, NULL);
        start(h, "c1");
        start(h, "c9");
        assert_range(h, "c1", 1065536, 65536);
        assert_range(h, "c9", 1196608, 65536);
        assert_nobody_has_the_same(h);
}

/* The worker's word for the map is not enough. */
TEST(another_map_than_the_wanted_one) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) started = NULL;

        world_make_image(h);
        create(h, "c1", "@a{ss} {}");
        harness_plan(h, "runtime.start", "set base 3000000");
        started = client_run_job(h->root, "/org/berth1/container/c1", "Container.Start",
                                 nothing());
        call_assert_error(started, ERROR_ACCESS_DENIED, "not what it should be");
}

/* Owners on disk are those of one map. */
TEST(what_is_shifted_keeps_its_map) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Call) refused = NULL, changed = NULL;

        world_make_image(h);
        harness_plan(h, "storage.container-create", "set shifted 1");
        create(h, "c1", "@a{ss} {}");
        refused = update(h, "c1", "({'security.idmap.size': '100000'}, @as [], @a{sv} {})");
        call_assert_error(refused, ERROR_NOT_SUPPORTED, "must keep this map");
        changed = update(h, "c1", "({'user.x': '1'}, @as [], @a{sv} {})");
        call_assert_ok(changed);
        harness_kill_service(h);
        harness_start_service(h, NULL);
        start(h, "c1");
        assert_range(h, "c1", 1065536, 65536);
}

HARNESS_MAIN()
