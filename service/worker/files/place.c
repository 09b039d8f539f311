/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/place.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/path.h"

/* openat2() gives -EAGAIN when a rename elsewhere made its answer unsure. */
#define RETRY_MAX 64
/* As many links as the kernel follows. */
#define LINKS_MAX 40
#define DEPTH_MAX 1024

int place_open(const Inside *inside, const char *path, int flags) {
        struct open_how how = {
                .flags = (unsigned) (flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY)),
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };

        for (int i = 0; i < RETRY_MAX; i++) {
                int fd = (int) syscall(SYS_openat2, inside->root_fd, path, &how, sizeof(how));

                if (fd >= 0)
                        return fd;
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
        }
        return -EAGAIN;
}

static const struct {
        mode_t format;
        const char *word, *noun;
} types[] = {
        { S_IFREG, "file", "a file" },
        { S_IFDIR, "directory", "a directory" },
        { S_IFLNK, "symlink", "a symbolic link" },
        { S_IFIFO, "fifo", "a FIFO" },
        { S_IFSOCK, "socket", "a socket" },
        { S_IFCHR, "character-device", "a device" },
        { S_IFBLK, "block-device", "a device" },
};

const char *file_type_to_string(mode_t mode) {
        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if ((mode & S_IFMT) == types[i].format)
                        return types[i].word;
        return "unknown";
}

const char *file_type_to_noun(mode_t mode) {
        for (size_t i = 0; i < ELEMENTSOF(types); i++)
                if ((mode & S_IFMT) == types[i].format)
                        return types[i].noun;
        return "of an unknown type";
}

int place_error_type(const char *path, mode_t mode, Error *ret_error) {
        return error_set(ret_error, ERROR_WRONG_FILE_TYPE,
                         "\"%s\" in the container is %s, not a file", path,
                         file_type_to_noun(mode));
}

static int error_open(const char *path, int r, Error *ret_error) {
        if (r == -ENOENT || r == -ENOTDIR)
                return error_set(ret_error, ERROR_NO_SUCH_FILE,
                                 "The container has no file or directory \"%s\"", path);
        return error_set_errno(ret_error, -r, "\"%s\" in the container can't be opened", path);
}

int place_open_file(const Inside *inside, const char *path, struct stat *ret_stat,
                    Error *ret_error) {
        _cleanup_close_ int path_fd = place_open(inside, path, O_PATH);
        char number[16];
        int fd;

        if (path_fd < 0)
                return error_open(path, path_fd, ret_error);
        if (fstat(path_fd, ret_stat) < 0)
                return error_open(path, -errno, ret_error);
        if (!S_ISREG(ret_stat->st_mode))
                return place_error_type(path, ret_stat->st_mode, ret_error);
        /* The very same file, now that it is known to be one that opening does nothing to. */
        (void) g_snprintf(number, sizeof(number), "%d", path_fd);
        fd = openat(inside->self_fd, number, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        return fd < 0 ? error_open(path, -errno, ret_error) : fd;
}

void place_done(Place *place) {
        place->dir_fd = fd_close(place->dir_fd);
        g_clear_pointer(&place->name, g_free);
}

char *place_parent(const char *path) {
        g_autofree char *text = g_strdup(path);
        char *slash;

        for (size_t n = strlen(text); n > 1 && text[n - 1] == '/'; n--)
                text[n - 1] = '\0';
        slash = strrchr(text, '/');
        if (!slash || slash == text)
                return g_strdup("/");
        *slash = '\0';
        return TAKE_PTR(text);
}

/* Splits off the last component. */
static int split(const char *path, char **ret_parent, char **ret_name) {
        size_t n = strlen(path);
        const char *name;

        while (n > 0 && path[n - 1] == '/')
                n--;
        name = path + n;
        while (name > path && name[-1] != '/')
                name--;
        *ret_name = g_strndup(name, (gsize) (path + n - name));
        *ret_parent = place_parent(path);
        return path_is_component(*ret_name) ? 0 : -EISDIR;
}

/* One step: opens the directory, looks at the entry. *ret_next: where its link leads, or NULL. */
static int find_step(const Inside *inside, const char *path, bool follow, Place *place,
                     char **ret_next) {
        g_autofree char *parent = NULL, *target = g_malloc0(PATH_MAX);
        ssize_t n;
        int r;

        place_done(place);
        r = split(path, &parent, &place->name);
        if (r < 0)
                return r;
        place->dir_fd = place_open(inside, parent, O_RDONLY | O_DIRECTORY);
        if (place->dir_fd < 0)
                return place->dir_fd;
        if (fstatat(place->dir_fd, place->name, &place->stat, AT_SYMLINK_NOFOLLOW) < 0) {
                place->stat = (struct stat) { 0 };
                return errno == ENOENT ? 0 : -errno;
        }
        if (!follow || !S_ISLNK(place->stat.st_mode))
                return 0;
        n = readlinkat(place->dir_fd, place->name, target, PATH_MAX - 1);
        if (n < 0)
                return -errno;
        *ret_next = target[0] == '/' ? TAKE_PTR(target) : g_build_filename(parent, target, NULL);
        return 0;
}

int place_find(const Inside *inside, const char *path, bool follow, Place *ret, Error *ret_error) {
        g_auto(Place) place = PLACE_INIT;
        g_autofree char *text = g_strdup(path);

        for (int i = 0; i < LINKS_MAX; i++) {
                g_autofree char *next = NULL;
                int r = find_step(inside, text, follow, &place, &next);

                if (r == -EISDIR)
                        return place_error_type(path, S_IFDIR, ret_error);
                if (r < 0)
                        return error_open(path, r, ret_error);
                if (!next) {
                        *ret = place;
                        place = PLACE_INIT;
                        return 0;
                }
                g_free(text);
                text = TAKE_PTR(next);
        }
        return error_open(path, -ELOOP, ret_error);
}

int place_sync(const Place *place, const char *path, Error *ret_error) {
        _cleanup_close_ int fd = openat(place->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL && errno != EROFS))
                return error_set_errno(ret_error, errno, "\"%s\" can't be brought to disk", path);
        return 0;
}

