/* SPDX-License-Identifier: Apache-2.0 */
#include "service/state/record-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
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
        bool copies;
};

int record_dir_open(const char *root, const char *name, RecordDir **ret, Error *ret_error) {
        g_autoptr(RecordDir) dir = g_new0(RecordDir, 1);
        _cleanup_close_ int root_fd = -EBADF;
        int r;

        dir->fd = -EBADF;
        dir->path = g_build_filename(root, name, NULL);
        r = path_make_dirs(root, 0700);
        if (r >= 0)
                r = root_fd = path_open_dir(root);
        if (r >= 0)
                r = dir->fd = path_make_dir(root_fd, name, 0700);
        if (r >= 0 && fsync(root_fd) < 0)
                r = -errno;
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot open directory %s", dir->path);
        *ret = TAKE_PTR(dir);
        return 0;
}

int record_dir_open_copies(int root_fd, const char *name, bool make, RecordDir **ret,
                           Error *ret_error) {
        g_autoptr(RecordDir) dir = g_new0(RecordDir, 1);

        dir->copies = true;
        dir->path = g_strdup(name);
        dir->fd = make ? path_make_dir(root_fd, name, 0700)
                       : path_open_beneath(root_fd, name, O_RDONLY | O_DIRECTORY, 0);
        if (dir->fd < 0)
                return error_set_errno(ret_error, -dir->fd, "Cannot open the copies of %s", name);
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

/* Only files are read: a pipe would keep us waiting. They are replaced and never change. */
static int read_file(int dir_fd, const char *name, GBytes **ret) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK, 0);
        g_autofree char *data = NULL;
        struct stat st;
        ssize_t n;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        if (st.st_size > (off_t) RECORD_SIZE_MAX)
                return -EFBIG;
        data = g_malloc((gsize) st.st_size + 1);
        do
                n = read(fd, data, (size_t) st.st_size + 1); /* the one more finds the end */
        while (n < 0 && errno == EINTR);
        if (n != st.st_size)
                return n < 0 ? -errno : -EBADMSG;
        *ret = g_bytes_new_take(TAKE_PTR(data), (gsize) n);
        return 0;
}

static int write_copy(RecordDir *dir, const char *name, GVariant *value) {
        g_autoptr(GBytes) old = NULL, new = g_variant_get_data_as_bytes(value);

        if (read_file(dir->fd, name, &old) >= 0 && g_bytes_equal(old, new))
                return 0;
        return path_replace_file_later(dir->fd, name, g_variant_get_data(value),
                                       g_variant_get_size(value), 0600);
}

int record_dir_write(RecordDir *dir, const char *name, GVariant *record, Error *ret_error) {
        g_autoptr(GVariant) native = g_variant_ref_sink(
                g_variant_new("(q@a{sv})", (guint16) RECORD_VERSION, record));
        g_autoptr(GVariant) value = to_file_order(native);
        int r;

        if (g_variant_get_size(value) > RECORD_SIZE_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "Cannot write %s/%s: it is larger than %u bytes", dir->path, name,
                                 RECORD_SIZE_MAX);
        r = dir->copies ? write_copy(dir, name, value)
                        : path_replace_file(dir->fd, name, g_variant_get_data(value),
                                            g_variant_get_size(value), 0600);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot write %s/%s", dir->path, name);
        return 0;
}

bool record_dir_has(RecordDir *dir, const char *name) {
        struct stat st;

        /* What cannot be looked at is there: who asks would take the name otherwise. */
        return fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 || errno != ENOENT;
}

int record_dir_remove(RecordDir *dir, const char *name, Error *ret_error) {
        int r;

        if (dir->copies)
                r = unlinkat(dir->fd, name, 0) < 0 ? -errno : 0;
        else
                r = path_remove_file(dir->fd, name);
        if (r < 0 && r != -ENOENT)
                return error_set_errno(ret_error, -r, "Cannot remove %s/%s", dir->path, name);
        return 0;
}

static int record_file_read(RecordDir *dir, const char *name, GVariant **ret, Error *ret_error) {
        g_autoptr(GBytes) bytes = NULL;
        g_autoptr(GVariant) raw = NULL, value = NULL;
        guint16 version;
        int r = read_file(dir->fd, name, &bytes);

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

/* Files with a dot before their name that no write of ours has left are somebody's. */
static void remove_left_over(RecordDir *dir, const char *name) {
        struct stat st;

        if (path_is_temporary(name) &&
            fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISREG(st.st_mode))
                (void) unlinkat(dir->fd, name, 0);
        else
                log_warning("%s/%s is no record, and left alone.", dir->path, name);
}

void record_dir_sweep(RecordDir *dir) {
        g_autoptr(GPtrArray) names = NULL;

        if (path_list_names(dir->fd, &names) < 0)
                return;
        for (guint i = 0; i < names->len; i++)
                if (path_is_temporary(names->pdata[i]))
                        remove_left_over(dir, names->pdata[i]);
}

int record_dir_load(RecordDir *dir, RecordFunc func, void *userdata, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        struct dirent *entry;
        int r;
        DIR *d;

        fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        d = fd < 0 ? NULL : fdopendir(fd);
        if (!d)
                return error_set_errno(ret_error, errno, "Cannot list %s", dir->path);
        (void) TAKE_FD(fd);

        while ((errno = 0, entry = readdir(d))) {
                g_autoptr(GVariant) record = NULL;
                g_auto(Error) error = ERROR_INIT;

                if (!path_is_component(entry->d_name))
                        continue;
                if (entry->d_name[0] == '.') {
                        remove_left_over(dir, entry->d_name);
                        continue;
                }
                if (record_file_read(dir, entry->d_name, &record, &error) < 0)
                        log_error("%s; it is left out.", error.message);
                else
                        func(entry->d_name, record, userdata);
        }
        r = -errno;
        (void) closedir(d);
        /* Half of the records, taken for all, would have the files of the others swept. */
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot list %s", dir->path) : 0;
}
