/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/squashfs-reader.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <sqfs/block.h>
#include <sqfs/compressor.h>
#include <sqfs/data_reader.h>
#include <sqfs/dir.h>
#include <sqfs/dir_reader.h>
#include <sqfs/error.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/super.h>
#include <sqfs/xattr.h>
#include <sqfs/xattr_reader.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/entry-name.h"
#include "service/worker/image/squashfs-file.h"

/* What may follow the filesystem so that its length is a round number. */
#define PADDING_MAX (1U << 20)
#define NO_XATTRS 0xFFFFFFFFU

/* A directory that is still to be read. */
typedef struct Directory {
        char *name;
        sqfs_inode_generic_t *inode;
} Directory;

struct SquashfsReader {
        ArchiveProgress progress;
        void *userdata;
        uint64_t archive_size;
        uint64_t unpacked; /* bytes of content, without holes */
        uint64_t declared; /* sum of the sizes of all files */

        sqfs_file_t *file;
        sqfs_super_t super;
        sqfs_compressor_t *compressor;
        sqfs_dir_reader_t *directories;
        sqfs_data_reader_t *fragments;
        sqfs_id_table_t *ids;
        sqfs_xattr_reader_t *xattrs;

        GPtrArray *stack;      /* Directory *, read from its end */
        Directory *current;    /* NULL between two of them */
        GHashTable *first_names; /* number of an inode with several names to the first of them */
        struct archive_entry *entry;

        /* the content of the entry */
        sqfs_inode_generic_t *inode;
        size_t next_block;     /* one more than there are: the fragment; beyond it: the end */
        uint64_t block_offset; /* of that block in the archive */
        sqfs_u8 *packed, *block;
};

bool squashfs_has_magic(const unsigned char magic[SQUASHFS_MAGIC_SIZE]) {
        return memcmp(magic, "hsqs", SQUASHFS_MAGIC_SIZE) == 0;
}

static void directory_free(gpointer p) {
        Directory *directory = p;

        if (!directory)
                return;
        g_free(directory->name);
        sqfs_free(directory->inode);
        g_free(directory);
}

SquashfsReader *squashfs_reader_free(SquashfsReader *reader) {
        if (!reader)
                return NULL;
        g_clear_pointer(&reader->stack, g_ptr_array_unref);
        directory_free(reader->current);
        g_clear_pointer(&reader->first_names, g_hash_table_unref);
        if (reader->entry)
                archive_entry_free(reader->entry);
        sqfs_free(reader->inode);
        g_free(reader->packed);
        g_free(reader->block);
        sqfs_destroy(reader->xattrs);
        sqfs_destroy(reader->ids);
        sqfs_destroy(reader->fragments);
        sqfs_destroy(reader->directories);
        sqfs_destroy(reader->compressor);
        sqfs_destroy(reader->file);
        g_free(reader);
        return NULL;
}

static int squashfs_failed(int code, Error *ret_error) {
        const char *why = "something in it makes no sense";

        if (code == SQFS_ERROR_ALLOC)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "Reading the squashfs takes more memory than the %u MiB it may "
                                 "have", (unsigned) (JAIL_MEMORY_MAX >> 20));
        if (code == SQFS_ERROR_UNSUPPORTED || code == SFQS_ERROR_SUPER_VERSION)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "The squashfs is of a version or compression that is not "
                                 "supported; use mksquashfs 4 with gzip, xz, lz4 or zstd");
        if (code == SQFS_ERROR_OUT_OF_BOUNDS)
                why = "it ends too early, or points beyond its end";
        else if (code == SQFS_ERROR_COMPRESSOR)
                why = "a block cannot be decompressed";
        else if (code == SQFS_ERROR_IO)
                why = "it cannot be read";
        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "The squashfs archive is damaged or cut off (%s)", why);
}

/* --- Opening ----------------------------------------------------------------------------- */

