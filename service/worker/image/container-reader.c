/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/container-reader.h"

#include <errno.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/image/archive-reader.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/container-index.h"
#include "service/worker/image/entry-name.h"
#include "service/worker/image/root-filesystem.h"
#include "service/worker/image/unified.h"

/* What LXD writes beside the rest, and says in the index again. */
#define OLD_INDEX_NAME "backup.yaml"

typedef struct ContainerReader {
        Jail *jail;
        const ArchiveLayout *layout;
        ArchiveReader *tar;
        bool has_index;
        GHashTable *awaited; /* snapshots that have not come yet */
        bool has_container;
        char *volume;        /* that is being read: a snapshot, "" for the container, NULL */
        char *prefix;        /* its directory in the archive */
        int root_fd;
        Unified *unified;
        RootFilesystem *files; /* instead, where they are as they are */
        uint32_t n_entries;  /* of that volume */
        GVariantDict *dict;  /* for the container's description */
} ContainerReader;

static void container_reader_done(ContainerReader *reader) {
        (void) unified_free(reader->unified);
        (void) root_filesystem_free(reader->files);
        (void) archive_reader_free(reader->tar);
        (void) fd_close(reader->root_fd);
        g_clear_pointer(&reader->awaited, g_hash_table_unref);
        g_clear_pointer(&reader->volume, g_free);
        g_clear_pointer(&reader->prefix, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ContainerReader, container_reader_done)

/* --- The index --------------------------------------------------------------------------- */

static int ask(ContainerReader *reader, const char *key, GVariant *value, int *ret_fd,
               Error *ret_error) {
        GVariantDict question;
        int r;

        g_variant_dict_init(&question, NULL);
        g_variant_dict_insert_value(&question, key, value);
        r = jail_ask(reader->jail, g_variant_dict_end(&question), ret_fd);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot ask where to unpack") : 0;
}

static int announce(ContainerReader *reader, GVariant *container, GPtrArray *snapshots,
                    Error *ret_error) {
        int fd, r;

        for (guint i = 0; i < snapshots->len; i++) {
                const char *name;

                (void) g_variant_lookup(snapshots->pdata[i], "name", "&s", &name);
                if (!path_is_component(name) ||
                    !g_hash_table_add(reader->awaited, g_strdup(name)))
                        return error_set(ret_error, ERROR_INVALID_IMAGE,
                                         CONTAINER_INDEX_NAME " is not acceptable: it has a "
                                         "snapshot twice, or one without a name");
                r = ask(reader, "snapshot", snapshots->pdata[i], &fd, ret_error);
                if (r < 0)
                        return r;
        }
        return ask(reader, "container", container, &fd, ret_error);
}

static int read_index(ContainerReader *reader, struct archive_entry *entry, Error *ret_error) {
        g_autoptr(GPtrArray) snapshots = NULL;
        g_autoptr(GVariant) container = NULL;
        g_autoptr(GBytes) content = NULL;
        int r;

        if (reader->has_index)
                return entry_name_error(CONTAINER_INDEX_NAME, "there is another entry of that name",
                                        ret_error);
        reader->has_index = true;
        r = unified_read_small(reader->tar, CONTAINER_INDEX_NAME, entry, CONTAINER_INDEX_MAX,
                               &content, ret_error);
        if (r >= 0)
                r = container_index_parse(reader->layout, g_bytes_get_data(content, NULL) ?: "",
                                          g_bytes_get_size(content), &container, &snapshots,
                                          ret_error);
        return r < 0 ? r : announce(reader, container, snapshots, ret_error);
}

/* --- Volumes ----------------------------------------------------------------------------- */

static int finish_volume(ContainerReader *reader, Error *ret_error) {
        g_auto(GVariantDict) unwanted = G_VARIANT_DICT_INIT(NULL);
        int r;

        if (reader->files) {
                r = root_filesystem_finish(reader->files, true, ret_error);
                reader->files = root_filesystem_free(reader->files);
                reader->root_fd = fd_close(reader->root_fd);
                return r;
        }
        if (!reader->unified)
                return 0;
        /* Templates are the container's; a snapshot's own mean nothing without its image. */
        r = unified_finish(reader->unified, *reader->volume ? &unwanted : reader->dict, ret_error);
        reader->unified = unified_free(reader->unified);
        reader->root_fd = fd_close(reader->root_fd);
        return r;
}

static int begin_volume(ContainerReader *reader, const char *volume, const char *prefix,
                        Error *ret_error) {
        int r = finish_volume(reader, ret_error);

        if (r < 0)
                return r;
        g_free(reader->volume);
        reader->volume = g_strdup(volume);
        g_free(reader->prefix);
        reader->prefix = g_strdup(prefix);
        reader->n_entries = 0;
        r = ask(reader, "volume", g_variant_new_string(volume), &reader->root_fd, ret_error);
        if (r < 0)
                return r;
        if (reader->layout->plain)
                reader->files = root_filesystem_new(reader->root_fd, reader->prefix,
                                                    CONTAINER_ID_COUNT);
        else
                reader->unified = unified_new(reader->tar, reader->root_fd, prefix,
                                              CONTAINER_ID_COUNT);
        return 0;
}

/* All of one volume comes together. */
static int enter_volume(ContainerReader *reader, const char *name, const char *volume,
                        Error *ret_error) {
        g_autofree char *prefix = NULL;

        if (g_strcmp0(reader->volume, volume) == 0)
                return 0;
        if (*volume ? !g_hash_table_remove(reader->awaited, volume) : reader->has_container)
                return entry_name_error(name, "the index does not name it, or it came before",
                                        ret_error);
        if (!*volume)
                reader->has_container = true;
        prefix = *volume ? g_strconcat(reader->layout->snapshots, "/", volume, NULL)
                         : g_strdup(reader->layout->directory);
        return begin_volume(reader, volume, prefix, ret_error);
}

static int add_to_volume(ContainerReader *reader, const char *name, const char *volume,
                         struct archive_entry *entry, Error *ret_error) {
        const char *inner;
        int r = enter_volume(reader, name, volume, ret_error);

        if (r < 0)
                return r;
        if (++reader->n_entries > IMAGE_ENTRIES_MAX)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive has more than %u entries for one root filesystem",
                                 IMAGE_ENTRIES_MAX);
        inner = entry_name_below(name, reader->prefix);
        g_assert(inner);
        if (reader->files)
                return root_filesystem_add(reader->files, inner, entry, reader->tar, ret_error);
        if (g_str_equal(inner, OLD_INDEX_NAME)) {
                g_autoptr(GBytes) content = NULL;

                return unified_read_small(reader->tar, name, entry, CONTAINER_INDEX_MAX, &content,
                                          ret_error);
        }
        if (*inner && !unified_has(inner))
                return entry_name_error(name, "a container's directory holds metadata.yaml, "
                                        "templates/ and rootfs/ only", ret_error);
        return unified_add(reader->unified, inner, entry, ret_error);
}

