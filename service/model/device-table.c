/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/device-check.h"
#include "service/model/device.h"
#include "service/model/mount-options.h"
#include "service/model/nic-route.h"
#include "service/model/nic-vlan.h"
#include "service/model/proxy.h"
#include "service/model/rate.h"

static const DeviceOption disk_options[] = {
        { "path", "path", device_check_path, true, "where it is inside; / for the root disk" },
        { "pool", "name", device_check_pool,
          .help = "storage pool of the root disk, or of a volume" },
        { "size", "size", device_check_disk_size,
          .help = "how much the root disk may hold (default the pool's volume.size)" },
        { "source", "path or volume", device_check_disk_source,
          .help = "file or directory of the host, opened as the container's owner and with his "
                  "rights; with pool the name of a volume, which shows the ids of the container; "
                  "a block device below /dev, whose filesystem does so too (host-access)" },
        { "readonly", "boolean", device_check_boolean,
          .help = "nothing can be written through it" },
        { "recursive", "boolean", device_check_boolean,
          .help = "with what is mounted below the source" },
        { "propagation", "private|slave|shared", mount_propagation_check,
          .help = "slave, shared: what the host mounts below the source later comes in (default "
                  "private)" },
        { "required", "boolean", device_check_boolean,
          .help = "false: the container starts without it when the source is not there" },
        { "optional", "boolean", device_check_boolean,
          .help = "the opposite of required, for old times" },
        { "shift", "boolean", device_check_boolean,
          .help = "opened as root: true shows ids as they are on disk, false as nobody's" },
        { "raw.mount.options", "words", mount_options_check,
          .help = "options of mount(8) that take something away, such as noexec,noatime" },
        { "limits.read", "size or iops", rate_check_disk,
          .help = "most that is read in a second, such as 10MB or 500iops; of the block devices "
                  "that the filesystem is on, for this container" },
        { "limits.write", "size or iops", rate_check_disk,
          .help = "most that is written in a second" },
        { "limits.max", "size or iops", rate_check_disk, .help = "both of these" },
        { NULL },
};

static const DeviceOption nic_options[] = {
        { "network", "name", device_check_network, .help = "managed network that it is on" },
        { "nictype", "bridged|p2p|macvlan|ipvlan|physical|routed", device_check_nictype,
          .help = "how it is connected, where it is on no managed network" },
        { "parent", "name", device_check_interface, .help = "bridge or interface of the host" },
        { "name", "name", device_check_interface, .help = "name inside (default eth0, eth1, ...)" },
        { "hwaddr", "MAC address", device_check_hwaddr,
          .help = "Ethernet address (default a random one)" },
        { "host_name", "name", device_check_interface, .help = "name of the host's end" },
        { "mtu", "integer", device_check_nic_mtu, .help = "MTU (default the parent's)" },
        { "mode", "l2|l3|l3s", device_check_mode_ipvlan, .help = "mode of ipvlan (default l3s)" },
        { "vlan", "integer", nic_check_vlan,
          .help = "VLAN of the parent that it is on; bridged, where the bridge tells VLANs apart: "
                  "of frames without a tag, or none" },
        { "vlan.tagged", "integers", nic_check_vlan_tagged,
          .help = "bridged: VLANs whose tags it sees, such as 10,20-29, where ipv4_filtering and "
                  "ipv6_filtering are false" },
        { "gvrp", "boolean", device_check_boolean,
          .help = "the VLAN is registered with GVRP (default false)" },
        { "ipv4.address", "IPv4 address", nic_check_addresses_ipv4,
          .help = "address on a network of type bridge, none for no IPv4 (default one that is "
                  "chosen once); routed, ipvlan: one or several, with commas between, of ipvlan in "
                  "mode l2 as ADDRESS/PREFIX" },
        { "ipv6.address", "IPv6 address", nic_check_addresses_ipv6,
          .help = "the same for IPv6, where the network has ipv6.dhcp.stateful (default one that "
                  "follows from hwaddr); routed, ipvlan: one or several" },
        { "ipv4.gateway", "auto|none|IPv4 address", nic_check_gateway_ipv4,
          .help = "routed, ipvlan: whether all else is reached by it (default auto); ipvlan in "
                  "mode l2: by which address it is (default none)" },
        { "ipv6.gateway", "auto|none|IPv6 address", nic_check_gateway_ipv6,
          .help = "the same for IPv6" },
        { "ipv4.host_address", "IPv4 address", nic_check_host_address_ipv4,
          .help = "routed: address of the host's end (default " NIC_GATEWAY_IPV4 ")" },
        { "ipv6.host_address", "IPv6 address", nic_check_host_address_ipv6,
          .help = "the same for IPv6 (default " NIC_GATEWAY_IPV6 ")" },
        { "ipv4.host_table", "integer", nic_check_table,
          .help = "routed: table of the host that has the routes as well" },
        { "ipv6.host_table", "integer", nic_check_table, .help = "the same for IPv6" },
        { "ipv4.routes", "subnets", nic_check_routes_ipv4,
          .help = "routed and p2p: networks that the host reaches by this nic, with commas "
                  "between" },
        { "ipv6.routes", "subnets", nic_check_routes_ipv6, .help = "the same for IPv6" },
        { "security.mac_filtering", "boolean", device_check_boolean,
          .help = "it sends from its own Ethernet address alone (default true on a network of type "
                  "bridge)" },
        { "security.ipv4_filtering", "boolean", device_check_boolean,
          .help = "it sends from its own IPv4 address alone, and no answers of DHCP (default true "
                  "where the network has addresses)" },
        { "security.ipv6_filtering", "boolean", device_check_boolean,
          .help = "the same for IPv6, and no router advertisements" },
        { "security.port_isolation", "boolean", device_check_boolean,
          .help = "it reaches no others that are isolated (default false)" },
        { "limits.ingress", "rate", rate_check_network,
          .help = "most that reaches the container in a second, such as 100Mbit" },
        { "limits.egress", "rate", rate_check_network,
          .help = "most that comes from the container in a second" },
        { "limits.max", "rate", rate_check_network, .help = "both of these" },
        { NULL },
};

