/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is set for the service as a whole: configuration keys of the scope "service", and the image
 * servers. Both are records of their own in STATE/service; without one the defaults hold.
 */

#include "service/model/image-server.h"
#include "service/operation/manager.h"

typedef struct Settings Settings;

int settings_new(const char *state_dir, Settings **ret, Error *ret_error);
Settings *settings_free(Settings *settings);

/* a{ss}, a borrowed reference. */
GVariant *settings_get_config(const Settings *settings);
/* All or nothing; on disk when it returns. `set` a{ss}, `unset` as. */
int settings_update(Manager *m, GVariant *set, GVariant *unset, Error *ret_error);

/* Borrowed; ImageServer. */
const GPtrArray *settings_get_image_servers(const Settings *settings);
/* The server, or ERROR_NO_SUCH_IMAGE_SERVER. */
int settings_get_image_server(const Settings *settings, const char *name, const ImageServer **ret,
                              Error *ret_error);

/* Each is on disk when it returns. */
int image_server_add(Manager *m, const char *name, const char *url, const char *protocol,
                     Error *ret_error);
int image_server_remove(Manager *m, const char *name, Error *ret_error);

typedef struct ImageServerChange {
        const char *name, *url, *protocol; /* NULL: as it is */
} ImageServerChange;

/* A new name is one for the images that came from it, too. */
int image_server_change(Manager *m, const char *name, const ImageServerChange *change,
                        Error *ret_error);

/* When image servers were last asked for later images; 0 never. */
uint64_t settings_get_refreshed(const Settings *settings);
void settings_set_refreshed(Settings *settings, uint64_t usec);
