/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/cgroup-limits.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "service/model/config.h"
#include "service/model/limits.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/kernel-module.h"

/* --- the host --- */

static uint64_t host_memory(void) {
        struct sysinfo info;

        return sysinfo(&info) < 0 ? 0 : (uint64_t) info.totalram * info.mem_unit;
}

/* Whether version 2 has the controller where containers are. */
static bool unified_has(const CgroupHost *host, const char *controller) {
        _cleanup_close_ int base = -EBADF;
        g_autofree char *text = NULL;
        g_auto(GStrv) names = NULL;

        if (!host->unified)
                return false;
        base = cgroup_open_base(host->unified);
        if (base < 0 || cgroup_read_file(base, "cgroup.controllers", &text) < 0)
                return false;
        names = g_strsplit(g_strchomp(text), " ", -1);
        return g_strv_contains((const char *const *) names, controller);
}

static const CgroupHierarchy *find_hierarchy(const CgroupHost *host, const Limit *limit,
                                             CgroupVersion version) {
        if (version == CGROUP_V1)
                return cgroup_find_controller(host, limit->controller);
        return unified_has(host, limit->controller) ? host->unified : NULL;
}

/* What a group that may use all CPUs has in cpuset.cpus: version 1 wants them all listed. */
static char *host_cpus(const CgroupHost *host, CgroupVersion version) {
        const CgroupHierarchy *h = cgroup_find_controller(host, "cpuset");
        _cleanup_close_ int base = h ? cgroup_open_base(h) : -EBADF;
        char *text;

        if (version == CGROUP_V2 || base < 0 || cgroup_read_file(base, "cpuset.cpus", &text) < 0)
                return g_strdup("");
        return g_strchomp(text);
}

static GPtrArray *list_for(const CgroupHost *host, GVariant *config, const char *cpus,
                           CgroupVersion version) {
        g_autofree char *all_cpus = host_cpus(host, version);
        LimitsHost facts = { host_memory(), all_cpus };

        return limits_list(config, cpus, version, &facts);
}

/* The disk's has another name in version 2. */
static const char *v1_controller(const Limit *limit) {
        return g_str_equal(limit->controller, "io") ? "blkio" : limit->controller;
}

static const char *v2_controller(const Limit *limit) {
        return g_str_equal(limit->controller, "blkio") ? "io" : limit->controller;
}

static bool host_has(const CgroupHost *host, const Limit *limit) {
        return cgroup_find_controller(host, v1_controller(limit)) ||
               unified_has(host, v2_controller(limit));
}

/* --- at a start --- */

static int check_limit(const CgroupHost *host, const Limit *limit, Error *ret_error) {
        if (limit->flags & (LIMIT_UNSET | LIMIT_HINT) || host_has(host, limit))
                return 0;
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "%s cannot be set: this host has no cgroup controller \"%s\"", limit->key,
                         limit->controller);
}

int limits_to_lines(const CgroupHost *host, GVariant *config, const char *cpus, GPtrArray **ret,
                    Error *ret_error) {
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);

        for (CgroupVersion version = CGROUP_V1; version <= CGROUP_V2; version++) {
                g_autoptr(GPtrArray) list = list_for(host, config, cpus, version);

                for (guint i = 0; i < list->len; i++) {
                        const Limit *limit = g_ptr_array_index(list, i);
                        int r = check_limit(host, limit, ret_error);

                        if (r < 0)
                                return r;
                        if (limit->flags || !find_hierarchy(host, limit, version))
                                continue;
                        g_ptr_array_add(lines, g_strdup_printf("lxc.cgroup%s.%s",
                                                               version == CGROUP_V2 ? "2" : "",
                                                               limit->files));
                        g_ptr_array_add(lines, g_strdup(limit->value));
                }
        }
        *ret = TAKE_PTR(lines);
        return 0;
}

/* --- writing --- */

/* -ENOENT when the group has none of the files. */
static int write_limit(int group, const Limit *limit) {
        g_auto(GStrv) names = g_strsplit(limit->files, "|", -1);
        /* An empty text would be no write at all. */
        g_autofree char *text = g_strconcat(limit->value, "\n", NULL);

        for (char **name = names; *name; name++) {
                _cleanup_close_ int fd = path_open_beneath(group, *name, O_WRONLY, 0);

                if (fd == -ENOENT)
                        continue;
                return fd < 0 ? fd : fd_write_all(fd, text, strlen(text));
        }
        return -ENOENT;
}

/* Version 2 takes no empty set of CPUs while there are processes: then it is all that there are. */
static int write_all_cpus(const CgroupHierarchy *h, int group, const Limit *limit) {
        _cleanup_close_ int base = cgroup_open_base(h);
        g_autofree char *text = NULL;
        Limit all = *limit;
        int r;

        if (base < 0)
                return base;
        r = cgroup_read_file(base, "cpuset.cpus.effective", &text);
        if (r < 0)
                return r;
        all.value = g_strchomp(text);
        return write_limit(group, &all);
}

