/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/word.h"

#include <limits.h>
#include <string.h>

#include <glib.h>

#include "service/model/name.h"
#include "service/util/path.h"

#define DOMAIN_LENGTH_MAX 253
#define LABEL_LENGTH_MAX 63

static bool has_only(const char *text, const char *punctuation) {
        for (const char *p = text; *p; p++)
                if (!g_ascii_isalnum(*p) && !strchr(punctuation, *p))
                        return false;
        return true;
}

int word_check_network(const char *name, Error *ret_error) {
        int r = name_check(NAME_NETWORK, name, ret_error);

        if (r < 0)
                return r;
        if (g_str_equal(name, "all") || g_str_equal(name, "default"))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "\"%s\" is no name for a network: to the kernel it stands for "
                                 "other interfaces", name);
        return 0;
}

bool word_is_domain(const char *name) {
        g_auto(GStrv) labels = g_strsplit(name, ".", -1);

        if (!labels[0] || strlen(name) > DOMAIN_LENGTH_MAX)
                return false;
        for (char **label = labels; *label; label++) {
                size_t n = strlen(*label);

                if (n == 0 || n > LABEL_LENGTH_MAX || !has_only(*label, "_-") ||
                    (*label)[0] == '-' || (*label)[n - 1] == '-')
                        return false;
        }
        return true;
}

bool word_is_plain_path(const char *path) {
        g_auto(GStrv) components = NULL;

        if (path[0] != '/' || strlen(path) >= PATH_MAX || !has_only(path, "_-./"))
                return false;
        components = g_strsplit(path + 1, "/", -1);
        if (!components[0])
                return false;
        for (char **component = components; *component; component++)
                if (!path_is_component(*component))
                        return false;
        return true;
}
