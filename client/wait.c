/* SPDX-License-Identifier: Apache-2.0 */
#include "client/wait.h"

#include "client/job.h"
#include "service/util/cleanup.h"

/* Longer than systemd gives a unit, and cloud-init a source of data. */
#define READY_TIMEOUT_USEC (10 * 60 * G_USEC_PER_SEC)

int wait_check_option(Client *c, Error *ret_error) {
        static const char *const words[] = { "running", "ip", "ready", NULL };
        const char *what = client_option(c, "wait");

        if (what && !g_strv_contains(words, what))
                return client_usage_error(ret_error, "--wait '%s' is none of running, ip and ready",
                                          what);
        return 0;
}

int wait_as_asked(Client *c, const char *container, Error *ret_error) {
        const char *what = client_option(c, "wait");

        if (!what)
                return 0;
        if (!g_str_equal(what, "ready"))
                return job_run(c, OBJECT_CONTAINER, container, "WaitFor",
                               g_variant_new("(sa{sv})", what, NULL), ret_error);
        return job_run(c, OBJECT_CONTAINER, container, "WaitUntilReady",
                       g_variant_new_parsed("({'timeout': <%t>},)", (guint64) READY_TIMEOUT_USEC),
                       ret_error);
}
