/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/decision.h"

#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "service/bus/path.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"

/* Of all records of decisions: journalctl MESSAGE_ID=... */
#define DECISION_MESSAGE_ID "8815c9df5d144a9190b6ab69a157b33d"

static const char *const words[] = {
        [DECISION_GRANTED] = "granted",
        [DECISION_DENIED] = "denied",
        [DECISION_CHALLENGE] = "challenge",
        [DECISION_WITHDRAWN] = "withdrawn",
};
G_STATIC_ASSERT(ELEMENTSOF(words) == _DECISION_MAX);

static void add_field(GPtrArray *fields, const char *name, const char *value) {
        if (value)
                g_ptr_array_add(fields, g_strconcat(name, "=", value, NULL));
}

static void send_to_journal(int level, const GPtrArray *fields) {
        g_autofree struct iovec *iov = g_new0(struct iovec, fields->len);

        for (guint i = 0; i < fields->len; i++) {
                char *field = g_ptr_array_index(fields, i);

                iov[i] = (struct iovec) { field, strlen(field) };
        }
        if (sd_journal_sendv(iov, (int) fields->len) < 0)
                log_write(level, "%s", (const char *) iov[0].iov_base + strlen("MESSAGE="));
}

void decision_record(BusCall *call, Decision decision, const char *action, const char *why) {
        /* Refusals are what an administrator looks for. */
        int level = decision == DECISION_GRANTED ? LOG_INFO : LOG_NOTICE;
        uid_t uid = call->caller_uid;
        g_autoptr(GPtrArray) fields = NULL;
        g_autofree char *message = NULL, *number = NULL, *owner = NULL, *method = NULL, *id = NULL,
                        *priority = NULL;
        const char *path = sd_bus_message_get_path(call->message);

        if (call->decided)
                return;
        call->decided = true;
        if (level > log_get_max_level())
                return;
        number = uid == UINT32_MAX ? g_strdup("unknown") : g_strdup_printf("%u", uid);
        method = g_strdup_printf("%s.%s", strrchr(call->class->interface, '.') + 1,
                                 call->method->name);
        id = action ? g_strdup_printf(BUS_NAME ".%s", action) : NULL;
        message = g_strdup_printf("Decision: uid %s, %s on %s: %s%s%s%s%s.", number, method, path,
                                  words[decision], id ? ", " : "", id ?: "", why ? ": " : "",
                                  why ?: "");
        if (!g_str_equal(log_get_target(), "journal")) {
                log_write(level, "%s", message);
                return;
        }

        fields = g_ptr_array_new_with_free_func(g_free);
        owner = call->has_owner ? g_strdup_printf("%u", call->owner_uid) : NULL;
        priority = g_strdup_printf("%d", level);
        add_field(fields, "MESSAGE", message);
        add_field(fields, "MESSAGE_ID", DECISION_MESSAGE_ID);
        add_field(fields, "PRIORITY", priority);
        add_field(fields, "SYSLOG_IDENTIFIER", "berthd");
        add_field(fields, "BERTH_UID", number);
        add_field(fields, "BERTH_SENDER", sd_bus_message_get_sender(call->message));
        add_field(fields, "BERTH_METHOD", method);
        add_field(fields, "BERTH_OBJECT", path);
        add_field(fields, "BERTH_OWNER", owner);
        add_field(fields, "BERTH_ACTION", id);
        add_field(fields, "BERTH_RESULT", words[decision]);
        add_field(fields, "BERTH_REASON", why);
        send_to_journal(level, fields);
}
