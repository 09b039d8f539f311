/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/operation/container-templates.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"

#define BOOT_FILE "boot"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
/* Pauses before a container is started again: from the first to the longest, doubled each time. One
 * that stayed up for longer begins anew. */
#define RESTART_FIRST_USEC G_USEC_PER_SEC
#define RESTART_LONGEST_USEC (60 * (uint64_t) G_USEC_PER_SEC)

bool boot_is_first(Manager *m) {
        _cleanup_close_ int id_fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
        _cleanup_close_ int dir_fd = path_open_dir(m->run_dir), fd = -EBADF;
        g_autofree char *id = NULL, *known = NULL;

        if (id_fd < 0 || dir_fd < 0 || fd_read_text(id_fd, 128, &id) < 0)
                return false;
        fd = path_open_beneath(dir_fd, BOOT_FILE, O_RDONLY, 0);
        if (fd >= 0 && fd_read_text(fd, 128, &known) >= 0 && g_str_equal(known, id))
                return false;
        if (path_replace_file(dir_fd, BOOT_FILE, id, strlen(id), 0600) < 0)
                log_warning("Cannot write %s/" BOOT_FILE ".", m->run_dir);
        return true;
}

void boot_remember(Manager *m, Container *c, bool runs) {
        const char *value = runs ? "RUNNING" : "STOPPED";

        if (m->shutting_down ||
            g_strcmp0(container_get_volatile(c, "last_state", "power"), value) == 0)
                return;
        container_set_volatile(c, "last_state", "power", value);
        /* The one that starts is saved when it has started. */
        if (!runs && !c->incomplete && c->state != CONTAINER_DELETING)
                (void) manager_save(m, &c->object, NULL);
}

void boot_found_running(Manager *m, Container *c) {
        const char *power = container_get_volatile(c, "last_state", "power");

        if (c->incomplete || c->state == CONTAINER_DELETING ||
            (g_strcmp0(power, "RUNNING") == 0 && !config_get(c->config, TEMPLATE_TRIGGER_KEY)))
                return;
        container_set_volatile(c, "last_state", "power", "RUNNING");
        /* Its files were made before it was started. */
        container_set_template_trigger(c, NULL);
        (void) manager_save(m, &c->object, NULL);
}

bool boot_left_behind(const Container *c) {
        return c->ephemeral && !container_is_up(c) &&
               g_strcmp0(container_get_volatile(c, "last_state", "power"), "RUNNING") == 0;
}

static GVariant *config_of(Manager *m, const Container *c) {
        g_autoptr(GVariant) devices = NULL;
        GVariant *config;

        container_expand(m, c, &config, &devices);
        return config;
}

/* --- the host comes up --- */

typedef struct BootEntry {
        char *name;
        char **after;
        uint64_t priority, delay_usec;
        bool started;
} BootEntry;

typedef struct BootJob {
        GPtrArray *entries; /* BootEntry, in their order */
        BootEntry *current; /* being started */
        sd_event_source *timer;
} BootJob;

static void boot_entry_free(void *p) {
        BootEntry *entry = p;

        g_free(entry->name);
        g_strfreev(entry->after);
        g_free(entry);
}

static void boot_job_free(void *p) {
        BootJob *data = p;

        sd_event_source_disable_unref(data->timer);
        g_ptr_array_unref(data->entries);
        g_free(data);
}

static int compare_entries(const void *a, const void *b) {
        const BootEntry *x = *(BootEntry *const *) a, *y = *(BootEntry *const *) b;

        if (x->priority != y->priority)
                return x->priority > y->priority ? -1 : 1;
        return strcmp(x->name, y->name);
}

/* Asked of all containers before anybody is served: so without all of their configuration. */
static bool wants_start(Manager *m, const Container *c) {
        const char *value = container_get_expanded(m, c, "boot.autostart");
        bool on = false;

        if (value) {
                (void) config_parse_boolean(value, &on);
                return on;
        }
        return g_strcmp0(container_get_volatile(c, "last_state", "power"), "RUNNING") == 0;
}

static GPtrArray *collect(Manager *m) {
        GPtrArray *entries = g_ptr_array_new_with_free_func(boot_entry_free);
        GHashTableIter iter;
        Container *c;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                g_autoptr(GVariant) config = NULL;
                BootEntry *entry;

                if (c->incomplete || c->ephemeral || container_is_up(c) || !wants_start(m, c))
                        continue;
                config = config_of(m, c);
                entry = g_new0(BootEntry, 1);
                entry->name = g_strdup(c->object.name);
                entry->after = g_strsplit(config_get(config, "boot.after") ?: "", ",", -1);
                entry->priority = config_get_integer(config, "boot.autostart.priority");
                entry->delay_usec = config_get_integer(config, "boot.autostart.delay") *
                                    G_USEC_PER_SEC;
                g_ptr_array_add(entries, entry);
        }
        g_ptr_array_sort(entries, compare_entries);
        return entries;
}

