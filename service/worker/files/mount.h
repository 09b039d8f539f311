/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container's files as a file system that a user of the host has mounted: OPERATION_MOUNT.
 *
 * The user's fd of /dev/fuse is served in the child that is inside (service/worker/files/inside.h):
 * everything happens as the container's root, and nothing but the container's files is in reach.
 * libfuse takes the kernel's requests apart and puts the answers together. That the other end of
 * the fd is the kernel is made sure of, but the user can have a copy of it and answer requests in
 * our place, so numbers in requests are looked up and sizes bounded.
 *
 * Nothing is cached by the kernel longer than a call takes: the container changes its files without
 * telling anybody.
 */

#define FUSE_USE_VERSION 34
#include <fuse_lowlevel.h>

#include "service/worker/files/inside.h"
#include "service/worker/files/mount-handle.h"
#include "service/worker/files/mount-node.h"

/* The most that is read at a time. */
#define MOUNT_BUFFER_SIZE (1U << 20)

typedef struct Mount {
        const char *path; /* of the directory that is mounted */
        int fuse_fd;

        const Inside *inside;
        NodeTable *nodes;
        HandleTable *handles;
        char *mounted;    /* where that directory is, without links */
        char *buffer;
        bool begun;
} Mount;

int mount_serve(Worker *worker, GVariantDict *result, Error *ret_error);

/* Opens what an O_PATH fd is of. Returns the fd or -errno. */
int mount_reopen(const Mount *mount, int fd, int flags);
/* Opens a regular file as the flags of an open() say it, which are not believed. */
int mount_open_file(const Mount *mount, int fd, int flags);

/* Answers: names, kinds and owners of files (mount-names.c); what is in them (mount-data.c). */
void mount_answer_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void mount_answer_forget(fuse_req_t req, fuse_ino_t id, uint64_t n);
void mount_answer_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void mount_answer_setattr(fuse_req_t req, fuse_ino_t id, struct stat *attr, int which,
                          struct fuse_file_info *info);
void mount_answer_readlink(fuse_req_t req, fuse_ino_t id);
void mount_answer_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                        dev_t device);
void mount_answer_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void mount_answer_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void mount_answer_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t parent, const char *name);
void mount_answer_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void mount_answer_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void mount_answer_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
                         const char *new_name, unsigned flags);

void mount_answer_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void mount_answer_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                         struct fuse_file_info *info);
void mount_answer_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void mount_answer_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
                       struct fuse_file_info *info);
void mount_answer_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size, off_t offset,
                        struct fuse_file_info *info);
void mount_answer_fsync(fuse_req_t req, fuse_ino_t id, int data_only, struct fuse_file_info *info);
void mount_answer_lseek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence,
                        struct fuse_file_info *info);
void mount_answer_fallocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset, off_t length,
                            struct fuse_file_info *info);
void mount_answer_opendir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void mount_answer_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset,
                          struct fuse_file_info *info);
void mount_answer_releasedir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *info);
void mount_answer_fsyncdir(fuse_req_t req, fuse_ino_t id, int data_only,
                           struct fuse_file_info *info);
void mount_answer_statfs(fuse_req_t req, fuse_ino_t id);

/* What a lookup found, for the kernel. */
void mount_fill_entry(const Node *node, const struct stat *st, struct fuse_entry_param *ret);
