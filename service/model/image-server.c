/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/image-server.h"

#include <string.h>

#include "service/model/name.h"
#include "service/util/cleanup.h"

#define URL_MAX 512U
#define RECORD_TYPE ((const GVariantType *) "a(sss)")

static const char *const protocols[] = {
        [IMAGE_SERVER_SIMPLESTREAMS] = "simplestreams",
        [IMAGE_SERVER_DIRECTORY] = "directory",
};
G_STATIC_ASSERT(G_N_ELEMENTS(protocols) == _IMAGE_SERVER_PROTOCOL_MAX);

const char *image_server_protocol_to_string(ImageServerProtocol protocol) {
        return protocols[protocol];
}

ImageServerProtocol image_server_protocol_from_string(const char *s) {
        for (size_t i = 0; i < ELEMENTSOF(protocols); i++)
                if (g_str_equal(protocols[i], s))
                        return (ImageServerProtocol) i;
        return _IMAGE_SERVER_PROTOCOL_INVALID;
}

ImageServer *image_server_new(const char *name, const char *url, ImageServerProtocol protocol) {
        ImageServer *server = g_new0(ImageServer, 1);

        server->name = g_strdup(name);
        server->url = g_strdup(url);
        server->protocol = protocol;
        while (g_str_has_suffix(server->url, "/"))
                server->url[strlen(server->url) - 1] = '\0';
        return server;
}

ImageServer *image_server_free(ImageServer *server) {
        if (!server)
                return NULL;
        g_free(server->name);
        g_free(server->url);
        g_free(server);
        return NULL;
}

int image_server_check_name(const char *name, Error *ret_error) {
        if (g_str_equal(name, "local"))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "\"local\" is this machine and no image server");
        return name_check(NAME_IMAGE_SERVER, name, ret_error);
}

int image_server_check_url(const char *url, Error *ret_error) {
        static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "._~+:,%=-/[]";
        const char *host = url + strlen("https://");

        if (!g_str_has_prefix(url, "https://"))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "An image server is given by a URL that begins with https://: "
                                 "nothing is downloaded without a certificate");
        if (strlen(url) > URL_MAX || strspn(host, rest) != strlen(host) || strchr(":/", *host) ||
            strstr(host, "/.."))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The URL of an image server is https://HOST[:PORT][/PATH], "
                                 "without user, query and fragment");
        return 0;
}

GVariant *image_servers_to_record(const GPtrArray *servers) {
        GVariantBuilder builder;
        GVariantDict dict;

        g_variant_builder_init(&builder, RECORD_TYPE);
        for (guint i = 0; i < servers->len; i++) {
                const ImageServer *server = servers->pdata[i];

                g_variant_builder_add(&builder, "(sss)", server->name, server->url,
                                      protocols[server->protocol]);
        }
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert_value(&dict, "servers", g_variant_builder_end(&builder));
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static void server_destroy(void *server) {
        (void) image_server_free(server);
}

static GPtrArray *servers_new(void) {
        return g_ptr_array_new_with_free_func(server_destroy);
}

int image_servers_from_record(GVariant *record, GPtrArray **ret) {
        g_autoptr(GPtrArray) servers = servers_new();
        g_autoptr(GVariant) rows = g_variant_lookup_value(record, "servers", RECORD_TYPE);
        const char *name, *url, *word;
        GVariantIter iter;

        if (!rows)
                return -EBADMSG;
        g_variant_iter_init(&iter, rows);
        while (g_variant_iter_next(&iter, "(&s&s&s)", &name, &url, &word)) {
                ImageServerProtocol protocol = image_server_protocol_from_string(word);

                if (protocol < 0 || image_server_check_name(name, NULL) < 0 ||
                    image_server_check_url(url, NULL) < 0)
                        return -EBADMSG;
                g_ptr_array_add(servers, image_server_new(name, url, protocol));
        }
        *ret = TAKE_PTR(servers);
        return 0;
}

GPtrArray *image_servers_default(void) {
        GPtrArray *servers = servers_new();

        g_ptr_array_add(servers, image_server_new("images", "https://images.linuxcontainers.org",
                                                  IMAGE_SERVER_SIMPLESTREAMS));
        return servers;
}
