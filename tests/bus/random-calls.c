/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls that nobody thought of: the introspection of every object is walked, and its methods are
 * called by root and by users with arguments made at random from the signatures. Whatever is asked,
 * there is an answer, errors have a name of the contract, who is refused by polkit changes nothing,
 * and what was there before berthd was killed is there afterwards.
 *
 * BERTH_RANDOM_SEED repeats a run, whose seed is printed; BERTH_RANDOM_CALLS is how many calls a
 * round makes.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/operations.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define CALLS_DEFAULT 400
/* What berthd may need for the few objects of a round, and for the largest argument. */
#define RSS_MAX_KIB (32 * 1024)
#define LONG_TEXT 70000
/* dbus-daemon ends connections that pass more than 16 in a message. */
#define HANDLES_MAX 8

typedef struct Method {
        char *path, *name, *signature; /* of all its arguments, in parentheses */
} Method;

typedef struct Round {
        Harness *h;
        GRand *rand;
        GPtrArray *methods; /* Method */
        int fds[4];
        unsigned n_handles; /* in the arguments that are being made */
        unsigned n_calls;
} Round;

static void method_free(void *p) {
        Method *method = p;

        g_free(method->path);
        g_free(method->name);
        g_free(method->signature);
        g_free(method);
}

/* --- what there is to call --- */

typedef struct Walk {
        Round *round;
        const char *path;
        char *interface, *member;
        GString *signature;
} Walk;

static const char *attribute(const char **names, const char **values, const char *name) {
        for (; *names; names++, values++)
                if (g_str_equal(*names, name))
                        return *values;
        return "";
}

static void on_element(GMarkupParseContext *context, const char *element, const char **names,
                       const char **values, void *userdata, GError **error) {
        Walk *walk = userdata;

        if (g_str_equal(element, "interface")) {
                g_free(walk->interface);
                walk->interface = g_strdup(attribute(names, values, "name"));
        } else if (g_str_equal(element, "method")) {
                walk->member = g_strdup(attribute(names, values, "name"));
                walk->signature = g_string_new("(");
        } else if (g_str_equal(element, "arg") && walk->member &&
                   g_str_equal(attribute(names, values, "direction"), "in"))
                g_string_append(walk->signature, attribute(names, values, "type"));
}

static void on_element_end(GMarkupParseContext *context, const char *element, void *userdata,
                           GError **error) {
        Walk *walk = userdata;
        Method *method;

        if (!g_str_equal(element, "method"))
                return;
        g_string_append_c(walk->signature, ')');
        method = g_new0(Method, 1);
        method->path = g_strdup(walk->path);
        method->name = g_strconcat(walk->interface, ".", walk->member, NULL);
        method->signature = g_string_free(g_steal_pointer(&walk->signature), FALSE);
        g_clear_pointer(&walk->member, g_free);
        /* Afterwards everything is refused: boot.c has a test of its own for it. */
        if (g_str_equal(method->name, "org.berth1.Manager.Shutdown"))
                method_free(method);
        else
                g_ptr_array_add(walk->round->methods, method);
}

static void walk_object(Round *round, const char *path) {
        static const GMarkupParser parser = { on_element, on_element_end, NULL, NULL, NULL };
        g_autoptr(Call) call = client_call(round->h->root, path,
                                           "org.freedesktop.DBus.Introspectable.Introspect", NULL);
        Walk walk = { .round = round, .path = path };
        g_autoptr(GMarkupParseContext) context = NULL;
        g_autoptr(GError) error = NULL;
        const char *xml;

        /* Jobs come and go. */
        if (call->error)
                return;
        g_variant_get(call->body, "(&s)", &xml);
        context = g_markup_parse_context_new(&parser, 0, &walk, NULL);
        if (!g_markup_parse_context_parse(context, xml, -1, &error))
                g_error("The introspection of %s: %s", path, error->message);
        g_free(walk.interface);
}

static GVariant *managed_objects(Harness *h) {
        g_autoptr(Call) call = client_call(h->root, PATH_ROOT,
                                           "org.freedesktop.DBus.ObjectManager.GetManagedObjects",
                                           NULL);

        call_assert_ok(call);
        return g_variant_get_child_value(call->body, 0);
}

static void walk_all(Round *round) {
        g_autoptr(GVariant) objects = managed_objects(round->h);
        GVariantIter iter;
        const char *path;

        g_ptr_array_set_size(round->methods, 0);
        walk_object(round, PATH_ROOT);
        g_variant_iter_init(&iter, objects);
        while (g_variant_iter_next(&iter, "{&o@a{sa{sv}}}", &path, NULL))
                walk_object(round, path);
        g_assert_cmpuint(round->methods->len, >, 0);
}

