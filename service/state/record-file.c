/* SPDX-License-Identifier: Apache-2.0 */
#include "service/state/record-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"

#define RECORD_TYPE ((const GVariantType *) "(qa{sv})")
#define RECORD_SIZE_MAX (4U << 20)

struct RecordDir {
        char *path;
        int fd;
};

int record_dir_open(const char *root, const char *name, RecordDir **ret, Error *ret_error) {
        g_autoptr(RecordDir) dir = g_new0(RecordDir, 1);
        int r;

        dir->fd = -EBADF;
        dir->path = g_build_filename(root, name, NULL);
        r = path_make_dirs(dir->path, 0700);
        if (r >= 0)
                r = dir->fd = path_open_dir(dir->path);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot open directory %s", dir->path);
        *ret = TAKE_PTR(dir);
        return 0;
}

RecordDir *record_dir_close(RecordDir *dir) {
        if (!dir)
                return NULL;

        dir->fd = fd_close(dir->fd);
        g_free(dir->path);
        g_free(dir);
        return NULL;
}

/* Files are little-endian on every host, so that a pool can be carried to another. */
static GVariant *to_file_order(GVariant *value) {
#if G_BYTE_ORDER == G_BIG_ENDIAN
        return g_variant_byteswap(value);
#else
        return g_variant_ref(value);
#endif
}

int record_dir_write(RecordDir *dir, const char *name, GVariant *record, Error *ret_error) {
        g_autoptr(GVariant) native = g_variant_ref_sink(
                g_variant_new("(q@a{sv})", (guint16) RECORD_VERSION, record));
        g_autoptr(GVariant) value = to_file_order(native);
        int r;

        r = path_replace_file(dir->fd, name, g_variant_get_data(value), g_variant_get_size(value),
                              0600);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot write %s/%s", dir->path, name);
        return 0;
}

bool record_dir_has(RecordDir *dir, const char *name) {
        return faccessat(dir->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

int record_dir_remove(RecordDir *dir, const char *name, Error *ret_error) {
        int r = path_remove_file(dir->fd, name);

        if (r < 0 && r != -ENOENT)
                return error_set_errno(ret_error, -r, "Cannot remove %s/%s", dir->path, name);
        return 0;
}

static int record_file_read(RecordDir *dir, const char *name, GVariant **ret, Error *ret_error) {
        _cleanup_close_ int fd = path_open_beneath(dir->fd, name, O_RDONLY, 0);
        g_autoptr(GBytes) bytes = NULL;
        g_autoptr(GVariant) raw = NULL, value = NULL;
        guint16 version;
        int r;

        r = fd < 0 ? fd : fd_read_all(fd, RECORD_SIZE_MAX, &bytes);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read %s/%s", dir->path, name);
        raw = g_variant_ref_sink(g_variant_new_from_bytes(RECORD_TYPE, bytes, FALSE));
        if (!g_variant_is_normal_form(raw))
                return error_set(ret_error, ERROR_FAILED, "%s/%s is damaged", dir->path, name);
        value = to_file_order(raw);
        g_variant_get_child(value, 0, "q", &version);
        if (version != RECORD_VERSION)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "%s/%s has format version %u, this berth knows %u", dir->path,
                                 name, version, RECORD_VERSION);
        *ret = g_variant_get_child_value(value, 1);
        return 0;
}

int record_dir_load(RecordDir *dir, RecordFunc func, void *userdata, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        struct dirent *entry;
        DIR *d;

        fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d)
                return error_set_errno(ret_error, errno, "Cannot list %s", dir->path);
        (void) TAKE_FD(fd);

        while ((entry = readdir(d))) {
                g_autoptr(GVariant) record = NULL;
                g_auto(Error) error = ERROR_INIT;

                if (!path_is_component(entry->d_name))
                        continue;
                if (entry->d_name[0] == '.') {
                        (void) unlinkat(dir->fd, entry->d_name, 0);
                        continue;
                }
                if (record_file_read(dir, entry->d_name, &record, &error) < 0)
                        log_error("%s; it is left out.", error.message);
                else
                        func(entry->d_name, record, userdata);
        }
        (void) closedir(d);
        return 0;
}
