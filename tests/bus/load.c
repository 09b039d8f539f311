/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Many at a time: a thousand connections of five users that read and write without a pause, each of
 * whose replies has to come and to be right; and one user who floods the service while another one
 * wants to work.
 *
 * BERTH_LOAD_SECONDS is how long the thousand go on.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "service/bus/call.h"
#include "service/operation/job.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define SECONDS_DEFAULT 12
#define CONNECTIONS_PER_USER 200U
/* One in so many makes containers, starts and deletes them; the others read and write. */
#define ONE_MAKER_IN 20U
/* What berthd may need for the objects of these tests and for what is on its way. The sanitizer
 * keeps what was freed. */
#ifdef __SANITIZE_ADDRESS__
#define RSS_MAX_KIB (4 * 1024 * 1024)
#else
#define RSS_MAX_KIB (64 * 1024)
#endif
/* Nothing at all happening for this long means that nothing will. */
#define PATIENCE_MSEC 30000

/* A loop of its own: sd-event looks at every bus in every turn. */
typedef struct Crowd {
        Harness *h;
        int epoll;
} Crowd;

typedef struct Load Load;
typedef struct Person Person;

struct Person {
        Load *load;
        Client *client;
        Call *call;
        unsigned number, turns;
        char *container;              /* path of his user's */
        char *key;                    /* of it, which nobody else writes */
        unsigned written;             /* what the key says, 0 where it is not there */
        char *own, *job;              /* makers: their container, and what is waited for */
        void (*next)(Person *person); /* comes before the next turn, or NULL */
};

struct Load {
        Crowd crowd;
        GPtrArray *people; /* Person */
        gint64 end;
        unsigned under_way, calls, writes, jobs;
};

/* --- the crowd --- */

static void crowd_watch(Crowd *crowd, int fd, sd_bus *bus) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = bus };

        g_assert_cmpint(epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, fd, &event), ==, 0);
}

static void crowd_begin(Crowd *crowd, Harness *h) {
        crowd->h = h;
        crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
        g_assert_cmpint(crowd->epoll, >=, 0);
        crowd_watch(crowd, sd_event_get_fd(h->event), NULL);
}

static Client *crowd_new_client(Crowd *crowd, uid_t uid) {
        Client *client = client_new(crowd->h, uid);

        g_assert_cmpint(sd_bus_detach_event(client->bus), >=, 0);
        crowd_watch(crowd, sd_bus_get_fd(client->bus), client->bus);
        return client;
}

/* Until nothing is to be done. */
static void process(Crowd *crowd, sd_bus *bus) {
        int r;

        do
                r = bus ? sd_bus_process(bus, NULL) : sd_event_run(crowd->h->event, 0);
        while (r > 0);
        g_assert_cmpint(r, ==, 0);
}

static void crowd_step(Crowd *crowd) {
        struct epoll_event events[64];
        int n;

        process(crowd, NULL);
        do
                n = epoll_wait(crowd->epoll, events, ELEMENTSOF(events), PATIENCE_MSEC);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                g_error("Nothing happens");
        for (int i = 0; i < n; i++)
                process(crowd, events[i].data.ptr);
}

/* --- calls and answers --- */

static void take_turn(Person *person);

static void begin(Person *person, const char *path, const char *method, GVariant *args,
                  void (*on_answer)(Call *call, void *person)) {
        person->call = client_begin(person->client, path, method, args);
        person->call->on_answer = on_answer;
        person->call->userdata = person;
        person->load->under_way++;
        person->load->calls++;
}

/* With this whoever looks at an answer ends. */
static void answered(Person *person) {
        person->call = call_free(person->call);
        person->load->under_way--;
        take_turn(person);
}

static GVariant *nothing(void) {
        return g_variant_new("(@a{sv})", no_options());
}

/* --- reading --- */

