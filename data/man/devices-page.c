/* SPDX-License-Identifier: Apache-2.0 */

/* Writes berth-devices(5) from the table of device types, so that the two cannot differ. */

#include <stdio.h>

#include "data/man/troff.h"
#include "service/model/device.h"

static void print_option(const DeviceOption *o) {
        printf(".TP\n.BR ");
        troff_print(o->name);
        printf(" \" (");
        troff_print(o->type);
        printf("%s)\"\n", o->required ? ", required" : "");
        troff_print(o->help);
        printf(".\n");
}

static void print_type(const DeviceType *type) {
        printf(".SS ");
        troff_print(type->name);
        printf("\n");
        troff_print(type->help);
        printf(".\n");
        for (const DeviceOption *o = type->options; o->name; o++)
                print_option(o);
}

int main(void) {
        printf(".\\\" SPDX-License-Identifier: Apache-2.0\n"
               ".TH BERTH\\-DEVICES 5 \"\" \"berth %s\" \"Devices\"\n"
               ".SH NAME\n"
               "berth\\-devices \\- devices of containers and profiles\n"
               ".SH DESCRIPTION\n"
               "A device has a name, a type and options. It is added with\n"
               ".B berth config device add\nor\n.BR \"berth profile device add\" ,\n"
               "or by the method\n.B Update\nof an object (see\n.BR org.berth1 (5)).\n"
               "A device of a container takes the place of one of the same name that a profile "
               "brings. Changes reach containers that run, all of a change or nothing. An option "
               "that is not known, or that this host cannot keep to, is refused. What a device "
               "needs beyond the verb's polkit action is said in\n.BR berth\\-polkit (7).\n"
               ".SH TYPES\n",
               BERTH_VERSION);
        for (const DeviceType *type = device_type_table(); type->name; type++)
                print_type(type);
        printf(".SH EXAMPLES\n.EX\n"
               "berth config device add c1 data disk source=/home/me/data path=/mnt/data\n"
               "berth config device add c1 web proxy listen=tcp:0.0.0.0:8080 "
               "connect=tcp:127.0.0.1:80\n"
               "berth config device add c1 scanner usb vendorid=04a9\n"
               "berth config device add c1 lan nic nictype=routed parent=eth0 "
               "ipv4.address=192.0.2.50\n"
               ".EE\n"
               ".SH SEE ALSO\n.BR berth\\-config (5),\n.BR berth\\-polkit (7),\n"
               ".BR org.berth1 (5)\n");
        return 0;
}
