/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/copy.h"

#include <string.h>
#include <sys/stat.h>

#include "service/model/snapshot.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/storage/driver.h"
#include "service/worker/storage/still.h"
#include "service/worker/storage/storage.h"
#include "service/worker/storage/tree.h"

typedef struct Copy {
        const VolumeFamily *family;
        Pool *from, *to;
        bool same;         /* one pool */
        bool idmapped;     /* the copies are stored unshifted */
        IdMap *map;        /* else their owners are those of this */
        bool refresh;
        uint64_t size;     /* of what is not a snapshot; 0: no limit */
        const char *source, *snapshot, *name;
        GVariant *snapshots;
} Copy;

static void copy_done(Copy *copy) {
        copy->from = pool_free(copy->from);
        copy->to = pool_free(copy->to);
        copy->map = idmap_free(copy->map);
        g_clear_pointer(&copy->snapshots, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Copy, copy_done)

static int copy_read(Worker *worker, Copy *copy, Error *ret_error) {
        int r;

        r = worker_get_string(worker, copy->family->argument, &copy->source, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "snapshot", &copy->snapshot, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "name", &copy->name, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "refresh", &copy->refresh, ret_error);
        if (r >= 0)
                r = worker_get_uint64(worker, "size", &copy->size, ret_error);
        if (r >= 0)
                r = worker_get_idmap(worker, "idmap", &copy->map, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "snapshots", "as", &copy->snapshots, ret_error);
        if (r >= 0)
                r = pool_open_source(worker, &copy->from, ret_error);
        if (r >= 0)
                r = pool_open(worker, &copy->to, ret_error);
        if (r < 0)
                return r;
        copy->same = g_str_equal(copy->from->name, copy->to->name);
        /* Volumes of users are always stored as they are seen: several containers may have one. */
        copy->idmapped = copy->family->kind == VOLUME_CUSTOM;
        return copy->idmapped ? 0 : pool_choose_owners(worker, copy->to, &copy->idmapped,
                                                       ret_error);
}

/* Shifts what was copied where it has to be, and gives it its name. */
static int finish(const Copy *copy, VolumeKind kind, const char *to, int fd, bool replace,
                  Error *ret_error) {
        int r = 0;

        if (!copy->idmapped)
                r = tree_shift(fd, copy->map, ret_error);
        if (r >= 0)
                r = replace ? volume_replace_with_new(copy->to, kind, to, ret_error)
                            : volume_commit(copy->to, kind, to, ret_error);
        if (r < 0)
                (void) volume_abort(copy->to, kind, to, NULL);
        return r;
}

static int copy_within(const Copy *copy, VolumeKind from_kind, const char *from, VolumeKind to_kind,
                       const char *to, bool replace, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (copy->idmapped)
                return replace ? volume_replace(copy->to, from_kind, from, to_kind, to, ret_error)
                               : volume_clone(copy->to, from_kind, from, to_kind, to, ret_error);
        r = volume_copy_begin(copy->from, from_kind, from, copy->to, to_kind, to, &fd, ret_error);
        return r < 0 ? r : finish(copy, to_kind, to, fd, replace, ret_error);
}

/* What may change meanwhile is copied from a picture that is taken at once; unfinished, the picture
 * is swept if we are killed. */
static int copy_still(const Copy *copy, const char *from, VolumeKind to_kind, const char *to,
                      int *ret_fd, Error *ret_error) {
        _cleanup_close_ int still_fd = -EBADF, fd = -EBADF;
        int r;

        r = still_take(copy->from, copy->family, from, &still_fd, ret_error);
        if (r >= 0)
                r = volume_begin(copy->to, to_kind, to, &fd, ret_error);
        if (r >= 0) {
                r = tree_copy(still_fd, fd, ret_error);
                if (r < 0)
                        (void) volume_abort(copy->to, to_kind, to, NULL);
        }
        /* One of LVM's is in use as long as it is open. */
        still_fd = fd_close(still_fd);
        still_drop(copy->from, copy->family, from);
        if (r >= 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

static int copy_between(const Copy *copy, VolumeKind from_kind, const char *from,
                        VolumeKind to_kind, const char *to, bool replace, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (from_kind == copy->family->kind && still_is_possible(copy->from))
                r = copy_still(copy, from, to_kind, to, &fd, ret_error);
        else
                r = volume_copy_begin(copy->from, from_kind, from, copy->to, to_kind, to, &fd,
                                      ret_error);
        return r < 0 ? r : finish(copy, to_kind, to, fd, replace, ret_error);
}

static int copy_one(const Copy *copy, VolumeKind from_kind, const char *from, VolumeKind to_kind,
                    const char *to, bool replace, Error *ret_error) {
        return copy->same ? copy_within(copy, from_kind, from, to_kind, to, replace, ret_error)
                          : copy_between(copy, from_kind, from, to_kind, to, replace, ret_error);
}

static int copy_snapshots(const Copy *copy, Error *ret_error) {
        const char *name;
        GVariantIter iter;

        g_variant_iter_init(&iter, copy->snapshots);
        while (g_variant_iter_next(&iter, "&s", &name)) {
                g_autofree char *from = g_strconcat(copy->source, "/", snapshot_lasting_name(name),
                                                    NULL);
                g_autofree char *to = g_strconcat(copy->name, "/", name, NULL);
                int r = 0;

                if (snapshot_name_is_stand_in(name)) /* what is there is left over */
                        r = volume_delete(copy->to, copy->family->snapshots, to, ret_error);
                if (r >= 0)
                        r = copy_one(copy, copy->family->snapshots, from, copy->family->snapshots,
                                     to, false, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

int volume_copy(Worker *worker, const VolumeFamily *family, GVariantDict *result,
                Error *ret_error) {
        g_auto(Copy) copy = { .family = family };
        g_autofree char *snapshot = NULL;
        int r;

        r = copy_read(worker, &copy, ret_error);
        if (r < 0)
                return r;
        worker_progress(worker, "Copying the files", -1);
        r = copy_snapshots(&copy, ret_error);
        if (r < 0)
                return r;
        if (*copy.snapshot) {
                snapshot = g_strconcat(copy.source, "/", copy.snapshot, NULL);
                r = copy_one(&copy, family->snapshots, snapshot, family->kind, copy.name,
                             copy.refresh, ret_error);
        } else
                r = copy_one(&copy, family->kind, copy.source, family->kind, copy.name,
                             copy.refresh, ret_error);
        if (r >= 0)
                r = volume_set_size(copy.to, family->kind, copy.name, copy.size, !copy.refresh,
                                    ret_error);
        if (r < 0)
                return r;
        g_variant_dict_insert(result, "idmapped", "b", copy.idmapped);
        g_variant_dict_insert_value(result, "idmap", idmap_to_variant(copy.map));
        return 0;
}