/* Of a squashfs nothing may follow but zeros, as little as of a tar archive. */
static int check_padding(SquashfsReader *reader, Error *ret_error) {
        uint64_t end = reader->super.bytes_used;
        g_autofree char *padding = NULL;
        size_t size;
        int r;

        if (end > reader->archive_size)
                return squashfs_failed(SQFS_ERROR_OUT_OF_BOUNDS, ret_error);
        size = (size_t) MIN(reader->archive_size - end, PADDING_MAX + 1);
        padding = g_malloc(size + 1);
        r = reader->file->read_at(reader->file, end, padding, size);
        if (r < 0)
                return squashfs_failed(r, ret_error);
        for (size_t i = 0; i < size; i++)
                if (padding[i] != '\0' || size > PADDING_MAX)
                        return error_set(ret_error, ERROR_INVALID_IMAGE,
                                         "The squashfs has something after its end");
        return 0;
}

static int make_compressor(SquashfsReader *reader) {
        sqfs_compressor_config_t config;
        int r;

        r = sqfs_compressor_config_init(&config, (SQFS_COMPRESSOR) reader->super.compression_id,
                                        reader->super.block_size, SQFS_COMP_FLAG_UNCOMPRESS);
        if (r == 0)
                r = sqfs_compressor_create(&config, &reader->compressor);
        if (r == 0 && (reader->super.flags & SQFS_FLAG_COMPRESSOR_OPTIONS))
                r = reader->compressor->read_options(reader->compressor, reader->file);
        return r;
}

static int make_readers(SquashfsReader *reader) {
        int r;

        reader->directories = sqfs_dir_reader_create(&reader->super, reader->compressor,
                                                     reader->file, 0);
        reader->fragments = sqfs_data_reader_create(reader->file, reader->super.block_size,
                                                    reader->compressor, 0);
        reader->ids = sqfs_id_table_create(0);
        reader->xattrs = sqfs_xattr_reader_create(0);
        if (!reader->directories || !reader->fragments || !reader->ids || !reader->xattrs)
                return SQFS_ERROR_ALLOC;
        r = sqfs_data_reader_load_fragment_table(reader->fragments, &reader->super);
        if (r == 0)
                r = sqfs_id_table_read(reader->ids, reader->file, &reader->super,
                                       reader->compressor);
        if (r == 0 && !(reader->super.flags & SQFS_FLAG_NO_XATTRS))
                r = sqfs_xattr_reader_load(reader->xattrs, &reader->super, reader->file,
                                           reader->compressor);
        return r;
}

static void push(SquashfsReader *reader, const char *name, sqfs_inode_generic_t *inode) {
        Directory *directory = g_new(Directory, 1);

        *directory = (Directory) { g_strdup(name), inode };
        g_ptr_array_add(reader->stack, directory);
}

int squashfs_reader_open(int fd, uint64_t size, ArchiveProgress progress, void *userdata,
                         SquashfsReader **ret, Error *ret_error) {
        g_autoptr(SquashfsReader) reader = g_new(SquashfsReader, 1);
        sqfs_inode_generic_t *root;
        int r;

        *reader = (SquashfsReader) {
                .progress = progress,
                .userdata = userdata,
                .archive_size = size,
                .file = squashfs_file_new(fd, size),
                .stack = g_ptr_array_new_with_free_func(directory_free),
                .first_names = g_hash_table_new_full(NULL, NULL, NULL, g_free),
        };
        r = sqfs_super_read(&reader->super, reader->file);
        if (r < 0)
                return squashfs_failed(r, ret_error);
        r = check_padding(reader, ret_error);
        if (r < 0)
                return r;
        r = make_compressor(reader);
        if (r == 0)
                r = make_readers(reader);
        if (r == 0)
                r = sqfs_dir_reader_get_root_inode(reader->directories, &root);
        if (r != 0)
                return squashfs_failed(r, ret_error);
        push(reader, "", root);
        reader->packed = g_malloc(reader->super.block_size);
        reader->block = g_malloc(reader->super.block_size);
        *ret = TAKE_PTR(reader);
        return 0;
}

/* --- Entries ----------------------------------------------------------------------------- */

static bool inode_is_directory(const sqfs_inode_generic_t *inode) {
        return inode->base.type == SQFS_INODE_DIR || inode->base.type == SQFS_INODE_EXT_DIR;
}

static mode_t inode_file_type(const sqfs_inode_generic_t *inode) {
        static const mode_t types[] = { 0,       S_IFDIR, S_IFREG, S_IFLNK,
                                        S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK };
        unsigned type = inode->base.type;

        if (type >= SQFS_INODE_EXT_DIR)
                type -= SQFS_INODE_EXT_DIR - SQFS_INODE_DIR;
        return type < ELEMENTSOF(types) ? types[type] : 0;
}

