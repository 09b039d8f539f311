/* SPDX-License-Identifier: Apache-2.0 */

/* Who gets inside a privileged container gets at its host: what "use" is enough for with others
 * takes "host-access" there, by every way in, from the owner too; and to go back is nobody's but an
 * administrator's. */

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define PATH_C1 "/org/berth1/container/c1"
#define PATH_S1 PATH_C1 "/snapshot/s1"

/* All that leads inside, with and without a run. */
static const struct {
        const char *path, *method, *args;
        bool running;
} ways[] = {
        { PATH_C1, "Container.Start", "(@a{sv} {},)", false },
        { PATH_C1, "Container.Restart", "({'force': <true>},)", true },
        { PATH_C1, "Container.Exec", "(['true'], @a{sv} {})", true },
        { PATH_C1, "Container.ExecPipes", "(['true'], @a{sv} {})", true },
        { PATH_C1, "Container.ExecTerminal", "(['true'], @a{sv} {})", true },
        { PATH_C1, "Container.GetConsole", "(@a{sv} {},)", true },
        { PATH_C1, "Container.Copy", "('c2', @a{sv} {})", false },
        { PATH_C1, "Container.Publish", "(@a{sv} {},)", false },
        { PATH_C1, "Container.OpenExport", "(@a{sv} {},)", false },
        { PATH_C1, "Container.PullFile", "('/etc/passwd', @a{sv} {})", false },
        { PATH_C1, "Container.PullTree", "('/etc', @a{sv} {})", false },
        { PATH_C1, "Container.PushFilePipe", "('/x', @a{sv} {})", false },
        { PATH_C1, "Container.PushTreePipe", "('/x', @a{sv} {})", false },
        { PATH_C1, "Container.StatPath", "('/etc', @a{sv} {})", false },
        { PATH_C1, "Container.ListDirectory", "('/etc', @a{sv} {})", false },
        { PATH_C1, "Container.MakeDirectory", "('/x', @a{sv} {})", false },
        { PATH_C1, "Container.DeletePath", "('/x', @a{sv} {})", false },
        { PATH_C1, "Container.StatPath", "('/etc', @a{sv} {})", true },
        { PATH_S1, "Snapshot.Copy", "('c2', @a{sv} {})", false },
        { PATH_S1, "Snapshot.Publish", "(@a{sv} {},)", false },
};

static void run(Client *client, const char *path, const char *method, const char *args) {
        g_autoptr(Call) end = client_run_job(client, path, method, g_variant_new_parsed(args));

        call_assert_ok(end);
}

static void set(Harness *h, const char *args) {
        g_autoptr(Call) call = client_call(h->root, PATH_C1, "Container.Update",
                                           g_variant_new_parsed(args));

        call_assert_ok(call);
}

/* alice's container, with a snapshot, that an administrator makes privileged. */
static Harness *stage(Client **ret_alice, bool running) {
        Harness *h = harness_new();

        *ret_alice = client_new(h, UID_ALICE);
        world_make_image(h);
        g_free(world_make_container(*ret_alice, "c1"));
        run(*ret_alice, PATH_C1, "Container.CreateSnapshot", "('s1', @a{sv} {})");
        set(h, "({'security.privileged': 'true'}, @as [], @a{sv} {})");
        if (running)
                run(h->root, PATH_C1, "Container.Start", "(@a{sv} {},)");
        return h;
}

static void grant(Harness *h, const char *action) {
        h->polkit->answer = POLKIT_NO;
        h->polkit->only_yes_to = action;
}

static void refuse_all(Harness *h, Client *client, bool running, const char *granted) {
        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                g_autoptr(Call) call = NULL;
                const PolkitQuestion *q;

                if (ways[i].running != running)
                        continue;
                grant(h, granted);
                call = client_call(client, ways[i].path, ways[i].method,
                                   g_variant_new_parsed(ways[i].args));
                call_assert_error(call, ERROR_ACCESS_DENIED, "");
                q = mock_polkit_last(h->polkit);
                if (!g_str_equal(q->action, "org.berth1.host-access"))
                        g_error("%s asks for %s", ways[i].method, q->action);
                g_assert_nonnull(strstr(mock_polkit_get_detail(q, "keys"),
                                        "security.privileged"));
        }
}

TEST(the_owner_is_asked) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice, false);

        refuse_all(h, alice, false, "org.berth1.use");
}

TEST(the_owner_is_asked_while_it_runs) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice, true);

        refuse_all(h, alice, true, "org.berth1.use");
}

/* Even of those who may look into all others. */
TEST(others_are_asked) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice, true);
        g_autoptr(Client) bob = client_new(h, UID_BOB);

        refuse_all(h, bob, true, "org.berth1.enter");
}

/* What counts for one that runs is how it runs, whatever its configuration says by now. */
TEST(a_change_does_not_count_before_the_next_start) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice, true);
        g_autoptr(Call) call = NULL;

        set(h, "(@a{ss} {}, ['security.privileged'], @a{sv} {})");
        grant(h, "org.berth1.use");
        call = client_call(alice, PATH_C1, "Container.StatPath",
                           g_variant_new_parsed("('/etc', @a{sv} {})"));
        call_assert_error(call, ERROR_ACCESS_DENIED, "");
        run(alice, PATH_C1, "Container.Stop", "({'force': <true>},)");
        run(alice, PATH_C1, "Container.Start", "(@a{sv} {},)");
}

TEST(whoever_is_granted_it_may) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice, false);
        g_autoptr(Call) back = NULL;

        grant(h, "org.berth1.host-access");
        run(alice, PATH_C1, "Container.Start", "(@a{sv} {},)");
        run(alice, PATH_C1, "Container.Restart", "({'force': <true>},)");
        /* To end it takes no more than ever; to make it harmless again does. */
        grant(h, "org.berth1.use");
        run(alice, PATH_C1, "Container.Stop", "({'force': <true>},)");
        back = client_call(alice, PATH_C1, "Container.Update",
                           g_variant_new_parsed("(@a{ss} {}, ['security.privileged'], @a{sv} {})"));
        call_assert_error(back, ERROR_ACCESS_DENIED, "");
        run(alice, PATH_C1, "Container.Delete", "(@a{sv} {},)");
}

/* A worker that starts it in a user namespace after all, or one that does not where it should. */
TEST(it_is_what_it_should_be) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice, false);
        g_autoptr(Call) call = NULL;

        harness_plan(h, "runtime.start", "set base 3000000");
        call = client_run_job(h->root, PATH_C1, "Container.Start",
                              g_variant_new_parsed("(@a{sv} {},)"));
        call_assert_error(call, ERROR_ACCESS_DENIED, "not what it should be");
}

HARNESS_MAIN()
