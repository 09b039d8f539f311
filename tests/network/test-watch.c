/* SPDX-License-Identifier: Apache-2.0 */

/* The watches of berthd, in an event loop of the test's own, on real events of the kernel. */

#include <fcntl.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/watch/address-watch.h"
#include "service/watch/firewall-watch.h"
#include "service/watch/path-watch.h"
#include "service/watch/process-watch.h"
#include "service/watch/uevent-watch.h"
#include "tests/network/network-call.h"
#include "tests/network/room.h"
#include "tests/unit/test.h"

#define TIMEOUT_USEC (20 * G_USEC_PER_SEC)
#define LEASE_LATENCY_MAX_MSEC 100

typedef sd_event Event;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Event, sd_event_unref)

typedef struct Calls {
        unsigned count;
        char *last_key;
        gint64 last_time; /* of the wall clock, µs */
} Calls;

static sd_event *event_new(void) {
        sd_event *event = NULL;

        g_assert_cmpint(sd_event_new(&event), >=, 0);
        return event;
}

/* Lets the loop take in what the kernel has said so far: it speaks before the system call returns
 * that makes a change. */
static void settle(sd_event *event) {
        int r;

        while ((r = sd_event_run(event, 0)) > 0)
                ;
        g_assert_cmpint(r, ==, 0);
}

static void on_addresses(const char *key, void *userdata) {
        Calls *calls = userdata;

        calls->count++;
        calls->last_time = g_get_real_time();
        g_free(calls->last_key);
        calls->last_key = g_strdup(key);
}

/* "INTERFACE FAMILY ADDRESS/PREFIX SCOPE" lines without link-local addresses, whose bytes nobody
 * can foretell. */
static char *list(AddressWatch *watch, const char *key) {
        g_autoptr(GVariant) addresses = address_watch_get(watch, key);
        const char *interface, *family, *address, *scope;
        GString *text = g_string_new(NULL);
        GVariantIter iter;
        guint32 prefix;

        g_assert_nonnull(addresses);
        g_variant_iter_init(&iter, addresses);
        while (g_variant_iter_next(&iter, "(&s&s&su&s)", &interface, &family, &address, &prefix,
                                   &scope))
                if (!g_str_equal(scope, "link"))
                        g_string_append_printf(text, "%s%s %s %s/%u %s", text->len > 0 ? "\n" : "",
                                               interface, family, address, prefix, scope);
        return g_string_free(text, FALSE);
}

static void assert_list(AddressWatch *watch, const char *key, const char *expected) {
        g_autofree char *text = list(watch, key);

        g_assert_cmpstr(text, ==, expected);
}

/* Runs the loop until the list holds `part`, which the callback must have told. */
static void await_address(sd_event *event, AddressWatch *watch, const char *key,
                          const char *part) {
        gint64 deadline = g_get_monotonic_time() + TIMEOUT_USEC;

        for (;;) {
                g_autofree char *text = list(watch, key);

                if (strstr(text, part))
                        return;
                if (g_get_monotonic_time() > deadline)
                        g_error("No \"%s\" in \"%s\"", part, text);
                g_assert_cmpint(sd_event_run(event, TIMEOUT_USEC), >=, 0);
        }
}

