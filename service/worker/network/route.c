/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/route.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

typedef struct RouteWalk {
        RouteFunc func;
        void *userdata;
} RouteWalk;

static Subnet subnet_from_attribute(int family, struct nlattr *attribute, unsigned prefix) {
        static const uint8_t any[16];

        /* A default route comes without its destination. */
        if (!attribute)
                return subnet_new(family, any, sizeof(any), prefix);
        return subnet_new(family, nla_data(attribute), (size_t) nla_len(attribute), prefix);
}

static int on_route(struct nl_msg *message, void *userdata) {
        struct nlmsghdr *header = nlmsg_hdr(message);
        const struct rtmsg *rtm = nlmsg_data(header);
        struct nlattr *attributes[RTA_MAX + 1];
        RouteWalk *walk = userdata;
        Route route;

        if (header->nlmsg_type != RTM_NEWROUTE ||
            (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6) ||
            nlmsg_parse(header, sizeof(*rtm), attributes, RTA_MAX, NULL) < 0)
                return NL_SKIP;

        route = (Route) {
                .destination = subnet_from_attribute(rtm->rtm_family, attributes[RTA_DST],
                                                     rtm->rtm_dst_len),
                .table = attributes[RTA_TABLE] ? (int) nla_get_u32(attributes[RTA_TABLE])
                                               : rtm->rtm_table,
                .protocol = rtm->rtm_protocol,
                .oif = attributes[RTA_OIF] ? (int) nla_get_u32(attributes[RTA_OIF]) : 0,
        };
        walk->func(&route, walk->userdata);
        return NL_OK;
}

static int on_address(struct nl_msg *message, void *userdata) {
        struct nlmsghdr *header = nlmsg_hdr(message);
        const struct ifaddrmsg *ifa = nlmsg_data(header);
        struct nlattr *attributes[IFA_MAX + 1];
        RouteWalk *walk = userdata;
        Route route;

        if (header->nlmsg_type != RTM_NEWADDR ||
            (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6) ||
            nlmsg_parse(header, sizeof(*ifa), attributes, IFA_MAX, NULL) < 0 ||
            !attributes[IFA_ADDRESS])
                return NL_SKIP;

        route = (Route) {
                .destination = subnet_from_attribute(ifa->ifa_family, attributes[IFA_ADDRESS],
                                                     ifa->ifa_prefixlen),
                .oif = (int) ifa->ifa_index,
        };
        walk->func(&route, walk->userdata);
        return NL_OK;
}

static int dump(NetlinkSocket *sock, int type, int family, nl_recvmsg_msg_cb_t on_message,
                RouteWalk *walk, Error *ret_error) {
        struct rtgenmsg request = { .rtgen_family = (unsigned char) family };
        int r;

        r = nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_message, walk);
        if (r >= 0)
                r = nl_send_simple(sock, type, NLM_F_DUMP, &request, sizeof(request));
        if (r >= 0)
                r = nl_recvmsgs_default(sock);
        if (r < 0)
                return netlink_error(ret_error, r, "Cannot list the routes of the host");
        return 0;
}

int route_foreach(NetlinkSocket *sock, int family, RouteFunc func, void *userdata,
                  Error *ret_error) {
        RouteWalk walk = { .func = func, .userdata = userdata };

        return dump(sock, RTM_GETROUTE, family, on_route, &walk, ret_error);
}

int route_foreach_address(NetlinkSocket *sock, int family, RouteFunc func, void *userdata,
                          Error *ret_error) {
        RouteWalk walk = { .func = func, .userdata = userdata };

        return dump(sock, RTM_GETADDR, family, on_address, &walk, ret_error);
}
