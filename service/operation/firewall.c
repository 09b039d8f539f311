/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/firewall.h"

#include "service/model/config.h"
#include "service/model/nic-route.h"
#include "service/operation/firewall-rules.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/worker/operations.h"

/* When many containers end at once, as they do with the host, once is enough. */
#define SETTLE_USEC (100 * G_TIME_SPAN_MILLISECOND)

/* What the tables say of one nic. */
typedef struct Guard {
        char *container;
        GVariant *nic;
} Guard;

/* A change of the sets: interfaces that go, and what comes, as the tables below have it. */
typedef struct Change {
        GVariantBuilder remove, add;
        GPtrArray *gone;
        GHashTable *come;
} Change;

struct Firewall {
        Manager *manager;
        bool is_stale;             /* the whole has to be made: nothing is known, or all is new */
        bool tried_again;          /* the whole, after its worker had died */
        GHashTable *guards;        /* interface -> Guard: what is in the tables */
        GHashTable *translations;  /* container -> a(ssqqsq), of those that have any */

        GHashTable *touched;       /* containers (names) with nics that may be new, */
        GHashTable *unsettled;     /* or that may have gone */
        sd_event_source *timer;    /* until they are looked at */
        bool is_due;               /* by the next worker */

        GPtrArray *waiting;        /* of Job: for the next worker */
        GPtrArray *served;         /* for the one that runs */
        WorkerProcess *worker;
        uint64_t generation;
        GHashTable *next_guards, *next_translations; /* of a whole when it is done */
        GPtrArray *gone;           /* of a change when it is done: interfaces, */
        GHashTable *come;          /* and what is new, as guards */
};

static void guard_free(void *p) {
        Guard *guard = p;

        g_free(guard->container);
        g_variant_unref(guard->nic);
        g_free(guard);
}

static GHashTable *guards_new(void) {
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, guard_free);
}

static GHashTable *translations_new(void) {
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                     (GDestroyNotify) g_variant_unref);
}

