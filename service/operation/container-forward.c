/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-forward.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container-run.h"
#include "service/operation/container.h"
#include "service/operation/device-plan.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/util/process.h"
#include "service/watch/process-watch.h"
#include "service/worker/operations.h"

#define RECORD_MAX 512
/* The pause before one that died is started again: long enough to hear that the container itself
 * has ended, which ends them too. One that lived longer than the longest pause starts afresh. */
#define PAUSE_FIRST_USEC (100 * G_TIME_SPAN_MILLISECOND)
#define PAUSE_LONGEST_USEC (60 * G_USEC_PER_SEC)

/* Those of one container. */
typedef struct Forwards {
        Manager *manager;
        Container *container;
        GPtrArray *watches;    /* of Watched */
        sd_event_source *timer; /* off unless one has died */
        uint64_t pause_usec;
        gint64 last_repair;    /* monotonic */
        ProcessWatchFunc on_end;
} Forwards;

typedef struct Watched {
        Forwards *forwards;
        int pidfd;
        ProcessWatch *watch;
} Watched;

static void watched_free(void *p) {
        Watched *w = p;

        process_watch_free(w->watch);
        w->pidfd = fd_close(w->pidfd);
        g_free(w);
}

void container_forwards_free(void *p) {
        Forwards *f = p;

        g_ptr_array_unref(f->watches);
        sd_event_source_disable_unref(f->timer);
        g_free(f);
}

void container_forwards_forget(Manager *m, Container *c) {
        g_hash_table_remove(m->forwards, c);
}

/* --- who is there --- */

/* A pidfd of the process that a record names; -ESRCH when it has gone. */
static int open_recorded(int dir_fd, const char *name) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY, 0), pidfd = -EBADF;
        g_autofree char *text = NULL;
        g_auto(GStrv) words = NULL;
        guint64 pid, start, now;

        if (fd < 0 || fd_read_text(fd, RECORD_MAX, &text) < 0)
                return -ESRCH;
        words = g_strsplit_set(text, " \n", 3);
        if (g_strv_length(words) < 2 ||
            !g_ascii_string_to_unsigned(words[0], 10, 2, INT_MAX, &pid, NULL) ||
            !g_ascii_string_to_unsigned(words[1], 10, 0, G_MAXUINT64, &start, NULL))
                return -ESRCH;
        pidfd = fd_pidfd_open((pid_t) pid);
        if (pidfd < 0 || process_get_start_time((pid_t) pid, &now) < 0 || now != start)
                return -ESRCH;
        return TAKE_FD(pidfd);
}

static int add_watch(Forwards *f, int pidfd) {
        Watched *w = g_new0(Watched, 1);
        int r;

        w->forwards = f;
        w->pidfd = pidfd;
        r = process_watch_new(f->manager->event, pidfd, f->on_end, w, &w->watch);
        if (r < 0) {
                watched_free(w);
                return r;
        }
        g_ptr_array_add(f->watches, w);
        return 0;
}

/* Watches those that live; names of the others are appended to `dead`. */
static void scan(Forwards *f, GPtrArray *dead) {
        g_autofree char *path = g_build_filename(f->container->facts.lxc_path,
                                                 RUNTIME_FORWARDS_DIR, NULL);
        _cleanup_close_ int fd = path_open_dir(path);
        DIR *d = fd < 0 ? NULL : fdopendir(dup(fd));
        struct dirent *entry;

        g_ptr_array_set_size(f->watches, 0);
        if (!d)
                return;
        while ((entry = readdir(d))) {
                int pidfd;

                if (!path_is_component(entry->d_name) || entry->d_name[0] == '.')
                        continue;
                pidfd = open_recorded(fd, entry->d_name);
                if (pidfd < 0 || add_watch(f, pidfd) < 0)
                        g_ptr_array_add(dead, g_strdup(entry->d_name));
        }
        (void) closedir(d);
}

/* --- starting them again --- */

