/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an image says about itself: read from metadata.yaml of a unified image, or put together
 * from os-release for a plain root filesystem.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

#include "service/util/error.h"

typedef struct ImageMetadata ImageMetadata;
typedef struct ImageTemplate ImageTemplate;

struct ImageTemplate {
        char *path;             /* of the file that it makes, inside the container */
        char *file;             /* its own name in templates/ */
        GPtrArray *when;        /* char *: "create", "copy", "start" */
        GHashTable *properties; /* char * to char * */
        bool create_only;       /* leave a file alone that is there already */
};

struct ImageMetadata {
        char *architecture;
        uint64_t created_usec;
        uint64_t expires_usec;  /* 0: never */
        GHashTable *properties; /* char * to char * */
        GPtrArray *templates;   /* ImageTemplate * */
};

ImageMetadata *image_metadata_new(void);
ImageMetadata *image_metadata_free(ImageMetadata *metadata);

/* Reads metadata.yaml. */
int image_metadata_parse(const char *data, size_t size, ImageMetadata **ret, Error *ret_error);
/* For a root filesystem alone: `os_release` is the content of its os-release. */
ImageMetadata *image_metadata_from_os_release(const char *os_release, size_t size);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageMetadata, image_metadata_free)
