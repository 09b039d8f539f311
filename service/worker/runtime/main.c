/* SPDX-License-Identifier: Apache-2.0 */

/* The worker for what runs: starting, freezing, entering and clearing away containers. */

#include "service/worker/operations.h"
#include "service/worker/runtime/cgroup-limits.h"
#include "service/worker/runtime/clean.h"
#include "service/worker/runtime/device-change.h"
#include "service/worker/runtime/dump.h"
#include "service/worker/runtime/exec.h"
#include "service/worker/runtime/freeze.h"
#include "service/worker/runtime/sign.h"
#include "service/worker/runtime/start.h"
#include "service/worker/worker.h"

static const WorkerOperation operations[] = {
        { OPERATION_START, start_run },
        { OPERATION_DUMP, dump_run },
        { OPERATION_SIGN, sign_run },
        { OPERATION_FREEZE, freeze_run },
        { OPERATION_UNFREEZE, unfreeze_run },
        { OPERATION_LIMITS, limits_run },
        { OPERATION_DEVICES, device_change_run },
        { OPERATION_FOLLOW, device_follow_run },
        { OPERATION_CLEAN, clean_run },
        { OPERATION_EXEC, exec_run },
        {},
};

int main(void) {
        return worker_main(operations);
}
