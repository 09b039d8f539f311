/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/pool-records.h"

#include <errno.h>
#include <fcntl.h>

#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"

#define RECORDS_DIR "records"
/* Looked at in one turn of the event loop, which has better to do. */
#define SYNC_PER_TURN 8U

struct PoolRecords {
        Manager *manager;
        GArray *due;              /* of Due: to be brought up to date, last first */
        GArray *gone;             /* of Gone: to be removed once their pool is there */
        sd_event_source *source;
};

typedef struct Due {
        ObjectKind kind;
        char *name;
} Due;

typedef struct Gone {
        ObjectKind kind;
        char *pool, *name;
} Gone;

/* "containers" etc. of a pool; made where it is missing with `make`. */
static int open_copies(Manager *m, const char *pool, ObjectKind kind, bool make, RecordDir **ret,
                       Error *ret_error) {
        g_autofree char *path = pool_get_path(m, pool);
        _cleanup_close_ int pool_fd = path_open_dir(path), fd = -EBADF;

        fd = pool_fd < 0 ? pool_fd
             : make      ? path_make_dir(pool_fd, RECORDS_DIR, 0700)
                         : path_open_beneath(pool_fd, RECORDS_DIR, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot open %s/" RECORDS_DIR, path);
        return record_dir_open_copies(fd, object_kind_to_directory(kind), make, ret, ret_error);
}

/* Belongs to no pool, and so to all: whichever is left can tell. */
static bool is_shared(ObjectKind kind) {
        return kind == OBJECT_NETWORK || kind == OBJECT_PROFILE;
}

static bool has_copies(ObjectKind kind) {
        return is_shared(kind) || kind == OBJECT_POOL || kind == OBJECT_CONTAINER ||
               kind == OBJECT_VOLUME || kind == OBJECT_IMAGE;
}

/* Whether the files of an object are in the pool. */
static bool is_in_pool(const Object *o, const StoragePool *pool) {
        g_autofree char *name = NULL;

        if (is_shared(o->kind))
                return true;
        if (o->kind == OBJECT_POOL)
                return o == &pool->object;
        if (o->kind == OBJECT_CONTAINER)
                return g_str_equal(((const Container *) o)->pool, pool->object.name);
        if (o->kind == OBJECT_IMAGE)
                return image_is_unpacked((const Image *) o, pool->object.name);
        name = storage_volume_get_pool((const StorageVolume *) o);
        return g_str_equal(name, pool->object.name);
}

static void told(StoragePool *pool, int r, const Error *error) {
        if (r < 0 && !pool->copies_fail)
                log_warning("Storage pool \"%s\" does not take copies of records, from which it "
                            "could be rebuilt: %s", pool->object.name, error->message);
        pool->copies_fail = r < 0;
}

static void save_copy(Manager *m, StoragePool *pool, const Object *o, GVariant *record) {
        g_autofree char *file = object_name_to_record(o->kind, o->name);
        g_autoptr(RecordDir) dir = NULL;
        g_auto(Error) error = ERROR_INIT;
        int r;

        r = open_copies(m, pool->object.name, o->kind, true, &dir, &error);
        if (r >= 0)
                r = record_dir_write(dir, file, record, &error);
        told(pool, r, &error);
}

/* What is half made may yet turn out to have the name of something whose record was lost. */
static bool is_whole(const Object *o) {
        if (o->kind == OBJECT_CONTAINER)
                return !((const Container *) o)->incomplete;
        if (o->kind == OBJECT_IMAGE)
                return ((const Image *) o)->state == IMAGE_READY;
        if (o->kind == OBJECT_NETWORK)
                return ((const Network *) o)->state != NETWORK_CREATING;
        return o->kind != OBJECT_VOLUME ||
               ((const StorageVolume *) o)->state != STORAGE_VOLUME_CREATING;
}

void pool_records_save(Manager *m, const Object *o, GVariant *record) {
        GHashTableIter iter;
        StoragePool *pool;

        if (!has_copies(o->kind) || !is_whole(o))
                return;
        g_hash_table_iter_init(&iter, m->objects[OBJECT_POOL]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &pool))
                if (pool->state == POOL_AVAILABLE && is_in_pool(o, pool))
                        save_copy(m, pool, o, record);
}

void pool_records_forget(Manager *m, ObjectKind kind, const char *pool_name, const char *name) {
        g_autofree char *file = object_name_to_record(kind, name);
        const StoragePool *pool = manager_find_pool(m, pool_name);
        g_autoptr(RecordDir) dir = NULL;

        if (pool && pool->state == POOL_UNAVAILABLE && m->pool_records) {
                Gone gone = { kind, g_strdup(pool_name), g_strdup(name) };

                g_array_append_val(m->pool_records->gone, gone);
        } else if (pool && pool->state == POOL_AVAILABLE &&
                   open_copies(m, pool_name, kind, false, &dir, NULL) >= 0)
                (void) record_dir_remove(dir, file, NULL);
}

