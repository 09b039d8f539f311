/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A call that takes its time. The service answers the call with a job at once; the client then
 * asks the job to tell of its end (Job.Wait) and follows its properties meanwhile.
 *
 * The order matters: the subscription to property changes goes out before the call, and the
 * question for the end right after it, so neither a change nor the end of a short job is missed,
 * and no further round trip is needed for the exit status of a program.
 *
 * While a job is waited for, SIGINT, SIGTERM, SIGHUP and SIGQUIT are either taken as the wish to
 * cancel it (a second one leaves it alone) or forwarded to the program that it runs.
 */

#include "client/client.h"
#include "client/relay.h"

typedef enum JobSignals {
        JOB_SIGNALS_CANCEL,
        JOB_SIGNALS_FORWARD,
        JOB_SIGNALS_DETACH, /* the relay's: the job goes on to its end without us */
} JobSignals;

typedef struct Job Job;

/* Calls a method whose first result is a job. `arguments` is consumed when floating. */
int job_start(Client *client, ObjectKind kind, const char *path, const char *member,
              GVariant *arguments, Job **ret, Error *ret_error);
Job *job_free(Job *job);

/* The whole reply to the call: (o...). Borrowed. */
GVariant *job_get_reply(const Job *job);
const char *job_get_path(const Job *job);
/* Path (borrowed) and name of the container that it makes, where the reply is (oo). */
int job_get_container(const Job *job, const char **ret_path, char **ret_name, Error *ret_error);

void job_set_signals(Job *job, JobSignals signals);
/* Data to copy while the job is waited for. Borrowed. */
void job_set_relay(Job *job, Relay *relay);
/* Terminal whose size follows the window's; not owned. */
void job_set_terminal(Job *job, int terminal);

/* Waits for the end. An error of the job becomes the error here; its warnings are printed, unless
 * there is a relay: then the terminal may not be fit for it yet. */
int job_wait(Job *job, Error *ret_error);
void job_print_warnings(const Job *job);
/* An array of strings. */
void warnings_print(GVariant *warnings);
/* After the end: the exit status of the program that it ran. */
int job_get_exit_status(Job *job, int *ret, Error *ret_error);
/* After the end: the objects that it worked on or made (ao). */
int job_get_objects(Job *job, GVariant **ret, Error *ret_error);

/* job_start() and job_wait() for calls of which nothing but their success matters. */
int job_run(Client *client, ObjectKind kind, const char *path, const char *member,
            GVariant *arguments, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)
