/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-change.h"

#include <errno.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/runtime/cgroup.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/device-forward.h"
#include "service/worker/runtime/device-inside.h"
#include "service/worker/runtime/device-mount.h"
#include "service/worker/runtime/device-nic.h"
#include "service/worker/runtime/device-nodes.h"
#include "service/worker/runtime/device-stage.h"
#include "service/worker/runtime/disk-limits.h"
#include "service/worker/runtime/nic-limits.h"
#include "service/worker/runtime/nic-parent.h"
#include "service/worker/runtime/nic-port.h"
#include "service/worker/runtime/nic-routed.h"
#include "service/worker/runtime/wait.h"

#define CHANGE_TYPE "(ssiua(suuu)a{sa{ss}}a{sa{ss}})"

/* What happens to one container. */
typedef struct Change {
        const char *name, *lxc_path;
        DeviceContext context;
        IdMap *idmap;
        Process init;
        const CgroupHost *host;
        GVariant *remove, *add; /* a{sa{ss}} */
        bool again;             /* neither may be as it was left */
} Change;

/* One device taken away or put in, in the order in which it was done. */
typedef struct Deed {
        const Change *change;
        const char *device;
        GVariant *options;
        GVariant *before;       /* of one that stayed and is adjusted; else NULL */
        bool added;
} Deed;

static void change_clear(void *p) {
        Change *change = p;

        process_close(&change->init);
        idmap_free(change->idmap);
        g_clear_pointer(&change->remove, g_variant_unref);
        g_clear_pointer(&change->add, g_variant_unref);
}

static void deed_clear(void *p) {
        g_clear_pointer(&((Deed *) p)->options, g_variant_unref);
        g_clear_pointer(&((Deed *) p)->before, g_variant_unref);
}

/* --- one device --- */

static int add_file(const Change *change, const char *device, GVariant *options,
                    Error *ret_error) {
        const char *target = device_get_target(options);
        _cleanup_close_ int fd = -EBADF;
        bool directory = false;
        int r;

        r = device_mount_new(&change->context, device, options, &fd, &directory, ret_error);
        if (r < 0 || fd < 0)
                return r;
        r = device_inside_place(&change->init, fd, target, directory);
        return r < 0 ? device_inside_error(change->name, device, target, r, ret_error) : 0;
}

static int remove_file(const Change *change, const char *device, GVariant *options,
                       Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);
        int r = device_inside_remove(&change->init, device_get_target(options));

        if (r >= 0 && path_fd >= 0)
                r = device_unstage_one(path_fd, device);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Device \"%s\" of container \"%s\" cannot be taken away",
                                       device, change->name);
        return 0;
}

static int add_nodes(const Change *change, const char *device, GVariant *options,
                     Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);

        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd, "Cannot open %s", change->lxc_path);
        return device_nodes_put(&change->context, &change->init, path_fd, device, options,
                                ret_error);
}

static int remove_nodes(const Change *change, const char *device, Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);

        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd, "Cannot open %s", change->lxc_path);
        return device_nodes_take(&change->context, &change->init, path_fd, device, ret_error);
}

static int add_forward(const Change *change, const char *device, GVariant *options,
                       Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);

        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd, "Cannot open %s", change->lxc_path);
        return device_forward_add(&change->context, change->host, &change->init, path_fd, device,
                                  options, ret_error);
}

static int remove_forward(const Change *change, const char *device, GVariant *options,
                          Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);

        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd, "Cannot open %s", change->lxc_path);
        return device_forward_remove(&change->init, path_fd, device, options, ret_error);
}

/* `options` NULL: of a disk that goes. */
static int change_limits(const Change *change, const char *device, GVariant *options,
                         Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);

        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd, "Cannot open %s", change->lxc_path);
        if (options && device_get_nictype(options))
                return device_nic_has_host_end(options)
                               ? nic_limits_apply(path_fd, options, ret_error) : 0;
        return disk_limits_set(change->host, change->name, &change->init, path_fd, device, options,
                               ret_error);
}

/* One that stays: what is other than it was. */
static int adjust(const Change *change, const char *device, GVariant *from, GVariant *to,
                  Error *ret_error) {
        int r = change_limits(change, device, to, ret_error);

        if (r < 0 || g_strcmp0(config_get(from, "mtu"), config_get(to, "mtu")) == 0)
                return r;
        _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);
        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd, "Cannot open %s", change->lxc_path);
        return device_nic_set_mtu(&change->init, path_fd, to, ret_error);
}

static int remove_nic(const Change *change, GVariant *options, Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);
        int r;

        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd, "Cannot open %s", change->lxc_path);
        nic_limits_remove(path_fd, options);
        nic_routed_remove(path_fd, options);
        r = device_nic_remove(&change->init, path_fd, options, ret_error);
        if (r >= 0)
                nic_parent_release(path_fd, options);
        return r;
}

