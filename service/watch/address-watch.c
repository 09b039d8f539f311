/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watch/address-watch.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/watch/namespace-addresses.h"
#include "service/watch/namespace-links.h"
#include "service/watch/netlink-socket.h"

/* A list that keeps changing while it is read is changing by messages that we get as well. */
#define DUMP_TRIES 3
#define NSID_UNKNOWN (-1)
#define RESYNC_INTERVAL_USEC G_USEC_PER_SEC
#define RESYNC_ACCURACY_USEC 1000
/* How often the socket is read before an id is trusted: until it is empty, if that can be had. */
#define DRAIN_TRIES 64

typedef struct Entry {
        AddressWatch *watch;
        char *key;
        int nsid;                     /* NSID_UNKNOWN once the namespace has gone */
        NamespaceAddresses *addresses;
        GVariant *list;               /* as last told */
        bool is_dirty;
} Entry;

struct AddressWatch {
        AddressWatchFunc func;
        void *userdata;
        int listen_fd, ask_fd;
        sd_event_source *listen_source;
        sd_event_source *tell_source; /* deferred: tells of all dirty entries */
        sd_event_source *resync_source; /* timer: asks for all again after messages were lost */
        uint64_t last_resync;         /* CLOCK_MONOTONIC, µs */
        GHashTable *entries;          /* key → Entry, the owner */
        GHashTable *by_nsid;          /* int nsid → Entry */
};

static void entry_unlink_nsid(Entry *entry) {
        if (entry->nsid == NSID_UNKNOWN)
                return;
        (void) g_hash_table_remove(entry->watch->by_nsid, &entry->nsid);
        entry->nsid = NSID_UNKNOWN;
}

static void entry_free(void *data) {
        Entry *entry = data;

        entry_unlink_nsid(entry);
        namespace_addresses_free(entry->addresses);
        g_variant_unref(entry->list);
        g_free(entry->key);
        g_free(entry);
}

static void entry_touch(Entry *entry) {
        entry->is_dirty = true;
        (void) sd_event_source_set_enabled(entry->watch->tell_source, SD_EVENT_ONESHOT);
}

static void on_nsid(struct nlmsghdr *message, int nsid, void *userdata) {
        struct nlattr *attributes[NETNSA_MAX + 1];
        int *ret = userdata;

        if (message->nlmsg_type == RTM_NEWNSID &&
            nlmsg_parse(message, sizeof(struct rtgenmsg), attributes, NETNSA_MAX, NULL) >= 0 &&
            attributes[NETNSA_NSID])
                *ret = nla_get_s32(attributes[NETNSA_NSID]);
}

static int ask_nsid(AddressWatch *watch, int netns_fd, int *ret) {
        const struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
        g_autoptr(NetlinkMessage) create =
                netlink_message_new(RTM_NEWNSID, 0, &header, sizeof(header));
        g_autoptr(NetlinkMessage) get =
                netlink_message_new(RTM_GETNSID, 0, &header, sizeof(header));
        int nsid = NSID_UNKNOWN, r;

        netlink_message_put(create, NETNSA_FD, netns_fd);
        netlink_message_put(create, NETNSA_NSID, -1); /* any */
        r = netlink_socket_ask(watch->ask_fd, nlmsg_hdr(create), NULL, NULL);
        if (r < 0 && r != -EEXIST)
                return r;

        netlink_message_put(get, NETNSA_FD, netns_fd);
        r = netlink_socket_ask(watch->ask_fd, nlmsg_hdr(get), on_nsid, &nsid);
        if (r < 0)
                return r;
        if (nsid < 0)
                return -ENXIO;
        *ret = nsid;
        return 0;
}

static void on_dumped(struct nlmsghdr *message, int nsid, void *userdata) {
        Entry *entry = userdata;

        namespace_addresses_apply(entry->addresses, message);
}

static int dump_once(Entry *entry) {
        const struct ifinfomsg link = { .ifi_family = AF_UNSPEC };
        const struct ifaddrmsg address = { .ifa_family = AF_UNSPEC };
        g_autoptr(NetlinkMessage) links =
                netlink_message_new(RTM_GETLINK, NLM_F_DUMP, &link, sizeof(link));
        g_autoptr(NetlinkMessage) addresses =
                netlink_message_new(RTM_GETADDR, NLM_F_DUMP, &address, sizeof(address));
        int r;

        namespace_addresses_clear(entry->addresses);
        netlink_message_put(links, IFLA_TARGET_NETNSID, entry->nsid);
        r = netlink_socket_ask(entry->watch->ask_fd, nlmsg_hdr(links), on_dumped, entry);
        if (r < 0)
                return r;
        netlink_message_put(addresses, IFA_TARGET_NETNSID, entry->nsid);
        return netlink_socket_ask(entry->watch->ask_fd, nlmsg_hdr(addresses), on_dumped, entry);
}