static int open_namespace(const char *name) {
        g_autofree char *path = g_strdup_printf("/run/netns/%s", name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        g_assert_cmpint(fd, >=, 0);
        return fd;
}

static AddressWatch *watch_new(sd_event *event, Calls *calls) {
        AddressWatch *watch = NULL;

        g_assert_cmpint(address_watch_new(event, on_addresses, calls, &watch), ==, 0);
        return watch;
}

static void watch_add(AddressWatch *watch, const char *key) {
        _cleanup_close_ int fd = open_namespace(key);

        g_assert_cmpint(address_watch_add(watch, key, fd), ==, 0);
}

TEST(a_lease_is_told_at_once) {
        g_autoptr(Event) event = event_new();
        Network network = NETWORK_DEFAULT;
        Calls calls = { 0 };
        g_autoptr(AddressWatch) watch = watch_new(event, &calls);
        gint64 latency;
        pid_t pid;

        (void) network_up(&network);
        room_add_client("one", BRIDGE);
        watch_add(watch, "one");
        settle(event);
        assert_list(watch, "one", "");

        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                network_get_lease("one", "x");
                _exit(EXIT_SUCCESS);
        }
        await_address(event, watch, "one", "eth0 inet 10.77.0.");
        g_assert_cmpstr(calls.last_key, ==, "one");
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        latency = calls.last_time - (gint64) room_read_number("cat /run/bound.eth0") / 1000;
        printf("lease to callback: %.1f ms\n", (double) latency / 1000);
        g_assert_cmpint(latency, >=, 0);
        g_assert_cmpint(latency, <, LEASE_LATENCY_MAX_MSEC * 1000);

        /* The router advertisement's, once nobody has objected to it. */
        await_address(event, watch, "one", "eth0 inet6 fd42:77::");
        room_remove_client("one");
        network_down(&network);
        g_free(calls.last_key);
}

/* "NAME: KEY=VALUE …" lines, keys as they come, but for bytes that nobody can foretell. */
static void assert_links(AddressWatch *watch, const char *key, const char *expected) {
        g_autoptr(GVariant) links = g_variant_ref_sink(address_watch_read_links(watch, key));
        g_autoptr(GString) text = g_string_new(NULL);
        GVariantIter iter;
        GVariant *link;
        const char *name;

        g_variant_iter_init(&iter, links);
        while (g_variant_iter_next(&iter, "{&s@a{sv}}", &name, &link)) {
                g_autofree char *printed = g_variant_print(link, FALSE);

                g_string_append_printf(text, "%s: %s\n", name, printed);
                g_variant_unref(link);
        }
        g_assert_cmpstr(text->str, ==, expected);
}

/* The kernel takes a namespace apart in its own time, and tells when it forgets its number. */
static void await_no_links(sd_event *event, AddressWatch *watch, const char *key) {
        gint64 deadline = g_get_monotonic_time() + TIMEOUT_USEC;

        for (;;) {
                g_autoptr(GVariant) links = NULL;

                links = g_variant_ref_sink(address_watch_read_links(watch, key));
                if (g_variant_n_children(links) == 0)
                        return;
                g_assert_cmpint(g_get_monotonic_time(), <, deadline);
                g_assert_cmpint(sd_event_run(event, TIMEOUT_USEC), >=, 0);
        }
}

TEST(interfaces_are_told_with_their_ends_on_the_host) {
        g_autoptr(Event) event = event_new();
        Calls calls = { 0 };
        g_autoptr(AddressWatch) watch = watch_new(event, &calls);

        /* Between "one" and "two" is a pair, one end of which has the number of another here. */
        room_run("ip netns add one && ip netns add two && "
                 "ip link add host0 type veth peer name eth0 netns one && "
                 "ip -n one link set eth0 address 00:16:3e:00:00:01 mtu 1400 && "
                 "ip -n one link set eth0 up && "
                 "ip -n one link add eth1 address 00:16:3e:00:00:02 type veth peer name far "
                 "index \"$(ip -o link show host0 | cut -d : -f 1)\" netns two && "
                 "ip -n one link add \"$(printf '\\377x')\" address 00:16:3e:00:00:04 type bridge");
        watch_add(watch, "one");
        assert_links(watch, "one",
                     "lo: {'type': <'loopback'>, 'state': <'down'>, 'mtu': <uint32 65536>}\n"
                     "eth0: {'type': <'broadcast'>, 'state': <'up'>, 'mtu': <uint32 1400>, "
                     "'hwaddr': <'00:16:3e:00:00:01'>, 'host-name': <'host0'>}\n"
                     "eth1: {'type': <'broadcast'>, 'state': <'down'>, 'mtu': <uint32 1500>, "
                     "'hwaddr': <'00:16:3e:00:00:02'>}\n"
                     "\357\277\275x: {'type': <'broadcast'>, 'state': <'down'>, "
                     "'mtu': <uint32 1500>, 'hwaddr': <'00:16:3e:00:00:04'>}\n");
        assert_links(watch, "nobody", "");
        room_run("ip netns del one; ip netns del two");
        await_no_links(event, watch, "one");
        g_free(calls.last_key);
}

