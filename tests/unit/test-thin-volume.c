/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/thin-volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/program.h"
#include "tests/unit/test.h"

/* A directory such as those that hold volumes, which goes away with the scope. */
typedef struct Fixture {
        char *path;
        int fd;
} Fixture;

static Fixture fixture_new(void) {
        Fixture f = { .path = g_strdup("/tmp/berth-test-thin.XXXXXX") };

        g_assert_nonnull(mkdtemp(f.path));
        f.fd = path_open_dir(f.path);
        g_assert_cmpint(f.fd, >=, 0);
        return f;
}

static void fixture_done(Fixture *f) {
        g_autofree char *name = g_path_get_basename(f->path);
        _cleanup_close_ int parent = path_open_dir("/tmp");

        (void) close(f->fd);
        g_assert_cmpint(path_remove_tree(parent, name), ==, 0);
        g_free(f->path);
}

static void write_entry(const Fixture *f, const char *name, const char *text) {
        g_autofree char *directory = g_build_filename(f->path, name, NULL);
        g_autofree char *file = g_build_filename(directory, "volume", NULL);

        g_assert_cmpint(mkdir(directory, 0700), ==, 0);
        g_assert_true(g_file_set_contents(file, text, -1, NULL));
}

TEST(what_stands_for_a_volume_is_read_as_it_was_written) {
        const ThinVolume written = { (char *) "berth-1-2", (char *) "ext4" };
        g_auto(ThinVolume) read = { 0 };
        Fixture f = fixture_new();
        struct stat st;

        g_assert_cmpint(thin_volume_write(f.fd, ".c1.new", &written), ==, 0);
        g_assert_cmpint(thin_volume_write(f.fd, ".c1.new", &written), ==, -EEXIST);
        g_assert_cmpint(renameat(f.fd, ".c1.new", f.fd, "c1"), ==, 0);
        g_assert_cmpint(thin_volume_read(f.fd, "c1", &read), ==, 0);
        g_assert_cmpstr(read.name, ==, "berth-1-2");
        g_assert_cmpstr(read.filesystem, ==, "ext4");
        g_assert_cmpint(fstatat(f.fd, "c1", &st, 0), ==, 0);
        g_assert_cmpuint(st.st_mode & 07777, ==, 0700);
        fixture_done(&f);
}

TEST(what_stands_for_none_is_no_volume) {
        ThinVolume unused;
        Fixture f = fixture_new();

        g_assert_cmpint(thin_volume_write(f.fd, "../c1", &(ThinVolume) { 0 }), ==, -EINVAL);
        g_assert_cmpint(thin_volume_read(f.fd, "c1", &unused), ==, -ENOENT);
        g_assert_cmpint(mkdirat(f.fd, "empty", 0700), ==, 0);
        g_assert_cmpint(thin_volume_read(f.fd, "empty", &unused), ==, -ENODATA);
        write_entry(&f, "words", "berth-1 ext4 more\n");
        g_assert_cmpint(thin_volume_read(f.fd, "words", &unused), ==, -EBADMSG);
        write_entry(&f, "nothing", "");
        g_assert_cmpint(thin_volume_read(f.fd, "nothing", &unused), ==, -EBADMSG);
        g_assert_cmpint(symlinkat("words", f.fd, "link"), ==, 0);
        g_assert_cmpint(thin_volume_read(f.fd, "link", &unused), <, 0);
        g_assert_cmpint(thin_volume_mount(f.fd, "words", false), <, 0);
        fixture_done(&f);
}

TEST(names_of_devices) {
        static const struct {
                const char *text, *group, *volume;
        } names[] = {
                { "vg-lv", "vg", "lv" },
                { "my--vg-berth--tree", "my-vg", "berth-tree" },
                { "a----b-c--", "a--b", "c-" },
                { "luks", NULL, NULL },
                { "my--disk", NULL, NULL },
                { "vg-pool-tpool", NULL, NULL }, /* LVM's own, of a thin pool */
                { "", NULL, NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                g_autofree char *group = NULL, *volume = NULL;
                int r = thin_volume_split_name(names[i].text, &group, &volume);

                g_assert_cmpint(r, ==, names[i].group ? 0 : -ENODEV);
                g_assert_cmpstr(group, ==, names[i].group);
                g_assert_cmpstr(volume, ==, names[i].volume);
        }
}

/* Whatever a container puts into its files: they are on no tree of a pool. */
TEST(directories_elsewhere_are_no_volumes) {
        g_autofree char *group = NULL, *volume = NULL, *path = NULL;
        Fixture f = fixture_new();

        write_entry(&f, "c1", "berth-1 ext4\n");
        path = g_build_filename(f.path, "c1", NULL);
        g_assert_cmpint(thin_volume_identify(f.fd, &group, &volume), ==, -ENODEV);
        g_assert_cmpint(thin_volume_show(path), ==, 0);
        g_assert_cmpint(thin_volume_mount_again(f.fd), ==, -ENODEV);
        fixture_done(&f);
}

TEST(what_programs_say_and_how_they_end) {
        const char *both[] = { "/bin/sh", "-c", "echo one; echo two >&2", NULL };
        const char *failing[] = { "/bin/sh", "-c", "echo one; echo two >&2; exit 3", NULL };
        const char *killed[] = { "/bin/sh", "-c", "kill -9 $$", NULL };
        g_auto(Error) error = ERROR_INIT, other = ERROR_INIT;
        g_autofree char *text = NULL;
        int status = -1;

        g_assert_cmpint(program_read(both, &text, NULL), ==, 0);
        g_assert_cmpstr(text, ==, "one\n");
        g_assert_cmpint(program_read(failing, &text, &error), <, 0);
        g_assert_cmpstr(error.message, ==, "sh failed: two");
        g_assert_cmpint(program_run_status(failing, &status, NULL), ==, 0);
        g_assert_cmpint(status, ==, 3);
        g_assert_cmpint(program_run_status(killed, &status, &other), <, 0);
        g_assert_true(program_is_installed("sh"));
        g_assert_false(program_is_installed("no-such-program-anywhere"));
}

TEST_MAIN()
