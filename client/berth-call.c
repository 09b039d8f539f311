/* SPDX-License-Identifier: Apache-2.0 */

/*
 * berth-call: one call of the D-Bus interface from a shell script. It knows the short names of
 * objects, takes the types of arguments from introspection, and turns a job into an end and an
 * exit status. What it calls, it does not know: every method of every version works.
 */

#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/call-value.h"
#include "client/format.h"
#include "client/introspection.h"
#include "client/job.h"
#include "client/json.h"
#include "client/variant.h"
#include "service/util/cleanup.h"

typedef struct Invocation {
        Client *client;
        bool json;
        bool no_wait;
        char **words; /* what follows the options */
        int n_words;

        ObjectKind kind;
        char *path;
        const char *member;
        Method *method;
        CallFiles files;
} Invocation;

static void invocation_done(Invocation *i) {
        i->client = client_free(i->client);
        g_clear_pointer(&i->path, g_free);
        g_clear_pointer(&i->method, method_free);
        call_files_done(&i->files);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Invocation, invocation_done)

static void print_help(void) {
        puts("Usage: berth-call [options] [<object>] <method> [<argument>...] [<key>=<value>...]\n"
             "\n"
             "Calls a method of the berth service and waits for the job that it starts.\n"
             "\n"
             "Objects: manager (default), container/NAME, image/ALIAS, profile/NAME,\n"
             "network/NAME, pool/NAME, job/ID, or a D-Bus object path. Besides the methods of\n"
             "the object there are 'Get PROPERTY', 'GetAll' and 'Methods', which lists them.\n"
             "\n"
             "Arguments after '--' are the elements of the method's list, for Exec.\n"
             "\n"
             "Options:\n"
             "      --json                     Print results as JSON\n"
             "      --no-wait                  Print the job instead of waiting for it\n"
             "  -q, --quiet                    Draw no progress\n"
             "      --no-ask-password          Never ask for a password\n"
             "      --debug                    Print each D-Bus call and its time\n"
             "  -h, --help                     Print help\n"
             "      --version                  Print the version");
}

/* Returns 1 to go on, 0 when the answer was printed. */
static int parse_options(Invocation *i, int argc, char **argv, Error *ret_error) {
        enum { OPTION_JSON = 0x100, OPTION_NO_WAIT, OPTION_NO_ASK, OPTION_DEBUG, OPTION_VERSION };
        static const struct option options[] = {
                { "json", no_argument, NULL, OPTION_JSON },
                { "no-wait", no_argument, NULL, OPTION_NO_WAIT },
                { "quiet", no_argument, NULL, 'q' },
                { "no-ask-password", no_argument, NULL, OPTION_NO_ASK },
                { "debug", no_argument, NULL, OPTION_DEBUG },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPTION_VERSION },
                { 0 },
        };
        int value;

        opterr = 0;
        while ((value = getopt_long(argc, argv, "+qh", options, NULL)) != -1) {
                switch (value) {
                case OPTION_JSON:
                        i->json = true;
                        break;
                case OPTION_NO_WAIT:
                        i->no_wait = true;
                        break;
                case 'q':
                        i->client->quiet = true;
                        break;
                case OPTION_NO_ASK:
                        i->client->no_ask_password = true;
                        break;
                case OPTION_DEBUG:
                        i->client->debug = true;
                        break;
                case 'h':
                        print_help();
                        return 0;
                case OPTION_VERSION:
                        puts(BERTH_VERSION);
                        return 0;
                default:
                        return client_usage_error(ret_error, "Unknown option %s",
                                                  argv[optind - 1]);
                }
        }
        i->words = argv + optind;
        i->n_words = argc - optind;
        if (i->n_words == 0)
                return client_usage_error(ret_error, "There is no method to call");
        return 1;
}

static const char *take_word(Invocation *i) {
        if (i->n_words == 0)
                return NULL;
        i->n_words--;
        return *i->words++;
}

