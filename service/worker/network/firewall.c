/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/firewall.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <nftables/libnftables.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/network/guard.h"
#include "service/worker/network/translate.h"
#include "service/worker/network/word.h"

#define NETWORKS_TYPE "a(sa{ss})"
#define GENERATION_LENGTH_MAX 32

typedef struct nft_ctx NftContext;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NftContext, nft_ctx_free)

/* Adding it first makes deleting it succeed also where there is none. */
static const char remove_table[] = "add table inet berth\n"
                                   "delete table inet berth\n";
static const char remove_guard[] = "add table bridge berth\n"
                                   "delete table bridge berth\n";

/* For all networks alike. Router advertisements and redirects are left out on purpose: the host
 * takes none from a container. */
static const char accept_basics[] =
        "    ct state established,related accept\n"
        "    icmp type { echo-request, destination-unreachable, time-exceeded, "
        "parameter-problem } accept\n"
        "    icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, "
        "parameter-problem, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, "
        "mld-listener-report, mld-listener-done, mld2-listener-report } accept\n";

static void append_bridges(GString *rules, const FirewallNetwork *networks, size_t n_networks) {
        g_string_append(rules, "  set bridges {\n    type ifname\n    elements = { ");
        for (size_t i = 0; i < n_networks; i++)
                g_string_append_printf(rules, "%s\"%s\"", i > 0 ? ", " : "", networks[i].name);
        g_string_append(rules, " }\n  }\n");
}

/* DNS only to the address that dnsmasq has: another resolver of the host is none of theirs. */
static void append_services(GString *rules, const char *name, const NetworkFamily *f,
                            const char *family, const char *ip, unsigned dhcp_port) {
        g_autofree char *address = NULL;

        if (f->subnet.family == AF_UNSPEC)
                return;
        if (!f->firewall) {
                g_string_append_printf(rules, "    iifname \"%s\" meta nfproto %s accept\n", name,
                                       family);
                return;
        }
        address = subnet_address_to_string(&f->subnet);
        g_string_append_printf(rules,
                               "    iifname \"%s\" meta nfproto %s udp dport %u accept\n"
                               "    iifname \"%s\" %s daddr %s udp dport 53 accept\n"
                               "    iifname \"%s\" %s daddr %s tcp dport 53 accept\n",
                               name, family, dhcp_port, name, ip, address, name, ip, address);
}

static void append_host(GString *rules, const FirewallNetwork *networks, size_t n) {
        g_string_append(rules, "  chain host {\n");
        g_string_append(rules, accept_basics);
        for (size_t i = 0; i < n; i++) {
                const NetworkOptions *o = &networks[i].options;

                append_services(rules, networks[i].name, &o->ipv4, "ipv4", "ip", 67);
                append_services(rules, networks[i].name, &o->ipv6, "ipv6", "ip6", 547);
        }
        g_string_append(rules,
                        "    counter drop\n"
                        "  }\n"
                        "  chain input {\n"
                        "    type filter hook input priority filter; policy accept;\n"
                        "    iifname @bridges goto host\n"
                        "  }\n");
}

/* The kernel forwards what comes in by an interface that may; what goes out by one that may not is
 * stopped here. */
static void append_forward(GString *rules, const FirewallNetwork *networks, size_t n) {
        g_string_append(rules,
                        "  chain forward {\n"
                        "    type filter hook forward priority filter; policy accept;\n");
        for (size_t i = 0; i < n; i++) {
                const NetworkOptions *o = &networks[i].options;
                const char *name = networks[i].name;

                if (!o->ipv4.routing)
                        g_string_append_printf(rules,
                                               "    iifname \"%s\" meta nfproto ipv4 drop\n"
                                               "    oifname \"%s\" meta nfproto ipv4 drop\n",
                                               name, name);
                if (!o->ipv6.routing)
                        g_string_append_printf(rules,
                                               "    iifname \"%s\" meta nfproto ipv6 drop\n"
                                               "    oifname \"%s\" meta nfproto ipv6 drop\n",
                                               name, name);
        }
        g_string_append(rules,
                        "    iifname @bridges accept\n"
                        "    oifname @bridges accept\n"
                        "  }\n");
}

