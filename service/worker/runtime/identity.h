/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Who a user of the host is to the kernel: what a process takes on to have his rights, and no more.
 */

#include <sys/types.h>

#include <glib.h>

typedef struct Identity {
        uid_t uid;
        gid_t gid;
        gid_t *groups;
        int n_groups;
} Identity;

/* -ESRCH: there is no such user. */
int identity_get(uid_t uid, Identity *ret);
void identity_clear(Identity *identity);
/* In a child: there is no way back from this. */
int identity_become(const Identity *identity);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Identity, identity_clear)
