/* SPDX-License-Identifier: Apache-2.0 */

/* The seal of a saved state holds for the files that were sealed, for that container, with those
 * ids, on the host that has the key; and for nothing else. */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/runtime/criu.h"
#include "service/worker/runtime/state-seal.h"
#include "tests/unit/test.h"

typedef struct Fixture {
        char *dir, *key;
        int dir_fd, state_fd;
        IdMap *map;
} Fixture;

static void write_to(int dir_fd, const char *name, const char *text) {
        g_assert_cmpint(path_replace_file(dir_fd, name, text, strlen(text), 0600), ==, 0);
}

static Fixture fixture_new(void) {
        Fixture f = { .dir = g_dir_make_tmp("berth-seal-XXXXXX", NULL) };

        f.key = g_build_filename(f.dir, "key", NULL);
        f.dir_fd = path_open_dir(f.dir);
        write_to(f.dir_fd, "key", "0123456789abcdef0123456789abcdef");
        f.state_fd = path_make_dir(f.dir_fd, "state", 0700);
        f.map = idmap_new_range((IdRange) { 1000000, 65536 });
        write_to(f.state_fd, "core-1.img", "one");
        write_to(f.state_fd, "pages-1.img", "pages");
        return f;
}

static void fixture_done(Fixture *f) {
        g_autofree char *parent = g_path_get_dirname(f->dir), *name = g_path_get_basename(f->dir);
        _cleanup_close_ int parent_fd = path_open_dir(parent);

        f->state_fd = fd_close(f->state_fd);
        f->dir_fd = fd_close(f->dir_fd);
        g_assert_cmpint(path_remove_tree(parent_fd, name), ==, 0);
        f->map = idmap_free(f->map);
        g_free(f->key);
        g_free(f->dir);
}

static void seal(const Fixture *f) {
        g_auto(Error) error = ERROR_INIT;

        g_assert_cmpint(state_seal(f->state_fd, STATE_SEAL_OWN, f->key, "c1", f->map, &error),
                        ==, 0);
}

static bool holds(const Fixture *f, const char *container, const IdMap *map) {
        g_auto(Error) error = ERROR_INIT;
        int r = state_check_seal(f->state_fd, STATE_SEAL_OWN, f->key, container, map, &error);

        if (r < 0) {
                g_assert_cmpint(error.code, ==, ERROR_BACKEND_FAILED);
                g_assert_nonnull(strstr(error.message, "stateless"));
        }
        return r >= 0;
}

TEST(what_was_sealed_can_be_restored) {
        Fixture f = fixture_new();

        seal(&f);
        g_assert_true(holds(&f, "c1", f.map));
        /* Left by an attempt before. */
        write_to(f.state_fd, "restore.log", "Error");
        write_to(f.state_fd, "stats-restore", "x");
        /* What is left when the seal for another host could not be written to the end. */
        write_to(f.state_fd, ".seal.transfer.new", "x");
        g_assert_true(holds(&f, "c1", f.map));
        fixture_done(&f);
}

TEST(every_change_breaks_it) {
        static const struct {
                const char *name, *text;
        } changes[] = {
                { "core-1.img", "two" },       { "core-1.img", "" },     { "new.img", "" },
                { "pages-1.img", "pages\n" },  { "seal", "" },           { "dump.log", "x" },
                { "seal", "0000000000000000000000000000000000000000000000000000000000000000" },
        };

        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                Fixture f = fixture_new();

                seal(&f);
                write_to(f.state_fd, changes[i].name, changes[i].text);
                g_assert_false(holds(&f, "c1", f.map));
                fixture_done(&f);
        }
}

/* The one on the way to another host is beside its own, and neither stands for the other. */
TEST(there_are_two) {
        Fixture f = fixture_new();
        g_auto(Error) error = ERROR_INIT, missing = ERROR_INIT;
        struct stat st;

        seal(&f);
        g_assert_cmpint(state_check_seal(f.state_fd, STATE_SEAL_TRANSFER, f.key, "c1", f.map,
                                         &missing), <, 0);
        g_assert_nonnull(strstr(missing.message, "migration.key"));
        g_assert_cmpint(state_seal(f.state_fd, STATE_SEAL_TRANSFER, f.key, "c1", f.map, &error),
                        ==, 0);
        g_assert_true(holds(&f, "c1", f.map));
        g_assert_cmpint(unlinkat(f.state_fd, "seal", 0), ==, 0);
        g_assert_false(holds(&f, "c1", f.map));
        g_assert_cmpint(state_check_seal(f.state_fd, STATE_SEAL_TRANSFER, f.key, "c1", f.map,
                                         &error), ==, 0);
        /* What CRIU would write through is none of what is sealed. */
        g_assert_cmpint(symlinkat("../key", f.state_fd, "restore.log"), ==, 0);
        g_assert_cmpint(state_strip(f.state_fd), ==, 0);
        g_assert_cmpint(fstatat(f.state_fd, "restore.log", &st, AT_SYMLINK_NOFOLLOW), <, 0);
        g_assert_cmpint(mkdirat(f.state_fd, "stats-restore", 0700), ==, 0);
        g_assert_cmpint(state_strip(f.state_fd), <, 0);
        fixture_done(&f);
}

TEST(names_are_part_of_it) {
        Fixture f = fixture_new();

        seal(&f);
        g_assert_cmpint(renameat(f.state_fd, "core-1.img", f.state_fd, "core-2.img"), ==, 0);
        g_assert_false(holds(&f, "c1", f.map));
        fixture_done(&f);
}

