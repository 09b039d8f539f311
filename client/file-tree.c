/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/file.h"
#include "client/format.h"
#include "client/job.h"
#include "service/util/cleanup.h"

/* Executes tar with one of its standard streams replaced. */
static int spawn_tar(const char *const *argv, int fd, int stream, pid_t *ret, Error *ret_error) {
        pid_t pid = fork();

        if (pid < 0)
                return error_set_errno(ret_error, errno, "Cannot make a process");
        if (pid == 0) {
                (void) signal(SIGPIPE, SIG_DFL);
                if (dup2(fd, stream) >= 0)
                        (void) execvp(argv[0], (char *const *) argv);
                _exit(127);
        }
        *ret = pid;
        return 0;
}

static int wait_for_tar(pid_t pid, Error *ret_error) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return error_set_errno(ret_error, errno, "Cannot wait for tar");
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "--recursive needs the program tar; install it");
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                return error_set(ret_error, ERROR_FAILED, "tar failed; not everything was copied");
        return 0;
}

/* "DIR/" stands for what is in the directory, "DIR" for the directory itself. */
int file_push_tree(Client *c, const char *source, const FilePlace *target, bool create,
                   Error *ret_error) {
        bool content = g_str_has_suffix(source, "/") || g_str_equal(source, ".");
        g_autofree char *parent = content ? g_strdup(source) : g_path_get_dirname(source);
        g_autofree char *base = content ? g_strdup(".") : g_path_get_basename(source);
        g_autofree char *shown = format_printable(source);
        const char *const argv[] = {
                "tar", "--create", "--file=-", "--format=pax", "--sparse", "--numeric-owner",
                "--directory", parent, "--", base, NULL,
        };
        g_auto(Error) tar_error = ERROR_INIT;
        g_autoptr(Job) job = NULL;
        GVariantDict options;
        struct stat st;
        int ends[2], r;
        pid_t pid = -1;

        if (lstat(source, &st) < 0)
                return error_set_errno(ret_error, errno, "Cannot open '%s'", shown);
        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        g_variant_dict_init(&options, NULL);
        if (create)
                g_variant_dict_insert(&options, "make-directories", "b", TRUE);
        r = job_start(c, OBJECT_CONTAINER, target->container, "PushTree",
                      g_variant_new("(sh@a{sv})", target->path, ends[0],
                                    g_variant_dict_end(&options)),
                      &job, ret_error);
        fd_close(ends[0]);
        if (r >= 0)
                r = spawn_tar(argv, ends[1], STDOUT_FILENO, &pid, ret_error);
        fd_close(ends[1]);
        if (r < 0)
                return r;
        r = job_wait(job, ret_error);
        if (wait_for_tar(pid, r < 0 ? &tar_error : ret_error) < 0 && r >= 0)
                r = -EIO;
        return r;
}

int file_pull_tree(Client *c, const FilePlace *source, const char *target, Error *ret_error) {
        /* Owners only root can give; modes without set-user-id bits come from the service. */
        const char *owner = geteuid() == 0 ? "--same-owner" : "--no-same-owner";
        const char *const argv[] = {
                "tar", "--extract", "--file=-", "--numeric-owner", "--preserve-permissions", owner,
                "--directory", target, NULL,
        };
        g_auto(Error) tar_error = ERROR_INIT;
        _cleanup_close_ int fd = -EBADF;
        g_autoptr(Job) job = NULL;
        pid_t pid = -1;
        int r;

        r = job_start(c, OBJECT_CONTAINER, source->container, "PullTree",
                      g_variant_new("(sa{sv})", source->path, NULL), &job, ret_error);
        if (r < 0)
                return r;
        if (!g_variant_is_of_type(job_get_reply(job), G_VARIANT_TYPE("(oh)")))
                return error_set(ret_error, ERROR_FAILED, "The service gave no data");
        g_variant_get(job_get_reply(job), "(oh)", NULL, &fd);
        r = spawn_tar(argv, fd, STDIN_FILENO, &pid, ret_error);
        if (r < 0)
                return r;
        fd = fd_close(fd);
        r = job_wait(job, ret_error);
        if (wait_for_tar(pid, r < 0 ? &tar_error : ret_error) < 0 && r >= 0)
                r = -EIO;
        return r;
}
