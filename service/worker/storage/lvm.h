/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * LVM's programs. Each is told what it needs to know, whatever the host's lvm.conf says: nobody
 * watches thin pools (berth's report an error when they are full), and no copies of metadata are
 * kept below /etc, which every change of a volume would add to. What they say is asked for by
 * column. Functions return 0 or -errno with an error that says what LVM said.
 */

#include <stdint.h>

#include <glib.h>

#include "service/util/error.h"

/* ERROR_NOT_SUPPORTED, naming the package or the option of the kernel, where something is missing
 * that pools of driver lvm need; `filesystem` is that of their volumes. */
int lvm_check(const char *filesystem, Error *ret_error);
/* Runs "lvcreate" or the like; the arguments end with NULL. */
int lvm_run(Error *ret_error, const char *program, ...) G_GNUC_NULL_TERMINATED;
/* The rows that "vgs" or the like reports, each a GStrv of the values of `columns` (separated by
 * commas); sizes are in bytes. Arguments as above. */
int lvm_report(Error *ret_error, GPtrArray **ret, const char *program, const char *columns, ...)
        G_GNUC_NULL_TERMINATED;
