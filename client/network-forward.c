/* SPDX-License-Identifier: Apache-2.0 */
#include "client/network-forward.h"

#include <stdio.h>
#include <string.h>

#include "client/editor.h"
#include "client/format.h"
#include "client/settings.h"
#include "client/table.h"
#include "client/variant.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

#define FORWARDS_TYPE "a(ssa{ss}a(sssss))"
#define PORT_TYPE "(sssss)"

/* A forward as it was read, or is to be. */
typedef struct Forward {
        char *path;        /* of the network */
        guint64 revision;
        char *listen, *description;
        GVariant *config;  /* a{ss} */
        GVariant *ports;   /* a(sssss) */
} Forward;

static void forward_done(Forward *f) {
        g_clear_pointer(&f->path, g_free);
        g_clear_pointer(&f->listen, g_free);
        g_clear_pointer(&f->description, g_free);
        g_clear_pointer(&f->config, g_variant_unref);
        g_clear_pointer(&f->ports, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Forward, forward_done)

static int read_network(Client *c, Object **ret, char **ret_path, Error *ret_error) {
        int r = client_object_path(OBJECT_NETWORK, client_argument(c, 0), ret_path, ret_error);

        return r < 0 ? r : client_get_object(c, OBJECT_NETWORK, *ret_path, ret, ret_error);
}

static GVariant *empty(const char *type) {
        return variant_seal(g_variant_new_array((const GVariantType *) type, NULL, 0));
}

/* The forward of the address that is the second argument. */
static int read_forward(Client *c, Forward *ret, Error *ret_error) {
        const char *wanted = client_argument(c, 1);
        g_autoptr(GVariant) forwards = NULL;
        g_autoptr(Object) o = NULL;
        int r;

        r = read_network(c, &o, &ret->path, ret_error);
        if (r < 0)
                return r;
        ret->revision = object_get_number(o, "Revision");
        forwards = object_get_value(o, "Forwards", FORWARDS_TYPE);
        for (size_t i = 0; forwards && i < g_variant_n_children(forwards); i++) {
                const char *listen;

                g_variant_get_child(forwards, i, "(&ssa{ss}a(sssss))", &listen, NULL, NULL, NULL);
                if (!g_str_equal(listen, wanted))
                        continue;
                g_variant_get_child(forwards, i, "(ss@a{ss}@a(sssss))", &ret->listen,
                                    &ret->description, &ret->config, &ret->ports);
                return 0;
        }
        return error_set(ret_error, ERROR_INVALID_ARGS, "Network '%s' has no forward of '%s'",
                         o->name, wanted);
}

static int write_forward(Client *c, const Forward *f, bool create, Error *ret_error) {
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        if (create)
                g_variant_dict_insert(&options, "create", "b", TRUE);
        else
                g_variant_dict_insert(&options, "if-revision", "t", f->revision);
        return client_call(c, OBJECT_NETWORK, f->path, "SetForward",
                           g_variant_new("(ss@a{ss}@a(sssss)@a{sv})", f->listen, f->description,
                                         f->config, f->ports, g_variant_dict_end(&options)),
                           "()", NULL, ret_error);
}

/* --- showing --- */

static GVariant *port_to_record(GVariant *port) {
        static const char *const names[] = { "protocol", "listen_port", "target_address",
                                             "target_port", "description" };
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autoptr(GVariant) value = g_variant_get_child_value(port, i);

                if (i < 3 || *g_variant_get_string(value, NULL))
                        g_variant_builder_add(&b, "{sv}", names[i], value);
        }
        return g_variant_builder_end(&b);
}

static GVariant *forward_to_record(const char *listen, const char *description, GVariant *config,
                                   GVariant *ports) {
        GVariantBuilder b, list;

        g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
        for (size_t i = 0; i < g_variant_n_children(ports); i++) {
                g_autoptr(GVariant) port = g_variant_get_child_value(ports, i);

                g_variant_builder_add_value(&list, port_to_record(port));
        }
        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "config", config);
        g_variant_builder_add(&b, "{sv}", "description", g_variant_new_string(description));
        g_variant_builder_add(&b, "{sv}", "listen_address", g_variant_new_string(listen));
        g_variant_builder_add(&b, "{sv}", "ports", g_variant_builder_end(&list));
        return g_variant_builder_end(&b);
}