static const DeviceOption unix_options[] = {
        { "source", "path", device_check_source, .help = "device of the host (default the path)" },
        { "path", "path", device_check_source, .help = "where it is inside (default the source)" },
        { "major", "integer", device_check_major, .help = "major number, instead of a source" },
        { "minor", "integer", device_check_minor, .help = "minor number, instead of a source" },
        { "uid", "integer", device_check_id, .help = "owner inside (default 0)" },
        { "gid", "integer", device_check_id, .help = "group inside (default 0)" },
        { "mode", "octal", device_check_mode, .help = "permissions (default 0660)" },
        { "required", "boolean", device_check_boolean,
          .help = "false: it comes and goes as it does on the host" },
        { NULL },
};

static const DeviceOption usb_options[] = {
        { "vendorid", "hexadecimal", device_check_hardware_id,
          .help = "vendor of the hardware, such as 046d (default any)" },
        { "productid", "hexadecimal", device_check_hardware_id,
          .help = "product of that vendor (default any)" },
        { "uid", "integer", device_check_id, .help = "owner inside (default 0)" },
        { "gid", "integer", device_check_id, .help = "group inside (default 0)" },
        { "mode", "octal", device_check_mode, .help = "permissions (default 0660)" },
        { "required", "boolean", device_check_boolean,
          .help = "true: the container does not start while it is not plugged in" },
        { NULL },
};

static const DeviceOption gpu_options[] = {
        { "gputype", "physical", device_check_gputype, .help = "what is shown: the card itself" },
        { "id", "integer", device_check_minor, .help = "number of the card: 0 for /dev/dri/card0" },
        { "pci", "PCI address", device_check_pci,
          .help = "where the card is, such as 0000:01:00.0" },
        { "vendorid", "hexadecimal", device_check_hardware_id,
          .help = "vendor of the card, such as 8086 (default any)" },
        { "productid", "hexadecimal", device_check_hardware_id,
          .help = "product of that vendor (default any)" },
        { "render", "boolean", device_check_boolean,
          .help = "true: only what it takes to compute, and not to drive screens" },
        { "uid", "integer", device_check_id, .help = "owner inside (default 0)" },
        { "gid", "integer", device_check_id, .help = "group inside (default 0)" },
        { "mode", "octal", device_check_mode, .help = "permissions (default 0660)" },
        { NULL },
};

static const DeviceOption proxy_options[] = {
        { "listen", "address", proxy_check_address, true,
          "where it listens: tcp:ADDRESS:PORTS, udp:ADDRESS:PORTS, unix:/PATH or unix:@NAME" },
        { "connect", "address", proxy_check_address, true, "where what comes there leads" },
        { "bind", "host|instance", proxy_check_bind,
          .help = "where it listens (default host); it connects to the other" },
        { "nat", "boolean", device_check_boolean,
          .help = "the kernel translates addresses, without a process: listens on one address of "
                  "the host, connects to one of the container's (default false)" },
        { "proxy_protocol", "boolean", device_check_boolean,
          .help = "a line of the PROXY protocol tells the target who calls" },
        { "uid", "integer", device_check_id, .help = "owner of a Unix socket (default 0)" },
        { "gid", "integer", device_check_id, .help = "group of a Unix socket (default 0)" },
        { "mode", "octal", device_check_mode,
          .help = "permissions of a Unix socket (default 0644)" },
        { "security.uid", "integer", device_check_id,
          .help = "uid that connects (default inside root for Unix sockets, else nobody; on the "
                  "host the container's owner)" },
        { "security.gid", "integer", device_check_id, .help = "gid that connects" },
        { NULL },
};

static const DeviceOption none_options[] = {
        { NULL },
};

static const DeviceType table[] = {
        { "disk", disk_options, device_check_disk, device_privilege_of_disk,
          "the root disk, a volume, or a file or directory of the host" },
        { "gpu", gpu_options, device_check_gpu, device_privilege_of_gpu, "graphics cards" },
        { "nic", nic_options, device_check_nic, device_privilege_of_nic, "a network interface" },
        { "none", none_options, NULL, device_privilege_of_none,
          "nothing: hides a device of that name that a profile brings" },
        { "proxy", proxy_options, proxy_check, proxy_privilege,
          "connections between host and container" },
        { "unix-block", unix_options, device_check_unix, device_privilege_of_host_device,
          "a block device" },
        { "unix-char", unix_options, device_check_unix, device_privilege_of_unix_char,
          "a character device" },
        { "unix-hotplug", usb_options, device_check_hotplug, device_privilege_of_host_device,
          "what the kernel makes of USB hardware: serial ports, cameras, disks" },
        { "usb", usb_options, NULL, device_privilege_of_host_device, "USB hardware itself" },
        { NULL },
};

const DeviceType *device_type_table(void) {
        return table;
}
