/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Links for VLANs of the host's interfaces, which nics have for their parents. The kernel has one
 * for each VLAN of an interface, so nics share it: it is made for the first, and goes with the last
 * of them. Who uses one is in VLANS_DIR of each run, from before it is made until after it has
 * gone; a link that is in nobody's is the administrator's, and stays.
 *
 * A nic has "parent" (the link), "vlan.parent" (the interface) and "vlan"; where there is no
 * "vlan.parent" there is nothing to do.
 */

#include <glib.h>

#include "service/util/error.h"

/* `path_fd` is LXC-PATH. */
int nic_parent_make(int path_fd, GVariant *nic, Error *ret_error);
/* When the nic has gone. */
void nic_parent_release(int path_fd, GVariant *nic);
/* All of a run that has ended. */
void nic_parent_release_all(int path_fd);