/* Messages that came before the dump are applied after it once more; what they lead to is what the
 * dump has seen, since the last one about an address stands. */
static int entry_dump(Entry *entry) {
        int r = -EINTR;

        for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++)
                r = dump_once(entry);
        entry_touch(entry);
        return r == -EINTR ? 0 : r;
}

static void entry_forget_namespace(Entry *entry) {
        entry_unlink_nsid(entry);
        namespace_addresses_clear(entry->addresses);
        entry_touch(entry);
}

static void dump_all(AddressWatch *watch) {
        GHashTableIter iter;
        Entry *entry;

        g_hash_table_iter_init(&iter, watch->entries);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &entry)) {
                int r;

                if (entry->nsid == NSID_UNKNOWN)
                        continue;
                r = entry_dump(entry);
                if (r >= 0)
                        continue;
                log_debug("Cannot list the addresses of %s: %s", entry->key, g_strerror(-r));
                entry_forget_namespace(entry);
        }
}

static void on_namespace_gone(AddressWatch *watch, struct nlmsghdr *message) {
        struct nlattr *attributes[NETNSA_MAX + 1];
        Entry *entry;
        int nsid;

        if (nlmsg_parse(message, sizeof(struct rtgenmsg), attributes, NETNSA_MAX, NULL) < 0 ||
            !attributes[NETNSA_NSID])
                return;
        nsid = nla_get_s32(attributes[NETNSA_NSID]);
        entry = g_hash_table_lookup(watch->by_nsid, &nsid);
        if (entry)
                entry_forget_namespace(entry);
}

static void on_message(struct nlmsghdr *message, int nsid, void *userdata) {
        AddressWatch *watch = userdata;
        Entry *entry;

        if (message->nlmsg_type == RTM_DELNSID) {
                /* Ids are given by a namespace for its own use: those of others are not ours. */
                if (nsid == NETLINK_SOCKET_OWN_NSID)
                        on_namespace_gone(watch, message);
                return;
        }
        entry = g_hash_table_lookup(watch->by_nsid, &nsid);
        if (!entry)
                return;
        namespace_addresses_apply(entry->addresses, message);
        entry_touch(entry);
}

/* Stops listening until all is asked for again: now, or a second after the last time. */
static void schedule_resync(AddressWatch *watch) {
        int r;

        log_debug("The kernel dropped messages about addresses; asking for all again");
        r = sd_event_source_set_time(watch->resync_source,
                                     watch->last_resync + RESYNC_INTERVAL_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(watch->resync_source, SD_EVENT_ONESHOT);
        if (r >= 0)
                r = sd_event_source_set_enabled(watch->listen_source, SD_EVENT_OFF);
        if (r < 0)
                log_debug("Cannot schedule asking for addresses: %s", g_strerror(-r));
}

static int read_messages(AddressWatch *watch) {
        int r = netlink_socket_read(watch->listen_fd, on_message, watch);

        if (r == -ENOBUFS)
                schedule_resync(watch);
        else if (r < 0)
                log_debug("Cannot read messages about addresses: %s", g_strerror(-r));
        return r;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        (void) read_messages(userdata);
        return 0;
}

static int open_listener(void) {
        static const unsigned groups[] = {
                RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_NSID, 0,
        };
        const int on = 1;

        _cleanup_close_ int fd = netlink_socket_open(NETLINK_ROUTE, groups);
        if (fd < 0)
                return fd;
        if (setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

/* What waits in the old socket is older than what was lost, and would bring back what has gone: a
 * new one takes its place before the namespaces are asked. */
static int on_resync(sd_event_source *source, uint64_t usec, void *userdata) {
        AddressWatch *watch = userdata;
        int r;

        (void) sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC,
                            &watch->last_resync);
        _cleanup_close_ int fd = open_listener();
        r = fd < 0 ? fd : sd_event_source_set_io_fd(watch->listen_source, fd);
        if (r < 0) {
                log_debug("Cannot listen for addresses anew: %s", g_strerror(-r));
                schedule_resync(watch);
                return 0;
        }
        (void) fd_close(watch->listen_fd);
        watch->listen_fd = TAKE_FD(fd);
        (void) sd_event_source_set_enabled(watch->listen_source, SD_EVENT_ON);
        dump_all(watch);
        return 0;
}

/* Whether the list is another than was told last. */
static bool entry_update(Entry *entry) {
        g_autoptr(GVariant) list = namespace_addresses_list(entry->addresses);

        entry->is_dirty = false;
        if (g_variant_equal(list, entry->list))
                return false;
        g_variant_unref(entry->list);
        entry->list = g_steal_pointer(&list);
        return true;
}

static int on_tell(sd_event_source *source, void *userdata) {
        AddressWatch *watch = userdata;
        g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
        GHashTableIter iter;
        Entry *entry;

        g_hash_table_iter_init(&iter, watch->entries);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &entry))
                if (entry->is_dirty && entry_update(entry))
                        g_ptr_array_add(keys, g_strdup(entry->key));

        /* By key, since a call may remove entries. */
        for (guint i = 0; i < keys->len; i++)
                if (g_hash_table_contains(watch->entries, g_ptr_array_index(keys, i)))
                        watch->func(g_ptr_array_index(keys, i), watch->userdata);
        return 0;
}

