/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Looks at the routes of the host, without holding them all: hosts with a full routing table have a
 * million.
 */

#include "service/model/subnet.h"
#include "service/util/error.h"
#include "service/worker/network/netlink.h"

typedef struct Route Route;

struct Route {
        Subnet destination;
        int table;         /* RT_TABLE_* */
        int protocol;      /* RTPROT_*: who made it */
        int oif;           /* index of the interface it leads out of, 0 for none or several */
};

typedef void (*RouteFunc)(const Route *route, void *userdata);

/* Calls for each route of the family (AF_UNSPEC: both), of all tables. Local addresses are among
 * them, in RT_TABLE_LOCAL, as long as their interface is up. */
int route_foreach(NetlinkSocket *sock, int family, RouteFunc func, void *userdata,
                  Error *ret_error);
/* Calls for the network of each address of each interface; only `destination` and `oif` are set. */
int route_foreach_address(NetlinkSocket *sock, int family, RouteFunc func, void *userdata,
                          Error *ret_error);
