/* SPDX-License-Identifier: Apache-2.0 */
#include "client/network-attach.h"

#include "client/attach.h"
#include "service/util/cleanup.h"

int network_run_attach(Client *c, ObjectKind kind, Error *ret_error) {
        g_auto(Attachment) a = { 0 };
        g_autofree char *network = NULL;
        const char *name;
        int r;

        r = client_object_name(client_argument(c, 0), &network, ret_error);
        if (r >= 0)
                r = attachment_read(c, kind, client_argument(c, 1), &a, ret_error);
        if (r < 0)
                return r;
        name = client_argument(c, 2) ?: network;
        r = attachment_add(&a, name,
                           (const char *const[]) { "type", "nic", "network", network, "name",
                                                   client_argument(c, 3), NULL },
                           ret_error);
        if (r >= 0)
                r = attachment_write(c, &a, ret_error);
        if (r >= 0)
                client_say(c, "Network %s attached to %s as device %s", network,
                           a.settings->object->name, name);
        return r;
}

static bool is_on(GHashTable *device, const void *network) {
        const char *type = g_hash_table_lookup(device, "type");
        const char *on = g_hash_table_lookup(device, "network");

        if (!on && g_strcmp0(g_hash_table_lookup(device, "nictype"), "bridged") == 0)
                on = g_hash_table_lookup(device, "parent");
        return g_strcmp0(type, "nic") == 0 && g_strcmp0(on, network) == 0;
}

int network_run_detach(Client *c, ObjectKind kind, Error *ret_error) {
        g_autofree char *network = NULL, *name = NULL, *place = NULL;
        g_auto(Attachment) a = { 0 };
        int r;

        r = client_object_name(client_argument(c, 0), &network, ret_error);
        if (r >= 0)
                r = attachment_read(c, kind, client_argument(c, 1), &a, ret_error);
        if (r < 0)
                return r;
        place = g_strdup_printf("the network '%s'", network);
        r = attachment_find(&a, is_on, network, place, client_argument(c, 2), &name, ret_error);
        if (r < 0)
                return r;
        g_hash_table_remove(a.devices, name);
        r = attachment_write(c, &a, ret_error);
        if (r >= 0)
                client_say(c, "Device %s removed from %s", name, a.settings->object->name);
        return r;
}
