/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/call.h"
#include "service/bus/path.h"
#include "service/model/config-key.h"
#include "service/operation/profile.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/util/cleanup.h"

/* org.berth1.Profile; see introspection/org.berth1.Profile.xml. */

static Profile *profile_of(BusCall *call) {
        return (Profile *) call->object;
}

static int get_config_prepare(BusCall *call, Error *ret_error) {
        if (!option_get_boolean(call->options, "secrets", false))
                call->access = BUS_PUBLIC;
        return 0;
}

static int get_config(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) config = NULL;

        if (option_get_boolean(call->options, "secrets", false))
                config = g_variant_ref(profile_of(call)->config);
        else
                config = config_without_secrets(profile_of(call)->config);
        call->reply = g_variant_new("(@a{ss})", config);
        return 0;
}

static int get_devices(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new("(@a{sa{ss}})", profile_of(call)->devices);
        return 0;
}

/* What the arguments of Update() ask for, and what has to live as long. */
typedef struct UpdateArgs {
        ProfileChange change;
        GVariant *set, *unset, *devices;
        uint64_t revision;
} UpdateArgs;

static void update_args_clear(UpdateArgs *args) {
        g_clear_pointer(&args->set, g_variant_unref);
        g_clear_pointer(&args->unset, g_variant_unref);
        g_clear_pointer(&args->devices, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UpdateArgs, update_args_clear)

static void update_args_read(BusCall *call, UpdateArgs *ret) {
        ret->devices = option_get_variant(call->options, "devices", "a{sa{ss}}");
        ret->revision = option_get_uint64(call->options, "if-revision", 0);
        g_variant_get(call->args, "(@a{ss}@asa{sv})", &ret->set, &ret->unset, NULL);
        ret->change = (ProfileChange) {
                .set = ret->set,
                .unset = ret->unset,
                .devices = ret->devices,
                .description = option_get_string(call->options, "description", NULL),
                .if_revision = ret->revision > 0 ? &ret->revision : NULL,
        };
}

static int update_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_auto(UpdateArgs) args = { 0 };
        int r;

        update_args_read(call, &args);
        r = profile_change_privilege(call->manager, profile_of(call), &args.change, &needed,
                                     ret_error);
        if (r >= 0)
                bus_call_require_for_profile(call, &needed);
        return r;
}

static int update(BusCall *call, Error *ret_error) {
        g_auto(UpdateArgs) args = { 0 };
        Job *job;
        int r;

        update_args_read(call, &args);
        r = profile_update(call->manager, bus_call_caller(call), profile_of(call), &args.change,
                           &job, ret_error);
        return r < 0 ? r : bus_call_wait_for_warnings(call, job);
}

static int rename_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        bus_call_detail(call, "new-name", name);
        return 0;
}

static int rename_profile(BusCall *call, Error *ret_error) {
        g_autofree char *path = NULL;
        const char *name;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = profile_rename(call->manager, profile_of(call), name, ret_error);
        if (r < 0)
                return r;
        path = bus_path_of(OBJECT_PROFILE, name);
        call->reply = g_variant_new("(o)", path);
        return 0;
}

static int delete(BusCall *call, Error *ret_error) {
        return profile_delete(call->manager, profile_of(call), ret_error);
}

/* --- properties --- */

static GVariant *property_name(Bus *bus, Object *o) {
        return g_variant_new_string(o->name);
}

static GVariant *property_description(Bus *bus, Object *o) {
        return g_variant_new_string(((Profile *) o)->description);
}

static GVariant *property_revision(Bus *bus, Object *o) {
        return g_variant_new_uint64(o->revision);
}

static GVariant *property_used_by(Bus *bus, Object *o) {
        g_autoptr(GArray) users = usage_of(bus->manager, o);

        return bus_paths_of(users);
}

/* --- tables --- */

static const Option get_config_options[] = {
        { "secrets", "b" },
        { NULL },
};

static const Option update_options[] = {
        { "if-revision", "t" },
        { "description", "s" },
        { "devices", "a{sa{ss}}" },
        { NULL },
};

static const BusMethod methods[] = {
        { "GetConfig", "a{sv}", "a{ss}", SD_BUS_PARAM(options) SD_BUS_PARAM(config),
          BUS_ACTION, NULL, "manage-profiles", "read the secrets of the profile $(profile)",
          get_config_options, get_config_prepare, get_config },
        { "GetDevices", "a{sv}", "a{sa{ss}}", SD_BUS_PARAM(options) SD_BUS_PARAM(devices),
          BUS_PUBLIC, .act = get_devices },
        { "Update", "a{ss}asa{sv}", "as",
          SD_BUS_PARAM(set) SD_BUS_PARAM(unset) SD_BUS_PARAM(options) SD_BUS_PARAM(warnings),
          BUS_ACTION, NULL, "manage-profiles", "change the profile $(profile)",
          update_options, update_prepare, update },
        { "Rename", "sa{sv}", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(profile),
          BUS_ACTION, NULL, "manage-profiles", "rename the profile $(profile) to $(new-name)",
          NULL, rename_prepare, rename_profile },
        { "Delete", "a{sv}", "", SD_BUS_PARAM(options),
          BUS_ACTION, NULL, "manage-profiles", "delete the profile $(profile)",
          NULL, NULL, delete },
        { NULL },
};

static const BusProperty properties[] = {
        { "Name", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_name },
        { "Description", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_description },
        { "Revision", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_revision },
        { "UsedBy", "ao", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_used_by },
        { NULL },
};

BusClass bus_class_profile = {
        .kind = OBJECT_PROFILE,
        .interface = BUS_NAME ".Profile",
        .methods = methods,
        .properties = properties,
};
