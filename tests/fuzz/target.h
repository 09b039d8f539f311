/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is fuzzed: one target for each reader of what others wrote. A target takes any bytes and
 * asserts what must hold whatever they are: not only that nothing crashes, but that what a check
 * lets pass, those that rely on it understand.
 *
 * Each target has its seeds, which come from the tables (keys, devices) wherever there are some, so
 * that a new key is fuzzed without a line here. Two programs have all targets in them: `fuzz`
 * (libFuzzer, clang only) and `fuzz-replay`, which runs seeds, changed seeds and inputs that once
 * were found to be trouble (tests/fuzz/found/TARGET/), with any compiler.
 */

#include <stddef.h>
#include <stdint.h>

#include <glib.h>

typedef struct FuzzTarget {
        const char *name;
        void (*run)(const uint8_t *data, size_t size);
        void (*seed)(void); /* calls fuzz_seed*() */
        size_t max_size;    /* of inputs that are worth a run */
} FuzzTarget;

/* All of them; ends with a NULL name. */
extern const FuzzTarget fuzz_targets[];
/* NULL where there is none of that name. */
const FuzzTarget *fuzz_target_find(const char *name);
/* Makes GLib's complaints fatal. */
void fuzz_set_up(void);

/* --- for targets --- */

/* One seed of the target. */
void fuzz_seed(const void *data, size_t size);
void fuzz_seed_text(const char *text);
/* Takes a floating value. */
void fuzz_seed_variant(GVariant *value);
/* What takes the seeds. */
extern void (*fuzz_seed_taker)(const void *data, size_t size);

/* The bytes as D-Bus would let them come: UTF-8 without a NUL, where something else is U+FFFD. */
char *fuzz_text(const uint8_t *data, size_t size);
/* The bytes as text that ends with the first NUL. */
char *fuzz_bytes(const uint8_t *data, size_t size);
/* The bytes as a value of that type; NULL where they are none in normal form. */
GVariant *fuzz_variant(const char *type, const uint8_t *data, size_t size);
/* An error must be whole: a code, and one line of UTF-8. */
void fuzz_check_error(int r, const void *error);

/* FUZZ_TARGET(name) { ... } defines what runs, with `data` and `size`; FUZZ_SEEDS(name) { ... }
 * its seeds. Both are declared here, and listed in all.c. */
#define FUZZ_TARGET(_name) void fuzz_##_name##_run(const uint8_t *data, size_t size)
#define FUZZ_SEEDS(_name) void fuzz_##_name##_seed(void)
#define FUZZ_DECLARE(_name) \
        FUZZ_TARGET(_name); \
        FUZZ_SEEDS(_name)

FUZZ_DECLARE(archive);
FUZZ_DECLARE(catalogue);
FUZZ_DECLARE(config);
FUZZ_DECLARE(description);
FUZZ_DECLARE(device);
FUZZ_DECLARE(directory);
FUZZ_DECLARE(entry_name);
FUZZ_DECLARE(expiry);
FUZZ_DECLARE(idmap);
FUZZ_DECLARE(raw_idmap);
FUZZ_DECLARE(metadata);
FUZZ_DECLARE(name);
FUZZ_DECLARE(network);
FUZZ_DECLARE(os_release);
FUZZ_DECLARE(pattern);
FUZZ_DECLARE(protocol);
FUZZ_DECLARE(raw_lxc);
FUZZ_DECLARE(record);
FUZZ_DECLARE(schedule);
FUZZ_DECLARE(simplestreams);
FUZZ_DECLARE(size);
FUZZ_DECLARE(template);
FUZZ_DECLARE(user);
FUZZ_DECLARE(yaml);
