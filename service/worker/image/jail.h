/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runs a function where it can do no harm: in a child process that has nothing of the host but one
 * file to read and one directory to write, or the other way round.
 *
 * The child is in user, mount, pid, network, IPC and UTS namespaces of its own. Its ids 0 to 65535
 * are ID_RANGE_JAIL_BASE and up outside, which nobody else uses; for archives of containers there
 * are more of both. The directory is a detached mount
 * with the same mapping, so that ids are on disk as the child sees them, without set-user-id,
 * programs and devices; it becomes the child's root, and every other mount is gone. Of its
 * capabilities it keeps those over files of that mount. Memory, time, open files and file size are
 * limited, and a system call filter leaves what reading an archive and writing files takes.
 *
 * Where the directory's filesystem cannot be mounted idmapped, the child's ids are the same outside
 * as inside: it can then write the owners that are wanted, and all the other walls stand, above all
 * that there is nothing but its directory that it could reach, and that root without capabilities
 * in the first user namespace is nobody special.
 *
 * What the child answers is a GVariant in normal form of bounded size, and otherwise untrusted.
 *
 * Archives of containers hold several directories, which are not known before the archive is read:
 * their child asks for them one by one, and gets each as an fd of such a mount of its own.
 *
 * A child that downloads has the network of the host, and instead of a directory the few files that
 * names of hosts are looked up by, copied and read-only; it may make sockets for the Internet and
 * threads, which looking up names takes.
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/worker.h"

typedef struct Jail Jail;
typedef struct JailSpec JailSpec;

/* Runs in the child. `root_fd` of the jail is -EBADF where there was no directory. */
typedef int (*JailFunc)(Jail *jail, GVariantDict *result, Error *ret_error);
/* Answers jail_ask() in the parent: 0, or 1 with a directory, which is to be closed by the callee's
 * caller; `question` is an a{sv} in normal form. May set another stage, a string that stays. */
typedef int (*JailAnswer)(Worker *worker, GVariant *question, void *userdata, const char **stage,
                          int *ret_fd, Error *ret_error);

/* A file in the root of a child that has the network. */
typedef struct JailFile {
        const char *path;  /* "/etc/hosts" */
        GBytes *content;
} JailFile;

struct JailSpec {
        JailFunc func;
        const void *userdata;
        const char *task;  /* begins a sentence that ends with what went wrong; NULL: "Reading the
                              archive" */
        int input_fd;      /* for reading; with `writes_archive` or `network`, for writing */
        int root_fd;       /* the directory, or -EBADF for none */
        bool writes_archive; /* the other way round: the directory is read-only */
        bool idmapped;     /* whether its filesystem can be mounted idmapped */
        bool wide;         /* with the ids of a container, not of an image */
        const uint64_t *id_count; /* how many of them the directories that it asks for may have, or
                                     NULL: all */
        const char *stage; /* for the progress */
        JailAnswer answer; /* NULL: nothing may be asked */
        void *answer_userdata;
        bool threads;      /* it may have some */
        bool network;      /* there is no directory, but the network, and `files` */
        const JailFile *files; /* ends with a NULL path */
        bool of_container; /* the other bounds of bounds.h, and no limit of time: whoever is at the
                              other end of the pipe may be slow */
};

struct Jail {
        const void *userdata;
        int input_fd;
        int root_fd;
        int channel_fd;
        double progress; /* as reported last */
};

/* Returns when the child has ended; by then all of its processes have. Errors of the function keep
 * code and sentence, a child that dies is ERROR_INVALID_IMAGE, one that takes too long
 * ERROR_TIMED_OUT, SIGTERM is ERROR_CANCELLED. */
int jail_run(const JailSpec *spec, Worker *worker, GVariant **ret_result, Error *ret_error);

/* For the function, cheap to call often. */
void jail_report_progress(Jail *jail, double fraction);
/* For the function: asks the parent. *ret_fd is the directory that it gives, -EBADF for none; it is
 * the caller's. Does not return where the parent says no. */
int jail_ask(Jail *jail, GVariant *question, int *ret_fd);
