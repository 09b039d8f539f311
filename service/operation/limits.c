/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/limits.h"

#include <fcntl.h>
#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/limits.h"
#include "service/operation/container-run.h"
#include "service/operation/container.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

/* One container that runs. It is found again by name and generation: it may go meanwhile. */
typedef struct Entry {
        Container *container; /* good until the plan is finished */
        char *name;
        uint64_t generation;
        pid_t init_pid;
        GVariant *before, *after;
        char *cpus_before, *cpus_after;
        bool starting;
        bool changed;  /* its configuration; else only its CPUs may differ */
        bool differs;
} Entry;

struct LimitsPlan {
        Manager *manager;
        GPtrArray *entries;
};

static void entry_free(void *p) {
        Entry *e = p;

        g_free(e->name);
        g_clear_pointer(&e->before, g_variant_unref);
        g_clear_pointer(&e->after, g_variant_unref);
        g_free(e->cpus_before);
        g_free(e->cpus_after);
        g_free(e);
}

LimitsPlan *limits_plan_free(LimitsPlan *plan) {
        if (!plan)
                return NULL;
        g_ptr_array_unref(plan->entries);
        g_free(plan);
        return NULL;
}

static GVariant *expanded_config(Manager *m, const Container *c) {
        g_autoptr(GVariant) devices = NULL;
        GVariant *config;

        container_expand(m, c, &config, &devices);
        return config;
}

/* By name, so that the same containers always get the same CPUs. */
static int compare_entries(const void *a, const void *b) {
        return strcmp((*(Entry *const *) a)->name, (*(Entry *const *) b)->name);
}

LimitsPlan *limits_plan_new(Manager *m, Container *starting) {
        LimitsPlan *plan = g_new0(LimitsPlan, 1);
        GHashTableIter iter;
        Container *c;

        plan->manager = m;
        plan->entries = g_ptr_array_new_with_free_func(entry_free);
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                Entry *e;

                if (!container_is_up(c) && c != starting && c->state != CONTAINER_STARTING)
                        continue;
                e = g_new0(Entry, 1);
                e->container = c;
                e->name = g_strdup(c->object.name);
                e->generation = c->object.generation;
                e->init_pid = c->facts.init_pid;
                e->starting = !container_is_up(c);
                e->before = expanded_config(m, c);
                e->cpus_before = g_strdup(c->facts.cpus ?: "");
                g_ptr_array_add(plan->entries, e);
        }
        g_ptr_array_sort(plan->entries, compare_entries);
        return plan;
}

/* --- CPUs --- */

static char *read_list(const char *name) {
        g_autofree char *path = g_build_filename("/sys/devices/system/cpu", name, NULL);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        char *text;

        return fd < 0 || fd_read_text(fd, 1 << 16, &text) < 0 ? g_strdup("") : g_strchomp(text);
}

/* CPUs that are on, without those that the administrator has set apart. */
static GArray *host_cpus(void) {
        g_autofree char *online = read_list("online"), *isolated = read_list("isolated");
        g_autoptr(GArray) apart = cpus_parse(isolated);
        GArray *cpus = cpus_parse(online);

        for (guint i = 0; i < apart->len; i++)
                for (guint j = cpus->len; j > 0; j--)
                        if (g_array_index(cpus, unsigned, j - 1) ==
                            g_array_index(apart, unsigned, i))
                                g_array_remove_index(cpus, j - 1);
        return cpus;
}

static void balance(LimitsPlan *plan) {
        g_autofree CpuUser *users = g_new0(CpuUser, plan->entries->len);
        g_autoptr(GArray) host = NULL;
        g_auto(GStrv) sets = NULL;
        bool limited = false;

        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);

                cpu_user_read(e->after, &users[i]);
                limited |= users[i].count > 0 || users[i].pinned;
        }
        host = limited ? host_cpus() : g_array_new(FALSE, FALSE, sizeof(unsigned));
        sets = cpus_balance(host, users, plan->entries->len);
        for (guint i = 0; i < plan->entries->len; i++) {
                Entry *e = g_ptr_array_index(plan->entries, i);

                g_free(e->cpus_after);
                e->cpus_after = TAKE_PTR(sets[i]);
                g_clear_pointer(&users[i].pinned, g_array_unref);
        }
        /* What g_strfreev() would stop at. */
        g_clear_pointer(&sets, g_free);
}

/* --- comparing --- */

