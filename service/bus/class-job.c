/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/call.h"
#include "service/bus/path.h"
#include "service/util/cleanup.h"

/* org.berth1.Job; see introspection/org.berth1.Job.xml. */

static Job *job_of(BusCall *call) {
        return (Job *) call->object;
}

static int wait_for_end(BusCall *call, Error *ret_error) {
        Job *job = job_of(call);

        if (!job_has_ended(job))
                return bus_call_await_job(call, job);
        if (job->result == JOB_RESULT_DONE)
                return 0;
        /* The job's error, as who waited for it was told: this call has not failed, and nothing was
         * decided about it. */
        bus_call_fail(call, &job->error);
        return BUS_CALL_DEFERRED;
}

static int cancel(BusCall *call, Error *ret_error) {
        return job_cancel(job_of(call), ret_error);
}

static int kill_program(BusCall *call, Error *ret_error) {
        gint32 signal;

        g_variant_get(call->args, "(ia{sv})", &signal, NULL);
        return container_exec_signal(job_of(call), signal, ret_error);
}

static int resize(BusCall *call, Error *ret_error) {
        guint32 width, height;

        g_variant_get(call->args, "(uua{sv})", &width, &height, NULL);
        return container_exec_resize(job_of(call), width, height, ret_error);
}

/* --- properties --- */

static GVariant *property_id(Bus *bus, Object *o) {
        return g_variant_new_uint32((guint32) g_ascii_strtoull(o->name, NULL, 10));
}

static GVariant *property_operation(Bus *bus, Object *o) {
        return g_variant_new_string(((Job *) o)->operation);
}

static GVariant *property_owner(Bus *bus, Object *o) {
        return g_variant_new_uint32(o->owner);
}

static GVariant *property_started(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Job *) o)->started);
}

static GVariant *property_objects(Bus *bus, Object *o) {
        return bus_paths_of(((Job *) o)->subjects);
}

static GVariant *property_state(Bus *bus, Object *o) {
        return g_variant_new_string(job_state_to_string(((Job *) o)->state));
}

static GVariant *property_stage(Bus *bus, Object *o) {
        return g_variant_new_string(((Job *) o)->stage);
}

static GVariant *property_progress(Bus *bus, Object *o) {
        return g_variant_new_double(((Job *) o)->progress);
}

static GVariant *property_cancelable(Bus *bus, Object *o) {
        return g_variant_new_boolean(((Job *) o)->cancelable);
}

static GVariant *property_result(Bus *bus, Object *o) {
        return g_variant_new_string(job_result_to_string(((Job *) o)->result));
}

static bool job_has_failed(const Job *job) {
        return job_has_ended(job) && job->result != JOB_RESULT_DONE;
}

static GVariant *property_error_name(Bus *bus, Object *o) {
        Job *job = (Job *) o;

        return g_variant_new_string(job_has_failed(job) ? error_code_to_name(job->error.code) : "");
}

static GVariant *property_error_message(Bus *bus, Object *o) {
        Job *job = (Job *) o;

        return g_variant_new_string(job_has_failed(job) ? job->error.message : "");
}

static GVariant *property_warnings(Bus *bus, Object *o) {
        const GPtrArray *warnings = ((Job *) o)->warnings;

        return g_variant_new_strv((const char *const *) warnings->pdata, warnings->len);
}

static GVariant *property_exit_status(Bus *bus, Object *o) {
        return g_variant_new_int32(((Job *) o)->exit_status);
}

/* --- tables --- */

static const BusMethod methods[] = {
        { "Wait", "a{sv}", "", SD_BUS_PARAM(options),
          BUS_PUBLIC, .act = wait_for_end },
        { "Cancel", "a{sv}", "", SD_BUS_PARAM(options),
          BUS_OWNER, NULL, "manage", "cancel job $(job)",
          NULL, NULL, cancel },
        { "Kill", "ia{sv}", "", SD_BUS_PARAM(signal) SD_BUS_PARAM(options),
          BUS_OWNER, NULL, "enter", "signal the program of job $(job)",
          NULL, NULL, kill_program },
        { "Resize", "uua{sv}", "",
          SD_BUS_PARAM(width) SD_BUS_PARAM(height) SD_BUS_PARAM(options),
          BUS_OWNER, NULL, "enter", "resize the terminal of job $(job)",
          NULL, NULL, resize },
        { NULL },
};

static const BusProperty properties[] = {
        { "Id", "u", SD_BUS_VTABLE_PROPERTY_CONST, property_id },
        { "Operation", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_operation },
        { "Owner", "u", SD_BUS_VTABLE_PROPERTY_CONST, property_owner },
        { "Started", "t", SD_BUS_VTABLE_PROPERTY_CONST, property_started },
        { "Objects", "ao", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_objects },
        { "State", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_state },
        { "Stage", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_stage },
        { "Progress", "d", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_progress },
        { "Cancelable", "b", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_cancelable },
        { "Result", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_result },
        { "ErrorName", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_error_name },
        { "ErrorMessage", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_error_message },
        { "Warnings", "as", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_warnings },
        { "ExitStatus", "i", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_exit_status },
        { NULL },
};

static const BusSignal signals[] = {
        { "Finished", "sss",
          SD_BUS_PARAM(result) SD_BUS_PARAM(error_name) SD_BUS_PARAM(message) },
        { NULL },
};

BusClass bus_class_job = {
        .kind = OBJECT_JOB,
        .interface = BUS_NAME ".Job",
        .methods = methods,
        .properties = properties,
        .signals = signals,
};
