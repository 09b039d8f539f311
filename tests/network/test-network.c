/* SPDX-License-Identifier: Apache-2.0 */

/* The operations of berth-worker-network, run against a kernel's network of the test's own. */

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/network/network-call.h"
#include "tests/network/room.h"
#include "tests/unit/test.h"
#include "tests/unit/worker-client.h"

static void assert_output(const char *command, const char *expected) {
        g_autofree char *output = room_read("%s", command);

        g_assert_cmpstr(output, ==, expected);
}

/* Takes the client over. */
static void assert_fails(WorkerClient *client, ErrorCode code, const char *part) {
        worker_client_assert_error(client, code, part);
        worker_client_free(client);
}

static void assert_nothing_left(void) {
        assert_output("ip -o link show type bridge", "");
        assert_output("pgrep -x dnsmasq", "");
        assert_output("nft list tables | grep berth", "");
        assert_output("ls " LEASE_FILE " " RUN_DIR "/dnsmasq.pid " RUN_DIR "/hosts 2>/dev/null",
                      "");
}

/* Kills a process and awaits its end. */
static void kill_process(pid_t pid) {
        _cleanup_close_ int pidfd = fd_pidfd_open(pid);
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        g_assert_cmpint(fd_pidfd_send_signal(pidfd, SIGKILL), ==, 0);
        g_assert_cmpint(poll(&p, 1, 10000), ==, 1);
}

TEST(a_bridge_comes_up_changes_and_goes) {
        Network network = NETWORK_DEFAULT;
        g_autofree char *mac = NULL, *mac_again = NULL;
        int pid;

        pid = network_up(&network);
        assert_output("ip -o addr show dev " BRIDGE " scope global | awk '{ print $4, $5, $6 }'",
                      "10.77.0.1/24 brd 10.77.0.255\nfd42:77::1/64 scope global");
        assert_output("cat /proc/sys/net/ipv6/conf/" BRIDGE "/accept_ra "
                      "/proc/sys/net/ipv6/conf/" BRIDGE "/autoconf "
                      "/proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding",
                      "0\n0\n1\n1");
        assert_output("ip -d -o link show " BRIDGE
                      " | grep -o 'mtu 1500\\|forward_delay 0 \\|stp_state 0 \\|,UP>'",
                      ",UP>\nmtu 1500\nforward_delay 0 \nstp_state 0 ");
        mac = room_read("cat /proc/self/net/dev >/dev/null; ip -o link show " BRIDGE
                        " | grep -o 'link/ether [^ ]*'");

        /* Twice is once. */
        g_assert_cmpint(network_up(&network), ==, pid);

        network.ipv4 = "10.78.0.1/16";
        network.ipv6 = "none";
        network.mtu = 9000;
        g_assert_cmpint(network_up(&network), !=, pid);
        assert_output("ip -o addr show dev " BRIDGE " | awk '{ print $4 }'", "10.78.0.1/16");
        assert_output("ip -o link show " BRIDGE " | grep -o 'mtu 9000'", "mtu 9000");
        mac_again = room_read("ip -o link show " BRIDGE " | grep -o 'link/ether [^ ]*'");
        g_assert_cmpstr(mac, ==, mac_again);

        network.ipv4 = "none";
        network.mtu = 0;
        g_assert_cmpint(network_up(&network), ==, 0);
        assert_output("ip -o addr show dev " BRIDGE, "");
        assert_output("ip -o link show " BRIDGE " | grep -o 'mtu 1500'", "mtu 1500");
        assert_output("pgrep -x dnsmasq", "");

        network_down(&network);
        network_down(&network);
        assert_nothing_left();
}

TEST(an_interface_of_somebody_else_is_left_alone) {
        static const char *const types[] = { "veth peer name other0", "bridge" };
        Network network = NETWORK_DEFAULT;

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                room_run("ip link add " BRIDGE " type %s", types[i]);
                assert_fails(network_try_up(&network), ERROR_EXISTS, BRIDGE);
                network_down(&network);
                g_assert_cmpint(room_try("ip link show " BRIDGE " >/dev/null"), ==, 0);
                assert_output("ip -o addr show dev " BRIDGE, "");
                room_run("ip link del " BRIDGE);
        }
        assert_nothing_left();
}

