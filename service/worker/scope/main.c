/* SPDX-License-Identifier: Apache-2.0 */

/*
 * berth-scope: asks systemd and systemd-machined for one thing and ends. A program of its own,
 * since what it links would be paid for by every program that workers start inside a container.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/worker/scope/request.h"

/* Both answer within milliseconds, and are still starting or hang when they do not. */
#define TIMEOUT_USEC (20 * G_USEC_PER_SEC)

static const struct {
        const char *name;
        int n_arguments; /* at least */
        int (*request)(sd_bus *bus, char **arguments);
} requests[] = {
        { "unit", 3, request_unit },
        { "machine", 3, request_machine },
};

static int run(size_t i, char **arguments) {
        sd_bus *bus = NULL;
        int r;

        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_set_method_call_timeout(bus, TIMEOUT_USEC);
        if (r < 0)
                (void) fprintf(stderr, "The system bus cannot be reached: %s\n", strerror(-r));
        else
                r = requests[i].request(bus, arguments);
        sd_bus_flush_close_unref(bus);
        return r;
}

int main(int argc, char *argv[]) {
        for (size_t i = 0; argc > 1 && i < ELEMENTSOF(requests); i++)
                if (strcmp(argv[1], requests[i].name) == 0 && argc - 2 >= requests[i].n_arguments)
                        return run(i, argv + 2) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        (void) fputs("This program is run by berthd, not by hand.\n", stderr);
        return EXIT_FAILURE;
}
