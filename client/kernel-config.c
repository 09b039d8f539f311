/* SPDX-License-Identifier: Apache-2.0 */
#include "client/kernel-config.h"

#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>

#include "service/util/cleanup.h"

/* Some 300 KiB are usual. */
#define CONFIG_SIZE_MAX (4U << 20)
#define PREFIX "CONFIG_"

struct KernelConfig {
        GHashTable *options; /* name -> value */
};

typedef struct gzFile_s Gzip;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Gzip, gzclose_r)

KernelConfig *kernel_config_from_text(const char *text) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        KernelConfig *config = g_new0(KernelConfig, 1);

        config->options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        for (char **line = lines; *line; line++) {
                char *value = strchr(*line, '=');

                if (!g_str_has_prefix(*line, PREFIX) || !value)
                        continue;
                *value++ = 0;
                g_hash_table_insert(config->options, g_strdup(*line + strlen(PREFIX)),
                                    g_strdup(value));
        }
        return config;
}

KernelConfig *kernel_config_free(KernelConfig *config) {
        if (!config)
                return NULL;

        g_hash_table_unref(config->options);
        g_free(config);
        return NULL;
}

const char *kernel_config_get(const KernelConfig *config, const char *option) {
        return g_hash_table_lookup(config->options, option);
}

/* A file that may be compressed. */
static char *read_text(const char *path) {
        g_autoptr(Gzip) file = gzopen(path, "re");
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *buffer = g_malloc(65536);
        int n;

        if (!file)
                return NULL;
        while ((n = gzread(file, buffer, 65536)) > 0 && text->len < CONFIG_SIZE_MAX)
                g_string_append_len(text, buffer, n);
        return n < 0 ? NULL : g_string_free(g_steal_pointer(&text), FALSE);
}

KernelConfig *kernel_config_read(void) {
        struct utsname host;
        g_autofree char *boot = NULL, *modules = NULL;
        const char *paths[3] = { "/proc/config.gz" };

        if (uname(&host) < 0)
                return NULL;
        paths[1] = boot = g_strconcat("/boot/config-", host.release, NULL);
        paths[2] = modules = g_strconcat("/lib/modules/", host.release, "/config", NULL);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                g_autofree char *text = read_text(paths[i]);

                if (text && *text)
                        return kernel_config_from_text(text);
        }
        return NULL;
}
