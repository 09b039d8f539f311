/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Work on a container's files, done by a child that has no more rights than the container's root.
 *
 * Of a running container the child enters the user and mount namespaces of init, so that it sees
 * what is mounted there. For a stopped one it gets a user namespace with the container's ids, and a
 * detached mount of the volume that shows the ids accordingly. Either way its root directory is the
 * container's, and names are resolved below that by openat2() (service/worker/files/place.h): a
 * link leads where it leads inside, a race won inside leads nowhere else, and what is made belongs
 * to somebody of the container.
 *
 * The child stays out of the container's process namespace and is not dumpable, so nobody inside
 * can see or trace it. It holds nothing but its end of a socket to the worker, the fds of the data,
 * the root directory and its own /proc/self/fd. The worker waits for it, passes on what it reports,
 * and kills it when it is cancelled, or when it hangs on its way to the file: what is mounted
 * inside may be a FUSE that never answers.
 */

#include "service/worker/worker.h"

typedef struct Inside Inside;

struct Inside {
        Worker *worker; /* for progress, events and worker_is_cancelled() */
        int root_fd;    /* O_PATH of the container's root directory */
        int self_fd;    /* our /proc/self/fd */
};

/* Runs in the child. `result` becomes the worker's. */
typedef int (*InsideFunc)(const Inside *inside, void *data, GVariantDict *result,
                          Error *ret_error);

/* Reads from the request where the container's files are ("init-pid", "idmap", "rootfs",
 * "idmapped"; the pidfd of init is its fd number `n_fds`), and runs `func` there. The child keeps
 * `fds`. */
int inside_run(Worker *worker, const int *fds, size_t n_fds, InsideFunc func, void *data,
               GVariantDict *result, Error *ret_error);

/* In the child: it has found what it was to find, and may take its time from now on. `event` a{sv},
 * floating or NULL, is what the daemon gets to know. */
int inside_begun(const Inside *inside, GVariant *event);
