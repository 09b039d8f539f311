/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/catalogue.h"

#include <string.h>

#include "service/model/image.h"
#include "service/model/name.h"
#include "service/util/path.h"

#define PATH_MAX_BYTES 512U
#define ARCHITECTURE_MAX 32U
#define FILES_MAX 2U
/* Fewer digits are more likely a name than a fingerprint. */
#define PREFIX_MIN 12U

bool catalogue_path_is_valid(const char *path) {
        g_auto(GStrv) components = NULL;

        if (strlen(path) > PATH_MAX_BYTES ||
            strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                         "._~+:,@%=-/") != strlen(path))
                return false;
        components = g_strsplit(path, "/", -1);
        /* "a:b" in the first place would be a URL of another kind. */
        if (!components[0] || strchr(components[0], ':'))
                return false;
        for (char **c = components; *c; c++)
                if (!path_is_component(*c))
                        return false;
        return true;
}

static bool aliases_are_valid(GVariant *aliases) {
        if (g_variant_n_children(aliases) > CATALOGUE_ALIASES_MAX)
                return false;
        for (gsize i = 0; i < g_variant_n_children(aliases); i++) {
                const char *alias;

                g_variant_get_child(aliases, i, "&s", &alias);
                if (name_check(NAME_ALIAS, alias, NULL) < 0)
                        return false;
        }
        return true;
}

static bool files_are_valid(GVariant *files) {
        gsize n = g_variant_n_children(files);

        if (n < 1 || n > FILES_MAX)
                return false;
        for (gsize i = 0; i < n; i++) {
                const char *path, *hash;

                g_variant_get_child(files, i, "(&st&s)", &path, NULL, &hash);
                if (!catalogue_path_is_valid(path) || (*hash && !name_is_fingerprint(hash)))
                        return false;
        }
        return true;
}

static bool image_is_valid(GVariant *image) {
        g_autoptr(GVariant) aliases = NULL, properties = NULL, files = NULL;
        const char *fingerprint, *architecture;

        g_variant_get(image, "(&s@as&stt@a{ss}@a(sts))", &fingerprint, &aliases, &architecture,
                      NULL, NULL, &properties, &files);
        return name_is_fingerprint(fingerprint) && strlen(architecture) <= ARCHITECTURE_MAX &&
               image_check_properties(properties, NULL) >= 0 && aliases_are_valid(aliases) &&
               files_are_valid(files);
}

int catalogue_check(GVariant *catalogue, Error *ret_error) {
        gsize n = g_variant_n_children(catalogue);

        if (n > CATALOGUE_IMAGES_MAX)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The image server has more than %u images", CATALOGUE_IMAGES_MAX);
        for (gsize i = 0; i < n; i++) {
                g_autoptr(GVariant) image = g_variant_get_child_value(catalogue, i);

                if (!image_is_valid(image))
                        return error_set(ret_error, ERROR_INVALID_IMAGE,
                                         "The image server's catalogue is not acceptable");
        }
        return 0;
}

/* "ALIAS" of an image for this architecture, or "ALIAS/ARCHITECTURE" of any. */
static bool image_is_called(GVariant *image, const char *name, const char *architecture) {
        g_autoptr(GVariant) aliases = NULL;
        const char *its_architecture;

        g_variant_get(image, "(s@as&stta{ss}a(sts))", NULL, &aliases, &its_architecture, NULL, NULL,
                      NULL, NULL);
        for (gsize i = 0; i < g_variant_n_children(aliases); i++) {
                g_autofree char *with_architecture = NULL;
                const char *alias;

                g_variant_get_child(aliases, i, "&s", &alias);
                with_architecture = g_strconcat(alias, "/", its_architecture, NULL);
                if (g_str_equal(name, with_architecture) ||
                    (g_str_equal(name, alias) &&
                     (!*its_architecture || g_str_equal(its_architecture, architecture))))
                        return true;
        }
        return false;
}

static GVariant *find_fingerprint(GVariant *catalogue, const char *prefix) {
        g_autoptr(GVariant) found = NULL;

        for (gsize i = 0; i < g_variant_n_children(catalogue); i++) {
                g_autoptr(GVariant) image = g_variant_get_child_value(catalogue, i);
                const char *fingerprint;

                g_variant_get_child(image, 0, "&s", &fingerprint);
                if (!g_str_has_prefix(fingerprint, prefix))
                        continue;
                if (found)
                        return NULL;
                found = g_steal_pointer(&image);
        }
        return g_steal_pointer(&found);
}

GVariant *catalogue_find(GVariant *catalogue, const char *name, const char *architecture) {
        for (gsize i = 0; i < g_variant_n_children(catalogue); i++) {
                g_autoptr(GVariant) image = g_variant_get_child_value(catalogue, i);

                if (image_is_called(image, name, architecture))
                        return g_steal_pointer(&image);
        }
        if (strlen(name) < PREFIX_MIN || !name_is_fingerprint_prefix(name))
                return NULL;
        return find_fingerprint(catalogue, name);
}
