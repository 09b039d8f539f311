/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-hotplug.h"

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container-run.h"
#include "service/operation/container.h"
#include "service/operation/device-plan.h"
#include "service/operation/worker-process.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/watch/path-watch.h"
#include "service/worker/operations.h"

/* What is followed of one container. */
typedef struct Hotplug {
        Manager *manager;
        Container *container;
        GVariant *devices;      /* a{sa{ss}}: those that follow the host */
        GPtrArray *paths;       /* of PathWatch */
        WorkerProcess *worker;  /* that looks at this moment */
        bool again;             /* something has happened since it began */
} Hotplug;

void container_hotplug_free(void *p) {
        Hotplug *h = p;

        worker_process_free(h->worker);
        g_ptr_array_unref(h->paths);
        g_clear_pointer(&h->devices, g_variant_unref);
        g_free(h);
}

void container_hotplug_forget(Manager *m, Container *c) {
        g_hash_table_remove(m->hotplugs, c);
}

/* --- looking --- */

static void look(Hotplug *h);

static void on_ended(GVariant *result, int *fds, size_t n_fds, Error *error, void *userdata) {
        Hotplug *h = userdata;

        if (!result)
                log_warning("Devices of container \"%s\" do not follow the host: %s",
                            h->container->object.name, error->message);
        h->worker = worker_process_free(h->worker);
        if (h->again)
                look(h);
}

static void look(Hotplug *h) {
        static const WorkerHandlers handlers = { .ended = on_ended };
        Container *c = h->container;
        g_auto(Error) error = ERROR_INIT;

        h->again = h->worker;
        if (h->worker || !container_is_up(c) || c->init_fd < 0 ||
            container_run_is_ending(h->manager, c))
                return;
        if (worker_process_start(h->manager->event, h->manager->libexec_dir, OPERATION_FOLLOW,
                                 device_plan_follow_args(c, h->devices), &c->init_fd, 1, &handlers,
                                 h, &h->worker, &error) < 0)
                on_ended(NULL, NULL, 0, &error, h);
}

static void on_path(void *hotplug) {
        look(hotplug);
}

/* --- what there is to follow --- */

static GVariant *list_followed(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        GVariantBuilder builder;
        GVariantIter iter;
        const char *name;
        GVariant *options;

        container_expand(m, c, &config, &devices);
        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_follows_host(owned))
                        g_variant_builder_add(&builder, "{s@a{ss}}", name, owned);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

static void path_watch_free_in_array(void *p) {
        path_watch_free(p);
}

static void watch_path(Hotplug *h, const char *name, GVariant *options) {
        const char *path = config_get(options, "source") ?: config_get(options, "path");
        PathWatch *watch;
        int r;

        r = path_watch_new(h->manager->event, path, on_path, h, &watch);
        if (r < 0)
                log_warning("Device \"%s\" of container \"%s\" does not follow the host: %s cannot "
                            "be watched (%s)", name, h->container->object.name, path,
                            g_strerror(-r));
        else
                g_ptr_array_add(h->paths, watch);
}

static void watch_paths(Hotplug *h) {
        GVariantIter iter;
        const char *name;
        GVariant *options;

        g_ptr_array_set_size(h->paths, 0);
        g_variant_iter_init(&iter, h->devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_is_unix(owned))
                        watch_path(h, name, owned);
        }
}

void container_hotplug_watch(Manager *m, Container *c) {
        g_autoptr(GVariant) devices = list_followed(m, c);
        Hotplug *h = g_hash_table_lookup(m->hotplugs, c);

        if (!container_is_up(c) || g_variant_n_children(devices) == 0) {
                container_hotplug_forget(m, c);
                return;
        }
        if (!h) {
                h = g_new0(Hotplug, 1);
                h->manager = m;
                h->container = c;
                h->paths = g_ptr_array_new_with_free_func(path_watch_free_in_array);
                g_hash_table_replace(m->hotplugs, c, h);
        }
        g_clear_pointer(&h->devices, g_variant_unref);
        h->devices = TAKE_PTR(devices);
        watch_paths(h);
        /* What happened before it was watched. */
        look(h);
}

/* --- what is heard --- */

static bool concerns(GVariant *options, const char *subsystem) {
        const char *type = device_get_type(options);

        if (g_str_equal(type, "usb"))
                return g_str_equal(subsystem, "usb");
        if (g_str_equal(type, "gpu"))
                return g_str_equal(subsystem, "drm");
        return g_str_equal(type, "unix-hotplug") && !g_str_equal(subsystem, "usb");
}

static bool any_concerns(const Hotplug *h, const char *subsystem) {
        GVariant *options;
        GVariantIter iter;
        bool any = false;

        g_variant_iter_init(&iter, h->devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", NULL, &options)) {
                any |= concerns(options, subsystem);
                g_variant_unref(options);
        }
        return any;
}

void container_hotplug_heard(const char *subsystem, void *manager) {
        Manager *m = manager;
        GHashTableIter iter;
        Hotplug *h;

        g_hash_table_iter_init(&iter, m->hotplugs);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &h))
                if (!subsystem || any_concerns(h, subsystem))
                        look(h);
}
