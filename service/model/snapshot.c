/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/snapshot.h"

#include <errno.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/name.h"
#include "service/model/record.h"
#include "service/util/cleanup.h"

/* No name that can be given begins with it, and none that is swept from a pool. */
#define STAND_IN_MARK '_'

static const char *const states[] = {
        [SNAPSHOT_CREATING] = "creating",
        [SNAPSHOT_READY] = "ready",
        [SNAPSHOT_DELETING] = "deleting",
        [SNAPSHOT_REPLACING] = "replacing",
};
G_STATIC_ASSERT(G_N_ELEMENTS(states) == _SNAPSHOT_STATE_MAX);

const char *snapshot_state_to_string(SnapshotState state) {
        return states[state];
}

Snapshot *snapshot_new(const char *container, const char *name, uid_t owner) {
        g_autofree char *full = g_strconcat(container, "/", name, NULL);
        Snapshot *s = g_new0(Snapshot, 1);

        object_init(&s->object, OBJECT_SNAPSHOT, full, owner);
        s->state = SNAPSHOT_CREATING;
        s->description = g_strdup("");
        s->config = config_empty();
        s->devices = devices_empty();
        s->profiles = g_new0(char *, 1);
        return s;
}

Snapshot *snapshot_free(Snapshot *s) {
        if (!s)
                return NULL;

        object_done(&s->object);
        g_free(s->rename_to);
        g_free(s->description);
        g_strfreev(s->profiles);
        g_variant_unref(s->config);
        g_variant_unref(s->devices);
        g_free(s);
        return NULL;
}

const char *snapshot_get_name(const Snapshot *s) {
        return strchr(s->object.name, '/') + 1;
}

bool snapshot_name_is_stand_in(const char *name) {
        return name[0] == STAND_IN_MARK;
}

bool snapshot_is_stand_in(const Snapshot *s) {
        return snapshot_name_is_stand_in(snapshot_get_name(s));
}

const char *snapshot_lasting_name(const char *name) {
        return snapshot_name_is_stand_in(name) ? name + 1 : name;
}

const char *snapshot_get_name_to_be(const Snapshot *s) {
        return s->rename_to ?: snapshot_lasting_name(snapshot_get_name(s));
}

bool snapshot_is_to_go(const Snapshot *s) {
        return s->state == SNAPSHOT_CREATING || s->state == SNAPSHOT_DELETING;
}

void snapshot_set_made(Snapshot *s) {
        s->state = snapshot_is_stand_in(s) ? SNAPSHOT_REPLACING : SNAPSHOT_READY;
}

char *snapshot_get_container(const Snapshot *s) {
        return g_strndup(s->object.name, strcspn(s->object.name, "/"));
}

void snapshot_set_name(Snapshot *s, const char *container, const char *name) {
        char *full = g_strconcat(container, "/", name, NULL);

        g_free(s->object.name);
        s->object.name = full;
}

Snapshot *snapshot_copy(const Snapshot *s, const char *container, uid_t owner) {
        Snapshot *copy = snapshot_new(container, snapshot_get_name(s), owner);

        copy->state = s->state;
        g_free(copy->description);
        copy->description = g_strdup(s->description);
        copy->created = s->created;
        copy->expires = s->expires;
        copy->ephemeral = s->ephemeral;
        g_strfreev(copy->profiles);
        copy->profiles = g_strdupv(s->profiles);
        g_variant_unref(copy->config);
        copy->config = g_variant_ref(s->config);
        g_variant_unref(copy->devices);
        copy->devices = g_variant_ref(s->devices);
        return copy;
}

static GVariant *snapshot_to_record(const Snapshot *s) {
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "name", "s", snapshot_get_name(s));
        g_variant_dict_insert(&dict, "revision", "t", s->object.revision);
        g_variant_dict_insert(&dict, "state", "s", states[s->state]);
        g_variant_dict_insert(&dict, "froze", "b", s->froze);
        g_variant_dict_insert(&dict, "rename-to", "s", s->rename_to ?: "");
        g_variant_dict_insert(&dict, "description", "s", s->description);
        g_variant_dict_insert(&dict, "created", "t", s->created);
        g_variant_dict_insert(&dict, "expires", "t", s->expires);
        g_variant_dict_insert(&dict, "ephemeral", "b", s->ephemeral);
        g_variant_dict_insert(&dict, "stateful", "b", s->stateful);
        g_variant_dict_insert(&dict, "profiles", "^as", s->profiles);
        g_variant_dict_insert_value(&dict, "config", s->config);
        g_variant_dict_insert_value(&dict, "devices", s->devices);
        return g_variant_dict_end(&dict);
}

GVariant *snapshots_to_record(const GPtrArray *snapshots) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, SNAPSHOTS_TYPE);
        for (guint i = 0; i < snapshots->len; i++)
                g_variant_builder_add_value(&builder, snapshot_to_record(snapshots->pdata[i]));
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

