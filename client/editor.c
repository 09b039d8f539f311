/* SPDX-License-Identifier: Apache-2.0 */
#include "client/editor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define EDITOR_TEXT_MAX (16 * 1024 * 1024)

/* A directory of our own (0700), so that an editor may replace the file as it likes. */
typedef struct EditorFile {
        char *directory;
        char *path;
} EditorFile;

static void editor_file_clear(EditorFile *f) {
        g_clear_pointer(&f->directory, g_free);
        g_clear_pointer(&f->path, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EditorFile, editor_file_clear)

static int text_from_fd(int fd, const char *what, char **ret, Error *ret_error) {
        g_autoptr(GBytes) bytes = NULL;
        const char *data;
        gsize size;
        int r;

        r = fd_read_all(fd, EDITOR_TEXT_MAX, &bytes);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read %s", what);
        data = g_bytes_get_data(bytes, &size);
        if (size > 0 && memchr(data, 0, size))
                return error_set(ret_error, ERROR_INVALID_ARGS, "There is a zero byte in %s", what);
        *ret = g_strndup(data ?: "", size);
        return 0;
}

int editor_read_stdin(char **ret, Error *ret_error) {
        return text_from_fd(STDIN_FILENO, "standard input", ret, ret_error);
}

static int editor_file_create(const char *name, const char *text, EditorFile *ret,
                              Error *ret_error) {
        g_auto(EditorFile) f = { 0 };
        g_autofree char *safe = g_strdup(name), *file = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        f.directory = g_build_filename(g_get_tmp_dir(), "berth-XXXXXX", NULL);
        if (!g_mkdtemp(f.directory))
                return error_set_errno(ret_error, errno, "Cannot make a directory in %s",
                                       g_get_tmp_dir());
        g_strdelimit(safe, "/", '-');
        file = g_strconcat(safe, ".yaml", NULL);
        f.path = g_build_filename(f.directory, file, NULL);
        fd = open(f.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set_errno(ret_error, errno, "Cannot create %s", f.path);
        r = fd_write_all(fd, text, strlen(text));
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot write %s", f.path);
        *ret = f;
        f = (EditorFile) { 0 };
        return 0;
}

static int editor_file_read(const EditorFile *f, char **ret, Error *ret_error) {
        _cleanup_close_ int fd = open(f->path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                return error_set_errno(ret_error, errno, "Cannot read %s", f->path);
        return text_from_fd(fd, f->path, ret, ret_error);
}

static void editor_file_remove(const EditorFile *f) {
        (void) unlink(f->path);
        (void) rmdir(f->directory);
}

static int editor_spawn(const char *path, Error *ret_error) {
        const char *editor = getenv("VISUAL") ?: getenv("EDITOR") ?: "vi";
        g_autofree char *command = NULL;
        int status;
        pid_t pid;

        if (!*editor)
                editor = "vi";
        /* The variable may hold arguments, so a shell reads it; the path is never part of it. */
        command = g_strconcat(editor, " \"$1\"", NULL);
        pid = fork();
        if (pid < 0)
                return error_set_errno(ret_error, errno, "Cannot start the editor");
        if (pid == 0) {
                (void) execl("/bin/sh", "sh", "-c", command, "sh", path, (char *) NULL);
                _exit(127);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return error_set_errno(ret_error, errno, "Cannot wait for the editor");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return error_set(ret_error, ERROR_FAILED, "The editor '%s' failed", editor);
        return 0;
}

/* After an error: whether to open the editor once more. */
static bool editor_ask_again(const Error *error) {
        int c;

        fprintf(stderr, "Error: %s\n", error->message);
        fputs("Press Enter to open the editor again, or Ctrl-D to give up: ", stderr);
        fflush(stderr);
        do
                c = getchar();
        while (c != EOF && c != '\n');
        if (c == EOF)
                fputc('\n', stderr);
        return c != EOF;
}

static int editor_edit_once(Client *client, const EditorFile *f, const char *before,
                            EditorApply apply, void *userdata, Error *ret_error) {
        g_autofree char *after = NULL;
        int r;

        r = editor_spawn(f->path, ret_error);
        if (r < 0)
                return r;
        r = editor_file_read(f, &after, ret_error);
        if (r < 0)
                return r;
        if (g_str_equal(before, after))
                return 0;
        return apply(client, after, userdata, ret_error);
}

int editor_run(Client *client, const char *name, const char *text, EditorApply apply,
               void *userdata, Error *ret_error) {
        g_auto(EditorFile) f = { 0 };
        int r;

        if (!isatty(STDIN_FILENO)) {
                g_autofree char *given = NULL;

                r = editor_read_stdin(&given, ret_error);
                if (r < 0)
                        return r;
                return apply(client, given, userdata, ret_error);
        }
        r = editor_file_create(name, text, &f, ret_error);
        if (r < 0)
                return r;
        for (;;) {
                g_auto(Error) e = ERROR_INIT;

                r = editor_edit_once(client, &f, text, apply, userdata, &e);
                if (r >= 0)
                        break;
                if (!editor_ask_again(&e))
                        return error_set(ret_error, e.code,
                                         "Nothing was changed; your text is kept in %s", f.path);
        }
        editor_file_remove(&f);
        return 0;
}
