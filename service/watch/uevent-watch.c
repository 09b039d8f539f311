/* SPDX-License-Identifier: Apache-2.0 */
#include "service/watch/uevent-watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/watch/netlink-socket.h"

/* The kernel has 2048 bytes for the variables, and the path before them. */
#define MESSAGE_MAX 8192
/* What udev sends on goes to another group. */
#define GROUP_KERNEL 1U

struct UeventWatch {
        UeventWatchFunc func;
        void *userdata;
        int fd;
        sd_event_source *source;
};

/* From the kernel: nobody else has its address, and credentials cannot be made up. */
static bool is_from_kernel(struct msghdr *message) {
        const struct sockaddr_nl *sender = message->msg_name;
        const struct cmsghdr *control = CMSG_FIRSTHDR(message);
        struct ucred credentials;

        if (message->msg_namelen != sizeof(*sender) || sender->nl_pid != 0 ||
            sender->nl_groups != GROUP_KERNEL || !control ||
            control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_CREDENTIALS ||
            control->cmsg_len != CMSG_LEN(sizeof(credentials)))
                return false;
        memcpy(&credentials, CMSG_DATA(control), sizeof(credentials));
        return credentials.uid == 0;
}

/* "add@/devices/…", then variables "KEY=VALUE", each ended by a NUL. */
static void read_message(UeventWatch *watch, const char *text, size_t size) {
        const char *subsystem = NULL;
        bool comes_or_goes = false, has_node = false;

        if (size == 0 || text[size - 1] != '\0')
                return;
        for (const char *line = text; line < text + size; line += strlen(line) + 1)
                if (g_str_has_prefix(line, "SUBSYSTEM="))
                        subsystem = line + strlen("SUBSYSTEM=");
                else if (g_str_has_prefix(line, "DEVNAME="))
                        has_node = true;
                else if (g_str_equal(line, "ACTION=add") || g_str_equal(line, "ACTION=remove"))
                        comes_or_goes = true;
        if (subsystem && has_node && comes_or_goes)
                watch->func(subsystem, watch->userdata);
}

static ssize_t receive(int fd, char *buffer, bool *ret_trusted) {
        union {
                struct cmsghdr header;
                char buffer[CMSG_SPACE(sizeof(struct ucred))];
        } control;
        struct sockaddr_nl sender = { 0 };
        struct iovec iov = { .iov_base = buffer, .iov_len = MESSAGE_MAX };
        struct msghdr message = {
                .msg_name = &sender,
                .msg_namelen = sizeof(sender),
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        ssize_t n = recvmsg(fd, &message, 0);

        if (n < 0)
                return -errno;
        *ret_trusted = !(message.msg_flags & MSG_TRUNC) && is_from_kernel(&message);
        return n;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        UeventWatch *watch = userdata;
        g_autofree char *buffer = g_malloc(MESSAGE_MAX);

        /* Not for ever, so that who makes the kernel talk cannot keep the loop from its work. */
        for (int i = 0; i < NETLINK_SOCKET_READ_MAX; i++) {
                bool trusted = false;
                ssize_t n = receive(fd, buffer, &trusted);

                if (n == -EAGAIN)
                        break;
                if (n == -ENOBUFS)
                        watch->func(NULL, watch->userdata);
                else if (n < 0 && n != -EINTR) {
                        log_debug("Cannot read messages about hardware: %s",
                                  g_strerror((int) -n));
                        break;
                } else if (n > 0 && trusted)
                        read_message(watch, buffer, (size_t) n);
        }
        return 0;
}

int uevent_watch_new(sd_event *event, UeventWatchFunc func, void *userdata, UeventWatch **ret) {
        static const unsigned groups[] = { GROUP_KERNEL, 0 };
        g_autoptr(UeventWatch) watch = g_new(UeventWatch, 1);
        const int on = 1;
        int r;

        *watch = (UeventWatch) { .func = func, .userdata = userdata, .fd = -EBADF };
        watch->fd = netlink_socket_open(NETLINK_KOBJECT_UEVENT, groups);
        if (watch->fd < 0)
                return watch->fd;
        if (setsockopt(watch->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
                return -errno;
        r = sd_event_add_io(event, &watch->source, watch->fd, EPOLLIN, on_readable, watch);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(watch->source, "uevent-watch");
        *ret = TAKE_PTR(watch);
        return 0;
}

UeventWatch *uevent_watch_free(UeventWatch *watch) {
        if (!watch)
                return NULL;

        sd_event_source_disable_unref(watch->source);
        (void) fd_close(watch->fd);
        g_free(watch);
        return NULL;
}