TEST(what_fails_half_way_is_undone) {
        Network network = NETWORK_DEFAULT;
        int listener;

        /* Somebody else has the port. */
        room_run("ip addr add 10.77.0.1/32 dev lo");
        listener = room_listen(NULL, "10.77.0.1", 53);
        assert_fails(network_try_up(&network), ERROR_BACKEND_FAILED, "ddress already in use");
        assert_output("ip -o link show type bridge", "");
        assert_output("pgrep -x dnsmasq", "");
        (void) close(listener);
        room_run("ip addr del 10.77.0.1/32 dev lo");

        /* What dnsmasq could not read. */
        room_run("mkdir -p " RUN_DIR " && chmod 700 /run/berth");
        assert_fails(network_try_up(&network), ERROR_FAILED, "Directory /run/berth ");
        assert_output("ip -o link show type bridge", "");
        room_run("chmod 755 /run/berth");

        network_down(&network);
        assert_nothing_left();
}

TEST(words_that_could_mean_more_are_refused) {
        static const char *const names[] = {
                "", "a b", "a\nb", "a\"b", "a,b", "a/b", "..", "-a", "a{b", "a;b", "a'b", "a$b",
                "a*", "all", "default", "sixteen-bytes-ab", "br\xc3\xb6", "a\x1b", "_a", ".a",
        };
        static const char *const addresses[] = {
                "", "10.0.0.1", "10.0.0.1/33", "10.0.0.1/24 x", "10.0.0.1/24\n", "10.0.0.0/24",
                "10.0.0.255/24", "127.0.0.1/8", "224.0.0.1/24", "fd42::1/64", "10.0.0.1/24/24",
        };
        static const char *const domains[] = {
                "a,b", "a\nb", "a/b", ".", "a..b", "-a", "a b", "#",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                Network network = NETWORK_DEFAULT;

                network.name = names[i];
                assert_fails(network_try_up(&network), ERROR_INVALID_NAME, "no name");
                assert_fails(network_try_down(&network), ERROR_INVALID_NAME, "no name");
                assert_fails(network_try_firewall(&network, true), ERROR_INVALID_NAME, "no name");
        }
        for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
                Network network = NETWORK_DEFAULT;

                network.ipv4 = addresses[i];
                assert_fails(network_try_up(&network), ERROR_INVALID_CONFIG, "ddress");
                assert_fails(network_try_firewall(&network, true), ERROR_INVALID_CONFIG, "ddress");
        }
        for (size_t i = 0; i < ELEMENTSOF(domains); i++) {
                Network network = NETWORK_DEFAULT;

                network.domain = domains[i];
                assert_fails(network_try_up(&network), ERROR_INVALID_CONFIG, "dns.domain");
                network = NETWORK_DEFAULT;
                network.run_dir = "/run/../x";
                assert_fails(network_try_up(&network), ERROR_INVALID_ARGS, "run-dir");
                network = NETWORK_DEFAULT;
                network.lease_file = "/run/a,b";
                assert_fails(network_try_up(&network), ERROR_INVALID_ARGS, "lease-file");
        }
        assert_nothing_left();
}

TEST(a_dnsmasq_is_kept_until_its_arguments_change) {
        Network network = NETWORK_DEFAULT;
        int first, second, third, fourth;

        first = network_up(&network);
        g_assert_cmpint(network_up(&network), ==, first);
        network.domain = "other.example";
        second = network_up(&network);
        g_assert_cmpint(second, !=, first);
        g_assert_cmpint(kill(first, 0), ==, -1);
        assert_output("pgrep -x dnsmasq | wc -l", "1");

        /* One that was killed is started anew. */
        kill_process(second);
        third = network_up(&network);
        g_assert_cmpint(third, !=, second);

        /* The pid file is dnsmasq's to write: another process in it is neither killed nor kept. */
        kill_process(third);
        room_run("sleep 1000 & echo $! >/run/sleep.pid; "
                 "cat /run/sleep.pid >" RUN_DIR "/dnsmasq.pid");
        fourth = network_up(&network);
        room_run("kill -0 $(cat /run/sleep.pid)");
        kill_process(fourth);
        room_run("cat /run/sleep.pid >" RUN_DIR "/dnsmasq.pid");
        network_down(&network);
        room_run("kill $(cat /run/sleep.pid)");
        assert_nothing_left();
}

TEST(a_dnsmasq_is_left_with_little) {
        Network network = NETWORK_DEFAULT;
        g_autofree char *permitted = NULL, *bounding = NULL;
        int pid = network_up(&network);

        permitted = room_read("awk '/^CapPrm:/ { print $2 }' /proc/%d/status", pid);
        bounding = room_read("awk '/^(CapBnd|NoNewPrivs|Seccomp):/ { print $2 }' /proc/%d/status",
                             pid);
        /* At most net-admin, net-raw and net-bind-service; chown, setuid and setgid are only there
         * to start with. */
        g_assert_cmphex(g_ascii_strtoull(permitted, NULL, 16) & ~UINT64_C(0x3400), ==, 0);
        g_assert_cmpstr(bounding, ==, "00000000000034c1\n1\n2");
        g_assert_cmpint(room_try("grep -q '^Uid:.0' /proc/%d/status", pid), ==, 1);
        g_assert_cmpint(room_try("tr '\\0' '\\n' </proc/%d/environ | grep -q .", pid), ==, 1);
        network_down(&network);
        assert_nothing_left();
}

