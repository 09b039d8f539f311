/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A value that each configuration key takes and one that it refuses. A key of the table that has
 * none here fails the tests that go through it.
 */

#include "service/model/config-key.h"

typedef struct KeySample {
        const char *key;  /* of a family ("user.*") one of its keys */
        const char *good; /* NULL where nothing is taken: not supported, or the service's own */
        const char *bad;  /* NULL where anything is taken */
} KeySample;

/* That of a row; fails the test where there is none. */
const KeySample *key_sample(const ConfigKey *row);
