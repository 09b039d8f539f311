/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>

#include "client/sftp/requests.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <glib.h>

#include "client/sftp/tree.h"
#include "service/util/cleanup.h"

/* Bytes that one answer holds at most, and names. */
#define READ_MAX (256U << 10)
#define NAMES_MAX 100
#define ATTRIBUTES_ALL \
        (SSH_FILEXFER_ATTR_SIZE | SSH_FILEXFER_ATTR_UIDGID | SSH_FILEXFER_ATTR_PERMISSIONS | \
         SSH_FILEXFER_ATTR_ACMODTIME)

/* What a handle stands for: a file, or a directory that is read. */
typedef struct Opened {
        int fd;
        DIR *directory; /* has the fd */
} Opened;

static void opened_free(void *data) {
        Opened *opened = data;

        if (opened->directory)
                (void) closedir(opened->directory);
        else
                fd_close(opened->fd);
        g_free(opened);
}

typedef struct Server {
        sftp_session sftp;
        int root;
        bool links_reversed;
        GPtrArray *opened;
} Server;

/* Answers a request, or returns -errno for an answer that says so. */
typedef int (*Handler)(Server *server, sftp_client_message m);

/* --- answers --- */

/* The connection's end shows at the next request. */
static int answered(int r) {
        (void) r;
        return 0;
}

static void answer_status(sftp_client_message m, int r) {
        uint32_t status = SSH_FX_FAILURE;

        switch (-r) {
        case 0:
                status = SSH_FX_OK;
                break;
        case ENOENT:
        case ENOTDIR:
        case ELOOP:
        case EXDEV: /* a link that leads out */
                status = SSH_FX_NO_SUCH_FILE;
                break;
        case EACCES:
        case EPERM:
        case EROFS:
                status = SSH_FX_PERMISSION_DENIED;
                break;
        case EOPNOTSUPP:
        case ENOSYS:
                status = SSH_FX_OP_UNSUPPORTED;
                break;
        }
        (void) sftp_reply_status(m, status, r < 0 ? g_strerror(-r) : "");
}

/* What a system call has returned, where there is nothing more to say. */
static int answer_done(sftp_client_message m, int result) {
        if (result < 0)
                return -errno;
        answer_status(m, 0);
        return 0;
}

static void fill_attributes(const struct stat *st, struct sftp_attributes_struct *ret) {
        *ret = (struct sftp_attributes_struct) {
                .flags = ATTRIBUTES_ALL,
                .size = (uint64_t) st->st_size,
                .uid = st->st_uid,
                .gid = st->st_gid,
                .permissions = st->st_mode,
                .atime = (uint32_t) st->st_atime,
                .mtime = (uint32_t) st->st_mtime,
        };
}

static int answer_attributes(sftp_client_message m, const struct stat *st) {
        struct sftp_attributes_struct attributes;

        fill_attributes(st, &attributes);
        return answered(sftp_reply_attr(m, &attributes));
}

static int answer_name(sftp_client_message m, const char *name) {
        struct sftp_attributes_struct nothing = { 0 };

        return answered(sftp_reply_name(m, name, &nothing));
}

static int answer_opened(Server *server, sftp_client_message m, Opened *opened) {
        ssh_string handle = sftp_handle_alloc(server->sftp, opened);

        if (!handle) {
                opened_free(opened);
                return -EMFILE;
        }
        g_ptr_array_add(server->opened, opened);
        (void) sftp_reply_handle(m, handle);
        ssh_string_free(handle);
        return 0;
}

/* The permissions that something new is to have. */
static mode_t mode_asked_for(sftp_client_message m, mode_t fallback) {
        return m->attr->flags & SSH_FILEXFER_ATTR_PERMISSIONS ? m->attr->permissions & 07777
                                                              : fallback;
}

static Opened *find_opened(Server *server, sftp_client_message m) {
        return m->handle ? sftp_handle(server->sftp, m->handle) : NULL;
}

/* A file's, not a directory's. */
static int find_fd(Server *server, sftp_client_message m) {
        Opened *opened = find_opened(server, m);

        return opened && !opened->directory ? opened->fd : -EBADF;
}

/* --- files --- */

