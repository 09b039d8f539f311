/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What other services of the host are told of networks, where they run; they are never started for
 * it, and nothing waits for their answer:
 *
 *   systemd-resolved  that names in the network's domain are asked of its dnsmasq, so that they are
 *                     known on the host too
 *   firewalld         that the bridge is in the zone "trusted": what its other zones drop would be
 *                     lost, and what containers may reach is said by rules of our own (see
 *                     service/worker/network/firewall.h)
 *
 * They are told again when they come, and firewalld when it has read its configuration anew.
 */

#include <systemd/sd-bus.h>

#include "service/operation/manager.h"

typedef struct HostNetwork HostNetwork;

int host_network_new(sd_bus *bus, Manager *manager, HostNetwork **ret);
HostNetwork *host_network_free(HostNetwork *host);

/* Something of it may have changed; it goes. */
void host_network_changed(HostNetwork *host, const Network *network);
void host_network_removed(HostNetwork *host, const Network *network);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostNetwork, host_network_free)
