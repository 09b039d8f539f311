/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Devices of containers and profiles: the `device` verbs of `config` and `profile`.
 */

#include "client/client.h"

/* Devices by name, each a table of options; from and to a{sa{ss}}. */
GHashTable *devices_from_variant(GVariant *devices);
GVariant *devices_to_variant(GHashTable *devices);
/* Options of one device, a{ss}, as a table. */
GHashTable *device_from_variant(GVariant *options);
/* Sets the options of a{ss}; an empty value removes the option. */
void device_set_options(GHashTable *device, GVariant *options);

int devices_run_add(Client *c, ObjectKind kind, Error *ret_error);
int devices_run_remove(Client *c, ObjectKind kind, Error *ret_error);
int devices_run_set(Client *c, ObjectKind kind, Error *ret_error);
int devices_run_unset(Client *c, ObjectKind kind, Error *ret_error);
int devices_run_get(Client *c, ObjectKind kind, Error *ret_error);
int devices_run_list(Client *c, ObjectKind kind, Error *ret_error);
int devices_run_show(Client *c, ObjectKind kind, Error *ret_error);
int devices_run_override(Client *c, ObjectKind kind, Error *ret_error);