static int on_open(Server *server, sftp_client_message m) {
        static const int access[] = { O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR };
        static const struct {
                uint32_t theirs;
                int ours;
        } flags[] = {
                { SSH_FXF_APPEND, O_APPEND },
                { SSH_FXF_CREAT, O_CREAT },
                { SSH_FXF_TRUNC, O_TRUNC },
                { SSH_FXF_EXCL, O_EXCL },
        };
        int open_flags = access[m->flags & (SSH_FXF_READ | SSH_FXF_WRITE)], fd;
        Opened *opened;

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (m->flags & flags[i].theirs)
                        open_flags |= flags[i].ours;
        fd = tree_open_file(server->root, m->filename, open_flags, mode_asked_for(m, 0666));
        if (fd < 0)
                return fd;
        opened = g_new(Opened, 1);
        *opened = (Opened) { .fd = fd };
        return answer_opened(server, m, opened);
}

static int on_read(Server *server, sftp_client_message m) {
        g_autofree char *data = g_malloc(READ_MAX);
        int fd = find_fd(server, m);
        ssize_t n;

        if (fd < 0)
                return fd;
        n = pread(fd, data, MIN(m->len, READ_MAX), (off_t) m->offset);
        if (n < 0)
                return -errno;
        if (n == 0)
                return answered(sftp_reply_status(m, SSH_FX_EOF, ""));
        return answered(sftp_reply_data(m, data, (int) n));
}

static int on_write(Server *server, sftp_client_message m) {
        const char *data = ssh_string_data(m->data);
        size_t left = ssh_string_len(m->data);
        off_t offset = (off_t) m->offset;
        int fd = find_fd(server, m);

        if (fd < 0)
                return fd;
        while (left > 0) {
                ssize_t n = pwrite(fd, data, left, offset);

                if (n < 0)
                        return -errno;
                data += n;
                left -= (size_t) n;
                offset += n;
        }
        answer_status(m, 0);
        return 0;
}

static int on_close(Server *server, sftp_client_message m) {
        Opened *opened = find_opened(server, m);

        if (!opened)
                return -EBADF;
        sftp_handle_remove(server->sftp, opened);
        (void) g_ptr_array_remove_fast(server->opened, opened);
        answer_status(m, 0);
        return 0;
}

/* --- directories --- */

static int on_opendir(Server *server, sftp_client_message m) {
        int fd = tree_open(server->root, m->filename, O_RDONLY | O_DIRECTORY, 0);
        Opened *opened;
        DIR *directory;

        if (fd < 0)
                return fd;
        directory = fdopendir(fd);
        if (!directory) {
                int r = -errno;

                fd_close(fd);
                return r;
        }
        opened = g_new(Opened, 1);
        *opened = (Opened) { .fd = fd, .directory = directory };
        return answer_opened(server, m, opened);
}

static char type_letter(mode_t mode) {
        static const struct {
                mode_t type;
                char letter;
        } types[] = {
                { S_IFREG, '-' }, { S_IFDIR, 'd' }, { S_IFLNK, 'l' }, { S_IFIFO, 'p' },
                { S_IFSOCK, 's' }, { S_IFCHR, 'c' }, { S_IFBLK, 'b' },
        };

        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if ((mode & S_IFMT) == types[i].type)
                        return types[i].letter;
        return '?';
}

/* A line of ls(1), which clients show as it is. */
static char *format_long(const char *name, const struct stat *st) {
        static const char letters[] = "rwxrwxrwx";
        static const struct {
                mode_t bit;
                int at;
                char with, without;
        } special[] = {
                { S_ISUID, 3, 's', 'S' },
                { S_ISGID, 6, 's', 'S' },
                { S_ISVTX, 9, 't', 'T' },
        };
        /* As ls does it: the year for what is older than half a year. */
        bool recent = time(NULL) - st->st_mtime < 182 * 86400 && st->st_mtime <= time(NULL) + 60;
        char mode[] = "----------", when[32] = "";
        struct tm tm;

        mode[0] = type_letter(st->st_mode);
        for (int i = 0; i < 9; i++)
                if (st->st_mode & (0400U >> i))
                        mode[i + 1] = letters[i];
        for (size_t i = 0; i < ELEMENTSOF(special); i++)
                if (st->st_mode & special[i].bit)
                        mode[special[i].at] = mode[special[i].at] == 'x' ? special[i].with
                                                                         : special[i].without;
        if (localtime_r(&st->st_mtime, &tm))
                (void) strftime(when, sizeof(when), recent ? "%b %e %H:%M" : "%b %e  %Y", &tm);
        return g_strdup_printf("%s %4lu %-8u %-8u %8lld %s %s", mode, (unsigned long) st->st_nlink,
                               st->st_uid, st->st_gid, (long long) st->st_size, when, name);
}

