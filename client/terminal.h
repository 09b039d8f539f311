/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The user's terminal in raw mode, so that every key goes to a program elsewhere. There is one
 * terminal and thus one saved state; it is restored by terminal_restore(), and by handlers when
 * the client crashes.
 */

/* Does nothing and returns 0 where standard input is no terminal. */
int terminal_set_raw(void);
void terminal_restore(void);
/* Size of the window on standard output or input; 80 x 24 when it is not known. */
void terminal_get_size(unsigned *ret_columns, unsigned *ret_rows);
