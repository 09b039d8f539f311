/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/systemd-hierarchy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <glib.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/worker/scope.h"

#define CGROUPS "/sys/fs/cgroup"
#define HIERARCHY CGROUPS "/systemd"
#define MOUNTS_MAX (4U << 20)

static bool is_missing(void) {
        _cleanup_close_ int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        g_autofree char *mounts = NULL;

        return !scope_has_systemd() && fd >= 0 && fd_read_text(fd, MOUNTS_MAX, &mounts) >= 0 &&
               strstr(mounts, " - cgroup ") && !strstr(mounts, "name=systemd");
}

/* Elsewhere than in a directory of files a new directory would be a group. */
static bool has_room(void) {
        struct statfs fs;

        return statfs(CGROUPS, &fs) >= 0 && fs.f_type == TMPFS_MAGIC;
}

void systemd_hierarchy_ensure(void) {
        if (!is_missing() || !has_room())
                return;
        if ((mkdir(HIERARCHY, 0755) < 0 && errno != EEXIST) ||
            mount("systemd", HIERARCHY, "cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                  "none,name=systemd") < 0)
                log_warning("The hierarchy \"name=systemd\", without which systemd does not run in "
                            "containers, cannot be mounted: %s", g_strerror(errno));
}
