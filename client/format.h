/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Values in the form that people read. Whatever comes from the service, an image or a container
 * goes through format_printable() before it may reach a terminal.
 */

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* The text with every character that does not print (controls, escapes, direction overrides, bytes
 * that are no UTF-8) written as \xHH or \uHHHH. */
char *format_printable(const char *text);
/* The same for text of several lines: newlines and tabs stay. */
char *format_printable_lines(const char *text);
/* Decimal units, such as "347.75MB". */
char *format_size(uint64_t bytes);
/* Binary units, such as "69.01MiB". */
char *format_size_binary(uint64_t bytes);
/* Microseconds since the epoch as "2017/09/08 02:07 UTC" in the local time zone; "" for 0. */
char *format_time(uint64_t usec);
/* The same as in RFC 3339, always UTC; "0001-01-01T00:00:00Z", as LXD has it, for 0. */
char *format_time_rfc3339(uint64_t usec);
/* The opposite; the year 1 and "" are 0. */
int parse_time_rfc3339(const char *text, uint64_t *ret_usec);

/* Strings with newlines or ", " between them. */
char *format_join(const GPtrArray *strings, const char *separator);

/* Sorts strings by their bytes. */
void format_sort(GPtrArray *strings);

/* Whole strings only: true, on, yes, 1 and their opposites; decimal numbers. */
int parse_boolean(const char *s, bool *ret);
int parse_number(const char *s, uint64_t *ret);
/* "KEY=VALUE" into its halves; -EINVAL without a "=" or without a key. */
int parse_assignment(const char *s, char **ret_key, char **ret_value);
