/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "service/bus/call.h"
#include "service/bus/decision.h"
#include "service/bus/path.h"
#include "service/util/cleanup.h"

/*
 * Questions to polkit, over D-Bus, without waiting. The subject is the caller's connection, which
 * polkit looks up itself: nothing that the client says of itself counts. Any error, silence and
 * absence are a "no".
 */

/* People look for their passwords. */
#define POLKIT_TIMEOUT_USEC (5 * 60 * G_USEC_PER_SEC)
#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_ALLOW_INTERACTION 1U

/* Says that there will be no answer, or a "no": `error` is set then. */
static void conclude(BusCall *call, bool authorized, bool challenge, Error *error) {
        if (call->on_verdict) {
                call->on_verdict(call, authorized ? "yes" : challenge ? "challenge" : "no");
                return;
        }
        if (authorized) {
                call->granted = true;
                if (!call->on_answer) {
                        bus_call_run(call);
                        return;
                }
                decision_record(call, DECISION_GRANTED, call->asked_action, NULL);
                call->on_answer(call, NULL);
                return;
        }
        if (challenge)
                (void) error_set(error, ERROR_AUTH_REQUIRED,
                                 "Interactive authentication is required for %s.%s", BUS_NAME,
                                 call->asked_action);
        else
                (void) error_set(error, ERROR_ACCESS_DENIED, "You may not do this: polkit denies "
                                 "%s.%s", BUS_NAME, call->asked_action);
        decision_record(call, challenge ? DECISION_CHALLENGE : DECISION_DENIED, call->asked_action,
                        error->message);
        if (call->on_answer)
                call->on_answer(call, error);
        else
                bus_call_fail(call, error);
}

static int send_question(BusCall *call, const char *action, GVariant *details, Error *ret_error);

/* The place of a question that has been answered, or taken back, is somebody else's. */
static void leave_place(Bus *bus, uid_t uid) {
        BusCall *next;

        while ((next = places_leave(bus->questions, uid))) {
                g_autoptr(GVariant) question = g_steal_pointer(&next->question), details = NULL;
                g_auto(Error) error = ERROR_INIT;
                const char *action;

                g_variant_get(question, "(&s@a{sv})", &action, &details);
                if (send_question(next, action, details, &error) >= 0)
                        return;
                uid = next->caller_uid;
                conclude(next, false, false, &error);
        }
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        BusCall *call = userdata;
        g_auto(Error) error = ERROR_INIT;
        int authorized = false, challenge = false;
        const sd_bus_error *e = sd_bus_message_get_error(reply);

        call->polkit_slot = sd_bus_slot_unref(call->polkit_slot);
        leave_place(call->bus, call->caller_uid);
        if (e)
                (void) error_set(&error, ERROR_ACCESS_DENIED,
                                 "polkit cannot be asked about %s.%s: %s", BUS_NAME,
                                 call->asked_action, e->message);
        else if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
                 sd_bus_message_read(reply, "bb", &authorized, &challenge) < 0) {
                authorized = challenge = false;
                (void) error_set(&error, ERROR_ACCESS_DENIED, "polkit's answer makes no sense");
        }
        conclude(call, authorized, challenge, &error);
        return 0;
}

static int append_details(sd_bus_message *m, GVariant *details) {
        GVariantIter iter;
        const char *key;
        GVariant *value;
        int r;

        r = sd_bus_message_open_container(m, 'a', "{ss}");
        g_variant_iter_init(&iter, details);
        while (r >= 0 && g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
                r = sd_bus_message_append(m, "{ss}", key, g_variant_get_string(value, NULL));
                g_variant_unref(value);
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int send_question(BusCall *call, const char *action, GVariant *details, Error *ret_error) {
        static uint64_t last_id;
        g_autoptr(sd_bus_message) m = NULL;
        g_autofree char *id = g_strdup_printf(BUS_NAME ".%s", action);
        bool interactive = !call->on_verdict &&
                           sd_bus_message_get_allow_interactive_authorization(call->message) > 0;
        int r;

        g_free(call->cancellation_id);
        call->cancellation_id = g_strdup_printf("berth%" G_GUINT64_FORMAT, ++last_id);
        r = sd_bus_message_new_method_call(call->bus->bus, &m, POLKIT_NAME, POLKIT_PATH,
                                           POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                          call->sender->name, id);
        if (r >= 0)
                r = append_details(m, details);
        if (r >= 0)
                r = sd_bus_message_append(m, "us", interactive ? POLKIT_ALLOW_INTERACTION : 0U,
                                          call->cancellation_id);
        if (r >= 0)
                r = sd_bus_call_async(call->bus->bus, &call->polkit_slot, m, on_answer, call,
                                      POLKIT_TIMEOUT_USEC);
        if (r < 0)
                return error_set(ret_error, ERROR_ACCESS_DENIED, "polkit cannot be asked: %s",
                                 g_strerror(-r));
        return 0;
}

int bus_call_ask(BusCall *call, const char *action, GVariant *details, Error *ret_error) {
        Places *places = call->bus->questions;
        int r;

        if (places_count_waiting(places, call->caller_uid) >= QUESTIONS_WAITING_PER_UID_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "%u questions to polkit of yours are waiting already",
                                 QUESTIONS_WAITING_PER_UID_MAX);
        if (!places_take(places, call->caller_uid, call)) {
                call->question = g_variant_ref_sink(g_variant_new("(s@a{sv})", action, details));
                return 0;
        }
        r = send_question(call, action, details, ret_error);
        if (r < 0)
                leave_place(call->bus, call->caller_uid);
        return r;
}

bool bus_call_is_asking(const BusCall *call) {
        return call->polkit_slot || call->question;
}

void bus_call_withdraw(BusCall *call) {
        if (call->question) {
                g_clear_pointer(&call->question, g_variant_unref);
                places_forget(call->bus->questions, call->caller_uid, call);
                return;
        }
        call->polkit_slot = sd_bus_slot_unref(call->polkit_slot);
        /* An agent may be showing a dialog for somebody who has gone. */
        (void) sd_bus_call_method_async(call->bus->bus, NULL, POLKIT_NAME, POLKIT_PATH,
                                        POLKIT_INTERFACE, "CancelCheckAuthorization", NULL, NULL,
                                        "s", call->cancellation_id);
        leave_place(call->bus, call->caller_uid);
}
