/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/runtime/apparmor.h"
#include "service/worker/runtime/cgroup-control.h"
#include "service/worker/runtime/clean.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/container-scope.h"
#include "service/worker/runtime/criu.h"
#include "service/worker/runtime/start-plan.h"
#include "service/worker/runtime/state-seal.h"
#include "service/worker/runtime/systemd-hierarchy.h"
#include "service/worker/runtime/wait.h"

/* berth-start finds no newuidmap with either of these, so liblxc writes the id maps itself: berthd
 * has seen to it that the range is root's to give. The second holds apparmor_parser. */
#define PATH_PLAIN "PATH=/nonexistent"
#define PATH_APPARMOR "PATH=/usr/sbin:/sbin"

static void start_done(Start *start) {
        start->idmap = idmap_free(start->idmap);
        g_clear_pointer(&start->nics, g_variant_unref);
        g_clear_pointer(&start->devices, g_variant_unref);
        g_clear_pointer(&start->mounts, g_ptr_array_unref);
        g_clear_pointer(&start->config, g_variant_unref);
        start->syscalls = syscall_rules_free(start->syscalls);
        g_clear_pointer(&start->host, cgroup_host_free);
        g_clear_pointer(&start->starter, g_free);
        start->log_fd = fd_close(start->log_fd);
        start->state_fd = fd_close(start->state_fd);
        start->userns_fd = fd_close(start->userns_fd);
        g_clear_pointer(&start->root, g_free);
}

bool start_is_restore(const Start *start) {
        return *start->state && !start->stateless;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Start, start_done)

/* For whom devices are made ready. */
static int read_device_context(Worker *worker, Start *start, Error *ret_error) {
        g_autoptr(GVariant) owner = NULL;
        int r;

        r = worker_get_variant(worker, "owner", "u", &owner, ret_error);
        if (r < 0)
                return r;
        start->device_context.container = start->name;
        start->device_context.owner = g_variant_get_uint32(owner);
        start->device_context.idmap = start->idmap;
        return 0;
}

static int read_args(Worker *worker, Start *start, Error *ret_error) {
        const struct {
                const char *key;
                const char **value;
        } strings[] = {
                { "name", &start->name },         { "lxc-path", &start->lxc_path },
                { "rootfs", &start->rootfs },     { "log-file", &start->log_file },
                { "architecture", &start->architecture }, { "cpus", &start->cpus },
                { "console-log", &start->console_log }, { "state", &start->state },
                { "state-key", &start->state_key },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(strings); i++)
                r = worker_get_string(worker, strings[i].key, strings[i].value, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "idmapped", &start->idmapped, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "stateless", &start->stateless, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "keep-state", &start->keep_state, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "take-over", &start->take_over, ret_error);
        if (r >= 0)
                r = worker_get_idmap(worker, "idmap", &start->idmap, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "nics", "aa{ss}", &start->nics, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "devices", "a{sa{ss}}", &start->devices, ret_error);
        if (r >= 0)
                r = read_device_context(worker, start, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "config", "a{ss}", &start->config, ret_error);
        if (r < 0)
                return r;
        if (!container_name_is_valid(start->name))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "\"%s\" is not a name for a container", start->name);
        if (!container_path_is_plain(start->lxc_path) || !container_path_is_plain(start->rootfs) ||
            !container_path_is_plain(start->log_file) ||
            !container_path_is_plain(start->console_log) ||
            (*start->state && !container_path_is_plain(start->state)))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "A path of container \"%s\" is not absolute and plain",
                                 start->name);
        return 0;
}

/* Nothing of an earlier start may be there; empty groups of one are removed. */
static int check_groups(const Start *start, Error *ret_error) {
        g_autoptr(GArray) pids = NULL;

        if (cgroup_list_processes(start->host, CGROUP_PAYLOAD, start->name, &pids) < 0 ||
            pids->len > 0)
                return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                 "Processes of container \"%s\" are running already", start->name);
        for (CgroupKind kind = 0; kind < _CGROUP_KIND_MAX; kind++) {
                int r = cgroup_remove(start->host, kind, start->name);

                if (r == -EBUSY)
                        return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                         "The monitor of container \"%s\" is running already",
                                         start->name);
                if (r < 0)
                        return error_set_errno(ret_error, -r,
                                               "Cannot remove old control groups of container "
                                               "\"%s\"",
                                               start->name);
        }
        return 0;
}

/* --- running --- */

/* The filter of 32-bit calls is among what was saved. */
static int enter_restore(const Start *start) {
        int r = criu_unshare_cgroups(start->host, true);

        return r < 0 ? r : criu_mount_root(start->rootfs, start->root, start->userns_fd);
}

