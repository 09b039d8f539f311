/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Loop devices. They are set up so that they go away with their last user (autoclear): whoever
 * holds the fd, then the mount. A device that is attached to the file already is taken, since
 * a btrfs that the kernel sees under two devices at a time comes to harm.
 */

#include <glib.h>

/* Attaches the file to a device. *ret_path is the device's node; it stays attached while the fd
 * is open or the device is mounted. Returns 0 or -errno. */
int loop_attach(int image_fd, int *ret_fd, char **ret_path);