/* Those of `names` that the container is to have still: a{sa{ss}}, or NULL for none. */
static GVariant *wanted(Manager *m, const Container *c, GPtrArray *names) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantBuilder builder;
        bool any = false;

        container_expand(m, c, &config, &devices);
        g_variant_builder_init(&builder, DEVICES_TYPE);
        for (guint i = 0; i < names->len; i++) {
                g_autoptr(GVariant) options = devices_get(devices, names->pdata[i]);

                if (!options || !device_is_proxy(options))
                        continue;
                g_variant_builder_add(&builder, "{s@a{ss}}", names->pdata[i], options);
                any = true;
        }
        if (any)
                return g_variant_builder_end(&builder);
        g_variant_builder_clear(&builder);
        return NULL;
}

static int step_repair(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        Forwards *f = g_hash_table_lookup(job->manager->forwards, c);
        g_autoptr(GPtrArray) dead = g_ptr_array_new_with_free_func(g_free);
        GVariant *devices;

        if (!f || !container_is_up(c) || c->init_fd < 0)
                return JOB_STEP_DONE;
        scan(f, dead);
        devices = wanted(job->manager, c, dead);
        if (!devices)
                return JOB_STEP_DONE;
        log_info("A proxy of container \"%s\" has died and is started again.", c->object.name);
        return device_plan_add(job, c, devices, ret_error);
}

static int step_watch(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        container_forwards_watch(job->manager, data->container);
        return JOB_STEP_DONE;
}

static const JobStep repair_steps[] = {
        { "Starting proxies again", step_repair, NULL },
        { NULL, step_watch, NULL },
        { NULL },
};

static int repair(Forwards *f, Error *ret_error) {
        Job *job;
        int r;

        r = step_new_job(f->manager, "container-repair", CALLER_SERVICE, repair_steps,
                         f->container, &job, ret_error);
        if (r < 0)
                return r;
        job->cancelable = false;
        job_start(job);
        return 0;
}

static void arm(Forwards *f) {
        (void) sd_event_source_set_time_relative(f->timer, f->pause_usec);
        (void) sd_event_source_set_enabled(f->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Forwards *f = userdata;
        g_autoptr(GPtrArray) dead = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GVariant) devices = NULL;
        g_auto(Error) error = ERROR_INIT;

        if (!container_is_up(f->container) ||
            container_run_is_ending(f->manager, f->container))
                return 0;
        scan(f, dead);
        devices = wanted(f->manager, f->container, dead);
        if (!devices)
                return 0;
        g_variant_ref_sink(devices);
        /* Whoever works on it may be about to do the same, or to take the device away. */
        if (!manager_get_lock(f->manager, &f->container->object) && repair(f, &error) < 0)
                log_warning("A proxy of container \"%s\" cannot be started again: %s.",
                            f->container->object.name, error.message);
        /* Then it is looked whether that has helped. */
        f->last_repair = g_get_monotonic_time();
        f->pause_usec = MIN(f->pause_usec * 2, PAUSE_LONGEST_USEC);
        arm(f);
        return 0;
}

static void on_end(void *userdata) {
        Forwards *f = ((Watched *) userdata)->forwards;

        if (g_get_monotonic_time() - f->last_repair > (gint64) PAUSE_LONGEST_USEC)
                f->pause_usec = PAUSE_FIRST_USEC;
        arm(f);
}

static Forwards *forwards_new(Manager *m, Container *c) {
        Forwards *f = g_new0(Forwards, 1);

        f->manager = m;
        f->container = c;
        f->watches = g_ptr_array_new_with_free_func(watched_free);
        f->pause_usec = PAUSE_FIRST_USEC;
        f->last_repair = -(gint64) PAUSE_LONGEST_USEC;
        f->on_end = on_end;
        if (sd_event_add_time_relative(m->event, &f->timer, CLOCK_MONOTONIC, 0, 0, on_timer, f) <
                    0 ||
            sd_event_source_set_enabled(f->timer, SD_EVENT_OFF) < 0) {
                container_forwards_free(f);
                return NULL;
        }
        return f;
}

void container_forwards_watch(Manager *m, Container *c) {
        g_autoptr(GPtrArray) dead = g_ptr_array_new_with_free_func(g_free);
        Forwards *f = g_hash_table_lookup(m->forwards, c);

        if (!c->facts.lxc_path || !container_is_up(c))
                return;
        if (!f) {
                f = forwards_new(m, c);
                if (!f)
                        return;
                g_hash_table_replace(m->forwards, c, f);
        }
        scan(f, dead);
        if (dead->len > 0)
                arm(f);
}