TEST(only_a_changed_list_is_told_and_once) {
        g_autoptr(Event) event = event_new();
        Calls calls = { 0 };
        g_autoptr(AddressWatch) watch = watch_new(event, &calls);
        _cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), one = -EBADF;

        room_run("ip netns add one && ip netns add two && ip netns exec one sh -c "
                 "'echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad; "
                 "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad' && "
                 "ip -n one link add eth0 type veth peer name eth1 && " /* eth1 comes first */
                 "ip -n one link set lo up && ip -n one link set eth0 up && "
                 "ip -n one addr add 10.1.0.1/24 dev eth0");
        one = open_namespace("one");
        g_assert_cmpint(address_watch_add(watch, "host", own), ==, -EINVAL);
        watch_add(watch, "one");
        watch_add(watch, "two");
        g_assert_cmpint(address_watch_add(watch, "one", one), ==, -EEXIST);
        g_assert_cmpint(address_watch_add(watch, "again", one), ==, -EEXIST);
        g_assert_cmpint(calls.count, ==, 0); /* never from within a call */
        settle(event);
        g_assert_cmpint(calls.count, ==, 1); /* "two" has none */
        assert_list(watch, "one", "eth0 inet 10.1.0.1/24 global");

        /* Several changes are one, and what is not an address is none. */
        room_run("ip -n one addr add 10.1.0.3/24 dev eth0 && "
                 "ip -n one addr add 10.1.0.2/24 dev eth0 && "
                 "ip -n one addr add fd00::1/64 dev eth0 nodad && "
                 "ip -n one addr add 10.0.0.9/24 dev eth0 scope host && "
                 "ip -n one link set eth1 mtu 1400 && ip -n one addr add 127.0.0.2/8 dev lo");
        settle(event);
        g_assert_cmpint(calls.count, ==, 2);
        assert_list(watch, "one",
                    "eth0 inet 10.1.0.1/24 global\neth0 inet 10.1.0.2/24 global\n"
                    "eth0 inet 10.1.0.3/24 global\neth0 inet 10.0.0.9/24 local\n"
                    "eth0 inet6 fd00::1/64 global");
        room_run("ip -n one link set eth0 mtu 1400 && ip -n one addr add 10.9.9.9/24 dev eth1 && "
                 "ip -n one addr del 10.1.0.3/24 dev eth0 && "
                 "ip -n one addr add 10.1.0.3/24 dev eth0");
        settle(event);
        g_assert_cmpint(calls.count, ==, 2); /* eth1 is down */
        assert_list(watch, "two", "");

        /* An address that is being probed is not there yet. */
        room_run("ip netns exec one sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_dad' && "
                 "ip -n one link set eth1 up && ip -n one addr add fd00::2/64 dev eth0");
        settle(event);
        assert_list(watch, "one",
                    "eth1 inet 10.9.9.9/24 global\n"
                    "eth0 inet 10.1.0.1/24 global\neth0 inet 10.1.0.2/24 global\n"
                    "eth0 inet 10.1.0.3/24 global\neth0 inet 10.0.0.9/24 local\n"
                    "eth0 inet6 fd00::1/64 global");
        await_address(event, watch, "one", "eth0 inet6 fd00::2/64");

        calls.count = 0;
        room_run("ip -n one link set eth0 down && ip -n one link set eth0 name lan0");
        settle(event);
        assert_list(watch, "one", "eth1 inet 10.9.9.9/24 global");
        room_run("ip -n one link set lan0 up");
        settle(event);
        assert_list(watch, "one",
                    "eth1 inet 10.9.9.9/24 global\n"
                    "lan0 inet 10.1.0.1/24 global\nlan0 inet 10.1.0.2/24 global\n"
                    "lan0 inet 10.1.0.3/24 global\nlan0 inet 10.0.0.9/24 local");
        room_run("ip -n one link del lan0");
        settle(event);
        assert_list(watch, "one", "");
        g_assert_cmpint(calls.count, >=, 3);

        /* What is no longer watched is not told. */
        address_watch_remove(watch, "one");
        address_watch_remove(watch, "one");
        g_assert_null(address_watch_get(watch, "one"));
        calls.count = 0;
        room_run("ip -n one link set lo up && ip -n one link add d0 type bridge && "
                 "ip -n one link set d0 up && ip -n one addr add 10.1.0.1/24 dev d0");
        settle(event);
        g_assert_cmpint(calls.count, ==, 0);
        room_run("ip netns del one; ip netns del two");
        g_free(calls.last_key);
}

