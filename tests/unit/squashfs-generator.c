/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/squashfs-generator.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqfs/super.h>

#include "service/util/cleanup.h"
#include "tests/unit/storage-fixture.h"

#define BASES 4

static GBytes *bases[BASES];

GBytes *squashfs_make(const char *directory, ...) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        g_autofree char *file = g_strconcat(directory, ".squashfs", NULL), *content = NULL;
        g_autofree char *output = NULL;
        const char *argument;
        gsize size;
        va_list ap;

        g_ptr_array_add(argv, (char *) "mksquashfs");
        g_ptr_array_add(argv, (char *) directory);
        g_ptr_array_add(argv, file);
        g_ptr_array_add(argv, (char *) "-quiet");
        g_ptr_array_add(argv, (char *) "-no-progress");
        va_start(ap, directory);
        while ((argument = va_arg(ap, const char *)))
                g_ptr_array_add(argv, (char *) argument);
        va_end(ap);
        g_ptr_array_add(argv, NULL);
        storage_fixture_program((const char *const *) argv->pdata, &output);
        g_assert_true(g_file_get_contents(file, &content, &size, NULL));
        g_assert_cmpint(unlink(file), ==, 0);
        return g_bytes_new_take(TAKE_PTR(content), size);
}

/* A little of everything that has a table of its own. */
static void fill(const char *directory) {
        static const guint8 program[64] = { 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                            2, 0, 62, 0 };
        static const char *const names[] = { "bin", "etc", "etc/deep", "etc/deep/er" };
        g_autofree char *shell = g_build_filename(directory, "bin", "sh", NULL);
        g_autofree char *hard = g_build_filename(directory, "bin", "hard", NULL);
        g_autofree char *name = g_build_filename(directory, "link", NULL);
        g_autofree char *large = g_build_filename(directory, "etc", "large", NULL);
        g_autofree char *text = g_malloc(40000);

        g_assert_cmpint(mkdir(directory, 0755), ==, 0);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autofree char *path = g_build_filename(directory, names[i], NULL);

                g_assert_cmpint(mkdir(path, 0755), ==, 0);
        }
        for (size_t i = 0; i < 40000; i++)
                text[i] = (char) (i * 7 / 5);
        g_assert_true(g_file_set_contents(shell, (const char *) program, sizeof(program), NULL));
        g_assert_true(g_file_set_contents(large, text, 40000, NULL));
        g_assert_cmpint(chmod(shell, 04755), ==, 0);
        g_assert_cmpint(link(shell, hard), ==, 0);
        g_assert_cmpint(symlink("etc/large", name), ==, 0);
        g_assert_cmpint(chown(large, 1000, 65534), ==, 0);
}

void squashfs_generator_begin(const char *directory) {
        g_autofree char *tree = g_build_filename(directory, "tree", NULL);
        const char *const remove[] = { "rm", "-r", tree, NULL };
        g_autofree char *output = NULL;

        fill(tree);
        bases[0] = squashfs_make(tree, "-b", "4096", "-noI", "-noD", "-noF", "-noX", NULL);
        bases[1] = squashfs_make(tree, "-b", "4096", "-noI", "-noX", "-comp", "zstd", NULL);
        bases[2] = squashfs_make(tree, "-b", "8192", "-noI", "-always-use-fragments", "-comp", "xz",
                                 NULL);
        bases[3] = squashfs_make(tree, "-b", "131072", "-comp", "gzip", NULL);
        storage_fixture_program(remove, &output);
}

void squashfs_generator_end(void) {
        for (size_t i = 0; i < BASES; i++)
                g_clear_pointer(&bases[i], g_bytes_unref);
}

/* Small numbers, large ones, and those around a sign. */
static guint64 extreme(GRand *rand) {
        static const guint64 values[] = {
                0, 1, 2, 7, 8, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
                0xffffffff, 0x100000000, 0x7fffffffffffffff, 0xffffffffffffffff,
        };

        return values[g_rand_int_range(rand, 0, ELEMENTSOF(values))] +
               (guint64) g_rand_int_range(rand, -1, 2);
}

static void put(guint8 *data, gsize size, gsize offset, guint64 value, gsize width) {
        value = GUINT64_TO_LE(value);
        if (offset + width <= size)
                memcpy(data + offset, &value, width);
}

/* One fault or a few, in the super block or in the tables at the end. */
static void damage(GRand *rand, guint8 *data, gsize size, gsize tables) {
        gsize offset, n;

        switch (g_rand_int_range(rand, 0, 5)) {
        case 0:
                offset = (gsize) g_rand_int_range(rand, 0, sizeof(sqfs_super_t) / 2) * 2;
                put(data, size, offset, extreme(rand), 2u << g_rand_int_range(rand, 0, 3));
                break;
        case 1:
                put(data, size, (gsize) g_rand_int_range(rand, (gint32) tables, (gint32) size),
                    extreme(rand), 1u << g_rand_int_range(rand, 0, 4));
                break;
        case 2:
                data[g_rand_int_range(rand, (gint32) tables, (gint32) size)] ^=
                        (guint8) (1u << g_rand_int_range(rand, 0, 8));
                break;
        case 3:
                data[g_rand_int_range(rand, 0, (gint32) size)] = (guint8) g_rand_int(rand);
                break;
        default:
                offset = (gsize) g_rand_int_range(rand, (gint32) tables, (gint32) size);
                n = (gsize) g_rand_int_range(rand, 1, 64);
                memmove(data + offset, data + tables, MIN(n, size - offset));
        }
}

GBytes *squashfs_generate(guint32 seed) {
        GRand *rand = g_rand_new_with_seed(seed);
        gsize size;
        const void *base = g_bytes_get_data(bases[seed % BASES], &size);
        guint8 *data = g_memdup2(base, size);
        sqfs_super_t super;

        memcpy(&super, data, sizeof(super));
        if (g_rand_int_range(rand, 0, 10) == 0)
                size = (gsize) g_rand_int_range(rand, 4, (gint32) size);
        else
                for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--)
                        damage(rand, data, size,
                               (gsize) GUINT64_FROM_LE(super.inode_table_start));
        memcpy(data, "hsqs", 4);
        g_rand_free(rand);
        return g_bytes_new_take(data, size);
}