static void warn(GPtrArray *warnings, const Limit *limit, const char *container, int r) {
        g_autofree char *text = g_strdup_printf(
                "%s of container \"%s\" has no effect: %s", limit->key, container,
                r == -ENOENT ? "this host's cgroups have no such setting" : g_strerror(-r));

        for (guint i = 0; i < warnings->len; i++)
                if (g_str_equal(g_ptr_array_index(warnings, i), text))
                        return;
        log_warning("%s.", text);
        g_ptr_array_add(warnings, TAKE_PTR(text));
}

static int describe(const Limit *limit, const char *container, int r, Error *ret_error) {
        if (r == -ENOENT)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "%s of container \"%s\" cannot be set: this host's cgroups have "
                                 "no such setting", limit->key, container);
        if (r == -EBUSY)
                return error_set(ret_error, ERROR_BUSY,
                                 "%s of container \"%s\" cannot be set to %s: it uses more than "
                                 "that at the moment", limit->key, container, limit->value);
        if (r == -EINVAL || r == -ERANGE || r == -EACCES)
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "%s of container \"%s\" cannot be set to %s: the kernel does not "
                                 "take that value", limit->key, container, limit->value);
        return error_set_errno(ret_error, -r, "%s of container \"%s\" cannot be set to %s",
                               limit->key, container, limit->value);
}

/* A group's entry, with every outcome but an error settled. */
static int set_limit(const CgroupHost *host, const char *container, const Limit *limit,
                     CgroupVersion version, GPtrArray *warnings, Error *ret_error) {
        const CgroupHierarchy *h = find_hierarchy(host, limit, version);
        _cleanup_close_ int group = h ? cgroup_open_group(h, CGROUP_PAYLOAD, container) : -EBADF;
        int r;

        if (!h) {
                /* The other version's list has it, unless no version has. */
                if (limit->flags == LIMIT_HINT && !host_has(host, limit))
                        warn(warnings, limit, container, -ENOENT);
                return 0;
        }
        r = group < 0 ? group : write_limit(group, limit);
        if (r == -ENOSPC && g_str_equal(limit->files, "cpuset.cpus") && !*limit->value)
                r = write_all_cpus(h, group, limit);
        if (r >= 0 || limit->flags & LIMIT_UNSET)
                return 0;
        if (limit->flags & LIMIT_HINT) {
                warn(warnings, limit, container, r);
                return 0;
        }
        return describe(limit, container, r, ret_error);
}

void limits_apply_hints(const CgroupHost *host, const char *container, GVariant *config,
                        const char *cpus, GPtrArray *warnings) {
        for (CgroupVersion version = CGROUP_V1; version <= CGROUP_V2; version++) {
                g_autoptr(GPtrArray) list = list_for(host, config, cpus, version);

                for (guint i = 0; i < list->len; i++) {
                        const Limit *limit = g_ptr_array_index(list, i);

                        if (limit->flags != LIMIT_HINT)
                                continue;
                        (void) set_limit(host, container, limit, version, warnings, NULL);
                }
        }
}

/* --- while it runs --- */

/* One container of a request, on its way from one configuration to another. */
typedef struct Change {
        const char *container;
        GPtrArray *before[CGROUP_V2 + 1], *after[CGROUP_V2 + 1];
        uint32_t topics[CGROUP_V2 + 1]; /* that differ */
} Change;

static void change_free(void *p) {
        Change *change = p;

        for (CgroupVersion version = CGROUP_V1; version <= CGROUP_V2; version++) {
                g_clear_pointer(&change->before[version], g_ptr_array_unref);
                g_clear_pointer(&change->after[version], g_ptr_array_unref);
        }
        g_free(change);
}

static bool differ(const Limit *a, const Limit *b) {
        return !g_str_equal(a->value, b->value) || a->flags != b->flags;
}

static Change *change_new(const CgroupHost *host, const char *container, GVariant *before,
                          GVariant *after, const char *cpus_before, const char *cpus_after) {
        Change *change = g_new0(Change, 1);

        change->container = container;
        for (CgroupVersion version = CGROUP_V1; version <= CGROUP_V2; version++) {
                GPtrArray *a = list_for(host, before, cpus_before, version);
                GPtrArray *b = list_for(host, after, cpus_after, version);

                change->before[version] = a;
                change->after[version] = b;
                for (guint i = 0; i < b->len; i++)
                        if (differ(g_ptr_array_index(a, i), g_ptr_array_index(b, i)))
                                change->topics[version] |=
                                        UINT32_C(1) << ((Limit *) g_ptr_array_index(b, i))->topic;
        }
        return change;
}

