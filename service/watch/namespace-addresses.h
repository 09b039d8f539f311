/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is known about the interfaces and addresses of one network namespace, put together from the
 * kernel's messages. No I/O. Messages may come twice or late; the last one stands.
 */

#include <glib.h>
#include <linux/netlink.h>

typedef struct NamespaceAddresses NamespaceAddresses;

NamespaceAddresses *namespace_addresses_new(void);
NamespaceAddresses *namespace_addresses_free(NamespaceAddresses *n);

/* Forgets everything. */
void namespace_addresses_clear(NamespaceAddresses *n);
/* Takes in RTM_NEWLINK, DELLINK, NEWADDR and DELADDR; other and malformed ones are passed over. */
void namespace_addresses_apply(NamespaceAddresses *n, struct nlmsghdr *message);
/* The addresses that can be used, as address_watch_get() gives them; a new reference. */
GVariant *namespace_addresses_list(NamespaceAddresses *n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NamespaceAddresses, namespace_addresses_free)
