/* SPDX-License-Identifier: Apache-2.0 */

/*
 * introspection/ is the contract, the tables of service/bus are what is enforced, polkit/ is what
 * an administrator sees: here they are compared with each other and with what berthd says of
 * itself on the bus.
 */

#include <string.h>

#include "service/bus/bus.h"
#include "service/bus/path.h"
#include "service/util/cleanup.h"
#include "tests/bus/world.h"

/* One interface of an introspection document, as lines that can be compared. */
typedef struct Interface {
        const char *wanted;
        bool inside;
        GPtrArray *lines;     /* "method Start(in a{sv} options, out o job)", sorted */
        GHashTable *comments; /* method name -> the comment above it */
        GString *line;        /* member that is being read */
        char *member, *comment, *emits;
        bool is_property;
} Interface;

static Interface *interface_free(Interface *i) {
        g_ptr_array_unref(i->lines);
        g_hash_table_unref(i->comments);
        if (i->line)
                g_string_free(i->line, TRUE);
        g_free(i->member);
        g_free(i->comment);
        g_free(i->emits);
        g_free(i);
        return NULL;
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Interface, interface_free)

static const char *attribute(const char **names, const char **values, const char *name) {
        for (; *names; names++, values++)
                if (g_str_equal(*names, name))
                        return *values;
        return "";
}

static void read_annotation(Interface *i, const char *name, const char *value) {
        if (g_str_equal(name, "org.freedesktop.DBus.Property.EmitsChangedSignal")) {
                g_free(i->emits);
                i->emits = g_strdup(value);
        } else if (!g_str_has_prefix(name, "org.qtproject.")) /* for generators of Qt code only */
                g_string_append_printf(i->line, " %s=%s", name, value);
}

static void begin_member(Interface *i, const char *element, const char **names,
                         const char **values) {
        g_free(i->member);
        i->member = g_strdup(attribute(names, values, "name"));
        i->line = g_string_new(NULL);
        i->is_property = g_str_equal(element, "property");
        g_string_append_printf(i->line, "%s %s", element, i->member);
        if (i->is_property) {
                g_string_append_printf(i->line, " %s %s", attribute(names, values, "type"),
                                       attribute(names, values, "access"));
                i->emits = g_strdup("true"); /* the default, by the D-Bus specification */
        } else if (g_str_equal(element, "method") && i->comment)
                g_hash_table_insert(i->comments, g_strdup(i->member), TAKE_PTR(i->comment));
}

static void on_start(GMarkupParseContext *context, const char *element, const char **names,
                     const char **values, void *userdata, GError **error) {
        Interface *i = userdata;

        if (g_str_equal(element, "interface"))
                i->inside = g_str_equal(attribute(names, values, "name"), i->wanted);
        else if (!i->inside)
                return;
        else if (g_str_equal(element, "arg"))
                g_string_append_printf(i->line, " (%s %s %s)",
                                       attribute(names, values, "direction"),
                                       attribute(names, values, "type"),
                                       attribute(names, values, "name"));
        else if (g_str_equal(element, "annotation"))
                read_annotation(i, attribute(names, values, "name"),
                                attribute(names, values, "value"));
        else
                begin_member(i, element, names, values);
}

static void on_end(GMarkupParseContext *context, const char *element, void *userdata,
                   GError **error) {
        Interface *i = userdata;

        if (g_str_equal(element, "interface"))
                i->inside = false;
        if (!i->inside || g_str_equal(element, "arg") || g_str_equal(element, "annotation"))
                return;
        if (i->is_property)
                g_string_append_printf(i->line, " emits %s", i->emits);
        g_clear_pointer(&i->emits, g_free);
        g_ptr_array_add(i->lines, g_string_free(TAKE_PTR(i->line), FALSE));
}

static void on_passthrough(GMarkupParseContext *context, const char *text, gsize size,
                           void *userdata, GError **error) {
        Interface *i = userdata;

        g_free(i->comment);
        i->comment = g_strndup(text, size);
}

