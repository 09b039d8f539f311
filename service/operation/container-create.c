/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/name.h"
#include "service/operation/container-ids.h"
#include "service/operation/container-templates.h"
#include "service/operation/container.h"
#include "service/operation/image.h"
#include "service/operation/pool.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/operation/volume-size.h"
#include "service/util/cleanup.h"
#include "service/worker/operations.h"

/* Names that are made up are tried this often before we give up. */
#define NAME_TRIES 100
/* How exactly the last use of an image is kept: a record more at each launch costs time. */
#define IMAGE_USE_USEC (3600 * (uint64_t) G_USEC_PER_SEC)

/* --- steps --- */

static int create_record(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        return manager_save(job->manager, &data->container->object, ret_error);
}

static int create_record_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = TAKE_PTR(data->container);
        int r;

        r = manager_forget(job->manager, OBJECT_CONTAINER, c->object.name, ret_error);
        if (r < 0)
                return r;
        usage_changed(job->manager, &c->object);
        container_forget_files(job->manager, c); /* a launch that failed had told its addresses */
        manager_remove(job->manager, &c->object);
        return 0;
}

static int create_wait(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        StoragePool *pool;

        return step_wait_for_pool(job, data->container->pool, &pool, ret_error);
}

static int create_unpack(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Image *image;
        int r;

        r = manager_get(job->manager, OBJECT_IMAGE, data->container->image, (Object **) &image,
                        ret_error);
        if (r < 0)
                return r;
        return step_unpack_image(job, image, data->container->pool, ret_error);
}

static int create_volume_done(Job *job, GVariant *result, int *fds, size_t n_fds,
                              Error *ret_error) {
        ContainerJob *data = job->data;
        IdMap *map;
        int r = step_read_idmap(result, &map, ret_error);

        if (r >= 0)
                container_set_shifted(data->container, map);
        return r;
}

static int create_volume(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        GVariantDict args;

        g_variant_dict_init(&args, NULL);
        step_put_pool(&args, job->manager, manager_find_pool(job->manager, c->pool));
        g_variant_dict_insert(&args, "container", "s", c->object.name);
        g_variant_dict_insert(&args, "image", "s", c->image);
        step_put_idmap(&args, job->manager, c);
        g_variant_dict_insert(&args, "size", "t", container_get_size(job->manager, c));
        return job_run_worker(job, OPERATION_CONTAINER_CREATE, g_variant_dict_end(&args), NULL, 0,
                              create_volume_done, ret_error);
}

static int create_volume_undo(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;

        /* What is there is not ours. */
        if (job->error.code == ERROR_EXISTS)
                return JOB_STEP_DONE;
        data->container->state = CONTAINER_DELETING;
        manager_changed(job->manager, &data->container->object);
        return step_delete_volume(job, ret_error);
}

/* Says how often an image is of use; to the hour is enough, and no reason to fail. */
static void touch_image(Manager *m, const char *fingerprint) {
        Image *image = manager_find_image(m, fingerprint);
        uint64_t now = (uint64_t) g_get_real_time();

        if (!image || now - image->last_used < IMAGE_USE_USEC)
                return;
        image->last_used = now;
        (void) manager_save(m, &image->object, NULL);
        manager_changed(m, &image->object);
}

/* From here on it exists, also after a crash. */
static int create_commit(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        int r;

        c->incomplete = false;
        if (container_is_up(c))
                c->last_started = (uint64_t) g_get_real_time();
        else
                c->state = CONTAINER_STOPPED;
        r = manager_save(job->manager, &c->object, ret_error);
        if (r < 0) {
                c->incomplete = true;
                return r;
        }
        manager_changed(job->manager, &c->object);
        manager_lifecycle(job->manager, c, "created", NULL);
        if (container_is_up(c))
                manager_lifecycle(job->manager, c, "started", NULL);
        touch_image(job->manager, c->image);
        return JOB_STEP_DONE;
}

#define CREATE_STEPS \
        { NULL, create_record, create_record_undo }, \
        { "Waiting for storage", create_wait, NULL }, \
        { "Unpacking the image", create_unpack, NULL }, \
        { "Creating the container", create_volume, create_volume_undo }