static bool is_waited_for(const BootJob *data, const BootEntry *entry) {
        for (guint i = 0; i < data->entries->len; i++) {
                const BootEntry *other = g_ptr_array_index(data->entries, i);

                if (!other->started && other != entry &&
                    g_strv_contains((const char *const *) entry->after, other->name))
                        return true;
        }
        return false;
}

/* The first that waits for nobody; where they wait for each other, the first of all. */
static BootEntry *choose(const BootJob *data) {
        BootEntry *first = NULL;

        for (guint i = 0; i < data->entries->len; i++) {
                BootEntry *entry = g_ptr_array_index(data->entries, i);

                if (entry->started)
                        continue;
                if (!is_waited_for(data, entry))
                        return entry;
                first = first ?: entry;
        }
        if (first)
                log_warning("boot.after of container \"%s\" leads back to itself.", first->name);
        return first;
}

static int on_pause_end(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;
        BootJob *data = job->data;

        data->timer = sd_event_source_disable_unref(data->timer);
        job_repeat_step(job);
        job_step_done(job, 0);
        return 0;
}

/* One that cannot be started keeps nobody else from it. */
static int boot_start_one(Job *job, const char *name) {
        Container *c = manager_find_container(job->manager, name);
        g_auto(Error) error = ERROR_INIT;
        Job *start;

        if (!c)
                return JOB_STEP_DONE;
        if (container_start(job->manager, CALLER_SERVICE, c, &start, &error) < 0) {
                log_error("Container \"%s\" is not started with the host: %s.", name,
                          error.message);
                return JOB_STEP_DONE;
        }
        job_start(start);
        return job_wait_for(job, start);
}

static int boot_next(Job *job, Error *ret_error) {
        BootJob *data = job->data;
        int r = JOB_STEP_DONE;

        if (data->current && data->current->delay_usec > 0) {
                uint64_t pause = data->current->delay_usec;

                data->current = NULL;
                r = sd_event_add_time_relative(job->manager->event, &data->timer, CLOCK_MONOTONIC,
                                               pause, 0, on_pause_end, job);
                if (r >= 0)
                        return JOB_STEP_PENDING;
        }
        do {
                data->current = choose(data);
                if (!data->current)
                        return JOB_STEP_DONE;
                data->current->started = true;
                r = boot_start_one(job, data->current->name);
        } while (r == JOB_STEP_DONE);
        return r;
}

void boot_start(Manager *m) {
        static const JobStep steps[] = {
                { "Starting containers", boot_next, NULL },
                { NULL },
        };
        g_auto(Error) error = ERROR_INIT;
        BootJob *data = g_new0(BootJob, 1);
        Job *job;

        data->entries = collect(m);
        if (data->entries->len == 0) {
                boot_job_free(data);
                return;
        }
        if (job_new(m, "boot", 0, steps, data, boot_job_free, &job, &error) < 0) {
                log_error("Containers are not started with the host: %s.", error.message);
                return;
        }
        job->cancelable = false;
        job_start(job);
}

/* --- one ends by itself --- */

typedef struct RestartJob {
        char *name;
        uint64_t generation, pause_usec;
        sd_event_source *timer;
} RestartJob;

static void restart_job_free(void *p) {
        RestartJob *data = p;

        sd_event_source_disable_unref(data->timer);
        g_free(data->name);
        g_free(data);
}

static int on_restart_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        job_step_done(userdata, 0);
        return 0;
}

static int restart_wait(Job *job, Error *ret_error) {
        RestartJob *data = job->data;
        int r = sd_event_add_time_relative(job->manager->event, &data->timer, CLOCK_MONOTONIC,
                                           data->pause_usec, 0, on_restart_timer, job);

        return r < 0 ? error_set_errno(ret_error, -r, "Cannot set a timer") : JOB_STEP_PENDING;
}

/* Meanwhile its owner may have done something about it. */
static int restart_start(Job *job, Error *ret_error) {
        RestartJob *data = job->data;
        Container *c = manager_find_container(job->manager, data->name);
        Job *start;
        int r;

        if (!c || c->object.generation != data->generation || c->state != CONTAINER_STOPPED ||
            manager_get_lock(job->manager, &c->object) || job->manager->shutting_down)
                return JOB_STEP_DONE;
        r = container_start(job->manager, CALLER_SERVICE, c, &start, ret_error);
        if (r < 0)
                return r;
        job_start(start);
        return JOB_STEP_DONE;
}

