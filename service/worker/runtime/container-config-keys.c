/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/util/cleanup.h"
#include "service/worker/runtime/apparmor.h"
#include "service/worker/runtime/container-config.h"

/* Lines for keys of the configuration, each of which was checked when it was set and is checked
 * here again: this is what liblxc reads as root. */

static int add(GString *text, const char *key, const char *value, Error *ret_error) {
        return container_config_add(text, key, value, ret_error);
}

static int add_limits(GString *text, const ContainerConfig *config, Error *ret_error) {
        int r = 0;

        for (guint i = 0; r >= 0 && config->limits && i + 1 < config->limits->len; i += 2)
                r = add(text, g_ptr_array_index(config->limits, i),
                        g_ptr_array_index(config->limits, i + 1), ret_error);
        return r;
}

/* "limits.kernel.nofile" is "lxc.prlimit.nofile". */
static int add_family(GString *text, const ContainerConfig *config, const char *ours,
                      const char *theirs, Error *ret_error) {
        const char *key, *value;
        GVariantIter iter;

        g_variant_iter_init(&iter, config->config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                g_autofree char *name = NULL;
                const ConfigKey *row;
                int r;

                if (!g_str_has_prefix(key, ours))
                        continue;
                row = config_key_find(key);
                r = row && row->check_name ? row->check_name(key + strlen(ours), ret_error)
                                           : -EINVAL;
                if (r >= 0)
                        r = row->check(value, ret_error);
                name = g_strconcat(theirs, key + strlen(ours), NULL);
                if (r >= 0)
                        r = add(text, name, value, ret_error);
                if (r < 0)
                        return error_set(ret_error, ERROR_INVALID_CONFIG, "\"%s\" makes no sense",
                                         key);
        }
        return 0;
}

/* A container inside can only mount what is fully visible in the one around it. */
static int add_nesting(GString *text, const ContainerConfig *config, Error *ret_error) {
        int r;

        if (!config_get_boolean(config->config, "security.nesting"))
                return 0;
        r = add(text, "lxc.mount.entry", "proc dev/.lxc/proc proc create=dir,optional 0 0",
                ret_error);
        if (r >= 0)
                r = add(text, "lxc.mount.entry", "sys dev/.lxc/sys sysfs create=dir,optional 0 0",
                        ret_error);
        if (r >= 0 && config->apparmor)
                r = add(text, "lxc.apparmor.allow_nesting", "1", ret_error);
        return r;
}

/* The profile that is loaded already does, unless something is this container's alone. liblxc takes
 * one rule a line. */
static int add_apparmor(GString *text, const ContainerConfig *config, Error *ret_error) {
        const char *rules = config_get(config->config, "raw.apparmor");
        bool unprivileged = !idmap_is_host(config->idmap);
        g_auto(GStrv) lines = g_strsplit(rules ?: "", "\n", -1);
        int r;

        if (!config->apparmor)
                return 0;
        if (unprivileged && !rules && !config_get_boolean(config->config, "security.nesting") &&
            apparmor_has_profile(APPARMOR_PROFILE))
                return add(text, "lxc.apparmor.profile", APPARMOR_PROFILE, ret_error);
        r = add(text, "lxc.apparmor.profile", "generated", ret_error);
        /* As in data/apparmor. */
        if (r >= 0 && unprivileged)
                r = add(text, "lxc.apparmor.raw", "mount,", ret_error);
        for (char **line = lines; r >= 0 && *line; line++)
                if (*g_strstrip(*line))
                        r = add(text, "lxc.apparmor.raw", *line, ret_error);
        return r;
}

static int add_raw(GString *text, const ContainerConfig *config, Error *ret_error) {
        const char *raw = config_get(config->config, "raw.lxc");
        g_autofree char *lines = NULL;
        int r;

        if (!raw)
                return 0;
        r = config_parse_raw_lxc(raw, &lines, ret_error);
        if (r < 0) {
                error_prefix(ret_error, "raw.lxc of container \"%s\"", config->name);
                return r;
        }
        g_string_append(text, lines);
        return 0;
}

int container_config_add_keys(GString *text, const ContainerConfig *config, Error *ret_error) {
        int r;

        r = add_limits(text, config, ret_error);
        if (r >= 0)
                r = add_family(text, config, "limits.kernel.", "lxc.prlimit.", ret_error);
        if (r >= 0)
                r = add_family(text, config, "linux.sysctl.", "lxc.sysctl.", ret_error);
        if (r >= 0)
                r = add_nesting(text, config, ret_error);
        if (r >= 0)
                r = add_apparmor(text, config, ret_error);
        return r < 0 ? r : add_raw(text, config, ret_error);
}
