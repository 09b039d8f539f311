/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/root-filesystem.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/image/architecture.h"
#include "service/worker/image/attributes.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/entry-name.h"
#include "service/worker/image/tree.h"
#include "service/worker/image/volume-writer.h"

/* In the order in which they are believed. */
static const char *const os_release_names[] = { "etc/os-release", "usr/lib/os-release" };

struct RootFilesystem {
        const char *prefix;
        uint32_t id_count;
        Tree *tree;
        VolumeWriter *writer; /* NULL: nothing is written */
        GByteArray *os_release[ELEMENTSOF(os_release_names)];
        int64_t newest;       /* modification time, in seconds */
        uint32_t skipped;
        bool is_empty;
};

/* Where the content of a file goes. */
typedef struct Content {
        int fd;              /* -EBADF: nowhere */
        uint64_t size;       /* end of what has been written */
        guint8 head[ARCHITECTURE_ELF_SIZE];
        size_t head_size;
        GByteArray *capture; /* or NULL */
} Content;

RootFilesystem *root_filesystem_new(int root_fd, const char *prefix, uint32_t id_count) {
        RootFilesystem *fs = g_new(RootFilesystem, 1);

        *fs = (RootFilesystem) {
                .prefix = prefix,
                .id_count = id_count,
                .tree = tree_new(),
                .writer = root_fd >= 0 ? volume_writer_new(root_fd) : NULL,
                .is_empty = true,
        };
        return fs;
}

RootFilesystem *root_filesystem_free(RootFilesystem *fs) {
        if (!fs)
                return NULL;
        (void) tree_free(fs->tree);
        (void) volume_writer_free(fs->writer);
        for (size_t i = 0; i < ELEMENTSOF(fs->os_release); i++)
                g_clear_pointer(&fs->os_release[i], g_byte_array_unref);
        g_free(fs);
        return NULL;
}

uint32_t root_filesystem_get_skipped(const RootFilesystem *fs) {
        return fs->skipped;
}

/* --- Content ----------------------------------------------------------------------------- */

static int write_at(int fd, const void *data, size_t size, uint64_t offset) {
        const char *p = data;

        while (size > 0) {
                ssize_t n = pwrite(fd, p, size, (off_t) offset);

                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                p += n;
                offset += (uint64_t) n;
                size -= (size_t) n;
        }
        return 0;
}

static int content_add(Content *content, const void *data, size_t size, uint64_t offset) {
        if (offset == content->head_size && content->head_size < sizeof(content->head)) {
                size_t n = MIN(size, sizeof(content->head) - content->head_size);

                memcpy(content->head + content->head_size, data, n);
                content->head_size += n;
        }
        if (content->capture && offset == content->capture->len &&
            size <= IMAGE_OS_RELEASE_MAX - content->capture->len)
                g_byte_array_append(content->capture, data, (guint) size);
        content->size = offset + size;
        return content->fd >= 0 ? write_at(content->fd, data, size, offset) : 0;
}

static int content_copy(Content *content, ArchiveReader *reader, const char *name,
                        Error *ret_error) {
        for (;;) {
                const void *data;
                uint64_t offset;
                size_t size;
                int r;

                r = archive_reader_read(reader, &data, &size, &offset, ret_error);
                if (r < 0)
                        return r;
                if (r == 0)
                        return 0;
                r = content_add(content, data, size, offset);
                if (r < 0)
                        return volume_writer_error(name, -r, ret_error);
        }
}

/* --- Entries ----------------------------------------------------------------------------- */

static GByteArray *start_capture(RootFilesystem *fs, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(os_release_names); i++) {
                if (!g_str_equal(name, os_release_names[i]))
                        continue;
                g_clear_pointer(&fs->os_release[i], g_byte_array_unref);
                fs->os_release[i] = g_byte_array_new();
                return fs->os_release[i];
        }
        return NULL;
}

