/* SPDX-License-Identifier: Apache-2.0 */

/* berth-worker-network: what service/worker/operations.h calls "network.*". */

#include "service/worker/network/address-pick.h"
#include "service/worker/network/firewall.h"
#include "service/worker/network/network.h"
#include "service/worker/operations.h"
#include "service/worker/worker.h"

static const WorkerOperation operations[] = {
        { OPERATION_NETWORK_PICK, address_pick_operation },
        { OPERATION_NETWORK_UP, network_up_operation },
        { OPERATION_NETWORK_DOWN, network_down_operation },
        { OPERATION_NETWORK_FIREWALL, firewall_operation },
        { OPERATION_NETWORK_GUARD, firewall_guard_operation },
        { 0 },
};

int main(void) {
        return worker_main(operations);
}
