/* SPDX-License-Identifier: Apache-2.0 */

/* berth-forward: passes on connections for one proxy device; see forward.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "service/worker/forward/loop.h"
#include "service/worker/forward/sandbox.h"

#define EVENTS_MAX 64
/* Two sockets and a pipe for each direction; the sockets that listen and what else is open. */
#define FDS_PER_CONNECTION 6U
#define CONNECTIONS_MAX 4096U

int loop_add(Loop *loop, Watch *watch, uint32_t events) {
        struct epoll_event event = { .events = events, .data.ptr = watch };

        return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) < 0 ? -errno : 0;
}

void loop_pause(Loop *loop, bool pause) {
        if (loop->paused == pause)
                return;
        loop->paused = pause;
        for (uint32_t i = 0; i < loop->n_listeners; i++) {
                Watch *watch = &loop->listeners[i].watch;
                struct epoll_event event = { .events = pause ? 0 : EPOLLIN, .data.ptr = watch };

                (void) epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event);
        }
}

int64_t loop_now_msec(void) {
        struct timespec now;

        (void) clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const ForwardSpec *read_spec(void) {
        const ForwardSpec *spec;
        struct stat st;

        if (fstat(FORWARD_SPEC_FD, &st) < 0 || (size_t) st.st_size < sizeof(ForwardSpec))
                return NULL;
        spec = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, FORWARD_SPEC_FD, 0);
        if (spec == MAP_FAILED || spec->n_targets == 0 || spec->n_targets > FORWARD_TARGETS_MAX ||
            (size_t) st.st_size !=
                    sizeof(ForwardSpec) + spec->n_targets * sizeof(ForwardTarget))
                return NULL;
        (void) close(FORWARD_SPEC_FD);
        return spec;
}

static void on_init_end(Loop *loop, Watch *watch, uint32_t events) {
        loop->done = true;
}

static int add_listeners(Loop *loop, const ForwardSpec *spec) {
        loop->listeners = calloc(spec->n_targets, sizeof(Listener));
        if (!loop->listeners)
                return -ENOMEM;
        loop->n_listeners = spec->n_targets;
        for (uint32_t i = 0; i < spec->n_targets; i++) {
                Listener *listener = &loop->listeners[i];
                int r;

                listener->target = &spec->targets[i];
                listener->watch = (Watch) { FORWARD_FIRST_FD + (int) i,
                                            spec->datagrams ? datagram_receive : stream_accept,
                                            listener };
                r = loop_add(loop, &listener->watch, EPOLLIN);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int set_up(Loop *loop, const ForwardSpec *spec, Watch *init, const char **ret_what) {
        struct rlimit files;
        int r;

        *ret_what = "make its event loop";
        TAILQ_INIT(&loop->pending);
        TAILQ_INIT(&loop->ended);
        TAILQ_INIT(&loop->sessions);
        loop->proxy_protocol = spec->proxy_protocol;
        loop->connections_max = CONNECTIONS_MAX;
        if (getrlimit(RLIMIT_NOFILE, &files) >= 0) {
                rlim_t used = FORWARD_FIRST_FD + spec->n_targets + 1;
                rlim_t wanted = used + FDS_PER_CONNECTION * (rlim_t) CONNECTIONS_MAX;

                files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
                (void) setrlimit(RLIMIT_NOFILE, &files);
                if (files.rlim_cur < wanted)
                        loop->connections_max = files.rlim_cur > used + FDS_PER_CONNECTION
                                ? (uint32_t) ((files.rlim_cur - used) / FDS_PER_CONNECTION) : 1;
        }
        loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (loop->epoll_fd < 0)
                return -errno;
        r = loop_add(loop, init, EPOLLIN);
        return r < 0 ? r : add_listeners(loop, spec);
}

/* Says that it is ready, or why not, and waits for the word. */
static int shake_hands(int error, const char *what) {
        ForwardStatus status = { .error = error };
        char word;

        for (size_t i = 0; error < 0 && what[i] && i < sizeof(status.what) - 1; i++)
                status.what[i] = what[i];
        if (write(FORWARD_CONTROL_FD, &status, sizeof(status)) != sizeof(status) || error < 0 ||
            read(FORWARD_CONTROL_FD, &word, 1) != 1)
                return -EPIPE;
        (void) close(FORWARD_CONTROL_FD);
        return 0;
}

static void run(Loop *loop) {
        while (!loop->done) {
                struct epoll_event events[EVENTS_MAX];
                bool more = stream_continue(loop);
                int timeout = datagram_expire(loop);
                int n = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, more ? 0 : timeout);

                if (n < 0 && errno != EINTR)
                        return;
                for (int i = 0; i < n; i++) {
                        Watch *watch = events[i].data.ptr;

                        watch->ready(loop, watch, events[i].events);
                }
        }
}

int main(int argc, char **argv) {
        const ForwardSpec *spec = read_spec();
        Watch init = { FORWARD_INIT_FD, on_init_end, NULL };
        const char *what = "";
        Loop loop = { 0 };
        int r;

        if (!spec)
                return EXIT_FAILURE;
        r = set_up(&loop, spec, &init, &what);
        if (r >= 0)
                r = sandbox_enter(spec, &what);
        r = shake_hands(r, what);
        if (r < 0)
                return EXIT_FAILURE;
        run(&loop);
        return loop.done ? EXIT_SUCCESS : EXIT_FAILURE;
}
