/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"

int fd_write_all(int fd, const void *data, size_t size) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

int fd_read_all(int fd, size_t max, GBytes **ret) {
        g_autoptr(GByteArray) data = g_byte_array_new();
        guint8 buffer[16384];

        for (;;) {
                ssize_t n = read(fd, buffer, sizeof(buffer));

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        break;
                if (data->len + (size_t) n > max)
                        return -E2BIG;
                g_byte_array_append(data, buffer, (guint) n);
        }
        *ret = g_byte_array_free_to_bytes(g_steal_pointer(&data));
        return 0;
}

int fd_read_text(int fd, size_t max, char **ret) {
        g_autoptr(GBytes) bytes = NULL;
        const char *data;
        gsize size;
        int r;

        r = fd_read_all(fd, max, &bytes);
        if (r < 0)
                return r;
        data = g_bytes_get_data(bytes, &size);
        if (size > 0 && memchr(data, '\0', size))
                return -EBADMSG;
        *ret = size > 0 ? g_strndup(data, size) : g_strdup("");
        return 0;
}

/* Where the kernel can't copy by itself: pipes, sockets, files of two filesystems. */
static int fd_copy_by_hand(int in, int out, uint64_t *size) {
        g_autofree guint8 *buffer = g_malloc(1 << 17);

        for (;;) {
                ssize_t n = read(in, buffer, 1 << 17);
                int r;

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        return 0;
                r = fd_write_all(out, buffer, (size_t) n);
                if (r < 0)
                        return r;
                *size += (uint64_t) n;
        }
}

int fd_copy(int in, int out, uint64_t *ret_size) {
        uint64_t size = 0;
        int r;

        for (;;) {
                ssize_t n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0);

                if (n > 0) {
                        size += (uint64_t) n;
                        continue;
                }
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG))
                        return -errno;
                break;
        }

        /* Also after a copy that came to its end: files of procfs and FUSE report end of file to
         * copy_file_range() too early, and one more read() costs nothing. */
        r = fd_copy_by_hand(in, out, &size);
        if (r < 0)
                return r;
        if (ret_size)
                *ret_size = size;
        return 0;
}

int fd_new_memfd(const char *name, GBytes *bytes) {
        _cleanup_close_ int fd = -EBADF;
        gsize size;
        const void *data = g_bytes_get_data(bytes, &size);
        int r;

        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        r = fd_write_all(fd, data, size);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int fd_set_flag(int fd, int get, int set, int flag, bool on) {
        int flags = fcntl(fd, get);

        if (flags < 0)
                return -errno;
        if (fcntl(fd, set, on ? flags | flag : flags & ~flag) < 0)
                return -errno;
        return 0;
}

int fd_set_cloexec(int fd, bool cloexec) {
        return fd_set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, cloexec);
}

int fd_set_nonblock(int fd, bool nonblock) {
        return fd_set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, nonblock);
}

int fd_send(int socket, const void *data, size_t size, const int *fds, size_t n_fds) {
        union {
                struct cmsghdr header;
                char buffer[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
        } control = { 0 };
        struct iovec iov = { .iov_base = (void *) data, .iov_len = size };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (n_fds > FD_PASS_MAX)
                return -E2BIG;
        if (n_fds > 0) {
                struct cmsghdr *c;

                message.msg_control = control.buffer;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                c = &control.header;
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
        }

        for (;;) {
                if (sendmsg(socket, &message, MSG_NOSIGNAL) >= 0)
                        return 0;
                if (errno != EINTR)
                        return -errno;
        }
}

static void fds_close(int *fds, size_t n) {
        for (size_t i = 0; i < n; i++)
                fds[i] = fd_close(fds[i]);
}

/* Moves the fds of a received message to `fds`; more of them than there is room for are closed, and
 * *ret_surplus says so. */
static size_t fds_take(struct msghdr *message, int *fds, size_t max, bool *ret_surplus) {
        size_t n = 0;

        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
                size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                int received[FD_PASS_MAX];

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                count = MIN(count, (size_t) FD_PASS_MAX);
                memcpy(received, CMSG_DATA(c), sizeof(int) * count);
                for (size_t i = 0; i < count; i++) {
                        if (n < max)
                                fds[n++] = received[i];
                        else {
                                *ret_surplus = true;
                                (void) close(received[i]);
                        }
                }
        }
        return n;
}

static ssize_t receive(int socket, struct msghdr *message, void *control, size_t control_size,
                       int flags) {
        ssize_t n;

        do {
                message->msg_control = control;
                message->msg_controllen = control_size;
                n = recvmsg(socket, message, MSG_CMSG_CLOEXEC | flags);
        } while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

ssize_t fd_receive(int socket, void *data, size_t size, int *fds, size_t *n_fds) {
        union {
                struct cmsghdr header;
                char buffer[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
        } control = { 0 };
        struct iovec iov = { .iov_base = data, .iov_len = size };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        bool surplus = false;
        size_t n_received;
        ssize_t n;

        n = receive(socket, &message, control.buffer, sizeof(control.buffer), 0);
        /* The kernel looks for a message first and for the end of the socket then. Where both came
         * in between, it tells of the end, and the message is still to be had. */
        if (n == 0)
                n = receive(socket, &message, control.buffer, sizeof(control.buffer), MSG_DONTWAIT);
        if (n < 0)
                return n;

        n_received = fds_take(&message, fds, fds ? *n_fds : 0, &surplus);
        if (surplus || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
                if (fds)
                        fds_close(fds, n_received);
                return -EMSGSIZE;
        }
        if (n_fds)
                *n_fds = n_received;
        return n;
}

/* FD_SETSIZE, and what systemd gives whom it was told nothing else about. */
#define LIMIT_USUAL 1024U

static void set_limit(rlim_t wanted) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = MIN(wanted, limit.rlim_max);
        (void) setrlimit(RLIMIT_NOFILE, &limit);
}

void fd_limit_raise(void) {
        set_limit(RLIM_INFINITY);
}

void fd_limit_usual(void) {
        set_limit(LIMIT_USUAL);
}

int fd_pidfd_open(pid_t pid) {
        int fd = (int) syscall(SYS_pidfd_open, pid, 0);

        return fd < 0 ? -errno : fd;
}

int fd_pidfd_send_signal(int pidfd, int signal) {
        return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

bool fd_pidfd_has_ended(int pidfd) {
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        return poll(&p, 1, 0) > 0;
}

int fd_pidfd_get_pid(int pidfd, pid_t *ret) {
        g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", pidfd);
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        char line[256];

        if (!f)
                return -errno;
        while (fgets(line, sizeof(line), f)) {
                gint64 pid;

                if (!g_str_has_prefix(line, "Pid:"))
                        continue;
                pid = g_ascii_strtoll(line + strlen("Pid:"), NULL, 10);
                if (pid <= 0)
                        return -ESRCH;
                *ret = (pid_t) pid;
                return 0;
        }
        return -EINVAL;
}
