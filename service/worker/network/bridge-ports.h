/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Interfaces of the host that are ports of a bridge ("bridge.external_interfaces"). Which ones were
 * made so is written down in RUN-DIR/external before it is done, so that those that are not wanted
 * any more can be let go, whatever happened in between. Ports of containers are none of this.
 */

#include <stdbool.h>

#include "service/util/error.h"

/* `names` ends with NULL. One that is not there is an error when `strict`, else told in the log.
 * One that has addresses, is a bridge itself or a port of another is always an error. */
int bridge_set_ports(const char *bridge, char *const *names, const char *run_dir, bool strict,
                     Error *ret_error);
