/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "service/model/config-key.h"
#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/name.h"
#include "service/operation/container-ids.h"
#include "service/operation/container-import-plan.h"
#include "service/operation/network.h"
#include "service/operation/pool-records.h"
#include "service/operation/pool.h"
#include "service/operation/rebuild-image.h"
#include "service/operation/rebuild-shared.h"
#include "service/operation/snapshot.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/operation/volume.h"
#include "service/util/cleanup.h"
#include "service/util/path.h"
#include "service/worker/operations.h"

typedef struct RebuildJob {
        Caller caller;
        bool dry_run, committed;
        GPtrArray *pools; /* StoragePool: those that were named; in the table once mounted */
        guint next;       /* how many of them are */
        GPtrArray *found; /* Object, in the table */
        Profile *blank;   /* what the default profile was before it got its own back, or NULL, */
        UsageNote *used;  /* and what it used then */
} RebuildJob;

static void rebuild_job_free(void *p) {
        RebuildJob *data = p;

        /* Those that never came into the table are ours. */
        for (guint i = data->next; i < data->pools->len; i++)
                (void) storage_pool_free(data->pools->pdata[i]);
        g_ptr_array_unref(data->pools);
        g_ptr_array_unref(data->found);
        (void) profile_free(data->blank);
        (void) usage_note_free(data->used);
        g_free(data);
}

static void warn(Job *job, const char *what, const char *name, const Error *error) {
        g_autofree char *text = g_strdup_printf("%s \"%s\" cannot be recovered: %s", what, name,
                                                error->message);

        job_warn(job, text);
}

/* --- pools --- */

static int pool_mounted(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        RebuildJob *data = job->data;
        StoragePool *pool = data->pools->pdata[data->next];
        const char *uuid;

        if (!g_variant_lookup(result, "uuid", "&s", &uuid))
                return error_set(ret_error, ERROR_FAILED,
                                 "The storage worker's result is incomplete");
        if (*uuid) {
                g_autoptr(GVariant) set = g_variant_ref_sink(
                        g_variant_new_parsed("{'volatile.uuid': %s}", uuid));
                GVariant *config = config_merge(pool->config, set, NULL);

                g_variant_unref(pool->config);
                pool->config = config;
        }
        pool->state = POOL_AVAILABLE;
        data->next++;
        manager_add(job->manager, &pool->object);
        job_repeat_step(job);
        return job_lock(job, &pool->object, ret_error);
}

static int run_pool_worker(Job *job, StoragePool *pool, const char *operation,
                           int (*done)(Job *, GVariant *, int *, size_t, Error *),
                           Error *ret_error) {
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        pool_put_source(&args, job->manager, pool, 0);
        return job_run_worker(job, operation, g_variant_dict_end(&args), NULL, 0, done, ret_error);
}

static int mount_pools(Job *job, Error *ret_error) {
        RebuildJob *data = job->data;
        StoragePool *pool;
        int r;

        if (data->next == data->pools->len)
                return JOB_STEP_DONE;
        pool = data->pools->pdata[data->next];
        r = manager_check_free(job->manager, OBJECT_POOL, pool->object.name, ret_error);
        return r < 0 ? r : run_pool_worker(job, pool, OPERATION_POOL_MOUNT, pool_mounted,
                                           ret_error);
}

static int pool_unmounted(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        RebuildJob *data = job->data;
        StoragePool *pool = data->pools->pdata[data->next - 1];

        data->next--;
        g_ptr_array_remove_index(data->pools, data->next);
        manager_remove(job->manager, &pool->object);
        job_repeat_step(job);
        return 0;
}

static int unmount_pools(Job *job, Error *ret_error) {
        RebuildJob *data = job->data;

        if (data->committed || data->next == 0)
                return JOB_STEP_DONE;
        return run_pool_worker(job, data->pools->pdata[data->next - 1], OPERATION_POOL_UNMOUNT,
                               pool_unmounted, ret_error);
}

/* What the pool's own copy says beside what was named. */
typedef struct PoolCopy {
        Job *job;
        StoragePool *pool;
        char *other; /* the name that it had, where that is another one */
} PoolCopy;