static int change_write(const CgroupHost *host, const Change *change, GPtrArray *const *lists,
                        bool stubborn, GPtrArray *warnings, Error *ret_error) {
        for (CgroupVersion version = CGROUP_V1; version <= CGROUP_V2; version++)
                for (guint i = 0; i < lists[version]->len; i++) {
                        const Limit *limit = g_ptr_array_index(lists[version], i);
                        int r = 0;

                        if (!(change->topics[version] & UINT32_C(1) << limit->topic))
                                continue;
                        if (!stubborn)
                                r = check_limit(host, limit, ret_error);
                        if (r >= 0)
                                r = set_limit(host, change->container, limit, version, warnings,
                                              ret_error);
                        if (r < 0 && !stubborn)
                                return r;
                }
        return 0;
}

int limits_apply_all(const CgroupHost *host, const char *container, GVariant *config,
                     const char *cpus, GPtrArray *warnings, Error *ret_error) {
        g_autoptr(GVariant) nothing = config_empty();
        Change *change = change_new(host, container, nothing, config, "", cpus);
        int r = change_write(host, change, change->after, false, warnings, ret_error);

        change_free(change);
        return r;
}

/* Puts back what was before, as far as the kernel lets us. */
static void change_revert(const CgroupHost *host, const Change *change) {
        g_autoptr(GPtrArray) ignored = g_ptr_array_new_with_free_func(g_free);
        g_auto(Error) error = ERROR_INIT;

        (void) change_write(host, change, change->before, true, ignored, &error);
}

static int apply(const CgroupHost *host, GPtrArray *changes, GPtrArray *warnings,
                 Error *ret_error) {
        int r = 0;
        guint i;

        for (i = 0; r >= 0 && i < changes->len; i++) {
                const Change *change = g_ptr_array_index(changes, i);

                r = change_write(host, change, change->after, false, warnings, ret_error);
        }
        while (r < 0 && i > 0)
                change_revert(host, g_ptr_array_index(changes, --i));
        return r;
}

/* Whoever has stopped meanwhile has no limits to change. */
static bool runs(const CgroupHost *host, const char *name, pid_t init_pid) {
        g_auto(Process) init = PROCESS_INIT;

        return process_open_by_pid(init_pid, &init) >= 0 &&
               cgroup_has_process(host, CGROUP_PAYLOAD, name, &init) > 0;
}

static int read_changes(Worker *worker, const CgroupHost *host, GVariant *containers,
                        GPtrArray *changes, Error *ret_error) {
        const char *name, *cpus_before, *cpus_after;
        GVariant *before, *after;
        GVariantIter iter;
        gint32 pid;

        g_variant_iter_init(&iter, containers);
        while (g_variant_iter_next(&iter, "(&si@a{ss}@a{ss}&s&s)", &name, &pid, &before, &after,
                                   &cpus_before, &cpus_after)) {
                g_autoptr(GVariant) old = before, new = after;

                if (!container_name_is_valid(name))
                        return error_set(ret_error, ERROR_INVALID_NAME,
                                         "\"%s\" is not a name for a container", name);
                if (runs(host, name, pid))
                        g_ptr_array_add(changes, change_new(host, name, old, new, cpus_before,
                                                            cpus_after));
        }
        return 0;
}

/* Those that are there already are no work; none is ever taken away. */
static int load_modules(GVariant *containers, Error *ret_error) {
        GVariantIter iter;
        GVariant *after;
        int r = 0;

        g_variant_iter_init(&iter, containers);
        while (r >= 0 && g_variant_iter_next(&iter, "(&si@a{ss}@a{ss}&s&s)", NULL, NULL, NULL,
                                             &after, NULL, NULL)) {
                g_autoptr(GVariant) config = after;

                r = kernel_modules_load(config, ret_error);
        }
        return r;
}

int limits_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GPtrArray) changes = g_ptr_array_new_with_free_func(change_free);
        g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GVariant) containers = NULL;
        g_autoptr(CgroupHost) host = NULL;
        int r;

        r = worker_get_variant(worker, "containers", "a(sia{ss}a{ss}ss)", &containers, ret_error);
        if (r >= 0)
                r = cgroup_host_new(&host, ret_error);
        if (r >= 0)
                r = read_changes(worker, host, containers, changes, ret_error);
        if (r >= 0)
                r = load_modules(containers, ret_error);
        if (r >= 0)
                r = apply(host, changes, warnings, ret_error);
        if (r < 0)
                return r;
        g_variant_dict_insert_value(result, "warnings",
                                    g_variant_new_strv((const char *const *) warnings->pdata,
                                                       warnings->len));
        return 0;
}
