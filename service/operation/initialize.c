/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/initialize.h"

#include "service/model/config.h"
#include "service/operation/network.h"
#include "service/operation/pool.h"
#include "service/operation/profile.h"
#include "service/operation/settings.h"
#include "service/util/cleanup.h"

/* An object as it was before the plan touched it. */
typedef struct Old {
        ObjectKind kind;
        char *name;
        char *description;
        GVariant *config;   /* NULL: it was not there */
        GVariant *devices;  /* of a profile */
} Old;

typedef struct InitializeJob {
        GVariant *config, *pools, *networks, *profiles;
        GVariant *config_before; /* of the service; NULL: nothing was set */
        size_t next;             /* of the dictionaries that the running step goes through */
        char *child;             /* name of the job that works on one, or NULL */
        GArray *before;          /* Old: what is to be taken back if something fails */
        GArray *profiles_before; /* Old */
} InitializeJob;

static void old_clear(void *p) {
        Old *old = p;

        g_free(old->name);
        g_free(old->description);
        g_clear_pointer(&old->config, g_variant_unref);
        g_clear_pointer(&old->devices, g_variant_unref);
}

static void initialize_job_free(void *p) {
        InitializeJob *data = p;

        g_variant_unref(data->config);
        g_variant_unref(data->pools);
        g_variant_unref(data->networks);
        g_variant_unref(data->profiles);
        g_clear_pointer(&data->config_before, g_variant_unref);
        g_free(data->child);
        g_array_unref(data->before);
        g_array_unref(data->profiles_before);
        g_free(data);
}

/* --- one dictionary of the plan --- */

typedef struct Field {
        const char *name, *type;
        bool required;
} Field;

static const Field pool_fields[] = {
        { "name", "s", true }, { "driver", "s", true }, { "config", "a{ss}" },
        { "description", "s" }, { NULL },
};

static const Field network_fields[] = {
        { "name", "s", true }, { "type", "s" }, { "config", "a{ss}" }, { "description", "s" },
        { NULL },
};

static const Field profile_fields[] = {
        { "name", "s", true }, { "config", "a{ss}" }, { "devices", "a{sa{ss}}" },
        { "description", "s" }, { NULL },
};

static const Field *field_find(const Field *fields, const char *name) {
        for (const Field *f = fields; f->name; f++)
                if (g_str_equal(f->name, name))
                        return f;
        return NULL;
}

static int check_one(GVariant *dict, const char *what, const Field *fields, Error *ret_error) {
        GVariantIter iter;
        const char *key;
        GVariant *value;

        g_variant_iter_init(&iter, dict);
        while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
                g_autoptr(GVariant) owned = value;
                const Field *f = field_find(fields, key);

                if (!f)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "A %s of the plan has the unknown key \"%.64s\"", what,
                                         key);
                if (!g_variant_is_of_type(owned, G_VARIANT_TYPE(f->type)))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "\"%s\" of a %s of the plan is not of type %s", key, what,
                                         f->type);
        }
        for (const Field *f = fields; f->name; f++)
                if (f->required && !g_variant_lookup(dict, f->name, f->type, NULL))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "A %s of the plan has no \"%s\"", what, f->name);
        return 0;
}

static int check_all(GVariant *list, const char *what, const Field *fields, Error *ret_error) {
        size_t n = g_variant_n_children(list);

        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) dict = g_variant_get_child_value(list, i);
                int r = check_one(dict, what, fields, ret_error);

                if (r < 0)
                        return r;
        }
        return 0;
}

static const char *get_text(GVariant *dict, const char *key) {
        const char *text = NULL;

        (void) g_variant_lookup(dict, key, "&s", &text);
        return text;
}

static GVariant *get_config(GVariant *dict) {
        return g_variant_lookup_value(dict, "config", CONFIG_TYPE) ?: config_empty();
}

/* The keys of a config that another, which may be NULL, has not got: to be removed. */
static GVariant *keys_beyond(GVariant *config, GVariant *other) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                if (!other || !config_get(other, key))
                        g_variant_builder_add(&builder, "s", key);
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

static GVariant *no_keys(void) {
        return g_variant_ref_sink(g_variant_new_strv(NULL, 0));
}

/* Who may initialize may do what who manages these objects may; the host is root's. */
static Caller editor_of(const Job *job) {
        return (Caller) {
                .uid = job->object.owner,
                .sender = job->sender,
                .privilege = job->object.owner == 0 ? PRIVILEGE_HOST : PRIVILEGE_KERNEL_SURFACE,
        };
}

/* --- the service --- */

