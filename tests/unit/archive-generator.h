/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Makes image archives that are wrong in ways that nobody thought of: a sound image of one of tar's
 * formats, in which headers, pax records, long names, sparse maps, entries, metadata or the
 * compressed bytes have been changed. The same seed gives the same archive.
 */

#include <glib.h>

GBytes *archive_generate(guint32 seed);
