/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a process that talks with containers is left with before it is executed: few capabilities
 * to ever have, no way to new ones, no system calls that change the host or look into others
 * (seccomp), and a small part of the file system (Landlock). A kernel without Landlock leaves the
 * last one out; the rest is everywhere.
 */

#include <stdint.h>

typedef struct SandboxPath SandboxPath;

typedef enum SandboxAccess {
        SANDBOX_READ,      /* files and directories below, or the one file */
        SANDBOX_EXECUTE,   /* the same, and run programs and load libraries */
        SANDBOX_WRITE,     /* read, and write the files that are there */
        SANDBOX_CREATE,    /* the same, and make and remove regular files */
} SandboxAccess;

struct SandboxPath {
        const char *path;  /* NULL ends a list; what is not there is passed over */
        SandboxAccess access;
};

/* `capabilities`: a mask of 1 << CAP_X of those that stay in the bounding set. Returns -errno where
 * something that the kernel knows did not work. */
int sandbox_enter(uint64_t capabilities, const SandboxPath *paths);
