/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/vfs.h>

#include <glib.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"

#define SYSCTL_LENGTH_MAX 64

static int sysctl_open(const char *name, int flags) {
        _cleanup_close_ int root = path_open_dir("/proc/sys/net");
        struct statfs fs;

        if (root < 0)
                return root;
        if (fstatfs(root, &fs) < 0)
                return -errno;
        if (fs.f_type != PROC_SUPER_MAGIC)
                return -EMEDIUMTYPE;
        return path_open_beneath(root, name, flags, 0);
}

int sysctl_read(const char *name, long *ret) {
        g_autoptr(GBytes) bytes = NULL;
        g_autofree char *text = NULL;
        gint64 value;
        int r;

        _cleanup_close_ int fd = sysctl_open(name, O_RDONLY);
        if (fd < 0)
                return fd;
        r = fd_read_all(fd, SYSCTL_LENGTH_MAX, &bytes);
        if (r < 0)
                return r;
        if (g_bytes_get_size(bytes) == 0)
                return -EINVAL;

        text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        if (!g_ascii_string_to_signed(g_strstrip(text), 10, INT32_MIN, INT32_MAX, &value, NULL))
                return -EINVAL;
        *ret = (long) value;
        return 0;
}

int sysctl_write(const char *name, long value) {
        g_autofree char *text = g_strdup_printf("%ld", value);
        long current;

        if (sysctl_read(name, &current) >= 0 && current == value)
                return 0;

        _cleanup_close_ int fd = sysctl_open(name, O_WRONLY);
        if (fd < 0)
                return fd;
        return fd_write_all(fd, text, strlen(text));
}
