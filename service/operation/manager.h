/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The one object that reaches everything: tables of all objects, their records, who has locked
 * what, and the observer (the bus) that hears of every change. Operations change objects through
 * it, so that record, table and bus never disagree:
 *
 *   manager_add()      a new object appears         (table, observer)
 *   manager_save()     its record is put on disk    (record)
 *   manager_changed()  something of it has changed  (observer)
 *   manager_remove()   it goes                      (observer, table; freed)
 *   manager_forget()   its record goes              (record)
 */

#include <systemd/sd-event.h>

#include "service/model/container.h"
#include "service/model/image.h"
#include "service/model/network.h"
#include "service/model/object.h"
#include "service/model/pool.h"
#include "service/model/profile.h"
#include "service/model/snapshot.h"
#include "service/model/volume.h"
#include "service/operation/job.h"
#include "service/state/record-file.h"
#include "service/util/error.h"
#include "service/util/places.h"
#include "service/watch/address-watch.h"
#include "service/watch/firewall-watch.h"
#include "service/watch/uevent-watch.h"


typedef struct ManagerObserver ManagerObserver;
typedef struct Firewall Firewall;
typedef struct PoolRecords PoolRecords;
typedef struct ImageUpkeep ImageUpkeep;
typedef struct Settings Settings;
typedef struct SnapshotTimer SnapshotTimer;

struct ManagerObserver {
        void (*added)(Object *o, void *userdata);
        void (*changed)(Object *o, void *userdata);
        void (*removed)(Object *o, void *userdata); /* while it is still in the table */
        void (*job_finished)(Job *job, void *userdata);
        /* `details` a{sv}, a borrowed reference */
        void (*lifecycle)(Container *c, const char *event, GVariant *details, void *userdata);
};

struct Manager {
        sd_event *event;
        char *state_dir, *run_dir, *libexec_dir;
        GHashTable *objects[_OBJECT_KIND_MAX]; /* name -> Object, which the table owns */
        RecordDir *records[_OBJECT_KIND_MAX];
        RecordDir *facts;                      /* ContainerFacts by name, below run_dir */
        GHashTable *locks;                     /* Object -> Job */
        GArray *id_ranges;                     /* IdRange that containers may have */
        uint32_t last_job_id;
        Places *workers;                       /* of jobs */
        bool settling, settle_again;           /* see limits_settle() */
        bool shutting_down;                    /* see boot_shutdown() */

        AddressWatch *address_watch;
        FirewallWatch *firewall_watch;
        UeventWatch *uevent_watch;
        Firewall *firewall;
        PoolRecords *pool_records;
        GPtrArray *device_plans;               /* of DevicePlan: those that are being carried out */
        GHashTable *runs;                      /* Container -> ContainerRun */
        GHashTable *forwards;                  /* Container -> its proxies' processes */
        GHashTable *hotplugs;                  /* Container -> its devices that follow the host */
        GHashTable *resolvers;                 /* Network name -> its dnsmasq */

        Settings *settings;
        SnapshotTimer *snapshot_timer;         /* NULL before recovery is over, as */
        ImageUpkeep *image_upkeep;

        const ManagerObserver *observer;
        void *observer_userdata;
};

/* Opens the directories and reads all records; touches nothing else. */
int manager_new(sd_event *event, const char *state_dir, const char *run_dir,
                const char *libexec_dir, Manager **ret, Error *ret_error);
Manager *manager_free(Manager *m);

/* The object, or NULL. */
Object *manager_find(Manager *m, ObjectKind kind, const char *name);
/* The same, or the kind's error that says which is missing. */
int manager_get(Manager *m, ObjectKind kind, const char *name, Object **ret, Error *ret_error);
/* An image by alias, fingerprint or unique beginning of one. */
int manager_get_image(Manager *m, const char *name, Image **ret, Error *ret_error);
#define manager_find_container(m, name) ((Container *) manager_find(m, OBJECT_CONTAINER, name))
#define manager_find_profile(m, name) ((Profile *) manager_find(m, OBJECT_PROFILE, name))
#define manager_find_network(m, name) ((Network *) manager_find(m, OBJECT_NETWORK, name))
#define manager_find_pool(m, name) ((StoragePool *) manager_find(m, OBJECT_POOL, name))
#define manager_find_snapshot(m, name) ((Snapshot *) manager_find(m, OBJECT_SNAPSHOT, name))
#define manager_find_image(m, name) ((Image *) manager_find(m, OBJECT_IMAGE, name))

/* Whether there is a record of that name, readable or not. */
bool manager_has_record(Manager *m, ObjectKind kind, const char *name);
/* ERROR_EXISTS when the name is taken. */
int manager_check_free(Manager *m, ObjectKind kind, const char *name, Error *ret_error);

void manager_add(Manager *m, Object *o);
int manager_save(Manager *m, Object *o, Error *ret_error);
/* Makes the copy beside its files what its record is (see pool-records.h). */
void manager_save_copy(Manager *m, Object *o);
void manager_changed(Manager *m, Object *o);
/* The same where nothing has changed but what is computed from others, such as who uses it. */
void manager_announce(Manager *m, Object *o);
/* With a container go its snapshots. */
void manager_remove(Manager *m, Object *o);
/* Gives an object another name in the table; on the bus one goes and one comes. The snapshots of a
 * container go with it. */
void manager_rename(Manager *m, Object *o, const char *name);
int manager_forget(Manager *m, ObjectKind kind, const char *name, Error *ret_error);

/* A snapshot's container. */
Container *manager_get_container_of(Manager *m, const Snapshot *s);

/* Who works on it, or NULL. */
Job *manager_get_lock(Manager *m, Object *o);
void manager_job_finished(Manager *m, Job *job);
/* `details` a{sv}, floating or NULL */
void manager_lifecycle(Manager *m, Container *c, const char *event, GVariant *details);

/* Nothing runs, nothing is under way, no snapshot is due at some time. */
bool manager_is_idle(Manager *m);

/* Frees an object according to its kind. */
void object_free(void *o);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Manager, manager_free)
