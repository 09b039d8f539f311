/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the clients of two hosts say to each other while a container goes from one to the other,
 * through a pipe or socket in each direction that something like ssh carries:
 *
 *   who sends                                who receives
 *   HELO "1 MODE NAME"
 *                                            HELO "1"
 *   CONT CONT ... CONT (empty)  an archive, as Export() writes it
 *   STAT STAT ... STAT (empty)  only with a state: as SendState() writes it
 *                                            REDY  all is there, nothing runs
 *   GOES  from here on it is theirs
 *                                            DONE  it is as it is to be
 *
 * and instead of any of these FAIL with words for people; after GOES only when nothing of it is
 * there any more. A frame is four letters, the number of bytes that follow (32 bits, the highest
 * first), and these. Neither side is trusted with more than its user could do by hand: what is in
 * an archive or a state is checked by the service.
 */

#include <stddef.h>
#include <sys/types.h>

#include "service/util/error.h"

typedef enum FrameKind {
        FRAME_HELLO,
        FRAME_CONTAINER,
        FRAME_STATE,
        FRAME_READY,
        FRAME_GO,
        FRAME_DONE,
        FRAME_FAIL,
        _FRAME_KIND_MAX,
} FrameKind;

/* 0 or -errno. */
int frame_send(int fd, FrameKind kind, const void *data, size_t size);
int frame_send_text(int fd, FrameKind kind, const char *text);
/* A short one, of that kind; what it says, to be freed (NULL: of no interest). Where it is FAIL
 * instead, what that says becomes an ERROR_BACKEND_FAILED, and nothing else does. */
int frame_expect(int fd, FrameKind kind, char **ret_text, Error *ret_error);

/* A process that makes frames of all that it reads, or writes what is in frames up to the empty
 * one. -errno, or its pid. */
pid_t frame_pump_out(int from, int to, FrameKind kind);
pid_t frame_pump_in(int from, int to, FrameKind kind);
/* Whether it came to a good end: 0, -EPIPE where the other side is gone, -ECANCELED where it has
 * sent FAIL. */
int frame_pump_wait(pid_t pid);
