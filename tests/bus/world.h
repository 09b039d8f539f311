/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Things that most tests need: a pool, an image, containers. All made over the bus; each function
 * fails the test when it cannot be done. Paths are to be freed. */

#include "tests/bus/client.h"

#define PATH_ROOT "/org/berth1"
#define PATH_POOL "/org/berth1/pool/default"
#define PATH_PROFILE "/org/berth1/profile/default"

/* A pool "default", made by root, with a root disk on it in the default profile. */
void world_make_pool(Harness *h);
/* An image of that content, with an alias (NULL for none). */
char *world_import_image(Client *client, const char *content, const char *alias);
/* In the pool "default". */
void world_make_volume(Client *client, const char *name);
/* The pool, and an image "fake" of root's. */
void world_make_image(Harness *h);
/* A stopped container from the image "fake". */
char *world_make_container(Client *client, const char *name);
char *world_start_container(Client *client, const char *name);

/* Arguments of CreateContainer, floating. */
GVariant *world_create_args(const char *name, const char *options_text);
/* An fd that reads as `content`, to be closed. */
int world_new_archive(const char *content);
/* The pid that the container's InitPid says. */
pid_t world_get_init(Client *client, const char *container);
/* Waits until root has heard that a property of an object has become this text. */
void world_wait_for(Harness *h, guint from, const char *path, const char *property,
                    const char *value);
/* Waits until a job is at the gate (see fake-worker.c). */
void world_wait_at_gate(Harness *h, const char *job);
/* Whether the object is there. */
bool world_has_object(Harness *h, const char *path);
