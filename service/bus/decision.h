/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Records of decisions: one entry in the log for each call that takes a privilege, whether it was
 * granted, refused, or withdrawn by a caller who left. In the journal it has fields of its own
 * (decision.c has the list), elsewhere it is one line of the same content. What the call does, its
 * arguments and configuration, is no part of it: they may hold secrets.
 */

#include "service/bus/call.h"

typedef enum Decision {
        DECISION_GRANTED,
        DECISION_DENIED,
        DECISION_CHALLENGE, /* he would have been asked, but the call did not allow it */
        DECISION_WITHDRAWN, /* the caller left before there was one */
        _DECISION_MAX,
} Decision;

/* Once for a call: later ones for the same do nothing. `action`: last part of a polkit action, or
 * NULL where none was settled. `why`: a sentence, or NULL. */
void decision_record(BusCall *call, Decision decision, const char *action, const char *why);
