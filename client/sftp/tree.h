/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The files that an SFTP client may have: those below one directory, which is "/" to it. A name is
 * taken apart here and each component opened in the directory before it, without following: what a
 * link says is taken apart the same way, and ".." goes back to the directory that one has come
 * from, never above the first. So no name leads out, whoever makes links or renames meanwhile. The
 * kernel could do it (RESOLVE_IN_ROOT), but cannot tell for sure where ".." leads (EAGAIN) as long
 * as a mount changes, and closing a file of one that is in no namespace, as this one, counts as
 * such.
 *
 * All functions return -errno.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include <glib.h>

/* Opens what the path leads to, links included. Returns the fd, CLOEXEC. */
int tree_open(int root, const char *path, int flags, mode_t mode);
/* Opens a regular file; what only looks like one (a pipe, a device) is -EINVAL, and is not waited
 * for. */
int tree_open_file(int root, const char *path, int flags, mode_t mode);
/* Opens the directory that an entry is in, and gives the name it has there; -EINVAL for the
 * root. */
int tree_open_parent(int root, const char *path, char **ret_name);
/* Of what the path leads to, or with `nofollow` of a link itself. */
int tree_stat(int root, const char *path, bool nofollow, struct stat *ret);
/* Absolute, without ".", ".." and empty components, whatever is there: "cd .." leads back. */
char *tree_normalize(const char *path);

/* Takes from this process what is not below the root, where the kernel has Landlock: second to the
 * above, for the case that the library which reads strangers' packets is broken into. */
int tree_confine(int root);