TEST(the_end_of_a_namespace_is_told) {
        g_autoptr(Event) event = event_new();
        Calls calls = { 0 };
        g_autoptr(AddressWatch) watch = watch_new(event, &calls);
        gint64 deadline = g_get_monotonic_time() + TIMEOUT_USEC;

        room_run("ip netns add one && ip -n one link add d0 type bridge && "
                 "ip -n one link set d0 up && ip -n one addr add 10.1.0.1/24 dev d0");
        watch_add(watch, "one");
        settle(event);
        assert_list(watch, "one", "d0 inet 10.1.0.1/24 global");
        room_run("ip netns del one");
        while (calls.count < 2) {
                g_assert_cmpint(g_get_monotonic_time(), <, deadline);
                g_assert_cmpint(sd_event_run(event, TIMEOUT_USEC), >=, 0);
        }
        assert_list(watch, "one", "");

        /* Another of that name is another. */
        address_watch_remove(watch, "one");
        room_run("ip netns add one && ip -n one link add d0 type bridge && "
                 "ip -n one link set d0 up && ip -n one addr add 10.1.0.2/24 dev d0");
        watch_add(watch, "one");
        settle(event);
        assert_list(watch, "one", "d0 inet 10.1.0.2/24 global");
        room_run("ip netns del one");
        g_free(calls.last_key);
}

TEST(dropped_messages_are_made_up_for) {
        g_autoptr(Event) event = event_new();
        Calls calls = { 0 };
        g_autoptr(AddressWatch) watch = watch_new(event, &calls);

        room_run("ip netns add one && ip -n one link add d0 type bridge && "
                 "ip -n one link set d0 up && ip -n one addr add 10.1.0.1/24 dev d0");
        watch_add(watch, "one");
        settle(event);
        assert_list(watch, "one", "d0 inet 10.1.0.1/24 global");
        /* More than any buffer holds, so that the last of them are lost. */
        room_run("i=0; while [ $i -lt 20000 ]; do echo 'addr add 10.2.0.1/24 dev d0'; "
                 "echo 'addr del 10.2.0.1/24 dev d0'; i=$((i + 1)); done >/run/flood && "
                 "ip -n one -batch /run/flood && ip -n one addr del 10.1.0.1/24 dev d0 && "
                 "ip -n one addr add 10.3.0.1/24 dev d0");
        await_address(event, watch, "one", "d0 inet 10.3.0.1/24");
        settle(event);
        assert_list(watch, "one", "d0 inet 10.3.0.1/24 global");

        /* And the watch hears as before. */
        room_run("ip -n one addr add 10.4.0.1/24 dev d0");
        settle(event);
        assert_list(watch, "one", "d0 inet 10.3.0.1/24 global\nd0 inet 10.4.0.1/24 global");
        room_run("ip netns del one");
        g_free(calls.last_key);
}

#define NICS "[{'host_name': 'v0', 'hwaddr': '00:16:3e:00:00:01', 'ipv4.address': '10.77.0.9'}]"

static void on_firewall(void *userdata) {
        unsigned *count = userdata;

        (*count)++;
}

