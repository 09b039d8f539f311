/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Archives on their way in and out: from a client's fd to a file of our own, hashed as they come,
 * and back. A client's fd is a regular file or a pipe, and whatever its owner does to it meanwhile
 * (writes, truncates, stalls) can end the transfer and nothing else.
 */

#include <stdint.h>

#include <glib.h>

#include "service/util/error.h"
#include "service/worker/image/spool.h"
#include "service/worker/worker.h"

/* SHA-256 in hexadecimal digits. */
#define FINGERPRINT_SIZE 64

typedef enum TransferKind {
        TRANSFER_READ,
        TRANSFER_WRITE,
} TransferKind;

/* Checks an fd that a client passed; takes it over and returns one that is good for transfer_*(),
 * or sets the error. `fd` may be negative: none came. */
int transfer_open(int fd, TransferKind kind, Error *ret_error);

/* What has been read so far, of one archive or of several one after the other. */
typedef struct gcry_md_handle Digest;

int digest_new(Digest **ret, Error *ret_error);
void digest_free(Digest *digest);
void digest_print(Digest *digest, char ret_fingerprint[FINGERPRINT_SIZE + 1]);

/* How many bytes are left in a regular file, 0 where that is not known. */
uint64_t transfer_bytes_left(int fd);
/* Copies all of `from` to the new file `to` in the spool, which is then on disk. */
int transfer_in(Worker *worker, int from, int to, const Spool *spool, Digest *digest,
                uint64_t *ret_size, Error *ret_error);
/* Hashes a file of our own, from its beginning. */
int transfer_hash(Worker *worker, int fd, Digest *digest, uint64_t *ret_size, Error *ret_error);
/* Copies the file `from` to the client's `to`. */
int transfer_out(Worker *worker, int from, int to, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Digest, digest_free)
