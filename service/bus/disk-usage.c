/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/disk-usage.h"

#include "service/operation/disk-usage.h"

static void usage_found(GVariant *found, const Error *error, void *userdata) {
        BusCall *call = userdata;
        GVariantDict usage;
        guint64 value;

        if (error) {
                bus_call_fail(call, error);
                return;
        }
        g_variant_dict_init(&usage, NULL);
        if (g_variant_lookup(found, "used", "t", &value))
                g_variant_dict_insert(&usage, "used", "t", value);
        if (g_variant_lookup(found, "size", "t", &value) && value > 0)
                g_variant_dict_insert(&usage, "size", "t", value);
        bus_call_reply(call, g_variant_new("(@a{sv})", g_variant_dict_end(&usage)));
}

int bus_get_disk_usage(BusCall *call, Error *ret_error) {
        Job *job;
        int r = disk_usage(call->manager, bus_call_caller(call), call->object, usage_found, call,
                           &job, ret_error);

        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}
