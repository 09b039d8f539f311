/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the verbs on images have in common: the data of their jobs, and the steps by which an
 * archive that has come, from wherever, becomes an image. For the files image*.c alone.
 */

#include "service/operation/image.h"
#include "service/operation/step.h"

/* Of a split image the root filesystem is beside the first archive, in a file with this ending. */
#define IMAGE_ROOTFS_SUFFIX ".rootfs"

/* No user's. */
#define UID_NOBODY ((uid_t) -1)

typedef struct ImageJob {
        ContainerJob source;  /* publish: the container, locked; what shared steps look at */
        const char *snapshot; /* publish: "" for the container itself */
        char *compression;
        GVariant *templates;
        char *architecture;
        uint64_t expires;
        Image *image;         /* locked by the job; NULL once it has been removed */
        Image *made;          /* the new one until it is in the table, the job's own, or NULL */
        char *spool;          /* name in archives/ */
        bool split;           /* there is the root filesystem's spool too */
        char *pool;           /* where it is unpacked while it is imported, or NULL */
        int fd, rootfs_fd;    /* archives or destination, -EBADF once handed on */
        char **aliases;
        GVariant *properties;
        char *filename, *rootfs_filename;
        bool public;
        bool take_aliases;
        char *fingerprint;    /* of what was imported, or is to be downloaded */
        char *expected;       /* the fingerprint that it must have, or NULL */
        bool unpacked;
        bool cached, auto_update;

        /* downloads */
        char *server, *remote_name; /* "" for an image that is from no server */
        char *url;
        GVariant *files;      /* a(sts), of the catalogue */
        guint n_fetched;      /* of them */
        bool copy_aliases;
        bool asked;           /* the server, which has it */
        bool fetching;        /* others who want the same wait for this job */
        bool found;           /* it is there already */
        char *replaces;       /* fingerprint of the image that is refreshed, or NULL */
        uid_t owner;          /* of the image; UID_NOBODY: the job's */
        uint64_t last_used;
} ImageJob;

ImageJob *image_job_new(void);
void image_job_free(void *p);

/* The next job's file in archives/, and what tells its worker how much may be there of its owner
 * (for spool_read() of service/worker/image/spool.h). */
char *image_spool_name(const Manager *m, uid_t owner);
void image_put_spool(GVariantDict *args, const Job *job);
/* The same for what is being downloaded, which is counted apart: from there it is brought in like
 * anything else. The `n`th file of the job. */
char *image_fetched_name(const Job *job, gsize n);
void image_put_fetched(GVariantDict *args, const Job *job);

int image_open_archives(Manager *m, Error *ret_error);
/* STATE/archives/NAME, with `suffix` "" or IMAGE_ROOTFS_SUFFIX. */
char *image_archive_path(Manager *m, const char *name, const char *suffix);
/* Removes both; what is not there is no error. */
int image_remove_archives(Manager *m, const char *name, Error *ret_error);

int image_check_aliases(const char *const *aliases, Error *ret_error);
/* The pool of the default profile, else the only one: most launches will want it there. */
char *image_usual_pool(Manager *m);

/* For a worker that has made an archive: takes its result for data->made. */
int image_step_imported(Job *job, GVariant *result, int *fds, size_t n_fds, Error *ret_error);
int image_step_import(Job *job, Error *ret_error);
int image_step_import_undo(Job *job, Error *ret_error);
/* Archive, aliases and record in one step, so that nothing comes between the look whether the image
 * is there and its being there: the same archive may be imported several times at once. */
int image_step_commit(Job *job, Error *ret_error);

int image_step_delete_volume(Job *job, const char *fingerprint, const char *pool,
                             int (*done)(Job *, GVariant *, int *, size_t, Error *),
                             Error *ret_error);
/* Gives the image the aliases of the job, which other images lose. */
int image_take_aliases(Job *job, Image *image, Error *ret_error);
/* Takes the alias from the image that bears it. */
int image_take_alias(Manager *m, const char *alias, Error *ret_error);
