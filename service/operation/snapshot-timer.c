/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/snapshot-timer.h"

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/snapshot-calendar.h"
#include "service/operation/snapshot.h"
#include "service/operation/volume.h"
#include "service/util/log.h"

/* What is due while something else is done with the container is tried again when a job ends, and
 * after this where it was no job. */
#define RETRY_USEC (60 * (uint64_t) G_USEC_PER_SEC)
/* How exactly: the kernel may join it with what others wait for. */
#define ACCURACY_USEC ((uint64_t) G_USEC_PER_SEC)

/* Something of an object that is due. */
typedef struct Due {
        uint64_t when;
        Object *object;
} Due;

struct SnapshotTimer {
        Manager *manager;
        sd_event_source *source;      /* the next thing that is due */
        sd_event_source *look_source; /* look for it, when there is nothing better to do */
        uint64_t checked;             /* up to when everything has been seen to */
        GSequence *queue;             /* Due, the first first: after `checked` */
        GHashTable *places;           /* Object -> its place in the queue, if it has one */
        GHashTable *touched;          /* Object: whether its place is right is not known */
        GHashTable *missed;           /* Object: a snapshot is still due */
        GHashTable *again;            /* Object: what was due could not be done, for whatever */
        GHashTable *started;          /* Container that has just started */
};

static uint64_t now_usec(void) {
        return (uint64_t) g_get_real_time();
}

/* What has snapshots: containers and volumes; their names differ. */
static const ObjectKind kinds[] = { OBJECT_CONTAINER, OBJECT_VOLUME };

static const GPtrArray *snapshots_of(const Object *o) {
        return o->kind == OBJECT_CONTAINER ? ((const Container *) o)->snapshots
                                           : ((const StorageVolume *) o)->snapshots;
}

static uint64_t next_of_schedule(const char *schedule, uint64_t after) {
        uint64_t next;

        return schedule && snapshot_schedule_next(schedule, after, &next) ? next : UINT64_MAX;
}

static uint64_t next_of_container(Manager *m, const Container *c, uint64_t after) {
        const char *schedule, *stopped;
        bool when_stopped = false;

        if (c->incomplete || c->state == CONTAINER_DELETING)
                return UINT64_MAX;
        schedule = container_get_expanded(m, c, "snapshots.schedule");
        if (!schedule)
                return UINT64_MAX;
        stopped = container_get_expanded(m, c, "snapshots.schedule.stopped");
        if (stopped)
                (void) config_parse_boolean(stopped, &when_stopped);
        return when_stopped || container_is_up(c) ? next_of_schedule(schedule, after) : UINT64_MAX;
}

/* When its next snapshot after `after` is due; UINT64_MAX for never. */
static uint64_t next_snapshot(Manager *m, const Object *o, uint64_t after) {
        const StorageVolume *v = (const StorageVolume *) o;

        if (o->kind == OBJECT_CONTAINER)
                return next_of_container(m, (const Container *) o, after);
        if (v->state != STORAGE_VOLUME_READY)
                return UINT64_MAX;
        return next_of_schedule(config_get(v->config, "snapshots.schedule"), after);
}

/* --- what is due --- */

/* Whether it is to be tried again. */
static bool start_or_retry(SnapshotTimer *timer, Object *o, const char *what, int r, Job *job,
                           Error *error) {
        if (r >= 0)
                job_start(job);
        else if (error->code == ERROR_BUSY)
                g_hash_table_add(timer->again, o);
        else
                log_error("%s: %s", what, error->message);
        return r < 0 && error->code == ERROR_BUSY;
}

static void take_snapshot(SnapshotTimer *timer, Object *o) {
        SnapshotCreate args = { .name = "" };
        g_auto(Error) error = ERROR_INIT;
        Manager *m = timer->manager;
        Job *job = NULL;
        int r;

        r = o->kind == OBJECT_CONTAINER
                    ? snapshot_create(m, CALLER_SERVICE, (Container *) o, &args, &job, &error)
                    : volume_snapshot_create(m, CALLER_SERVICE, (StorageVolume *) o, &args, &job,
                                             &error);
        if (start_or_retry(timer, o, "A snapshot that is due cannot be taken", r, job, &error))
                g_hash_table_add(timer->missed, o);
        else
                g_hash_table_remove(timer->missed, o);
}

