/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "service/operation/boot.h"
#include "service/operation/container-forward.h"
#include "service/operation/container-hotplug.h"
#include "service/operation/container-nic.h"
#include "service/operation/container-stateful.h"
#include "service/operation/container.h"
#include "service/operation/firewall.h"
#include "service/operation/limits.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/util/process.h"
#include "service/watch/address-watch.h"
#include "service/watch/process-watch.h"
#include "service/worker/operations.h"

/* How long liblxc's monitor may take to clean up after init has gone. */
#define MONITOR_END_USEC (10 * G_USEC_PER_SEC)

#define CLEAN_TRIES 3

struct ContainerRun {
        Manager *manager;
        Container *container;
        ProcessWatch *init_watch, *monitor_watch;
        sd_event_source *monitor_timer;
        WorkerProcess *cleaner;
        unsigned cleaned;   /* how often that was tried */
        Job *waiter;
        bool reboot; /* it ended for that */
};

int container_run_save(Manager *m, Container *c, Error *ret_error) {
        g_autoptr(GVariant) record = container_facts_to_record(&c->facts);

        return record_dir_write(m->facts, c->object.name, record, ret_error);
}

Container *container_run_find(Manager *m, const char *name, uint64_t generation, pid_t init_pid) {
        Container *c = manager_find_container(m, name);

        return c && c->object.generation == generation && c->init_fd >= 0 &&
                               c->facts.init_pid == init_pid
                       ? c
                       : NULL;
}

/* --- the directory of a run --- */

static int open_lxc_dir(Manager *m) {
        g_autofree char *path = g_build_filename(m->run_dir, "lxc", NULL);
        /* The container's root has to pass; which names there are, it need not know. */
        int r = path_make_dirs(path, 0711);

        return r < 0 ? r : path_open_dir(path);
}

int container_run_prepare(Manager *m, Container *c, Error *ret_error) {
        _cleanup_close_ int lxc_fd = open_lxc_dir(m), fd = -EBADF;
        g_autoptr(GVariant) record = NULL;
        uint64_t random[2];
        g_autofree char *token = NULL;

        if (lxc_fd < 0)
                return error_set_errno(ret_error, -lxc_fd, "Cannot open %s/lxc", m->run_dir);
        /* The address of liblxc's command socket is made from this path, and anybody can bind the
         * address of a container that does not run: so nobody may guess it. */
        if (getrandom(random, sizeof(random), 0) != sizeof(random))
                return error_set_errno(ret_error, errno, "Cannot get random bytes");
        token = g_strdup_printf("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", random[0],
                                random[1]);

        fd = path_make_dir(lxc_fd, token, 0700);
        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot make a directory in %s/lxc",
                                       m->run_dir);
        g_free(c->facts.lxc_path);
        c->facts.lxc_path = g_build_filename(m->run_dir, "lxc", token, NULL);
        record = container_facts_to_record(&c->facts);
        return record_dir_write(m->facts, c->object.name, record, ret_error);
}

/* What liblxc's hook, the last thing that the monitor runs, left about the end; NULL where it left
 * nothing: then the monitor was killed before it had cleaned up. */
static GBytes *run_read_target(Manager *m, const Container *c) {
        _cleanup_close_ int lxc_fd = open_lxc_dir(m), fd = -EBADF;
        g_autofree char *token = g_path_get_basename(c->facts.lxc_path);
        g_autofree char *name = g_strdup_printf("%s/%s", token, RUNTIME_TARGET_FILE);
        GBytes *bytes;

        if (lxc_fd < 0)
                return NULL;
        fd = path_open_beneath(lxc_fd, name, O_RDONLY, 0);
        return fd < 0 || fd_read_all(fd, 16, &bytes) < 0 ? NULL : bytes;
}

static bool run_wants_reboot(Manager *m, const Container *c) {
        g_autoptr(GBytes) target = run_read_target(m, c);

        return target && g_bytes_get_size(target) >= strlen("reboot") &&
               memcmp(g_bytes_get_data(target, NULL), "reboot", strlen("reboot")) == 0;
}

