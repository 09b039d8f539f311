/* SPDX-License-Identifier: Apache-2.0 */

/*
 * `berth admin check`: whether this machine has what containers need. It only reads files, so
 * everybody may run it; what is needed and missing makes it fail.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "client/admin.h"
#include "client/format.h"
#include "client/kernel-config.h"
#include "client/table.h"
#include "service/util/cleanup.h"

typedef enum Need {
        NEED_REQUIRED,
        NEED_OPTIONAL,
} Need;

typedef enum Answer {
        ANSWER_YES,
        ANSWER_NO,
        ANSWER_UNKNOWN,
} Answer;

typedef struct Machine {
        KernelConfig *kernel; /* NULL: not to be read */
        char *cgroups, *controllers, *mounts, *subuid, *subgid;
        unsigned version, patchlevel;
        bool systemd;
} Machine;

typedef struct Check {
        const char *name;
        Need need;
        Answer (*look)(const Machine *machine, const char *what);
        const char *what;
        const char *without; /* what is lost */
        const char *remedy;
} Check;

/* --- looking --- */

static char *read_file(const char *path) {
        g_autofree char *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) ? TAKE_PTR(text) : g_strdup("");
}

static void machine_read(Machine *m) {
        struct utsname host;

        m->kernel = kernel_config_read();
        m->cgroups = read_file("/proc/cgroups");
        m->controllers = read_file("/sys/fs/cgroup/cgroup.controllers");
        m->mounts = read_file("/proc/self/mountinfo");
        m->subuid = read_file("/etc/subuid");
        m->subgid = read_file("/etc/subgid");
        m->systemd = access("/run/systemd/system", F_OK) >= 0;
        if (uname(&host) >= 0) {
                g_auto(GStrv) parts = g_strsplit(host.release, ".", 3);

                if (parts[0] && parts[1]) {
                        m->version = (unsigned) g_ascii_strtoull(parts[0], NULL, 10);
                        m->patchlevel = (unsigned) g_ascii_strtoull(parts[1], NULL, 10);
                }
        }
}

static void machine_clear(Machine *m) {
        kernel_config_free(m->kernel);
        g_free(m->cgroups);
        g_free(m->controllers);
        g_free(m->mounts);
        g_free(m->subuid);
        g_free(m->subgid);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Machine, machine_clear)

static Answer answer(bool yes) {
        return yes ? ANSWER_YES : ANSWER_NO;
}

static Answer look_kernel(const Machine *m, const char *option) {
        const char *value;

        if (!m->kernel)
                return ANSWER_UNKNOWN;
        value = kernel_config_get(m->kernel, option);
        return answer(value && (g_str_equal(value, "y") || g_str_equal(value, "m")));
}

static Answer look_kernel_without(const Machine *m, const char *option) {
        Answer has = look_kernel(m, option);

        return has == ANSWER_UNKNOWN ? has : answer(has == ANSWER_NO);
}

/* In the list of version 2, or enabled in the table of version 1. */
static Answer look_controller(const Machine *m, const char *name) {
        g_auto(GStrv) unified = g_strsplit_set(m->controllers, " \n", -1);
        g_auto(GStrv) lines = g_strsplit(m->cgroups, "\n", -1);
        const char *old = g_str_equal(name, "io") ? "blkio" : name;

        if (g_strv_contains((const char *const *) unified, name))
                return ANSWER_YES;
        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, "\t", -1);

                if (g_strv_length(fields) == 4 && g_str_equal(fields[0], old))
                        return answer(g_str_equal(fields[3], "1"));
        }
        return ANSWER_NO;
}

static Answer look_program(const Machine *m, const char *name) {
        static const char *const directories[] = { "/usr/sbin", "/sbin", "/usr/bin", "/bin" };

        for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
                g_autofree char *path = g_build_filename(directories[i], name, NULL);

                if (access(path, X_OK) >= 0)
                        return ANSWER_YES;
        }
        return ANSWER_NO;
}

static Answer look_idmapped(const Machine *m, const char *what) {
        return answer(m->version > 5 || (m->version == 5 && m->patchlevel >= 12));
}

/* A file that does not name root leaves the choice to the service; one that does has to give
 * enough for a container. */
static bool gives_range(const char *text) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        bool named = false;

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, ":", 3);
                uint64_t count;

                if (g_strv_length(fields) != 3 ||
                    (!g_str_equal(fields[0], "root") && !g_str_equal(fields[0], "0")))
                        continue;
                named = true;
                if (parse_number(fields[2], &count) >= 0 && count >= 65536)
                        return true;
        }
        return !named;
}

