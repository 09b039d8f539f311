/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/call.h"
#include "service/bus/class-container-copy.h"
#include "service/bus/path.h"
#include "service/operation/snapshot.h"
#include "service/util/cleanup.h"

/* org.berth1.Snapshot; see introspection/org.berth1.Snapshot.xml. */

static Snapshot *snapshot_of(BusCall *call) {
        return (Snapshot *) call->object;
}

static int get_config_or_devices(BusCall *call, bool devices) {
        const Snapshot *s = snapshot_of(call);
        g_autoptr(GVariant) all_config = NULL, all_devices = NULL;

        if (option_get_boolean(call->options, "expanded", false))
                profiles_merge(call->manager, (const char *const *) s->profiles, s->config,
                               s->devices, &all_config, &all_devices);
        if (devices)
                call->reply = g_variant_new("(@a{sa{ss}})", all_devices ?: s->devices);
        else
                call->reply = g_variant_new("(@a{ss})", all_config ?: s->config);
        return 0;
}

static int get_config(BusCall *call, Error *ret_error) {
        return get_config_or_devices(call, false);
}

static int get_devices(BusCall *call, Error *ret_error) {
        return get_config_or_devices(call, true);
}

static int update(BusCall *call, Error *ret_error) {
        uint64_t expires = option_get_uint64(call->options, "expires", 0);
        bool given = g_variant_lookup(call->options, "expires", "t", NULL);

        return snapshot_update(call->manager, snapshot_of(call),
                               option_get_string(call->options, "description", NULL),
                               given ? &expires : NULL, ret_error);
}

static int rename_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        bus_call_detail(call, "new-name", name);
        return 0;
}

static int rename_snapshot(BusCall *call, Error *ret_error) {
        const char *name;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = snapshot_rename(call->manager, bus_call_caller(call), snapshot_of(call), name, &job,
                            ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int delete(BusCall *call, Error *ret_error) {
        Job *job;
        int r = snapshot_delete(call->manager, bus_call_caller(call), snapshot_of(call), &job,
                                ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

/* --- properties --- */

static GVariant *property_name(Bus *bus, Object *o) {
        return g_variant_new_string(snapshot_get_name((Snapshot *) o));
}

static GVariant *property_container(Bus *bus, Object *o) {
        g_autofree char *name = snapshot_get_container((Snapshot *) o);
        g_autofree char *path = bus_path_of(OBJECT_CONTAINER, name);

        return g_variant_new_object_path(path);
}

static GVariant *property_owner(Bus *bus, Object *o) {
        return g_variant_new_uint32(o->owner);
}

static GVariant *property_created(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Snapshot *) o)->created);
}

static GVariant *property_stateful(Bus *bus, Object *o) {
        return g_variant_new_boolean(((Snapshot *) o)->stateful);
}

static GVariant *property_expires(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Snapshot *) o)->expires);
}

static GVariant *property_description(Bus *bus, Object *o) {
        return g_variant_new_string(((Snapshot *) o)->description);
}

static GVariant *property_profiles(Bus *bus, Object *o) {
        return g_variant_new_strv((const char *const *) ((Snapshot *) o)->profiles, -1);
}

static GVariant *property_state(Bus *bus, Object *o) {
        return g_variant_new_string(snapshot_state_to_string(((Snapshot *) o)->state));
}

static GVariant *property_revision(Bus *bus, Object *o) {
        return g_variant_new_uint64(o->revision);
}

/* --- tables --- */

static const Option get_options[] = {
        { "expanded", "b" },
        { NULL },
};

static const Option update_options[] = {
        { "description", "s" },
        { "expires", "t" },
        { NULL },
};

static const BusMethod methods[] = {
        { "GetConfig", "a{sv}", "a{ss}", SD_BUS_PARAM(options) SD_BUS_PARAM(config),
          BUS_OWNER, NULL, "enter",
          "read the configuration of the snapshot $(snapshot) of $(container)",
          get_options, NULL, get_config },
        { "GetDevices", "a{sv}", "a{sa{ss}}", SD_BUS_PARAM(options) SD_BUS_PARAM(devices),
          BUS_OWNER, NULL, "enter", "read the devices of the snapshot $(snapshot) of $(container)",
          get_options, NULL, get_devices },
        { "Copy", "sa{sv}", "oo",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(container),
          BUS_OWNER, "use", "enter",
          "copy the snapshot $(snapshot) of $(container) to the container $(new-name)",
          bus_copy_options, bus_copy_prepare, bus_copy },
        { "Publish", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "make an image of the snapshot $(snapshot) of $(container)",
          bus_publish_options, bus_publish_prepare, bus_publish },
        { "Update", "a{sv}", "", SD_BUS_PARAM(options),
          BUS_OWNER, "use", "manage", "change the snapshot $(snapshot) of $(container)",
          update_options, NULL, update },
        { "Rename", "sa{sv}", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage",
          "rename the snapshot $(snapshot) of $(container) to $(new-name)",
          NULL, rename_prepare, rename_snapshot },
        { "Delete", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "delete the snapshot $(snapshot) of $(container)",
          NULL, NULL, delete },
        { NULL },
};

static const BusProperty properties[] = {
        { "Name", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_name },
        { "Container", "o", SD_BUS_VTABLE_PROPERTY_CONST, property_container },
        { "Owner", "u", SD_BUS_VTABLE_PROPERTY_CONST, property_owner },
        { "Created", "t", SD_BUS_VTABLE_PROPERTY_CONST, property_created },
        { "Stateful", "b", SD_BUS_VTABLE_PROPERTY_CONST, property_stateful },
        { "Expires", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_expires },
        { "Description", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_description },
        { "Profiles", "as", SD_BUS_VTABLE_PROPERTY_CONST, property_profiles },
        { "State", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_state },
        { "Revision", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_revision },
        { NULL },
};

BusClass bus_class_snapshot = {
        .kind = OBJECT_SNAPSHOT,
        .interface = BUS_NAME ".Snapshot",
        .methods = methods,
        .properties = properties,
};