static int set_config(Job *job, Error *ret_error) {
        InitializeJob *data = job->data;
        g_autoptr(GVariant) unset = no_keys();
        Manager *m = job->manager;

        if (g_variant_n_children(data->config) == 0)
                return JOB_STEP_DONE;
        data->config_before = g_variant_ref(settings_get_config(m->settings));
        return settings_update(m, data->config, unset, ret_error);
}

static int reset_config(Job *job, Error *ret_error) {
        InitializeJob *data = job->data;
        g_autoptr(GVariant) unset = NULL;

        if (!data->config_before)
                return JOB_STEP_DONE;
        unset = keys_beyond(settings_get_config(job->manager->settings), data->config_before);
        return settings_update(job->manager, data->config_before, unset, ret_error);
}

/* --- pools and networks: each is made or changed by a job of its own --- */

/* Looks at how the child ended: 0 when there was none, or it succeeded. */
static int child_result(Job *job, Error *ret_error) {
        InitializeJob *data = job->data;
        g_autofree char *name = TAKE_PTR(data->child);
        const Job *child = name ? (Job *) manager_find(job->manager, OBJECT_JOB, name) : NULL;

        if (!name || (child && child->result == JOB_RESULT_DONE))
                return 0;
        if (!child)
                return error_set(ret_error, ERROR_FAILED, "Job %s ended without a result", name);
        return error_set(ret_error, child->error.code, "%s", child->error.message);
}

static int wait_for_child(Job *job, Job *child) {
        InitializeJob *data = job->data;

        data->child = g_strdup(child->object.name);
        job_start(child);
        return job_wait_for(job, child);
}

/* "auto" is an address that was chosen when there was none, and stays. */
static bool is_so_already(GVariant *config, const char *key, const char *value) {
        const char *now = config_get(config, key);

        if (g_str_equal(value, "auto") && g_str_has_suffix(key, ".address"))
                return now && !g_str_equal(now, "none");
        return g_strcmp0(now, value) == 0;
}

/* What of `wanted` is not so yet. `given`, which may be NULL, is what the source is called now. */
static GVariant *difference(GVariant *config, GVariant *wanted, const char *given) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key, *value;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        g_variant_iter_init(&iter, wanted);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (!is_so_already(config, key, value) &&
                    !(g_str_equal(key, "source") && g_strcmp0(given, value) == 0))
                        g_variant_builder_add(&builder, "{ss}", key, value);
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

static void remember(GArray *list, ObjectKind kind, const char *name, GVariant *config,
                     const char *description) {
        const Old old = {
                .kind = kind,
                .name = g_strdup(name),
                .config = config ? g_variant_ref(config) : NULL,
                .description = g_strdup(description),
        };

        g_array_append_val(list, old);
}

/* What of a dictionary is to be changed in an object that there is; NULL where nothing is. */
static GVariant *plan_change(GVariant *dict, GVariant *config, const char *given,
                             const char *description) {
        g_autoptr(GVariant) wanted = get_config(dict);
        g_autoptr(GVariant) set = difference(config, wanted, given);
        const char *text = get_text(dict, "description");

        return g_variant_n_children(set) > 0 || (text && !g_str_equal(text, description))
                       ? TAKE_PTR(set) : NULL;
}

/* Starts to make or change one. *ret stays NULL where there is nothing to wait for; what is to be
 * taken back is remembered. */
typedef int (*MakeFunc)(Job *job, GVariant *dict, Job **ret, Error *ret_error);

static int make_pool(Job *job, GVariant *dict, Job **ret, Error *ret_error) {
        InitializeJob *data = job->data;
        g_autoptr(GVariant) config = get_config(dict), set = NULL, unset = no_keys();
        const PoolCreate args = {
                .name = get_text(dict, "name"),
                .driver = get_text(dict, "driver"),
                .description = get_text(dict, "description"),
                .config = config,
        };
        StoragePool *pool = manager_find_pool(job->manager, args.name);
        PoolChange change;
        int r;

        if (!pool) {
                r = pool_create(job->manager, editor_of(job), &args, ret, ret_error);
                if (r >= 0)
                        remember(data->before, OBJECT_POOL, args.name, NULL, NULL);
                return r;
        }
        if (!g_str_equal(pool->driver, args.driver))
                return error_set(ret_error, ERROR_EXISTS,
                                 "There is a storage pool \"%s\" already, but of driver %s, not %s",
                                 args.name, pool->driver, args.driver);
        set = plan_change(dict, pool->config, pool->source, pool->description);
        if (!set)
                return 0;
        remember(data->before, OBJECT_POOL, args.name, pool->config, pool->description);
        change = (PoolChange) { set, unset, args.description, NULL };
        return pool_update(job->manager, editor_of(job), pool, &change, ret, ret_error);
}

