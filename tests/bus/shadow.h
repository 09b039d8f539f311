/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a disk would hold if the power failed now, and had been lazy until then: a copy of the tree
 * at BERTH_SHADOW_OF, in the directory BERTH_SHADOW, into which only that gets which was synced. A
 * file has the content of its last fsync(), or none; a directory has the entries of its own last
 * fsync(). A new name, a rename or a removal without one did not happen.
 */

/* After an fsync() that succeeded. Does nothing where the variables are not set. */
void shadow_synced(int fd);
