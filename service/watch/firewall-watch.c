/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watch/firewall-watch.h"

#include <errno.h>
#include <netinet/in.h> /* before the kernel's own, which yields to it */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/watch/netlink-socket.h"

/* "berth-worker-network" as the kernel keeps the names of processes. */
#define WORKER_COMM "berth-worker-ne"
G_STATIC_ASSERT(sizeof(WORKER_COMM) == 16);
#define TABLE "berth"

/* All messages that tell of tables and what is in them carry the table's name under one number. */
G_STATIC_ASSERT((int) NFTA_TABLE_NAME == (int) NFTA_CHAIN_TABLE);
G_STATIC_ASSERT((int) NFTA_TABLE_NAME == (int) NFTA_RULE_TABLE);
G_STATIC_ASSERT((int) NFTA_TABLE_NAME == (int) NFTA_SET_TABLE);
G_STATIC_ASSERT((int) NFTA_TABLE_NAME == (int) NFTA_SET_ELEM_LIST_TABLE);
G_STATIC_ASSERT((int) NFTA_TABLE_NAME == (int) NFTA_OBJ_TABLE);
G_STATIC_ASSERT((int) NFTA_TABLE_NAME == (int) NFTA_FLOWTABLE_TABLE);

struct FirewallWatch {
        FirewallWatchFunc func;
        void *userdata;
        int fd;
        sd_event_source *listen_source;
        sd_event_source *tell_source;
        bool is_touched;    /* by the transaction whose messages are being read, which */
        bool is_renewed;    /* makes whole tables, or takes them away */
        bool is_changed;    /* by somebody else, and not made anew since */
        bool is_unsure;     /* messages were dropped: nothing that is heard can make that good */
};

static bool attribute_is(struct nlattr *attribute, const char *text) {
        size_t n = strlen(text) + 1;

        return attribute && (size_t) nla_len(attribute) >= n &&
               memcmp(nla_data(attribute), text, n) == 0;
}

static bool is_about_table(struct nlmsghdr *message) {
        const struct nfgenmsg *header = nlmsg_data(message);
        struct nlattr *name = nlmsg_find_attr(message, sizeof(*header), NFTA_TABLE_NAME);

        return (header->nfgen_family == NFPROTO_INET || header->nfgen_family == NFPROTO_BRIDGE) &&
               attribute_is(name, TABLE);
}

static void on_message(struct nlmsghdr *message, int nsid, void *userdata) {
        FirewallWatch *watch = userdata;
        struct nlattr *name;
        int type;

        if (!nlmsg_valid_hdr(message, sizeof(struct nfgenmsg)) ||
            NFNL_SUBSYS_ID(message->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
                return;
        type = NFNL_MSG_TYPE(message->nlmsg_type);
        if (type != NFT_MSG_NEWGEN) {
                bool is_ours = is_about_table(message);

                watch->is_touched |= is_ours;
                watch->is_renewed |= is_ours && (type == NFT_MSG_NEWTABLE ||
                                                 type == NFT_MSG_DELTABLE);
                return;
        }
        name = nlmsg_find_attr(message, sizeof(struct nfgenmsg), NFTA_GEN_PROC_NAME);
        if (watch->is_touched && !attribute_is(name, WORKER_COMM))
                watch->is_changed = true;
        else if (watch->is_renewed)
                watch->is_changed = false;
        watch->is_touched = watch->is_renewed = false;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        FirewallWatch *watch = userdata;
        int r = netlink_socket_read(fd, on_message, watch);

        if (r == -ENOBUFS) {
                log_debug("The kernel dropped messages about nftables: the table may be another");
                watch->is_touched = watch->is_renewed = false;
                watch->is_unsure = true;
        } else if (r < 0)
                log_debug("Cannot read messages about nftables: %s", g_strerror(-r));
        if (watch->is_changed || watch->is_unsure)
                (void) sd_event_source_set_enabled(watch->tell_source, SD_EVENT_ONESHOT);
        return 0;
}

static int on_tell(sd_event_source *source, void *userdata) {
        FirewallWatch *watch = userdata;

        if (!watch->is_changed && !watch->is_unsure)
                return 0;
        watch->is_changed = watch->is_unsure = false;
        watch->func(watch->userdata);
        return 0;
}

int firewall_watch_new(sd_event *event, FirewallWatchFunc func, void *userdata,
                       FirewallWatch **ret) {
        static const unsigned groups[] = { NFNLGRP_NFTABLES, 0 };
        g_autoptr(FirewallWatch) watch = g_new(FirewallWatch, 1);
        int r;

        *watch = (FirewallWatch) { .func = func, .userdata = userdata, .fd = -EBADF };
        watch->fd = netlink_socket_open(NETLINK_NETFILTER, groups);
        if (watch->fd < 0)
                return watch->fd;
        r = sd_event_add_io(event, &watch->listen_source, watch->fd, EPOLLIN, on_readable, watch);
        if (r < 0)
                return r;
        r = sd_event_add_defer(event, &watch->tell_source, on_tell, watch);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(watch->tell_source, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(watch->listen_source, "firewall-watch");
        *ret = g_steal_pointer(&watch);
        return 0;
}

FirewallWatch *firewall_watch_free(FirewallWatch *watch) {
        if (!watch)
                return NULL;

        sd_event_source_disable_unref(watch->listen_source);
        sd_event_source_disable_unref(watch->tell_source);
        (void) fd_close(watch->fd);
        g_free(watch);
        return NULL;
}
