/* SPDX-License-Identifier: Apache-2.0 */

/* Archives and what they say of themselves: the readers inside the jail, and what believes the
 * jail's answer. */

#include <string.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/description.h"
#include "service/worker/image/entry-name.h"
#include "service/worker/image/image-reader.h"
#include "service/worker/image/metadata.h"
#include "service/worker/image/tree.h"
#include "service/worker/image/yaml-document.h"
#include "tests/fuzz/target.h"
#include "tests/unit/archive-generator.h"
#include "tests/unit/tar-builder.h"

/* What the jail builds, those outside take. */
static void check_description(GVariantDict *dict) {
        g_autoptr(GVariant) told = g_variant_ref_sink(g_variant_dict_end(dict));
        g_auto(Error) error = ERROR_INIT;
        GVariantDict checked;

        g_variant_dict_init(&checked, NULL);
        if (image_description_check(told, &checked, &error) < 0)
                g_error("%s", error.message);
        g_variant_dict_clear(&checked);
}

/* --- YAML --- */

static unsigned count_nodes(const YamlNode *node, unsigned depth) {
        unsigned n = 1;

        g_assert_cmpuint(depth, <, YAML_DEPTH_MAX + 1);
        if (node->kind == YAML_SCALAR) {
                g_assert_nonnull(node->text);
                g_assert_cmpuint(strlen(node->text), <=, YAML_SCALAR_MAX);
                return n;
        }
        for (guint i = 0; i < node->items->len; i++)
                n += count_nodes(g_ptr_array_index(node->items, i), depth + 1);
        if (node->kind == YAML_MAPPING)
                g_assert_cmpuint(node->keys->len, ==, node->items->len);
        return n;
}

FUZZ_TARGET(yaml) {
        g_auto(Error) error = ERROR_INIT;
        g_autoptr(YamlNode) node = NULL;
        int r = yaml_document_parse("x", (const char *) data, size, YAML_TEXT_PRINTABLE, &node,
                                    &error);

        fuzz_check_error(r, &error);
        if (r >= 0)
                g_assert_cmpuint(count_nodes(node, 0), <=, YAML_NODES_MAX);
}

static const char *const documents[] = {
        "architecture: amd64\ncreation_date: 1700000000\nexpiry_date: 1800000000\n"
        "properties:\n  os: Debian\n  serial: '2023_05:24'\ntemplates:\n  /etc/hostname:\n"
        "    when: [create, copy]\n    create_only: true\n    template: hostname.tpl\n"
        "    properties: {a: b}\n  /etc/hosts:\n    when:\n    - start\n    template: hosts.tpl\n",
        "{architecture: arm64}", "---\narchitecture: aarch64\n...\n", "x: &a [1]\ny: *a\n",
        "%YAML 1.1\n---\na: !!str b\n", "a: |\n  x\n  y\nb: >-\n  c\n", "? {a: b}\n: c\n",
        "a: \"\\u0142\\x00\\\"\"\n", "- - - - a\n- [[[[]]]]\n", "\xef\xbb\xbfz: b\n",
        "a: {b: , c}\n",
};

FUZZ_SEEDS(yaml) {
        for (size_t i = 0; i < ELEMENTSOF(documents); i++)
                fuzz_seed_text(documents[i]);
}

FUZZ_TARGET(metadata) {
        g_auto(Error) error = ERROR_INIT;
        g_autoptr(ImageMetadata) metadata = NULL;
        g_autoptr(GHashTable) contents = g_hash_table_new_full(
                g_str_hash, g_str_equal, NULL, (GDestroyNotify) g_bytes_unref);
        GVariantDict dict;
        int r = image_metadata_parse((const char *) data, size, &metadata, &error);

        fuzz_check_error(r, &error);
        if (r < 0)
                return;
        for (guint i = 0; i < metadata->templates->len; i++) {
                const ImageTemplate *t = g_ptr_array_index(metadata->templates, i);

                g_assert_false(strchr(t->file, '/'));
                g_hash_table_replace(contents, t->file, g_bytes_new_static("x", 1));
        }
        g_variant_dict_init(&dict, NULL);
        if (image_description_build(metadata, contents, 0, &dict, &error) >= 0)
                check_description(&dict);
        else
                g_variant_dict_clear(&dict);
}

FUZZ_SEEDS(metadata) {
        fuzz_yaml_seed();
}

FUZZ_TARGET(os_release) {
        g_autofree char *text = g_memdup2(data, size);
        g_autoptr(ImageMetadata) metadata = image_metadata_from_os_release(text ?: "", size);

        if (!metadata)
                return;
        g_assert_cmpuint(metadata->templates->len, ==, 0);
}

FUZZ_SEEDS(os_release) {
        fuzz_seed_text("ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME='Debian GNU/Linux'\n# x\n");
        fuzz_seed_text("ID=\"a\\\"b\\$c\"\nVERSION_ID=\nNAME=$(id)\nID");
}

