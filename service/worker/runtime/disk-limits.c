/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/disk-limits.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/rate.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"

#define LIMITS_DIR "disk-limits"
#define RECORD_MAX (16U << 10)

enum { READ_BYTES, WRITE_BYTES, READ_OPERATIONS, WRITE_OPERATIONS, N_KINDS };

typedef struct Bound {
        unsigned major, minor;
        uint64_t values[N_KINDS]; /* 0: none */
} Bound;

/* --- the block devices behind a directory --- */

/* The kernel bounds whole disks, not their partitions. */
static int whole_disk(dev_t device, dev_t *ret) {
        g_autofree char *base = g_strdup_printf("/sys/dev/block/%u:%u", major(device),
                                                minor(device));
        g_autofree char *partition = g_build_filename(base, "partition", NULL);
        g_autofree char *parent = g_build_filename(base, "..", "dev", NULL);
        _cleanup_close_ int fd = -EBADF;
        g_autofree char *text = NULL;
        g_auto(GStrv) parts = NULL;
        guint64 a, b;

        *ret = device;
        if (access(partition, F_OK) < 0)
                return 0;
        fd = open(parent, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fd_read_text(fd, 64, &text) < 0)
                return -ENODEV;
        parts = g_strsplit(g_strchomp(text), ":", 2);
        if (g_strv_length(parts) != 2 ||
            !g_ascii_string_to_unsigned(parts[0], 10, 0, G_MAXUINT32, &a, NULL) ||
            !g_ascii_string_to_unsigned(parts[1], 10, 0, G_MAXUINT32, &b, NULL))
                return -ENODEV;
        *ret = makedev((unsigned) a, (unsigned) b);
        return 0;
}

static int add_device(GArray *bounds, dev_t device, const uint64_t *values) {
        Bound bound = { 0 };
        dev_t disk;
        int r;

        r = whole_disk(device, &disk);
        if (r < 0)
                return r;
        bound.major = major(disk);
        bound.minor = minor(disk);
        memcpy(bound.values, values, sizeof(bound.values));
        g_array_append_val(bounds, bound);
        return 0;
}

/* btrfs gives its subvolumes numbers of no device, and may be on several. */
static int add_btrfs(int fd, GArray *bounds, const uint64_t *values) {
        struct btrfs_ioctl_fs_info_args info = { 0 };
        int r = 0;

        if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) < 0)
                return -ENODEV;
        for (uint64_t id = 1; r >= 0 && id <= info.max_id; id++) {
                struct btrfs_ioctl_dev_info_args device = { .devid = id };
                struct stat st;

                if (ioctl(fd, BTRFS_IOC_DEV_INFO, &device) < 0)
                        continue; /* one that has been taken out */
                if (stat((const char *) device.path, &st) < 0 || !S_ISBLK(st.st_mode))
                        return -ENODEV;
                r = add_device(bounds, st.st_rdev, values);
        }
        return r;
}

static int add_devices(const Process *init, GVariant *options, GArray *bounds,
                       const uint64_t *values) {
        const char *source = config_get(options, "source");
        _cleanup_close_ int fd = source ? open(source, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                                        : openat(init->proc_fd, "root",
                                                 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (S_ISBLK(st.st_mode))
                return add_device(bounds, st.st_rdev, values);
        return major(st.st_dev) != 0 ? add_device(bounds, st.st_dev, values)
                                     : add_btrfs(fd, bounds, values);
}

static void read_values(GVariant *options, uint64_t *values) {
        static const struct {
                const char *key;
                bool reads, writes;
        } keys[] = {
                { "limits.read", true, false },
                { "limits.write", false, true },
                { "limits.max", true, true },
        };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                const char *text = config_get(options, keys[i].key);
                RateDisk rate;

                if (!text || rate_parse_disk(text, &rate, NULL) < 0)
                        continue;
                if (keys[i].reads) {
                        values[READ_BYTES] = rate.bytes;
                        values[READ_OPERATIONS] = rate.operations;
                }
                if (keys[i].writes) {
                        values[WRITE_BYTES] = rate.bytes;
                        values[WRITE_OPERATIONS] = rate.operations;
                }
        }
}

/* --- what is remembered --- */

static int parse_line(const char *line, Bound *ret) {
        g_auto(GStrv) words = g_strsplit_set(line, " :", -1);
        guint64 numbers[2 + N_KINDS];

        if (g_strv_length(words) != ELEMENTSOF(numbers))
                return -EBADMSG;
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                if (!g_ascii_string_to_unsigned(words[i], 10, 0, G_MAXUINT64, &numbers[i], NULL))
                        return -EBADMSG;
        ret->major = (unsigned) numbers[0];
        ret->minor = (unsigned) numbers[1];
        for (size_t i = 0; i < N_KINDS; i++)
                ret->values[i] = numbers[2 + i];
        return 0;
}

/* Appends what a record says. */
static void read_record(int dir_fd, const char *name, GArray *bounds) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY, 0);
        g_autofree char *text = NULL;
        g_auto(GStrv) lines = NULL;

        if (fd < 0 || fd_read_text(fd, RECORD_MAX, &text) < 0)
                return;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++) {
                Bound bound;

                if (parse_line(*line, &bound) >= 0)
                        g_array_append_val(bounds, bound);
        }
}

static int write_record(int dir_fd, const char *name, const GArray *bounds) {
        g_autoptr(GString) text = g_string_new(NULL);

        if (bounds->len == 0)
                return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
        for (guint i = 0; i < bounds->len; i++) {
                const Bound *bound = &g_array_index(bounds, Bound, i);

                g_string_append_printf(text, "%u:%u", bound->major, bound->minor);
                for (size_t k = 0; k < N_KINDS; k++)
                        g_string_append_printf(text, " %" G_GUINT64_FORMAT, bound->values[k]);
                g_string_append_c(text, '\n');
        }
        return path_replace_file(dir_fd, name, text->str, text->len, 0600);
}