static GHashTable *names_new(void) {
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void guards_add(GHashTable *guards, const char *container, GVariant *nic) {
        Guard *guard = g_new(Guard, 1);

        *guard = (Guard) { g_strdup(container), g_variant_ref(nic) };
        g_hash_table_replace(guards, g_strdup(config_get(nic, "host_name")), guard);
}

Firewall *firewall_new(Manager *m) {
        Firewall *f = g_new0(Firewall, 1);

        f->manager = m;
        f->is_stale = true;
        f->guards = guards_new();
        f->translations = translations_new();
        f->touched = names_new();
        f->unsettled = names_new();
        f->waiting = g_ptr_array_new();
        f->served = g_ptr_array_new();
        return f;
}

static void forget_plan(Firewall *f) {
        g_clear_pointer(&f->next_guards, g_hash_table_unref);
        g_clear_pointer(&f->next_translations, g_hash_table_unref);
        g_clear_pointer(&f->gone, g_ptr_array_unref);
        g_clear_pointer(&f->come, g_hash_table_unref);
}

Firewall *firewall_free(Firewall *f) {
        if (!f)
                return NULL;

        worker_process_free(f->worker);
        sd_event_source_disable_unref(f->timer);
        forget_plan(f);
        g_hash_table_unref(f->guards);
        g_hash_table_unref(f->translations);
        g_hash_table_unref(f->touched);
        g_hash_table_unref(f->unsettled);
        g_ptr_array_unref(f->waiting);
        g_ptr_array_unref(f->served);
        g_free(f);
        return NULL;
}

/* --- workers --- */

static void on_ended(GVariant *result, int *fds, size_t n_fds, Error *error, void *userdata);

static void on_progress(const char *stage, double fraction, void *userdata) {
        Firewall *f = userdata;

        for (guint i = 0; i < f->served->len; i++) {
                Job *job = g_ptr_array_index(f->served, i);

                if (!job->undoing)
                        job_set_progress(job, stage, fraction);
        }
}

static int run_worker(Firewall *f, const char *operation, GVariantDict *args, Error *ret_error) {
        static const WorkerHandlers handlers = { .progress = on_progress, .ended = on_ended };
        Manager *m = f->manager;
        g_autofree char *lock = g_build_filename(m->run_dir, "firewall", NULL);

        /* Ever more, over restarts of the service too: who comes later knows more. */
        f->generation = MAX(f->generation + 1, (uint64_t) g_get_monotonic_time());
        g_variant_dict_insert(args, "generation", "t", f->generation);
        g_variant_dict_insert(args, "lock-file", "s", lock);
        return worker_process_start(m->event, m->libexec_dir, operation, g_variant_dict_end(args),
                                    NULL, 0, &handlers, f, &f->worker, ret_error);
}

/* One that runs, or is just being started. */
static Container *find_run(Manager *m, const char *name) {
        Container *c = manager_find_container(m, name);

        return c && c->facts.lxc_path ? c : NULL;
}

/* --- the whole --- */

static void append_all(GVariantBuilder *builder, GVariant *values) {
        for (size_t i = 0; i < g_variant_n_children(values); i++) {
                g_autoptr(GVariant) value = g_variant_get_child_value(values, i);

                g_variant_builder_add_value(builder, value);
        }
}

static void describe_container(Firewall *f, const Container *c, GVariantBuilder *nics,
                               GVariantBuilder *translations) {
        g_autoptr(GVariant) own = firewall_describe_nics(f->manager, c);
        g_autoptr(GVariant) proxies = firewall_describe_proxies(f->manager, c, own);
        GVariantIter iter;
        GVariant *nic;

        append_all(nics, own);
        append_all(translations, proxies);
        if (g_variant_n_children(proxies) > 0)
                g_hash_table_replace(f->next_translations, g_strdup(c->object.name),
                                     g_variant_ref(proxies));
        g_variant_iter_init(&iter, own);
        while (g_variant_iter_next(&iter, "@a{ss}", &nic)) {
                guards_add(f->next_guards, c->object.name, nic);
                g_variant_unref(nic);
        }
}

static int run_whole(Firewall *f, Error *ret_error) {
        Manager *m = f->manager;
        g_autoptr(GVariant) networks = firewall_describe_networks(m);
        GVariantBuilder nics, translations;
        GHashTableIter iter;
        GVariantDict args;
        Container *c;

        forget_plan(f);
        f->is_stale = false;
        f->next_guards = guards_new();
        f->next_translations = translations_new();
        g_variant_builder_init(&nics, G_VARIANT_TYPE("aa{ss}"));
        g_variant_builder_init(&translations, G_VARIANT_TYPE("a(ssqqsq)"));
        /* Proxies first: a forward may have all that is left of an address. */
        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c))
                if (c->facts.lxc_path)
                        describe_container(f, c, &nics, &translations);
        firewall_describe_forwards(m, &translations);
        g_hash_table_remove_all(f->touched);
        g_hash_table_remove_all(f->unsettled);

        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert_value(&args, "networks", networks);
        g_variant_dict_insert_value(&args, "nics", g_variant_builder_end(&nics));
        g_variant_dict_insert_value(&args, "translations", g_variant_builder_end(&translations));
        return run_worker(f, OPERATION_NETWORK_FIREWALL, &args, ret_error);
}

/* --- a change --- */

static void change_init(Change *change) {
        g_variant_builder_init(&change->remove, G_VARIANT_TYPE("aa{ss}"));
        g_variant_builder_init(&change->add, G_VARIANT_TYPE("aa{ss}"));
        change->gone = g_ptr_array_new_with_free_func(g_free);
        change->come = guards_new();
}

