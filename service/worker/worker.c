/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/worker/protocol.h"

/* A progress bar needs no more than 20 frames a second. */
#define PROGRESS_INTERVAL_USEC (50 * G_TIME_SPAN_MILLISECOND)

static volatile sig_atomic_t cancelled;

static void on_term(int signal) {
        cancelled = 1;
}

bool worker_is_cancelled(void) {
        return cancelled;
}

int worker_cancelled(Error *ret_error) {
        return error_set(ret_error, ERROR_CANCELLED, "The operation was cancelled");
}

static int worker_send(Worker *worker, const char *kind, GVariant *content, const int *fds,
                       size_t n_fds) {
        g_autoptr(GVariant) message =
                g_variant_ref_sink(g_variant_new("(s@a{sv})", kind, content));

        if (g_variant_get_size(message) > PROTOCOL_MESSAGE_MAX)
                return -EMSGSIZE;
        return fd_send(worker->channel_fd, g_variant_get_data(message), g_variant_get_size(message),
                       fds, n_fds);
}

void worker_progress(Worker *worker, const char *stage, double fraction) {
        static gint64 last;
        static GQuark last_stage;
        gint64 now = g_get_monotonic_time();
        GVariantDict content;

        if (g_quark_from_string(stage) == last_stage && now - last < PROGRESS_INTERVAL_USEC)
                return;
        last = now;
        last_stage = g_quark_from_string(stage);

        g_variant_dict_init(&content, NULL);
        g_variant_dict_insert(&content, "stage", "s", stage);
        g_variant_dict_insert(&content, "fraction", "d", fraction);
        /* A daemon that has gone must not stop an operation half-way; the result will tell. */
        (void) worker_send(worker, "progress", g_variant_dict_end(&content), NULL, 0);
}

int worker_send_event(Worker *worker, GVariant *event, const int *fds, size_t n_fds) {
        return worker_send(worker, "event", event, fds, n_fds);
}

int worker_receive(Worker *worker, GVariant **ret) {
        g_autofree char *buffer = g_malloc(PROTOCOL_MESSAGE_MAX);
        g_autoptr(GVariant) message = NULL;
        g_autoptr(GBytes) bytes = NULL;
        ssize_t n;

        n = fd_receive(worker->channel_fd, buffer, PROTOCOL_MESSAGE_MAX, NULL, NULL);
        if (n <= 0)
                return (int) n;
        bytes = g_bytes_new(buffer, (gsize) n);
        message = g_variant_ref_sink(g_variant_new_from_bytes(PROTOCOL_MESSAGE_TYPE, bytes, FALSE));
        if (!g_variant_is_normal_form(message))
                return -EBADMSG;
        *ret = TAKE_PTR(message);
        return 1;
}

void worker_add_result_fd(Worker *worker, int fd) {
        g_assert(worker->n_result_fds < ELEMENTSOF(worker->result_fds));
        worker->result_fds[worker->n_result_fds++] = fd;
}

int worker_get_variant(Worker *worker, const char *key, const char *type, GVariant **ret,
                       Error *ret_error) {
        GVariant *value = g_variant_lookup_value(worker->args, key, (const GVariantType *) type);

        if (!value)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Worker argument \"%s\" of type %s is missing", key, type);
        *ret = value;
        return 0;
}

int worker_get_string(Worker *worker, const char *key, const char **ret, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        int r = worker_get_variant(worker, key, "s", &value, ret_error);

        if (r >= 0)
                *ret = g_variant_get_string(value, NULL); /* points into worker->args */
        return r;
}

int worker_get_uint64(Worker *worker, const char *key, uint64_t *ret, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        int r = worker_get_variant(worker, key, "t", &value, ret_error);

        if (r >= 0)
                *ret = g_variant_get_uint64(value);
        return r;
}

int worker_get_idmap(Worker *worker, const char *key, IdMap **ret, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        int r = worker_get_variant(worker, key, "a(suuu)", &value, ret_error);

        return r < 0 ? r : idmap_from_variant(value, ret, ret_error);
}

int worker_get_boolean(Worker *worker, const char *key, bool *ret, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        int r = worker_get_variant(worker, key, "b", &value, ret_error);

        if (r >= 0)
                *ret = g_variant_get_boolean(value);
        return r;
}