/* How many names something that is no directory has. */
static uint32_t inode_links(const sqfs_inode_generic_t *inode) {
        switch ((SQFS_INODE_TYPE) inode->base.type) {
        case SQFS_INODE_EXT_FILE:
                return inode->data.file_ext.nlink;
        case SQFS_INODE_SLINK:
                return inode->data.slink.nlink;
        case SQFS_INODE_EXT_SLINK:
                return inode->data.slink_ext.nlink;
        case SQFS_INODE_BDEV:
        case SQFS_INODE_CDEV:
                return inode->data.dev.nlink;
        case SQFS_INODE_EXT_BDEV:
        case SQFS_INODE_EXT_CDEV:
                return inode->data.dev_ext.nlink;
        case SQFS_INODE_FIFO:
        case SQFS_INODE_SOCKET:
                return inode->data.ipc.nlink;
        case SQFS_INODE_EXT_FIFO:
        case SQFS_INODE_EXT_SOCKET:
                return inode->data.ipc_ext.nlink;
        case SQFS_INODE_DIR:
        case SQFS_INODE_FILE:
        case SQFS_INODE_EXT_DIR:
                break;
        }
        return 1;
}

static char *inode_target(const sqfs_inode_generic_t *inode) {
        uint32_t size = inode->base.type == SQFS_INODE_EXT_SLINK ? inode->data.slink_ext.target_size
                                                                 : inode->data.slink.target_size;

        return g_strndup((const char *) inode->extra, MIN(size, inode->payload_bytes_available));
}

static int add_owner(SquashfsReader *reader, const sqfs_inode_generic_t *inode) {
        sqfs_u32 uid, gid;
        int r;

        r = sqfs_id_table_index_to_id(reader->ids, inode->base.uid_idx, &uid);
        if (r == 0)
                r = sqfs_id_table_index_to_id(reader->ids, inode->base.gid_idx, &gid);
        if (r != 0)
                return r;
        archive_entry_set_uid(reader->entry, uid);
        archive_entry_set_gid(reader->entry, gid);
        return 0;
}

static int add_xattr(SquashfsReader *reader) {
        sqfs_xattr_entry_t *key = NULL;
        sqfs_xattr_value_t *value = NULL;
        int r;

        r = sqfs_xattr_reader_read_key(reader->xattrs, &key);
        if (r == 0)
                r = sqfs_xattr_reader_read_value(reader->xattrs, key, &value);
        if (r == 0)
                archive_entry_xattr_add_entry(reader->entry, (const char *) key->key, value->value,
                                              value->size);
        sqfs_free(key);
        sqfs_free(value);
        return r;
}

static int add_xattrs(SquashfsReader *reader, const char *name, const sqfs_inode_generic_t *inode,
                      Error *ret_error) {
        sqfs_u32 index = NO_XATTRS;
        sqfs_xattr_id_t set;
        int r;

        if (sqfs_inode_get_xattr_index(inode, &index) != 0 || index == NO_XATTRS)
                return 0;
        r = sqfs_xattr_reader_get_desc(reader->xattrs, index, &set);
        if (r == 0 && set.count > IMAGE_XATTRS_MAX)
                return entry_name_error(name, "it has too many extended attributes", ret_error);
        if (r == 0)
                r = sqfs_xattr_reader_seek_kv(reader->xattrs, &set);
        for (uint32_t i = 0; r == 0 && i < set.count; i++)
                r = add_xattr(reader);
        return r < 0 ? squashfs_failed(r, ret_error) : 0;
}

/* What the sizes of files come to is known before any of them is read. */
static int add_size(SquashfsReader *reader, const sqfs_inode_generic_t *inode, Error *ret_error) {
        sqfs_u64 size;
        int r = sqfs_inode_get_file_size(inode, &size);

        if (r < 0)
                return squashfs_failed(r, ret_error);
        if (size > IMAGE_UNPACKED_MAX)
                return archive_check_amount(reader->archive_size, size, ret_error);
        reader->declared += size;
        if (reader->declared > IMAGE_UNPACKED_MAX)
                return archive_check_amount(reader->archive_size, reader->declared, ret_error);
        archive_entry_set_size(reader->entry, (la_int64_t) size);
        return 0;
}