static void change_done(Change *change) {
        g_variant_builder_clear(&change->remove);
        g_variant_builder_clear(&change->add);
        g_clear_pointer(&change->gone, g_ptr_array_unref);
        g_clear_pointer(&change->come, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Change, change_done)

static void change_remove(Change *change, const char *interface, const Guard *guard) {
        g_variant_builder_add_value(&change->remove, guard->nic);
        g_ptr_array_add(change->gone, g_strdup(interface));
}

/* False where the name has been another's: only who sees all can tell whose it is now. */
static bool change_add(Firewall *f, Change *change, const char *container, GVariant *nic) {
        const char *interface = config_get(nic, "host_name");
        const Guard *old = g_hash_table_lookup(f->guards, interface);

        if (g_hash_table_contains(change->come, interface))
                return false;
        if (old && !g_str_equal(old->container, container))
                return false;
        if (old && g_variant_equal(old->nic, nic))
                return true;
        if (old)
                change_remove(change, interface, old);
        g_variant_builder_add_value(&change->add, nic);
        guards_add(change->come, container, nic);
        return true;
}

static bool add_nics(Firewall *f, Change *change, const char *name) {
        const Container *c = find_run(f->manager, name);
        g_autoptr(GVariant) nics = c ? firewall_describe_nics(f->manager, c) : NULL, proxies = NULL;
        GVariant *old = g_hash_table_lookup(f->translations, name);
        bool is_enough = true;

        if (!c)
                return !old;
        proxies = firewall_describe_proxies(f->manager, c, nics);
        if (old ? !g_variant_equal(old, proxies) : g_variant_n_children(proxies) > 0)
                return false;
        for (size_t i = 0; is_enough && i < g_variant_n_children(nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(nics, i);

                is_enough = change_add(f, change, name, nic);
        }
        return is_enough;
}

static bool nics_have(GVariant *nics, const char *interface) {
        bool found = false;

        for (size_t i = 0; !found && i < g_variant_n_children(nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(nics, i);

                found = g_strcmp0(config_get(nic, "host_name"), interface) == 0;
        }
        return found;
}

/* To delete costs the kernel a grace period, 9 ms of a start, so it is put off. But a nic that was
 * routed to may have the name that another is about to have, for which its rules would hold. */
static bool must_go(const Firewall *f, const Guard *guard) {
        return g_hash_table_contains(f->touched, guard->container) &&
               (f->is_due || nic_is_routed(guard->nic));
}

static void remove_gone(Firewall *f, Change *change) {
        GHashTableIter iter;
        const char *interface;
        const Guard *guard;

        g_hash_table_iter_init(&iter, f->guards);
        while (g_hash_table_iter_next(&iter, (void **) &interface, (void **) &guard)) {
                g_autoptr(GVariant) nics = NULL;
                const Container *c;

                if (!must_go(f, guard))
                        continue;
                c = find_run(f->manager, guard->container);
                nics = c ? firewall_describe_nics(f->manager, c) : NULL;
                if (!nics || !nics_have(nics, interface))
                        change_remove(change, interface, guard);
        }
}

/* Without networks the tables are there for nics alone, and go with them. */
static bool is_last_to_go(const Firewall *f, const Change *change) {
        return change->gone->len > 0 && g_hash_table_size(change->come) == 0 &&
               change->gone->len == g_hash_table_size(f->guards) &&
               g_hash_table_size(f->manager->objects[OBJECT_NETWORK]) == 0;
}

/* Returns 1 when a worker runs, 0 when there is nothing to do or only the whole will do. */
static int run_change(Firewall *f, Error *ret_error) {
        g_auto(Change) change = { 0 };
        GHashTableIter iter;
        const char *name;
        GVariantDict args;
        int r;

        change_init(&change);
        if (f->is_due) {
                g_hash_table_iter_init(&iter, f->unsettled);
                while (g_hash_table_iter_next(&iter, (void **) &name, NULL))
                        (void) g_hash_table_add(f->touched, g_strdup(name));
                g_hash_table_remove_all(f->unsettled);
        }
        remove_gone(f, &change);
        g_hash_table_iter_init(&iter, f->touched);
        while (!f->is_stale && g_hash_table_iter_next(&iter, (void **) &name, NULL))
                f->is_stale = !add_nics(f, &change, name);
        g_hash_table_remove_all(f->touched);
        f->is_stale = f->is_stale || is_last_to_go(f, &change);
        if (f->is_stale || change.gone->len + g_hash_table_size(change.come) == 0)
                return 0;
        forget_plan(f);
        f->gone = TAKE_PTR(change.gone);
        f->come = TAKE_PTR(change.come);
        g_variant_dict_init(&args, NULL);
        g_variant_dict_insert_value(&args, "remove", g_variant_builder_end(&change.remove));
        g_variant_dict_insert_value(&args, "add", g_variant_builder_end(&change.add));
        r = run_worker(f, OPERATION_NETWORK_GUARD, &args, ret_error);
        return r < 0 ? r : 1;
}

/* --- one after the other --- */

/* To all that have waited for this: it is done, or has failed. */
static void tell(Firewall *f, int r, const Error *error) {
        g_autoptr(GPtrArray) served = TAKE_PTR(f->served);

        f->served = g_ptr_array_new();
        forget_plan(f);
        f->tried_again = false;
        f->is_stale = f->is_stale || r < 0;
        for (guint i = 0; i < served->len; i++) {
                Job *job = g_ptr_array_index(served, i);

                if (r < 0 && !job->undoing)
                        (void) error_set(&job->error, error->code, "%s", error->message);
                job_step_done(job, r);
        }
}

/* Begins what is to be done for those that are served. */
static void run(Firewall *f) {
        g_auto(Error) error = ERROR_INIT;
        int r = 0;

        if (!f->is_stale)
                r = run_change(f, &error);
        if (f->is_stale)
                r = run_whole(f, &error);
        f->is_due = false;
        if (!f->worker)
                tell(f, r, &error);
}

static void kick(Firewall *f) {
        while (!f->worker && f->waiting->len > 0) {
                GPtrArray *served = f->served;

                f->served = f->waiting;
                f->waiting = served;
                run(f);
        }
}

static void commit_change(Firewall *f) {
        GHashTableIter iter;
        void *interface, *guard;

        for (guint i = 0; i < f->gone->len; i++)
                (void) g_hash_table_remove(f->guards, g_ptr_array_index(f->gone, i));
        g_hash_table_iter_init(&iter, f->come);
        while (g_hash_table_iter_next(&iter, &interface, &guard)) {
                g_hash_table_iter_steal(&iter);
                g_hash_table_replace(f->guards, interface, guard);
        }
}

static void commit_whole(Firewall *f) {
        g_hash_table_unref(f->guards);
        f->guards = TAKE_PTR(f->next_guards);
        g_hash_table_unref(f->translations);
        f->translations = TAKE_PTR(f->next_translations);
}

/* It is as good as another that has just begun. */
static bool worth_another_try(const Firewall *f, const WorkerProcess *worker) {
        return !f->tried_again && worker_process_has_died(worker);
}

static void on_ended(GVariant *result, int *fds, size_t n_fds, Error *error, void *userdata) {
        Firewall *f = userdata;
        WorkerProcess *worker = TAKE_PTR(f->worker); /* what it said is its own */

        if (f->next_guards && (result || !worth_another_try(f, worker))) {
                if (result)
                        commit_whole(f);
                tell(f, result ? 0 : -error_code_to_errno(error->code), error);
        } else if (result) {
                commit_change(f);
                tell(f, 0, NULL);
        } else {
                /* The tables are not what they were thought to be. */
                log_debug("%s; making the firewall anew", error->message);
                f->tried_again = f->next_guards != NULL;
                f->is_stale = true;
                run(f);
        }
        worker_process_free(worker);
        kick(f);
}

/* --- whoever wants something --- */

static int wait_for_worker(Job *job) {
        Firewall *f = job->manager->firewall;

        g_ptr_array_add(f->waiting, job);
        kick(f);
        return JOB_STEP_PENDING;
}

int step_firewall(Job *job, Error *ret_error) {
        job->manager->firewall->is_stale = true;
        return wait_for_worker(job);
}

int step_firewall_for(Job *job, const char *const *containers, Error *ret_error) {
        for (const char *const *name = containers; *name; name++)
                (void) g_hash_table_add(job->manager->firewall->touched, g_strdup(*name));
        return wait_for_worker(job);
}

static int step_settle(Job *job, Error *ret_error) {
        job->manager->firewall->is_due = true;
        return wait_for_worker(job);
}

static int step_settle_failed(Job *job, Error *ret_error) {
        log_error("The firewall rules cannot be set: %s", job->error.message);
        return JOB_STEP_DONE;
}

static void settle(Manager *m) {
        static const JobStep steps[] = {
                { "Setting the firewall", step_settle, step_settle_failed },
                { NULL },
        };
        g_auto(Error) error = ERROR_INIT;
        Job *job;

        if (job_new(m, "network-firewall", 0, steps, NULL, NULL, &job, &error) < 0)
                log_error("The firewall rules cannot be set: %s", error.message);
        else
                job_start(job);
}

static int on_settle(sd_event_source *source, uint64_t usec, void *userdata) {
        Firewall *f = userdata;

        f->timer = sd_event_source_disable_unref(f->timer);
        settle(f->manager);
        return 0;
}

void firewall_settle(Manager *m, const char *container) {
        Firewall *f = m->firewall;

        (void) g_hash_table_add(f->unsettled, g_strdup(container));
        if (!f->timer)
                (void) sd_event_add_time_relative(m->event, &f->timer, CLOCK_MONOTONIC,
                                                  SETTLE_USEC, 0, on_settle, f);
}

void network_firewall_lost(void *manager) {
        Manager *m = manager;

        if (g_hash_table_size(m->objects[OBJECT_NETWORK]) == 0 &&
            g_hash_table_size(m->firewall->guards) == 0)
                return;
        log_notice("The firewall rules were changed by somebody else; putting them back.");
        m->firewall->is_stale = true;
        settle(m);
}
