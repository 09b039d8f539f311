/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/call.h"
#include "service/bus/path.h"
#include "service/operation/network.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/util/cleanup.h"

/* org.berth1.Network; see introspection/org.berth1.Network.xml. */

static int get_config(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new("(@a{ss})", ((Network *) call->object)->config);
        return 0;
}

static int get_leases(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new("(@a(sssst))", network_get_leases(call->manager,
                                                                      (Network *) call->object));
        return 0;
}

static int get_state(BusCall *call, Error *ret_error) {
        GVariant *state;
        int r = network_get_state((Network *) call->object, &state, ret_error);

        if (r >= 0)
                call->reply = g_variant_new("(@a{sv})", state);
        return r;
}

/* What the arguments of Update() ask for, and what has to live as long. */
typedef struct UpdateArgs {
        NetworkUpdate update;
        GVariant *set, *unset;
        uint64_t revision;
} UpdateArgs;

static void update_args_clear(UpdateArgs *args) {
        g_clear_pointer(&args->set, g_variant_unref);
        g_clear_pointer(&args->unset, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UpdateArgs, update_args_clear)

static void update_args_read(BusCall *call, UpdateArgs *ret) {
        ret->revision = option_get_uint64(call->options, "if-revision", 0);
        g_variant_get(call->args, "(@a{ss}@asa{sv})", &ret->set, &ret->unset, NULL);
        ret->update = (NetworkUpdate) {
                .set = ret->set,
                .unset = ret->unset,
                .description = option_get_string(call->options, "description", NULL),
                .if_revision = ret->revision > 0 ? &ret->revision : NULL,
        };
}

static int update_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_auto(UpdateArgs) args = { 0 };
        int r;

        update_args_read(call, &args);
        r = network_update_privilege((Network *) call->object, &args.update, &needed, ret_error);
        if (r >= 0)
                bus_call_require_beside(call, &needed);
        return r;
}

static int update(BusCall *call, Error *ret_error) {
        g_auto(UpdateArgs) args = { 0 };
        Job *job;
        int r;

        update_args_read(call, &args);
        r = network_update(call->manager, bus_call_caller(call), (Network *) call->object,
                           &args.update, &job, ret_error);
        return r < 0 ? r : bus_call_wait_for_job(call, job);
}

/* What the arguments of SetForward() and DeleteForward() ask for, and what has to live as long. */
typedef struct ForwardArgs {
        NetworkForward forward;
        GVariant *value;
        uint64_t revision;
} ForwardArgs;

static void forward_args_clear(ForwardArgs *args) {
        g_clear_pointer(&args->value, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ForwardArgs, forward_args_clear)

static int change_forward(BusCall *call, ForwardArgs *args, Error *ret_error) {
        Job *job;
        int r;

        args->revision = option_get_uint64(call->options, "if-revision", 0);
        args->forward.value = args->value;
        args->forward.if_revision = args->revision > 0 ? &args->revision : NULL;
        r = network_set_forward(call->manager, bus_call_caller(call), (Network *) call->object,
                                &args->forward, &job, ret_error);
        return r < 0 ? r : bus_call_wait_for_job(call, job);
}

static int set_forward(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, ports = NULL;
        g_auto(ForwardArgs) args = { 0 };
        const char *description;

        g_variant_get(call->args, "(&s&s@a{ss}@a(sssss)a{sv})", &args.forward.listen, &description,
                      &config, &ports, NULL);
        args.value = g_variant_ref_sink(g_variant_new("(s@a{ss}@a(sssss))", description, config,
                                                      ports));
        args.forward.create = option_get_boolean(call->options, "create", false);
        return change_forward(call, &args, ret_error);
}

static int delete_forward(BusCall *call, Error *ret_error) {
        g_auto(ForwardArgs) args = { 0 };

        g_variant_get(call->args, "(&sa{sv})", &args.forward.listen, NULL);
        return change_forward(call, &args, ret_error);
}

static int rename_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        bus_call_detail(call, "new-name", name);
        return 0;
}

