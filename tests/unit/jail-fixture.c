/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/jail-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"

const Room *room;

Room *room_new(void) {
        Room *r = g_new0(Room, 1);
        g_autofree char *inside = NULL, *link = NULL, *up = NULL;

        r->path = g_strdup("/var/tmp/berth-test-jail.XXXXXX");
        g_assert_nonnull(mkdtemp(r->path));
        r->secret = g_build_filename(r->path, "secret", NULL);
        g_assert_true(g_file_set_contents_full(r->secret, "secret", -1, 0, 0644, NULL));
        inside = g_build_filename(r->path, "inside", NULL);
        link = g_build_filename(inside, "link", NULL);
        up = g_build_filename(inside, "up", NULL);
        g_assert_cmpint(mkdir(inside, 0755), ==, 0);
        g_assert_cmpint(symlink(r->secret, link), ==, 0);
        g_assert_cmpint(symlink("../secret", up), ==, 0);
        r->root_fd = open(inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r->secret_fd = open(r->secret, O_RDONLY | O_CLOEXEC);
        g_assert_cmpint(r->root_fd, >=, 0);
        g_assert_cmpint(r->secret_fd, >=, 0);
        room = r;
        return r;
}

void room_free(Room *r) {
        g_autofree char *name = g_path_get_basename(r->path);
        _cleanup_close_ int parent = path_open_dir("/var/tmp");

        (void) close(r->root_fd);
        (void) close(r->secret_fd);
        g_assert_cmpint(path_remove_tree(parent, name), ==, 0);
        g_free(r->path);
        g_free(r->secret);
        g_free(r);
        room = NULL;
}

GVariant *room_run_as(const JailSpec *spec, Error *error) {
        Worker worker = { .channel_fd = -EBADF };
        GVariant *answer = NULL;
        int r = jail_run(spec, &worker, &answer, error);

        g_assert_true((r < 0) == (error->message != NULL));
        g_assert_true((r < 0) == !answer);
        g_assert_cmpint(waitpid(-1, NULL, WNOHANG), <, 0);
        g_assert_cmpint(errno, ==, ECHILD);
        return answer;
}

GVariant *room_run(JailFunc func, int input_fd, int root_fd, bool idmapped, Error *error) {
        const JailSpec spec = {
                .func = func,
                .input_fd = input_fd,
                .root_fd = root_fd,
                .idmapped = idmapped,
                .stage = "testing",
        };

        return room_run_as(&spec, error);
}

GVariant *room_answer(JailFunc func) {
        g_auto(Error) error = ERROR_INIT;
        GVariant *answer = room_run(func, room->secret_fd, room->root_fd, true, &error);

        g_assert_cmpstr(error.message, ==, NULL);
        return answer;
}

void room_refuse(JailFunc func, ErrorCode code, const char *text) {
        g_auto(Error) error = ERROR_INIT;

        g_assert_null(room_run(func, room->secret_fd, room->root_fd, true, &error));
        g_assert_cmpstr(error_code_to_name(error.code), ==, error_code_to_name(code));
        if (!strstr(error.message, text))
                g_error("\"%s\" does not say \"%s\"", error.message, text);
}

/* Every value of the answer is an errno; all must be the one that is expected. */
void room_assert_all(GVariant *answer, unsigned n, int expected) {
        GVariantIter iter;
        const char *key;
        GVariant *value;

        g_assert_cmpuint(g_variant_iter_init(&iter, answer), ==, n);
        while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
                int errnum = g_variant_get_int32(value);

                if (errnum != expected)
                        g_error("%s: %s, not %s", key, g_strerror(errnum), g_strerror(expected));
                g_variant_unref(value);
        }
}

void room_note(GVariantDict *result, const char *key, long r) {
        g_variant_dict_insert(result, key, "i", r < 0 ? errno : 0);
}