static Answer look_subids(const Machine *m, const char *what) {
        return answer(gives_range(m->subuid) && gives_range(m->subgid));
}

/* systemd in a container wants its hierarchy where version 1 is in use; systemd on the host, and
 * version 2 alone, see to that by themselves. */
static Answer look_systemd_hierarchy(const Machine *m, const char *what) {
        bool v1 = strstr(m->mounts, " - cgroup ") != NULL;

        return answer(m->systemd || !v1 || strstr(m->mounts, "name=systemd") != NULL);
}

static Answer look_bus_service(const Machine *m, const char *path) {
        return answer(access(path, F_OK) >= 0);
}

#define KERNEL(_option, _need, _without) \
        { "kernel: " _option, _need, look_kernel, _option, _without, \
          "build the kernel with CONFIG_" _option }
#define PROGRAM(_name, _need, _without, _package) \
        { "program: " _name, _need, look_program, _name, _without, \
          "install the package " _package }
#define CONTROLLER(_name, _without) \
        { "control group: " _name, NEED_OPTIONAL, look_controller, _name, _without, \
          "enable the controller (kernel command line, or the service manager)" }

static const Check checks[] = {
        KERNEL("NAMESPACES", NEED_REQUIRED, "no container can run"),
        KERNEL("UTS_NS", NEED_REQUIRED, "no container can run"),
        KERNEL("IPC_NS", NEED_REQUIRED, "no container can run"),
        KERNEL("PID_NS", NEED_REQUIRED, "no container can run"),
        KERNEL("NET_NS", NEED_REQUIRED, "no container can run"),
        KERNEL("USER_NS", NEED_REQUIRED, "no unprivileged container can run"),
        KERNEL("CGROUPS", NEED_REQUIRED, "no container can run"),
        KERNEL("SECCOMP_FILTER", NEED_REQUIRED, "images are not read without their jail"),
        KERNEL("UNIX", NEED_REQUIRED, "there is no bus"),
        KERNEL("VETH", NEED_REQUIRED, "containers have no network"),
        KERNEL("BRIDGE", NEED_REQUIRED, "there are no managed networks"),
        KERNEL("NF_TABLES", NEED_REQUIRED, "networks have no firewall and no NAT"),
        KERNEL("NF_TABLES_INET", NEED_REQUIRED, "networks have no firewall and no NAT"),
        KERNEL("NFT_MASQ", NEED_OPTIONAL, "containers reach only their host"),
        KERNEL("NF_TABLES_BRIDGE", NEED_REQUIRED, "no nic can be guarded, so none is let up"),
        KERNEL("BLK_DEV_LOOP", NEED_OPTIONAL, "no storage pool in a file"),
        KERNEL("BTRFS_FS", NEED_OPTIONAL, "no btrfs pools: copies and snapshots take their time"),
        KERNEL("DM_THIN_PROVISIONING", NEED_OPTIONAL, "no lvm pools"),
        KERNEL("MACVLAN", NEED_OPTIONAL, "no macvlan devices"),
        KERNEL("IPVLAN", NEED_OPTIONAL, "no ipvlan devices"),
        KERNEL("TUN", NEED_OPTIONAL, "no VPNs inside containers"),
        KERNEL("FUSE_FS", NEED_OPTIONAL, "no FUSE inside containers"),
        KERNEL("NET_SCH_HTB", NEED_OPTIONAL, "no limits.ingress of network devices"),
        KERNEL("NET_ACT_POLICE", NEED_OPTIONAL, "no limits.egress of network devices"),
        KERNEL("POSIX_MQUEUE", NEED_OPTIONAL, "no message queues inside containers"),
        KERNEL("CGROUP_BPF", NEED_OPTIONAL, "no device rules with control groups of version 2"),
        KERNEL("CHECKPOINT_RESTORE", NEED_OPTIONAL, "no stateful snapshots"),
        { "kernel without: GRKERNSEC_CHROOT_CAPS", NEED_REQUIRED, look_kernel_without,
          "GRKERNSEC_CHROOT_CAPS", "containers lose capabilities inside",
          "build the kernel without CONFIG_GRKERNSEC_CHROOT_CAPS" },
        { "kernel without: GRKERNSEC_CHROOT_MOUNT", NEED_REQUIRED, look_kernel_without,
          "GRKERNSEC_CHROOT_MOUNT", "containers cannot mount",
          "build the kernel without CONFIG_GRKERNSEC_CHROOT_MOUNT" },
        { "idmapped mounts", NEED_OPTIONAL, look_idmapped, NULL,
          "every new container's files are changed one by one", "use Linux 5.12 or newer" },
        CONTROLLER("cpu", "no limits.cpu.allowance and limits.cpu.priority"),
        CONTROLLER("cpuset", "no limits.cpu"),
        CONTROLLER("memory", "no limits.memory"),
        CONTROLLER("pids", "no limits.processes"),
        CONTROLLER("io", "no limits of disks"),
        CONTROLLER("hugetlb", "no limits.hugepages"),
        { "name=systemd hierarchy", NEED_OPTIONAL, look_systemd_hierarchy, NULL,
          "systemd does not run in containers",
          "berth mounts it with the next container that starts; by hand: "
          "mount -t cgroup -o none,name=systemd systemd /sys/fs/cgroup/systemd" },
        { "ids for containers", NEED_REQUIRED, look_subids, NULL, "no container can be created",
          "give root at least 65536 ids in /etc/subuid and /etc/subgid, or none at all" },
        PROGRAM("dnsmasq", NEED_REQUIRED, "networks have no DHCP and no names", "dnsmasq-base"),
        PROGRAM("mkfs.btrfs", NEED_OPTIONAL, "no new btrfs pools", "btrfs-progs"),
        PROGRAM("lvcreate", NEED_OPTIONAL, "no lvm pools", "lvm2 and thin-provisioning-tools"),
        PROGRAM("criu", NEED_OPTIONAL, "no stateful snapshots", "criu"),
        PROGRAM("pkttyagent", NEED_OPTIONAL, "no password prompts at a terminal", "polkitd"),
        { "polkit", NEED_REQUIRED, look_bus_service,
          "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service",
          "only root may use containers", "install the package polkitd" },
};

