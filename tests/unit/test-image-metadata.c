/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/metadata.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "service/worker/image/architecture.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/description.h"
#include "service/worker/image/yaml-document.h"
#include "tests/unit/test.h"

#define HEAD "architecture: amd64\n"

static ImageMetadata *parse(const char *text) {
        g_auto(Error) error = ERROR_INIT;
        ImageMetadata *metadata = NULL;
        int r = image_metadata_parse(text, strlen(text), &metadata, &error);

        g_assert_cmpstr(error.message, ==, NULL);
        g_assert_cmpint(r, ==, 0);
        return metadata;
}

static void refuse(const char *text, size_t size, const char *why) {
        g_auto(Error) error = ERROR_INIT;
        g_autoptr(ImageMetadata) metadata = NULL;

        if (image_metadata_parse(text, size, &metadata, &error) >= 0)
                g_error("accepted: %s", text);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_IMAGE);
        g_assert_true(g_str_has_prefix(error.message, "metadata.yaml"));
        if (!strstr(error.message, why))
                g_error("\"%s\" does not say \"%s\"", error.message, why);
}

TEST(a_whole_document_is_understood) {
        g_autoptr(ImageMetadata) metadata = parse(
                "# as distrobuilder writes it\n"
                "architecture: \"amd64\"\n"
                "creation_date: 1700000000\n"
                "expiry_date: 1800000000\n"
                "properties:\n"
                "  os: Debian\n"
                "  release: 12\n"
                "  serial: '20231114_05:24'\n"
                "  empty:\n"
                "something: [new, {we: know, nothing: of}]\n"
                "templates:\n"
                "  /etc/hostname:\n"
                "    when: [create, copy]\n"
                "    create_only: true\n"
                "    template: hostname.tpl\n"
                "    properties:\n"
                "      a: |-\n"
                "        #cloud-config\n"
                "        {}\n"
                "  /etc/hosts:\n"
                "    when:\n"
                "    - start\n"
                "    template: hosts.tpl\n");
        const ImageTemplate *t;

        g_assert_cmpstr(metadata->architecture, ==, "x86_64");
        g_assert_cmpuint(metadata->created_usec, ==, UINT64_C(1700000000000000));
        g_assert_cmpuint(metadata->expires_usec, ==, UINT64_C(1800000000000000));
        g_assert_cmpuint(g_hash_table_size(metadata->properties), ==, 4);
        g_assert_cmpstr(g_hash_table_lookup(metadata->properties, "os"), ==, "Debian");
        g_assert_cmpstr(g_hash_table_lookup(metadata->properties, "release"), ==, "12");
        g_assert_cmpstr(g_hash_table_lookup(metadata->properties, "serial"), ==,
                        "20231114_05:24");
        g_assert_cmpstr(g_hash_table_lookup(metadata->properties, "empty"), ==, "");
        g_assert_cmpuint(metadata->templates->len, ==, 2);
        t = metadata->templates->pdata[0];
        g_assert_cmpstr(t->path, ==, "/etc/hostname");
        g_assert_cmpstr(t->file, ==, "hostname.tpl");
        g_assert_true(t->create_only);
        g_assert_cmpuint(t->when->len, ==, 2);
        g_assert_cmpstr(t->when->pdata[1], ==, "copy");
        g_assert_cmpstr(g_hash_table_lookup(t->properties, "a"), ==, "#cloud-config\n{}");
        t = metadata->templates->pdata[1];
        g_assert_false(t->create_only);
        g_assert_cmpstr(t->when->pdata[0], ==, "start");
}

TEST(documents_that_are_accepted) {
        static const char *const good[] = {
                HEAD,
                "{architecture: arm64}",
                "---\narchitecture: aarch64\n...\n",
                "%YAML 1.1\n---\narchitecture: aarch64\n",
                HEAD "properties: ~\ntemplates: null\ncreation_date:\n",
                HEAD "properties: {}\ntemplates: {}\n",
                HEAD "properties: {name: \"Debian \\u0142\"}\n",
                HEAD "templates: {/a: {template: b}}\n",
                HEAD "creation_date: 253402300799\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                g_autoptr(ImageMetadata) metadata = parse(good[i]);

                g_assert_nonnull(metadata->architecture);
        }
}

