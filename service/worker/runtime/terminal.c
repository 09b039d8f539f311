/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/terminal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"

#define PTMX_MAJOR 5
#define PTMX_MINOR 2

static int open_devpts(void) {
        struct open_how how = {
                .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int fd =
                (int) syscall(SYS_openat2, AT_FDCWD, "/dev/pts", &how, sizeof(how));
        struct statfs fs;

        if (fd < 0 || fstatfs(fd, &fs) < 0)
                return -errno;
        return fs.f_type == DEVPTS_SUPER_MAGIC ? TAKE_FD(fd) : -EMEDIUMTYPE;
}

static int open_pair(uint32_t width, uint32_t height, int *ret_master, int *ret_slave) {
        _cleanup_close_ int devpts = open_devpts(), master = -EBADF, slave = -EBADF;
        struct stat st;
        int unlocked = 0, r;

        if (devpts < 0)
                return devpts;
        master = path_open_beneath(devpts, "ptmx", O_RDWR, 0);
        if (master < 0)
                return master;
        if (fstat(master, &st) < 0)
                return -errno;
        if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(PTMX_MAJOR, PTMX_MINOR))
                return -EMEDIUMTYPE;
        if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
                return -errno;
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0)
                return -errno;
        r = terminal_resize(slave, width, height);
        if (r < 0)
                return r;
        *ret_master = TAKE_FD(master);
        *ret_slave = TAKE_FD(slave);
        return 0;
}

int terminal_open(uint32_t width, uint32_t height, int *ret_master, int *ret_slave,
                  Error *ret_error) {
        int r = open_pair(width, height, ret_master, ret_slave);

        if (r == -EMEDIUMTYPE)
                return error_set(
                        ret_error, ERROR_FAILED,
                        "The container has mounted something that is no devpts on /dev/pts, "
                        "so there is no terminal for the program");
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot open a terminal in the container's /dev/pts");
        return 0;
}

int terminal_resize(int fd, uint32_t width, uint32_t height) {
        struct winsize size = {
                .ws_col = (unsigned short) MIN(width, (uint32_t) G_MAXUSHORT),
                .ws_row = (unsigned short) MIN(height, (uint32_t) G_MAXUSHORT),
        };

        return ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}
