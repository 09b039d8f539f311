/* SPDX-License-Identifier: Apache-2.0 */
#include "client/job.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/format.h"
#include "client/message.h"
#include "client/progress.h"
#include "service/util/cleanup.h"

struct Job {
        Client *client;
        char *path;
        GVariant *reply;
        sd_bus_slot *changes, *end;
        JobSignals signals;
        Relay *relay;
        int terminal;

        /* What its properties said last. */
        GVariant *objects;
        GVariant *exit_status;
        GVariant *warnings;
        char *stage;
        double fraction;
        Progress progress;

        bool ended;
        bool cancelling;
        bool abandoned;
        Error error;
};

Job *job_free(Job *job) {
        if (!job)
                return NULL;

        sd_bus_slot_unref(job->changes);
        sd_bus_slot_unref(job->end);
        progress_wipe(&job->progress);
        g_clear_pointer(&job->reply, g_variant_unref);
        g_clear_pointer(&job->objects, g_variant_unref);
        g_clear_pointer(&job->exit_status, g_variant_unref);
        g_clear_pointer(&job->warnings, g_variant_unref);
        g_free(job->stage);
        g_free(job->path);
        error_clear(&job->error);
        g_free(job);
        return NULL;
}

static sd_bus *job_get_bus(const Job *job) {
        return connection_get_bus(job->client->connection);
}

static void job_take_properties(Job *job, GVariant *properties) {
        GVariant *v;

        v = g_variant_lookup_value(properties, "Objects", G_VARIANT_TYPE("ao"));
        if (v) {
                g_clear_pointer(&job->objects, g_variant_unref);
                job->objects = v;
        }
        v = g_variant_lookup_value(properties, "ExitStatus", G_VARIANT_TYPE_INT32);
        if (v) {
                g_clear_pointer(&job->exit_status, g_variant_unref);
                job->exit_status = v;
        }
        v = g_variant_lookup_value(properties, "Warnings", G_VARIANT_TYPE_STRING_ARRAY);
        if (v) {
                g_clear_pointer(&job->warnings, g_variant_unref);
                job->warnings = v;
        }
        v = g_variant_lookup_value(properties, "Stage", G_VARIANT_TYPE_STRING);
        if (v) {
                g_free(job->stage);
                job->stage = g_variant_dup_string(v, NULL);
                g_variant_unref(v);
        }
        (void) g_variant_lookup(properties, "Progress", "d", &job->fraction);
}

static int job_on_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        g_autoptr(GVariant) body = NULL, properties = NULL;
        Job *job = userdata;

        /* Before the reply to the call is there, changes can only be of other jobs. */
        if (!job->path || !g_str_equal(sd_bus_message_get_path(m), job->path))
                return 0;
        if (message_read_body(m, &body) < 0 ||
            !g_variant_is_of_type(body, G_VARIANT_TYPE("(sa{sv}as)")))
                return 0;
        properties = g_variant_get_child_value(body, 1);
        job_take_properties(job, properties);
        /* A terminal that a program draws on is not ours to draw on. */
        if (job->signals == JOB_SIGNALS_CANCEL)
                progress_draw(&job->progress, job->stage, job->fraction);
        return 0;
}

