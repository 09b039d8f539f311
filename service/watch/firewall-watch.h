/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Notices when somebody else changes nftables' tables "inet berth" and "bridge berth": `nft flush
 * ruleset`, a reload of another firewall, a hand at the keyboard. Calls back once a loop turn,
 * however much was changed.
 *
 * The kernel ends the messages of each transaction with the name of the process that made it. The
 * transactions of our own worker, known by that name, do not count, so nothing has to be switched
 * off while it runs, and a change by somebody else meanwhile is noticed all the same. One of ours
 * that makes the tables anew undoes what others did before: what was noticed until then is
 * forgotten; one that changes what is in a set does not. Only root can make transactions at all;
 * that root could borrow the name is no concern.
 */

#include <glib.h>
#include <systemd/sd-event.h>

typedef struct FirewallWatch FirewallWatch;

typedef void (*FirewallWatchFunc)(void *userdata);

int firewall_watch_new(sd_event *event, FirewallWatchFunc func, void *userdata,
                       FirewallWatch **ret);
FirewallWatch *firewall_watch_free(FirewallWatch *watch);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FirewallWatch, firewall_watch_free)
