/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/download/http.h"

#include <string.h>

#include <curl/curl.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/text.h"

#define CONNECT_SECONDS 30L
/* A server is given up that sends less than so many bytes a second for so many seconds. */
#define SLOW_BYTES 512L
#define SLOW_SECONDS 20L
#define REDIRECTIONS_MAX 5L

/* Where the bytes go, and what went wrong there. */
typedef struct Sink {
        const HttpFetch *fetch;
        int fd;            /* or, with -EBADF, */
        GByteArray *bytes;
        uint64_t size;
        Error *error;
        HttpHeader *headers; /* instead of all that */
        struct curl_slist *more;
} Sink;

static size_t on_data(char *data, size_t one, size_t size, void *userdata) {
        Sink *sink = userdata;
        int r = 0;

        sink->size += size;
        if (sink->size > sink->fetch->size_max)
                r = error_set(sink->error, ERROR_LIMITS_EXCEEDED,
                              "The image server sends more than the %" G_GUINT64_FORMAT
                              " bytes that this may have", sink->fetch->size_max);
        else if (sink->bytes)
                (void) g_byte_array_append(sink->bytes, (const guint8 *) data, (guint) size);
        else {
                if (sink->fetch->make_room)
                        sink->fetch->make_room(sink->fetch->userdata, sink->size);
                r = fd_write_all(sink->fd, data, size);
        }
        if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG)
                (void) error_set(sink->error, ERROR_NO_SPACE,
                                 "There is no space left for what is downloaded");
        else if (r < 0)
                (void) error_set_errno(sink->error, -r, "Cannot store what is downloaded");
        return r < 0 ? 0 : size;
}

static void take_header(HttpHeader *header, const char *line, size_t size) {
        size_t n = strlen(header->name);

        if (size <= n || line[n] != ':' || g_ascii_strncasecmp(line, header->name, n) != 0)
                return;
        g_free(header->value);
        header->value = g_strstrip(g_strndup(line + n + 1, size - n - 1));
}

static size_t on_header(char *line, size_t one, size_t size, void *userdata) {
        const Sink *sink = userdata;

        for (HttpHeader *header = sink->headers; header && header->name; header++)
                take_header(header, line, size);
        return size;
}

static int on_progress(void *userdata, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up) {
        const HttpFetch *fetch = userdata;

        if (fetch->progress)
                fetch->progress(fetch->userdata, (uint64_t) now, total > 0 ? (uint64_t) total : 0);
        return 0;
}

static CURLcode set_certificates(CURL *curl, GBytes *certificates) {
        gsize size;
        const void *data = g_bytes_get_data(certificates, &size);
        struct curl_blob blob = { .data = (void *) data, .len = size, .flags = CURL_BLOB_NOCOPY };
        /* Of servers, and of proxies that are spoken to by HTTPS. */
        const CURLoption none[] = { CURLOPT_CAPATH, CURLOPT_CAINFO, CURLOPT_PROXY_CAPATH,
                                    CURLOPT_PROXY_CAINFO };
        CURLcode code = CURLE_OK;

        for (size_t i = 0; code == CURLE_OK && i < ELEMENTSOF(none); i++)
                code = curl_easy_setopt(curl, none[i], NULL);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
        return code == CURLE_OK ? curl_easy_setopt(curl, CURLOPT_PROXY_CAINFO_BLOB, &blob) : code;
}

