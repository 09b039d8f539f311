/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The seal of a saved state: that it is whole, was made by this host's berthd, and for whom. CRIU
 * does as root whatever the files say, so none are given to it that did not come from a dump of
 * ours. The seal is a file beside them: HMAC-SHA256 over whom the state is for and the name, size
 * and content of every other file, with a key that only root can read and that never leaves the
 * host. What CRIU writes beside a state while it restores it (its log, its statistics) is not part
 * of it.
 */

#include "service/model/idmap.h"
#include "service/util/error.h"

typedef enum StateSeal {
        STATE_SEAL_OWN,      /* this host's */
        STATE_SEAL_TRANSFER, /* with a key that another host has too, on the way there */
        _STATE_SEAL_MAX,
} StateSeal;

/* `key` is the path of the file with the key, `container` and `idmap` whom it is for. On disk, with
 * all files, when it returns. */
int state_seal(int dir_fd, StateSeal seal, const char *key, const char *container,
               const IdMap *idmap, Error *ret_error);
/* ERROR_BACKEND_FAILED unless the seal is there and is right. */
int state_check_seal(int dir_fd, StateSeal seal, const char *key, const char *container,
                     const IdMap *idmap, Error *ret_error);
/* Whether it has one, right or not. */
bool state_has_seal(int dir_fd);
/* Removes what no seal looks at. 0 or -errno. */
int state_strip(int dir_fd);
/* Takes the seal away, so that what has run on is not restored again, and then the files, as far as
 * that can be done. 0 or -errno. */
int state_discard(int dir_fd);
