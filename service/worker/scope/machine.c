/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/scope/request.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

static int append(sd_bus_message *message, const char *name, const char *root, guint64 pid,
                  char **interfaces) {
        int r;

        r = sd_bus_message_append(message, "sayssus", name, 0, "berth", "container",
                                  (uint32_t) pid, root);
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "i");
        for (char **i = interfaces; r >= 0 && *i; i++) {
                guint64 index;

                if (!g_ascii_string_to_unsigned(*i, 10, 1, G_MAXINT32, &index, NULL))
                        return -EINVAL;
                r = sd_bus_message_append(message, "i", (int32_t) index);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

static bool is_absent(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               sd_bus_error_has_name(error, "org.freedesktop.systemd1.NoSuchUnit") ||
               sd_bus_error_has_name(error, "org.freedesktop.systemd1.UnitMasked");
}

/* The leader is in a scope already, which becomes the machine's unit. */
int request_machine(sd_bus *bus, char **arguments) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *message = NULL;
        guint64 pid;
        int r;

        if (!g_ascii_string_to_unsigned(arguments[2], 10, 2, G_MAXINT32, &pid, NULL))
                return -EINVAL;
        r = sd_bus_message_new_method_call(bus, &message, "org.freedesktop.machine1",
                                           "/org/freedesktop/machine1",
                                           "org.freedesktop.machine1.Manager",
                                           "RegisterMachineWithNetwork");
        if (r >= 0)
                r = append(message, arguments[0], arguments[1], pid, arguments + 3);
        if (r >= 0)
                r = sd_bus_call(bus, message, 0, &error, NULL);
        if (r < 0 && is_absent(&error))
                r = 0;
        if (r < 0)
                (void) fprintf(stderr, "%s\n", error.message ?: strerror(-r));
        sd_bus_message_unref(message);
        sd_bus_error_free(&error);
        return r;
}
