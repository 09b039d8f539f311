/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What berthd and a worker say to each other.
 *
 * berthd executes LIBEXECDIR/berth-worker-ROOM with an empty environment, standard input from
 * /dev/null, standard error shared with berthd, and these fds:
 *
 *   3   the request: a sealed memfd with a GVariant of PROTOCOL_REQUEST_TYPE, the name of the
 *       operation ("ROOM.verb") and its arguments
 *   4   the channel: a SOCK_SEQPACKET socket, one GVariant of PROTOCOL_MESSAGE_TYPE a packet
 *   5…  the fds that belong to the request; which is which is said at each operation
 *
 * On the channel the worker sends any number of
 *   ("progress", {"stage": s, "fraction": d})    what it does, how far (-1: not known)
 *   ("event", {...}) [+ fds]                     something the caller wants before the end
 * and then exactly one of
 *   ("result", {...}) [+ fds]
 *   ("error", {"name": s, "message": s})         name as in service/util/error.c
 * and exits with 0. Any other end of the worker is an error of its own.
 *
 * A worker dies with berthd (PR_SET_PDEATHSIG); whatever it forks looks after itself.
 *
 * berthd may send ("signal", {"signal": i}) and ("resize", {"width": u, "height": u}) to a worker
 * that runs a command. Cancelling is SIGTERM: the worker undoes what it did (or leaves it to
 * berthd's undo step, as the operation's description says) and ends with Cancelled; SIGKILL
 * follows after WORKER_KILL_USEC.
 *
 * The daemon treats everything that a worker sends as untrusted: wrong types, lengths, names and
 * fds end the operation with an error.
 */

#include <glib.h>

#define PROTOCOL_REQUEST_FD 3
#define PROTOCOL_CHANNEL_FD 4
#define PROTOCOL_FIRST_FD 5

#define PROTOCOL_REQUEST_TYPE ((const GVariantType *) "(sa{sv})")
#define PROTOCOL_MESSAGE_TYPE ((const GVariantType *) "(sa{sv})")

/* Upper bounds for one request, one message, and the fds that come with a message. */
#define PROTOCOL_REQUEST_MAX (4U << 20)
#define PROTOCOL_MESSAGE_MAX (128U << 10)
#define PROTOCOL_FDS_MAX 8
