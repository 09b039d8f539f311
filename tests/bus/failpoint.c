/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Failpoints, for tests alone: linked into a berthd of its own (--wrap), so that the one that is
 * installed has nothing of it. Before each step that lasts or that others see (a sync, a rename, a
 * removal of a record, the start of a worker) it looks for the file that BERTH_FAILPOINT names; the
 * number in it is the step, counted from when the file appeared, at which it is killed. With a "-"
 * before it that step fails (EIO), and the file goes; then the sync of a directory is no step, for
 * what has a name has it, nor is the start of a worker, which can fail by itself.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "tests/bus/shadow.h"

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name);
int __real_unlinkat(int dir, const char *name, int flags);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __real_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const env[]);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const env[]);

/* Whether the step is to fail. */
static bool step(bool may_fail) {
        static gint64 n;
        const char *path = getenv("BERTH_FAILPOINT");
        g_autofree char *text = NULL;
        gint64 wanted;

        if (!path || !g_file_get_contents(path, &text, NULL, NULL) ||
            !g_ascii_string_to_signed(text, 10, -G_MAXINT32, G_MAXINT32, &wanted, NULL)) {
                n = 0;
                return false;
        }
        if (wanted < 0 && !may_fail)
                return false;
        if (++n == wanted)
                (void) raise(SIGKILL);
        if (n != -wanted)
                return false;
        (void) unlink(path);
        n = 0;
        return true;
}

static int fail(void) {
        errno = EIO;
        return -1;
}

int __wrap_fsync(int fd) {
        struct stat st;
        int r;

        if (step(fstat(fd, &st) >= 0 && S_ISREG(st.st_mode)))
                return fail();
        r = __real_fsync(fd);
        if (r >= 0)
                shadow_synced(fd);
        return r;
}

int __wrap_renameat(int old_dir, const char *old_name, int new_dir, const char *new_name) {
        return step(true) ? fail() : __real_renameat(old_dir, old_name, new_dir, new_name);
}

int __wrap_unlinkat(int dir, const char *name, int flags) {
        return step(true) ? fail() : __real_unlinkat(dir, name, flags);
}

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const env[]) {
        (void) step(false);
        return __real_posix_spawn(pid, path, actions, attributes, argv, env);
}
