/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * AppArmor's labels of processes. Where AppArmor is on, liblxc makes a profile for each container;
 * what is executed inside later gets init's label.
 */

#include <stdbool.h>

#include "service/worker/runtime/process.h"

bool apparmor_is_on(void);
/* The label of a process, without its mode. */
int apparmor_read_label(const Process *process, char **ret);
/* Opens the file by which the process (and nobody else) sets its label for its next execve(). */
int apparmor_open_exec(const Process *process);
/* Sets it, in that process. */
int apparmor_write_exec(int fd, const char *label);
