/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The addresses of containers, as the kernel tells of them: nothing is polled, and nobody enters a
 * container's network namespace.
 *
 * A namespace gets an id in the namespace of the service (RTM_NEWNSID). One socket with
 * NETLINK_LISTEN_ALL_NSID then hears of every address and interface that comes or goes in all of
 * them, each message marked with that id. What is there already is asked for by id
 * (IFA_TARGET_NETNSID) on a second socket, whose answers the kernel has ready when the question has
 * been sent, so that nothing here ever waits. When the kernel had to drop messages (ENOBUFS), all
 * namespaces are asked again. Root of a container can make the kernel talk as much as he likes;
 * that costs a bounded part of each loop turn, and asking again happens once a second at most.
 *
 * Listed are the addresses that can be used: those of interfaces that are up, without the loopback
 * interface, without IPv6 addresses that are still being probed for duplicates or have failed that.
 */

#include <glib.h>
#include <systemd/sd-event.h>

typedef struct AddressWatch AddressWatch;

/* The list of `key` is another now. Called from the event loop, never from within one of the
 * functions below, at most once a loop turn for each key. May add and remove keys. */
typedef void (*AddressWatchFunc)(const char *key, void *userdata);

int address_watch_new(sd_event *event, AddressWatchFunc func, void *userdata, AddressWatch **ret);
AddressWatch *address_watch_free(AddressWatch *watch);

/* Begins with a namespace, which is not kept alive by that; the fd stays the caller's. -EEXIST: the
 * key or the namespace is watched already; -EINVAL: it is the namespace of this process. */
int address_watch_add(AddressWatch *watch, const char *key, int netns_fd);
/* Fine when there is no such key. */
void address_watch_remove(AddressWatch *watch, const char *key);

/* The present list, a(sssus): interface inside, "inet" or "inet6", address, prefix length, scope
 * ("global", "link", "local"), in a stable order: interfaces as they were made, IPv4 first, wider
 * scopes first. The container chooses the interfaces' names; what is no UTF-8 in them is replaced.
 * A new reference; NULL for an unknown key. */
GVariant *address_watch_get(AddressWatch *watch, const char *key);
/* What the interfaces are now, as namespace_links_read() gives them; nothing for an unknown key. */
GVariant *address_watch_read_links(AddressWatch *watch, const char *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(AddressWatch, address_watch_free)
