/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/subvolume.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include <btrfsutil.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>

/* What the kernel's export code calls a handle of inode, subvolume and generation; part of what
 * NFS clients keep, and so as stable as the format on disk. */
#define FILEID_BTRFS_WITHOUT_PARENT 0x4d

typedef struct SubvolumeHandle {
        struct file_handle header;
        struct __attribute__((packed)) {
                uint64_t inode;
                uint64_t subvolume;
                uint32_t generation;
        } id;
} SubvolumeHandle;
G_STATIC_ASSERT(offsetof(SubvolumeHandle, id) == offsetof(struct file_handle, f_handle));

typedef struct TreeKey {
        uint64_t tree;
        uint64_t object;
        uint32_t first_type;
        uint32_t last_type;
} TreeKey;

/* Gets each item of the tree that the key covers; negative ends the search. */
typedef int (*TreeItemFunc)(const struct btrfs_ioctl_search_header *header, const char *data,
                            void *userdata);

static int tree_search(int fd, TreeKey key, TreeItemFunc func, void *userdata) {
        struct btrfs_ioctl_search_args args = {
                .key = {
                        .tree_id = key.tree,
                        .min_objectid = key.object,
                        .max_objectid = key.object,
                        .min_type = key.first_type,
                        .max_type = key.last_type,
                        .max_offset = UINT64_MAX,
                        .max_transid = UINT64_MAX,
                },
        };

        for (;;) {
                struct btrfs_ioctl_search_header header = { 0 };
                size_t position = 0;

                args.key.nr_items = 4096;
                if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) < 0)
                        return -errno;
                if (args.key.nr_items == 0)
                        return 0;
                for (uint32_t i = 0; i < args.key.nr_items; i++) {
                        int r;

                        memcpy(&header, args.buf + position, sizeof(header));
                        position += sizeof(header);
                        r = func(&header, args.buf + position, userdata);
                        if (r < 0)
                                return r;
                        position += header.len;
                }
                if (header.offset == UINT64_MAX)
                        return 0;
                args.key.min_type = header.type;
                args.key.min_offset = header.offset + 1;
        }
}

typedef struct Listing {
        GPtrArray *found;
        uint64_t parent_id;
        Subvolume *parent; /* NULL for the one that the search began at */
} Listing;

static int listing_add(const struct btrfs_ioctl_search_header *header, const char *data,
                       void *userdata) {
        Listing *listing = userdata;
        struct btrfs_root_ref ref;
        g_autoptr(Subvolume) child = NULL;

        if (header->type == BTRFS_ROOT_ITEM_KEY && listing->parent) {
                uint64_t flags;

                if (header->len < offsetof(struct btrfs_root_item, flags) + sizeof(flags))
                        return -EUCLEAN;
                memcpy(&flags, data + offsetof(struct btrfs_root_item, flags), sizeof(flags));
                listing->parent->read_only = le64toh(flags) & BTRFS_ROOT_SUBVOL_RDONLY;
        }
        if (header->type != BTRFS_ROOT_REF_KEY)
                return 0;

        if (header->len < sizeof(ref))
                return -EUCLEAN;
        memcpy(&ref, data, sizeof(ref));
        if (header->len < sizeof(ref) + le16toh(ref.name_len))
                return -EUCLEAN;
        child = g_new0(Subvolume, 1);
        child->id = header->offset;
        child->parent_id = listing->parent_id;
        child->directory = le64toh(ref.dirid);
        child->name = g_strndup(data + sizeof(ref), le16toh(ref.name_len));
        g_ptr_array_add(listing->found, g_steal_pointer(&child));
        return 0;
}

void subvolume_free(Subvolume *subvolume) {
        if (!subvolume)
                return;
        g_free(subvolume->name);
        g_free(subvolume);
}

int subvolume_list_nested(int fd, GPtrArray **ret) {
        g_autoptr(GPtrArray) found =
                g_ptr_array_new_with_free_func((GDestroyNotify) subvolume_free);
        Listing listing = { .found = found };
        guint next = 0;

        if (btrfs_util_subvolume_id_fd(fd, &listing.parent_id))
                return -errno;
        for (;;) {
                TreeKey key = {
                        .tree = BTRFS_ROOT_TREE_OBJECTID,
                        .object = listing.parent_id,
                        .first_type = BTRFS_ROOT_ITEM_KEY,
                        .last_type = BTRFS_ROOT_REF_KEY,
                };
                int r = tree_search(fd, key, listing_add, &listing);

                if (r < 0)
                        return r;
                if (next == found->len)
                        break;
                listing.parent = found->pdata[next++];
                listing.parent_id = listing.parent->id;
        }
        *ret = g_steal_pointer(&found);
        return 0;
}

static int read_generation(const struct btrfs_ioctl_search_header *header, const char *data,
                           void *userdata) {
        struct btrfs_inode_item item;
        uint64_t *ret = userdata;

        if (header->len < sizeof(item))
                return -EUCLEAN;
        memcpy(&item, data, sizeof(item));
        *ret = le64toh(item.generation);
        return 0;
}

int subvolume_open_directory(int fd, uint64_t id, uint64_t inode) {
        TreeKey key = {
                .tree = id,
                .object = inode,
                .first_type = BTRFS_INODE_ITEM_KEY,
                .last_type = BTRFS_INODE_ITEM_KEY,
        };
        SubvolumeHandle handle = {
                .header = {
                        .handle_bytes = sizeof(handle.id),
                        .handle_type = FILEID_BTRFS_WITHOUT_PARENT,
                },
                .id = { .inode = inode, .subvolume = id },
        };
        uint64_t generation = 0;
        int directory_fd, r;

        r = tree_search(fd, key, read_generation, &generation);
        if (r < 0)
                return r;
        if (generation == 0)
                return -ENOENT;
        handle.id.generation = (uint32_t) generation;
        directory_fd = open_by_handle_at(fd, &handle.header, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return directory_fd < 0 ? -errno : directory_fd;
}
