/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/nic-record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/runtime/nic-netlink.h"

/* A file a link: number inside (0: not known yet), and of one of the host's own its name, MTU and
 * address there. */
#define LINKS_DIR "links"
#define NAMESPACE_FILE "network"
#define RECORD_MAX 256U
#define ADDRESS_TEXT_MAX 64

typedef struct Record {
        int index;
        char *parent, *hwaddr; /* NULL for one that is made for the container */
        unsigned mtu;
} Record;

static void record_done(Record *record) {
        g_clear_pointer(&record->parent, g_free);
        g_clear_pointer(&record->hwaddr, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Record, record_done)

static bool is_physical(GVariant *nic) {
        return g_strcmp0(config_get(nic, "nictype"), "physical") == 0;
}

/* --- files --- */

/* Neither on the host nor inside do two have the same name. */
static char *file_of(GVariant *nic) {
        if (is_physical(nic))
                return g_strconcat("host:", config_get(nic, "parent"), NULL);
        return g_strconcat("inside:", config_get(nic, "name"), NULL);
}

static int write_record(int path_fd, const char *name, const Record *record) {
        _cleanup_close_ int dir_fd = path_make_dir(path_fd, LINKS_DIR, 0700);
        g_autofree char *text = NULL;

        if (dir_fd < 0)
                return dir_fd;
        if (record->parent)
                text = g_strdup_printf("%d %s %u %s\n", record->index, record->parent, record->mtu,
                                       record->hwaddr);
        else
                text = g_strdup_printf("%d\n", record->index);
        return path_replace_file(dir_fd, name, text, strlen(text), 0600);
}

static int read_record(int path_fd, const char *name, Record *ret) {
        g_autofree char *path = g_strconcat(LINKS_DIR "/", name, NULL), *text = NULL;
        _cleanup_close_ int fd = path_open_beneath(path_fd, path, O_RDONLY, 0);
        g_auto(GStrv) words = NULL;
        guint64 index, mtu;
        guint n;
        int r;

        if (fd < 0)
                return fd;
        r = fd_read_text(fd, RECORD_MAX, &text);
        if (r < 0)
                return r;
        words = g_strsplit(g_strchomp(text), " ", -1);
        n = g_strv_length(words);
        if ((n != 1 && n != 4) ||
            !g_ascii_string_to_unsigned(words[0], 10, 0, INT_MAX, &index, NULL) ||
            (n == 4 && !g_ascii_string_to_unsigned(words[2], 10, 0, UINT_MAX, &mtu, NULL)))
                return -EBADMSG;
        *ret = (Record) { .index = (int) index };
        if (n == 4) {
                ret->parent = g_strdup(words[1]);
                ret->mtu = (unsigned) mtu;
                ret->hwaddr = g_strdup(words[3]);
        }
        return 0;
}

void nic_record_forget(int path_fd, GVariant *nic) {
        g_autofree char *name = file_of(nic), *path = g_strconcat(LINKS_DIR "/", name, NULL);

        (void) unlinkat(path_fd, path, 0);
}

int nic_record_read(int path_fd, GVariant *nic, int *ret_index, unsigned *ret_mtu) {
        g_autofree char *name = file_of(nic);
        g_auto(Record) record = { 0 };
        int r = read_record(path_fd, name, &record);

        if (r < 0)
                return r;
        if (record.index <= 0)
                return -ENOENT;
        *ret_index = record.index;
        *ret_mtu = record.mtu;
        return 0;
}

/* --- taking note --- */

int nic_record_before(int path_fd, GVariant *nic) {
        g_autofree char *hwaddr = g_new0(char, ADDRESS_TEXT_MAX), *name = file_of(nic);
        g_autoptr(NicSocket) sock = NULL;
        g_autoptr(NicLink) link = NULL;
        struct nl_addr *address;
        Record record;
        int r;

        if (!is_physical(nic))
                return 0;
        r = nic_socket_open(&sock);
        if (r >= 0)
                r = nic_link_find(sock, config_get(nic, "parent"), &link);
        if (r < 0)
                return r;
        address = rtnl_link_get_addr(link);
        record = (Record) {
                .parent = (char *) config_get(nic, "parent"),
                .mtu = rtnl_link_get_mtu(link),
                .hwaddr = address ? nl_addr2str(address, hwaddr, ADDRESS_TEXT_MAX)
                                  : (char *) "none",
        };
        return write_record(path_fd, name, &record);
}

static int keep_namespace(int path_fd, const Process *init) {
        g_autofree char *from = g_strdup_printf("/proc/self/fd/%d/ns/net", init->proc_fd);
        _cleanup_close_ int fd = openat(path_fd, NAMESPACE_FILE,
                                        O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        g_autofree char *to = g_strdup_printf("/proc/self/fd/%d", fd);

        if (fd < 0)
                return errno == EEXIST ? 0 : -errno;
        if (mount(from, to, NULL, MS_BIND, NULL) < 0)
                return -errno;
        return 0;
}

int nic_record_inside(int path_fd, const Process *init, GVariant *nic) {
        _cleanup_close_ int namespace_fd = openat(init->proc_fd, "ns/net", O_RDONLY | O_CLOEXEC);
        g_autofree char *name = file_of(nic);
        g_autoptr(NicSocket) sock = NULL;
        g_autoptr(NicLink) link = NULL;
        g_auto(Record) record = { 0 };
        int r;

        r = namespace_fd < 0 ? -errno : nic_socket_open_in(namespace_fd, &sock);
        if (r >= 0)
                r = nic_link_find(sock, config_get(nic, "name"), &link);
        if (r >= 0 && is_physical(nic))
                r = read_record(path_fd, name, &record);
        if (r >= 0 && is_physical(nic))
                r = keep_namespace(path_fd, init);
        if (r < 0)
                return r;
        record.index = rtnl_link_get_ifindex(link);
        return write_record(path_fd, name, &record);
}

/* --- giving back --- */

/* What its root has made of it inside, it is not to be for the host. */
static int restore(const Record *record) {
        g_autoptr(NicLink) link = NULL, change = rtnl_link_alloc();
        g_autoptr(NicAddress) address = NULL;
        g_autoptr(NicSocket) sock = NULL;
        int r;

        r = nic_socket_open(&sock);
        if (r >= 0)
                r = nic_link_find(sock, record->parent, &link);
        if (r < 0 || !change)
                return MIN(r, 0);
        if (rtnl_link_get_mtu(link) != record->mtu)
                rtnl_link_set_mtu(change, record->mtu);
        if (nl_addr_parse(record->hwaddr, AF_LLC, &address) >= 0 &&
            nl_addr_cmp(address, rtnl_link_get_addr(link)) != 0)
                rtnl_link_set_addr(change, address);
        return nic_errno_of(rtnl_link_change(sock, link, change, 0));
}

static int return_link(int namespace_fd, const Record *record) {
        _cleanup_close_ int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        g_autoptr(NicLink) link = NULL, change = rtnl_link_alloc();
        g_autoptr(NicSocket) sock = NULL;
        int r;

        if (own < 0 || !change)
                return -errno;
        r = nic_socket_open_in(namespace_fd, &sock);
        if (r >= 0)
                r = nic_link_find_index(sock, record->index, &link);
        /* liblxc has given it back already, or its root has deleted what is made by software. */
        if (r == -ENODEV)
                return 0;
        if (r < 0)
                return r;
        rtnl_link_set_ns_fd(change, own);
        rtnl_link_set_name(change, record->parent);
        r = nic_errno_of(rtnl_link_change(sock, link, change, 0));
        return r < 0 ? r : restore(record);
}

/* It is a mount, which path_open_beneath() does not cross; the directory is ours. */
static int open_namespace(int path_fd) {
        int fd = openat(path_fd, NAMESPACE_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static int return_recorded(int path_fd, const char *name) {
        _cleanup_close_ int namespace_fd = open_namespace(path_fd);
        g_auto(Record) record = { 0 };
        int r = read_record(path_fd, name, &record);

        if (r == -ENOENT || (r >= 0 && (!record.parent || record.index <= 0)))
                return 0;
        if (r < 0)
                return r;
        return namespace_fd < 0 ? namespace_fd : return_link(namespace_fd, &record);
}

int nic_record_return(int path_fd, GVariant *nic) {
        g_autofree char *name = file_of(nic);
        int r = return_recorded(path_fd, name);

        if (r >= 0)
                nic_record_forget(path_fd, nic);
        return r;
}

void nic_record_return_all(int path_fd) {
        _cleanup_close_ int dir_fd = path_open_beneath(path_fd, LINKS_DIR, O_RDONLY | O_DIRECTORY,
                                                       0);
        g_autofree char *kept = g_strdup_printf("/proc/self/fd/%d/" NAMESPACE_FILE, path_fd);
        DIR *d = dir_fd < 0 ? NULL : fdopendir(dup(dir_fd));
        struct dirent *entry;

        while (d && (entry = readdir(d))) {
                int r = path_is_component(entry->d_name)
                                ? return_recorded(path_fd, entry->d_name) : 0;

                if (r < 0)
                        log_warning("Network interface \"%s\" cannot be given back to the host: %s",
                                    entry->d_name, g_strerror(-r));
        }
        if (d)
                (void) closedir(d);
        if (umount2(kept, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
                log_warning("%s cannot be unmounted: %s", kept, g_strerror(errno));
}
