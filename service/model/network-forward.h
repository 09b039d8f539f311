/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Forwards of a network: what comes to an address of the host is led to a container on the network,
 * by port, and all else to another one where it is so configured. And what the firewall makes of
 * them, and of proxies that translate addresses: translations, a(ssqqsq): "tcp", "udp" or "" (all
 * there is), the address that is called, first and last port, the address and port that it comes to
 * (port 0: the same).
 */

#include "service/model/network-options.h"
#include "service/model/proxy.h"
#include "service/util/error.h"

/* By the address that they listen on: description, configuration, and ports: protocol, ports that
 * are called, address, ports there ("" for the same), description. */
#define FORWARDS_TYPE ((const GVariantType *) "a{s(sa{ss}a(sssss))}")
#define FORWARD_TYPE ((const GVariantType *) "(sa{ss}a(sssss))")

/* Full references. `forward` NULL: without that one. */
GVariant *forwards_empty(void);
GVariant *forwards_get(GVariant *forwards, const char *listen);
GVariant *forwards_set(GVariant *forwards, const char *listen, GVariant *forward);

/* The address as it is kept; ERROR_INVALID_CONFIG for what is none that a host can have. To be
 * freed. */
int forward_parse_listen(const char *text, char **ret, Error *ret_error);
/* Whether they make sense, on a network with these options. */
int forwards_check(GVariant *forwards, const NetworkOptions *options, Error *ret_error);

/* Appends translations. */
void forwards_translate(GVariant *forwards, GVariantBuilder *translations);
/* Of a proxy with "nat" that has passed its check; `targets`: addresses that it may lead to, as the
 * others are none of its container's. */
void proxy_translate(GVariant *options, const char *const *targets,
                     GVariantBuilder *translations);