/* Not on the way back to the bridge: the host's own broadcasts and answers of DHCP must keep their
 * source address and port. */
static void append_nat_of(GString *rules, const char *name, const NetworkFamily *f) {
        const char *protocol = f->subnet.family == AF_INET ? "ip" : "ip6";
        g_autofree char *range = subnet_network_to_string(&f->subnet), *address = NULL;

        g_string_append_printf(rules, "    oifname != \"%s\" %s saddr %s %s daddr != %s counter ",
                               name, protocol, range, protocol, range);
        if (f->nat_address.family == AF_UNSPEC) {
                g_string_append(rules, "masquerade\n");
                return;
        }
        address = subnet_address_to_string(&f->nat_address);
        g_string_append_printf(rules, "snat %s to %s\n", protocol, address);
}

static void append_nat(GString *rules, const FirewallNetwork *networks, size_t n, bool after) {
        g_string_append_printf(rules,
                               "  chain %s {\n"
                               "    type nat hook postrouting priority srcnat %c 1; "
                               "policy accept;\n",
                               after ? "postrouting-after" : "postrouting", after ? '+' : '-');
        for (size_t i = 0; i < n; i++) {
                const NetworkFamily *families[] = { &networks[i].options.ipv4,
                                                    &networks[i].options.ipv6 };

                for (size_t j = 0; j < ELEMENTSOF(families); j++)
                        if (families[j]->nat && families[j]->nat_after == after &&
                            families[j]->subnet.family != AF_UNSPEC)
                                append_nat_of(rules, networks[i].name, families[j]);
        }
        g_string_append(rules, "  }\n");
}

int firewall_rules(const FirewallNetwork *networks, size_t n_networks, GVariant *translations,
                   char **ret, Error *ret_error) {
        g_autoptr(GString) rules = g_string_new(remove_table);
        int r;

        if (n_networks == 0) {
                *ret = g_string_free(g_steal_pointer(&rules), FALSE);
                return 0;
        }

        g_string_append(rules, "table inet berth {\n");
        append_bridges(rules, networks, n_networks);

        append_host(rules, networks, n_networks);
        append_forward(rules, networks, n_networks);
        r = translate_append(rules, translations, networks, n_networks, ret_error);
        if (r < 0)
                return r;
        append_nat(rules, networks, n_networks, false);
        append_nat(rules, networks, n_networks, true);
        g_string_append(rules, "}\n");
        *ret = g_string_free(g_steal_pointer(&rules), FALSE);
        return 0;
}

int firewall_apply(const char *rules, Error *ret_error) {
        g_autoptr(NftContext) context = nft_ctx_new(NFT_CTX_DEFAULT);

        if (!context)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Cannot open nftables; does the kernel have nf_tables");
        if (nft_ctx_buffer_error(context) != 0 || nft_ctx_buffer_output(context) != 0)
                g_error("Out of memory");
        if (nft_run_cmd_from_buffer(context, rules) != 0) {
                g_auto(GStrv) lines = g_strsplit(nft_ctx_get_error_buffer(context), "\n", 2);

                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "nftables refused the rules of the tables \"berth\": %s",
                                 lines[0] ?: "no reason given");
        }
        return 0;
}

/* Opens and locks the file that keeps the number of the last who made the tables. Returns 0 where
 * that one knew more than we do: a worker may outlive the service that began it. */
static int lock_unless_outdated(Worker *worker, const char **ret_path, uint64_t *ret_generation,
                                int *ret_fd, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        g_autofree char *text = NULL;
        uint64_t generation;
        const char *path;
        guint64 last;
        int r;

        r = worker_get_uint64(worker, "generation", &generation, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "lock-file", &path, ret_error);
        if (r < 0)
                return r;
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || flock(fd, LOCK_EX) < 0)
                return error_set_errno(ret_error, errno, "Cannot lock %s", path);
        if (fd_read_text(fd, GENERATION_LENGTH_MAX, &text) >= 0 &&
            g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, &last, NULL) && last > generation)
                return 0;
        *ret_path = path;
        *ret_generation = generation;
        *ret_fd = TAKE_FD(fd);
        return 1;
}

