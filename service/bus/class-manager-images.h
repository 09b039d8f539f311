/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * org.berth1.Manager: what is set for the service as a whole, image servers, images from them.
 */

#include "service/bus/call.h"

int bus_get_config(BusCall *call, Error *ret_error);
int bus_update_config(BusCall *call, Error *ret_error);

extern const Option bus_add_image_server_options[], bus_change_image_server_options[];
int bus_get_image_servers(BusCall *call, Error *ret_error);
int bus_add_image_server(BusCall *call, Error *ret_error);
int bus_change_image_server(BusCall *call, Error *ret_error);
int bus_remove_image_server(BusCall *call, Error *ret_error);
int bus_image_server_prepare(BusCall *call, Error *ret_error);

extern const Option bus_download_image_options[];
extern const Option bus_fetch_image_options[];
int bus_fetch_image_prepare(BusCall *call, Error *ret_error);
int bus_fetch_image(BusCall *call, Error *ret_error);
int bus_get_server_images(BusCall *call, Error *ret_error);
int bus_download_image_prepare(BusCall *call, Error *ret_error);
int bus_download_image(BusCall *call, Error *ret_error);
