/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What can be done with containers. Functions that give a job check everything that can be checked
 * at once, and fail without one; the job then does what lasts. `owner` and `sender` are those of
 * the caller.
 */

#include "service/operation/manager.h"

/* Who asks: goes into the job. */
typedef struct Caller {
        uid_t uid;
        const char *sender;   /* unique bus name, NULL for the service itself */
        Privilege privilege;  /* the strongest class that he was granted for this call */
} Caller;

/* It does only what was granted before. */
#define CALLER_SERVICE ((Caller) { 0 })

typedef struct ContainerCreate {
        const char *name;      /* "" for one of our making */
        const char *image;
        const char *description; /* may be NULL, as the rest */
        const char *pool;
        const char *const *profiles;
        GVariant *config, *devices;
        bool ephemeral;
        bool start;
} ContainerCreate;

/* *ret_name is the job's first subject. */
int container_create(Manager *m, Caller caller, const ContainerCreate *args, Job **ret,
                     Error *ret_error);
/* One that was stopped with its state goes on where it was; or begins anew, and its state is
 * forgotten. */
int container_start(Manager *m, Caller caller, Container *c, Job **ret, Error *ret_error);
int container_start_stateless(Manager *m, Caller caller, Container *c, Job **ret,
                              Error *ret_error);
/* timeout 0: wait for ever */
int container_stop(Manager *m, Caller caller, Container *c, bool force, uint64_t timeout_usec,
                   Job **ret, Error *ret_error);
int container_restart(Manager *m, Caller caller, Container *c, bool force, uint64_t timeout_usec,
                      Job **ret, Error *ret_error);
int container_freeze(Manager *m, Caller caller, Container *c, bool freeze, Job **ret,
                     Error *ret_error);
int container_delete(Manager *m, Caller caller, Container *c, bool force, Job **ret,
                     Error *ret_error);
int container_rename(Manager *m, Caller caller, Container *c, const char *name, Job **ret,
                     Error *ret_error);

typedef struct ContainerUpdate {
        GVariant *set, *unset; /* a{ss}, as */
        GVariant *devices;     /* a{sa{ss}}, NULL: as they are */
        const char *const *profiles;
        const char *description;
        const bool *ephemeral;
        const uint64_t *if_revision;
} ContainerUpdate;

/* On disk when it returns with *ret NULL; where limits of running containers change, a job is to do
 * it. */
int container_update(Manager *m, Caller caller, Container *c, const ContainerUpdate *update,
                     Job **ret, Error *ret_error);

/*
 * What the caller must be granted for a verb, so that it can be asked for before; the verb itself
 * then refuses a caller who lacks it. The functions for changes check all that the verb checks, so
 * that nobody is asked about what cannot be done.
 */
int container_create_privilege(Manager *m, Caller caller, const ContainerCreate *args,
                               PrivilegeChange *ret, Error *ret_error);
int container_update_privilege(Manager *m, Container *c, const ContainerUpdate *update,
                               PrivilegeChange *ret, Error *ret_error);
/* Of the effective configuration, where it is not covered by what was granted for the container
 * and its profiles; PRIVILEGE_USE where it is. */
void container_start_privilege(Manager *m, const Container *c, PrivilegeChange *ret);
/* It has no user namespace of its own: as it runs, or else as it would. Whoever gets inside is as
 * good as root on the host. */
bool container_is_privileged(Manager *m, const Container *c);
/* The class of the whole effective configuration. */
Privilege container_get_privilege(Manager *m, const Container *c);
/* ERROR_ACCESS_DENIED unless the caller was granted as much. */
int caller_check(Caller caller, const PrivilegeChange *change, const char *what,
                 Error *ret_error);

typedef struct ContainerExec {
        const char *const *argv, *const *environment;
        const char *cwd, *user, *group; /* "" for the default */
        bool terminal;
        uint32_t width, height;
        int stdio[3];                   /* -EBADF for /dev/null; stay the caller's */
        /* Called once when the program is about to run, with the terminal's master side where
         * there is one (the callee's to take by setting it to -EBADF), or when it has come to
         * nothing, with an error; never after `userdata` was freed. */
        void (*started)(Job *job, int *terminal, Error *error, void *userdata);
        void *userdata;
        GDestroyNotify free_userdata;
} ContainerExec;

int container_exec(Manager *m, Caller caller, Container *c, const ContainerExec *args, Job **ret,
                   Error *ret_error);
/* What a worker is asked for that; a full reference. */
GVariant *container_exec_args(Manager *m, const Container *c, const ContainerExec *args);
int container_exec_signal(Job *job, int signal, Error *ret_error);
int container_exec_resize(Job *job, uint32_t width, uint32_t height, Error *ret_error);

/* Configuration and devices with what the profiles add. Full references. A nic on a network of type
 * macvlan or physical has the "nictype" and "parent" that this comes to. */
void container_expand(Manager *m, const Container *c, GVariant **ret_config,
                      GVariant **ret_devices);
/* What one key is in that configuration, without making it: NULL where it is not set. Valid until
 * the container or one of its profiles changes. */
const char *container_get_expanded(Manager *m, const Container *c, const char *key);
/* The same for what is not a container yet or not any more, of that owner. */
void profiles_expand(Manager *m, uid_t owner, const char *const *profiles, GVariant *config,
                     GVariant *devices, GVariant **ret_config, GVariant **ret_devices);
/* The same for people: nics as they were configured. */
void profiles_merge(Manager *m, const char *const *profiles, GVariant *config, GVariant *devices,
                    GVariant **ret_config, GVariant **ret_devices);
/* Checks profiles, configuration and devices of a container to be, or of that one (NULL for none
 * yet): all known, the root disk and every nic on something that is there, addresses nobody else's.
 * *ret_pool: pool of the root disk. */
int container_check(Manager *m, const char *container, const char *const *profiles,
                    GVariant *config, GVariant *devices, char **ret_pool, Error *ret_error);
