/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Disks of containers that are volumes of a pool (device_is_volume()): what they are on this host,
 * who may have them, and who has them. An owner has his own volumes as he has his own containers;
 * somebody else's take PRIVILEGE_HOST, wherever the device comes from.
 */

#include "service/operation/manager.h"

/* The volume that a device names, or NULL. */
StorageVolume *volume_of_device(Manager *m, GVariant *options);
/* The options of the device for a container of `owner`: says "volatile.owner" where the volume is
 * another's, for its class (device_privilege()). Full reference. */
GVariant *volume_device_resolve(Manager *m, uid_t owner, GVariant *options);
/* What devices of a profile are, for its class: it hands volumes to whoever uses it. */
GVariant *volume_devices_of_profile(GVariant *devices);
/* The same as the worker is told of it: the source is a path. Full reference, of any device; and of
 * all devices, floating. */
GVariant *volume_device_describe(Manager *m, GVariant *options);
GVariant *volume_devices_describe(Manager *m, GVariant *devices);
/* Every volume of the devices (a{sa{ss}}) is there and whole. */
int volume_devices_check(Manager *m, GVariant *devices, Error *ret_error);
/* For a step: waits for the pools of all of them. */
int volume_devices_wait(Job *job, GVariant *devices, Error *ret_error);
/* Keeps other jobs from the volumes that are in `after` and not in `before` (NULL: none). */
int volume_devices_lock(Job *job, GVariant *before, GVariant *after, Error *ret_error);

/* Whether one of the devices is the volume. */
bool volume_devices_have(GVariant *devices, const StorageVolume *v);
/* A container that runs and has it, or NULL. */
Container *volume_find_running_user(Manager *m, const StorageVolume *v);
