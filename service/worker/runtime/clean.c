/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/clean.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/operations.h"
#include "service/worker/runtime/cgroup-control.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/device-forward.h"
#include "service/worker/runtime/device-stage.h"
#include "service/worker/runtime/nic-limits.h"
#include "service/worker/runtime/nic-parent.h"
#include "service/worker/runtime/nic-record.h"
#include "service/worker/runtime/nic-routed.h"
#include "service/worker/runtime/wait.h"

/* A monitor ends within milliseconds of its container; only one that hangs takes longer. */
#define MONITOR_TIMEOUT_USEC (5 * G_TIME_SPAN_SECOND)

/* Lets the processes of the group end by themselves; kills those that do not. */
static int end_group(const CgroupHost *host, CgroupKind kind, const char *name, int64_t deadline,
                     Error *ret_error) {
        g_autoptr(GArray) pids = NULL;
        int r;

        r = cgroup_list_processes(host, kind, name, &pids);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot list the monitor of container \"%s\"",
                                       name);
        for (guint i = 0; i < pids->len; i++) {
                g_auto(Process) process = PROCESS_INIT;
                struct pollfd p;

                if (process_open_by_pid(g_array_index(pids, pid_t, i), &process) < 0)
                        continue;
                p = (struct pollfd) { .fd = process.pidfd, .events = POLLIN };
                if (wait_poll_stubborn(&p, 1, deadline) == 0)
                        log_warning("The monitor of container %s hangs and is killed", name);
        }
        return cgroup_kill(host, kind, name, ret_error);
}

/* liblxc locks a container by a file below /run/lxc/lock, at the container's path. It is empty;
 * nobody but liblxc in this start ever knew its name. */
static void remove_lock(const char *name, const char *lxc_path) {
        g_autofree char *directory = g_strconcat("/run/lxc/lock", lxc_path, NULL);
        g_autofree char *file = g_strconcat(directory, "/.", name, NULL);

        (void) unlink(file);
        while (strlen(directory) > strlen("/run/lxc/lock/")) {
                if (rmdir(directory) < 0 && errno != ENOENT)
                        break; /* those of other containers are in it */
                *strrchr(directory, '/') = '\0';
        }
}

static int remove_lxc_path(const char *lxc_path) {
        g_autofree char *parent = g_path_get_dirname(lxc_path);
        g_autofree char *last = g_path_get_basename(lxc_path);
        _cleanup_close_ int fd = path_open_dir(parent), run_fd = -EBADF;
        int r;

        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return fd;
        run_fd = path_open_beneath(fd, last, O_RDONLY | O_DIRECTORY, 0);
        if (run_fd >= 0) {
                device_forward_end_all(run_fd);
                nic_limits_remove_all(run_fd);
                nic_record_return_all(run_fd);
                nic_routed_remove_all(run_fd);
                nic_parent_release_all(run_fd);
        }
        r = run_fd == -ENOENT ? 0 : run_fd < 0 ? run_fd : device_unstage(run_fd);
        return r < 0 ? r : path_remove_tree(fd, last);
}

int container_clean(const CgroupHost *host, const char *name, const char *lxc_path,
                    Error *ret_error) {
        static const CgroupKind order[] = { CGROUP_PAYLOAD, CGROUP_MONITOR, CGROUP_PIVOT };
        int64_t deadline = wait_deadline(MONITOR_TIMEOUT_USEC);
        int r;

        r = cgroup_kill(host, CGROUP_PAYLOAD, name, ret_error);
        if (r >= 0)
                r = end_group(host, CGROUP_MONITOR, name, deadline, ret_error);
        if (r >= 0)
                r = end_group(host, CGROUP_PIVOT, name, deadline, ret_error);
        /* What the monitor may have started last. */
        if (r >= 0)
                r = cgroup_kill(host, CGROUP_PAYLOAD, name, ret_error);
        if (r < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                r = cgroup_remove(host, order[i], name);
                if (r < 0)
                        return error_set_errno(
                                ret_error, -r,
                                "Cannot remove the control groups of container \"%s\"", name);
        }
        remove_lock(name, lxc_path);
        r = remove_lxc_path(lxc_path);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot remove the run-time files of container \"%s\"",
                                       name);
        return 0;
}

int clean_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(CgroupHost) host = NULL;
        const char *name, *lxc_path;
        int r;

        r = worker_get_string(worker, "name", &name, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "lxc-path", &lxc_path, ret_error);
        if (r < 0)
                return r;
        if (!container_name_is_valid(name) || !container_path_is_plain(lxc_path))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "\"%s\" at \"%s\" is not a container of ours", name, lxc_path);
        wait_block_term();
        r = cgroup_host_new(&host, ret_error);
        return r < 0 ? r : container_clean(host, name, lxc_path, ret_error);
}
