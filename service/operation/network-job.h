/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the jobs of networks carry, and the steps that they share. */

#include "service/operation/network.h"
#include "service/operation/update-plan.h"
#include "service/watch/process-watch.h"

typedef struct NetworkJob {
        UpdatePlan plan;   /* first, see UPDATE_PLAN_STEPS: update, of nics that are on it */
        Network *network;  /* locked; NULL once it has been removed */
        bool strict;       /* see OPERATION_NETWORK_UP */
        bool is_down, is_renamed; /* rename: what is to be put right again */
        char *description; /* update: the new one; afterwards the old one */
        char *name;        /* rename: the new one; afterwards the old one */
} NetworkJob;

NetworkJob *network_job_data(Network *network);
/* Takes `owned`; the network is locked. */
int network_job_new(Manager *m, const char *operation, Caller caller, const JobStep *steps,
                    NetworkJob *owned, Job **ret, Error *ret_error);

/* What is "auto" becomes an address for good, in what is tried out or else in the record. */
int step_network_pick(Job *job, Error *ret_error);
int step_network_up(Job *job, Error *ret_error);
int step_network_down(Job *job, Error *ret_error);
int step_network_record(Job *job, Error *ret_error);
int step_network_forget(Job *job, Error *ret_error);

/* dnsmasq of one network. */
struct Resolver {
        Manager *manager;
        char *network;
        int pidfd;
        ProcessWatch *watch;
};

/* Below the run-time and the state directory. */
char *network_run_dir(Manager *m, const char *name);
char *network_lease_file(Manager *m, const char *name);