/* A kernel that knows of no such tables for bridges has networks all the same, as long as nobody is
 * to be guarded. */
static int apply_whole(Worker *worker, const char *rules, const char *guards, bool is_guarded,
                       bool is_last, Error *ret_error) {
        g_autofree char *all = g_strconcat(rules, remove_guard, guards, NULL);
        _cleanup_close_ int fd = -EBADF;
        g_autofree char *number = NULL;
        uint64_t generation;
        const char *path;
        int r;

        r = lock_unless_outdated(worker, &path, &generation, &fd, ret_error);
        if (r <= 0)
                return r;
        r = firewall_apply(all, is_guarded ? ret_error : NULL);
        if (r < 0 && !is_guarded)
                r = firewall_apply(rules, ret_error);
        if (r < 0)
                return r;
        number = g_strdup_printf("%" G_GUINT64_FORMAT, generation);
        if (ftruncate(fd, 0) < 0 ||
            pwrite(fd, number, strlen(number), 0) != (ssize_t) strlen(number))
                return error_set_errno(ret_error, errno, "Cannot write %s", path);
        /* Who waits for it has it open and reads the number all the same. */
        if (is_last)
                (void) unlink(path);
        return 0;
}

static void firewall_network_clear(void *p) {
        FirewallNetwork *network = p;

        network_options_done(&network->options);
}

static int parse_network(GVariant *tuple, GHashTable *names, FirewallNetwork *ret,
                         Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        const char *name;
        int r;

        g_variant_get(tuple, "(&s@a{ss})", &name, &config);
        r = word_check_network(name, ret_error);
        if (r >= 0 && !g_hash_table_add(names, (char *) name))
                r = error_set(ret_error, ERROR_INVALID_ARGS, "Network %s is given twice", name);
        if (r >= 0)
                r = network_options_read(NETWORK_BRIDGE, config, &ret->options, ret_error);
        ret->name = name;
        return r;
}

int firewall_operation(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GArray) networks = g_array_new(FALSE, TRUE, sizeof(FirewallNetwork));
        g_autoptr(GVariant) list = NULL, nics = NULL, translations = NULL;
        g_autoptr(GString) guards = g_string_new(NULL);
        g_autofree char *rules = NULL;
        bool is_guarded, is_empty;
        int r;

        g_array_set_clear_func(networks, firewall_network_clear);
        r = worker_get_variant(worker, "networks", NETWORKS_TYPE, &list, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "nics", "aa{ss}", &nics, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "translations", "a(ssqqsq)", &translations,
                                       ret_error);
        if (r >= 0)
                r = guard_append_rules(guards, nics, ret_error);
        if (r < 0)
                return r;
        is_guarded = r > 0;
        for (size_t i = 0; i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) tuple = g_variant_get_child_value(list, i);
                FirewallNetwork network = { 0 };

                r = parse_network(tuple, names, &network, ret_error);
                if (r < 0)
                        return r;
                g_array_append_val(networks, network);
        }
        r = firewall_rules((const FirewallNetwork *) (void *) networks->data, networks->len,
                           translations, &rules, ret_error);
        if (r < 0)
                return r;
        is_empty = networks->len == 0 && !is_guarded;
        return apply_whole(worker, rules, is_empty ? "" : guards->str, is_guarded, is_empty,
                           ret_error);
}

int firewall_guard_operation(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GVariant) remove = NULL, add = NULL;
        g_autoptr(GString) rules = g_string_new(NULL);
        _cleanup_close_ int fd = -EBADF;
        uint64_t generation;
        const char *path;
        int r;

        r = worker_get_variant(worker, "remove", "aa{ss}", &remove, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "add", "aa{ss}", &add, ret_error);
        if (r >= 0)
                r = guard_append_elements(rules, "delete", remove, ret_error);
        if (r >= 0)
                r = guard_append_elements(rules, "add", add, ret_error);
        if (r >= 0)
                r = lock_unless_outdated(worker, &path, &generation, &fd, ret_error);
        if (r <= 0 || rules->len == 0)
                return r;
        return firewall_apply(rules->str, ret_error);
}