TEST(containers_get_addresses_and_names) {
        Network network = NETWORK_DEFAULT;

        (void) network_up(&network);
        network_firewall(&network, true);
        room_add_client("one", BRIDGE);
        room_add_client("two", BRIDGE);
        network_add_host("one", "first");

        /* One gets the name that is on file, whatever it asks for; two, none at all. */
        network_get_lease("one", "_gateway");
        network_get_lease("two", "first");
        assert_output("cat /run/hostname.eth0", "");
        assert_output("awk '/ 10.77.0/ { print $4 }' " LEASE_FILE " | sort", "*\nfirst");
        assert_output("ip netns exec two busybox nslookup -type=a first.berth 10.77.0.1 | "
                      "grep -A1 '^Name:' | grep -c '^Address: 10.77.0.'", "1");
        assert_output("ip netns exec two busybox nslookup -type=a _gateway.berth 10.77.0.1 | "
                      "grep -A1 '^Name:' | grep -o '^Address: .*'", "Address: 10.77.0.1");
        g_assert_cmpint(room_try("ip netns exec two busybox nslookup -type=a second.berth "
                                 "10.77.0.1 >/dev/null"), !=, 0);
        /* The host's own names stay the host's. */
        g_assert_cmpint(room_try("ip netns exec two busybox nslookup -type=a $(cat "
                                 "/proc/sys/kernel/hostname).berth 10.77.0.1 >/dev/null"), !=, 0);

        /* And they reach each other. */
        room_run(
                "ip netns exec two busybox ping -q -c1 -W2 "
                "$(ip -n one -o addr show dev eth0 scope global |"
                " awk '{ sub(\"/.*\", \"\", $4); print $4; exit }') >/dev/null");

        room_remove_client("one");
        room_remove_client("two");
        network_firewall_none();
        network_down(&network);
        assert_nothing_left();
}

TEST(one_client_cannot_take_many_leases) {
        Network network = NETWORK_DEFAULT;

        (void) network_up(&network);
        room_add_client("one", BRIDGE);
        network_get_lease("one", "a");
        /* Another client id from the same interface gets the same address. */
        room_run("ip netns exec one busybox udhcpc -i eth0 -n -q -f -t 5 -T 1 -s /run/lease-script "
                 "-x 0x3d:00616263 >/dev/null 2>&1");
        assert_output("grep -c 10.77.0 " LEASE_FILE, "1");
        room_remove_client("one");
        network_down(&network);
        assert_nothing_left();
}

TEST(the_host_is_closed_and_nat_hides_containers) {
        _cleanup_close_ int host = -EBADF, outside = -EBADF;
        Network network = NETWORK_DEFAULT;

        room_run("ip netns add uplink && ip link add up0 type veth peer name eth0 netns uplink && "
                 "ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up && "
                 "ip -n uplink addr add 192.0.2.2/24 dev eth0 && ip -n uplink link set eth0 up && "
                 "ip -n uplink link set lo up && "
                 "ip addr add 2001:db8::1/64 dev up0 nodad && "
                 "ip -n uplink addr add 2001:db8::2/64 dev eth0 nodad");
        host = room_listen(NULL, "0.0.0.0", 2222);
        outside = room_listen("uplink", "192.0.2.2", 80);
        (void) network_up(&network);
        room_add_client("one", BRIDGE);
        network_get_lease("one", "a");

        /* Without rules the host is open, and the uplink knows no way back. */
        g_assert_true(room_can_connect("one", "10.77.0.1", 2222));
        g_assert_false(room_can_connect("one", "192.0.2.2", 80));

        network_firewall(&network, true);
        g_assert_false(room_can_connect("one", "10.77.0.1", 2222));
        g_assert_false(room_can_connect("one", "192.0.2.1", 2222));
        assert_output("nft list chain inet berth host | grep -c 'counter packets 0'", "0");
        g_assert_true(room_can_connect("one", "10.77.0.1", 53));
        g_assert_true(room_can_connect("one", "192.0.2.2", 80));
        assert_output("nft list chain inet berth postrouting | "
                      "grep -c 'ip saddr 10.77.0.0/24.*counter packets [1-9].* masquerade'", "1");
        /* Pings are answered, and the host reaches the container. */
        room_run("ip netns exec one busybox ping -q -c1 -W2 10.77.0.1 >/dev/null");
        room_run("busybox ping -q -c1 -W2 $(ip -n one -o -4 addr show dev eth0 scope global | "
                 "awk '{ sub(\"/.*\", \"\", $4); print $4 }') >/dev/null");
        /* A lease is renewed through the rules. */
        network_get_lease("one", "a");

        network_firewall(&network, false);
        g_assert_false(room_can_connect("one", "10.77.0.1", 2222));
        assert_output("nft list chain inet berth postrouting | grep -c masquerade", "0");

        room_remove_client("one");
        room_run("ip link del up0 && ip netns del uplink");
        network_firewall_none();
        network_down(&network);
        assert_nothing_left();
}

