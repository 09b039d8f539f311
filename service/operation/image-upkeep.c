/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/image-upkeep.h"

#include "service/model/config-key.h"
#include "service/operation/image-download.h"
#include "service/operation/settings.h"
#include "service/util/log.h"

#define HOUR_USEC (3600 * (uint64_t) G_USEC_PER_SEC)
#define DAY_USEC (24 * HOUR_USEC)
/* What is due while another job works on the image is tried again after this. */
#define RETRY_USEC (60 * (uint64_t) G_USEC_PER_SEC)
/* How exactly: the kernel may join it with what others wait for. */
#define ACCURACY_USEC (60 * (uint64_t) G_USEC_PER_SEC)

struct ImageUpkeep {
        Manager *manager;
        sd_event_source *source;      /* the next thing that is due */
        sd_event_source *look_source; /* look for it, when there is nothing better to do */
        bool refreshing;              /* a job of ours is at it */
        bool retry;                   /* something could not be done */
};

static uint64_t now_usec(void) {
        return (uint64_t) g_get_real_time();
}

static uint64_t setting(const ImageUpkeep *upkeep, const char *key) {
        return config_get_integer(settings_get_config(upkeep->manager->settings), key);
}

/* --- when something is due --- */

/* UINT64_MAX for never, as below. */
static uint64_t image_expiry(const ImageUpkeep *upkeep, const Image *image) {
        uint64_t days = setting(upkeep, "images.remote_cache_expiry");

        if (!image->cached || days == 0 || image->state != IMAGE_READY)
                return UINT64_MAX;
        return MAX(image->last_used, image->uploaded) + days * DAY_USEC;
}

/* Servers that fail are asked no more often than others. */
static uint64_t image_next_refresh(const ImageUpkeep *upkeep, const Image *image) {
        uint64_t hours = setting(upkeep, "images.auto_update_interval");
        uint64_t last = MAX(image->refreshed, settings_get_refreshed(upkeep->manager->settings));

        if (!image->auto_update || !*image->server || hours == 0 || image->state != IMAGE_READY)
                return UINT64_MAX;
        return last + hours * HOUR_USEC;
}

static uint64_t next_due(const ImageUpkeep *upkeep) {
        uint64_t next = upkeep->retry ? now_usec() + RETRY_USEC : UINT64_MAX;
        GHashTableIter iter;
        Image *image;

        g_hash_table_iter_init(&iter, upkeep->manager->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &image)) {
                if (!upkeep->retry)
                        next = MIN(next, image_expiry(upkeep, image));
                if (!upkeep->refreshing)
                        next = MIN(next, image_next_refresh(upkeep, image));
        }
        return next;
}

/* --- refreshing --- */

/* What is left of it: fingerprints, the next one last. */
static int refresh_next(Job *job, Error *ret_error) {
        GPtrArray *left = job->data;
        Manager *m = job->manager;

        while (left->len > 0) {
                g_autofree char *fingerprint = g_ptr_array_steal_index(left, left->len - 1);
                Image *image = manager_find_image(m, fingerprint);
                g_auto(Error) error = ERROR_INIT;
                Job *next;

                if (!image || !image->auto_update || image->state != IMAGE_READY)
                        continue;
                if (image_refresh(m, CALLER_SERVICE, image, &next, &error) < 0) {
                        log_warning("%s.", error.message);
                        continue;
                }
                job_start(next);
                return job_wait_for(job, next);
        }
        return JOB_STEP_DONE;
}

static int refresh_end(Job *job, Error *ret_error) {
        ImageUpkeep *upkeep = job->manager->image_upkeep;

        if (upkeep)
                upkeep->refreshing = false;
        image_upkeep_touch(upkeep);
        return JOB_STEP_DONE;
}

static void left_free(void *left) {
        g_ptr_array_unref(left);
}

