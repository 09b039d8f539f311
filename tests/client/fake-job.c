/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/message.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/client/fake-service.h"

struct FakeJob {
        Fake *fake;
        FakeObject *object; /* its properties, which are not among the fake's objects */
        GPtrArray *waiting; /* of sd_bus_message, calls of Wait() */
        sd_event_source *child;
        pid_t pid;
        int stream;          /* a pipe that is read, or -EBADF */
        sd_event_source *stream_source;
        GString *text;       /* what has come from it */
        char *path;          /* of whom it is for, */
        void (*on_text)(FakeJob *job, FakeObject *o, const char *text); /* when all has come */
        bool cancelled;
};

static void message_unref(gpointer message) {
        sd_bus_message_unref(message);
}

static void job_set(FakeJob *job, const char *property, GVariant *value) {
        fake_object_change(job->fake, job->object, property, value);
}

FakeJob *fake_job_new(Fake *f, const char *operation, const char *object) {
        g_autofree char *id = g_strdup_printf("%u", ++f->n_jobs);
        FakeJob *job = g_new0(FakeJob, 1);
        FakeObject *o = g_new0(FakeObject, 1);

        job->fake = f;
        job->stream = -EBADF;
        job->object = o;
        job->waiting = g_ptr_array_new_with_free_func(message_unref);
        o->kind = OBJECT_JOB;
        o->name = g_strdup(id);
        o->path = object_make_path(OBJECT_JOB, id);
        o->properties = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              (GDestroyNotify) g_variant_unref);
        fake_object_set(o, "Id", g_variant_new_uint32(f->n_jobs));
        fake_object_set(o, "Operation", g_variant_new_string(operation));
        fake_object_set(o, "Owner", g_variant_new_uint32(0));
        fake_object_set(o, "Started", g_variant_new_uint64(g_get_real_time()));
        fake_object_set(o, "Objects", g_variant_new_objv(&object, object ? 1 : 0));
        fake_object_set(o, "State", g_variant_new_string("running"));
        fake_object_set(o, "Stage", g_variant_new_string(""));
        fake_object_set(o, "Progress", g_variant_new_double(-1));
        fake_object_set(o, "Cancelable", g_variant_new_boolean(TRUE));
        fake_object_set(o, "Result", g_variant_new_string(""));
        fake_object_set(o, "ErrorName", g_variant_new_string(""));
        fake_object_set(o, "ErrorMessage", g_variant_new_string(""));
        fake_object_set(o, "ExitStatus", g_variant_new_int32(-1));
        g_hash_table_insert(f->jobs, g_strdup(o->path), job);
        return job;
}

const char *fake_job_path(const FakeJob *job) {
        return job->object->path;
}

GVariant *fake_job_properties(const FakeJob *job) {
        return fake_object_properties(job->object);
}

void fake_job_set_object(FakeJob *job, const char *path) {
        job_set(job, "Objects", g_variant_new_objv(&path, 1));
}

void fake_job_progress(FakeJob *job, const char *stage, double fraction) {
        job_set(job, "Stage", g_variant_new_string(stage));
        job_set(job, "Progress", g_variant_new_double(fraction));
}

static void job_answer(FakeJob *job, sd_bus_message *call) {
        const char *error = fake_object_get_string(job->object, "ErrorName");

        if (*error)
                (void) sd_bus_reply_method_errorf(call, error, "%s",
                                                  fake_object_get_string(job->object,
                                                                         "ErrorMessage"));
        else
                (void) sd_bus_reply_method_return(call, NULL);
}

