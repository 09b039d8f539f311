/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The two formats of simplestreams: the index, which says where lists of products are, and such a
 * list. A product has names, an architecture and versions; a version has files. An image is made
 * of metadata and a root filesystem, in squashfs or else tar, or of one archive; disks of virtual
 * machines and differences to other versions are passed over. The names are the latest version's.
 */

#include "service/util/error.h"
#include "service/worker/download/list.h"

/* Paths of lists of images, below the server's URL. */
int simplestreams_parse_index(const char *text, size_t size, GPtrArray **ret, Error *ret_error);
int simplestreams_parse_products(const char *text, size_t size, List *list, Error *ret_error);
