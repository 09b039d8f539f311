/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Names for snapshots that nobody named: the value of "snapshots.pattern". "%d" in it stands for
 * one more than the highest number that a snapshot of that form has; "{{ creation_date }}" for the
 * time in UTC, "{{ creation_date|date:'LAYOUT' }}" for the time written as the layout writes
 * Monday, 2 January 2006, 15:04:05. Where the time alone does not make a new name, "-N" is added.
 */

#include <stdint.h>

#include <glib.h>

#include "service/util/error.h"

#define SNAPSHOT_PATTERN_DEFAULT "snap%d"

/* For the table of keys: whether names come of it. */
int snapshot_pattern_check(const char *pattern, Error *ret_error);
/* A name that none of the `snapshots` (GPtrArray of Snapshot) has. `now` in µs since 1970. */
int snapshot_pattern_apply(const char *pattern, const GPtrArray *snapshots, uint64_t now,
                           char **ret, Error *ret_error);
