/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/nic-netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

#include <netlink/errno.h>

#include "service/util/cleanup.h"

/* They hide what the kernel said but for these. */
int nic_errno_of(int code) {
        switch (-code) {
        case NLE_SUCCESS:
                return 0;
        case NLE_EXIST:
                return -EEXIST;
        case NLE_OBJ_NOTFOUND:
        case NLE_NODEV:
                return -ENODEV;
        case NLE_PERM:
                return -EPERM;
        case NLE_OPNOTSUPP:
                return -EOPNOTSUPP;
        case NLE_BUSY:
                return -EBUSY;
        case NLE_NOMEM:
                return -ENOMEM;
        default:
                return -EINVAL;
        }
}

int nic_socket_open(NicSocket **ret) {
        g_autoptr(NicSocket) sock = nl_socket_alloc();
        int r;

        if (!sock)
                return -ENOMEM;
        r = nl_connect(sock, NETLINK_ROUTE);
        if (r < 0)
                return nic_errno_of(r);
        *ret = TAKE_PTR(sock);
        return 0;
}

int nic_socket_open_in(int namespace_fd, NicSocket **ret) {
        _cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        g_autoptr(NicSocket) sock = NULL;
        int r;

        if (own < 0 || setns(namespace_fd, CLONE_NEWNET) < 0)
                return -errno;
        r = nic_socket_open(&sock);
        /* Anything else that this process did would be done to the wrong host. */
        if (setns(own, CLONE_NEWNET) < 0)
                abort();
        if (r >= 0)
                *ret = TAKE_PTR(sock);
        return r;
}

int nic_link_find_index(NicSocket *sock, int index, NicLink **ret) {
        return nic_errno_of(rtnl_link_get_kernel(sock, index, NULL, ret));
}

int nic_link_find(NicSocket *sock, const char *name, NicLink **ret) {
        return nic_errno_of(rtnl_link_get_kernel(sock, 0, name, ret));
}
