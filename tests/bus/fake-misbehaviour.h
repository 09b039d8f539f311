/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a worker should not say to berthd: that many bytes that are no message, an event with more
 * fds than there may be, an error in these words, with which it ends. */

#include <stddef.h>

#include <glib.h>

#include "service/worker/worker.h"

void fake_send_raw(size_t size);
void fake_send_crowd(Worker *worker);
void fake_send_error(const char *name, const char *text) G_GNUC_NORETURN;
