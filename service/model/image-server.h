/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Servers that images are downloaded from. Which there are is the administrator's to say; from them
 * every user may have images. All are asked over HTTPS alone. There are two kinds:
 *
 *   simplestreams   what LXD's and Ubuntu's servers are: streams/v1/index.json names the lists of
 *                   products, whose versions are made of files with their hashes
 *   directory       any directory with images in one archive each and a file SHA256SUMS, as
 *                   sha256sum(1) writes it; an image is called as its file, without the ending that
 *                   says what it is: debian/12.tar.xz is debian/12
 */

#include <stdbool.h>

#include <glib.h>

#include "service/util/error.h"

typedef enum ImageServerProtocol {
        IMAGE_SERVER_SIMPLESTREAMS,
        IMAGE_SERVER_DIRECTORY,
        _IMAGE_SERVER_PROTOCOL_MAX,
        _IMAGE_SERVER_PROTOCOL_INVALID = -EINVAL,
} ImageServerProtocol;

typedef struct ImageServer {
        char *name;
        char *url; /* without a slash at its end */
        ImageServerProtocol protocol;
} ImageServer;

const char *image_server_protocol_to_string(ImageServerProtocol protocol);
ImageServerProtocol image_server_protocol_from_string(const char *s);

/* `name`, `url`: checked. */
ImageServer *image_server_new(const char *name, const char *url, ImageServerProtocol protocol);
ImageServer *image_server_free(ImageServer *server);

/* As a profile's; "local" is this machine. */
int image_server_check_name(const char *name, Error *ret_error);
/* https://HOST[:PORT][/PATH], without user, query and fragment. */
int image_server_check_url(const char *url, Error *ret_error);

/* All of them in a record, by name. The array owns ImageServer. */
GVariant *image_servers_to_record(const GPtrArray *servers);
int image_servers_from_record(GVariant *record, GPtrArray **ret);
/* Those that are there before anybody changed anything. */
GPtrArray *image_servers_default(void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageServer, image_server_free)
