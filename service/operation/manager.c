/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/manager.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "service/model/name.h"
#include "service/operation/container-forward.h"
#include "service/operation/container-hotplug.h"
#include "service/operation/container-ids.h"
#include "service/operation/container-run.h"
#include "service/operation/container-wait.h"
#include "service/operation/firewall.h"
#include "service/operation/image-upkeep.h"
#include "service/operation/network.h"
#include "service/operation/pool-records.h"
#include "service/operation/settings.h"
#include "service/operation/snapshot-timer.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/watch/address-watch.h"
#include "service/watch/firewall-watch.h"
#include "service/watch/uevent-watch.h"

void object_free(void *p) {
        Object *o = p;

        switch (o->kind) {
        case OBJECT_CONTAINER:
                (void) container_free((Container *) o);
                break;
        case OBJECT_IMAGE:
                (void) image_free((Image *) o);
                break;
        case OBJECT_PROFILE:
                (void) profile_free((Profile *) o);
                break;
        case OBJECT_NETWORK:
                (void) network_free((Network *) o);
                break;
        case OBJECT_POOL:
                (void) storage_pool_free((StoragePool *) o);
                break;
        case OBJECT_VOLUME:
                (void) storage_volume_free((StorageVolume *) o);
                break;
        case OBJECT_SNAPSHOT:
                (void) snapshot_free((Snapshot *) o);
                break;
        case OBJECT_JOB:
                (void) job_free((Job *) o);
                break;
        case _OBJECT_KIND_MAX:
                g_assert_not_reached();
        }
}

static GVariant *object_to_record(Object *o) {
        switch (o->kind) {
        case OBJECT_CONTAINER:
                return container_to_record((Container *) o);
        case OBJECT_IMAGE:
                return image_to_record((Image *) o);
        case OBJECT_PROFILE:
                return profile_to_record((Profile *) o);
        case OBJECT_NETWORK:
                return network_to_record((Network *) o);
        case OBJECT_POOL:
                return storage_pool_to_record((StoragePool *) o);
        case OBJECT_VOLUME:
                return storage_volume_to_record((StorageVolume *) o);
        case OBJECT_SNAPSHOT:
        case OBJECT_JOB:
        case _OBJECT_KIND_MAX:
                break;
        }
        g_assert_not_reached();
}

static int object_from_record(ObjectKind kind, const char *name, GVariant *record, Object **ret) {
        switch (kind) {
        case OBJECT_CONTAINER:
                return container_from_record(name, record, (Container **) ret);
        case OBJECT_IMAGE:
                return image_from_record(name, record, (Image **) ret);
        case OBJECT_PROFILE:
                return profile_from_record(name, record, (Profile **) ret);
        case OBJECT_NETWORK:
                return network_from_record(name, record, (Network **) ret);
        case OBJECT_POOL:
                return storage_pool_from_record(name, record, (StoragePool **) ret);
        case OBJECT_VOLUME:
                return storage_volume_from_record(name, record, (StorageVolume **) ret);
        case OBJECT_SNAPSHOT:
        case OBJECT_JOB:
        case _OBJECT_KIND_MAX:
                break;
        }
        g_assert_not_reached();
}

/* --- start and end --- */

typedef struct LoadContext {
        Manager *manager;
        ObjectKind kind;
} LoadContext;

static void load_snapshots(Manager *m, const Container *c) {
        for (guint i = 0; i < c->snapshots->len; i++) {
                Snapshot *s = c->snapshots->pdata[i];

                g_hash_table_replace(m->objects[OBJECT_SNAPSHOT], s->object.name, s);
        }
}

static void load_record(const char *name, GVariant *record, void *userdata) {
        LoadContext *context = userdata;
        g_autofree char *full = object_name_from_record(context->kind, name);
        Object *o;

        if (object_from_record(context->kind, full, record, &o) < 0) {
                log_error("The record of the %s \"%s\" makes no sense; it is left out.",
                          object_kind_to_noun(context->kind), name);
                return;
        }
        g_hash_table_replace(context->manager->objects[context->kind], o->name, o);
        if (o->kind == OBJECT_CONTAINER)
                load_snapshots(context->manager, (Container *) o);
}