TEST(what_others_do_to_our_table_is_told) {
        g_autoptr(Event) event = event_new();
        g_autoptr(FirewallWatch) watch = NULL;
        Network network = NETWORK_DEFAULT;
        g_autofree char *before = NULL, *after = NULL;
        unsigned count = 0;

        g_assert_cmpint(firewall_watch_new(event, on_firewall, &count, &watch), ==, 0);

        /* What we do ourselves is not. */
        network_firewall(&network, true);
        network_firewall(&network, false);
        network_firewall_none();
        network_firewall(&network, true);
        before = room_read("nft -s list table inet berth");
        room_run("nft add table ip berth && nft add table inet other && "
                 "nft add chain inet other c");
        settle(event);
        g_assert_cmpint(count, ==, 0);

        /* One call for all that happened in one turn. */
        room_run("nft add rule inet berth forward drop");
        room_run("nft flush ruleset");
        settle(event);
        g_assert_cmpint(count, ==, 1);
        network_firewall(&network, true);
        after = room_read("nft -s list table inet berth");
        g_assert_cmpstr(before, ==, after);
        settle(event);
        g_assert_cmpint(count, ==, 1);

        /* Each kind of change counts. */
        room_run("nft add element inet berth bridges '{ \"other0\" }'");
        settle(event);
        g_assert_cmpint(count, ==, 2);
        room_run("nft flush chain inet berth host");
        settle(event);
        g_assert_cmpint(count, ==, 3);
        room_run("nft delete table inet berth");
        settle(event);
        g_assert_cmpint(count, ==, 4);

        network.nics = NICS;
        network_firewall(&network, true);
        settle(event);
        g_assert_cmpint(count, ==, 4);
        room_run("nft flush chain bridge berth prerouting");
        settle(event);
        g_assert_cmpint(count, ==, 5);
        network.nics = NULL;

        /* What was made good before anybody looked is no news. */
        network_firewall(&network, true);
        room_run("nft flush ruleset");
        network_firewall(&network, true);
        settle(event);
        g_assert_cmpint(count, ==, 5);

        /* What comes and goes with nics makes nothing good. */
        g_assert_true(network_guard("[]", NICS, 0));
        settle(event);
        g_assert_cmpint(count, ==, 5);
        room_run("nft flush chain bridge berth prerouting");
        g_assert_true(network_guard(NICS, "[]", 0));
        settle(event);
        g_assert_cmpint(count, ==, 6);
        network_firewall_none();
}

static void on_hardware(const char *subsystem, void *userdata) {
        GString *heard = userdata;

        g_string_append_printf(heard, "%s ", subsystem ?: "lost");
}

/* What the kernel sends on for root of a network namespace; to another address than its own it is
 * what anybody might send. */
static void send_uevent(unsigned pid, bool wrapped, const char *text, size_t size) {
        struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_pid = pid };
        struct nlmsghdr header = {
                .nlmsg_len = (uint32_t) (sizeof(header) + size),
                .nlmsg_type = NLMSG_MIN_TYPE,
                .nlmsg_flags = NLM_F_REQUEST,
        };
        struct iovec parts[] = {
                { &header, sizeof(header) }, { (char *) text, size },
        };
        struct msghdr message = {
                .msg_name = &address,
                .msg_namelen = sizeof(address),
                .msg_iov = wrapped ? parts : parts + 1,
                .msg_iovlen = wrapped ? 2 : 1,
        };
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
                                        NETLINK_KOBJECT_UEVENT);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(sendmsg(fd, &message, 0), >, 0);
}

#define SEND(_pid, _wrapped, _text) send_uevent(_pid, _wrapped, _text, sizeof(_text))

