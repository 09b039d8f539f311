/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reads an image archive from its first entry to its last: decides what kind of image it is,
 * judges every entry, unpacks the root filesystem and collects what the image says of itself.
 *
 * A unified image has metadata.yaml, templates/ and rootfs/ at its top; what is below rootfs/ is
 * the root filesystem. Anything else is a root filesystem itself. The first entry decides, and an
 * archive that is both is neither. A split image is metadata.yaml and templates/ in one archive and
 * the root filesystem in another.
 *
 * Used inside the jail only.
 */

#include <stdint.h>

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/image/archive-reader.h"

typedef enum ImagePart {
        IMAGE_WHOLE,
        IMAGE_METADATA, /* of a split image */
        IMAGE_ROOTFS,   /* of a split image: tells of nothing but "skipped-devices" */
} ImagePart;

/* Reads the archive of `size` bytes behind `fd`, unpacks into `root_fd` unless that is -EBADF, and
 * adds the image's description (description.h) to `dict`. */
int image_read(ImagePart part, int fd, uint64_t size, int root_fd, ArchiveProgress progress,
               void *userdata, GVariantDict *dict, Error *ret_error);
