/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Owner, mode, times, extended attributes and access control lists of a file or directory, from an
 * archive's entry to an open file. What a container needs is kept (capabilities of programs, ACLs,
 * user.*); what means something to the host or to overlayfs (trusted.*, security.selinux and the
 * like, user.overlay.*) is left out.
 *
 * Used inside the jail only.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include <archive.h>
#include <archive_entry.h>

#include "service/util/error.h"

typedef struct Attributes Attributes;

/* Takes them from the entry; an owner that is not below `id_count` or an attribute that is too
 * large is an error about `name`. `with_xattrs` is for files and directories: nothing else can have
 * any. */
int attributes_read(struct archive_entry *entry, const char *name, bool with_xattrs,
                    uint32_t id_count, Attributes **ret, Error *ret_error);
Attributes *attributes_free(Attributes *attributes);

uid_t attributes_get_uid(const Attributes *attributes);
gid_t attributes_get_gid(const Attributes *attributes);
mode_t attributes_get_mode(const Attributes *attributes);
/* Access and modification time, as utimensat() wants them. */
const struct timespec *attributes_get_times(const Attributes *attributes);

/* Sets all of them on an open file or directory. Where an extended attribute of the file, which is
 * called `name` in a message, is not to be had, the error is set; else what is wrong is -errno. */
int attributes_apply(const Attributes *attributes, int fd, const char *name, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Attributes, attributes_free)
