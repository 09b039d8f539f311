/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/initialize.h"

#include "service/model/config.h"
#include "service/operation/network.h"
#include "service/operation/pool.h"
#include "service/operation/profile.h"
#include "service/util/cleanup.h"

/* A profile as it was before the plan touched it. */
typedef struct OldProfile {
        char *name;
        char *description;
        GVariant *config, *devices; /* NULL: it was not there */
} OldProfile;

typedef struct InitializeJob {
        GVariant *pools, *networks, *profiles;
        size_t next;      /* of the dictionaries that the running step goes through */
        char *child;      /* name of the job that makes or deletes one, or NULL */
        GArray *made;     /* JobSubject: what is to be taken back if something fails */
        GArray *profiles_before; /* OldProfile */
} InitializeJob;

static void subject_clear(void *p) {
        g_free(((JobSubject *) p)->name);
}

static void old_profile_clear(void *p) {
        OldProfile *old = p;

        g_free(old->name);
        g_free(old->description);
        g_clear_pointer(&old->config, g_variant_unref);
        g_clear_pointer(&old->devices, g_variant_unref);
}

static void initialize_job_free(void *p) {
        InitializeJob *data = p;

        g_variant_unref(data->pools);
        g_variant_unref(data->networks);
        g_variant_unref(data->profiles);
        g_free(data->child);
        g_array_unref(data->made);
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

/* --- pools and networks: each is made by a job of its own --- */

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

/* Starts making one: 0 when it is there already, else the child. */
typedef int (*MakeFunc)(Manager *m, Caller caller, GVariant *dict, Job **ret, Error *ret_error);

static int make_pool(Manager *m, Caller caller, GVariant *dict, Job **ret, Error *ret_error) {
        g_autoptr(GVariant) config = get_config(dict);
        const PoolCreate args = {
                .name = get_text(dict, "name"),
                .driver = get_text(dict, "driver"),
                .description = get_text(dict, "description"),
                .config = config,
        };
        const StoragePool *pool = manager_find_pool(m, args.name);

        if (!pool)
                return pool_create(m, caller, &args, ret, ret_error);
        if (!g_str_equal(pool->driver, args.driver))
                return error_set(ret_error, ERROR_EXISTS,
                                 "There is a storage pool \"%s\" already, but of driver %s, not %s",
                                 args.name, pool->driver, args.driver);
        return 0;
}

static int make_network(Manager *m, Caller caller, GVariant *dict, Job **ret, Error *ret_error) {
        g_autoptr(GVariant) config = get_config(dict);
        const NetworkCreate args = {
                .name = get_text(dict, "name"),
                .type = get_text(dict, "type") ?: "bridge",
                .description = get_text(dict, "description"),
                .config = config,
        };

        if (manager_find_network(m, args.name))
                return 0;
        return network_create(m, caller, &args, ret, ret_error);
}

static int make_next(Job *job, GVariant *list, ObjectKind kind, MakeFunc make, Error *ret_error) {
        InitializeJob *data = job->data;
        const Caller caller = { job->object.owner, NULL };
        int r;

        r = child_result(job, ret_error);
        while (r >= 0 && data->next < g_variant_n_children(list)) {
                g_autoptr(GVariant) dict = g_variant_get_child_value(list, data->next++);
                JobSubject subject = { kind };
                Job *child = NULL;

                r = make(job->manager, caller, dict, &child, ret_error);
                if (r < 0 || !child)
                        continue;
                subject.name = g_strdup(get_text(dict, "name"));
                g_array_append_val(data->made, subject);
                job_add_subject(job, kind, subject.name);
                return wait_for_child(job, child);
        }
        data->next = 0;
        return r < 0 ? r : JOB_STEP_DONE;
}

static int delete_one(Manager *m, const JobSubject *subject, Job **ret, Error *ret_error) {
        Object *o = manager_find(m, subject->kind, subject->name);

        if (!o) /* its own job has undone it */
                return 0;
        if (subject->kind == OBJECT_POOL)
                return pool_delete(m, CALLER_SERVICE, (StoragePool *) o, ret, ret_error);
        return network_delete(m, CALLER_SERVICE, (Network *) o, ret, ret_error);
}

/* Takes back all objects of a kind, the last one first. */
static int unmake(Job *job, ObjectKind kind, Error *ret_error) {
        InitializeJob *data = job->data;
        int r = child_result(job, ret_error);

        while (r >= 0 && data->made->len > 0) {
                JobSubject *last = &g_array_index(data->made, JobSubject, data->made->len - 1);
                Job *child = NULL;

                if (last->kind != kind)
                        break;
                r = delete_one(job->manager, last, &child, ret_error);
                g_array_set_size(data->made, data->made->len - 1);
                if (r >= 0 && child)
                        return wait_for_child(job, child);
        }
        return r < 0 ? r : JOB_STEP_DONE;
}

static int make_pools(Job *job, Error *ret_error) {
        InitializeJob *data = job->data;

        return make_next(job, data->pools, OBJECT_POOL, make_pool, ret_error);
}

/* The child whose failure began this has said so already. */
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
        OldProfile *old;

        g_array_set_size(data->profiles_before, data->profiles_before->len + 1);
        old = &g_array_index(data->profiles_before, OldProfile, data->profiles_before->len - 1);
        old->name = g_strdup(name);
        if (!profile)
                return;
        old->description = g_strdup(profile->description);
        old->config = g_variant_ref(profile->config);
        old->devices = g_variant_ref(profile->devices);
}

/* All keys of a config, to be removed. */
static GVariant *keys_of(GVariant *config) {
        GVariantBuilder builder;
        GVariantIter iter;
        const char *key;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_STRING_ARRAY);
        g_variant_iter_init(&iter, config);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, NULL))
                g_variant_builder_add(&builder, "s", key);
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

/* Who may initialize may do in profiles what who manages them may; the host is root's. */
static Caller editor_of(const Job *job) {
        return (Caller) {
                .uid = job->object.owner,
                .sender = job->sender,
                .privilege = job->object.owner == 0 ? PRIVILEGE_HOST : PRIVILEGE_KERNEL_SURFACE,
        };
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

static int reset_profile(Manager *m, const OldProfile *old, Error *ret_error) {
        Profile *profile = manager_find_profile(m, old->name);
        g_autoptr(GVariant) unset = NULL;
        ProfileChange change;

        if (!profile)
                return 0;
        if (!old->config)
                return profile_delete(m, profile, ret_error);
        unset = keys_of(profile->config);
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
                                  &g_array_index(data->profiles_before, OldProfile, i - 1),
                                  ret_error);
        return r;
}

/* --- the call --- */

static const JobStep steps[] = {
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
        data->pools = g_variant_ref(plan->pools);
        data->networks = g_variant_ref(plan->networks);
        data->profiles = g_variant_ref(plan->profiles);
        data->made = g_array_new(FALSE, FALSE, sizeof(JobSubject));
        g_array_set_clear_func(data->made, subject_clear);
        data->profiles_before = g_array_new(FALSE, TRUE, sizeof(OldProfile));
        g_array_set_clear_func(data->profiles_before, old_profile_clear);
        r = job_new(m, "initialize", caller.uid, steps, data, initialize_job_free, &job,
                    ret_error);
        if (r < 0)
                return r;
        job->sender = g_strdup(caller.sender);
        job->cancelable = false; /* as the jobs that it is made of */
        *ret = TAKE_PTR(job);
        return 0;
}
