/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/console-relay.h"

#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/runtime/terminal.h"
#include "service/worker/runtime/wait.h"

/* What may wait for a client: all that the console's log can hold, and more. */
#define TO_CLIENT_MAX (256U << 10)
#define TO_CONSOLE_MAX (4U << 10)
/* What a client still gets when the console has gone. */
#define FLUSH_USEC G_TIME_SPAN_SECOND

typedef struct Queue {
        size_t start, end, size;
        char *data;
} Queue;

static void queue_init(Queue *q, size_t size) {
        *q = (Queue) { .size = size, .data = g_malloc(size) };
}

static void queue_done(Queue *q) {
        g_free(q->data);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Queue, queue_done)

static bool queue_is_empty(const Queue *q) {
        return q->start == q->end;
}

/* 0 at the end of file. */
static int queue_fill(Queue *q, int fd) {
        char lost[4096];
        ssize_t n;

        if (q->start > 0) {
                memmove(q->data, q->data + q->start, q->end - q->start);
                q->end -= q->start;
                q->start = 0;
        }
        if (q->end < q->size)
                n = read(fd, q->data + q->end, q->size - q->end);
        else {
                n = read(fd, lost, sizeof(lost));
                if (n > 0)
                        return 1;
        }
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 1 : 0;
        q->end += (size_t) n;
        return n > 0;
}

static int queue_drain(Queue *q, int fd) {
        ssize_t n = write(fd, q->data + q->start, q->end - q->start);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 1 : 0;
        q->start += (size_t) n;
        return 1;
}

/* The client's window has another size: the container's terminal gets it through the monitor, which
 * looks at its own when it is told to by this signal, and ignores it otherwise. */
static void copy_window_size(const ConsoleRelay *relay) {
        struct winsize size;

        if (ioctl(relay->terminal, TIOCGWINSZ, &size) >= 0 &&
            ioctl(relay->console, TIOCSWINSZ, &size) >= 0)
                (void) fd_pidfd_send_signal(relay->monitor_fd, SIGWINCH);
}

static int read_channel(Worker *worker, const ConsoleRelay *relay) {
        g_autoptr(GVariant) message = NULL, content = NULL;
        guint32 width, height;
        const char *kind;
        int r;

        r = worker_receive(worker, &message);
        if (r <= 0)
                return r;
        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        if (g_str_equal(kind, "resize") && g_variant_lookup(content, "width", "u", &width) &&
            g_variant_lookup(content, "height", "u", &height)) {
                (void) terminal_resize(relay->terminal, width, height);
                copy_window_size(relay);
        }
        return 1;
}

/* An eventfd; mutable and global, because a signal handler has nothing else to find it by. */
static int window_fd = -EBADF;

static void on_window(int signal_number) {
        int saved = errno;

        (void) !write(window_fd, &(uint64_t) { 1 }, sizeof(uint64_t));
        errno = saved;
}

static int watch_window(void) {
        static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU };
        struct sigaction action = { .sa_handler = on_window };

        window_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (window_fd < 0 || sigaction(SIGWINCH, &action, NULL) < 0)
                return -errno;
        /* The client has the other side of our controlling terminal. */
        for (size_t i = 0; i < ELEMENTSOF(ignored); i++)
                (void) signal(ignored[i], SIG_IGN);
        return 0;
}

/* The last words, for a client that reads. */
static void flush(const ConsoleRelay *relay, Queue *to_client) {
        int64_t deadline = wait_deadline(FLUSH_USEC);
        struct pollfd p = { .fd = relay->terminal, .events = POLLOUT };

        while (!queue_is_empty(to_client) && wait_poll(&p, 1, deadline) > 0)
                if (p.revents & (POLLHUP | POLLERR) || queue_drain(to_client, relay->terminal) == 0)
                        return;
}

enum { CLIENT, CONSOLE, CHANNEL, WINDOW, MONITOR, _N_FDS };

/* 0 when one side has gone. */
static int turn(Worker *worker, const ConsoleRelay *relay, struct pollfd *p, Queue *to_client,
                Queue *to_console) {
        int r;

        p[CLIENT].events = (short) ((queue_is_empty(to_console) ? POLLIN : 0) |
                                    (queue_is_empty(to_client) ? 0 : POLLOUT));
        p[CONSOLE].events = (short) (POLLIN | (queue_is_empty(to_console) ? 0 : POLLOUT));
        r = wait_poll(p, _N_FDS, WAIT_FOREVER);
        if (r < 0)
                return r;
        if (p[CHANNEL].revents && read_channel(worker, relay) <= 0)
                p[CHANNEL].fd = -EBADF;
        if (p[WINDOW].revents && read(window_fd, &(uint64_t) { 0 }, sizeof(uint64_t)) > 0)
                copy_window_size(relay);
        if (p[CONSOLE].revents & POLLIN && queue_fill(to_client, relay->console) == 0)
                return 0;
        if (p[CLIENT].revents & (POLLHUP | POLLERR))
                return 0;
        if (p[CLIENT].revents & POLLOUT && queue_drain(to_client, relay->terminal) == 0)
                return 0;
        if (p[CLIENT].revents & POLLIN && queue_fill(to_console, relay->terminal) == 0)
                return 0;
        if (p[CONSOLE].revents & POLLOUT && queue_drain(to_console, relay->console) == 0)
                return 0;
        /* Its last words first. */
        if (p[CONSOLE].revents & POLLIN)
                return 1;
        return !(p[MONITOR].revents || p[CONSOLE].revents & (POLLHUP | POLLERR));
}

int console_relay_run(Worker *worker, const ConsoleRelay *relay, Error *ret_error) {
        int r = watch_window();
        g_auto(Queue) to_client = { 0 }, to_console = { 0 };
        struct pollfd p[_N_FDS] = {
                [CLIENT] = { .fd = relay->terminal },
                [CONSOLE] = { .fd = relay->console },
                [CHANNEL] = { .fd = worker->channel_fd, .events = POLLIN },
                [WINDOW] = { .fd = window_fd, .events = POLLIN },
                [MONITOR] = { .fd = relay->monitor_fd, .events = POLLIN },
        };

        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot watch for signals");
        queue_init(&to_client, TO_CLIENT_MAX);
        queue_init(&to_console, TO_CONSOLE_MAX);
        if (relay->history) {
                gsize size;
                const char *data = g_bytes_get_data(relay->history, &size);

                to_client.end = MIN(size, to_client.size);
                memcpy(to_client.data, data + size - to_client.end, to_client.end);
        }
        copy_window_size(relay);
        do
                r = turn(worker, relay, p, &to_client, &to_console);
        while (r > 0);
        if (r == -ECANCELED)
                return worker_cancelled(ret_error);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot wait for the console");
        flush(relay, &to_client);
        return 0;
}
