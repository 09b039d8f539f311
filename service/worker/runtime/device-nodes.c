/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/device-nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/runtime/device-inside.h"
#include "service/worker/runtime/device-rules.h"
#include "service/worker/runtime/device-stage.h"

#define NODES_DIR "nodes"
#define RECORD_MAX (1U << 20)

/* --- what it has --- */

/* Lines "c MAJOR MINOR PATH"; in capitals, those that are just being put in: whether they are there
 * is not known when that was cut short. */
static void format(GString *text, const GPtrArray *nodes, const char *kinds) {
        for (guint i = 0; i < nodes->len; i++) {
                const DeviceNode *node = nodes->pdata[i];

                /* A path has no line's end in it: it was checked, or is the kernel's. */
                g_string_append_printf(text, "%c %u %u %s\n", kinds[node->type == S_IFBLK],
                                       major(node->number), minor(node->number), node->target);
        }
}

static int write_record(int path_fd, const char *device, const GPtrArray *have,
                        const GPtrArray *coming) {
        _cleanup_close_ int dir_fd = path_make_dir(path_fd, NODES_DIR, 0700);
        g_autoptr(GString) text = g_string_new(NULL);

        if (dir_fd < 0)
                return dir_fd;
        if (have)
                format(text, have, "cb");
        if (coming)
                format(text, coming, "CB");
        return path_replace_file(dir_fd, device, text->str, text->len, 0600);
}

int device_nodes_record(int path_fd, const char *device, const GPtrArray *nodes) {
        return write_record(path_fd, device, nodes, NULL);
}

static void parse_line(const char *line, GPtrArray *have, GPtrArray *coming) {
        g_auto(GStrv) words = g_strsplit(line, " ", 4);
        guint64 major_number, minor_number;

        if (g_strv_length(words) == 4 &&
            g_ascii_string_to_unsigned(words[1], 10, 0, G_MAXUINT32, &major_number, NULL) &&
            g_ascii_string_to_unsigned(words[2], 10, 0, G_MAXUINT32, &minor_number, NULL))
                device_node_list_add(g_ascii_isupper(*words[0]) ? coming : have,
                                     g_ascii_tolower(*words[0]) == 'c' ? S_IFCHR : S_IFBLK,
                                     makedev((unsigned) major_number, (unsigned) minor_number),
                                     words[3]);
}

/* -ENOENT: the container has no such device. */
static int read_record(int path_fd, const char *device, GPtrArray **ret_have,
                       GPtrArray **ret_coming) {
        g_autofree char *name = g_strconcat(NODES_DIR "/", device, NULL), *text = NULL;
        _cleanup_close_ int fd = path_open_beneath(path_fd, name, O_RDONLY, 0);
        g_autoptr(GPtrArray) have = device_node_list_new(), coming = device_node_list_new();
        g_auto(GStrv) lines = NULL;
        int r;

        if (fd < 0)
                return fd;
        r = fd_read_text(fd, RECORD_MAX, &text);
        if (r < 0)
                return r;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; *line; line++)
                parse_line(*line, have, coming);
        *ret_have = TAKE_PTR(have);
        *ret_coming = TAKE_PTR(coming);
        return 0;
}

static int remove_record(int path_fd, const char *device) {
        g_autofree char *name = g_strconcat(NODES_DIR "/", device, NULL);
        g_autofree char *temporary = path_temporary_name(device);
        g_autofree char *left = g_strconcat(NODES_DIR "/", temporary, NULL);

        /* Of a writer that was killed. */
        (void) unlinkat(path_fd, left, 0);
        return unlinkat(path_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Whoever changes nodes of a run holds this: hardware comes and goes while somebody changes the
 * configuration. Released when it is closed. */
static int lock(int path_fd) {
        _cleanup_close_ int fd = path_make_dir(path_fd, NODES_DIR, 0700);

        if (fd < 0)
                return fd;
        return flock(fd, LOCK_EX) < 0 ? -errno : TAKE_FD(fd);
}

/* --- one node --- */

/* Where no user namespace keeps the container from devices, a rule does. */
static int change_rule(const DeviceContext *context, const char *device, const DeviceNode *node,
                       bool allow, Error *ret_error) {
        int r = idmap_is_host(context->idmap)
                        ? device_rules_change(context->host, context->container, node, allow) : 0;

        if (r == -EOPNOTSUPP)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Device \"%s\" of container \"%s\": on this host a privileged "
                                 "container gets devices only when it is started; stop it first",
                                 device, context->container);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Device \"%s\" of container \"%s\": cannot change what it "
                                       "may use", device, context->container);
        return 0;
}

static int put(const DeviceContext *context, const Process *init, const char *device,
               GVariant *options, const DeviceNode *node, Error *ret_error) {
        _cleanup_close_ int fd = device_mount_new_node(context, device, options, node, ret_error);
        int r;

        if (fd < 0)
                return fd;
        r = change_rule(context, device, node, true, ret_error);
        if (r < 0)
                return r;
        r = device_inside_place(init, fd, node->target, false);
        if (r >= 0)
                return 0;
        (void) change_rule(context, device, node, false, NULL);
        return device_inside_error(context->container, device, node->target, r, ret_error);
}

