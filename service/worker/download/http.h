/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * HTTPS, from inside the jail: what is behind a URL, to a file or into memory. Certificates are
 * checked against those that the jail's maker has read; redirections lead to HTTPS alone; there are
 * bounds of size, and servers that send next to nothing are given up. A proxy passes on what is
 * encrypted from end to end.
 */

#include <stdint.h>

#include <glib.h>

#include "service/util/error.h"

typedef struct HttpFetch {
        const char *url;
        GBytes *certificates; /* PEM */
        const char *proxy;    /* URL, or NULL for none */
        const char *direct;   /* hosts that are asked without it, with commas; may be NULL */
        uint64_t size_max;
        void (*progress)(void *userdata, uint64_t size, uint64_t total); /* total 0: not known */
        void (*make_room)(void *userdata, uint64_t size); /* before it is so long; may be NULL */
        void *userdata;
} HttpFetch;

/* A header of an answer that is wanted, and its value: the last one, NULL for none. */
typedef struct HttpHeader {
        const char *name;
        char *value;
} HttpHeader;

/* Asks for headers alone; `more` are lines to be sent. `headers` ends with a NULL name. A server
 * that does not give headers alone says nothing. */
int http_fetch_headers(const HttpFetch *fetch, const char *const *more, HttpHeader *headers,
                       Error *ret_error);
int http_fetch_to_fd(const HttpFetch *fetch, int fd, Error *ret_error);
/* ERROR_NO_SUCH_FILE where the server has nothing of that name. */
int http_fetch_text(const HttpFetch *fetch, GBytes **ret, Error *ret_error);
