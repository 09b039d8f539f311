/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/start-plan.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/failure-cause.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/tail.h"
#include "service/worker/runtime/cgroup-limits.h"
#include "service/worker/runtime/container-scope.h"
#include "service/worker/runtime/criu.h"
#include "service/worker/runtime/device-forward.h"
#include "service/worker/runtime/disk-limits.h"
#include "service/worker/runtime/wait.h"

#define LOG_CAUSE_MAX (1U << 20)

/* --- why it does not run --- */

static char *read_cause(const Start *start) {
        g_autofree char *log = NULL;

        if (lseek(start->log_fd, 0, SEEK_SET) < 0 ||
            fd_read_text(start->log_fd, LOG_CAUSE_MAX, &log) < 0)
                return NULL;
        return failure_cause_from_log(log);
}

static char *read_last_words(const Start *start) {
        g_autoptr(GBytes) bytes = NULL;
        g_autofree char *text = NULL;

        if (tail_read(start->console_log, LAST_WORDS_MAX, &bytes) < 0)
                return NULL;
        text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        return failure_cause_from_console(text);
}

/* It ran, and does not any more. Its monitor copies the console to the log, and then ends. */
static int describe_end(const Start *start, const Process *monitor, Error *ret_error) {
        struct pollfd p = { .fd = monitor->pidfd, .events = POLLIN };
        g_autofree char *cause = NULL, *words = NULL;

        if (p.fd >= 0 && wait_poll(&p, 1, wait_deadline(LAST_WORDS_USEC)) == -ECANCELED)
                return worker_cancelled(ret_error);
        cause = read_cause(start);
        words = read_last_words(start);
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "Container \"%s\" stopped as soon as it had started: %s%s%s", start->name,
                         cause ?: (words ? "" : "its init ended without a word"),
                         !cause && words ? "the last words on its console are: " : "",
                         !cause && words ? words : "");
}

int start_describe_failure(const Start *start, Error *ret_error) {
        g_autofree char *cause = read_cause(start);

        if (start_is_restore(start)) {
                g_autofree char *reason = criu_read_cause(start->state_fd, "restore.log");

                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "CRIU cannot restore the saved state of container \"%s\": %s; "
                                 "the state is kept: try again, or %s", start->name,
                                 reason ?: cause ?: "no log gives a reason",
                                 start->keep_state ? "restore the snapshot stateless"
                                                   : "start it stateless, which forgets it");
        }
        return error_set(ret_error, ERROR_BACKEND_FAILED, "Container \"%s\" did not start: %s",
                         start->name, cause ?: "liblxc gives no reason in its log");
}

/* --- that it runs --- */

static int find_monitor(const Start *start, Process *ret) {
        g_autoptr(GArray) pids = NULL;
        int r;

        r = cgroup_list_processes(start->host, CGROUP_MONITOR, start->name, &pids);
        if (r < 0)
                return r;
        return pids->len == 1 ? process_open_by_pid(g_array_index(pids, pid_t, 0), ret) : -ESRCH;
}

static int find_init(const Start *start, const Process *monitor, Process *ret) {
        g_autoptr(GArray) pids = NULL;
        int r;

        r = cgroup_list_processes(start->host, CGROUP_PAYLOAD, start->name, &pids);
        if (r < 0)
                return r;
        for (guint i = 0; i < pids->len; i++) {
                g_auto(Process) process = PROCESS_INIT;
                pid_t parent;

                if (process_open_by_pid(g_array_index(pids, pid_t, i), &process) < 0 ||
                    process_read_parent(&process, &parent) < 0 || parent != monitor->pid)
                        continue;
                *ret = process;
                process = PROCESS_INIT;
                return process_is_alive(monitor) ? 0 : -ESRCH;
        }
        return -ESRCH;
}

static int set_disk_limits(const Start *start, const Process *init, int path_fd,
                           Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;
        int r = 0;

        g_variant_iter_init(&iter, start->devices);
        while (r >= 0 && g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_is_disk(owned) && device_has_limits(owned))
                        r = disk_limits_set(start->host, start->name, init, path_fd, name, owned,
                                            ret_error);
        }
        return r;
}

/* What of the devices takes a container that runs: rates of its interfaces, its proxies. */
static int complete_devices(const Start *start, const Process *init, Error *ret_error) {
        _cleanup_close_ int path_fd = start_open_directory(start, ret_error);
        int r;

        if (path_fd < 0)
                return path_fd;
        r = start_nics_complete(start, init, path_fd, ret_error);
        if (r >= 0)
                r = set_disk_limits(start, init, path_fd, ret_error);
        if (r < 0)
                return r;
        return device_forward_add_all(&start->device_context, start->host, init, path_fd,
                                      start->devices, ret_error);
}

int start_report(const Start *start, Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Process) monitor = PROCESS_INIT, init = PROCESS_INIT;
        g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
        int r;

        r = find_monitor(start, &monitor);
        if (r >= 0)
                r = find_init(start, &monitor, &init);
        if (r == -ESRCH)
                return describe_end(start, &monitor, ret_error);
        if (r >= 0)
                r = process_check_idmap(&init, start->idmap);
        if (r == -EPERM)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Container \"%s\" did not get the id map that it should have",
                                 start->name);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot find the processes of container \"%s\"",
                                       start->name);

        r = complete_devices(start, &init, ret_error);
        if (r < 0)
                return r;
        if (!start->apparmor && config_get(start->config, "raw.apparmor"))
                g_ptr_array_add(warnings, g_strdup("raw.apparmor is of no effect: this kernel has "
                                                   "no AppArmor"));
        r = start_is_restore(start) ? limits_apply_all(start->host, start->name, start->config,
                                                 start->cpus, warnings, ret_error)
                              : 0;
        if (r < 0)
                return r;
        limits_apply_hints(start->host, start->name, start->config, start->cpus, warnings);
        container_scope_register(start->host, start->name, init.pid, start->rootfs, start->nics,
                                 warnings);
        g_variant_dict_insert_value(result, "warnings",
                                    g_variant_new_strv((const char *const *) warnings->pdata,
                                                       warnings->len));
        g_variant_dict_insert(result, "init-pid", "i", init.pid);
        g_variant_dict_insert(result, "monitor-pid", "i", monitor.pid);
        worker_add_result_fd(worker, TAKE_FD(init.pidfd));
        worker_add_result_fd(worker, TAKE_FD(monitor.pidfd));
        return 0;
}
