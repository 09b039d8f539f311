/* SPDX-License-Identifier: Apache-2.0 */

/*
 * File descriptors: berthd lives when it can get no more, at whatever call that is, says so to whom
 * it concerns, and goes on as before when there are some again; and what clients that die had open
 * is closed.
 */

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/bus/call.h"
#include "service/util/cleanup.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define C1 "/org/berth1/container/c1"
/* More than any verb opens at a time. */
#define FDS_MAX 24U
#define DEATHS 2000U
/* What the system's bus lets pass in one message, what services may have unless told otherwise, and
 * calls that have more together. */
#define FDS_OF_MESSAGE 16
#define NOFILE_USUAL 1024
#define FLOOD (8 * CALLS_PENDING_MAX)
#define PATIENCE_USEC (20 * G_TIME_SPAN_SECOND)

typedef struct Verb {
        const char *path, *method, *args;
        bool is_job;
        bool is_stream; /* with a job that goes on until it is seen that the reader has left */
        const char *back, *back_path, *back_options; /* what takes it back, or NULL */
} Verb;

/* None that brings an fd: see one_comes_too_many. */
static const Verb verbs[] = {
        { C1, "Container.GetConfig", "(@a{sv} {},)" },
        { C1, "Container.Update", "({'user.a': 'b'}, @as [], @a{sv} {})" },
        { C1, "Container.Start", "(@a{sv} {},)", true, false, "Container.Stop", C1,
          "{'force': <true>}" },
        { C1, "Container.CreateSnapshot", "('s1', {'reuse': <true>})", true },
        { C1, "Container.Copy", "('c2', @a{sv} {})", true, false, "Container.Delete",
          "/org/berth1/container/c2", "{}" },
        { C1, "Container.OpenExport", "(@a{sv} {},)", .is_stream = true },
        { C1, "Container.PullFile", "('/x', @a{sv} {})" },
        { PATH_POOL, "StoragePool.CreateVolume", "('v2', @a{ss} {}, @a{sv} {})", true,
          false, "Volume.Delete", PATH_POOL "/volume/v2", "{}" },
        { PATH_ROOT, "Manager.GetConfigKeys", "(@a{sv} {},)" },
};

static bool is_open(Harness *h, unsigned fd) {
        g_autofree char *path = g_strdup_printf("/proc/%d/fd/%u", h->service_pid, fd);

        return readlink(path, (char[1]) { 0 }, 1) >= 0;
}

/* The limit that leaves berthd as many that it can open. */
static rlim_t limit_for(Harness *h, unsigned spare) {
        unsigned fd = 0;

        for (unsigned free = 0; free < spare || is_open(h, fd); fd++)
                free += !is_open(h, fd);
        return fd;
}

static void set_limit(Harness *h, rlim_t fds) {
        struct rlimit limit;

        g_assert_cmpint(prlimit(h->service_pid, RLIMIT_NOFILE, NULL, &limit), ==, 0);
        limit.rlim_cur = fds;
        g_assert_cmpint(prlimit(h->service_pid, RLIMIT_NOFILE, &limit, NULL), ==, 0);
}

/* Calls a method and waits for its job, if there is one. */
static Call *run(Client *client, const Verb *verb) {
        g_autoptr(Call) call = client_call(client, verb->path, verb->method,
                                           g_variant_new_parsed(verb->args));

        return call->error || !verb->is_job ? g_steal_pointer(&call)
                                            : client_wait_job(client, call_get_path(call));
}

static void take_back(Client *client, const Verb *verb) {
        g_autoptr(Call) call = NULL;

        if (!verb->back)
                return;
        call = client_run_job(client, verb->back_path, verb->back,
                              g_variant_new("(@a{sv})", options(verb->back_options)));
        call_assert_ok(call);
}

/* Frees the call; nothing of the verb goes on then. */
static void end(Harness *h, const Verb *verb, Call *call) {
        g_autofree char *job = verb->is_stream && !call->error ? g_strdup(call_get_path(call))
                                                               : NULL;
        g_autoptr(Call) ended = NULL;

        (void) call_free(call);
        if (job)
                ended = client_wait_job(h->root, job);
}

static void leave(void *client) {
        (void) client_free(client);
}

static Harness *stage(Client **ret_alice) {
        Harness *h = harness_new();

        *ret_alice = client_new(h, UID_ALICE);
        world_make_image(h);
        g_free(world_make_container(*ret_alice, "c1"));
        return h;
}

