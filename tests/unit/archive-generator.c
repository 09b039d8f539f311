/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/archive-generator.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "service/util/cleanup.h"
#include "tests/unit/tar-builder.h"

#define TAR_BLOCK 512

#define PICK(_rand, _array) ((_array)[g_rand_int_range(_rand, 0, ELEMENTSOF(_array))])

static bool one_in(GRand *rand, int n) {
        return g_rand_int_range(rand, 0, n) == 0;
}

/* --- Metadata ---------------------------------------------------------------------------- */

/* A whole document, a line of flow style for every node. */
static const struct {
        const char *before;
        const char *value;
        const char *after;
} yaml_nodes[] = {
        { "architecture: ", "amd64", "\n" },
        { "creation_date: ", "1577836800", "\n" },
        { "expiry_date: ", "1893456000", "\n" },
        { "properties: {os: ", "Test", ", " },
        { "release: ", "\"1\"", ", " },
        { "description: ", "A test", "}\n" },
        { "templates: {/etc/hostname: {template: ", "t.tpl", ", " },
        { "when: ", "[create, copy]", ", " },
        { "create_only: ", "true", ", " },
        { "properties: ", "{a: b}", "}, " },
        { "/etc/hosts: ", "{when: [start], template: t.tpl}", "}\n" },
        { "other: ", "[1, {a: b}]", "\n" },
};

static char *yaml_value(GRand *rand) {
        static const char *const values[] = {
                "", "~", "null", "\"\"", "0", "-1", "1e9", "99999999999999999999", "0x10",
                "true", "yes", "[]", "[a]", "[[a]]", "{}", "{a: b}", "{a: {b: c}}", "&a x",
                "*a", "!!str x", "!x y", "\"\\e[2J\"", "\"\\0\"", "\"\\u202e\"", "'../x'",
                "/etc/passwd", "..", "a/b", "[*a, *a]", "<<: *a", "x, x", "{a: 1, a: 2}", "[",
                "]", "{", "}", "\"", "'", "@", "`", "|\n  x\n", ">\n  x\n", "? x", "- x", "#",
                "%TAG", "---", "...", "\t", "\xff", "\xe2", "\xef\xbb\xbf", "[1, ~, {}]", "nan",
                ".inf", "2020-01-01",
        };

        if (one_in(rand, 12)) {
                static const char fill[] = "[{-x&*!\"'# \n";
                g_autofree char *many =
                        g_strnfill((gsize) g_rand_int_range(rand, 20, 3000),
                                   fill[g_rand_int_range(rand, 0, sizeof(fill) - 1)]);

                return TAKE_PTR(many);
        }
        return g_strdup(PICK(rand, values));
}

/* `broken`: which node is dropped, doubled, or has another value; -1 for none. */
static char *make_yaml(GRand *rand, int broken) {
        GString *out = g_string_new(NULL);

        for (int i = 0; i < (int) ELEMENTSOF(yaml_nodes); i++) {
                g_autofree char *value = g_strdup(yaml_nodes[i].value);
                int times = 1;

                if (i == broken) {
                        times = PICK(rand, ((int[]) { 0, 1, 1, 1, 1, 2 }));
                        if (times == 1) {
                                g_free(value);
                                value = yaml_value(rand);
                        }
                }
                for (int k = 0; k < times; k++)
                        g_string_append_printf(out, "%s%s%s", yaml_nodes[i].before, value,
                                               k + 1 < times ? ", " : yaml_nodes[i].after);
                if (times == 0)
                        g_string_append(out, yaml_nodes[i].after);
        }
        return g_string_free(out, FALSE);
}

/* --- Sound images ------------------------------------------------------------------------ */

static void add_special(TarBuilder *builder, const char *name, mode_t mode) {
        struct archive_entry *entry = tar_entry_new(name, mode);

        archive_entry_set_rdev(entry, makedev(1, 3));
        tar_builder_add(builder, entry, NULL, 0);
}

static void add_pax_only(TarBuilder *builder) {
        static const guint8 capability[20] = { 0x01, 0x00, 0x00, 0x02, 0x00, 0x20 };
        struct archive_entry *entry = tar_entry_new("rootfs/usr/bin/ping", S_IFREG | 0755);
        char content[9000] = "begin";

        archive_entry_xattr_add_entry(entry, "security.capability", capability, 20);
        archive_entry_xattr_add_entry(entry, "user.x", "y", 1);
        archive_entry_acl_add_entry(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ARCHIVE_ENTRY_ACL_READ,
                                    ARCHIVE_ENTRY_ACL_USER, 7, "x");
        archive_entry_acl_add_entry(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ARCHIVE_ENTRY_ACL_READ,
                                    ARCHIVE_ENTRY_ACL_MASK, -1, NULL);
        tar_builder_add(builder, entry, "ping", 4);
        entry = tar_entry_new("rootfs/sparse", S_IFREG | 0644);
        archive_entry_set_size(entry, sizeof(content));
        archive_entry_sparse_add_entry(entry, 0, 512);
        archive_entry_sparse_add_entry(entry, 8192, 512);
        tar_builder_add(builder, entry, content, sizeof(content));
}

