/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The verbs on images that span more than one file.
 */

#include "client/client.h"

extern const Command image_alias_commands[];

int run_image_import(Client *c, Error *ret_error);
int run_image_export(Client *c, Error *ret_error);
int run_image_list(Client *c, Error *ret_error);
int run_image_info(Client *c, Error *ret_error);
int run_image_show(Client *c, Error *ret_error);
int run_image_edit(Client *c, Error *ret_error);
int run_image_delete(Client *c, Error *ret_error);
int run_image_set_property(Client *c, Error *ret_error);
int run_image_get_property(Client *c, Error *ret_error);
int run_image_unset_property(Client *c, Error *ret_error);
int run_image_alias_create(Client *c, Error *ret_error);
int run_image_alias_delete(Client *c, Error *ret_error);
int run_image_alias_rename(Client *c, Error *ret_error);
int run_image_alias_list(Client *c, Error *ret_error);
