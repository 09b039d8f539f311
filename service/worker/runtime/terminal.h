/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A pseudo-terminal of the container that the process is in. It comes from the container's devpts,
 * so that programs inside find it there; nothing of the host's or a user's terminal is ever seen
 * inside.
 */

#include <stdint.h>

#include "service/util/error.h"

/* Two open ends of a new pseudo-terminal of that size. What is mounted on /dev/pts is checked: it
 * is the container's to mount there. */
int terminal_open(uint32_t width, uint32_t height, int *ret_master, int *ret_slave,
                  Error *ret_error);
int terminal_resize(int fd, uint32_t width, uint32_t height);