static void on_key(Call *call, void *userdata) {
        Person *person = userdata;
        g_autofree char *expected = g_strdup_printf("%u", person->written);
        g_autoptr(GVariant) config = NULL;
        const char *value = NULL;

        call_assert_ok(call);
        g_variant_get_child(call->body, 0, "@a{ss}", &config);
        (void) g_variant_lookup(config, person->key, "&s", &value);
        g_assert_cmpstr(value, ==, person->written ? expected : NULL);
        answered(person);
}

static void read_key(Person *person) {
        begin(person, person->container, "Container.GetConfig", nothing(), on_key);
}

static void on_owner(Call *call, void *userdata) {
        Person *person = userdata;
        g_autoptr(GVariant) value = NULL;

        call_assert_ok(call);
        g_variant_get(call->body, "(v)", &value);
        g_assert_cmpuint(g_variant_get_uint32(value), ==, person->client->uid);
        answered(person);
}

static void read_owner(Person *person) {
        begin(person, person->container, "org.freedesktop.DBus.Properties.Get",
              g_variant_new("(ss)", "org.berth1.Container", "Owner"), on_owner);
}

static void on_found(Call *call, void *userdata) {
        Person *person = userdata;

        g_assert_cmpstr(call_get_path(call), ==, person->container);
        answered(person);
}

static void find(Person *person) {
        begin(person, PATH_ROOT, "Manager.GetContainer",
              g_variant_new("(s)", strrchr(person->container, '/') + 1), on_found);
}

static void on_missing(Call *call, void *userdata) {
        call_assert_error(call, ERROR_NO_SUCH_CONTAINER, "nobodys");
        answered(userdata);
}

static void find_missing(Person *person) {
        begin(person, PATH_ROOT, "Manager.GetContainer", g_variant_new("(s)", "nobodys"),
              on_missing);
}

static void on_all(Call *call, void *userdata) {
        Person *person = userdata;
        g_autoptr(GVariant) objects = NULL, own = NULL;

        call_assert_ok(call);
        g_variant_get(call->body, "(@a{oa{sa{sv}}})", &objects);
        own = g_variant_lookup_value(objects, person->container, NULL);
        g_assert_nonnull(own);
        answered(person);
}

static void read_all(Person *person) {
        begin(person, PATH_ROOT, "org.freedesktop.DBus.ObjectManager.GetManagedObjects", NULL,
              on_all);
}

/* --- writing --- */

static void on_written(Call *call, void *userdata) {
        Person *person = userdata;

        call_assert_ok(call);
        person->written++;
        person->load->writes++;
        answered(person);
}

static GVariant *update_args(const char *key, unsigned value) {
        g_autofree char *text = g_strdup_printf("%u", value);
        GVariantBuilder keys;

        g_variant_builder_init(&keys, G_VARIANT_TYPE("a{ss}"));
        g_variant_builder_add(&keys, "{ss}", key, text);
        return g_variant_new("(a{ss}@as@a{sv})", &keys, g_variant_new_strv(NULL, 0), no_options());
}

static void write_key(Person *person) {
        begin(person, person->container, "Container.Update",
              update_args(person->key, person->written + 1), on_written);
}

/* --- making --- */

static void on_job_end(Call *call, void *userdata) {
        Person *person = userdata;

        call_assert_ok(call);
        person->load->jobs++;
        answered(person);
}

static void wait_for_job(Person *person) {
        person->next = NULL;
        begin(person, person->job, "Job.Wait", nothing(), on_job_end);
}

static void on_job(Call *call, void *userdata) {
        Person *person = userdata;

        g_free(person->job);
        person->job = g_strdup(call_get_path(call));
        person->next = wait_for_job;
        answered(person);
}

static void make(Person *person) {
        begin(person, PATH_ROOT, "Manager.CreateContainer",
              world_create_args(strrchr(person->own, '/') + 1, "{}"), on_job);
}

static void start(Person *person) {
        begin(person, person->own, "Container.Start", nothing(), on_job);
}

