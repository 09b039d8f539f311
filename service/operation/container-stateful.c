/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-stateful.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>

#include "service/model/config-key.h"
#include "service/model/stateful.h"
#include "service/operation/container-run.h"
#include "service/operation/settings.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/operations.h"

#define KEY_FILE "state.key"
#define KEY_SIZE 32U

/* --- what is asked --- */

static int check_enabled(Manager *m, Error *ret_error) {
        if (config_get_boolean(settings_get_config(m->settings), "criu.enabled"))
                return 0;
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "The state of containers is not saved or restored on this host; an "
                         "administrator can allow it: berth config set criu.enabled true");
}

int stateful_check_allowed(Manager *m, const Container *c, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        int r = check_enabled(m, ret_error);

        if (r < 0)
                return r;
        container_expand(m, c, &config, &devices);
        return stateful_check(c->object.name, config, devices, ret_error);
}

int stateful_check_snapshot(Manager *m, const Container *c, const Snapshot *s, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        int r;

        if (!s->stateful)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Snapshot \"%s\" was taken without the state of the processes: "
                                 "there is none to go on from", s->object.name);
        r = check_enabled(m, ret_error);
        if (r < 0)
                return r;
        profiles_expand(m, c->object.owner, (const char *const *) s->profiles, s->config,
                        s->devices, &config, &devices);
        return stateful_check(c->object.name, config, devices, ret_error);
}

void stateful_privilege(PrivilegeChange *ret) {
        *ret = (PrivilegeChange) {
                .privilege = PRIVILEGE_KERNEL_SURFACE,
                .keys = g_strdup("criu.enabled"),
        };
}

int stateful_check_none(const Container *c, const char *what, Error *ret_error) {
        if (c->stateful)
                return error_set(ret_error, ERROR_IN_USE,
                                 "The state of container \"%s\" is saved, so it cannot be %s; "
                                 "start it first", c->object.name, what);
        return stateful_check_no_snapshots(c, what, ret_error);
}

int stateful_check_no_snapshots(const Container *c, const char *what, Error *ret_error) {
        for (guint i = 0; i < c->snapshots->len; i++) {
                const Snapshot *s = c->snapshots->pdata[i];

                if (s->stateful)
                        return error_set(ret_error, ERROR_IN_USE,
                                         "Snapshot \"%s\" holds the state of processes, so its "
                                         "container cannot be %s; delete it first",
                                         s->object.name, what);
        }
        return 0;
}

int stateful_check_files(const Container *c, Error *ret_error) {
        if (!c->stateful || container_is_up(c))
                return 0;
        return error_set(ret_error, ERROR_IN_USE,
                         "The state of container \"%s\" is saved and fits its files as they are: "
                         "start it before they are changed, or with \"stateless\" forget the state",
                         c->object.name);
}

void stateful_found_running(Manager *m, Container *c) {
        g_auto(Error) error = ERROR_INIT;

        if (c->state_in_use) {
                c->state_in_use = false;
                if (manager_save(m, &c->object, &error) < 0)
                        log_error("%s.", error.message);
        }
        if (!c->stateful)
                return;
        /* It has been still since it was saved: the stop goes on where it was interrupted. */
        if (c->held || c->facts.frozen) {
                if (container_run_signal(c, SIGKILL, &error) < 0)
                        log_error("%s.", error.message);
                return;
        }
        c->stateful = false;
        if (manager_save(m, &c->object, &error) < 0)
                log_error("%s.", error.message);
}

/* --- arguments of workers --- */

/* `snapshot`: whose state, NULL for that of the container itself. */
static char *state_path(Manager *m, const Container *c, const char *snapshot) {
        g_autofree char *pool = pool_get_path(m, c->pool);

        return g_build_filename(pool, snapshot ? "snapshot-states" : "states", c->object.name,
                                snapshot, NULL);
}

