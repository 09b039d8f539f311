/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * AppArmor's labels of processes. Where AppArmor is on, containers have the profile that comes with
 * berth, or one that liblxc makes for each start; what is executed inside later gets init's label.
 */

#include <stdbool.h>

#include "service/worker/runtime/process.h"

/* data/apparmor */
#define APPARMOR_PROFILE "berth-container"

bool apparmor_is_on(void);
/* Whether the profile of that name is loaded and enforced. */
bool apparmor_has_profile(const char *name);
/* The label of a process, without its mode. */
int apparmor_read_label(const Process *process, char **ret);
/* Opens the file by which the process (and nobody else) sets its label for its next execve(). */
int apparmor_open_exec(const Process *process);
/* Sets it, in that process. */
int apparmor_write_exec(int fd, const char *label);
