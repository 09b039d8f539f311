/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Names of objects. A name that passed here is safe as a file name, a D-Bus path element and an
 * argument of other programs: it is the only gate, and every name goes through it, wherever it
 * came from.
 */

#include <stdbool.h>

#include "service/util/error.h"

typedef enum NameKind {
        NAME_CONTAINER, /* 1-63 letters, digits, dashes; letter first, no dash last: a host name */
        NAME_PROFILE,   /* 1-63 letters, digits, "-", "_", "."; a letter or digit first */
        NAME_NETWORK,   /* 2-15 of the same: an interface name */
        NAME_POOL,      /* as a profile */
        NAME_DEVICE,    /* as a profile */
        NAME_SNAPSHOT,  /* as a profile */
        NAME_VOLUME,    /* as a profile */
        NAME_INTERFACE, /* 1-15, an interface name inside a container */
        NAME_IMAGE_SERVER, /* as a profile */
        NAME_ALIAS,     /* 1-128 printable ASCII, no blanks; no "/" first or last */
        _NAME_KIND_MAX,
} NameKind;

/* 0, or ERROR_INVALID_NAME with the rule. */
int name_check(NameKind kind, const char *name, Error *ret_error);
/* 64 lower-case hexadecimal digits. */
bool name_is_fingerprint(const char *s);
/* 1 to 64 lower-case hexadecimal digits: perhaps the beginning of a fingerprint. */
bool name_is_fingerprint_prefix(const char *s);
/* A name for a container whose creator did not give one: "adjective-noun" style is left to
 * others; ours is short, pronounceable and random. */
char *name_generate(void);
