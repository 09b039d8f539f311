/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/rebuild-shared.h"

#include "service/model/name.h"
#include "service/operation/network.h"
#include "service/operation/profile.h"
#include "service/util/cleanup.h"

static int check_network(Caller caller, const Network *network, Error *ret_error) {
        const NetworkCreate args = {
                .name = network->object.name,
                .type = network_type_to_string(network->type),
                .config = network->config,
        };
        g_auto(PrivilegeChange) needed = { 0 };
        g_auto(NetworkOptions) options = { 0 };
        int r;

        if (network->state != NETWORK_DOWN || network->rename_to)
                return error_set(ret_error, ERROR_FAILED,
                                 "it was just being created, renamed or deleted");
        r = name_check(NAME_NETWORK, args.name, ret_error);
        if (r >= 0)
                r = network_create_privilege(&args, &needed, ret_error);
        if (r >= 0)
                r = caller_check(caller, &needed, args.name, ret_error);
        if (r >= 0)
                r = network_options_read(network->type, network->config, &options, ret_error);
        return r < 0 ? r : forwards_check(network->forwards, &options, ret_error);
}

int rebuild_network(Caller caller, const char *name, GVariant *record, Network **ret,
                    Error *ret_error) {
        g_autoptr(Network) network = NULL;
        int r;

        if (network_from_record(name, record, &network) < 0)
                return error_set(ret_error, ERROR_FAILED, "its record makes no sense");
        r = check_network(caller, network, ret_error);
        if (r >= 0)
                *ret = TAKE_PTR(network);
        return r;
}

int rebuild_profile(Manager *m, const char *name, GVariant *record, Profile **ret,
                    Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_autoptr(Profile) profile = NULL;
        ProfileChange content;
        int r;

        if (profile_from_record(name, record, &profile) < 0)
                return error_set(ret_error, ERROR_FAILED, "its record makes no sense");
        content = (ProfileChange) { .set = profile->config, .devices = profile->devices };
        r = name_check(NAME_PROFILE, name, ret_error);
        if (r >= 0)
                r = profile_change_privilege(m, NULL, &content, &needed, ret_error);
        if (r < 0)
                return r;
        profile->granted = PRIVILEGE_USE;
        *ret = TAKE_PTR(profile);
        return 0;
}

void rebuild_exchange_profiles(Profile *a, Profile *b) {
        Profile old = *a;

        a->config = b->config;
        a->devices = b->devices;
        a->description = b->description;
        a->granted = b->granted;
        b->config = old.config;
        b->devices = old.devices;
        b->description = old.description;
        b->granted = old.granted;
}