static void read_pool_copy(const char *name, GVariant *record, void *userdata) {
        PoolCopy *copy = userdata;
        g_autoptr(StoragePool) old = NULL;
        g_autoptr(GVariant) kept = NULL, unset = NULL;
        static const char *const own[] = { "volatile.uuid", NULL };
        GVariant *config;

        if (!g_str_equal(name, copy->pool->object.name)) {
                g_free(copy->other);
                copy->other = g_strdup(name);
                return;
        }
        if (storage_pool_from_record(name, record, &old) < 0)
                return;
        unset = g_variant_ref_sink(g_variant_new_strv(own, -1));
        kept = config_merge(old->config, NULL, unset);
        if (config_check(kept, NULL, CONFIG_SCOPE_POOL, NULL) >= 0) {
                config = config_merge(kept, copy->pool->config, NULL);
                g_variant_unref(copy->pool->config);
                copy->pool->config = config;
        }
        copy->pool->object.owner = old->object.owner;
        g_free(copy->pool->description);
        copy->pool->description = TAKE_PTR(old->description);
}

static int read_pool_copies(Job *job, Error *ret_error) {
        RebuildJob *data = job->data;
        int r = 0;

        for (guint i = 0; r >= 0 && i < data->pools->len; i++) {
                PoolCopy copy = { job, data->pools->pdata[i] };
                g_autofree char *other = NULL;

                r = pool_records_load(job->manager, copy.pool->object.name, OBJECT_POOL,
                                      read_pool_copy, &copy, ret_error);
                other = copy.other;
                if (r >= 0 && other)
                        r = error_set(ret_error, ERROR_INVALID_ARGS,
                                      "What is in \"%s\" is the storage pool \"%.64s\"; recover it "
                                      "under that name", copy.pool->source, other);
        }
        return r;
}

/* --- what is in a pool --- */

typedef struct Scan {
        Job *job;
        const StoragePool *pool;
        int fd; /* its root directory */
} Scan;

static bool has_files(const Scan *scan, const char *directory, const char *parent,
                      const char *name) {
        g_autofree char *path = g_strconcat(directory, parent ? "/" : "", parent ?: "", "/", name,
                                            NULL);
        _cleanup_close_ int fd = path_open_beneath(scan->fd, path, O_PATH | O_DIRECTORY, 0);

        return fd >= 0;
}

static void add_found(const Scan *scan, Object *o) {
        RebuildJob *data = scan->job->data;

        manager_add(scan->job->manager, o);
        g_ptr_array_add(data->found, o);
        job_add_subject(scan->job, o->kind, o->name);
}

/* Snapshots without files are none. Where one was to take the place of another, that one is there
 * still as long as it has files; else what has files is to get its name, and so it will. */
static bool keep_snapshot(const Scan *scan, Snapshot *s, const char *directory,
                          const char *parent) {
        const char *name = snapshot_get_name(s);

        if (s->state == SNAPSHOT_CREATING || !has_files(scan, directory, parent, name))
                return false;
        if (s->state == SNAPSHOT_REPLACING)
                return !has_files(scan, directory, parent, snapshot_lasting_name(name));
        s->state = SNAPSHOT_READY;
        return true;
}

static void drop_snapshots(const Scan *scan, GPtrArray *snapshots, const char *directory,
                           const char *parent) {
        for (guint i = snapshots->len; i > 0; i--) {
                Snapshot *s = snapshots->pdata[i - 1];
                g_auto(Error) error = ERROR_INIT;

                if (keep_snapshot(scan, s, directory, parent))
                        continue;
                if (snapshot_is_stand_in(s)) {
                        s->state = SNAPSHOT_DELETING; /* nobody has ever seen it */
                        continue;
                }
                (void) error_set(&error, ERROR_NO_SUCH_VOLUME, "its files are not there");
                warn(scan->job, "The snapshot", s->object.name, &error);
                s = g_ptr_array_steal_index(snapshots, i - 1);
                (void) snapshot_free(s);
        }
}

