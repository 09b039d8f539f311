/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/bus.h"

#include <errno.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "service/bus/call.h"
#include "service/bus/host-network.h"
#include "service/bus/log-control.h"
#include "service/bus/message.h"
#include "service/bus/path.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"

const BusClass *const *bus_classes(void) {
        static const BusClass *const classes[] = {
                &bus_class_manager, &bus_class_container, &bus_class_image, &bus_class_profile,
                &bus_class_network, &bus_class_pool,      &bus_class_volume,
                &bus_class_snapshot, &bus_class_job,      NULL,
        };

        return classes;
}

const BusMethod *bus_method_find(const char *interface, const char *member) {
        for (const BusClass *const *class = bus_classes(); *class; class++) {
                if (!g_str_equal((*class)->interface, interface))
                        continue;
                for (const BusMethod *m = (*class)->methods; m->name; m++)
                        if (g_str_equal(m->name, member))
                                return m;
        }
        return NULL;
}

/* --- vtables from tables --- */

static int on_get_property(sd_bus *sdbus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *error) {
        Bus *bus = userdata;
        Object *o = bus_path_find(bus->manager, path);
        g_autoptr(GVariant) value = NULL;

        for (const BusClass *const *class = bus_classes(); *class; class++) {
                if (!g_str_equal((*class)->interface, interface))
                        continue;
                if (!o && (*class)->kind != _OBJECT_KIND_MAX)
                        return -ENOENT;
                for (const BusProperty *p = (*class)->properties; p->name; p++) {
                        if (!g_str_equal(p->name, property))
                                continue;
                        value = g_variant_take_ref(p->get(bus, o));
                        return message_append_value(reply, value, NULL);
                }
        }
        return -ENOENT;
}

/* Whether a method's row says all that it must. */
static bool row_is_settled(const BusMethod *m) {
        switch (m->access) {
        case BUS_PUBLIC:
                return true;
        case BUS_ACTION:
        case BUS_OWNER:
                return m->action && m->prompt;
        case _BUS_ACCESS_UNSET:
                return false;
        }
        return false;
}

static int make_vtable(BusClass *class, Error *ret_error) {
        GArray *vtable = g_array_new(FALSE, FALSE, sizeof(sd_bus_vtable));
        sd_bus_vtable entry = SD_BUS_VTABLE_START(0);

        g_array_append_val(vtable, entry);
        for (const BusMethod *m = class->methods; m->name; m++) {
                if (!row_is_settled(m)) {
                        g_array_unref(vtable);
                        return error_set(ret_error, ERROR_FAILED,
                                         "Nobody has settled who may call %s.%s", class->interface,
                                         m->name);
                }
                /* UNPRIVILEGED: polkit decides, through the dispatcher, not sd-bus. */
                entry = (sd_bus_vtable) SD_BUS_METHOD_WITH_NAMES(
                        m->name, m->in, m->names, m->out, , bus_call_dispatch,
                        SD_BUS_VTABLE_UNPRIVILEGED);
                g_array_append_val(vtable, entry);
        }
        for (const BusProperty *p = class->properties; p->name; p++) {
                entry = (sd_bus_vtable) SD_BUS_PROPERTY(p->name, p->signature, on_get_property, 0,
                                                        p->flags);
                g_array_append_val(vtable, entry);
        }
        for (const BusSignal *s = class->signals; s && s->name; s++) {
                entry = (sd_bus_vtable) SD_BUS_SIGNAL_WITH_NAMES(s->name, s->signature, s->names,
                                                                 0);
                g_array_append_val(vtable, entry);
        }
        entry = (sd_bus_vtable) SD_BUS_VTABLE_END;
        g_array_append_val(vtable, entry);
        class->vtable = (sd_bus_vtable *) (void *) g_array_free(vtable, FALSE);
        return 0;
}

/* Everything is found by path when it is asked for; the bus holds no pointer to any object. */
static int on_find(sd_bus *sdbus, const char *path, const char *interface, void *userdata,
                   void **ret_found, sd_bus_error *ret_error) {
        Bus *bus = userdata;
        Object *o = bus_path_find(bus->manager, path);

        for (const BusClass *const *class = bus_classes(); o && *class; class++)
                if ((*class)->kind == o->kind && g_str_equal((*class)->interface, interface)) {
                        *ret_found = bus;
                        return 1;
                }
        return 0;
}