static void delete_expired(SnapshotTimer *timer, Object *o, uint64_t now) {
        const GPtrArray *snapshots = snapshots_of(o);
        Manager *m = timer->manager;

        for (guint i = 0; i < snapshots->len; i++) {
                Snapshot *s = snapshots->pdata[i];
                g_auto(Error) error = ERROR_INIT;
                Job *job = NULL;
                int r;

                if (s->state != SNAPSHOT_READY || s->expires == 0 || s->expires > now)
                        continue;
                r = o->kind == OBJECT_CONTAINER
                            ? snapshot_delete(m, CALLER_SERVICE, s, &job, &error)
                            : volume_snapshot_delete(m, CALLER_SERVICE, (StorageVolume *) o,
                                                     snapshot_get_name(s), &job, &error);
                (void) start_or_retry(timer, o, "A snapshot that has expired cannot be deleted", r,
                                      job, &error);
        }
}

/* --- when something is due --- */

static uint64_t next_due_of(const SnapshotTimer *timer, const Object *o) {
        const GPtrArray *snapshots = snapshots_of(o);
        uint64_t next = next_snapshot(timer->manager, o, timer->checked);

        for (guint i = 0; i < snapshots->len; i++) {
                const Snapshot *s = snapshots->pdata[i];

                if (s->state == SNAPSHOT_READY && s->expires > timer->checked)
                        next = MIN(next, s->expires);
        }
        return next;
}

static int compare_due(const void *a, const void *b, void *userdata) {
        const Due *x = a, *y = b;

        return x->when < y->when ? -1 : x->when > y->when;
}

static void queue_remove(SnapshotTimer *timer, const Object *o) {
        GSequenceIter *place = g_hash_table_lookup(timer->places, o);

        if (!place)
                return;
        g_sequence_remove(place);
        g_hash_table_remove(timer->places, o);
}

/* Gives everything that was touched its place. There may be thousands of containers, and few of
 * them change, or have snapshots that come and go by themselves. */
static void look_at_touched(SnapshotTimer *timer) {
        GHashTableIter iter;
        Object *o;

        g_hash_table_iter_init(&iter, timer->touched);
        while (g_hash_table_iter_next(&iter, (void **) &o, NULL)) {
                Due due = { next_due_of(timer, o), o };

                queue_remove(timer, o);
                if (due.when == UINT64_MAX)
                        continue;
                g_hash_table_insert(timer->places, o,
                                    g_sequence_insert_sorted(timer->queue,
                                                             g_memdup2(&due, sizeof(due)),
                                                             compare_due, NULL));
        }
        g_hash_table_remove_all(timer->touched);
}

static uint64_t next_due(const SnapshotTimer *timer) {
        GSequenceIter *first = g_sequence_get_begin_iter(timer->queue);
        uint64_t next = UINT64_MAX;

        if (!g_sequence_iter_is_end(first))
                next = ((const Due *) g_sequence_get(first))->when;
        if (g_hash_table_size(timer->again) > 0)
                next = MIN(next, now_usec() + RETRY_USEC);
        return next;
}

/* What has to be seen to, each once: a set of Object. */
static GHashTable *take_due(SnapshotTimer *timer, uint64_t now) {
        GHashTable *due = g_steal_pointer(&timer->again);

        timer->again = g_hash_table_new(NULL, NULL);
        look_at_touched(timer);
        for (GSequenceIter *first = g_sequence_get_begin_iter(timer->queue);
             !g_sequence_iter_is_end(first) && ((const Due *) g_sequence_get(first))->when <= now;
             first = g_sequence_get_begin_iter(timer->queue)) {
                Object *o = ((const Due *) g_sequence_get(first))->object;

                g_hash_table_add(due, o);
                queue_remove(timer, o);
        }
        return due;
}

static void do_what_is_due(SnapshotTimer *timer, uint64_t now) {
        g_autoptr(GHashTable) due = take_due(timer, now);
        GHashTableIter iter;
        Object *o;

        g_hash_table_iter_init(&iter, due);
        while (g_hash_table_iter_next(&iter, (void **) &o, NULL)) {
                if (next_snapshot(timer->manager, o, timer->checked) <= now ||
                    g_hash_table_contains(timer->missed, o))
                        take_snapshot(timer, o);
                delete_expired(timer, o, now);
                snapshot_timer_touch(timer, o);
        }
        timer->checked = now;
}

/* --- events --- */

static void look_later(SnapshotTimer *timer) {
        (void) sd_event_source_set_enabled(timer->look_source, SD_EVENT_ONESHOT);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata) {
        SnapshotTimer *timer = userdata;

        do_what_is_due(timer, now_usec());
        look_later(timer);
        return 0;
}

static void take_of_started(SnapshotTimer *timer) {
        g_autoptr(GHashTable) started = g_steal_pointer(&timer->started);
        GHashTableIter iter;
        Container *c;

        timer->started = g_hash_table_new(NULL, NULL);
        g_hash_table_iter_init(&iter, started);
        while (g_hash_table_iter_next(&iter, (void **) &c, NULL))
                if (container_is_up(c))
                        take_snapshot(timer, &c->object);
}

