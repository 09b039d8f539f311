/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watch/path-watch.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"

#define EVENTS_OF_NAMES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define EVENTS_OF_ITSELF (IN_DELETE_SELF | IN_MOVE_SELF)
/* A directory that comes and goes all the time is not run after for ever. */
#define TRIES 8

struct PathWatch {
        sd_event *event;
        char *path;
        char *name;      /* what to wait for in the directory that is watched */
        PathWatchFunc func;
        void *userdata;
        sd_event_source *source;
};

static int watch_nearest(PathWatch *watch);

static int on_change(sd_event_source *source, const struct inotify_event *event, void *userdata) {
        PathWatch *watch = userdata;
        bool lost = event->mask &
                    (EVENTS_OF_ITSELF | IN_IGNORED | IN_UNMOUNT | IN_Q_OVERFLOW);

        if (!lost && (event->len == 0 || !g_str_equal(event->name, watch->name)))
                return 0;
        /* Another directory may be the nearest now. */
        if (watch_nearest(watch) < 0)
                log_warning("%s cannot be watched any more.", watch->path);
        watch->func(watch->userdata);
        return 0;
}

/* 1: what is waited for in it has been made meanwhile, and is a directory on the way. */
static int watch_directory(PathWatch *watch, const char *directory, const char *name) {
        g_autofree char *below = g_build_filename(directory, name, NULL);
        int r;

        r = sd_event_add_inotify(watch->event, &watch->source, directory,
                                 EVENTS_OF_NAMES | EVENTS_OF_ITSELF | IN_ONLYDIR, on_change, watch);
        if (r < 0)
                return r;
        g_free(watch->name);
        watch->name = g_strdup(name);
        return !g_str_equal(below, watch->path) && access(below, F_OK) >= 0;
}

/* The directory that the file is in, or is to be made in, or the nearest above that is there. */
static int watch_nearest(PathWatch *watch) {
        int r = 1;

        for (int tries = 0; r > 0 && tries < TRIES; tries++) {
                g_autofree char *directory = g_strdup(watch->path);

                watch->source = sd_event_source_disable_unref(watch->source);
                do {
                        char *slash = strrchr(directory, '/');
                        g_autofree char *name = g_strdup(slash + 1);

                        slash[slash == directory] = '\0';
                        r = watch_directory(watch, directory, name);
                } while ((r == -ENOENT || r == -ENOTDIR) && !g_str_equal(directory, "/"));
        }
        return MIN(r, 0);
}

int path_watch_new(sd_event *event, const char *path, PathWatchFunc func, void *userdata,
                   PathWatch **ret) {
        g_autoptr(PathWatch) watch = g_new0(PathWatch, 1);
        int r;

        watch->event = sd_event_ref(event);
        watch->path = g_canonicalize_filename(path, "/");
        watch->func = func;
        watch->userdata = userdata;
        r = watch_nearest(watch);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(watch);
        return 0;
}

PathWatch *path_watch_free(PathWatch *watch) {
        if (!watch)
                return NULL;

        sd_event_source_disable_unref(watch->source);
        sd_event_unref(watch->event);
        g_free(watch->path);
        g_free(watch->name);
        g_free(watch);
        return NULL;
}