static int load_records(Manager *m, Error *ret_error) {
        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                const char *directory = object_kind_to_directory(kind);
                LoadContext context = { m, kind };
                int r;

                if (!directory)
                        continue;
                r = record_dir_open(m->state_dir, directory, &m->records[kind], ret_error);
                if (r >= 0)
                        r = record_dir_load(m->records[kind], load_record, &context, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static GArray *read_subid(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        g_autoptr(GBytes) bytes = NULL;
        g_autofree char *text = NULL;

        if (fd >= 0 && fd_read_all(fd, 1 << 20, &bytes) >= 0)
                text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        return id_ranges_parse_subid(text);
}

static GArray *read_id_ranges(void) {
        g_autoptr(GArray) uids = read_subid("/etc/subuid");
        g_autoptr(GArray) gids = read_subid("/etc/subgid");

        return id_ranges_intersect(uids, gids);
}

/* The profile "default" is always there. */
static int ensure_default_profile(Manager *m, Error *ret_error) {
        Profile *profile;

        if (manager_find_profile(m, PROFILE_DEFAULT))
                return 0;
        profile = profile_new(PROFILE_DEFAULT, 0);
        g_free(profile->description);
        profile->description = g_strdup("Default profile, inherited by every container");
        manager_add(m, &profile->object);
        return manager_save(m, &profile->object, ret_error);
}

int manager_new(sd_event *event, const char *state_dir, const char *run_dir,
                const char *libexec_dir, Manager **ret, Error *ret_error) {
        g_autoptr(Manager) m = g_new0(Manager, 1);
        int r;

        m->event = sd_event_ref(event);
        m->state_dir = g_strdup(state_dir);
        m->run_dir = g_strdup(run_dir);
        m->libexec_dir = g_strdup(libexec_dir);
        m->locks = g_hash_table_new(NULL, NULL);
        m->workers = places_new(UINT_MAX, WORKERS_PER_UID_MAX);
        m->runs = g_hash_table_new_full(NULL, NULL, NULL, container_run_free);
        m->forwards = g_hash_table_new_full(NULL, NULL, NULL, container_forwards_free);
        m->hotplugs = g_hash_table_new_full(NULL, NULL, NULL, container_hotplug_free);
        m->resolvers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                             resolver_free);
        m->device_plans = g_ptr_array_new();
        m->firewall = firewall_new(m);
        m->id_ranges = read_id_ranges();
        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++)
                m->objects[kind] = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                                         object_free);

        r = pool_records_new(m, &m->pool_records, ret_error);
        if (r >= 0)
                r = record_dir_open(m->run_dir, "containers", &m->facts, ret_error);
        if (r < 0)
                return r;
        r = settings_new(m->state_dir, &m->settings, ret_error);
        if (r >= 0)
                r = load_records(m, ret_error);
        if (r < 0)
                return r;
        container_ids_settle(m);
        r = ensure_default_profile(m, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;

        m->observer = NULL;
        snapshot_timer_free(TAKE_PTR(m->snapshot_timer));
        image_upkeep_free(TAKE_PTR(m->image_upkeep));
        /* Jobs first: they hold workers and locks on the others. */
        g_clear_pointer(&m->objects[OBJECT_JOB], g_hash_table_unref);
        g_clear_pointer(&m->runs, g_hash_table_unref);
        g_clear_pointer(&m->forwards, g_hash_table_unref);
        g_clear_pointer(&m->hotplugs, g_hash_table_unref);
        g_clear_pointer(&m->resolvers, g_hash_table_unref);
        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                g_clear_pointer(&m->objects[kind], g_hash_table_unref);
                m->records[kind] = record_dir_close(m->records[kind]);
        }
        m->facts = record_dir_close(m->facts);
        m->settings = settings_free(m->settings);
        g_clear_pointer(&m->device_plans, g_ptr_array_unref);
        m->firewall = firewall_free(m->firewall);
        m->pool_records = pool_records_free(m->pool_records);
        address_watch_free(m->address_watch);
        firewall_watch_free(m->firewall_watch);
        uevent_watch_free(m->uevent_watch);
        g_clear_pointer(&m->locks, g_hash_table_unref);
        m->workers = places_free(m->workers);
        g_clear_pointer(&m->id_ranges, g_array_unref);
        g_free(m->state_dir);
        g_free(m->run_dir);
        g_free(m->libexec_dir);
        sd_event_unref(m->event);
        g_free(m);
        return NULL;
}

