/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the firewall is to say, as its worker is told (OPERATION_NETWORK_FIREWALL): of networks, and
 * of a container that runs or is just being started. Full references.
 */

#include "service/operation/manager.h"

/* a(sa{ss}) */
GVariant *firewall_describe_networks(Manager *m);
/* Appends those of all networks, a(ssqqsq). */
void firewall_describe_forwards(Manager *m, GVariantBuilder *translations);

/* aa{ss}: the guarded nics that a container has, and those that a job is about to put in: rules
 * come before what they are for. */
GVariant *firewall_describe_nics(Manager *m, const Container *c);
/* a(ssqqsq): its proxies that translate addresses. `nics` as above. */
GVariant *firewall_describe_proxies(Manager *m, const Container *c, GVariant *nics);
