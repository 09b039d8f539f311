/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/state-seal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"

static const char *const seal_files[] = {
        [STATE_SEAL_OWN] = "seal",
        [STATE_SEAL_TRANSFER] = "seal.transfer",
};
G_STATIC_ASSERT(G_N_ELEMENTS(seal_files) == _STATE_SEAL_MAX);

#define SEAL_SIZE 64U /* SHA-256 in hexadecimal */
#define KEY_SIZE 32U
#define BUFFER_SIZE (1U << 18)

/* Those with ".new" are what a write of a seal that was interrupted has left. */
static const char *const left_out[] = { "seal", ".seal.new", "seal.transfer",
                                        ".seal.transfer.new", "restore.log", "stats-restore" };

static bool is_left_out(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(left_out); i++)
                if (g_str_equal(left_out[i], name))
                        return true;
        return false;
}

static int compare_names(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* In an order that is the same wherever they are. */
static int list_files(int dir_fd, GPtrArray **ret) {
        g_autoptr(GPtrArray) names = NULL;
        int r = path_list_names(dir_fd, &names);

        if (r < 0)
                return r;
        for (guint i = names->len; i > 0; i--)
                if (is_left_out(g_ptr_array_index(names, i - 1)))
                        (void) g_ptr_array_remove_index_fast(names, i - 1);
        g_ptr_array_sort(names, compare_names);
        *ret = TAKE_PTR(names);
        return 0;
}

/* With its length, so that no two lists of texts read the same. */
static void add_bytes(GHmac *hmac, const void *data, uint64_t size) {
        uint64_t length = GUINT64_TO_LE(size);

        g_hmac_update(hmac, (const guchar *) &length, sizeof(length));
        g_hmac_update(hmac, data, (gssize) size);
}

static int add_file(GHmac *hmac, int dir_fd, const char *name) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK, 0);
        g_autofree guchar *buffer = g_malloc(BUFFER_SIZE);
        uint64_t left, length;
        struct stat st;

        if (fd < 0)
                return fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        add_bytes(hmac, name, strlen(name));
        left = (uint64_t) st.st_size;
        length = GUINT64_TO_LE(left);
        g_hmac_update(hmac, (const guchar *) &length, sizeof(length));
        while (left > 0) {
                ssize_t n = read(fd, buffer, MIN(left, BUFFER_SIZE));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EBADMSG;
                g_hmac_update(hmac, buffer, n);
                left -= (uint64_t) n;
        }
        return 0;
}

static int read_key(const char *path, GBytes **ret) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        g_autoptr(GBytes) key = NULL;
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 0077))
                return -EPERM;
        r = fd_read_all(fd, KEY_SIZE, &key);
        if (r < 0)
                return r;
        if (g_bytes_get_size(key) != KEY_SIZE)
                return -EBADMSG;
        *ret = TAKE_PTR(key);
        return 0;
}

static int compute(int dir_fd, const char *key_path, const char *container, const IdMap *idmap,
                   char **ret) {
        g_autofree char *ids = idmap_to_json(idmap);
        g_autoptr(GPtrArray) names = NULL;
        g_autoptr(GBytes) key = NULL;
        g_autoptr(GHmac) hmac = NULL;
        int r = read_key(key_path, &key);

        if (r >= 0)
                r = list_files(dir_fd, &names);
        if (r < 0)
                return r;
        hmac = g_hmac_new(G_CHECKSUM_SHA256, g_bytes_get_data(key, NULL), KEY_SIZE);
        add_bytes(hmac, container, strlen(container));
        add_bytes(hmac, ids, strlen(ids));
        for (guint i = 0; r >= 0 && i < names->len; i++)
                r = add_file(hmac, dir_fd, names->pdata[i]);
        if (r < 0)
                return r;
        *ret = g_strdup(g_hmac_get_string(hmac));
        return 0;
}

int state_seal(int dir_fd, StateSeal which, const char *key, const char *container,
               const IdMap *idmap, Error *ret_error) {
        g_autofree char *seal = NULL;
        int r = compute(dir_fd, key, container, idmap, &seal);

        /* Before the seal, that it never stands beside files that are not there yet. */
        if (r >= 0 && syncfs(dir_fd) < 0)
                r = -errno;
        if (r >= 0)
                r = path_replace_file(dir_fd, seal_files[which], seal, strlen(seal), 0600);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot seal the saved state of container \"%s\"",
                                       container);
        return 0;
}

/* Takes as long whatever is wrong. */
static bool seals_are_equal(const char *a, const char *b) {
        unsigned char difference = 0;

        if (strlen(a) != SEAL_SIZE || strlen(b) != SEAL_SIZE)
                return false;
        for (size_t i = 0; i < SEAL_SIZE; i++)
                difference |= (unsigned char) (a[i] ^ b[i]);
        return difference == 0;
}

int state_check_seal(int dir_fd, StateSeal which, const char *key, const char *container,
                     const IdMap *idmap, Error *ret_error) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, seal_files[which],
                                                   O_RDONLY | O_NONBLOCK, 0);
        g_autofree char *computed = NULL, *seal = NULL;
        int r = fd < 0 ? fd : fd_read_text(fd, SEAL_SIZE, &seal);

        if (r >= 0)
                r = compute(dir_fd, key, container, idmap, &computed);
        if (r >= 0 && seals_are_equal(seal, computed))
                return 0;
        if (which == STATE_SEAL_TRANSFER)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "The state of container \"%s\" is not taken in: it is not whole, "
                                 "or was not saved by a host that has the same migration.key as "
                                 "this one, or for other ids%s%s%s", container, r < 0 ? " (" : "",
                                 r < 0 ? g_strerror(-r) : "", r < 0 ? ")" : "");
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "The saved state of container \"%s\" is not restored: it is not whole, or "
                         "this host did not save it for the ids that the container has now%s%s%s; "
                         "go on without it, stateless", container,
                         r < 0 ? " (" : "", r < 0 ? g_strerror(-r) : "", r < 0 ? ")" : "");
}

int state_strip(int dir_fd) {
        for (size_t i = 0; i < ELEMENTSOF(left_out); i++)
                if (unlinkat(dir_fd, left_out[i], 0) < 0 && errno != ENOENT)
                        return -errno;
        return 0;
}

bool state_has_seal(int dir_fd) {
        struct stat st;

        return fstatat(dir_fd, seal_files[STATE_SEAL_OWN], &st, AT_SYMLINK_NOFOLLOW) >= 0;
}

int state_discard(int dir_fd) {
        g_autoptr(GPtrArray) names = NULL;
        int r = path_remove_file(dir_fd, seal_files[STATE_SEAL_OWN]);

        if (r < 0 && r != -ENOENT)
                return r;
        if (list_files(dir_fd, &names) < 0)
                return 0;
        for (guint i = 0; i < names->len; i++)
                (void) unlinkat(dir_fd, names->pdata[i], 0);
        for (size_t i = 0; i < ELEMENTSOF(left_out); i++)
                (void) unlinkat(dir_fd, left_out[i], 0);
        return 0;
}
