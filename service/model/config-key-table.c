/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-key.h"
#include "service/model/idmap.h"
#include "service/model/network.h"
#include "service/model/nic-vlan.h"

#define INSTANCE (CONFIG_SCOPE_CONTAINER | CONFIG_SCOPE_PROFILE)
#define SNAPSHOTS (INSTANCE | CONFIG_SCOPE_VOLUME)
#define ALL (INSTANCE | CONFIG_SCOPE_NETWORK | CONFIG_SCOPE_POOL | CONFIG_SCOPE_VOLUME)

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

/* There is one of it, which LXD's dumps name. */
static int only(const char *value, const char *word, const char *why, Error *ret_error) {
        return g_str_equal(value, word)
                       ? 0 : error_set(ret_error, ERROR_INVALID_CONFIG, "there is \"%s\" alone: %s",
                                       word, why);
}

static int check_bridge_driver(const char *value, Error *ret_error) {
        return only(value, "native", "bridges are the kernel's", ret_error);
}

static int check_bridge_mode(const char *value, Error *ret_error) {
        return only(value, "standard", "current kernels have no fan networks", ret_error);
}

/* Keys of LXD's whose default is all that there is. */
static int refuse_but(const char *value, bool kept, const char *why, Error *ret_error) {
        bool on;

        if (config_parse_boolean(value, &on) >= 0 && on == kept)
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG, "%s", why);
}

static int refuse_force_reuse(const char *value, Error *ret_error) {
        return refuse_but(value, false,
                          "an lvm pool takes a whole volume group: make one for it, or give it a "
                          "block device, such as a volume of the other group", ret_error);
}

static int refuse_unmapped(const char *value, Error *ret_error) {
        return refuse_but(value, false, "each container sees its own ids in a volume", ret_error);
}

static int refuse_stripes(const char *value, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "volumes of lvm pools are thin and lie where their pool does: give the "
                         "pool a device that is striped itself, see md(4)");
}

static int refuse_rsync(const char *value, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "copies between pools are made without rsync and over no network");
}

