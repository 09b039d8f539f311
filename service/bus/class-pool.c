/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/call.h"
#include "service/bus/path.h"
#include "service/operation/pool-space.h"
#include "service/operation/pool.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/operation/volume-archive.h"
#include "service/util/cleanup.h"

/* org.berth1.StoragePool; see introspection/org.berth1.StoragePool.xml. */

static StoragePool *pool_of(BusCall *call) {
        return (StoragePool *) call->object;
}

static int get_config(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new("(@a{ss})", pool_of(call)->config);
        return 0;
}

static void space_found(GVariant *found, const Error *error, void *userdata) {
        BusCall *call = userdata;
        guint64 total, used;

        if (error)
                bus_call_fail(call, error);
        else if (g_variant_lookup(found, "size", "t", &total) &&
                 g_variant_lookup(found, "used", "t", &used))
                bus_call_reply(call, g_variant_new("(tt)", (uint64_t) total, (uint64_t) used));
        else
                bus_call_fail(call, &(Error) { ERROR_FAILED,
                                               (char *) "The storage worker's result is "
                                                        "incomplete" });
}

static int start_space_job(BusCall *call, Error *ret_error) {
        Job *job;
        int r = pool_space(call->manager, bus_call_caller(call), pool_of(call), space_found, call,
                           &job, ret_error);

        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}

static int get_space(BusCall *call, Error *ret_error) {
        uint64_t total, used;
        int r;

        if (pool_space_takes_job(pool_of(call)))
                return start_space_job(call, ret_error);
        r = pool_get_space(call->manager, pool_of(call), &total, &used, ret_error);
        if (r < 0)
                return r;
        call->reply = g_variant_new("(tt)", total, used);
        return 0;
}

static int update(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) set = NULL, unset = NULL;
        uint64_t revision = option_get_uint64(call->options, "if-revision", 0);
        PoolChange change;
        Job *job;
        int r;

        g_variant_get(call->args, "(@a{ss}@asa{sv})", &set, &unset, NULL);
        change = (PoolChange) {
                .set = set,
                .unset = unset,
                .description = option_get_string(call->options, "description", NULL),
                .if_revision = revision > 0 ? &revision : NULL,
        };
        r = pool_update(call->manager, bus_call_caller(call), pool_of(call), &change, &job,
                        ret_error);
        return r < 0 || !job ? r : bus_call_wait_for_job(call, job);
}

static int get_volume(BusCall *call, Error *ret_error) {
        g_autofree char *full = NULL, *path = NULL;
        const char *name;
        Object *o;
        int r;

        g_variant_get(call->args, "(&s)", &name);
        full = g_strconcat(call->object->name, "/", name, NULL);
        r = manager_get(call->manager, OBJECT_VOLUME, full, &o, ret_error);
        if (r < 0)
                return r;
        path = bus_path_of(OBJECT_VOLUME, o->name);
        call->reply = g_variant_new("(o)", path);
        return 0;
}

static int volume_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get_child(call->args, 0, "&s", &name);
        bus_call_detail(call, "volume", name);
        return 0;
}

static int create_volume(BusCall *call, Error *ret_error) {
        VolumeCreate args = {
                .description = option_get_string(call->options, "description", NULL),
        };
        g_autofree char *job_path = NULL, *path = NULL;
        g_autoptr(GVariant) config = NULL;
        Job *job;
        int r;

        g_variant_get(call->args, "(&s@a{ss}a{sv})", &args.name, &config, NULL);
        args.config = config;
        r = volume_create(call->manager, bus_call_caller(call), pool_of(call), &args, &job,
                          ret_error);
        if (r < 0)
                return r;
        job_path = bus_path_of(OBJECT_JOB, job->object.name);
        path = bus_path_of(OBJECT_VOLUME, g_array_index(job->subjects, JobSubject, 0).name);
        job_start(job);
        call->reply = g_variant_new("(oo)", job_path, path);
        return 0;
}