void fake_job_finish(FakeJob *job, const char *error, const char *text) {
        job_set(job, "ErrorName", g_variant_new_string(error ?: ""));
        job_set(job, "ErrorMessage", g_variant_new_string(text ?: ""));
        job_set(job, "Result",
                g_variant_new_string(!error ? "done" : job->cancelled ? "cancelled" : "failed"));
        job_set(job, "State", g_variant_new_string("done"));
        (void) sd_bus_emit_signal(job->fake->bus, job->object->path, "org.berth1.Job", "Finished",
                                  "sss", fake_object_get_string(job->object, "Result"), error ?: "",
                                  text ?: "");
        for (size_t i = 0; i < job->waiting->len; i++)
                job_answer(job, g_ptr_array_index(job->waiting, i));
        g_ptr_array_set_size(job->waiting, 0);
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata) {
        FakeJob *job = userdata;
        int status = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;

        job->pid = 0;
        job_set(job, "ExitStatus", g_variant_new_int32(status));
        if (status == 126 || status == 127) {
                static const char *const reason[] = { "It cannot be executed", NULL };

                job_set(job, "Warnings", g_variant_new_strv(reason, -1));
        }
        fake_job_finish(job, NULL, NULL);
        return 0;
}

void fake_job_watch_child(FakeJob *job, pid_t pid) {
        job->pid = pid;
        if (sd_event_add_child(job->fake->event, &job->child, pid, WEXITED, on_child, job) < 0)
                g_error("Cannot watch a child");
}

static int on_stream(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        FakeJob *job = userdata;
        char buffer[4096];
        ssize_t n = read(fd, buffer, sizeof(buffer));
        FakeObject *o;

        if (n > 0) {
                g_string_append_len(job->text, buffer, n);
                return 0;
        }
        job->stream_source = sd_event_source_disable_unref(job->stream_source);
        job->stream = fd_close(job->stream);
        o = g_hash_table_lookup(job->fake->objects, job->path);
        if (o)
                job->on_text(job, o, job->text->str);
        else
                fake_job_finish(job, "org.berth1.Error.NoSuchContainer", "It has gone");
        return 0;
}

void fake_job_read(FakeJob *job, int fd, const FakeObject *o,
                   void (*done)(FakeJob *job, FakeObject *o, const char *text)) {
        job->stream = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        job->text = g_string_new(NULL);
        job->path = g_strdup(o->path);
        job->on_text = done;
        if (sd_event_add_io(job->fake->event, &job->stream_source, job->stream, EPOLLIN, on_stream,
                            job) < 0)
                g_error("Cannot watch a pipe");
}

Fake *fake_job_get_fake(const FakeJob *job) {
        return job->fake;
}

void fake_job_free(FakeJob *job) {
        sd_event_source_unref(job->child);
        sd_event_source_disable_unref(job->stream_source);
        fd_close(job->stream);
        if (job->text)
                g_string_free(job->text, TRUE);
        g_free(job->path);
        g_ptr_array_unref(job->waiting);
        fake_object_free(job->object);
        g_free(job);
}

static bool job_has_ended(const FakeJob *job) {
        return g_str_equal(fake_object_get_string(job->object, "State"), "done");
}

void fake_job_call(FakeCall *call) {
        FakeJob *job = call->job;

        if (g_str_equal(call->member, "Wait")) {
                call->reply->later = true;
                if (job_has_ended(job))
                        job_answer(job, call->message);
                else
                        g_ptr_array_add(job->waiting, sd_bus_message_ref(call->message));
        } else if (g_str_equal(call->member, "Cancel")) {
                call->reply->body = g_variant_new_tuple(NULL, 0);
                if (job_has_ended(job))
                        return;
                job->cancelled = true;
                if (job->pid > 0)
                        (void) kill(job->pid, SIGTERM);
                else
                        fake_job_finish(job, "org.berth1.Error.Cancelled",
                                        "The job was cancelled");
        } else if (g_str_equal(call->member, "Kill")) {
                int signal_number;

                g_variant_get(call->body, "(ia{sv})", &signal_number, NULL);
                if (job->pid > 0)
                        (void) kill(job->pid, signal_number);
                call->reply->body = g_variant_new_tuple(NULL, 0);
        } else
                fake_fail(call, "org.freedesktop.DBus.Error.NotSupported", "%s is not supported",
                          call->member);
}
