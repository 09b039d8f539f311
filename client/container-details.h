/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is asked about containers beyond their properties: counters, configuration, devices. Each is
 * a call of its own, so verbs say which they need. What is refused (other people's configuration)
 * is simply not there.
 */

#include "client/client.h"

typedef enum Detail {
        DETAIL_STATE,            /* a{sv} of GetState() */
        DETAIL_DISK,             /* a{sv} of GetDiskUsage() */
        DETAIL_CONFIG,           /* a{ss} */
        DETAIL_EXPANDED_CONFIG,
        DETAIL_DEVICES,          /* a{sa{ss}} */
        DETAIL_EXPANDED_DEVICES,
        _DETAIL_MAX,
} Detail;

typedef struct ContainerDetails {
        const Object *container;
        GVariant *answers[_DETAIL_MAX]; /* NULL: not asked, or refused */
} ContainerDetails;

/* Of GArrays. */
void container_details_clear(gpointer details);
/* Asks one question about each of the array of ContainerDetails, many at a time. */
int container_details_ask(Client *c, GArray *all, Detail detail, Error *ret_error);
/* One number of an answer; false where there is none. */
bool container_details_number(const ContainerDetails *d, Detail detail, const char *key,
                              uint64_t *ret);
