/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Snapshots, which are written CONTAINER/SNAPSHOT wherever a container may be. */

#include "client/client.h"
#include "client/settings.h"
#include "client/table.h"

/* Kind and path of "CONTAINER" or "CONTAINER/SNAPSHOT". */
int client_instance_path(const char *argument, ObjectKind *ret_kind, char **ret,
                         Error *ret_error);
/* `to`: "CONTAINER/NAME" or "NAME". */
int snapshot_rename(Client *c, const char *path, const char *to, Error *ret_error);
/* What is shown and edited of a snapshot (a{sv}). */
GVariant *snapshot_to_record(const Settings *s);
/* `config edit CONTAINER/SNAPSHOT` */
int snapshot_edit(Client *c, const char *path, Error *ret_error);
/* `config show CONTAINER/SNAPSHOT` */
int snapshot_show(Client *c, const char *path, OutputFormat format, Error *ret_error);

/* Those of a container (its path) out of many, borrowed, oldest first. */
GPtrArray *snapshots_among(const GPtrArray *snapshots, const char *container);
int snapshots_print(const GPtrArray *snapshots, Error *ret_error);
GVariant *snapshots_to_record(const GPtrArray *snapshots);