static int open_sockets(AddressWatch *watch) {
        const int on = 1;

        watch->listen_fd = open_listener();
        if (watch->listen_fd < 0)
                return watch->listen_fd;
        watch->ask_fd = netlink_socket_open(NETLINK_ROUTE, (const unsigned[]) { 0 });
        if (watch->ask_fd < 0)
                return watch->ask_fd;
        /* Without this the kernel overlooks that a dump is asked for another namespace. */
        if (setsockopt(watch->ask_fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
                return -errno;
        return 0;
}

static int add_sources(AddressWatch *watch, sd_event *event) {
        int r;

        r = sd_event_add_io(event, &watch->listen_source, watch->listen_fd, EPOLLIN, on_readable,
                            watch);
        if (r < 0)
                return r;
        r = sd_event_add_defer(event, &watch->tell_source, on_tell, watch);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(watch->tell_source, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &watch->resync_source, CLOCK_MONOTONIC, 0,
                              RESYNC_ACCURACY_USEC, on_resync, watch);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(watch->resync_source, SD_EVENT_OFF);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(watch->listen_source, "address-watch");
        return 0;
}

int address_watch_new(sd_event *event, AddressWatchFunc func, void *userdata, AddressWatch **ret) {
        g_autoptr(AddressWatch) watch = g_new(AddressWatch, 1);
        int r;

        *watch = (AddressWatch) {
                .func = func,
                .userdata = userdata,
                .listen_fd = -EBADF,
                .ask_fd = -EBADF,
                .entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free),
                .by_nsid = g_hash_table_new(g_int_hash, g_int_equal),
        };
        r = open_sockets(watch);
        if (r < 0)
                return r;
        r = add_sources(watch, event);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&watch);
        return 0;
}

AddressWatch *address_watch_free(AddressWatch *watch) {
        if (!watch)
                return NULL;

        sd_event_source_disable_unref(watch->listen_source);
        sd_event_source_disable_unref(watch->tell_source);
        sd_event_source_disable_unref(watch->resync_source);
        g_hash_table_unref(watch->entries);
        g_hash_table_unref(watch->by_nsid);
        (void) fd_close(watch->listen_fd);
        (void) fd_close(watch->ask_fd);
        g_free(watch);
        return NULL;
}

static bool is_own_namespace(int netns_fd) {
        struct stat own, other;

        return stat("/proc/self/ns/net", &own) >= 0 && fstat(netns_fd, &other) >= 0 &&
               own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

int address_watch_add(AddressWatch *watch, const char *key, int netns_fd) {
        Entry *entry;
        int nsid, r;

        if (g_hash_table_contains(watch->entries, key))
                return -EEXIST;
        if (is_own_namespace(netns_fd))
                return -EINVAL;
        r = ask_nsid(watch, netns_fd, &nsid);
        if (r < 0)
                return r;
        /* The id may have belonged to a namespace whose end is still to be read. */
        for (int i = 0; i < DRAIN_TRIES && read_messages(watch) > 0; i++)
                ;
        if (g_hash_table_contains(watch->by_nsid, &nsid))
                return -EEXIST;

        entry = g_new(Entry, 1);
        *entry = (Entry) {
                .watch = watch,
                .key = g_strdup(key),
                .nsid = nsid,
                .addresses = namespace_addresses_new(),
        };
        entry->list = namespace_addresses_list(entry->addresses);
        (void) g_hash_table_insert(watch->entries, entry->key, entry);
        (void) g_hash_table_insert(watch->by_nsid, &entry->nsid, entry);
        r = entry_dump(entry);
        if (r < 0)
                address_watch_remove(watch, key);
        return r;
}

void address_watch_remove(AddressWatch *watch, const char *key) {
        (void) g_hash_table_remove(watch->entries, key);
}

GVariant *address_watch_get(AddressWatch *watch, const char *key) {
        const Entry *entry = g_hash_table_lookup(watch->entries, key);

        return entry ? g_variant_ref(entry->list) : NULL;
}

GVariant *address_watch_read_links(AddressWatch *watch, const char *key) {
        const Entry *entry = g_hash_table_lookup(watch->entries, key);

        return namespace_links_read(watch->ask_fd, entry ? entry->nsid : NSID_UNKNOWN);
}
