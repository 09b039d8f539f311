/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/user.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define USER_FILE_MAX (4U << 20)
#define USER_GROUPS_MAX 1024

enum { PASSWD_NAME, PASSWD_PASSWORD, PASSWD_UID, PASSWD_GID, PASSWD_GECOS, PASSWD_HOME };
enum { GROUP_NAME, GROUP_PASSWORD, GROUP_GID, GROUP_MEMBERS };

void user_clear(User *user) {
        g_clear_pointer(&user->name, g_free);
        g_clear_pointer(&user->home, g_free);
        g_clear_pointer(&user->groups, g_array_unref);
}

/* The id 2^32-1 means "unchanged" to the kernel. */
static bool parse_id(const char *text, uint32_t *ret) {
        guint64 n;

        if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32 - 1, &n, NULL))
                return false;
        *ret = (uint32_t) n;
        return true;
}

/* The first entry of that name, or where the field is that number. One without a group that can be
 * read, in the field `gid_field`, is none. */
static GStrv find_entry(const char *text, const char *name, guint id_field, uint32_t id,
                        guint gid_field) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, ":", -1);
                uint32_t n, gid;

                if (g_strv_length(fields) <= gid_field || !parse_id(fields[id_field], &n) ||
                    !parse_id(fields[gid_field], &gid))
                        continue;
                if (name ? g_str_equal(fields[0], name) : n == id)
                        return TAKE_PTR(fields);
        }
        return NULL;
}

static int resolve_user(const char *text, const char *user, User *u, Error *ret_error) {
        g_auto(GStrv) entry = NULL;
        uint32_t id = 0, gid = 0;
        bool numeric = *user == '\0' || parse_id(user, &id);

        entry = find_entry(text, numeric ? NULL : user, PASSWD_UID, id, PASSWD_GID);
        if (!entry && !numeric)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The container has no user \"%s\"", user);
        if (entry) {
                (void) parse_id(entry[PASSWD_UID], &id);
                (void) parse_id(entry[PASSWD_GID], &gid);
                u->name = g_strdup(entry[PASSWD_NAME]);
                if (g_strv_length(entry) > PASSWD_HOME && entry[PASSWD_HOME][0] == '/')
                        u->home = g_strdup(entry[PASSWD_HOME]);
        }
        u->uid = id;
        u->gid = gid;
        return 0;
}

static int resolve_group(const char *text, const char *group, User *u, Error *ret_error) {
        g_auto(GStrv) entry = NULL;
        uint32_t id;

        if (!parse_id(group, &id)) {
                entry = find_entry(text, group, GROUP_GID, 0, GROUP_GID);
                if (!entry)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "The container has no group \"%s\"", group);
                (void) parse_id(entry[GROUP_GID], &id);
        }
        u->gid = id;
        return 0;
}

static void collect_groups(const char *text, User *u) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line && u->groups->len < USER_GROUPS_MAX; line++) {
                g_auto(GStrv) fields = g_strsplit(*line, ":", -1), members = NULL;
                uint32_t id;

                if (g_strv_length(fields) <= GROUP_MEMBERS || !parse_id(fields[GROUP_GID], &id))
                        continue;
                members = g_strsplit(g_strchomp(fields[GROUP_MEMBERS]), ",", -1);
                if (g_strv_contains((const char *const *) members, u->name))
                        g_array_append_val(u->groups, id);
        }
}

int user_resolve(const char *user, const char *group, const char *passwd_text,
                 const char *group_text, User *ret, Error *ret_error) {
        g_auto(User) u = { .groups = g_array_new(FALSE, FALSE, sizeof(gid_t)) };
        int r;

        r = resolve_user(passwd_text, user, &u, ret_error);
        if (r < 0)
                return r;
        if (*group != '\0') {
                r = resolve_group(group_text, group, &u, ret_error);
                if (r < 0)
                        return r;
        } else if (u.name)
                collect_groups(group_text, &u);

        *ret = u;
        u = (User) {};
        return 0;
}

/* The file may be missing, a pipe, or a link into /proc: whatever the container's root likes. */
static int read_file(const char *path, char **ret) {
        struct open_how how = {
                .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                .resolve = RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int fd = (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
        struct stat st;

        if (fd < 0 && errno == ENOENT) {
                *ret = g_strdup("");
                return 0;
        }
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        return fd_read_text(fd, USER_FILE_MAX, ret);
}

int user_resolve_here(const char *user, const char *group, User *ret, Error *ret_error) {
        g_autofree char *passwd_text = NULL, *group_text = NULL;
        int r;

        r = read_file("/etc/passwd", &passwd_text);
        if (r >= 0)
                r = read_file("/etc/group", &group_text);
        /* Root needs no names, and has to get in to repair the files. */
        if (r < 0 && *user == '\0' && *group == '\0')
                return user_resolve("", "", "", "", ret, ret_error);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "/etc/passwd or /etc/group of the container can't be read");
        return user_resolve(user, group, passwd_text, group_text, ret, ret_error);
}
