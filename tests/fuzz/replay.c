/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Targets without libFuzzer.
 *
 *   fuzz-replay [DIR]        all targets: their seeds, seeds with changes in them, and the files of
 *                            DIR/TARGET, which once were trouble
 *   fuzz-replay --names      the names of the targets, and how long inputs may be
 *   fuzz-replay --write NAME DIR   writes the seeds of a target as files, for libFuzzer
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/target.h"

/* Changed copies of each seed; the same ones every time. */
#define CHANGES 24U

static const FuzzTarget *target;
static const char *directory;
static unsigned n_seeds, n_runs;

static void write_seed(const void *data, size_t size) {
        g_autofree char *name = g_strdup_printf("%s/seed-%04u", directory, n_seeds++);

        if (!g_file_set_contents(name, data, (gssize) size, NULL))
                g_error("Cannot write %s", name);
}

static void run(const uint8_t *data, size_t size) {
        /* A copy of exactly that size, so that a sanitizer sees what is read behind it. */
        g_autofree uint8_t *copy = g_memdup2(data, size);

        target->run(copy ?: (const uint8_t *) "", size);
        n_runs++;
}

static void change(GRand *rand, GByteArray *bytes) {
        static const char special[] = "\0\n\r\t \"'\\/.%{}[]:,=-*#\x7f\x80\xff";
        guint at = bytes->len > 0 ? (guint) g_rand_int_range(rand, 0, (gint32) bytes->len) : 0;
        uint8_t byte = (uint8_t) special[g_rand_int_range(rand, 0, sizeof(special) - 1)];

        if (bytes->len == 0) {
                g_byte_array_append(bytes, &byte, 1);
                return;
        }
        switch (g_rand_int_range(rand, 0, 5)) {
        case 0:
                bytes->data[at] = byte;
                break;
        case 1:
                bytes->data[at] = (uint8_t) (bytes->data[at] ^ (1 << g_rand_int_range(rand, 0, 8)));
                break;
        case 2:
                g_byte_array_set_size(bytes, at);
                break;
        case 3:
                (void) g_byte_array_remove_index(bytes, at);
                break;
        case 4: { /* one part twice */
                guint n = (guint) g_rand_int_range(rand, 1, (gint32) (bytes->len - at) + 1);
                g_autofree uint8_t *part = g_memdup2(bytes->data + at, n);

                g_byte_array_append(bytes, part, n);
                break;
        }
        }
}

static void run_seed(const void *data, size_t size) {
        GRand *rand = g_rand_new_with_seed(n_seeds++);

        run(data, size);
        for (unsigned i = 0; i < CHANGES; i++) {
                g_autoptr(GByteArray) bytes = g_byte_array_new();

                if (size > 0)
                        g_byte_array_append(bytes, data, (guint) size);
                for (int n = g_rand_int_range(rand, 1, 5); n > 0; n--)
                        change(rand, bytes);
                run(bytes->data, bytes->len);
        }
        g_rand_free(rand);
}

static void run_found(const char *found) {
        g_autofree char *path = g_build_filename(found, target->name, NULL);
        GDir *d = g_dir_open(path, 0, NULL);
        const char *name;

        if (!d)
                return;
        while ((name = g_dir_read_name(d))) {
                g_autofree char *file = g_build_filename(path, name, NULL), *data = NULL;
                gsize size;

                if (!g_file_get_contents(file, &data, &size, NULL))
                        g_error("Cannot read %s", file);
                run((const uint8_t *) data, size);
        }
        g_dir_close(d);
}

static int write_seeds(const char *name, const char *dir) {
        target = fuzz_target_find(name);
        if (!target) {
                fprintf(stderr, "There is no target \"%s\".\n", name);
                return EXIT_FAILURE;
        }
        directory = dir;
        fuzz_seed_taker = write_seed;
        target->seed();
        return n_seeds > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[]) {
        fuzz_set_up();
        if (argc == 2 && g_str_equal(argv[1], "--names")) {
                for (const FuzzTarget *t = fuzz_targets; t->name; t++)
                        printf("%s %zu\n", t->name, t->max_size);
                return EXIT_SUCCESS;
        }
        if (argc == 4 && g_str_equal(argv[1], "--write"))
                return write_seeds(argv[2], argv[3]);

        fuzz_seed_taker = run_seed;
        for (target = fuzz_targets; target->name; target++) {
                n_seeds = n_runs = 0;
                target->seed();
                if (n_seeds == 0)
                        g_error("%s has no seeds", target->name);
                if (argc > 1)
                        run_found(argv[1]);
                printf("%-14s %u seeds, %u runs\n", target->name, n_seeds, n_runs);
        }
        return EXIT_SUCCESS;
}