/* Forgotten when the pool was not there yet, at the start of the service. */
static void remove_gone(Manager *m, const StoragePool *pool) {
        GArray *all = m->pool_records->gone;

        for (guint i = all->len; i > 0; i--) {
                const Gone *gone = &g_array_index(all, Gone, i - 1);

                if (!g_str_equal(gone->pool, pool->object.name))
                        continue;
                if (!manager_find(m, gone->kind, gone->name))
                        pool_records_forget(m, gone->kind, gone->pool, gone->name);
                g_array_remove_index(all, i - 1);
        }
}

/* --- bringing up to date --- */

static void due_clear(void *p) {
        Due *due = p;

        g_free(due->name);
}

static void gone_clear(void *p) {
        Gone *gone = p;

        g_free(gone->pool);
        g_free(gone->name);
}

static int on_idle(sd_event_source *source, void *userdata) {
        PoolRecords *records = userdata;

        for (size_t i = 0; i < SYNC_PER_TURN && records->due->len > 0; i++) {
                const Due *due = &g_array_index(records->due, Due, records->due->len - 1);
                Object *o = manager_find(records->manager, due->kind, due->name);

                /* It may have gone meanwhile, and its copy with it. */
                if (o)
                        manager_save_copy(records->manager, o);
                g_array_set_size(records->due, records->due->len - 1);
        }
        if (records->due->len == 0)
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        return 0;
}

int pool_records_new(Manager *m, PoolRecords **ret, Error *ret_error) {
        g_autoptr(PoolRecords) records = g_new0(PoolRecords, 1);
        int r;

        records->manager = m;
        records->due = g_array_new(FALSE, FALSE, sizeof(Due));
        g_array_set_clear_func(records->due, due_clear);
        records->gone = g_array_new(FALSE, FALSE, sizeof(Gone));
        g_array_set_clear_func(records->gone, gone_clear);
        r = sd_event_add_defer(m->event, &records->source, on_idle, records);
        if (r >= 0)
                r = sd_event_source_set_priority(records->source, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(records->source, SD_EVENT_OFF);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot look after copies of records");
        *ret = TAKE_PTR(records);
        return 0;
}

PoolRecords *pool_records_free(PoolRecords *records) {
        if (!records)
                return NULL;

        sd_event_source_disable_unref(records->source);
        g_array_unref(records->due);
        g_array_unref(records->gone);
        g_free(records);
        return NULL;
}

/* The default profile that is made where there is none says nothing: that is no reason to forget
 * what the lost one said. */
static bool is_worth_copying(const Object *o) {
        const Profile *profile = (const Profile *) o;

        return o->kind != OBJECT_PROFILE || !g_str_equal(o->name, PROFILE_DEFAULT) ||
               !profile_is_blank(profile);
}

void pool_records_sync(Manager *m, StoragePool *pool) {
        static const ObjectKind kinds[] = { OBJECT_CONTAINER, OBJECT_VOLUME, OBJECT_IMAGE,
                                            OBJECT_PROFILE, OBJECT_NETWORK };
        PoolRecords *records = m->pool_records;
        GHashTableIter iter;
        Object *o;

        remove_gone(m, pool);
        manager_save_copy(m, &pool->object);
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                g_autoptr(RecordDir) dir = NULL;

                if (open_copies(m, pool->object.name, kinds[i], false, &dir, NULL) >= 0)
                        record_dir_sweep(dir);
                g_hash_table_iter_init(&iter, m->objects[kinds[i]]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &o))
                        if (is_in_pool(o, pool) && is_worth_copying(o)) {
                                Due due = { kinds[i], g_strdup(o->name) };

                                g_array_append_val(records->due, due);
                        }
        }
        if (records->due->len > 0)
                (void) sd_event_source_set_enabled(records->source, SD_EVENT_ON);
}

/* --- reading --- */

int pool_records_load(Manager *m, const char *pool, ObjectKind kind, RecordFunc func,
                      void *userdata, Error *ret_error) {
        g_autoptr(RecordDir) dir = NULL;
        g_auto(Error) error = ERROR_INIT;
        int r = open_copies(m, pool, kind, false, &dir, &error);

        if (r == -ENOENT)
                return 0;
        if (r < 0) {
                error_move(ret_error, &error);
                return r;
        }
        return record_dir_load(dir, func, userdata, ret_error);
}
