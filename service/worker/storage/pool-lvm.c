/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/pool-lvm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/size.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/program.h"
#include "service/worker/storage/lvm.h"
#include "service/worker/storage/mount.h"
#include "service/worker/storage/pool-disk.h"
#include "service/worker/thin-volume.h"

#define TAG_PREFIX "berth-"
#define THIN_POOL_DEFAULT "berth-thin"
#define VOLUME_SIZE_DEFAULT (UINT64_C(10) << 30)
/* Room for the entries and records of some thousands of volumes, most of which fit into inodes. */
#define TREE_SIZE "64m"

/* --- Groups ------------------------------------------------------------------------------ */

static char *tag_of(const PoolSource *source) {
        return g_strconcat(TAG_PREFIX, source->uuid, NULL);
}

static bool has_tag(const char *tags, const char *tag) {
        g_auto(GStrv) list = g_strsplit(tags, ",", -1);

        return g_strv_contains((const char *const *) list, tag);
}

/* Name of the pool's group; *ret is NULL where there is none. */
static int find_group(const PoolSource *source, char **ret, Error *ret_error) {
        g_autofree char *tag = tag_of(source);
        g_autoptr(GPtrArray) rows = NULL;
        int r;

        *ret = NULL;
        if (!*source->uuid)
                return 0;
        r = lvm_report(ret_error, &rows, "vgs", "vg_name,vg_tags", NULL);
        for (guint i = 0; r >= 0 && i < rows->len; i++) {
                const char *const *row = rows->pdata[i];

                if (has_tag(row[1], tag)) {
                        *ret = g_strdup(row[0]);
                        return 0;
                }
        }
        return r;
}

/* Whoever brings a pool back knows where it is, not what it is called: its UUID is in the tags of
 * the group, or of that on the device. */
static int adopt(PoolSource *source, const char *device, Error *ret_error) {
        g_autoptr(GPtrArray) rows = NULL;
        int r;

        if (!source->adopts || *source->uuid)
                return 0;
        r = device ? lvm_report(ret_error, &rows, "pvs", "vg_name,vg_tags", device, NULL)
                   : lvm_report(ret_error, &rows, "vgs", "vg_name,vg_tags", source->path, NULL);
        if (r < 0)
                return r;
        for (guint i = 0; i < rows->len; i++) {
                const char *const *row = rows->pdata[i];
                g_auto(GStrv) tags = g_strsplit(row[1], ",", -1);

                for (char **tag = tags; *tag; tag++) {
                        if (!g_str_has_prefix(*tag, TAG_PREFIX))
                                continue;
                        g_free(source->uuid);
                        source->uuid = g_strdup(*tag + strlen(TAG_PREFIX));
                        source->adopted = true;
                        return 0;
                }
        }
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "The volume group of \"%s\" is no storage pool of berth's", source->path);
}

/* Attaches the loop file; the fd, where there is one, keeps it so until its volumes are there. */
static int attach(PoolSource *source, int *ret_fd, char **ret_path, Error *ret_error) {
        if (source->kind != POOL_SOURCE_LOOP) {
                *ret_path = source->kind == POOL_SOURCE_DEVICE ? g_strdup(source->path) : NULL;
                return 0;
        }
        return pool_disk_attach_file(source, ret_fd, ret_path, ret_error);
}

/* --- Making ------------------------------------------------------------------------------ */

/* One that was given must hold nothing. */
static int take_group(PoolSource *source, Error *ret_error) {
        g_autofree char *tag = tag_of(source);
        g_autoptr(GPtrArray) rows = NULL;
        const char *const *row;
        int r;

        r = lvm_report(ret_error, &rows, "vgs", "lv_count,vg_tags", source->path, NULL);
        if (r < 0) {
                error_prefix(ret_error, "Cannot look at the volume group \"%s\"", source->path);
                return r;
        }
        row = rows->len == 1 ? rows->pdata[0] : NULL;
        if (!row || !g_str_equal(row[0], "0") || strstr(row[1], TAG_PREFIX))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "The volume group \"%s\" cannot become storage pool \"%s\": it is "
                                 "not empty; give an empty one, the pool takes all of it",
                                 source->path, source->pool);
        return lvm_run(ret_error, "vgchange", "--quiet", "--addtag", tag, source->path, NULL);
}

