/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * `config` without a container: what is set for the service as a whole. Which it is about is told
 * by the number of arguments, as LXD's client has it.
 */

#include "client/client.h"

/* Whether `config set` names no container: "KEY=VALUE...", or "KEY VALUE" with a dot in the key,
 * which no container's name has. */
bool service_settings_are_set(const Client *c);

/* All that are set, a{ss}. */
int service_settings_read(Client *c, GVariant **ret, Error *ret_error);

int service_settings_show(Client *c, Error *ret_error);
int service_settings_get(Client *c, Error *ret_error);
/* The whole as YAML. */
int service_settings_edit(Client *c, Error *ret_error);
int service_settings_set(Client *c, Error *ret_error);
int service_settings_unset(Client *c, Error *ret_error);
