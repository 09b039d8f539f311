/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-wait.h"

#include <errno.h>
#include <fcntl.h>

#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/* Nothing is asked again and again: manager_changed() comes with every change. */
typedef struct WaitJob {
        char *container;
        uint64_t generation;
        WaitWhat what;
        bool ready; /* beyond that */
        uint64_t timeout_usec;
        sd_event_source *timer;
} WaitJob;

static const char *const words[] = {
        [WAIT_RUNNING] = "running",
        [WAIT_IP] = "ip",
        [WAIT_STOPPED] = "stopped",
};
G_STATIC_ASSERT(G_N_ELEMENTS(words) == _WAIT_WHAT_MAX);

int wait_what_from_string(const char *word) {
        for (int i = 0; i < _WAIT_WHAT_MAX; i++)
                if (g_str_equal(words[i], word))
                        return i;
        return -EINVAL;
}

static void wait_job_free(void *p) {
        WaitJob *data = p;

        sd_event_source_disable_unref(data->timer);
        g_free(data->container);
        g_free(data);
}

/* An address that others can reach. */
static bool has_address(const Container *c) {
        GVariantIter iter;
        const char *scope;

        g_variant_iter_init(&iter, c->addresses);
        while (g_variant_iter_next(&iter, "(&s&s&su&s)", NULL, NULL, NULL, NULL, &scope))
                if (g_str_equal(scope, "global"))
                        return true;
        return false;
}

/* 1: it is so; 0: not yet; -errno: it will not be. */
static int wait_check(Job *job, Error *ret_error) {
        WaitJob *data = job->data;
        Container *c = manager_find_container(job->manager, data->container);

        if (!c || c->object.generation != data->generation || c->state == CONTAINER_DELETING)
                return error_set(ret_error, ERROR_NO_SUCH_CONTAINER,
                                 "Container \"%s\" has been deleted", data->container);
        if (data->what == WAIT_STOPPED)
                return c->state == CONTAINER_STOPPED;
        if (c->state == CONTAINER_RUNNING && (data->what == WAIT_RUNNING || has_address(c)))
                return 1;
        if (c->state == CONTAINER_STOPPED)
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" has stopped; nothing is to be waited for",
                                 data->container);
        return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata) {
        Job *job = userdata;
        WaitJob *data = job->data;
        int r;

        r = error_set(&job->error, ERROR_TIMED_OUT,
                      "Container \"%s\" did not get as far as \"%s\" in time", data->container,
                      data->ready ? "ready" : words[data->what]);
        /* Its end is the step's. */
        if (job->worker)
                worker_process_cancel(job->worker);
        else
                job_step_done(job, r);
        return 0;
}

static void on_cancel(Job *job) {
        job_step_done(job, error_set(&job->error, ERROR_CANCELLED, "The wait was cancelled"));
}

/* For all steps, once. */
static int start_timer(Job *job, Error *ret_error) {
        WaitJob *data = job->data;
        int r;

        if (data->timeout_usec == 0 || data->timer)
                return 0;
        r = sd_event_add_time_relative(job->manager->event, &data->timer, CLOCK_MONOTONIC,
                                       data->timeout_usec, 0, on_timeout, job);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot set a timer") : 0;
}

static int wait_run(Job *job, Error *ret_error) {
        int r;

        r = start_timer(job, ret_error);
        if (r >= 0)
                r = wait_check(job, ret_error);
        if (r != 0)
                return r < 0 ? r : JOB_STEP_DONE;
        job->on_cancel = on_cancel;
        return JOB_STEP_PENDING;
}

static int wait_undo(Job *job, Error *ret_error) {
        WaitJob *data = job->data;

        data->timer = sd_event_source_disable_unref(data->timer);
        return JOB_STEP_DONE;
}

static int wait_over(Job *job, Error *ret_error) {
        return wait_undo(job, ret_error);
}

static const JobStep wait_steps[] = {
        { "Waiting for the container", wait_run, wait_undo },
        { NULL, wait_over, NULL },
        { NULL },
};

/* --- ready --- */

/* How the program below ends. */
typedef enum Readiness {
        READY,
        READY_UNKNOWN = 20, /* this init tells nothing */
        READY_DEGRADED,     /* systemd: all was started, and some of it failed */
        READY_NOT,          /* systemd: no system that goes on: rescue mode, on its way down */
        READY_CLOUD_INIT,   /* cloud-init failed */
        READY_NO_SHELL = 127,
} Readiness;

/* Inside, as its root. systemd says when it has got there; OpenRC says where it is, so it is asked
 * each second. systemctl has no answer as long as systemd does not listen. */
static const char ready_script[] =
        "case $(readlink /proc/1/exe) in\n"
        "*/systemd)\n"
        "  while :; do\n"
        "    state=$(systemctl is-system-running --wait 2>/dev/null)\n"
        "    case $state in running|degraded|maintenance|stopping) break;; esac\n"
        "    sleep 1\n"
        "  done;;\n"
        "*)\n"
        "  state=unknown\n"
        "  if [ -x /sbin/openrc ]; then\n"
        "    until case $(cat /run/openrc/softlevel 2>/dev/null) in\n"
        "      ''|sysinit|boot) false;; *) [ ! -e /run/openrc/rc.starting ];; esac\n"
        "    do sleep 1; done\n"
        "    state=running\n"
        "  fi;;\n"
        "esac\n"
        "case $state in maintenance|stopping) exit 22;; esac\n"
        "if command -v cloud-init >/dev/null 2>&1; then\n"
        "  cloud-init status --wait >/dev/null 2>&1 || exit 23\n"
        "fi\n"
        "case $state in unknown) exit 20;; degraded) exit 21;; esac\n";

