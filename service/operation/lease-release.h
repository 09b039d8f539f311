/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Gives back the leases of nics that go for good: dnsmasq would keep their addresses, and tell of
 * them, until they expire. It is told as a client would tell it, by DHCPRELEASE (RFC 2131, 4.4.4),
 * since its own file of leases is written by it alone.
 */

#include "service/operation/manager.h"

/* All IPv4 leases of the container's nics on bridges of ours. Nothing answers, and one that gets
 * lost expires. */
void container_release_leases(Manager *m, const Container *c);