TEST(documents_that_are_refused) {
        static const struct {
                const char *text;
                const char *why;
        } bad[] = {
                { "", "empty" },
                { "# nothing", "empty" },
                { "hello", "not a map" },
                { "[architecture, x86_64]", "not a map" },
                { "creation_date: 1\n", "\"architecture\" is missing" },
                { "architecture:\n", "\"architecture\" is missing" },
                { "architecture: [x86_64]\n", "\"architecture\" is missing" },
                { "architecture: pdp11\n", "no architecture that is known" },
                { "architecture: \"\\e[31m\"\n", "no architecture that is known" },
                { HEAD "architecture: amd64\n", "occurs twice" },
                { HEAD "x: {a: 1, a: 2}\n", "occurs twice" },
                { HEAD "---\n" HEAD, "more than one document" },
                { "architecture: &a amd64\n", "anchors" },
                { HEAD "x: &a [1]\n", "anchors" },
                { HEAD "x: &a {b: 1}\n", "anchors" },
                { HEAD "x: &a b\ny: *a\n", "anchors" },
                { HEAD "y: *a\n", "aliases" },
                { HEAD "*a : y\n", "not a plain word" },
                { "architecture: !!str amd64\n", "tags" },
                { HEAD "x: !foo [1]\n", "tags" },
                { HEAD "x: !foo {b: 1}\n", "tags" },
                { HEAD "x: ! b\n", "tags" },
                { "%TAG ! tag:x,2000:\n---\n" HEAD, "tags" },
                { HEAD "[a, b]: c\n", "not a plain word" },
                { HEAD "? {a: b}\n: c\n", "not a plain word" },
                { HEAD "x: [1\n", "metadata.yaml" },
                { HEAD "\tx: 1\n", "metadata.yaml" },
                { HEAD "x: \"a\\0b\"\n", "control characters" },
                { HEAD "properties: {x: \"a\\x7fb\"}\n", "control characters" },
                { HEAD "properties: {x: \"a\\x9bb\"}\n", "control characters" },
                { HEAD "properties:\n  x: |\n    two\n    lines\n", "control characters" },
                { HEAD "\"a\\nb\": c\n", "control characters" },
                { HEAD "creation_date: yesterday\n", "number of seconds" },
                { HEAD "creation_date: -1\n", "number of seconds" },
                { HEAD "creation_date: 1e9\n", "number of seconds" },
                { HEAD "creation_date: 253402300800\n", "number of seconds" },
                { HEAD "expiry_date: 99999999999999999999999\n", "number of seconds" },
                { HEAD "expiry_date: {}\n", "number of seconds" },
                { HEAD "properties: [a]\n", "not a map" },
                { HEAD "properties: {a: [b]}\n", "not text" },
                { HEAD "properties: {\"\": b}\n", "without a name" },
                { HEAD "templates: [a]\n", "not a map" },
                { HEAD "templates: {/a: b}\n", "not described by a map" },
                { HEAD "templates: {/a: {}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: ../b}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: /b}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: ..}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: \"\"}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: [b]}}\n", "mere file name" },
                { HEAD "templates: {a: {template: b}}\n", "absolute path" },
                { HEAD "templates: {/: {template: b}}\n", "absolute path" },
                { HEAD "templates: {\"\": {template: b}}\n", "absolute path" },
                { HEAD "templates: {/../a: {template: b}}\n", "absolute path" },
                { HEAD "templates: {/a/..: {template: b}}\n", "absolute path" },
                { HEAD "templates: {/a//b: {template: b}}\n", "absolute path" },
                { HEAD "templates: {/a/: {template: b}}\n", "absolute path" },
                { HEAD "templates: {/a: {template: b, create_only: maybe}}\n", "true or false" },
                { HEAD "templates: {/a: {template: b, create_only: []}}\n", "true or false" },
                { HEAD "templates: {/a: {template: b, when: create}}\n", "not a list" },
                { HEAD "templates: {/a: {template: b, when: [[create]]}}\n", "list of words" },
                { HEAD "templates: {/a: {template: b, when: [rm -rf]}}\n", "list of words" },
                { HEAD "templates: {/a: {template: b, properties: [a]}}\n", "not a map" },
                { HEAD "x: \"\xff\"\n", "UTF-8" },
                { "\xfe\xff\0a", "UTF-8" },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                refuse(bad[i].text, strlen(bad[i].text), bad[i].why);
        refuse(HEAD "x: \0\n", sizeof(HEAD "x: \0\n") - 1, "metadata.yaml");
}

static char *repeat(const char *before, const char *text, size_t n, const char *after) {
        GString *out = g_string_new(before);

        for (size_t i = 0; i < n; i++)
                g_string_append(out, text);
        g_string_append(out, after);
        return g_string_free(out, FALSE);
}

TEST(size_has_bounds) {
        g_autofree char *deep = repeat(HEAD "x: ", "[", YAML_DEPTH_MAX, "");
        g_autofree char *less = repeat(HEAD "x: ", "[", YAML_DEPTH_MAX - 2, "");
        g_autofree char *closed = repeat(less, "]", YAML_DEPTH_MAX - 2, "\n");
        g_autofree char *many = repeat(HEAD "x:\n", "- 1\n", YAML_NODES_MAX, "");
        g_autofree char *fewer = repeat(HEAD "x:\n", "- 1\n", YAML_NODES_MAX - 4, "");
        g_autofree char *large = repeat(HEAD "x: ", "a", YAML_SCALAR_MAX + 1, "\n");
        g_autofree char *smaller = repeat(HEAD "x: ", "a", YAML_SCALAR_MAX, "\n");
        g_autoptr(ImageMetadata) a G_GNUC_UNUSED = parse(closed);
        g_autoptr(ImageMetadata) b G_GNUC_UNUSED = parse(fewer);
        g_autoptr(ImageMetadata) c G_GNUC_UNUSED = parse(smaller);
        g_autoptr(GString) templates = g_string_new(HEAD "templates:\n");

        refuse(deep, strlen(deep), "nested too deeply");
        refuse(many, strlen(many), "too many values");
        refuse(large, strlen(large), "too long");

        for (unsigned i = 0; i <= IMAGE_TEMPLATES_MAX; i++)
                g_string_append_printf(templates, "  /%u: {template: a}\n", i);
        refuse(templates->str, templates->len, "too many entries");
}

TEST(truncated_documents_do_no_harm) {
        static const char text[] =
                HEAD "properties: {a: \"b\", c: 'd'}\ntemplates:\n  /e: {when: [start, copy], "
                "template: f}\n";

        for (size_t n = 0; n < sizeof(text); n++) {
                g_auto(Error) error = ERROR_INIT;
                g_autoptr(ImageMetadata) metadata = NULL;
                g_autofree char *copy = g_memdup2(text, n); /* so that reading on is noticed */
                int r = image_metadata_parse(copy ?: "", n, &metadata, &error);

                g_assert_true((r < 0) == (error.message != NULL));
        }
}

TEST(os_release_is_read_as_a_shell_would) {
        static const char text[] =
                "# comment\n"
                "NAME=\"Gentoo\"\n"
                "ID='gen\"too'\n"
                "VERSION_ID=\"2\\.\\\"15\"\n"
                "  PRETTY_NAME=\"Gentoo Linux\"  \n"
                "VERSION_CODENAME=\"not closed\n"
                "ID_LIKE=other";
        g_autoptr(ImageMetadata) metadata = image_metadata_from_os_release(text, strlen(text));
        g_autoptr(ImageMetadata) odd = image_metadata_from_os_release("ID=a\x01\nVERSION_ID=", 17);

        g_assert_cmpuint(g_hash_table_size(metadata->properties), ==, 4);
        g_assert_cmpstr(g_hash_table_lookup(metadata->properties, "os"), ==, "gen\"too");
        g_assert_cmpstr(g_hash_table_lookup(metadata->properties, "release"), ==, "2.\"15");
        g_assert_cmpstr(g_hash_table_lookup(metadata->properties, "name"), ==, "Gentoo Linux");
        g_assert_cmpstr(g_hash_table_lookup(metadata->properties, "description"), ==,
                        "Gentoo Linux");
        g_assert_cmpuint(g_hash_table_size(odd->properties), ==, 1);
        g_assert_cmpstr(g_hash_table_lookup(odd->properties, "release"), ==, "");
}

TEST(architectures_have_one_name) {
        static const char *const names[][2] = {
                { "amd64", "x86_64" },   { "x86_64", "x86_64" },   { "i386", "i686" },
                { "arm64", "aarch64" },  { "armhf", "armv7l" },    { "ppc64el", "ppc64le" },
                { "s390x", "s390x" },    { "riscv64", "riscv64" }, { "loong64", "loongarch64" },
                { "armel", "armv6l" },   { "vax", NULL },          { "", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                g_assert_cmpstr(architecture_from_name(names[i][0]), ==, names[i][1]);
}

TEST(elf_headers_tell_architectures) {
        static const struct {
                guint8 class, order, high, low; /* e_machine as its bytes are stored */
                const char *name;
        } headers[] = {
                { 2, 1, 62, 0, "x86_64" },  { 1, 1, 62, 0, "x86_64" },  { 1, 1, 3, 0, "i686" },
                { 2, 1, 183, 0, "aarch64" }, { 1, 1, 40, 0, "armv7l" }, { 2, 2, 0, 21, "ppc64" },
                { 2, 1, 21, 0, "ppc64le" }, { 2, 2, 0, 22, "s390x" },   { 2, 1, 243, 0, "riscv64" },
                { 1, 1, 243, 0, "riscv32" }, { 2, 1, 2, 1, "loongarch64" },
                { 2, 1, 0, 62, NULL },      { 2, 1, 0, 0, NULL },
        };
        guint8 header[ARCHITECTURE_ELF_SIZE] = { 0x7f, 'E', 'L', 'F' };

        for (size_t i = 0; i < ELEMENTSOF(headers); i++) {
                header[4] = headers[i].class;
                header[5] = headers[i].order;
                header[18] = headers[i].high;
                header[19] = headers[i].low;
                g_assert_cmpstr(architecture_from_elf(header, sizeof(header)), ==,
                                headers[i].name);
                g_assert_null(architecture_from_elf(header, sizeof(header) - 1));
        }
        g_assert_null(architecture_from_elf("#!/bin/sh -e and more", 20));
}

/* --- What crosses the jail's wall -------------------------------------------------------- */

static GVariant *describe(const char *yaml) {
        g_autoptr(GHashTable) contents = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                                               (GDestroyNotify) g_bytes_unref);
        g_autoptr(ImageMetadata) metadata = parse(yaml);
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        g_hash_table_insert(contents, (gpointer) "f", g_bytes_new_static("content", 7));
        g_assert_cmpint(image_description_build(metadata, contents, 3, &dict, NULL), ==, 0);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

TEST(a_description_passes_its_own_check) {
        g_autoptr(GVariant) description = describe(
                HEAD "properties: {b: x, a: y}\ntemplates: {/e: {when: [start], template: f}}\n");
        g_auto(GVariantDict) result = G_VARIANT_DICT_INIT(NULL);
        g_autoptr(GVariant) checked = NULL, templates = NULL, properties = NULL;
        g_autofree char *text = NULL, *properties_text = NULL;

        g_assert_cmpint(image_description_check(description, &result, NULL), ==, 0);
        checked = g_variant_ref_sink(g_variant_dict_end(&result));
        templates = g_variant_lookup_value(checked, "templates", NULL);
        text = g_variant_print(templates, FALSE);
        g_assert_cmpstr(text, ==, "[('/e', 'f', 'content', ['start'], {}, false)]");
        properties = g_variant_lookup_value(checked, "properties", NULL);
        properties_text = g_variant_print(properties, FALSE);
        g_assert_cmpstr(properties_text, ==, "{'a': 'y', 'b': 'x'}");
}

static GVariant *many_templates(unsigned n) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("a(sssasa{ss}b)"));
        for (unsigned i = 0; i < n; i++)
                g_variant_builder_add(&builder, "(sss@as@a{ss}b)", "/e", "f", "",
                                      g_variant_new("as", NULL), g_variant_new("a{ss}", NULL),
                                      FALSE);
        return g_variant_builder_end(&builder);
}

TEST(hostile_descriptions_are_refused) {
        /* Each replaces one key of a good description. */
        static const struct {
                const char *key;
                const char *value;
        } bad[] = {
                { "architecture", "'pdp11'" },
                { "architecture", "'amd64'" },
                { "architecture", "uint32 1" },
                { "created", "uint64 18446744073709551615" },
                { "created", "'now'" },
                { "expires", "int64 -1" },
                { "properties", "{'': 'x'}" },
                { "properties", "{'a': '\\u001b[2J'}" },
                { "properties", "{'a\\u0007': 'x'}" },
                { "properties", "{'a': 'x', 'a': 'y'}" },
                { "properties", "{'a': 1}" },
                { "templates", "[('e', 'f', '', @as [], @a{ss} {}, false)]" },
                { "templates", "[('/e', '../f', '', @as [], @a{ss} {}, false)]" },
                { "templates", "[('', 'f', '', @as [], @a{ss} {}, false)]" },
                { "templates", "[('/e', '', @as [], @a{ss} {}, false)]" },
                { "templates", "[('/../e', 'f', '', @as [], @a{ss} {}, false)]" },
                { "templates", "[('/e', 'f', '', ['/bin/sh'], @a{ss} {}, false)]" },
                { "templates", "[('/e', 'f', '', @as [], {'': ''}, false)]" },
                { "templates", "[('/e', 'f', '', @as [], @a{ss} {})]" },
                { "skipped-devices", "uint32 4294967295" },
        };
        g_autoptr(GVariant) good = describe(HEAD);

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(good);
                g_auto(GVariantDict) result = G_VARIANT_DICT_INIT(NULL);
                g_autoptr(GVariant) description = NULL;
                g_auto(Error) error = ERROR_INIT;

                g_variant_dict_insert_value(&dict, bad[i].key,
                                            g_variant_new_parsed(bad[i].value));
                description = g_variant_ref_sink(g_variant_dict_end(&dict));
                if (image_description_check(description, &result, &error) >= 0)
                        g_error("accepted: %s", bad[i].value);
                g_assert_nonnull(strstr(error.message, bad[i].key));
        }
        for (unsigned n = IMAGE_TEMPLATES_MAX; n <= IMAGE_TEMPLATES_MAX + 1; n++) {
                g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(good);
                g_auto(GVariantDict) result = G_VARIANT_DICT_INIT(NULL);
                g_autoptr(GVariant) description = NULL;

                g_variant_dict_insert_value(&dict, "templates", many_templates(n));
                description = g_variant_ref_sink(g_variant_dict_end(&dict));
                g_assert_cmpint(image_description_check(description, &result, NULL) < 0, ==,
                                n > IMAGE_TEMPLATES_MAX);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(good);
                g_auto(GVariantDict) result = G_VARIANT_DICT_INIT(NULL);
                g_autoptr(GVariant) description = NULL;

                g_variant_dict_remove(&dict, bad[i].key);
                description = g_variant_ref_sink(g_variant_dict_end(&dict));
                g_assert_cmpint(image_description_check(description, &result, NULL), <, 0);
        }
}

TEST_MAIN()
