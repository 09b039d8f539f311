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

struct SnapshotTimer {
        Manager *manager;
        sd_event_source *source;      /* the next thing that is due */
        sd_event_source *look_source; /* look for it, when there is nothing better to do */
        uint64_t checked;             /* up to when everything has been seen to */
        GHashTable *missed;           /* names of what a snapshot of is still due */
        GHashTable *started;          /* names of containers that have just started */
        bool retry;                   /* something could not be done */
};

static GHashTable *names_new(void) {
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

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
static bool start_or_retry(SnapshotTimer *timer, const char *what, int r, Job *job, Error *error) {
        if (r >= 0)
                job_start(job);
        else if (error->code == ERROR_BUSY)
                timer->retry = true;
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
        if (start_or_retry(timer, "A snapshot that is due cannot be taken", r, job, &error))
                g_hash_table_add(timer->missed, g_strdup(o->name));
        else
                g_hash_table_remove(timer->missed, o->name);
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
                (void) start_or_retry(timer, "A snapshot that has expired cannot be deleted", r,
                                      job, &error);
        }
}

static void do_what_is_due(SnapshotTimer *timer, uint64_t now) {
        GHashTableIter iter;
        Object *o;

        timer->retry = false;
        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_hash_table_iter_init(&iter, timer->manager->objects[kinds[i]]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &o)) {
                        /* At the start of the service no schedule has to be read. */
                        if ((timer->checked < now &&
                             next_snapshot(timer->manager, o, timer->checked) <= now) ||
                            g_hash_table_contains(timer->missed, o->name))
                                take_snapshot(timer, o);
                        delete_expired(timer, o, now);
                }
        }
        timer->checked = now;
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

static uint64_t next_due(const SnapshotTimer *timer) {
        uint64_t next = timer->retry ? now_usec() + RETRY_USEC : UINT64_MAX;
        GHashTableIter iter;
        const Object *o;

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_hash_table_iter_init(&iter, timer->manager->objects[kinds[i]]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &o))
                        next = MIN(next, next_due_of(timer, o));
        }
        return next;
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata) {
        SnapshotTimer *timer = userdata;

        do_what_is_due(timer, now_usec());
        snapshot_timer_touch(timer);
        return 0;
}

static void take_of_started(SnapshotTimer *timer) {
        g_autoptr(GHashTable) started = g_steal_pointer(&timer->started);
        GHashTableIter iter;
        const char *name;

        timer->started = names_new();
        g_hash_table_iter_init(&iter, started);
        while (g_hash_table_iter_next(&iter, (void **) &name, NULL)) {
                Container *c = manager_find_container(timer->manager, name);

                if (c && container_is_up(c))
                        take_snapshot(timer, &c->object);
        }
}

static int on_look(sd_event_source *source, void *userdata) {
        SnapshotTimer *timer = userdata;
        uint64_t next;
        int r;

        /* The job that started it has ended: there was something better to do than this. */
        take_of_started(timer);
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

void snapshot_timer_touch(SnapshotTimer *timer) {
        if (timer)
                (void) sd_event_source_set_enabled(timer->look_source, SD_EVENT_ONESHOT);
}

void snapshot_timer_job_ended(SnapshotTimer *timer) {
        if (!timer || !timer->retry)
                return;
        do_what_is_due(timer, now_usec());
        snapshot_timer_touch(timer);
}

void snapshot_timer_started(SnapshotTimer *timer, const Container *c) {
        const char *schedule = timer ? container_get_expanded(timer->manager, c,
                                                              "snapshots.schedule") : NULL;

        if (!schedule || !snapshot_schedule_at_start(schedule))
                return;
        g_hash_table_add(timer->started, g_strdup(c->object.name));
        snapshot_timer_touch(timer);
}

bool snapshot_timer_is_set(const SnapshotTimer *timer) {
        return timer && timer->source;
}

int snapshot_timer_new(Manager *m, SnapshotTimer **ret, Error *ret_error) {
        SnapshotTimer *timer = g_new0(SnapshotTimer, 1);
        int r;

        timer->manager = m;
        timer->checked = now_usec();
        timer->missed = names_new();
        timer->started = names_new();
        r = sd_event_add_defer(m->event, &timer->look_source, on_look, timer);
        /* Before the bus looks whether there is still a reason to stay. */
        if (r >= 0)
                r = sd_event_source_set_priority(timer->look_source, SD_EVENT_PRIORITY_IDLE);
        if (r < 0) {
                snapshot_timer_free(timer);
                return error_set_errno(ret_error, -r, "Cannot wait for scheduled snapshots");
        }
        do_what_is_due(timer, timer->checked);
        snapshot_timer_touch(timer);
        *ret = timer;
        return 0;
}

void snapshot_timer_free(SnapshotTimer *timer) {
        if (!timer)
                return;
        sd_event_source_disable_unref(timer->source);
        sd_event_source_disable_unref(timer->look_source);
        g_hash_table_unref(timer->missed);
        g_hash_table_unref(timer->started);
        g_free(timer);
}
