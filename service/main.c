/* SPDX-License-Identifier: Apache-2.0 */

/*
 * berthd. Order at start: the lock (one service to a state directory), the records, the watches,
 * what was left undone, and only then the name on the bus. It ends on SIGTERM and SIGINT, when it
 * is idle, and when the bus goes away; containers never notice.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "service/bus/bus.h"
#include "service/operation/boot.h"
#include "service/operation/container-hotplug.h"
#include "service/operation/container-run.h"
#include "service/operation/firewall.h"
#include "service/operation/image-upkeep.h"
#include "service/operation/manager.h"
#include "service/operation/recovery.h"
#include "service/operation/snapshot-timer.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/watch/address-watch.h"
#include "service/watch/firewall-watch.h"
#include "service/watch/uevent-watch.h"

/* A client that started us is waiting; what is not recovered by then goes on behind the bus. */
#define RECOVERY_USEC (5 * G_USEC_PER_SEC)

typedef struct Arguments {
        const char *state_dir, *run_dir, *libexec_dir;
} Arguments;

static int help(void) {
        printf("berthd [OPTION...]\n\n"
               "The service behind berth: system containers over D-Bus. Started by the bus.\n\n"
               "  -h --help             Show this\n"
               "     --version          Show the version\n"
               "     --debug            Log more\n"
               "     --state-dir=DIR    Directory of records (default %s)\n"
               "     --run-dir=DIR      Directory of run-time facts (default %s)\n"
               "     --libexec-dir=DIR  Directory of the workers (default %s)\n",
               BERTH_STATE_DIR, BERTH_RUN_DIR, BERTH_LIBEXEC_DIR);
        return 0;
}

/* Returns 1 to go on, 0 when all is said, -EINVAL. */
static int parse_arguments(int argc, char *argv[], Arguments *ret) {
        enum { OPT_VERSION = 256, OPT_DEBUG, OPT_STATE_DIR, OPT_RUN_DIR, OPT_LIBEXEC_DIR };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, OPT_VERSION },
                { "debug", no_argument, NULL, OPT_DEBUG },
                { "state-dir", required_argument, NULL, OPT_STATE_DIR },
                { "run-dir", required_argument, NULL, OPT_RUN_DIR },
                { "libexec-dir", required_argument, NULL, OPT_LIBEXEC_DIR },
                { NULL },
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        return help();
                case OPT_VERSION:
                        printf("berthd %s\n", BERTH_VERSION);
                        return 0;
                case OPT_DEBUG:
                        log_set_max_level(LOG_DEBUG);
                        break;
                case OPT_STATE_DIR:
                        ret->state_dir = optarg;
                        break;
                case OPT_RUN_DIR:
                        ret->run_dir = optarg;
                        break;
                case OPT_LIBEXEC_DIR:
                        ret->libexec_dir = optarg;
                        break;
                default:
                        return -EINVAL;
                }
        if (optind < argc) {
                log_error("berthd takes no arguments.");
                return -EINVAL;
        }
        return 1;
}

static int make_directories(const Arguments *args, Error *ret_error) {
        static const char *const state[] = { "logs", "leases", "mounts", "disks", "archives" };
        g_autofree char *consoles = g_build_filename(args->run_dir, "consoles", NULL);
        int r;

        /* Searchable, because dnsmasq reads its hosts below it and is not root; everything else
         * below it is closed. */
        r = path_make_dirs(args->run_dir, 0711);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot make %s", args->run_dir);
        if (chmod(args->run_dir, 0711) < 0)
                return error_set_errno(ret_error, errno, "Cannot change the mode of %s",
                                       args->run_dir);
        r = path_make_dirs(consoles, 0700);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot make %s", consoles);
        for (size_t i = 0; i < ELEMENTSOF(state); i++) {
                g_autofree char *path = g_build_filename(args->state_dir, state[i], NULL);

                r = path_make_dirs(path, 0700);
                if (r < 0)
                        return error_set_errno(ret_error, -r, "Cannot make %s", path);
        }
        return 0;
}