static int take(const DeviceContext *context, const Process *init, int path_fd, const char *device,
                const DeviceNode *node, Error *ret_error) {
        g_autofree char *name = device_node_stage_name(node, device);
        int r = device_inside_remove(init, node->target);

        if (r >= 0)
                r = device_unstage_one(path_fd, name);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Device \"%s\" of container \"%s\" cannot be taken away",
                                       device, context->container);
        /* Where rules cannot be changed, it may still make a node for itself. */
        r = change_rule(context, device, node, false, NULL);
        return r == -EOPNOTSUPP ? 0 : r;
}

static int record_error(const DeviceContext *context, const char *device, int r,
                        Error *ret_error) {
        return error_set_errno(ret_error, -r,
                               "What device \"%s\" of container \"%s\" consists of cannot be "
                               "recorded or read", device, context->container);
}

/* --- all of a device --- */

int device_nodes_put(const DeviceContext *context, const Process *init, int path_fd,
                     const char *device, GVariant *options, Error *ret_error) {
        _cleanup_close_ int lock_fd = lock(path_fd);
        g_autoptr(GPtrArray) nodes = NULL;
        guint done = 0;
        int r;

        r = device_mount_find_nodes(context, device, options, &nodes, ret_error);
        if (r < 0)
                return r;
        r = lock_fd < 0 ? lock_fd : write_record(path_fd, device, NULL, nodes);
        if (r < 0)
                return record_error(context, device, r, ret_error);
        for (; r >= 0 && done < nodes->len; done++)
                r = put(context, init, device, options, nodes->pdata[done], ret_error);
        if (r >= 0) {
                r = write_record(path_fd, device, nodes, NULL);
                if (r >= 0)
                        return 0;
                (void) record_error(context, device, r, ret_error);
        }
        for (guint i = 0; i < done; i++)
                (void) take(context, init, path_fd, device, nodes->pdata[i], NULL);
        (void) remove_record(path_fd, device);
        return r;
}

int device_nodes_take(const DeviceContext *context, const Process *init, int path_fd,
                      const char *device, Error *ret_error) {
        g_autoptr(GPtrArray) have = NULL, coming = NULL;
        _cleanup_close_ int lock_fd = lock(path_fd);
        int r;

        r = lock_fd < 0 ? lock_fd : read_record(path_fd, device, &have, &coming);
        if (r == -ENOENT)
                return remove_record(path_fd, device);
        if (r < 0)
                return record_error(context, device, r, ret_error);
        for (guint i = 0; r >= 0 && i < have->len; i++)
                r = take(context, init, path_fd, device, have->pdata[i], ret_error);
        for (guint i = 0; r >= 0 && i < coming->len; i++)
                r = take(context, init, path_fd, device, coming->pdata[i], ret_error);
        if (r < 0)
                return r;
        r = remove_record(path_fd, device);
        return r < 0 ? record_error(context, device, r, ret_error) : 0;
}

/* Those of `from` that are not in `other`. */
static GPtrArray *without(const GPtrArray *from, const GPtrArray *other) {
        GPtrArray *list = device_node_list_new();

        for (guint i = 0; i < from->len; i++) {
                const DeviceNode *node = from->pdata[i];

                if (!device_node_list_find(other, node))
                        device_node_list_add(list, node->type, node->number, node->target);
        }
        return list;
}

static void move(GPtrArray *from, guint i, GPtrArray *to) {
        g_ptr_array_add(to, g_ptr_array_steal_index(from, i));
}

/* What cannot be taken away stays in `have`. */
static void take_all(const DeviceContext *context, const Process *init, int path_fd,
                     const char *device, GPtrArray *nodes, GPtrArray *have) {
        for (guint i = nodes->len; i > 0; i--) {
                g_auto(Error) error = ERROR_INIT;

                if (take(context, init, path_fd, device, nodes->pdata[i - 1], &error) >= 0)
                        continue;
                log_warning("%s.", error.message);
                move(nodes, i - 1, have);
        }
}

static void put_all(const DeviceContext *context, const Process *init, const char *device,
                    GVariant *options, GPtrArray *nodes, GPtrArray *have) {
        for (guint i = nodes->len; i > 0; i--) {
                g_auto(Error) error = ERROR_INIT;

                if (put(context, init, device, options, nodes->pdata[i - 1], &error) >= 0)
                        move(nodes, i - 1, have);
                else
                        log_warning("%s.", error.message);
        }
}

int device_nodes_follow(const DeviceContext *context, const Process *init, int path_fd,
                        const char *device, GVariant *options, Error *ret_error) {
        g_autoptr(GPtrArray) had = NULL, unsure = NULL, want = NULL;
        g_autoptr(GPtrArray) gone = NULL, have = NULL, come = NULL;
        _cleanup_close_ int lock_fd = lock(path_fd);
        int r;

        r = lock_fd < 0 ? lock_fd : read_record(path_fd, device, &had, &unsure);
        if (r == -ENOENT)
                return 0; /* it has just been taken away */
        if (r >= 0)
                r = device_find(options, &want);
        if (r < 0)
                return record_error(context, device, r, ret_error);
        gone = without(had, want);
        have = without(had, gone);
        take_all(context, init, path_fd, device, unsure, have);
        take_all(context, init, path_fd, device, gone, have);
        come = without(want, have);
        r = write_record(path_fd, device, have, come);
        if (r < 0)
                return record_error(context, device, r, ret_error);
        put_all(context, init, device, options, come, have);
        r = write_record(path_fd, device, have, NULL);
        return r < 0 ? record_error(context, device, r, ret_error) : 0;
}
