/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The one table of device types and their options. A device is an a{ss} of options, "type" among
 * them. A device of type "none" hides one of the same name that a profile brings.
 */

#include "service/util/error.h"

/* Checks devices (a{sa{ss}}) by themselves: names, types, options, values, what must be there. */
int devices_check(GVariant *devices, Error *ret_error);
/* The root disk of expanded devices: exactly one disk with path "/". Its name and pool; pointers
 * live as long as `devices`. ERROR_INVALID_DEVICE when there is none, or there are two. */
int devices_find_root(GVariant *devices, const char **ret_name, const char **ret_pool,
                      Error *ret_error);
/* Name of the managed network that a nic (its options) is on, or NULL for another device. */
const char *device_get_network(GVariant *options);
const char *device_get_type(GVariant *options);
