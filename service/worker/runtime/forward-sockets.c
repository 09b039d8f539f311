/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/forward-sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/runtime/device-inside.h"

#define BACKLOG 128

void forward_target_fill(const ProxyAddress *address, uint16_t port, ForwardTarget *ret) {
        size_t n = strlen(address->host);

        *ret = (ForwardTarget) { 0 };
        switch (proxy_address_family(address)) {
        case AF_INET:
                ret->address.ipv4.sin_family = AF_INET;
                ret->address.ipv4.sin_port = htons(port);
                (void) inet_pton(AF_INET, address->host, &ret->address.ipv4.sin_addr);
                ret->length = sizeof(ret->address.ipv4);
                return;
        case AF_INET6:
                ret->address.ipv6.sin6_family = AF_INET6;
                ret->address.ipv6.sin6_port = htons(port);
                (void) inet_pton(AF_INET6, address->host, &ret->address.ipv6.sin6_addr);
                ret->length = sizeof(ret->address.ipv6);
                return;
        }
        n = MIN(n, sizeof(ret->address.path.sun_path) - 1);
        ret->address.path.sun_family = AF_UNIX;
        memcpy(ret->address.path.sun_path, address->host, n);
        ret->length = (uint32_t) (offsetof(struct sockaddr_un, sun_path) + n);
        if (proxy_address_is_abstract(address))
                ret->address.path.sun_path[0] = '\0';
        else
                ret->length++;
}

static int new_socket(const ProxyAddress *address) {
        int type = address->protocol == PROXY_UDP ? SOCK_DGRAM : SOCK_STREAM, one = 1;
        int family = proxy_address_family(address);
        _cleanup_close_ int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return -errno;
        /* One that has just ended may have left connections in their last state. */
        if (address->protocol == PROXY_TCP &&
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
                return -errno;
        /* [::] is not also 0.0.0.0. */
        if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int bind_address(int fd, const ForwardTarget *target, bool datagrams) {
        if (bind(fd, &target->address.any, target->length) < 0 ||
            (!datagrams && listen(fd, BACKLOG) < 0))
                return -errno;
        return 0;
}

/* --- addresses and abstract names: they are of a network namespace --- */

typedef struct Opening {
        const ProxyAddress *address;
        int channel;     /* of the child that opens inside; -EBADF: they go to fds */
        GArray *fds;
} Opening;

static int open_port(const Opening *opening, uint16_t port) {
        _cleanup_close_ int fd = new_socket(opening->address);
        ForwardTarget target;
        char byte = 0;
        int r;

        if (fd < 0)
                return fd;
        forward_target_fill(opening->address, port, &target);
        r = bind_address(fd, &target, opening->address->protocol == PROXY_UDP);
        if (r < 0)
                return r;
        if (opening->channel >= 0)
                return fd_send(opening->channel, &byte, sizeof(byte), &fd, 1);
        g_array_append_val(opening->fds, fd);
        (void) TAKE_FD(fd);
        return 0;
}

static int open_ports(void *userdata) {
        const Opening *opening = userdata;
        const GArray *ports = opening->address->ports;
        int r = 0;

        if (!ports)
                return open_port(opening, 0);
        for (guint i = 0; r >= 0 && i < ports->len; i++)
                r = open_port(opening, g_array_index(ports, uint16_t, i));
        return MIN(r, 0);
}

/* A child opens them and sends them over. */
static int open_ports_inside(const Process *init, Opening *opening) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        size_t n = proxy_address_count(opening->address);
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        ours = pair[0];
        opening->channel = theirs = pair[1];
        r = device_inside_run(init, CLONE_NEWNET, open_ports, opening);
        theirs = fd_close(theirs);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                size_t n_fds = 1;
                int fd = -EBADF;
                char byte;

                if (fd_receive(ours, &byte, sizeof(byte), &fd, &n_fds) != sizeof(byte) || fd < 0)
                        return -EPIPE;
                g_array_append_val(opening->fds, fd);
        }
        return r;
}

/* --- paths: they are of a mount namespace --- */

typedef struct PathSocket {
        const ForwardTarget *target;
        const ForwardSocketOwner *owner;
        int fd;
} PathSocket;

/* Whoever listened there last may have had no time to take it away. */
static int remove_stale(const ForwardTarget *target) {
        _cleanup_close_ int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const char *path = target->address.path.sun_path;
        struct stat st;

        if (probe < 0)
                return -errno;
        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (!S_ISSOCK(st.st_mode))
                return -EADDRINUSE;
        if (connect(probe, &target->address.any, target->length) >= 0 || errno != ECONNREFUSED)
                return -EADDRINUSE;
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* What is at the path now is ours unless somebody who may write to its directory has exchanged it:
 * a link to a socket of somebody else's is what must not change hands. */
static int set_owner(const char *path, const ForwardSocketOwner *owner) {
        _cleanup_close_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISSOCK(st.st_mode) || st.st_nlink != 1)
                return -EADDRINUSE;
        return fchownat(fd, "", owner->uid, owner->gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int bind_path(void *userdata) {
        const PathSocket *socket = userdata;
        const char *path = socket->target->address.path.sun_path;
        mode_t mask;
        int r;

        r = remove_stale(socket->target);
        if (r < 0)
                return r;
        /* The only way to a mode without a moment in which it is another. */
        mask = umask(~socket->owner->mode & 0777);
        r = bind(socket->fd, &socket->target->address.any, socket->target->length) < 0 ? -errno : 0;
        (void) umask(mask);
        if (r < 0)
                return r;
        r = set_owner(path, socket->owner);
        if (r >= 0 && listen(socket->fd, BACKLOG) < 0)
                r = -errno;
        if (r < 0)
                (void) unlink(path);
        return r;
}

static int unlink_path(void *userdata) {
        return remove_stale(userdata);
}

static int open_path(const ProxyAddress *address, bool inside, const Process *init,
                     const ForwardSocketOwner *owner, GArray *fds) {
        _cleanup_close_ int fd = new_socket(address);
        ForwardTarget target;
        PathSocket bound = { &target, owner, fd };
        int r;

        if (fd < 0)
                return fd;
        forward_target_fill(address, 0, &target);
        r = inside ? device_inside_run(init, CLONE_NEWUSER | CLONE_NEWNS, bind_path, &bound)
                   : bind_path(&bound);
        if (r < 0)
                return r;
        g_array_append_val(fds, fd);
        (void) TAKE_FD(fd);
        return 0;
}

int forward_sockets_open(const ProxyAddress *address, bool inside, const Process *init,
                         const ForwardSocketOwner *owner, GArray *fds) {
        Opening opening = { address, -EBADF, fds };

        if (address->protocol == PROXY_UNIX && !proxy_address_is_abstract(address))
                return open_path(address, inside, init, owner, fds);
        return inside ? open_ports_inside(init, &opening) : open_ports(&opening);
}

int forward_sockets_remove(const ProxyAddress *address, bool inside, const Process *init) {
        ForwardTarget target;

        if (address->protocol != PROXY_UNIX || proxy_address_is_abstract(address))
                return 0;
        forward_target_fill(address, 0, &target);
        if (!inside)
                return unlink_path(&target);
        return device_inside_run(init, CLONE_NEWUSER | CLONE_NEWNS, unlink_path, &target);
}
