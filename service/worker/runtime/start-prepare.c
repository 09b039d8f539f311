/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/start-plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/runtime/apparmor.h"
#include "service/worker/runtime/cgroup-limits.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/criu.h"
#include "service/worker/runtime/device-rules.h"
#include "service/worker/runtime/device-stage.h"
#include "service/worker/runtime/kernel-module.h"
#include "service/worker/runtime/state-seal.h"
#include "service/worker/thin-volume.h"
#include "service/worker/user-namespace.h"

#define STARTER "berth-start"

/* --- what commonly is missing --- */

/* berth-start is installed next to this program. */
static int find_starter(char **ret) {
        g_autofree char *self = g_new0(char, PATH_MAX);
        g_autofree char *directory = NULL, *path = NULL;
        ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);

        if (n < 0)
                return -errno;
        directory = g_path_get_dirname(self);
        path = g_build_filename(directory, STARTER, NULL);
        /* A shell of liblxc's reads it as a word. */
        if (!container_path_is_plain(path))
                return -EINVAL;
        *ret = TAKE_PTR(path);
        return 0;
}

/* What commonly is missing, found before liblxc fails on it in its own words. */
static int check_rootfs(const Start *start, Error *ret_error) {
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int root = open(start->rootfs,
                                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int init = -EBADF;

        if (root < 0)
                return error_set_errno(ret_error, errno,
                                       "The root filesystem of container \"%s\" can't be opened",
                                       start->name);
        init = (int) syscall(SYS_openat2, root, "sbin/init", &how, sizeof(how));
        if (init < 0 && (errno == ENOENT || errno == ENOTDIR))
                return error_set(ret_error, ERROR_FAILED,
                                 "Container \"%s\" has no /sbin/init; its image does not hold a "
                                 "bootable system",
                                 start->name);
        return 0;
}

/* Before anything else is mounted: what is mounted after it is seen by the container's monitor, and
 * nobody else, where any of these are mounted for it alone. */
static int show_volumes(const Start *start, Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;
        int r = thin_volume_show(start->rootfs);

        g_variant_iter_init(&iter, start->devices);
        while (r >= 0 && g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_is_volume(owned))
                        r = thin_volume_show(config_get(owned, "source"));
        }
        return r < 0 ? error_set_errno(ret_error, -r,
                                       "The volumes of container \"%s\" cannot be mounted",
                                       start->name)
                     : 0;
}

/* --- files --- */

/* What liblxc reads. */
static int format_config(const Start *start, const char *directory, char **ret, Error *ret_error) {
        g_autofree char *seccomp_file = g_build_filename(directory, "seccomp", NULL);
        g_autofree char *hook =
                g_strdup_printf("%s --stopped %s", start->starter, start->lxc_path);
        g_autoptr(GPtrArray) limits = NULL;
        ContainerConfig config = {
                .name = start->name,
                .rootfs = start->root ?: start->rootfs,
                .idmapped = start->idmapped && !start->root,
                .restored = start_is_restore(start),
                .architecture = start->architecture,
                .idmap = start->idmap,
                .nics = start->nics,
                .mounts = start->mounts,
                .config = start->config,
                .directory = directory,
                .seccomp_file = seccomp_file,
                .log_file = start->log_file,
                .console_log = start->console_log,
                .stopped_hook = hook,
                .apparmor = start->apparmor,
                .cgroups = start->host,
        };
        int r;

        r = limits_to_lines(start->host, start->config, start->cpus, &limits, ret_error);
        if (r < 0)
                return r;
        if (idmap_is_host(start->idmap)) {
                r = device_rules_append(start->host, start->devices, limits);
                if (r < 0)
                        return error_set_errno(ret_error, -r,
                                               "Cannot tell which devices container \"%s\" has",
                                               start->name);
        }
        config.limits = limits;
        return container_config_format(&config, ret, ret_error);
}

int start_open_directory(const Start *start, Error *ret_error) {
        int fd = path_open_dir(start->lxc_path);

        if (fd < 0)
                return error_set_errno(ret_error, -fd,
                                       "Cannot open the run-time directory of container \"%s\"",
                                       start->name);
        return fd;
}

