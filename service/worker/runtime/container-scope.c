/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/container-scope.h"

#include <net/if.h>

int container_scope_enter(const CgroupHost *host, const char *name, ScopeGate *gate, pid_t pid,
                          Error *ret_error) {
        g_autofree char *unit = scope_of_container(name);
        g_autofree char *description = g_strdup_printf("Container %s of berth", name);
        int r;

        r = scope_create(unit, description, pid, ret_error);
        if (r < 0)
                return r;
        r = cgroup_enter_pivot(host, name, pid);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot make the control groups of container \"%s\"", name);
        scope_gate_release(gate);
        return 0;
}

void container_scope_register(const CgroupHost *host, const char *name, pid_t init_pid,
                              const char *rootfs, GVariant *nics, GPtrArray *warnings) {
        g_autoptr(GArray) interfaces = g_array_new(FALSE, FALSE, sizeof(unsigned));
        g_auto(Error) error = ERROR_INIT;

        if (!cgroup_host_has_scopes(host))
                return;
        for (size_t i = 0; i < g_variant_n_children(nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(nics, i);
                const char *host_name;
                unsigned index;

                if (!g_variant_lookup(nic, "host_name", "&s", &host_name))
                        continue;
                index = if_nametoindex(host_name);
                if (index > 0)
                        g_array_append_val(interfaces, index);
        }
        if (scope_register_machine(name, init_pid, rootfs,
                                   &g_array_index(interfaces, unsigned, 0), interfaces->len,
                                   &error) < 0)
                g_ptr_array_add(warnings, g_strdup_printf("systemd-machined does not know the "
                                                          "container: %s", error.message));
}