#define NIC_V0 \
        "{'host_name': 'v0', 'hwaddr': '00:16:3e:00:00:01', 'ipv4.address': '10.77.0.9', " \
        "'ipv6.address': 'fd42:77::9'}"
#define NIC_V1 \
        "{'host_name': 'v1', 'hwaddr': '00:16:3e:00:00:02', 'ipv4.address': '10.77.0.10', " \
        "'security.ipv6_filtering': 'false', 'security.port_isolation': 'true'}"
#define NIC_V1_CHANGED \
        "{'host_name': 'v1', 'hwaddr': '00:16:3e:00:00:02', 'ipv4.address': '10.77.0.11'}"

/* All of the table, however its sets are sorted. */
static char *read_guards(void) {
        return room_read("nft -s list table bridge berth | tr '{},' '\n' | sed 's/^[ \t]*//' | "
                         "sort | md5sum");
}

static void set_whole(const char *nics) {
        Network network = NETWORK_DEFAULT;

        network.nics = nics;
        network_firewall(&network, true);
}

static void assert_guards(const char *expected) {
        g_autofree char *now = read_guards();

        g_assert_cmpstr(now, ==, expected);
}

/* What comes bit by bit is what is made as a whole, and the rules are not made anew. */
TEST(guards_come_and_go_with_nics) {
        g_autofree char *none = NULL, *one = NULL, *both = NULL, *changed = NULL, *handles = NULL;
        static const char list_handles[] =
                "nft -s -a list table bridge berth | grep handle | md5sum";

        set_whole("[" NIC_V0 ", " NIC_V1 "]");
        both = read_guards();
        set_whole("[" NIC_V0 ", " NIC_V1_CHANGED "]");
        changed = read_guards();
        set_whole("[" NIC_V0 "]");
        one = read_guards();
        g_assert_cmpstr(one, !=, both);
        set_whole("[]");
        none = read_guards();

        handles = room_read(list_handles);
        g_assert_true(network_guard("[]", "[" NIC_V0 "]", 0));
        assert_guards(one);
        g_assert_true(network_guard("[]", "[" NIC_V1 "]", 0));
        assert_guards(both);
        g_assert_true(network_guard("[" NIC_V1 "]", "[" NIC_V1_CHANGED "]", 0));
        assert_guards(changed);
        g_assert_true(network_guard("[" NIC_V1_CHANGED "]", "[]", 0));
        assert_guards(one);
        g_assert_true(network_guard("[" NIC_V0 "]", "[]", 0));
        assert_guards(none);
        assert_output(list_handles, handles);

        /* All of it or nothing, and no name twice. */
        g_assert_false(network_guard("[" NIC_V1 "]", "[" NIC_V0 "]", 0));
        assert_guards(none);
        g_assert_false(network_guard("[]", "[" NIC_V0 ", " NIC_V0 "]", 0));
        assert_guards(none);
        /* A worker that comes late, after one that has made all, does nothing. */
        g_assert_true(network_guard("[]", "[" NIC_V0 "]", 1));
        assert_guards(none);
        network_firewall_none();
        g_assert_false(network_guard("[]", "[" NIC_V0 "]", 0));
        assert_nothing_left();
}

TEST(other_tables_are_not_touched) {
        Network network = NETWORK_DEFAULT;
        g_autofree char *before = NULL, *after = NULL;

        room_run("nft 'table inet filter { chain c { type filter hook input priority 0; policy "
                 "accept; tcp dport 1 drop; }; }' && "
                 "nft 'table ip berth { set s { type ipv4_addr; }; }'");
        before = room_read("nft list ruleset");
        network_firewall(&network, true);
        network_firewall(&network, false);
        assert_output("nft list tables | sort",
                      "table bridge berth\ntable inet berth\ntable inet filter\ntable ip berth");
        network_firewall_none();
        network_firewall_none();
        after = room_read("nft list ruleset");
        g_assert_cmpstr(before, ==, after);
        room_run("nft flush ruleset");
        assert_nothing_left();
}

