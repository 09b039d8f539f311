/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * CRIU, the program that saves and restores processes: where it is, what a process that runs it
 * (itself or through liblxc) has to be prepared for, and what it says when it cannot.
 */

#include "service/model/idmap.h"
#include "service/util/error.h"
#include "service/worker/runtime/cgroup.h"

/* What programs CRIU starts itself are looked for in. */
#define CRIU_PATH "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

/* Its path. ERROR_NOT_SUPPORTED without it, or where control groups are not version 2 alone. */
int criu_find(const CgroupHost *host, const char *container, const char **ret, Error *ret_error);

/* In a child that is to run CRIU. CRIU mounts control groups, and who does that in the host's own
 * cgroup namespace changes the options of all of the host's; so it gets one of its own, which looks
 * the same because its root is. `stay` false: the child is left in the root group. 0 or -errno. */
int criu_unshare_cgroups(const CgroupHost *host, bool stay);
/* In such a child: shows `rootfs`, mounted idmapped where `userns_fd` is none of -EBADF, at
 * `target`, to this process and its children only. 0 or -errno. */
int criu_mount_root(const char *rootfs, const char *target, int userns_fd);

/* The first error in a log of CRIU's (a file in the directory), fit for a message, or NULL. */
char *criu_read_cause(int dir_fd, const char *log);