/* Modules that the host loads are no limits, but it is the same worker that sees to it. */
static bool is_applied(const char *key) {
        return config_key_is_live(key) && (g_str_has_prefix(key, "limits.") ||
                                           g_str_equal(key, "linux.kernel_modules"));
}

static bool limits_differ(GVariant *a, GVariant *b) {
        const char *key, *value;
        GVariantIter iter;

        g_variant_iter_init(&iter, a);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value))
                if (is_applied(key) && g_strcmp0(config_get(b, key), value) != 0)
                        return true;
        return false;
}

static int check_cpus(const Entry *e, Error *ret_error) {
        const char *wanted = config_get(e->after, "limits.cpu");
        CpuUser user;

        cpu_user_read(e->after, &user);
        if (!user.pinned)
                return 0;
        g_array_unref(user.pinned);
        if (*e->cpus_after)
                return 0;
        return error_set(ret_error, ERROR_INVALID_CONFIG,
                         "limits.cpu of container \"%s\" is %s: this host has none of these CPUs",
                         e->name, wanted);
}

int limits_plan_finish(LimitsPlan *plan, Error *ret_error) {
        for (guint i = 0; i < plan->entries->len; i++) {
                Entry *e = g_ptr_array_index(plan->entries, i);

                e->after = expanded_config(plan->manager, e->container);
        }
        balance(plan);
        for (guint i = 0; i < plan->entries->len; i++) {
                Entry *e = g_ptr_array_index(plan->entries, i);
                int r = 0;

                e->container = NULL;
                e->changed = limits_differ(e->before, e->after) ||
                             limits_differ(e->after, e->before);
                if (e->changed && e->starting)
                        return error_set(ret_error, ERROR_BUSY,
                                         "Container \"%s\" is just being started; try again when "
                                         "it runs", e->name);
                if (e->changed)
                        r = check_cpus(e, ret_error);
                if (r < 0)
                        return r;
                e->differs = !e->starting &&
                             (e->changed || !g_str_equal(e->cpus_before, e->cpus_after));
        }
        return 0;
}

bool limits_plan_is_empty(const LimitsPlan *plan) {
        for (guint i = 0; i < plan->entries->len; i++)
                if (((const Entry *) g_ptr_array_index(plan->entries, i))->differs)
                        return false;
        return true;
}

int limits_plan_lock(const LimitsPlan *plan, Job *job, Error *ret_error) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                Container *c = manager_find_container(plan->manager, e->name);

                if (e->changed && c)
                        r = job_lock(job, &c->object, ret_error);
        }
        return r;
}

/* --- doing --- */

static Container *find_run(Manager *m, const Entry *e) {
        return container_run_find(m, e->name, e->generation, e->init_pid);
}

/* What a service that starts in the middle of it would want to know. */
static int facts_mark(Manager *m, Container *c, GVariant *limits, Error *ret_error) {
        g_clear_pointer(&c->facts.limits, g_variant_unref);
        c->facts.limits = limits ? g_variant_ref_sink(limits) : NULL;
        return container_run_save(m, c, ret_error);
}

int limits_plan_enter(const LimitsPlan *plan, Error *ret_error) {
        int r = 0;

        for (guint i = 0; r >= 0 && i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                Container *c = e->differs ? find_run(plan->manager, e) : NULL;

                if (c)
                        r = facts_mark(plan->manager, c,
                                       g_variant_new("(@a{ss}s)", e->after, e->cpus_after),
                                       ret_error);
        }
        return r;
}

void limits_plan_leave(const LimitsPlan *plan) {
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                Container *c = find_run(plan->manager, e);

                if (c && c->facts.limits && facts_mark(plan->manager, c, NULL, NULL) < 0)
                        log_warning("Cannot record that the limits of container \"%s\" are what "
                                    "they should be.", e->name);
        }
}

static int run_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        if (!job->undoing)
                job_warn_result(job, result);
        return 0;
}

int limits_plan_run(LimitsPlan *plan, Job *job, bool back, Error *ret_error) {
        GVariantBuilder containers;
        GVariantDict args;

        g_variant_builder_init(&containers, G_VARIANT_TYPE("a(sia{ss}a{ss}ss)"));
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);

                if (e->differs)
                        g_variant_builder_add(&containers, "(si@a{ss}@a{ss}ss)", e->name,
                                              (gint32) e->init_pid, back ? e->after : e->before,
                                              back ? e->before : e->after,
                                              back ? e->cpus_after : e->cpus_before,
                                              back ? e->cpus_before : e->cpus_after);
        }
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert_value(&args, "containers", g_variant_builder_end(&containers));
        return job_run_worker(job, OPERATION_LIMITS, g_variant_dict_end(&args), NULL, 0, run_done,
                              ret_error);
}

