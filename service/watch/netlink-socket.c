/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watch/netlink-socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "service/util/cleanup.h"

/* The kernel never puts more into one datagram of a dump. */
#define DATAGRAM_MAX (32U << 10)
/* Room for what comes while the loop is busy; memory is used only as messages wait. */
#define RECEIVE_BUFFER_SIZE (8 << 20)

int netlink_socket_open(int protocol, const unsigned *groups) {
        struct sockaddr_nl address = { .nl_family = AF_NETLINK };
        int size = RECEIVE_BUFFER_SIZE;

        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                                        protocol);
        if (fd < 0)
                return -errno;
        /* Without the privilege the default stays, and ENOBUFS comes sooner. */
        (void) setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
        if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        for (const unsigned *group = groups; *group; group++)
                if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group, sizeof(*group)) < 0)
                        return -errno;
        return TAKE_FD(fd);
}

static int find_nsid(struct msghdr *message) {
        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                int nsid;

                if (c->cmsg_level != SOL_NETLINK || c->cmsg_type != NETLINK_LISTEN_ALL_NSID ||
                    c->cmsg_len != CMSG_LEN(sizeof(nsid)))
                        continue;
                memcpy(&nsid, CMSG_DATA(c), sizeof(nsid));
                return nsid;
        }
        return NETLINK_SOCKET_OWN_NSID;
}

/* One datagram, which holds several messages. Returns its size, -EAGAIN when none is there. */
static ssize_t receive(int fd, void *buffer, int *ret_nsid) {
        union {
                struct cmsghdr header;
                char buffer[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct nl_pktinfo))];
        } control;
        struct sockaddr_nl sender = { 0 };

        for (;;) {
                struct iovec iov = { .iov_base = buffer, .iov_len = DATAGRAM_MAX };
                struct msghdr message = {
                        .msg_name = &sender,
                        .msg_namelen = sizeof(sender),
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control),
                };
                ssize_t n = recvmsg(fd, &message, 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                /* Only the kernel is believed. */
                if (sender.nl_pid != 0)
                        continue;
                if (message.msg_flags & MSG_TRUNC)
                        return -ENOBUFS;
                *ret_nsid = find_nsid(&message);
                return n;
        }
}

int netlink_socket_read(int fd, NetlinkSocketFunc func, void *userdata) {
        g_autofree void *buffer = g_malloc(DATAGRAM_MAX);
        int nsid = NETLINK_SOCKET_OWN_NSID;

        for (int i = 0; i < NETLINK_SOCKET_READ_MAX; i++) {
                ssize_t n = receive(fd, buffer, &nsid);
                int left = (int) n;

                if (n == -EAGAIN)
                        return 0;
                if (n < 0)
                        return (int) n;
                for (struct nlmsghdr *m = buffer; nlmsg_ok(m, left); m = nlmsg_next(m, &left))
                        func(m, nsid, userdata);
        }
        return 1;
}

/* 1 at the end of the answer, 0 before, or the error that it is. */
static int read_end(const struct nlmsghdr *message) {
        int code = 0;

        if (message->nlmsg_type != NLMSG_ERROR && message->nlmsg_type != NLMSG_DONE)
                return 0;
        if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(code)))
                memcpy(&code, NLMSG_DATA(message), sizeof(code));
        return code < 0 ? code : 1;
}

int netlink_socket_ask(int fd, struct nlmsghdr *request, NetlinkSocketFunc func, void *userdata) {
        g_autofree void *buffer = g_malloc(DATAGRAM_MAX);
        static uint32_t sequence;
        bool interrupted = false;
        int nsid = -1;

        request->nlmsg_seq = ++sequence;
        request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
        if (send(fd, request, request->nlmsg_len, MSG_NOSIGNAL) < 0)
                return -errno;

        for (;;) {
                ssize_t n = receive(fd, buffer, &nsid);
                int left = (int) n;

                if (n < 0)
                        return (int) n;
                for (struct nlmsghdr *m = buffer; nlmsg_ok(m, left); m = nlmsg_next(m, &left)) {
                        int r;

                        if (m->nlmsg_seq != request->nlmsg_seq)
                                continue; /* what an earlier question that failed left behind */
                        interrupted = interrupted || m->nlmsg_flags & NLM_F_DUMP_INTR;
                        r = read_end(m);
                        if (r < 0)
                                return r;
                        /* A list that was changed while it was read may have holes. */
                        if (r > 0)
                                return interrupted ? -EINTR : 0;
                        if (func)
                                func(m, nsid, userdata);
                }
        }
}

NetlinkMessage *netlink_message_new(int type, int flags, const void *header, size_t size) {
        NetlinkMessage *message = nlmsg_alloc_simple(type, flags);

        if (!message || nlmsg_append(message, (void *) header, size, NLMSG_ALIGNTO) < 0)
                g_error("Out of memory");
        return message;
}

void netlink_message_put(NetlinkMessage *message, int type, int value) {
        if (nla_put_s32(message, type, value) < 0)
                g_error("Out of memory");
}