/* --- arguments --- */

static const char *const words[] = {
        "c1", "c2", "v1", "s1", "fake", "default", "new", "new2", "berthbr0", "root", "eth0", "",
        "..", "../../etc/passwd", "/", "/etc/passwd", "a b", "x\ny", "%s%n", "-", "--help",
        "\xc3\xa4\xe2\x80\xae\xf0\x9f\x90\xb3", "org.berth1.use", "true", "false", "auto", "none",
        "0", "1", "-1", "1GiB", "50%", "99999999999999999999999", "10.0.0.1/24", "fd00::1/64",
        "@daily", "{{ container.name }}", "dir", "btrfs", "bridge", "tcp:127.0.0.1:80", "gzip",
        "force", "timeout", "start", "config", "devices", "profiles", "ephemeral", "description",
        "recursive", "create-dirs", "uid", "gid", "mode", "user", "group", "cwd", "environment",
        "interactive", "size", "pool", "name", "revision", "expires", "stateful", "compression",
        "public", "alias", "aliases", "properties", "type", "disk", "nic", "unix-char", "path",
        "source", "network", "nictype", "parent", "limits.memory", "limits.cpu", "raw.lxc",
        "security.privileged", "security.nesting", "boot.autostart", "user.x", "environment.A",
        "volatile.eth0.hwaddr", "snapshots.schedule", "ipv4.address", "no.such.key",
};

static const char *const bad_paths[] = { "/", "/org/berth1", "/org/berth1/container/none",
                                         "/org/freedesktop/DBus", "/org/berth1/job/x" };

static guint pick(Round *round, guint n) {
        return (guint) g_rand_int_range(round->rand, 0, (gint32) n);
}

static char *make_text(Round *round) {
        switch (pick(round, 40)) {
        case 0:
                return g_strnfill(LONG_TEXT, 'a');
        case 1:
                return g_strconcat(words[pick(round, ELEMENTSOF(words))], "/",
                                   words[pick(round, ELEMENTSOF(words))], NULL);
        default:
                return g_strdup(words[pick(round, ELEMENTSOF(words))]);
        }
}

static guint64 make_number(Round *round) {
        static const guint64 numbers[] = { 0, 1, 2, 9, 15, 255, 1000, 4243, 65536, G_MAXINT32,
                                           G_MAXUINT32, G_MAXINT64, G_MAXUINT64 };

        return numbers[pick(round, ELEMENTSOF(numbers))];
}

static GVariant *make_value(Round *round, const GVariantType *type, unsigned depth);

static GVariant *make_array(Round *round, const GVariantType *type, unsigned depth) {
        const GVariantType *element = g_variant_type_element(type);
        guint n = pick(round, 50) == 0 ? 300 : pick(round, 4);
        GVariantBuilder builder;

        g_variant_builder_init(&builder, type);
        /* Dictionaries with many entries grow by depth. */
        for (guint i = 0; i < (depth > 2 ? MIN(n, 2) : n); i++)
                g_variant_builder_add_value(&builder, make_value(round, element, depth + 1));
        return g_variant_builder_end(&builder);
}

static GVariant *make_members(Round *round, const GVariantType *type, unsigned depth) {
        bool entry = g_variant_type_is_dict_entry(type);
        GVariantBuilder builder;

        g_variant_builder_init(&builder, type);
        for (const GVariantType *t = g_variant_type_first(type); t; t = g_variant_type_next(t))
                g_variant_builder_add_value(&builder, make_value(round, t, depth + !entry));
        return g_variant_builder_end(&builder);
}

static GVariant *make_variant(Round *round, unsigned depth) {
        static const char *const types[] = { "s", "b", "t", "u", "i", "as", "a{ss}", "h",
                                             "a{sa{ss}}", "v", "ay", "d", "o", "(sv)" };
        const char *type = types[depth > 6 ? 0 : pick(round, ELEMENTSOF(types))];

        if (*type == 'h' && round->n_handles++ >= HANDLES_MAX)
                type = "s";
        return g_variant_new_variant(make_value(round, G_VARIANT_TYPE(type), depth + 1));
}

static GVariant *make_object_path(Round *round) {
        const Method *method = g_ptr_array_index(round->methods, pick(round, round->methods->len));

        return g_variant_new_object_path(pick(round, 4) > 0
                                                 ? method->path
                                                 : bad_paths[pick(round, ELEMENTSOF(bad_paths))]);
}

