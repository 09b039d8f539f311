/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * User namespaces for the sake of their map: what the kernel wants to mount a filesystem idmapped,
 * and where work on a container's files is done as its root.
 */

#include <sys/types.h>

#include "service/model/idmap.h"

/* A new one, with that map (which has lines). Returns its fd. */
int user_namespace_new(const IdMap *map);
/* Gives the namespace of a child of ours, made with CLONE_NEWUSER and not waited for yet, its map;
 * for one without lines, every id is itself. */
int user_namespace_map(pid_t pid, const IdMap *map);
/* The same where every id below `count` is itself. */
int user_namespace_map_own(pid_t pid, uint32_t count);
/* The namespace of such a child. Returns the fd. */
int user_namespace_open(pid_t pid);