/* Does not answer questions about what is on the device already, so that it stays. */
static int make_group(PoolSource *source, const char *name, const char *device,
                      Error *ret_error) {
        g_autofree char *tag = tag_of(source);
        int r = lvm_run(ret_error, "vgcreate", "--quiet", "--setautoactivation", "n", "--addtag",
                        tag, name, device, NULL);

        if (r < 0)
                error_prefix(ret_error, "Cannot make a volume group on \"%s\" (what it holds is "
                             "not overwritten: see wipefs(8))", source->path);
        return r;
}

static int make_tree(const char *group, Error *ret_error) {
        g_autofree char *device = thin_volume_device(group, THIN_TREE);
        const char *mkfs[] = {
                "mkfs.ext4", "-q", "-m", "0", "-b", "4096", "-i", "4096", "-O", "inline_data", "-E",
                "nodiscard", "-L", THIN_TREE, device, NULL,
        };
        int r = lvm_run(ret_error, "lvcreate", "--yes", "--quiet", "--wipesignatures", "y",
                        "--name", THIN_TREE, "--size", TREE_SIZE, group, NULL);

        return r < 0 ? r : program_run(mkfs, -EBADF, ret_error);
}

/* Full, it fails what needs room at once, instead of having it wait. */
static int make_thin_pool(const PoolSource *source, const char *group, Error *ret_error) {
        const char *name = config_get(source->config, "lvm.thinpool_name") ?: THIN_POOL_DEFAULT;
        const char *metadata = config_get(source->config, "lvm.thinpool_metadata_size");
        g_autofree char *size = NULL;
        uint64_t bytes = 0;
        int r = metadata ? size_parse(metadata, &bytes, ret_error) : 0;

        if (r < 0)
                return r;
        size = g_strdup_printf("%" G_GUINT64_FORMAT "b", bytes);
        /* The last two are no arguments where there is no size. */
        return lvm_run(ret_error, "lvcreate", "--yes", "--quiet", "--wipesignatures", "y",
                       "--errorwhenfull", "y", "--extents", "100%FREE", "--thinpool", name, group,
                       bytes > 0 ? "--poolmetadatasize" : NULL, size, NULL);
}

static int make_all(PoolSource *source, Error *ret_error) {
        const char *name = source->kind == POOL_SOURCE_GROUP
                                   ? source->path
                                   : config_get(source->config, "lvm.vg_name") ?: source->pool;
        _cleanup_close_ int fd = -EBADF;
        g_autofree char *device = NULL;
        int r;

        r = attach(source, &fd, &device, ret_error);
        if (r >= 0)
                r = device ? make_group(source, name, device, ret_error)
                           : take_group(source, ret_error);
        if (r < 0)
                return r;
        r = make_tree(name, ret_error);
        return r < 0 ? r : make_thin_pool(source, name, ret_error);
}

int pool_lvm_make(PoolSource *source, Error *ret_error) {
        const char *filesystem = config_get(source->config, "volume.block.filesystem") ?: "ext4";
        int r;

        if (!*source->uuid)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "A storage pool of driver lvm needs a UUID");
        r = lvm_check(filesystem, ret_error);
        if (r >= 0 && source->kind == POOL_SOURCE_LOOP)
                r = pool_disk_make_file(source, ret_error);
        if (r < 0)
                return r;
        r = make_all(source, ret_error);
        if (r < 0)
                (void) pool_lvm_unmake(source, NULL);
        return r;
}

/* --- Unmaking ---------------------------------------------------------------------------- */

/* Only what was made: the physical volume of a device that was given as such. */
static int remove_group(PoolSource *source, const char *group, const char *device,
                        Error *ret_error) {
        g_autofree char *tag = tag_of(source);
        int r;

        if (source->kind == POOL_SOURCE_GROUP) {
                r = lvm_run(ret_error, "lvremove", "--yes", "--force", "--quiet", group, NULL);
                return r < 0 ? r : lvm_run(ret_error, "vgchange", "--quiet", "--deltag", tag,
                                           group, NULL);
        }
        r = lvm_run(ret_error, "vgremove", "--yes", "--force", "--quiet", group, NULL);
        return r < 0 ? r : lvm_run(ret_error, "pvremove", "--yes", "--quiet", device, NULL);
}

