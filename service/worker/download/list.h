/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The catalogue of a server while it is put together: what a list in one of the formats says of an
 * image is added, and left out where it is not as it should be, so that one strange image does not
 * hide the others.
 */

#include <stddef.h>
#include <stdint.h>

#include <glib.h>

typedef struct ListFile {
        const char *path; /* below the server's URL */
        uint64_t size;    /* 0: not known */
        const char *hash; /* SHA-256, or "" */
} ListFile;

typedef struct ListImage {
        const char *fingerprint;
        const char *const *aliases; /* may be NULL */
        const char *architecture;   /* any spelling; "" where it is not known */
        uint64_t created;           /* µs since 1970, 0: not known */
        const char *const *properties; /* key, value, key, value, …; NULL values are left out */
        ListFile files[2];          /* the second without a path: there is but one */
} ListImage;

typedef struct List List;

List *list_new(void);
List *list_free(List *list);
void list_add(List *list, const ListImage *image);
/* CATALOGUE_TYPE (service/model/catalogue.h), a full reference. */
GVariant *list_end(List *list);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(List, list_free)