static const JobStep create_steps[] = {
        CREATE_STEPS,
        { NULL, create_commit, NULL },
        { NULL },
};

static const JobStep launch_steps[] = {
        CREATE_STEPS,
        { "Waiting for the network", step_start_wait, NULL },
        { NULL, step_start_prepare, step_start_prepare_undo },
        { "Setting the firewall", step_start_guard, NULL },
        { "Starting the container", step_start_run, step_start_run_undo },
        { NULL, create_commit, NULL },
        { NULL },
};

/* --- the call --- */

int container_choose_name(Manager *m, const char *wanted, char **ret, Error *ret_error) {
        int r;

        if (*wanted) {
                r = name_check(NAME_CONTAINER, wanted, ret_error);
                if (r >= 0)
                        r = manager_check_free(m, OBJECT_CONTAINER, wanted, ret_error);
                if (r < 0)
                        return r;
                *ret = g_strdup(wanted);
                return 0;
        }
        for (int i = 0; i < NAME_TRIES; i++) {
                g_autofree char *name = name_generate();

                if (manager_check_free(m, OBJECT_CONTAINER, name, NULL) < 0)
                        continue;
                *ret = TAKE_PTR(name);
                return 0;
        }
        return error_set(ret_error, ERROR_EXISTS, "No name can be made up; give one");
}

GVariant *devices_with_pool(Manager *m, const char *const *profiles, GVariant *devices,
                            const char *pool) {
        g_autoptr(GVariant) config = config_empty(), all_config = NULL, all = NULL, old = NULL;
        g_autoptr(GVariant) options = NULL, over = NULL;
        GVariantBuilder builder, set;
        const char *root = "root", *unused;

        profiles_expand(m, 0, profiles, config, devices, &all_config, &all);
        (void) devices_find_root(all, &root, &unused, NULL);
        old = devices_get(all, root);
        if (!old || g_strcmp0(config_get(old, "path"), "/") != 0) {
                g_clear_pointer(&old, g_variant_unref);
                old = config_empty();
        }
        g_variant_builder_init(&set, CONFIG_TYPE);
        g_variant_builder_add(&set, "{ss}", "type", "disk");
        g_variant_builder_add(&set, "{ss}", "path", "/");
        g_variant_builder_add(&set, "{ss}", "pool", pool);
        {
                g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_builder_end(&set));

                options = config_merge(old, value, NULL);
        }
        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_builder_add(&builder, "{s@a{ss}}", root, options);
        over = g_variant_ref_sink(g_variant_builder_end(&builder));
        return devices_merge(devices, over);
}

/* The container's own configuration at birth: what was given, and its image's properties. */
static GVariant *initial_config(const Image *image, GVariant *given) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;
        g_autoptr(GVariant) facts = NULL, empty = config_empty(), base = NULL;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, image->properties);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                g_autofree char *name = g_strconcat("image.", key, NULL);

                g_variant_builder_add(&builder, "{ss}", name, value);
        }
        g_variant_builder_add(&builder, "{ss}", "volatile.base_image", image->object.name);
        facts = g_variant_ref_sink(g_variant_builder_end(&builder));
        base = config_merge(empty, given, NULL);
        return config_merge(base, facts, NULL);
}

static const char *const *profiles_of(const ContainerCreate *args) {
        static const char *const default_profiles[] = { PROFILE_DEFAULT, NULL };

        return args->profiles ?: default_profiles;
}

/* Checks what is to be configured; *ret_devices has the root disk on the pool that is wanted. */
static int create_check(Manager *m, const ContainerCreate *args, GVariant **ret_config,
                        GVariant **ret_devices, char **ret_pool, Error *ret_error) {
        const char *const *profiles = profiles_of(args);
        g_autoptr(GVariant) empty_config = config_empty(), empty_devices = devices_empty();
        g_autoptr(GVariant) devices = g_variant_ref(args->devices ?: empty_devices);
        g_autoptr(GVariant) config = g_variant_ref(args->config ?: empty_config);
        int r;

        r = config_check(config, NULL, CONFIG_SCOPE_CONTAINER, ret_error);
        if (r >= 0 && args->pool)
                r = name_check(NAME_POOL, args->pool, ret_error);
        if (r >= 0)
                r = devices_check(devices, ret_error);
        if (r < 0)
                return r;
        if (args->pool) {
                GVariant *with_pool = devices_with_pool(m, profiles, devices, args->pool);

                g_variant_unref(devices);
                devices = with_pool;
        }
        r = container_check(m, NULL, profiles, config, devices, ret_pool, ret_error);
        if (r < 0)
                return r;
        *ret_config = TAKE_PTR(config);
        *ret_devices = TAKE_PTR(devices);
        return 0;
}