/* --- Entries ----------------------------------------------------------------------------- */

static int add_top(const char *name, struct archive_entry *entry, Error *ret_error) {
        if (archive_entry_hardlink(entry) || archive_entry_filetype(entry) != AE_IFDIR)
                return entry_name_error(name, "it is not a directory", ret_error);
        return 0;
}

static int add_entry(ContainerReader *reader, struct archive_entry *entry, Error *ret_error) {
        const char *raw = archive_entry_pathname(entry) ?: "", *inner;
        bool is_directory = archive_entry_filetype(entry) == AE_IFDIR;
        g_autofree char *name = NULL, *snapshot = NULL;
        int r;

        r = entry_name_parse(raw, is_directory, &name, ret_error);
        if (r < 0)
                return r;
        if (g_str_equal(name, CONTAINER_INDEX_NAME))
                return read_index(reader, entry, ret_error);
        if (g_str_equal(name, "") || g_str_equal(name, "backup") ||
            g_str_equal(name, reader->layout->snapshots))
                return add_top(name, entry, ret_error);
        if (!reader->has_index)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive is not that of a %s: it does not begin with "
                                 CONTAINER_INDEX_NAME, reader->layout->noun);
        if (entry_name_below(name, reader->layout->directory))
                return add_to_volume(reader, name, "", entry, ret_error);
        inner = entry_name_below(name, reader->layout->snapshots);
        if (!inner)
                return entry_name_error(name, "such an archive holds index.yaml and directories "
                                        "of the container or volume and of its snapshots only",
                                        ret_error);
        snapshot = g_strndup(inner, strcspn(inner, "/"));
        return add_to_volume(reader, name, snapshot, entry, ret_error);
}

static void on_progress(void *userdata, double fraction) {
        jail_report_progress(userdata, fraction);
}

int container_read(Jail *jail, const ArchiveLayout *layout, uint64_t size, GVariantDict *dict,
                   Error *ret_error) {
        g_auto(ContainerReader) reader = {
                .jail = jail,
                .layout = layout,
                .awaited = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                .root_fd = -EBADF,
                .dict = dict,
        };
        struct archive_entry *entry;
        int r;

        r = archive_reader_open_stream(jail->input_fd, size, CONTAINER_UNPACKED_MAX, on_progress,
                                       jail, &reader.tar, ret_error);
        if (r < 0)
                return r;
        while ((r = archive_reader_next(reader.tar, &entry, ret_error)) > 0) {
                r = add_entry(&reader, entry, ret_error);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = finish_volume(&reader, ret_error);
        if (r < 0)
                return r;
        if (!reader.has_container || g_hash_table_size(reader.awaited) > 0)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive lacks the files of the %s or of one of its "
                                 "snapshots", layout->noun);
        return 0;
}
