/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container as `list` and `info` show it: texts of single properties, and the whole as a record
 * with LXD's names.
 */

#include "client/container-details.h"

/* LXD's upper-case word, "RUNNING". */
char *container_status(const Object *o);
/* "CONTAINER" or "CONTAINER (EPHEMERAL)". */
const char *container_type(const Object *o);
/* "10.0.3.5 (eth0)" for each address of a family ("inet", "inet6") that others can reach. */
GPtrArray *container_addresses(const Object *o, const char *family);
/* The name of the user who owns it, or his number. */
char *container_owner(const Object *o);
/* Names of the interfaces that have counters or addresses, each once, sorted. */
GPtrArray *container_interfaces(const ContainerDetails *d);
/* Those of one (a{st}), or NULL. */
GVariant *container_counters(const ContainerDetails *d, const char *interface);
/* What one is (a{sv} of GetState()'s "interfaces"), or NULL. */
GVariant *container_interface(const ContainerDetails *d, const char *interface);
/* What is known of it, a{sv}, floating. `snapshots` is consumed when floating. */
GVariant *container_to_record(const ContainerDetails *d, GVariant *snapshots);
