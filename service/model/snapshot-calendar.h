/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * When snapshots are taken and when they go: the values of "snapshots.schedule" and
 * "snapshots.expiry". Times are µs since 1970, calendars are UTC: every day has 24 hours, and what
 * is due comes exactly once.
 *
 * A schedule is either five fields of cron (minute, hour, day of the month, month, day of the week;
 * numbers, names, "*", ranges, steps and lists), or a comma-separated list of @hourly, @daily,
 * @midnight, @weekly, @monthly, @annually, @yearly, @startup and @never. As cron has it, a time
 * matches when either of the two days does, where both are restricted.
 *
 * An expiry is a list of numbers with units, such as "1w 2d": S seconds, M minutes, H hours,
 * d days, w weeks, m months, y years, each once. Empty: never.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/util/error.h"

/* For the table of keys: 0, or ERROR_INVALID_CONFIG. */
int snapshot_schedule_check(const char *schedule, Error *ret_error);
int snapshot_expiry_check(const char *expiry, Error *ret_error);

/* The first time after `after` that the schedule names; false where there is none in the years to
 * come, or the schedule is none. */
bool snapshot_schedule_next(const char *schedule, uint64_t after, uint64_t *ret);
/* Whether it holds @startup. */
bool snapshot_schedule_at_start(const char *schedule);

/* When what is made at `created` expires; 0 for never. ERROR_INVALID_CONFIG where the expiry is
 * none, or leads beyond the year 9999. */
int snapshot_expiry_apply(const char *expiry, uint64_t created, uint64_t *ret, Error *ret_error);
