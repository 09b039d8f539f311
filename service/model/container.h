/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container: what is recorded of it, and what is known of it while it runs. The record says that
 * it exists and what it is to be; the facts (pids, fds, paths) are kept apart, below the run-time
 * directory, because they are worth nothing after a boot.
 */

#include <stdbool.h>

#include "service/model/idmap.h"
#include "service/model/object.h"
#include "service/model/privilege.h"
#include "service/model/snapshot.h"
#include "service/util/error.h"

typedef enum ContainerState {
        CONTAINER_CREATING,
        CONTAINER_STOPPED,
        CONTAINER_STARTING,
        CONTAINER_RUNNING,
        CONTAINER_FROZEN,
        CONTAINER_STOPPING,
        CONTAINER_DELETING,
        CONTAINER_ERROR,
        _CONTAINER_STATE_MAX,
} ContainerState;

/* Of the running container. */
typedef struct ContainerFacts {
        pid_t init_pid;       /* 0 when it does not run */
        uint64_t init_start;  /* start time of init in clock ticks since boot, against pid reuse */
        pid_t monitor_pid;    /* 0 once the monitor has gone */
        uint64_t monitor_start;
        char *lxc_path;       /* liblxc's directory for this one run */
        char *cpus;           /* the set that limits.cpu has come to; NULL or "" for all */
        bool frozen;
        IdMap *idmap;         /* that it was started with */
        GVariant *going;      /* a{sa{ss}}: devices that a change is taking away, */
        GVariant *coming;     /* and those that it puts in; NULL for none under way */
        GVariant *limits;     /* (a{ss}s): configuration and CPUs whose limits a change is setting;
                               * NULL for none under way */
} ContainerFacts;

typedef struct Container {
        Object object;
        ContainerState state;
        bool doomed;          /* it is stopped to be deleted: recorded as being deleted */
        bool incomplete;      /* being created: recorded as such whatever its state is meanwhile */
        char *rename_to;      /* a rename is under way, or NULL */
        char *move_pool;      /* a pool that may hold files of it beside `pool`, or NULL */
        bool held;            /* a job holds a running one still (see frozen) */
        bool refreshing;      /* its files may be those of what it is refreshed from already */
        bool resizing;        /* its root disk may have another size than the configuration says */
        char *restore_from;   /* a restore from that snapshot is under way, or NULL */
        bool restore_stateful; /* and its processes are to be made of the snapshot's state */
        bool interrupted;     /* a job has stopped it for a while; see container-interruption.h */
        bool stateful;        /* it was stopped with its state, which is beside its volume */
        bool state_in_use;    /* a start makes its processes of that state, or forgets it */
        char *description;
        char *image;          /* fingerprint */
        char *architecture;
        char *pool;
        GVariant *templates;  /* IMAGE_TEMPLATES_TYPE: of its image */
        bool ephemeral;
        char **profiles;
        GVariant *config;     /* a{ss}, its own */
        GVariant *devices;    /* a{sa{ss}}, its own */
        Privilege granted;    /* class that its configuration was granted */
        IdRange ids;          /* of the host, for it; see container-ids.h */
        bool ids_shared;      /* others may have them too */
        IdMap *shifted;       /* owners on disk are its, for want of idmapped mounts; NULL: they
                                 are as the container sees them, and it is mounted idmapped */
        uint64_t created, last_started; /* µs since 1970, 0 never */
        uint64_t restart_pause_usec; /* before the last time that it was started again */
        GPtrArray *snapshots; /* of Snapshot, oldest first; borrowed from the Manager's table */

        ContainerFacts facts;
        int init_fd;          /* pidfds, -EBADF when not running */
        int monitor_fd;
        GVariant *addresses;  /* a(sssus) */
} Container;

#define CONTAINER_ADDRESSES_TYPE ((const GVariantType *) "a(sssus)")

Container *container_new(const char *name, uid_t owner);
Container *container_free(Container *c);

GVariant *container_to_record(const Container *c);
int container_from_record(const char *name, GVariant *value, Container **ret);

GVariant *container_facts_to_record(const ContainerFacts *facts);
int container_facts_from_record(GVariant *value, ContainerFacts *ret);
/* How its files were stored: takes the map, or NULL. */
void container_set_shifted(Container *c, IdMap *map);
/* Forgets the run: facts, fds, addresses. */
void container_forget_run(Container *c);

const char *container_state_to_string(ContainerState state);
/* Its init lives: running, frozen or stopping. */
bool container_is_up(const Container *c);

/* Value of the key "volatile.DEVICE.NAME", or NULL. */
const char *container_get_volatile(const Container *c, const char *device, const char *name);
/* `value` NULL: unsets it. */
void container_set_volatile(Container *c, const char *device, const char *name, const char *value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Container, container_free)
