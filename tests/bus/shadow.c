/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/shadow.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

/* A number of an inode is given again; with its birth it is one file's. */
static char *content_path(const char *shadow, const char *path) {
        struct statx st;

        if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME, &st) < 0)
                return NULL;
        return g_strdup_printf("%s/content/%llu-%lld-%u", shadow, (unsigned long long) st.stx_ino,
                               (long long) st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
}

static void copy(const char *from, const char *to) {
        g_autofree char *data = NULL;
        gsize size = 0;

        if (!from || !g_file_get_contents(from, &data, &size, NULL))
                size = 0;
        if (!g_file_set_contents_full(to, data ?: "", (gssize) size, G_FILE_SET_CONTENTS_CONSISTENT,
                                      0600, NULL))
                abort();
}

static void remove_what_has_gone(const char *dir, const char *copy_dir) {
        g_autoptr(GDir) entries = g_dir_open(copy_dir, 0, NULL);
        const char *name;

        while (entries && (name = g_dir_read_name(entries))) {
                g_autofree char *path = g_build_filename(dir, name, NULL);
                g_autofree char *old = g_build_filename(copy_dir, name, NULL);
                struct stat st;

                if (lstat(path, &st) < 0)
                        (void) remove(old);
        }
}

static void sync_dir(const char *shadow, const char *dir, const char *copy_dir) {
        g_autoptr(GDir) entries = g_dir_open(dir, 0, NULL);
        const char *name;

        if (!entries || g_mkdir_with_parents(copy_dir, 0700) < 0)
                abort();
        remove_what_has_gone(dir, copy_dir);
        while ((name = g_dir_read_name(entries))) {
                g_autofree char *path = g_build_filename(dir, name, NULL);
                g_autofree char *to = g_build_filename(copy_dir, name, NULL);
                struct stat st;

                if (lstat(path, &st) < 0)
                        continue;
                if (S_ISDIR(st.st_mode))
                        (void) g_mkdir_with_parents(to, 0700);
                else if (S_ISREG(st.st_mode)) {
                        g_autofree char *content = content_path(shadow, path);

                        copy(content, to);
                }
        }
}

void shadow_synced(int fd) {
        const char *of = getenv("BERTH_SHADOW_OF"), *shadow = getenv("BERTH_SHADOW");
        g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
        g_autofree char *path = of && shadow ? g_file_read_link(link, NULL) : NULL;
        g_autofree char *copy_path = NULL, *content = NULL, *contents = NULL;
        struct stat st;

        if (!path || !g_str_has_prefix(path, of) || fstat(fd, &st) < 0)
                return;
        copy_path = g_strconcat(shadow, "/tree", path + strlen(of), NULL);
        if (S_ISDIR(st.st_mode)) {
                sync_dir(shadow, path, copy_path);
                return;
        }
        contents = g_build_filename(shadow, "content", NULL);
        content = content_path(shadow, path);
        if (!content)
                return; /* it has no name any more */
        if (g_mkdir_with_parents(contents, 0700) < 0)
                abort();
        copy(path, content);
        /* Known by this name already: its data are what was synced. */
        if (access(copy_path, F_OK) == 0)
                copy(path, copy_path);
}
