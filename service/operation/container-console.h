/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The console of a container, and what is kept of it and of liblxc's own log. The logs are those of
 * the last start: they outlive the run, so that a start that failed can be looked into, and go with
 * the container or the next start.
 */

#include "service/operation/container.h"

typedef struct ContainerConsole {
        uint32_t width, height;
        bool history; /* what it has shown already comes first */
        /* Called once, with the master side of the client's terminal (the callee's to take by
         * setting it to -EBADF) or an error. */
        void (*started)(Job *job, int *terminal, Error *error, void *userdata);
        void *userdata;
} ContainerConsole;

/* One at a time: ERROR_BUSY names the job that has it. */
int container_console(Manager *m, Caller caller, Container *c, const ContainerConsole *args,
                      Job **ret, Error *ret_error);

typedef enum ContainerLog {
        CONTAINER_LOG_LIBLXC,
        CONTAINER_LOG_CONSOLE,
        _CONTAINER_LOG_MAX,
} ContainerLog;

/* Where liblxc and the console write to. */
char *container_log_path(Manager *m, const char *name, ContainerLog log);
/* A sealed memfd with the end of it. */
int container_open_log(Manager *m, const Container *c, ContainerLog log, int *ret,
                       Error *ret_error);
/* Removes both. */
void container_remove_logs(Manager *m, const char *name);
