/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The control groups of containers, whichever way the host mounts them: version 2 alone, version 1,
 * or both (hybrid). A container has three of them in every hierarchy, next to each other, below
 * the group of the host's own init, or, where systemd is that and all groups are version 2, below a
 * scope of their own that it has handed over (service/worker/scope.h): its processes are in the
 * payload, its monitor is in another, so that no limit and no kill of the container strikes it; the
 * third is where the monitor waits while it removes the other two.
 *
 * Wherever version 2 is mounted, freezing and killing is done there, because only there the kernel
 * kills a whole tree at once and tells by an event when it is frozen or empty.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/util/error.h"
#include "service/worker/runtime/process.h"

typedef enum CgroupKind {
        CGROUP_MONITOR,
        CGROUP_PAYLOAD,
        CGROUP_PIVOT,
        _CGROUP_KIND_MAX,
} CgroupKind;

typedef struct CgroupHierarchy {
        char *controllers; /* as in /proc/PID/cgroup: "cpu,cpuacct", "name=systemd", "" for v2 */
        char *base;        /* the group of the host's init in it, relative: "" or "a/b" */
        int fd;            /* its mount point */
        bool scopes;       /* containers are in scopes of systemd's */
} CgroupHierarchy;

typedef struct CgroupHost {
        GPtrArray *hierarchies;   /* CgroupHierarchy, those that are mounted */
        CgroupHierarchy *unified; /* version 2 among them, or NULL */
} CgroupHost;

int cgroup_host_new(CgroupHost **ret, Error *ret_error);
CgroupHost *cgroup_host_free(CgroupHost *host);
/* Version 2 and nothing else. */
bool cgroup_host_is_pure_unified(const CgroupHost *host);
/* Whether a container needs a scope before it can have groups. */
bool cgroup_host_has_scopes(const CgroupHost *host);

/* The directory of a container's group, relative to the hierarchy's base. */
char *cgroup_name(const CgroupHost *host, CgroupKind kind, const char *container);

/* What a new process needs to get into all groups of `process`. */
typedef struct CgroupEntry {
        int unified_fd;    /* directory, for CLONE_INTO_CGROUP; -EBADF without version 2 */
        int tasks_fds[32]; /* "tasks" of the version 1 groups: a single thread writes "0" */
        size_t n_tasks_fds;
} CgroupEntry;

#define CGROUP_ENTRY_INIT ((CgroupEntry) { .unified_fd = -EBADF })

int cgroup_entry_open(const CgroupHost *host, const Process *process, CgroupEntry *ret,
                      Error *ret_error);
void cgroup_entry_close(CgroupEntry *entry);

/* Whether the process is in the container's group of that kind, or below it. */
int cgroup_has_process(const CgroupHost *host, CgroupKind kind, const char *container,
                       const Process *process);
/* pid_t elements: the processes in the group and below. Empty when there is no such group. */
int cgroup_list_processes(const CgroupHost *host, CgroupKind kind, const char *container,
                          GArray **ret);

/* Opens the pivot group in version 2, made if it is not there; -EBADF where there is no version 2.
 * What is in it does not hold up the container, and ends with it (OPERATION_CLEAN). */
int cgroup_make_pivot(const CgroupHost *host, const char *container);
/* The same, and moves the process there. */
int cgroup_enter_pivot(const CgroupHost *host, const char *container, pid_t pid);

/* Building blocks: the hierarchy of a version 1 controller or NULL; directories: where the host's
 * init is, where the groups of a container are, one of these; a group's file; the path of a
 * process's group below the mount point. */
const CgroupHierarchy *cgroup_find_controller(const CgroupHost *host, const char *controller);
int cgroup_open_base(const CgroupHierarchy *h);
int cgroup_open_parent(const CgroupHierarchy *h, const char *container);
int cgroup_open_group(const CgroupHierarchy *h, CgroupKind kind, const char *container);
int cgroup_read_file(int dir_fd, const char *name, char **ret);
int cgroup_read_path(const CgroupHierarchy *h, const Process *process, char **ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgroupHost, cgroup_host_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CgroupEntry, cgroup_entry_close)
