/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * systemd in a container wants a hierarchy of control groups of its own name where the host uses
 * version 1. Where systemd runs on the host it has made one, where all is version 2 none is needed;
 * elsewhere nobody has.
 */

/* Mounts it at /sys/fs/cgroup/systemd, where it is missing, and is wanted. That it cannot be had is
 * logged: other containers run without. Before cgroup_host_new(), which finds it then. */
void systemd_hierarchy_ensure(void);
