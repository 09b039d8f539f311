/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/tar-check.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "service/util/cleanup.h"

#define BLOCK_SIZE 512U
/* More than names, attributes and access lists of any file take; libarchive's own bound. */
#define RECORDS_SIZE_MAX (1U << 20)

/* GNU tar takes memory for as many as it is told of. */
#define SPARSE_PARTS_MAX (1U << 20)
/* Not only what the records can say, but what a clock can. */
#define TIME_DIGITS_MAX 15

/* Of numbers in binary; nearly 9 million years, or 256 TiB. */
#define BINARY_BYTES_MAX 6

/* A header as all formats have it, and the places where a sparse file's list goes on. */
#define SIZE_AT 124
#define TYPE_AT 156
#define SPARSE_GOES_ON_AT 482
#define SPARSE_BLOCK_GOES_ON_AT 504

typedef enum Expected {
        EXPECT_HEADER,
        EXPECT_SPARSE, /* more of the list of an old sparse file */
        EXPECT_RECORDS,
        EXPECT_NOTHING,
} Expected;

struct TarCheck {
        Expected expected;
        unsigned char block[BLOCK_SIZE];
        size_t filled;
        uint64_t skip;       /* bytes of content that are still to come */
        GByteArray *records; /* of an extended header */
        uint64_t records_left;
        char records_type;
        bool is_renamed, is_sparse; /* what they say of GNU's sparse files */
        char before[3];      /* types of the headers that stand before an entry's own */
        uint64_t size;       /* as the records say; UINT64_MAX: they do not */
        uint64_t sparse_size;
};

TarCheck *tar_check_new(void) {
        TarCheck *check = g_new(TarCheck, 1);

        *check = (TarCheck) { .records = g_byte_array_new(), .size = UINT64_MAX };
        return check;
}

TarCheck *tar_check_free(TarCheck *check) {
        if (!check)
                return NULL;
        g_byte_array_unref(check->records);
        g_free(check);
        return NULL;
}

static int ambiguous(const char *what, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_IMAGE,
                         "The archive has %s, of which programs make different things; make it "
                         "anew with tar", what);
}

/* --- Numbers ----------------------------------------------------------------------------- */

/* Octal digits, which a blank or the end of the field ends. */
static bool parse_octal(const unsigned char *field, size_t n, uint64_t *ret) {
        uint64_t value = 0;
        size_t i = 0;

        while (i < n && field[i] == ' ')
                i++;
        if (i == n)
                return false;
        for (; i < n && field[i] >= '0' && field[i] <= '7'; i++)
                value = value << 3 | (uint64_t) (field[i] - '0');
        if (i < n && field[i] != ' ' && field[i] != '\0')
                return false;
        *ret = value;
        return true;
}

/* What does not fit into octal digits is in binary behind a mark, of either sign. Of negative
 * numbers only that they are none of these matters. */
static bool parse_number(const unsigned char *field, size_t n, uint64_t *ret) {
        uint64_t value = 0;

        if (!(field[0] & 0x80))
                return parse_octal(field, n, ret);
        if (field[0] != 0x80 && field[0] != 0xff)
                return false;
        for (size_t i = 1; i < n; i++) {
                if (i < n - BINARY_BYTES_MAX && field[i] != (field[0] == 0xff ? 0xff : 0))
                        return false;
                value = value << 8 | field[i];
        }
        *ret = value;
        return true;
}

static int check_numbers(const unsigned char *header, uint64_t *ret_size, Error *ret_error) {
        static const struct {
                const char *name;
                size_t at, size;
        } fields[] = {
                { "a mode that is no number", 100, 8 },
                { "a user id that is no number", 108, 8 },
                { "a group id that is no number", 116, 8 },
                { "a size that is no number", SIZE_AT, 12 },
                { "a time that is no number", 136, 12 },
        };

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                uint64_t value;

                if (!parse_number(header + fields[i].at, fields[i].size, &value))
                        return ambiguous(fields[i].name, ret_error);
                if (fields[i].at == SIZE_AT)
                        *ret_size = value;
        }
        return 0;
}

/* libarchive refuses a header with another sum; so does this, as it could not go on from there. */
static bool has_sum(const unsigned char *header) {
        uint64_t wanted, sum = 0;
        int64_t signed_sum = 0;

        for (size_t i = 0; i < BLOCK_SIZE; i++) {
                unsigned char c = i >= 148 && i < 156 ? ' ' : header[i];

                sum += c;
                signed_sum += (signed char) c;
        }
        return parse_octal(header + 148, 8, &wanted) &&
               (wanted == sum || (int64_t) wanted == signed_sum);
}

