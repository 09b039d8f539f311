/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/attributes.h"

#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/entry-name.h"
#include "service/worker/image/text.h"

#define ACL_PREFIX "system.posix_acl_"
#define ACL_ACCESS ACL_PREFIX "access"
#define ACL_DEFAULT ACL_PREFIX "default"

typedef struct Xattr {
        char *name;
        GBytes *value;
} Xattr;

struct Attributes {
        uid_t uid;
        gid_t gid;
        mode_t mode;
        uint32_t id_count; /* all ids are below */
        struct timespec times[2];
        GPtrArray *xattrs; /* Xattr *, NULL without any */
};

static void xattr_destroy(gpointer p) {
        Xattr *xattr = p;

        g_free(xattr->name);
        g_bytes_unref(xattr->value);
        g_free(xattr);
}

Attributes *attributes_free(Attributes *attributes) {
        if (!attributes)
                return NULL;
        g_clear_pointer(&attributes->xattrs, g_ptr_array_unref);
        g_free(attributes);
        return NULL;
}

/* Takes `value` over. */
static void add_xattr(Attributes *attributes, const char *name, GBytes *value) {
        Xattr *xattr = g_new(Xattr, 1);

        *xattr = (Xattr) { g_strdup(name), value };
        if (!attributes->xattrs)
                attributes->xattrs = g_ptr_array_new_with_free_func(xattr_destroy);
        g_ptr_array_add(attributes->xattrs, xattr);
}

static bool xattr_is_wanted(const char *name) {
        if (g_str_has_prefix(name, "user."))
                return !g_str_has_prefix(name, "user.overlay.");
        return g_str_equal(name, "security.capability") || g_str_equal(name, ACL_ACCESS) ||
               g_str_equal(name, ACL_DEFAULT);
}

/* The kernel would say of another version that ACLs are not supported. */
static bool acl_has_version(const void *value, size_t size) {
        struct posix_acl_xattr_header header;

        if (size < sizeof(header))
                return false;
        memcpy(&header, value, sizeof(header));
        return header.a_version == GUINT32_TO_LE(POSIX_ACL_XATTR_VERSION);
}

static int read_xattrs(struct archive_entry *entry, const char *name, Attributes *attributes,
                       Error *ret_error) {
        const char *key;
        const void *value;
        size_t size;

        if (archive_entry_xattr_count(entry) > (int) IMAGE_XATTRS_MAX)
                return entry_name_error(name, "it has too many extended attributes", ret_error);

        (void) archive_entry_xattr_reset(entry);
        while (archive_entry_xattr_next(entry, &key, &value, &size) == ARCHIVE_OK) {
                if (!key || !xattr_is_wanted(key))
                        continue;
                if (size > IMAGE_XATTR_SIZE_MAX)
                        return entry_name_error(name, "it has an extended attribute that is too "
                                                "large", ret_error);
                if (g_str_has_prefix(key, ACL_PREFIX) && !acl_has_version(value, size))
                        return entry_name_error(name, "its access control list is malformed",
                                                ret_error);
                add_xattr(attributes, key, g_bytes_new(value, size));
        }
        return 0;
}

/* --- Access control lists ---------------------------------------------------------------- */

static int acl_tag(int tag) {
        switch (tag) {
        case ARCHIVE_ENTRY_ACL_USER_OBJ:
                return ACL_USER_OBJ;
        case ARCHIVE_ENTRY_ACL_USER:
                return ACL_USER;
        case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
                return ACL_GROUP_OBJ;
        case ARCHIVE_ENTRY_ACL_GROUP:
                return ACL_GROUP;
        case ARCHIVE_ENTRY_ACL_MASK:
                return ACL_MASK;
        case ARCHIVE_ENTRY_ACL_OTHER:
                return ACL_OTHER;
        default:
                return -EINVAL;
        }
}