static CURLcode set_options(CURL *curl, const HttpFetch *fetch, Sink *sink) {
        const struct {
                CURLoption option;
                long value;
        } numbers[] = {
                { CURLOPT_FOLLOWLOCATION, 1 },
                { CURLOPT_MAXREDIRS, REDIRECTIONS_MAX },
                { CURLOPT_FAILONERROR, 1 },
                { CURLOPT_NOSIGNAL, 1 },
                { CURLOPT_NOPROGRESS, 0 },
                { CURLOPT_NOBODY, sink->headers != NULL },
                { CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS },
                { CURLOPT_LOW_SPEED_LIMIT, SLOW_BYTES },
                { CURLOPT_LOW_SPEED_TIME, SLOW_SECONDS },
                { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
                { CURLOPT_SSL_VERIFYPEER, 1 },
                { CURLOPT_SSL_VERIFYHOST, 2 },
        };
        const struct {
                CURLoption option;
                const char *value;
        } strings[] = {
                { CURLOPT_URL, fetch->url },
                { CURLOPT_PROTOCOLS_STR, "https" },
                { CURLOPT_REDIR_PROTOCOLS_STR, "https" },
                /* Not what an environment says. */
                { CURLOPT_PROXY, fetch->proxy ?: "" },
                { CURLOPT_NOPROXY, fetch->direct ?: "" },
                { CURLOPT_USERAGENT, "berth/" BERTH_VERSION },
                /* Lists are text and shrink to a tenth; archives are compressed already. */
                { CURLOPT_ACCEPT_ENCODING, sink->bytes ? "gzip" : NULL },
        };
        CURLcode code = set_certificates(curl, fetch->certificates);

        for (size_t i = 0; code == CURLE_OK && i < ELEMENTSOF(numbers); i++)
                code = curl_easy_setopt(curl, numbers[i].option, numbers[i].value);
        for (size_t i = 0; code == CURLE_OK && i < ELEMENTSOF(strings); i++)
                code = curl_easy_setopt(curl, strings[i].option, strings[i].value);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_HEADERDATA, sink);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_HTTPHEADER, sink->more);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_XFERINFODATA, fetch);
        return code;
}

/* What curl says of it is for people; which kind of failure it is, for programs. */
static int fetch_failed(CURL *curl, CURLcode code, const char *url, const char *text,
                        Error *ret_error) {
        g_autofree char *shown = text_for_message(*text ? text : curl_easy_strerror(code));
        long status = 0;

        (void) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_HTTP_RETURNED_ERROR && (status == 404 || status == 410))
                return error_set(ret_error, ERROR_NO_SUCH_FILE, "The server has no %s", url);
        if (code == CURLE_OPERATION_TIMEDOUT)
                return error_set(ret_error, ERROR_TIMED_OUT, "The server of %s is too slow: %s",
                                 url, shown);
        if (code == CURLE_UNSUPPORTED_PROTOCOL)
                return error_set(ret_error, ERROR_ACCESS_DENIED,
                                 "The server of %s leads away from HTTPS, where it is not followed",
                                 url);
        if (code == CURLE_PEER_FAILED_VERIFICATION)
                return error_set(ret_error, ERROR_ACCESS_DENIED,
                                 "The certificate of the server of %s is not to be trusted: %s",
                                 url, shown);
        return error_set(ret_error, ERROR_BACKEND_FAILED, "Cannot download %s: %s", url, shown);
}

static bool says_nothing(CURL *curl, CURLcode code, const Sink *sink) {
        long status = 0;

        (void) curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        return sink->headers && code == CURLE_HTTP_RETURNED_ERROR &&
               (status == 405 || status == 501);
}

static int http_fetch(const HttpFetch *fetch, Sink *sink, Error *ret_error) {
        char text[CURL_ERROR_SIZE] = "";
        CURL *curl = curl_easy_init();
        CURLcode code;
        int r = 0;

        if (!curl)
                return -ENOMEM;
        sink->fetch = fetch;
        sink->error = ret_error;
        code = set_options(curl, fetch, sink);
        if (code == CURLE_OK)
                code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
        if (code == CURLE_OK)
                code = curl_easy_perform(curl);
        if (code != CURLE_OK && !says_nothing(curl, code, sink))
                r = fetch_failed(curl, code, fetch->url, text, ret_error);
        curl_easy_cleanup(curl);
        return r;
}

int http_fetch_headers(const HttpFetch *fetch, const char *const *more, HttpHeader *headers,
                       Error *ret_error) {
        Sink sink = { .fd = -EBADF, .headers = headers };
        int r;

        for (const char *const *line = more; *line; line++) {
                struct curl_slist *longer = curl_slist_append(sink.more, *line);

                if (!longer) {
                        curl_slist_free_all(sink.more);
                        return -ENOMEM;
                }
                sink.more = longer;
        }
        r = http_fetch(fetch, &sink, ret_error);
        curl_slist_free_all(sink.more);
        return r;
}

int http_fetch_to_fd(const HttpFetch *fetch, int fd, Error *ret_error) {
        Sink sink = { .fd = fd };

        return http_fetch(fetch, &sink, ret_error);
}

int http_fetch_text(const HttpFetch *fetch, GBytes **ret, Error *ret_error) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        Sink sink = { .fd = -EBADF, .bytes = bytes };
        int r = http_fetch(fetch, &sink, ret_error);

        if (r < 0)
                return r;
        *ret = g_byte_array_free_to_bytes(TAKE_PTR(bytes));
        return 0;
}
