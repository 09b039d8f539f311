/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A disk whose power can fail: disk NOW DURABLE MOUNT-POINT (libfuse's options may follow)
 *
 * Serves one file, "disk", for a loop device to be on. What is written to it goes to the file NOW;
 * at a flush, and not before, to DURABLE too: that is what a disk has when the power fails that
 * lost all that it was not told to keep.
 */

#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Written since the last flush, a byte for each block. */
#define BLOCK 4096

static int now_fd = -1, durable_fd = -1;
static off_t size;
static unsigned char *dirty;

static int disk_getattr(const char *path, struct stat *st, struct fuse_file_info *info) {
        (void) info;
        *st = (struct stat) { .st_mode = S_IFDIR | 0700, .st_nlink = 2 };
        if (strcmp(path, "/") == 0)
                return 0;
        if (strcmp(path, "/disk") != 0)
                return -ENOENT;
        *st = (struct stat) { .st_mode = S_IFREG | 0600, .st_nlink = 1, .st_size = size };
        return 0;
}

static int disk_open(const char *path, struct fuse_file_info *info) {
        (void) info;
        return strcmp(path, "/disk") == 0 ? 0 : -ENOENT;
}

static int disk_read(const char *path, char *data, size_t n, off_t at,
                     struct fuse_file_info *info) {
        ssize_t r = pread(now_fd, data, n, at);

        (void) path;
        (void) info;
        return r < 0 ? -errno : (int) r;
}

static int disk_write(const char *path, const char *data, size_t n, off_t at,
                      struct fuse_file_info *info) {
        ssize_t r;

        (void) path;
        (void) info;
        if (at + (off_t) n > size)
                return -ENOSPC;
        r = pwrite(now_fd, data, n, at);
        if (r < 0)
                return -errno;
        memset(dirty + at / BLOCK, true, (size_t) ((at + r - 1) / BLOCK - at / BLOCK + 1));
        return (int) r;
}

static int disk_fsync(const char *path, int data_only, struct fuse_file_info *info) {
        char block[BLOCK];

        (void) path;
        (void) data_only;
        (void) info;
        for (off_t i = 0; i < size / BLOCK; i++) {
                if (!dirty[i])
                        continue;
                if (pread(now_fd, block, BLOCK, i * BLOCK) != BLOCK ||
                    pwrite(durable_fd, block, BLOCK, i * BLOCK) != BLOCK)
                        return -EIO;
                dirty[i] = false;
        }
        return 0;
}

static const struct fuse_operations operations = {
        .getattr = disk_getattr,
        .open = disk_open,
        .read = disk_read,
        .write = disk_write,
        .fsync = disk_fsync,
};

int main(int argc, char *argv[]) {
        struct stat st;

        if (argc < 4)
                return EXIT_FAILURE;
        now_fd = open(argv[1], O_RDWR | O_CLOEXEC);
        durable_fd = open(argv[2], O_RDWR | O_CLOEXEC);
        if (now_fd < 0 || durable_fd < 0 || fstat(now_fd, &st) < 0)
                return EXIT_FAILURE;
        size = st.st_size;
        dirty = calloc((size_t) (size / BLOCK), 1);
        if (!dirty)
                return EXIT_FAILURE;
        argv[2] = argv[0];
        return fuse_main(argc - 2, argv + 2, &operations, NULL);
}