/* berthd is asked until then: what it closes nobody tells. */
static void wait_for_fds(Harness *h, unsigned fds) {
        gint64 until = g_get_monotonic_time() + PATIENCE_USEC;

        while (harness_count_fds(h) > fds) {
                g_autoptr(Call) ping = client_call(h->root, PATH_ROOT,
                                                   "org.freedesktop.DBus.Peer.Ping", NULL);

                call_assert_ok(ping);
                if (g_get_monotonic_time() > until)
                        g_error("%u fds are open, and there were %u", harness_count_fds(h), fds);
        }
}

static bool is_as_before(Harness *h, const Verb *verb) {
        g_autofree char *state = client_get_string(h->root, C1, "State");

        return g_str_equal(state, "stopped") &&
               (!verb->back || g_str_equal(verb->back_path, C1) ||
                !world_has_object(h, verb->back_path));
}

/* What could not even be taken back, for that takes some too, is when berthd starts again. */
static void check_undone(Harness *h, const Verb *verb) {
        if (is_as_before(h, verb))
                return;
        harness_stop_service(h);
        harness_start_service(h, NULL);
        g_assert_true(is_as_before(h, verb));
}

/* However many a verb gets it ends, all of it or nothing, and nothing stays open. */
static unsigned run_short_of_fds(Harness *h, Client *alice, const Verb *verb) {
        unsigned failures = 0;

        for (unsigned spare = 0; spare < FDS_MAX; spare++) {
                unsigned before = harness_count_fds(h);
                g_autoptr(Client) starter = client_new(h, UID_ALICE);
                Call *call;

                set_limit(h, limit_for(h, spare));
                call = run(starter, verb);
                set_limit(h, 1024);
                if (!call->error)
                        take_back(alice, verb);
                else {
                        printf("  %s with %u: %s\n", verb->method, spare, call->message);
                        failures++;
                }
                /* What a job that failed had is kept for its starter to look at. */
                end(h, verb, call);
                g_clear_pointer(&starter, client_free);
                wait_for_fds(h, before);
                check_undone(h, verb);
        }
        return failures;
}

TEST(there_are_no_more) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        unsigned failures = 0;

        for (size_t i = 0; i < ELEMENTSOF(verbs); i++) {
                Call *call;

                failures += run_short_of_fds(h, alice, &verbs[i]);
                /* With enough of them it is as if nothing had been. */
                call = run(alice, &verbs[i]);
                call_assert_ok(call);
                take_back(alice, &verbs[i]);
                end(h, &verbs[i], call);
        }
        /* Else none had been short. */
        g_assert_cmpuint(failures, >, FDS_MAX);
}

/* As many fds in one call as the bus lets pass, where berthd looks at them after polkit. */
static Call *begin_with_fds(Client *client) {
        _cleanup_close_ int fd = world_new_archive("archive");
        g_autoptr(GVariant) pool = NULL;
        int fds[FDS_OF_MESSAGE];
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        for (int i = 0; i < FDS_OF_MESSAGE; i++) {
                g_autofree char *name = g_strdup_printf("fd%d", i);

                fds[i] = fd;
                g_variant_dict_insert_value(&dict, name, g_variant_new_handle(i));
        }
        pool = g_variant_ref_sink(g_variant_dict_end(&dict));
        return client_begin_fds(client, PATH_ROOT, "Manager.Initialize",
                                g_variant_new_parsed("([%@a{sv}], @aa{sv} [], @aa{sv} [], "
                                                     "@a{sv} {})", pool), fds);
}

static guint count_answered(GPtrArray *calls) {
        guint n = 0;

        for (guint i = 0; i < calls->len; i++)
                n += ((Call *) calls->pdata[i])->answered;
        return n;
}

