/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the interfaces of a network namespace are, asked of the kernel by the id that the namespace
 * has in ours: nobody enters it, and the answers are there when the questions have been sent.
 */

#include <glib.h>

/* a{sa{sv}}, floating: by the interface's name "type" s ("loopback", "broadcast",
 * "point-to-point"), "state" s ("up", "down"), "mtu" u, "hwaddr" s ("00:16:3e:…", if it has one)
 * and "host-name" s (of a veth whose other end is in the namespace of the service). What is no
 * UTF-8 in names is replaced. Empty where the namespace has gone or the kernel gives no answer.
 * `ask_fd`: see netlink_socket_ask(), with NETLINK_GET_STRICT_CHK. */
GVariant *namespace_links_read(int ask_fd, int nsid);
