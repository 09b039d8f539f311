/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which links a container has got from the host, by number: its root may give a link another name,
 * but no other number. One that is the host's own (physical) goes back with its name, MTU and
 * address, whoever ends the container and however: its network namespace is kept, mounted beside
 * the record, until that has been done. The kernel would destroy a link that is made by software
 * together with the namespace, and leave one of hardware with the name that it had inside.
 */

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/runtime/process.h"

/* Before a link of the host goes in: what it is to be again. `nic` as the worker is told of it. */
int nic_record_before(int path_fd, GVariant *nic);
/* When the link is inside under its name; keeps the namespace. */
int nic_record_inside(int path_fd, const Process *init, GVariant *nic);
/* Its number inside, and the MTU that one of the host's own had there (0 for others); -ENOENT where
 * no number is known. */
int nic_record_read(int path_fd, GVariant *nic, int *ret_index, unsigned *ret_mtu);
void nic_record_forget(int path_fd, GVariant *nic);

/* Gives back a link that is the host's own. 0 also when it is not there any more. */
int nic_record_return(int path_fd, GVariant *nic);
/* All of a run that has ended; lets go of the namespace. */
void nic_record_return_all(int path_fd);