static int add_file(RootFilesystem *fs, const char *name, struct archive_entry *entry,
                    const Attributes *attributes, ArchiveReader *reader, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        Content content = { .fd = -EBADF, .capture = start_capture(fs, name) };
        la_int64_t size = archive_entry_size(entry);
        TreeNode *node;
        int r;

        if (size < 0)
                return entry_name_error(name, "its size is negative", ret_error);
        r = tree_add(fs->tree, name, TREE_FILE, &node, ret_error);
        if (r >= 0 && fs->writer) {
                r = volume_writer_open_file(fs->writer, name, attributes_get_mode(attributes), &fd,
                                            ret_error);
                content.fd = fd;
        }
        if (r >= 0)
                r = content_copy(&content, reader, name, ret_error);
        if (r < 0)
                return r;
        if (content.size > (uint64_t) size)
                return entry_name_error(name, "it is longer than its size", ret_error);
        node->architecture = architecture_from_elf(content.head, content.head_size);
        if (fd < 0)
                return 0;

        /* A file that ends in a hole. */
        r = content.size < (uint64_t) size && ftruncate(fd, (off_t) size) < 0 ? -errno : 0;
        if (r >= 0)
                r = attributes_apply(attributes, fd, name, ret_error);
        return r < 0 ? volume_writer_error(name, -r, ret_error) : 0;
}

static int add_directory(RootFilesystem *fs, const char *name, Attributes **attributes,
                         Error *ret_error) {
        TreeNode *node;
        int r;

        r = tree_add(fs->tree, name, TREE_DIRECTORY, &node, ret_error);
        if (r < 0 || !fs->writer)
                return r;
        return volume_writer_add_directory(fs->writer, name, TAKE_PTR(*attributes), ret_error);
}

static int add_symlink(RootFilesystem *fs, const char *name, struct archive_entry *entry,
                       const Attributes *attributes, Error *ret_error) {
        const char *target = archive_entry_symlink(entry);
        TreeNode *node;
        int r;

        if (!target || target[0] == '\0' || strlen(target) > IMAGE_PATH_MAX)
                return entry_name_error(name, "it is a symbolic link without a target, or with one "
                                        "that is too long", ret_error);
        r = tree_add(fs->tree, name, TREE_SYMLINK, &node, ret_error);
        if (r < 0)
                return r;
        node->target = g_strdup(target);
        if (!fs->writer)
                return 0;
        return volume_writer_add_symlink(fs->writer, name, target, attributes, ret_error);
}

static int add_fifo(RootFilesystem *fs, const char *name, const Attributes *attributes,
                    Error *ret_error) {
        TreeNode *node;
        int r;

        r = tree_add(fs->tree, name, TREE_OTHER, &node, ret_error);
        if (r < 0 || !fs->writer)
                return r;
        return volume_writer_add_fifo(fs->writer, name, attributes, ret_error);
}

static int add_device(RootFilesystem *fs, const char *name, Error *ret_error) {
        TreeNode *node;
        int r;

        if (!entry_name_below(name, "dev"))
                return entry_name_error(name, "it is a device node outside dev/", ret_error);
        r = tree_add(fs->tree, name, TREE_SKIPPED, &node, ret_error);
        if (r >= 0)
                fs->skipped++;
        return r;
}

/* The target of a hard link is named like an entry, from the top of the archive. */
static int add_link(RootFilesystem *fs, const char *name, const char *raw_target,
                    ArchiveReader *reader, Error *ret_error) {
        g_autofree char *full = NULL;
        const char *target;
        const void *data;
        uint64_t offset;
        TreeNode *node;
        size_t size;
        int r;

        if (entry_name_parse(raw_target, false, &full, NULL) < 0)
                return entry_name_error(name, "it is a hard link out of the image", ret_error);
        target = entry_name_below(full, fs->prefix);
        if (!target || target[0] == '\0')
                return entry_name_error(name, "it is a hard link out of the root filesystem",
                                        ret_error);
        r = archive_reader_read(reader, &data, &size, &offset, ret_error);
        if (r < 0)
                return r;
        if (r > 0)
                return entry_name_error(name, "it is a hard link with content of its own",
                                        ret_error);
        r = tree_add_link(fs->tree, name, target, &node, ret_error);
        if (r < 0)
                return r;
        if (node->kind == TREE_SKIPPED) {
                fs->skipped++;
                return 0;
        }
        if (!fs->writer)
                return 0;
        return volume_writer_add_link(fs->writer, name, target, ret_error);
}

