/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bus/world.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

void world_make_pool(Harness *h) {
        g_autoptr(Call) pool = client_run_job(
                h->root, PATH_ROOT, "Manager.CreateStoragePool",
                g_variant_new("(ss@a{ss}@a{sv})", "default", "dir",
                              g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0), no_options()));
        g_autoptr(Call) profile = NULL;

        call_assert_ok(pool);
        profile = client_call(
                h->root, PATH_PROFILE, "Profile.Update",
                g_variant_new("(@a{ss}@as@a{sv})",
                              g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0),
                              g_variant_new_strv(NULL, 0),
                              options("{'devices': <{'root': {'type': 'disk', 'path': '/', "
                                      "'pool': 'default'}}>}")));
        call_assert_ok(profile);
}

int world_new_archive(const char *content) {
        g_autoptr(GBytes) bytes = g_bytes_new(content, strlen(content));
        int fd = fd_new_memfd("archive", bytes);

        g_assert_cmpint(fd, >=, 0);
        return fd;
}

char *world_import_image(Client *client, const char *content, const char *alias) {
        g_autofree char *text = alias ? g_strdup_printf("{'aliases': <['%s']>}", alias)
                                      : g_strdup("{}");
        g_autofree char *fingerprint = g_compute_checksum_for_string(G_CHECKSUM_SHA256, content,
                                                                     -1);
        _cleanup_close_ int fd = world_new_archive(content);
        g_autoptr(Call) call = NULL, end = NULL;

        call = call_wait(client, client_begin_fds(client, PATH_ROOT, "Manager.ImportImage",
                                                  g_variant_new("(h@a{sv})", 0, options(text)),
                                                  &fd));
        end = client_wait_job(client, call_get_path(call));
        call_assert_ok(end);
        return g_strconcat("/org/berth1/image/", g_ascii_isdigit(fingerprint[0]) ? "_3" : "",
                           fingerprint, NULL);
}

void world_make_volume(Client *client, const char *name) {
        g_autoptr(Call) call = client_run_job(
                client, PATH_POOL, "StoragePool.CreateVolume",
                g_variant_new("(s@a{ss}@a{sv})", name,
                              g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0), no_options()));

        call_assert_ok(call);
}

void world_make_image(Harness *h) {
        g_autofree char *image = NULL;

        world_make_pool(h);
        image = world_import_image(h->root, "fake image", "fake");
}

GVariant *world_create_args(const char *name, const char *options_text) {
        return g_variant_new("(ss@a{sv})", name, "fake", options(options_text));
}

char *world_make_container(Client *client, const char *name) {
        g_autoptr(Call) call = client_run_job(client, PATH_ROOT, "Manager.CreateContainer",
                                              world_create_args(name, "{}"));

        call_assert_ok(call);
        return g_strconcat("/org/berth1/container/", name, NULL);
}

char *world_start_container(Client *client, const char *name) {
        g_autoptr(Call) call = client_run_job(client, PATH_ROOT, "Manager.CreateContainer",
                                              world_create_args(name, "{'start': <true>}"));

        call_assert_ok(call);
        return g_strconcat("/org/berth1/container/", name, NULL);
}

pid_t world_get_init(Client *client, const char *container) {
        g_autoptr(GVariant) value = client_get(client, container, "InitPid");

        g_assert_nonnull(value);
        return (pid_t) g_variant_get_uint32(value);
}

void world_wait_for(Harness *h, guint from, const char *path, const char *property,
                    const char *value) {
        HARNESS_WAIT(h, client_heard_value(h->root, from, path, property, value));
}

void world_wait_at_gate(Harness *h, const char *job) {
        world_wait_for(h, 0, job, "Stage", "At the gate");
}

bool world_has_object(Harness *h, const char *path) {
        g_autoptr(Call) call = client_call(h->root, "/org/berth1",
                                           "org.freedesktop.DBus.ObjectManager.GetManagedObjects",
                                           NULL);
        g_autoptr(GVariant) objects = NULL, found = NULL;

        call_assert_ok(call);
        objects = g_variant_get_child_value(call->body, 0);
        found = g_variant_lookup_value(objects, path, NULL);
        return found;
}
