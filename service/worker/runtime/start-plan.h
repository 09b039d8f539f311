/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One start of a container: what OPERATION_START says of it, what was found out and made for it,
 * and the parts of start.c that lie in files of their own.
 */

#include "service/worker/runtime/cgroup.h"
#include "service/worker/runtime/device-mount.h"
#include "service/worker/runtime/process.h"
#include "service/worker/runtime/syscall-filter.h"
#include "service/worker/worker.h"

typedef struct Start {
        const char *name;
        const char *lxc_path;
        const char *rootfs;
        bool idmapped;
        IdMap *idmap;
        GVariant *nics;
        GVariant *devices;
        DeviceContext device_context;
        GPtrArray *mounts; /* of devices, as liblxc takes them */
        GVariant *config;
        const char *cpus;
        const char *log_file, *console_log;
        const char *architecture;
        const char *state, *state_key; /* of its processes, "" for none */
        bool stateless;                /* it is not restored, but forgotten */
        bool keep_state;               /* it is a snapshot's, and stays with that */
        bool take_over;                /* another worker has begun this, and died */

        SyscallRules *syscalls;
        CgroupHost *host;
        char *starter;  /* path of berth-start */
        bool apparmor;
        int log_fd;
        int state_fd;
        int userns_fd;  /* to mount its files for a restore */
        char *root;     /* where it sees them then */
} Start;

/* Its processes are made of a saved state. */
bool start_is_restore(const Start *start);

/* The directory `lxc_path`. */
int start_open_directory(const Start *start, Error *ret_error);

/* Finds what is missing before liblxc does in its own words, and makes all that is there before
 * anything runs: devices, links of the host, liblxc's files, the logs (start-prepare.c). */
int start_prepare(Start *start, Error *ret_error);

/* Network interfaces (start-nics.c): whether they can be had; what is to be known of them, and
 * made, before liblxc makes them; and what it leaves to be done. `path_fd` is LXC-PATH. */
int start_nics_check(const Start *start, Error *ret_error);
int start_nics_prepare(const Start *start, int path_fd, Error *ret_error);
int start_nics_complete(const Start *start, const Process *init, int path_fd, Error *ret_error);

/* Finds init and monitor, completes what takes a container that runs, and fills the result in
 * (start-report.c). */
int start_report(const Start *start, Worker *worker, GVariantDict *result, Error *ret_error);
/* The error for a berth-start that has failed. */
int start_describe_failure(const Start *start, Error *ret_error);
