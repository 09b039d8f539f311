/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One method call from its arrival to its reply.
 *
 * Order, always: who calls (the bus says, never the client); the object; the arguments; prepare();
 * authorization; act(). Where polkit has to be asked the call waits, and then goes through all of
 * it again from the start: object and arguments are looked up anew, and the answer only counts for
 * the same action with the same details on the same object (its generation, not its name).
 */

#include "service/bus/bus.h"
#include "service/bus/sender.h"

/* Calls of one sender that may wait at a time. */
#define CALLS_PENDING_MAX 64
/* Questions to polkit that are open at a time, all and of one user: the bus lets no connection wait
 * for more than 128 answers, and what is over that would be refused, whoever it comes from. */
#define QUESTIONS_MAX 96
#define QUESTIONS_PER_UID_MAX 16
/* Of one user, that wait for one of those places. */
#define QUESTIONS_WAITING_PER_UID_MAX 256U

struct BusCall {
        Bus *bus;
        Manager *manager;
        sd_bus_message *message;
        const BusClass *class;
        const BusMethod *method;
        BusSender *sender;  /* NULL once it has left the bus */
        uid_t caller_uid, owner_uid; /* for the record, whoever is still there */
        bool has_owner;     /* there is an object, and owner_uid its owner's */
        bool decided;       /* the decision has been recorded */

        /* good during prepare() and act() */
        Object *object;     /* NULL on the root object */
        GVariant *args;     /* the whole body */
        GArray *fds;        /* of the message, borrowed */
        GVariant *options;
        BusAccess access;
        const char *own_action, *action, *prompt;
        Privilege privilege; /* that the action stands for, beside the verb itself */
        GVariantDict *details; /* strings for polkit */

        /* what polkit was asked, and its answer */
        sd_bus_slot *polkit_slot;
        GVariant *question; /* (sa{sv}): while it waits until others have been answered */
        char *asked_action;
        GVariant *asked_details;
        uint64_t asked_generation;
        char *cancellation_id;
        bool granted;

        GVariant *reply;     /* tuple */
        int reply_fds[4];    /* of the handles in it, owned */
        size_t n_reply_fds;
        ObjectKind waits_for_kind;
        char *waits_for;     /* name of the job */
        void (*on_verdict)(BusCall *call, const char *answer); /* CheckAccess */
        /* Instead of running the call again: granted where there is no refusal. Whoever sets it
         * ends the call. Also called when the sender has left. */
        void (*on_answer)(BusCall *call, const Error *refusal);
        char *asks_for;      /* name of the job that waits for the answer */
};

int bus_call_dispatch(sd_bus_message *message, void *userdata, sd_bus_error *error);
BusCall *bus_call_free(BusCall *call);

/* Ends a deferred call: with a tuple (floating, may be NULL) or an error. Frees it. */
void bus_call_reply(BusCall *call, GVariant *reply);
/* For a call that waited for a job which is done: with its warnings, or with nothing, as the method
 * has it. */
void bus_call_reply_done(BusCall *call, const Job *job);
void bus_call_fail(BusCall *call, const Error *error);
/* fd for a handle in the reply; takes it over. Returns the handle. */
gint32 bus_call_add_fd(BusCall *call, int fd);
/* The fd behind a handle of the arguments; stays the message's. */
int bus_call_get_fd(const BusCall *call, gint32 handle);
/* How to compress: the option, or what that setting of the service says. */
const char *bus_call_get_compression(const BusCall *call, const char *setting);

Caller bus_call_caller(const BusCall *call);
void bus_call_detail(BusCall *call, const char *key, const char *value);
/* For prepare(): the call needs that class of configuration. Asks for the one action that covers
 * both verb and class, and tells polkit which keys and devices they are. */
void bus_call_require(BusCall *call, const PrivilegeChange *change);
/* The same for what profiles hold: who manages profiles is trusted with all but the host. */
void bus_call_require_for_profile(BusCall *call, const PrivilegeChange *change);
/* The same for what is no container's: the verb's own action covers all but the host. */
void bus_call_require_beside(BusCall *call, const PrivilegeChange *change);
/* Starts the job and replies with its path. */
int bus_call_start_job(BusCall *call, Job *job);

/* The same, and with an fd, the other end of which the job has; takes it over. */
int bus_call_start_job_with_fd(BusCall *call, Job *job, int fd);
int bus_call_make_pipe(int *ret_read_end, int *ret_write_end, Error *ret_error);

/* Replies when the job has ended: with its warnings, nothing, or its error. */
int bus_call_await_job(BusCall *call, const Job *job);
/* The same for a job that is yet to be started. */
int bus_call_wait_for_job(BusCall *call, Job *job);
/* The same; without a job (NULL: nothing was to do) it replies that there is nothing to warn of. */
int bus_call_wait_for_warnings(BusCall *call, Job *job);

/* Asks polkit, if not at once then when earlier questions have been answered; call->granted says
 * what it answered when the call is run again. */
int bus_call_ask(BusCall *call, const char *action, GVariant *details, Error *ret_error);
bool bus_call_is_asking(const BusCall *call);
/* Takes the question back, with its prompt. */
void bus_call_withdraw(BusCall *call);
/* Runs the call (again). */
void bus_call_run(BusCall *call);
