/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the table of devices (device-table.c) refers to: which values an option takes, which options
 * go together, and what a device lets a container do to its host.
 */

#include "service/model/privilege.h"
#include "service/util/error.h"

int device_check_pool(const char *value, Error *ret_error);
int device_check_network(const char *value, Error *ret_error);
int device_check_interface(const char *value, Error *ret_error);
int device_check_nictype(const char *value, Error *ret_error);
int device_check_mode_ipvlan(const char *value, Error *ret_error);
int device_check_hwaddr(const char *value, Error *ret_error);
int device_check_major(const char *value, Error *ret_error);
int device_check_minor(const char *value, Error *ret_error);
int device_check_id(const char *value, Error *ret_error);
int device_check_nic_mtu(const char *value, Error *ret_error);
int device_check_mode(const char *value, Error *ret_error);
int device_check_path(const char *value, Error *ret_error);
int device_check_source(const char *value, Error *ret_error);
int device_check_hardware_id(const char *value, Error *ret_error);
int device_check_pci(const char *value, Error *ret_error);
int device_check_gputype(const char *value, Error *ret_error);
int device_check_disk_source(const char *value, Error *ret_error);
int device_check_disk_size(const char *value, Error *ret_error);
int device_check_boolean(const char *value, Error *ret_error);

/* What concerns several options (a{ss}) of a type. */
int device_check_disk(GVariant *options, Error *ret_error);
int device_check_nic(GVariant *options, Error *ret_error);
int device_check_unix(GVariant *options, Error *ret_error);
int device_check_gpu(GVariant *options, Error *ret_error);
int device_check_hotplug(GVariant *options, Error *ret_error);

Privilege device_privilege_of_disk(GVariant *options);
Privilege device_privilege_of_nic(GVariant *options);
Privilege device_privilege_of_unix_char(GVariant *options);
Privilege device_privilege_of_gpu(GVariant *options);
Privilege device_privilege_of_host_device(GVariant *options);
Privilege device_privilege_of_none(GVariant *options);
