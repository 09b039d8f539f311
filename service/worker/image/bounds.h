/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How much an image may ask of the host. Whoever writes an archive chooses all of these numbers,
 * so each has a bound here; what honest images need is far below.
 */

#include <glib.h>

#include "service/model/image-template.h"

/* The archive as it comes, and all bytes of it unpacked, holes of sparse files included. */
#define IMAGE_ARCHIVE_MAX (G_GUINT64_CONSTANT(64) << 30)
#define IMAGE_UNPACKED_MAX (G_GUINT64_CONSTANT(64) << 30)
/* A container may have grown, and its snapshots are in the same archive. */
#define CONTAINER_UNPACKED_MAX (G_GUINT64_CONSTANT(16) << 40)
/* Beyond this size, unpacked data may be no more than IMAGE_RATIO_MAX times the archive. Real
 * images are between 2 and 5, and the few with a file of zeros in them not above 50. */
#define IMAGE_RATIO_FREE (G_GUINT64_CONSTANT(1) << 30)
#define IMAGE_RATIO_MAX 200

#define IMAGE_ENTRIES_MAX 1000000U
/* Length of an entry's name, and of a symbolic link's target, in bytes. */
#define IMAGE_PATH_MAX 4095U
/* Directories one in another. */
#define IMAGE_DEPTH_MAX 256U

#define IMAGE_XATTRS_MAX 64U
#define IMAGE_XATTR_SIZE_MAX 65536U
#define IMAGE_ACL_ENTRIES_MAX 512U

#define IMAGE_METADATA_MAX (1U << 20)
/* The index of a container's archive, with the configuration of all its snapshots. */
#define CONTAINER_INDEX_MAX (4U << 20)
#define IMAGE_OS_RELEASE_MAX (64U << 10)
/* Of templates: see service/model/image-template.h. */

/* The end of the year 9999. */
#define IMAGE_DATE_MAX_USEC (G_GUINT64_CONSTANT(253402300799) * G_TIME_SPAN_SECOND)

/* metadata.yaml */
#define YAML_DEPTH_MAX 32U
#define YAML_NODES_MAX 131072U
#define YAML_SCALAR_MAX (64U << 10)

/* The process that reads the archive. Decoders need up to 130 MiB (zstd --long, xz -9), the names
 * of IMAGE_ENTRIES_MAX entries some 300 MiB. */
#define JAIL_MEMORY_MAX (G_GUINT64_CONSTANT(768) << 20)
#define JAIL_FILES_MAX 64U
#define JAIL_TIME_MAX_USEC (60 * 60 * G_TIME_SPAN_SECOND)
/* An image of a gigabyte over half a megabit per second; a server that is slower is given up. */
#define DOWNLOAD_TIME_MAX_USEC (6 * 60 * 60 * G_TIME_SPAN_SECOND)
/* Decompressors and the look-up of names have threads of their own; the system call filter keeps
 * processes from being made. */
#define JAIL_THREADS_MAX 16U
/* What blocks that are decompressed at the same time may take, of JAIL_MEMORY_MAX. */
#define JAIL_DECODER_MEMORY (G_GUINT64_CONSTANT(256) << 20)

/* Ids 0 to 65535, which every container has, are what an image may hold. */
#define IMAGE_ID_COUNT 65536U
/* A container may have more (security.idmap.size), up to all that jails can tell apart. */
#define CONTAINER_ID_COUNT 0x7FFFFFFEU
