/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/start-plan.h"

#include <errno.h>
#include <net/if.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/worker/runtime/device-nic.h"
#include "service/worker/runtime/nic-limits.h"
#include "service/worker/runtime/nic-parent.h"
#include "service/worker/runtime/nic-port.h"
#include "service/worker/runtime/nic-record.h"
#include "service/worker/runtime/nic-routed.h"

int start_nics_check(const Start *start, Error *ret_error) {
        size_t n = g_variant_n_children(start->nics);

        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(start->nics, i);
                const char *parent = config_get(nic, "vlan.parent") ?: config_get(nic, "parent");
                const char *host_name;

                if (parent && if_nametoindex(parent) == 0)
                        return error_set(ret_error, ERROR_NO_SUCH_NETWORK,
                                         "Bridge \"%s\", which container \"%s\" is to be connected "
                                         "to, does not exist",
                                         parent, start->name);
                if (g_variant_lookup(nic, "host_name", "&s", &host_name) &&
                    if_nametoindex(host_name) != 0)
                        return error_set(ret_error, ERROR_IN_USE,
                                         "Network interface \"%s\" for container \"%s\" exists "
                                         "already",
                                         host_name, start->name);
        }
        return 0;
}

static int record_error(GVariant *nic, int r, Error *ret_error) {
        return error_set_errno(ret_error, -r, "Cannot take note of network interface \"%s\"",
                               config_get(nic, "name"));
}

int start_nics_prepare(const Start *start, int path_fd, Error *ret_error) {
        for (size_t i = 0; i < g_variant_n_children(start->nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(start->nics, i);
                int r = nic_parent_make(path_fd, nic, ret_error);

                if (r < 0)
                        return r;
                r = nic_record_before(path_fd, nic);
                if (r < 0)
                        return record_error(nic, r, ret_error);
                r = nic_port_check(nic, ret_error);
                if (r >= 0)
                        r = nic_routed_check(nic, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int complete_nic(const Process *init, int path_fd, GVariant *nic, Error *ret_error) {
        int r = device_nic_has_host_end(nic) ? 0 : nic_record_inside(path_fd, init, nic);

        /* Its root may have been quick to give it another name. */
        if (r < 0 && r != -ENODEV)
                return record_error(nic, r, ret_error);
        r = nic_routed_apply(path_fd, nic, ret_error);
        if (r < 0)
                return r;
        return device_has_limits(nic) ? nic_limits_apply(path_fd, nic, ret_error) : 0;
}

int start_nics_complete(const Start *start, const Process *init, int path_fd, Error *ret_error) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < g_variant_n_children(start->nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(start->nics, i);

                r = complete_nic(init, path_fd, nic, ret_error);
        }
        return r;
}
