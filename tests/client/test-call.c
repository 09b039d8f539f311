/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/call-value.h"
#include "tests/client/fixture.h"
#include "tests/unit/test.h"

TEST(properties_are_read) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) state = RUN(f, 0, "berth-call", "container/c1", "Get", "State");
        g_autoptr(Run) list = RUN(f, 0, "berth-call", "container/c1", "Get", "Profiles");
        g_autoptr(Run) all = RUN(f, 0, "berth-call", "image/busybox", "GetAll"), version = NULL;
        g_autoptr(Run) json = NULL;

        g_assert_cmpstr(state->out, ==, "running\n");
        g_assert_cmpstr(list->out, ==, "default\n");
        EXPECT_OUT(all, "Aliases=[\"busybox\"]\n");
        EXPECT_OUT(all, "Size=19\n");
        version = RUN(f, 0, "berth-call", "Get", "Version");
        g_assert_cmpstr(version->out, ==, "9.9.9\n");
        json = RUN(f, 0, "berth-call", "--json", "container/c1", "Get", "Profiles");
        g_assert_cmpstr(json->out, ==, "[\"default\"]\n");
        RUN_ONLY(f, 2, "berth-call", "container/c1", "Get");
        RUN_ONLY(f, 1, "berth-call", "container/c1", "Get", "Nonsense");
}

TEST(jobs_are_waited_for) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) start = RUN(f, 0, "berth-call", "container/c2", "Start"), made = NULL;
        g_autoptr(Run) broken = NULL, job = NULL;

        g_assert_cmpstr(start->out, ==, "");
        made = RUN(f, 0, "berth-call", "manager", "CreateContainer", "x1", "busybox",
                   "start=true", "profiles=default", "config=limits.cpu=2,a=b");
        g_assert_cmpstr(made->out, ==, "/org/berth1/container/x1\n");
        fixture_expect_log(f, "'start': <true>");
        fixture_expect_log(f, "'config': <{'limits.cpu': '2', 'a': 'b'}>");
        broken = RUN(f, 1, "berth-call", "container/broken", "Start");
        EXPECT_ERR(broken, "no init in its root");
        job = RUN(f, 0, "berth-call", "--no-wait", "container/x1", "Stop", "force=true",
                  "timeout=5");
        EXPECT_OUT(job, "/org/berth1/job/");
        fixture_expect_log(f, "'force': <true>");
        fixture_expect_log(f, "'timeout': <uint64 5>");
}

TEST(arguments_have_the_types_of_introspection) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) config = NULL, methods = NULL, missing = NULL;

        RUN_ONLY(f, 0, "berth-call", "container/c1", "Update", "a=1,b=x\\,y", "limits.cpu",
                 "description=12", "ephemeral=true");
        fixture_expect_log(f, "({'a': '1', 'b': 'x,y'}, ['limits.cpu'], {");
        fixture_expect_log(f, "'description': <'12'>");
        config = RUN(f, 0, "berth-call", "container/c1", "GetConfig");
        EXPECT_OUT(config, "b=x,y\n");
        RUN_ONLY(f, 0, "berth-call", "container/c1", "Update", "", "",
                 "devices={'eth0': {'type': 'none'}}");
        fixture_expect_log(f, "'devices': <{'eth0': {'type': 'none'}}>");
        RUN_ONLY(f, 0, "berth-call", "container/c1", "GetConfig", "expanded=true");
        methods = RUN(f, 0, "berth-call", "profile/default", "Methods");
        EXPECT_OUT(methods, "Rename <name:s> [<key>=<value>...]\n");
        missing = RUN(f, 2, "berth-call", "CreateContainer", "x1");
        EXPECT_ERR(missing, "The argument 'image' is missing: CreateContainer <name:s> <image:s>");
}

TEST(unknown_options_are_guessed_or_told) {
        g_autoptr(Fixture) f = fixture_new();

        RUN_ONLY(f, 0, "berth-call", "container/c2", "Start", "new=true", "some=12", "text=word",
                 "wide:u=3", "list:as=a,b");
        fixture_expect_log(f, "'new': <true>");
        fixture_expect_log(f, "'some': <uint64 12>");
        fixture_expect_log(f, "'text': <'word'>");
        fixture_expect_log(f, "'wide': <uint32 3>");
        fixture_expect_log(f, "'list': <['a', 'b']>");
        RUN_ONLY(f, 2, "berth-call", "container/c2", "Stop", "force=perhaps");
        RUN_ONLY(f, 2, "berth-call", "container/c2", "Stop", "force=true", "force=true");
        RUN_ONLY(f, 2, "berth-call", "container/c2", "Stop", "x:!!=1");
}