static int find_object(Invocation *i, const char *word, Error *ret_error) {
        const char *slash = strchr(word, '/');
        g_autofree char *kind = NULL;

        if (!g_utf8_validate(word, -1, NULL))
                return client_usage_error(ret_error, "The object is not valid UTF-8");
        if (*word == '/') {
                if (g_str_equal(word, BERTH_ROOT_PATH))
                        i->kind = OBJECT_MANAGER;
                else if (!g_variant_is_object_path(word) ||
                         !object_parse_path(word, &i->kind, NULL))
                        return client_usage_error(ret_error, "'%s' is no object of the service",
                                                  word);
                i->path = g_strdup(word);
                return 0;
        }
        kind = g_strndup(word, slash - word);
        i->kind = object_kind_from_word(kind);
        if (i->kind <= OBJECT_MANAGER || i->kind == OBJECT_SNAPSHOT)
                return client_usage_error(ret_error,
                                          "There is no kind of object '%s'; there are container, "
                                          "image, profile, network, pool and job",
                                          kind);
        if (i->kind == OBJECT_IMAGE)
                return client_get_image_path(i->client, slash + 1, &i->path, ret_error);
        return client_object_path(i->kind, slash + 1, &i->path, ret_error);
}

static int read_object_and_member(Invocation *i, Error *ret_error) {
        const char *word = take_word(i);
        int r;

        g_assert(word); /* parse_options() has seen one */
        i->kind = OBJECT_MANAGER;
        if (g_str_equal(word, "manager"))
                word = take_word(i);
        else if (strchr(word, '/')) {
                r = find_object(i, word, ret_error);
                if (r < 0)
                        return r;
                word = take_word(i);
        }
        if (!i->path)
                i->path = g_strdup(BERTH_ROOT_PATH);
        if (!word)
                return client_usage_error(ret_error, "There is no method to call");
        i->member = word;
        return 0;
}

static int introspect(Invocation *i, char **ret, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        int r;

        r = client_connect(i->client, ret_error);
        if (r < 0)
                return r;
        r = connection_call(i->client->connection, i->path, "org.freedesktop.DBus.Introspectable",
                            "Introspect", NULL, &reply, ret_error);
        if (r < 0)
                return r;
        if (!g_variant_is_of_type(reply, G_VARIANT_TYPE("(s)")))
                return error_set(ret_error, ERROR_FAILED, "The introspection data is malformed");
        g_variant_get(reply, "(s)", ret);
        return 0;
}

static int find_method(Invocation *i, Error *ret_error) {
        g_autofree char *xml = NULL, *shown = format_printable(i->member);
        int r;

        r = introspect(i, &xml, ret_error);
        if (r < 0)
                return r;
        r = introspection_find_method(xml, object_kind_to_interface(i->kind), i->member,
                                      &i->method, ret_error);
        if (r < 0)
                return r;
        if (!i->method)
                return client_usage_error(ret_error,
                                          "%s has no method '%s'; 'Methods' lists them",
                                          object_kind_to_interface(i->kind), shown);
        for (size_t j = 0; j < i->method->out->len; j++) {
                const Argument *a = g_ptr_array_index(i->method->out, j);

                if (g_str_equal(a->type, "h"))
                        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                         "%s() returns a file descriptor, which a shell cannot "
                                         "use; call its twin that takes one",
                                         i->member);
        }
        i->files.streams = g_str_has_prefix(i->member, "Exec");
        return 0;
}

/* How the method is called, for the error about a missing argument. */
static char *method_usage(const Invocation *i) {
        g_autoptr(GString) s = g_string_new(i->member);

        for (size_t j = 0; j < i->method->in->len; j++) {
                const Argument *a = g_ptr_array_index(i->method->in, j);

                if (g_str_equal(a->type, "a{sv}"))
                        g_string_append(s, " [<key>=<value>...]");
                else
                        g_string_append_printf(s, " <%s:%s>", a->name, a->type);
        }
        return g_string_free(g_steal_pointer(&s), FALSE);
}

/* The words after "--", which are the elements of the list argument; NULL when there are none. */
static GVariant *take_tail(Invocation *i) {
        for (int j = 0; j < i->n_words; j++) {
                GVariant *tail;

                if (!g_str_equal(i->words[j], "--"))
                        continue;
                tail = g_variant_new_strv((const char *const *) i->words + j + 1,
                                          i->n_words - j - 1);
                i->n_words = j;
                return g_variant_ref_sink(tail);
        }
        return NULL;
}

static int read_options(Invocation *i, GVariant **ret, Error *ret_error) {
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_auto(GVariantBuilder) b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        while (i->n_words > 0) {
                g_autoptr(GVariant) value = NULL;
                char *key;
                int r;

                r = call_option_parse(take_word(i), &i->files, &key, &value, ret_error);
                if (r < 0)
                        return r;
                g_variant_builder_add(&b, "{sv}", key, value);
                if (!g_hash_table_add(seen, key))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "An option is given twice");
        }
        *ret = variant_seal(g_variant_builder_end(&b));
        return 0;
}

