/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What tests of storage stand on: a mount namespace of our own, in which a temporary directory is
 * the service's state directory, and pools that the real worker made in it. Root only.
 *
 * storage_fixture_free() fails the test unless everything is gone: mounts, loop devices, files. It
 * asks only for what is the fixture's: others on the host come and go meanwhile.
 */

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "service/worker/storage/storage.h"
#include "tests/unit/worker-client.h"

typedef struct StorageFixture {
        char *directory; /* everything of this fixture is below it */
        char *state_dir; /* DIRECTORY/state */
} StorageFixture;

/* True if such tests can run here. Moves the process to the namespace, once. */
bool storage_fixture_can_run(void);

/* With `tmpfs` ("size=…"), the state directory is a small filesystem of its own. */
StorageFixture *storage_fixture_new(const char *tmpfs);
void storage_fixture_free(StorageFixture *fixture);

/* DIRECTORY/NAME, and the path of a pool. */
char *storage_fixture_path(StorageFixture *fixture, const char *name);
char *storage_fixture_pool_path(StorageFixture *fixture, const char *pool);

/* A pool operation's arguments. */
GVariant *storage_fixture_pool_args(StorageFixture *fixture, const char *pool, const char *driver,
                                    const char *source, uint64_t size);
/* Runs a pool operation to its end. */
WorkerClient *storage_fixture_run(StorageFixture *fixture, const char *operation, const char *pool,
                                  const char *driver, const char *source, uint64_t size);
/* Runs an operation on a volume: `key` and `value` pairs of strings, NULL last. */
WorkerClient *storage_fixture_run_volume(StorageFixture *fixture, const char *operation,
                                         const char *pool, const char *driver, ...)
        G_GNUC_NULL_TERMINATED;

/* Makes and deletes a pool without fuss: "dir" and "btrfs" of 256 MiB. */
void storage_fixture_create_pool(StorageFixture *fixture, const char *pool, const char *driver);
void storage_fixture_delete_pool(StorageFixture *fixture, const char *pool, const char *driver);
/* Opens it in this process. */
Pool *storage_fixture_open_pool(StorageFixture *fixture, const char *pool, const char *driver);

/* What /proc/self/mountinfo says now. */
char *storage_fixture_mounts(void);
/* Loop devices whose file is below the fixture's state directory. */
unsigned storage_fixture_count_loops(StorageFixture *fixture);
/* Runs a program, which must succeed; its output if `ret_output`. */
void storage_fixture_program(const char *const *argv, char **ret_output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageFixture, storage_fixture_free)
