/* SPDX-License-Identifier: Apache-2.0 */
#include "client/relay.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"

#define RELAY_BUFFER_SIZE (64 * 1024)
#define ESCAPE_KEY '\001' /* ctrl-a */
#define DETACH_KEY 'q'

typedef struct Channel {
        int from, to;
        bool owns_from, owns_to;
        bool ended;       /* nothing more to read */
        bool dead;        /* nobody to write to */
        size_t write_max; /* what one write() takes without blocking, once poll() says so */
        size_t start, end;
        char buffer[RELAY_BUFFER_SIZE];
} Channel;

struct Relay {
        Channel *channels[RELAY_CHANNELS_MAX];
        Channel *keys;    /* where to look for the keys that detach, or NULL */
        bool saw_escape;
        size_t n_channels;
        Channel *polled[RELAY_CHANNELS_MAX];
        int error;
};

Relay *relay_new(void) {
        return g_new0(Relay, 1);
}

static void channel_close_from(Channel *c) {
        if (c->owns_from)
                (void) fd_close(c->from);
        c->owns_from = false;
        c->ended = true;
}

static void channel_close_to(Channel *c) {
        if (c->owns_to)
                (void) fd_close(c->to);
        c->owns_to = false;
        c->dead = true;
}

Relay *relay_free(Relay *r) {
        if (!r)
                return NULL;

        for (size_t i = 0; i < r->n_channels; i++) {
                channel_close_from(r->channels[i]);
                channel_close_to(r->channels[i]);
                g_free(r->channels[i]);
        }
        g_free(r);
        return NULL;
}

void relay_add(Relay *r, int from, bool owns_from, int to, bool owns_to) {
        Channel *c = g_new(Channel, 1);
        struct stat st;

        g_assert(r->n_channels < RELAY_CHANNELS_MAX);
        c->from = from;
        c->to = to;
        c->owns_from = owns_from;
        c->owns_to = owns_to;
        c->ended = c->dead = false;
        c->start = c->end = 0;
        /* A pipe that is ready takes PIPE_BUF bytes at least; files always take everything. */
        c->write_max = fstat(to, &st) == 0 && S_ISREG(st.st_mode) ? RELAY_BUFFER_SIZE : PIPE_BUF;
        r->channels[r->n_channels++] = c;
}

void relay_set_detach_keys(Relay *r) {
        r->keys = r->channels[0];
}

void relay_detach(Relay *r) {
        for (size_t i = 0; i < r->n_channels; i++) {
                channel_close_from(r->channels[i]);
                channel_close_to(r->channels[i]);
                r->channels[i]->start = r->channels[i]->end = 0;
        }
}

/* Takes the keys that are meant for us out of what was read. */
static void look_for_keys(Relay *r, Channel *c) {
        char typed[RELAY_BUFFER_SIZE];
        size_t n = c->end, out = 0;

        memcpy(typed, c->buffer, n);
        for (size_t i = 0; i < n; i++) {
                bool escape = typed[i] == ESCAPE_KEY;

                if (!r->saw_escape && escape) {
                        r->saw_escape = true;
                        continue;
                }
                if (r->saw_escape && typed[i] == DETACH_KEY) {
                        relay_detach(r);
                        return;
                }
                if (r->saw_escape && !escape && out < sizeof(c->buffer))
                        c->buffer[out++] = ESCAPE_KEY;
                r->saw_escape = false;
                if (out < sizeof(c->buffer))
                        c->buffer[out++] = typed[i];
        }
        c->end = out;
}

size_t relay_prepare(Relay *r, struct pollfd *fds) {
        size_t n = 0;

        for (size_t i = 0; i < r->n_channels; i++) {
                Channel *c = r->channels[i];

                if (c->start < c->end)
                        fds[n] = (struct pollfd) { .fd = c->to, .events = POLLOUT };
                else if (!c->ended && !c->dead)
                        fds[n] = (struct pollfd) { .fd = c->from, .events = POLLIN };
                else
                        continue;
                r->polled[n++] = c;
        }
        return n;
}

static void channel_read(Channel *c) {
        ssize_t n = read(c->from, c->buffer, sizeof(c->buffer));

        if (n > 0) {
                c->start = 0;
                c->end = n;
                return;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        /* The end, or EIO: the other side of a terminal has gone. */
        channel_close_from(c);
        channel_close_to(c);
}

static void channel_write(Relay *r, Channel *c) {
        ssize_t n = write(c->to, c->buffer + c->start, MIN(c->end - c->start, c->write_max));

        if (n >= 0) {
                c->start += n;
                return;
        }
        if (errno == EAGAIN || errno == EINTR)
                return;
        if (!c->owns_to && r->error == 0)
                r->error = -errno;
        c->start = c->end = 0;
        channel_close_from(c);
        channel_close_to(c);
}

void relay_dispatch(Relay *r, const struct pollfd *fds, size_t n) {
        for (size_t i = 0; i < n; i++) {
                Channel *c = r->polled[i];

                if (fds[i].revents == 0)
                        continue;
                if (c->start < c->end)
                        channel_write(r, c);
                else {
                        channel_read(c);
                        if (c == r->keys && c->end > 0)
                                look_for_keys(r, c);
                }
        }
}

/* Only channels that lead to us still matter: whoever would read the others has ended. */
static void relay_run(Relay *r, bool wait) {
        struct pollfd fds[RELAY_CHANNELS_MAX];

        for (;;) {
                size_t n = relay_prepare(r, fds);
                bool writing = false;
                int r_poll;

                if (n == 0)
                        return;
                for (size_t i = 0; i < n; i++)
                        writing = writing || fds[i].events == POLLOUT;
                r_poll = poll(fds, n, wait || writing ? -1 : 0);
                if (r_poll < 0 && errno != EINTR)
                        return;
                if (r_poll == 0)
                        return;
                if (r_poll > 0)
                        relay_dispatch(r, fds, n);
        }
}

void relay_drain(Relay *r) {
        /* Input of the ended program goes nowhere: what leads to a pipe of ours, or comes from our
         * own input. What it wrote may be for any file. */
        for (size_t i = 0; i < r->n_channels; i++)
                if (r->channels[i]->owns_to || r->channels[i]->from == STDIN_FILENO) {
                        channel_close_from(r->channels[i]);
                        channel_close_to(r->channels[i]);
                        r->channels[i]->start = r->channels[i]->end = 0;
                }
        relay_run(r, false);
}

void relay_finish(Relay *r) {
        relay_run(r, true);
}

int relay_get_error(const Relay *r) {
        return r->error;
}