/* --- networks and profiles --- */

static void on_network(const char *name, GVariant *record, void *userdata) {
        const Scan *scan = userdata;
        const RebuildJob *data = scan->job->data;
        g_auto(Error) error = ERROR_INIT;
        Network *network = NULL;

        if (manager_check_free(scan->job->manager, OBJECT_NETWORK, name, NULL) < 0)
                return;
        if (rebuild_network(data->caller, name, record, &network, &error) < 0)
                warn(scan->job, "The network", name, &error);
        else
                add_found(scan, &network->object);
}

/* There is always a default profile: one that says nothing gets back what it said. */
static void on_profile(const char *name, GVariant *record, void *userdata) {
        const Scan *scan = userdata;
        RebuildJob *data = scan->job->data;
        Manager *m = scan->job->manager;
        Profile *known = manager_find_profile(m, name);
        g_autoptr(Profile) profile = NULL;
        g_auto(Error) error = ERROR_INIT;

        if (known && (!profile_is_blank(known) || !g_str_equal(name, PROFILE_DEFAULT)))
                return;
        if (rebuild_profile(m, name, record, &profile, &error) < 0)
                warn(scan->job, "The profile", name, &error);
        else if (!known)
                add_found(scan, &TAKE_PTR(profile)->object);
        else if (!profile_is_blank(profile)) {
                data->used = usage_note(m, &known->object);
                rebuild_exchange_profiles(known, profile);
                data->blank = TAKE_PTR(profile);
                job_add_subject(scan->job, OBJECT_PROFILE, name);
        }
}

static void bring_up_networks(Job *job) {
        RebuildJob *data = job->data;

        for (guint i = 0; i < data->found->len; i++) {
                Object *o = data->found->pdata[i];
                g_auto(Error) error = ERROR_INIT;
                Job *next = NULL;

                if (o->kind != OBJECT_NETWORK)
                        continue;
                if (network_bring_up(job->manager, (Network *) o, &next, &error) >= 0)
                        job_start(next);
                else
                        warn(job, "The network", o->name, &error);
        }
}

/* --- volumes --- */

static int rebuild_volume(const Scan *scan, const char *name, GVariant *record,
                          StorageVolume **ret, Error *ret_error) {
        g_autoptr(StorageVolume) v = NULL;
        g_autofree char *pool = NULL;
        int r;

        if (storage_volume_from_record(name, record, &v) < 0)
                return error_set(ret_error, ERROR_FAILED, "its record makes no sense");
        pool = storage_volume_get_pool(v);
        if (!g_str_equal(pool, scan->pool->object.name) || v->state != STORAGE_VOLUME_READY)
                return error_set(ret_error, ERROR_FAILED, "it is of another pool, or is %s",
                                 storage_volume_state_to_string(v->state));
        r = config_check(v->config, NULL, CONFIG_SCOPE_VOLUME, ret_error);
        if (r < 0)
                return r;
        if (!has_files(scan, "custom", NULL, storage_volume_get_name(v)))
                return error_set(ret_error, ERROR_NO_SUCH_VOLUME, "its files are not there");
        g_clear_pointer(&v->rename_to, g_free);
        g_clear_pointer(&v->restore_from, g_free);
        v->refreshing = false;
        drop_snapshots(scan, v->snapshots, "custom-snapshots", storage_volume_get_name(v));
        *ret = TAKE_PTR(v);
        return 0;
}

static void on_volume(const char *file, GVariant *record, void *userdata) {
        g_autofree char *name = object_name_from_record(OBJECT_VOLUME, file);
        g_auto(Error) error = ERROR_INIT;
        const Scan *scan = userdata;
        StorageVolume *v = NULL;

        if (manager_check_free(scan->job->manager, OBJECT_VOLUME, name, NULL) < 0)
                return;
        if (rebuild_volume(scan, name, record, &v, &error) < 0)
                warn(scan->job, "The volume", name, &error);
        else
                add_found(scan, &v->object);
}

/* --- images --- */

