/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Records of decisions: one for each call that takes a privilege, whatever came of it, and no
 * secret in it. The journal is a socket of the test's own.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/bus/bus.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "tests/bus/mock-polkit.h"
#include "tests/bus/world.h"

#define CONTAINER "/org/berth1/container/c1"
#define SECRET "hunter2"

static int open_journal(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX,
                                       .sun_path = "/run/systemd/journal/socket" };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        g_assert_cmpint(fd, >=, 0);
        /* In the mount namespace that all tests of the bus have to themselves. */
        g_assert_cmpint(mount("tmpfs", "/run", "tmpfs", 0, "mode=755"), ==, 0);
        g_assert_cmpint(path_make_dirs("/run/systemd/journal", 0755), ==, 0);
        g_assert_cmpint(bind(fd, (const struct sockaddr *) &address, sizeof(address)), ==, 0);
        return fd;
}

/* The records that have come since, each a table of fields. */
static GPtrArray *read_records(int journal) {
        GPtrArray *records = g_ptr_array_new_with_free_func((GDestroyNotify) g_hash_table_unref);
        char text[65536];
        ssize_t n;

        while ((n = recv(journal, text, sizeof(text) - 1, 0)) > 0) {
                GHashTable *fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
                g_auto(GStrv) lines = NULL;

                text[n] = '\0';
                lines = g_strsplit(text, "\n", -1);
                for (char **line = lines; *line; line++) {
                        char *equals = strchr(*line, '=');

                        g_assert_true(equals || !**line);
                        if (equals)
                                g_hash_table_replace(fields,
                                                     g_strndup(*line, (gsize) (equals - *line)),
                                                     g_strdup(equals + 1));
                }
                if (strstr(text, SECRET))
                        g_error("a secret is in the journal: %s", text);
                if (g_hash_table_contains(fields, "BERTH_RESULT"))
                        g_ptr_array_add(records, fields);
                else
                        g_hash_table_unref(fields);
        }
        return records;
}

static void check_field(GHashTable *record, const char *name, const char *value) {
        g_assert_cmpstr(g_hash_table_lookup(record, name), ==, value);
}

/* Exactly one record has come, and says this. `action` NULL: none was settled. */
static void expect(int journal, const char *uid, const char *method, const char *action,
                   const char *result) {
        g_autoptr(GPtrArray) records = read_records(journal);
        g_autofree char *id = action ? g_strconcat("org.berth1.", action, NULL) : NULL;
        GHashTable *record;

        if (records->len != 1)
                g_error("%s by %s: %u records", method, uid, records->len);
        record = g_ptr_array_index(records, 0);
        check_field(record, "BERTH_UID", uid);
        check_field(record, "BERTH_METHOD", method);
        check_field(record, "BERTH_ACTION", id);
        check_field(record, "BERTH_RESULT", result);
        check_field(record, "SYSLOG_IDENTIFIER", "berthd");
        check_field(record, "PRIORITY", g_str_equal(result, "granted") ? "6" : "5");
        g_assert_nonnull(g_hash_table_lookup(record, "BERTH_SENDER"));
        g_assert_nonnull(g_hash_table_lookup(record, "BERTH_OBJECT"));
        g_assert_nonnull(g_hash_table_lookup(record, "MESSAGE_ID"));
}

static void expect_nothing(int journal) {
        g_autoptr(GPtrArray) records = read_records(journal);

        g_assert_cmpuint(records->len, ==, 0);
}

static void run_exec(Client *client) {
        g_autoptr(Call) call = client_run_job(
                client, CONTAINER, "Container.Exec",
                g_variant_new_parsed("(['login', '" SECRET "'],"
                                     " {'environment': <['PASSWORD=" SECRET "']>})"));
        (void) call;
}

static Call *get_config(Client *client) {
        return client_call(client, CONTAINER, "Container.GetConfig",
                           g_variant_new("(@a{sv})", no_options()));
}

static void check_grants(Harness *h, Client *alice, Client *bob, int journal) {
        g_autoptr(Call) read = NULL, own = NULL, root = NULL, public = NULL;

        g_free(world_start_container(alice, "c1"));
        g_ptr_array_unref(read_records(journal));
        run_exec(alice);
        expect(journal, "4242", "Container.Exec", "use", "granted");
        read = get_config(bob);
        call_assert_ok(read);
        expect(journal, "4243", "Container.GetConfig", "enter", "granted");
        root = client_call(h->root, PATH_ROOT, "Manager.CreateProfile",
                           g_variant_new_parsed("('p1', @a{sv} {})"));
        call_assert_ok(root);
        expect(journal, "0", "Manager.CreateProfile", "manage-profiles", "granted");
        /* What nobody is asked about is no decision. */
        own = get_config(alice);
        call_assert_ok(own);
        public = client_call(bob, PATH_ROOT, "Manager.GetContainer", g_variant_new("(s)", "c1"));
        call_assert_ok(public);
        expect_nothing(journal);
}

