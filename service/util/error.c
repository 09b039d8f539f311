/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/error.h"

#include <stdarg.h>
#include <string.h>

#define BERTH_ERROR "org.berth1.Error."
#define DBUS_ERROR "org.freedesktop.DBus.Error."

typedef struct ErrorInfo {
        const char *name;
        int errnum;
        int exit_status;
} ErrorInfo;

/* Exit statuses: 1 general, 2 usage, 3 access, 4 no such object, 5 wrong state. */
static const ErrorInfo error_table[] = {
        [ERROR_FAILED] = { BERTH_ERROR "Failed", EIO, 1 },
        [ERROR_INVALID_ARGS] = { DBUS_ERROR "InvalidArgs", EINVAL, 2 },
        [ERROR_ACCESS_DENIED] = { DBUS_ERROR "AccessDenied", EACCES, 3 },
        [ERROR_AUTH_REQUIRED] = { DBUS_ERROR "InteractiveAuthorizationRequired", EPERM, 3 },
        [ERROR_LIMITS_EXCEEDED] = { DBUS_ERROR "LimitsExceeded", ENOBUFS, 1 },
        [ERROR_NOT_SUPPORTED] = { DBUS_ERROR "NotSupported", EOPNOTSUPP, 1 },
        [ERROR_NO_SUCH_CONTAINER] = { BERTH_ERROR "NoSuchContainer", ENOENT, 4 },
        [ERROR_NO_SUCH_SNAPSHOT] = { BERTH_ERROR "NoSuchSnapshot", ENOENT, 4 },
        [ERROR_NO_SUCH_IMAGE] = { BERTH_ERROR "NoSuchImage", ENOENT, 4 },
        [ERROR_NO_SUCH_PROFILE] = { BERTH_ERROR "NoSuchProfile", ENOENT, 4 },
        [ERROR_NO_SUCH_NETWORK] = { BERTH_ERROR "NoSuchNetwork", ENOENT, 4 },
        [ERROR_NO_SUCH_POOL] = { BERTH_ERROR "NoSuchStoragePool", ENOENT, 4 },
        [ERROR_NO_SUCH_VOLUME] = { BERTH_ERROR "NoSuchVolume", ENOENT, 4 },
        [ERROR_NO_SUCH_IMAGE_SERVER] = { BERTH_ERROR "NoSuchImageServer", ENOENT, 4 },
        [ERROR_NO_SUCH_JOB] = { BERTH_ERROR "NoSuchJob", ENOENT, 4 },
        [ERROR_NO_SUCH_DEVICE] = { BERTH_ERROR "NoSuchDevice", ENODEV, 4 },
        [ERROR_NO_SUCH_FILE] = { BERTH_ERROR "NoSuchFile", ENOENT, 4 },
        [ERROR_WRONG_FILE_TYPE] = { BERTH_ERROR "WrongFileType", EMEDIUMTYPE, 5 },
        [ERROR_EXISTS] = { BERTH_ERROR "AlreadyExists", EEXIST, 5 },
        [ERROR_INVALID_NAME] = { BERTH_ERROR "InvalidName", EINVAL, 2 },
        [ERROR_INVALID_CONFIG] = { BERTH_ERROR "InvalidConfig", EINVAL, 2 },
        [ERROR_INVALID_DEVICE] = { BERTH_ERROR "InvalidDevice", EINVAL, 2 },
        [ERROR_INVALID_IMAGE] = { BERTH_ERROR "InvalidImage", EBADMSG, 1 },
        [ERROR_NOT_RUNNING] = { BERTH_ERROR "NotRunning", ESRCH, 5 },
        [ERROR_ALREADY_RUNNING] = { BERTH_ERROR "AlreadyRunning", EALREADY, 5 },
        [ERROR_BUSY] = { BERTH_ERROR "Busy", EBUSY, 5 },
        [ERROR_CONFLICT] = { BERTH_ERROR "Conflict", ESTALE, 5 },
        [ERROR_IN_USE] = { BERTH_ERROR "InUse", EADDRINUSE, 5 },
        [ERROR_CANCELLED] = { BERTH_ERROR "Cancelled", ECANCELED, 1 },
        [ERROR_TIMED_OUT] = { BERTH_ERROR "TimedOut", ETIMEDOUT, 1 },
        [ERROR_NO_SPACE] = { BERTH_ERROR "NoSpace", ENOSPC, 1 },
        [ERROR_BACKEND_FAILED] = { BERTH_ERROR "BackendFailed", EREMOTEIO, 1 },
};
G_STATIC_ASSERT(G_N_ELEMENTS(error_table) == _ERROR_MAX);

