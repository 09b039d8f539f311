/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The configuration of a network as it is meant: each key read, defaults filled in, and checked
 * against the others. berthd reads it to refuse what makes no sense, the worker to do it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "service/model/subnet.h"
#include "service/util/error.h"

typedef enum NetworkType {
        NETWORK_BRIDGE,   /* a bridge of our own */
        NETWORK_MACVLAN,  /* on an interface of the host */
        NETWORK_PHYSICAL, /* an interface of the host itself */
        _NETWORK_TYPE_MAX,
        _NETWORK_TYPE_INVALID = -EINVAL,
} NetworkType;

typedef enum NetworkDnsMode {
        NETWORK_DNS_MANAGED, /* names are those of the containers */
        NETWORK_DNS_DYNAMIC, /* names are what containers call themselves */
        NETWORK_DNS_NONE,    /* none */
        _NETWORK_DNS_MAX,
} NetworkDnsMode;

typedef struct NetworkRange {
        Subnet first, last;
} NetworkRange;

typedef struct NetworkFamily {
        Subnet subnet;       /* of the bridge; AF_UNSPEC for "none", and "auto" as yet */
        bool is_auto;
        bool nat;
        bool nat_after;      /* after the rules of others */
        bool dhcp;
        bool stateful;       /* IPv6 */
        bool firewall;
        bool routing;
        Subnet nat_address;  /* AF_UNSPEC: masquerade */
        Subnet gateway;      /* IPv4; AF_UNSPEC: the bridge */
        const char *expiry;  /* as dnsmasq writes it */
        GArray *ranges;      /* NetworkRange; none: all of it */
        GArray *routes;      /* Subnet */
} NetworkFamily;

/* Strings live as long as the configuration they were read from. */
typedef struct NetworkOptions {
        NetworkType type;
        NetworkFamily ipv4, ipv6;
        unsigned mtu;            /* 0: default */
        uint8_t hwaddr[6];
        bool has_hwaddr;
        char **external;         /* interfaces of the host on the bridge */
        const char *domain;
        NetworkDnsMode dns_mode;
        char **search;
        const char *raw_dnsmasq; /* or NULL */
        const char *parent;      /* macvlan, physical */
} NetworkOptions;

/* `config` a{ss}. ERROR_INVALID_CONFIG that names the key. */
int network_options_read(NetworkType type, GVariant *config, NetworkOptions *ret,
                         Error *ret_error);
void network_options_done(NetworkOptions *options);

const char *network_type_to_string(NetworkType type);
NetworkType network_type_from_string(const char *s);

/* Validators of single keys, and readers. */
int network_check_domain(const char *value, Error *ret_error);
int network_check_domains(const char *value, Error *ret_error);
int network_check_dns_mode(const char *value, Error *ret_error);
int network_check_expiry(const char *value, Error *ret_error);
int network_check_hwaddr(const char *value, Error *ret_error);
int network_check_interface(const char *value, Error *ret_error);
int network_check_interfaces(const char *value, Error *ret_error);
int network_check_ipv4(const char *value, Error *ret_error);
int network_check_ipv4_address(const char *value, Error *ret_error);
int network_check_ipv4_ranges(const char *value, Error *ret_error);
int network_check_ipv4_routes(const char *value, Error *ret_error);
int network_check_ipv6(const char *value, Error *ret_error);
int network_check_ipv6_address(const char *value, Error *ret_error);
int network_check_ipv6_ranges(const char *value, Error *ret_error);
int network_check_ipv6_routes(const char *value, Error *ret_error);
int network_check_nat_order(const char *value, Error *ret_error);
bool network_parse_hwaddr(const char *value, uint8_t ret[static 6]);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NetworkOptions, network_options_done)
