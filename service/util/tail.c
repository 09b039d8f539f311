/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"

/* Puts up to `max` bytes from the end of the file before what is in `text`. */
static int prepend_tail(const char *path, size_t max, GString *text) {
        _cleanup_close_ int fd =
                open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        g_autofree char *data = NULL;
        struct stat st;
        size_t size, got = 0;
        ssize_t n = 1;

        if (fd < 0)
                return errno == ENOENT ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EMEDIUMTYPE;
        size = MIN((size_t) st.st_size, max);
        data = g_malloc(MAX(size, 1));
        while (got < size && n > 0) {
                n = pread(fd, data + got, size - got, st.st_size - (off_t) (size - got));
                if (n < 0 && errno != EINTR)
                        return -errno;
                got += n > 0 ? (size_t) n : 0;
        }
        g_string_prepend_len(text, data, (gssize) got);
        return 0;
}

int tail_read(const char *path, size_t max, GBytes **ret) {
        g_autofree char *older = g_strconcat(path, ".1", NULL);
        g_autoptr(GString) text = g_string_new(NULL);
        int r;

        r = prepend_tail(path, max, text);
        if (r >= 0 && text->len < max)
                r = prepend_tail(older, max - text->len, text);
        if (r < 0)
                return r;
        *ret = g_string_free_to_bytes(g_steal_pointer(&text));
        return 0;
}
