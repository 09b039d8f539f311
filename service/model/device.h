/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The one table of device types and their options (device-table.c). A device is an a{ss} of
 * options, "type" among them. A device of type "none" hides one of the same name that a profile
 * brings.
 */

#include <stdbool.h>

#include "service/model/privilege.h"
#include "service/util/error.h"

typedef struct DeviceOption {
        const char *name;
        const char *type;  /* for people: "path", "boolean", … */
        int (*check)(const char *value, Error *ret_error);
        bool required;
        const char *help;  /* one line */
} DeviceOption;

typedef struct DeviceType {
        const char *name;
        const DeviceOption *options; /* ends with a NULL name */
        int (*check)(GVariant *options, Error *ret_error); /* what concerns several options */
        Privilege (*privilege)(GVariant *options);
        const char *help;
} DeviceType;

/* Every kind of device; the table ends with a NULL name. */
const DeviceType *device_type_table(void);
/* NULL where there is none of that name. */
const DeviceType *device_type_find(const char *name);

/* Checks devices (a{sa{ss}}) by themselves: names, types, options, values, what must be there. */
int devices_check(GVariant *devices, Error *ret_error);
/* The root disk of expanded devices: exactly one disk with path "/". Its name and pool; pointers
 * live as long as `devices`. ERROR_INVALID_DEVICE when there is none, or there are two. */
int devices_find_root(GVariant *devices, const char **ret_name, const char **ret_pool,
                      Error *ret_error);

/* Name of the managed network that a nic (its options) is on, or NULL for another device. */
const char *device_get_network(GVariant *options);
const char *device_get_type(GVariant *options);
/* "bridged", "p2p", "macvlan", "ipvlan", "physical", "routed"; NULL for what is no nic. */
const char *device_get_nictype(GVariant *options);
/* "00:16:3e:…": an address that a nic may have. */
bool device_hwaddr_is_valid(const char *hwaddr);
/* A disk that is a volume of a pool, other than the root disk. */
bool device_is_volume(GVariant *options);
/* A disk with a source below /dev: the filesystem on a block device, if it is one. */
bool device_is_below_dev(GVariant *options);
/* The root disk, or another. */
bool device_is_disk(GVariant *options);
bool device_is_unix(GVariant *options);
/* Device nodes appear inside: a Unix device, or what is found by its properties. */
bool device_has_nodes(GVariant *options);
/* They come and go as the host's hardware does. */
bool device_follows_host(GVariant *options);
/* The container does not start without it. */
bool device_is_required(GVariant *options);
bool device_is_proxy(GVariant *options);
/* Where it is inside, without the leading slash: "mnt/data", "dev/null". NULL for a device that is
 * no file. */
const char *device_get_target(GVariant *options);
/* It has an option "limits.…". */
bool device_has_limits(GVariant *options);
/* The same device but for its limits, or a nic's MTU and addresses: what can change while it is
 * used. */
bool device_is_adjustable(GVariant *a, GVariant *b);
/* A boolean option that has passed its check. */
bool device_get_boolean(GVariant *options, const char *name, bool fallback);
/* A number option that has passed its check. */
unsigned device_get_number(GVariant *options, const char *name, unsigned base, unsigned fallback);
