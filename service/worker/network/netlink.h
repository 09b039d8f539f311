/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of this room need beside libnl: cleanup for its types, a connected socket, and its
 * errors as ours.
 */

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>

#include <glib.h>

#include "service/util/error.h"

typedef struct nl_sock NetlinkSocket;
typedef struct nl_msg NetlinkMessage;
typedef struct nl_cache NetlinkCache;
typedef struct nl_addr NetlinkAddress;
typedef struct rtnl_addr NetlinkLinkAddress;
typedef struct rtnl_link NetlinkLink;
typedef struct rtnl_route NetlinkRoute;

/* Connects to the routing part of the kernel in this process's network namespace. */
int netlink_open(NetlinkSocket **ret, Error *ret_error);
/* Sets "WHAT: TEXT OF LIBNL" for a negative code of libnl; returns -errno. */
int netlink_error(Error *e, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetlinkSocket, nl_socket_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetlinkMessage, nlmsg_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetlinkCache, nl_cache_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetlinkAddress, nl_addr_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetlinkLinkAddress, rtnl_addr_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetlinkLink, rtnl_link_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetlinkRoute, rtnl_route_put)