static int forward_list(Client *c, Error *ret_error) {
        static const char *const headings[] = { "LISTEN ADDRESS", "DESCRIPTION",
                                                "DEFAULT TARGET ADDRESS", "PORTS", NULL };
        g_autoptr(Table) table = table_new(headings);
        g_autoptr(GVariant) forwards = NULL;
        g_autofree char *path = NULL;
        g_autoptr(Object) o = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = read_network(c, &o, &path, ret_error);
        if (r < 0)
                return r;
        forwards = object_get_value(o, "Forwards", FORWARDS_TYPE) ?: empty("(ssa{ss}a(sssss))");
        for (size_t i = 0; i < g_variant_n_children(forwards); i++) {
                g_autoptr(GVariant) config = NULL, ports = NULL;
                g_autofree char *listen = NULL, *description = NULL, *n = NULL;
                const char *target = "";

                g_variant_get_child(forwards, i, "(ss@a{ss}@a(sssss))", &listen, &description,
                                    &config, &ports);
                (void) g_variant_lookup(config, "target_address", "&s", &target);
                n = g_strdup_printf("%zu", g_variant_n_children(ports));
                table_add_row(table, forward_to_record(listen, description, config, ports));
                table_add_cell(table, listen);
                table_add_cell(table, description);
                table_add_cell(table, target);
                table_add_cell(table, n);
        }
        return table_print(table, format, ret_error);
}

static int forward_show(Client *c, Error *ret_error) {
        g_auto(Forward) f = { 0 };
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_YAML, &format, ret_error);
        if (r >= 0)
                r = read_forward(c, &f, ret_error);
        if (r < 0)
                return r;
        return record_print(forward_to_record(f.listen, f.description, f.config, f.ports), format,
                            ret_error);
}

/* --- creating, deleting --- */

static int forward_create(Client *c, Error *ret_error) {
        g_auto(Forward) f = { 0 };
        int r;

        r = client_object_path(OBJECT_NETWORK, client_argument(c, 0), &f.path, ret_error);
        if (r >= 0)
                r = settings_parse_assignments(c, 2, &f.config, ret_error);
        if (r < 0)
                return r;
        f.listen = g_strdup(client_argument(c, 1));
        f.description = g_strdup(client_option(c, "description") ?: "");
        f.ports = empty(PORT_TYPE);
        r = write_forward(c, &f, true, ret_error);
        if (r >= 0)
                client_say(c, "Network forward %s created", f.listen);
        return r;
}

static int forward_delete(Client *c, Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        r = client_object_path(OBJECT_NETWORK, client_argument(c, 0), &path, ret_error);
        if (r >= 0)
                r = client_call(c, OBJECT_NETWORK, path, "DeleteForward",
                                g_variant_new("(sa{sv})", client_argument(c, 1), NULL), "()", NULL,
                                ret_error);
        if (r >= 0)
                client_say(c, "Network forward %s deleted", client_argument(c, 1));
        return r;
}

/* --- keys --- */

static int forward_get(Client *c, Error *ret_error) {
        g_auto(Forward) f = { 0 };
        const char *value = "";
        int r = read_forward(c, &f, ret_error);

        if (r < 0)
                return r;
        (void) g_variant_lookup(f.config, client_argument(c, 2), "&s", &value);
        puts(value);
        return 0;
}

/* The configuration with what is assigned; a key without a value goes. */
static GVariant *assign(GVariant *config, GVariant *assignments) {
        GVariantDict dict;
        GVariantIter iter;
        GVariantBuilder b;
        const char *key, *value;

        g_variant_dict_init(&dict, NULL);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                g_variant_dict_insert(&dict, key, "s", value);
        g_variant_iter_init(&iter, assignments);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                if (*value)
                        g_variant_dict_insert(&dict, key, "s", value);
                else
                        (void) g_variant_dict_remove(&dict, key);
        }
        g_autoptr(GVariant) all = variant_seal(g_variant_dict_end(&dict));
        GVariant *boxed;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        g_variant_iter_init(&iter, all);
        while (g_variant_iter_next(&iter, "{&sv}", &key, &boxed)) {
                g_variant_builder_add(&b, "{ss}", key, g_variant_get_string(boxed, NULL));
                g_variant_unref(boxed);
        }
        return variant_seal(g_variant_builder_end(&b));
}

static int change(Client *c, GVariant *assignments, Error *ret_error) {
        g_auto(Forward) f = { 0 };
        GVariant *config;
        int r = read_forward(c, &f, ret_error);

        if (r < 0)
                return r;
        config = assign(f.config, assignments);
        g_variant_unref(f.config);
        f.config = config;
        return write_forward(c, &f, false, ret_error);
}