/* Nobody inside has a way to the service. */
static int refuse_devlxd(const char *value, Error *ret_error) {
        bool on;

        if (config_parse_boolean(value, &on) >= 0 && !on)
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "containers have no socket to the service; use environment.*, files or "
                         "templates");
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
          .live = true,
          .help = "modules that the host loads before the container starts, or now if it runs" },
        { "linux.sysctl.*", INSTANCE, CONFIG_CLASS_KERNEL_SURFACE, "string", config_check_line,
          config_check_sysctl_name, .help = "setting of the kernel inside, such as net.*" },

        { "raw.apparmor", INSTANCE, CONFIG_CLASS_HOST, "text", config_check_text,
          .help = "rules for its AppArmor profile" },
        { "raw.idmap", INSTANCE, CONFIG_CLASS_HOST, "lines", idmap_check_raw,
          .help = "ids of the host seen inside: \"both|uid|gid HOST[-HOST] INSIDE[-INSIDE]\"" },
        { "raw.lxc", INSTANCE, CONFIG_CLASS_HOST, "lines", config_check_raw_lxc,
          .help = "lines for liblxc's configuration, after all others" },
        { "raw.seccomp", INSTANCE, CONFIG_CLASS_HOST, "text", config_check_seccomp,
          .help = "the whole seccomp profile in liblxc's format (version 2, section [all])" },

        { "security.devlxd", INSTANCE, CONFIG_CLASS_USE, "boolean", refuse_devlxd,
          .fallback = "false", .help = "not supported: there is no /dev/lxd inside" },
        { "security.devlxd.images", INSTANCE, CONFIG_CLASS_USE, "boolean", refuse_devlxd,
          .fallback = "false", .help = "not supported" },
        { "security.idmap.base", INSTANCE, CONFIG_CLASS_HOST, "id", config_check_id,
          .help = "first id of the host for its users and groups (not set: the service chooses)" },
        { "security.idmap.isolated", INSTANCE, CONFIG_CLASS_HOST, "boolean", config_check_boolean,
          .harmless_when = "true", .fallback = "true",
          .help = "a range of ids that no other container has" },
        { "security.idmap.size", INSTANCE, CONFIG_CLASS_HOST, "integer",
          config_check_id_count, .fallback = "65536", .help = "how many ids it has" },
        { "security.nesting", INSTANCE, CONFIG_CLASS_KERNEL_SURFACE, "boolean",
          config_check_boolean, .harmless_when = "false", .fallback = "false",
          .help = "containers inside it" },
        { "security.privileged", INSTANCE, CONFIG_CLASS_HOST, "boolean", config_check_boolean,
          .harmless_when = "false", .fallback = "false",
          .help = "no ids of its own: its root is the host's root" },
        { "security.protection.delete", INSTANCE, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "false",
          .help = "refuse to delete it" },
        { "security.protection.shift", INSTANCE, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .fallback = "false",
          .help = "refuse to store it where the owners of its files would have to be changed" },
        { "security.syscalls.allow", INSTANCE, CONFIG_CLASS_KERNEL_SURFACE, "lines",
          config_check_syscalls, .help = "the only system calls that it may make" },
        { "security.syscalls.deny", INSTANCE, CONFIG_CLASS_USE, "lines", config_check_syscalls,
          .help = "more system calls that it may not make" },
        { "security.syscalls.deny_compat", INSTANCE, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .fallback = "false",
          .help = "whether it is kept from the calls of 32-bit programs" },
        { "security.syscalls.deny_default", INSTANCE, CONFIG_CLASS_KERNEL_SURFACE, "boolean",
          config_check_boolean, .harmless_when = "true", .fallback = "true",
          .help = "whether it is kept from the calls that no container should make" },
        { "security.syscalls.intercept.*", INSTANCE, CONFIG_CLASS_HOST, "boolean",
          refuse_interception, .harmless_when = "false", .fallback = "false",
          .help = "not supported" },

        { "snapshots.expiry", SNAPSHOTS, CONFIG_CLASS_USE, "time", config_check_expiry,
          .live = true, .help = "how long snapshots are kept: \"4w\", \"1m 2d\"" },
        { "snapshots.pattern", SNAPSHOTS, CONFIG_CLASS_USE, "pattern", config_check_pattern,
          .live = true, .fallback = "snap%d", .help = "names of snapshots" },
        { "snapshots.schedule", SNAPSHOTS, CONFIG_CLASS_USE, "schedule", config_check_schedule,
          .live = true,
          .help = "when snapshots are made: a line of cron's, or @daily etc. and @startup" },
        { "snapshots.schedule.stopped", INSTANCE, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "false",
          .help = "also while it does not run" },

        { "user.*", ALL, CONFIG_CLASS_USE, "string", config_check_text, .live = true,
          .secret = true, .help = "free for users' own purposes" },
        { "volatile.*", ALL, CONFIG_CLASS_USE, "string", config_check_text, .read_only = true,
          .help = "facts that the service keeps for itself" },

        { "bridge.driver", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "native", check_bridge_driver,
          .live = true, .fallback = "native", .help = "whose bridge it is: the kernel's" },
        { "bridge.external_interfaces", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_HOST,
          "list of interfaces", network_check_interfaces, .live = true,
          .help = "interfaces of the host that are put on the bridge" },
        { "bridge.hwaddr", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "MAC address",
          network_check_hwaddr, .live = true,
          .help = "Ethernet address of the bridge (not set: one that is made from its name)" },
        { "bridge.mode", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "standard", check_bridge_mode,
          .live = true, .fallback = "standard", .help = "how addresses are chosen: as said below" },
        { "bridge.mtu", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "integer", config_check_mtu,
          .live = true, .fallback = "1500", .help = "MTU of the bridge" },
        { "dns.domain", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "domain", network_check_domain,
          .live = true, .fallback = "berth", .help = "domain of the containers' names" },
        { "dns.mode", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "managed|dynamic|none",
          network_check_dns_mode, .live = true, .fallback = "managed",
          .help = "whose names are known: those of the containers, what these call themselves, "
                  "none" },
        { "dns.search", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "list of domains",
          network_check_domains, .live = true,
          .help = "domains that containers are told to search in" },
        { "ipv4.address", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "auto|none|CIDR",
          network_check_ipv4, .live = true, .fallback = "auto",
          .help = "IPv4 address of the host on the bridge" },
        { "ipv4.dhcp", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean", config_check_boolean,
          .live = true, .fallback = "true",
          .help = "whether containers get IPv4 addresses by DHCP" },
        { "ipv4.dhcp.expiry", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "time",
          network_check_expiry, .live = true, .fallback = "1h",
          .help = "how long a lease is good" },
        { "ipv4.dhcp.gateway", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "address",
          network_check_ipv4_address, .live = true,
          .help = "router that containers are told of (not set: the bridge)" },
        { "ipv4.dhcp.ranges", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "list of FIRST-LAST",
          network_check_ipv4_ranges, .live = true,
          .help = "addresses that are lent (not set: all of the network)" },
        { "ipv4.firewall", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "true",
          .help = "rules that close the host to the containers and let them out" },
        { "ipv4.nat", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean", config_check_boolean,
          .live = true,
          .help = "masquerade IPv4 going out (not set: true where the address is auto)" },
        { "ipv4.nat.address", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "address",
          network_check_ipv4_address, .live = true,
          .help = "source address of what goes out (not set: that of the interface)" },
        { "ipv4.nat.order", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "before|after",
          network_check_nat_order, .live = true, .fallback = "before",
          .help = "before or after the rules of other tables" },
        { "ipv4.routes", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "list of CIDR",
          network_check_ipv4_routes, .live = true,
          .help = "more networks that the host reaches through the bridge" },
        { "ipv4.routing", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "true",
          .help = "whether IPv4 is forwarded from and to the bridge" },
        { "ipv6.address", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "auto|none|CIDR",
          network_check_ipv6, .live = true, .fallback = "auto",
          .help = "IPv6 address of the host on the bridge" },
        { "ipv6.dhcp", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean", config_check_boolean,
          .live = true, .fallback = "true",
          .help = "whether containers learn more than their prefix by DHCP" },
        { "ipv6.dhcp.expiry", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "time",
          network_check_expiry, .live = true, .fallback = "1h",
          .help = "how long a lease is good" },
        { "ipv6.dhcp.ranges", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "list of FIRST-LAST",
          network_check_ipv6_ranges, .live = true,
          .help = "addresses that are lent, with ipv6.dhcp.stateful (not set: all)" },
        { "ipv6.dhcp.stateful", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "false",
          .help = "whether containers get IPv6 addresses by DHCP, instead of making them" },
        { "ipv6.firewall", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "true",
          .help = "rules that close the host to the containers and let them out" },
        { "ipv6.nat", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean", config_check_boolean,
          .live = true,
          .help = "masquerade IPv6 going out (not set: true where the address is auto)" },
        { "ipv6.nat.address", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "address",
          network_check_ipv6_address, .live = true,
          .help = "source address of what goes out (not set: that of the interface)" },
        { "ipv6.nat.order", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "before|after",
          network_check_nat_order, .live = true, .fallback = "before",
          .help = "before or after the rules of other tables" },
        { "ipv6.routes", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "list of CIDR",
          network_check_ipv6_routes, .live = true,
          .help = "more networks that the host reaches through the bridge" },
        { "ipv6.routing", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "true",
          .help = "whether IPv6 is forwarded from and to the bridge" },
        { "mtu", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_USE, "integer", config_check_mtu,
          .live = true, .help = "MTU of nics on it (macvlan, physical)" },
        { "parent", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_HOST, "interface",
          network_check_interface, .live = true,
          .help = "interface of the host (macvlan, physical)" },
        { "raw.dnsmasq", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_HOST, "lines", config_check_text,
          .live = true, .help = "more lines for the configuration of dnsmasq" },
        { "vlan", CONFIG_SCOPE_NETWORK, CONFIG_CLASS_HOST, "number", network_check_vlan,
          .live = true, .help = "VLAN of the parent that nics are on (macvlan, physical)" },

        { "rsync.bwlimit", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "size", refuse_rsync,
          .help = "not supported" },
        { "rsync.compression", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "boolean", refuse_rsync,
          .help = "not supported" },
        { "security.shifted", CONFIG_SCOPE_VOLUME, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "true",
          .help = "whether containers with other ranges of ids may have it: they always may, each "
                  "sees its own ids" },
        { "security.unmapped", CONFIG_SCOPE_VOLUME, CONFIG_CLASS_USE, "boolean", refuse_unmapped,
          .live = true, .fallback = "false", .help = "cannot be true: each sees its own ids" },
        { "size", CONFIG_SCOPE_POOL | CONFIG_SCOPE_VOLUME, CONFIG_CLASS_USE, "size",
          config_check_size, .live = true,
          .help = "of a pool: size of the loop file (not set: a fifth of the free space, 5 to 30 "
                  "GiB); of a volume: how much it may hold (not set: the pool's volume.size)" },
        { "source", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "path", config_check_source,
          .help = "directory that holds the pool, block device, or of an lvm pool the name of an "
                  "empty volume group" },
        { "lvm.thinpool_metadata_size", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "size",
          config_check_size,
          .help = "of a new lvm pool: room for what the thin pool knows of its volumes (not set: "
                  "LVM decides)" },
        { "lvm.thinpool_name", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "string", config_check_group,
          .fallback = "berth-thin", .help = "of a new lvm pool: name of its thin pool" },
        { "lvm.use_thinpool", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "boolean", config_check_true,
          .fallback = "true", .help = "volumes of lvm pools are thin: cannot be false" },
        { "lvm.vg.force_reuse", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "boolean",
          refuse_force_reuse, .fallback = "false",
          .help = "whether the volume group may hold other things: cannot be true" },
        { "lvm.vg_name", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "string", config_check_group,
          .help = "of a new lvm pool: name of the volume group that is made (not set: that of the "
                  "pool)" },
        { "volume.block.filesystem", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "string",
          config_check_block_filesystem, .live = true, .fallback = "ext4",
          .help = "of an lvm pool: ext4 or xfs, for new volumes that are no copies" },
        { "volume.block.mount_options", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "string",
          config_check_block_options, .live = true, .fallback = "discard",
          .help = "of an lvm pool: how volumes are mounted, separated by commas" },
        { "volume.lvm.stripes", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "integer", refuse_stripes,
          .help = "not supported: give the pool a striped device" },
        { "volume.size", CONFIG_SCOPE_POOL, CONFIG_CLASS_USE, "size", config_check_size,
          .help = "how much a root disk in it may hold that has no size of its own, and a volume "
                  "that is made without one" },

        { "core.proxy_http", CONFIG_SCOPE_SERVICE, CONFIG_CLASS_USE, "URL", config_check_proxy,
          .live = true,
          .help = "through which what is asked for by plain HTTP is: by berth, nothing" },
        { "core.proxy_https", CONFIG_SCOPE_SERVICE, CONFIG_CLASS_USE, "URL", config_check_proxy,
          .live = true,
          .help = "through which image servers are asked: http, https or socks5; without a "
                  "password, since everybody may read it" },
        { "core.proxy_ignore_hosts", CONFIG_SCOPE_SERVICE, CONFIG_CLASS_USE, "hosts",
          config_check_proxy_exceptions, .live = true,
          .help = "which hosts, domains and addresses are asked without it, with commas" },
        { "backups.compression_algorithm", CONFIG_SCOPE_SERVICE, CONFIG_CLASS_USE, "string",
          config_check_compression, .live = true, .fallback = "gzip",
          .help = "how archives of containers and volumes are compressed" },
        { "criu.enabled", CONFIG_SCOPE_SERVICE, CONFIG_CLASS_HOST, "boolean",
          config_check_boolean, .live = true, .fallback = "false",
          .help = "whether the state of processes may be saved and restored, by CRIU as root" },
        { "images.auto_update_cached", CONFIG_SCOPE_SERVICE, CONFIG_CLASS_USE, "boolean",
          config_check_boolean, .live = true, .fallback = "true",
          .help = "whether images that came with a launch follow their server" },
        { "images.auto_update_interval", CONFIG_SCOPE_SERVICE, CONFIG_CLASS_USE, "hours",
          config_check_integer, .live = true, .fallback = "6",
          .help = "how often servers are asked for later images, 0 for never" },
        { "images.compression_algorithm", CONFIG_SCOPE_SERVICE, CONFIG_CLASS_USE, "string",
          config_check_compression, .live = true, .fallback = "gzip",
          .help = "how images are compressed that are published" },
        { "images.remote_cache_expiry", CONFIG_SCOPE_SERVICE, CONFIG_CLASS_USE, "days",
          config_check_integer, .live = true, .fallback = "10",
          .help = "images that came with a launch go when not used for so long, 0 for never" },
        { NULL },
};

const ConfigKey *config_key_table(void) {
        return table;
}