static void on_image(const char *name, GVariant *record, void *userdata) {
        const Scan *scan = userdata;
        const RebuildJob *data = scan->job->data;
        Image *image = manager_find_image(scan->job->manager, name);
        g_auto(Error) error = ERROR_INIT;
        int r = 0;

        /* One that was found in another pool is in this one, too; one that is known is as it is. */
        if (image && !g_ptr_array_find(data->found, image, NULL))
                return;
        if (!name_is_fingerprint(name) || !has_files(scan, "images", NULL, name))
                r = error_set(&error, ERROR_NO_SUCH_VOLUME, "its files are not there");
        else if (image)
                image_set_unpacked(image, scan->pool->object.name, true);
        else
                r = rebuild_image(scan->job->manager, scan->pool->object.name, name, record,
                                  &image, &error);
        if (r < 0)
                warn(scan->job, "The image", name, &error);
        else if (!g_ptr_array_find(data->found, image, NULL))
                add_found(scan, &image->object);
}

/* --- containers --- */

/* Those that are kept; a stand-in by the name that it will have, which nothing else has then. */
static GVariant *snapshots_as_in_index(const GPtrArray *kept, GVariant *record) {
        g_autoptr(GVariant) list = g_variant_lookup_value(record, "snapshots", SNAPSHOTS_TYPE);
        GVariantBuilder builder;

        g_variant_builder_init(&builder, SNAPSHOTS_TYPE);
        for (gsize i = 0; list && i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) snapshot = g_variant_get_child_value(list, i);
                const Snapshot *s = NULL;
                GVariantDict dict;
                const char *name;

                if (g_variant_lookup(snapshot, "name", "&s", &name))
                        s = snapshots_find(kept, name);
                if (!s || snapshot_is_to_go(s))
                        continue;
                g_variant_dict_init(&dict, snapshot);
                g_variant_dict_insert(&dict, "name", "s", snapshot_lasting_name(name));
                g_variant_dict_insert(&dict, "architecture", "s", "");
                g_variant_builder_add_value(&builder, g_variant_dict_end(&dict));
        }
        return g_variant_builder_end(&builder);
}

/* What was read by the names that they will have gets those that they have; and what is to go comes
 * along, to be found. */
static void take_stand_ins(Container *old, Container *c) {
        for (guint i = old->snapshots->len; i > 0; i--) {
                Snapshot *s = old->snapshots->pdata[i - 1], *read;

                if (snapshot_is_to_go(s)) {
                        g_ptr_array_add(c->snapshots,
                                        g_ptr_array_steal_index(old->snapshots, i - 1));
                        continue;
                }
                read = snapshot_is_stand_in(s)
                               ? snapshots_find(c->snapshots, snapshot_get_name_to_be(s))
                               : NULL;
                if (!read)
                        continue;
                snapshot_set_name(read, c->object.name, snapshot_get_name(s));
                snapshot_set_made(read);
        }
}

/* The record in the form of an archive's index. */
static GVariant *as_index(const Container *old, GVariant *record) {
        GVariantDict container, index;

        g_variant_dict_init(&container, record);
        g_variant_dict_insert(&container, "name", "s", old->object.name);
        g_variant_dict_insert(&container, "expires", "t", UINT64_C(0));
        g_variant_dict_init(&index, NULL);
        g_variant_dict_insert_value(&index, "container", g_variant_dict_end(&container));
        g_variant_dict_insert_value(&index, "snapshots",
                                    snapshots_as_in_index(old->snapshots, record));
        return g_variant_ref_sink(g_variant_dict_end(&index));
}

/* The profile that its root disk was in may be lost: then it gets one of its own. */
static const char *pool_to_give(Manager *m, const Container *old) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        const char *root, *pool;

        if (devices_check(old->devices, NULL) < 0)
                return NULL; /* that is what the plan says, too */
        container_expand(m, old, &config, &devices);
        if (devices_find_root(devices, &root, &pool, NULL) >= 0 && g_str_equal(pool, old->pool))
                return NULL;
        return old->pool;
}

