/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For the pages that are made from tables. */

/* Prints text as it is: a backslash and a dash mean something to troff. */
void troff_print(const char *text);
