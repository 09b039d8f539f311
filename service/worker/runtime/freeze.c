/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/freeze.h"

#include "service/util/cleanup.h"
#include "service/worker/runtime/cgroup-control.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/process.h"
#include "service/worker/runtime/wait.h"

static int run(Worker *worker, bool freeze, Error *ret_error) {
        g_autoptr(CgroupHost) host = NULL;
        g_autoptr(GVariant) pid = NULL;
        g_auto(Process) init = PROCESS_INIT;
        const char *name;
        int r;

        r = worker_get_string(worker, "name", &name, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "init-pid", "i", &pid, ret_error);
        if (r < 0)
                return r;
        if (!container_name_is_valid(name))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "\"%s\" is not a name for a container", name);
        wait_block_term();
        r = cgroup_host_new(&host, ret_error);
        if (r < 0)
                return r;

        /* The group of that name is the one of this start only if its init is in it. */
        r = process_open(worker_take_fd(worker, 0), g_variant_get_int32(pid), &init);
        if (r >= 0)
                r = cgroup_has_process(host, CGROUP_PAYLOAD, name, &init);
        if (r <= 0)
                return error_set(ret_error, ERROR_NOT_RUNNING, "Container \"%s\" does not run",
                                 name);
        return cgroup_freeze(host, name, freeze, ret_error);
}

int freeze_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        return run(worker, true, ret_error);
}

int unfreeze_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        return run(worker, false, ret_error);
}
