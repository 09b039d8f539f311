/* SPDX-License-Identifier: Apache-2.0 */

/* What one user may have waiting: calls, before and after it is known who sends them, and questions
 * to polkit. What is more is refused, and refused at once; others are served. */

#include <signal.h>

#include "service/bus/call.h"
#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define CALM "/org/berth1/container/calm"
/* Of a connection: fewer than the bus lets it have unanswered. */
#define CALLS_EACH 100U

static Harness *new_with_container(Client **ret_alice) {
        Harness *h = harness_new();

        world_make_image(h);
        *ret_alice = client_new(h, UID_ALICE);
        g_free(world_make_container(*ret_alice, "calm"));
        return h;
}

static Call *look(Client *client) {
        return client_begin(client, PATH_ROOT, "Manager.GetContainer",
                            g_variant_new("(s)", "calm"));
}

/* What is sent while the service stands still is all there when it goes on: the bus passes things
 * on in their order. */
static void flush(Client *client) {
        g_assert_cmpint(sd_bus_call_method(client->bus, "org.freedesktop.DBus",
                                           "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId",
                                           NULL, NULL, NULL), >=, 0);
}

static void look_often(Client *client, GPtrArray *calls) {
        for (unsigned i = 0; i < CALLS_EACH; i++)
                g_ptr_array_add(calls, look(client));
        flush(client);
}

static unsigned count_refused(Harness *h, const GPtrArray *calls) {
        unsigned n = 0;

        for (guint i = 0; i < calls->len; i++) {
                const Call *call = calls->pdata[i];

                HARNESS_WAIT(h, call->answered);
                if (call->error)
                        call_assert_error(call, ERROR_LIMITS_EXCEEDED, "waiting already");
                n += !!call->error;
        }
        return n;
}

static void leave(void *client) {
        (void) client_free(client);
}

TEST(calls_of_one_who_is_not_yet_known) {
        g_autoptr(GPtrArray) calls = g_ptr_array_new_with_free_func(call_free_in_array);
        g_autoptr(Client) alice = NULL, bob = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(Call) hers = NULL;

        bob = client_new(h, UID_BOB);
        g_assert_cmpint(kill(h->service_pid, SIGSTOP), ==, 0);
        look_often(bob, calls);
        hers = look(alice);
        g_assert_cmpint(kill(h->service_pid, SIGCONT), ==, 0);
        g_assert_cmpuint(count_refused(h, calls), ==, CALLS_EACH - CALLS_PENDING_MAX);
        call_assert_ok(call_wait(alice, hers));
}

/* Such as take the service longer than the bus, so that they do wait. */
static void change_often(Client *client, GPtrArray *calls) {
        for (unsigned i = 0; i < CALLS_EACH; i++) {
                g_autofree char *text = g_strdup_printf("%u", calls->len);

                g_ptr_array_add(calls, client_begin(client, CALM, "Container.Update",
                                                    g_variant_new_parsed("({'user.a': %s}, @as [], "
                                                                         "@a{sv} {})", text)));
        }
        flush(client);
}

TEST(calls_of_one_user_that_wait) {
        const unsigned n = 2 * CALLS_QUEUED_PER_UID_MAX / CALLS_EACH;
        g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(leave);
        g_autoptr(GPtrArray) calls = g_ptr_array_new_with_free_func(call_free_in_array);
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(Call) hers = NULL;
        unsigned refused;

        for (unsigned i = 0; i < n; i++) {
                Client *root = client_new(h, 0);
                g_autoptr(Call) known = call_wait(root, look(root));

                call_assert_ok(known);
                g_ptr_array_add(clients, root);
        }
        g_assert_cmpint(kill(h->service_pid, SIGSTOP), ==, 0);
        for (unsigned i = 0; i < n; i++)
                change_often(clients->pdata[i], calls);
        hers = look(alice);
        g_assert_cmpint(kill(h->service_pid, SIGCONT), ==, 0);
        refused = count_refused(h, calls);
        g_assert_cmpuint(refused, >, 0);
        g_assert_cmpuint(refused, <=, calls->len - CALLS_QUEUED_PER_UID_MAX);
        call_assert_ok(call_wait(alice, hers));
}

/* Of several connections together, for of each there are only so many calls. */
TEST(questions_of_one_user_that_wait) {
        const unsigned places = QUESTIONS_PER_UID_MAX + QUESTIONS_WAITING_PER_UID_MAX;
        g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(leave);
        g_autoptr(GPtrArray) calls = g_ptr_array_new_with_free_func(call_free_in_array);
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = new_with_container(&alice);
        g_autoptr(Call) over = NULL, hers = NULL;

        h->polkit->answer = POLKIT_HOLD;
        for (unsigned i = 0; i <= places; i++) {
                Client *bob;

                if (i % CALLS_PENDING_MAX == 0)
                        g_ptr_array_add(clients, client_new(h, UID_BOB));
                bob = clients->pdata[clients->len - 1];
                g_ptr_array_add(calls, client_begin(bob, CALM, "Container.GetConfig",
                                                    g_variant_new("(@a{sv})", no_options())));
                if (i == places) /* the others have been read once this is answered */
                        over = call_wait(bob, g_ptr_array_steal_index(calls, i));
                else if ((i + 1) % CALLS_PENDING_MAX == 0)
                        call_free(call_wait(bob, look(bob)));
        }
        call_assert_error(over, ERROR_LIMITS_EXCEEDED, "questions to polkit of yours");
        for (guint i = 0; i < calls->len; i++)
                g_assert_false(((Call *) calls->pdata[i])->answered);
        /* Others' are asked. */
        h->polkit->answer = POLKIT_YES;
        hers = client_call(alice, CALM, "Container.Update",
                           g_variant_new_parsed("({'user.a': 'b'}, @as [], @a{sv} {})"));
        call_assert_ok(hers);
}

HARNESS_MAIN()
