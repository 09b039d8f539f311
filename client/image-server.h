/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Image servers, which are all that is behind a colon but "local:": "images:debian/12".
 */

#include "client/client.h"

/* "SERVER:IMAGE" in its parts. *ret_server is NULL for what is on this machine: "IMAGE" and
 * "local:IMAGE"; *ret_name may be "". */
void image_source_parse(const char *argument, char **ret_server, char **ret_name);

/* What a server has, in the form of images of this machine. The array owns Object. */
int image_server_list(Client *c, const char *server, GPtrArray **ret, Error *ret_error);
/* The same of a server, or with NULL of this machine. */
int image_get_all(Client *c, const char *server, GPtrArray **ret, Error *ret_error);
/* One of them, by alias or beginning of a fingerprint. */
int image_server_find(Client *c, const char *server, const char *name, Object **ret,
                      Error *ret_error);
/* Has the service download it, with progress; the fingerprint, to be freed. `options` a{sv},
 * floating. */
int image_server_download(Client *c, const char *server, const char *name, GVariant *options,
                          char **ret, Error *ret_error);

int run_image_copy(Client *c, Error *ret_error);
int run_image_refresh(Client *c, Error *ret_error);