/* What an archive does not tell, and a record does. */
static int take_over(const Scan *scan, Container *old, Container *c, Privilege needed,
                     Error *ret_error) {
        RebuildJob *data = scan->job->data;

        int r;

        /* What it had, where that is still its own; files with owners of a map must keep that. */
        c->ids = old->ids;
        c->ids_shared = old->ids_shared;
        container_set_shifted(c, g_steal_pointer(&old->shifted));
        r = container_choose_first_ids(scan->job->manager, c, ret_error);
        if (r < 0)
                return r;
        c->incomplete = false;
        c->state = CONTAINER_STOPPED;
        c->last_started = old->last_started;
        c->granted = MIN(needed, data->caller.privilege);
        g_variant_unref(c->templates);
        c->templates = g_variant_ref(old->templates);
        return 0;
}

static int check_old(const Scan *scan, const Container *old, Error *ret_error) {
        if (old->incomplete || old->state == CONTAINER_DELETING ||
            !g_str_equal(old->pool, scan->pool->object.name) || old->move_pool || old->rename_to)
                return error_set(ret_error, ERROR_FAILED,
                                 "it was just being created, moved, renamed or deleted");
        if (!has_files(scan, "containers", NULL, old->object.name))
                return error_set(ret_error, ERROR_NO_SUCH_VOLUME, "its files are not there");
        return 0;
}

static void snapshots_unref(Container *c) {
        while (c->snapshots->len > 0)
                (void) snapshot_free(g_ptr_array_steal_index(c->snapshots, 0));
}

/* The plan reads the snapshots itself, of those that `old` has. */
static int remake_container(const Scan *scan, Container *old, GVariant *record, Container **ret,
                            Error *ret_error) {
        g_autoptr(GVariant) index = as_index(old, record);
        g_autoptr(Container) c = NULL;
        g_auto(ImportPlan) plan = { 0 };
        Manager *m = scan->job->manager;
        Privilege needed;
        int r;

        r = import_plan_read(m, old->object.owner, index, old->object.name, pool_to_give(m, old),
                             &plan, ret_error);
        if (r < 0)
                return r;
        needed = plan.needed.privilege;
        for (guint i = 0; i < plan.warnings->len; i++)
                job_warn(scan->job, plan.warnings->pdata[i]);
        r = import_plan_make_container(m, &plan, &c, ret_error);
        if (r >= 0) {
                take_stand_ins(old, c);
                r = take_over(scan, old, c, needed, ret_error);
        }
        if (r < 0) {
                if (c)
                        snapshots_unref(c);
                return r;
        }
        *ret = TAKE_PTR(c);
        return 0;
}

static int rebuild_container(const Scan *scan, const char *name, GVariant *record,
                             Container **ret, Error *ret_error) {
        g_autoptr(Container) old = NULL;
        int r;

        if (container_from_record(name, record, &old) < 0)
                return error_set(ret_error, ERROR_FAILED, "its record makes no sense");
        r = check_old(scan, old, ret_error);
        if (r >= 0) {
                drop_snapshots(scan, old->snapshots, "snapshots", name);
                r = remake_container(scan, old, record, ret, ret_error);
        }
        snapshots_unref(old);
        return r;
}

static void on_container(const char *name, GVariant *record, void *userdata) {
        g_auto(Error) error = ERROR_INIT;
        const Scan *scan = userdata;
        Container *c = NULL;

        if (manager_check_free(scan->job->manager, OBJECT_CONTAINER, name, NULL) < 0)
                return;
        if (rebuild_container(scan, name, record, &c, &error) < 0) {
                warn(scan->job, "The container", name, &error);
                return;
        }
        add_found(scan, &c->object);
        for (guint i = 0; i < c->snapshots->len; i++)
                manager_add(scan->job->manager, &((Snapshot *) c->snapshots->pdata[i])->object);
}

/* --- the whole --- */

/* Pools first, which profiles name, then networks, which do so too. */
static int scan_shared(Job *job, const StoragePool *pool, Error *ret_error) {
        Scan scan = { job, pool, -EBADF };
        int r;

        r = pool_records_load(job->manager, pool->object.name, OBJECT_NETWORK, on_network, &scan,
                              ret_error);
        return r < 0 ? r : pool_records_load(job->manager, pool->object.name, OBJECT_PROFILE,
                                             on_profile, &scan, ret_error);
}