static int on_enumerate(sd_bus *sdbus, const char *prefix, void *userdata, char ***ret_nodes,
                        sd_bus_error *ret_error) {
        Bus *bus = userdata;
        GPtrArray *paths = g_ptr_array_new();

        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                GHashTableIter iter;
                Object *o;

                g_hash_table_iter_init(&iter, bus->manager->objects[kind]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &o))
                        if (bus_shows(o))
                                g_ptr_array_add(paths, bus_path_of(kind, o->name));
        }
        g_ptr_array_add(paths, NULL);
        *ret_nodes = (char **) g_ptr_array_free(paths, FALSE);
        return 0;
}

static int export(Bus *bus, Error *ret_error) {
        int r;

        r = sd_bus_add_object_manager(bus->bus, NULL, BUS_ROOT);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus->bus, NULL, BUS_ROOT, on_enumerate, bus);
        for (const BusClass *const *c = bus_classes(); r >= 0 && *c; c++) {
                BusClass *class = (BusClass *) *c;

                r = make_vtable(class, ret_error);
                if (r < 0)
                        return r;
                if (class->kind == _OBJECT_KIND_MAX)
                        r = sd_bus_add_object_vtable(bus->bus, NULL, BUS_ROOT, class->interface,
                                                     class->vtable, bus);
                else
                        r = sd_bus_add_fallback_vtable(bus->bus, NULL, bus_path_prefix(class->kind),
                                                       class->interface, class->vtable, on_find,
                                                       bus);
        }
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot export the objects");
        return 0;
}

/* --- what the Manager tells --- */

/* While there is always something to do, changes are announced after this. */
#define CHANGED_LATE_USEC (100 * G_TIME_SPAN_MILLISECOND)

static const BusClass *class_of(const Object *o) {
        for (const BusClass *const *class = bus_classes(); *class; class++)
                if ((*class)->kind == o->kind)
                        return *class;
        g_assert_not_reached();
}

