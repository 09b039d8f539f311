/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/download/directory.h"

#include <string.h>

#include "service/model/name.h"
#include "service/util/cleanup.h"

#define HASH_SIZE 64

/* PATH without the ending that says what it is; NULL where it has none. */
static char *name_of(const char *path) {
        static const char *const endings[] = {
                ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst",
                ".tar.lzma", ".tar.lz4", ".squashfs",
        };

        for (size_t i = 0; i < ELEMENTSOF(endings); i++)
                if (g_str_has_suffix(path, endings[i]))
                        return g_strndup(path, strlen(path) - strlen(endings[i]));
        return NULL;
}

static void parse_line(char *line, List *list) {
        g_autofree char *name = NULL;
        char *path = line + HASH_SIZE;

        if (strlen(line) <= HASH_SIZE + 2 || path[0] != ' ' || (path[1] != ' ' && path[1] != '*'))
                return;
        path[0] = '\0';
        path += 2;
        if (g_str_has_prefix(path, "./"))
                path += 2;
        name = name_of(path);
        if (!name)
                return;
        {
                const char *const aliases[] = { name, NULL };
                const ListImage image = {
                        .fingerprint = line,
                        .aliases = aliases,
                        .architecture = "",
                        .files = { { path, 0, line } },
                };

                list_add(list, &image);
        }
}

int directory_parse(const char *text, size_t size, List *list, Error *ret_error) {
        g_autofree char *copy = g_strndup(text, size);
        char *rest = copy, *line;

        if (strlen(copy) != size)
                return error_set(ret_error, ERROR_INVALID_IMAGE, "SHA256SUMS is no text");
        while ((line = strsep(&rest, "\n")))
                parse_line(line, list);
        return 0;
}