static int compare_lines(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static Interface *interface_parse(const char *xml, const char *name) {
        static const GMarkupParser parser = {
                .start_element = on_start,
                .end_element = on_end,
                .passthrough = on_passthrough,
        };
        g_autoptr(Interface) i = g_new0(Interface, 1);
        g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, i, NULL);
        g_autoptr(GError) error = NULL;

        i->wanted = name;
        i->lines = g_ptr_array_new_with_free_func(g_free);
        i->comments = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        (void) g_markup_parse_context_parse(context, xml, -1, &error);
        g_assert_no_error(error);
        g_ptr_array_sort(i->lines, compare_lines);
        return TAKE_PTR(i);
}

static char *read_source(const char *directory, const char *file) {
        g_autofree char *path = g_build_filename(SOURCE_ROOT, directory, file, NULL);
        g_autoptr(GError) error = NULL;
        char *text;

        (void) g_file_get_contents(path, &text, NULL, &error);
        g_assert_no_error(error);
        return text;
}

static Interface *read_contract(const char *interface) {
        g_autofree char *file = g_strconcat(interface, ".xml", NULL);
        g_autofree char *xml = read_source("introspection", file);

        return interface_parse(xml, interface);
}

/* --- live --- */

static void compare_live(Harness *h, const BusClass *class, const char *path) {
        g_autoptr(Interface) contract = read_contract(class->interface), live = NULL;
        g_autoptr(Call) call = client_call(h->root, path,
                                           "org.freedesktop.DBus.Introspectable.Introspect", NULL);
        const char *xml;

        call_assert_ok(call);
        g_variant_get(call->body, "(&s)", &xml);
        live = interface_parse(xml, class->interface);
        g_assert_cmpuint(contract->lines->len, >, 0);
        for (guint i = 0; i < MAX(contract->lines->len, live->lines->len); i++)
                g_assert_cmpstr(i < live->lines->len ? live->lines->pdata[i] : NULL, ==,
                                i < contract->lines->len ? contract->lines->pdata[i] : NULL);
}

TEST(live_objects_are_as_the_contract_says) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *job = NULL, *image = NULL;
        g_autoptr(Call) end = NULL, snapshot = NULL;

        world_make_image(h);
        image = world_import_image(h->root, "another image", NULL);
        g_free(world_make_container(h->root, "c1"));
        snapshot = client_run_job(h->root, "/org/berth1/container/c1", "Container.CreateSnapshot",
                                  g_variant_new_parsed("('s1', @a{sv} {})"));
        call_assert_ok(snapshot);
        world_make_volume(h->root, "v1");
        job = client_start_job(h->root, PATH_ROOT, "Manager.CreateNetwork",
                               g_variant_new_parsed("('net0', 'bridge', @a{ss} {}, @a{sv} {})"));
        end = client_wait_job(h->root, job);
        call_assert_ok(end);
        for (const BusClass *const *c = bus_classes(); *c; c++)
                switch ((*c)->kind) {
                case OBJECT_CONTAINER:
                        compare_live(h, *c, "/org/berth1/container/c1");
                        break;
                case OBJECT_IMAGE:
                        compare_live(h, *c, image);
                        break;
                case OBJECT_PROFILE:
                        compare_live(h, *c, PATH_PROFILE);
                        break;
                case OBJECT_NETWORK:
                        compare_live(h, *c, "/org/berth1/network/net0");
                        break;
                case OBJECT_POOL:
                        compare_live(h, *c, PATH_POOL);
                        break;
                case OBJECT_VOLUME:
                        compare_live(h, *c, PATH_POOL "/volume/v1");
                        break;
                case OBJECT_SNAPSHOT:
                        compare_live(h, *c, "/org/berth1/container/c1/snapshot/s1");
                        break;
                case OBJECT_JOB:
                        compare_live(h, *c, job);
                        break;
                case _OBJECT_KIND_MAX:
                        compare_live(h, *c, PATH_ROOT);
                        break;
                }
}

