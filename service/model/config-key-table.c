/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-key.h"
#include "service/model/network.h"

#define INSTANCE (CONFIG_SCOPE_CONTAINER | CONFIG_SCOPE_PROFILE)
#define ALL (INSTANCE | CONFIG_SCOPE_NETWORK | CONFIG_SCOPE_POOL)

/* The kernel had it in cgroup version 1 only, and no current kernel is built with it. */
static int refuse_network_priority(const char *value, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "current kernels have no network priority of a container; use "
                         "limits.ingress and limits.egress of its nic");
}

/* A system call that a service performs for a container is a way around the filter. */
static int refuse_interception(const char *value, Error *ret_error) {
        bool on;

        if (config_parse_boolean(value, &on) >= 0 && !on)
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "berth makes no system calls for containers; add a device or use "
                         "security.nesting");
}

/* Sorted by name within a scope: the manual and the answer of GetConfigKeys() keep the order. */
static const ConfigKey table[] = {
        { "boot.after", INSTANCE, CONFIG_CLASS_USE, "list of containers", config_check_containers,
          .live = true, .help = "at the host's start, wait until these containers run" },
        { "boot.autorestart", INSTANCE, CONFIG_CLASS_USE, "boolean", config_check_boolean,
          .live = true, .fallback = "false",
          .help = "start it again when it ends unasked, after a pause that grows" },
        { "boot.autostart", INSTANCE, CONFIG_CLASS_USE, "boolean", config_check_boolean,
          .live = true,
          .help = "start it when the host starts (not set: if it ran when the host went down)" },
        { "boot.autostart.delay", INSTANCE, CONFIG_CLASS_USE, "seconds", config_check_integer,
          .live = true, .fallback = "0", .help = "pause after its start at the host's start" },
        { "boot.autostart.priority", INSTANCE, CONFIG_CLASS_USE, "integer", config_check_integer,
          .live = true, .fallback = "0", .help = "order at the host's start, highest first" },
        { "boot.host_shutdown_timeout", INSTANCE, CONFIG_CLASS_USE, "seconds",
          config_check_integer, .live = true, .fallback = "30",
          .help = "how long it may take to stop when the host goes down, before it is killed" },
        { "boot.stop.priority", INSTANCE, CONFIG_CLASS_USE, "integer", config_check_integer,
          .live = true, .fallback = "0", .help = "order when the host goes down, highest first" },

        { "cloud-init.network-config", INSTANCE, CONFIG_CLASS_USE, "YAML", config_check_text,
          .secret = true, .help = "network configuration for cloud-init inside" },
        { "cloud-init.user-data", INSTANCE, CONFIG_CLASS_USE, "cloud-config", config_check_text,
          .secret = true, .help = "user data for cloud-init inside" },
        { "cloud-init.vendor-data", INSTANCE, CONFIG_CLASS_USE, "cloud-config", config_check_text,
          .secret = true, .help = "vendor data for cloud-init inside" },

        { "environment.*", INSTANCE, CONFIG_CLASS_USE, "string", config_check_line,
          config_check_variable, .secret = true,
          .help = "environment variable of init and of programs run by exec" },

        { "image.*", INSTANCE, CONFIG_CLASS_USE, "string", config_check_text, .read_only = true,
          .help = "property of the image that the container was made from" },

        { "limits.cpu", INSTANCE, CONFIG_CLASS_USE, "count or set", config_check_cpus,
          .live = true,
          .help = "CPUs: a number, balanced over the host, or a set (\"1,3\", \"0-3\", \"1-1\")" },
        { "limits.cpu.allowance", INSTANCE, CONFIG_CLASS_USE, "share or time",
          config_check_allowance, .live = true, .fallback = "100%",
          .help = "share when CPUs are short (\"50%\"), or a hard limit (\"25ms/100ms\")" },
        { "limits.cpu.priority", INSTANCE, CONFIG_CLASS_USE, "0 to 10", config_check_priority,
          .live = true, .fallback = "10", .help = "who goes first at equal shares of the CPU" },
        { "limits.disk.priority", INSTANCE, CONFIG_CLASS_USE, "0 to 10", config_check_priority,
          .live = true, .fallback = "5", .help = "share of the disk's time when it is short" },
        { "limits.hugepages.1GB", INSTANCE, CONFIG_CLASS_USE, "size", config_check_size,
          .live = true, .help = "huge pages of 1 GiB" },
        { "limits.hugepages.1MB", INSTANCE, CONFIG_CLASS_USE, "size", config_check_size,
          .live = true, .help = "huge pages of 1 MiB" },
        { "limits.hugepages.2MB", INSTANCE, CONFIG_CLASS_USE, "size", config_check_size,
          .live = true, .help = "huge pages of 2 MiB" },
        { "limits.hugepages.64KB", INSTANCE, CONFIG_CLASS_USE, "size", config_check_size,
          .live = true, .help = "huge pages of 64 KiB" },
        { "limits.kernel.*", INSTANCE, CONFIG_CLASS_KERNEL_SURFACE, "SOFT:HARD",
          config_check_rlimit, config_check_rlimit_name,
          .help = "resource limit of init and what it starts (setrlimit(2)): \"nofile\" etc." },
        { "limits.memory", INSTANCE, CONFIG_CLASS_USE, "size or share", config_check_memory,
          .live = true, .help = "memory: a size, or a share of the host's (\"25%\")" },
        { "limits.memory.enforce", INSTANCE, CONFIG_CLASS_USE, "hard or soft",
          config_check_enforce, .live = true, .fallback = "hard",
          .help = "soft: only when the host is short of memory" },
        { "limits.memory.swap", INSTANCE, CONFIG_CLASS_USE, "boolean or size", config_check_swap,
          .live = true, .fallback = "true",
          .help = "whether it may be swapped out, or how much of it" },
        { "limits.memory.swap.priority", INSTANCE, CONFIG_CLASS_USE, "0 to 10",
          config_check_priority, .live = true, .fallback = "10",
          .help = "the higher, the later it is swapped out (cgroup version 1)" },
        { "limits.network.priority", INSTANCE, CONFIG_CLASS_USE, "0 to 10",
          refuse_network_priority, .help = "not supported: see limits.ingress of a nic" },
        { "limits.processes", INSTANCE, CONFIG_CLASS_USE, "integer", config_check_positive,
          .live = true, .help = "how many processes and threads there may be" },

        { "linux.kernel_modules", INSTANCE, CONFIG_CLASS_HOST, "list", config_check_modules,
          .help = "modules that the host loads before the container starts" },
        { "linux.sysctl.*", INSTANCE, CONFIG_CLASS_KERNEL_SURFACE, "string", config_check_line,
          config_check_sysctl_name, .help = "setting of the kernel inside, such as net.*" },

        { "raw.apparmor", INSTANCE, CONFIG_CLASS_HOST, "text", config_check_text,
          .help = "rules for its AppArmor profile" },
        { "raw.idmap", INSTANCE, CONFIG_CLASS_HOST, "lines", config_check_raw_idmap,
          .help = "ids of the host seen inside: \"both|uid|gid HOST[-HOST] INSIDE[-INSIDE]\"" },
        { "raw.lxc", INSTANCE, CONFIG_CLASS_HOST, "lines", config_check_raw_lxc,
          .help = "lines for liblxc's configuration, after all others" },
        { "raw.seccomp", INSTANCE, CONFIG_CLASS_HOST, "text", config_check_text,
          .help = "the whole seccomp profile in liblxc's format" },

        { "security.idmap.base", INSTANCE, CONFIG_CLASS_HOST, "id", config_check_id,
          .help = "first id of the host for its users and groups (not set: the service chooses)" },
        { "security.idmap.isolated", INSTANCE, CONFIG_CLASS_HOST, "boolean", config_check_boolean,
          .harmless_when = "true", .fallback = "true",
          .help = "a range of ids that no other container has" },
        { "security.idmap.size", INSTANCE, CONFIG_CLASS_HOST, "integer", config_check_id,
          .fallback = "65536", .help = "how many ids it has" },
        { "security.nesting", INSTANCE, CONFIG_CLASS_KERNEL_SURFACE, "boolean",
          config_check_boolean, .harmless_when = "false", .fallback = "false",
          .help = "containers inside it" },
        { "security.privileged", INSTANCE, CONFIG_CLASS_HOST, "boolean", config_check_boolean,
          .harmless_when = "false", .fallback = "false",
          .help = "its root is the host's root" },
        { "security.protection.delete", INSTANCE, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "false",
          .help = "refuse to delete it" },
        { "security.syscalls.allow", INSTANCE, CONFIG_CLASS_KERNEL_SURFACE, "lines",
          config_check_syscalls, .help = "the only system calls that it may make" },
        { "security.syscalls.deny", INSTANCE, CONFIG_CLASS_USE, "lines", config_check_syscalls,
          .help = "more system calls that it may not make" },
        { "security.syscalls.deny_default", INSTANCE, CONFIG_CLASS_KERNEL_SURFACE, "boolean",
          config_check_boolean, .harmless_when = "true", .fallback = "true",
          .help = "whether it is kept from the calls that no container should make" },
        { "security.syscalls.intercept.*", INSTANCE, CONFIG_CLASS_HOST, "boolean",
          refuse_interception, .harmless_when = "false", .fallback = "false",
          .help = "not supported" },

        { "snapshots.expiry", INSTANCE, CONFIG_CLASS_USE, "time", config_check_expiry,
          .live = true, .help = "how long snapshots are kept: \"4w\", \"1m 2d\"" },
        { "snapshots.pattern", INSTANCE, CONFIG_CLASS_USE, "pattern", config_check_pattern,
          .live = true, .fallback = "snap%d", .help = "names of snapshots" },
        { "snapshots.schedule", INSTANCE, CONFIG_CLASS_USE, "schedule", config_check_schedule,
          .live = true, .help = "when snapshots are made: a line of cron's, or @daily etc." },
        { "snapshots.schedule.stopped", INSTANCE, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "false",
          .help = "also while it does not run" },

        { "user.*", ALL, CONFIG_CLASS_USE, "string", config_check_text, .live = true,
          .secret = true, .help = "free for users' own purposes" },
        { "volatile.*", ALL, CONFIG_CLASS_USE, "string", config_check_text, .read_only = true,
          .help = "facts that the service keeps for itself" },

        { "bridge.mtu", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "integer", config_check_mtu,
          .fallback = "1500", .help = "MTU of the bridge" },
        { "dns.domain", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "domain", network_check_domain,
          .fallback = "berth", .help = "domain of the containers' names" },
        { "ipv4.address", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "auto|none|CIDR",
          network_check_ipv4, .fallback = "auto",
          .help = "IPv4 address of the host on the bridge" },
        { "ipv4.nat", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean", config_check_boolean,
          .help = "masquerade IPv4 going out (not set: true where the address is auto)" },
        { "ipv6.address", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "auto|none|CIDR",
          network_check_ipv6, .fallback = "auto",
          .help = "IPv6 address of the host on the bridge" },
        { "ipv6.nat", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean", config_check_boolean,
          .help = "masquerade IPv6 going out (not set: true where the address is auto)" },

        { "size", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "size", config_check_size,
          .help = "size of the loop file (not set: a fifth of the free space, 5 to 30 GiB)" },
        { "source", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "path", config_check_source,
          .help = "directory that holds the pool" },
        { NULL },
};

const ConfigKey *config_key_table(void) {
        return table;
}