static int job_on_end(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Job *job = userdata;

        job->ended = true;
        if (!error)
                return 0;
        /* A service that was started anew knows nothing of the job. */
        if (g_str_equal(error->name, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
            g_str_equal(error->name, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            g_str_equal(error->name, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                (void) error_set(&job->error, ERROR_FAILED,
                                 "The berth service went away before the end of the job; see what "
                                 "became of it with 'berth list'");
        else
                (void) connection_error(error, job->path, &job->error);
        return 0;
}

static int job_subscribe(Job *job) {
        return sd_bus_add_match_async(job_get_bus(job), &job->changes,
                                      "type='signal',sender='" BERTH_BUS_NAME "',"
                                      "interface='org.freedesktop.DBus.Properties',"
                                      "member='PropertiesChanged',"
                                      "path_namespace='" BERTH_ROOT_PATH "/job'",
                                      job_on_changed, NULL, job);
}

static int job_ask_for_end(Job *job) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(job_get_bus(job), &m, BERTH_BUS_NAME, job->path,
                                           "org.berth1.Job", "Wait");
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 0);
        if (r >= 0)
                r = sd_bus_call_async(job_get_bus(job), &job->end, m, job_on_end, job, UINT64_MAX);
        sd_bus_message_unref(m);
        return r;
}

int job_start(Client *client, ObjectKind kind, const char *path, const char *member,
              GVariant *arguments, Job **ret, Error *ret_error) {
        g_autoptr(GVariant) body = g_variant_ref_sink(arguments);
        g_autoptr(Job) job = g_new(Job, 1);
        g_autoptr(GVariant) first = NULL;
        int r;

        *job = (Job) {
                .client = client,
                .terminal = -EBADF,
                .stage = g_strdup(""),
                .fraction = -1,
        };
        progress_init(&job->progress, !client->quiet);
        r = client_connect(client, ret_error);
        if (r < 0)
                return r;
        r = job_subscribe(job);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot subscribe to the service's signals");
        r = client_call(client, kind, path, member, body, "r", &job->reply, ret_error);
        if (r < 0)
                return r;
        if (g_variant_n_children(job->reply) > 0)
                first = g_variant_get_child_value(job->reply, 0);
        if (!first || !g_variant_is_of_type(first, G_VARIANT_TYPE_OBJECT_PATH))
                return error_set(ret_error, ERROR_FAILED, "%s() did not answer with a job", member);
        job->path = g_variant_dup_string(first, NULL);
        r = job_ask_for_end(job);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot ask for the end of the job");
        *ret = TAKE_PTR(job);
        return 0;
}

GVariant *job_get_reply(const Job *job) {
        return job->reply;
}

const char *job_get_path(const Job *job) {
        return job->path;
}

void job_set_signals(Job *job, JobSignals signals) {
        job->signals = signals;
}

void job_set_relay(Job *job, Relay *relay) {
        job->relay = relay;
}

void job_set_terminal(Job *job, int terminal) {
        job->terminal = terminal;
}

/* Says something to the job without waiting for the answer: its end is the answer. */
static void job_send(Job *job, const char *member, GVariant *arguments) {
        g_autoptr(GVariant) body = g_variant_ref_sink(arguments);
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(job_get_bus(job), &m, BERTH_BUS_NAME, job->path,
                                           "org.berth1.Job", member);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = message_append_body(m, body);
        if (r >= 0)
                (void) sd_bus_send(job_get_bus(job), m, NULL);
        sd_bus_message_unref(m);
}

static void job_copy_window_size(Job *job) {
        struct winsize size;

        /* A window that does not know its size has 0 x 0, which programs choke on. */
        if (job->terminal >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 &&
            size.ws_col > 0 && size.ws_row > 0)
                (void) ioctl(job->terminal, TIOCSWINSZ, &size);
}

static void job_on_signal(Job *job, int signal_fd) {
        struct signalfd_siginfo info;

        if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
                return;
        if (info.ssi_signo == SIGWINCH) {
                job_copy_window_size(job);
                return;
        }
        if (job->signals == JOB_SIGNALS_FORWARD) {
                job_send(job, "Kill", g_variant_new("(ia{sv})", (int) info.ssi_signo, NULL));
                return;
        }
        if (job->signals == JOB_SIGNALS_DETACH) {
                relay_detach(job->relay);
                return;
        }
        if (job->cancelling) {
                job->abandoned = true;
                return;
        }
        job->cancelling = true;
        job_send(job, "Cancel", g_variant_new("(a{sv})", NULL));
        progress_draw(&job->progress, "Cancelling (interrupt again to leave it alone)", -1);
}

static void signals_fill(sigset_t *set) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH };

        sigemptyset(set);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                sigaddset(set, signals[i]);
}

/* One turn: waits until the bus, a signal or the relay has something, and handles it. */
static int job_turn(Job *job, int signal_fd) {
        struct pollfd fds[2 + RELAY_CHANNELS_MAX];
        struct timespec timeout;
        size_t n_relay = 0;
        uint64_t until;
        int events, r;

        r = sd_bus_process(job_get_bus(job), NULL);
        if (r != 0 || job->ended)
                return r;

        events = sd_bus_get_events(job_get_bus(job));
        if (events < 0)
                return events;
        r = sd_bus_get_timeout(job_get_bus(job), &until);
        if (r < 0)
                return r;
        if (until != UINT64_MAX) {
                uint64_t now = g_get_monotonic_time(), left = until > now ? until - now : 0;

                timeout.tv_sec = left / G_USEC_PER_SEC;
                timeout.tv_nsec = left % G_USEC_PER_SEC * 1000;
        }
        fds[0] = (struct pollfd) { .fd = sd_bus_get_fd(job_get_bus(job)), .events = events };
        fds[1] = (struct pollfd) { .fd = signal_fd, .events = POLLIN };
        if (job->relay)
                n_relay = relay_prepare(job->relay, fds + 2);
        if (ppoll(fds, 2 + n_relay, until == UINT64_MAX ? NULL : &timeout, NULL) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[1].revents)
                job_on_signal(job, signal_fd);
        if (n_relay > 0)
                relay_dispatch(job->relay, fds + 2, n_relay);
        return 0;
}

