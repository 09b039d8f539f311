/* SPDX-License-Identifier: Apache-2.0 */
#include "client/editor.h"
#include "client/format.h"
#include "client/snapshot.h"
#include "client/yaml.h"
#include "service/util/cleanup.h"

typedef struct Edit {
        const char *path;
        const Object *snapshot;
} Edit;

/* The options of Update() for what the text says otherwise than it was. */
static int read_changes(const Edit *edit, GVariant *mapping, GVariantDict *changes,
                        Error *ret_error) {
        g_autofree char *description = NULL, *expires = NULL;
        uint64_t usec;
        int r;

        r = yaml_get_string(mapping, "description", &description, ret_error);
        if (r > 0 &&
            !g_str_equal(description, object_get_string(edit->snapshot, "Description")))
                g_variant_dict_insert(changes, "description", "s", description);
        if (r >= 0)
                r = yaml_get_string(mapping, "expires_at", &expires, ret_error);
        if (r <= 0)
                return r;
        if (parse_time_rfc3339(expires, &usec) < 0)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "'expires_at' is no time such as 2030-12-31T23:59:59Z");
        if (usec != object_get_number(edit->snapshot, "Expires"))
                g_variant_dict_insert(changes, "expires", "t", usec);
        return 0;
}

static int edit_apply(Client *c, const char *text, void *userdata, Error *ret_error) {
        static const char *const keys[] = {
                "architecture", "config", "created_at", "description", "devices", "ephemeral",
                "expanded_config", "expanded_devices", "expires_at", "last_used_at", "name",
                "profiles", "size", "stateful", NULL,
        };
        g_auto(GVariantDict) changes = G_VARIANT_DICT_INIT(NULL);
        g_autoptr(GVariant) mapping = NULL;
        const Edit *edit = userdata;
        int r;

        r = yaml_to_variant(text, &mapping, ret_error);
        if (r >= 0)
                r = yaml_check_keys(mapping, keys, ret_error);
        if (r >= 0)
                r = read_changes(edit, mapping, &changes, ret_error);
        if (r < 0)
                return r;
        return client_call(c, OBJECT_SNAPSHOT, edit->path, "Update",
                           g_variant_new("(@a{sv})", g_variant_dict_end(&changes)), "()", NULL,
                           ret_error);
}

int snapshot_edit(Client *c, const char *path, Error *ret_error) {
        static const char header[] =
                "### This is the snapshot in YAML.\n"
                "### Lines that begin with '#' are ignored.\n"
                "###\n"
                "### description and expires_at can be changed; what a snapshot holds cannot.\n"
                "### 0001-01-01T00:00:00Z is never.\n\n";
        g_autofree char *yaml = NULL, *text = NULL;
        g_autoptr(GVariant) record = NULL;
        g_autoptr(Settings) s = NULL;
        Edit edit;
        int r;

        r = settings_read(c, OBJECT_SNAPSHOT, path, 0, &s, ret_error);
        if (r < 0)
                return r;
        record = g_variant_ref_sink(snapshot_to_record(s));
        yaml = yaml_from_variant(record);
        text = g_strconcat(header, yaml, NULL);
        edit = (Edit) { path, s->object };
        return editor_run(c, s->object->name, text, edit_apply, &edit, ret_error);
}
