/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Places of which there are only so many, and of which each user can have only some, so that one is
 * left for whoever comes next. Who finds none waits, in the line of his user. root has as many as
 * there are.
 */

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

typedef struct Places Places;

Places *places_new(unsigned max, unsigned max_per_uid);
Places *places_free(Places *places);

/* Takes a place, or has the item wait for one. */
bool places_take(Places *places, uid_t uid, void *item);
/* Gives a place back. Returns the item that has one now, or NULL where nobody can have it. */
void *places_leave(Places *places, uid_t uid);
/* An item that waits does so no longer. */
void places_forget(Places *places, uid_t uid, void *item);
/* How many items of that user wait. */
unsigned places_count_waiting(const Places *places, uid_t uid);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Places, places_free)
