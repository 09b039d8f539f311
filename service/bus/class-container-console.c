/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/class-container-console.h"

#include "service/bus/path.h"
#include "service/operation/container-console.h"
#include "service/util/cleanup.h"

const Option bus_get_console_options[] = {
        { "width", "u" },
        { "height", "u" },
        { "history", "b" },
        { NULL },
};

/* The terminal is the worker's to make, so the reply has to wait for it. */
static void console_started(Job *job, int *terminal, Error *error, void *userdata) {
        BusCall *call = userdata;
        g_autofree char *path = bus_path_of(OBJECT_JOB, job->object.name);

        if (error)
                bus_call_fail(call, error);
        else
                bus_call_reply(call, g_variant_new("(oh)", path,
                                                   bus_call_add_fd(call, TAKE_FD(*terminal))));
}

int bus_get_console(BusCall *call, Error *ret_error) {
        ContainerConsole args = {
                .width = option_get_uint32(call->options, "width", 80),
                .height = option_get_uint32(call->options, "height", 24),
                .history = option_get_boolean(call->options, "history", false),
                .started = console_started,
                .userdata = call,
        };
        Job *job;
        int r;

        r = container_console(call->manager, bus_call_caller(call), (Container *) call->object,
                              &args, &job, ret_error);
        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}

static int get_log(BusCall *call, ContainerLog log, Error *ret_error) {
        int fd, r;

        r = container_open_log(call->manager, (Container *) call->object, log, &fd, ret_error);
        if (r < 0)
                return r;
        call->reply = g_variant_new("(h)", bus_call_add_fd(call, fd));
        return 0;
}

int bus_get_console_log(BusCall *call, Error *ret_error) {
        return get_log(call, CONTAINER_LOG_CONSOLE, ret_error);
}

int bus_get_log(BusCall *call, Error *ret_error) {
        return get_log(call, CONTAINER_LOG_LIBLXC, ret_error);
}
