/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One line on the terminal that says how far things are. Drawn on standard error, only where that
 * is a terminal, and wiped before anything else is printed.
 */

#include <stdbool.h>

typedef struct Progress {
        bool enabled;
        bool drawn;
} Progress;

/* `wanted`: false with --quiet. */
void progress_init(Progress *p, bool wanted);
/* `fraction` is 0 to 1, negative when not known. An empty stage with no fraction draws nothing. */
void progress_draw(Progress *p, const char *stage, double fraction);
void progress_wipe(Progress *p);
