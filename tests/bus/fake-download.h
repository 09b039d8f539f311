/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An image server, as the fake worker has it: it has one image "debian/12", whose archive is the
 * text "remote 1" or, with "set content TEXT" in the plan of download.list, that one. */

#include "service/worker/worker.h"

/* `content` NULL for the first one. */
int fake_download_list(Worker *worker, const char *content, Error *ret_error);
/* An address that ends with "/lie/url" is answered with another, one with "/lie/hash" with a hash
 * that is none. */
int fake_download_locate(Worker *worker, GVariantDict *result, Error *ret_error);
int fake_download_fetch(Worker *worker, GVariantDict *result, Error *ret_error);