static int snapshot_from_record(const char *container, uid_t owner, GVariant *value,
                                Snapshot **ret) {
        g_autoptr(Record) record = record_open(value);
        g_autoptr(Snapshot) s = NULL;
        g_autofree char *name = NULL;
        int state;

        if (record_get_string(record, "name", &name) < 0 ||
            name_check(NAME_SNAPSHOT, snapshot_lasting_name(name), NULL) < 0)
                return -EBADMSG;
        s = snapshot_new(container, name, owner);
        if (record_get_uint64(record, "revision", &s->object.revision) < 0 ||
            record_get_enum(record, "state", states, _SNAPSHOT_STATE_MAX, &state) < 0 ||
            record_get_boolean(record, "froze", &s->froze) < 0 ||
            record_get_string(record, "rename-to", &s->rename_to) < 0 ||
            record_get_string(record, "description", &s->description) < 0 ||
            record_get_uint64(record, "created", &s->created) < 0 ||
            record_get_uint64(record, "expires", &s->expires) < 0 ||
            record_get_boolean(record, "ephemeral", &s->ephemeral) < 0 ||
            record_get_strv(record, "profiles", &s->profiles) < 0 ||
            record_get_variant(record, "config", CONFIG_TYPE, &s->config) < 0 ||
            record_get_variant(record, "devices", DEVICES_TYPE, &s->devices) < 0)
                return -EBADMSG;
        /* Services that could not save the state of a snapshot wrote nothing of it. */
        if (record_has(record, "stateful") &&
            record_get_boolean(record, "stateful", &s->stateful) < 0)
                return -EBADMSG;
        s->state = (SnapshotState) state;
        if (!*s->rename_to)
                g_clear_pointer(&s->rename_to, g_free);
        *ret = TAKE_PTR(s);
        return 0;
}

static void free_in_array(void *p) {
        (void) snapshot_free(p);
}

int snapshots_from_record(const char *container, uid_t owner, GVariant *record,
                          GPtrArray *snapshots) {
        g_autoptr(GPtrArray) read = g_ptr_array_new_with_free_func(free_in_array);
        GVariantIter iter;
        GVariant *next;

        g_variant_iter_init(&iter, record);
        while ((next = g_variant_iter_next_value(&iter))) {
                g_autoptr(GVariant) owned = next;
                Snapshot *s;
                int r = snapshot_from_record(container, owner, owned, &s);

                if (r < 0)
                        return r;
                g_ptr_array_add(read, s);
        }
        while (read->len > 0)
                g_ptr_array_add(snapshots, g_ptr_array_steal_index(read, 0));
        return 0;
}

Snapshot *snapshots_find(const GPtrArray *snapshots, const char *name) {
        for (guint i = 0; i < snapshots->len; i++)
                if (g_str_equal(snapshot_get_name(snapshots->pdata[i]), name))
                        return snapshots->pdata[i];
        return NULL;
}

bool snapshots_claim(const GPtrArray *snapshots, const char *name) {
        for (guint i = 0; i < snapshots->len; i++) {
                const Snapshot *s = snapshots->pdata[i];

                if (g_str_equal(snapshot_lasting_name(snapshot_get_name(s)), name) ||
                    g_strcmp0(s->rename_to, name) == 0)
                        return true;
        }
        return false;
}

char *snapshots_name_new(const GPtrArray *snapshots, const char *name) {
        return snapshots_claim(snapshots, name) ? g_strdup_printf("%c%s", STAND_IN_MARK, name)
                                                : g_strdup(name);
}

Snapshot *snapshots_find_replaced(const GPtrArray *snapshots, const Snapshot *s) {
        return snapshot_is_stand_in(s) ? snapshots_find(snapshots, snapshot_get_name_to_be(s))
                                       : NULL;
}

Snapshot *snapshots_find_half(const GPtrArray *snapshots) {
        for (guint i = 0; i < snapshots->len; i++) {
                Snapshot *s = snapshots->pdata[i];

                if (s->state != SNAPSHOT_READY || s->rename_to)
                        return s;
        }
        return NULL;
}

static bool has_same(const GPtrArray *snapshots, const Snapshot *s) {
        const Snapshot *other = snapshots_find(snapshots, snapshot_get_name(s));

        return other && other->state == SNAPSHOT_READY && other->created == s->created;
}

void snapshots_compare(const GPtrArray *theirs, const GPtrArray *ours, const char *parent,
                       uid_t owner, GPtrArray *new, GPtrArray *gone) {
        for (guint i = 0; i < ours->len; i++)
                if (!has_same(theirs, ours->pdata[i]))
                        g_ptr_array_add(gone, ours->pdata[i]);
        for (guint i = 0; i < theirs->len; i++) {
                const Snapshot *s = theirs->pdata[i];
                g_autofree char *name = NULL;
                Snapshot *copy;

                if (s->state != SNAPSHOT_READY || has_same(ours, s))
                        continue;
                name = snapshots_name_new(ours, snapshot_get_name(s));
                copy = snapshot_copy(s, parent, owner);
                copy->state = SNAPSHOT_CREATING;
                snapshot_set_name(copy, parent, name);
                g_ptr_array_add(new, copy);
        }
}

void snapshots_exchange(const GPtrArray *new, const GPtrArray *gone, bool done) {
        for (guint i = 0; i < new->len; i++) {
                Snapshot *s = new->pdata[i];

                if (done)
                        snapshot_set_made(s);
                else
                        s->state = SNAPSHOT_CREATING;
        }
        for (guint i = 0; i < gone->len; i++)
                ((Snapshot *) gone->pdata[i])->state = done ? SNAPSHOT_DELETING : SNAPSHOT_READY;
}
