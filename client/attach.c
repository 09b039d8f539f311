/* SPDX-License-Identifier: Apache-2.0 */
#include "client/attach.h"

#include "client/devices.h"
#include "service/util/cleanup.h"

int attachment_read(Client *c, ObjectKind kind, const char *argument, Attachment *ret,
                    Error *ret_error) {
        g_autofree char *path = NULL;
        Settings *s;
        int r;

        r = client_object_path(kind, argument, &path, ret_error);
        if (r >= 0)
                r = settings_read(c, kind, path, 0, &s, ret_error);
        if (r < 0)
                return r;
        *ret = (Attachment) { s, devices_from_variant(s->devices) };
        return 0;
}

void attachment_done(Attachment *a) {
        g_clear_pointer(&a->settings, settings_free);
        g_clear_pointer(&a->devices, g_hash_table_unref);
}

int attachment_add(Attachment *a, const char *name, const char *const *options,
                   Error *ret_error) {
        GHashTable *device;

        if (g_hash_table_contains(a->devices, name))
                return error_set(ret_error, ERROR_EXISTS, "%s '%s' has a device '%s' already",
                                 object_kind_to_noun(a->settings->object->kind),
                                 a->settings->object->name, name);
        device = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        for (const char *const *option = options; *option; option += 2)
                if (option[1])
                        g_hash_table_replace(device, g_strdup(option[0]), g_strdup(option[1]));
        g_hash_table_replace(a->devices, g_strdup(name), device);
        return 0;
}

int attachment_find(const Attachment *a, bool (*matches)(GHashTable *device, const void *userdata),
                    const void *userdata, const char *place, const char *wanted, char **ret,
                    Error *ret_error) {
        const char *noun = object_kind_to_noun(a->settings->object->kind), *found = NULL;
        const char *object = a->settings->object->name;
        gpointer name, device;
        GHashTableIter iter;

        g_hash_table_iter_init(&iter, a->devices);
        while (g_hash_table_iter_next(&iter, &name, &device)) {
                if (!matches(device, userdata) || (wanted && !g_str_equal(name, wanted)))
                        continue;
                if (found)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "%s '%s' has several devices on %s; name one of them",
                                         noun, object, place);
                found = name;
        }
        if (!found)
                return error_set(ret_error, ERROR_NO_SUCH_DEVICE,
                                 "%s '%s' has no device%s%s%s of its own on %s", noun, object,
                                 wanted ? " '" : "", wanted ?: "", wanted ? "'" : "", place);
        *ret = g_strdup(found);
        return 0;
}

int attachment_write(Client *c, const Attachment *a, Error *ret_error) {
        const Settings *s = a->settings;
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        g_variant_dict_insert_value(&options, "devices", devices_to_variant(a->devices));
        g_variant_dict_insert(&options, "if-revision", "t",
                              object_get_number(s->object, "Revision"));
        return settings_update(c, s->object->kind, s->object->path, NULL, NULL,
                               g_variant_dict_end(&options), ret_error);
}
