/* SPDX-License-Identifier: Apache-2.0 */
#include "client/attach.h"
#include "client/volume.h"
#include "service/util/cleanup.h"

/* The first two arguments. */
typedef struct Source {
        char *pool, *volume;
} Source;

static void source_done(Source *source) {
        g_clear_pointer(&source->pool, g_free);
        g_clear_pointer(&source->volume, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Source, source_done)

static int read_source(Client *c, Source *ret, Error *ret_error) {
        g_autofree char *path = NULL;
        int r;

        r = volume_path_of_arguments(c, &path, NULL, ret_error);
        if (r >= 0)
                r = client_object_name(client_argument(c, 0), &ret->pool, ret_error);
        if (r >= 0)
                (void) object_parse_path(path, NULL, &ret->volume);
        return r;
}

/* <pool> <volume> <object> [<device>] [<path>]: one more argument alone is the path where it
 * looks like one. */
static int attach(Client *c, ObjectKind kind, Error *ret_error) {
        const char *name = client_argument(c, 3), *where = client_argument(c, 4);
        g_auto(Attachment) a = { 0 };
        g_auto(Source) source = { 0 };
        int r;

        r = read_source(c, &source, ret_error);
        if (r < 0)
                return r;
        if (!where && name && name[0] == '/') {
                where = name;
                name = NULL;
        }
        if (!where)
                return client_usage_error(ret_error, "Where is it to be inside? Give a path");
        r = attachment_read(c, kind, client_argument(c, 2), &a, ret_error);
        if (r < 0)
                return r;
        name = name ?: source.volume;
        r = attachment_add(&a, name,
                           (const char *const[]) { "type", "disk", "pool", source.pool, "source",
                                                   source.volume, "path", where, NULL },
                           ret_error);
        if (r >= 0)
                r = attachment_write(c, &a, ret_error);
        if (r >= 0)
                client_say(c, "Volume %s attached to %s as device %s", source.volume,
                           a.settings->object->name, name);
        return r;
}

static bool is_of(GHashTable *device, const void *userdata) {
        const Source *source = userdata;

        return g_strcmp0(g_hash_table_lookup(device, "type"), "disk") == 0 &&
               g_strcmp0(g_hash_table_lookup(device, "pool"), source->pool) == 0 &&
               g_strcmp0(g_hash_table_lookup(device, "source"), source->volume) == 0;
}

static int detach(Client *c, ObjectKind kind, Error *ret_error) {
        g_autofree char *name = NULL, *place = NULL;
        g_auto(Attachment) a = { 0 };
        g_auto(Source) source = { 0 };
        int r;

        r = read_source(c, &source, ret_error);
        if (r >= 0)
                r = attachment_read(c, kind, client_argument(c, 2), &a, ret_error);
        if (r < 0)
                return r;
        place = g_strdup_printf("the volume '%s'", source.volume);
        r = attachment_find(&a, is_of, &source, place, client_argument(c, 3), &name, ret_error);
        if (r < 0)
                return r;
        g_hash_table_remove(a.devices, name);
        r = attachment_write(c, &a, ret_error);
        if (r >= 0)
                client_say(c, "Device %s removed from %s", name, a.settings->object->name);
        return r;
}

int volume_run_attach(Client *c, Error *ret_error) {
        return attach(c, OBJECT_CONTAINER, ret_error);
}

int volume_run_attach_profile(Client *c, Error *ret_error) {
        return attach(c, OBJECT_PROFILE, ret_error);
}

int volume_run_detach(Client *c, Error *ret_error) {
        return detach(c, OBJECT_CONTAINER, ret_error);
}

int volume_run_detach_profile(Client *c, Error *ret_error) {
        return detach(c, OBJECT_PROFILE, ret_error);
}
