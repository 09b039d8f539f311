/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static int read_value(sd_bus_message *m, char type, const char *contents, GArray *fds,
                      GVariant **ret);

static int read_basic(sd_bus_message *m, char type, GArray *fds, GVariant **ret) {
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
                int h;
        } v;
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;

        switch (type) {
        case SD_BUS_TYPE_BYTE:
                *ret = g_variant_new_byte(v.y);
                return 0;
        case SD_BUS_TYPE_BOOLEAN:
                *ret = g_variant_new_boolean(v.b);
                return 0;
        case SD_BUS_TYPE_INT16:
                *ret = g_variant_new_int16(v.n);
                return 0;
        case SD_BUS_TYPE_UINT16:
                *ret = g_variant_new_uint16(v.q);
                return 0;
        case SD_BUS_TYPE_INT32:
                *ret = g_variant_new_int32(v.i);
                return 0;
        case SD_BUS_TYPE_UINT32:
                *ret = g_variant_new_uint32(v.u);
                return 0;
        case SD_BUS_TYPE_INT64:
                *ret = g_variant_new_int64(v.x);
                return 0;
        case SD_BUS_TYPE_UINT64:
                *ret = g_variant_new_uint64(v.t);
                return 0;
        case SD_BUS_TYPE_DOUBLE:
                *ret = g_variant_new_double(v.d);
                return 0;
        case SD_BUS_TYPE_STRING:
                *ret = g_variant_new_string(v.s);
                return 0;
        case SD_BUS_TYPE_OBJECT_PATH:
                *ret = g_variant_new_object_path(v.s);
                return 0;
        case SD_BUS_TYPE_SIGNATURE:
                *ret = g_variant_new_signature(v.s);
                return 0;
        case SD_BUS_TYPE_UNIX_FD:
                *ret = g_variant_new_handle((gint32) fds->len);
                g_array_append_val(fds, v.h);
                return 0;
        default:
                return -EBADMSG;
        }
}

/* Everything up to the end of the container that has been entered. */
static int read_children(sd_bus_message *m, GArray *fds, GVariantBuilder *builder) {
        for (;;) {
                const char *contents;
                GVariant *child;
                char type;
                int r;

                r = sd_bus_message_peek_type(m, &type, &contents);
                if (r <= 0)
                        return r;
                r = read_value(m, type, contents, fds, &child);
                if (r < 0)
                        return r;
                g_variant_builder_add_value(builder, child);
        }
}

static char *container_signature(char type, const char *contents) {
        switch (type) {
        case SD_BUS_TYPE_ARRAY:
                return g_strconcat("a", contents, NULL);
        case SD_BUS_TYPE_STRUCT:
                return g_strconcat("(", contents, ")", NULL);
        case SD_BUS_TYPE_DICT_ENTRY:
                return g_strconcat("{", contents, "}", NULL);
        case SD_BUS_TYPE_VARIANT:
                return g_strdup("v");
        default:
                return NULL;
        }
}

static int read_value(sd_bus_message *m, char type, const char *contents, GArray *fds,
                      GVariant **ret) {
        g_autofree char *signature = container_signature(type, contents);
        GVariantBuilder builder;
        int r;

        if (!signature)
                return read_basic(m, type, fds, ret);
        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        g_variant_builder_init(&builder, (const GVariantType *) signature);
        r = read_children(m, fds, &builder);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0) {
                g_variant_builder_clear(&builder);
                return r;
        }
        *ret = g_variant_builder_end(&builder);
        return 0;
}

int message_read_body(sd_bus_message *message, GArray *fds, GVariant **ret) {
        GVariantBuilder builder;
        GVariant *body;
        int r;

        r = sd_bus_message_rewind(message, true);
        if (r < 0)
                return r;
        g_variant_builder_init(&builder, G_VARIANT_TYPE_TUPLE);
        r = read_children(message, fds, &builder);
        if (r < 0) {
                g_variant_builder_clear(&builder);
                return r;
        }
        body = g_variant_ref_sink(g_variant_builder_end(&builder));
        (void) g_variant_get_data(body); /* children now live as long as it does */
        *ret = body;
        return 0;
}

static int append_container(sd_bus_message *m, char type, GVariant *value, const int *fds) {
        g_autofree char *contents = NULL;
        const char *signature = g_variant_get_type_string(value);
        int r;

        if (type == SD_BUS_TYPE_ARRAY)
                contents = g_strdup(signature + 1);
        else if (type == SD_BUS_TYPE_VARIANT) {
                g_autoptr(GVariant) child = g_variant_get_variant(value);

                contents = g_strdup(g_variant_get_type_string(child));
        } else
                contents = g_strndup(signature + 1, strlen(signature) - 2);

        r = sd_bus_message_open_container(m, type, contents);
        if (r >= 0)
                r = message_append_body(m, value, fds);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int message_append_value(sd_bus_message *m, GVariant *value, const int *fds) {
        switch (g_variant_classify(value)) {
        case G_VARIANT_CLASS_BOOLEAN:
                return sd_bus_message_append(m, "b", g_variant_get_boolean(value));
        case G_VARIANT_CLASS_BYTE:
                return sd_bus_message_append(m, "y", g_variant_get_byte(value));
        case G_VARIANT_CLASS_INT16:
                return sd_bus_message_append(m, "n", g_variant_get_int16(value));
        case G_VARIANT_CLASS_UINT16:
                return sd_bus_message_append(m, "q", g_variant_get_uint16(value));
        case G_VARIANT_CLASS_INT32:
                return sd_bus_message_append(m, "i", g_variant_get_int32(value));
        case G_VARIANT_CLASS_UINT32:
                return sd_bus_message_append(m, "u", g_variant_get_uint32(value));
        case G_VARIANT_CLASS_INT64:
                return sd_bus_message_append(m, "x", g_variant_get_int64(value));
        case G_VARIANT_CLASS_UINT64:
                return sd_bus_message_append(m, "t", g_variant_get_uint64(value));
        case G_VARIANT_CLASS_DOUBLE:
                return sd_bus_message_append(m, "d", g_variant_get_double(value));
        case G_VARIANT_CLASS_HANDLE:
                return sd_bus_message_append(m, "h", fds[g_variant_get_handle(value)]);
        case G_VARIANT_CLASS_STRING:
                return sd_bus_message_append(m, "s", g_variant_get_string(value, NULL));
        case G_VARIANT_CLASS_OBJECT_PATH:
                return sd_bus_message_append(m, "o", g_variant_get_string(value, NULL));
        case G_VARIANT_CLASS_SIGNATURE:
                return sd_bus_message_append(m, "g", g_variant_get_string(value, NULL));
        case G_VARIANT_CLASS_VARIANT:
                return append_container(m, SD_BUS_TYPE_VARIANT, value, fds);
        case G_VARIANT_CLASS_ARRAY:
                return append_container(m, SD_BUS_TYPE_ARRAY, value, fds);
        case G_VARIANT_CLASS_TUPLE:
                return append_container(m, SD_BUS_TYPE_STRUCT, value, fds);
        case G_VARIANT_CLASS_DICT_ENTRY:
                return append_container(m, SD_BUS_TYPE_DICT_ENTRY, value, fds);
        case G_VARIANT_CLASS_MAYBE:
                break;
        }
        return -EINVAL; /* D-Bus has no "maybe" */
}

int message_append_body(sd_bus_message *message, GVariant *tuple, const int *fds) {
        for (gsize i = 0; i < g_variant_n_children(tuple); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(tuple, i);
                int r = message_append_value(message, child, fds);

                if (r < 0)
                        return r;
        }
        return 0;
}
