/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container's files over SFTP, for whoever does without a mount: they are mounted all the same,
 * but where nobody sees it, and served by a program of its own (client/sftp) as the user.
 */

#include "client/client.h"
#include "client/file.h"

/* Serves until it is to end or the container stops. */
int file_listen(Client *c, const FilePlace *source, Error *ret_error);