static void take_away(Person *person) {
        begin(person, person->own, "Container.Delete",
              g_variant_new_parsed("({'force': <true>},)"), on_job);
}

/* --- turns --- */

typedef void (*Turn)(Person *person);

/* Who makes something takes it away again, whatever the time. */
static Turn next_turn(Person *person) {
        static const Turn makes[] = { make, start, take_away };
        static const Turn turns[] = { read_key, read_owner, find,         read_owner,
                                      read_key, write_key,  find_missing, find,
                                      read_key, read_owner };
        bool over = g_get_monotonic_time() >= person->load->end;
        unsigned turn = person->turns;

        if (person->number % ONE_MAKER_IN == 0) {
                turn %= ELEMENTSOF(makes);
                return over && turn == 0 ? NULL : makes[turn];
        }
        if (over)
                return NULL;
        turn += person->number;
        return turn % 101 == 0 ? read_all : turns[turn % ELEMENTSOF(turns)];
}

static void take_turn(Person *person) {
        Turn turn = person->next ?: next_turn(person);

        if (!turn)
                return;
        if (turn != person->next)
                person->turns++;
        turn(person);
}

static Person *person_new(Load *load, unsigned user, unsigned number) {
        Person *person = g_new0(Person, 1);

        person->load = load;
        person->number = number;
        person->client = crowd_new_client(&load->crowd, UID_CROWD + user);
        person->container = g_strdup_printf("/org/berth1/container/u%u", user);
        person->key = g_strdup_printf("user.n%u", number);
        person->own = g_strdup_printf("/org/berth1/container/u%un%u", user, number);
        return person;
}

static void person_free(void *p) {
        Person *person = p;

        (void) client_free(person->client);
        g_free(person->container);
        g_free(person->key);
        g_free(person->own);
        g_free(person->job);
        g_free(person);
}

/* --- the tests --- */

static unsigned long seconds_of_load(void) {
        const char *text = getenv("BERTH_LOAD_SECONDS");

        return text ? strtoul(text, NULL, 10) : SECONDS_DEFAULT;
}

/* Here and in the bus, which inherits it. */
static void allow_fds(void) {
        struct rlimit limit;

        g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
        limit.rlim_cur = limit.rlim_max;
        g_assert_cmpuint(limit.rlim_cur, >, 2 * CROWD_USERS * CONNECTIONS_PER_USER);
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
}

static unsigned long rss_kib(Harness *h) {
        g_autofree char *path = g_strdup_printf("/proc/%d/status", h->service_pid), *text = NULL;
        const char *line;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        line = strstr(text, "VmRSS:");
        g_assert_nonnull(line);
        return strtoul(line + strlen("VmRSS:"), NULL, 10);
}

static void check_gone(const Call *objects, const Person *person) {
        g_autoptr(GVariant) all = NULL, own = NULL;

        g_variant_get(objects->body, "(@a{oa{sa{sv}}})", &all);
        own = g_variant_lookup_value(all, person->own, NULL);
        g_assert_null(own);
}

