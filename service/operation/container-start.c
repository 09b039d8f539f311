/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container.h"

#include <string.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/failure-cause.h"
#include "service/operation/container-console.h"
#include "service/operation/container-ids.h"
#include "service/operation/container-nic.h"
#include "service/operation/container-stateful.h"
#include "service/operation/container-run.h"
#include "service/operation/container-templates.h"
#include "service/operation/container.h"
#include "service/operation/firewall.h"
#include "service/operation/limits.h"
#include "service/operation/network.h"
#include "service/operation/snapshot-timer.h"
#include "service/operation/step.h"
#include "service/operation/volume-device.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/tail.h"
#include "service/worker/operations.h"

/* Calls `func` for each nic of the expanded devices; ends with the first that is not 0. */
typedef int (*NicFunc)(Job *job, const char *device, GVariant *options, void *userdata,
                       Error *ret_error);

static int for_each_nic(Job *job, NicFunc func, void *userdata, Error *ret_error) {
        ContainerJob *data = job->data;
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        container_expand(job->manager, data->container, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;
                int r;

                if (!device_get_nictype(owned))
                        continue;
                r = func(job, name, owned, userdata, ret_error);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* --- waiting for what it needs --- */

static int wait_for_nic(Job *job, const char *device, GVariant *options, void *userdata,
                        Error *ret_error) {
        const char *network = device_get_network(options);

        return network ? step_wait_for_network(job, network, ret_error) : JOB_STEP_DONE;
}

static int wait_for_volumes(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        g_autoptr(GVariant) config = NULL, devices = NULL;

        container_expand(job->manager, data->container, &config, &devices);
        return volume_devices_wait(job, devices, ret_error);
}

int step_start_wait(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        StoragePool *pool;
        int r;

        r = step_wait_for_pool(job, data->container->pool, &pool, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        r = wait_for_volumes(job, ret_error);
        return r != JOB_STEP_DONE ? r : for_each_nic(job, wait_for_nic, NULL, ret_error);
}

/* --- preparing --- */

static int prepare_nic(Job *job, const char *device, GVariant *options, void *userdata,
                       Error *ret_error) {
        ContainerJob *data = job->data;
        int r = container_nic_check_host_name(job->manager, data->container, options,
                                              ret_error);

        return r < 0 ? r : container_nic_prepare(job->manager, data->container, userdata, device,
                                                 options, ret_error);
}

/* Here a change of security.idmap.* and its kin takes effect. */
static int prepare_ids(Manager *m, Container *c, GVariant *config, Error *ret_error) {
        g_autofree char *base = NULL, *json = NULL;
        int r;

        c->facts.idmap = idmap_free(c->facts.idmap);
        r = container_choose_ids(m, c, config, ret_error);
        if (r >= 0)
                r = container_make_idmap(m, c, config, &c->facts.idmap, ret_error);
        if (r < 0)
                return r;
        json = idmap_to_json(c->facts.idmap);
        base = g_strdup_printf("%u", c->ids.base);
        container_set_volatile(c, "idmap", "base", base);
        container_set_volatile(c, "idmap", "current", json);
        return 0;
}

int step_start_prepare(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        g_autoptr(GVariant) before = g_variant_ref(c->config), config = NULL, devices = NULL;
        bool shared = c->ids_shared;
        int r;

        /* The last fence: whichever way it has come here, nothing runs that was not granted. */
        r = container_check_start(job->manager, CALLER_SERVICE, c, ret_error);
        if (r < 0)
                return r;
        c->state = CONTAINER_STARTING;
        manager_changed(job->manager, &c->object);
        container_expand(job->manager, c, &config, &devices);
        r = prepare_ids(job->manager, c, config, ret_error);
        if (r >= 0)
                r = for_each_nic(job, prepare_nic, devices, ret_error);
        if (r < 0)
                return r;
        if (!c->incomplete && (shared != c->ids_shared || !g_variant_equal(before, c->config))) {
                r = manager_save(job->manager, &c->object, ret_error);
                if (r < 0)
                        return r;
        }
        return container_run_prepare(job->manager, c, ret_error);
}

int step_start_prepare_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        container_run_discard(job->manager, c);
        c->state = CONTAINER_STOPPED;
        manager_changed(job->manager, &c->object);
        return 0;
}

/* --- starting --- */

static int add_nic(Job *job, const char *device, GVariant *options, void *userdata,
                   Error *ret_error) {
        ContainerJob *data = job->data;
        GVariantBuilder *nics = userdata;

        g_variant_builder_add_value(nics, container_nic_describe(job->manager, data->container,
                                                                 device, options));
        return 0;
}

static int start_args(Job *job, GVariant **ret, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        g_autofree char *rootfs = container_get_rootfs(job->manager, c);
        g_autofree char *log = container_log_path(job->manager, c->object.name,
                                                  CONTAINER_LOG_LIBLXC);
        g_autofree char *console_log = container_log_path(job->manager, c->object.name,
                                                          CONTAINER_LOG_CONSOLE);
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantBuilder nics;
        GVariantDict args;
        int r;

        container_expand(job->manager, c, &config, &devices);
        r = limits_choose_cpus(job->manager, c, ret_error);
        if (r < 0)
                return r;
        g_variant_builder_init(&nics, G_VARIANT_TYPE("aa{ss}"));
        r = for_each_nic(job, add_nic, &nics, ret_error);
        if (r < 0) {
                g_variant_builder_clear(&nics);
                return r;
        }

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert(&args, "name", "s", c->object.name);
        g_variant_dict_insert(&args, "lxc-path", "s", c->facts.lxc_path);
        g_variant_dict_insert(&args, "rootfs", "s", rootfs);
        g_variant_dict_insert(&args, "idmapped", "b", !c->shifted);
        g_variant_dict_insert_value(&args, "idmap", idmap_to_variant(c->facts.idmap));
        g_variant_dict_insert_value(&args, "nics", g_variant_builder_end(&nics));
        g_variant_dict_insert_value(&args, "devices",
                                    volume_devices_describe(job->manager, devices));
        g_variant_dict_insert(&args, "owner", "u", (guint32) c->object.owner);
        g_variant_dict_insert_value(&args, "config", config);
        g_variant_dict_insert(&args, "cpus", "s", c->facts.cpus ?: "");
        g_variant_dict_insert(&args, "log-file", "s", log);
        g_variant_dict_insert(&args, "console-log", "s", console_log);
        g_variant_dict_insert(&args, "architecture", "s", c->architecture);
        stateful_put_args(job, &args);
        *ret = g_variant_dict_end(&args);
        return 0;
}

/* --- one that ends at once --- */

static void forget_waits(ContainerJob *data) {
        data->timer = sd_event_source_disable_unref(data->timer);
        data->monitor_watch = process_watch_free(data->monitor_watch);
}

static void tell_end(Job *job) {
        ContainerJob *data = job->data;
        const char *name = data->container->object.name;
        g_autofree char *path = container_log_path(job->manager, name, CONTAINER_LOG_CONSOLE);
        g_autofree char *text = NULL, *words = NULL;
        g_autoptr(GBytes) bytes = NULL;

        forget_waits(data);
        if (tail_read(path, LAST_WORDS_MAX, &bytes) >= 0) {
                text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
                words = failure_cause_from_console(text);
        }
        job_step_done(job, error_set(&job->error, ERROR_BACKEND_FAILED,
                                     "Container \"%s\" stopped as soon as it had started: %s%s",
                                     name, words ? "the last words on its console are: " : "",
                                     words ?: "its init ended without a word"));
}

static void on_monitor_ended(void *userdata) {
        tell_end(userdata);
}

static int on_words_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        tell_end(userdata);
        return 0;
}

static void on_words_cancel(Job *job) {
        forget_waits(job->data);
        job_step_done(job, error_set(&job->error, ERROR_CANCELLED, "The start was cancelled"));
}

/* Its monitor writes down what it has said, and then ends. */
static int wait_for_last_words(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        int r;

        r = process_watch_new(job->manager->event, data->container->monitor_fd, on_monitor_ended,
                              job, &data->monitor_watch);
        if (r >= 0)
                r = sd_event_add_time_relative(job->manager->event, &data->timer, CLOCK_MONOTONIC,
                                               LAST_WORDS_USEC, 0, on_words_timeout, job);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot wait for the end of container \"%s\"",
                                       data->container->object.name);
        job->on_cancel = on_words_cancel;
        return JOB_STEP_PENDING;
}

