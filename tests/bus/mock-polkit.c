/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/mock-polkit.h"

#include "service/bus/bus.h"
#include "service/bus/message.h"
#include "service/util/cleanup.h"

#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

static void question_free(void *p) {
        PolkitQuestion *q = p;

        sd_bus_message_unref(q->message);
        g_free(q->subject_kind);
        g_free(q->subject_name);
        g_free(q->action);
        g_variant_unref(q->details);
        g_free(q->cancellation_id);
        g_free(q);
}

static void reply_verdict(sd_bus_message *message, bool yes, bool challenge) {
        g_assert_cmpint(sd_bus_reply_method_return(message, "(bba{ss})", yes, challenge, 0), >=, 0);
}

void mock_polkit_answer(PolkitQuestion *question, PolkitAnswer answer) {
        g_autoptr(sd_bus_message) message = TAKE_PTR(question->message);

        g_assert_nonnull(message);
        switch (answer) {
        case POLKIT_YES:
                reply_verdict(message, true, false);
                return;
        case POLKIT_NO:
                reply_verdict(message, false, false);
                return;
        case POLKIT_CHALLENGE:
                reply_verdict(message, false, !(question->flags & 1));
                return;
        case POLKIT_ERROR:
                g_assert_cmpint(sd_bus_reply_method_errorf(
                                        message, "org.freedesktop.PolicyKit1.Error.Failed",
                                        "Out of order"), >=, 0);
                return;
        case POLKIT_GARBAGE:
                g_assert_cmpint(sd_bus_reply_method_return(message, "sb", "yes", true), >=, 0);
                return;
        case POLKIT_HOLD:
                question->message = TAKE_PTR(message);
                return;
        }
        g_assert_not_reached();
}

static int on_check(MockPolkit *polkit, sd_bus_message *m) {
        g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
        g_autoptr(GVariant) body = NULL, subject = NULL;
        PolkitQuestion *q = g_new0(PolkitQuestion, 1);

        g_assert_cmpint(message_read_body(m, fds, &body), >=, 0);
        g_assert_cmpstr(g_variant_get_type_string(body), ==, "((sa{sv})sa{ss}us)");
        g_variant_get(body, "((s@a{sv})s@a{ss}us)", &q->subject_kind, &subject, &q->action,
                      &q->details, &q->flags, &q->cancellation_id);
        g_assert_true(g_variant_lookup(subject, "name", "s", &q->subject_name));
        q->message = sd_bus_message_ref(m);
        g_ptr_array_add(polkit->questions, q);
        mock_polkit_answer(q, g_strcmp0(polkit->only_yes_to, q->action) == 0 ? POLKIT_YES
                                                                             : polkit->answer);
        return 1;
}

/* Until then the bus counts it among what berthd waits for. */
static void answer_cancelled(MockPolkit *polkit, const char *id) {
        for (guint i = 0; i < polkit->questions->len; i++) {
                PolkitQuestion *q = g_ptr_array_index(polkit->questions, i);

                if (q->message && g_str_equal(q->cancellation_id, id))
                        mock_polkit_answer(q, POLKIT_ERROR);
        }
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        MockPolkit *polkit = userdata;
        const char *id;

        if (sd_bus_message_is_method_call(m, POLKIT_INTERFACE, "CheckAuthorization"))
                return on_check(polkit, m);
        if (sd_bus_message_is_method_call(m, POLKIT_INTERFACE, "CancelCheckAuthorization")) {
                g_assert_cmpint(sd_bus_message_read(m, "s", &id), >=, 0);
                g_ptr_array_add(polkit->cancelled, g_strdup(id));
                if (polkit->answers_cancelled)
                        answer_cancelled(polkit, id);
                return sd_bus_reply_method_return(m, NULL);
        }
        return 0;
}

MockPolkit *mock_polkit_new(Harness *h) {
        MockPolkit *polkit = g_new0(MockPolkit, 1);

        polkit->harness = h;
        polkit->questions = g_ptr_array_new_with_free_func(question_free);
        polkit->cancelled = g_ptr_array_new_with_free_func(g_free);
        g_assert_cmpint(sd_bus_new(&polkit->bus), >=, 0);
        g_assert_cmpint(sd_bus_set_address(polkit->bus, h->address), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(polkit->bus, true), >=, 0);
        g_assert_cmpint(sd_bus_start(polkit->bus), >=, 0);
        g_assert_cmpint(sd_bus_add_object(polkit->bus, NULL, POLKIT_PATH, on_call, polkit), >=, 0);
        g_assert_cmpint(sd_bus_attach_event(polkit->bus, h->event, 0), >=, 0);
        g_assert_cmpint(sd_bus_request_name(polkit->bus, "org.freedesktop.PolicyKit1", 0), >=, 0);
        return polkit;
}

void mock_polkit_leave(MockPolkit *polkit) {
        sd_bus_close(polkit->bus);
}

MockPolkit *mock_polkit_free(MockPolkit *polkit) {
        if (!polkit)
                return NULL;

        g_ptr_array_unref(polkit->questions);
        g_ptr_array_unref(polkit->cancelled);
        sd_bus_close_unref(polkit->bus);
        g_free(polkit);
        return NULL;
}

PolkitQuestion *mock_polkit_last(MockPolkit *polkit) {
        guint n = polkit->questions->len;

        return n > 0 ? g_ptr_array_index(polkit->questions, n - 1) : NULL;
}

const char *mock_polkit_get_detail(const PolkitQuestion *question, const char *key) {
        const char *value;

        return g_variant_lookup(question->details, key, "&s", &value) ? value : NULL;
}
