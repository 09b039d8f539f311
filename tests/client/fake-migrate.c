/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/client/fake-service.h"

/*
 * What takes a container from one host to another. The fake is the service of both: the container
 * has another name at the other side. Archives and states are a line each, which has to come whole.
 */

#define ERROR_NAME(_name) "org.berth1.Error." _name

static bool is_stateful(const FakeObject *o) {
        GVariant *value = fake_object_get(o, "Stateful");

        return value && g_variant_get_boolean(value);
}

static void reply_job(FakeCall *call, const FakeJob *job) {
        call->reply->body = g_variant_new("(o)", fake_job_path(job));
}

static void send_line(FakeCall *call, const char *operation, const char *what) {
        g_autofree char *line = g_strdup_printf("%s of %s\n", what, call->object->name);
        FakeJob *job = fake_job_new(call->fake, operation, call->object->path);
        int fd;

        g_variant_get(call->body, "(h@a{sv})", &fd, NULL);
        if (fd_write_all(fd, line, strlen(line)) < 0)
                fake_job_finish(job, ERROR_NAME("NoSpace"), "The pipe cannot be written");
        else
                fake_job_finish(job, NULL, NULL);
        reply_job(call, job);
}

/* As long as it runs there is none to be sent, which is said when all else is right. */
static void send_state(FakeCall *call) {
        if (g_str_equal(call->object->name, "chained"))
                fake_fail(call, ERROR_NAME("NotSupported"), "It has an interface on a bridge");
        else if (!is_stateful(call->object))
                fake_fail(call, ERROR_NAME("Busy"), "It runs");
        else
                send_line(call, "container-send-state", "state");
}

static void import_done(FakeJob *job, FakeObject *o, const char *text) {
        if (!g_str_equal(o->name, "unreadable") && g_str_has_prefix(text, "archive of ") &&
            g_str_has_suffix(text, "\n")) {
                fake_job_finish(job, NULL, NULL);
                return;
        }
        fake_object_remove(fake_job_get_fake(job), o);
        fake_job_finish(job, ERROR_NAME("InvalidImage"), "The archive cannot be read");
}

static void import_container(FakeCall *call) {
        const char *name;
        FakeObject *o;
        FakeJob *job;
        int fd;

        g_variant_get(call->body, "(h&s@a{sv})", &fd, &name, NULL);
        o = fake_container_add(call->fake, name, "stopped");
        job = fake_job_new(call->fake, "container-import", o->path);
        fake_job_read(job, fd, o, import_done);
        call->reply->body = g_variant_new("(oo)", fake_job_path(job), o->path);
}

static void state_done(FakeJob *job, FakeObject *o, const char *text) {
        if (g_str_equal(o->name, "unsealed") || !g_str_has_prefix(text, "state of ") ||
            !g_str_has_suffix(text, "\n")) {
                fake_job_finish(job, ERROR_NAME("AccessDenied"), "The seal is another host's");
                return;
        }
        fake_object_change(fake_job_get_fake(job), o, "Stateful", g_variant_new_boolean(TRUE));
        fake_job_finish(job, NULL, NULL);
}

static void receive_state(FakeCall *call) {
        FakeJob *job = fake_job_new(call->fake, "container-receive-state", call->object->path);
        int fd;

        g_variant_get(call->body, "(h@a{sv})", &fd, NULL);
        fake_job_read(job, fd, call->object, state_done);
        reply_job(call, job);
}

/* False where it stops as containers do. */
static bool stop_with_state(FakeCall *call) {
        g_autoptr(GVariant) options = fake_options(call);
        gboolean stateful = FALSE;
        FakeJob *job;

        (void) g_variant_lookup(options, "stateful", "b", &stateful);
        if (!g_str_equal(call->object->name, "stuck")) {
                fake_object_change(call->fake, call->object, "Stateful",
                                   g_variant_new_boolean(stateful));
                return false;
        }
        job = fake_job_new(call->fake, "container-stop", call->object->path);
        fake_job_finish(job, ERROR_NAME("BackendFailed"), "CRIU: a file is locked");
        reply_job(call, job);
        return true;
}

bool fake_migrate_call(FakeCall *call) {
        bool of_container = call->object->kind == OBJECT_CONTAINER;

        if (g_str_equal(call->member, "ImportContainer"))
                import_container(call);
        else if (of_container && g_str_equal(call->member, "Export"))
                send_line(call, "container-export", "archive");
        else if (of_container && g_str_equal(call->member, "SendState"))
                send_state(call);
        else if (of_container && g_str_equal(call->member, "ReceiveState"))
                receive_state(call);
        else
                return of_container && g_str_equal(call->member, "Stop") && stop_with_state(call);
        return true;
}