static GVariant *make_value(Round *round, const GVariantType *type, unsigned depth) {
        guint64 n = make_number(round);

        switch (*g_variant_type_peek_string(type)) {
        case 'y':
                return g_variant_new_byte((guchar) n);
        case 'b':
                return g_variant_new_boolean(n & 1);
        case 'n':
                return g_variant_new_int16((gint16) n);
        case 'q':
                return g_variant_new_uint16((guint16) n);
        case 'i':
                return g_variant_new_int32((gint32) n);
        case 'u':
                return g_variant_new_uint32((guint32) n);
        case 'x':
                return g_variant_new_int64((gint64) n);
        case 't':
                return g_variant_new_uint64(n);
        case 'd':
                return g_variant_new_double((double) n / 3);
        case 's':
                return g_variant_new_take_string(make_text(round));
        case 'g':
                return g_variant_new_signature("a{sv}");
        case 'o':
                return make_object_path(round);
        case 'h':
                return g_variant_new_handle((gint32) pick(round, ELEMENTSOF(round->fds)));
        case 'v':
                return make_variant(round, depth);
        case 'a':
                return make_array(round, type, depth);
        case '(':
        case '{':
                return make_members(round, type, depth);
        default:
                g_error("A type that nobody expected: %s", g_variant_type_peek_string(type));
        }
}

/* --- what must hold after each call --- */

static guint64 rss_kib(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/status", (int) pid), *text = NULL;
        const char *line;

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        line = strstr(text, "VmRSS:");
        g_assert_nonnull(line);
        return g_ascii_strtoull(line + strlen("VmRSS:"), NULL, 10);
}

static void check_answer(Round *round, const Method *method, const Client *client,
                         const char *args, const Call *call) {
        if (round->h->service_pid == 0)
                g_error("berthd ended after %s on %s by uid %u with %s", method->name,
                        method->path, client->uid, args);
        if (!call->error)
                return;
        if ((!g_str_has_prefix(call->error, "org.berth1.Error.") &&
             !g_str_has_prefix(call->error, "org.freedesktop.DBus.Error.")) ||
            g_str_equal(call->error, "org.freedesktop.DBus.Error.NoReply") ||
            g_str_equal(call->error, "org.freedesktop.DBus.Error.ServiceUnknown") ||
            !call->message || !*call->message || strlen(call->message) > 4 * LONG_TEXT)
                g_error("%s on %s by uid %u with %s: %s: %s", method->name, method->path,
                        client->uid, args, call->error, call->message);
}

static void call_at_random(Round *round, Client *client) {
        const Method *method = g_ptr_array_index(round->methods, pick(round, round->methods->len));
        const char *path = pick(round, 12) > 0 ? method->path
                                               : bad_paths[pick(round, ELEMENTSOF(bad_paths))];
        g_autoptr(GVariant) args = NULL;
        g_autofree char *text = NULL;
        g_autoptr(Call) call = NULL;

        /* That takes as long as the job does. */
        if (g_str_has_suffix(method->name, "Job.Wait"))
                return;
        round->n_handles = 0;
        args = g_variant_ref_sink(make_value(round, G_VARIANT_TYPE(method->signature), 0));
        text = g_variant_print(args, TRUE);
        call = call_wait(client, client_begin_fds(client, path, method->name, args, round->fds));
        check_answer(round, method, client, text, call);
        round->n_calls++;
}

/* Ends whatever is under way. */
static void settle(Round *round) {
        g_autoptr(GVariant) objects = managed_objects(round->h);
        GVariantIter iter;
        const char *path;

        g_variant_iter_init(&iter, objects);
        while (g_variant_iter_next(&iter, "{&o@a{sa{sv}}}", &path, NULL)) {
                g_autoptr(Call) cancel = NULL, end = NULL;

                if (!g_str_has_prefix(path, PATH_ROOT "/job/"))
                        continue;
                cancel = client_call(round->h->root, path, "Job.Cancel",
                                     g_variant_new("(@a{sv})", no_options()));
                end = client_wait_job(round->h->root, path);
        }
}

static int compare_lines(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Everything that lasts, a line for each object: its path and, where wanted, its properties. */
static GPtrArray *describe(Harness *h, bool with_properties) {
        GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GVariant) objects = managed_objects(h);
        GVariantIter iter;
        GVariant *interfaces;
        const char *path;

        g_variant_iter_init(&iter, objects);
        while (g_variant_iter_next(&iter, "{&o@a{sa{sv}}}", &path, &interfaces)) {
                g_autoptr(GVariant) owned = interfaces;
                g_autofree char *text = with_properties ? g_variant_print(owned, FALSE) : NULL;

                if (!g_str_has_prefix(path, PATH_ROOT "/job/"))
                        g_ptr_array_add(lines, g_strconcat(path, text ? " " : NULL, text, NULL));
        }
        g_ptr_array_sort(lines, compare_lines);
        return lines;
}