G_GNUC_NORETURN static void execute_starter(const Start *start) {
        const char *const argv[] = { start->starter, start->lxc_path, start->name,
                                     start->log_file, start_is_restore(start) ? start->state : NULL,
                                     NULL };
        const char *const envp[] = { start_is_restore(start)  ? CRIU_PATH
                                     : start->apparmor ? PATH_APPARMOR
                                                       : PATH_PLAIN,
                                     NULL };
        _cleanup_close_ int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        process_reset_signals();
        /* berthd is protected from the kernel's hunt for memory; containers are not. */
        (void) process_write_oom_score_adj(proc, "0");
        (void) setsid();
        umask(0022);
        if (start_is_restore(start))
                r = enter_restore(start);
        else
                r = syscall_rules_native_only(start->syscalls) ? syscall_filter_load_native_only()
                                                               : 0;
        if (r < 0)
                log_error("Cannot prepare the start of container \"%s\": %s", start->name,
                          g_strerror(-r));
        else if (chdir("/") >= 0 && close_range(3, UINT_MAX, 0) >= 0)
                (void) execve(start->starter, (char *const *) argv, (char *const *) envp);
        log_error("Cannot execute %s: %s", start->starter, g_strerror(errno));
        _exit(EXIT_FAILURE);
}

/* Everything that berth-start forks is in the pivot group until liblxc moves it to another of the
 * container's, so nobody is missed when a start has to be undone half-way. */
static int fork_starter(const Start *start, int *ret_pidfd, Error *ret_error) {
        bool scopes = cgroup_host_has_scopes(start->host);
        _cleanup_close_ int group =
                scopes ? -EBADF : cgroup_make_pivot(start->host, start->name);
        g_auto(ScopeGate) gate = SCOPE_GATE_INIT;
        _cleanup_close_ int pidfd = -EBADF;
        pid_t pid;
        int r = scopes ? scope_gate_open(&gate) : 0, status;

        if (r >= 0)
                r = pid = process_fork(group, 0, &pidfd);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot start container \"%s\"",
                                       start->name);
        if (pid == 0) {
                if (scopes && !scope_gate_wait(&gate))
                        _exit(EXIT_FAILURE);
                execute_starter(start);
        }
        r = scopes ? container_scope_enter(start->host, start->name, &gate, pid, ret_error) : 0;
        if (r < 0) {
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
                (void) process_reap(pidfd, &status);
                return r;
        }
        *ret_pidfd = TAKE_FD(pidfd);
        return 0;
}

static int run_starter(const Start *start, Error *ret_error) {
        _cleanup_close_ int pidfd = -EBADF;
        struct pollfd p = { .events = POLLIN };
        int r, status;

        r = fork_starter(start, &pidfd, ret_error);
        if (r < 0)
                return r;
        p.fd = pidfd;
        r = wait_poll(&p, 1, WAIT_FOREVER);
        if (r < 0)
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
        (void) process_reap(pidfd, &status);
        if (r == -ECANCELED)
                return worker_cancelled(ret_error);
        /* Nobody has seen how far it came, as with this process itself. */
        if (r >= 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
                (void) raise(SIGKILL);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot start container \"%s\"", start->name);
        return status == 0 ? 0 : -EREMOTEIO;
}

/* From here on its files change: the state is of no use any more. */
static int use_state_up(const Start *start, Error *ret_error) {
        int r = *start->state && !start->keep_state ? state_discard(start->state_fd) : 0;

        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot use up the saved state of container \"%s\"",
                                       start->name);
        return 0;
}

/* In the order in which liblxc moves processes from group to group. */
static void undo(const Start *start) {
        g_auto(Error) error = ERROR_INIT;
        int r;

        r = cgroup_kill(start->host, CGROUP_PIVOT, start->name, &error);
        if (r >= 0)
                r = cgroup_kill(start->host, CGROUP_MONITOR, start->name, &error);
        if (r >= 0)
                r = container_clean(start->host, start->name, start->lxc_path, &error);
        if (r < 0)
                log_warning("%s", error.message);
}

/* Another worker has died on the way: what it may have left is found, or ended. */
static int take_over(Start *start, Worker *worker, GVariantDict *result, Error *ret_error) {
        int r = start->state_fd = path_open_dir(start->state);

        start->apparmor = apparmor_is_on();
        if (r >= 0 && state_has_seal(start->state_fd))
                r = error_set(ret_error, ERROR_BACKEND_FAILED,
                              "The start of container \"%s\" was interrupted; its state is kept",
                              start->name);
        else if (r >= 0)
                r = use_state_up(start, ret_error);
        if (r >= 0)
                r = start_report(start, worker, result, ret_error);
        if (r < 0)
                undo(start);
        return r;
}

int start_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Start) start = { .log_fd = -EBADF, .state_fd = -EBADF, .userns_fd = -EBADF };
        int r;

        r = read_args(worker, &start, ret_error);
        if (r < 0)
                return r;
        wait_block_term();
        systemd_hierarchy_ensure();
        r = cgroup_host_new(&start.host, ret_error);
        if (r >= 0 && start.take_over)
                return take_over(&start, worker, result, ret_error);
        if (r >= 0)
                r = check_groups(&start, ret_error);
        if (r < 0)
                return r; /* what runs of this name is not ours to undo */

        r = start_prepare(&start, ret_error);
        if (r >= 0)
                r = run_starter(&start, ret_error);
        if (r >= 0)
                r = use_state_up(&start, ret_error);
        if (r >= 0)
                r = start_report(&start, worker, result, ret_error);
        else if (r == -EREMOTEIO)
                (void) start_describe_failure(&start, ret_error);
        if (r < 0)
                undo(&start);
        return r;
}
