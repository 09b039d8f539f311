/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Errors that a user may see. A function that can fail for a reason worth telling takes an
 * `Error *ret_error` last, fills it with error_set() and returns the negative errno of the code,
 * so that callers that only branch need not look inside. The message is one full sentence without
 * a final full stop: what failed, on which object, why, and what to do where that is known. It is
 * UTF-8 whatever it was made of.
 *
 * One table (error.c) ties each code to its D-Bus name, its errno and the client's exit code.
 */

#include <errno.h>

#include <glib.h>

typedef struct Error Error;

typedef enum ErrorCode {
        ERROR_FAILED,            /* nothing more specific is known */
        ERROR_INVALID_ARGS,      /* an argument or option is malformed */
        ERROR_ACCESS_DENIED,     /* polkit or ownership says no */
        ERROR_AUTH_REQUIRED,     /* polkit would ask, but the call did not allow interaction */
        ERROR_LIMITS_EXCEEDED,   /* a per-user or global bound of the service */
        ERROR_NOT_SUPPORTED,     /* this host, filesystem or version cannot do it */
        ERROR_NO_SUCH_CONTAINER,
        ERROR_NO_SUCH_SNAPSHOT,
        ERROR_NO_SUCH_IMAGE,
        ERROR_NO_SUCH_PROFILE,
        ERROR_NO_SUCH_NETWORK,
        ERROR_NO_SUCH_POOL,
        ERROR_NO_SUCH_VOLUME,
        ERROR_NO_SUCH_IMAGE_SERVER,
        ERROR_NO_SUCH_JOB,
        ERROR_NO_SUCH_DEVICE,
        ERROR_NO_SUCH_FILE,      /* a path inside a container */
        ERROR_WRONG_FILE_TYPE,   /* not a regular file, or not a directory, where one is needed */
        ERROR_EXISTS,            /* an object of that name is there already */
        ERROR_INVALID_NAME,
        ERROR_INVALID_CONFIG,    /* configuration key or value */
        ERROR_INVALID_DEVICE,
        ERROR_INVALID_IMAGE,     /* the archive or its metadata is not acceptable */
        ERROR_NOT_RUNNING,
        ERROR_ALREADY_RUNNING,
        ERROR_BUSY,              /* another job works on the object */
        ERROR_CONFLICT,          /* if-revision does not match */
        ERROR_IN_USE,            /* others refer to the object */
        ERROR_CANCELLED,
        ERROR_TIMED_OUT,
        ERROR_NO_SPACE,          /* disk or quota full */
        ERROR_BACKEND_FAILED,    /* liblxc, btrfs, nftables, dnsmasq said no */
        _ERROR_MAX,
        _ERROR_INVALID = -EINVAL,
} ErrorCode;

struct Error {
        ErrorCode code;
        char *message; /* NULL while nothing is set */
};

#define ERROR_INIT ((Error) { 0 })

/* Bytes of a message, in which longer ones are cut off with "...". */
#define ERROR_MESSAGE_MAX 8192

/* Sets code and message and returns -errno of the code. The first error wins: what is set already
 * stays, because the cause is worth more than the consequence. `e` may be NULL. */
int error_set(Error *e, ErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The same for a failed system call: the code is derived from `errnum` (positive), and ": " plus
 * the system's text is appended. Returns -errnum. */
int error_set_errno(Error *e, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* What both return is negative, as a reader of one file can see: a compiler, an analyzer. */
#define error_set(...) error_negative((error_set)(__VA_ARGS__))
#define error_set_errno(...) error_negative((error_set_errno)(__VA_ARGS__))
static inline int error_negative(int r) {
        return r < 0 ? r : -EIO;
}
/* Puts "PREFIX: " in front of the message that is set. */
void error_prefix(Error *e, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Moves the content of `from` to `to` (unless that has one), leaving `from` empty. */
void error_move(Error *to, Error *from);
void error_clear(Error *e);

ErrorCode error_code_from_errno(int errnum);
int error_code_to_errno(ErrorCode code);
/* Full D-Bus name, e.g. "org.berth1.Error.Busy". */
const char *error_code_to_name(ErrorCode code);
ErrorCode error_code_from_name(const char *name);
/* Exit status of the command-line client for a call that fails with `code`. */
int error_code_to_exit_status(ErrorCode code);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Error, error_clear)
