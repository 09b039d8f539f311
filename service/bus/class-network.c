/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/call.h"
#include "service/bus/path.h"
#include "service/operation/network.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"

/* org.berth1.Network; see introspection/org.berth1.Network.xml. */

static int get_config(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new("(@a{ss})", ((Network *) call->object)->config);
        return 0;
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
        return g_variant_new_string("bridge");
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

static GVariant *property_used_by(Bus *bus, Object *o) {
        g_autoptr(GArray) users = usage_of(bus->manager, o);

        return bus_paths_of(users);
}

/* --- tables --- */

static const BusMethod methods[] = {
        { "GetConfig", "a{sv}", "a{ss}", SD_BUS_PARAM(options) SD_BUS_PARAM(config),
          BUS_PUBLIC, .act = get_config },
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
        { "UsedBy", "ao", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_used_by },
        { NULL },
};

BusClass bus_class_network = {
        .kind = OBJECT_NETWORK,
        .interface = BUS_NAME ".Network",
        .methods = methods,
        .properties = properties,
};
