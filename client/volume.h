/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* `storage volume`: volumes are written "<pool> <volume>[/<snapshot>]", or "<pool>/<volume>". */

#include "client/client.h"

/* The volume that two arguments name; "custom/NAME" is NAME, other types are refused. *ret_snapshot
 * (may be NULL: then there must be none) is NULL without one. */
int volume_path(const char *pool, const char *argument, char **ret, char **ret_snapshot,
                Error *ret_error);
/* The one that the first two arguments of the command name. */
int volume_path_of_arguments(Client *c, char **ret, char **ret_snapshot, Error *ret_error);

int volume_run_list(Client *c, Error *ret_error);
int volume_run_attach(Client *c, Error *ret_error);
int volume_run_attach_profile(Client *c, Error *ret_error);
int volume_run_detach(Client *c, Error *ret_error);
int volume_run_detach_profile(Client *c, Error *ret_error);
int volume_run_snapshot(Client *c, Error *ret_error);
int volume_run_restore(Client *c, Error *ret_error);
int volume_run_copy(Client *c, Error *ret_error);
int volume_run_move(Client *c, Error *ret_error);
int volume_run_export(Client *c, Error *ret_error);
int volume_run_import(Client *c, Error *ret_error);
/* How much each holds, to be freed: "" where the pool does not count, or may not be asked. */
void volume_read_usage(Client *c, Object *const *volumes, size_t n, char **ret);
/* What `show` and `info` print of snapshots: one of that name; all of them. */
int volume_show_snapshot(Client *c, const Object *volume, const char *name, Error *ret_error);
void volume_print_snapshots(const Object *volume);

extern const Command volume_commands[];
extern const Option volume_list_options[];
extern const Option volume_snapshot_options[];
extern const Option volume_copy_options[];
extern const Option volume_move_options[];
extern const Option volume_export_options[];
extern const Option volume_import_options[];
