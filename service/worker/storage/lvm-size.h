/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Sizes of thin volumes: of the volume and the file system on it, which are one size. It grows
 * while it is in use; only an ext4 that nobody uses shrinks. Sizes are rounded up to what LVM
 * counts in (4 MiB). Functions return 0 or -errno.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/util/error.h"

/* Bytes of the volume whose file system `fd` is in. */
int lvm_size_of(int fd, uint64_t *ret);
/* As PoolDriver.resize. */
int lvm_resize(int dir_fd, const char *name, uint64_t size, bool room, Error *ret_error);
