/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A service that speaks the interfaces of introspection/ and keeps everything in memory, for tests
 * of the clients. It checks each call against the XML, so a client that breaks the contract fails
 * here, and writes each call to a log that tests read.
 *
 * Containers of certain names behave badly on purpose:
 *   broken   Start: the job fails with BackendFailed
 *   slow     Start: the job tells half of its progress and waits to be cancelled
 *   vanish   Start: the service ends while the job runs
 *   guarded  every call wants the user to be asked
 *   foreign  every call is denied
 *   chained, stuck, unreadable, unsealed
 *            SendState() of the first, Stop() of the second with its state, and the jobs of
 *            ImportContainer() and ReceiveState() for the others fail
 */

#include <stdbool.h>

#include <glib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "client/object.h"

typedef struct FakeObject {
        ObjectKind kind;
        char *path;
        char *name;
        GHashTable *properties; /* name -> GVariant */
        GVariant *config;       /* a{ss} */
        GVariant *devices;      /* a{sa{ss}} */
        GBytes *archive;        /* of an image */
} FakeObject;

typedef struct FakeJob FakeJob;

typedef struct Fake {
        sd_event *event;
        sd_bus *bus;
        GHashTable *objects; /* path -> FakeObject */
        GHashTable *jobs;    /* path -> FakeJob */
        unsigned n_jobs;
        char *introspection; /* directory of the XML */
        FILE *log;
} Fake;

/* What a method leaves for the caller: a body, or the name and the text of an error. */
typedef struct FakeReply {
        GVariant *body;
        char *error;
        char *text;
        bool later; /* somebody else replies to the call */
} FakeReply;

typedef struct FakeCall {
        Fake *fake;
        sd_bus_message *message;
        FakeObject *object; /* NULL for the manager and for jobs */
        FakeJob *job;
        const char *path;
        const char *interface;
        const char *member;
        GVariant *body;
        FakeReply *reply;
} FakeCall;

void fake_fail(FakeCall *call, const char *error, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Options of the call, its last argument. */
GVariant *fake_options(const FakeCall *call);

FakeObject *fake_object_add(Fake *f, ObjectKind kind, const char *name);
void fake_object_remove(Fake *f, FakeObject *o);
/* Consumes a floating value. */
void fake_object_set(FakeObject *o, const char *property, GVariant *value);
GVariant *fake_object_get(const FakeObject *o, const char *property);
const char *fake_object_get_string(const FakeObject *o, const char *property);
/* Sets and tells the bus. */
void fake_object_change(Fake *f, FakeObject *o, const char *property, GVariant *value);
GVariant *fake_object_properties(const FakeObject *o);
void fake_object_free(FakeObject *o);

/* Jobs (fake-job.c). A new job runs; its path goes into the reply. */
FakeJob *fake_job_new(Fake *f, const char *operation, const char *object);
const char *fake_job_path(const FakeJob *job);
void fake_job_set_object(FakeJob *job, const char *path);
void fake_job_progress(FakeJob *job, const char *stage, double fraction);
void fake_job_finish(FakeJob *job, const char *error, const char *text);
/* Ends with the exit status of a child. */
void fake_job_watch_child(FakeJob *job, pid_t pid);
Fake *fake_job_get_fake(const FakeJob *job);
/* Reads all of a pipe, then calls `done`, which finishes the job; where the object has gone
 * meanwhile the job fails instead. */
void fake_job_read(FakeJob *job, int fd, const FakeObject *o,
                   void (*done)(FakeJob *job, FakeObject *o, const char *text));
GVariant *fake_job_properties(const FakeJob *job);
void fake_job_free(FakeJob *job);
void fake_job_call(FakeCall *call);

/* What has to do with image servers (fake-images.c); false for other calls. */
bool fake_images_call(FakeCall *call);
/* What reads and changes configuration (fake-settings.c); false for other calls. */
bool fake_settings_call(FakeCall *call);
/* What takes containers from host to host (fake-migrate.c); false for other calls. */
bool fake_migrate_call(FakeCall *call);
/* A container as others are. */
FakeObject *fake_container_add(Fake *f, const char *name, const char *state);
/* a{ss} with what is to be set (a{ss}) and without what is not (as). A full reference. */
GVariant *fake_merge_config(GVariant *old, GVariant *set, GVariant *unset);
/* Methods of one interface (fake-methods.c). */
void fake_call(FakeCall *call);
/* Counters of a container (fake-state.c). */
void fake_get_state(FakeCall *call);
void fake_get_disk_usage(FakeCall *call);
/* The objects that every test finds. */
void fake_populate(Fake *f);