/* Whoever lets calls with fds wait, here for polkit, keeps nobody else from being served. */
TEST(one_floods_another_works) {
        struct rlimit before, usual;
        g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(leave);
        g_autoptr(GPtrArray) calls = g_ptr_array_new_with_free_func(call_free_in_array);
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = NULL;
        g_autoptr(Call) hers = NULL;
        unsigned fds;
        pid_t pid;

        /* As systemd and others start services. */
        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
        usual = (struct rlimit) { NOFILE_USUAL, before.rlim_max };
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &usual), ==, 0);
        h = stage(&alice);
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
        pid = h->service_pid;
        fds = harness_count_fds(h);
        h->polkit->answer = POLKIT_HOLD;
        while (calls->len < FLOOD) {
                Client *bob = client_new(h, UID_BOB);
                g_autoptr(Call) served = NULL;

                g_ptr_array_add(clients, bob);
                for (unsigned i = 0; i < CALLS_PENDING_MAX; i++)
                        g_ptr_array_add(calls, begin_with_fds(bob));
                /* They had their turn when this one has an answer. */
                served = client_call(bob, PATH_ROOT, "Manager.GetContainer",
                                     g_variant_new("(s)", "c1"));
        }
        h->polkit->only_yes_to = "org.berth1.use";
        hers = client_call(alice, C1, "Container.GetConfig", g_variant_new("(@a{sv})",
                                                                          no_options()));
        call_assert_ok(hers);
        g_assert_cmpint(h->service_pid, ==, pid);
        /* Some he could not have, or he would have all that there are. */
        g_assert_cmpuint(count_answered(calls), >, 0);
        g_assert_cmpuint(harness_count_fds(h), >, NOFILE_USUAL);
        g_ptr_array_set_size(calls, 0);
        g_ptr_array_set_size(clients, 0);
        wait_for_fds(h, fds);
        g_assert_cmpint(h->service_pid, ==, pid);
}

/* sd-bus gives up a connection that it cannot take an fd from, and berthd ends with its connection:
 * not as a program that fell over, so that it is started again, and finds all that there was. */
TEST(one_comes_too_many) {
        static const Verb start = { C1, "Container.Start", "(@a{sv} {},)", true, false,
                                    "Container.Stop", C1, "{'force': <true>}" };
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        g_autoptr(Call) call = NULL, again = NULL;
        g_autofree char *job = NULL;

        harness_plan(h, "storage.snapshot-create", "gate");
        job = client_start_job(alice, C1, "Container.CreateSnapshot",
                               g_variant_new("(s@a{sv})", "s1", no_options()));
        world_wait_at_gate(h, job);
        set_limit(h, limit_for(h, 0));
        call = begin_with_fds(alice);
        HARNESS_WAIT(h, h->service_pid == 0);
        g_assert_true(WIFEXITED(h->service_status));
        g_assert_cmpint(WEXITSTATUS(h->service_status), ==, 1);
        HARNESS_WAIT(h, call->answered);
        g_assert_cmpstr(call->error, ==, SD_BUS_ERROR_NO_REPLY);
        harness_plan(h, "storage.snapshot-create", NULL);
        harness_start_service(h, NULL);
        HARNESS_WAIT(h, !world_has_object(h, C1 "/snapshot/s1"));
        again = run(alice, &start);
        call_assert_ok(again);
        take_back(alice, &start);
}

/* What the dead have asked for may still come about: it is over when nothing is under way. */
static void stop_c1(Client *alice) {
        gint64 until = g_get_monotonic_time() + PATIENCE_USEC;
        g_autofree char *state = NULL;

        do {
                (void) call_free(client_run_job(
                        alice, C1, "Container.Stop",
                        g_variant_new("(@a{sv})", options("{'force': <true>}"))));
                g_assert_cmpint(g_get_monotonic_time(), <, until);
                g_free(state);
                state = client_get_string(alice, C1, "State");
        } while (!g_str_equal(state, "stopped"));
}

/* While polkit thinks, while a job runs, before any answer; streams, fds and questions are open. */
TEST(clients_die) {
        g_autoptr(Client) alice = NULL;
        g_autoptr(Harness) h = stage(&alice);
        g_autoptr(Call) sync = NULL;
        unsigned fds = harness_count_fds(h);

        h->polkit->answers_cancelled = true;
        for (unsigned i = 0; i < DEATHS; i++) {
                const Verb *verb = &verbs[i % ELEMENTSOF(verbs)];
                g_autoptr(Client) client = client_new(h, i % 2 ? UID_ALICE : UID_BOB);
                gint64 until = g_get_monotonic_time() + i % 100 * 30;
                g_autoptr(Call) call = NULL;

                h->polkit->answer = i % 3 ? POLKIT_YES : POLKIT_HOLD;
                call = i % 4 ? client_begin(client, verb->path, verb->method,
                                            g_variant_new_parsed(verb->args))
                             : begin_with_fds(client);
                g_assert_cmpint(sd_bus_flush(client->bus), >=, 0);
                while (g_get_monotonic_time() < until)
                        (void) sd_event_run(h->event, 0);
                g_clear_pointer(&call, call_free);
        }
        h->polkit->answer = POLKIT_YES;
        stop_c1(alice);
        wait_for_fds(h, fds);
        sync = client_call(alice, PATH_ROOT, "Manager.GetContainer", g_variant_new("(s)", "c1"));
        call_assert_ok(sync);
}

HARNESS_MAIN()