void limits_plan_commit(LimitsPlan *plan) {
        for (guint i = 0; i < plan->entries->len; i++) {
                const Entry *e = g_ptr_array_index(plan->entries, i);
                Container *c = find_run(plan->manager, e);

                if (!e->differs || !c || g_str_equal(e->cpus_before, e->cpus_after))
                        continue;
                g_free(c->facts.cpus);
                c->facts.cpus = g_strdup(e->cpus_after);
                /* Only a balance that a restart of the service works out anew hangs on it. */
                if (container_run_save(plan->manager, c, NULL) < 0)
                        log_warning("Cannot record the CPUs of container \"%s\".", e->name);
        }
}

static int recover_done(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error) {
        job_warn_result(job, result);
        return 0;
}

int limits_recover(Job *job, Container *c, Error *ret_error) {
        g_autoptr(GVariant) tried = NULL, recorded = expanded_config(job->manager, c);
        GVariantBuilder containers;
        const char *tried_cpus;
        GVariantDict args;

        g_variant_get(c->facts.limits, "(@a{ss}&s)", &tried, &tried_cpus);
        g_variant_builder_init(&containers, G_VARIANT_TYPE("a(sia{ss}a{ss}ss)"));
        g_variant_builder_add(&containers, "(si@a{ss}@a{ss}ss)", c->object.name,
                              (gint32) c->facts.init_pid, tried, recorded, tried_cpus,
                              c->facts.cpus ?: "");
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert_value(&args, "containers", g_variant_builder_end(&containers));
        return job_run_worker(job, OPERATION_LIMITS, g_variant_dict_end(&args), NULL, 0,
                              recover_done, ret_error);
}

int limits_choose_cpus(Manager *m, Container *c, Error *ret_error) {
        g_autoptr(LimitsPlan) plan = limits_plan_new(m, c);
        int r = limits_plan_finish(plan, ret_error);

        if (r < 0)
                return r;
        for (guint i = 0; i < plan->entries->len; i++) {
                Entry *e = g_ptr_array_index(plan->entries, i);

                if (!g_str_equal(e->name, c->object.name))
                        continue;
                r = check_cpus(e, ret_error);
                if (r < 0)
                        return r;
                g_free(c->facts.cpus);
                c->facts.cpus = TAKE_PTR(e->cpus_after);
                return 0;
        }
        return 0;
}

/* --- in the background --- */

static int settle_apply(Job *job, Error *ret_error) {
        return limits_plan_run(job->data, job, false, ret_error);
}

static int settle_commit(Job *job, Error *ret_error) {
        Manager *m = job->manager;

        limits_plan_commit(job->data);
        m->settling = false;
        if (m->settle_again) {
                m->settle_again = false;
                limits_settle(m);
        }
        return JOB_STEP_DONE;
}

/* The kernel would not: it stays as it was until somebody starts, stops or changes something. */
static int settle_undo(Job *job, Error *ret_error) {
        job->manager->settling = false;
        return JOB_STEP_DONE;
}

static void plan_free(void *p) {
        (void) limits_plan_free(p);
}

void limits_plan_settle(LimitsPlan *owned) {
        static const JobStep steps[] = {
                { "Adjusting limits", settle_apply, settle_undo },
                { NULL, settle_commit, NULL },
                { NULL },
        };
        g_autoptr(LimitsPlan) plan = owned;
        g_auto(Error) error = ERROR_INIT;
        Manager *m = plan->manager;
        Job *job;

        if (limits_plan_is_empty(plan))
                return;
        if (job_new(m, "limits-settle", 0, steps, TAKE_PTR(plan), plan_free, &job, &error) < 0) {
                log_warning("Limits cannot be adjusted: %s.", error.message);
                return;
        }
        job->cancelable = false;
        m->settling = true;
        job_start(job);
}

void limits_settle(Manager *m) {
        g_autoptr(LimitsPlan) plan = NULL;

        if (m->settling) {
                m->settle_again = true;
                return;
        }
        plan = limits_plan_new(m, NULL);
        if (limits_plan_finish(plan, NULL) >= 0)
                limits_plan_settle(TAKE_PTR(plan));
}