TEST(a_thousand_callers) {
        g_autoptr(Harness) h = NULL;
        g_autoptr(Call) objects = NULL;
        Load load = { .people = g_ptr_array_new_with_free_func(person_free) };
        unsigned fds;
        gint64 began;
        double seconds;

        allow_fds();
        h = harness_new();
        crowd_begin(&load.crowd, h);
        world_make_image(h);
        for (unsigned user = 0; user < CROWD_USERS; user++) {
                g_autofree char *name = g_strdup_printf("u%u", user);
                g_autoptr(Client) client = client_new(h, UID_CROWD + user);

                g_free(world_make_container(client, name));
        }
        fds = harness_count_fds(h);
        for (unsigned user = 0; user < CROWD_USERS; user++)
                for (unsigned i = 0; i < CONNECTIONS_PER_USER; i++)
                        g_ptr_array_add(load.people, person_new(&load, user, i));
        began = g_get_monotonic_time();
        load.end = began + (gint64) seconds_of_load() * G_USEC_PER_SEC;
        for (guint i = 0; i < load.people->len; i++)
                take_turn(load.people->pdata[i]);
        while (load.under_way > 0)
                crowd_step(&load.crowd);

        seconds = (double) (g_get_monotonic_time() - began) / G_USEC_PER_SEC;
        printf("%u connections, %.1f s: %u calls, %u of them writes, %u jobs; %.0f calls a second, "
               "%lu KiB\n", load.people->len, seconds, load.calls, load.writes, load.jobs,
               load.calls / seconds, rss_kib(h));
        g_assert_cmpuint(load.writes, >, 0);
        g_assert_cmpuint(load.jobs, >, 0);
        g_assert_cmpuint(rss_kib(h), <, RSS_MAX_KIB);
        objects = client_call(h->root, PATH_ROOT,
                              "org.freedesktop.DBus.ObjectManager.GetManagedObjects", NULL);
        call_assert_ok(objects);
        for (guint i = 0; i < load.people->len; i++)
                check_gone(objects, load.people->pdata[i]);
        g_ptr_array_unref(load.people);
        fd_close(load.crowd.epoll);
        g_assert_cmpuint(harness_count_fds(h), ==, fds);
}

/* --- one floods, another one works --- */

#define FLOOD_CONNECTIONS 8U
#define FLOOD_CALLS (48 * FLOOD_CONNECTIONS)

typedef struct Flood {
        bool over;
        unsigned under_way, answers, refusals;
} Flood;

typedef struct Wave {
        Flood *flood;
        Client *client;
        Call *call;
        unsigned number;
} Wave;

static void wave_begin(Wave *wave);

static void on_wave(Call *call, void *userdata) {
        Wave *wave = userdata;

        wave->flood->answers++;
        if (call->error) {
                call_assert_error(call, ERROR_LIMITS_EXCEEDED, NULL);
                wave->flood->refusals++;
        }
        wave->call = call_free(wave->call);
        wave->flood->under_way--;
        if (!wave->flood->over)
                wave_begin(wave);
}

/* What costs the service most: all there is, a record written, a job begun. */
static void wave_begin(Wave *wave) {
        switch (wave->number % 4) {
        case 0:
        case 1:
                wave->call = client_begin(
                        wave->client, PATH_ROOT,
                        "org.freedesktop.DBus.ObjectManager.GetManagedObjects", NULL);
                break;
        case 2:
                wave->call = client_begin(wave->client, "/org/berth1/container/floods",
                                          "Container.Update", update_args("user.a", wave->number));
                break;
        case 3:
                wave->call = client_begin(wave->client, PATH_ROOT, "Manager.OpenImageImport",
                                          g_variant_new("(@a{sv})", no_options()));
        }
        wave->call->on_answer = on_wave;
        wave->call->userdata = wave;
        wave->flood->under_way++;
}

static void leave(void *client) {
        (void) client_free(client);
}

/* How many calls of the flood are answered while somebody else waits for one answer. */
static unsigned outrun(const Flood *flood, Client *client, const char *path, const char *method,
                       GVariant *args) {
        unsigned before = flood->answers;
        g_autoptr(Call) call = client_call(client, path, method, args);

        call_assert_ok(call);
        return flood->answers - before;
}