TEST(every_interface_has_its_file) {
        g_autofree char *path = g_build_filename(SOURCE_ROOT, "introspection", NULL);
        GDir *d = g_dir_open(path, 0, NULL);
        const char *name;
        guint files = 0, classes = 0;

        while ((name = g_dir_read_name(d)))
                files += g_str_has_suffix(name, ".xml");
        g_dir_close(d);
        for (const BusClass *const *c = bus_classes(); *c; c++)
                classes++;
        g_assert_cmpuint(files, ==, classes);
}

/* --- tables and words --- */

/* What the contract has to say behind "Polkit:". */
static char *polkit_text(const BusMethod *m) {
        switch (m->access) {
        case BUS_PUBLIC:
                return g_strdup("none");
        case BUS_ACTION:
                return g_strdup_printf("org.berth1.%s", m->action);
        case BUS_OWNER:
                if (!m->own_action)
                        return g_strdup_printf("none (own), org.berth1.%s", m->action);
                return g_strdup_printf("org.berth1.%s (own), org.berth1.%s", m->own_action,
                                       m->action);
        case _BUS_ACCESS_UNSET:
                break;
        }
        g_assert_not_reached();
}

/* Where the arguments decide, prepare() changes what the row says; the contract says both. */
static const struct {
        const char *interface, *method, *text;
} decided_by_arguments[] = {
        { "org.berth1.Profile", "GetConfig", "none; org.berth1.manage-profiles" },
        { "org.berth1.Image", "Export", "org.berth1.use (own, or public), org.berth1.manage" },
};

static void check_words_of(const BusClass *class, const BusMethod *m, Interface *contract) {
        const char *comment = g_hash_table_lookup(contract->comments, m->name);
        const char *found = comment ? strstr(comment, "Polkit: ") : NULL;
        g_autofree char *expected = polkit_text(m);

        if (!comment)
                g_error("%s.%s has no comment", class->interface, m->name);
        if (!found) {
                /* "Polkit, errors: as Exec()." and the variants for clients without fds. */
                g_assert_true(strstr(comment, "as ") || strstr(comment, " for clients that "));
                return;
        }
        for (size_t i = 0; i < ELEMENTSOF(decided_by_arguments); i++)
                if (g_str_equal(decided_by_arguments[i].interface, class->interface) &&
                    g_str_equal(decided_by_arguments[i].method, m->name)) {
                        g_free(expected);
                        expected = g_strdup(decided_by_arguments[i].text);
                }
        found += strlen("Polkit: ");
        if (!g_str_has_prefix(found, expected) || !strchr(".,; ", found[strlen(expected)]))
                g_error("%s.%s: the contract says \"%.60s\", the table \"%s\"", class->interface,
                        m->name, found, expected);
}

TEST(contract_and_tables_name_the_same_actions) {
        for (const BusClass *const *c = bus_classes(); *c; c++) {
                g_autoptr(Interface) contract = read_contract((*c)->interface);

                for (const BusMethod *m = (*c)->methods; m->name; m++)
                        check_words_of(*c, m, contract);
        }
}

TEST(contract_describes_every_argument_and_option) {
        for (const BusClass *const *c = bus_classes(); *c; c++) {
                g_autoptr(Interface) contract = read_contract((*c)->interface);

                for (const BusMethod *m = (*c)->methods; m->name; m++) {
                        const char *comment = g_hash_table_lookup(contract->comments, m->name);

                        for (const char *name = m->names; name && *name;
                             name += strlen(name) + 1) {
                                g_autofree char *at = g_strdup_printf("@%s:", name);

                                if (!strstr(comment, at))
                                        g_error("%s.%s: %s is not described", (*c)->interface,
                                                m->name, name);
                        }
                        for (const Option *o = m->options; o && o->name; o++) {
                                g_autofree char *with_type = g_strdup_printf("\"%s\" %s", o->name,
                                                                             o->type);

                                if (!strstr(comment, with_type) && !strstr(comment, "those of") &&
                                    !strstr(comment, "as for"))
                                        g_error("%s.%s: option %s is not described",
                                                (*c)->interface, m->name, with_type);
                        }
                }
        }
}