static int on_readdir(Server *server, sftp_client_message m) {
        Opened *opened = find_opened(server, m);
        size_t n = 0;

        if (!opened || !opened->directory)
                return -EBADF;
        while (n < NAMES_MAX) {
                struct sftp_attributes_struct attributes;
                g_autofree char *line = NULL;
                struct dirent *entry;
                struct stat st;

                errno = 0;
                entry = readdir(opened->directory);
                if (!entry && errno != 0 && n == 0)
                        return -errno;
                if (!entry)
                        break;
                /* What has gone meanwhile is not there. */
                if (fstatat(opened->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                fill_attributes(&st, &attributes);
                line = format_long(entry->d_name, &st);
                if (sftp_reply_names_add(m, entry->d_name, line, &attributes) < 0)
                        return -ENOMEM;
                n++;
        }
        return answered(n > 0 ? sftp_reply_names(m) : sftp_reply_status(m, SSH_FX_EOF, ""));
}

static int on_mkdir(Server *server, sftp_client_message m) {
        g_autofree char *name = NULL;
        _cleanup_close_ int fd = tree_open_parent(server->root, m->filename, &name);

        return fd < 0 ? fd : answer_done(m, mkdirat(fd, name, mode_asked_for(m, 0777)));
}

static int unlink_entry(Server *server, sftp_client_message m, int flags) {
        g_autofree char *name = NULL;
        _cleanup_close_ int fd = tree_open_parent(server->root, m->filename, &name);

        return fd < 0 ? fd : answer_done(m, unlinkat(fd, name, flags));
}

static int on_remove(Server *server, sftp_client_message m) {
        return unlink_entry(server, m, 0);
}

static int on_rmdir(Server *server, sftp_client_message m) {
        return unlink_entry(server, m, AT_REMOVEDIR);
}

/* --- two names --- */

typedef int (*TwoNamesFunc)(int dir_fd, const char *name, int new_dir_fd, const char *new_name,
                            unsigned flags);

static int with_two_names(Server *server, sftp_client_message m, TwoNamesFunc func,
                          unsigned flags) {
        g_autofree char *name = NULL, *new_name = NULL;
        _cleanup_close_ int from = -EBADF, to = -EBADF;

        from = tree_open_parent(server->root, m->filename, &name);
        if (from < 0)
                return from;
        to = tree_open_parent(server->root, sftp_client_message_get_data(m), &new_name);
        return to < 0 ? to : answer_done(m, func(from, name, to, new_name, flags));
}

static int link_entry(int dir_fd, const char *name, int new_dir_fd, const char *new_name,
                      unsigned flags) {
        return linkat(dir_fd, name, new_dir_fd, new_name, (int) flags);
}

/* The protocol's own replaces nothing; OpenSSH's does as rename(2). */
static int on_rename(Server *server, sftp_client_message m) {
        return with_two_names(server, m, renameat2, RENAME_NOREPLACE);
}

static int on_symlink(Server *server, sftp_client_message m) {
        const char *second = sftp_client_message_get_data(m);
        const char *target = server->links_reversed ? m->filename : second;
        const char *path = server->links_reversed ? second : m->filename;
        g_autofree char *name = NULL;
        _cleanup_close_ int fd = tree_open_parent(server->root, path, &name);

        return fd < 0 ? fd : answer_done(m, symlinkat(target, fd, name));
}

static int on_extended(Server *server, sftp_client_message m) {
        if (g_str_equal(m->submessage, "posix-rename@openssh.com"))
                return with_two_names(server, m, renameat2, 0);
        if (g_str_equal(m->submessage, "hardlink@openssh.com"))
                return with_two_names(server, m, link_entry, 0);
        return -EOPNOTSUPP;
}

static int on_readlink(Server *server, sftp_client_message m) {
        g_autofree char *target = g_malloc(PATH_MAX), *name = NULL;
        _cleanup_close_ int fd = tree_open_parent(server->root, m->filename, &name);
        ssize_t n;

        if (fd < 0)
                return fd;
        n = readlinkat(fd, name, target, PATH_MAX - 1);
        if (n < 0)
                return -errno;
        target[n] = '\0';
        return answer_name(m, target);
}

static int on_realpath(Server *server, sftp_client_message m) {
        g_autofree char *path = tree_normalize(m->filename);

        return answer_name(m, path);
}

/* --- attributes --- */

static int on_stat(Server *server, sftp_client_message m) {
        struct stat st;
        int r;

        r = tree_stat(server->root, m->filename, false, &st);
        return r < 0 ? r : answer_attributes(m, &st);
}

static int on_lstat(Server *server, sftp_client_message m) {
        struct stat st;
        int r;

        r = tree_stat(server->root, m->filename, true, &st);
        return r < 0 ? r : answer_attributes(m, &st);
}

static int on_fstat(Server *server, sftp_client_message m) {
        Opened *opened = find_opened(server, m);
        struct stat st;

        if (!opened)
                return -EBADF;
        return fstat(opened->fd, &st) < 0 ? -errno : answer_attributes(m, &st);
}

/* Of what is open, if only to be looked at: by the name that the kernel gives an fd. */
static int set_attributes(int fd, const struct sftp_attributes_struct *a) {
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
        const struct timespec times[] = { { .tv_sec = a->atime }, { .tv_sec = a->mtime } };

        if (a->flags & SSH_FILEXFER_ATTR_SIZE && truncate(path, (off_t) a->size) < 0)
                return -errno;
        /* Before the mode: another owner takes set-user-id away. */
        if (a->flags & SSH_FILEXFER_ATTR_UIDGID && chown(path, a->uid, a->gid) < 0)
                return -errno;
        if (a->flags & SSH_FILEXFER_ATTR_PERMISSIONS && chmod(path, a->permissions & 07777) < 0)
                return -errno;
        if (a->flags & SSH_FILEXFER_ATTR_ACMODTIME && utimensat(AT_FDCWD, path, times, 0) < 0)
                return -errno;
        return 0;
}

static int on_setstat(Server *server, sftp_client_message m) {
        _cleanup_close_ int fd = tree_open(server->root, m->filename, O_PATH, 0);
        int r;

        r = fd < 0 ? fd : set_attributes(fd, m->attr);
        if (r == 0)
                answer_status(m, 0);
        return r;
}

static int on_fsetstat(Server *server, sftp_client_message m) {
        Opened *opened = find_opened(server, m);
        int r;

        r = opened ? set_attributes(opened->fd, m->attr) : -EBADF;
        if (r == 0)
                answer_status(m, 0);
        return r;
}

/* --- all of them --- */

static const Handler handlers[] = {
        [SSH_FXP_OPEN] = on_open,         [SSH_FXP_CLOSE] = on_close,
        [SSH_FXP_READ] = on_read,         [SSH_FXP_WRITE] = on_write,
        [SSH_FXP_LSTAT] = on_lstat,       [SSH_FXP_FSTAT] = on_fstat,
        [SSH_FXP_SETSTAT] = on_setstat,   [SSH_FXP_FSETSTAT] = on_fsetstat,
        [SSH_FXP_OPENDIR] = on_opendir,   [SSH_FXP_READDIR] = on_readdir,
        [SSH_FXP_REMOVE] = on_remove,     [SSH_FXP_MKDIR] = on_mkdir,
        [SSH_FXP_RMDIR] = on_rmdir,       [SSH_FXP_REALPATH] = on_realpath,
        [SSH_FXP_STAT] = on_stat,         [SSH_FXP_RENAME] = on_rename,
        [SSH_FXP_READLINK] = on_readlink, [SSH_FXP_SYMLINK] = on_symlink,
        [SSH_FXP_EXTENDED] = on_extended,
};

void requests_serve(sftp_session sftp, int root, bool links_reversed) {
        g_autoptr(GPtrArray) opened = g_ptr_array_new_with_free_func(opened_free);
        Server server = {
                .sftp = sftp,
                .root = root,
                .links_reversed = links_reversed,
                .opened = opened,
        };
        sftp_client_message m;

        while ((m = sftp_get_client_message(sftp)) != NULL) {
                Handler handler = m->type < ELEMENTSOF(handlers) ? handlers[m->type] : NULL;
                int r;

                r = handler ? handler(&server, m) : -EOPNOTSUPP;
                if (r < 0)
                        answer_status(m, r);
                sftp_client_message_free(m);
        }
}
