/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who calls, and whose call comes next.
 *
 * Every method call that comes, also those that sd-bus answers by itself (properties, the list of
 * all objects), waits in the line of its user, and the lines are served in turn. So one user who
 * floods the service delays others by the one call of his that is being served, not by all that he
 * has sent. For this messages are read before any of them is served, which takes next to nothing;
 * what is over CALLS_QUEUED_PER_UID_MAX is refused then.
 *
 * The uid is asked of the bus once for each connection; until then its calls wait. Calls of one
 * connection are served in their order, and those of one that has left are not served any more.
 */

#include "service/bus/bus.h"

/* One user may have so many calls waiting for their turn: more than he can have connections. */
#define CALLS_QUEUED_PER_UID_MAX 512U

typedef struct BusSender {
        char *name;
        uid_t uid;
        bool known;        /* the bus has said the uid, and it is somebody's */
        bool has_called;   /* a method of ours: while it is there the service stays */
        sd_bus_slot *credentials_slot;
        GQueue messages;   /* that wait for the uid */
        GPtrArray *calls;  /* that wait for something */
        Bus *bus;
} BusSender;

/* A filter of sd-bus: a message has come. userdata: Bus. */
int bus_sender_on_message(sd_bus_message *m, void *userdata, sd_bus_error *error);
/* An event source that serves the next. userdata: Bus. */
int bus_sender_on_turn(sd_event_source *source, void *userdata);
/* A name on the bus has no owner any more: perhaps somebody who has called. userdata: Bus. */
int bus_sender_on_name_lost(sd_bus_message *m, void *userdata, sd_bus_error *error);

/* Who has sent a message that is being served. */
BusSender *bus_sender_find(Bus *bus, sd_bus_message *m);
void bus_sender_has_called(BusSender *sender);
void bus_sender_free(void *sender);
