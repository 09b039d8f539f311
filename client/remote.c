/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/commands.h"
#include "client/table.h"
#include "service/util/cleanup.h"

/* `remote`: image servers. Containers are on this machine alone, which is "local". */

static int remote_call(Client *c, const char *member, GVariant *arguments, Error *ret_error) {
        return client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, member, arguments, "()", NULL,
                           ret_error);
}

/* "NAME:" is NAME, as LXD's client has it. */
static char *name_of(const char *argument) {
        return g_str_has_suffix(argument, ":") ? g_strndup(argument, strlen(argument) - 1)
                                               : g_strdup(argument);
}

/* "https://images.example.com/x" is called "images" where nobody gives it a name. */
static char *name_from_url(const char *url) {
        const char *host = strstr(url, "://") ? strstr(url, "://") + 3 : url;

        return g_strndup(host, strcspn(host, ".:/"));
}

static int remote_add(Client *c, Error *ret_error) {
        const char *protocol = client_option(c, "protocol");
        bool is_named = client_n_arguments(c) > 1;
        const char *url = client_argument(c, is_named ? 1 : 0);
        g_autofree char *name = is_named ? name_of(client_argument(c, 0)) : name_from_url(url);
        g_autofree char *whole = strstr(url, "://") ? g_strdup(url) :
                                                      g_strconcat("https://", url, NULL);
        GVariantDict options;

        if (protocol && (g_str_equal(protocol, "lxd") || g_str_equal(protocol, "incus")))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "--protocol %s is not supported: berth has images of servers, "
                                 "simplestreams or directory, and containers of this machine alone",
                                 protocol);
        g_variant_dict_init(&options, NULL);
        if (protocol)
                g_variant_dict_insert(&options, "protocol", "s", protocol);
        return remote_call(c, "AddImageServer",
                           g_variant_new("(ss@a{sv})", name, whole, g_variant_dict_end(&options)),
                           ret_error);
}

static int change(Client *c, const char *key, Error *ret_error) {
        g_autofree char *name = name_of(client_argument(c, 0));
        g_autofree char *value = name_of(client_argument(c, 1));
        GVariantDict options;

        if (g_str_equal(name, "local"))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "'local' is this machine, and stays what it is");
        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert(&options, key, "s", value);
        return remote_call(c, "ChangeImageServer",
                           g_variant_new("(s@a{sv})", name, g_variant_dict_end(&options)),
                           ret_error);
}

static int remote_rename(Client *c, Error *ret_error) {
        return change(c, "name", ret_error);
}

static int remote_set_url(Client *c, Error *ret_error) {
        return change(c, "url", ret_error);
}

static int remote_remove(Client *c, Error *ret_error) {
        g_autofree char *name = name_of(client_argument(c, 0));

        if (g_str_equal(name, "local"))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "'local' is this machine, and cannot be removed");
        return remote_call(c, "RemoveImageServer", g_variant_new("(sa{sv})", name, NULL),
                           ret_error);
}

static void add_row(Table *table, const char *name, const char *url, const char *protocol) {
        bool is_local = g_str_equal(name, "local");
        const char *const cells[] = {
                name, url, protocol, is_local ? "polkit" : "none", is_local ? "NO" : "YES",
                is_local ? "YES" : "NO", "YES",
        };
        GVariantDict record;

        g_variant_dict_init(&record, NULL);
        g_variant_dict_insert(&record, "name", "s", name);
        g_variant_dict_insert(&record, "addr", "s", url);
        g_variant_dict_insert(&record, "protocol", "s", protocol);
        g_variant_dict_insert(&record, "public", "b", !is_local);
        table_add_row(table, g_variant_dict_end(&record));
        for (size_t i = 0; i < ELEMENTSOF(cells); i++) {
                g_autofree char *current = is_local && i == 0 ? g_strdup("local (current)") : NULL;

                table_add_cell(table, current ?: cells[i]);
        }
}

