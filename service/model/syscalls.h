/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Lists of system calls as the keys security.syscalls.* and raw.seccomp have them: a line a call,
 * "NAME", "NAME kill", "NAME allow" or "NAME errno NUMBER". Of two lines about one call the later
 * counts.
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"

typedef enum SyscallAction {
        SYSCALL_PLAIN, /* what the list is for: allow, or kill who makes it */
        SYSCALL_ALLOW,
        SYSCALL_KILL,
        SYSCALL_ERRNO,
} SyscallAction;

typedef struct SyscallRule {
        char *name;
        SyscallAction action;
        unsigned errnum;
} SyscallRule;

/* An array of SyscallRule, empty. */
GArray *syscalls_new(void);
void syscalls_add(GArray *rules, const char *name, SyscallAction action, unsigned errnum);
/* Appends the rules of a list; `rules` may be NULL. */
int syscalls_parse(const char *text, GArray *rules, Error *ret_error);
/* The same of a profile in liblxc's format as far as it is understood: version 2, "denylist" or
 * "allowlist", and one section for all architectures. */
int syscalls_parse_profile(const char *text, bool *ret_only, GArray *rules, Error *ret_error);
