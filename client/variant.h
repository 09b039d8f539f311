/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The few things about GVariants that more than one module asks.
 *
 * A value that was built keeps its children until somebody first asks for its bytes
 * (g_variant_lookup() does), which frees them and leaves every string that was borrowed from it
 * dangling. Values that are kept and borrowed from are therefore made by variant_seal().
 */

#include <glib.h>

/* Takes a floating value and settles it: strings borrowed from it last as long as it does. */
GVariant *variant_seal(GVariant *value);
/* The entries of a dictionary in the order in which people should see them: that of a dictionary
 * of variants was chosen by its maker, any other is sorted by key. */
GPtrArray *variant_entries(GVariant *dictionary);
/* A basic value as bare text. */
char *variant_to_text(GVariant *value);
