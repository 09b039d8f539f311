/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/netlink.h"

#include <errno.h>
#include <stdarg.h>

#include <netlink/errno.h>

int netlink_error(Error *e, int code, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        switch (-code) {
        case NLE_PERM:
                return error_set_errno(e, EPERM, "%s", text);
        case NLE_OPNOTSUPP:
                return error_set_errno(e, EOPNOTSUPP, "%s", text);
        default:
                return error_set(e, ERROR_BACKEND_FAILED, "%s: %s", text, nl_geterror(-code));
        }
}

int netlink_open(NetlinkSocket **ret, Error *ret_error) {
        g_autoptr(NetlinkSocket) sock = nl_socket_alloc();
        int r;

        if (!sock)
                g_error("Out of memory");
        r = nl_connect(sock, NETLINK_ROUTE);
        if (r < 0)
                return netlink_error(ret_error, r, "Cannot open a netlink socket");
        *ret = g_steal_pointer(&sock);
        return 0;
}
