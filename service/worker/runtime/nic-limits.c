/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/nic-limits.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include <netlink/route/act/mirred.h>
#include <netlink/route/action.h>
#include <netlink/route/classifier.h>
#include <netlink/route/cls/u32.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/tbf.h>

#include "service/model/config.h"
#include "service/model/rate.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/runtime/nic-netlink.h"

#define SHAPERS_DIR "shapers"
/* How long a packet may wait in a queue before it is dropped, and how much may pass at once: a
 * segment as large as the stack hands them out, and at high rates what passes in 10 ms. */
#define LATENCY_USEC 50000
#define BURST_MIN UINT64_C(65536)
#define BURSTS_PER_SECOND 100

typedef struct rtnl_qdisc NicQdisc;
typedef struct rtnl_cls NicClassifier;
typedef struct rtnl_act NicAction;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicQdisc, rtnl_qdisc_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicClassifier, rtnl_cls_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NicAction, rtnl_act_put)

/* Bits a second; 0 for no limit. */
static uint64_t rate_of(GVariant *nic, const char *key) {
        const char *text = config_get(nic, key) ?: config_get(nic, "limits.max");
        uint64_t bits;

        return text && rate_parse_network(text, &bits, NULL) >= 0 ? bits : 0;
}

/* Of 15 bytes at most, and the same for the same interface. */
static char *shaper_name(const char *host_name) {
        return g_strdup_printf("ifb%08x", g_str_hash(host_name));
}

/* --- token buckets --- */

static int bucket_set(NicSocket *sock, NicLink *link, uint64_t bits) {
        g_autoptr(NicQdisc) qdisc = rtnl_qdisc_alloc();
        uint64_t bytes = bits / 8;

        if (!qdisc)
                return -ENOMEM;
        rtnl_tc_set_link(TC_CAST(qdisc), link);
        rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_ROOT);
        rtnl_tc_set_handle(TC_CAST(qdisc), TC_HANDLE(1, 0));
        if (rtnl_tc_set_kind(TC_CAST(qdisc), "tbf") < 0)
                return -EOPNOTSUPP;
        rtnl_qdisc_tbf_set_rate(qdisc, (int) bytes,
                                (int) MAX(bytes / BURSTS_PER_SECOND, BURST_MIN), 0);
        if (rtnl_qdisc_tbf_set_limit_by_latency(qdisc, LATENCY_USEC) < 0)
                return -EINVAL;
        return nic_errno_of(rtnl_qdisc_add(sock, qdisc, NLM_F_CREATE | NLM_F_REPLACE));
}

static int qdisc_remove(NicSocket *sock, NicLink *link, uint32_t parent) {
        g_autoptr(NicQdisc) qdisc = rtnl_qdisc_alloc();
        int r;

        if (!qdisc)
                return -ENOMEM;
        rtnl_tc_set_link(TC_CAST(qdisc), link);
        rtnl_tc_set_parent(TC_CAST(qdisc), parent);
        r = nic_errno_of(rtnl_qdisc_delete(sock, qdisc));
        /* The one that is there unasked cannot be deleted. */
        return r == -ENODEV || r == -EINVAL ? 0 : r;
}

/* --- what comes from the container --- */

static int add_ingress(NicSocket *sock, NicLink *link) {
        g_autoptr(NicQdisc) qdisc = rtnl_qdisc_alloc();

        if (!qdisc)
                return -ENOMEM;
        rtnl_tc_set_link(TC_CAST(qdisc), link);
        rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_INGRESS);
        rtnl_tc_set_handle(TC_CAST(qdisc), TC_H_MAKE(TC_H_INGRESS, 0));
        if (rtnl_tc_set_kind(TC_CAST(qdisc), "ingress") < 0)
                return -EOPNOTSUPP;
        return nic_errno_of(rtnl_qdisc_add(sock, qdisc, NLM_F_CREATE | NLM_F_EXCL));
}

/* Every packet, of whatever protocol. */
static int add_redirection(NicSocket *sock, NicLink *link, NicLink *shaper) {
        g_autoptr(NicClassifier) classifier = rtnl_cls_alloc();
        g_autoptr(NicAction) action = rtnl_act_alloc();
        int r;

        if (!classifier || !action)
                return -ENOMEM;
        if (rtnl_tc_set_kind(TC_CAST(action), "mirred") < 0 ||
            rtnl_tc_set_kind(TC_CAST(classifier), "u32") < 0)
                return -EOPNOTSUPP;
        (void) rtnl_mirred_set_action(action, TCA_EGRESS_REDIR);
        (void) rtnl_mirred_set_policy(action, TC_ACT_STOLEN);
        (void) rtnl_mirred_set_ifindex(action, (uint32_t) rtnl_link_get_ifindex(shaper));
        rtnl_tc_set_link(TC_CAST(classifier), link);
        rtnl_tc_set_parent(TC_CAST(classifier), TC_H_MAKE(TC_H_INGRESS, 0));
        rtnl_cls_set_prio(classifier, 1);
        rtnl_cls_set_protocol(classifier, ETH_P_ALL);
        r = rtnl_u32_add_key_uint32(classifier, 0, 0, 0, 0);
        if (r >= 0)
                r = rtnl_u32_set_cls_terminal(classifier);
        if (r >= 0)
                r = rtnl_u32_add_action(classifier, action);
        if (r >= 0)
                r = rtnl_cls_add(sock, classifier, NLM_F_CREATE | NLM_F_EXCL);
        return nic_errno_of(r);
}

