/* SPDX-License-Identifier: Apache-2.0 */

/* A service that nobody needs ends, and not as one that failed, which would be started again. */

#include "service/bus/bus.h"
#include "tests/bus/harness.h"
#include "tests/unit/test.h"

#define PATIENCE_USEC (20 * G_TIME_SPAN_SECOND)

TEST(with_nothing_to_do_it_ends_well) {
        g_autoptr(Harness) h = harness_new_idle();

        harness_start_service(h, NULL);
        while (h->service_pid > 0)
                g_assert_cmpint(sd_event_run(h->event, BUS_IDLE_USEC + PATIENCE_USEC), >, 0);
        g_assert_cmpint(h->service_status, ==, 0);
}

HARNESS_MAIN()