/* Held as long as the process lives. */
static int take_lock(const Arguments *args, Error *ret_error) {
        g_autofree char *path = g_build_filename(args->state_dir, "lock", NULL);
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
                return error_set_errno(ret_error, errno, "Cannot open %s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return error_set(ret_error, ERROR_BUSY, "Another berthd works on %s already",
                                 args->state_dir);
        return TAKE_FD(fd);
}

/* Without these the service does its work, and hears less. */
static void watch_kernel(Manager *m) {
        int r;

        r = address_watch_new(m->event, container_run_addresses_changed, m, &m->address_watch);
        if (r < 0)
                log_warning("Addresses of containers cannot be watched: %s", g_strerror(-r));
        r = uevent_watch_new(m->event, container_hotplug_heard, m, &m->uevent_watch);
        if (r < 0)
                log_warning("Hardware that comes and goes cannot be watched: %s", g_strerror(-r));
        r = firewall_watch_new(m->event, network_firewall_lost, m, &m->firewall_watch);
        if (r < 0)
                log_warning("The firewall cannot be watched: %s", g_strerror(-r));
}

static int on_recovery_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        bool *late = userdata;

        *late = true;
        return 0;
}

static int recover(Manager *m, Error *ret_error) {
        sd_event_source *timer = NULL;
        bool late = false;
        int r;

        r = recovery_start(m, ret_error);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(m->event, &timer, CLOCK_MONOTONIC, RECOVERY_USEC, 0,
                                       on_recovery_timeout, &late);
        while (r >= 0 && !late && !recovery_is_over(m) &&
               sd_event_get_state(m->event) != SD_EVENT_FINISHED)
                r = sd_event_run(m->event, UINT64_MAX);
        sd_event_source_disable_unref(timer);
        if (r < 0)
                return error_set_errno(ret_error, -r, "The event loop failed");
        return 0;
}

static int set_up_events(sd_event **ret, Error *ret_error) {
        static const int blocked[] = { SIGCHLD, SIGTERM, SIGINT };
        g_autoptr(sd_event) event = NULL;
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTSOF(blocked); i++)
                (void) sigaddset(&mask, blocked[i]);
        (void) sigprocmask(SIG_BLOCK, &mask, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
        r = sd_event_default(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot make an event loop");
        *ret = TAKE_PTR(event);
        return 0;
}

static int run(const Arguments *args, Error *ret_error) {
        g_autoptr(sd_event) event = NULL;
        g_autoptr(Manager) manager = NULL;
        g_autoptr(Bus) bus = NULL;
        _cleanup_close_ int lock = -EBADF;
        int r;

        r = make_directories(args, ret_error);
        if (r >= 0)
                r = lock = take_lock(args, ret_error);
        if (r >= 0)
                r = set_up_events(&event, ret_error);
        if (r >= 0)
                r = manager_new(event, args->state_dir, args->run_dir, args->libexec_dir, &manager,
                                ret_error);
        if (r < 0)
                return r;
        watch_kernel(manager);
        r = bus_new(event, manager, &bus, ret_error);
        if (r >= 0)
                r = recover(manager, ret_error);
        if (r >= 0)
                r = snapshot_timer_new(manager, &manager->snapshot_timer, ret_error);
        if (r >= 0)
                r = image_upkeep_new(manager, &manager->image_upkeep, ret_error);
        if (r >= 0)
                r = bus_take_name(bus, ret_error);
        if (r < 0)
                return r;
        (void) sd_notify(false, "READY=1");
        if (boot_is_first(manager))
                boot_start(manager);
        r = sd_event_loop(event);
        (void) sd_notify(false, "STOPPING=1");
        return r < 0 ? error_set_errno(ret_error, -r, "The event loop failed") : r;
}

int main(int argc, char *argv[]) {
        Arguments args = { BERTH_STATE_DIR, BERTH_RUN_DIR, BERTH_LIBEXEC_DIR };
        g_auto(Error) error = ERROR_INIT;
        int r;

        log_open();
        r = parse_arguments(argc, argv, &args);
        if (r <= 0)
                return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        umask(0077);
        fd_limit_raise();
        r = run(&args, &error);
        if (r < 0) {
                log_error("%s.", error.message);
                return EXIT_FAILURE;
        }
        return r;
}
