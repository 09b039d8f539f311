/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/mount-link.h"

#include <stdbool.h>
#include <string.h>

#include <glib.h>

/* Splits into components without "", "." and "..": `ret_above` is how many ".." are left over. A
 * ".." takes the name before it away, also where that is a link that leads elsewhere: between the
 * two readings the one is chosen that needs no trust in what the name is. */
static GPtrArray *components(const char *path, unsigned *ret_above) {
        g_auto(GStrv) parts = g_strsplit(path, "/", -1);
        GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

        *ret_above = 0;
        for (char **part = parts; *part; part++) {
                if (**part == '\0' || g_str_equal(*part, "."))
                        continue;
                if (!g_str_equal(*part, ".."))
                        g_ptr_array_add(names, g_strdup(*part));
                else if (names->len > 0)
                        g_ptr_array_set_size(names, (gint) names->len - 1);
                else
                        ++*ret_above;
        }
        return names;
}

/* Takes the components of `mounted` off the front. */
static bool strip(GPtrArray *names, const char *mounted) {
        unsigned above;
        g_autoptr(GPtrArray) prefix = components(mounted, &above);

        if (names->len < prefix->len)
                return false;
        for (guint i = 0; i < prefix->len; i++)
                if (!g_str_equal(names->pdata[i], prefix->pdata[i]))
                        return false;
        if (prefix->len > 0)
                (void) g_ptr_array_remove_range(names, 0, prefix->len);
        return true;
}

char *mount_link_target(const char *target, const char *mounted, unsigned depth) {
        bool whole = strspn(mounted, "/") == strlen(mounted);
        unsigned above;
        g_autoptr(GPtrArray) names = components(target, &above);
        g_autoptr(GString) text = g_string_new(NULL);

        if (*target == '/') {
                if (!strip(names, mounted))
                        return NULL;
                above = depth;
        } else if (above > depth) {
                /* Above the container's root is the root. */
                if (!whole)
                        return NULL;
                above = depth;
        }
        for (unsigned i = 0; i < above; i++)
                g_string_append(text, i == 0 ? ".." : "/..");
        for (guint i = 0; i < names->len; i++)
                g_string_append_printf(text, "%s%s", text->len > 0 ? "/" : "",
                                       (const char *) names->pdata[i]);
        if (text->len == 0)
                g_string_append_c(text, '.');
        return g_string_free(g_steal_pointer(&text), FALSE);
}
