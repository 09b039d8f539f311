/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The dnsmasq of a network: DHCP, router advertisements and DNS on its bridge and nowhere else. It
 * runs on by itself, outlives the worker and berthd, and is known by its pid file, its program and
 * its arguments.
 *
 * Containers choose nothing here: the client ids by which one container could take the leases of
 * many are ignored, and so are the names they send, unless dns.mode=dynamic. Names and addresses
 * come from files in RUN-DIR/hosts, lines of "MAC,ADDRESS,NAME" that are read when they are added,
 * without a signal. What raw.dnsmasq says is a configuration file in RUN-DIR; else there is none.
 *
 * It answers root of a container, so it runs as its own user, with three capabilities, an empty
 * environment, no configuration of the host's and a small part of the file system.
 */

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

#include "service/model/network-options.h"
#include "service/util/error.h"

typedef struct DnsmasqConfig DnsmasqConfig;

struct DnsmasqConfig {
        const char *interface;
        const NetworkOptions *options;
        const char *run_dir;
        const char *lease_file;
};

/* The whole argument list, NULL at its end. `user` and `group`: whom it runs as. */
char **dnsmasq_arguments(const DnsmasqConfig *config, const char *user, const char *group);

/* Makes the dnsmasq of the network run with these arguments: keeps one that does, unless `restart`,
 * else ends it and starts anew. When this returns its sockets are bound. */
int dnsmasq_ensure(const DnsmasqConfig *config, bool restart, pid_t *ret_pid, int *ret_pidfd,
                   Error *ret_error);
/* Ends it and awaits its end; fine where none runs. */
int dnsmasq_stop(const char *run_dir, Error *ret_error);