void container_run_discard(Manager *m, Container *c) {
        g_auto(Error) error = ERROR_INIT;

        g_hash_table_remove(m->runs, c);
        container_forwards_forget(m, c);
        container_hotplug_forget(m, c);
        if (m->address_watch)
                address_watch_remove(m->address_watch, c->object.name);
        if (c->facts.lxc_path) {
                _cleanup_close_ int lxc_fd = open_lxc_dir(m);
                g_autofree char *token = g_path_get_basename(c->facts.lxc_path);

                if (lxc_fd < 0 || path_remove_tree(lxc_fd, token) < 0)
                        log_warning("Cannot remove %s.", c->facts.lxc_path);
        }
        if (record_dir_remove(m->facts, c->object.name, &error) < 0)
                log_warning("%s.", error.message);
        container_forget_run(c);
        if (container_nics_are_guarded(m, c))
                firewall_settle(m, c->object.name);
}

/* --- its end --- */

void container_run_free(void *p) {
        ContainerRun *run = p;

        process_watch_free(run->init_watch);
        process_watch_free(run->monitor_watch);
        worker_process_free(run->cleaner);
        sd_event_source_disable_unref(run->monitor_timer);
        g_free(run);
}

/* Nobody asked for the end: it rebooted, or shut down, or was killed. */
static void run_ended_by_itself(Manager *m, Container *c, bool reboot) {
        g_auto(Error) error = ERROR_INIT;
        Job *job;
        int r = 0;

        if (reboot)
                r = container_start(m, CALLER_SERVICE, c, &job, &error);
        else if (c->ephemeral)
                r = container_delete(m, CALLER_SERVICE, c, false, &job, &error);
        else {
                boot_restart(m, c);
                return;
        }
        if (r < 0)
                log_error("Container \"%s\" has ended but cannot be %s: %s", c->object.name,
                          reboot ? "started again" : "deleted", error.message);
        else
                job_start(job);
}

static void run_ended(ContainerRun *run) {
        Manager *m = run->manager;
        Container *c = run->container;
        Job *waiter = run->waiter;
        bool reboot = run->reboot;

        /* One that reboots, or goes down with a host that does, is to come up again. As long as
         * there are facts of the run, the next service finds its end too. */
        if (!reboot)
                boot_remember(m, c, false);
        container_run_discard(m, c); /* frees run */
        c->state = CONTAINER_STOPPED;
        manager_changed(m, &c->object);
        limits_settle(m);
        if (!waiter)
                manager_lifecycle(m, c, reboot ? "restarted" : "shutdown", NULL);
        if (waiter)
                job_step_done(waiter, 0);
        else if (!manager_get_lock(m, &c->object))
                run_ended_by_itself(m, c, reboot);
}

static void run_clean(ContainerRun *run);

/* A worker that was killed, or came too early for the kernel, is no reason to leave anything. */
static void on_cleaned(GVariant *result, int *fds, size_t n_fds, Error *error, void *userdata) {
        ContainerRun *run = userdata;

        run->cleaner = worker_process_free(run->cleaner);
        if (!result && ++run->cleaned < CLEAN_TRIES) {
                run_clean(run);
                return;
        }
        if (!result)
                log_error("Container \"%s\" has ended, but not all of it is gone: %s",
                          run->container->object.name, error->message);
        run_ended(run);
}

/* liblxc leaves the group that its monitor ended in, and a monitor that was killed leaves all. */
static void run_clean(ContainerRun *run) {
        static const WorkerHandlers handlers = { .ended = on_cleaned };
        Manager *m = run->manager;
        Container *c = run->container;
        g_auto(Error) error = ERROR_INIT;

        if (run->cleaner)
                return;
        /* What tells of it goes with the rest. */
        run->reboot = run_wants_reboot(m, c);
        if (worker_process_start(m->event, m->libexec_dir, OPERATION_CLEAN,
                                 step_clean_args(c), NULL, 0, &handlers, run, &run->cleaner,
                                 &error) < 0)
                on_cleaned(NULL, NULL, 0, &error, run);
}

/* Init and monitor have gone, in whatever order we heard of it. */
static void run_both_ended(ContainerRun *run) {
        g_autoptr(GBytes) target = run_read_target(run->manager, run->container);

        if (!target)
                log_warning("The monitor of container \"%s\" has gone; cleaning up behind it.",
                            run->container->object.name);
        run_clean(run);
}

