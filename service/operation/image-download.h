/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Images from image servers. A worker asks the server, another fetches the archives, and they
 * become an image as those that a user imports do; before anything of them is read their SHA-256
 * is compared with the catalogue's. An image remembers the server and the name by which it was
 * asked for, and can follow what has that name later.
 */

#include "service/operation/image.h"

typedef struct ImageDownload {
        const char *server, *image;   /* alias or fingerprint there */
        const char *architecture;     /* NULL: the host's */
        const char *const *aliases;   /* for it here, may be NULL */
        bool copy_aliases;            /* and those that it has there */
        bool auto_update, public;
        bool cached;                  /* for a launch: kept as long as it is used */
        bool take_aliases;            /* also from images of other owners */
} ImageDownload;

/* The image is the job's subject when it has ended, whether it was there before or not. A cached
 * one that follows the server and did so lately is taken without asking. */
int image_download(Manager *m, Caller caller, const ImageDownload *args, Job **ret,
                   Error *ret_error);
typedef struct ImageFetch {
        const char *url;              /* https://..., of one archive */
        const char *const *aliases;   /* may be NULL, as the rest */
        GVariant *properties;         /* a{ss} */
        bool public, take_aliases;
} ImageFetch;

/* An image from anywhere, which follows nothing afterwards. */
int image_fetch(Manager *m, Caller caller, const ImageFetch *args, Job **ret, Error *ret_error);
/* Asks its server again; where it has another image of that name by now, that takes the place of
 * this one, which is deleted. */
int image_refresh(Manager *m, Caller caller, Image *image, Job **ret, Error *ret_error);

/* What a server has, for `told`: CATALOGUE_TYPE, or the error. Told once, and never after
 * `userdata` was freed. */
typedef void (*ImageListTold)(GVariant *catalogue, const Error *error, void *userdata);
int image_server_list(Manager *m, Caller caller, const char *server, ImageListTold told,
                      void *userdata, Job **ret, Error *ret_error);
