/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The only code that opens things by name below a directory that an image, a user or a container
 * may have had a hand in. Names are resolved by openat2() with RESOLVE_BENEATH, NO_SYMLINKS,
 * NO_MAGICLINKS and NO_XDEV: no way out, no link followed, no mount crossed. A caller keeps
 * working on the fd it gets and never opens the same name twice.
 *
 * A relative name that is empty, absolute, ends in "/", or holds an empty, "." or ".." component
 * is refused with -EINVAL before the kernel is asked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <glib.h>

/* One component: not empty, not "." or "..", no "/", at most NAME_MAX bytes. */
bool path_is_component(const char *name);
/* Opens `name` below `dir_fd`. Returns the fd, CLOEXEC. */
int path_open_beneath(int dir_fd, const char *name, int flags, mode_t mode);
/* Opens a directory of our own (an absolute path that the administrator configured). */
int path_open_dir(const char *path);
/* Makes the directory if it is not there and opens it. Mode is set exactly, whatever the umask. */
int path_make_dir(int dir_fd, const char *component, mode_t mode);
/* Creates an absolute directory of our own with its parents, each new one with exactly `mode` and
 * on disk. */
int path_make_dirs(const char *path, mode_t mode);
/* Replaces DIR/NAME by `data`: temporary in the same directory, fsync, rename, fsync of the
 * directory. When it returns 0 the content is on disk; on an error the old content stands. */
int path_replace_file(int dir_fd, const char *component, const void *data, size_t size,
                      mode_t mode);
/* The same, but it is not waited for: after a power cut either content may stand. */
int path_replace_file_later(int dir_fd, const char *component, const void *data, size_t size,
                            mode_t mode);
/* The name of such a temporary file; whether it is one. */
char *path_temporary_name(const char *component);
bool path_is_temporary(const char *name);
/* Names of what is in a directory, all of them read before the caller changes it. */
int path_list_names(int dir_fd, GPtrArray **ret);
/* Removes a file and syncs the directory. -ENOENT where there is none. */
int path_remove_file(int dir_fd, const char *component);
/* Removes a whole tree, however deep, without following a link or leaving the filesystem (-EXDEV
 * at a mount). 0 also when there is nothing of that name. */
int path_remove_tree(int dir_fd, const char *component);
