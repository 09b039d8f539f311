/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A world of its own for tests of berthd on the bus: a private dbus-daemon that lets everybody in,
 * a mock polkit, fake workers (fake-worker.c), berthd itself with its directories below a temporary
 * one, and clients of any uid, all driven by one event loop. Nothing waits for time to pass:
 * HARNESS_WAIT() runs the loop until a condition holds.
 *
 * HARNESS_MAIN() runs the tests in a child, so that whatever they leave behind when one fails is
 * ended and removed. Needs root, for the other uids and the user namespaces of the fake containers.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

#include <glib.h>

#include "tests/unit/test.h"

typedef struct Client Client;
typedef struct Harness Harness;
typedef struct MockPolkit MockPolkit;

/* Users that the tests speak of. */
#define UID_ALICE 4242U
#define UID_BOB 4243U
#define UID_NOBODY 65534U
#define UID_FAR 4000000000U
/* The first of so many that come together. */
#define UID_CROWD 4250U
#define CROWD_USERS 5U

struct Harness {
        char *dir, *libexec_dir, *state_dir, *run_dir, *address;
        sd_event *event;
        sd_event_source *child_source;
        pid_t bus_pid;
        const char *service; /* another berthd than the one that is installed, or NULL */
        pid_t service_pid;   /* 0 when berthd does not run */
        int service_status;  /* as waitpid() gives it, once it has ended */
        GArray *gates;       /* fds of opened gates */
        MockPolkit *polkit;
        Client *root;        /* a client of uid 0 that hears all signals of the service */
};

/* Bus, polkit and root's client; berthd is not started yet. */
Harness *harness_new_idle(void);
/* The same, with berthd on the bus. */
Harness *harness_new(void);
/* Ends everything. Fails the test when berthd does not end cleanly or a process is left. */
void harness_free(Harness *h);

/* Starts berthd with more arguments (NULL for none) and waits until it is on the bus. */
void harness_start_service(Harness *h, const char *const *more);
/* SIGTERM, and waits; it must exit with 0. */
void harness_stop_service(Harness *h);
/* SIGKILL, and waits. */
void harness_kill_service(Harness *h);
/* Ends the fake containers, which outlive berthd, and waits. */
void harness_end_containers(Harness *h);
/* Who has org.berth1, or NULL. To be freed. */
char *harness_get_owner(Harness *h);

/* One turn of the loop; fails the test when nothing happens for long. */
void harness_step(Harness *h, const char *what);
#define HARNESS_WAIT(_h, _condition) \
        do \
                while (!(_condition)) \
                        harness_step(_h, #_condition); \
        while (0)

/* What the fake workers do for an operation, such as "runtime.start": lines of directives (see
 * fake-worker.c), NULL for the ordinary thing. */
void harness_plan(Harness *h, const char *operation, const char *directives);
/* Lets through whoever waits at the gate of an operation, now and later. */
void harness_open_gate(Harness *h, const char *operation);
/* How often the fake workers ran an operation; "" counts all lines of their log. */
unsigned harness_count_runs(Harness *h, const char *operation);
/* What was asked of them, a line each: "OPERATION {arguments}". To be freed. */
char *harness_read_log(Harness *h);
/* How many entries a directory below the temporary one has; 0 where there is none. */
unsigned harness_count_entries(Harness *h, const char *path);
/* pidfds of the workers that run. */
GArray *harness_open_workers(Harness *h);
/* Waits until they have ended, and closes them. */
void harness_wait_for_workers(GArray *workers);
int harness_open_process(pid_t pid);
void harness_wait_for_process(int pidfd);
/* Starts another berthd on the same directories; how it ended, as waitpid() gives it. */
int harness_run_second(Harness *h);
/* How many fds berthd has open. */
unsigned harness_count_fds(Harness *h);
/* Whether a file is there below the temporary directory. */
bool harness_has_file(Harness *h, const char *path);
void harness_make_dirs(Harness *h, const char *path);
void harness_remove_tree(Harness *h, const char *path);
void harness_write_file(Harness *h, const char *path, const void *data, size_t size);

int harness_main(void);

#define HARNESS_MAIN() \
        int main(void) { \
                return harness_main(); \
        }

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Harness, harness_free)