static int remember(int path_fd, const char *shaper) {
        _cleanup_close_ int dir_fd = path_make_dir(path_fd, SHAPERS_DIR, 0700), fd = -EBADF;

        if (dir_fd < 0)
                return dir_fd;
        fd = openat(dir_fd, shaper, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        return fd < 0 ? -errno : 0;
}

static int shaper_make(NicSocket *sock, int path_fd, const char *name, NicLink **ret) {
        g_autoptr(NicLink) link = rtnl_link_alloc(), change = rtnl_link_alloc(), made = NULL;
        int r;

        if (!link || !change)
                return -ENOMEM;
        r = nic_link_find(sock, name, ret);
        if (r != -ENODEV)
                return r;
        r = remember(path_fd, name);
        if (r < 0)
                return r;
        rtnl_link_set_name(link, name);
        r = nic_errno_of(rtnl_link_set_type(link, "ifb"));
        if (r >= 0)
                r = nic_errno_of(rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL));
        if (r >= 0)
                r = nic_link_find(sock, name, &made);
        if (r < 0)
                return r;
        rtnl_link_set_flags(change, IFF_UP);
        r = nic_errno_of(rtnl_link_change(sock, made, change, 0));
        if (r >= 0)
                *ret = TAKE_PTR(made);
        return r;
}

static void shaper_remove(NicSocket *sock, int path_fd, const char *name) {
        _cleanup_close_ int dir_fd = path_open_beneath(path_fd, SHAPERS_DIR,
                                                       O_RDONLY | O_DIRECTORY, 0);
        g_autoptr(NicLink) link = NULL;

        if (nic_link_find(sock, name, &link) >= 0 &&
            g_strcmp0(rtnl_link_get_type(link), "ifb") == 0)
                (void) rtnl_link_delete(sock, link);
        if (dir_fd >= 0)
                (void) unlinkat(dir_fd, name, 0);
}

static int egress_set(NicSocket *sock, int path_fd, NicLink *link, const char *name,
                      uint64_t bits) {
        g_autoptr(NicLink) shaper = NULL;
        int r;

        r = shaper_make(sock, path_fd, name, &shaper);
        if (r >= 0)
                r = bucket_set(sock, shaper, bits);
        if (r < 0)
                return r;
        r = add_ingress(sock, link);
        if (r == -EEXIST) /* it is redirected already */
                return 0;
        return r < 0 ? r : add_redirection(sock, link, shaper);
}

/* --- both --- */

static int limits_error(GVariant *nic, const char *what, int r, Error *ret_error) {
        const char *name = config_get(nic, "name");

        if (r == -EOPNOTSUPP || r == -ENOENT || r == -ENODEV)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Network interface \"%s\" cannot have %s: this kernel lacks what "
                                 "it takes (sch_tbf; from the container also sch_ingress, "
                                 "cls_u32, act_mirred and ifb)", name, what);
        return error_set_errno(ret_error, -r, "Cannot set %s of network interface \"%s\"", what,
                               name);
}

int nic_limits_apply(int path_fd, GVariant *nic, Error *ret_error) {
        const char *host_name = config_get(nic, "host_name");
        g_autofree char *shaper = host_name ? shaper_name(host_name) : NULL;
        uint64_t in = rate_of(nic, "limits.ingress"), out = rate_of(nic, "limits.egress");
        g_autoptr(NicSocket) sock = NULL;
        g_autoptr(NicLink) link = NULL;
        int r;

        if (!host_name)
                return 0;
        r = nic_socket_open(&sock);
        if (r >= 0)
                r = nic_link_find(sock, host_name, &link);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot find network interface \"%s\" of the host",
                                       host_name);
        r = in > 0 ? bucket_set(sock, link, in) : qdisc_remove(sock, link, TC_H_ROOT);
        if (r < 0)
                return limits_error(nic, "limits.ingress", r, ret_error);
        if (out > 0) {
                r = egress_set(sock, path_fd, link, shaper, out);
                return r < 0 ? limits_error(nic, "limits.egress", r, ret_error) : 0;
        }
        r = qdisc_remove(sock, link, TC_H_INGRESS);
        shaper_remove(sock, path_fd, shaper);
        return r < 0 ? limits_error(nic, "limits.egress", r, ret_error) : 0;
}

void nic_limits_remove(int path_fd, GVariant *nic) {
        const char *host_name = config_get(nic, "host_name");
        g_autofree char *shaper = host_name ? shaper_name(host_name) : NULL;
        g_autoptr(NicSocket) sock = NULL;

        if (shaper && nic_socket_open(&sock) >= 0)
                shaper_remove(sock, path_fd, shaper);
}

void nic_limits_remove_all(int path_fd) {
        _cleanup_close_ int dir_fd = path_open_beneath(path_fd, SHAPERS_DIR,
                                                       O_RDONLY | O_DIRECTORY, 0);
        g_autoptr(NicSocket) sock = NULL;
        struct dirent *entry;
        DIR *d = dir_fd < 0 ? NULL : fdopendir(dup(dir_fd));

        if (!d)
                return;
        if (nic_socket_open(&sock) >= 0)
                while ((entry = readdir(d)))
                        if (path_is_component(entry->d_name))
                                shaper_remove(sock, path_fd, entry->d_name);
        (void) closedir(d);
}