static int acl_permissions(int permset) {
        return (permset & ARCHIVE_ENTRY_ACL_READ ? ACL_READ : 0) |
               (permset & ARCHIVE_ENTRY_ACL_WRITE ? ACL_WRITE : 0) |
               (permset & ARCHIVE_ENTRY_ACL_EXECUTE ? ACL_EXECUTE : 0);
}

/* The kernel wants entries by tag, then by id. */
static gint acl_compare(gconstpointer a, gconstpointer b) {
        const struct posix_acl_xattr_entry *x = a, *y = b;
        unsigned x_tag = GUINT16_FROM_LE(x->e_tag), y_tag = GUINT16_FROM_LE(y->e_tag);
        uint32_t x_id = GUINT32_FROM_LE(x->e_id), y_id = GUINT32_FROM_LE(y->e_id);

        if (x_tag != y_tag)
                return x_tag < y_tag ? -1 : 1;
        return x_id < y_id ? -1 : x_id > y_id;
}

/* One of the two lists of an entry in the form of its extended attribute. An entry whose user or
 * group is known by name only is left out, as the image's passwd is not the host's: that takes
 * rights away and grants none. */
/* `last`: the highest that there can be. */
static int bad_owner(const char *name, const char *what, uint32_t last, Error *ret_error) {
        g_autofree char *why = g_strdup_printf("%s %u", what, last);

        return entry_name_error(name, why, ret_error);
}

static int read_acl(struct archive_entry *entry, const char *name, int which, const char *xattr,
                    Attributes *attributes, Error *ret_error) {
        const struct posix_acl_xattr_header header = {
                .a_version = GUINT32_TO_LE(POSIX_ACL_XATTR_VERSION),
        };
        g_autoptr(GArray) entries = NULL;
        g_autoptr(GByteArray) value = NULL;
        int type, permset, tag, id;
        const char *who;
        int count = archive_entry_acl_reset(entry, which);

        if (count <= 0)
                return 0;
        if (count > (int) IMAGE_ACL_ENTRIES_MAX)
                return entry_name_error(name, "its access control list is too long", ret_error);

        entries = g_array_new(FALSE, FALSE, sizeof(struct posix_acl_xattr_entry));
        while (archive_entry_acl_next(entry, which, &type, &permset, &tag, &id, &who) ==
               ARCHIVE_OK) {
                struct posix_acl_xattr_entry e = {
                        .e_tag = GUINT16_TO_LE((uint16_t) acl_tag(tag)),
                        .e_perm = GUINT16_TO_LE((uint16_t) acl_permissions(permset)),
                        .e_id = GUINT32_TO_LE((uint32_t) ACL_UNDEFINED_ID),
                };

                if (acl_tag(tag) < 0)
                        return entry_name_error(name, "its access control list is of an unknown "
                                                "kind", ret_error);
                if (acl_tag(tag) == ACL_USER || acl_tag(tag) == ACL_GROUP) {
                        if (id < 0)
                                continue;
                        if ((unsigned) id >= attributes->id_count)
                                return bad_owner(name, "its access control list names an owner "
                                                 "above", attributes->id_count - 1, ret_error);
                        e.e_id = GUINT32_TO_LE((uint32_t) id);
                }
                g_array_append_val(entries, e);
        }
        g_array_sort(entries, acl_compare);
        value = g_byte_array_new();
        g_byte_array_append(value, (const guint8 *) &header, sizeof(header));
        g_byte_array_append(value, (const guint8 *) entries->data,
                            entries->len * (guint) sizeof(struct posix_acl_xattr_entry));
        add_xattr(attributes, xattr, g_byte_array_free_to_bytes(TAKE_PTR(value)));
        return 0;
}

static int read_acls(struct archive_entry *entry, const char *name, Attributes *attributes,
                     Error *ret_error) {
        int types = archive_entry_acl_types(entry), r = 0;

        /* Without the extended ones the access list says no more than the mode. */
        if ((types & ARCHIVE_ENTRY_ACL_TYPE_ACCESS) &&
            archive_entry_acl_count(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS) > 3)
                r = read_acl(entry, name, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ACL_ACCESS, attributes,
                             ret_error);
        if (r >= 0 && (types & ARCHIVE_ENTRY_ACL_TYPE_DEFAULT) &&
            archive_entry_filetype(entry) == AE_IFDIR)
                r = read_acl(entry, name, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ACL_DEFAULT, attributes,
                             ret_error);
        return r;
}

