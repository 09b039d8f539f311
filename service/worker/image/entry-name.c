/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/entry-name.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/text.h"

int entry_name_error(const char *raw, const char *why, Error *ret_error) {
        g_autofree char *shown = text_for_message(raw);

        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "Entry \"%s\" of the archive is not acceptable: %s", shown, why);
}

static int check_components(const char *raw, const char *name, Error *ret_error) {
        g_auto(GStrv) components = g_strsplit(name, "/", -1);

        for (char **c = components; *c; c++) {
                if (g_str_equal(*c, ".."))
                        return entry_name_error(raw, "\"..\" would lead out of the image",
                                                ret_error);
                if (!path_is_component(*c))
                        return entry_name_error(raw, "a part of its name is empty, \".\", or "
                                                "longer than a file's name may be", ret_error);
        }
        if (g_strv_length(components) > IMAGE_DEPTH_MAX)
                return entry_name_error(raw, "it is nested too deeply", ret_error);
        return 0;
}

int entry_name_parse(const char *raw, bool is_directory, char **ret, Error *ret_error) {
        g_autofree char *name = NULL;
        size_t n;
        int r;

        if (raw[0] == '\0')
                return entry_name_error(raw, "it has no name", ret_error);
        if (raw[0] == '/')
                return entry_name_error(raw, "its name is absolute", ret_error);
        if (strlen(raw) > IMAGE_PATH_MAX)
                return entry_name_error(raw, "its name is too long", ret_error);

        name = g_strdup(g_str_has_prefix(raw, "./") ? raw + 2 : raw);
        if (is_directory) {
                for (n = strlen(name); n > 0 && name[n - 1] == '/'; n--)
                        name[n - 1] = '\0';
                if (g_str_equal(name, "."))
                        name[0] = '\0';
                if (name[0] == '\0') {
                        *ret = TAKE_PTR(name);
                        return 0;
                }
        }
        r = check_components(raw, name, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(name);
        return 0;
}

const char *entry_name_below(const char *name, const char *directory) {
        size_t n = strlen(directory);

        if (n == 0)
                return name;
        if (strncmp(name, directory, n) != 0)
                return NULL;
        if (name[n] == '\0')
                return name + n;
        return name[n] == '/' ? name + n + 1 : NULL;
}
