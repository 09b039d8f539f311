/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What /proc tells of a process. All return 0 or -errno (-ESRCH: there is none). */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* When it started, in clock ticks since boot: with the pid, an identity that is never reused. */
int process_get_start_time(pid_t pid, uint64_t *ret);
/* Opens its network namespace. Returns the fd. */
int process_open_netns(pid_t pid);
/* Whether uid 0 of its user namespace is uid `base` of ours, and it has `size` ids in one range. */
int process_check_uid_map(pid_t pid, uint32_t base, uint32_t size);
/* Whether it blocks or catches a signal. */
int process_handles_signal(pid_t pid, int signal, bool *ret);
