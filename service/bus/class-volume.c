/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/call.h"
#include "service/bus/disk-usage.h"
#include "service/bus/path.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/operation/volume-archive.h"
#include "service/util/cleanup.h"

/* org.berth1.Volume; see introspection/org.berth1.Volume.xml. */

static StorageVolume *volume_of(BusCall *call) {
        return (StorageVolume *) call->object;
}

static int get_config(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new("(@a{ss})", volume_of(call)->config);
        return 0;
}

static int update(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) set = NULL, unset = NULL;
        uint64_t revision = option_get_uint64(call->options, "if-revision", 0);
        VolumeUpdate change;
        Job *job;
        int r;

        g_variant_get(call->args, "(@a{ss}@asa{sv})", &set, &unset, NULL);
        change = (VolumeUpdate) {
                .set = set,
                .unset = unset,
                .description = option_get_string(call->options, "description", NULL),
                .if_revision = revision > 0 ? &revision : NULL,
        };
        r = volume_update(call->manager, bus_call_caller(call), volume_of(call), &change, &job,
                          ret_error);
        return r < 0 || !job ? r : bus_call_wait_for_job(call, job);
}

static int name_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get_child(call->args, 0, "&s", &name);
        bus_call_detail(call, "new-name", name);
        return 0;
}

static int rename_volume(BusCall *call, Error *ret_error) {
        const char *name;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = volume_rename(call->manager, bus_call_caller(call), volume_of(call), name, &job,
                          ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int delete(BusCall *call, Error *ret_error) {
        Job *job;
        int r = volume_delete(call->manager, bus_call_caller(call), volume_of(call), &job,
                              ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

static int copy(BusCall *call, Error *ret_error) {
        g_autofree char *own_pool = storage_volume_get_pool(volume_of(call));
        VolumeCopy args = {
                .source = volume_of(call),
                .snapshot = option_get_string(call->options, "snapshot", ""),
                .without_snapshots = option_get_boolean(call->options, "without-snapshots", false),
                .refresh = option_get_boolean(call->options, "refresh", false),
        };
        g_autofree char *job_path = NULL, *path = NULL;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &args.name, NULL);
        r = manager_get(call->manager, OBJECT_POOL,
                        option_get_string(call->options, "pool", own_pool),
                        (Object **) &args.pool, ret_error);
        if (r >= 0)
                r = volume_copy(call->manager, bus_call_caller(call), &args, &job, ret_error);
        if (r < 0)
                return r;
        job_path = bus_path_of(OBJECT_JOB, job->object.name);
        path = bus_path_of(OBJECT_VOLUME, g_array_index(job->subjects, JobSubject, 0).name);
        job_start(job);
        call->reply = g_variant_new("(oo)", job_path, path);
        return 0;
}

/* --- archives --- */

static int export_to(BusCall *call, int fd, Job **ret, Error *ret_error) {
        const VolumeExport args = {
                .archive = fd,
                .compression = bus_call_get_compression(call, "backups.compression_algorithm"),
                .without_snapshots = option_get_boolean(call->options, "without-snapshots", false),
        };

        return volume_export(call->manager, bus_call_caller(call), volume_of(call), &args, ret,
                             ret_error);
}

static int export(BusCall *call, Error *ret_error) {
        gint32 handle;
        Job *job;
        int r;

        g_variant_get(call->args, "(ha{sv})", &handle, NULL);
        r = export_to(call, bus_call_get_fd(call, handle), &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int open_export(BusCall *call, Error *ret_error) {
        _cleanup_close_ int read_end = -EBADF, write_end = -EBADF;
        Job *job;
        int r;

        r = bus_call_make_pipe(&read_end, &write_end, ret_error);
        if (r >= 0)
                r = export_to(call, write_end, &job, ret_error);
        return r < 0 ? r : bus_call_start_job_with_fd(call, job, TAKE_FD(read_end));
}

/* --- snapshots --- */

static int snapshot_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get_child(call->args, 0, "&s", &name);
        bus_call_detail(call, "snapshot", *name ? name : "a new one");
        return 0;
}

static int create_snapshot(BusCall *call, Error *ret_error) {
        uint64_t expires;
        bool given = g_variant_lookup(call->options, "expires", "t", &expires);
        SnapshotCreate args = {
                .description = option_get_string(call->options, "description", NULL),
                .expires = given ? &expires : NULL,
                .reuse = option_get_boolean(call->options, "reuse", false),
        };
        g_autofree char *path = NULL;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &args.name, NULL);
        r = volume_snapshot_create(call->manager, bus_call_caller(call), volume_of(call), &args,
                                   &job, ret_error);
        if (r < 0)
                return r;
        path = bus_path_of(OBJECT_JOB, job->object.name);
        call->reply = g_variant_new("(os)", path, volume_snapshot_of_job(job));
        job_start(job);
        return 0;
}

typedef int (*SnapshotVerb)(Manager *m, Caller caller, StorageVolume *v, const char *name,
                            Job **ret, Error *ret_error);

static int run_snapshot_verb(BusCall *call, SnapshotVerb verb, Error *ret_error) {
        const char *name;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = verb(call->manager, bus_call_caller(call), volume_of(call), name, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int restore_snapshot(BusCall *call, Error *ret_error) {
        return run_snapshot_verb(call, volume_snapshot_restore, ret_error);
}

static int delete_snapshot(BusCall *call, Error *ret_error) {
        return run_snapshot_verb(call, volume_snapshot_delete, ret_error);
}

static int rename_snapshot_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get_child(call->args, 1, "&s", &name);
        bus_call_detail(call, "new-name", name);
        return snapshot_prepare(call, ret_error);
}

static int rename_snapshot(BusCall *call, Error *ret_error) {
        const char *name, *new_name;
        Job *job;
        int r;

        g_variant_get(call->args, "(&s&sa{sv})", &name, &new_name, NULL);
        r = volume_snapshot_rename(call->manager, bus_call_caller(call), volume_of(call), name,
                                   new_name, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int update_snapshot(BusCall *call, Error *ret_error) {
        uint64_t expires;
        bool given = g_variant_lookup(call->options, "expires", "t", &expires);
        const char *name;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        return volume_snapshot_update(call->manager, volume_of(call), name,
                                      option_get_string(call->options, "description", NULL),
                                      given ? &expires : NULL, ret_error);
}

/* --- properties --- */

static GVariant *property_name(Bus *bus, Object *o) {
        return g_variant_new_string(storage_volume_get_name((StorageVolume *) o));
}

static GVariant *property_pool(Bus *bus, Object *o) {
        g_autofree char *name = storage_volume_get_pool((StorageVolume *) o);
        g_autofree char *path = bus_path_of(OBJECT_POOL, name);

        return g_variant_new_object_path(path);
}

static GVariant *property_owner(Bus *bus, Object *o) {
        return g_variant_new_uint32(o->owner);
}

static GVariant *property_created(Bus *bus, Object *o) {
        return g_variant_new_uint64(((StorageVolume *) o)->created);
}

static GVariant *property_description(Bus *bus, Object *o) {
        return g_variant_new_string(((StorageVolume *) o)->description);
}

static GVariant *property_size(Bus *bus, Object *o) {
        return g_variant_new_uint64(storage_volume_get_size((StorageVolume *) o));
}

static GVariant *property_state(Bus *bus, Object *o) {
        return g_variant_new_string(storage_volume_state_to_string(((StorageVolume *) o)->state));
}

static GVariant *property_revision(Bus *bus, Object *o) {
        return g_variant_new_uint64(o->revision);
}

static GVariant *property_used_by(Bus *bus, Object *o) {
        g_autoptr(GArray) users = usage_of(bus->manager, o);

        return bus_paths_of(users);
}

static GVariant *property_snapshots(Bus *bus, Object *o) {
        const GPtrArray *snapshots = ((StorageVolume *) o)->snapshots;
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        for (guint i = 0; i < snapshots->len; i++) {
                const Snapshot *s = snapshots->pdata[i];
                GVariantDict dict;

                if (!bus_shows(&s->object))
                        continue;
                g_variant_dict_init(&dict, NULL);
                g_variant_dict_insert(&dict, "name", "s", snapshot_get_name(s));
                g_variant_dict_insert(&dict, "description", "s", s->description);
                g_variant_dict_insert(&dict, "created", "t", s->created);
                g_variant_dict_insert(&dict, "expires", "t", s->expires);
                g_variant_dict_insert(&dict, "state", "s", snapshot_state_to_string(s->state));
                g_variant_builder_add_value(&builder, g_variant_dict_end(&dict));
        }
        return g_variant_builder_end(&builder);
}

/* --- tables --- */

static const Option update_options[] = {
        { "if-revision", "t" },
        { "description", "s" },
        { NULL },
};

static const Option copy_options[] = {
        { "pool", "s" },
        { "snapshot", "s" },
        { "refresh", "b" },
        { "without-snapshots", "b" },
        { NULL },
};

static const Option export_options[] = {
        { "compression", "s" },
        { "without-snapshots", "b" },
        { NULL },
};

static const Option create_snapshot_options[] = {
        { "description", "s" },
        { "expires", "t" },
        { "reuse", "b" },
        { NULL },
};

static const Option update_snapshot_options[] = {
        { "description", "s" },
        { "expires", "t" },
        { NULL },
};

#define SNAPSHOT_OF "the snapshot $(snapshot) of the volume $(volume) in $(pool)"

static const BusMethod methods[] = {
        { "GetConfig", "a{sv}", "a{ss}", SD_BUS_PARAM(options) SD_BUS_PARAM(config),
          BUS_OWNER, NULL, "enter", "read the configuration of the volume $(volume) in $(pool)",
          NULL, NULL, get_config },
        { "GetDiskUsage", "a{sv}", "a{sv}", SD_BUS_PARAM(options) SD_BUS_PARAM(usage),
          BUS_OWNER, NULL, "manage-storage", "measure the files of the volume $(volume) in $(pool)",
          NULL, NULL, bus_get_disk_usage },
        { "Update", "a{ss}asa{sv}", "",
          SD_BUS_PARAM(set) SD_BUS_PARAM(unset) SD_BUS_PARAM(options),
          BUS_OWNER, "use", "manage-storage", "change the volume $(volume) in $(pool)",
          update_options, NULL, update },
        { "Rename", "sa{sv}", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage-storage",
          "rename the volume $(volume) in $(pool) to $(new-name)",
          NULL, name_prepare, rename_volume },
        { "Delete", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage-storage", "delete the volume $(volume) in $(pool)",
          NULL, NULL, delete },
        { "Copy", "sa{sv}", "oo",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(volume),
          BUS_OWNER, "use", "enter", "copy the volume $(volume) in $(pool) to $(new-name)",
          copy_options, name_prepare, copy },
        { "Export", "ha{sv}", "o",
          SD_BUS_PARAM(archive) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "export the volume $(volume) in $(pool)",
          export_options, NULL, export },
        { "OpenExport", "a{sv}", "oh",
          SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(archive),
          BUS_OWNER, "use", "enter", "export the volume $(volume) in $(pool)",
          export_options, NULL, open_export },
        { "CreateSnapshot", "sa{sv}", "os",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(snapshot),
          BUS_OWNER, "use", "manage-storage", "take " SNAPSHOT_OF,
          create_snapshot_options, snapshot_prepare, create_snapshot },
        { "RestoreSnapshot", "sa{sv}", "o",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage-storage", "restore " SNAPSHOT_OF,
          NULL, snapshot_prepare, restore_snapshot },
        { "UpdateSnapshot", "sa{sv}", "", SD_BUS_PARAM(name) SD_BUS_PARAM(options),
          BUS_OWNER, "use", "manage-storage", "change " SNAPSHOT_OF,
          update_snapshot_options, snapshot_prepare, update_snapshot },
        { "RenameSnapshot", "ssa{sv}", "o",
          SD_BUS_PARAM(name) SD_BUS_PARAM(new_name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage-storage", "rename " SNAPSHOT_OF " to $(new-name)",
          NULL, rename_snapshot_prepare, rename_snapshot },
        { "DeleteSnapshot", "sa{sv}", "o",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage-storage", "delete " SNAPSHOT_OF,
          NULL, snapshot_prepare, delete_snapshot },
        { NULL },
};

static const BusProperty properties[] = {
        { "Name", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_name },
        { "Pool", "o", SD_BUS_VTABLE_PROPERTY_CONST, property_pool },
        { "Owner", "u", SD_BUS_VTABLE_PROPERTY_CONST, property_owner },
        { "Created", "t", SD_BUS_VTABLE_PROPERTY_CONST, property_created },
        { "Description", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_description },
        { "Size", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_size },
        { "State", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_state },
        { "Snapshots", "aa{sv}", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_snapshots },
        { "UsedBy", "ao", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_used_by },
        { "Revision", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_revision },
        { NULL },
};

BusClass bus_class_volume = {
        .kind = OBJECT_VOLUME,
        .interface = BUS_NAME ".Volume",
        .methods = methods,
        .properties = properties,
};