static int add_nic(const Change *change, const char *device, GVariant *options,
                   Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);
        int r;

        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd, "Cannot open %s", change->lxc_path);
        r = nic_parent_make(path_fd, options, ret_error);
        if (r >= 0)
                r = nic_port_check(options, ret_error);
        if (r >= 0)
                r = nic_routed_check(options, ret_error);
        if (r >= 0)
                r = device_nic_add(&change->init, path_fd, options, ret_error);
        if (r < 0) {
                nic_parent_release(path_fd, options);
                return r;
        }
        r = nic_routed_apply(path_fd, options, ret_error);
        if (r >= 0)
                r = nic_routed_apply_inside(&change->init, options, ret_error);
        if (r >= 0 && device_has_limits(options))
                r = change_limits(change, device, options, ret_error);
        if (r < 0)
                (void) remove_nic(change, options, NULL);
        return r;
}

/* Of the root disk there is nothing to add but its limits. */
static int add_disk(const Change *change, const char *device, GVariant *options,
                    Error *ret_error) {
        int r = device_get_target(options) ? add_file(change, device, options, ret_error) : 0;

        if (r < 0 || !device_has_limits(options))
                return r;
        r = change_limits(change, device, options, ret_error);
        if (r < 0 && device_get_target(options))
                (void) remove_file(change, device, options, NULL);
        return r;
}

static int remove_disk(const Change *change, const char *device, GVariant *options,
                       Error *ret_error) {
        int r = device_has_limits(options) ? change_limits(change, device, NULL, ret_error) : 0;

        if (r < 0 || !device_get_target(options))
                return r;
        return remove_file(change, device, options, ret_error);
}

static int add_device(const Change *change, const char *device, GVariant *options,
                      Error *ret_error) {
        if (device_is_disk(options))
                return add_disk(change, device, options, ret_error);
        if (device_has_nodes(options))
                return add_nodes(change, device, options, ret_error);
        if (device_get_nictype(options))
                return add_nic(change, device, options, ret_error);
        if (device_is_proxy(options))
                return add_forward(change, device, options, ret_error);
        return 0;
}

static int remove_device(const Change *change, const char *device, GVariant *options,
                         Error *ret_error) {
        if (device_is_disk(options))
                return remove_disk(change, device, options, ret_error);
        if (device_has_nodes(options))
                return remove_nodes(change, device, ret_error);
        if (device_get_nictype(options))
                return remove_nic(change, options, ret_error);
        if (device_is_proxy(options))
                return remove_forward(change, device, options, ret_error);
        return 0;
}

/* --- all of them --- */

static int compare_devices(gconstpointer a, gconstpointer b, gpointer devices) {
        g_autoptr(GVariant) x = devices_get(devices, *(const char *const *) a);
        g_autoptr(GVariant) y = devices_get(devices, *(const char *const *) b);

        return g_strcmp0(device_get_target(x), device_get_target(y));
}

/* Names, with a mount before those below it. */
static GPtrArray *names_in_order(GVariant *devices) {
        GPtrArray *names = g_ptr_array_new();
        GVariantIter iter;
        const char *name;

        g_variant_iter_init(&iter, devices);
        while (g_variant_iter_next(&iter, "{&s@a{ss}}", &name, NULL))
                g_ptr_array_add(names, (char *) name);
        g_ptr_array_sort_with_data(names, compare_devices, devices);
        return names;
}

/* It stays, and what is other can be changed of one that is used. */
static bool is_adjusted(const Change *change, const char *name) {
        g_autoptr(GVariant) old = devices_get(change->remove, name);
        g_autoptr(GVariant) new = devices_get(change->add, name);

        return old && new && (device_get_nictype(new) || device_is_disk(new)) &&
               device_is_adjustable(old, new);
}

static int do_one(const Change *change, GVariant *devices, const char *name, bool add,
                  GArray *deeds, Error *ret_error) {
        Deed deed = { change, name, devices_get(devices, name), NULL, add };
        int r;

        if (is_adjusted(change, name)) {
                deed.before = devices_get(change->remove, name);
                r = add ? adjust(change, name, deed.before, deed.options, ret_error) : 0;
                if (r < 0)
                        (void) adjust(change, name, deed.options, deed.before, NULL);
        } else
                r = (add ? add_device : remove_device)(change, name, deed.options, ret_error);
        if (r >= 0)
                g_array_append_val(deeds, deed);
        else
                deed_clear(&deed);
        return r;
}

/* Whatever there may be of it. */
static void clear(const Change *change, GVariant *devices) {
        g_autoptr(GPtrArray) names = names_in_order(devices);

        for (guint i = names->len; i > 0; i--) {
                const char *name = names->pdata[i - 1];
                g_autoptr(GVariant) options = devices_get(devices, name);
                g_auto(Error) error = ERROR_INIT;

                if (!is_adjusted(change, name) &&
                    remove_device(change, name, options, &error) < 0)
                        log_warning("%s", error.message);
        }
}

