/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "service/worker/forward/loop.h"

/*
 * Datagrams: each caller gets a socket of his own towards the target, by which answers find their
 * way back. A session ends after a minute in which nobody has said anything, or when another caller
 * needs its place.
 */

#define SESSION_IDLE_MSEC 60000
#define SESSIONS_MAX 1024U
#define BATCH 32
#define DATAGRAM_MAX 65536

typedef struct Session Session;

struct Session {
        Watch target;
        const Listener *listener;
        struct sockaddr_storage caller;
        socklen_t caller_size;
        int64_t last_msec;
        TAILQ_ENTRY(Session) link;
};

static char buffer[DATAGRAM_MAX];

static void session_free(Loop *loop, Session *s) {
        TAILQ_REMOVE(&loop->sessions, s, link);
        loop->n_connections--;
        (void) close(s->target.fd);
        free(s);
}

static void session_touch(Loop *loop, Session *s) {
        s->last_msec = loop_now_msec();
        TAILQ_REMOVE(&loop->sessions, s, link);
        TAILQ_INSERT_HEAD(&loop->sessions, s, link);
}

/* An answer. That a port of the target is closed is an error once, and no reason to give up. */
static void on_answer(Loop *loop, Watch *watch, uint32_t events) {
        Session *s = watch->userdata;

        for (int i = 0; i < BATCH; i++) {
                ssize_t n = recv(watch->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

                if (n < 0)
                        return;
                (void) sendto(s->listener->watch.fd, buffer, (size_t) n,
                              MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *) &s->caller,
                              s->caller_size);
                session_touch(loop, s);
        }
}

static Session *session_find(Loop *loop, const Listener *listener,
                             const struct sockaddr_storage *caller, socklen_t size) {
        Session *s;

        TAILQ_FOREACH(s, &loop->sessions, link)
                if (s->listener == listener && s->caller_size == size &&
                    memcmp(&s->caller, caller, size) == 0)
                        return s;
        return NULL;
}

static Session *session_new(Loop *loop, const Listener *listener,
                            const struct sockaddr_storage *caller, socklen_t size) {
        const ForwardTarget *target = listener->target;
        Session *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        s->listener = listener;
        s->caller = *caller;
        s->caller_size = size;
        s->target = (Watch) { socket(target->address.any.sa_family,
                                     SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                              on_answer, s };
        if (s->target.fd < 0) {
                free(s);
                return NULL;
        }
        if (connect(s->target.fd, &target->address.any, target->length) < 0 ||
            loop_add(loop, &s->target, EPOLLIN) < 0) {
                (void) close(s->target.fd);
                free(s);
                return NULL;
        }
        loop->n_connections++;
        TAILQ_INSERT_HEAD(&loop->sessions, s, link);
        return s;
}

/* The pending events of one batch may name a session: it makes room only here, from the listener,
 * for a caller whose datagram has just come, and what was fetched for it is lost like any datagram
 * can be. */
static Session *session_get(Loop *loop, const Listener *listener,
                            const struct sockaddr_storage *caller, socklen_t size) {
        Session *s = session_find(loop, listener, caller, size);

        if (s)
                return s;
        if (loop->n_connections >= SESSIONS_MAX)
                return NULL;
        return session_new(loop, listener, caller, size);
}

void datagram_receive(Loop *loop, Watch *watch, uint32_t events) {
        const Listener *listener = watch->userdata;

        for (int i = 0; i < BATCH; i++) {
                struct sockaddr_storage caller = { 0 };
                socklen_t size = sizeof(caller);
                Session *s;
                ssize_t n = recvfrom(watch->fd, buffer, sizeof(buffer), MSG_DONTWAIT,
                                     (struct sockaddr *) &caller, &size);

                if (n < 0)
                        return;
                s = session_get(loop, listener, &caller, size);
                if (!s)
                        continue;
                /* The first tells that nobody answered the one before. */
                if (send(s->target.fd, buffer, (size_t) n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
                    errno == ECONNREFUSED)
                        (void) send(s->target.fd, buffer, (size_t) n, MSG_DONTWAIT | MSG_NOSIGNAL);
                session_touch(loop, s);
        }
}

int datagram_expire(Loop *loop) {
        int64_t now = TAILQ_EMPTY(&loop->sessions) ? 0 : loop_now_msec();
        Session *s;

        while ((s = TAILQ_LAST(&loop->sessions, SessionList))) {
                int64_t left = s->last_msec + SESSION_IDLE_MSEC - now;

                if (left > 0 && loop->n_connections < SESSIONS_MAX)
                        return (int) left;
                session_free(loop, s);
        }
        return -1;
}