int worker_take_fd(Worker *worker, size_t i) {
        return i < worker->n_fds ? TAKE_FD(worker->fds[i]) : -EBADF;
}

static int worker_read_request(GVariant **ret) {
        g_autoptr(GBytes) bytes = NULL;
        g_autoptr(GVariant) request = NULL;
        int r;

        r = fd_read_all(PROTOCOL_REQUEST_FD, PROTOCOL_REQUEST_MAX, &bytes);
        if (r < 0)
                return r;
        request = g_variant_ref_sink(
                g_variant_new_from_bytes(PROTOCOL_REQUEST_TYPE, bytes, FALSE));
        if (!g_variant_is_normal_form(request))
                return -EBADMSG;
        *ret = TAKE_PTR(request);
        return 0;
}

static void worker_collect_fds(Worker *worker) {
        GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

        for (int fd = PROTOCOL_FIRST_FD; fd < PROTOCOL_FIRST_FD + FD_PASS_MAX; fd++) {
                if (fd_set_cloexec(fd, true) < 0)
                        break;
                g_array_append_val(fds, fd);
        }
        worker->n_fds = fds->len;
        worker->fds = (int *) (void *) g_array_free(fds, FALSE);
}

static int worker_run(Worker *worker, const WorkerOperation *operations, GVariantDict *result,
                      Error *ret_error) {
        g_autoptr(GVariant) request = NULL;
        const char *name;
        int r;

        r = worker_read_request(&request);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read the worker's request");
        g_variant_get(request, "(&s@a{sv})", &name, &worker->args);

        for (const WorkerOperation *o = operations; o->name; o++) {
                if (!g_str_equal(o->name, name))
                        continue;
                return o->run(worker, result, ret_error);
        }
        return error_set(ret_error, ERROR_FAILED, "Worker has no operation \"%s\"", name);
}

/* A worker must not outlive the berthd that it works for: the next one undoes what it did, and the
 * two would be in each other's way. */
static bool die_with_parent(void) {
        struct pollfd p = { .fd = PROTOCOL_CHANNEL_FD };

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return false;
        /* It may have gone before we asked. */
        return poll(&p, 1, 0) == 0 || !(p.revents & POLLHUP);
}

int worker_main(const WorkerOperation *operations) {
        struct sigaction action = { .sa_handler = on_term };
        Worker worker = { .channel_fd = PROTOCOL_CHANNEL_FD };
        g_auto(Error) error = ERROR_INIT;
        GVariantDict result;
        int r;

        log_open();
        fd_limit_usual();
        if (fd_set_cloexec(PROTOCOL_REQUEST_FD, true) < 0 ||
            fd_set_cloexec(PROTOCOL_CHANNEL_FD, true) < 0) {
                log_error("This program is run by berthd, not by hand.");
                return EXIT_FAILURE;
        }
        if (!die_with_parent())
                return EXIT_FAILURE;
        worker_collect_fds(&worker);
        umask(0077);
        /* No SA_RESTART: a blocking call returns with EINTR, and the loop around it looks. */
        (void) sigaction(SIGTERM, &action, NULL);
        (void) signal(SIGPIPE, SIG_IGN);

        g_variant_dict_init(&result, NULL);
        r = worker_run(&worker, operations, &result, &error);
        if (r < 0) {
                /* Counts only if nothing better is set. */
                (void) error_set_errno(&error, -r, "The worker failed");
                g_variant_dict_clear(&result);
                g_variant_dict_init(&result, NULL);
                g_variant_dict_insert(&result, "name", "s", error_code_to_name(error.code));
                g_variant_dict_insert(&result, "message", "s", error.message);
                r = worker_send(&worker, "error", g_variant_dict_end(&result), NULL, 0);
        } else
                r = worker_send(&worker, "result", g_variant_dict_end(&result), worker.result_fds,
                                worker.n_result_fds);
        if (r < 0)
                log_warning("Cannot report to berthd: %s", g_strerror(-r));
        g_clear_pointer(&worker.args, g_variant_unref);
        g_free(worker.fds);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
