/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Users and groups as /etc/passwd and /etc/group of a container tell of them. These files are the
 * container's own, so they are read from inside it only, bounded, and never by the host's NSS.
 */

#include <sys/types.h>

#include <glib.h>

#include "service/util/error.h"

typedef struct User {
        uid_t uid;
        gid_t gid;
        char *name;     /* NULL when no entry has that uid */
        char *home;     /* likewise */
        GArray *groups; /* gid_t: supplementary groups */
} User;

/* `user` and `group` are names, or numbers, which need no entry; "" stands for 0 and for the
 * user's own group. A group that is given is the only one. The texts are those of the files. */
int user_resolve(const char *user, const char *group, const char *passwd_text,
                 const char *group_text, User *ret, Error *ret_error);
/* The same with the files of the file system that the process is in. Root ("" and "") gets by
 * without them where they can not be read. */
int user_resolve_here(const char *user, const char *group, User *ret, Error *ret_error);
void user_clear(User *user);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(User, user_clear)