static int change_container(const Change *change, GArray *deeds, Error *ret_error) {
        g_autoptr(GPtrArray) old = names_in_order(change->remove);
        g_autoptr(GPtrArray) new = names_in_order(change->add);
        int r = 0;

        if (change->again) {
                clear(change, change->remove);
                clear(change, change->add);
                g_ptr_array_set_size(old, 0);
        }
        for (guint i = old->len; r >= 0 && i > 0; i--)
                r = do_one(change, change->remove, old->pdata[i - 1], false, deeds, ret_error);
        for (guint i = 0; r >= 0 && i < new->len; i++)
                r = do_one(change, change->add, new->pdata[i], true, deeds, ret_error);
        return r;
}

static void undo(GArray *deeds) {
        for (guint i = deeds->len; i > 0; i--) {
                const Deed *deed = &g_array_index(deeds, Deed, i - 1);
                g_auto(Error) error = ERROR_INIT;

                int r;

                if (deed->before)
                        r = adjust(deed->change, deed->device, deed->options, deed->before,
                                   &error);
                else
                        r = (deed->added ? remove_device : add_device)(
                                deed->change, deed->device, deed->options, &error);
                if (r < 0)
                        log_warning("%s", error.message);
        }
}

static int read_changes(Worker *worker, const CgroupHost *host, GArray *changes, Error *ret_error) {
        g_autoptr(GVariant) containers = NULL; /* what is in it is the worker's */
        GVariantIter iter;
        Change change = { .init = PROCESS_INIT, .host = host };
        gboolean again = false;
        GVariant *idmap;
        gint32 pid;
        int r;

        (void) g_variant_lookup(worker->args, "again", "b", &again);
        change.again = again;
        r = worker_get_variant(worker, "containers", "a" CHANGE_TYPE, &containers, ret_error);
        if (r < 0)
                return r;
        g_variant_iter_init(&iter, containers);
        while (g_variant_iter_next(&iter, "(&s&siu@a(suuu)@a{sa{ss}}@a{sa{ss}})",
                                   &change.name, &change.lxc_path, &pid, &change.context.owner,
                                   &idmap, &change.remove, &change.add)) {
                g_autoptr(GVariant) owned = idmap;

                change.context.container = change.name;
                change.idmap = NULL;
                r = idmap_from_variant(owned, &change.idmap, ret_error);
                if (r < 0) {
                        change_clear(&change);
                        return r;
                }
                change.context.idmap = change.idmap;
                change.context.host = host;
                r = process_open(worker_take_fd(worker, changes->len), pid, &change.init);
                g_array_append_val(changes, change);
                if (r < 0)
                        return error_set(ret_error, ERROR_NOT_RUNNING,
                                         "Container \"%s\" does not run any more", change.name);
                if (!container_name_is_valid(change.name) ||
                    !container_path_is_plain(change.lxc_path))
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "\"%s\" is not a container of ours", change.name);
                r = process_check_init(&change.init, change.idmap, ret_error);
                if (r < 0)
                        return r;
                change.init = PROCESS_INIT;
        }
        return 0;
}

int device_change_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(Change));
        g_autoptr(GArray) deeds = g_array_new(FALSE, FALSE, sizeof(Deed));
        g_autoptr(CgroupHost) host = NULL;
        int r;

        g_array_set_clear_func(changes, change_clear);
        g_array_set_clear_func(deeds, deed_clear);
        r = cgroup_host_new(&host, ret_error);
        if (r >= 0)
                r = read_changes(worker, host, changes, ret_error);
        if (r < 0)
                return r;
        wait_block_term();
        for (guint i = 0; r >= 0 && i < changes->len; i++)
                r = change_container(&g_array_index(changes, Change, i), deeds, ret_error);
        if (r < 0)
                undo(deeds);
        return r;
}

int device_follow_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(Change));
        const char *name;
        GVariantIter iter;
        GVariant *options;
        int r;

        g_array_set_clear_func(changes, change_clear);
        r = read_changes(worker, NULL, changes, ret_error);
        if (r < 0)
                return r;
        wait_block_term();
        for (guint i = 0; r >= 0 && i < changes->len; i++) {
                const Change *change = &g_array_index(changes, Change, i);
                _cleanup_close_ int path_fd = path_open_dir(change->lxc_path);

                if (path_fd < 0) /* it has ended */
                        continue;
                g_variant_iter_init(&iter, change->add);
                while (r >= 0 && g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                        g_autoptr(GVariant) owned = options;

                        if (device_follows_host(owned))
                                r = device_nodes_follow(&change->context, &change->init, path_fd,
                                                        name, owned, ret_error);
                }
                if (r < 0 && !process_is_alive(&change->init))
                        r = 0;
        }
        return r;
}