void boot_restart(Manager *m, Container *c) {
        static const JobStep steps[] = {
                { "Waiting to start it again", restart_wait, NULL },
                { NULL, restart_start, NULL },
                { NULL },
        };
        g_autoptr(GVariant) config = config_of(m, c);
        uint64_t up = (uint64_t) g_get_real_time() - c->last_started;
        g_auto(Error) error = ERROR_INIT;
        RestartJob *data;
        Job *job;

        if (!config_get_boolean(config, "boot.autorestart") || m->shutting_down)
                return;
        if (up > RESTART_LONGEST_USEC || c->restart_pause_usec == 0)
                c->restart_pause_usec = RESTART_FIRST_USEC;
        else
                c->restart_pause_usec = MIN(c->restart_pause_usec * 2, RESTART_LONGEST_USEC);
        data = g_new0(RestartJob, 1);
        data->name = g_strdup(c->object.name);
        data->generation = c->object.generation;
        data->pause_usec = c->restart_pause_usec;
        if (job_new(m, "container-autorestart", 0, steps, data, restart_job_free, &job, &error) <
            0) {
                log_error("Container \"%s\" is not started again: %s.", c->object.name,
                          error.message);
                return;
        }
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        job_start(job);
}

/* --- the host goes down --- */

/* The highest priority among those that run; false when none does. */
static bool highest_priority(Manager *m, uint64_t *ret) {
        GHashTableIter iter;
        bool found = false;
        Container *c;

        *ret = 0;
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                g_autoptr(GVariant) config = NULL;
                uint64_t priority;

                if (!container_is_up(c))
                        continue;
                config = config_of(m, c);
                priority = config_get_integer(config, "boot.stop.priority");
                *ret = found ? MAX(*ret, priority) : priority;
                found = true;
        }
        return found;
}

typedef struct ShutdownJob {
        GHashTable *asked;     /* names of containers that were asked to stop */
        bool force;
        uint64_t timeout_usec; /* of each; 0: what its configuration says */
} ShutdownJob;

/* A stop that has had its time ends with an error, and the container is killed then. */
static Job *stop_one(Manager *m, Container *c, ShutdownJob *data) {
        g_autoptr(GVariant) config = config_of(m, c);
        uint64_t timeout = data->timeout_usec ?:
                           config_get_integer(config, "boot.host_shutdown_timeout") *
                                   G_USEC_PER_SEC;
        bool force = data->force || timeout == 0 ||
                     g_hash_table_contains(data->asked, c->object.name);
        g_auto(Error) error = ERROR_INIT;
        Job *job;

        if (container_stop(m, CALLER_SERVICE, c, force, timeout, &job, &error) < 0) {
                log_warning("Container \"%s\" cannot be stopped: %s.", c->object.name,
                            error.message);
                return NULL;
        }
        g_hash_table_add(data->asked, g_strdup(c->object.name));
        job_start(job);
        return job;
}

/* Asks all of the highest priority at once, waits for one, and looks again. */
static int shutdown_next(Job *job, Error *ret_error) {
        Manager *m = job->manager;
        g_autoptr(GList) containers = g_hash_table_get_values(m->objects[OBJECT_CONTAINER]);
        Job *waited_for = NULL;
        uint64_t highest;

        if (!highest_priority(m, &highest))
                return JOB_STEP_DONE;
        for (GList *l = containers; l; l = l->next) {
                Container *c = l->data;
                Job *other = manager_get_lock(m, &c->object);
                g_autoptr(GVariant) config = NULL;

                if (!container_is_up(c))
                        continue;
                config = config_of(m, c);
                if (config_get_integer(config, "boot.stop.priority") != highest)
                        continue;
                if (!other)
                        other = stop_one(m, c, job->data);
                if (other)
                        waited_for = other;
        }
        return waited_for ? job_wait_for(job, waited_for) : JOB_STEP_DONE;
}

static int shutdown_done(Job *job, Error *ret_error) {
        job->manager->shutting_down = false;
        return JOB_STEP_DONE;
}

static void shutdown_job_free(void *p) {
        ShutdownJob *data = p;

        g_hash_table_unref(data->asked);
        g_free(data);
}

int boot_shutdown(Manager *m, Caller caller, bool force, uint64_t timeout_usec, Job **ret,
                  Error *ret_error) {
        static const JobStep steps[] = {
                { "Stopping containers", shutdown_next, NULL },
                { NULL, shutdown_done, NULL },
                { NULL },
        };
        ShutdownJob *data;
        Job *job;
        int r;

        if (m->shutting_down)
                return error_set(ret_error, ERROR_BUSY, "Containers are being stopped already");
        data = g_new0(ShutdownJob, 1);
        data->asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        data->force = force;
        data->timeout_usec = timeout_usec;
        r = job_new(m, "shutdown", caller.uid, steps, data, shutdown_job_free, &job, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job->cancelable = false;
        m->shutting_down = true;
        *ret = job;
        return 0;
}
