/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/operation/container-nic.h"
#include "service/operation/network-job.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"

/*
 * What dnsmasq is told of containers: a file CONTAINER.DEVICE in RUN-DIR/hosts for each nic on its
 * network, see service/worker/network/dnsmasq.h. It sees by itself what comes, but what goes, or
 * was something else before, only when told by SIGHUP.
 */

#define LINE_MAX_BYTES 512

static int open_hosts_dir(Manager *m, const char *network) {
        g_autofree char *run_dir = network_run_dir(m, network);
        g_autofree char *hosts = g_build_filename(run_dir, "hosts", NULL);

        return path_open_dir(hosts);
}

static void tell_to_read(Manager *m, const char *network) {
        const Resolver *resolver = g_hash_table_lookup(m->resolvers, network);

        if (resolver)
                (void) fd_pidfd_send_signal(resolver->pidfd, SIGHUP);
}

static char *line_of(const NetworkHost *host) {
        g_autoptr(GString) line = g_string_new(host->hwaddr);

        if (host->ipv4)
                g_string_append_printf(line, ",%s", host->ipv4);
        if (host->ipv6)
                g_string_append_printf(line, ",[%s]", host->ipv6);
        g_string_append_printf(line, ",%s\n", host->container);
        return g_string_free(g_steal_pointer(&line), FALSE);
}

int network_add_host(Manager *m, const char *network, const NetworkHost *host, Error *ret_error) {
        _cleanup_close_ int dir_fd = open_hosts_dir(m, network), fd = -EBADF;
        g_autofree char *file = g_strdup_printf("%s.%s", host->container, host->device);
        g_autofree char *line = line_of(host), *old = NULL;
        int r = dir_fd;

        if (dir_fd == -ENOENT) /* a network without addresses has no dnsmasq */
                return 0;
        if (dir_fd >= 0) {
                fd = path_open_beneath(dir_fd, file, O_RDONLY, 0);
                if (fd >= 0 && fd_read_text(fd, LINE_MAX_BYTES, &old) >= 0 &&
                    g_str_equal(old, line))
                        return 0;
                /* Read by dnsmasq, which is not root. */
                r = path_replace_file(dir_fd, file, line, strlen(line), 0644);
        }
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot tell network \"%s\" the name of container \"%s\"",
                                       network, host->container);
        if (fd >= 0)
                tell_to_read(m, network);
        return 0;
}

/* The nic that a file in the hosts directory of a network is about, if it is there still. */
static Container *find_nic(Manager *m, const char *network, const char *file,
                           const char **ret_device, GVariant **ret_options) {
        const char *dot = strchr(file, '.');
        g_autofree char *name = dot ? g_strndup(file, (size_t) (dot - file)) : NULL;
        Container *c = name ? manager_find_container(m, name) : NULL;
        g_autoptr(GVariant) config = NULL, devices = NULL, options = NULL;

        if (!c || c->state == CONTAINER_DELETING)
                return NULL;
        container_expand(m, c, &config, &devices);
        options = devices_get(devices, dot + 1);
        if (!options || g_strcmp0(device_get_network(options), network) != 0)
                return NULL;
        *ret_device = dot + 1;
        *ret_options = TAKE_PTR(options);
        return c;
}

/* Forgets what is said of one container; of all (NULL) what is not true any more. */
static void sweep(Manager *m, const char *network, const char *container) {
        _cleanup_close_ int fd = open_hosts_dir(m, network);
        g_autofree char *prefix = container ? g_strconcat(container, ".", NULL) : NULL;
        bool removed = false;
        struct dirent *entry;
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                return;
        (void) TAKE_FD(fd);
        while ((entry = readdir(d))) {
                g_autoptr(GVariant) options = NULL;
                const char *device = NULL;
                Container *c = NULL;

                if (!path_is_component(entry->d_name) ||
                    (prefix && !g_str_has_prefix(entry->d_name, prefix)))
                        continue;
                if (!prefix)
                        c = find_nic(m, network, entry->d_name, &device, &options);
                if (!c)
                        removed |= path_remove_file(dirfd(d), entry->d_name) >= 0;
                else if (container_nic_tell(m, c, device, options, NULL) < 0)
                        log_warning("Network \"%s\" cannot be told what container \"%s\" has now.",
                                    network, c->object.name);
        }
        (void) closedir(d);
        if (removed)
                tell_to_read(m, network);
}

static void sweep_all(Manager *m, const char *container) {
        GHashTableIter iter;
        const char *network;

        g_hash_table_iter_init(&iter, m->resolvers);
        while (g_hash_table_iter_next(&iter, (void **) &network, NULL))
                sweep(m, network, container);
}

void network_remove_hosts(Manager *m, const char *container) {
        sweep_all(m, container);
}

void network_settle_hosts(Manager *m) {
        sweep_all(m, NULL);
}

void network_settle_hosts_of(Manager *m, const char *network) {
        sweep(m, network, NULL);
}
