/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/sender.h"

#include <errno.h>

#include "service/bus/call.h"
#include "service/bus/decision.h"
#include "service/util/cleanup.h"

/* Who sends without a pause must not keep what has come from being served. */
#define MESSAGES_BETWEEN_TURNS 64U

static void messages_clear(GQueue *messages) {
        sd_bus_message *m;

        while ((m = g_queue_pop_head(messages)))
                sd_bus_message_unref(m);
}

/* Calls that wait for polkit or a worker end with their caller, those that wait for a job simply
 * have nobody left to tell. */
static void leave_calls(BusSender *sender) {
        while (sender->calls->len > 0) {
                BusCall *call = g_ptr_array_index(sender->calls, 0);
                bool asking = bus_call_is_asking(call);

                call->sender = NULL;
                g_ptr_array_remove_index(sender->calls, 0);
                if (asking && !call->on_verdict)
                        decision_record(call, DECISION_WITHDRAWN, call->asked_action,
                                        "the caller has left");
                if (call->on_answer && asking) {
                        g_auto(Error) left = ERROR_INIT;

                        bus_call_withdraw(call);
                        (void) error_set(&left, ERROR_ACCESS_DENIED,
                                         "Who asked has left the bus before the answer");
                        call->on_answer(call, &left);
                        continue;
                }
                if (asking || call->waits_for)
                        (void) bus_call_free(call);
        }
}

void bus_sender_free(void *p) {
        BusSender *sender = p;

        leave_calls(sender);
        if (sender->has_called)
                sender->bus->n_callers--;
        if (sender->credentials_slot)
                sender->bus->n_asked--;
        messages_clear(&sender->messages);
        g_ptr_array_unref(sender->calls);
        sd_bus_slot_unref(sender->credentials_slot);
        g_free(sender->name);
        g_free(sender);
}

static void sender_left(Bus *bus, const char *name) {
        jobs_starter_left(bus->manager, name);
        if (g_hash_table_remove(bus->senders, name))
                bus_check_idle(bus);
}

int bus_sender_on_name_lost(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name;

        if (sd_bus_message_read(m, "sss", &name, NULL, NULL) >= 0 && *name == ':')
                sender_left(userdata, name);
        return 0;
}

BusSender *bus_sender_find(Bus *bus, sd_bus_message *m) {
        const char *name = sd_bus_message_get_sender(m);

        return name ? g_hash_table_lookup(bus->senders, name) : NULL;
}

void bus_sender_has_called(BusSender *sender) {
        if (sender->has_called)
                return;
        sender->has_called = true;
        sender->bus->n_callers++;
        bus_check_idle(sender->bus);
}

/* --- turns --- */

static int enqueue(Bus *bus, uid_t uid, sd_bus_message *m, sd_bus_error *error) {
        if (fair_queue_count(bus->messages, uid) >= CALLS_QUEUED_PER_UID_MAX)
                return sd_bus_error_setf(error, error_code_to_name(ERROR_LIMITS_EXCEEDED),
                                         "%u calls of yours are waiting already",
                                         CALLS_QUEUED_PER_UID_MAX);
        fair_queue_push(bus->messages, uid, sd_bus_message_ref(m));
        (void) sd_event_source_set_enabled(bus->turn_source, SD_EVENT_ON);
        return 1;
}

/* Gives the next message back to sd-bus, which serves it when it gets to it. */
static void begin_turn(Bus *bus) {
        sd_bus_message *m;

        bus->n_read = 0;
        while (!bus->turn && (m = fair_queue_pop(bus->messages, NULL, NULL, NULL)))
                if (bus_sender_find(bus, m) && sd_bus_enqueue_for_read(bus->bus, m) >= 0)
                        bus->turn = m;
                else
                        sd_bus_message_unref(m);
}

int bus_sender_on_turn(sd_event_source *source, void *userdata) {
        Bus *bus = userdata;

        begin_turn(bus);
        while (bus->turn && sd_bus_process(bus->bus, NULL) > 0)
                ;
        bus_flush_late(bus);
        if (fair_queue_is_empty(bus->messages)) {
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
                bus_check_idle(bus);
        }
        return 0;
}

/* --- who it is --- */

static int on_credentials(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        BusSender *sender = userdata;
        Bus *bus = sender->bus;
        uint32_t uid = UINT32_MAX;
        sd_bus_message *m;

        sender->credentials_slot = sd_bus_slot_unref(sender->credentials_slot);
        bus->n_asked--;
        sender->known = !sd_bus_message_is_method_error(reply, NULL) &&
                        sd_bus_message_read(reply, "u", &uid) >= 0 && uid != UINT32_MAX &&
                        uid != 65534; /* who that is, nobody can say */
        sender->uid = uid;
        while ((m = g_queue_pop_head(&sender->messages))) {
                g_auto(sd_bus_error) refusal = SD_BUS_ERROR_NULL;

                if (enqueue(bus, uid, m, &refusal) < 0)
                        (void) sd_bus_reply_method_error(m, &refusal);
                sd_bus_message_unref(m);
        }
        /* Of one that was on the bus before berthd, and left before it, no signal came. */
        if (sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                sender_left(bus, sender->name);
        bus_check_idle(bus);
        return 0;
}

/* Asked without waiting: sd-bus's own look-up would block the loop. The name is never given to
 * another connection, so the answer stays good. The bus always answers, if not before what came
 * earlier has been read: no time is too long for that. */
static int ask_for_credentials(BusSender *sender) {
        g_autoptr(sd_bus_message) m = NULL;
        int r;

        r = sd_bus_message_new_method_call(sender->bus->bus, &m, "org.freedesktop.DBus",
                                           "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                           "GetConnectionUnixUser");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", sender->name);
        return r < 0 ? r : sd_bus_call_async(sender->bus->bus, &sender->credentials_slot, m,
                                             on_credentials, sender, UINT64_MAX);
}

static int sender_new(Bus *bus, const char *name, BusSender **ret) {
        BusSender *sender = g_new0(BusSender, 1);
        int r;

        sender->bus = bus;
        sender->name = g_strdup(name);
        sender->calls = g_ptr_array_new();
        g_queue_init(&sender->messages);
        r = ask_for_credentials(sender);
        if (r < 0) {
                bus_sender_free(sender);
                return r;
        }
        bus->n_asked++;
        g_hash_table_insert(bus->senders, sender->name, sender);
        *ret = sender;
        return 0;
}

int bus_sender_on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Bus *bus = userdata;
        BusSender *sender;
        uint8_t type;
        int r;

        if (m == bus->turn) {
                bus->turn = sd_bus_message_unref(bus->turn);
                return 0;
        }
        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL ||
            !sd_bus_message_get_sender(m))
                return 0;
        if (++bus->n_read >= MESSAGES_BETWEEN_TURNS)
                begin_turn(bus);
        sender = bus_sender_find(bus, m);
        if (!sender) {
                r = sender_new(bus, sd_bus_message_get_sender(m), &sender);
                if (r < 0)
                        return r;
        }
        if (!sender->credentials_slot)
                return enqueue(bus, sender->uid, m, error);
        if (sender->messages.length >= CALLS_PENDING_MAX)
                return sd_bus_error_setf(error, error_code_to_name(ERROR_LIMITS_EXCEEDED),
                                         "%u calls of yours are waiting already",
                                         sender->messages.length);
        g_queue_push_tail(&sender->messages, sd_bus_message_ref(m));
        return 1;
}