/* One after the other: nobody waits for them. */
static void refresh_images(ImageUpkeep *upkeep, GPtrArray *due) {
        static const JobStep steps[] = {
                { "Refreshing images", refresh_next, refresh_end },
                { NULL, refresh_end, NULL },
                { NULL },
        };
        g_auto(Error) error = ERROR_INIT;
        Job *job;

        settings_set_refreshed(upkeep->manager->settings, now_usec());
        if (job_new(upkeep->manager, "images-refresh", 0, steps, g_ptr_array_ref(due), left_free,
                    &job, &error) < 0) {
                log_warning("Images cannot be refreshed: %s", error.message);
                return;
        }
        upkeep->refreshing = true;
        job_start(job);
}

/* --- what is due --- */

static void delete_expired(ImageUpkeep *upkeep, Image *image) {
        g_auto(Error) error = ERROR_INIT;
        Job *job;

        log_info("Image %.12s came with a launch and has not been used since long; it is deleted.",
                 image->object.name);
        if (image_delete(upkeep->manager, CALLER_SERVICE, image, &job, &error) >= 0) {
                job_start(job);
                return;
        }
        upkeep->retry = error.code == ERROR_BUSY;
        log_notice("Image %.12s cannot be deleted: %s", image->object.name, error.message);
}

static void do_what_is_due(ImageUpkeep *upkeep) {
        g_autoptr(GPtrArray) due = g_ptr_array_new_with_free_func(g_free);
        uint64_t now = now_usec();
        GHashTableIter iter;
        Image *image;

        upkeep->retry = false;
        g_hash_table_iter_init(&iter, upkeep->manager->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &image)) {
                if (image_expiry(upkeep, image) <= now)
                        delete_expired(upkeep, image);
                else if (!upkeep->refreshing && image_next_refresh(upkeep, image) <= now)
                        g_ptr_array_add(due, g_strdup(image->object.name));
        }
        if (due->len > 0)
                refresh_images(upkeep, due);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata) {
        ImageUpkeep *upkeep = userdata;

        do_what_is_due(upkeep);
        image_upkeep_touch(upkeep);
        return 0;
}

static int on_look(sd_event_source *source, void *userdata) {
        ImageUpkeep *upkeep = userdata;
        uint64_t next = next_due(upkeep);
        int r;

        upkeep->source = sd_event_source_disable_unref(upkeep->source);
        if (next == UINT64_MAX)
                return 0;
        r = sd_event_add_time(upkeep->manager->event, &upkeep->source, CLOCK_REALTIME, next,
                              ACCURACY_USEC, on_due, upkeep);
        if (r < 0)
                log_error("The upkeep of images cannot be waited for: %s", g_strerror(-r));
        return 0;
}

void image_upkeep_touch(ImageUpkeep *upkeep) {
        if (upkeep)
                (void) sd_event_source_set_enabled(upkeep->look_source, SD_EVENT_ONESHOT);
}

int image_upkeep_new(Manager *m, ImageUpkeep **ret, Error *ret_error) {
        ImageUpkeep *upkeep = g_new0(ImageUpkeep, 1);
        int r;

        upkeep->manager = m;
        r = sd_event_add_defer(m->event, &upkeep->look_source, on_look, upkeep);
        /* Before the bus looks whether there is still a reason to stay. */
        if (r >= 0)
                r = sd_event_source_set_priority(upkeep->look_source, SD_EVENT_PRIORITY_IDLE);
        if (r < 0) {
                image_upkeep_free(upkeep);
                return error_set_errno(ret_error, -r, "Cannot wait for what images need");
        }
        do_what_is_due(upkeep);
        image_upkeep_touch(upkeep);
        *ret = upkeep;
        return 0;
}

void image_upkeep_free(ImageUpkeep *upkeep) {
        if (!upkeep)
                return;
        sd_event_source_disable_unref(upkeep->source);
        sd_event_source_disable_unref(upkeep->look_source);
        g_free(upkeep);
}
