/* SPDX-License-Identifier: Apache-2.0 */

/* The part of the fake service that image servers and the service's own settings are: one server,
 * "images", which has two images, and a settings dictionary without rules. */

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/client/fake-service.h"

#define SERVER_IMAGES \
        "([('%s', {'aliases': <['debian/12', 'debian/bookworm']>, 'architecture': <'%s'>, " \
        "'size': <uint64 1048576>, 'created': <uint64 1700000000000000>, " \
        "'properties': <{'os': 'Debian', 'description': 'Debian bookworm'}>}), " \
        "('%s', {'aliases': <['alpine/3.19']>, 'architecture': <'riscv64'>})],)"

static const char first[] = "aaaaaaaaaaaa0000000000000000000000000000000000000000000000000000";
static const char second[] = "bbbbbbbbbbbb0000000000000000000000000000000000000000000000000000";

static void get_servers(FakeCall *call) {
        call->reply->body = g_variant_new_parsed(
                "([('images', {'url': <'https://images.example.org'>, "
                "'protocol': <'simplestreams'>})],)");
}

static void get_server_images(FakeCall *call, const char *server) {
        g_autofree char *text = g_strdup_printf(SERVER_IMAGES, first, "x86_64", second);

        if (!g_str_equal(server, "images"))
                fake_fail(call, "org.berth1.Error.NoSuchImageServer",
                          "There is no image server \"%s\"", server);
        else
                call->reply->body = g_variant_new_parsed(text);
}

/* What is downloaded is what was there before. */
static void download(FakeCall *call, const char *server, const char *image) {
        g_autofree char *path = object_make_path(OBJECT_IMAGE, first);
        FakeJob *job;

        if (!g_hash_table_contains(call->fake->objects, path)) {
                FakeObject *o = fake_object_add(call->fake, OBJECT_IMAGE, first);

                fake_object_set(o, "Fingerprint", g_variant_new_string(first));
                fake_object_set(o, "Aliases", g_variant_new_strv(NULL, 0));
                fake_object_set(o, "Server", g_variant_new_string(server));
                fake_object_set(o, "ServerAlias", g_variant_new_string(image));
                fake_object_set(o, "Cached", g_variant_new_boolean(TRUE));
        }
        job = fake_job_new(call->fake, "image-copy", path);
        if (g_str_equal(image, "debian/12"))
                fake_job_finish(job, NULL, NULL);
        else
                fake_job_finish(job, "org.berth1.Error.NoSuchImage", "The server has none");
        call->reply->body = g_variant_new("(o)", fake_job_path(job));
}

bool fake_images_call(FakeCall *call) {
        g_autoptr(GVariant) second_argument = NULL;
        const char *name = "";

        if (call->object->kind != OBJECT_MANAGER)
                return false;
        if (g_variant_n_children(call->body) > 0 &&
            g_str_has_prefix(g_variant_get_type_string(call->body), "(s"))
                g_variant_get_child(call->body, 0, "&s", &name);
        if (g_variant_n_children(call->body) > 1)
                second_argument = g_variant_get_child_value(call->body, 1);
        if (g_str_equal(call->member, "GetImageServers"))
                get_servers(call);
        else if (g_str_equal(call->member, "GetServerImages"))
                get_server_images(call, name);
        else if (g_str_equal(call->member, "DownloadImage"))
                download(call, name, g_variant_get_string(second_argument, NULL));
        else if (g_str_equal(call->member, "FetchImage"))
                download(call, "", "debian/12");
        else if (g_str_equal(call->member, "GetConfig"))
                call->reply->body = g_variant_new_parsed("({'images.remote_cache_expiry': '5'},)");
        else if (!g_str_equal(call->member, "UpdateConfig") &&
                 !g_str_has_suffix(call->member, "ImageServer"))
                return false;
        return true;
}