/* --- Extended headers -------------------------------------------------------------------- */

/* Seconds since 1970, and perhaps a fraction. */
static bool is_time(const char *text) {
        const char *digits = text[0] == '-' ? text + 1 : text;
        size_t n = strspn(digits, "0123456789"), fraction = 0;

        if (digits[n] == '.')
                fraction = 1 + strspn(digits + n + 1, "0123456789");
        return n > 0 && n <= TIME_DIGITS_MAX && digits[n + fraction] == '\0';
}

/* Which ids there may be is for others to say. */
static bool is_integer(const char *text) {
        const char *digits = text[0] == '-' ? text + 1 : text;

        return digits[0] != '\0' && digits[strspn(digits, "0123456789")] == '\0';
}

static int check_record(TarCheck *check, const char *key, const char *value, Error *ret_error) {
        static const char *const ids[] = { "uid", "gid", NULL };
        static const char *const numbers[] = {
                "size", "GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.size",
                "GNU.sparse.realsize", "GNU.sparse.numblocks", "GNU.sparse.offset",
                "GNU.sparse.numbytes", NULL,
        };
        static const char *const times[] = { "mtime", "atime", "ctime", NULL };
        guint64 number;

        /* They would hold for all entries that follow; libarchive passes over them. */
        if (check->records_type == 'g')
                return g_str_equal(key, "comment") ? 0 :
                       ambiguous("global records other than a comment", ret_error);
        if (g_strv_contains(times, key) && !is_time(value))
                return ambiguous("a time that is none", ret_error);
        if (g_strv_contains(ids, key) && !is_integer(value))
                return ambiguous("an id that is no number", ret_error);
        if (g_str_equal(key, "GNU.sparse.name"))
                check->is_renamed = true;
        else if (g_str_has_prefix(key, "GNU.sparse."))
                check->is_sparse = true;
        if (!g_strv_contains(numbers, key))
                return 0;
        if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &number, NULL) ||
            (g_str_equal(key, "GNU.sparse.numblocks") && number > SPARSE_PARTS_MAX))
                return ambiguous("a size that is no number", ret_error);
        if (g_str_equal(key, "size"))
                check->size = number;
        return 0;
}

/* Records are "LENGTH KEY=VALUE\n", the length being that of all of it. */
static int check_records(TarCheck *check, Error *ret_error) {
        const char *at = (const char *) check->records->data;
        size_t left = check->records->len;

        while (left > 0) {
                const char *blank = memchr(at, ' ', MIN(left, 8)), *equal;
                g_autofree char *number = blank ? g_strndup(at, (size_t) (blank - at)) : NULL;
                g_autofree char *key = NULL, *value = NULL;
                guint64 length;
                int r;

                if (!number || number[0] == '0' ||
                    !g_ascii_string_to_unsigned(number, 10, 1, left, &length, NULL) ||
                    at + length <= blank + 1 || at[length - 1] != '\n')
                        return ambiguous("a record of another length than it says", ret_error);
                equal = memchr(blank + 1, '=', (size_t) (at + length - blank - 1));
                if (!equal || equal == blank + 1)
                        return ambiguous("a record without a name", ret_error);
                key = g_strndup(blank + 1, (size_t) (equal - blank - 1));
                value = g_strndup(equal + 1, (size_t) (at + length - equal - 2));
                r = check_record(check, key, value, ret_error);
                if (r < 0)
                        return r;
                at += length;
                left -= length;
        }
        return check->is_renamed && !check->is_sparse ?
                       ambiguous("a sparse file's name for one that is none", ret_error) : 0;
}

static int begin_records(TarCheck *check, uint64_t size, char type, Error *ret_error) {
        if (size > RECORDS_SIZE_MAX)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive has extended headers of more than %u MiB",
                                 RECORDS_SIZE_MAX >> 20);
        g_byte_array_set_size(check->records, 0);
        check->is_renamed = check->is_sparse = false;
        check->records_type = type;
        check->records_left = size;
        check->expected = size > 0 ? EXPECT_RECORDS : EXPECT_HEADER;
        return 0;
}