/* All that can change, a{sv}. A full reference. */
static GVariant *changing_properties(Bus *bus, Object *o) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
        for (const BusProperty *p = class_of(o)->properties; p->name; p++) {
                g_autoptr(GVariant) value = NULL;

                if (!(p->flags & SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE))
                        continue;
                value = g_variant_take_ref(p->get(bus, o));
                g_variant_builder_add(&builder, "{sv}", p->name, value);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

/* Remembers what is told of an object; whether it is something else than the last time. What has
 * changed may have changed back before anybody was told, and whoever changes an object need not
 * know whether that shows. A digest, since there may be thousands of objects; of 64 bits (where
 * pointers have these), so that none is ever like the one before by chance. */
static bool remember_told(Bus *bus, Object *o, GVariant *properties) {
        g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
        const void *data = g_variant_get_data(properties);
        uint8_t bytes[32];
        gsize size = sizeof(bytes);
        void *digest, *before;
        bool known;

        g_checksum_update(sum, data, (gssize) g_variant_get_size(properties));
        g_checksum_get_digest(sum, bytes, &size);
        memcpy(&digest, bytes, sizeof(digest));
        known = g_hash_table_lookup_extended(bus->told, o, NULL, &before);
        g_hash_table_insert(bus->told, o, digest);
        return !known || before != digest;
}

static int tell_changed(Bus *bus, const char *path, const Object *o, GVariant *properties) {
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        r = sd_bus_message_new_signal(bus->bus, &m, path, "org.freedesktop.DBus.Properties",
                                      "PropertiesChanged");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", class_of(o)->interface);
        if (r >= 0)
                r = message_append_value(m, properties, NULL);
        if (r >= 0)
                r = sd_bus_message_append(m, "as", 0);
        return r < 0 ? r : sd_bus_send(bus->bus, m, NULL);
}

static void announce(Bus *bus, Object *o) {
        g_autofree char *path = bus_path_of(o->kind, o->name);
        bool is_new = g_hash_table_add(bus->announced, o);
        g_autoptr(GVariant) properties = NULL;
        int r = 0;

        if (!bus->is_named)
                return;
        properties = changing_properties(bus, o);
        if (!remember_told(bus, o, properties) && !is_new)
                return;
        if (is_new)
                r = sd_bus_emit_object_added(bus->bus, path);
        else
                r = tell_changed(bus, path, o, properties);
        if (r < 0)
                log_debug("Cannot announce %s: %s", path, g_strerror(-r));
}

void bus_flush(Bus *bus) {
        g_autoptr(GList) objects = g_hash_table_get_keys(bus->changed);

        g_hash_table_remove_all(bus->changed);
        for (GList *o = objects; o; o = o->next) {
                if (((Object *) o->data)->kind == OBJECT_NETWORK)
                        host_network_changed(bus->host_network, o->data);
                announce(bus, o->data);
        }
}

void bus_flush_late(Bus *bus) {
        if (g_hash_table_size(bus->changed) > 0 &&
            g_get_monotonic_time() - bus->changed_since > CHANGED_LATE_USEC)
                bus_flush(bus);
}

static int on_changed_source(sd_event_source *source, void *userdata) {
        Bus *bus = userdata;

        bus_flush(bus);
        bus_check_idle(bus);
        return 0;
}

static void on_object_changed(Object *o, void *userdata) {
        Bus *bus = userdata;

        if (!bus_shows(o))
                return;
        if (g_hash_table_size(bus->changed) == 0)
                bus->changed_since = g_get_monotonic_time();
        if (g_hash_table_add(bus->changed, o))
                (void) sd_event_source_set_enabled(bus->changed_source, SD_EVENT_ONESHOT);
}

static void on_object_removed(Object *o, void *userdata) {
        Bus *bus = userdata;
        g_autofree char *path = bus_path_of(o->kind, o->name);

        if (o->kind == OBJECT_NETWORK)
                host_network_removed(bus->host_network, (Network *) o);
        g_hash_table_remove(bus->changed, o);
        g_hash_table_remove(bus->told, o);
        if (g_hash_table_remove(bus->announced, o) && bus->is_named)
                (void) sd_bus_emit_object_removed(bus->bus, path);
        bus_check_idle(bus);
}

static void on_job_finished(Job *job, void *userdata) {
        Bus *bus = userdata;
        g_autofree char *path = bus_path_of(OBJECT_JOB, job->object.name);
        bool failed = job->result != JOB_RESULT_DONE;

        /* Whoever hears of the end sees everything else as it is then. */
        bus_flush(bus);
        (void) sd_bus_emit_signal(bus->bus, path, bus_class_job.interface, "Finished", "sss",
                                  job_result_to_string(job->result),
                                  failed ? error_code_to_name(job->error.code) : "",
                                  failed ? job->error.message : "");
        for (guint i = bus->waiting->len; i > 0; i--) {
                BusCall *call = g_ptr_array_index(bus->waiting, i - 1);

                if (!g_str_equal(call->waits_for, job->object.name))
                        continue;
                if (failed)
                        bus_call_fail(call, &job->error);
                else
                        bus_call_reply_done(call, job);
        }
        bus_check_idle(bus);
}

static void on_lifecycle(Container *c, const char *event, GVariant *details, void *userdata) {
        Bus *bus = userdata;
        g_autofree char *path = bus_path_of(OBJECT_CONTAINER, c->object.name);
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        bus_flush(bus);
        r = sd_bus_message_new_signal(bus->bus, &m, path, bus_class_container.interface,
                                      "Lifecycle");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", event);
        if (r >= 0)
                r = message_append_value(m, details, NULL);
        if (r >= 0)
                (void) sd_bus_send(bus->bus, m, NULL);
}

static const ManagerObserver observer = {
        .added = on_object_changed,
        .changed = on_object_changed,
        .removed = on_object_removed,
        .job_finished = on_job_finished,
        .lifecycle = on_lifecycle,
};

/* --- ending when idle --- */

static bool is_idle(const Bus *bus) {
        return bus->n_callers == 0 && bus->n_asked == 0 && fair_queue_is_empty(bus->messages) &&
               manager_is_idle(bus->manager);
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata) {
        Bus *bus = userdata;

        bus->idle_source = sd_event_source_disable_unref(bus->idle_source);
        log_debug("Nothing to do for %d s; ending.", (int) (BUS_IDLE_USEC / G_USEC_PER_SEC));
        (void) sd_notify(false, "STOPPING=1");
        bus->ending = true;
        /* Calls that are already on their way to us are still served; later ones start the service
         * anew. */
        (void) sd_bus_release_name(bus->bus, BUS_NAME);
        while (sd_bus_process(bus->bus, NULL) > 0)
                ;
        if (is_idle(bus))
                return sd_event_exit(bus->event, 0);
        bus->ending = false;
        return sd_bus_request_name(bus->bus, BUS_NAME, 0);
}

void bus_check_idle(Bus *bus) {
        bool idle = is_idle(bus);

        if (bus->ending || idle == !!bus->idle_source)
                return;
        if (!idle)
                bus->idle_source = sd_event_source_disable_unref(bus->idle_source);
        else
                (void) sd_event_add_time_relative(bus->event, &bus->idle_source, CLOCK_MONOTONIC,
                                                  BUS_IDLE_USEC, 0, on_idle, bus);
}

/* --- life --- */

/* Whoever leaves the bus, in one rule: it gives nobody as many as there may be callers. */
#define MATCH_NAME_LOST \
        "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus'," \
        "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg2=''"

/* The bus has ended, or sd-bus has given it up because no file descriptor was left to take one of a
 * message with, of which it says nothing. Who starts berthd starts it again. */
static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;

        log_notice("The connection to the bus is lost; ending. Containers go on.");
        return sd_event_exit(bus->event, 1);
}