int stateful_make_key(Manager *m, Error *ret_error) {
        _cleanup_close_ int dir_fd = path_open_dir(m->state_dir), fd = -EBADF;
        uint8_t key[KEY_SIZE];
        int r = dir_fd;

        if (r >= 0)
                r = fd = path_open_beneath(dir_fd, KEY_FILE, O_PATH, 0);
        if (r == -ENOENT) {
                if (getrandom(key, sizeof(key), 0) != sizeof(key))
                        r = -errno;
                else
                        r = path_replace_file(dir_fd, KEY_FILE, key, sizeof(key), 0600);
                explicit_bzero(key, sizeof(key));
        }
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot keep the key %s/" KEY_FILE,
                                       m->state_dir);
        return 0;
}

static void put_state(GVariantDict *args, Manager *m, const char *state) {
        g_autofree char *key = g_build_filename(m->state_dir, KEY_FILE, NULL);

        g_variant_dict_insert(args, "state", "s", state);
        g_variant_dict_insert(args, "state-key", "s", key);
}

void stateful_put_state(GVariantDict *args, Manager *m, const Container *c) {
        g_autofree char *state = state_path(m, c, NULL);

        put_state(args, m, state);
}

void stateful_put_args(Job *job, GVariantDict *args) {
        const ContainerJob *data = job->data;
        g_autofree char *state = state_path(job->manager, data->container, data->state_of);

        put_state(args, job->manager, data->had_state || data->state_of ? state : "");
        g_variant_dict_insert(args, "stateless", "b", data->stateless);
        g_variant_dict_insert(args, "keep-state", "b", data->state_of != NULL);
        g_variant_dict_insert(args, "take-over", "b",
                              data->had_state && (data->takes_over || job->tried_again));
}

bool stateful_restores(const Job *job) {
        const ContainerJob *data = job->data;

        return data->state_of || (data->had_state && !data->stateless);
}

/* --- saving --- */

static int run_storage(Job *job, const char *operation, const char *snapshot, Error *ret_error) {
        const ContainerJob *data = job->data;
        const Container *c = data->container;
        GVariantDict args;
        int r;

        r = step_begin_volume(job, c, &args, ret_error);
        if (r != JOB_STEP_DONE)
                return r;
        g_variant_dict_insert(&args, "snapshot", "s", snapshot ?: "");
        return job_run_worker(job, operation, g_variant_dict_end(&args), NULL, 0, NULL, ret_error);
}

int stateful_make_room(Job *job, const char *snapshot, Error *ret_error) {
        return run_storage(job, OPERATION_STATE_CREATE, snapshot, ret_error);
}

int stateful_remove(Job *job, const char *snapshot, Error *ret_error) {
        return run_storage(job, OPERATION_STATE_DELETE, snapshot, ret_error);
}

int stateful_dump(Job *job, const char *snapshot, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        g_autofree char *state = state_path(job->manager, c, snapshot);
        GVariantDict args;
        int r = stateful_make_key(job->manager, ret_error);

        if (r < 0)
                return r;
        job->cancelable = false;
        g_variant_dict_init(&args, NULL);
        put_state(&args, job->manager, state);
        g_variant_dict_insert(&args, "name", "s", c->object.name);
        g_variant_dict_insert(&args, "init-pid", "i", (gint32) c->facts.init_pid);
        g_variant_dict_insert_value(&args, "idmap", idmap_to_variant(c->facts.idmap));
        return job_run_worker(job, OPERATION_DUMP, g_variant_dict_end(&args), &c->init_fd, 1, NULL,
                              ret_error);
}

/* --- stopping --- */

/* As for a picture of its files; one that is frozen already stays as it is. */
static int stop_hold(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        int r;

        if (c->facts.frozen)
                return JOB_STEP_DONE;
        c->held = true;
        r = manager_save(job->manager, &c->object, ret_error);
        return r < 0 ? r : step_freeze(job, ret_error);
}

static int stop_nothing(Job *job, Error *ret_error) {
        return JOB_STEP_DONE;
}

static int stop_room(Job *job, Error *ret_error) {
        return stateful_make_room(job, NULL, ret_error);
}

static int stop_room_undo(Job *job, Error *ret_error) {
        return stateful_remove(job, NULL, ret_error);
}

static int stop_dump(Job *job, Error *ret_error) {
        return stateful_dump(job, NULL, ret_error);
}

