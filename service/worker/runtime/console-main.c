/* SPDX-License-Identifier: Apache-2.0 */

/* The worker for consoles. It is the only one that links liblxc, because liblxc's monitor alone can
 * give a console away. */

#include "service/worker/operations.h"
#include "service/worker/runtime/console.h"

static const WorkerOperation operations[] = {
        { OPERATION_CONSOLE, console_run },
        {},
};

int main(void) {
        return worker_main(operations);
}