TEST(hardware_is_told_of_by_the_kernel_alone) {
        static const char plugged[] = "add@/devices/x\0ACTION=add\0SUBSYSTEM=usb\0DEVNAME=x";
        g_autoptr(Event) event = event_new();
        g_autoptr(GString) heard = g_string_new(NULL);
        g_autoptr(UeventWatch) watch = NULL;

        g_assert_cmpint(uevent_watch_new(event, on_hardware, heard, &watch), ==, 0);
        SEND(0, true, plugged);
        SEND(0, true, "remove@/devices/x\0ACTION=remove\0SUBSYSTEM=drm\0DEVNAME=dri/card0");
        settle(event);
        g_assert_cmpstr(heard->str, ==, "usb drm ");
        /* From a socket that is not the kernel's, to ours: the first of a process has its pid. */
        send_uevent((unsigned) getpid(), false, plugged, sizeof(plugged));
        /* No node, another action, no subsystem. */
        SEND(0, true, "add@/devices/x\0ACTION=add\0SUBSYSTEM=usb");
        SEND(0, true, "change@/devices/x\0ACTION=change\0SUBSYSTEM=usb\0DEVNAME=x");
        SEND(0, true, "add@/devices/x\0ACTION=add\0DEVNAME=x");
        settle(event);
        g_assert_cmpstr(heard->str, ==, "usb drm ");
}

static void on_path(void *userdata) {
        unsigned *count = userdata;

        (*count)++;
}

TEST(a_path_is_told_of_wherever_it_begins) {
        g_autoptr(Event) event = event_new();
        g_autoptr(PathWatch) watch = NULL;
        unsigned count = 0;

        room_run("rm -rf /run/deep && mkdir /run/other");
        g_assert_cmpint(path_watch_new(event, "/run//deep/er/node", on_path, &count, &watch), ==,
                        0);
        room_run("touch /run/other/node /run/node");
        settle(event);
        g_assert_cmpuint(count, ==, 0);
        room_run("mkdir -p /run/deep/er && touch /run/deep/er/other");
        settle(event);
        g_assert_cmpuint(count, >, 0);
        count = 0;
        room_run("touch /run/deep/er/node");
        settle(event);
        g_assert_cmpuint(count, ==, 1);
        room_run("touch /run/deep/er/else && mv /run/deep/er/else /run/deep/er/node");
        settle(event);
        g_assert_cmpuint(count, ==, 2);
        count = 0;
        room_run("mv /run/deep/er /run/deep/away");
        settle(event);
        g_assert_cmpuint(count, >, 0);
        count = 0;
        room_run("mkdir /run/deep/er && touch /run/deep/er/node");
        settle(event);
        g_assert_cmpuint(count, >, 0);
        count = 0;
        room_run("rm -r /run/deep");
        settle(event);
        g_assert_cmpuint(count, >, 0);
        count = 0;
        room_run("mkdir -p /run/deep/er");
        settle(event);
        room_run("touch /run/deep/er/node");
        settle(event);
        g_assert_cmpuint(count, >, 0);
}

static void on_process(void *userdata) {
        unsigned *count = userdata;

        (*count)++;
}

TEST(the_end_of_a_process_is_told_once) {
        g_autoptr(Event) event = event_new();
        g_autoptr(ProcessWatch) watch = NULL, late = NULL;
        _cleanup_close_ int pidfd = -EBADF;
        unsigned count = 0;

        /* No child of ours: the shell that started it has gone. */
        pidfd = fd_pidfd_open((pid_t) room_read_number("sleep 1000 >/dev/null & echo $!"));
        g_assert_cmpint(pidfd, >=, 0);
        g_assert_cmpint(process_watch_new(event, pidfd, on_process, &count, &watch), ==, 0);
        settle(event);
        g_assert_cmpint(count, ==, 0);

        g_assert_cmpint(fd_pidfd_send_signal(pidfd, SIGKILL), ==, 0);
        g_assert_cmpint(sd_event_run(event, TIMEOUT_USEC), ==, 1);
        settle(event);
        g_assert_cmpint(count, ==, 1);

        g_assert_cmpint(process_watch_new(event, pidfd, on_process, &count, &late), ==, 0);
        settle(event);
        g_assert_cmpint(count, ==, 2);
}

int main(void) {
        return room_enter() ? test_run() : 77;
}
