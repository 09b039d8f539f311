/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which containers can be stopped with the state of their processes: those whose parts CRIU and
 * liblxc know to make anew. What else there is (a mount of the host's, a device, an interface that
 * is no pair) would be saved and could not be restored, so it is refused before anything is saved.
 */

#include <glib.h>

#include "service/util/error.h"

/* `config` a{ss} and `devices` a{sa{ss}}, expanded. ERROR_NOT_SUPPORTED that names the key or the
 * device that stands against it. */
int stateful_check(const char *container, GVariant *config, GVariant *devices, Error *ret_error);