static void announce_all(Bus *bus) {
        for (ObjectKind kind = 0; kind < _OBJECT_KIND_MAX; kind++) {
                GHashTableIter iter;
                Object *o;

                g_hash_table_iter_init(&iter, bus->manager->objects[kind]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &o))
                        if (bus_shows(o))
                                g_hash_table_add(bus->announced, o);
        }
}

int bus_new(sd_event *event, Manager *manager, Bus **ret, Error *ret_error) {
        g_autoptr(Bus) bus = g_new0(Bus, 1);
        int r;

        bus->event = sd_event_ref(event);
        bus->manager = manager;
        bus->announced = g_hash_table_new(NULL, NULL);
        bus->told = g_hash_table_new(NULL, NULL);
        bus->changed = g_hash_table_new(NULL, NULL);
        bus->senders = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                             bus_sender_free);
        bus->waiting = g_ptr_array_new();
        bus->messages = fair_queue_new();
        bus->questions = places_new(QUESTIONS_MAX, QUESTIONS_PER_UID_MAX);
        r = sd_bus_open_system(&bus->bus);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot connect to the system bus");
        r = sd_bus_attach_event(bus->bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_event_add_defer(event, &bus->changed_source, on_changed_source, bus);
        if (r >= 0)
                r = sd_event_source_set_priority(bus->changed_source, SD_EVENT_PRIORITY_IDLE + 5);
        if (r >= 0)
                r = sd_event_source_set_enabled(bus->changed_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &bus->turn_source, bus_sender_on_turn, bus);
        /* What has come is read first, and what is under way goes on. */
        if (r >= 0)
                r = sd_event_source_set_priority(bus->turn_source, SD_EVENT_PRIORITY_NORMAL + 1);
        if (r >= 0)
                r = sd_event_source_set_enabled(bus->turn_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_bus_add_filter(bus->bus, NULL, bus_sender_on_message, bus);
        if (r >= 0)
                r = sd_bus_match_signal_async(bus->bus, NULL, "org.freedesktop.DBus.Local", NULL,
                                              "org.freedesktop.DBus.Local", "Disconnected",
                                              on_disconnected, NULL, bus);
        if (r >= 0)
                r = sd_bus_add_match_async(bus->bus, NULL, MATCH_NAME_LOST, bus_sender_on_name_lost,
                                           NULL, bus);
        if (r >= 0)
                r = host_network_new(bus->bus, manager, &bus->host_network);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot attach the bus to the event loop");
        r = log_control_export(bus->bus);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot export LogControl1");
        r = export(bus, ret_error);
        if (r < 0)
                return r;
        announce_all(bus);
        manager->observer = &observer;
        manager->observer_userdata = bus;
        *ret = TAKE_PTR(bus);
        return 0;
}

int bus_take_name(Bus *bus, Error *ret_error) {
        int r = sd_bus_request_name(bus->bus, BUS_NAME, 0);

        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot take the name %s on the bus",
                                       BUS_NAME);
        bus->is_named = true;
        bus_check_idle(bus);
        return 0;
}

Bus *bus_free(Bus *bus) {
        sd_bus_message *m;

        if (!bus)
                return NULL;

        if (bus->manager && bus->manager->observer_userdata == bus)
                bus->manager->observer = NULL;
        /* Senders free most calls; those that wait for a worker's word go with their jobs. */
        g_clear_pointer(&bus->senders, g_hash_table_unref);
        while ((m = fair_queue_pop(bus->messages, NULL, NULL, NULL)))
                sd_bus_message_unref(m);
        g_clear_pointer(&bus->messages, fair_queue_free);
        g_clear_pointer(&bus->questions, places_free);
        sd_bus_message_unref(bus->turn);
        sd_event_source_disable_unref(bus->turn_source);
        sd_event_source_disable_unref(bus->changed_source);
        sd_event_source_disable_unref(bus->idle_source);
        g_clear_pointer(&bus->announced, g_hash_table_unref);
        g_clear_pointer(&bus->changed, g_hash_table_unref);
        g_clear_pointer(&bus->told, g_hash_table_unref);
        g_clear_pointer(&bus->waiting, g_ptr_array_unref);
        bus->host_network = host_network_free(bus->host_network);
        sd_bus_flush_close_unref(bus->bus);
        for (const BusClass *const *c = bus_classes(); *c; c++)
                g_clear_pointer(&((BusClass *) *c)->vtable, g_free);
        sd_event_unref(bus->event);
        g_free(bus);
        return NULL;
}
