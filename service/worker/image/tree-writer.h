/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Writes a volume as a tar archive, with everything that reading it again (root-filesystem.h)
 * takes: owners, modes, times, extended attributes, ACLs and capabilities, hard links, holes.
 * Sockets, which mean nothing without the process behind them, and device nodes, which a container
 * gets anew, are left out.
 *
 * Nothing is kept open but the entry at hand, so the tree may be as deep as its paths are short. A
 * tree that changes meanwhile gives an archive of some state of each file.
 *
 * Used inside the jail only.
 */

#include <archive.h>

#include "service/util/error.h"

/* `fraction` of the tree, as far as can be told: each directory counts for an equal share of the
 * one that it is in. */
typedef void (*TreeProgress)(void *userdata, double fraction);

/* `prefix` is put before every name, such as "rootfs". An owner that is not below `id_count` is an
 * error. */
int tree_write(struct archive *archive, int root_fd, const char *prefix, uint32_t id_count,
               TreeProgress progress, void *userdata, Error *ret_error);
/* One small file that is made up. */
int tree_write_file(struct archive *archive, const char *name, const void *data, size_t size,
                    Error *ret_error);
/* The error of libarchive's. */
int tree_write_failed(struct archive *archive, Error *ret_error);
