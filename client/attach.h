/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Devices that `network attach` and `storage volume attach` put into containers and profiles, and
 * take out again: one change of all devices, which is refused when somebody else made one since
 * they were read.
 */

#include "client/settings.h"

typedef struct Attachment {
        Settings *settings;
        GHashTable *devices; /* name -> table of options */
} Attachment;

/* Reads the devices of the object of that name. */
int attachment_read(Client *c, ObjectKind kind, const char *argument, Attachment *ret,
                    Error *ret_error);
void attachment_done(Attachment *a);

/* Adds a device with options KEY, VALUE, ..., NULL (a NULL value is left out); ERROR_EXISTS where
 * there is one of that name. */
int attachment_add(Attachment *a, const char *name, const char *const *options, Error *ret_error);
/* The only device that `matches`, of that name where `wanted` is not NULL; `place` says in an error
 * what it is on. */
int attachment_find(const Attachment *a, bool (*matches)(GHashTable *device, const void *userdata),
                    const void *userdata, const char *place, const char *wanted, char **ret,
                    Error *ret_error);
int attachment_write(Client *c, const Attachment *a, Error *ret_error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Attachment, attachment_done)