static GByteArray *make_base(GRand *rand, const char *yaml) {
        static const int formats[] = {
                TAR_FORMAT_V7, ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FORMAT_TAR_GNUTAR,
                ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE,
        };
        int format = PICK(rand, formats);
        g_autoptr(TarBuilder) builder = tar_builder_new(format, ARCHIVE_FILTER_NONE);
        g_autofree char *long_name = g_strdup_printf("rootfs/%0200d", 1);

        tar_builder_add_file(builder, "metadata.yaml", yaml);
        tar_builder_add_directory(builder, "templates/");
        tar_builder_add_file(builder, "templates/t.tpl", "{{ container.name }}\n");
        tar_builder_add_directory(builder, "rootfs/");
        tar_builder_add_directory(builder, "rootfs/usr/");
        tar_builder_add_directory(builder, "rootfs/usr/bin/");
        tar_builder_add_program(builder, "rootfs/usr/bin/sh");
        tar_builder_add_symlink(builder, "rootfs/bin", "usr/bin");
        tar_builder_add_link(builder, "rootfs/usr/bin/ash", "rootfs/usr/bin/sh");
        tar_builder_add_file(builder, "rootfs/etc/os-release", "ID=test\n");
        if (format != TAR_FORMAT_V7) {
                add_special(builder, "rootfs/dev/null", S_IFCHR | 0666);
                add_special(builder, "rootfs/fifo", S_IFIFO | 0644);
        }
        if (format != TAR_FORMAT_V7 && format != ARCHIVE_FORMAT_TAR_USTAR)
                tar_builder_add_file(builder, long_name, "long");
        if (format == ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE)
                add_pax_only(builder);
        return g_bytes_unref_to_array(tar_builder_finish(builder));
}

/* --- Places ------------------------------------------------------------------------------ */

static guint block_count(const GByteArray *tar) {
        return tar->len / TAR_BLOCK;
}

/* Offsets of the headers, as far as their sizes tell; never empty. */
static GArray *find_headers(const GByteArray *tar) {
        GArray *headers = g_array_new(FALSE, FALSE, sizeof(guint));
        guint64 size = 0;

        for (guint64 at = 0; at + TAR_BLOCK <= tar->len && tar->data[at] != '\0';
             at += TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK) {
                g_autofree char *text = g_strndup((const char *) tar->data + at + 124, 11);
                guint offset = (guint) at;

                g_array_append_val(headers, offset);
                size = g_ascii_strtoull(text, NULL, 8);
        }
        if (headers->len == 0) {
                guint offset = 0;

                g_array_append_val(headers, offset);
        }
        return headers;
}

static guint pick_header(GRand *rand, const GByteArray *tar) {
        g_autoptr(GArray) headers = find_headers(tar);

        return g_array_index(headers, guint, g_rand_int_range(rand, 0, (gint32) headers->len));
}

static void splice(GByteArray *tar, guint at, const guint8 *data, guint size) {
        g_autofree guint8 *copy = g_memdup2(data, size);
        guint old = tar->len;

        if (size == 0)
                return;
        g_byte_array_set_size(tar, old + size);
        memmove(tar->data + at + size, tar->data + at, old - at);
        memcpy(tar->data + at, copy, size);
}

/* --- Changes ----------------------------------------------------------------------------- */

