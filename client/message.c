/* SPDX-License-Identifier: Apache-2.0 */
#include "client/message.h"

#include <fcntl.h>
#include <unistd.h>

#include "client/variant.h"
#include "service/util/cleanup.h"

/* The limit of the D-Bus specification: 32 arrays and 32 structures within each other. */
#define MESSAGE_DEPTH_MAX 64

static int append_value(sd_bus_message *m, GVariant *value);

static int append_children(sd_bus_message *m, GVariant *value) {
        GVariantIter iter;
        GVariant *next;

        g_variant_iter_init(&iter, value);
        while ((next = g_variant_iter_next_value(&iter))) {
                g_autoptr(GVariant) child = next;
                int r = append_value(m, child);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int append_container(sd_bus_message *m, GVariant *value, char type) {
        const GVariantType *outer = g_variant_get_type(value);
        g_autofree char *contents = NULL;
        int r;

        if (type == SD_BUS_TYPE_VARIANT) {
                g_autoptr(GVariant) inner = g_variant_get_variant(value);

                contents = g_strdup(g_variant_get_type_string(inner));
                r = sd_bus_message_open_container(m, type, contents);
                if (r < 0)
                        return r;
                r = append_value(m, inner);
        } else {
                /* Array: what follows the "a"; structure and entry: what the brackets hold. */
                if (type == SD_BUS_TYPE_ARRAY)
                        contents = g_variant_type_dup_string(g_variant_type_element(outer));
                else
                        contents = g_strndup(g_variant_type_peek_string(outer) + 1,
                                             g_variant_type_get_string_length(outer) - 2);
                r = sd_bus_message_open_container(m, type, contents);
                if (r < 0)
                        return r;
                r = append_children(m, value);
        }
        if (r < 0)
                return r;
        return sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, GVariant *value) {
        switch (g_variant_classify(value)) {
        case G_VARIANT_CLASS_BOOLEAN: {
                int b = g_variant_get_boolean(value);

                return sd_bus_message_append_basic(m, SD_BUS_TYPE_BOOLEAN, &b);
        }
        case G_VARIANT_CLASS_HANDLE: {
                int fd = g_variant_get_handle(value);

                return sd_bus_message_append_basic(m, SD_BUS_TYPE_UNIX_FD, &fd);
        }
        case G_VARIANT_CLASS_STRING:
        case G_VARIANT_CLASS_OBJECT_PATH:
        case G_VARIANT_CLASS_SIGNATURE:
                return sd_bus_message_append_basic(m, g_variant_get_type_string(value)[0],
                                                   g_variant_get_string(value, NULL));
        case G_VARIANT_CLASS_BYTE:
        case G_VARIANT_CLASS_INT16:
        case G_VARIANT_CLASS_UINT16:
        case G_VARIANT_CLASS_INT32:
        case G_VARIANT_CLASS_UINT32:
        case G_VARIANT_CLASS_INT64:
        case G_VARIANT_CLASS_UINT64:
        case G_VARIANT_CLASS_DOUBLE:
                /* Both sides keep these as the plain C type. */
                return sd_bus_message_append_basic(m, g_variant_get_type_string(value)[0],
                                                   g_variant_get_data(value));
        case G_VARIANT_CLASS_VARIANT:
                return append_container(m, value, SD_BUS_TYPE_VARIANT);
        case G_VARIANT_CLASS_ARRAY:
                return append_container(m, value, SD_BUS_TYPE_ARRAY);
        case G_VARIANT_CLASS_TUPLE:
                return append_container(m, value, SD_BUS_TYPE_STRUCT);
        case G_VARIANT_CLASS_DICT_ENTRY:
                return append_container(m, value, SD_BUS_TYPE_DICT_ENTRY);
        case G_VARIANT_CLASS_MAYBE:
                break;
        }
        return -EINVAL;
}

int message_append_body(sd_bus_message *m, GVariant *body) {
        return body ? append_children(m, body) : 0;
}

static int read_basic(sd_bus_message *m, char type, GVariant **ret) {
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
        } value;
        int r;

        r = sd_bus_message_read_basic(m, type, &value);
        if (r < 0)
                return r;
        switch (type) {
        case SD_BUS_TYPE_BYTE:
                *ret = g_variant_new_byte(value.y);
                return 1;
        case SD_BUS_TYPE_BOOLEAN:
                *ret = g_variant_new_boolean(value.b);
                return 1;
        case SD_BUS_TYPE_INT16:
                *ret = g_variant_new_int16(value.n);
                return 1;
        case SD_BUS_TYPE_UINT16:
                *ret = g_variant_new_uint16(value.q);
                return 1;
        case SD_BUS_TYPE_INT32:
                *ret = g_variant_new_int32(value.i);
                return 1;
        case SD_BUS_TYPE_UINT32:
                *ret = g_variant_new_uint32(value.u);
                return 1;
        case SD_BUS_TYPE_INT64:
                *ret = g_variant_new_int64(value.x);
                return 1;
        case SD_BUS_TYPE_UINT64:
                *ret = g_variant_new_uint64(value.t);
                return 1;
        case SD_BUS_TYPE_DOUBLE:
                *ret = g_variant_new_double(value.d);
                return 1;
        case SD_BUS_TYPE_STRING:
                *ret = g_variant_new_string(value.s);
                return 1;
        case SD_BUS_TYPE_OBJECT_PATH:
                *ret = g_variant_new_object_path(value.s);
                return 1;
        case SD_BUS_TYPE_SIGNATURE:
                *ret = g_variant_new_signature(value.s);
                return 1;
        case SD_BUS_TYPE_UNIX_FD: {
                /* The message keeps its own fd. */
                int fd = fcntl(value.i, F_DUPFD_CLOEXEC, 3);

                if (fd < 0)
                        return -errno;
                *ret = g_variant_new_handle(fd);
                return 1;
        }
        default:
                return -EBADMSG;
        }
}

static int read_value(sd_bus_message *m, unsigned depth, GVariant **ret);

static int read_children(sd_bus_message *m, unsigned depth, GVariantBuilder *builder) {
        for (;;) {
                GVariant *child = NULL;
                int r = read_value(m, depth, &child);

                if (r <= 0)
                        return r;
                g_variant_builder_add_value(builder, child);
        }
}

static int read_container(sd_bus_message *m, unsigned depth, char type, const char *contents,
                          GVariant **ret) {
        g_autofree char *signature = NULL;
        g_auto(GVariantBuilder) builder;
        int r;

        switch (type) {
        case SD_BUS_TYPE_ARRAY:
                signature = g_strconcat("a", contents, NULL);
                break;
        case SD_BUS_TYPE_VARIANT:
                signature = g_strdup("v");
                break;
        case SD_BUS_TYPE_DICT_ENTRY:
                signature = g_strconcat("{", contents, "}", NULL);
                break;
        default:
                signature = g_strconcat("(", contents, ")", NULL);
                break;
        }
        g_variant_builder_init(&builder, G_VARIANT_TYPE(signature));
        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        r = read_children(m, depth + 1, &builder);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = g_variant_builder_end(&builder);
        return 1;
}

/* Returns 1 with a floating value, 0 at the end of the container. */
static int read_value(sd_bus_message *m, unsigned depth, GVariant **ret) {
        const char *contents;
        char type;
        int r;

        if (depth > MESSAGE_DEPTH_MAX)
                return -EBADMSG;
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r;
        switch (type) {
        case SD_BUS_TYPE_ARRAY:
        case SD_BUS_TYPE_VARIANT:
        case SD_BUS_TYPE_STRUCT:
        case SD_BUS_TYPE_DICT_ENTRY:
                return read_container(m, depth, type, contents, ret);
        default:
                return read_basic(m, type, ret);
        }
}

int message_read_body(sd_bus_message *m, GVariant **ret) {
        g_auto(GVariantBuilder) builder;
        int r;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_TUPLE);
        r = read_children(m, 0, &builder);
        if (r < 0)
                return r;
        *ret = variant_seal(g_variant_builder_end(&builder));
        return 0;
}

/* One "{sv}". Returns 0 at the end. */
static int read_property(sd_bus_message *m, const char *const *wanted, GVariantBuilder *builder) {
        GVariant *value = NULL;
        const char *name;
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv");
        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &name);
        if (r < 0)
                return r;
        if (wanted && !g_strv_contains(wanted, name))
                r = sd_bus_message_skip(m, "v");
        else
                r = read_value(m, 0, &value);
        if (r < 0)
                return r;
        if (value) {
                g_variant_builder_open(builder, (const GVariantType *) "{sv}");
                g_variant_builder_add(builder, "s", name);
                g_variant_builder_add_value(builder, value);
                g_variant_builder_close(builder);
        }
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

int message_read_properties(sd_bus_message *m, const char *const *wanted, GVariant **ret) {
        g_auto(GVariantBuilder) builder;
        int r;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        while (r > 0)
                r = read_property(m, wanted, &builder);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = variant_seal(g_variant_builder_end(&builder));
        return 0;
}
