/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watch/process-watch.h"

#include <sys/epoll.h>

struct ProcessWatch {
        ProcessWatchFunc func;
        void *userdata;
        sd_event_source *source;
};

static int on_ended(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        ProcessWatch *watch = userdata;

        /* The source is a oneshot: a pidfd stays readable for ever. */
        watch->func(watch->userdata);
        return 0;
}

int process_watch_new(sd_event *event, int pidfd, ProcessWatchFunc func, void *userdata,
                      ProcessWatch **ret) {
        g_autoptr(ProcessWatch) watch = g_new(ProcessWatch, 1);
        int r;

        *watch = (ProcessWatch) { .func = func, .userdata = userdata };
        r = sd_event_add_io(event, &watch->source, pidfd, EPOLLIN, on_ended, watch);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(watch->source, SD_EVENT_ONESHOT);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(watch->source, "process-watch");
        *ret = g_steal_pointer(&watch);
        return 0;
}

ProcessWatch *process_watch_free(ProcessWatch *watch) {
        if (!watch)
                return NULL;

        sd_event_source_disable_unref(watch->source);
        g_free(watch);
        return NULL;
}
