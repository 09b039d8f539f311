/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"

/* Others take loop devices too, between our asking for a free one and our taking it. */
#define LOOP_RETRY_MAX 64
/* The sector size of btrfs; with it direct I/O works whatever is below. */
#define LOOP_BLOCK_SIZE 4096

static int loop_open(const char *path) {
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

        return fd < 0 ? -errno : fd;
}

static bool loop_is_of(int fd, const struct stat *image) {
        struct loop_info64 info;

        return ioctl(fd, LOOP_GET_STATUS64, &info) >= 0 && info.lo_device == image->st_dev &&
               info.lo_inode == image->st_ino && info.lo_offset == 0 && info.lo_sizelimit == 0;
}

/* Positive if there is a device for the file. */
static int loop_find(int image_fd, int *ret_fd, char **ret_path) {
        struct dirent *entry;
        struct stat image;
        int found = 0;
        DIR *dir;

        if (fstat(image_fd, &image) < 0)
                return -errno;
        dir = opendir("/sys/block");
        if (!dir)
                return -errno;
        while (!found && (entry = readdir(dir))) {
                g_autofree char *attached =
                        g_strdup_printf("/sys/block/%s/loop/backing_file", entry->d_name);
                g_autofree char *path = g_strdup_printf("/dev/%s", entry->d_name);
                _cleanup_close_ int fd = -EBADF;

                if (!g_str_has_prefix(entry->d_name, "loop") || access(attached, F_OK) < 0)
                        continue;
                fd = loop_open(path);
                if (fd < 0 || !loop_is_of(fd, &image))
                        continue;
                *ret_fd = TAKE_FD(fd);
                *ret_path = g_steal_pointer(&path);
                found = 1;
        }
        (void) closedir(dir);
        return found;
}

static int loop_configure(int fd, int image_fd) {
        struct loop_config config = {
                .fd = (uint32_t) image_fd,
                .block_size = LOOP_BLOCK_SIZE,
                .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
        };

        if (ioctl(fd, LOOP_CONFIGURE, &config) >= 0)
                return 0;
        if (errno != EINVAL)
                return -errno;
        /* A filesystem without direct I/O */
        config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
        return ioctl(fd, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
}

int loop_attach(int image_fd, int *ret_fd, char **ret_path) {
        _cleanup_close_ int control_fd = -EBADF;
        int r;

        r = loop_find(image_fd, ret_fd, ret_path);
        if (r != 0)
                return r < 0 ? r : 0;

        control_fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (control_fd < 0)
                return -errno;
        for (int i = 0; i < LOOP_RETRY_MAX; i++) {
                _cleanup_close_ int fd = -EBADF;
                g_autofree char *path = NULL;
                int number = ioctl(control_fd, LOOP_CTL_GET_FREE);

                if (number < 0)
                        return -errno;
                path = g_strdup_printf("/dev/loop%d", number);
                fd = loop_open(path);
                if (fd < 0)
                        return fd;
                r = loop_configure(fd, image_fd);
                if (r == -EBUSY)
                        continue;
                if (r < 0)
                        return r;
                *ret_fd = TAKE_FD(fd);
                *ret_path = g_steal_pointer(&path);
                return 0;
        }
        return -EBUSY;
}
