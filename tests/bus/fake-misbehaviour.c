/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/fake-misbehaviour.h"

#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/protocol.h"

void fake_send_raw(size_t size) {
        g_autofree char *data = g_malloc(size);

        memset(data, 'x', size);
        (void) fd_send(PROTOCOL_CHANNEL_FD, data, size, NULL, 0);
}

void fake_send_crowd(Worker *worker) {
        int fds[FD_PASS_MAX];

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = PROTOCOL_CHANNEL_FD;
        (void) worker_send_event(worker, g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0), fds,
                                 ELEMENTSOF(fds));
}

void fake_send_error(const char *name, const char *text) {
        GVariantDict content;
        g_autoptr(GVariant) message = NULL;

        g_variant_dict_init(&content, NULL);
        g_variant_dict_insert(&content, "name", "s", name);
        g_variant_dict_insert(&content, "message", "s", text);
        message = g_variant_ref_sink(
                g_variant_new("(s@a{sv})", "error", g_variant_dict_end(&content)));
        (void) fd_send(PROTOCOL_CHANNEL_FD, g_variant_get_data(message),
                       g_variant_get_size(message), NULL, 0);
        _exit(0);
}
