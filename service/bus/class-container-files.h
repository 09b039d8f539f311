/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The methods of org.berth1.Container that read and change files inside: rows for
 * class-container.c. */

#include "service/bus/call.h"

extern const Option bus_pull_tree_options[], bus_push_file_options[], bus_push_tree_options[],
        bus_stat_options[], bus_make_directory_options[], bus_delete_path_options[];

/* For all of them: the path comes first. */
int bus_files_prepare(BusCall *call, Error *ret_error);

int bus_pull_file(BusCall *call, Error *ret_error);
int bus_pull_file_to(BusCall *call, Error *ret_error);
int bus_pull_tree(BusCall *call, Error *ret_error);
int bus_push_file(BusCall *call, Error *ret_error);
int bus_push_file_pipe(BusCall *call, Error *ret_error);
int bus_push_tree(BusCall *call, Error *ret_error);
int bus_push_tree_pipe(BusCall *call, Error *ret_error);
int bus_mount_files(BusCall *call, Error *ret_error);
int bus_stat_path(BusCall *call, Error *ret_error);
int bus_list_directory(BusCall *call, Error *ret_error);
int bus_make_directory(BusCall *call, Error *ret_error);
int bus_delete_path(BusCall *call, Error *ret_error);
