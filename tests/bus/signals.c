/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which signals a change makes: those of what has changed, and no other, however much there is.
 * That none of them repeats what was told before is seen to in all tests (see client_listen()).
 */

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
#define C2 "/org/berth1/container/c2"
#define BR0 "/org/berth1/network/br0"
#define OTHER "/org/berth1/profile/other"
#define V1 PATH_POOL "/volume/v1"
#define MARK "/org/berth1/profile/mark"

static void do_call(Harness *h, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_call(h->root, path, method, args);

        call_assert_ok(call);
}

static void run(Harness *h, const char *path, const char *method, GVariant *args) {
        g_autoptr(Call) call = client_run_job(h->root, path, method, args);

        call_assert_ok(call);
}

static GVariant *update_args(const char *set, const char *more) {
        g_autofree char *text = g_strconcat("@a{ss} ", set, NULL);

        return g_variant_new("(@a{ss}@as@a{sv})", g_variant_new_parsed(text),
                             g_variant_new_strv(NULL, 0), options(more));
}

/* Two containers, and of everything that they could use something that is used and something that
 * is not. */
static Harness *stage(void) {
        Harness *h = harness_new();
        static const char *const profiles[] = { "other", "mark" };

        world_make_image(h);
        g_free(world_import_image(h->root, "another image", "another"));
        world_make_volume(h->root, "v1");
        world_make_volume(h->root, "v2");
        for (size_t i = 0; i < G_N_ELEMENTS(profiles); i++)
                do_call(h, PATH_ROOT, "Manager.CreateProfile",
                        g_variant_new("(s@a{sv})", profiles[i], no_options()));
        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *name = g_strdup_printf("br%u", i);
                g_autofree char *address = g_strdup_printf("10.9.%u.1/24", i);

                run(h, PATH_ROOT, "Manager.CreateNetwork",
                    g_variant_new_parsed("(%s, 'bridge', {'ipv4.address': %s, 'ipv6.address': "
                                         "'none'}, @a{sv} {})", name, address));
        }
        g_free(world_make_container(h->root, "c1"));
        g_free(world_make_container(h->root, "c2"));
        return h;
}

/* Changes something of its own, and hears of it: all that was to be told before has been told. */
static void settle(Harness *h) {
        static unsigned count;

        for (unsigned i = 0; i < 2; i++) {
                g_autofree char *text = g_strdup_printf("mark %u", ++count);
                g_autofree char *more = g_strdup_printf("{'description': <'%s'>}", text);
                guint from = h->root->signals->len;

                do_call(h, MARK, "Profile.Update", update_args("{}", more));
                world_wait_for(h, from, MARK, "Description", text);
        }
}