static void change_header(GRand *rand, GByteArray *tar) {
        static const struct {
                guint at;
                guint size;
        } fields[] = {
                { 0, 100 }, { 100, 8 }, { 108, 8 }, { 116, 8 }, { 124, 12 }, { 136, 12 },
                { 148, 8 }, { 156, 1 }, { 157, 100 }, { 257, 8 }, { 265, 32 }, { 329, 8 },
                { 337, 8 }, { 345, 155 }, { 386, 24 }, { 482, 1 }, { 483, 12 },
        };
        static const char *const numbers[] = {
                "", "0000000", "7777777", "77777777777", "00000000001", "77777777777777", "-1",
                "99999999999", "0x10", "      ", " 1", "1 ", "\x80",
                "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                "\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                "\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\xc0", "0200000",
                "00000010000",
        };
        static const char *const names[] = {
                "", "/", ".", "..", "../x", "/etc/x", "rootfs", "rootfs/", "rootfs/..",
                "rootfs/bin", "rootfs/bin/x", "metadata.yaml", "templates", "templates/../x",
                "templates/t.tpl", "rootfs//x", "rootfs/./x", "\xff\xfe", "rootfs/\x1b[2J",
                "rootfs/usr/bin/sh/x",
        };
        static const char types[] = "01234567LKxgASDVMNXI\0 Z\x80";
        guint8 *header = tar->data + pick_header(rand, tar);
        guint f = (guint) g_rand_int_range(rand, 0, ELEMENTSOF(fields));
        guint8 *field = header + fields[f].at;

        if (tar->len < TAR_BLOCK)
                return;
        if (fields[f].size == 1)
                *field = (guint8) types[g_rand_int_range(rand, 0, sizeof(types) - 1)];
        else if (one_in(rand, 5))
                for (guint i = 0; i < fields[f].size; i++)
                        field[i] = (guint8) g_rand_int(rand);
        else {
                const char *text = fields[f].size >= 32 ? PICK(rand, names) : PICK(rand, numbers);

                memset(field, 0, fields[f].size);
                memcpy(field, text, MIN(strlen(text), fields[f].size));
        }
        if (!one_in(rand, 10))
                tar_fix_sum(header);
}

static void change_bytes(GRand *rand, GByteArray *tar) {
        for (int i = g_rand_int_range(rand, 1, 17); i > 0 && tar->len > 0; i--)
                tar->data[g_rand_int_range(rand, 0, (gint32) tar->len)] ^=
                        (guint8) (1U << g_rand_int_range(rand, 0, 8));
}

/* Cuts, doubles, moves, or adds blocks or, sometimes, bytes. */
static void change_structure(GRand *rand, GByteArray *tar) {
        guint unit = one_in(rand, 5) ? 1 : TAR_BLOCK;
        guint from = (guint) g_rand_int_range(rand, 0, (gint32) (tar->len / unit) + 1) * unit;
        guint wanted = (guint) g_rand_int_range(rand, 1, 9) * unit;
        guint n = MIN(wanted, tar->len - from);

        switch (g_rand_int_range(rand, 0, 5)) {
        case 0:
                g_byte_array_set_size(tar, from);
                break;
        case 1:
                g_byte_array_remove_range(tar, from, n);
                break;
        case 2:
                splice(tar, from, tar->data + from, n);
                break;
        case 3: {
                g_autofree guint8 *piece = g_memdup2(tar->data + from, n);

                g_byte_array_remove_range(tar, from, n);
                splice(tar, (guint) g_rand_int_range(rand, 0, (gint32) block_count(tar) + 1) *
                                    TAR_BLOCK, piece, n);
                break;
        }
        default: {
                guint8 noise[2 * TAR_BLOCK];

                for (guint i = 0; i < sizeof(noise); i++)
                        noise[i] = one_in(rand, 2) ? 0 : (guint8) g_rand_int(rand);
                splice(tar, from, noise, unit == 1 ? 7 : sizeof(noise));
        }
        }
}

static void append_broken_pax(GRand *rand, GByteArray *tar) {
        static const char *const records[] = {
                "", "0", "0 ", "1 ", "5 a=b\n", "6 a=bc\n", "99999 path=x\n", "-5 path=x\n",
                "path=x\n", "12 path=x", "11 path x\n", "9 =path\n\n", "4 \n\n",
                "99999999999999999999 a=b\n", "10 path=x\n10 path=", " 10 path=x\n",
                "010 path=x\n", "\n", "10\tpath=x\n",
        };
        const char *record = PICK(rand, records);

        tar_append(tar, "pax", one_in(rand, 4) ? 'g' : 'x', NULL, record, strlen(record));
}

