/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/mock-service.h"

#include <systemd/sd-bus.h>

#include "service/bus/message.h"
#include "service/util/cleanup.h"

struct MockService {
        sd_bus *bus;
        char *path;
        GPtrArray *calls; /* text */
};

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        MockService *service = userdata;
        g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autoptr(GVariant) body = NULL;
        g_autofree char *text = NULL;
        uint8_t type;

        g_assert_cmpint(sd_bus_message_get_type(m, &type), >=, 0);
        if (type != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        g_assert_cmpint(message_read_body(m, fds, &body), >=, 0);
        text = g_variant_print(body, FALSE);
        g_ptr_array_add(service->calls, g_strconcat(sd_bus_message_get_member(m), text, NULL));
        return sd_bus_reply_method_return(m, NULL);
}

MockService *mock_service_new(Harness *h, const char *name, const char *path) {
        MockService *service = g_new0(MockService, 1);

        service->path = g_strdup(path);
        service->calls = g_ptr_array_new_with_free_func(g_free);
        g_assert_cmpint(sd_bus_new(&service->bus), >=, 0);
        g_assert_cmpint(sd_bus_set_address(service->bus, h->address), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(service->bus, true), >=, 0);
        g_assert_cmpint(sd_bus_start(service->bus), >=, 0);
        g_assert_cmpint(sd_bus_add_object(service->bus, NULL, path, on_call, service), >=, 0);
        g_assert_cmpint(sd_bus_attach_event(service->bus, h->event, 0), >=, 0);
        g_assert_cmpint(sd_bus_request_name(service->bus, name, 0), >=, 0);
        return service;
}

MockService *mock_service_free(MockService *service) {
        if (!service)
                return NULL;

        sd_bus_flush_close_unref(service->bus);
        g_ptr_array_unref(service->calls);
        g_free(service->path);
        g_free(service);
        return NULL;
}

char *mock_service_get_calls(const MockService *service) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (guint i = 0; i < service->calls->len; i++)
                g_string_append_printf(text, "%s\n", (char *) service->calls->pdata[i]);
        return g_string_free(g_steal_pointer(&text), FALSE);
}

unsigned mock_service_count(const MockService *service, const char *call) {
        unsigned n = 0;

        for (guint i = 0; i < service->calls->len; i++)
                n += g_str_equal(service->calls->pdata[i], call);
        return n;
}

void mock_service_emit(MockService *service, const char *interface, const char *member) {
        g_assert_cmpint(sd_bus_emit_signal(service->bus, service->path, interface, member, NULL),
                        >=, 0);
}
