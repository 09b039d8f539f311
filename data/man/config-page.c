/* SPDX-License-Identifier: Apache-2.0 */

/* Writes berth-config(5) from the table of configuration keys, so that the two cannot differ. */

#include <stdio.h>

#include "data/man/troff.h"
#include "service/model/config-key.h"
#include "service/model/privilege.h"

static void print_row(const ConfigKey *row) {
        printf(".TP\n.B ");
        troff_print(row->name);
        printf("\n");
        troff_print(row->help);
        printf(".\n.br\n");
        troff_print(row->type);
        if (row->fallback) {
                printf("; default ");
                troff_print(row->fallback);
        }
        if (row->read_only) {
                printf("; kept by the service\n");
                return;
        }
        printf(row->live ? "; takes effect at once" : "; takes effect at the next start");
        if (config_class_privilege(row->class) > PRIVILEGE_USE) {
                printf("; needs ");
                troff_print(privilege_to_string(config_class_privilege(row->class)));
                if (row->harmless_when)
                        printf(" unless it is %s", row->harmless_when);
        }
        printf(row->secret ? "; secret\n" : "\n");
}

static void print_section(const char *title, unsigned scope, unsigned without) {
        printf(".SH %s\n", title);
        for (const ConfigKey *row = config_key_table(); row->name; row++)
                if (row->scopes & scope && !(row->scopes & without))
                        print_row(row);
}

int main(void) {
        printf(".\\\" SPDX-License-Identifier: Apache-2.0\n"
               ".TH BERTH\\-CONFIG 5 \"\" \"berth %s\" \"Configuration keys\"\n"
               ".SH NAME\n"
               "berth\\-config \\- configuration keys of containers, profiles, networks, pools "
               "and the service\n"
               ".SH DESCRIPTION\n"
               "Keys are set with\n.B berth config set\nand its like, those of the service without "
               "the name of a container; or by the method\n.B Update\nof an object (see\n.BR org.berth1 (5)).\n"
               "A key whose name ends in\n.B .*\nstands for all that begin so. Booleans are true, "
               "1, yes, on and their opposites; sizes are numbers with B, kB to EB (powers of "
               "1000) or KiB to EiB (powers of 1024). A key that is not known is refused with the "
               "name of the nearest one. Which polkit action a key needs beyond that of the verb "
               "is said with it; see\n.BR berth\\-polkit (7).\n",
               BERTH_VERSION);
        print_section("CONTAINERS AND PROFILES", CONFIG_SCOPE_CONTAINER | CONFIG_SCOPE_PROFILE, 0);
        print_section("NETWORKS", CONFIG_SCOPE_NETWORK, CONFIG_SCOPE_CONTAINER);
        print_section("STORAGE POOLS", CONFIG_SCOPE_POOL, CONFIG_SCOPE_CONTAINER);
        print_section("THE SERVICE", CONFIG_SCOPE_SERVICE, CONFIG_SCOPE_CONTAINER);
        printf(".SH SEE ALSO\n.BR berthd (8),\n.BR berth\\-devices (5),\n.BR berth\\-polkit (7),\n.BR org.berth1 (5)\n");
        return 0;
}