static bool words_are_utf8(const Invocation *i) {
        for (int j = 0; j < i->n_words; j++)
                if (!g_utf8_validate(i->words[j], -1, NULL) && !strchr(i->words[j], '/'))
                        return false;
        return true;
}

static int read_arguments(Invocation *i, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) tail = NULL;
        g_auto(GVariantBuilder) b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_TUPLE);
        if (!words_are_utf8(i))
                return client_usage_error(ret_error, "An argument is not valid UTF-8");
        tail = take_tail(i);
        for (size_t j = 0; j < i->method->in->len; j++) {
                const Argument *a = g_ptr_array_index(i->method->in, j);
                g_autoptr(GVariant) value = NULL;
                const char *name = a->name, *word;
                int r;

                if (tail && g_str_equal(a->type, "as")) {
                        g_variant_builder_add_value(&b, tail);
                        g_clear_pointer(&tail, g_variant_unref);
                        continue;
                }
                if (g_str_equal(a->type, "a{sv}") && j + 1 == i->method->in->len)
                        r = read_options(i, &value, ret_error);
                else {
                        word = take_word(i);
                        if (!word) {
                                g_autofree char *usage = method_usage(i);

                                return client_usage_error(ret_error,
                                                          "The argument '%s' is missing: %s",
                                                          name, usage);
                        }
                        /* The one method that writes to its archive. */
                        if (g_str_equal(a->type, "h") && g_str_equal(i->member, "Export"))
                                name = "output";
                        r = call_value_parse(a->type, name, word, &i->files, &value, ret_error);
                }
                if (r < 0)
                        return r;
                g_variant_builder_add_value(&b, value);
        }
        if (i->n_words > 0 || tail)
                return client_usage_error(ret_error, "'%s' is one argument too many",
                                          i->n_words > 0 ? *i->words : "--");
        *ret = variant_seal(g_variant_builder_end(&b));
        return 0;
}

static void print_results(const Invocation *i, GVariant *reply, size_t first) {
        size_t n = g_variant_n_children(reply);

        if (i->json) {
                g_autofree char *text = NULL;
                GVariantBuilder b;

                if (n - first == 1) {
                        g_autoptr(GVariant) only = g_variant_get_child_value(reply, first);

                        text = json_from_variant(only, false);
                        puts(text);
                        return;
                }
                if (n == first)
                        return;
                g_variant_builder_init(&b, G_VARIANT_TYPE_TUPLE);
                for (size_t j = first; j < n; j++) {
                        g_autoptr(GVariant) child = g_variant_get_child_value(reply, j);

                        g_variant_builder_add_value(&b, child);
                }
                {
                        g_autoptr(GVariant) all = variant_seal(g_variant_builder_end(&b));

                        text = json_from_variant(all, false);
                }
                puts(text);
                return;
        }
        for (size_t j = first; j < n; j++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(reply, j);

                call_value_print(child);
        }
}

/* What a job made, where the reply to the call could not tell yet. */
static int print_objects(const Invocation *i, Job *job, Error *ret_error) {
        g_autoptr(GVariant) objects = NULL;
        g_autofree char *json = NULL;
        int r;

        r = job_get_objects(job, &objects, ret_error);
        if (r < 0)
                return r;
        if (g_variant_n_children(objects) == 1) {
                const char *path;

                g_variant_get_child(objects, 0, "&o", &path);
                if (g_str_equal(path, i->path))
                        return 0;
        }
        if (!i->json) {
                call_value_print(objects);
                return 0;
        }
        json = json_from_variant(objects, false);
        puts(json);
        return 0;
}

static int call_job(Invocation *i, GVariant *arguments, Error *ret_error) {
        bool exec = g_str_has_prefix(i->member, "Exec");
        g_autoptr(Job) job = NULL;
        int r, status;

        r = job_start(i->client, i->kind, i->path, i->member, arguments, &job, ret_error);
        call_files_close_sent(&i->files);
        if (r < 0)
                return r;
        if (i->no_wait) {
                print_results(i, job_get_reply(job), 0);
                return 0;
        }
        job_set_relay(job, i->files.relay);
        if (exec)
                job_set_signals(job, JOB_SIGNALS_FORWARD);
        r = job_wait(job, ret_error);
        relay_drain(i->files.relay);
        if (r < 0)
                return r;
        if (exec) {
                r = job_get_exit_status(job, &status, ret_error);
                return r < 0 ? r : status;
        }
        if (g_variant_n_children(job_get_reply(job)) > 1) {
                print_results(i, job_get_reply(job), 1);
                return 0;
        }
        return print_objects(i, job, ret_error);
}

