/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * polkit as berthd sees it: records every question and answers by the book of the test. It runs in
 * the test's own process and loop, so a test can look at a question, do something, and then answer.
 */

#include <systemd/sd-bus.h>

#include "tests/bus/harness.h"

typedef enum PolkitAnswer {
        POLKIT_YES,
        POLKIT_NO,
        POLKIT_CHALLENGE, /* an agent would have to ask; with the interactive flag it says "no" */
        POLKIT_ERROR,
        POLKIT_GARBAGE,   /* a reply of another type */
        POLKIT_HOLD,      /* nothing until mock_polkit_answer() */
} PolkitAnswer;

typedef struct PolkitQuestion {
        sd_bus_message *message; /* NULL once it has been answered */
        char *subject_kind, *subject_name;
        char *action;
        GVariant *details;       /* a{ss} */
        uint32_t flags;
        char *cancellation_id;
} PolkitQuestion;

struct MockPolkit {
        Harness *harness;
        sd_bus *bus;
        PolkitAnswer answer;     /* of questions to come */
        bool answers_cancelled;  /* held questions, with an error, as polkitd does */
        const char *only_yes_to; /* an action that is granted whatever `answer` says, or NULL */
        GPtrArray *questions;    /* PolkitQuestion */
        GPtrArray *cancelled;    /* ids of CancelCheckAuthorization */
};

MockPolkit *mock_polkit_new(Harness *h);
MockPolkit *mock_polkit_free(MockPolkit *polkit);
/* The latest question, or NULL. */
PolkitQuestion *mock_polkit_last(MockPolkit *polkit);
/* Text of a detail, or NULL. Lives as long as the question. */
const char *mock_polkit_get_detail(const PolkitQuestion *question, const char *key);
void mock_polkit_answer(PolkitQuestion *question, PolkitAnswer answer);
/* Leaves the bus, as if it had died, or was never there. */
void mock_polkit_leave(MockPolkit *polkit);
