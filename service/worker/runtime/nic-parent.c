/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/nic-parent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_vlan.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <netlink/route/link/vlan.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/runtime/nic-netlink.h"

/* An empty file for each nic, "LINK:NAME-INSIDE"; neither name can hold a colon. */
#define VLANS_DIR "vlans"

typedef DIR Directory;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Directory, closedir)

static char *file_of(GVariant *nic) {
        return g_strconcat(config_get(nic, "parent"), ":", config_get(nic, "name"), NULL);
}

/* --- who uses what --- */

/* The directory of all runs, locked: nobody is to find a link in use that is just being removed. */
static int lock_runs(int path_fd) {
        _cleanup_close_ int fd = openat(path_fd, "..",
                                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0 || flock(fd, LOCK_EX) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static DIR *open_list(int dir_fd, const char *name) {
        int fd = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (fd >= 0 && !d)
                (void) close(fd);
        return d;
}

static bool run_uses(int runs_fd, const char *run, const char *link) {
        g_autofree char *path = g_strconcat(run, "/" VLANS_DIR, NULL);
        g_autofree char *prefix = g_strconcat(link, ":", NULL);
        g_autoptr(Directory) d = open_list(runs_fd, path);
        struct dirent *entry;

        while (d && (entry = readdir(d)))
                if (g_str_has_prefix(entry->d_name, prefix))
                        return true;
        return false;
}

static bool is_used(int runs_fd, const char *link) {
        int fd = openat(runs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_autoptr(Directory) d = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;

        while (d && (entry = readdir(d)))
                if (path_is_component(entry->d_name) && run_uses(runs_fd, entry->d_name, link))
                        return true;
        return false;
}

static int take_note(int path_fd, GVariant *nic) {
        _cleanup_close_ int dir_fd = path_make_dir(path_fd, VLANS_DIR, 0700);
        g_autofree char *name = file_of(nic);

        return dir_fd < 0 ? dir_fd : path_replace_file(dir_fd, name, "", 0, 0600);
}

/* --- the link --- */

static int set_up(NicSocket *sock, int index) {
        g_autoptr(NicLink) link = NULL, change = rtnl_link_alloc();
        int r = nic_link_find_index(sock, index, &link);

        if (r < 0 || rtnl_link_get_flags(link) & IFF_UP)
                return r;
        rtnl_link_set_flags(change, IFF_UP);
        return nic_errno_of(rtnl_link_change(sock, link, change, 0));
}

static int add_link(NicSocket *sock, GVariant *nic, int parent) {
        g_autoptr(NicLink) link = rtnl_link_vlan_alloc();
        int r;

        if (!link)
                return -ENOMEM;
        rtnl_link_set_name(link, config_get(nic, "parent"));
        rtnl_link_set_link(link, parent);
        r = rtnl_link_vlan_set_id(link, (uint16_t) device_get_number(nic, "vlan", 10, 0));
        if (r >= 0 && device_get_boolean(nic, "gvrp", false))
                r = rtnl_link_vlan_set_flags(link, VLAN_FLAG_GVRP);
        if (r >= 0)
                r = rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL);
        return nic_errno_of(r);
}

static int make_link(NicSocket *sock, GVariant *nic, int parent) {
        const char *name = config_get(nic, "parent");
        int r = add_link(sock, nic, parent);

        /* Nothing reaches a VLAN through an interface that is down. */
        if (r >= 0)
                r = set_up(sock, parent);
        if (r >= 0)
                r = set_up(sock, (int) if_nametoindex(name));
        return r;
}

static bool is_the_vlan(NicLink *link, GVariant *nic, int parent) {
        return g_strcmp0(rtnl_link_get_type(link), "vlan") == 0 &&
               rtnl_link_get_link(link) == parent &&
               rtnl_link_vlan_get_id(link) == (int) device_get_number(nic, "vlan", 10, 0);
}

static void delete_unused(int runs_fd, const char *name) {
        g_autoptr(NicSocket) sock = NULL;
        g_autoptr(NicLink) link = NULL;
        int r;

        if (is_used(runs_fd, name))
                return;
        r = nic_socket_open(&sock);
        if (r >= 0)
                r = nic_link_find(sock, name, &link);
        if (r >= 0 && g_strcmp0(rtnl_link_get_type(link), "vlan") == 0)
                r = nic_errno_of(rtnl_link_delete(sock, link));
        if (r < 0 && r != -ENODEV)
                log_warning("VLAN \"%s\" of the host, which nobody uses any more, cannot be "
                            "removed: %s", name, g_strerror(-r));
}

/* --- making and releasing --- */

static int vlan_error(GVariant *nic, int r, Error *ret_error) {
        const char *parent = config_get(nic, "vlan.parent"), *vlan = config_get(nic, "vlan");

        if (r == -EEXIST)
                return error_set(ret_error, ERROR_IN_USE,
                                 "VLAN %s of \"%s\" is taken: by a link of another name, which can "
                                 "be the \"parent\" itself, or by a container that has it as a "
                                 "physical interface", vlan, parent);
        if (r == -EOPNOTSUPP)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "VLAN %s of \"%s\" cannot be made: this kernel has no VLANs, or "
                                 "they are not possible there (module 8021q)", vlan, parent);
        return error_set_errno(ret_error, -r, "VLAN %s of \"%s\" cannot be made", vlan, parent);
}

static int check_existing(NicLink *link, GVariant *nic, int parent, bool used,
                          Error *ret_error) {
        const char *name = config_get(nic, "parent");

        if (!is_the_vlan(link, nic, parent))
                return error_set(ret_error, ERROR_IN_USE,
                                 "Network interface \"%s\" of the host is there, but not VLAN %s "
                                 "of \"%s\"", name, config_get(nic, "vlan"),
                                 config_get(nic, "vlan.parent"));
        if (used && g_strcmp0(config_get(nic, "nictype"), "physical") == 0)
                return error_set(ret_error, ERROR_IN_USE,
                                 "VLAN \"%s\" cannot go into a container as a physical interface: "
                                 "others are on it", name);
        return 0;
}

int nic_parent_make(int path_fd, GVariant *nic, Error *ret_error) {
        const char *on = config_get(nic, "vlan.parent"), *name = config_get(nic, "parent");
        int parent = on ? (int) if_nametoindex(on) : 0, r;
        g_autoptr(NicSocket) sock = NULL;
        g_autoptr(NicLink) link = NULL;
        bool used;

        if (!on)
                return 0;
        if (parent == 0)
                return error_set(ret_error, ERROR_NO_SUCH_NETWORK,
                                 "Network interface \"%s\" of the host does not exist", on);
        _cleanup_close_ int runs_fd = lock_runs(path_fd);
        if (runs_fd < 0)
                return vlan_error(nic, runs_fd, ret_error);
        used = is_used(runs_fd, name);
        r = nic_socket_open(&sock);
        if (r >= 0)
                r = nic_link_find(sock, name, &link);
        if (r >= 0) {
                r = check_existing(link, nic, parent, used, ret_error);
                return r < 0 || !used ? r : take_note(path_fd, nic);
        }
        if (r == -ENODEV)
                r = take_note(path_fd, nic);
        if (r >= 0)
                r = make_link(sock, nic, parent);
        return r < 0 ? vlan_error(nic, r, ret_error) : 0;
}

static void release(int path_fd, int runs_fd, const char *file) {
        g_autofree char *path = g_strconcat(VLANS_DIR "/", file, NULL);
        g_auto(GStrv) names = g_strsplit(file, ":", 2);

        if (unlinkat(path_fd, path, 0) >= 0)
                delete_unused(runs_fd, names[0]);
}

void nic_parent_release(int path_fd, GVariant *nic) {
        g_autofree char *name = NULL;

        if (!config_get(nic, "vlan.parent"))
                return;
        _cleanup_close_ int runs_fd = lock_runs(path_fd);
        name = file_of(nic);
        if (runs_fd >= 0)
                release(path_fd, runs_fd, name);
}

void nic_parent_release_all(int path_fd) {
        g_autoptr(Directory) d = open_list(path_fd, VLANS_DIR);
        struct dirent *entry;

        if (!d)
                return;
        _cleanup_close_ int runs_fd = lock_runs(path_fd);
        while (runs_fd >= 0 && (entry = readdir(d)))
                if (path_is_component(entry->d_name) && strchr(entry->d_name, ':'))
                        release(path_fd, runs_fd, entry->d_name);
}
