/* SPDX-License-Identifier: Apache-2.0 */
#include "client/file.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/editor.h"
#include "client/format.h"
#include "client/job.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define EDIT_MAX (16U << 20)

const Option file_delete_options[] = {
        { "recursive", 'r', NULL, "Delete directories with all that is in them", NULL },
        { NULL },
};

const Option file_edit_options[] = { { NULL } };

const Option file_mkdir_options[] = {
        { "create-dirs", 'p', NULL, "Make the directories above it as well", NULL },
        { "gid", 0, "GID", "Group in the container", NULL },
        { "mode", 0, "MODE", "Mode, in octal (default 0750)", NULL },
        { "uid", 0, "UID", "Owner in the container", NULL },
        { NULL },
};

void file_place_clear(FilePlace *place) {
        g_clear_pointer(&place->container, g_free);
        g_clear_pointer(&place->path, g_free);
}

int file_place_parse(const char *argument, FilePlace *ret, Error *ret_error) {
        const char *slash = strchr(argument, '/');
        g_autofree char *name = NULL;
        int r;

        if (!slash || slash == argument)
                return client_usage_error(ret_error, "'%s' is not CONTAINER/PATH", argument);
        if (!g_utf8_validate(argument, -1, NULL))
                return client_usage_error(ret_error, "A path inside a container has to be UTF-8");
        name = g_strndup(argument, (gsize) (slash - argument));
        r = client_object_path(OBJECT_CONTAINER, name, &ret->container, ret_error);
        if (r < 0)
                return r;
        while (slash[1] == '/')
                slash++;
        ret->path = g_strdup(slash);
        return 0;
}

int file_place_get_type(Client *c, const FilePlace *place, char **ret, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL, facts = NULL;
        int r;

        r = client_call(c, OBJECT_CONTAINER, place->container, "StatPath",
                        g_variant_new_parsed("(%s, {'follow': <true>})", place->path),
                        "(a{sv})", &reply, ret_error);
        if (r < 0)
                return r;
        facts = g_variant_get_child_value(reply, 0);
        if (!g_variant_lookup(facts, "type", "s", ret))
                return error_set(ret_error, ERROR_FAILED, "The service gave no type");
        return 0;
}

char *file_base_name(const char *path) {
        g_autofree char *base = g_path_get_basename(path);

        return g_str_equal(base, "/") || g_str_equal(base, ".") ? g_strdup("") : TAKE_PTR(base);
}

/* --- delete, mkdir --- */

int run_file_delete(Client *c, Error *ret_error) {
        for (size_t i = 0; i < client_n_arguments(c); i++) {
                g_auto(FilePlace) place = { 0 };
                GVariantDict options;
                int r;

                r = file_place_parse(client_argument(c, i), &place, ret_error);
                if (r < 0)
                        return r;
                g_variant_dict_init(&options, NULL);
                if (client_flag(c, "recursive"))
                        g_variant_dict_insert(&options, "recursive", "b", TRUE);
                r = job_run(c, OBJECT_CONTAINER, place.container, "DeletePath",
                            g_variant_new("(s@a{sv})", place.path, g_variant_dict_end(&options)),
                            ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int file_owner_options(Client *c, GVariantDict *options, Error *ret_error) {
        static const struct {
                const char *name;
                guint base;
                guint64 max;
        } numbers[] = {
                { "uid", 10, G_MAXUINT32 - 1 },
                { "gid", 10, G_MAXUINT32 - 1 },
                { "mode", 8, 07777 },
        };

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                const char *text = client_option(c, numbers[i].name);
                guint64 n;

                if (!text)
                        continue;
                if (!g_ascii_string_to_unsigned(text, numbers[i].base, 0, numbers[i].max, &n, NULL))
                        return client_usage_error(ret_error, "--%s '%s' is no %snumber for it",
                                                  numbers[i].name, text,
                                                  numbers[i].base == 8 ? "octal " : "");
                g_variant_dict_insert(options, numbers[i].name, "u", (guint32) n);
        }
        return 0;
}

int run_file_mkdir(Client *c, Error *ret_error) {
        for (size_t i = 0; i < client_n_arguments(c); i++) {
                g_auto(FilePlace) place = { 0 };
                GVariantDict options;
                int r;

                r = file_place_parse(client_argument(c, i), &place, ret_error);
                if (r < 0)
                        return r;
                g_variant_dict_init(&options, NULL);
                r = file_owner_options(c, &options, ret_error);
                if (r < 0) {
                        g_variant_dict_clear(&options);
                        return r;
                }
                if (client_flag(c, "create-dirs"))
                        g_variant_dict_insert(&options, "parents", "b", TRUE);
                r = job_run(c, OBJECT_CONTAINER, place.container, "MakeDirectory",
                            g_variant_new("(s@a{sv})", place.path, g_variant_dict_end(&options)),
                            ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- edit --- */

static int apply_edit(Client *c, const char *text, void *userdata, Error *ret_error) {
        const FilePlace *place = userdata;
        _cleanup_close_ int fd = memfd_create("edit", MFD_CLOEXEC);

        if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return error_set_errno(ret_error, errno, "Cannot hold the text");
        return job_run(c, OBJECT_CONTAINER, place->container, "PushFile",
                       g_variant_new("(sh@a{sv})", place->path, fd,
                                     g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0)),
                       ret_error);
}

static int read_text(Client *c, const FilePlace *place, char **ret, Error *ret_error) {
        _cleanup_close_ int fd = memfd_create("edit", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return error_set_errno(ret_error, errno, "Cannot hold the text");
        r = job_run(c, OBJECT_CONTAINER, place->container, "PullFileTo",
                    g_variant_new("(sh@a{sv})", place->path, fd,
                                  g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0)),
                    ret_error);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return error_set_errno(ret_error, errno, "Cannot read the text");
        r = fd_read_text(fd, EDIT_MAX, ret);
        return r < 0 ? error_set_errno(ret_error, -r, "'%s' is no text to edit", place->path) : 0;
}

int run_file_edit(Client *c, Error *ret_error) {
        g_auto(FilePlace) place = { 0 };
        g_autofree char *text = NULL, *base = NULL;
        int r;

        r = file_place_parse(client_argument(c, 0), &place, ret_error);
        /* What comes from standard input replaces the file, whatever it holds. */
        if (r >= 0 && isatty(STDIN_FILENO))
                r = read_text(c, &place, &text, ret_error);
        if (r < 0)
                return r;
        base = file_base_name(place.path);
        return editor_run(c, base, text ?: "", apply_edit, &place, ret_error);
}

const Command file_commands[] = {
        { "delete", "rm", "<container>/<path>...", "Delete files in containers",
          file_delete_options, "e", 1, -1, .run = run_file_delete },
        { "edit", NULL, "<container>/<path>", "Edit a file in a container", file_edit_options, "e-",
          1, 1, .run = run_file_edit },
        { "mkdir", NULL, "<container>/<path>...", "Make directories in containers",
          file_mkdir_options, "e", 1, -1, .run = run_file_mkdir },
        { "mount", NULL, "<container>[/<path>] [<target>]",
          "Mount a container's files on a directory, or serve them over SFTP",
          file_mount_options, "ef", 1, 2, .run = run_file_mount },
        { "pull", NULL, "<container>/<path>... <target>", "Copy files out of containers",
          file_pull_options, "ef", 2, -1, .run = run_file_pull },
        { "push", NULL, "<source>... <container>/<path>", "Copy files into a container",
          file_push_options, "fe", 2, -1, .run = run_file_push },
        { NULL },
};
