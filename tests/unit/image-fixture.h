/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What tests of images stand on: the storage fixture with a pool "p", a spool directory, and a
 * directory of the "host" that no archive may touch. Archives are sent through the real worker.
 */

#include <stddef.h>

#include <glib.h>

#include "tests/unit/storage-fixture.h"

typedef struct ImageFixture {
        StorageFixture *storage;
        const char *driver;
        char *pool_path;
        char *spool_dir;
        char *host_dir;
} ImageFixture;

ImageFixture *image_fixture_new(const char *driver);
/* The same with a pool of driver "dir", where no disk is waited for: 512 MiB in memory. */
ImageFixture *image_fixture_new_in_memory(void);
void image_fixture_free(ImageFixture *fixture);

/* A file with that content, open for reading. */
int image_fixture_file(GBytes *content);
/* Starts image.import with `fd` (not taken over) and a pool, or without. */
WorkerClient *image_fixture_start_import(ImageFixture *fixture, int fd, bool with_pool);
/* The same to its end. */
WorkerClient *image_fixture_import(ImageFixture *fixture, GBytes *archive, bool with_pool);
/* Any operation with the pool's arguments and pairs of strings, NULL last. */
WorkerClient *image_fixture_start(ImageFixture *fixture, const char *operation, int fd, ...)
        G_GNUC_NULL_TERMINATED;
/* The archive must be refused with `code` and a message that has `text`, with a pool and without,
 * and nothing may have changed. */
void image_fixture_refuse(ImageFixture *fixture, const char *title, GBytes *archive, ErrorCode code,
                          const char *text);

/* Path of the volume that the archive has been unpacked to, or of the spool file. */
char *image_fixture_volume(ImageFixture *fixture, GBytes *archive);
char *image_fixture_spool(ImageFixture *fixture);
/* Removes spool file and volume of an import that succeeded. */
void image_fixture_forget(ImageFixture *fixture, GBytes *archive);
/* Everything below the fixture's directory with its attributes, to be compared. */
char *image_fixture_listing(ImageFixture *fixture);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageFixture, image_fixture_free)