static void append_pax(GRand *rand, GByteArray *tar) {
        static const char *const keys[] = {
                "path", "linkpath", "size", "uid", "gid", "mtime", "atime", "ctime", "uname",
                "hdrcharset", "charset", "comment", "SCHILY.xattr.user.x", "SCHILY.xattr.",
                "SCHILY.xattr.security.capability", "SCHILY.xattr.trusted.overlay.opaque",
                "SCHILY.xattr.system.posix_acl_access", "LIBARCHIVE.xattr.user.x",
                "LIBARCHIVE.xattr.%75%7", "LIBARCHIVE.creationtime", "LIBARCHIVE.symlinktype",
                "SCHILY.acl.access", "SCHILY.acl.default", "SCHILY.acl.ace", "SCHILY.dev",
                "SCHILY.ino", "SCHILY.nlink", "SCHILY.realsize", "SCHILY.fflags",
                "SCHILY.devmajor", "RHT.security.selinux", "SUN.holesdata", "GNU.sparse.major",
                "GNU.sparse.minor", "GNU.sparse.size", "GNU.sparse.realsize", "GNU.sparse.name",
                "GNU.sparse.map", "GNU.sparse.offset", "GNU.sparse.numbytes",
                "GNU.sparse.numblocks", "",
        };
        static const char *const values[] = {
                "", "0", "1", "-1", "512", "65536", "4294967295", "4294967296",
                "9223372036854775807", "9223372036854775808", "99999999999999999999999",
                "-9223372036854775809", "1.5", "-1.999999999", "1e9", "nan", "../x",
                "/etc/passwd", "rootfs/x", "rootfs/../../x", "rootfs/bin/x", "metadata.yaml",
                "rootfs", "\xff\xfe", "BINARY", "ISO-IR 10646 2000 UTF-8", "0,512,512,512",
                "512,512,0,512", "0,9223372036854775807,1,1", ",,,", "user::rwx",
                "user::rwx,user:x:rwx:7,mask::r",
                "user:x:rwx:70000,mask::rwx,group::r,other::r,user::r", "owner@:rwx::allow",
                "user:::::,,,:", "\1\0\0\2\0\40\0\0", "a=b\nc=d", "c3Q", "====", "sappnd",
        };
        const char *key = PICK(rand, keys), *value = PICK(rand, values);

        if (one_in(rand, 15)) {
                g_autofree char *many = g_strnfill((gsize) g_rand_int_range(rand, 200, 80000),
                                                   "x/0."[g_rand_int_range(rand, 0, 4)]);

                tar_append_pax(tar, key, many, strlen(many));
        } else if (one_in(rand, 20))
                tar_append_pax(tar, key, "rootfs/x\0/../../y", 17);
        else
                tar_append_pax(tar, key, value, strlen(value));
}

static void append_long(GRand *rand, GByteArray *tar) {
        static const char *const names[] = {
                "", "x", "rootfs/x", "rootfs/../x", "/etc/passwd", "rootfs/bin/x", "rootfs",
                "metadata.yaml", "\xff",
        };
        g_autofree char *many = g_strnfill((gsize) g_rand_int_range(rand, 1, 6000), 'x');
        const char *name = one_in(rand, 3) ? many : PICK(rand, names);

        for (int i = g_rand_int_range(rand, 1, 4); i > 0; i--)
                tar_append(tar, "././@LongLink", one_in(rand, 2) ? 'L' : 'K', NULL, name,
                           strlen(name) + (gsize) g_rand_int_range(rand, 0, 2));
}

/* Entries of names and kinds that have to do with each other. */
static void append_entries(GRand *rand, GByteArray *tar) {
        static const char *const names[] = {
                "rootfs/a", "rootfs/a/", "rootfs/a/b", "rootfs/a/b/c", "rootfs/b", "rootfs/b/a",
                "rootfs/bin", "rootfs/bin/x", "rootfs/usr/bin/sh", "rootfs/dev/x", "rootfs/dev",
                "rootfs/dev/null", "rootfs/etc/os-release", "rootfs", "rootfs/", ".", "./",
                "./rootfs/a", "templates/a", "templates/t.tpl", "templates", "metadata.yaml",
                "rootfs/A", "a", "rootfs/../a", "/a", "rootfs/a/../b", "rootfs/a//b",
                "rootfs/fifo", "rootfs/fifo/x",
        };
        static const char *const links[] = {
                "a", "b", "/", "..", "../..", "/etc/passwd", "rootfs/a", "rootfs/b",
                "rootfs/a/b", "rootfs", "rootfs/usr/bin/sh", "rootfs/dev/null", "metadata.yaml",
                "", ".", "./rootfs/a", "../../../../../../../etc/passwd", "rootfs/bin",
                "rootfs/bin/sh", "rootfs/fifo",
        };
        static const char types[] = "00112223455567";

        for (int i = g_rand_int_range(rand, 1, 8); i > 0; i--) {
                char type = types[g_rand_int_range(rand, 0, sizeof(types) - 1)];
                bool has_content = type == '0' || one_in(rand, 10);

                tar_append(tar, PICK(rand, names), type, PICK(rand, links), "content",
                           has_content ? 7 : 0);
        }
}

