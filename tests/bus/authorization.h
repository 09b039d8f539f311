/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A stage on which every method can be called once: what authorization.c and matrix.c share. */

#include "tests/bus/client.h"

/* Everything that the methods are called on: alice's container c1 runs a program, and the image
 * is hers; the rest is root's. */
typedef struct Stage {
        Harness *h;
        char *job, *image;
        int archive;
} Stage;

Stage stage_new(Harness *h, Client *alice);
void stage_done(Stage *stage);
/* "Container.Start", by number; NULL behind the last. */
const char *stage_get_method(size_t i);
/* Whether it is called on something of alice's. */
bool stage_is_alices(size_t i);
/* As the table has it: "@" for the job, "%" for alice's image. */
const char *stage_get_path(size_t i);
Call *stage_begin(const Stage *stage, Client *client, size_t i);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Stage, stage_done)