static int on_monitor_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        ContainerRun *run = userdata;

        run->monitor_timer = sd_event_source_disable_unref(run->monitor_timer);
        log_warning("The monitor of container \"%s\" hangs; cleaning up behind it.",
                    run->container->object.name);
        run_clean(run);
        return 0;
}

static void on_monitor_end(void *userdata) {
        ContainerRun *run = userdata;
        Container *c = run->container;

        run->monitor_watch = process_watch_free(run->monitor_watch);
        c->monitor_fd = fd_close(c->monitor_fd);
        c->facts.monitor_pid = 0;
        /* If init lives on, the monitor was killed: the container does not care, and its end will
         * be ours to clean up. */
        if (!run->init_watch)
                run_both_ended(run);
}

static void on_init_end(void *userdata) {
        ContainerRun *run = userdata;
        Container *c = run->container;

        run->init_watch = process_watch_free(run->init_watch);
        container_forwards_forget(run->manager, c);
        container_hotplug_forget(run->manager, c);
        c->state = CONTAINER_STOPPING;
        manager_changed(run->manager, &c->object);
        if (!run->monitor_watch)
                run_both_ended(run);
        else
                (void) sd_event_add_time_relative(run->manager->event, &run->monitor_timer,
                                                  CLOCK_MONOTONIC, MONITOR_END_USEC, 0,
                                                  on_monitor_timer, run);
}

bool container_run_is_ending(Manager *m, Container *c) {
        const ContainerRun *run = g_hash_table_lookup(m->runs, c);

        return !run || !run->init_watch;
}

void container_run_wait(Manager *m, Container *c, Job *job) {
        ContainerRun *run = g_hash_table_lookup(m->runs, c);

        if (run)
                run->waiter = job;
}

/* --- its beginning --- */

void container_run_addresses_changed(const char *name, void *manager) {
        Manager *m = manager;
        Container *c = manager_find_container(m, name);

        if (!c || !container_is_up(c))
                return;
        g_variant_unref(c->addresses);
        c->addresses = address_watch_get(m->address_watch, name);
        manager_changed(m, &c->object);
}

static void watch_addresses(Manager *m, Container *c) {
        _cleanup_close_ int netns = process_open_netns(c->facts.init_pid);
        int r;

        if (!m->address_watch)
                return;
        r = netns < 0 ? netns : address_watch_add(m->address_watch, c->object.name, netns);
        if (r < 0)
                log_warning("The addresses of container \"%s\" cannot be watched: %s",
                            c->object.name, g_strerror(-r));
}

/* From here on its end is noticed. */
static int run_watch(Manager *m, Container *c) {
        ContainerRun *run = g_new0(ContainerRun, 1);
        int r;

        run->manager = m;
        run->container = c;
        g_hash_table_replace(m->runs, c, run);
        r = process_watch_new(m->event, c->init_fd, on_init_end, run, &run->init_watch);
        if (r < 0)
                return r;
        if (c->monitor_fd >= 0)
                r = process_watch_new(m->event, c->monitor_fd, on_monitor_end, run,
                                      &run->monitor_watch);
        if (r < 0)
                return r;
        watch_addresses(m, c);
        return 0;
}

/* Its user namespace is the one that it was started with, or ours for one that has none. */
static int check_idmap(pid_t pid, const IdMap *map) {
        static const char *const files[] = { [ID_USER] = "uid_map", [ID_GROUP] = "gid_map" };
        bool ours;
        int r = process_shares_userns(pid, &ours);

        if (r < 0)
                return r;
        if (ours != idmap_is_host(map))
                return -EPERM;
        for (IdKind kind = 0; !ours && kind < _ID_KIND_MAX; kind++) {
                g_autofree char *text = NULL;

                r = process_read_file(pid, files[kind], &text);
                if (r < 0)
                        return r;
                if (!idmap_is_proc(map, kind, text))
                        return -EPERM;
        }
        return 0;
}

