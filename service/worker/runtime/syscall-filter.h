/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The system calls that a container may make. Without a word in its configuration those that load
 * code into the kernel, that open files past all mount points, or that tear a mount away from
 * others are kept from it, whatever its capabilities; security.syscalls.* and raw.seccomp say
 * otherwise. One list of rules gives both the profile that liblxc reads for init and the filter
 * that exec loads, so that a program started from outside can't do more than init.
 */

#include <seccomp.h>
#include <stdbool.h>

#include "service/util/error.h"

typedef struct SyscallRules SyscallRules;

/* Out of the configuration (a{ss}, expanded). */
int syscall_rules_new(GVariant *config, SyscallRules **ret, Error *ret_error);
SyscallRules *syscall_rules_free(SyscallRules *rules);

/* The text of a liblxc profile (version 2). */
char *syscall_rules_to_profile(const SyscallRules *rules);
/* The same as a filter of libseccomp for this machine and its 32-bit kin. seccomp_load() needs
 * CAP_SYS_ADMIN in the user namespace then, because no_new_privs stays off: setuid programs must
 * work inside. The caller releases it. */
int syscall_rules_to_filter(const SyscallRules *rules, scmp_filter_ctx *ret, Error *ret_error);

/* Whether calls of the machine's 32-bit kin are kept from it. liblxc's profiles cannot say so:
 * whoever starts it loads the filter that does before, which all that it starts inherits. */
bool syscall_rules_native_only(const SyscallRules *rules);
int syscall_filter_load_native_only(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SyscallRules, syscall_rules_free)
