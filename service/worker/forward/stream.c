/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "service/worker/forward/loop.h"

/*
 * Streams: what comes from one socket goes through a pipe to the other by splice(), in both
 * directions, so that no byte is copied through this process. Both sockets are watched for edges:
 * whatever happens, both directions are moved on as far as they go. The end of one direction is
 * passed on as such while the other goes on.
 */

#define ACCEPT_BATCH 16
/* What a pipe holds by default, and how often one connection may fill it before others have their
 * turn. */
#define PIPE_SIZE (64U << 10)
#define ROUNDS_MAX 16
/* "PROXY TCP6 ADDRESS ADDRESS PORT PORT\r\n": version 1 of the protocol says 107 at most. */
#define HEADER_MAX 108

typedef struct Connection Connection;

typedef struct Direction {
        int from, to;
        int pipe[2];
        size_t held;  /* bytes in the pipe */
        bool ended;   /* nothing more will come */
        bool closed;  /* and that has been passed on */
} Direction;

struct Connection {
        Watch caller, target;
        Direction there, back;
        bool connecting;
        bool is_pending, is_over;
        char header[HEADER_MAX];
        TAILQ_ENTRY(Connection) link; /* of Loop.pending or Loop.ended */
};

static void close_fd(int fd) {
        if (fd >= 0)
                (void) close(fd);
}

static void connection_free(Connection *c) {
        close_fd(c->caller.fd);
        close_fd(c->target.fd);
        for (int i = 0; i < 2; i++) {
                close_fd(c->there.pipe[i]);
                close_fd(c->back.pipe[i]);
        }
        free(c);
}

/* Freed once no event that was fetched already can name it. */
static void connection_end(Loop *loop, Connection *c) {
        if (c->is_over)
                return;
        if (c->is_pending)
                TAILQ_REMOVE(&loop->pending, c, link);
        c->is_pending = false;
        c->is_over = true;
        TAILQ_INSERT_TAIL(&loop->ended, c, link);
}

/* --- moving bytes --- */

static bool would_block(void) {
        return errno == EAGAIN || errno == EINTR;
}