static void create_compare(Manager *m, uid_t owner, const ContainerCreate *args, GVariant *config,
                           GVariant *devices, PrivilegeChange *ret) {
        g_autoptr(GVariant) all_config = NULL, all_devices = NULL;

        profiles_expand(m, owner, profiles_of(args), config, devices, &all_config, &all_devices);
        privilege_compare(NULL, NULL, all_config, all_devices, ret);
}

int container_create_privilege(Manager *m, Caller caller, const ContainerCreate *args,
                               PrivilegeChange *ret, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        g_autofree char *pool = NULL;
        int r = create_check(m, args, &config, &devices, &pool, ret_error);

        if (r >= 0)
                create_compare(m, caller.uid, args, config, devices, ret);
        return r;
}

static int create_prepare(Manager *m, Caller caller, const ContainerCreate *args, Image *image,
                          Container **ret, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        g_auto(PrivilegeChange) needed = { 0 };
        g_autofree char *name = NULL, *pool = NULL;
        g_autoptr(Container) c = NULL;
        int r;

        r = container_choose_name(m, args->name, &name, ret_error);
        if (r >= 0)
                r = create_check(m, args, &config, &devices, &pool, ret_error);
        if (r >= 0)
                r = pool_check_no_files(m, pool, "containers", name, ret_error);
        if (r < 0)
                return r;
        create_compare(m, caller.uid, args, config, devices, &needed);
        r = caller_check(caller, &needed, name, ret_error);
        if (r < 0)
                return r;

        c = container_new(name, caller.uid);
        c->state = CONTAINER_CREATING;
        c->incomplete = true;
        c->image = g_strdup(image->object.name);
        c->architecture = g_strdup(image->architecture);
        c->pool = TAKE_PTR(pool);
        c->ephemeral = args->ephemeral;
        c->granted = needed.privilege;
        c->created = (uint64_t) g_get_real_time();
        g_strfreev(c->profiles);
        c->profiles = g_strdupv((char **) profiles_of(args));
        g_variant_unref(c->config);
        c->config = initial_config(image, config);
        g_variant_unref(c->templates);
        c->templates = g_variant_ref(image->templates);
        container_set_template_trigger(c, "create");
        g_variant_unref(c->devices);
        c->devices = devices_merge(devices, NULL);
        if (args->description) {
                g_free(c->description);
                c->description = g_strdup(args->description);
        }
        r = container_choose_first_ids(m, c, ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

int container_create(Manager *m, Caller caller, const ContainerCreate *args, Job **ret,
                     Error *ret_error) {
        g_autoptr(Container) c = NULL;
        g_autoptr(Job) job = NULL;
        ContainerJob *data;
        Image *image;
        int r;

        r = manager_get_image(m, args->image, &image, ret_error);
        if (r >= 0 && image->state == IMAGE_DELETING)
                r = error_set(ret_error, ERROR_BUSY, "Image \"%s\" is just being deleted",
                              args->image);
        if (r >= 0)
                r = create_prepare(m, caller, args, image, &c, ret_error);
        if (r < 0)
                return r;
        data = container_job_new(c);
        r = job_new(m, "container-create", caller.uid, args->start ? launch_steps : create_steps,
                    data, container_job_free, &job, ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job_add_subject(job, OBJECT_CONTAINER, c->object.name);
        manager_add(m, &c->object);
        r = job_lock(job, &TAKE_PTR(c)->object, ret_error);
        g_assert(r >= 0); /* nobody else has seen it yet */
        usage_changed(m, &data->container->object);
        *ret = TAKE_PTR(job);
        return 0;
}
