/* SPDX-License-Identifier: Apache-2.0 */
#include "client/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/format.h"
#include "service/util/cleanup.h"

Client *client_new(const Command *root) {
        Client *c = g_new(Client, 1);

        *c = (Client) {
                .root = root,
                .arguments = g_ptr_array_new(),
                .options = g_array_new(FALSE, FALSE, sizeof(OptionValue)),
        };
        return c;
}

Client *client_free(Client *c) {
        if (!c)
                return NULL;

        connection_free(c->connection);
        g_ptr_array_unref(c->arguments);
        g_array_unref(c->options);
        g_free(c->command_path);
        g_free(c);
        return NULL;
}

size_t client_n_arguments(const Client *c) {
        return c->arguments->len;
}

const char *client_argument(const Client *c, size_t i) {
        return i < c->arguments->len ? g_ptr_array_index(c->arguments, i) : NULL;
}

static const OptionValue *client_find_option(const Client *c, const char *name) {
        for (size_t i = c->options->len; i > 0; i--) {
                const OptionValue *v = &g_array_index(c->options, OptionValue, i - 1);

                if (g_str_equal(v->option->name, name))
                        return v;
        }
        return NULL;
}

bool client_flag(const Client *c, const char *name) {
        return !!client_find_option(c, name);
}

const char *client_option(const Client *c, const char *name) {
        const OptionValue *v = client_find_option(c, name);

        return v ? v->value : NULL;
}

GPtrArray *client_options(const Client *c, const char *name) {
        GPtrArray *values = g_ptr_array_new();

        for (size_t i = 0; i < c->options->len; i++) {
                const OptionValue *v = &g_array_index(c->options, OptionValue, i);

                if (g_str_equal(v->option->name, name))
                        g_ptr_array_add(values, (char *) v->value);
        }
        return values;
}

int client_usage_error(Error *ret_error, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        return error_set(ret_error, ERROR_INVALID_ARGS, "%s", text);
}

int client_object_name(const char *argument, char **ret, Error *ret_error) {
        const char *colon = strchr(argument, ':');
        g_autofree char *shown = format_printable(argument);

        if (colon) {
                g_autofree char *remote = g_strndup(argument, colon - argument);

                if (!g_str_equal(remote, "local"))
                        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                         "'%s' is elsewhere: this works on this machine only, "
                                         "which is 'local:'",
                                         shown);
                argument = colon + 1;
        }
        if (!*argument)
                return client_usage_error(ret_error, "'%s' names nothing", shown);
        *ret = g_strdup(argument);
        return 0;
}

int client_object_path(ObjectKind kind, const char *argument, char **ret, Error *ret_error) {
        g_autofree char *name = NULL;
        ObjectKind found;
        int r;

        /* As busctl(1), and what the service says of a job, show them. */
        if (object_parse_path(argument, &found, NULL)) {
                if (found != kind)
                        return client_usage_error(ret_error, "'%s' is no %s", argument,
                                                  object_kind_to_word(kind));
                *ret = g_strdup(argument);
                return 0;
        }
        r = client_object_name(argument, &name, ret_error);
        if (r < 0)
                return r;
        if (!g_utf8_validate(name, -1, NULL))
                return error_set(ret_error, ERROR_INVALID_NAME, "The name is not valid UTF-8");
        /* "NAME/SNAPSHOT" must not silently become a strange container. */
        if (kind == OBJECT_CONTAINER && strchr(name, '/'))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "'%s' names a snapshot, where a container is wanted", name);
        *ret = object_make_path(kind, name);
        return 0;
}

int client_connect(Client *c, Error *ret_error) {
        ConnectionFlags flags = 0;

        if (c->connection)
                return 0;
        if (c->debug)
                flags |= CONNECTION_DEBUG;
        if (c->no_ask_password)
                flags |= CONNECTION_QUIET;
        return connection_open(flags, &c->connection, ret_error);
}

static int client_call_typed(Client *c, const char *interface, const char *path,
                             const char *member, GVariant *arguments, const char *reply_type,
                             GVariant **ret_reply, Error *ret_error) {
        g_autoptr(GVariant) body = arguments ? g_variant_ref_sink(arguments) : NULL;
        g_autoptr(GVariant) reply = NULL;
        int r;

        r = client_connect(c, ret_error);
        if (r < 0)
                return r;
        r = connection_call(c->connection, path, interface, member, body, &reply, ret_error);
        if (r < 0)
                return r;
        if (!g_variant_is_of_type(reply, G_VARIANT_TYPE(reply_type)))
                return error_set(ret_error, ERROR_FAILED,
                                 "The service answered %s() with '%s' instead of '%s'; client and "
                                 "service are of different versions",
                                 member, g_variant_get_type_string(reply), reply_type);
        if (ret_reply)
                *ret_reply = TAKE_PTR(reply);
        return 0;
}

int client_call(Client *c, ObjectKind kind, const char *path, const char *member,
                GVariant *arguments, const char *reply_type, GVariant **ret_reply,
                Error *ret_error) {
        return client_call_typed(c, object_kind_to_interface(kind), path, member, arguments,
                                 reply_type, ret_reply, ret_error);
}

int client_get_object(Client *c, ObjectKind kind, const char *path, Object **ret,
                      Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(Object) o = g_new0(Object, 1);
        int r;

        r = client_call_typed(c, "org.freedesktop.DBus.Properties", path, "GetAll",
                              g_variant_new("(s)", object_kind_to_interface(kind)), "(a{sv})",
                              &reply, ret_error);
        if (r < 0)
                return r;
        o->kind = kind;
        o->path = g_strdup(path);
        o->properties = g_variant_get_child_value(reply, 0);
        if (!object_parse_path(path, NULL, &o->name))
                o->name = g_strdup("");
        *ret = TAKE_PTR(o);
        return 0;
}

int client_get_image_path(Client *c, const char *argument, char **ret, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL;
        g_autofree char *name = NULL;
        int r;

        r = client_object_name(argument, &name, ret_error);
        if (r < 0)
                return r;
        r = client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "GetImage",
                        g_variant_new("(s)", name), "(o)", &reply, ret_error);
        if (r < 0)
                return r;
        g_variant_get(reply, "(o)", ret);
        return 0;
}

void client_say(const Client *c, const char *format, ...) {
        g_autofree char *text = NULL, *shown = NULL;
        va_list ap;

        if (c->quiet)
                return;
        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        shown = format_printable(text);
        puts(shown);
        fflush(stdout);
}