/* Time is the machine's; that nobody waits behind what others have sent is berthd's. */
TEST(one_floods_another_works) {
        g_autoptr(Harness) h = NULL;
        g_autoptr(Client) alice = NULL;
        g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(leave);
        g_autofree Wave *waves = g_new0(Wave, FLOOD_CALLS);
        Flood flood = { 0 };
        unsigned read, write, make;
        gint64 began;

        allow_fds();
        h = harness_new();
        alice = client_new(h, UID_ALICE);
        world_make_image(h);
        g_free(world_make_container(alice, "calm"));
        for (unsigned i = 0; i < FLOOD_CONNECTIONS; i++)
                g_ptr_array_add(clients, client_new(h, UID_BOB));
        g_free(world_make_container(clients->pdata[0], "floods"));
        harness_plan(h, "image.import", "gate"); /* his jobs do not end */
        for (unsigned i = 0; i < FLOOD_CALLS; i++) {
                waves[i] = (Wave) { &flood, clients->pdata[i % FLOOD_CONNECTIONS], NULL,
                                    i / FLOOD_CONNECTIONS };
                wave_begin(&waves[i]);
        }
        HARNESS_WAIT(h, flood.refusals > 0);

        began = g_get_monotonic_time();
        read = outrun(&flood, alice, "/org/berth1/container/calm", "Container.GetConfig",
                      nothing());
        write = outrun(&flood, alice, "/org/berth1/container/calm", "Container.Update",
                       update_args("user.a", 1));
        make = outrun(&flood, alice, PATH_ROOT, "Manager.CreateContainer",
                      world_create_args("calm2", "{}"));
        printf("%u calls at a time: %u, %u, %u are answered before one of somebody else; %.0f ms "
               "for the three; %u answers, %u of them refusals, %lu KiB\n", FLOOD_CALLS, read,
               write, make, (double) (g_get_monotonic_time() - began) / 1000, flood.answers,
               flood.refusals, rss_kib(h));
        flood.over = true;
        /* Not even those that are there already come first. */
        g_assert_cmpuint(MAX(read, MAX(write, make)), <, FLOOD_CALLS);
        g_assert_cmpuint(rss_kib(h), <, RSS_MAX_KIB);
        HARNESS_WAIT(h, flood.under_way == 0);
}

/* --- turns --- */

#define CALLS_BEFORE 300U
/* Of calls that have been read before: berthd reads some between two that it serves. */
#define CALLS_IN_BETWEEN 16U

static guint64 revision(Client *client) {
        g_autoptr(GVariant) value = client_get(client, "/org/berth1/container/floods", "Revision");

        return g_variant_get_uint64(value);
}

/* All that root wants lies there before alice's call comes, and hers is served nearly first. */
TEST(calls_are_served_in_turn) {
        g_autoptr(GPtrArray) roots = g_ptr_array_new_with_free_func(leave);
        g_autoptr(GPtrArray) calls = g_ptr_array_new_with_free_func(call_free_in_array);
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);
        g_autoptr(Call) look = NULL;
        g_autoptr(GVariant) seen = NULL;
        guint64 before;

        world_make_image(h);
        g_free(world_make_container(h->root, "floods"));
        for (unsigned i = 0; i < 3; i++) {
                g_autoptr(Call) known = NULL;

                g_ptr_array_add(roots, client_new(h, 0));
                known = client_call(roots->pdata[i], PATH_ROOT, "Manager.GetContainer",
                                    g_variant_new("(s)", "floods"));
                call_assert_ok(known);
        }
        before = revision(alice);
        g_assert_cmpint(kill(h->service_pid, SIGSTOP), ==, 0);
        for (unsigned i = 0; i < CALLS_BEFORE; i++)
                g_ptr_array_add(calls, client_begin(roots->pdata[i % roots->len],
                                                    "/org/berth1/container/floods",
                                                    "Container.Update", update_args("user.a", i)));
        /* What the bus answers comes after what it has passed on. */
        for (unsigned i = 0; i < roots->len; i++)
                g_assert_cmpint(sd_bus_call_method(((Client *) roots->pdata[i])->bus,
                                                   "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                                   "org.freedesktop.DBus", "GetId", NULL, NULL,
                                                   NULL), >=, 0);
        look = client_begin(alice, "/org/berth1/container/floods",
                            "org.freedesktop.DBus.Properties.Get",
                            g_variant_new("(ss)", "org.berth1.Container", "Revision"));
        g_assert_cmpint(sd_bus_flush(alice->bus), >=, 0);
        g_assert_cmpint(kill(h->service_pid, SIGCONT), ==, 0);
        (void) call_wait(alice, look);
        call_assert_ok(look);
        g_variant_get(look->body, "(v)", &seen);
        printf("%lu of %u calls were served before hers\n",
               (unsigned long) (g_variant_get_uint64(seen) - before), CALLS_BEFORE);
        g_assert_cmpuint(g_variant_get_uint64(seen) - before, <=, CALLS_IN_BETWEEN);
        for (guint i = 0; i < calls->len; i++) {
                HARNESS_WAIT(h, ((Call *) calls->pdata[i])->answered);
                call_assert_ok(calls->pdata[i]);
        }
        g_assert_cmpuint(revision(alice), ==, before + CALLS_BEFORE);
}

