/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The system calls that serving a mount takes; all others fail from now on, so that a fault in the
 * reading of requests is worth no more than the container's files. */

#include "service/util/error.h"

int mount_filter_load(Error *ret_error);
