/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What an SFTP client asks (version 3 of the protocol, with what OpenSSH added to it), answered
 * with the files below one directory. Owners are the ids that the file system shows.
 */

#define WITH_SERVER 1
#include <libssh/sftp.h>

/* Answers until the client has gone. `links_reversed`: it sends the target of a new link first, as
 * OpenSSH has always done, against the letter of the protocol. */
void requests_serve(sftp_session sftp, int root, bool links_reversed);
