/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the limits of a configuration are in the files of control groups, for version 1 and version
 * 2: a pure function, so that both can be tested on any host. A list for one version names every
 * file that any limit could touch, in the order in which they are to be written, those that keep
 * the kernel's own value among them; so two lists of the same version have the same entries, and
 * what differs is what has to be written to get from one configuration to the other.
 */

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

typedef enum CgroupVersion {
        CGROUP_V1 = 1,
        CGROUP_V2 = 2,
} CgroupVersion;

typedef enum LimitFlags {
        LIMIT_UNSET = 1 << 0,    /* the kernel's own value: nothing is lost where it can't be had */
        LIMIT_HINT = 1 << 1,     /* of use, but nobody is harmed where the host lacks it */
        LIMIT_TRANSIENT = 1 << 2,/* only to get from one value to the next; not for a new group */
} LimitFlags;

typedef struct Limit {
        const char *key;        /* of the configuration, for messages */
        const char *controller;
        const char *files;      /* name, or names separated by "|" of which one is there */
        char *value;
        unsigned topic;         /* entries of one topic are written together, or not at all */
        LimitFlags flags;
} Limit;

typedef struct LimitsHost {
        uint64_t memory;        /* bytes */
        const char *all_cpus;   /* what stands for no set of CPUs */
} LimitsHost;

/* Elements are Limit. `cpus`: the set that limits.cpu has come to, "" for all. */
GPtrArray *limits_list(GVariant *config, const char *cpus, CgroupVersion version,
                       const LimitsHost *host);

/* --- CPUs --- */

/* One that runs: how many CPUs it may have (0: all), or which (pinned). */
typedef struct CpuUser {
        unsigned count;
        GArray *pinned; /* unsigned, NULL where it is a count */
} CpuUser;

/* Reads limits.cpu; the caller frees `pinned`. */
void cpu_user_read(GVariant *config, CpuUser *ret);
/* A kernel's list such as "0-3,7" as unsigned elements. */
GArray *cpus_parse(const char *list);
char *cpus_format(GArray *cpus);
/* The set of CPUs for each user, "" for all of them: pinned ones get theirs, as far as the host has
 * them; the others as many as they may have of those that are the least used, where a CPU that
 * somebody is pinned to is taken only when no other is left. */
GStrv cpus_balance(GArray *host, const CpuUser *users, size_t n);
