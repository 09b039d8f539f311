/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What can be done with images. The archive is kept as it came, in STATE/archives/FINGERPRINT, of a
 * split image also in FINGERPRINT.rootfs, and unpacked once for each pool that needs it.
 */

#include "service/operation/container.h"

typedef struct ImageImport {
        int archive;                  /* regular file or pipe; stays the caller's */
        int rootfs;                   /* of a split image likewise, else -EBADF */
        const char *const *aliases;   /* may be NULL, as the rest */
        GVariant *properties;         /* a{ss} */
        const char *filename, *rootfs_filename;
        bool public;
        bool take_aliases;            /* also from images of other owners */
} ImageImport;

int image_import(Manager *m, Caller caller, const ImageImport *args, Job **ret, Error *ret_error);
/* `part` is "metadata" or "rootfs" for a split image, else "". */
int image_export(Manager *m, Caller caller, Image *image, int archive, const char *part, Job **ret,
                 Error *ret_error);
int image_delete(Manager *m, Caller caller, Image *image, Job **ret, Error *ret_error);

typedef struct ImagePublish {
        Container *source;
        const Snapshot *snapshot;     /* of it; NULL for itself */
        const char *const *aliases;   /* may be NULL */
        GVariant *properties;         /* a{ss}, may be NULL */
        const char *compression;
        uint64_t expires;             /* 0: never */
        bool public, take_aliases;
        bool force;                   /* stops one that runs, and starts it again */
} ImagePublish;

int image_publish(Manager *m, Caller caller, const ImagePublish *args, Job **ret,
                  Error *ret_error);

/* At once; on disk when they return. */
int image_alias_add(Manager *m, Image *image, const char *alias, bool move, Error *ret_error);
int image_alias_remove(Manager *m, Image *image, const char *alias, Error *ret_error);

typedef struct ImageUpdate {
        GVariant *set, *unset;    /* properties: a{ss}, as */
        const bool *public;       /* NULL: as it is */
        const bool *auto_update;  /* NULL: as it is */
        const uint64_t *expires;  /* µs since 1970, 0 never; NULL: as it is */
} ImageUpdate;

int image_update(Manager *m, Image *image, const ImageUpdate *args, Error *ret_error);

/* Whether no image of another owner bears the alias. */
bool image_alias_is_free_for(Manager *m, const char *alias, uid_t uid);

/* For a step: sees to it that the image is unpacked in that pool. */
int step_unpack_image(Job *job, Image *image, const char *pool, Error *ret_error);
/* Removes archives that no record owns. */
void image_sweep(Manager *m);
