/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the runtime worker hands to berth-forward, the program behind one proxy device: sockets that
 * listen already, and where their connections lead. It is neither a worker nor berthd's child: it
 * serves until the container's init has gone, whatever becomes of berthd.
 *
 * It begins as root with the groups that it is to keep, enters the namespaces that it connects in,
 * gives up everything, and says so on its control socket; it serves once a byte has come from
 * there, and ends when the other side closes it without one.
 *
 * Arguments: names of the container and of the device, for people who list processes. Fds:
 */

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FORWARD_PROGRAM "berth-forward"

#define FORWARD_SPEC_FD 3    /* a memfd with ForwardSpec */
#define FORWARD_CONTROL_FD 4 /* SOCK_SEQPACKET */
#define FORWARD_INIT_FD 5    /* pidfd of the container's init */
#define FORWARD_FIRST_FD 6   /* the sockets that listen, one for each target */

#define FORWARD_TARGETS_MAX 512U

typedef struct ForwardTarget {
        uint32_t length;
        union {
                struct sockaddr any;
                struct sockaddr_in ipv4;
                struct sockaddr_in6 ipv6;
                struct sockaddr_un path;
        } address;
} ForwardTarget;

typedef struct ForwardSpec {
        int32_t namespaces;      /* CLONE_NEW* of init's to enter; 0: connections are the host's */
        uint32_t uid, gid;       /* to become, as the user namespace then says it */
        uint32_t datagrams;      /* the sockets are of udp */
        uint32_t proxy_protocol; /* a line that tells who calls goes before a stream */
        uint32_t n_targets;
        ForwardTarget targets[];
} ForwardSpec;

/* Sent once: 0, or -errno and at what. */
typedef struct ForwardStatus {
        int32_t error;
        char what[60];
} ForwardStatus;