static int import_volume(BusCall *call, Error *ret_error) {
        const char *name;
        gint32 handle;
        Job *job;
        int r;

        g_variant_get(call->args, "(h&sa{sv})", &handle, &name, NULL);
        r = volume_import(call->manager, bus_call_caller(call), pool_of(call),
                          bus_call_get_fd(call, handle), name, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int open_volume_import(BusCall *call, Error *ret_error) {
        _cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
        const char *name;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = bus_call_make_pipe(&read_end, &write_end, ret_error);
        if (r >= 0)
                r = volume_import(call->manager, bus_call_caller(call), pool_of(call), read_end,
                                  name, &job, ret_error);
        return r < 0 ? r : bus_call_start_job_with_fd(call, job, TAKE_FD(write_end));
}

static int import_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get_child(call->args, g_variant_n_children(call->args) - 2, "&s", &name);
        bus_call_detail(call, "volume", *name ? name : "of an archive");
        return 0;
}

static int delete(BusCall *call, Error *ret_error) {
        Job *job;
        int r = pool_delete(call->manager, bus_call_caller(call), pool_of(call), &job, ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

/* --- properties --- */

static GVariant *property_name(Bus *bus, Object *o) {
        return g_variant_new_string(o->name);
}

static GVariant *property_driver(Bus *bus, Object *o) {
        return g_variant_new_string(((StoragePool *) o)->driver);
}

static GVariant *property_source(Bus *bus, Object *o) {
        return g_variant_new_string(((StoragePool *) o)->source);
}

static GVariant *property_description(Bus *bus, Object *o) {
        return g_variant_new_string(((StoragePool *) o)->description);
}

static GVariant *property_state(Bus *bus, Object *o) {
        return g_variant_new_string(storage_pool_state_to_string(((StoragePool *) o)->state));
}

static GVariant *property_revision(Bus *bus, Object *o) {
        return g_variant_new_uint64(o->revision);
}

static GVariant *property_used_by(Bus *bus, Object *o) {
        g_autoptr(GArray) users = usage_of(bus->manager, o);

        return bus_paths_of(users);
}

/* --- tables --- */

static const Option update_options[] = {
        { "if-revision", "t" },
        { "description", "s" },
        { NULL },
};

static const Option create_volume_options[] = {
        { "description", "s" },
        { NULL },
};

static const BusMethod methods[] = {
        { "GetVolume", "s", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(volume),
          BUS_PUBLIC, .act = get_volume },
        { "CreateVolume", "sa{ss}a{sv}", "oo",
          SD_BUS_PARAM(name) SD_BUS_PARAM(config) SD_BUS_PARAM(options) SD_BUS_PARAM(job)
          SD_BUS_PARAM(volume),
          BUS_ACTION, NULL, "use", "create the volume $(volume) in $(pool)",
          create_volume_options, volume_prepare, create_volume },
        { "ImportVolume", "hsa{sv}", "o",
          SD_BUS_PARAM(archive) SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "use", "import the volume $(volume) into $(pool)",
          NULL, import_prepare, import_volume },
        { "OpenVolumeImport", "sa{sv}", "oh",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(archive),
          BUS_ACTION, NULL, "use", "import the volume $(volume) into $(pool)",
          NULL, import_prepare, open_volume_import },
        { "GetConfig", "a{sv}", "a{ss}", SD_BUS_PARAM(options) SD_BUS_PARAM(config),
          BUS_PUBLIC, .act = get_config },
        { "GetSpace", "a{sv}", "tt",
          SD_BUS_PARAM(options) SD_BUS_PARAM(total) SD_BUS_PARAM(used),
          BUS_PUBLIC, .act = get_space },
        { "Update", "a{ss}asa{sv}", "",
          SD_BUS_PARAM(set) SD_BUS_PARAM(unset) SD_BUS_PARAM(options),
          BUS_ACTION, NULL, "manage-storage", "change the storage pool $(pool)",
          update_options, NULL, update },
        { "Delete", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "manage-storage", "delete the storage pool $(pool)",
          NULL, NULL, delete },
        { NULL },
};

static const BusProperty properties[] = {
        { "Name", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_name },
        { "Driver", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_driver },
        { "Source", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_source },
        { "Description", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_description },
        { "State", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_state },
        { "Revision", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_revision },
        { "UsedBy", "ao", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_used_by },
        { NULL },
};

BusClass bus_class_pool = {
        .kind = OBJECT_POOL,
        .interface = BUS_NAME ".StoragePool",
        .methods = methods,
        .properties = properties,
};