static int forward_set(Client *c, Error *ret_error) {
        g_autoptr(GVariant) assignments = NULL;
        int r = settings_parse_assignments(c, 2, &assignments, ret_error);

        return r < 0 ? r : change(c, assignments, ret_error);
}

static int forward_unset(Client *c, Error *ret_error) {
        g_autoptr(GVariant) assignments = variant_seal(
                g_variant_new_parsed("{%s: ''}", client_argument(c, 2)));

        return change(c, assignments, ret_error);
}

/* --- ports --- */

static GVariant *new_port(const char *protocol, const char *listen, const char *target,
                          const char *target_port, const char *description) {
        return g_variant_new(PORT_TYPE, protocol, listen, target, target_port ?: "",
                             description ?: "");
}

static int port_add(Client *c, Error *ret_error) {
        g_auto(Forward) f = { 0 };
        GVariantBuilder b;
        GVariantIter iter;
        GVariant *port;
        int r = read_forward(c, &f, ret_error);

        if (r < 0)
                return r;
        g_variant_builder_init(&b, G_VARIANT_TYPE("a" PORT_TYPE));
        g_variant_iter_init(&iter, f.ports);
        while ((port = g_variant_iter_next_value(&iter))) {
                g_variant_builder_add_value(&b, port);
                g_variant_unref(port);
        }
        g_variant_builder_add_value(&b, new_port(client_argument(c, 2), client_argument(c, 3),
                                                 client_argument(c, 4), client_argument(c, 5),
                                                 client_option(c, "description")));
        g_variant_unref(f.ports);
        f.ports = variant_seal(g_variant_builder_end(&b));
        return write_forward(c, &f, false, ret_error);
}

static int port_remove(Client *c, Error *ret_error) {
        const char *protocol = client_argument(c, 2), *listen = client_argument(c, 3);
        g_auto(Forward) f = { 0 };
        size_t removed = 0;
        GVariantBuilder b;
        GVariantIter iter;
        GVariant *port;
        int r = read_forward(c, &f, ret_error);

        if (r < 0)
                return r;
        g_variant_builder_init(&b, G_VARIANT_TYPE("a" PORT_TYPE));
        g_variant_iter_init(&iter, f.ports);
        while ((port = g_variant_iter_next_value(&iter))) {
                const char *its_protocol, *its_listen;

                g_variant_get(port, "(&s&ssss)", &its_protocol, &its_listen, NULL, NULL, NULL);
                if ((!protocol || g_str_equal(protocol, its_protocol)) &&
                    (!listen || g_str_equal(listen, its_listen)))
                        removed++;
                else
                        g_variant_builder_add_value(&b, port);
                g_variant_unref(port);
        }
        g_variant_unref(f.ports);
        f.ports = variant_seal(g_variant_builder_end(&b));
        if (removed == 0)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The forward of '%s' has no such port", f.listen);
        if (removed > 1 && !client_flag(c, "force"))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "%zu ports of the forward match; --force removes all of them",
                                 removed);
        return write_forward(c, &f, false, ret_error);
}

/* --- editing --- */

static int read_port(GVariant *value, GVariantBuilder *ports, Error *ret_error) {
        static const char *const names[] = { "protocol", "listen_port", "target_address",
                                             "target_port", "description", NULL };
        char *texts[5] = { 0 };
        int r = yaml_check_keys(value, names, ret_error);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(texts); i++)
                r = yaml_get_string(value, names[i], &texts[i], ret_error);
        if (r >= 0)
                g_variant_builder_add_value(ports, new_port(texts[0] ?: "", texts[1] ?: "",
                                                            texts[2] ?: "", texts[3], texts[4]));
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                g_free(texts[i]);
        return r;
}

static int read_ports(GVariant *mapping, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) list = g_variant_lookup_value(mapping, "ports", NULL);
        g_auto(GVariantBuilder) b;
        int r = 0;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a" PORT_TYPE));
        if (list && !g_variant_is_of_type(list, G_VARIANT_TYPE_UNIT)) {
                if (!g_variant_is_of_type(list, G_VARIANT_TYPE("av")))
                        return error_set(ret_error, ERROR_INVALID_ARGS, "'ports' is no list");
                for (size_t i = 0; r >= 0 && i < g_variant_n_children(list); i++) {
                        g_autoptr(GVariant) boxed = g_variant_get_child_value(list, i);
                        g_autoptr(GVariant) value = g_variant_get_variant(boxed);

                        if (!g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
                                return error_set(ret_error, ERROR_INVALID_ARGS,
                                                 "An entry of 'ports' is no mapping");
                        r = read_port(value, &b, ret_error);
                }
        }
        if (r >= 0)
                *ret = variant_seal(g_variant_builder_end(&b));
        return r;
}