/* The device that a group is on, whatever it was called when the pool was made. */
static int find_device(const char *group, char **ret, Error *ret_error) {
        g_autofree char *selection = g_strdup_printf("vg_name=\"%s\"", group);
        g_autoptr(GPtrArray) rows = NULL;
        int r = lvm_report(ret_error, &rows, "pvs", "pv_name", "--select", selection, NULL);

        if (r < 0)
                return r;
        if (rows->len == 0)
                return -ENODEV;
        *ret = g_strdup(((const char *const *) rows->pdata[0])[0]);
        return 0;
}

static int unmake_group(PoolSource *source, Error *ret_error) {
        g_autofree char *group = NULL, *device = NULL, *attached = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        /* Where the file has gone, so has what was in it. */
        if (source->kind == POOL_SOURCE_LOOP &&
            faccessat(source->disks_fd, source->image, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        r = attach(source, &fd, &attached, ret_error);
        if (r >= 0)
                r = find_group(source, &group, ret_error);
        if (r < 0 || !group)
                return r;
        r = find_device(group, &device, ret_error);
        return r < 0 ? r : remove_group(source, group, device, ret_error);
}

int pool_lvm_unmake(PoolSource *source, Error *ret_error) {
        int r = unmake_group(source, ret_error);

        if (r < 0 || source->kind != POOL_SOURCE_LOOP)
                return r;
        r = path_remove_file(source->disks_fd, source->image);
        return r == -ENOENT ? 0 : r;
}

/* --- Mounting ---------------------------------------------------------------------------- */

static int missing(const PoolSource *source, Error *ret_error) {
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "The disk of storage pool \"%s\" is not there: no volume group has the "
                         "tag " TAG_PREFIX "%s, which was in \"%s\"; connect it and try again",
                         source->pool, source->uuid, source->path);
}

static int write_settings(const PoolSource *source, int root_fd, Error *ret_error) {
        const char *name = config_get(source->config, "lvm.thinpool_name") ?: THIN_POOL_DEFAULT;
        const char *options = config_get(source->config, "volume.block.mount_options");
        const char *filesystem = config_get(source->config, "volume.block.filesystem");
        const char *size = config_get(source->config, "volume.size");
        uint64_t bytes = VOLUME_SIZE_DEFAULT;
        ThinPool pool;
        int r = size ? size_parse(size, &bytes, ret_error) : 0;

        if (r < 0)
                return r;
        pool = (ThinPool) {
                .name = (char *) name,
                .filesystem = (char *) (filesystem ?: "ext4"),
                .options = (char *) (options ?: "discard"),
                .size = bytes > 0 ? bytes : VOLUME_SIZE_DEFAULT,
        };
        r = thin_pool_write(root_fd, &pool);
        return r < 0 ? error_set_errno(ret_error, -r,
                                       "Cannot write down what storage pool \"%s\" is like",
                                       source->pool)
                     : 0;
}

int pool_lvm_settle(PoolSource *source, int root_fd, Error *ret_error) {
        g_autofree char *group = NULL, *tree = NULL, *full = NULL;
        g_auto(ThinPool) pool = { 0 };
        int r;

        /* What a pool is like that is brought back, its record has yet to tell. */
        r = source->adopted ? 0 : write_settings(source, root_fd, ret_error);
        if (r >= 0)
                r = thin_volume_identify(root_fd, &group, &tree);
        if (r >= 0)
                r = thin_pool_read(root_fd, &pool);
        if (r < 0)
                return r;
        /* How full it is can be told of one that is active alone. */
        full = g_strdup_printf("%s/%s", group, pool.name);
        return lvm_run(ret_error, "lvchange", "--yes", "--quiet", "--activate", "y", full, NULL);
}

static int mount_tree(const PoolSource *source, const char *group, int target_fd,
                      Error *ret_error) {
        g_autofree char *tree = g_strconcat(group, "/" THIN_TREE, NULL);
        g_autofree char *device = thin_volume_device(group, THIN_TREE);
        int r;

        r = lvm_run(ret_error, "lvchange", "--yes", "--quiet", "--activate", "y", tree, NULL);
        if (r < 0)
                return r;
        r = mount_device("ext4", device, target_fd);
        if (r == -EINVAL || r == -EIO || r == -EUCLEAN || r == -EBADMSG)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Cannot mount storage pool \"%s\": what is in its volume %s is "
                                 "damaged or no ext4; see the kernel's log and e2fsck(8)",
                                 source->pool, tree);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot mount the volume %s of storage pool \"%s\"", tree,
                                       source->pool);
        return 0;
}