/* Long names are headers of GNU's format, records of POSIX's. Which of two that say the same counts
 * is not the same everywhere. */
static int add_before(TarCheck *check, char type, Error *ret_error) {
        size_t n = strlen(check->before);

        if (strchr(check->before, type) || strchr(check->before, 'x') || (type == 'x' && n > 0))
                return ambiguous("several extended headers for one entry", ret_error);
        check->before[n] = type;
        return 0;
}

/* --- Entries ----------------------------------------------------------------------------- */

static void skip_content(TarCheck *check, uint64_t size) {
        check->skip = size > UINT64_MAX - BLOCK_SIZE ? UINT64_MAX :
                      (size + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
        check->expected = EXPECT_HEADER;
}

static bool is_named_like_directory(const unsigned char *header) {
        size_t n = strnlen((const char *) header, 100);

        return n > 0 && header[n - 1] == '/';
}

static int check_entry(TarCheck *check, uint64_t header_size, Error *ret_error) {
        char type = (char) check->block[TYPE_AT];
        uint64_t size = check->size == UINT64_MAX ? header_size : check->size;
        bool is_file = strchr("07S", type) || type == '\0';

        memset(check->before, 0, sizeof(check->before));
        check->size = UINT64_MAX;
        if (!is_file && !strchr("123456", type))
                return ambiguous("an entry of a kind that is not known", ret_error);
        if (size > 0 && (!is_file || is_named_like_directory(check->block)))
                return ambiguous("content of an entry that is no file", ret_error);
        if ((type == '7' || type == 'S') && is_named_like_directory(check->block))
                return ambiguous("a file that is named like a directory", ret_error);
        if (type == 'S' && check->block[SPARSE_GOES_ON_AT]) {
                check->sparse_size = size;
                check->expected = EXPECT_SPARSE;
        } else
                skip_content(check, size);
        return 0;
}

static bool is_zero(const unsigned char *block) {
        return block[0] == '\0' && memcmp(block, block + 1, BLOCK_SIZE - 1) == 0;
}

static int check_header(TarCheck *check, Error *ret_error) {
        char type = (char) check->block[TYPE_AT];
        uint64_t size = 0;
        int r;

        if (is_zero(check->block)) {
                check->expected = EXPECT_NOTHING;
                return 0;
        }
        if (!has_sum(check->block))
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The archive is damaged, cut off or not a tar archive (a header "
                                 "has another checksum than it says)");
        r = check_numbers(check->block, &size, ret_error);
        if (r < 0)
                return r;
        switch (type) {
        case 'L':
        case 'K':
                r = add_before(check, type, ret_error);
                skip_content(check, size);
                return r;
        case 'x':
                r = add_before(check, type, ret_error);
                return r < 0 ? r : begin_records(check, size, type, ret_error);
        case 'g':
                return begin_records(check, size, type, ret_error);
        default:
                return check_entry(check, size, ret_error);
        }
}

/* --- The stream -------------------------------------------------------------------------- */

static int check_block(TarCheck *check, Error *ret_error) {
        int r = 0;

        switch (check->expected) {
        case EXPECT_HEADER:
                return check_header(check, ret_error);
        case EXPECT_SPARSE:
                if (!check->block[SPARSE_BLOCK_GOES_ON_AT])
                        skip_content(check, check->sparse_size);
                return 0;
        case EXPECT_RECORDS: {
                guint n = (guint) MIN(check->records_left, BLOCK_SIZE);

                g_byte_array_append(check->records, check->block, n);
                check->records_left -= n;
                if (check->records_left > 0)
                        return 0;
                check->expected = EXPECT_HEADER;
                r = check_records(check, ret_error);
                break;
        }
        case EXPECT_NOTHING:
                break;
        }
        return r;
}

int tar_check_feed(TarCheck *check, const void *data, size_t size, Error *ret_error) {
        const unsigned char *at = data;

        while (size > 0 && check->expected != EXPECT_NOTHING) {
                size_t n = (size_t) MIN(check->skip, size);
                int r;

                check->skip -= n;
                at += n;
                size -= n;
                n = MIN(BLOCK_SIZE - check->filled, size);
                memcpy(check->block + check->filled, at, n);
                check->filled += n;
                at += n;
                size -= n;
                if (check->filled < BLOCK_SIZE)
                        return 0;
                check->filled = 0;
                r = check_block(check, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}
