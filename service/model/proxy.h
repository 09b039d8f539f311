/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Devices of type "proxy": what connections are taken where, and where they lead. An address is
 * "tcp:ADDRESS:PORTS", "udp:ADDRESS:PORTS", "unix:/PATH" or "unix:@NAME" (abstract); an IPv6
 * address stands in brackets, ports are numbers and ranges such as "80,8000-8009". Names are no
 * addresses: what they stand for could change under a decision.
 */

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "service/model/privilege.h"
#include "service/util/error.h"

/* Ports that one device may listen on. */
#define PROXY_PORTS_MAX 512U
/* Bytes of the path or name of a Unix socket (sockaddr_un, one of its 108 for a NUL). */
#define PROXY_PATH_MAX 107U

typedef enum ProxyProtocol {
        PROXY_TCP,
        PROXY_UDP,
        PROXY_UNIX,
        _PROXY_PROTOCOL_MAX,
} ProxyProtocol;

typedef struct ProxyAddress {
        ProxyProtocol protocol;
        char *host;    /* a numeric address without brackets; of a Unix socket path or "@NAME" */
        GArray *ports; /* uint16_t; NULL for a Unix socket */
} ProxyAddress;

int proxy_address_parse(const char *text, ProxyAddress *ret, Error *ret_error);
/* "80,8000-8009": appends each (uint16_t) to `ports`. */
int proxy_ports_parse(const char *text, GArray *ports, Error *ret_error);
void proxy_address_clear(ProxyAddress *address);
/* AF_INET, AF_INET6 or AF_UNIX. */
int proxy_address_family(const ProxyAddress *address);
bool proxy_address_is_abstract(const ProxyAddress *address);
/* How many sockets it takes to listen on it. */
size_t proxy_address_count(const ProxyAddress *address);

/* For the table of devices: values, options together, class. */
int proxy_check_address(const char *value, Error *ret_error);
int proxy_check_bind(const char *value, Error *ret_error);
int proxy_check(GVariant *options, Error *ret_error);
Privilege proxy_privilege(GVariant *options);

/* It listens inside and connects to the host, instead of the other way round. */
bool proxy_listens_inside(GVariant *options);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ProxyAddress, proxy_address_clear)