/* What is in one file cannot be taken for the end of it and another file. */
TEST(where_files_end_is_part_of_it) {
        static const char joined[] = "one" "\xb\0\0\0\0\0\0\0" "pages-1.img" "pages";
        Fixture f = fixture_new();

        seal(&f);
        g_assert_cmpint(unlinkat(f.state_fd, "pages-1.img", 0), ==, 0);
        g_assert_cmpint(path_replace_file(f.state_fd, "core-1.img", joined, sizeof(joined) - 1,
                                          0600), ==, 0);
        g_assert_false(holds(&f, "c1", f.map));
        fixture_done(&f);
}

TEST(all_of_the_seal_counts) {
        Fixture f = fixture_new();
        g_autofree char *path = g_build_filename(f.dir, "state", "seal", NULL), *text = NULL;
        gsize size;

        seal(&f);
        g_assert_true(g_file_get_contents(path, &text, &size, NULL));
        for (gsize i = 0; i < size; i++) {
                char old = text[i];

                text[i] = old == '0' ? '1' : '0';
                write_to(f.state_fd, "seal", text);
                g_assert_false(holds(&f, "c1", f.map));
                text[i] = old;
        }
        write_to(f.state_fd, "seal", text);
        g_assert_true(holds(&f, "c1", f.map));
        fixture_done(&f);
}

TEST(nothing_but_files_is_read) {
        Fixture f = fixture_new();

        write_to(f.state_fd, "empty.img", "");
        seal(&f);
        g_assert_cmpint(unlinkat(f.state_fd, "empty.img", 0), ==, 0);
        g_assert_cmpint(mkfifoat(f.state_fd, "empty.img", 0600), ==, 0);
        g_assert_false(holds(&f, "c1", f.map));
        g_assert_cmpint(unlinkat(f.state_fd, "empty.img", 0), ==, 0);
        write_to(f.state_fd, "empty.img", "");
        g_assert_true(holds(&f, "c1", f.map));
        g_assert_cmpint(unlinkat(f.state_fd, "core-1.img", 0), ==, 0);
        g_assert_cmpint(symlinkat("../key", f.state_fd, "core-1.img"), ==, 0);
        g_assert_false(holds(&f, "c1", f.map));
        g_assert_cmpint(unlinkat(f.state_fd, "core-1.img", 0), ==, 0);
        g_assert_cmpint(mkfifoat(f.state_fd, "core-1.img", 0600), ==, 0);
        g_assert_false(holds(&f, "c1", f.map));
        fixture_done(&f);
}

TEST(it_is_for_one_container_and_its_ids) {
        g_autoptr(IdMap) other = idmap_new_range((IdRange) { 2000000, 65536 });
        Fixture f = fixture_new();

        seal(&f);
        g_assert_false(holds(&f, "c2", f.map));
        g_assert_false(holds(&f, "c1", other));
        fixture_done(&f);
}

TEST(it_is_of_one_host) {
        Fixture f = fixture_new();

        seal(&f);
        write_to(f.dir_fd, "key", "0123456789abcdef0123456789abcdeF");
        g_assert_false(holds(&f, "c1", f.map));
        /* Another length, readable by others, none at all. */
        write_to(f.dir_fd, "key", "0123456789abcdef");
        g_assert_false(holds(&f, "c1", f.map));
        write_to(f.dir_fd, "key", "0123456789abcdef0123456789abcdef");
        g_assert_true(holds(&f, "c1", f.map));
        g_assert_cmpint(chmod(f.key, 0644), ==, 0);
        g_assert_false(holds(&f, "c1", f.map));
        g_assert_cmpint(unlink(f.key), ==, 0);
        g_assert_false(holds(&f, "c1", f.map));
        fixture_done(&f);
}

TEST(what_was_used_is_gone) {
        Fixture f = fixture_new();

        seal(&f);
        g_assert_cmpint(state_discard(f.state_fd), ==, 0);
        g_assert_false(holds(&f, "c1", f.map));
        g_assert_cmpint(faccessat(f.state_fd, "pages-1.img", F_OK, 0), <, 0);
        g_assert_cmpint(state_discard(f.state_fd), ==, 0);
        fixture_done(&f);
}

TEST(the_first_error_of_criu_counts) {
        Fixture f = fixture_new();
        g_autofree char *cause = NULL;

        g_assert_null(criu_read_cause(f.state_fd, "dump.log"));
        /* It was killed before it wrote anything. */
        write_to(f.state_fd, "dump.log", "");
        g_assert_null(criu_read_cause(f.state_fd, "dump.log"));
        write_to(f.state_fd, "dump.log",
                 "(00.1) Collected [usr/lib/libgpg-error.so]\n"
                 "Error (criu/util.c:627): execvp(\"iptables-save\") failed\n"
                 "Error (criu/util.c:642): exited, status=1\n"
                 "     1: Error (criu/mount.c:724): mnt: unsupported \033[2J\n"
                 "Error (criu/cr-dump.c:2053): Dumping FAILED.\n");
        cause = criu_read_cause(f.state_fd, "dump.log");
        g_assert_cmpstr(cause, ==, "(criu/mount.c:724): mnt: unsupported ?[2J");
        fixture_done(&f);
}

TEST_MAIN()
