/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where the links of a container lead when they are followed on the host.
 *
 * It is the host's kernel that follows them, from where the container is mounted. As they are,
 * "/etc/passwd" and "../../../etc/passwd" would lead to files of the host, and whoever writes into
 * what is mounted would write to files of the host that somebody in the container chose. So a link
 * is told as what it is inside, by a name that never goes above the mount: some "..", never more
 * than the link is deep, and names after them. Each link that is met on the way is told the same
 * way, and so a walk never leaves the mount.
 */

/* `target` is what the link holds, `mounted` the absolute path inside of the directory that is
 * mounted, `depth` how many directories below that the link is. Returns NULL for what is not below
 * the mounted directory. */
char *mount_link_target(const char *target, const char *mounted, unsigned depth);
