/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/download/list.h"

#include "service/model/catalogue.h"
#include "service/model/name.h"
#include "service/util/cleanup.h"
#include "service/worker/image/architecture.h"
#include "service/worker/image/text.h"

/* The longest value of a property that is taken over. */
#define VALUE_MAX 256U

struct List {
        GVariantBuilder images;
        unsigned n;
};

List *list_new(void) {
        List *list = g_new0(List, 1);

        g_variant_builder_init(&list->images, CATALOGUE_TYPE);
        return list;
}

List *list_free(List *list) {
        if (!list)
                return NULL;
        g_variant_builder_clear(&list->images);
        g_free(list);
        return NULL;
}

static GVariant *aliases_of(const ListImage *image) {
        GVariantBuilder builder;
        size_t n = 0;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        for (const char *const *alias = image->aliases; alias && *alias; alias++)
                if (n < CATALOGUE_ALIASES_MAX && name_check(NAME_ALIAS, *alias, NULL) >= 0) {
                        g_variant_builder_add(&builder, "s", *alias);
                        n++;
                }
        return g_variant_builder_end(&builder);
}

static GVariant *properties_of(const ListImage *image) {
        const char *const *p = image->properties;
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a{ss}"));
        for (; p && p[0]; p += 2)
                if (p[1] && *p[1] && strlen(p[1]) <= VALUE_MAX && text_is_printable(p[1]))
                        g_variant_builder_add(&builder, "{ss}", p[0], p[1]);
        return g_variant_builder_end(&builder);
}

static bool file_is_valid(const ListFile *file) {
        return catalogue_path_is_valid(file->path) &&
               (!*file->hash || name_is_fingerprint(file->hash));
}

void list_add(List *list, const ListImage *image) {
        const char *architecture = architecture_from_name(image->architecture);
        GVariantBuilder files;
        uint64_t size = 0;

        if (list->n >= CATALOGUE_IMAGES_MAX || !name_is_fingerprint(image->fingerprint) ||
            (*image->architecture && !architecture))
                return;
        for (size_t i = 0; i < ELEMENTSOF(image->files) && image->files[i].path; i++)
                if (!file_is_valid(&image->files[i]))
                        return;
        g_variant_builder_init(&files, G_VARIANT_TYPE("a(sts)"));
        for (size_t i = 0; i < ELEMENTSOF(image->files) && image->files[i].path; i++) {
                const ListFile *file = &image->files[i];

                g_variant_builder_add(&files, "(sts)", file->path, file->size, file->hash);
                size += file->size;
        }
        g_variant_builder_add(&list->images, "(s@asstt@a{ss}a(sts))", image->fingerprint,
                              aliases_of(image), architecture ?: "", size, image->created,
                              properties_of(image), &files);
        list->n++;
}

GVariant *list_end(List *list) {
        GVariant *images = g_variant_ref_sink(g_variant_builder_end(&list->images));

        g_variant_builder_init(&list->images, CATALOGUE_TYPE);
        return images;
}