/* --- questions to polkit --- */

static unsigned open_questions(const Harness *h) {
        unsigned n = 0;

        for (guint i = 0; i < h->polkit->questions->len; i++)
                n += !!((const PolkitQuestion *) h->polkit->questions->pdata[i])->message;
        return n;
}

static void answer_all(Harness *h) {
        for (guint i = 0; i < h->polkit->questions->len; i++) {
                PolkitQuestion *q = h->polkit->questions->pdata[i];

                if (q->message)
                        mock_polkit_answer(q, POLKIT_YES);
        }
}

/* One user's questions leave room for others', and those that wait are asked later. */
TEST(questions_of_one_user_are_bounded) {
        g_autoptr(GPtrArray) clients = g_ptr_array_new_with_free_func(leave);
        g_autoptr(GPtrArray) calls = g_ptr_array_new_with_free_func(call_free_in_array);
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autoptr(Call) hers = NULL, passed_on = NULL;
        guint asked;

        world_make_image(h);
        g_free(world_make_container(alice, "calm"));
        asked = h->polkit->questions->len;
        h->polkit->answer = POLKIT_HOLD;
        for (unsigned i = 0; i < 2 * CALLS_PENDING_MAX; i++) {
                if (i % CALLS_PENDING_MAX == 0)
                        g_ptr_array_add(clients, client_new(h, UID_BOB));
                g_ptr_array_add(calls, client_begin(clients->pdata[clients->len - 1],
                                                    "/org/berth1/container/calm",
                                                    "Container.GetConfig", nothing()));
        }
        HARNESS_WAIT(h, h->polkit->questions->len == asked + QUESTIONS_PER_UID_MAX);
        hers = client_begin(alice, "/org/berth1/container/calm", "Container.Update",
                            update_args("user.a", 1));
        HARNESS_WAIT(h, h->polkit->questions->len == asked + QUESTIONS_PER_UID_MAX + 1);
        mock_polkit_answer(mock_polkit_last(h->polkit), POLKIT_YES);
        (void) call_wait(alice, hers);
        call_assert_ok(hers);
        /* What needs nobody's leave goes on for bob as well. */
        passed_on = client_call(bob, PATH_ROOT, "Manager.GetContainer",
                                g_variant_new("(s)", "calm"));
        call_assert_ok(passed_on);
        g_assert_cmpuint(open_questions(h), ==, QUESTIONS_PER_UID_MAX);

        /* Who leaves takes along what was never asked; the rest is, as room is made. */
        (void) client_free(g_ptr_array_steal_index(clients, 1));
        g_ptr_array_set_size(calls, CALLS_PENDING_MAX);
        for (guint i = 0; i < calls->len; i++)
                while (!((Call *) calls->pdata[i])->answered) {
                        g_assert_cmpuint(open_questions(h), <=, QUESTIONS_PER_UID_MAX);
                        answer_all(h);
                        harness_step(h, "the next question, or an answer");
                }
        for (guint i = 0; i < calls->len; i++)
                call_assert_ok(calls->pdata[i]);
        g_assert_cmpuint(h->polkit->questions->len, ==, asked + CALLS_PENDING_MAX + 1);
}

HARNESS_MAIN()