static int get_servers(Client *c, GVariantIter **ret, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        int r = client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "GetImageServers",
                            g_variant_new("(a{sv})", NULL), "(a(sa{sv}))", &reply, ret_error);

        if (r >= 0)
                g_variant_get(reply, "(a(sa{sv}))", ret);
        return r;
}

static int remote_list(Client *c, Error *ret_error) {
        static const char *const headings[] = { "NAME", "URL", "PROTOCOL", "AUTH TYPE", "PUBLIC",
                                                "STATIC", "GLOBAL", NULL };
        g_autoptr(Table) table = table_new(headings);
        g_autoptr(GVariantIter) iter = NULL;
        OutputFormat format;
        const char *name;
        GVariant *dict;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = get_servers(c, &iter, ret_error);
        if (r < 0)
                return r;
        while (g_variant_iter_next(iter, "(&s@a{sv})", &name, &dict)) {
                const char *url = "", *protocol = "";

                (void) g_variant_lookup(dict, "url", "&s", &url);
                (void) g_variant_lookup(dict, "protocol", "&s", &protocol);
                add_row(table, name, url, protocol);
                g_variant_unref(dict);
        }
        add_row(table, "local", BERTH_BUS_NAME, "D-Bus");
        return table_print(table, format, ret_error);
}

static int remote_get_default(Client *c, Error *ret_error) {
        puts("local");
        return 0;
}

static int remote_switch(Client *c, Error *ret_error) {
        g_autofree char *name = name_of(client_argument(c, 0));
        g_autoptr(GVariantIter) iter = NULL;
        const char *server;
        bool found = false;
        int r;

        if (g_str_equal(name, "local"))
                return 0;
        r = get_servers(c, &iter, ret_error);
        if (r < 0)
                return r;
        while (!found && g_variant_iter_next(iter, "(&s@a{sv})", &server, NULL))
                found = g_str_equal(server, name);
        if (!found)
                return error_set(ret_error, ERROR_NO_SUCH_IMAGE_SERVER,
                                 "There is no image server '%s'", name);
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "'%s' has images and no containers: what is not said otherwise is on "
                         "this machine, which is 'local', and images of a server are written "
                         "%s:IMAGE", name, name);
}

#define NO_KEYS "image servers are known by their certificates, and ask for nothing"

static const Option add_options[] = {
        { "protocol", 0, "PROTOCOL", "simplestreams (default), or directory: images and SHA256SUMS",
          NULL },
        { "public", 0, NULL, "Every server is", NULL },
        { "accept-certificate", 0, NULL, NULL,
          "put the certificate that is to be trusted into " BERTH_CONFIG_DIR "/certificates.pem" },
        { "auth-type", 0, "TYPE", NULL, NO_KEYS },
        { "domain", 0, "DOMAIN", NULL, NO_KEYS },
        { "global", 0, NULL, "Every server is there for all users", NULL },
        { "password", 0, "PASSWORD", NULL, NO_KEYS },
        { "token", 0, "TOKEN", NULL, NO_KEYS },
        { NULL },
};

const Command remote_commands[] = {
        { "add", NULL, "[<server>] <URL>", "Add an image server", add_options, "-", 1, 2,
          .run = remote_add },
        { "get-default", NULL, "", "Print where things are when nothing is said: local", NULL, "-",
          0, 0, .run = remote_get_default },
        { "list", "ls", "", "List image servers", client_list_options, "-", 0, 0,
          .run = remote_list },
        { "remove", "rm", "<server>", "Remove an image server", NULL, "-", 1, 1,
          .run = remote_remove },
        { "rename", "mv", "<server> <new name>", "Rename an image server", NULL, "-", 2, 2,
          .run = remote_rename },
        { "set-url", NULL, "<server> <URL>", "Change where an image server is", NULL, "-", 2, 2,
          .run = remote_set_url },
        { "switch", "set-default", "<server>",
          "Choose where things are when nothing is said: local", NULL, "-", 1, 1,
          .run = remote_switch },
        { NULL },
};