static bool has_nic(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL, device = NULL;
        bool found = false;
        GVariantIter iter;

        container_expand(m, c, &config, &devices);
        g_variant_iter_init(&iter, devices);
        while (!found && g_variant_iter_loop(&iter, "{&s@a{ss}}", NULL, &device))
                found = device_get_nictype(device) != NULL;
        return found;
}

/* `status` is what root of the container made of it. */
static int ready_take(Job *job, Container *c, int status, Error *ret_error) {
        WaitJob *data = job->data;

        switch (status) {
        case READY:
                return 0;
        case READY_DEGRADED:
                job_warn(job, "The container is up, but not all that it starts has succeeded; "
                              "'systemctl --failed' inside tells what");
                return 0;
        case READY_CLOUD_INIT:
                job_warn(job, "The container is up, but cloud-init has failed; 'cloud-init status "
                              "--long' inside tells why");
                return 0;
        case READY_UNKNOWN:
        case READY_NO_SHELL:
                data->what = has_nic(job->manager, c) ? WAIT_IP : WAIT_RUNNING;
                return 0;
        case READY_NOT:
                return error_set(ret_error, ERROR_FAILED,
                                 "systemd of container \"%s\" is in rescue mode or stops",
                                 data->container);
        }
        return error_set(ret_error, ERROR_FAILED,
                         "The program that asks the init of container \"%s\" failed (%d)",
                         data->container, status);
}

static int ready_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        WaitJob *data = job->data;
        gint32 status;
        int r;

        if (!g_variant_lookup(result, "exit-status", "i", &status))
                return error_set(ret_error, ERROR_FAILED,
                                 "The runtime worker's result is incomplete");
        /* One that has stopped, or was deleted, has taken the program with it. */
        r = wait_check(job, ret_error);
        if (r < 0)
                return r;
        return ready_take(job, manager_find_container(job->manager, data->container), status,
                          ret_error);
}

static int ready_run(Job *job, Error *ret_error) {
        static const char *const argv[] = { "/bin/sh", "-c", ready_script, NULL };
        const ContainerExec call = { .argv = argv, .cwd = "/", .user = "", .group = "" };
        WaitJob *data = job->data;
        Container *c = manager_find_container(job->manager, data->container);
        _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        g_autoptr(GVariant) args = NULL;
        int r = wait_check(job, ret_error);

        if (r < 0)
                return r;
        if (r == 0)
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" is frozen; nothing starts in it until it is "
                                 "thawed",
                                 data->container);
        if (null < 0)
                return error_set_errno(ret_error, errno, "Cannot open /dev/null");
        args = container_exec_args(job->manager, c, &call);
        return job_run_worker(job, OPERATION_EXEC, args, (int[]) { c->init_fd, null, null, null },
                              4, ready_done, ret_error);
}

static const JobStep ready_steps[] = {
        { "Waiting for the container", wait_run, wait_undo },
        { "Waiting for all that it starts", ready_run, wait_undo },
        { "Waiting for its address", wait_run, wait_undo },
        { NULL, wait_over, NULL },
        { NULL },
};

void container_wait_changed(Manager *m, const Container *c) {
        g_autoptr(GList) jobs = g_hash_table_get_values(m->objects[OBJECT_JOB]);

        for (GList *j = jobs; j; j = j->next) {
                Job *job = j->data;
                WaitJob *data = job->data;
                int r;

                /* One that waits, and not for the loop to run its first step. */
                if (job->steps != wait_steps && job->steps != ready_steps)
                        continue;
                if (!job->on_cancel || job->undoing ||
                    !g_str_equal(data->container, c->object.name))
                        continue;
                r = wait_check(job, &job->error);
                if (r != 0)
                        job_step_done(job, MIN(r, 0));
        }
}

static int start_waiting(Manager *m, Caller caller, Container *c, WaitJob *data,
                         const JobStep *steps, Job **ret, Error *ret_error) {
        g_autoptr(Job) job = NULL;
        int r;

        data->container = g_strdup(c->object.name);
        data->generation = c->object.generation;
        r = job_new(m, "container-wait", caller.uid, steps, data, wait_job_free, &job, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        *ret = TAKE_PTR(job);
        return 0;
}

int container_wait(Manager *m, Caller caller, Container *c, WaitWhat what, uint64_t timeout_usec,
                   Job **ret, Error *ret_error) {
        WaitJob *data = g_new0(WaitJob, 1);

        data->what = what;
        data->timeout_usec = timeout_usec;
        return start_waiting(m, caller, c, data, wait_steps, ret, ret_error);
}

int container_wait_ready(Manager *m, Caller caller, Container *c, uint64_t timeout_usec, Job **ret,
                         Error *ret_error) {
        WaitJob *data = g_new0(WaitJob, 1);

        data->what = WAIT_RUNNING;
        data->ready = true;
        data->timeout_usec = timeout_usec;
        return start_waiting(m, caller, c, data, ready_steps, ret, ret_error);
}
