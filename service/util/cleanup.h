/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ownership of locals. GLib's g_autofree and g_autoptr() cover memory and objects (every type of
 * ours that is freed declares its autoptr next to its free function); this header adds what GLib
 * lacks: file descriptors and FILE streams.
 */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <glib.h>

static inline int fd_close(int fd) {
        if (fd >= 0)
                (void) close(fd);
        return -EBADF;
}

static inline void fd_close_p(int *fd) {
        *fd = fd_close(*fd);
}

static inline void file_close_p(FILE **f) {
        if (*f)
                (void) fclose(*f);
        *f = NULL;
}

/* Holds a file descriptor, -EBADF when empty; hand it over with TAKE_FD(). */
#define _cleanup_close_ __attribute__((cleanup(fd_close_p)))
#define _cleanup_fclose_ __attribute__((cleanup(file_close_p)))

#define TAKE_FD(_fd) \
        ({ \
                int *_fd_p = &(_fd); \
                int _fd_taken = *_fd_p; \
                *_fd_p = -EBADF; \
                _fd_taken; \
        })
#define TAKE_PTR(_p) g_steal_pointer(&(_p))

#define ELEMENTSOF(_a) (sizeof(_a) / sizeof((_a)[0]))