/* --- finding --- */

Object *manager_find(Manager *m, ObjectKind kind, const char *name) {
        return g_hash_table_lookup(m->objects[kind], name);
}

int manager_get(Manager *m, ObjectKind kind, const char *name, Object **ret, Error *ret_error) {
        g_autofree char *shown = NULL;
        Object *o = manager_find(m, kind, name);

        if (!o) {
                shown = g_strescape(name, NULL);
                return error_set(ret_error, (ErrorCode) object_error_missing(kind),
                                 "There is no %s \"%.80s\"", object_kind_to_noun(kind), shown);
        }
        *ret = o;
        return 0;
}

int manager_get_image(Manager *m, const char *name, Image **ret, Error *ret_error) {
        bool prefix = name_is_fingerprint_prefix(name);
        g_autofree char *shown = NULL;
        GHashTableIter iter;
        Image *image, *found = NULL;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &image))
                if (image_has_alias(image, name)) {
                        *ret = image;
                        return 0;
                }
        g_hash_table_iter_init(&iter, m->objects[OBJECT_IMAGE]);
        while (prefix && g_hash_table_iter_next(&iter, NULL, (void **) &image)) {
                if (!g_str_has_prefix(image->object.name, name))
                        continue;
                if (found)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "Several images begin with \"%s\"; write more of the "
                                         "fingerprint", name);
                found = image;
        }
        if (!found) {
                shown = g_strescape(name, NULL);
                return error_set(ret_error, ERROR_NO_SUCH_IMAGE,
                                 "There is no image with the alias or fingerprint \"%.80s\"",
                                 shown);
        }
        *ret = found;
        return 0;
}

bool manager_has_record(Manager *m, ObjectKind kind, const char *name) {
        g_autofree char *file = object_name_to_record(kind, name);

        return m->records[kind] && record_dir_has(m->records[kind], file);
}

