/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The verbs. Each family has its file; main.c puts them into one tree.
 */

#include "client/client.h"

extern const Command admin_commands[];
extern const Command alias_commands[];
extern const Command config_commands[];
extern const Command file_commands[];
extern const Command image_commands[];
extern const Command migrate_commands[];
extern const Command network_commands[];
extern const Command operation_commands[];
extern const Command profile_commands[];
extern const Command remote_commands[];
extern const Command storage_commands[];
extern const Command warning_commands[];

extern const Option console_options[];
extern const Option copy_options[];
extern const Option create_options[];
extern const Option delete_options[];
extern const Option exec_options[];
extern const Option container_export_options[];
extern const Option container_import_options[];
extern const Option info_options[];
extern const Option list_options[];
extern const Option monitor_options[];
extern const Option move_options[];
extern const Option pause_options[];
extern const Option publish_options[];
extern const Option rename_options[];
extern const Option restore_options[];
extern const Option snapshot_options[];
extern const Option restart_options[];
extern const Option start_options[];
extern const Option stop_options[];
extern const Option wait_options[];

int run_console(Client *c, Error *ret_error);
int run_copy(Client *c, Error *ret_error);
int run_export(Client *c, Error *ret_error);
int run_import(Client *c, Error *ret_error);
int run_move(Client *c, Error *ret_error);
int run_publish(Client *c, Error *ret_error);
int run_init(Client *c, Error *ret_error);
int run_launch(Client *c, Error *ret_error);
int run_start(Client *c, Error *ret_error);
int run_stop(Client *c, Error *ret_error);
int run_restart(Client *c, Error *ret_error);
int run_pause(Client *c, Error *ret_error);
int run_wait(Client *c, Error *ret_error);
int run_delete(Client *c, Error *ret_error);
int run_rename(Client *c, Error *ret_error);
int run_restore(Client *c, Error *ret_error);
int run_snapshot(Client *c, Error *ret_error);
int run_list(Client *c, Error *ret_error);
int run_info(Client *c, Error *ret_error);
int run_exec(Client *c, Error *ret_error);
int run_shell(Client *c, Error *ret_error);
int run_monitor(Client *c, Error *ret_error);
/* Calls `func` for each configuration key of the service, of one scope or (NULL) of all. */
typedef void (*ConfigKeyFunc)(const char *name, GVariant *dict, void *userdata);
int config_for_each_key(Client *c, const char *scope, ConfigKeyFunc func, void *userdata,
                        Error *ret_error);

/* The same for each type of device: "help" s, "options" a(sa{sv}). */
int config_for_each_device_type(Client *c, ConfigKeyFunc func, void *userdata, Error *ret_error);

/* Prints the candidates for the last of the words, for shells. */
int run_complete(Client *c, Error *ret_error);