static int compare_lines(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* The objects that signals were about, each as often as there were some, without jobs. */
static char *told_since(Harness *h, guint from) {
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

        settle(h);
        for (guint i = from; i < h->root->signals->len; i++) {
                const Signal *s = h->root->signals->pdata[i];
                const char *path = s->path;

                if (g_str_has_prefix(s->member, "Interfaces"))
                        g_variant_get_child(s->body, 0, "&o", &path);
                if (g_str_equal(path, MARK) || g_str_has_prefix(path, "/org/berth1/job/"))
                        continue;
                g_ptr_array_add(lines, g_strdup_printf("%s %s", s->member, path));
        }
        g_ptr_array_sort(lines, compare_lines);
        g_ptr_array_add(lines, NULL);
        return g_strjoinv("\n", (char **) lines->pdata);
}

static void assert_told(Harness *h, guint from, const char *wanted) {
        g_autofree char *told = told_since(h, from);

        g_assert_cmpstr(told, ==, wanted);
}

#define CHANGED "PropertiesChanged "

TEST(configuration_of_a_container) {
        g_autoptr(Harness) h = stage();
        guint from = h->root->signals->len;

        do_call(h, C1, "Container.Update", update_args("{'user.a': 'b'}", "{}"));
        assert_told(h, from, "Lifecycle " C1 "\n" CHANGED C1);
}

TEST(devices_and_profiles_of_a_container) {
        g_autoptr(Harness) h = stage();
        guint from = h->root->signals->len;

        do_call(h, C1, "Container.Update",
                update_args("{}", "{'devices': <{'eth0': {'type': 'nic', 'network': 'br0'}}>}"));
        assert_told(h, from, "Lifecycle " C1 "\n" CHANGED C1 "\n" CHANGED BR0);

        from = h->root->signals->len;
        do_call(h, C1, "Container.Update",
                update_args("{}", "{'devices': <{'v': {'type': 'disk', 'pool': 'default', "
                                  "'source': 'v1', 'path': '/v'}}>}"));
        assert_told(h, from, "Lifecycle " C1 "\n" CHANGED C1 "\n" CHANGED BR0 "\n" CHANGED V1);

        from = h->root->signals->len;
        do_call(h, C1, "Container.Update",
                update_args("{}", "{'profiles': <['default', 'other']>}"));
        assert_told(h, from, "Lifecycle " C1 "\n" CHANGED C1 "\n" CHANGED OTHER);
}

TEST(profiles) {
        g_autoptr(Harness) h = stage();
        guint from = h->root->signals->len;

        do_call(h, PATH_PROFILE, "Profile.Update", update_args("{'user.a': 'b'}", "{}"));
        assert_told(h, from, CHANGED PATH_PROFILE);

        from = h->root->signals->len;
        do_call(h, PATH_PROFILE, "Profile.Update",
                update_args("{}", "{'devices': <{'root': {'type': 'disk', 'path': '/', 'pool': "
                                  "'default'}, 'eth0': {'type': 'nic', 'network': 'br0'}}>}"));
        assert_told(h, from, CHANGED BR0 "\n" CHANGED PATH_PROFILE);

        /* One takes the network of the profile away from itself. */
        from = h->root->signals->len;
        do_call(h, C1, "Container.Update",
                update_args("{}", "{'devices': <{'eth0': {'type': 'none'}}>}"));
        assert_told(h, from, "Lifecycle " C1 "\n" CHANGED C1 "\n" CHANGED BR0);

        /* Whether it has what the profile loses then is nothing to it. */
        from = h->root->signals->len;
        do_call(h, OTHER, "Profile.Rename", g_variant_new("(s@a{sv})", "renamed", no_options()));
        assert_told(h, from,
                    "InterfacesAdded /org/berth1/profile/renamed\nInterfacesRemoved " OTHER);
}

TEST(coming_and_going) {
        g_autoptr(Harness) h = stage();
        g_autofree char *image = client_get_string(h->root, C1, "Image"), *wanted = NULL;
        guint from;

        /* Its image was used just now, and says so to the hour: nothing comes on top of UsedBy. */
        run(h, C2, "Container.Rename", g_variant_new("(s@a{sv})", "c3", no_options()));
        settle(h);
        from = h->root->signals->len;
        run(h, "/org/berth1/container/c3", "Container.Delete",
            g_variant_new("(@a{sv})", no_options()));
        wanted = g_strdup_printf("InterfacesRemoved /org/berth1/container/c3\n"
                                 "Lifecycle /org/berth1/container/c3\n"
                                 CHANGED "/org/berth1/container/c3\n"
                                 CHANGED "/org/berth1/image/%s%s\n" CHANGED PATH_POOL "\n"
                                 CHANGED PATH_PROFILE,
                                 g_ascii_isdigit(image[0]) ? "_3" : "", image);
        assert_told(h, from, wanted);

        from = h->root->signals->len;
        run(h, V1, "Volume.Delete", g_variant_new("(@a{sv})", no_options()));
        assert_told(h, from, "InterfacesRemoved " V1 "\n" CHANGED PATH_POOL "\n" CHANGED V1);
}

/* What changes back before anybody was told has not changed. */
TEST(nothing_in_the_end) {
        g_autoptr(Harness) h = stage();
        g_autoptr(Call) call = NULL;
        guint from = h->root->signals->len;

        harness_plan(h, "storage.container-create", "fail NoSpace Full");
        call = client_run_job(h->root, PATH_ROOT, "Manager.CreateContainer",
                              world_create_args("c3", "{}"));
        call_assert_error(call, ERROR_NO_SPACE, "Full");
        settle(h);
        for (guint i = from; i < h->root->signals->len; i++) {
                const Signal *s = h->root->signals->pdata[i];

                g_assert_false(g_str_has_prefix(s->path, "/org/berth1/network/"));
                g_assert_false(g_str_equal(s->path, C1));
        }
}

HARNESS_MAIN()
