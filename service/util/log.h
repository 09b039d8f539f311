/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The log of service and workers: lines on standard error, with a <priority> prefix where systemd
 * reads them (JOURNAL_STREAM is set), or syslog where standard error leads nowhere. What a user
 * must learn travels in Error. Never log a secret. A message is one line: control characters in it
 * become "?".
 */

#include <syslog.h>

#include <glib.h>

void log_open(void);
void log_set_max_level(int level);
int log_get_max_level(void);
/* "console", "journal" or "syslog" */
const char *log_get_target(void);
void log_write(int level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERR, __VA_ARGS__)
