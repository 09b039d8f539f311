/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/scope/request.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <glib.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD ".Manager"
/* A scope that has become empty is forgotten as soon as systemd has heard of it. */
#define REMOVAL_TIMEOUT_USEC (10 * G_USEC_PER_SEC)
/* Stops all containers in order when it is stopped itself. */
#define CONTAINERS_UNIT "berth-containers.service"

typedef struct Unit {
        sd_bus *bus;
        const char *name, *description;
        uint32_t pid;
        char *job;     /* object path, while it is awaited */
        char *result;  /* how it has ended */
        bool removed;  /* an older unit of this name has gone */
} Unit;

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Unit *unit = userdata;
        const char *path, *name, *result;
        uint32_t id;
        int r;

        r = sd_bus_message_read(message, "uoss", &id, &path, &name, &result);
        if (r >= 0 && unit->job && g_str_equal(path, unit->job))
                unit->result = g_strdup(result);
        return 0;
}

static int on_unit_removed(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        Unit *unit = userdata;
        const char *name, *path;

        if (sd_bus_message_read(message, "so", &name, &path) >= 0 && g_str_equal(name, unit->name))
                unit->removed = true;
        return 0;
}

/* Before anything is asked for, so that no signal is missed. */
static int listen(Unit *unit) {
        int r;

        r = sd_bus_match_signal(unit->bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                "JobRemoved", on_job_removed, unit);
        if (r >= 0)
                r = sd_bus_match_signal(unit->bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                        "UnitRemoved", on_unit_removed, unit);
        if (r >= 0)
                r = sd_bus_call_method(unit->bus, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                       "Subscribe", NULL, NULL, NULL);
        return r;
}

static int append_properties(Unit *unit, sd_bus_message *message) {
        int r;

        r = sd_bus_message_append(message, "(sv)(sv)(sv)(sv)(sv)(sv)",
                                  "Description", "s", unit->description,
                                  "Slice", "s", "berth.slice",
                                  "PIDs", "au", 1, unit->pid,
                                  "Delegate", "b", 1,
                                  "TasksMax", "t", UINT64_MAX,
                                  "CollectMode", "s", "inactive-or-failed");
        /* What ends the containers of a host that goes down must come first, and be there. */
        return r < 0 ? r : sd_bus_message_append(message, "(sv)(sv)",
                                                 "Before", "as", 1, CONTAINERS_UNIT,
                                                 "Wants", "as", 1, CONTAINERS_UNIT);
}

static int ask(Unit *unit, sd_bus_error *error) {
        sd_bus_message *message = NULL, *reply = NULL;
        const char *job;
        int r;

        r = sd_bus_message_new_method_call(unit->bus, &message, SYSTEMD, SYSTEMD_PATH,
                                           SYSTEMD_MANAGER, "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(message, "ss", unit->name, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(message, 'a', "(sv)");
        if (r >= 0)
                r = append_properties(unit, message);
        if (r >= 0)
                r = sd_bus_message_close_container(message);
        if (r >= 0)
                r = sd_bus_message_append(message, "a(sa(sv))", 0);
        if (r >= 0)
                r = sd_bus_call(unit->bus, message, 0, error, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &job);
        if (r >= 0)
                unit->job = g_strdup(job);
        sd_bus_message_unref(message);
        sd_bus_message_unref(reply);
        return r;
}

static int await(Unit *unit, bool (*is_done)(const Unit *), gint64 timeout_usec) {
        gint64 deadline = g_get_monotonic_time() + timeout_usec;

        while (!is_done(unit)) {
                gint64 left = deadline - g_get_monotonic_time();
                int r = sd_bus_process(unit->bus, NULL);

                if (r == 0 && left <= 0)
                        return -ETIMEDOUT;
                if (r == 0)
                        r = sd_bus_wait(unit->bus, (uint64_t) left);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}

static bool is_started(const Unit *unit) {
        return unit->result != NULL;
}

static bool is_removed(const Unit *unit) {
        return unit->removed;
}

static int start(Unit *unit, sd_bus_error *error) {
        int r;

        r = listen(unit);
        if (r < 0)
                return r;
        r = ask(unit, error);
        if (r < 0 && sd_bus_error_has_name(error, SYSTEMD ".UnitExists") &&
            await(unit, is_removed, REMOVAL_TIMEOUT_USEC) >= 0) {
                sd_bus_error_free(error);
                r = ask(unit, error);
        }
        if (r >= 0)
                r = await(unit, is_started, REMOVAL_TIMEOUT_USEC);
        if (r >= 0 && !g_str_equal(unit->result, "done"))
                r = sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "systemd says \"%s\" of %s",
                                      unit->result, unit->name);
        return r;
}

int request_unit(sd_bus *bus, char **arguments) {
        Unit unit = { .bus = bus, .name = arguments[0], .description = arguments[1] };
        sd_bus_error error = SD_BUS_ERROR_NULL;
        guint64 pid;
        int r;

        if (!g_ascii_string_to_unsigned(arguments[2], 10, 2, G_MAXINT32, &pid, NULL))
                return -EINVAL;
        unit.pid = (uint32_t) pid;
        r = start(&unit, &error);
        if (r < 0)
                (void) fprintf(stderr, "%s\n", error.message ?: strerror(-r));
        sd_bus_error_free(&error);
        g_free(unit.job);
        g_free(unit.result);
        return r;
}
