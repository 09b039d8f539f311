/* SPDX-License-Identifier: Apache-2.0 */
#include "client/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

#include "client/format.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define NAME_SIZE 4U
#define TEXT_MAX 4096U
#define DATA_SIZE (1U << 18)

static const char names[][NAME_SIZE + 1] = {
        [FRAME_HELLO] = "HELO", [FRAME_CONTAINER] = "CONT", [FRAME_STATE] = "STAT",
        [FRAME_READY] = "REDY", [FRAME_GO] = "GOES",        [FRAME_DONE] = "DONE",
        [FRAME_FAIL] = "FAIL",
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == _FRAME_KIND_MAX);

typedef struct Header {
        char name[NAME_SIZE];
        uint32_t size; /* big endian */
} Header;

/* --- one frame --- */

int frame_send(int fd, FrameKind kind, const void *data, size_t size) {
        Header header = { .size = htonl((uint32_t) size) };
        int r;

        memcpy(header.name, names[kind], NAME_SIZE);
        r = fd_write_all(fd, &header, sizeof(header));
        return r < 0 || size == 0 ? r : fd_write_all(fd, data, size);
}

int frame_send_text(int fd, FrameKind kind, const char *text) {
        return frame_send(fd, kind, text, MIN(strlen(text), TEXT_MAX));
}

/* Not a byte more than that. */
static int read_exactly(int fd, void *data, size_t size) {
        for (size_t done = 0; done < size;) {
                ssize_t n = read(fd, (char *) data + done, size - done);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EPIPE;
                done += (size_t) n;
        }
        return 0;
}

static int read_header(int fd, FrameKind *ret_kind, size_t *ret_size) {
        Header header;
        int r = read_exactly(fd, &header, sizeof(header));

        if (r < 0)
                return r;
        for (FrameKind kind = 0; kind < _FRAME_KIND_MAX; kind++)
                if (memcmp(header.name, names[kind], NAME_SIZE) == 0) {
                        *ret_kind = kind;
                        *ret_size = ntohl(header.size);
                        return 0;
                }
        return -EBADMSG;
}

static int receive_text(int fd, FrameKind *ret_kind, char **ret_text) {
        g_autofree char *text = NULL;
        size_t size;
        int r = read_header(fd, ret_kind, &size);

        if (r < 0)
                return r;
        if (size > TEXT_MAX)
                return -EBADMSG;
        text = g_malloc0(size + 1);
        r = read_exactly(fd, text, size);
        if (r >= 0)
                *ret_text = TAKE_PTR(text);
        return r;
}

int frame_expect(int fd, FrameKind kind, char **ret_text, Error *ret_error) {
        g_autofree char *text = NULL, *shown = NULL;
        FrameKind got;
        int r = receive_text(fd, &got, &text);

        if (r == -EINTR)
                return error_set(ret_error, ERROR_CANCELLED, "Interrupted");
        if (r == -EPIPE || r == -ECONNRESET)
                return error_set(ret_error, ERROR_FAILED, "The other side has gone");
        if (r >= 0 && got == FRAME_FAIL) {
                shown = format_printable(text);
                return error_set(ret_error, ERROR_BACKEND_FAILED, "The other side: %s", shown);
        }
        if (r < 0 || got != kind)
                return error_set(ret_error, ERROR_FAILED,
                                 "The other side does not speak as 'berth migrate' does");
        if (ret_text)
                *ret_text = TAKE_PTR(text);
        return 0;
}

/* --- many --- */

static int copy_out(int from, int to, FrameKind kind) {
        g_autofree char *data = g_malloc(DATA_SIZE);

        for (;;) {
                ssize_t n = read(from, data, DATA_SIZE);
                int r;

                if (n < 0)
                        return -errno;
                r = frame_send(to, kind, data, (size_t) n);
                if (r < 0 || n == 0)
                        return r;
        }
}

static int copy_content(int from, int to, char *data, size_t size) {
        while (size > 0) {
                size_t n = MIN(size, DATA_SIZE);
                int r = read_exactly(from, data, n);

                if (r >= 0)
                        r = fd_write_all(to, data, n);
                if (r < 0)
                        return r;
                size -= n;
        }
        return 0;
}

static int copy_in(int from, int to, FrameKind kind) {
        g_autofree char *data = g_malloc(DATA_SIZE);

        for (;;) {
                FrameKind got;
                size_t size;
                int r = read_header(from, &got, &size);

                if (r >= 0 && got != kind)
                        r = got == FRAME_FAIL ? -ECANCELED : -EBADMSG;
                if (r < 0 || size == 0)
                        return r;
                r = copy_content(from, to, data, size);
                if (r < 0)
                        return r;
        }
}

/* Whoever waits for the end of a pipe must not wait for the copies of its fds in here. */
static void close_others(int a, int b) {
        unsigned low = (unsigned) MIN(a, b), high = (unsigned) MAX(a, b);

        if (low > 3)
                (void) close_range(3, low - 1, 0);
        if (high > low + 1 && high > 3)
                (void) close_range(MAX(low + 1, 3), high - 1, 0);
        (void) close_range(MAX(high + 1, 3), ~0U, 0);
}

static pid_t pump(int from, int to, FrameKind kind, int (*copy)(int, int, FrameKind)) {
        pid_t pid = fork();

        if (pid != 0)
                return pid < 0 ? -errno : pid;
        /* A signal of the terminal's is for those who know what to do about it. */
        (void) signal(SIGINT, SIG_IGN);
        (void) signal(SIGPIPE, SIG_IGN);
        close_others(from, to);
        _exit(-copy(from, to, kind));
}

pid_t frame_pump_out(int from, int to, FrameKind kind) {
        return pump(from, to, kind, copy_out);
}

pid_t frame_pump_in(int from, int to, FrameKind kind) {
        return pump(from, to, kind, copy_in);
}

int frame_pump_wait(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPIPE;
}