/* What all disks together ask of one device. */
static Bound smallest(int dir_fd, unsigned major_number, unsigned minor_number) {
        g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(Bound));
        Bound result = { major_number, minor_number, { 0 } };
        struct dirent *entry;
        DIR *d = fdopendir(dup(dir_fd));

        if (d)
                rewinddir(d);
        while (d && (entry = readdir(d)))
                if (path_is_component(entry->d_name) && entry->d_name[0] != '.')
                        read_record(dir_fd, entry->d_name, all);
        if (d)
                (void) closedir(d);
        for (guint i = 0; i < all->len; i++) {
                const Bound *bound = &g_array_index(all, Bound, i);

                if (bound->major != major_number || bound->minor != minor_number)
                        continue;
                for (size_t k = 0; k < N_KINDS; k++)
                        if (bound->values[k] > 0 &&
                            (result.values[k] == 0 || bound->values[k] < result.values[k]))
                                result.values[k] = bound->values[k];
        }
        return result;
}

/* --- the kernel --- */

static int write_text(int group, const char *file, const char *text) {
        _cleanup_close_ int fd = path_open_beneath(group, file, O_WRONLY, 0);

        return fd < 0 ? fd : fd_write_all(fd, text, strlen(text));
}

static int write_v1(int group, const Bound *bound) {
        static const char *const files[N_KINDS] = {
                [READ_BYTES] = "blkio.throttle.read_bps_device",
                [WRITE_BYTES] = "blkio.throttle.write_bps_device",
                [READ_OPERATIONS] = "blkio.throttle.read_iops_device",
                [WRITE_OPERATIONS] = "blkio.throttle.write_iops_device",
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < N_KINDS; i++) {
                g_autofree char *text = g_strdup_printf("%u:%u %" G_GUINT64_FORMAT "\n",
                                                        bound->major, bound->minor,
                                                        bound->values[i]);

                r = write_text(group, files[i], text);
        }
        return r;
}

static int write_v2(int group, const Bound *bound) {
        static const char *const names[N_KINDS] = {
                [READ_BYTES] = "rbps",
                [WRITE_BYTES] = "wbps",
                [READ_OPERATIONS] = "riops",
                [WRITE_OPERATIONS] = "wiops",
        };
        g_autoptr(GString) text = g_string_new(NULL);

        g_string_append_printf(text, "%u:%u", bound->major, bound->minor);
        for (size_t i = 0; i < N_KINDS; i++)
                if (bound->values[i] > 0)
                        g_string_append_printf(text, " %s=%" G_GUINT64_FORMAT, names[i],
                                               bound->values[i]);
                else
                        g_string_append_printf(text, " %s=max", names[i]);
        g_string_append_c(text, '\n');
        return write_text(group, "io.max", text->str);
}

static int write_bound(const CgroupHost *host, const char *container, const Bound *bound) {
        const CgroupHierarchy *v1 = cgroup_find_controller(host, "blkio");
        const CgroupHierarchy *h = v1 ?: host->unified;
        _cleanup_close_ int group = h ? cgroup_open_group(h, CGROUP_PAYLOAD, container) : -ENOENT;

        if (group < 0)
                return group;
        return v1 ? write_v1(group, bound) : write_v2(group, bound);
}

static int write_all(const CgroupHost *host, const char *container, int dir_fd,
                     const GArray *bounds) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < bounds->len; i++) {
                const Bound *bound = &g_array_index(bounds, Bound, i);
                Bound all = smallest(dir_fd, bound->major, bound->minor);

                r = write_bound(host, container, &all);
        }
        return r;
}

static int limits_error(const char *container, const char *name, GVariant *options, int r,
                        Error *ret_error) {
        if (r == -ENODEV)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Device \"%s\" of container \"%s\" cannot have limits: the "
                                 "filesystem of %s is on no block device that could be told",
                                 name, container,
                                 (options ? config_get(options, "source") : NULL) ?: "its root");
        if (r == -ENOENT)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Device \"%s\" of container \"%s\" cannot have limits: this "
                                 "host's cgroups cannot bound what disks do (blkio.throttle or "
                                 "io.max)", name, container);
        return error_set_errno(ret_error, -r,
                               "The limits of device \"%s\" of container \"%s\" cannot be set",
                               name, container);
}

int disk_limits_set(const CgroupHost *host, const char *container, const Process *init,
                    int path_fd, const char *name, GVariant *options, Error *ret_error) {
        _cleanup_close_ int dir_fd = path_make_dir(path_fd, LIMITS_DIR, 0700);
        g_autoptr(GArray) old = g_array_new(FALSE, FALSE, sizeof(Bound));
        g_autoptr(GArray) new = g_array_new(FALSE, FALSE, sizeof(Bound));
        uint64_t values[N_KINDS] = { 0 };
        int r = MIN(dir_fd, 0);

        if (r >= 0)
                read_record(dir_fd, name, old);
        if (r >= 0 && options && device_has_limits(options)) {
                read_values(options, values);
                r = add_devices(init, options, new, values);
        }
        if (r >= 0)
                r = write_record(dir_fd, name, new);
        if (r >= 0)
                r = write_all(host, container, dir_fd, old);
        if (r >= 0)
                r = write_all(host, container, dir_fd, new);
        return r < 0 ? limits_error(container, name, options, r, ret_error) : 0;
}