/* D-Bus carries nothing but UTF-8, while "%.64s" may cut a character in two and file names are any
 * bytes: an error that cannot be sent would leave its caller waiting. What callers gave may be
 * megabytes, and errors of jobs are kept. */
G_GNUC_PRINTF(1, 0)
static char *format_utf8(const char *format, va_list ap) {
        g_autofree char *text = g_strdup_vprintf(format, ap);

        if (strlen(text) > ERROR_MESSAGE_MAX)
                memcpy(text + ERROR_MESSAGE_MAX - strlen("..."), "...", sizeof("..."));
        if (g_utf8_validate(text, -1, NULL))
                return g_steal_pointer(&text);
        return g_utf8_make_valid(text, -1);
}

G_GNUC_PRINTF(3, 0)
static void error_set_valist(Error *e, ErrorCode code, const char *format, va_list ap) {
        if (!e || e->message)
                return;

        e->code = code;
        e->message = format_utf8(format, ap);
}

int (error_set)(Error *e, ErrorCode code, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        error_set_valist(e, code, format, ap);
        va_end(ap);
        return -error_code_to_errno(code);
}

int (error_set_errno)(Error *e, int errnum, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = format_utf8(format, ap);
        va_end(ap);
        (void) error_set(e, error_code_from_errno(errnum), "%s: %s", text, strerror(errnum));
        return -errnum;
}

void error_prefix(Error *e, const char *format, ...) {
        g_autofree char *text = NULL, *old = NULL;
        va_list ap;

        if (!e || !e->message)
                return;

        va_start(ap, format);
        text = format_utf8(format, ap);
        va_end(ap);
        old = e->message;
        e->message = g_strdup_printf("%s: %s", text, old);
}

void error_move(Error *to, Error *from) {
        if (to && !to->message)
                *to = (Error) { from->code, g_steal_pointer(&from->message) };
        error_clear(from);
}

void error_clear(Error *e) {
        if (!e)
                return;

        g_free(e->message);
        *e = ERROR_INIT;
}

ErrorCode error_code_from_errno(int errnum) {
        switch (errnum) {
        case EACCES:
        case EPERM:
                return ERROR_ACCESS_DENIED;
        case ENOSPC:
        case EDQUOT:
                return ERROR_NO_SPACE;
        case EOPNOTSUPP:
        case ENOSYS:
                return ERROR_NOT_SUPPORTED;
        case ECANCELED:
                return ERROR_CANCELLED;
        case ETIMEDOUT:
                return ERROR_TIMED_OUT;
        case EMFILE:
        case ENFILE:
                return ERROR_LIMITS_EXCEEDED;
        default:
                return ERROR_FAILED;
        }
}

int error_code_to_errno(ErrorCode code) {
        g_assert(code >= 0 && code < _ERROR_MAX);
        return error_table[code].errnum;
}

const char *error_code_to_name(ErrorCode code) {
        g_assert(code >= 0 && code < _ERROR_MAX);
        return error_table[code].name;
}

ErrorCode error_code_from_name(const char *name) {
        for (size_t i = 0; i < G_N_ELEMENTS(error_table); i++)
                if (g_str_equal(error_table[i].name, name))
                        return i;
        return _ERROR_INVALID;
}

int error_code_to_exit_status(ErrorCode code) {
        g_assert(code >= 0 && code < _ERROR_MAX);
        return error_table[code].exit_status;
}