static int edit_apply(Client *c, const char *text, void *userdata, Error *ret_error) {
        static const char *const keys[] = { "config", "description", "listen_address", "location",
                                            "ports", NULL };
        g_autoptr(GVariant) mapping = NULL;
        g_auto(Forward) new = { 0 };
        const Forward *old = userdata;
        int r;

        r = yaml_to_variant(text, &mapping, ret_error);
        if (r < 0)
                return r;
        if (g_variant_is_of_type(mapping, G_VARIANT_TYPE_UNIT))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The YAML is empty; nothing is changed");
        r = yaml_check_keys(mapping, keys, ret_error);
        if (r >= 0)
                r = yaml_get_config(mapping, "config", &new.config, ret_error);
        if (r >= 0)
                r = yaml_get_string(mapping, "description", &new.description, ret_error);
        if (r >= 0)
                r = read_ports(mapping, &new.ports, ret_error);
        if (r < 0)
                return r;
        new.path = g_strdup(old->path);
        new.listen = g_strdup(old->listen);
        new.revision = old->revision;
        new.config = new.config ?: empty("{ss}");
        new.description = new.description ?: g_strdup("");
        return write_forward(c, &new, false, ret_error);
}

static int forward_edit(Client *c, Error *ret_error) {
        static const char header[] =
                "### This is the forward in YAML.\n"
                "### Lines that begin with '#' are ignored.\n"
                "###\n"
                "### Ports are numbers, ranges or lists of them:\n"
                "###   config:\n"
                "###     target_address: 10.61.3.10\n"
                "###   ports:\n"
                "###   - protocol: tcp\n"
                "###     listen_port: 80,8000-8009\n"
                "###     target_address: 10.61.3.11\n"
                "###     target_port: 80\n\n";
        g_autoptr(GVariant) record = NULL;
        g_autofree char *yaml = NULL, *text = NULL;
        g_auto(Forward) f = { 0 };
        int r = read_forward(c, &f, ret_error);

        if (r < 0)
                return r;
        record = g_variant_ref_sink(forward_to_record(f.listen, f.description, f.config, f.ports));
        yaml = yaml_from_variant(record);
        text = g_strconcat(header, yaml, NULL);
        return editor_run(c, f.listen, text, edit_apply, &f, ret_error);
}

/* --- commands --- */

#define TARGET { "target", 0, "MEMBER", NULL, "berth works on this machine only" }

static const Option create_options[] = {
        { "description", 0, "TEXT", "Describe it", NULL },
        TARGET,
        { NULL },
};

static const Option remove_options[] = {
        { "force", 0, NULL, "Remove all ports that match", NULL },
        TARGET,
        { NULL },
};

static const Option target_options[] = {
        TARGET,
        { NULL },
};

static const Command port_commands[] = {
        { "add", NULL,
          "<network> <listen address> <protocol> <listen ports> <target address> [<target ports>]",
          "Lead ports to a container", create_options, "n-", 5, 6, .run = port_add },
        { "remove", "rm", "<network> <listen address> [<protocol>] [<listen ports>]",
          "Lead ports nowhere", remove_options, "n-", 2, 4, .run = port_remove },
        { NULL },
};

const Command network_forward_commands[] = {
        { "create", NULL, "<network> <listen address> [<key>=<value>...]",
          "Forward an address of the host", create_options, "n-", 2, -1, .run = forward_create },
        { "delete", "rm", "<network> <listen address>", "Forward an address no longer",
          target_options, "n-", 2, 2, .run = forward_delete },
        { "edit", NULL, "<network> <listen address>", "Edit a forward as YAML", target_options,
          "n-", 2, 2, .run = forward_edit },
        { "get", NULL, "<network> <listen address> <key>", "Print the value of a key",
          target_options, "n-", 3, 3, .run = forward_get },
        { "list", "ls", "<network>", "List forwards", client_list_options, "n-", 1, 1,
          .run = forward_list },
        { "port", NULL, NULL, "Manage the ports of a forward", .children = port_commands },
        { "set", NULL, "<network> <listen address> <key>=<value>...", "Set keys", target_options,
          "n-", 3, -1, .run = forward_set },
        { "show", NULL, "<network> <listen address>", "Show a forward as YAML",
          client_show_options, "n-", 2, 2, .run = forward_show },
        { "unset", NULL, "<network> <listen address> <key>", "Unset a key", target_options, "n-",
          3, 3, .run = forward_unset },
        { NULL },
};
