/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client/fake-service.h"

/* What containers use, as far as the clients show it. */

void fake_get_state(FakeCall *call) {
        GVariantBuilder b, network, counters;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        if (!g_str_equal(fake_object_get_string(call->object, "State"), "stopped")) {
                g_variant_builder_add(&b, "{sv}", "processes", g_variant_new_uint32(6));
                g_variant_builder_add(&b, "{sv}", "cpu-usage", g_variant_new_uint64(25000000));
                g_variant_builder_add(&b, "{sv}", "memory-current",
                                      g_variant_new_uint64(72362230));
                g_variant_builder_add(&b, "{sv}", "memory-limit",
                                      g_variant_new_uint64(268435456));
                g_variant_builder_add(&b, "{sv}", "memory-peak", g_variant_new_uint64(271489434));
                g_variant_builder_init(&counters, G_VARIANT_TYPE("a{st}"));
                g_variant_builder_add(&counters, "{st}", "bytes-received", UINT64_C(83650));
                g_variant_builder_add(&counters, "{st}", "packets-received", UINT64_C(188));
                g_variant_builder_init(&network, G_VARIANT_TYPE("a{sa{st}}"));
                g_variant_builder_add(&network, "{s@a{st}}", "eth0",
                                      g_variant_builder_end(&counters));
                g_variant_builder_add(&b, "{sv}", "network", g_variant_builder_end(&network));
                g_variant_builder_add(&b, "{sv}", "interfaces",
                                      g_variant_new_parsed(
                                              "{'eth0': {'type': <'broadcast'>, 'state': <'up'>,"
                                              " 'mtu': <@u 1500>, 'host-name': <'veth2a'>,"
                                              " 'hwaddr': <'00:16:3e:12:34:56'>}}"));
        }
        call->reply->body = g_variant_new("(@a{sv})", g_variant_builder_end(&b));
}

void fake_get_disk_usage(FakeCall *call) {
        bool counted = g_str_equal(call->object->name, "c1");

        call->reply->body = counted ? g_variant_new_parsed("({'used': <@t 184320>,"
                                                           "  'size': <@t 1000000000>},)")
                                    : g_variant_new("(a{sv})", NULL);
}
