/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/rebuild-image.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/model/name.h"
#include "service/operation/image-job.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define ARCHITECTURE_MAX 32U
#define FILENAME_MAX_BYTES 255U

static bool alias_is_taken(Manager *m, const char *alias) {
        GHashTableIter iter;
        Image *other;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &other))
                if (image_has_alias(other, alias))
                        return true;
        return false;
}

static void drop_taken_aliases(Manager *m, Image *image) {
        g_auto(GStrv) aliases = g_strdupv(image->aliases);

        for (char **alias = aliases; *alias; alias++)
                if (alias_is_taken(m, *alias))
                        image_remove_alias(image, *alias);
}

static void keep_filename(char **filename) {
        if (strlen(*filename) <= FILENAME_MAX_BYTES && !strchr(*filename, '/'))
                return;
        g_free(*filename);
        *filename = g_strdup("");
}

/* A disk that says that it has what a server has would be taken for the server. */
static void forget_server(Image *image) {
        g_free(image->server);
        image->server = g_strdup("");
        g_free(image->remote_name);
        image->remote_name = g_strdup("");
        image->refreshed = 0;
        image->auto_update = image->cached = false;
}

static bool has_archive(Manager *m, const Image *image) {
        _cleanup_close_ int fd = image_open_archives(m, NULL);

        return fd >= 0 && faccessat(fd, image->object.name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

int rebuild_image(Manager *m, const char *pool, const char *name, GVariant *record, Image **ret,
                  Error *ret_error) {
        g_autoptr(Image) image = NULL;
        int r;

        if (!name_is_fingerprint(name) || image_from_record(name, record, &image) < 0 ||
            image->state != IMAGE_READY || strlen(image->architecture) > ARCHITECTURE_MAX)
                return error_set(ret_error, ERROR_FAILED, "its record makes no sense");
        r = image_check_properties(image->properties, ret_error);
        if (r >= 0)
                r = image_check_aliases((const char *const *) image->aliases, ret_error);
        if (r < 0)
                return r;
        drop_taken_aliases(m, image);
        keep_filename(&image->filename);
        keep_filename(&image->rootfs_filename);
        forget_server(image);
        g_strfreev(image->pools);
        image->pools = g_new0(char *, 1);
        image_set_unpacked(image, pool, true);
        image->archive_lost = !has_archive(m, image);
        *ret = TAKE_PTR(image);
        return 0;
}