static int write_files(const Start *start, Error *ret_error) {
        g_autofree char *directory = g_build_filename(start->lxc_path, start->name, NULL);
        g_autofree char *profile = syscall_rules_to_profile(start->syscalls), *text = NULL;
        _cleanup_close_ int path_fd = -EBADF, fd = -EBADF;
        int r = format_config(start, directory, &text, ret_error);

        if (r < 0)
                return r;
        path_fd = start_open_directory(start, ret_error);
        if (path_fd < 0)
                return path_fd;
        /* liblxc insists that the container's root can pass; what is below is closed. */
        if (fchmod(path_fd, 0711) < 0)
                r = -errno;
        if (r >= 0)
                r = fd = path_make_dir(path_fd, start->name, 0700);
        if (r >= 0)
                r = path_replace_file(fd, "seccomp", profile, strlen(profile), 0600);
        if (r >= 0)
                r = path_replace_file(fd, "config", text, strlen(text), 0600);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot write the configuration of container \"%s\"",
                                       start->name);
        return 0;
}

/* The logs tell of this start only, and are liblxc's to append to. What was on the console of
 * processes that go on was said by them. */
static int open_log(Start *start, Error *ret_error) {
        g_autofree char *older = g_strconcat(start->console_log, ".1", NULL);

        if (!start_is_restore(start) &&
            ((unlink(start->console_log) < 0 && errno != ENOENT) ||
             (unlink(older) < 0 && errno != ENOENT)))
                return error_set_errno(ret_error, errno,
                                       "Cannot remove the old log of the console of container "
                                       "\"%s\"", start->name);
        start->log_fd = open(start->log_file,
                             O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (start->log_fd < 0)
                return error_set_errno(ret_error, errno,
                                       "Cannot open the log file of container \"%s\"", start->name);
        return 0;
}

/* --- devices, a saved state --- */

static int stage_devices(Start *start, Error *ret_error) {
        _cleanup_close_ int path_fd = start_open_directory(start, ret_error);
        int r;

        if (path_fd < 0)
                return path_fd;
        r = start_nics_prepare(start, path_fd, ret_error);
        if (r < 0)
                return r;
        start->mounts = g_ptr_array_new_with_free_func(g_free);
        return device_stage(path_fd, start->lxc_path, &start->device_context, start->devices,
                            start->mounts, ret_error);
}

/* Nothing that CRIU is to read is read before it is known to be ours. */
static int prepare_restore(Start *start, Error *ret_error) {
        _cleanup_close_ int path_fd = -EBADF, root_fd = -EBADF;
        const char *criu;
        int r;

        if (!*start->state)
                return 0;
        r = start->state_fd = path_open_dir(start->state);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot open the saved state of container \"%s\"",
                                       start->name);
        if (start->stateless)
                return 0;
        r = criu_find(start->host, start->name, &criu, ret_error);
        if (r < 0)
                return r;
        r = state_check_seal(start->state_fd, STATE_SEAL_OWN, start->state_key, start->name,
                             start->idmap, ret_error);
        if (r < 0)
                return r;
        start->root = g_build_filename(start->lxc_path, "root", NULL);
        r = path_fd = path_open_dir(start->lxc_path);
        if (r >= 0)
                r = root_fd = path_make_dir(path_fd, "root", 0755);
        if (r >= 0 && start->idmapped && !idmap_is_host(start->idmap))
                r = start->userns_fd = user_namespace_new(start->idmap);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot prepare to restore container \"%s\"", start->name);
        return 0;
}

int start_prepare(Start *start, Error *ret_error) {
        int r;

        r = show_volumes(start, ret_error);
        if (r >= 0)
                r = check_rootfs(start, ret_error);
        if (r >= 0)
                r = start_nics_check(start, ret_error);
        if (r < 0)
                return r;
        r = find_starter(&start->starter);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot find " STARTER);
        r = prepare_restore(start, ret_error);
        if (r >= 0)
                r = syscall_rules_new(start->config, &start->syscalls, ret_error);
        if (r >= 0)
                r = kernel_modules_load(start->config, ret_error);
        if (r < 0)
                return r;
        start->apparmor = apparmor_is_on();
        r = stage_devices(start, ret_error);
        if (r >= 0)
                r = write_files(start, ret_error);
        return r < 0 ? r : open_log(start, ret_error);
}
