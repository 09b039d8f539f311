/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the verbs of `file` have in common. */

#include "client/client.h"

/* "CONTAINER/PATH": the container's path on the bus, and the path inside, which begins with "/" and
 * keeps a "/" at its end. */
typedef struct FilePlace {
        char *container;
        char *path;
} FilePlace;

int file_place_parse(const char *argument, FilePlace *ret, Error *ret_error);
void file_place_clear(FilePlace *place);
/* Type of what is there ("file", "directory"…), links followed. */
int file_place_get_type(Client *c, const FilePlace *place, char **ret, Error *ret_error);
/* The last component of a local name or a path inside. */
char *file_base_name(const char *path);

/* --uid, --gid and --mode. */
int file_owner_options(Client *c, GVariantDict *options, Error *ret_error);

/* Trees, as tar streams that tar(1) makes and unpacks here. */
int file_push_tree(Client *c, const char *source, const FilePlace *target, bool create,
                   Error *ret_error);
/* Into the directory `target`. */
int file_pull_tree(Client *c, const FilePlace *source, const char *target, Error *ret_error);

extern const Option file_push_options[], file_pull_options[], file_delete_options[],
        file_mkdir_options[], file_edit_options[], file_mount_options[];

int run_file_push(Client *c, Error *ret_error);
int run_file_pull(Client *c, Error *ret_error);
int run_file_delete(Client *c, Error *ret_error);
int run_file_edit(Client *c, Error *ret_error);
int run_file_mount(Client *c, Error *ret_error);
int run_file_mkdir(Client *c, Error *ret_error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FilePlace, file_place_clear)
