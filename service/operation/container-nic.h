/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a nic's options leave open, and what the runtime worker is told of it. */

#include "service/operation/manager.h"

/* Chooses name and addresses where the options have none, and keeps them in the volatile
 * configuration of the container, for all starts to come; tells the managed network about it.
 * `devices`: all that the container has, expanded. */
int container_nic_prepare(Manager *m, Container *c, GVariant *devices, const char *device,
                          GVariant *options, Error *ret_error);
/* The same for all nics on a network of containers that run, when the network changes. The first
 * error of those that there were. */
int container_nics_prepare_on(Manager *m, const char *network, Error *ret_error);
/* Whether the name that it wants for the host's end is free: what the firewall says of one would be
 * said of the other. */
int container_nic_check_host_name(Manager *m, const Container *c, GVariant *options,
                                  Error *ret_error);
/* Tells the managed network that a nic is on (again) what it has been given. */
int container_nic_tell(Manager *m, const Container *c, const char *device, GVariant *options,
                       Error *ret_error);
/* It is on a bridge of ours, or routed to: the firewall says what it may send. */
bool container_nic_is_guarded(Manager *m, GVariant *options);
/* One of its nics is. */
bool container_nics_are_guarded(Manager *m, const Container *c);
/* The options (floating a{ss}) with what was chosen. The name of the host's end, where none is
 * given, is the same as long as the container runs, and another next time. */
GVariant *container_nic_describe(Manager *m, const Container *c, const char *device,
                                 GVariant *options);
