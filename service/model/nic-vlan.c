/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/nic-vlan.h"

#include <net/if.h>
#include <stdbool.h>
#include <string.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/util/cleanup.h"

/* 0 and 4095 mean something else in a tag. */
#define VLAN_MIN 1U
#define VLAN_MAX 4094U
#define RANGES_MAX 64

static bool parse_id(const char *text, unsigned *ret) {
        uint64_t id;

        if (config_parse_integer(text, VLAN_MIN, VLAN_MAX, &id) < 0)
                return false;
        *ret = (unsigned) id;
        return true;
}

static bool parse_range(const char *text, VlanRange *ret) {
        g_auto(GStrv) ends = g_strsplit(text, "-", 2);

        return ends[0] && parse_id(ends[0], &ret->first) &&
               parse_id(ends[1] ?: ends[0], &ret->last) && ret->first <= ret->last;
}

int nic_parse_vlans(const char *text, GArray **ret, Error *ret_error) {
        g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(VlanRange));
        g_auto(GStrv) words = g_strsplit(text, ",", RANGES_MAX + 1);

        if (!*words || g_strv_length(words) > RANGES_MAX)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "it is no list of 1 to %d VLANs", RANGES_MAX);
        for (char **word = words; *word; word++) {
                VlanRange range;

                if (!parse_range(g_strstrip(*word), &range))
                        return error_set(ret_error, ERROR_INVALID_DEVICE,
                                         "\"%.32s\" is neither a VLAN (%u to %u) nor a range such "
                                         "as 20-29", *word, VLAN_MIN, VLAN_MAX);
                (void) g_array_append_val(ranges, range);
        }
        *ret = TAKE_PTR(ranges);
        return 0;
}

char *nic_vlan_link_name(const char *parent, const char *vlan) {
        g_autofree char *name = g_strdup_printf("%s.%s", parent, vlan);

        if (strlen(name) < IF_NAMESIZE)
                return TAKE_PTR(name);
        return g_strdup_printf("vlan%08x", g_str_hash(name));
}

int nic_check_vlan(const char *value, Error *ret_error) {
        unsigned unused;

        if (g_str_equal(value, "none") || parse_id(value, &unused))
                return 0;
        return error_set(ret_error, ERROR_INVALID_DEVICE,
                         "\"%.32s\" is neither a VLAN (%u to %u) nor none", value, VLAN_MIN,
                         VLAN_MAX);
}

int network_check_vlan(const char *value, Error *ret_error) {
        unsigned unused;

        if (parse_id(value, &unused))
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG, "\"%.32s\" is no VLAN (%u to %u)", value,
                         VLAN_MIN, VLAN_MAX);
}

int nic_check_vlan_tagged(const char *value, Error *ret_error) {
        g_autoptr(GArray) unused = NULL;

        return nic_parse_vlans(value, &unused, ret_error);
}

int nic_check_vlans(GVariant *options, Error *ret_error) {
        const char *nictype = config_get(options, "nictype") ?: "";
        const char *vlan = config_get(options, "vlan");
        bool bridged = g_str_equal(nictype, "bridged");

        if (vlan && !config_get(options, "parent"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"vlan\" is for nics with a \"parent\"");
        if (vlan && !bridged && g_str_equal(vlan, "none"))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"vlan\" is none for nics of type bridged only");
        if (config_get(options, "vlan.tagged") && !bridged)
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"vlan.tagged\" is for nics of type bridged");
        if (config_get(options, "gvrp") && (bridged || !vlan))
                return error_set(ret_error, ERROR_INVALID_DEVICE,
                                 "\"gvrp\" is for nics with a \"vlan\" that are not bridged");
        return 0;
}
