/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The columns of `list`: LXD's letters, and values of the configuration (KEY[:HEADING][:WIDTH],
 * "config:KEY" too) and of devices ("devices:DEVICE.KEY"), in one list with commas between them.
 */

#include "client/container-details.h"

typedef struct Column Column;

#define LIST_COLUMNS_DEFAULT "ns46tS"
#define LIST_COLUMNS_FAST "nsacPt"

/* Of Column, in the order in which they are shown. A key that there is not is an error. */
int list_columns_parse(Client *c, const char *text, GPtrArray **ret, Error *ret_error);
const char *list_column_heading(const Column *column);
bool list_column_is_state(const Column *column);
/* Whether the answer to this question is needed for it. */
bool list_column_needs(const Column *column, Detail detail);
/* The property of containers that it shows, or NULL. */
const char *list_column_property(const Column *column);
/* The lines of its cell (strings). */
GPtrArray *list_column_make(const Column *column, const ContainerDetails *d);
