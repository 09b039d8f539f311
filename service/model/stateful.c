/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/stateful.h"

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"

static int refuse(const char *container, const char *what, const char *name, Error *ret_error) {
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "The state of container \"%s\" cannot be saved: its %s \"%s\" could not "
                         "be restored; remove it, or stop the container without its state",
                         container, what, name);
}

static int check_config(const char *container, GVariant *config, Error *ret_error) {
        static const char *const flags[] = { "security.nesting", "security.privileged" };
        static const char *const texts[] = { "raw.apparmor", "raw.lxc", "raw.seccomp" };

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (config_get_boolean(config, flags[i]))
                        return refuse(container, "key", flags[i], ret_error);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (config_get(config, texts[i]))
                        return refuse(container, "key", texts[i], ret_error);
        return 0;
}

static bool device_can_be_restored(GVariant *options) {
        const char *type = device_get_type(options), *nictype = device_get_nictype(options);

        if (g_strcmp0(type, "none") == 0)
                return true;
        if (g_strcmp0(type, "disk") == 0)
                return g_strcmp0(config_get(options, "path"), "/") == 0;
        /* liblxc puts a new interface on its VLANs, and one that CRIU has made on none. */
        if (config_get(options, "vlan") || config_get(options, "vlan.tagged"))
                return false;
        return g_strcmp0(nictype, "bridged") == 0 || g_strcmp0(nictype, "p2p") == 0;
}

int stateful_check(const char *container, GVariant *config, GVariant *devices, Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;
        int r = check_config(container, config, ret_error);

        if (r < 0)
                return r;
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (!device_can_be_restored(owned))
                        return refuse(container, "device", name, ret_error);
        }
        return 0;
}