/* 1: something was moved, 0: nothing can be at the moment, -1: it is over. */
static int direction_move(Direction *d) {
        bool moved = false;
        ssize_t n;

        if (!d->ended && d->held < PIPE_SIZE) {
                n = splice(d->from, NULL, d->pipe[1], NULL, PIPE_SIZE - d->held,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
                if (n < 0 && !would_block())
                        return -1;
                d->ended = n == 0;
                d->held += n > 0 ? (size_t) n : 0;
                moved = n >= 0;
        }
        if (d->held > 0) {
                n = splice(d->pipe[0], NULL, d->to, NULL, d->held,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
                if (n < 0 && !would_block())
                        return -1;
                d->held -= n > 0 ? (size_t) n : 0;
                moved |= n > 0;
        }
        if (d->ended && d->held == 0 && !d->closed) {
                /* Fails on one that is not connected any more. */
                (void) shutdown(d->to, SHUT_WR);
                d->closed = true;
        }
        return moved;
}

static void connection_move(Loop *loop, Connection *c) {
        int there = 1, back = 1;

        for (int i = 0; i < ROUNDS_MAX && (there > 0 || back > 0); i++) {
                there = direction_move(&c->there);
                back = direction_move(&c->back);
                if (there < 0 || back < 0 || (c->there.closed && c->back.closed)) {
                        connection_end(loop, c);
                        return;
                }
        }
        /* No edge will tell of what is left. */
        if ((there > 0 || back > 0) && !c->is_pending) {
                TAILQ_INSERT_TAIL(&loop->pending, c, link);
                c->is_pending = true;
        }
}

bool stream_continue(Loop *loop) {
        ConnectionList now = TAILQ_HEAD_INITIALIZER(now);
        Connection *c;

        TAILQ_CONCAT(&now, &loop->pending, link);
        while ((c = TAILQ_FIRST(&now))) {
                TAILQ_REMOVE(&now, c, link);
                c->is_pending = false;
                connection_move(loop, c);
        }
        while ((c = TAILQ_FIRST(&loop->ended))) {
                TAILQ_REMOVE(&loop->ended, c, link);
                connection_free(c);
                loop->n_connections--;
                loop_pause(loop, false);
        }
        return !TAILQ_EMPTY(&loop->pending);
}

/* --- connecting --- */

/* The target is there: who calls is told first, if that is wanted. */
static int connection_open(Connection *c) {
        size_t n = strlen(c->header);
        socklen_t size = sizeof(int);
        int error = 0;

        if (getsockopt(c->target.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
                return -1;
        c->connecting = false;
        /* A socket that has sent nothing yet has room for a line. */
        return n > 0 && send(c->target.fd, c->header, n, MSG_NOSIGNAL) != (ssize_t) n ? -1 : 0;
}

static void on_ready(Loop *loop, Watch *watch, uint32_t events) {
        Connection *c = watch->userdata;

        if (c->is_over)
                return;
        if (c->connecting) {
                if (watch != &c->target || !(events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
                        return;
                if (connection_open(c) < 0) {
                        connection_end(loop, c);
                        return;
                }
        }
        connection_move(loop, c);
}

static const char *address_text(const struct sockaddr_storage *address, char *buffer, size_t size,
                                unsigned *ret_port) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *) address;
        const struct sockaddr_in *four = (const struct sockaddr_in *) address;
        bool is_six = address->ss_family == AF_INET6;

        *ret_port = ntohs(is_six ? six->sin6_port : four->sin_port);
        return inet_ntop(address->ss_family,
                         is_six ? (const void *) &six->sin6_addr : (const void *) &four->sin_addr,
                         buffer, (socklen_t) size);
}

static void write_header(Connection *c, const struct sockaddr_storage *caller) {
        char from[INET6_ADDRSTRLEN] = "", to[INET6_ADDRSTRLEN] = "";
        struct sockaddr_storage ours = { 0 };
        socklen_t size = sizeof(ours);
        unsigned from_port, to_port;

        if ((caller->ss_family != AF_INET && caller->ss_family != AF_INET6) ||
            getsockname(c->caller.fd, (struct sockaddr *) &ours, &size) < 0 ||
            !address_text(caller, from, sizeof(from), &from_port) ||
            !address_text(&ours, to, sizeof(to), &to_port)) {
                (void) snprintf(c->header, sizeof(c->header), "PROXY UNKNOWN\r\n");
                return;
        }
        (void) snprintf(c->header, sizeof(c->header), "PROXY TCP%c %s %s %u %u\r\n",
                        caller->ss_family == AF_INET6 ? '6' : '4', from, to, from_port, to_port);
}

static int connection_connect(Loop *loop, Connection *c, const ForwardTarget *target) {
        const uint32_t edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

        c->target.fd = socket(target->address.any.sa_family,
                              SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (c->target.fd < 0 || pipe2(c->there.pipe, O_NONBLOCK | O_CLOEXEC) < 0 ||
            pipe2(c->back.pipe, O_NONBLOCK | O_CLOEXEC) < 0)
                return -errno;
        c->there.from = c->back.to = c->caller.fd;
        c->there.to = c->back.from = c->target.fd;
        c->connecting = true;
        if (connect(c->target.fd, &target->address.any, target->length) < 0 &&
            errno != EINPROGRESS)
                return -errno;
        /* Once it is connected it can be written to, which is an event. */
        if (loop_add(loop, &c->target, edges) < 0 || loop_add(loop, &c->caller, edges) < 0)
                return -ENOMEM;
        return 0;
}

static Connection *connection_new(int fd) {
        Connection *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->caller = (Watch) { fd, on_ready, c };
        c->target = (Watch) { -1, on_ready, c };
        for (int i = 0; i < 2; i++)
                c->there.pipe[i] = c->back.pipe[i] = -1;
        return c;
}

void stream_accept(Loop *loop, Watch *watch, uint32_t events) {
        const Listener *listener = watch->userdata;

        for (int i = 0; i < ACCEPT_BATCH; i++) {
                struct sockaddr_storage caller = { 0 };
                socklen_t size = sizeof(caller);
                Connection *c;
                int fd;

                if (loop->n_connections >= loop->connections_max) {
                        loop_pause(loop, true);
                        return;
                }
                fd = accept4(watch->fd, (struct sockaddr *) &caller, &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) {
                        /* Until one of ours has ended there is no room; without any of ours the
                         * next caller is the next try. */
                        if ((errno == EMFILE || errno == ENFILE || errno == ENOMEM) &&
                            loop->n_connections > 0)
                                loop_pause(loop, true);
                        return;
                }
                c = connection_new(fd);
                if (!c) {
                        (void) close(fd);
                        return;
                }
                loop->n_connections++;
                if (loop->proxy_protocol)
                        write_header(c, &caller);
                if (connection_connect(loop, c, listener->target) < 0)
                        connection_end(loop, c);
        }
}