/* --- running it --- */

static int start_run_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        ContainerJob *data = job->data;
        gint32 init_pid, monitor_pid;
        int r;

        if (n_fds != 2 || !g_variant_lookup(result, "init-pid", "i", &init_pid) ||
            !g_variant_lookup(result, "monitor-pid", "i", &monitor_pid) || init_pid <= 1 ||
            monitor_pid <= 1)
                return error_set(ret_error, ERROR_FAILED,
                                 "The runtime worker's result is incomplete");
        job_warn_result(job, result);
        r = container_run_begin(job->manager, data->container, init_pid, TAKE_FD(fds[0]),
                                monitor_pid, TAKE_FD(fds[1]), ret_error);
        if (r >= 0 || !fd_pidfd_has_ended(data->container->init_fd))
                return r;
        error_clear(ret_error);
        data->ended = true;
        job_repeat_step(job);
        return 0;
}

int step_start_guard(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        const char *const names[] = { data->container->object.name, NULL };

        return container_nics_are_guarded(job->manager, data->container)
                       ? step_firewall_for(job, names, ret_error)
                       : JOB_STEP_DONE;
}

int step_start_run(Job *job, Error *ret_error) {
        GVariant *args;
        int r;

        if (((ContainerJob *) job->data)->ended)
                return wait_for_last_words(job, ret_error);
        /* Processes that go on find the files that they knew. */
        r = stateful_restores(job) ? JOB_STEP_DONE : step_make_templates(job, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        r = start_args(job, &args, ret_error);
        if (r < 0)
                return r;
        return job_run_worker(job, OPERATION_START, args, NULL, 0, start_run_done, ret_error);
}

/* The worker leaves nothing behind when it fails; this is for one that was killed, or came up with
 * a container that is not what it should be. */
int step_start_run_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        g_hash_table_remove(job->manager->runs, data->container);
        return step_run_clean(job, data->container, ret_error);
}

