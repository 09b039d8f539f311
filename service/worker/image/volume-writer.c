/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/volume-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/image/text.h"

#define DIRECTORY_MODE 0755

struct VolumeWriter {
        int root_fd;
        /* The directory that was written to last, for archives list what is in one together. */
        char *parent;
        int parent_fd;
        /* Attributes by name; NULL for those that no entry described. */
        GHashTable *directories;
};

static void attributes_destroy(gpointer p) {
        (void) attributes_free(p);
}

VolumeWriter *volume_writer_new(int root_fd) {
        VolumeWriter *writer = g_new(VolumeWriter, 1);

        *writer = (VolumeWriter) {
                .root_fd = root_fd,
                .parent_fd = -EBADF,
                .directories = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                     attributes_destroy),
        };
        g_hash_table_insert(writer->directories, g_strdup(""), NULL);
        return writer;
}

VolumeWriter *volume_writer_free(VolumeWriter *writer) {
        if (!writer)
                return NULL;
        g_free(writer->parent);
        (void) fd_close(writer->parent_fd);
        g_hash_table_unref(writer->directories);
        g_free(writer);
        return NULL;
}

int volume_writer_error(const char *name, int errnum, Error *ret_error) {
        g_autofree char *shown = text_for_message(name);

        if (errnum == ENOSPC || errnum == EDQUOT)
                return error_set(ret_error, ERROR_NO_SPACE,
                                 "There is no space left in the storage pool to unpack \"%s\"; "
                                 "remove something from the pool or enlarge it", shown);
        return error_set_errno(ret_error, errnum, "Cannot unpack \"%s\" to the storage pool",
                               shown);
}

static int open_directory(VolumeWriter *writer, const char *name) {
        if (name[0] == '\0')
                return fcntl(writer->root_fd, F_DUPFD_CLOEXEC, 0);
        return path_open_beneath(writer->root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static int make_directory(VolumeWriter *writer, const char *name);

/* The directory that holds `name`, made with its parents where need be, and the last component.
 * The fd is the writer's and good until the next call. */
static int enter_parent(VolumeWriter *writer, const char *name, const char **ret_last) {
        const char *slash = strrchr(name, '/');
        g_autofree char *parent = slash ? g_strndup(name, (gsize) (slash - name)) : g_strdup("");
        int fd, r;

        *ret_last = slash ? slash + 1 : name;
        if (g_strcmp0(parent, writer->parent) == 0)
                return writer->parent_fd;

        r = make_directory(writer, parent);
        if (r < 0)
                return r;
        fd = open_directory(writer, parent);
        if (fd < 0)
                return fd;
        g_free(writer->parent);
        writer->parent = TAKE_PTR(parent);
        (void) fd_close(writer->parent_fd);
        writer->parent_fd = fd;
        return fd;
}

static int make_directory(VolumeWriter *writer, const char *name) {
        const char *last;
        int fd;

        if (g_hash_table_contains(writer->directories, name))
                return 0;
        fd = enter_parent(writer, name, &last);
        if (fd < 0)
                return fd;
        if (mkdirat(fd, last, 0700) < 0)
                return -errno;
        g_hash_table_insert(writer->directories, g_strdup(name), NULL);
        return 0;
}

int volume_writer_add_directory(VolumeWriter *writer, const char *name, Attributes *attributes,
                                Error *ret_error) {
        g_autoptr(Attributes) owned = attributes;
        int r;

        r = make_directory(writer, name);
        if (r < 0)
                return volume_writer_error(name, -r, ret_error);
        g_hash_table_insert(writer->directories, g_strdup(name), TAKE_PTR(owned));
        return 0;
}

int volume_writer_open_file(VolumeWriter *writer, const char *name, mode_t mode, int *ret_fd,
                            Error *ret_error) {
        const char *last;
        int fd = enter_parent(writer, name, &last);

        if (fd >= 0)
                fd = path_open_beneath(fd, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                                       mode & 0777); /* the jail's umask is 0 */
        if (fd < 0)
                return volume_writer_error(name, -fd, ret_error);
        *ret_fd = fd;
        return 0;
}

/* What cannot be opened, or not without waiting for somebody, gets its attributes by name. */
static int apply_by_name(int parent_fd, const char *last, const Attributes *attributes) {
        if (fchownat(parent_fd, last, attributes_get_uid(attributes),
                     attributes_get_gid(attributes), AT_SYMLINK_NOFOLLOW) < 0 ||
            utimensat(parent_fd, last, attributes_get_times(attributes), AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return 0;
}

int volume_writer_add_symlink(VolumeWriter *writer, const char *name, const char *target,
                              const Attributes *attributes, Error *ret_error) {
        const char *last;
        int fd = enter_parent(writer, name, &last), r;

        r = fd < 0 ? fd : symlinkat(target, fd, last) < 0 ? -errno : 0;
        if (r >= 0)
                r = apply_by_name(fd, last, attributes);
        return r < 0 ? volume_writer_error(name, -r, ret_error) : 0;
}

int volume_writer_add_fifo(VolumeWriter *writer, const char *name, const Attributes *attributes,
                           Error *ret_error) {
        const char *last;
        int fd = enter_parent(writer, name, &last), r;

        /* The jail's umask is 0. */
        r = fd < 0 ? fd :
            mknodat(fd, last, S_IFIFO | (attributes_get_mode(attributes) & 0777), 0) < 0 ? -errno :
                                                                                            0;
        if (r >= 0)
                r = apply_by_name(fd, last, attributes);
        return r < 0 ? volume_writer_error(name, -r, ret_error) : 0;
}

int volume_writer_add_link(VolumeWriter *writer, const char *name, const char *target,
                           Error *ret_error) {
        const char *slash = strrchr(target, '/'), *last;
        g_autofree char *target_parent =
                slash ? g_strndup(target, (gsize) (slash - target)) : g_strdup("");
        _cleanup_close_ int target_fd = open_directory(writer, target_parent);
        int fd, r;

        if (target_fd < 0)
                return volume_writer_error(target, -target_fd, ret_error);
        fd = enter_parent(writer, name, &last);
        r = fd < 0 ? fd :
            linkat(target_fd, slash ? slash + 1 : target, fd, last, 0) < 0 ? -errno : 0;
        return r < 0 ? volume_writer_error(name, -r, ret_error) : 0;
}

static int finish_directory(VolumeWriter *writer, const char *name, const Attributes *attributes,
                            Error *ret_error) {
        _cleanup_close_ int fd = open_directory(writer, name);

        if (fd < 0)
                return fd;
        if (attributes)
                return attributes_apply(attributes, fd, name, ret_error);
        return fchmod(fd, DIRECTORY_MODE) < 0 ? -errno : 0;
}

int volume_writer_finish(VolumeWriter *writer, Error *ret_error) {
        GHashTableIter iter;
        gpointer name, attributes;

        g_hash_table_iter_init(&iter, writer->directories);
        while (g_hash_table_iter_next(&iter, &name, &attributes)) {
                int r = finish_directory(writer, name, attributes, ret_error);

                if (r < 0)
                        return volume_writer_error(name, -r, ret_error);
        }
        return 0;
}