/* Positive where it is one more name of something that was there before. */
static int add_link(SquashfsReader *reader, const char *name, const sqfs_inode_generic_t *inode) {
        gpointer key = GUINT_TO_POINTER(inode->base.inode_number);
        const char *first;

        if (inode_is_directory(inode) || inode_links(inode) < 2)
                return 0;
        first = g_hash_table_lookup(reader->first_names, key);
        if (!first) {
                g_hash_table_insert(reader->first_names, key, g_strdup(name));
                return 0;
        }
        archive_entry_set_hardlink(reader->entry, first);
        return 1;
}

static int fill_entry(SquashfsReader *reader, const char *name, const sqfs_inode_generic_t *inode,
                      Error *ret_error) {
        mode_t type = inode_file_type(inode);
        int r;

        if (reader->entry)
                archive_entry_free(reader->entry);
        reader->entry = archive_entry_new();
        if (!reader->entry)
                g_error("Out of memory");
        archive_entry_set_pathname(reader->entry, *name ? name : ".");
        archive_entry_set_mode(reader->entry, type | (inode->base.mode & 07777));
        archive_entry_set_mtime(reader->entry, inode->base.mod_time, 0);
        r = add_link(reader, name, inode);
        if (r > 0)
                return 0;
        r = add_owner(reader, inode);
        if (r < 0)
                return squashfs_failed(r, ret_error);
        if (type == S_IFLNK) {
                g_autofree char *target = inode_target(inode);

                archive_entry_set_symlink(reader->entry, target);
        }
        if (type == S_IFREG) {
                r = add_size(reader, inode, ret_error);
                if (r < 0)
                        return r;
                (void) sqfs_inode_get_file_block_start(inode, &reader->block_offset);
        }
        return add_xattrs(reader, name, inode, ret_error);
}

/* A name that could be taken for a path would be one for the rest. */
static int child_name(const char *parent, const sqfs_dir_entry_t *entry, char **ret,
                      Error *ret_error) {
        size_t size = (size_t) entry->size + 1;
        g_autofree char *name = g_strndup((const char *) entry->name, size);

        if (strlen(name) != size || strchr(name, '/'))
                return entry_name_error(name, "its name holds a slash or a zero byte", ret_error);
        *ret = *parent ? g_strconcat(parent, "/", name, NULL) : g_strdup(name);
        return 0;
}

/* Reads the next entry of the directory at hand. Returns 0 at its end. */
static int next_child(SquashfsReader *reader, char **ret_name, Error *ret_error) {
        sqfs_dir_entry_t *entry = NULL;
        int r, q;

        r = sqfs_dir_reader_read(reader->directories, &entry);
        if (r > 0)
                return 0;
        if (r == 0)
                r = sqfs_dir_reader_get_inode(reader->directories, &reader->inode);
        if (r < 0) {
                sqfs_free(entry);
                return squashfs_failed(r, ret_error);
        }
        q = child_name(reader->current->name, entry, ret_name, ret_error);
        sqfs_free(entry);
        return q < 0 ? q : 1;
}

/* Goes on to the next directory, which is an entry itself only where it is the root. */
static int enter_directory(SquashfsReader *reader, Error *ret_error) {
        Directory *directory = g_ptr_array_steal_index(reader->stack, reader->stack->len - 1);
        int r;

        reader->current = directory;
        r = sqfs_dir_reader_open_dir(reader->directories, directory->inode,
                                     SQFS_DIR_OPEN_NO_DOT_ENTRIES);
        return r < 0 ? squashfs_failed(r, ret_error) : 0;
}

static void forget_content(SquashfsReader *reader) {
        sqfs_free(reader->inode);
        reader->inode = NULL;
        reader->next_block = 0;
        reader->block_offset = 0;
}

int squashfs_reader_next(SquashfsReader *reader, struct archive_entry **ret, Error *ret_error) {
        g_autofree char *name = NULL;
        int r;

        forget_content(reader);
        while (!name) {
                bool is_first = !reader->current && !reader->entry;

                if (!reader->current) {
                        if (reader->stack->len == 0)
                                return 0;
                        r = enter_directory(reader, ret_error);
                        if (r < 0)
                                return r;
                }
                if (is_first) {
                        r = fill_entry(reader, "", reader->current->inode, ret_error);
                        *ret = reader->entry;
                        return r < 0 ? r : 1;
                }
                r = next_child(reader, &name, ret_error);
                if (r < 0)
                        return r;
                if (r == 0)
                        g_clear_pointer(&reader->current, directory_free);
        }
        r = fill_entry(reader, name, reader->inode, ret_error);
        if (r < 0)
                return r;
        if (inode_is_directory(reader->inode))
                push(reader, name, TAKE_PTR(reader->inode));
        *ret = reader->entry;
        return 1;
}