int step_start_commit(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        c->last_started = (uint64_t) g_get_real_time();
        c->interrupted = false;
        c->state_in_use = false;
        manager_changed(job->manager, &c->object);
        manager_lifecycle(job->manager, c, "started", NULL);
        snapshot_timer_started(job->manager->snapshot_timer, c);
        /* It runs: a full disk is no reason to stop it again. */
        if (manager_save(job->manager, &c->object, NULL) < 0)
                log_warning("Cannot record that container \"%s\" was started.", c->object.name);
        return JOB_STEP_DONE;
}

static const JobStep start_steps[] = {
        { "Waiting for the network", step_start_wait, NULL },
        { NULL, step_state_use, step_state_use_undo },
        { NULL, step_start_prepare, step_start_prepare_undo },
        { "Setting the firewall", step_start_guard, NULL },
        { "Starting the container", step_start_run, step_start_run_undo },
        { NULL, step_start_commit, NULL },
        { NULL },
};

/* The same: whatever became of a worker, its processes are not made of a state twice. */
static const JobStep start_state_steps[] = {
        { "Waiting for the network", step_start_wait, NULL },
        { NULL, step_state_use, step_state_use_undo },
        { NULL, step_start_prepare, step_start_prepare_undo },
        { "Setting the firewall", step_start_guard, NULL },
        { "Starting the container", step_start_run, step_start_run_undo, .again = true },
        { NULL, step_start_commit, NULL },
        { NULL },
};

/* What was not granted when it was configured, the starter must have been granted; then it holds
 * for the starts that follow. */
int container_check_start(Manager *m, Caller caller, Container *c, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        int r;

        container_start_privilege(m, c, &needed);
        r = caller_check(caller, &needed, c->object.name, ret_error);
        if (r >= 0)
                c->granted = MAX(c->granted, needed.privilege);
        return r;
}

/* A state that may not be restored is no reason to forget it. */
static int check_state(Manager *m, Caller caller, const Container *c, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        int r;

        if (!c->stateful)
                return 0;
        r = stateful_check_allowed(m, c, ret_error);
        if (r < 0) {
                error_prefix(ret_error, "Container \"%s\" has a saved state; start it stateless to "
                             "forget that", c->object.name);
                return r;
        }
        stateful_privilege(&needed);
        return caller.sender ? caller_check(caller, &needed, c->object.name, ret_error) : 0;
}

static int start_new(Manager *m, Caller caller, Container *c, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        int r;

        if (container_is_up(c))
                return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                 "Container \"%s\" is running already", c->object.name);
        if (c->refreshing)
                return error_set(ret_error, ERROR_BUSY,
                                 "The files of container \"%s\" are being exchanged; if that was "
                                 "interrupted they are put back when the service starts and their "
                                 "pool is there", c->object.name);
        r = container_check_start(m, caller, c, ret_error);
        if (r < 0)
                return r;
        r = step_new_job(m, "container-start", caller,
                         c->stateful ? start_state_steps : start_steps, c, &job, ret_error);
        if (r < 0)
                return r;
        if (c->state != CONTAINER_STOPPED)
                return error_set(ret_error, ERROR_BUSY, "Container \"%s\" is %s", c->object.name,
                                 container_state_to_string(c->state));
        *ret = TAKE_PTR(job);
        return 0;
}

int container_start(Manager *m, Caller caller, Container *c, Job **ret, Error *ret_error) {
        int r = check_state(m, caller, c, ret_error);

        return r < 0 ? r : start_new(m, caller, c, ret, ret_error);
}

int container_start_stateless(Manager *m, Caller caller, Container *c, Job **ret,
                              Error *ret_error) {
        int r = start_new(m, caller, c, ret, ret_error);

        if (r >= 0)
                ((ContainerJob *) (*ret)->data)->stateless = true;
        return r;
}
