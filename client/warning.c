/* SPDX-License-Identifier: Apache-2.0 */
#include "client/admin.h"
#include "client/commands.h"
#include "client/table.h"
#include "service/util/cleanup.h"

/*
 * `warning`: what is not as it should be now, of what the service keeps up and of this machine. It
 * is looked at anew each time: a warning goes when what it warns of has gone, and there is nothing
 * to acknowledge or delete. What was wrong before is in the journal.
 */

static void add_row(Table *table, const char *type, const char *severity, const char *object,
                    const char *message) {
        const char *const cells[] = { type, severity, object, message };
        static const char *const keys[] = { "type", "severity", "entity", "last_message" };
        GVariantDict record;

        g_variant_dict_init(&record, NULL);
        for (size_t i = 0; i < ELEMENTSOF(cells); i++)
                g_variant_dict_insert(&record, keys[i], "s", cells[i]);
        table_add_row(table, g_variant_dict_end(&record));
        for (size_t i = 0; i < ELEMENTSOF(cells); i++)
                table_add_cell(table, cells[i]);
}

/* Why it is not available is told to whoever wants something of it. */
static void add_pool(Client *c, Table *table, const Object *o) {
        g_auto(Error) error = ERROR_INIT;

        if (!g_str_equal(object_get_string(o, "State"), "unavailable"))
                return;
        if (client_call(c, OBJECT_POOL, o->path, "GetSpace", g_variant_new("(a{sv})", NULL), "(tt)",
                        NULL, &error) < 0)
                add_row(table, "storage pool", "high", o->name, error.message);
}

static void add_network(Client *c, Table *table, const Object *o) {
        g_autoptr(GVariant) reply = NULL, state = NULL;
        g_auto(Error) error = ERROR_INIT;
        g_autofree char *message = NULL;
        const char *reason = "";

        if (!g_str_equal(object_get_string(o, "State"), "error"))
                return;
        if (client_call(c, OBJECT_NETWORK, o->path, "GetState", g_variant_new("(a{sv})", NULL),
                        "(a{sv})", &reply, &error) < 0) {
                add_row(table, "network", "high", o->name, error.message);
                return;
        }
        state = g_variant_get_child_value(reply, 0);
        (void) g_variant_lookup(state, "error", "&s", &reason);
        message = g_strdup_printf("It cannot be brought up: %s", reason);
        add_row(table, "network", "high", o->name, message);
}

static void add_missing(const char *name, bool required, const char *without, const char *remedy,
                        void *userdata) {
        g_autofree char *message = g_strdup_printf("%s: %s", without, remedy);

        add_row(userdata, "missing", required ? "high" : "low", name, message);
}

static int warning_list(Client *c, Error *ret_error) {
        static const char *const headings[] = { "TYPE", "SEVERITY", "ENTITY", "MESSAGE", NULL };
        g_autoptr(Table) table = table_new(headings);
        g_autoptr(GPtrArray) pools = NULL, networks = NULL;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r >= 0)
                r = client_get_objects(c, OBJECT_POOL, NULL, &pools, ret_error);
        if (r >= 0)
                r = client_get_objects(c, OBJECT_NETWORK, NULL, &networks, ret_error);
        if (r < 0)
                return r;
        for (guint i = 0; i < pools->len; i++)
                add_pool(c, table, pools->pdata[i]);
        for (guint i = 0; i < networks->len; i++)
                add_network(c, table, networks->pdata[i]);
        admin_for_each_missing(add_missing, table);
        return table_print(table, format, ret_error);
}

#define REFUSAL "a warning goes when what it warns of has gone: see 'berth warning list'"

static const Option warning_list_options[] = {
        { "all", 'a', NULL, "All that there are, as without it", NULL },
        { "format", 'f', "FORMAT", "table, compact, csv, json or yaml", NULL },
        { NULL },
};

const Command warning_commands[] = {
        { .name = "acknowledge", .aliases = "ack", .refusal = REFUSAL },
        { .name = "delete", .aliases = "rm", .refusal = REFUSAL },
        { "list", "ls", "", "List what is not as it should be now", warning_list_options, "-", 0, 0,
          .run = warning_list },
        { .name = "show", .refusal = REFUSAL },
        { NULL },
};
