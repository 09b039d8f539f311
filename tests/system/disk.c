/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A disk whose power can fail: disk NOW DURABLE JOURNAL MOUNT-POINT (libfuse's options may follow)
 *
 * Serves one file, "disk", for a loop device to be on. What is written to it goes to the file NOW;
 * at a flush, and not before, to DURABLE too: that is what a disk has when the power fails that
 * lost all that it was not told to keep. The same is appended to JOURNAL, flush by flush: who
 * truncates that can have later what the disk had after each of them.
 *
 *     disk --flushes JOURNAL           says how many flushes are in it
 *     disk --replay JOURNAL FILE N     brings FILE from what it was before the first to after N
 */

#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Written since the last flush, a byte for each block. */
#define BLOCK 4096
/* Where a block would be: the end of a flush in the journal. */
#define FLUSHED UINT64_MAX

typedef struct Entry {
        uint64_t offset;
        char block[BLOCK];
} Entry;

static int now_fd = -1, durable_fd = -1, journal_fd = -1;
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
        Entry entry;

        (void) path;
        (void) data_only;
        (void) info;
        for (off_t i = 0; i < size / BLOCK; i++) {
                if (!dirty[i])
                        continue;
                entry.offset = (uint64_t) (i * BLOCK);
                if (pread(now_fd, entry.block, BLOCK, i * BLOCK) != BLOCK ||
                    pwrite(durable_fd, entry.block, BLOCK, i * BLOCK) != BLOCK ||
                    write(journal_fd, &entry, sizeof(entry)) != sizeof(entry))
                        return -EIO;
                dirty[i] = false;
        }
        entry.offset = FLUSHED;
        return write(journal_fd, &entry, sizeof(entry)) == sizeof(entry) ? 0 : -EIO;
}

/* Up to so many flushes, into `fd` unless that is negative. Returns their number, or negative. */
static long replay(const char *journal, int fd, long flushes) {
        FILE *f = fopen(journal, "re");
        long n = 0;
        Entry entry;

        if (!f)
                return -1;
        while (n < flushes && fread(&entry, sizeof(entry), 1, f) == 1) {
                if (entry.offset == FLUSHED)
                        n++;
                else if (fd >= 0 &&
                         pwrite(fd, entry.block, BLOCK, (off_t) entry.offset) != BLOCK)
                        n = -1;
        }
        (void) fclose(f);
        return n;
}

static int replay_main(int argc, char *argv[]) {
        if (argc == 3) {
                printf("%ld\n", replay(argv[2], -1, LONG_MAX));
                return EXIT_SUCCESS;
        } else if (argc == 5) {
                long n = strtol(argv[4], NULL, 10);
                int fd = open(argv[3], O_WRONLY | O_CLOEXEC);

                return fd >= 0 && replay(argv[2], fd, n) == n ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        return EXIT_FAILURE;
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

        if (argc > 1 && strncmp(argv[1], "--", 2) == 0)
                return replay_main(argc, argv);
        if (argc < 5)
                return EXIT_FAILURE;
        now_fd = open(argv[1], O_RDWR | O_CLOEXEC);
        durable_fd = open(argv[2], O_RDWR | O_CLOEXEC);
        journal_fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (now_fd < 0 || durable_fd < 0 || journal_fd < 0 || fstat(now_fd, &st) < 0)
                return EXIT_FAILURE;
        size = st.st_size;
        dirty = calloc((size_t) (size / BLOCK), 1);
        if (!dirty)
                return EXIT_FAILURE;
        argv[3] = argv[0];
        return fuse_main(argc - 3, argv + 3, &operations, NULL);
}
