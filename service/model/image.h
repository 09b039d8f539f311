/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An image: the archive as it came, and what its metadata says. Its name is its fingerprint. */

#include <stdbool.h>

#include "service/model/image-template.h"
#include "service/model/object.h"
#include "service/util/error.h"

typedef enum ImageState {
        IMAGE_READY,
        IMAGE_DELETING,
        _IMAGE_STATE_MAX,
} ImageState;

typedef struct Image {
        Object object;
        ImageState state;
        uint64_t size;
        char *architecture;
        char *filename;
        bool split;           /* the root filesystem is in an archive of its own, */
        char *rootfs_filename; /* which had this name */
        bool public;
        uint64_t created, uploaded, expires, last_used; /* µs since 1970, 0 never */
        GVariant *properties; /* a{ss} */
        GVariant *templates;  /* IMAGE_TEMPLATES_TYPE */
        char **aliases;
        char **pools;         /* where it is unpacked */
        char *server;         /* the image server that it came from, "" for none, */
        char *remote_name;    /* by this name of it; */
        uint64_t refreshed;   /* when it was what the server had, µs since 1970 */
        bool auto_update;     /* it follows the server */
        bool cached;          /* it came with a launch, and goes when it has not been used long */
        bool archive_lost;    /* there is nothing of it but what is unpacked (rebuild.h) */
} Image;

Image *image_new(const char *fingerprint, uid_t owner);
Image *image_free(Image *image);

GVariant *image_to_record(const Image *image);
int image_from_record(const char *name, GVariant *value, Image **ret);

bool image_has_alias(const Image *image, const char *alias);
void image_add_alias(Image *image, const char *alias);
void image_remove_alias(Image *image, const char *alias);
bool image_is_unpacked(const Image *image, const char *pool);
void image_set_unpacked(Image *image, const char *pool, bool unpacked);
/* "the image busybox" or its short fingerprint, for messages. */
const char *image_get_label(const Image *image);

/* Properties as a caller may set them: key of at most 64 of [A-Za-z0-9._-], value of at most 4096
 * bytes without control characters. */
int image_check_properties(GVariant *properties, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Image, image_free)