int pool_lvm_mount(PoolSource *source, int target_fd, Error *ret_error) {
        g_autofree char *group = NULL, *device = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = lvm_check("ext4", ret_error);
        if (r >= 0)
                r = attach(source, &fd, &device, ret_error);
        if (r >= 0)
                r = adopt(source, device, ret_error);
        if (r >= 0)
                r = find_group(source, &group, ret_error);
        if (r < 0)
                return r;
        if (!group)
                return missing(source, ret_error);
        r = mount_tree(source, group, target_fd, ret_error);
        if (r < 0) /* its loop device, and who is to repair it, are not to wait for it */
                (void) pool_lvm_release(source, NULL);
        return r;
}

int pool_lvm_is_mounted_at(PoolSource *source, int fd, Error *ret_error) {
        g_autofree char *group = NULL, *mounted = NULL, *volume = NULL;
        int r = find_group(source, &group, ret_error);

        if (r < 0)
                return r;
        if (thin_volume_identify(fd, &mounted, &volume) < 0)
                return 0;
        return g_str_equal(volume, THIN_TREE) && g_strcmp0(mounted, group) == 0;
}

int pool_lvm_release(PoolSource *source, Error *ret_error) {
        g_autofree char *group = NULL;
        int r = find_group(source, &group, ret_error);

        if (r < 0 || !group)
                return r;
        return lvm_run(ret_error, "vgchange", "--yes", "--quiet", "--activate", "n", group, NULL);
}

/* --- Size -------------------------------------------------------------------------------- */

int pool_lvm_grow_file(PoolSource *source, Error *ret_error) {
        const char *name = config_get(source->config, "lvm.thinpool_name") ?: THIN_POOL_DEFAULT;
        g_autofree char *group = NULL, *device = NULL, *full = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = pool_disk_extend_file(source, &fd, &device, ret_error);
        if (r >= 0)
                r = find_group(source, &group, ret_error);
        if (r < 0)
                return r;
        if (!group)
                return missing(source, ret_error);
        full = g_strdup_printf("%s/%s", group, name);
        r = lvm_run(ret_error, "pvresize", "--yes", "--quiet", device, NULL);
        return r < 0 ? r : lvm_run(ret_error, "lvextend", "--yes", "--quiet", "--extents",
                                   "+100%FREE", full, NULL);
}

int pool_lvm_get_space(int root_fd, uint64_t *ret_total, uint64_t *ret_used, Error *ret_error) {
        g_autofree char *group = NULL, *tree = NULL, *full = NULL;
        g_autoptr(GPtrArray) rows = NULL;
        g_auto(ThinPool) pool = { 0 };
        const char *const *row;
        double percent;
        guint64 size;
        int r;

        r = thin_volume_identify(root_fd, &group, &tree);
        if (r >= 0)
                r = thin_pool_read(root_fd, &pool);
        if (r < 0)
                return r;
        full = g_strdup_printf("%s/%s", group, pool.name);
        r = lvm_report(ret_error, &rows, "lvs", "lv_size,data_percent", full, NULL);
        if (r < 0)
                return r;
        row = rows->len == 1 ? rows->pdata[0] : NULL;
        if (!row || !g_ascii_string_to_unsigned(row[0], 10, 0, G_MAXINT64, &size, NULL))
                return -EBADMSG;
        /* Nothing is said of it while no volume of it is in use. */
        percent = g_ascii_strtod(row[1], NULL);
        *ret_total = size;
        *ret_used = (uint64_t) ((double) size * CLAMP(percent, 0, 100) / 100);
        return 0;
}
