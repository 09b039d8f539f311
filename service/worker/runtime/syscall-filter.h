/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The system calls that no container may make, whatever its capabilities: those that load code
 * into the kernel, that open files past all mount points, or that tear a mount away from others.
 * One table gives both the profile that liblxc reads for init and the filter that exec loads, so
 * that a program started from outside can't do more than init.
 */

#include <seccomp.h>

#include "service/util/error.h"

/* The text of a liblxc profile (version 2, deny list). */
char *syscall_filter_to_profile(void);
/* The same as a filter of libseccomp for this machine and its 32-bit kin. seccomp_load() needs
 * CAP_SYS_ADMIN in the user namespace then, because no_new_privs stays off: setuid programs must
 * work inside. The caller releases it. */
int syscall_filter_new(scmp_filter_ctx *ret, Error *ret_error);