/* ----------------------------------------------------------------------------------------- */

int attributes_read(struct archive_entry *entry, const char *name, bool with_xattrs,
                    uint32_t id_count, Attributes **ret, Error *ret_error) {
        g_autoptr(Attributes) attributes = g_new(Attributes, 1);
        la_int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
        int r = 0;

        *attributes = (Attributes) {
                .mode = archive_entry_mode(entry) & 07777,
                .id_count = id_count,
        };
        if (uid < 0 || uid >= id_count || gid < 0 || gid >= id_count)
                return bad_owner(name, "its owner or group is not between 0 and", id_count - 1,
                                 ret_error);
        attributes->uid = (uid_t) uid;
        attributes->gid = (gid_t) gid;
        attributes->times[1].tv_sec = archive_entry_mtime(entry);
        attributes->times[1].tv_nsec = archive_entry_mtime_nsec(entry);
        attributes->times[0] = attributes->times[1];

        if (with_xattrs) {
                r = read_xattrs(entry, name, attributes, ret_error);
                if (r >= 0)
                        r = read_acls(entry, name, attributes, ret_error);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(attributes);
        return 0;
}

uid_t attributes_get_uid(const Attributes *attributes) {
        return attributes->uid;
}

gid_t attributes_get_gid(const Attributes *attributes) {
        return attributes->gid;
}

mode_t attributes_get_mode(const Attributes *attributes) {
        return attributes->mode;
}

const struct timespec *attributes_get_times(const Attributes *attributes) {
        return attributes->times;
}

static int xattr_failed(const Xattr *xattr, const char *name, int errnum, Error *ret_error) {
        g_autofree char *shown = text_for_message(name), *key = text_for_message(xattr->name);

        /* Some filesystems take no more than what fits beside a file's block list. */
        if (errnum == ENOSPC || errnum == EDQUOT)
                return error_set(ret_error, ERROR_NO_SPACE,
                                 "There is no space in the storage pool for the extended attribute "
                                 "\"%s\" of \"%s\"; its filesystem may set a bound for it", key,
                                 shown);
        /* Its form is the filesystem's business, and wrong. */
        if (errnum == EINVAL || errnum == ERANGE || errnum == E2BIG)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "Entry \"%s\" of the archive is not acceptable: its extended "
                                 "attribute \"%s\" is malformed or too large", shown, key);
        return error_set_errno(ret_error, errnum,
                               "Cannot set the extended attribute \"%s\" of \"%s\" in the storage "
                               "pool", key, shown);
}

int attributes_apply(const Attributes *attributes, int fd, const char *name, Error *ret_error) {
        struct stat st;

        /* In this order: a new owner takes set-user-id and capabilities away, an ACL contains the
         * group's part of the mode, and all of it touches the times. Each change is a transaction
         * of the filesystem's, and most files need none: that is what asking first is for. */
        if (fstat(fd, &st) < 0)
                return -errno;
        if ((st.st_uid != attributes->uid || st.st_gid != attributes->gid) &&
            fchown(fd, attributes->uid, attributes->gid) < 0)
                return -errno;
        if ((st.st_mode & 07777) != attributes->mode && fchmod(fd, attributes->mode) < 0)
                return -errno;
        for (size_t i = 0; attributes->xattrs && i < attributes->xattrs->len; i++) {
                const Xattr *xattr = attributes->xattrs->pdata[i];
                gsize size;
                const void *value = g_bytes_get_data(xattr->value, &size);

                if (fsetxattr(fd, xattr->name, value, size, 0) < 0)
                        return xattr_failed(xattr, name, errno, ret_error);
        }
        return futimens(fd, attributes->times) < 0 ? -errno : 0;
}
