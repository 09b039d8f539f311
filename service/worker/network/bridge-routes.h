/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Routes of the host to networks behind a bridge ("ipv4.routes", "ipv6.routes"). */

#include "service/model/network-options.h"
#include "service/util/error.h"

/* Makes the static routes over the bridge, which is up, those that are configured. */
int bridge_set_routes(const char *bridge, const NetworkOptions *options, Error *ret_error);
