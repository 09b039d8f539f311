/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/arguments.h"

#include <limits.h>
#include <string.h>

int files_get_path(Worker *worker, const char **ret, Error *ret_error) {
        const char *path;
        int r;

        r = worker_get_string(worker, "path", &path, ret_error);
        if (r < 0)
                return r;
        if (*path == '\0' || strlen(path) >= PATH_MAX)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The path inside the container is empty or too long");
        *ret = path;
        return 0;
}

NewFileOwner files_get_owner(Worker *worker) {
        NewFileOwner owner = { 0 };

        owner.has_uid = g_variant_lookup(worker->args, "uid", "u", &owner.uid);
        owner.has_gid = g_variant_lookup(worker->args, "gid", "u", &owner.gid);
        owner.has_mode = g_variant_lookup(worker->args, "mode", "u", &owner.mode);
        return owner;
}

bool files_get_flag(Worker *worker, const char *key) {
        gboolean value;

        return g_variant_lookup(worker->args, key, "b", &value) && value;
}