static int on_look(sd_event_source *source, void *userdata) {
        SnapshotTimer *timer = userdata;
        uint64_t next;
        int r;

        /* The job that started it has ended: there was something better to do than this. */
        take_of_started(timer);
        look_at_touched(timer);
        next = next_due(timer);

        timer->source = sd_event_source_disable_unref(timer->source);
        if (next == UINT64_MAX)
                return 0;
        r = sd_event_add_time(timer->manager->event, &timer->source, CLOCK_REALTIME, next,
                              ACCURACY_USEC, on_due, timer);
        if (r < 0)
                log_error("Scheduled snapshots cannot be waited for: %s", g_strerror(-r));
        return 0;
}

static void touch_users(SnapshotTimer *timer, const Object *profile) {
        GHashTableIter iter;
        Container *c;

        g_hash_table_iter_init(&iter, timer->manager->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (g_strv_contains((const char *const *) c->profiles, profile->name))
                        g_hash_table_add(timer->touched, c);
}

void snapshot_timer_touch(SnapshotTimer *timer, Object *o) {
        if (!timer)
                return;
        if (o->kind == OBJECT_SNAPSHOT)
                o = &manager_get_container_of(timer->manager, (Snapshot *) o)->object;
        if (o->kind == OBJECT_PROFILE)
                touch_users(timer, o);
        else if (o->kind == OBJECT_CONTAINER || o->kind == OBJECT_VOLUME)
                g_hash_table_add(timer->touched, o);
        else
                return;
        look_later(timer);
}

void snapshot_timer_forget(SnapshotTimer *timer, const Object *o) {
        if (!timer)
                return;
        queue_remove(timer, o);
        g_hash_table_remove(timer->touched, o);
        g_hash_table_remove(timer->missed, o);
        g_hash_table_remove(timer->again, o);
        g_hash_table_remove(timer->started, o);
        look_later(timer);
}

void snapshot_timer_job_ended(SnapshotTimer *timer) {
        if (!timer || g_hash_table_size(timer->again) == 0)
                return;
        do_what_is_due(timer, now_usec());
        look_later(timer);
}

void snapshot_timer_started(SnapshotTimer *timer, Container *c) {
        const char *schedule = timer ? container_get_expanded(timer->manager, c,
                                                              "snapshots.schedule") : NULL;

        if (!schedule || !snapshot_schedule_at_start(schedule))
                return;
        g_hash_table_add(timer->started, c);
        look_later(timer);
}

bool snapshot_timer_is_set(const SnapshotTimer *timer) {
        return timer && timer->source;
}

/* No schedule has been missed; what has expired meanwhile goes. */
static void begin(SnapshotTimer *timer) {
        GHashTableIter iter;
        Object *o;

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_hash_table_iter_init(&iter, timer->manager->objects[kinds[i]]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &o)) {
                        delete_expired(timer, o, timer->checked);
                        g_hash_table_add(timer->touched, o);
                }
        }
        look_later(timer);
}

int snapshot_timer_new(Manager *m, SnapshotTimer **ret, Error *ret_error) {
        SnapshotTimer *timer = g_new0(SnapshotTimer, 1);
        int r;

        timer->manager = m;
        timer->checked = now_usec();
        timer->queue = g_sequence_new(g_free);
        timer->places = g_hash_table_new(NULL, NULL);
        timer->touched = g_hash_table_new(NULL, NULL);
        timer->missed = g_hash_table_new(NULL, NULL);
        timer->again = g_hash_table_new(NULL, NULL);
        timer->started = g_hash_table_new(NULL, NULL);
        r = sd_event_add_defer(m->event, &timer->look_source, on_look, timer);
        /* Before the bus looks whether there is still a reason to stay. */
        if (r >= 0)
                r = sd_event_source_set_priority(timer->look_source, SD_EVENT_PRIORITY_IDLE);
        if (r < 0) {
                snapshot_timer_free(timer);
                return error_set_errno(ret_error, -r, "Cannot wait for scheduled snapshots");
        }
        begin(timer);
        *ret = timer;
        return 0;
}

void snapshot_timer_free(SnapshotTimer *timer) {
        if (!timer)
                return;
        sd_event_source_disable_unref(timer->source);
        sd_event_source_disable_unref(timer->look_source);
        g_clear_pointer(&timer->queue, g_sequence_free);
        g_hash_table_unref(timer->places);
        g_hash_table_unref(timer->touched);
        g_hash_table_unref(timer->missed);
        g_hash_table_unref(timer->again);
        g_hash_table_unref(timer->started);
        g_free(timer);
}