static void assert_action(const char *policy, const char *action) {
        g_autofree char *id = g_strdup_printf("<action id=\"org.berth1.%s\">", action);

        if (!strstr(policy, id))
                g_error("The policy has no action \"%s\"", action);
}

TEST(policy_has_every_action) {
        g_autofree char *policy = read_source("polkit", "org.berth1.policy");

        for (const BusClass *const *c = bus_classes(); *c; c++)
                for (const BusMethod *m = (*c)->methods; m->name; m++) {
                        if (m->action)
                                assert_action(policy, m->action);
                        if (m->own_action)
                                assert_action(policy, m->own_action);
                }
}

TEST(check_access_knows_every_action) {
        g_autoptr(Harness) h = harness_new();
        g_autofree char *policy = read_source("polkit", "org.berth1.policy");
        g_auto(GStrv) parts = g_strsplit(policy, "<action id=\"org.berth1.", -1);

        g_assert_cmpuint(g_strv_length(parts), >, 5);
        for (char **part = parts + 1; *part; part++) {
                g_autofree char *action = g_strndup(*part, strcspn(*part, "\""));
                g_autoptr(Call) call = client_call(h->root, PATH_ROOT, "Manager.CheckAccess",
                                                   g_variant_new("(so)", action, PATH_ROOT));

                call_assert_ok(call);
        }
}

/* --- tables by themselves --- */

static bool is_own_kind(const char *interface, const char *key) {
        g_autofree char *word = g_ascii_strdown(strrchr(interface, '.') + 1, -1);

        return g_str_equal(word, key) ||
               (g_str_equal(word, "storagepool") && g_str_equal(key, "pool")) ||
               (g_str_equal(word, "snapshot") && g_str_equal(key, "container")) ||
               (g_str_equal(word, "volume") && g_str_equal(key, "pool"));
}

/* A prompt names its object, by a detail that is there for every method of the class, or by one
 * that prepare() adds. */
TEST(prompts_can_be_filled_in) {
        for (const BusClass *const *c = bus_classes(); *c; c++)
                for (const BusMethod *m = (*c)->methods; m->name; m++) {
                        g_auto(GStrv) parts = g_strsplit(m->prompt ?: "", "$(", -1);

                        if (m->access == BUS_PUBLIC)
                                continue;
                        for (guint i = 1; i < g_strv_length(parts); i++) {
                                g_autofree char *key = g_strndup(parts[i], strcspn(parts[i], ")"));

                                g_assert_true(parts[i][strlen(key)] == ')');
                                g_assert_true(is_own_kind((*c)->interface, key) || m->prepare);
                        }
                }
}

TEST(options_come_last_and_are_checked) {
        for (const BusClass *const *c = bus_classes(); *c; c++)
                for (const BusMethod *m = (*c)->methods; m->name; m++) {
                        if (m->options)
                                g_assert_true(g_str_has_suffix(m->in, "a{sv}"));
                        for (const Option *o = m->options; o && o->name; o++)
                                g_assert_true(g_variant_type_string_is_valid(o->type));
                }
}

/* The words of a caller are cut to a length that is counted in bytes, and a bus throws out who
 * sends it half a character: that must not be the service. */
TEST(an_error_never_ends_in_half_a_character) {
        g_autoptr(Harness) h = harness_new();
        g_autoptr(Client) alice = client_new(h, UID_ALICE);

        for (size_t n = 60; n < 68; n++) {
                g_autofree char *filler = g_strnfill(n, 'x');
                g_autofree char *name = g_strconcat(filler, "\u00e9\u20ac", NULL);
                g_autoptr(Call) call = client_call(
                        alice, PATH_ROOT, "Manager.CreateProfile",
                        g_variant_new_parsed("('p', {%s: <1>})", name));

                call_assert_error(call, ERROR_INVALID_ARGS, "There is no option");
        }
}

HARNESS_MAIN()
