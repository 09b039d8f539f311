/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reads the archive of a container or volume (container-index.h) from a stream, in one go and once:
 * asks the parent whether what the index says is welcome, and then for a directory for each tree
 * that comes, which is unpacked there.
 *
 * What is asked (jail_ask()), in this order:
 *   {"snapshot": a{sv}}   one for each snapshot of the index
 *   {"container": a{sv}}  then the container or volume; an answer says that it may go on
 *   {"volume": s}         where to unpack a snapshot, or with "" the thing itself
 *
 * Used inside the jail only.
 */

#include "service/worker/image/archive-layout.h"
#include "service/worker/image/jail.h"

/* `size` as for archive_reader_open_stream(). Adds what is told about an image (description.h) to
 * `dict`: the container's templates are in it. */
int container_read(Jail *jail, const ArchiveLayout *layout, uint64_t size, GVariantDict *dict,
                   Error *ret_error);
