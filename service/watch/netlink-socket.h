/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The two ways in which the watches use a netlink socket: to hear what the kernel says (a handler
 * for each message, until there is nothing more), and to ask it something and read the answer,
 * which is there when the question has been sent. No call here blocks.
 */

#include <stddef.h>

#include <glib.h>
#include <linux/netlink.h>
#include <netlink/msg.h>

/* The namespace that a message comes from has no id, being that of the socket. */
#define NETLINK_SOCKET_OWN_NSID (-1)

typedef void (*NetlinkSocketFunc)(struct nlmsghdr *message, int nsid, void *userdata);

/* NETLINK_ROUTE or NETLINK_NETFILTER; non-blocking, CLOEXEC, bound, and a member of the groups (0
 * ends their list). Returns the fd. */
int netlink_socket_open(int protocol, const unsigned *groups);
/* Reads what has come, but no more than NETLINK_SOCKET_READ_MAX datagrams, so that somebody who
 * makes the kernel talk without end cannot keep the loop from its other work. Returns 0 when there
 * are none left, 1 when there may be; -ENOBUFS: the kernel had to drop some. */
#define NETLINK_SOCKET_READ_MAX 256
int netlink_socket_read(int fd, NetlinkSocketFunc func, void *userdata);
/* Sends one request and hands over the messages of the answer (`func` may be NULL). Returns what
 * the kernel says: 0 or -errno. */
int netlink_socket_ask(int fd, struct nlmsghdr *request, NetlinkSocketFunc func, void *userdata);

/* A message of `type` with its header and room for attributes, to be sent by netlink_socket_ask();
 * and one attribute more. */
typedef struct nl_msg NetlinkMessage;
NetlinkMessage *netlink_message_new(int type, int flags, const void *header, size_t size);
void netlink_message_put(NetlinkMessage *message, int type, int value);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetlinkMessage, nlmsg_free)