static void check_same(const GPtrArray *before, const GPtrArray *after) {
        for (guint i = 0; i < before->len && i < after->len; i++)
                g_assert_cmpstr(before->pdata[i], ==, after->pdata[i]);
        g_assert_cmpuint(before->len, ==, after->len);
}

/* --- rounds --- */

static guint32 round_seed(void) {
        const char *given = getenv("BERTH_RANDOM_SEED");
        guint32 seed = given ? (guint32) g_ascii_strtoull(given, NULL, 10) : g_random_int();

        printf("BERTH_RANDOM_SEED=%u\n", seed);
        (void) fflush(stdout);
        return seed;
}

static unsigned calls_wanted(void) {
        const char *given = getenv("BERTH_RANDOM_CALLS");

        return given ? (unsigned) g_ascii_strtoull(given, NULL, 10) : CALLS_DEFAULT;
}

/* Sockets, files and nothing of ours: what a caller may pass. */
static void open_fds(Round *round) {
        round->fds[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
        round->fds[1] = memfd_create("random-calls", MFD_CLOEXEC);
        round->fds[2] = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        round->fds[3] = world_new_archive("image");
        for (size_t i = 0; i < ELEMENTSOF(round->fds); i++)
                g_assert_cmpint(round->fds[i], >=, 0);
}

static void round_init(Round *round, Harness *h) {
        *round = (Round) { .h = h, .rand = g_rand_new_with_seed(round_seed()) };
        round->methods = g_ptr_array_new_with_free_func(method_free);
        open_fds(round);
        walk_all(round);
}

static void round_done(Round *round) {
        printf("%u calls\n", round->n_calls);
        g_assert_cmpuint(round->n_calls, >, 0);
        for (size_t i = 0; i < ELEMENTSOF(round->fds); i++)
                (void) fd_close(round->fds[i]);
        g_rand_free(round->rand);
        g_ptr_array_unref(round->methods);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Round, round_done)

/* How much a volume holds may be asked by everybody. */
static unsigned count_changing_runs(Harness *h) {
        return harness_count_runs(h, "") - harness_count_runs(h, OPERATION_CONTAINER_USAGE) -
               harness_count_runs(h, OPERATION_VOLUME_USAGE);
}

/* Who is refused whatever he asks for changes nothing, and no worker runs for him. */
TEST(random_calls_that_are_refused) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        g_autoptr(Client) nobody = client_new(h, UID_NOBODY);
        g_autoptr(GPtrArray) before = NULL, after = NULL;
        Client *callers[] = { alice, bob, nobody };
        g_auto(Round) round;
        unsigned runs;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        g_free(world_start_container(alice, "c2"));
        round_init(&round, h);
        before = describe(h, true);
        runs = count_changing_runs(h);
        h->polkit->answer = POLKIT_NO;
        for (unsigned i = 0; i < calls_wanted(); i++)
                call_at_random(&round, callers[pick(&round, ELEMENTSOF(callers))]);
        h->polkit->answer = POLKIT_YES;
        after = describe(h, true);
        check_same(before, after);
        g_assert_cmpuint(count_changing_runs(h), ==, runs);
}

/* Who is granted everything breaks nothing but what he asked for. */
TEST(random_calls_that_are_granted) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);
        Client *callers[] = { alice, bob, h->root };
        g_autoptr(GPtrArray) before = NULL, after = NULL;
        g_auto(Round) round;

        world_make_image(h);
        g_free(world_make_container(alice, "c1"));
        g_free(world_start_container(bob, "c2"));
        round_init(&round, h);
        for (unsigned i = 0; i < calls_wanted(); i++) {
                call_at_random(&round, callers[pick(&round, ELEMENTSOF(callers))]);
                if (i % 50 == 49) {
                        settle(&round);
                        walk_all(&round);
                }
        }
        settle(&round);
        if (!BERTH_SANITIZED) /* their shadow is none of berthd's */
                g_assert_cmpuint(rss_kib(h->service_pid), <, RSS_MAX_KIB);
        before = describe(h, false);
        harness_kill_service(h);
        harness_start_service(h, NULL);
        after = describe(h, false);
        check_same(before, after);
}

HARNESS_MAIN()