static int job_loop(Job *job, int signal_fd, Error *ret_error) {
        while (!job->ended) {
                int r = job_turn(job, signal_fd);

                if (r < 0)
                        return error_set_errno(ret_error, -r, "Lost the system bus");
                if (job->abandoned)
                        return error_set(ret_error, ERROR_CANCELLED,
                                         "Interrupted twice; the job goes on as %s", job->path);
        }
        return 0;
}

void job_print_warnings(const Job *job) {
        if (job->warnings)
                warnings_print(job->warnings);
}

void warnings_print(GVariant *warnings) {
        GVariantIter iter;
        const char *text;

        g_variant_iter_init(&iter, warnings);
        while (g_variant_iter_next(&iter, "&s", &text)) {
                g_autofree char *shown = format_printable(text);

                fprintf(stderr, "Warning: %s\n", shown);
        }
}

int job_wait(Job *job, Error *ret_error) {
        _cleanup_close_ int signal_fd = -EBADF;
        sigset_t set, old;
        int r;

        signals_fill(&set);
        if (sigprocmask(SIG_BLOCK, &set, &old) < 0)
                return error_set_errno(ret_error, errno, "Cannot block signals");
        signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (signal_fd < 0)
                r = error_set_errno(ret_error, errno, "Cannot watch for signals");
        else {
                job_copy_window_size(job);
                r = job_loop(job, signal_fd, ret_error);
        }
        (void) sigprocmask(SIG_SETMASK, &old, NULL);
        progress_wipe(&job->progress);
        if (r < 0)
                return r;
        if (job->error.message) {
                r = -error_code_to_errno(job->error.code);
                error_move(ret_error, &job->error);
                return r;
        }
        if (!job->relay)
                job_print_warnings(job);
        return 0;
}

/* Reads the properties that no signal has brought. */
static int job_read_properties(Job *job, Error *ret_error) {
        g_autoptr(Object) o = NULL;
        int r;

        r = client_get_object(job->client, OBJECT_JOB, job->path, &o, ret_error);
        if (r < 0)
                return r;
        job_take_properties(job, o->properties);
        return 0;
}

int job_get_exit_status(Job *job, int *ret, Error *ret_error) {
        int r;

        if (!job->exit_status) {
                r = job_read_properties(job, ret_error);
                if (r < 0)
                        return r;
        }
        if (!job->exit_status || g_variant_get_int32(job->exit_status) < 0)
                return error_set(ret_error, ERROR_FAILED,
                                 "The service does not know how the program ended");
        *ret = g_variant_get_int32(job->exit_status);
        return 0;
}

int job_get_container(const Job *job, const char **ret_path, char **ret_name, Error *ret_error) {
        GVariant *reply = job_get_reply(job);
        const char *path;

        if (!g_variant_is_of_type(reply, G_VARIANT_TYPE("(oo)")))
                return error_set(ret_error, ERROR_FAILED,
                                 "The service did not say what the container is called");
        g_variant_get(reply, "(&o&o)", NULL, &path);
        if (!object_parse_path(path, NULL, ret_name))
                return error_set(ret_error, ERROR_FAILED, "The container has a strange path");
        *ret_path = path;
        return 0;
}

int job_get_objects(Job *job, GVariant **ret, Error *ret_error) {
        int r;

        if (!job->objects) {
                r = job_read_properties(job, ret_error);
                if (r < 0)
                        return r;
        }
        if (!job->objects)
                return error_set(ret_error, ERROR_FAILED,
                                 "The service does not know what the job made");
        *ret = g_variant_ref(job->objects);
        return 0;
}

int job_run(Client *client, ObjectKind kind, const char *path, const char *member,
            GVariant *arguments, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        int r;

        r = job_start(client, kind, path, member, arguments, &job, ret_error);
        if (r < 0)
                return r;
        return job_wait(job, ret_error);
}
