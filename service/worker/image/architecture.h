/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Names of processor architectures: the kernel's (x86_64, aarch64), which is what images are
 * listed by, those that distributions use instead (amd64, arm64), and what an ELF header says.
 */

#include <stddef.h>

/* How many bytes of a file architecture_from_elf() wants to see. */
#define ARCHITECTURE_ELF_SIZE 20

/* The name as we use it, whichever spelling comes in; NULL for none that we know. The string is
 * static. */
const char *architecture_from_name(const char *name);
/* The same from the beginning of a program; NULL where that is none. */
const char *architecture_from_elf(const void *data, size_t size);