static int stop_record(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        int r;

        c->stateful = true;
        r = manager_save(job->manager, &c->object, ret_error);
        if (r < 0) {
                c->stateful = false;
                return r;
        }
        manager_changed(job->manager, &c->object);
        return JOB_STEP_DONE;
}

/* Where it could not be killed it goes on, and the state is none. */
static int stop_record_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        if (!c->stateful || !container_is_up(c))
                return JOB_STEP_DONE;
        c->stateful = false;
        manager_changed(job->manager, &c->object);
        return manager_save(job->manager, &c->object, ret_error);
}

static int stop_told(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        manager_lifecycle(job->manager, data->container, "stopped", NULL);
        return JOB_STEP_DONE;
}

static const JobStep stop_stateful_steps[] = {
        { NULL, stop_nothing, step_released },
        { "Freezing the container", stop_hold, step_release },
        { "Making room for its state", stop_room, stop_room_undo },
        { "Saving its state", stop_dump, NULL },
        { NULL, stop_record, stop_record_undo },
        { "Stopping the container", step_kill, NULL },
        { NULL, step_released, NULL },
        { NULL, stop_told, NULL },
        { NULL },
};

int container_stop_stateful(Manager *m, Caller caller, Container *c, Job **ret, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        int r;

        stateful_privilege(&needed);
        if (!container_is_up(c))
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" is not running (%s)", c->object.name,
                                 container_state_to_string(c->state));
        if (c->ephemeral)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Container \"%s\" is ephemeral: nothing of it is left to be "
                                 "started again", c->object.name);
        r = stateful_check_allowed(m, c, ret_error);
        if (r >= 0)
                r = caller_check(caller, &needed, c->object.name, ret_error);
        if (r < 0)
                return r;
        r = step_new_job(m, "container-stop", caller, stop_stateful_steps, c, ret, ret_error);
        if (r < 0)
                return r;
        ((ContainerJob *) (*ret)->data)->force = true;
        return 0;
}

/* --- starting --- */

int step_state_use(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        int r;

        if (!c->stateful)
                return JOB_STEP_DONE;
        c->stateful = false;
        c->state_in_use = true;
        r = manager_save(job->manager, &c->object, ret_error);
        if (r < 0) {
                c->stateful = true;
                c->state_in_use = false;
                return r;
        }
        data->had_state = true;
        manager_changed(job->manager, &c->object);
        return JOB_STEP_DONE;
}

int step_state_use_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        if (!data->had_state)
                return JOB_STEP_DONE;
        data->had_state = false;
        c->stateful = true;
        c->state_in_use = false;
        manager_changed(job->manager, &c->object);
        return manager_save(job->manager, &c->object, ret_error);
}

/* --- starts that a service did not live to end --- */

static int take_over_nothing(Job *job, Error *ret_error) {
        return JOB_STEP_DONE;
}

/* As far as the state: it has been used up, and then its processes run, or it is there still. */
static const JobStep take_over_steps[] = {
        { NULL, take_over_nothing, step_state_use_undo },
        { "Waiting for storage", step_start_wait, NULL },
        { NULL, take_over_nothing, step_start_prepare_undo },
        { "Looking for its processes", step_start_run, step_start_run_undo },
        { NULL, step_start_commit, NULL },
        { NULL },
};

bool stateful_start_was_cut(Manager *m, Container *c) {
        g_auto(Error) error = ERROR_INIT;

        if (!c->state_in_use)
                return false;
        if (c->facts.lxc_path && c->facts.init_start == 0)
                return true;
        /* It had not begun; or it ran, and has ended since. */
        c->stateful = c->facts.init_start == 0;
        c->state_in_use = false;
        if (manager_save(m, &c->object, &error) < 0)
                log_error("%s.", error.message);
        return false;
}

int stateful_recover_start(Manager *m, Container *c, Job **ret, Error *ret_error) {
        ContainerJob *data;
        int r = step_new_job(m, "container-recover", CALLER_SERVICE, take_over_steps, c, ret,
                             ret_error);

        if (r < 0)
                return r;
        data = (*ret)->data;
        data->had_state = data->takes_over = true;
        return 0;
}