/* --- what the jail answers --- */

FUZZ_TARGET(description) {
        g_auto(Error) error = ERROR_INIT;
        g_autoptr(GVariant) untrusted = fuzz_variant("a{sv}", data, size), checked = NULL;
        GVariantDict dict;
        int r;

        if (!untrusted)
                return;
        g_variant_dict_init(&dict, NULL);
        r = image_description_check(untrusted, &dict, &error);
        fuzz_check_error(r, &error);
        checked = g_variant_ref_sink(g_variant_dict_end(&dict));
        if (r >= 0)
                g_assert_cmpuint(g_variant_n_children(checked), ==, 6);
}

FUZZ_SEEDS(description) {
        fuzz_seed_variant(g_variant_new_parsed(
                "{'architecture': <'x86_64'>, 'created': <uint64 1>, 'expires': <uint64 0>,"
                " 'properties': <{'os': 'Debian'}>, 'skipped-devices': <uint32 3>,"
                " 'templates': <[('/etc/hostname', 'x', ['create'], {'a': 'b'}, true)]>}"));
        fuzz_seed_variant(g_variant_new_parsed(
                "{'architecture': <'pdp11'>, 'created': <uint64 0xffffffffffffffff>,"
                " 'properties': <{'a': '', 'a': ''}>, 'templates': <@a(sssasa{ss}b) []>}"));
}

/* --- names in archives --- */

FUZZ_TARGET(entry_name) {
        g_autofree char *raw = fuzz_bytes(data, size);

        for (int is_directory = 0; is_directory < 2; is_directory++) {
                g_auto(Error) error = ERROR_INIT;
                g_autofree char *name = NULL;
                g_auto(GStrv) parts = NULL;
                int r = entry_name_parse(raw, is_directory, &name, &error);

                fuzz_check_error(r, &error);
                if (r < 0 || !*name)
                        continue;
                parts = g_strsplit(name, "/", -1);
                g_assert_cmpuint(g_strv_length(parts), <=, IMAGE_DEPTH_MAX);
                for (char **part = parts; *part; part++) {
                        g_assert_cmpint(**part, !=, '\0');
                        g_assert_cmpstr(*part, !=, ".");
                        g_assert_cmpstr(*part, !=, "..");
                }
        }
}

FUZZ_SEEDS(entry_name) {
        static const char *const names[] = { "a", "./a/b", "a//b", "../a", "/a", "a/..", "./", ".",
                                             "a/./b", "rootfs/etc/passwd", "\xff\x01", "a\\..\\b" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                fuzz_seed_text(names[i]);
}

/* --- whole archives --- */

static void ignore_progress(void *userdata, double fraction) {
        g_assert_false(fraction < 0);
}

FUZZ_TARGET(archive) {
        g_autoptr(GBytes) bytes = g_bytes_new(data, size);
        _cleanup_close_ int fd = fd_new_memfd("archive", bytes);
        g_auto(Error) error = ERROR_INIT;
        GVariantDict dict;
        int r;

        g_assert_cmpint(fd, >=, 0);
        g_variant_dict_init(&dict, NULL);
        /* Judged, not unpacked: that is the jail's test. */
        r = image_read(IMAGE_WHOLE, fd, size, -EBADF, ignore_progress, NULL, &dict, &error);
        fuzz_check_error(r, &error);
        if (r >= 0)
                check_description(&dict);
        else
                g_variant_dict_clear(&dict);
}

FUZZ_SEEDS(archive) {
        static const int formats[] = { ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, ARCHIVE_FORMAT_TAR_GNUTAR,
                                       ARCHIVE_FORMAT_TAR_USTAR, TAR_FORMAT_V7 };
        static const int filters[] = { ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ,
                                       ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4,
                                       ARCHIVE_FILTER_BZIP2 };

        for (size_t i = 0; i < ELEMENTSOF(formats); i++)
                for (size_t j = 0; j < ELEMENTSOF(filters); j++) {
                        g_autoptr(TarBuilder) builder = tar_builder_new(formats[i], filters[j]);
                        g_autoptr(GBytes) tar = NULL;

                        tar_builder_add_image(builder);
                        tar_builder_add_symlink(builder, "rootfs/link", "/etc");
                        tar_builder_add_link(builder, "rootfs/hard", "rootfs/link");
                        tar = tar_builder_finish(builder);
                        fuzz_seed(g_bytes_get_data(tar, NULL), g_bytes_get_size(tar));
                }
        for (guint32 i = 0; i < 32; i++) {
                g_autoptr(GBytes) tar = archive_generate(i);

                if (g_bytes_get_size(tar) <= (64U << 10))
                        fuzz_seed(g_bytes_get_data(tar, NULL), g_bytes_get_size(tar));
        }
}