/* What nobody could grant is refused before polkit is asked. */
static void check_refusal_of_our_own(Client *alice, Client *bob, int journal) {
        g_autoptr(Call) call = NULL;

        g_free(world_make_container(alice, "target"));
        g_ptr_array_unref(read_records(journal));
        call = client_call(bob, CONTAINER, "Container.Copy",
                           g_variant_new_parsed("('target', {'refresh': <true>})"));
        call_assert_error(call, ERROR_ACCESS_DENIED, "only its owner");
        expect(journal, "4243", "Container.Copy", NULL, "denied");
}

static void check_refusals(Harness *h, Client *bob, int journal) {
        static const struct {
                PolkitAnswer answer;
                const char *result;
        } cases[] = {
                { POLKIT_NO, "denied" },
                { POLKIT_CHALLENGE, "challenge" },
                { POLKIT_ERROR, "denied" },
                { POLKIT_GARBAGE, "denied" },
        };
        g_autoptr(Client) nobody = client_new(h, UID_NOBODY);
        g_autoptr(Call) refused = NULL;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(Call) call = NULL;

                h->polkit->answer = cases[i].answer;
                call = get_config(bob);
                g_assert_nonnull(call->error);
                expect(journal, "4243", "Container.GetConfig", "enter", cases[i].result);
        }
        refused = get_config(nobody);
        call_assert_error(refused, ERROR_ACCESS_DENIED, "");
        expect(journal, "65534", "Container.GetConfig", NULL, "denied");
}

static void check_vanished(Harness *h, int journal) {
        Client *bob = client_new(h, UID_BOB);
        guint asked = h->polkit->questions->len, cancelled = h->polkit->cancelled->len;
        Call *call;

        h->polkit->answer = POLKIT_HOLD;
        call = client_begin(bob, CONTAINER, "Container.GetConfig",
                            g_variant_new("(@a{sv})", no_options()));
        HARNESS_WAIT(h, h->polkit->questions->len > asked);
        (void) client_free(bob);
        HARNESS_WAIT(h, h->polkit->cancelled->len > cancelled);
        (void) call_free(call);
        expect(journal, "4243", "Container.GetConfig", "enter", "withdrawn");
}

/* That a worker was refused something is the job's end, not what anybody decided about a call. */
static void check_jobs(Harness *h, Client *alice, int journal) {
        g_autofree char *job = NULL;
        g_autoptr(Call) first = NULL, second = NULL;

        harness_plan(h, "storage.container-create",
                     "error org.freedesktop.DBus.Error.AccessDenied The disk says no");
        job = client_start_job(alice, PATH_ROOT, "Manager.CreateContainer",
                               world_create_args("c2", "{}"));
        first = client_wait_job(alice, job);
        call_assert_error(first, ERROR_ACCESS_DENIED, "The disk says no");
        expect(journal, "4242", "Manager.CreateContainer", "use", "granted");
        second = client_wait_job(alice, job);
        call_assert_error(second, ERROR_ACCESS_DENIED, "The disk says no");
        expect_nothing(journal);
}

TEST(every_decision_is_recorded_once) {
        _cleanup_close_ int journal = open_journal();
        g_autoptr(Harness) h = harness_new_idle();
        g_autoptr(Client) alice = client_new(h, UID_ALICE), bob = client_new(h, UID_BOB);

        (void) setenv("JOURNAL_STREAM", "1:1", 1);
        harness_start_service(h, NULL);
        (void) unsetenv("JOURNAL_STREAM");
        world_make_image(h);
        check_grants(h, alice, bob, journal);
        check_refusal_of_our_own(alice, bob, journal);
        check_jobs(h, alice, journal);
        check_refusals(h, bob, journal);
        check_vanished(h, journal);
        g_assert_cmpint(umount2("/run", MNT_DETACH), ==, 0);
}

/* Where there is no journal the same is a line of the log. */
TEST(without_a_journal_it_is_a_line) {
        g_autoptr(Harness) h = harness_new_idle();
        g_autoptr(Client) bob = client_new(h, UID_BOB);
        g_autofree char *path = g_build_filename(h->dir, "log", NULL), *text = NULL;
        _cleanup_close_ int old = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
        _cleanup_close_ int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        g_autoptr(Call) call = NULL;

        g_assert_cmpint(old, >=, 0);
        g_assert_cmpint(dup2(log, STDERR_FILENO), >=, 0);
        harness_start_service(h, NULL);
        g_assert_cmpint(dup2(old, STDERR_FILENO), >=, 0);
        h->polkit->answer = POLKIT_NO;
        call = client_call(bob, PATH_ROOT, "Manager.CreateProfile",
                           g_variant_new_parsed("('p1', @a{sv} {})"));
        g_assert_nonnull(call->error);
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_nonnull(strstr(text, "Decision: uid 4243, Manager.CreateProfile on /org/berth1: "
                                      "denied, org.berth1.manage-profiles"));
}

HARNESS_MAIN()
