/* SPDX-License-Identifier: Apache-2.0 */
#include "client/instance-type.h"

#include <math.h>

#include "client/client.h"
#include "client/format.h"
#include "service/util/cleanup.h"

#define AMOUNT_MAX 1e6

static void add(GHashTable *config, const char *key, char *value) {
        if (g_hash_table_contains(config, key))
                g_free(value);
        else
                g_hash_table_replace(config, g_strdup(key), value);
}

/* Half a processor is one, half of the time. */
static void add_processors(GHashTable *config, double n) {
        double whole = ceil(n);
        unsigned share = (unsigned) (n / whole * 100);

        add(config, "limits.cpu", g_strdup_printf("%.0f", whole));
        if (share < 100)
                add(config, "limits.cpu.allowance", g_strdup_printf("%u%%", MAX(share, 1)));
}

int instance_type_add(const char *text, GHashTable *config, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(text, "-", -1);
        g_autofree char *shown = NULL;
        size_t n = 0;

        for (char **part = parts; *part; part++, n++) {
                char *end = *part;
                /* As everywhere else a point, whatever the locale says. */
                double amount = g_ascii_isdigit(part[0][0] ? part[0][1] : 0)
                                        ? g_ascii_strtod(*part + 1, &end)
                                        : 0;

                if (*end || amount <= 0 || amount > AMOUNT_MAX)
                        break;
                if (**part == 'c')
                        add_processors(config, amount);
                else if (**part == 'm')
                        add(config, "limits.memory",
                            g_strdup_printf("%.0fMB", floor(amount * 1024)));
                else
                        break;
        }
        if (n > 0 && !parts[n])
                return 0;
        shown = format_printable(text);
        return client_usage_error(ret_error,
                                  "'%s' is not cCPUS-mGIB, such as c2-m4; types of cloud providers "
                                  "are not known", shown);
}
