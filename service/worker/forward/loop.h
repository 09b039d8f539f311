/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The event loop of berth-forward: one epoll, one callback for each fd. No allocation but for
 * connections, no library but the C one: a machine may run hundreds of these.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "service/worker/forward/forward.h"

typedef struct Loop Loop;
typedef struct Watch Watch;
typedef struct Listener Listener;
typedef TAILQ_HEAD(ConnectionList, Connection) ConnectionList;
typedef TAILQ_HEAD(SessionList, Session) SessionList;

struct Watch {
        int fd;
        void (*ready)(Loop *loop, Watch *watch, uint32_t events);
        void *userdata;
};

struct Listener {
        Watch watch;
        const ForwardTarget *target;
};

struct Loop {
        int epoll_fd;
        bool done;
        bool proxy_protocol;
        Listener *listeners;
        uint32_t n_listeners;
        bool paused;              /* nobody is let in: there are as many as there can be */
        uint32_t n_connections, connections_max;
        ConnectionList pending, ended;
        SessionList sessions; /* the one that was silent longest is last */
};

/* All return 0 or -errno. */
int loop_add(Loop *loop, Watch *watch, uint32_t events);
void loop_pause(Loop *loop, bool pause);
int64_t loop_now_msec(void);

/* stream.c: a caller is at the door of a listener. */
void stream_accept(Loop *loop, Watch *watch, uint32_t events);
/* Goes on with those that had too much to say at once, and frees those that are over. True when
 * there are still some of the former. */
bool stream_continue(Loop *loop);

/* datagram.c */
void datagram_receive(Loop *loop, Watch *watch, uint32_t events);
/* Ends sessions that are silent; milliseconds until the next is, -1 without any. */
int datagram_expire(Loop *loop);
