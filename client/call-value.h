/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Values of berth-call: words of a command line into typed values, and typed values into lines.
 *
 *   s o g          the word itself
 *   b              true, false, yes, no, on, off, 1, 0
 *   numbers        decimal
 *   as             A,B,C (a comma in an element as "\,"); "" is an empty list
 *   a{ss}          KEY=VALUE,KEY=VALUE
 *   h              a file name, or "-" for berth-call's own stream
 *   anything else  GVariant's text format, such as "{'eth0': {'type': 'nic'}}"
 */

#include "client/relay.h"
#include "service/util/error.h"

/* File descriptors that values refer to live here until the call is over. */
typedef struct CallFiles {
        GArray *fds;   /* of int, owned */
        Relay *relay;
        bool streams;  /* of a program: files go through pipes */
} CallFiles;

void call_files_init(CallFiles *files);
void call_files_done(CallFiles *files);
/* Closes the fds that were sent; the relay goes on. */
void call_files_close_sent(CallFiles *files);

/* `name` is the argument's or option's, for errors and for the direction of a file. *ret is
 * owned, not floating. */
int call_value_parse(const char *type, const char *name, const char *word, CallFiles *files,
                     GVariant **ret, Error *ret_error);
/* "KEY=VALUE" or "KEY:TYPE=VALUE". Without a type it is that of the known option of the name, or
 * is guessed: true and false are booleans, a number is "t", all else a string. */
int call_option_parse(const char *word, CallFiles *files, char **ret_key, GVariant **ret_value,
                      Error *ret_error);
/* The type of an option that the interfaces document, or NULL. */
const char *call_option_type(const char *key);

/* Lines on standard output: a list has one an element, a dictionary KEY=VALUE. */
void call_value_print(GVariant *value);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CallFiles, call_files_done)