static int scan_pool(Job *job, const StoragePool *pool, Error *ret_error) {
        g_autofree char *path = pool_get_path(job->manager, pool->object.name);
        _cleanup_close_ int fd = path_open_dir(path);
        Scan scan = { job, pool, fd };
        int r;

        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot open %s", path);
        r = pool_records_load(job->manager, pool->object.name, OBJECT_IMAGE, on_image, &scan,
                              ret_error);
        /* Volumes first: containers have them. */
        if (r >= 0)
                r = pool_records_load(job->manager, pool->object.name, OBJECT_VOLUME, on_volume,
                                      &scan, ret_error);
        return r < 0 ? r : pool_records_load(job->manager, pool->object.name, OBJECT_CONTAINER,
                                             on_container, &scan, ret_error);
}

/* Not by manager_forget(): the copies stay, for another try. */
static void forget_record(Manager *m, const Object *o) {
        g_autofree char *file = object_name_to_record(o->kind, o->name);

        (void) record_dir_remove(m->records[o->kind], file, NULL);
}

/* Its copies stay, too. */
static void put_back_profile(Job *job) {
        RebuildJob *data = job->data;
        Profile *profile = manager_find_profile(job->manager, PROFILE_DEFAULT);
        g_autoptr(GVariant) record = NULL;

        rebuild_exchange_profiles(profile, data->blank);
        record = profile_to_record(profile);
        (void) record_dir_write(job->manager->records[OBJECT_PROFILE], PROFILE_DEFAULT, record,
                                NULL);
}

/* The last found first: containers before the volumes that they have. */
static void forget_found(Job *job) {
        RebuildJob *data = job->data;

        for (guint i = data->found->len; i > 0; i--) {
                Object *o = data->found->pdata[i - 1];

                forget_record(job->manager, o);
                manager_remove(job->manager, o);
        }
        g_ptr_array_set_size(data->found, 0);
        if (data->blank)
                put_back_profile(job);
}

static int commit(Job *job, Error *ret_error) {
        RebuildJob *data = job->data;
        int r = 0;

        for (guint i = 0; r >= 0 && i < data->pools->len; i++)
                r = manager_save(job->manager, data->pools->pdata[i], ret_error);
        for (guint i = 0; r >= 0 && i < data->found->len; i++)
                r = manager_save(job->manager, data->found->pdata[i], ret_error);
        if (r >= 0 && data->blank)
                r = manager_save(job->manager,
                                 &manager_find_profile(job->manager, PROFILE_DEFAULT)->object,
                                 ret_error);
        return r;
}

static void recover_snapshots(Job *job) {
        const RebuildJob *data = job->data;

        for (guint i = 0; i < data->found->len; i++) {
                Object *o = data->found->pdata[i];
                g_auto(Error) error = ERROR_INIT;
                Job *next = NULL;
                int r = 0;

                if (o->kind == OBJECT_CONTAINER && snapshots_are_half((Container *) o))
                        r = snapshots_recover(job->manager, (Container *) o, &next, &error);
                else if (o->kind == OBJECT_VOLUME && volume_is_half((StorageVolume *) o))
                        r = volume_recover(job->manager, (StorageVolume *) o, &next, &error);
                if (r < 0)
                        warn(job, "What was half done with", o->name, &error);
                else if (next)
                        job_start(next);
        }
}

static void tell_users(Job *job) {
        const RebuildJob *data = job->data;

        for (guint i = 0; i < data->found->len; i++)
                usage_changed(job->manager, data->found->pdata[i]);
        if (!data->blank)
                return;
        manager_changed(job->manager,
                        manager_find(job->manager, OBJECT_PROFILE, PROFILE_DEFAULT));
        usage_note_tell(data->used);
}