/* A file of GNU's sparse formats, with a map that is made up. */
static void append_sparse(GRand *rand, GByteArray *tar) {
        static const char *const numbers[] = {
                "0", "1", "512", "1024", "4096", "9223372036854775807", "68719476736", "-1",
                "x", "",
        };
        char content[2 * TAR_BLOCK] = "3\n0\n512\n512\n512\n4096\n512\n";
        char major = one_in(rand, 2) ? '1' : '0', minor = one_in(rand, 2) ? '1' : '0';

        if (one_in(rand, 3))
                (void) snprintf(content, sizeof(content), "%s\n%s\n%s\n%s\n", PICK(rand, numbers),
                                PICK(rand, numbers), PICK(rand, numbers), PICK(rand, numbers));
        tar_append_pax(tar, "GNU.sparse.major", &major, 1);
        tar_append_pax(tar, "GNU.sparse.minor", &minor, 1);
        for (int i = 0; i < 2; i++) {
                static const char *const keys[] = {
                        "GNU.sparse.realsize", "GNU.sparse.size", "GNU.sparse.numblocks",
                        "GNU.sparse.offset", "GNU.sparse.numbytes", "GNU.sparse.map",
                };
                const char *value = PICK(rand, numbers);

                tar_append_pax(tar, PICK(rand, keys), value, strlen(value));
        }
        tar_append(tar, "rootfs/holes", one_in(rand, 4) ? 'S' : '0', NULL, content,
                   sizeof(content));
}

/* Puts what `append` makes before one of the entries. */
static void insert(GRand *rand, GByteArray *tar, void (*append)(GRand *rand, GByteArray *tar)) {
        g_autoptr(GByteArray) piece = g_byte_array_new();
        guint at = pick_header(rand, tar);

        append(rand, piece);
        splice(tar, MIN(at, tar->len), piece->data, piece->len);
}

/* ----------------------------------------------------------------------------------------- */

enum {
        CHANGE_HEADER,
        CHANGE_BYTES,
        CHANGE_STRUCTURE,
        CHANGE_PAX,
        CHANGE_BROKEN_PAX,
        CHANGE_LONG,
        CHANGE_ENTRIES,
        CHANGE_SPARSE,
        CHANGE_YAML,
        CHANGE_COMPRESSED,
        _CHANGE_MAX,
};

static void change(GRand *rand, int what, GByteArray *tar) {
        switch (what) {
        case CHANGE_HEADER:
                change_header(rand, tar);
                break;
        case CHANGE_BYTES:
                change_bytes(rand, tar);
                break;
        case CHANGE_STRUCTURE:
                change_structure(rand, tar);
                break;
        case CHANGE_PAX:
                insert(rand, tar, append_pax);
                break;
        case CHANGE_BROKEN_PAX:
                insert(rand, tar, append_broken_pax);
                break;
        case CHANGE_LONG:
                insert(rand, tar, append_long);
                break;
        case CHANGE_ENTRIES:
                insert(rand, tar, append_entries);
                break;
        case CHANGE_SPARSE:
                insert(rand, tar, append_sparse);
                break;
        }
}

static GBytes *compress(GRand *rand, GBytes *tar) {
        static const int filters[] = {
                ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_LZMA,
                ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4,
        };

        return tar_compress(tar, PICK(rand, filters));
}

GBytes *archive_generate(guint32 seed) {
        GRand *rand = g_rand_new_with_seed(seed);
        int what = (int) (seed % _CHANGE_MAX);
        g_autofree char *yaml = make_yaml(
                rand, what == CHANGE_YAML ? g_rand_int_range(rand, 0, ELEMENTSOF(yaml_nodes)) : -1);
        g_autoptr(GByteArray) tar = make_base(rand, yaml);
        g_autoptr(GBytes) plain = NULL, packed = NULL;

        if (what < CHANGE_YAML)
                for (int i = g_rand_int_range(rand, 1, 4); i > 0; i--)
                        change(rand, what, tar);
        plain = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
        /* libarchive's writers do not survive being given nothing. */
        if (g_bytes_get_size(plain) == 0)
                packed = NULL;
        else if (what == CHANGE_COMPRESSED) {
                GBytes *sound = compress(rand, plain);
                GByteArray *bytes = g_bytes_unref_to_array(sound);

                change(rand, one_in(rand, 2) ? CHANGE_BYTES : CHANGE_STRUCTURE, bytes);
                packed = g_byte_array_free_to_bytes(bytes);
        } else if (one_in(rand, 6))
                packed = compress(rand, plain);
        g_rand_free(rand);
        return packed ? g_steal_pointer(&packed) : g_steal_pointer(&plain);
}