TEST(a_picked_address_is_nobody_elses) {
        g_autoptr(WorkerClient) one = NULL, two = NULL, three = NULL, four = NULL;
        const char *text, *again;

        one = network_try_pick(true, true);
        g_assert_true(g_variant_lookup(one->result, "ipv4.address", "&s", &text));
        g_assert_true(g_regex_match_simple("^10\\.[0-9]+\\.[0-9]+\\.1/24$", text, 0, 0));
        g_assert_true(g_variant_lookup(one->result, "ipv6.address", "&s", &text));
        g_assert_true(g_regex_match_simple("^fd42:[0-9a-f:]+::1/64$", text, 0, 0));
        two = network_try_pick(false, true);
        g_assert_true(g_variant_lookup(two->result, "ipv6.address", "&s", &again));
        g_assert_cmpstr(text, !=, again);
        g_assert_false(g_variant_lookup(two->result, "ipv4.address", "&s", &text));

        /* All of 10.0.0.0/8 is routed but for one network, an address of which is on an interface
         * that is down; 172.16.0.0/12 is routed but for one. */
        room_run("ip route add blackhole 10.0.0.0/8 && ip link add d0 type veth peer name d1 && "
                 "for i in 1 2 3 4; do ip route add blackhole 172.$((16 + i)).0.0/16; done && "
                 "ip route add blackhole 172.16.0.0/16 && "
                 "ip route add blackhole 172.24.0.0/13 && ip route add blackhole 172.22.0.0/15 && "
                 "ip route add blackhole 172.21.0.0/17 && ip addr add 172.21.128.1/18 dev d0 && "
                 "ip route add blackhole 172.21.192.0/19 && ip route add blackhole 172.21.240.0/20 "
                 "&& ip route add blackhole 172.21.224.0/21 && "
                 "ip route add blackhole 172.21.236.0/22 && ip route add blackhole 172.21.232.0/23 "
                 "&& ip route add blackhole 172.21.234.7/32");
        three = network_try_pick(true, false);
        g_assert_true(g_variant_lookup(three->result, "ipv4.address", "&s", &text));
        g_assert_cmpstr(text, ==, "172.21.235.1/24");

        room_run("ip route add blackhole 172.21.235.128/25 && "
                 "ip route add blackhole 192.168.0.0/16");
        four = network_try_pick(true, false);
        worker_client_assert_error(four, ERROR_LIMITS_EXCEEDED, "ipv4.address");
        room_run("ip route flush type blackhole && ip link del d0");
}

TEST(a_host_keeps_its_way_out) {
        Network network = NETWORK_DEFAULT;

        /* A router that advertises itself to this host, and an interface without one. */
        network.forward = false;
        room_run("echo 0 >/proc/sys/net/ipv6/conf/all/forwarding; "
                 "ip netns add router && ip link add up0 type veth peer name eth0 netns router && "
                 "ip -n router addr add 2001:db8::1/64 dev eth0 nodad && "
                 "ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding' && "
                 "ip -n router link set eth0 addrgenmode eui64 up && "
                 "ip link add quiet0 type veth peer name quiet1 && ip link set quiet0 up");
        room_run("(timeout 20 ip -6 monitor route | grep -m1 -q '^default.* proto ra') & "
                 "ip netns exec router dnsmasq --conf-file=/dev/null --port=0 --interface=eth0 "
                 "--enable-ra --dhcp-range=::,constructor:eth0,ra-only "
                 "--pid-file=/run/router.pid --dhcp-leasefile=/run/router.leases && "
                 "ip link set up0 up && wait $!");
        (void) network_up(&network);
        assert_output("cat /proc/sys/net/ipv6/conf/up0/accept_ra", "1");

        network.forward = true;
        (void) network_up(&network);
        assert_output("cat /proc/sys/net/ipv6/conf/all/forwarding "
                      "/proc/sys/net/ipv6/conf/up0/accept_ra "
                      "/proc/sys/net/ipv6/conf/quiet0/accept_ra", "1\n2\n1");
        assert_output("ip -6 route show default | grep -c 'proto ra'", "1");

        room_run("kill $(cat /run/router.pid); ip link del up0; ip link del quiet0; "
                 "ip netns del router");
        network_down(&network);
        assert_nothing_left();
}

int main(void) {
        return room_enter() ? test_run() : 77;
}
