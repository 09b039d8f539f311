/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Nics on VLANs. One whose parent is an interface of the host (macvlan, ipvlan, physical, routed)
 * is on a link for that VLAN of it, with tags added and taken off there. One whose parent is a
 * bridge that tells VLANs apart is a port of one of them ("vlan"), of several whose tags it sees
 * ("vlan.tagged"), or of both.
 */

#include <glib.h>

#include "service/util/error.h"

/* Range of ids; all of "vlan.tagged" as one, from and to. */
typedef struct VlanRange {
        unsigned first, last;
} VlanRange;

/* "10,20-29" as VlanRanges. */
int nic_parse_vlans(const char *text, GArray **ret, Error *ret_error);
/* Name of the link for a VLAN of `parent`: "eth0.10", or where that is too long "vlan" with a
 * number that follows from both. */
char *nic_vlan_link_name(const char *parent, const char *vlan);

/* For the table of devices: values, options together. */
int nic_check_vlan(const char *value, Error *ret_error);
/* The same for "vlan" of a network, whose nics have it. */
int network_check_vlan(const char *value, Error *ret_error);
int nic_check_vlan_tagged(const char *value, Error *ret_error);
int nic_check_vlans(GVariant *options, Error *ret_error);