static int call_method(Invocation *i, Error *ret_error) {
        g_autoptr(GVariant) arguments = NULL, reply = NULL;
        const Argument *first;
        int r;

        r = find_method(i, ret_error);
        if (r < 0)
                return r;
        r = read_arguments(i, &arguments, ret_error);
        if (r < 0)
                return r;
        (void) signal(SIGPIPE, SIG_IGN);
        first = i->method->out->len > 0 ? g_ptr_array_index(i->method->out, 0) : NULL;
        if (first && g_str_equal(first->name, "job") && g_str_equal(first->type, "o"))
                return call_job(i, arguments, ret_error);
        r = client_call(i->client, i->kind, i->path, i->member, arguments, "r", &reply, ret_error);
        if (r < 0)
                return r;
        print_results(i, reply, 0);
        return 0;
}

static int call_properties(Invocation *i, Error *ret_error) {
        const char *interface = object_kind_to_interface(i->kind);
        g_autoptr(GVariant) reply = NULL, arguments = NULL;
        bool all = g_str_equal(i->member, "GetAll");
        int r;

        if (i->n_words != (all ? 0 : 1))
                return client_usage_error(ret_error, all ? "GetAll takes no arguments"
                                                         : "Get takes the name of a property");
        if (!all && !g_utf8_validate(i->words[0], -1, NULL))
                return client_usage_error(ret_error, "The property is not valid UTF-8");
        arguments = g_variant_ref_sink(all ? g_variant_new("(s)", interface)
                                           : g_variant_new("(ss)", interface, i->words[0]));
        r = client_connect(i->client, ret_error);
        if (r < 0)
                return r;
        r = connection_call(i->client->connection, i->path, "org.freedesktop.DBus.Properties",
                            i->member, arguments, &reply, ret_error);
        if (r < 0)
                return r;
        print_results(i, reply, 0);
        return 0;
}

static int list_methods(Invocation *i, Error *ret_error) {
        g_autoptr(GPtrArray) names = NULL;
        g_autofree char *xml = NULL;
        int r;

        r = introspect(i, &xml, ret_error);
        if (r < 0)
                return r;
        r = introspection_list_methods(xml, object_kind_to_interface(i->kind), &names, ret_error);
        if (r < 0)
                return r;
        for (size_t j = 0; j < names->len; j++) {
                g_autofree char *usage = NULL;

                i->member = g_ptr_array_index(names, j);
                g_clear_pointer(&i->method, method_free);
                r = introspection_find_method(xml, object_kind_to_interface(i->kind), i->member,
                                              &i->method, ret_error);
                if (r < 0)
                        return r;
                usage = method_usage(i);
                puts(usage);
        }
        return 0;
}

static int run(Invocation *i, Error *ret_error) {
        int r;

        r = read_object_and_member(i, ret_error);
        if (r < 0)
                return r;
        if (g_str_equal(i->member, "Get") || g_str_equal(i->member, "GetAll"))
                return call_properties(i, ret_error);
        if (g_str_equal(i->member, "Methods") && i->n_words == 0)
                return list_methods(i, ret_error);
        return call_method(i, ret_error);
}

int main(int argc, char **argv) {
        g_auto(Invocation) i = { 0 };
        g_auto(Error) e = ERROR_INIT;
        int r;

        (void) setlocale(LC_ALL, "");
        i.client = client_new(NULL);
        call_files_init(&i.files);
        r = parse_options(&i, argc, argv, &e);
        if (r > 0)
                r = run(&i, &e);
        if (r >= 0 && fflush(stdout) != 0) {
                fprintf(stderr, "Error: Cannot write to standard output: %s\n", strerror(errno));
                return EXIT_FAILURE;
        }
        if (r >= 0)
                return r;
        fprintf(stderr, "Error: %s\n", e.message);
        return error_code_to_exit_status(e.code);
}