TEST(wrong_words_are_refused) {
        static const char *const cases[][5] = {
                { "berth-call" },
                { "berth-call", "container/c1" },
                { "berth-call", "ship/c1", "Start" },
                { "berth-call", "container/c1", "Nonsense" },
                { "berth-call", "container/c1", "Start", "nonsense" },
                { "berth-call", "--nonsense", "Start" },
                { "berth-call", "/org/other", "Start" },
                { "berth-call", "container/\377", "Start" },
        };
        g_autoptr(Fixture) f = fixture_new();

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
                run_free(run_check(fixture_run_words(f, NULL, cases[i]), 2, __LINE__));
        RUN_ONLY(f, 4, "berth-call", "container/nope", "Start");
        RUN_ONLY(f, 4, "berth-call", "image/nope", "Delete");
        RUN_ONLY(f, 3, "berth-call", "container/foreign", "Start");
        RUN_ONLY(f, 1, "berth-call", "container/c1", "ExecTerminal", "--", "true");
}

TEST(programs_run_with_streams) {
        g_autoptr(Fixture) f = fixture_new();
        g_autoptr(Run) r = NULL, file = NULL;
        g_autofree char *path = NULL, *text = NULL;

        r = run_check(fixture_run(f, "input", "berth-call", "container/c1", "Exec", "stdin=-",
                                  "stdout=-", "stderr=-", "environment=A=b", "--", "sh", "-c",
                                  "cat; echo $A >&2; exit 6", NULL),
                      6, __LINE__);
        g_assert_cmpstr(r->out, ==, "input");
        g_assert_cmpstr(r->err, ==, "b\n");
        file = RUN(f, 0, "berth-call", "container/c1", "Exec", "stdout=out", "--", "echo", "hello");
        path = fixture_path(f, "out");
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_cmpstr(text, ==, "hello\n");
        /* A pipe full: some of it is still there when the program has ended. */
        for (int i = 0; i < 20; i++) {
                g_autofree char *whole = NULL;
                gsize size;

                RUN_ONLY(f, 0, "berth-call", "container/c1", "Exec", "stdout=out", "--", "head",
                         "-c", "65536", "/dev/zero");
                g_assert_true(g_file_get_contents(path, &whole, &size, NULL));
                g_assert_cmpuint(size, ==, 65536);
        }
        RUN_ONLY(f, 127, "berth-call", "container/c1", "Exec", "no-such-program");
}

TEST(archives_come_and_go_as_files) {
        g_autoptr(Fixture) f = fixture_new();
        g_autofree char *path = fixture_path(f, "out"), *text = NULL;
        g_autoptr(Run) import = NULL, export = NULL, piped = NULL;

        fixture_write(f, "i.tar", "an archive");
        import = RUN(f, 0, "berth-call", "ImportImage", "i.tar", "aliases=one,two",
                     "properties=os=x");
        EXPECT_OUT(import, "/org/berth1/image/");
        fixture_expect_log(f, "'aliases': <['one', 'two']>");
        RUN_ONLY(f, 0, "berth-call", "image/one", "Export", "out");
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_cmpstr(text, ==, "an archive");
        export = RUN(f, 0, "berth-call", "image/two", "Export", "-");
        g_assert_cmpstr(export->out, ==, "an archive");
        piped = run_check(fixture_run(f, "piped", "berth-call", "ImportImage", "-", NULL), 0,
                          __LINE__);
        RUN_ONLY(f, 1, "berth-call", "ImportImage", "no-such-file");
}

/* The options that the interfaces document: "NAME" TYPE after "@options:". */
TEST(every_documented_option_has_its_type) {
        g_autoptr(GRegex) option = g_regex_new("\"([a-z-]+)\" (?!as for )([a-z(){}]+)", 0, 0, NULL);
        const char *directory = g_getenv("TEST_INTROSPECTION"), *file;
        g_autoptr(GDir) files = g_dir_open(directory, 0, NULL);
        size_t n = 0;

        g_assert_nonnull(files);
        while ((file = g_dir_read_name(files))) {
                g_autofree char *path = g_build_filename(directory, file, NULL), *xml = NULL;

                if (!g_str_has_suffix(file, ".xml"))
                        continue;
                g_assert_true(g_file_get_contents(path, &xml, NULL, NULL));
                for (char *at = strstr(xml, "@options:"); at; at = strstr(at + 1, "@options:")) {
                        /* Up to the next argument or the end of the paragraph. */
                        size_t length = strcspn(at + 1, "@");
                        char *blank = strstr(at, "\n\n");
                        g_autoptr(GMatchInfo) match = NULL;
                        g_autofree char *text = NULL;

                        if (blank && (size_t) (blank - at) < length)
                                length = blank - at;
                        text = g_strndup(at, length);
                        for (g_regex_match(option, text, 0, &match); g_match_info_matches(match);
                             g_match_info_next(match, NULL)) {
                                g_autofree char *name = g_match_info_fetch(match, 1);
                                g_autofree char *type = g_match_info_fetch(match, 2);

                                if (!g_variant_type_string_is_valid(type))
                                        continue;
                                if (g_strcmp0(call_option_type(name), type) != 0)
                                        g_error("%s documents option '%s' as '%s', berth-call has "
                                                "'%s'", file, name, type,
                                                call_option_type(name) ?: "none");
                                n++;
                        }
                }
        }
        g_assert_cmpint(n, >, 20);
}

TEST_MAIN()
