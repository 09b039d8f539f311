/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who uses what: containers their image, pool, profiles, networks and volumes; profiles what their
 * devices name; volumes their pool. What is used says so on the bus (UsedBy), which is computed
 * when it is read, so whoever changes what something uses has to say whose UsedBy has become
 * another by that.
 */

#include "service/operation/manager.h"

typedef struct UsageNote UsageNote;

/* Objects that use `o`, as JobSubject. */
GArray *usage_of(Manager *m, Object *o);
/* ERROR_IN_USE that names a user, or 0. */
int usage_check_none(Manager *m, Object *o, Error *ret_error);

/* A user has come, is about to go, or has another name: UsedBy of all that it uses has changed. */
void usage_changed(Manager *m, const Object *user);
/* What a user uses, and for a profile what its containers use, before it is changed ... */
UsageNote *usage_note(Manager *m, const Object *user);
/* ... and after that: UsedBy has changed of what was used and is not, and the other way round. No
 * user has gone meanwhile. */
void usage_note_tell(const UsageNote *note);
UsageNote *usage_note_free(UsageNote *note);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(UsageNote, usage_note_free)