static int rename_network(BusCall *call, Error *ret_error) {
        const char *name;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = network_rename(call->manager, bus_call_caller(call), (Network *) call->object, name,
                           &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int delete(BusCall *call, Error *ret_error) {
        Job *job;
        int r = network_delete(call->manager, bus_call_caller(call), (Network *) call->object, &job,
                               ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

/* --- properties --- */

static GVariant *property_name(Bus *bus, Object *o) {
        return g_variant_new_string(o->name);
}

static GVariant *property_type(Bus *bus, Object *o) {
        return g_variant_new_string(network_type_to_string(((Network *) o)->type));
}

static GVariant *property_description(Bus *bus, Object *o) {
        return g_variant_new_string(((Network *) o)->description);
}

static GVariant *property_state(Bus *bus, Object *o) {
        return g_variant_new_string(network_state_to_string(((Network *) o)->state));
}

static GVariant *property_ipv4(Bus *bus, Object *o) {
        return g_variant_new_string(network_get_ipv4((Network *) o));
}

static GVariant *property_ipv6(Bus *bus, Object *o) {
        return g_variant_new_string(network_get_ipv6((Network *) o));
}

static GVariant *property_revision(Bus *bus, Object *o) {
        return g_variant_new_uint64(o->revision);
}

static GVariant *property_forwards(Bus *bus, Object *o) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *listen;
        GVariant *value;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(ssa{ss}a(sssss))"));
        g_variant_iter_init(&iter, ((Network *) o)->forwards);
        while (g_variant_iter_next(&iter, "{&s@*}", &listen, &value)) {
                g_autoptr(GVariant) forward = value, config = NULL, ports = NULL;
                const char *description;

                g_variant_get(forward, "(&s@a{ss}@a(sssss))", &description, &config, &ports);
                g_variant_builder_add(&builder, "(ss@a{ss}@a(sssss))", listen, description, config,
                                      ports);
        }
        return g_variant_builder_end(&builder);
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

static const Option set_forward_options[] = {
        { "create", "b" },
        { "if-revision", "t" },
        { NULL },
};

static const Option delete_forward_options[] = {
        { "if-revision", "t" },
        { NULL },
};

static const BusMethod methods[] = {
        { "GetConfig", "a{sv}", "a{ss}", SD_BUS_PARAM(options) SD_BUS_PARAM(config),
          BUS_PUBLIC, .act = get_config },
        { "GetLeases", "a{sv}", "a(sssst)", SD_BUS_PARAM(options) SD_BUS_PARAM(leases),
          BUS_PUBLIC, .act = get_leases },
        { "GetState", "a{sv}", "a{sv}", SD_BUS_PARAM(options) SD_BUS_PARAM(state),
          BUS_PUBLIC, .act = get_state },
        { "Update", "a{ss}asa{sv}", "",
          SD_BUS_PARAM(set) SD_BUS_PARAM(unset) SD_BUS_PARAM(options),
          BUS_ACTION, NULL, "manage-networks", "change the network $(network)",
          update_options, update_prepare, update },
        { "SetForward", "ssa{ss}a(sssss)a{sv}", "",
          SD_BUS_PARAM(listen_address) SD_BUS_PARAM(description) SD_BUS_PARAM(config)
          SD_BUS_PARAM(ports) SD_BUS_PARAM(options),
          BUS_ACTION, NULL, "manage-networks", "forward an address to the network $(network)",
          set_forward_options, NULL, set_forward },
        { "DeleteForward", "sa{sv}", "",
          SD_BUS_PARAM(listen_address) SD_BUS_PARAM(options),
          BUS_ACTION, NULL, "manage-networks",
          "forward an address to the network $(network) no longer",
          delete_forward_options, NULL, delete_forward },
        { "Rename", "sa{sv}", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "manage-networks", "rename the network $(network) to $(new-name)",
          NULL, rename_prepare, rename_network },
        { "Delete", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "manage-networks", "delete the network $(network)",
          NULL, NULL, delete },
        { NULL },
};

static const BusProperty properties[] = {
        { "Name", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_name },
        { "Type", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_type },
        { "Description", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_description },
        { "State", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_state },
        { "IPv4Address", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_ipv4 },
        { "IPv6Address", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_ipv6 },
        { "Revision", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_revision },
        { "Forwards", "a(ssa{ss}a(sssss))", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE,
          property_forwards },
        { "UsedBy", "ao", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_used_by },
        { NULL },
};

BusClass bus_class_network = {
        .kind = OBJECT_NETWORK,
        .interface = BUS_NAME ".Network",
        .methods = methods,
        .properties = properties,
};