int container_run_begin(Manager *m, Container *c, pid_t init_pid, int init_fd, pid_t monitor_pid,
                        int monitor_fd, Error *ret_error) {
        g_autoptr(GVariant) record = NULL;
        pid_t pid, pid_of_monitor;
        int r;

        c->init_fd = init_fd;
        c->monitor_fd = monitor_fd;
        /* The worker's word is not enough: pidfd, pid and user namespace must fit together. */
        r = fd_pidfd_get_pid(init_fd, &pid);
        if (r >= 0)
                r = fd_pidfd_get_pid(monitor_fd, &pid_of_monitor);
        if (r >= 0 && (pid != init_pid || pid_of_monitor != monitor_pid ||
                       fd_pidfd_has_ended(init_fd)))
                r = -ESRCH;
        if (r >= 0)
                r = check_idmap(init_pid, c->facts.idmap);
        if (r >= 0)
                r = process_get_start_time(init_pid, &c->facts.init_start);
        if (r >= 0)
                r = process_get_start_time(monitor_pid, &c->facts.monitor_start);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Container \"%s\" ended as soon as it had started, or is "
                                       "not what it should be", c->object.name);
        c->facts.init_pid = init_pid;
        c->facts.monitor_pid = monitor_pid;
        record = container_facts_to_record(&c->facts);
        r = record_dir_write(m->facts, c->object.name, record, ret_error);
        if (r < 0)
                return r;
        r = run_watch(m, c);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot watch container \"%s\"",
                                       c->object.name);
        c->state = CONTAINER_RUNNING;
        container_forwards_watch(m, c);
        container_hotplug_watch(m, c);
        boot_remember(m, c, true);
        manager_changed(m, &c->object);
        limits_settle(m);
        return 0;
}

int container_run_set_frozen(Manager *m, Container *c, bool frozen, Error *ret_error) {
        g_autoptr(GVariant) record = NULL;

        c->facts.frozen = frozen;
        c->state = frozen ? CONTAINER_FROZEN : CONTAINER_RUNNING;
        manager_changed(m, &c->object);
        record = container_facts_to_record(&c->facts);
        return record_dir_write(m->facts, c->object.name, record, ret_error);
}

int container_run_signal(Container *c, int signal, Error *ret_error) {
        int r = fd_pidfd_send_signal(c->init_fd, signal);

        if (r < 0 && r != -ESRCH) /* gone already: its end is on the way */
                return error_set_errno(ret_error, -r, "Cannot signal container \"%s\"",
                                       c->object.name);
        return 0;
}

/* --- finding it again --- */

/* A pidfd of the process that had this pid and start time. */
static int reopen(pid_t pid, uint64_t start) {
        _cleanup_close_ int fd = -EBADF;
        uint64_t now;
        int r;

        if (pid <= 0)
                return -ESRCH;
        fd = fd_pidfd_open(pid);
        if (fd < 0)
                return fd;
        r = process_get_start_time(pid, &now);
        if (r < 0)
                return r;
        return now == start ? TAKE_FD(fd) : -ESRCH;
}

int container_run_adopt(Manager *m, Container *c) {
        if (!c->facts.lxc_path)
                return 0;

        c->init_fd = reopen(c->facts.init_pid, c->facts.init_start);
        if (c->init_fd < 0 || check_idmap(c->facts.init_pid, c->facts.idmap) < 0) {
                c->init_fd = fd_close(c->init_fd);
                c->facts.init_pid = 0;
                return -ESRCH;
        }
        c->monitor_fd = reopen(c->facts.monitor_pid, c->facts.monitor_start);
        if (c->monitor_fd < 0)
                c->facts.monitor_pid = 0;
        if (run_watch(m, c) < 0) {
                log_error("Container \"%s\" cannot be watched.", c->object.name);
                return 0;
        }
        c->state = c->facts.frozen ? CONTAINER_FROZEN : CONTAINER_RUNNING;
        boot_found_running(m, c);
        stateful_found_running(m, c);
        container_forwards_watch(m, c);
        container_hotplug_watch(m, c);
        /* Where there are networks they bring all rules up with them. */
        if (g_hash_table_size(m->objects[OBJECT_NETWORK]) == 0 && container_nics_are_guarded(m, c))
                firewall_settle(m, c->object.name);
        log_info("Container \"%s\" is running, init has pid %d.", c->object.name,
                 c->facts.init_pid);
        return 0;
}
