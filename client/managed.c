/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/client.h"
#include "client/message.h"
#include "service/util/cleanup.h"

/* Of thousands of containers a table shows a few properties each: what is not asked for is stepped
 * over in the message and never becomes a value. */

typedef struct Selection {
        const char *interface;
        const char *const *properties;
        GPtrArray *objects;
        ObjectKind kind;
} Selection;

/* One "{sa{sv}}". Returns 0 at the end. */
static int read_interface(sd_bus_message *m, const Selection *s, GVariant **properties) {
        const char *interface;
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sa{sv}");
        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &interface);
        if (r < 0)
                return r;
        if (!*properties && g_str_equal(interface, s->interface))
                r = message_read_properties(m, s->properties, properties);
        else
                r = sd_bus_message_skip(m, "a{sv}");
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

/* One "{oa{sa{sv}}}". Returns 0 at the end. */
static int read_object(sd_bus_message *m, const Selection *s) {
        g_autoptr(GVariant) properties = NULL;
        g_autofree char *name = NULL;
        const char *path;
        Object *o;
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "oa{sa{sv}}");
        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_OBJECT_PATH, &path);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sa{sv}}");
        while (r > 0)
                r = read_interface(m, s, &properties);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        if (!properties || !object_parse_path(path, NULL, &name))
                return 1;
        o = g_new(Object, 1);
        *o = (Object) { s->kind, g_strdup(path), g_steal_pointer(&name),
                        g_steal_pointer(&properties) };
        g_ptr_array_add(s->objects, o);
        return 1;
}

static int read_objects(sd_bus_message *m, void *userdata) {
        const Selection *s = userdata;
        int r;

        r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{oa{sa{sv}}}");
        while (r > 0)
                r = read_object(m, s);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int object_compare(gconstpointer a, gconstpointer b) {
        return strcmp((*(Object *const *) a)->name, (*(Object *const *) b)->name);
}

int client_get_objects(Client *c, ObjectKind kind, const char *const *properties, GPtrArray **ret,
                       Error *ret_error) {
        g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func((GDestroyNotify) object_free);
        Selection s = { object_kind_to_interface(kind), properties, objects, kind };
        int r;

        r = client_connect(c, ret_error);
        if (r >= 0)
                r = connection_call_reading(c->connection, BERTH_ROOT_PATH,
                                            "org.freedesktop.DBus.ObjectManager",
                                            "GetManagedObjects", NULL, read_objects, &s, ret_error);
        if (r < 0)
                return r;
        g_ptr_array_sort(objects, object_compare);
        *ret = TAKE_PTR(objects);
        return 0;
}
