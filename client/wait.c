/* SPDX-License-Identifier: Apache-2.0 */
#include "client/wait.h"

#include "client/commands.h"
#include "client/format.h"
#include "client/job.h"
#include "service/util/cleanup.h"

/* Longer than systemd gives a unit, and cloud-init a source of data. */
#define READY_TIMEOUT_USEC (10 * 60 * G_USEC_PER_SEC)

const Option wait_options[] = {
        { "timeout", 0, "SECONDS", "Give up after that time (default: never)", NULL },
        { NULL },
};

int wait_check_option(Client *c, Error *ret_error) {
        static const char *const words[] = { "running", "ip", "ready", NULL };
        const char *what = client_option(c, "wait");

        if (what && !g_strv_contains(words, what))
                return client_usage_error(ret_error, "--wait '%s' is none of running, ip and ready",
                                          what);
        return 0;
}

/* Being ready is a matter of its own, which takes a look inside. */
static int wait_for(Client *c, const char *container, const char *what, uint64_t timeout_usec,
                    Error *ret_error) {
        bool ready = g_str_equal(what, "ready");
        g_autoptr(GVariant) options = g_variant_ref_sink(
                g_variant_new_parsed("{'timeout': <%t>}", (guint64) timeout_usec));

        return job_run(c, OBJECT_CONTAINER, container, ready ? "WaitUntilReady" : "WaitFor",
                       ready ? g_variant_new("(@a{sv})", options)
                             : g_variant_new("(s@a{sv})", what, options),
                       ret_error);
}

int wait_as_asked(Client *c, const char *container, Error *ret_error) {
        const char *what = client_option(c, "wait");

        if (!what)
                return 0;
        return wait_for(c, container, what, g_str_equal(what, "ready") ? READY_TIMEOUT_USEC : 0,
                        ret_error);
}

int run_wait(Client *c, Error *ret_error) {
        const char *text = client_option(c, "timeout");
        g_autofree char *path = NULL;
        uint64_t seconds = 0;
        int r;

        if (text && (parse_number(text, &seconds) < 0 || seconds == 0 || seconds > G_MAXUINT32))
                return client_usage_error(ret_error, "The timeout '%s' is no number of seconds",
                                          text);
        r = client_object_path(OBJECT_CONTAINER, client_argument(c, 0), &path, ret_error);
        if (r < 0)
                return r;
        return wait_for(c, path, client_argument(c, 1), seconds * G_USEC_PER_SEC, ret_error);
}
