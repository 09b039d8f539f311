/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/container-archive.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "service/bus/path.h"
#include "service/operation/container-archive.h"
#include "service/operation/container-migrate.h"
#include "service/operation/container-stateful.h"
#include "service/util/cleanup.h"

const Option bus_container_export_options[] = {
        { "compression", "s" },
        { "without-snapshots", "b" },
        { NULL },
};

const Option bus_container_import_options[] = {
        { "pool", "s" },
        { NULL },
};

/* --- out --- */

static int export_to(BusCall *call, int fd, Job **ret, Error *ret_error) {
        const ContainerExport args = {
                .archive = fd,
                .compression = bus_call_get_compression(call, "backups.compression_algorithm"),
                .without_snapshots = option_get_boolean(call->options, "without-snapshots", false),
        };

        return container_export(call->manager, bus_call_caller(call), (Container *) call->object,
                                &args, ret, ret_error);
}

int bus_container_export(BusCall *call, Error *ret_error) {
        gint32 handle;
        Job *job;
        int r;

        g_variant_get(call->args, "(ha{sv})", &handle, NULL);
        r = export_to(call, bus_call_get_fd(call, handle), &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

int bus_container_open_export(BusCall *call, Error *ret_error) {
        _cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
        Job *job;
        int r;

        r = bus_call_make_pipe(&read_end, &write_end, ret_error);
        if (r >= 0)
                r = export_to(call, write_end, &job, ret_error);
        return r < 0 ? r : bus_call_start_job_with_fd(call, job, TAKE_FD(read_end));
}

/* --- in --- */

/* Polkit has answered, or cannot. */
static void import_answered(BusCall *call, const Error *refusal) {
        Job *job = (Job *) manager_find(call->manager, OBJECT_JOB, call->asks_for);

        if (job)
                container_import_decide(job, call->privilege, refusal);
}

static int import_ask(BusCall *call, Job *job, const char *name, const PrivilegeChange *needed,
                      Error *ret_error) {
        g_autofree char *message = g_strdup_printf(
                "Authentication is required to import the container %s", name);
        g_autoptr(GVariant) details = NULL;
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "verb", "s", call->method->name);
        g_variant_dict_insert(&dict, "container", "s", name);
        if (needed->keys)
                g_variant_dict_insert(&dict, "keys", "s", needed->keys);
        if (needed->devices)
                g_variant_dict_insert(&dict, "devices", "s", needed->devices);
        g_variant_dict_insert(&dict, "polkit.message", "s", message);
        g_variant_dict_insert(&dict, "polkit.gettext_domain", "s", "berth");
        details = g_variant_ref_sink(g_variant_dict_end(&dict));

        g_free(call->asked_action);
        call->asked_action = g_strdup(privilege_to_string(needed->privilege));
        call->privilege = needed->privilege;
        call->on_answer = import_answered;
        call->decided = false; /* this one is recorded too */
        g_free(call->asks_for);
        call->asks_for = g_strdup(job->object.name);
        return bus_call_ask(call, call->asked_action, details, ret_error);
}

/* What the archive holds has come to light: asks for what it takes, or ends the call. */
static void import_read(Job *job, const char *name, const PrivilegeChange *needed,
                        const Error *error, void *userdata) {
        g_autofree char *job_path = bus_path_of(OBJECT_JOB, job->object.name), *path = NULL;
        g_auto(Error) denied = ERROR_INIT;
        BusCall *call = userdata;

        if (error) {
                bus_call_fail(call, error);
                return;
        }
        if (!needed) {
                path = bus_path_of(OBJECT_CONTAINER, name);
                bus_call_reply(call, g_variant_new("(oo)", job_path, path));
                return;
        }
        if (!call->sender)
                (void) error_set(&denied, ERROR_ACCESS_DENIED,
                                 "Who asked for the import has left the bus");
        else
                (void) import_ask(call, job, name, needed, &denied);
        if (denied.message)
                container_import_decide(job, PRIVILEGE_USE, &denied);
}

int bus_container_import_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get_child(call->args, g_variant_n_children(call->args) - 2, "&s", &name);
        bus_call_detail(call, "container", *name ? name : "of an archive");
        return 0;
}

int bus_container_import(BusCall *call, Error *ret_error) {
        ContainerImport args = {
                .pool = option_get_string(call->options, "pool", NULL),
                .read = import_read,
                .userdata = call,
        };
        gint32 handle;
        Job *job;
        int r;

        g_variant_get(call->args, "(h&sa{sv})", &handle, &args.name, NULL);
        args.archive = bus_call_get_fd(call, handle);
        r = container_import(call->manager, bus_call_caller(call), &args, &job, ret_error);
        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}

int bus_container_open_import(BusCall *call, Error *ret_error) {
        _cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
        ContainerImport args = { .pool = option_get_string(call->options, "pool", NULL) };
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &args.name, NULL);
        r = bus_call_make_pipe(&read_end, &write_end, ret_error);
        if (r < 0)
                return r;
        args.archive = read_end;
        r = container_import(call->manager, bus_call_caller(call), &args, &job, ret_error);
        return r < 0 ? r : bus_call_start_job_with_fd(call, job, TAKE_FD(write_end));
}

/* --- states --- */

int bus_container_state_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };

        stateful_privilege(&needed);
        bus_call_require(call, &needed);
        return 0;
}

static int move_state(BusCall *call,
                      int (*func)(Manager *m, Caller caller, Container *c, int fd, Job **ret,
                                  Error *ret_error),
                      Error *ret_error) {
        gint32 handle;
        Job *job;
        int r;

        g_variant_get(call->args, "(ha{sv})", &handle, NULL);
        r = func(call->manager, bus_call_caller(call), (Container *) call->object,
                 bus_call_get_fd(call, handle), &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

int bus_container_send_state(BusCall *call, Error *ret_error) {
        return move_state(call, container_send_state, ret_error);
}

int bus_container_receive_state(BusCall *call, Error *ret_error) {
        return move_state(call, container_receive_state, ret_error);
}
