/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an image said of itself, as the container made from it has it: properties, which are its
 * keys "image.*", and templates. They are the container's own, go with copies and archives, and
 * become those of an image that is published of it.
 */

#include "service/operation/container.h"

/* a{sv}, floating: "architecture" s, "created" t, "properties" a{ss}, "templates"
 * a{s(sasa{ss}b)}. */
GVariant *container_get_metadata(const Container *c);

typedef struct ContainerMetadata {
        GVariant *properties; /* a{ss}: all of them; NULL: as they are */
        GVariant *rules;      /* IMAGE_TEMPLATE_RULES_TYPE, likewise */
        const uint64_t *if_revision;
} ContainerMetadata;

int container_update_metadata(Manager *m, Container *c, const ContainerMetadata *change,
                              Error *ret_error);

/* The content of a text, borrowed; ERROR_NO_SUCH_FILE where there is none. */
int container_read_template(const Container *c, const char *file, const char **ret,
                            Error *ret_error);
/* A new one (ERROR_EXISTS), or one that is there (ERROR_NO_SUCH_FILE). */
int container_write_template(Manager *m, Container *c, const char *file, const char *content,
                             bool create, Error *ret_error);
/* With all that is made from it. */
int container_delete_template(Manager *m, Container *c, const char *file, Error *ret_error);