int manager_check_free(Manager *m, ObjectKind kind, const char *name, Error *ret_error) {
        GHashTableIter iter;
        Container *c;

        if (manager_find(m, kind, name))
                return error_set(ret_error, ERROR_EXISTS, "There is a %s \"%s\" already",
                                 object_kind_to_noun(kind), name);
        if (manager_has_record(m, kind, name))
                return error_set(ret_error, ERROR_EXISTS,
                                 "There is a record of a %s \"%s\" that cannot be read; see the "
                                 "service's log", object_kind_to_noun(kind), name);
        if (kind != OBJECT_CONTAINER)
                return 0;
        g_hash_table_iter_init(&iter, m->objects[kind]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (g_strcmp0(c->rename_to, name) == 0)
                        return error_set(ret_error, ERROR_EXISTS,
                                         "Container \"%s\" is just being renamed to \"%s\"",
                                         c->object.name, name);
        return 0;
}

/* --- changing --- */

/* What is due may have to do with these. */
static void touch_timers(Manager *m, Object *o) {
        snapshot_timer_touch(m->snapshot_timer, o);
        if (o->kind == OBJECT_IMAGE)
                image_upkeep_touch(m->image_upkeep);
}

void manager_add(Manager *m, Object *o) {
        g_assert(!manager_find(m, o->kind, o->name));
        g_hash_table_replace(m->objects[o->kind], o->name, o);
        if (m->observer)
                m->observer->added(o, m->observer_userdata);
        touch_timers(m, o);
}

int manager_save(Manager *m, Object *o, Error *ret_error) {
        g_autoptr(GVariant) record = NULL;
        g_autofree char *file = NULL;
        int r;

        if (o->kind == OBJECT_SNAPSHOT)
                o = &manager_get_container_of(m, (Snapshot *) o)->object;
        record = object_to_record(o);
        file = object_name_to_record(o->kind, o->name);
        r = record_dir_write(m->records[o->kind], file, record, ret_error);
        if (r >= 0)
                pool_records_save(m, o, record);
        return r;
}

void manager_save_copy(Manager *m, Object *o) {
        g_autoptr(GVariant) record = object_to_record(o);

        pool_records_save(m, o, record);
}

void manager_announce(Manager *m, Object *o) {
        if (m->observer && manager_find(m, o->kind, o->name) == o)
                m->observer->changed(o, m->observer_userdata);
}

void manager_changed(Manager *m, Object *o) {
        if (manager_find(m, o->kind, o->name) == o)
                touch_timers(m, o);
        manager_announce(m, o);
        if (o->kind == OBJECT_CONTAINER)
                container_wait_changed(m, (Container *) o);
}

Container *manager_get_container_of(Manager *m, const Snapshot *s) {
        g_autofree char *name = snapshot_get_container(s);
        Container *c = manager_find_container(m, name);

        g_assert(c); /* it goes after its snapshots */
        return c;
}

static void remove_snapshots(Manager *m, Container *c) {
        while (c->snapshots->len > 0)
                manager_remove(m, &((Snapshot *) c->snapshots->pdata[0])->object);
}

void manager_remove(Manager *m, Object *o) {
        touch_timers(m, o);
        if (o->kind == OBJECT_CONTAINER)
                remove_snapshots(m, (Container *) o);
        snapshot_timer_forget(m->snapshot_timer, o);
        if (m->observer)
                m->observer->removed(o, m->observer_userdata);
        if (o->kind == OBJECT_CONTAINER) {
                g_hash_table_remove(m->runs, o);
                g_hash_table_remove(m->forwards, o);
                g_hash_table_remove(m->hotplugs, o);
        }
        if (o->kind == OBJECT_SNAPSHOT)
                g_ptr_array_remove(manager_get_container_of(m, (Snapshot *) o)->snapshots, o);
        if (g_hash_table_contains(m->locks, o))
                job_unlock(g_hash_table_lookup(m->locks, o), o);
        g_hash_table_remove(m->objects[o->kind], o->name);
}

static void rename_snapshots(Manager *m, Container *c) {
        for (guint i = 0; i < c->snapshots->len; i++) {
                Snapshot *s = c->snapshots->pdata[i];
                g_autofree char *name = g_strconcat(c->object.name, "/", snapshot_get_name(s),
                                                    NULL);

                manager_rename(m, &s->object, name);
        }
}

void manager_rename(Manager *m, Object *o, const char *name) {
        if (m->observer)
                m->observer->removed(o, m->observer_userdata);
        g_hash_table_steal(m->objects[o->kind], o->name);
        g_free(o->name);
        o->name = g_strdup(name);
        manager_add(m, o);
        if (o->kind == OBJECT_CONTAINER)
                rename_snapshots(m, (Container *) o);
}

static void forget_copy(Manager *m, ObjectKind kind, const char *name) {
        const Container *c = kind == OBJECT_CONTAINER ? manager_find_container(m, name) : NULL;
        g_autofree char *pool = NULL;

        if (c && !c->incomplete)
                pool_records_forget(m, kind, c->pool, name);
        if (kind == OBJECT_NETWORK || kind == OBJECT_PROFILE) {
                GHashTableIter iter;
                StoragePool *p;

                g_hash_table_iter_init(&iter, m->objects[OBJECT_POOL]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &p))
                        pool_records_forget(m, kind, p->object.name, name);
        }
        if (kind != OBJECT_VOLUME)
                return;
        pool = g_strndup(name, strcspn(name, "/"));
        pool_records_forget(m, kind, pool, name);
}

int manager_forget(Manager *m, ObjectKind kind, const char *name, Error *ret_error) {
        g_autofree char *file = object_name_to_record(kind, name);

        /* Last what says that there is something to forget. */
        forget_copy(m, kind, name);
        return record_dir_remove(m->records[kind], file, ret_error);
}

Job *manager_get_lock(Manager *m, Object *o) {
        return g_hash_table_lookup(m->locks, o);
}

void manager_job_finished(Manager *m, Job *job) {
        if (m->observer)
                m->observer->job_finished(job, m->observer_userdata);
        network_restart_resolvers(m);
        snapshot_timer_job_ended(m->snapshot_timer);
}

void manager_lifecycle(Manager *m, Container *c, const char *event, GVariant *details) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(
                details ?: g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));

        log_info("Container \"%s\": %s.", c->object.name, event);
        if (m->observer)
                m->observer->lifecycle(c, event, owned, m->observer_userdata);
}

bool manager_is_idle(Manager *m) {
        GHashTableIter iter;
        void *value;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_JOB]);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                if (!job_has_ended(value))
                        return false;
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, &value))
                if (container_is_up(value))
                        return false;
        return !snapshot_timer_is_set(m->snapshot_timer);
}