static int scan_and_commit(Job *job, Error *ret_error) {
        RebuildJob *data = job->data;
        g_autoptr(GList) pools = g_hash_table_get_values(job->manager->objects[OBJECT_POOL]);
        int r = read_pool_copies(job, ret_error);

        for (GList *p = pools; r >= 0 && p; p = p->next)
                if (((StoragePool *) p->data)->state == POOL_AVAILABLE)
                        r = scan_shared(job, p->data, ret_error);
        for (GList *p = pools; r >= 0 && p; p = p->next)
                if (((StoragePool *) p->data)->state == POOL_AVAILABLE)
                        r = scan_pool(job, p->data, ret_error);
        if (r >= 0 && !data->dry_run)
                r = commit(job, ret_error);
        data->committed = r >= 0 && !data->dry_run;
        if (data->committed) {
                tell_users(job);
                bring_up_networks(job);
                recover_snapshots(job);
        }
        if (!data->committed) {
                forget_found(job);
                for (guint i = 0; !data->dry_run && i < data->pools->len; i++)
                        forget_record(job->manager, data->pools->pdata[i]);
        }
        return r;
}

static const JobStep steps[] = {
        { "Mounting storage pools", mount_pools, unmount_pools },
        { "Reading records", scan_and_commit, NULL },
        { "Unmounting storage pools", unmount_pools, NULL },
        { NULL },
};

static int read_pool(Manager *m, GVariant *dict, StoragePool **ret, Error *ret_error) {
        static const char *const keys[] = { "name", "driver", "source", NULL };
        const char *name, *driver, *source, *key;
        g_autoptr(StoragePool) pool = NULL;
        GVariantIter iter;
        int r;

        g_variant_iter_init(&iter, dict);
        while (g_variant_iter_next(&iter, "{&sv}", &key, NULL))
                if (!g_strv_contains(keys, key))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "A storage pool has the unknown key \"%.64s\"", key);
        if (!g_variant_lookup(dict, "name", "&s", &name) ||
            !g_variant_lookup(dict, "driver", "&s", &driver) ||
            !g_variant_lookup(dict, "source", "&s", &source))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "A storage pool has no \"name\", \"driver\" or \"source\"");
        r = name_check(NAME_POOL, name, ret_error);
        if (r >= 0)
                r = storage_pool_check_driver(driver, ret_error);
        if (r >= 0)
                r = config_check_source(source, ret_error);
        if (r >= 0)
                r = manager_check_free(m, OBJECT_POOL, name, ret_error);
        if (r < 0)
                return r;
        pool = storage_pool_new(name, 0);
        g_free(pool->driver);
        pool->driver = g_strdup(driver);
        g_free(pool->source);
        pool->source = g_strdup(source);
        *ret = TAKE_PTR(pool);
        return 0;
}

/* Two at a time would find the same. */
static int check_alone(Manager *m, Error *ret_error) {
        GHashTableIter iter;
        Job *job;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_JOB]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &job))
                if (!job_has_ended(job) && g_str_equal(job->operation, "recover"))
                        return error_set(ret_error, ERROR_BUSY, "Job %s recovers already",
                                         job->object.name);
        return 0;
}

int rebuild(Manager *m, Caller caller, const Rebuild *args, Job **ret, Error *ret_error) {
        RebuildJob *data = g_new0(RebuildJob, 1);
        g_autoptr(Job) job = NULL;
        int r;

        data->caller = caller;
        data->dry_run = args->dry_run;
        data->pools = g_ptr_array_new();
        data->found = g_ptr_array_new();
        r = job_new(m, "recover", caller.uid, steps, data, rebuild_job_free, &job, ret_error);
        if (r >= 0)
                r = check_alone(m, ret_error);
        for (gsize i = 0; r >= 0 && i < g_variant_n_children(args->pools); i++) {
                g_autoptr(GVariant) dict = g_variant_get_child_value(args->pools, i);
                StoragePool *pool = NULL;

                r = read_pool(m, dict, &pool, ret_error);
                if (r >= 0)
                        g_ptr_array_add(data->pools, pool);
        }
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job->cancelable = false;
        *ret = TAKE_PTR(job);
        return 0;
}