static int make_one(const Inside *inside, const char *path, mode_t mode, NewOwner owner,
                    Error *ret_error) {
        g_auto(Place) place = PLACE_INIT;
        int r;

        r = place_find(inside, path, true, &place, ret_error);
        if (r < 0)
                return r;
        if (mkdirat(place.dir_fd, place.name, mode) < 0) {
                if (errno == EEXIST)
                        return 0; /* somebody was quicker, or it is no directory: it will show */
                return error_set_errno(ret_error, errno,
                                       "Directory \"%s\" can't be made in the container", path);
        }
        if (fchownat(place.dir_fd, place.name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set_errno(ret_error, errno,
                                       "Directory \"%s\" can't be given to user %u, group %u", path,
                                       owner.uid, owner.gid);
        return place_sync(&place, path, ret_error);
}

int place_make_directories(const Inside *inside, const char *path, mode_t mode, NewOwner owner,
                           Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(path, "/", -1);
        g_autoptr(GString) prefix = g_string_new(NULL);

        if (g_strv_length(parts) > DEPTH_MAX)
                return error_set(ret_error, ERROR_INVALID_ARGS, "\"%s\" is too deep", path);
        for (char **part = parts; *part; part++) {
                _cleanup_close_ int fd = -EBADF;
                int r;

                if (**part == '\0')
                        continue;
                g_string_append_printf(prefix, "/%s", *part);
                fd = place_open(inside, prefix->str, O_PATH | O_DIRECTORY);
                if (fd >= 0)
                        continue;
                if (fd != -ENOENT)
                        return error_open(prefix->str, fd, ret_error);
                r = make_one(inside, prefix->str, mode, owner, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

void place_describe(const struct stat *st, GVariantDict *ret) {
        g_variant_dict_insert(ret, "type", "s", file_type_to_string(st->st_mode));
        g_variant_dict_insert(ret, "size", "t", (guint64) st->st_size);
        g_variant_dict_insert(ret, "mode", "u", (guint32) (st->st_mode & 07777));
        g_variant_dict_insert(ret, "uid", "u", (guint32) st->st_uid);
        g_variant_dict_insert(ret, "gid", "u", (guint32) st->st_gid);
        g_variant_dict_insert(ret, "modified", "t",
                              (guint64) MAX(st->st_mtim.tv_sec, 0) * G_USEC_PER_SEC +
                                      (guint64) st->st_mtim.tv_nsec / 1000);
}
