/* SPDX-License-Identifier: Apache-2.0 */

/* The part of the fake service that reads and changes configuration and devices, of whatever has
 * some. */

#include <stdbool.h>

#include "service/util/cleanup.h"
#include "tests/client/fake-service.h"

static bool is_expanded(const FakeCall *call) {
        g_autoptr(GVariant) options = fake_options(call);
        gboolean b = FALSE;

        return g_variant_lookup(options, "expanded", "b", &b) && b;
}

static void get_settings(FakeCall *call, bool devices) {
        GVariant *own = devices ? call->object->devices : call->object->config;
        GVariant *inherited;
        g_autofree char *path = NULL;
        const FakeObject *profile;
        GVariantBuilder b;

        if (call->object->kind != OBJECT_CONTAINER || !is_expanded(call)) {
                call->reply->body = g_variant_new_tuple(&own, 1);
                return;
        }
        path = object_make_path(OBJECT_PROFILE, "default");
        profile = g_hash_table_lookup(call->fake->objects, path);
        inherited = devices ? profile->devices : profile->config;
        g_variant_builder_init(&b, g_variant_get_type(own));
        for (size_t i = 0; i < g_variant_n_children(own); i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(own, i);

                g_variant_builder_add_value(&b, entry);
        }
        for (size_t i = 0; i < g_variant_n_children(inherited); i++) {
                g_autoptr(GVariant) entry = g_variant_get_child_value(inherited, i), found = NULL;
                const char *key;

                g_variant_get_child(entry, 0, "&s", &key);
                found = g_variant_lookup_value(own, key, NULL);
                if (!found)
                        g_variant_builder_add_value(&b, entry);
        }
        own = g_variant_builder_end(&b);
        call->reply->body = g_variant_new_tuple(&own, 1);
}

GVariant *fake_merge_config(GVariant *old, GVariant *set, GVariant *unset) {
        g_autofree const char **removed = g_variant_get_strv(unset, NULL);
        GVariantBuilder b;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        g_variant_iter_init(&iter, old);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                g_autoptr(GVariant) replaced = g_variant_lookup_value(set, key, NULL);

                if (!replaced && !g_strv_contains(removed, key))
                        g_variant_builder_add(&b, "{ss}", key, value);
        }
        g_variant_iter_init(&iter, set);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                g_variant_builder_add(&b, "{ss}", key, value);
        return g_variant_ref_sink(g_variant_builder_end(&b));
}

static void reply_warnings(FakeCall *call, bool any) {
        ObjectKind kind = call->object->kind;

        if (kind != OBJECT_CONTAINER && kind != OBJECT_PROFILE)
                call->reply->body = g_variant_new_tuple(NULL, 0);
        else
                call->reply->body = g_variant_new_parsed(
                        any ? "(['limits.disk.priority does nothing'],)" : "(@as [],)");
}

static void update(FakeCall *call) {
        g_autoptr(GVariant) options = fake_options(call), set = NULL, unset = NULL, old = NULL;
        FakeObject *o = call->object;
        GVariant *v;
        guint64 revision = g_variant_get_uint64(fake_object_get(o, "Revision")), wanted;
        gboolean ephemeral;
        const char *text;

        set = g_variant_get_child_value(call->body, 0);
        unset = g_variant_get_child_value(call->body, 1);
        if (g_variant_lookup(options, "if-revision", "t", &wanted) && wanted != revision) {
                fake_fail(call, "org.berth1.Error.Conflict", "'%s' has changed", o->name);
                return;
        }
        if (g_variant_lookup(set, "no.such.key", "&s", &text)) {
                fake_fail(call, "org.berth1.Error.InvalidConfig", "There is no key 'no.such.key'");
                return;
        }
        old = o->config;
        o->config = fake_merge_config(old, set, unset);
        v = g_variant_lookup_value(options, "devices", G_VARIANT_TYPE("a{sa{ss}}"));
        if (v) {
                g_variant_unref(o->devices);
                o->devices = v;
        }
        if (g_variant_lookup(options, "description", "&s", &text))
                fake_object_change(call->fake, o, "Description", g_variant_new_string(text));
        if (g_variant_lookup(options, "ephemeral", "b", &ephemeral))
                fake_object_change(call->fake, o, "Ephemeral", g_variant_new_boolean(ephemeral));
        v = g_variant_lookup_value(options, "profiles", G_VARIANT_TYPE_STRING_ARRAY);
        if (v) {
                fake_object_change(call->fake, o, "Profiles", v);
                g_variant_unref(v);
        }
        fake_object_change(call->fake, o, "Revision", g_variant_new_uint64(revision + 1));
        reply_warnings(call, g_variant_lookup(set, "limits.disk.priority", "&s", &text));
}

bool fake_settings_call(FakeCall *call) {
        if (g_str_equal(call->member, "GetConfig"))
                get_settings(call, false);
        else if (g_str_equal(call->member, "GetDevices"))
                get_settings(call, true);
        else if (g_str_equal(call->member, "Update") && call->object->kind != OBJECT_IMAGE)
                update(call);
        else
                return false;
        return true;
}