static int make_network(Job *job, GVariant *dict, Job **ret, Error *ret_error) {
        InitializeJob *data = job->data;
        g_autoptr(GVariant) config = get_config(dict), set = NULL, unset = no_keys();
        const char *type = get_text(dict, "type");
        const NetworkCreate args = {
                .name = get_text(dict, "name"),
                /* LXD leaves it empty for bridges. */
                .type = type && *type ? type : "bridge",
                .description = get_text(dict, "description"),
                .config = config,
        };
        Network *network = manager_find_network(job->manager, args.name);
        NetworkUpdate update;
        int r;

        if (!network) {
                r = network_create(job->manager, editor_of(job), &args, ret, ret_error);
                if (r >= 0)
                        remember(data->before, OBJECT_NETWORK, args.name, NULL, NULL);
                return r;
        }
        if (!g_str_equal(network_type_to_string(network->type), args.type))
                return error_set(ret_error, ERROR_EXISTS,
                                 "There is a network \"%s\" already, but of type %s, not %s",
                                 args.name, network_type_to_string(network->type), args.type);
        set = plan_change(dict, network->config, NULL, network->description);
        if (!set)
                return 0;
        remember(data->before, OBJECT_NETWORK, args.name, network->config, network->description);
        update = (NetworkUpdate) { set, unset, args.description, NULL };
        return network_update(job->manager, editor_of(job), network, &update, ret, ret_error);
}

static int make_next(Job *job, GVariant *list, ObjectKind kind, MakeFunc make, Error *ret_error) {
        InitializeJob *data = job->data;
        int r;

        r = child_result(job, ret_error);
        while (r >= 0 && data->next < g_variant_n_children(list)) {
                g_autoptr(GVariant) dict = g_variant_get_child_value(list, data->next++);
                Job *child = NULL;

                r = make(job, dict, &child, ret_error);
                if (r < 0 || !child)
                        continue;
                job_add_subject(job, kind, get_text(dict, "name"));
                return wait_for_child(job, child);
        }
        data->next = 0;
        return r < 0 ? r : JOB_STEP_DONE;
}

/* A pool does not become smaller again. */
static GVariant *old_config(const Old *old, GVariant *now) {
        const char *size = old->kind == OBJECT_POOL ? config_get(now, "size") : NULL;
        g_autoptr(GVariant) kept = NULL;

        if (!size)
                return g_variant_ref(old->config);
        kept = g_variant_ref_sink(g_variant_new_parsed("{'size': %s}", size));
        return config_merge(old->config, kept, NULL);
}

static int change_back(Manager *m, const Old *old, Object *o, Job **ret, Error *ret_error) {
        const Caller caller = { .privilege = PRIVILEGE_HOST };
        GVariant *now = o->kind == OBJECT_POOL ? ((StoragePool *) o)->config
                                               : ((Network *) o)->config;
        g_autoptr(GVariant) was = old_config(old, now);
        g_autoptr(GVariant) set = difference(now, was, NULL);
        g_autoptr(GVariant) unset = keys_beyond(now, was);
        const PoolChange change = { set, unset, old->description, NULL };
        const NetworkUpdate update = { set, unset, old->description, NULL };

        return o->kind == OBJECT_POOL
                       ? pool_update(m, caller, (StoragePool *) o, &change, ret, ret_error)
                       : network_update(m, caller, (Network *) o, &update, ret, ret_error);
}

static int take_back(Manager *m, const Old *old, Job **ret, Error *ret_error) {
        Object *o = manager_find(m, old->kind, old->name);

        if (!o) /* its own job has undone it */
                return 0;
        if (old->config)
                return change_back(m, old, o, ret, ret_error);
        if (old->kind == OBJECT_POOL)
                return pool_delete(m, CALLER_SERVICE, (StoragePool *) o, ret, ret_error);
        return network_delete(m, CALLER_SERVICE, (Network *) o, ret, ret_error);
}

/* Takes back all objects of a kind, the last one first. */
static int unmake(Job *job, ObjectKind kind, Error *ret_error) {
        InitializeJob *data = job->data;
        int r = child_result(job, ret_error);

        while (r >= 0 && data->before->len > 0) {
                const Old *last = &g_array_index(data->before, Old, data->before->len - 1);
                Job *child = NULL;

                if (last->kind != kind)
                        break;
                r = take_back(job->manager, last, &child, ret_error);
                g_array_set_size(data->before, data->before->len - 1);
                if (r >= 0 && child)
                        return wait_for_child(job, child);
        }
        return r < 0 ? r : JOB_STEP_DONE;
}

