/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files about network interfaces need beside libnl. */

#include <glib.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>

typedef struct nl_sock NicSocket;
typedef struct nl_addr NicAddress;
typedef struct rtnl_link NicLink;

/* libnl's numbers as -errno, as far as they say what the kernel said. */
int nic_errno_of(int code);
int nic_socket_open(NicSocket **ret);
/* The socket is of that network namespace, and stays so. For a process with one thread. */
int nic_socket_open_in(int namespace_fd, NicSocket **ret);
int nic_link_find_index(NicSocket *sock, int index, NicLink **ret);
int nic_link_find(NicSocket *sock, const char *name, NicLink **ret);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicSocket, nl_socket_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicAddress, nl_addr_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicLink, rtnl_link_put)