/* --- Content ----------------------------------------------------------------------------- */

/* Reads block `i` into reader->block; a hole is no block. */
static int read_block(SquashfsReader *reader, size_t i, size_t size) {
        uint32_t stored = reader->inode->extra[i];
        uint32_t packed_size = SQFS_ON_DISK_BLOCK_SIZE(stored);
        bool is_packed = SQFS_IS_BLOCK_COMPRESSED(stored);
        sqfs_u8 *to = is_packed ? reader->packed : reader->block;
        int r;

        if (packed_size > reader->super.block_size || (!is_packed && packed_size != size))
                return SQFS_ERROR_CORRUPTED;
        r = reader->file->read_at(reader->file, reader->block_offset, to, packed_size);
        if (r < 0 || !is_packed)
                return r;
        r = reader->compressor->do_block(reader->compressor, reader->packed, packed_size,
                                         reader->block, reader->super.block_size);
        return r < 0 ? r : (size_t) r != size ? SQFS_ERROR_CORRUPTED : 0;
}

/* The end of a file that shares a block with others. */
static int read_fragment(SquashfsReader *reader, size_t *ret_size) {
        sqfs_u8 *data = NULL;
        int r = sqfs_data_reader_get_fragment(reader->fragments, reader->inode, ret_size, &data);

        if (r == 0 && *ret_size > reader->super.block_size)
                r = SQFS_ERROR_CORRUPTED;
        if (r == 0 && *ret_size > 0)
                memcpy(reader->block, data, *ret_size);
        sqfs_free(data);
        return r;
}

/* The next block that is no hole, or the fragment. Returns 0 at the end. */
static int read_piece(SquashfsReader *reader, uint64_t file_size, size_t *ret_size,
                      uint64_t *ret_offset) {
        size_t n = sqfs_inode_get_file_block_count(reader->inode);
        uint32_t block_size = reader->super.block_size;
        int r;

        while (reader->next_block < n) {
                size_t i = reader->next_block++;
                uint64_t offset = (uint64_t) i * block_size;
                uint32_t stored = SQFS_ON_DISK_BLOCK_SIZE(reader->inode->extra[i]);

                if (offset >= file_size)
                        return SQFS_ERROR_CORRUPTED;
                if (stored == 0)
                        continue;
                *ret_size = (size_t) MIN(file_size - offset, block_size);
                *ret_offset = offset;
                r = read_block(reader, i, *ret_size);
                reader->block_offset += stored;
                return r < 0 ? r : 1;
        }
        if (reader->next_block++ > n)
                return 0;
        *ret_offset = (uint64_t) n * block_size;
        if (*ret_offset >= file_size)
                return 0;
        r = read_fragment(reader, ret_size);
        if (r == 0 && *ret_offset + *ret_size != file_size)
                r = SQFS_ERROR_CORRUPTED;
        return r < 0 ? r : *ret_size > 0;
}

int squashfs_reader_read(SquashfsReader *reader, const void **ret_data, size_t *ret_size,
                         uint64_t *ret_offset, Error *ret_error) {
        sqfs_u64 file_size;
        int r;

        if (!reader->inode || archive_entry_hardlink(reader->entry) ||
            sqfs_inode_get_file_size(reader->inode, &file_size) != 0)
                return 0;
        r = read_piece(reader, file_size, ret_size, ret_offset);
        if (r < 0)
                return squashfs_failed(r, ret_error);
        if (r == 0)
                return 0;
        reader->unpacked += *ret_size;
        reader->progress(reader->userdata, (double) squashfs_file_get_read(reader->file) /
                                                   (double) reader->archive_size);
        r = archive_check_amount(reader->archive_size, reader->unpacked, ret_error);
        if (r < 0)
                return r;
        *ret_data = reader->block;
        return 1;
}