int root_filesystem_add(RootFilesystem *fs, const char *name, struct archive_entry *entry,
                        ArchiveReader *reader, Error *ret_error) {
        unsigned type = archive_entry_filetype(entry);
        const char *link = archive_entry_hardlink(entry);
        g_autoptr(Attributes) attributes = NULL;
        int r;

        if (name[0] == '\0' && (link || type != AE_IFDIR))
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The image's root filesystem is not a directory but something "
                                 "else of that name");
        if (name[0] != '\0')
                fs->is_empty = false;
        if (link)
                return add_link(fs, name, link, reader, ret_error);
        if (type == AE_IFCHR || type == AE_IFBLK)
                return add_device(fs, name, ret_error);

        r = attributes_read(entry, name, type == AE_IFREG || type == AE_IFDIR, fs->id_count,
                            &attributes, ret_error);
        if (r < 0)
                return r;
        fs->newest = MAX(fs->newest, (int64_t) attributes_get_times(attributes)[1].tv_sec);

        switch (type) {
        case AE_IFREG:
                return add_file(fs, name, entry, attributes, reader, ret_error);
        case AE_IFDIR:
                return add_directory(fs, name, &attributes, ret_error);
        case AE_IFLNK:
                return add_symlink(fs, name, entry, attributes, ret_error);
        case AE_IFIFO:
                return add_fifo(fs, name, attributes, ret_error);
        default:
                return entry_name_error(name, "it is of a kind that is not known", ret_error);
        }
}

int root_filesystem_finish(RootFilesystem *fs, bool may_be_empty, Error *ret_error) {
        if (fs->is_empty && !may_be_empty)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive holds no root filesystem");
        return fs->writer ? volume_writer_finish(fs->writer, ret_error) : 0;
}

/* --- Afterwards -------------------------------------------------------------------------- */

static const char *find_architecture(RootFilesystem *fs) {
        /* One of these is in whatever can be started as a system. */
        static const char *const programs[] = {
                "sbin/init",    "bin/sh",       "usr/bin/sh",   "bin/bash",
                "bin/busybox",  "usr/bin/env",  "usr/bin/bash", "usr/lib/systemd/systemd",
        };

        for (size_t i = 0; i < ELEMENTSOF(programs); i++) {
                const TreeNode *node = tree_resolve(fs->tree, programs[i]);

                if (node && node->architecture)
                        return node->architecture;
        }
        return NULL;
}

int root_filesystem_describe(RootFilesystem *fs, ImageMetadata **ret, Error *ret_error) {
        g_autoptr(ImageMetadata) metadata = NULL;
        const char *architecture = find_architecture(fs);
        GByteArray *os_release = NULL;
        int64_t now = (int64_t) time(NULL);

        if (!architecture)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive is neither an image nor a root filesystem: it has no "
                                 "metadata.yaml, and none of sbin/init, bin/sh and usr/bin/env is "
                                 "a program that tells its architecture");

        for (size_t i = ELEMENTSOF(fs->os_release); i > 0; i--)
                if (fs->os_release[i - 1] && fs->os_release[i - 1]->len > 0)
                        os_release = fs->os_release[i - 1];
        metadata = os_release ? image_metadata_from_os_release((const char *) os_release->data,
                                                               os_release->len) :
                                image_metadata_new();
        metadata->architecture = g_strdup(architecture);
        metadata->created_usec =
                (uint64_t) (fs->newest > 0 && fs->newest < now ? fs->newest : now) *
                G_TIME_SPAN_SECOND;
        *ret = TAKE_PTR(metadata);
        return 0;
}
