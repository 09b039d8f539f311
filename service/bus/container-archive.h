/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Export, OpenExport, SendState and ReceiveState of org.berth1.Container, ImportContainer and
 * OpenContainerImport of org.berth1.Manager. What an import takes is not known before the archive's
 * index is read: the call waits for that, and for polkit's answer where it takes more than creating
 * a container.
 */

#include "service/bus/call.h"

extern const Option bus_container_export_options[], bus_container_import_options[];

int bus_container_export(BusCall *call, Error *ret_error);
int bus_container_open_export(BusCall *call, Error *ret_error);

int bus_container_import_prepare(BusCall *call, Error *ret_error);
int bus_container_import(BusCall *call, Error *ret_error);
int bus_container_open_import(BusCall *call, Error *ret_error);

int bus_container_state_prepare(BusCall *call, Error *ret_error);
int bus_container_send_state(BusCall *call, Error *ret_error);
int bus_container_receive_state(BusCall *call, Error *ret_error);
