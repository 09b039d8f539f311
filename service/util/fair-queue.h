/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who is served next, where some have many wishes: items wait in a line of each user, and the lines
 * are served in turn, one item of each. Whoever brings a thousand keeps others back by one.
 *
 * Items are the caller's; the queue owns nothing but its lines.
 */

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

typedef struct FairQueue FairQueue;

FairQueue *fair_queue_new(void);
FairQueue *fair_queue_free(FairQueue *queue);

void fair_queue_push(FairQueue *queue, uid_t uid, void *item);
/* The next item, and whose it is (may be NULL); NULL where nobody waits who may be served. `may`
 * NULL: everybody may. */
void *fair_queue_pop(FairQueue *queue, bool (*may)(uid_t uid, void *userdata), void *userdata,
                     uid_t *ret_uid);
/* Takes an item out, wherever it stands. */
bool fair_queue_remove(FairQueue *queue, uid_t uid, void *item);
/* How many items of that user wait. */
unsigned fair_queue_count(const FairQueue *queue, uid_t uid);
bool fair_queue_is_empty(const FairQueue *queue);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FairQueue, fair_queue_free)