static int make_pools(Job *job, Error *ret_error) {
        InitializeJob *data = job->data;

        return make_next(job, data->pools, OBJECT_POOL, make_pool, ret_error);
}

static int unmake_pools(Job *job, Error *ret_error) {
        return unmake(job, OBJECT_POOL, ret_error);
}

static int make_networks(Job *job, Error *ret_error) {
        InitializeJob *data = job->data;

        return make_next(job, data->networks, OBJECT_NETWORK, make_network, ret_error);
}

static int unmake_networks(Job *job, Error *ret_error) {
        return unmake(job, OBJECT_NETWORK, ret_error);
}

/* --- profiles --- */

static void remember_profile(InitializeJob *data, const char *name, const Profile *profile) {
        Old *old;

        remember(data->profiles_before, OBJECT_PROFILE, name, profile ? profile->config : NULL,
                 profile ? profile->description : NULL);
        old = &g_array_index(data->profiles_before, Old, data->profiles_before->len - 1);
        old->devices = profile ? g_variant_ref(profile->devices) : NULL;
}

static int set_profile(Job *job, GVariant *dict, Error *ret_error) {
        InitializeJob *data = job->data;
        Manager *m = job->manager;
        const char *name = get_text(dict, "name");
        Profile *profile = manager_find_profile(m, name);
        g_autoptr(GVariant) config = get_config(dict);
        g_autoptr(GVariant) devices = g_variant_lookup_value(dict, "devices", DEVICES_TYPE);
        const ProfileChange change = {
                .set = config,
                .devices = devices,
                .description = get_text(dict, "description"),
        };

        remember_profile(data, name, profile);
        if (!profile)
                return profile_create(m, editor_of(job), name, &change, &profile, ret_error);
        return profile_update(m, editor_of(job), profile, &change, NULL, ret_error);
}

static int set_profiles(Job *job, Error *ret_error) {
        InitializeJob *data = job->data;
        size_t n = g_variant_n_children(data->profiles);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                g_autoptr(GVariant) dict = g_variant_get_child_value(data->profiles, i);

                r = set_profile(job, dict, ret_error);
        }
        return r;
}

static int reset_profile(Manager *m, const Old *old, Error *ret_error) {
        Profile *profile = manager_find_profile(m, old->name);
        g_autoptr(GVariant) unset = NULL;
        ProfileChange change;

        if (!profile)
                return 0;
        if (!old->config)
                return profile_delete(m, profile, ret_error);
        unset = keys_beyond(profile->config, NULL);
        change = (ProfileChange) {
                .set = old->config,
                .unset = unset,
                .devices = old->devices,
                .description = old->description,
        };
        return profile_update(m, (Caller) { .privilege = PRIVILEGE_HOST }, profile, &change,
                              NULL, ret_error);
}

static int reset_profiles(Job *job, Error *ret_error) {
        InitializeJob *data = job->data;
        int r = 0;

        for (guint i = data->profiles_before->len; r >= 0 && i > 0; i--)
                r = reset_profile(job->manager,
                                  &g_array_index(data->profiles_before, Old, i - 1),
                                  ret_error);
        return r;
}

/* --- the call --- */

static const JobStep steps[] = {
        { NULL, set_config, reset_config },
        { "Making storage pools", make_pools, unmake_pools },
        { "Making networks", make_networks, unmake_networks },
        { "Setting up profiles", set_profiles, reset_profiles },
        { NULL },
};

int initialize(Manager *m, Caller caller, const InitializePlan *plan, Job **ret,
               Error *ret_error) {
        g_autoptr(Job) job = NULL;
        InitializeJob *data;
        int r;

        r = check_all(plan->pools, "storage pool", pool_fields, ret_error);
        if (r >= 0)
                r = check_all(plan->networks, "network", network_fields, ret_error);
        if (r >= 0)
                r = check_all(plan->profiles, "profile", profile_fields, ret_error);
        if (r < 0)
                return r;

        data = g_new0(InitializeJob, 1);
        data->config = g_variant_ref(plan->config);
        data->pools = g_variant_ref(plan->pools);
        data->networks = g_variant_ref(plan->networks);
        data->profiles = g_variant_ref(plan->profiles);
        data->before = g_array_new(FALSE, FALSE, sizeof(Old));
        g_array_set_clear_func(data->before, old_clear);
        data->profiles_before = g_array_new(FALSE, FALSE, sizeof(Old));
        g_array_set_clear_func(data->profiles_before, old_clear);
        r = job_new(m, "initialize", caller.uid, steps, data, initialize_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job->cancelable = false; /* as the jobs that it is made of */
        *ret = TAKE_PTR(job);
        return 0;
}
