/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Archives in our own directory, which root alone can write: the one that is coming in (the spool)
 * and those of images.
 */

#include "service/util/error.h"
#include "service/worker/worker.h"

typedef struct ArchiveFile ArchiveFile;

/* The file that the worker's argument `key` names, an absolute path. It may not be there yet, its
 * directory must. */
int archive_file_find(Worker *worker, const char *key, ArchiveFile **ret, Error *ret_error);
ArchiveFile *archive_file_free(ArchiveFile *file);

/* Makes it, for writing. ERROR_EXISTS if it is there. */
int archive_file_create(const ArchiveFile *file, int *ret_fd, Error *ret_error);
/* Opens it for reading. */
int archive_file_open(const ArchiveFile *file, int *ret_fd, Error *ret_error);
/* The directory that it is in; the file's. */
int archive_file_get_dir(const ArchiveFile *file);
/* Brings its name to disk; its content is for who wrote it. */
int archive_file_sync_name(const ArchiveFile *file, Error *ret_error);
void archive_file_remove(const ArchiveFile *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveFile, archive_file_free)
