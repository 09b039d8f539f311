/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Records on disk: one file per object, DIRECTORY/NAME, holding a GVariant (qa{sv}): the version
 * of the format and the fields, little-endian. A record is replaced atomically and is on disk when
 * record_dir_write() returns. A file that is damaged, or of a later version than this one knows,
 * is reported and left as it is. Only root can read them.
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"

/* Rises when a field changes its meaning; record_file_read() then learns to read the old one. */
#define RECORD_VERSION 1

typedef struct RecordDir RecordDir;
/* Called for each record; `name` is the file's name. */
typedef void (*RecordFunc)(const char *name, GVariant *record, void *userdata);

/* Opens ROOT/NAME, making it (0700) and its parents where they are missing. */
int record_dir_open(const char *root, const char *name, RecordDir **ret, Error *ret_error);
/* One for copies of records: NAME below an fd (-ENOENT where it is missing and not to be made).
 * They are written where they differ, and not waited for. */
int record_dir_open_copies(int root_fd, const char *name, bool make, RecordDir **ret,
                           Error *ret_error);
RecordDir *record_dir_close(RecordDir *dir);

/* ERROR_LIMITS_EXCEEDED for one that is too large to be read again. */
int record_dir_write(RecordDir *dir, const char *name, GVariant *record, Error *ret_error);
/* Whether there is one of that name, readable or not; also when that cannot be told. */
bool record_dir_has(RecordDir *dir, const char *name);
/* 0 also when there is none. */
int record_dir_remove(RecordDir *dir, const char *name, Error *ret_error);
/* Removes what writes that were killed have left; loading does that too. */
void record_dir_sweep(RecordDir *dir);
/* Calls `func` for each readable record, in no order; logs the others, and what is no file: nothing
 * is followed or waited for. Left-overs of interrupted writes are removed. Fails when the directory
 * cannot be read to its end. */
int record_dir_load(RecordDir *dir, RecordFunc func, void *userdata, Error *ret_error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RecordDir, record_dir_close)