void admin_for_each_missing(AdminMissingFunc func, void *userdata) {
        g_auto(Machine) machine = { 0 };

        machine_read(&machine);
        for (size_t i = 0; i < ELEMENTSOF(checks); i++)
                if (checks[i].look(&machine, checks[i].what) == ANSWER_NO)
                        func(checks[i].name, checks[i].need == NEED_REQUIRED, checks[i].without,
                             checks[i].remedy, userdata);
}

/* --- showing --- */

static const char *const answers[] = {
        [ANSWER_YES] = "ok", [ANSWER_NO] = "missing", [ANSWER_UNKNOWN] = "unknown",
};

static GVariant *check_to_record(const Check *check, Answer a) {
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
        g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(check->name));
        g_variant_builder_add(&b, "{sv}", "result", g_variant_new_string(answers[a]));
        g_variant_builder_add(&b, "{sv}", "required",
                              g_variant_new_boolean(check->need == NEED_REQUIRED));
        g_variant_builder_add(&b, "{sv}", "without", g_variant_new_string(check->without));
        g_variant_builder_add(&b, "{sv}", "remedy", g_variant_new_string(check->remedy));
        return g_variant_builder_end(&b);
}

int admin_check(Client *c, Error *ret_error) {
        static const char *const headings[] = { "WHAT", "RESULT", "WITHOUT IT", "REMEDY", NULL };
        g_autoptr(Table) table = table_new(headings);
        g_auto(Machine) machine = { 0 };
        unsigned missing = 0;
        OutputFormat format;
        int r;

        r = output_format_parse(client_option(c, "format"), OUTPUT_TABLE, &format, ret_error);
        if (r < 0)
                return r;
        machine_read(&machine);
        for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
                Answer a = checks[i].look(&machine, checks[i].what);

                missing += a == ANSWER_NO && checks[i].need == NEED_REQUIRED;
                table_add_row(table, check_to_record(&checks[i], a));
                table_add_cell(table, checks[i].name);
                table_add_cell(table, a == ANSWER_NO && checks[i].need == NEED_REQUIRED
                                              ? "MISSING" : answers[a]);
                table_add_cell(table, a == ANSWER_YES ? "" : checks[i].without);
                table_add_cell(table, a == ANSWER_YES ? "" : checks[i].remedy);
        }
        r = table_print(table, format, ret_error);
        if (r < 0 || missing == 0)
                return r;
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "%u of the things that containers need are missing on this machine",
                         missing);
}
