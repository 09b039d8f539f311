/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/import.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"
#include "service/worker/operations.h"
#include "tests/unit/image-fixture.h"
#include "tests/unit/tar-builder.h"
#include "tests/unit/test.h"

#define HEAD "architecture: amd64\n"

/* An entry of an archive, as tar_append() takes it. Type 'x' is a pax record: NAME=CONTENT. In
 * `link`, "%h" stands for the host's directory that no archive may touch. A member without a name
 * is the last. */
typedef struct Member {
        const char *name;
        char type;
        const char *link;
        const char *content;
} Member;

typedef struct Bad {
        const char *title;
        const char *why; /* in the message */
        Member members[6];
} Bad;

static void append_members(ImageFixture *fixture, GByteArray *tar, const Member *members) {
        for (const Member *m = members; m->type; m++) {
                g_auto(GStrv) parts = g_strsplit(m->link ?: "", "%h", -1);
                g_autofree char *link = g_strjoinv(fixture->host_dir, parts);
                const char *content = m->content ?: "";

                if (m->type == 'x')
                        tar_append_pax(tar, m->name, content, strlen(content));
                else
                        tar_append(tar, m->name, m->type, link, content, strlen(content));
        }
}

/* Refuses archives made of a sound image (unless `is_bare`) and the members after it. */
static void refuse_all(const Bad *bad, size_t n, bool is_bare) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();

        for (size_t i = 0; i < n; i++) {
                g_autoptr(GByteArray) tar = g_byte_array_new();
                g_autoptr(GBytes) archive = NULL;

                if (!is_bare)
                        tar_append_image(tar);
                append_members(fixture, tar, bad[i].members);
                tar_append_end(tar);
                archive = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
                image_fixture_refuse(fixture, bad[i].title, archive, ERROR_INVALID_IMAGE,
                                     bad[i].why);
        }
}

/* --- Names ------------------------------------------------------------------------------- */

TEST(names_that_lead_out) {
        static const Bad bad[] = {
                { "upwards", "\"..\"", { { "../x", '0' } } },
                { "upwards from the root filesystem", "\"..\"", { { "rootfs/../x", '0' } } },
                { "upwards far", "\"..\"", { { "rootfs/a/../../../../../etc/x", '0' } } },
                { "upwards as a directory", "\"..\"", { { "rootfs/..", '5' } } },
                { "upwards after ./", "\"..\"", { { "./../x", '0' } } },
                { "absolute", "absolute", { { "/etc/x", '0' } } },
                { "absolute twice", "absolute", { { "//etc/x", '0' } } },
                { "absolute directory", "absolute", { { "/", '5' } } },
                { "double slash", "is empty", { { "rootfs//x", '0' } } },
                { "dot inside", "is empty", { { "rootfs/./x", '0' } } },
                { "no name", "no name", { { "", '0' } } },
                { "beside the root filesystem", "only", { { "etc/x", '0' } } },
                { "almost the root filesystem", "only", { { "rootfs2/x", '0' } } },
                { "pax upwards", "\"..\"",
                  { { "path", 'x', NULL, "rootfs/../../x" }, { "rootfs/x", '0' } } },
                { "pax absolute", "absolute",
                  { { "path", 'x', NULL, "/etc/x" }, { "rootfs/x", '0' } } },
                { "GNU name upwards", "\"..\"",
                  { { "././@LongLink", 'L', NULL, "rootfs/../../x" }, { "rootfs/x", '0' } } },
                { "ending in the middle of a name", "only",
                  { { "rootf", '5' }, { "rootfs/x", '0' } } },
        };

        refuse_all(bad, ELEMENTSOF(bad), false);
}

TEST(names_through_links_of_the_archive) {
        static const Bad bad[] = {
                { "through a link", "symbolic link",
                  { { "rootfs/l", '2', "%h" }, { "rootfs/l/x", '0', NULL, "evil" } } },
                { "through a link to above", "symbolic link",
                  { { "rootfs/l", '2', "../../../../../.." }, { "rootfs/l/x", '0' } } },
                { "through a link inside", "symbolic link",
                  { { "rootfs/l", '2', "bin" }, { "rootfs/l/x", '0' } } },
                { "through a chain", "symbolic link",
                  { { "rootfs/a", '2', "%h" }, { "rootfs/b", '2', "a" }, { "rootfs/b/x", '0' } } },
                { "through a loop", "symbolic link",
                  { { "rootfs/a", '2', "a" }, { "rootfs/a/x", '0' } } },
                { "over a link", "another entry",
                  { { "rootfs/l", '2', "%h/secret" }, { "rootfs/l", '0', NULL, "evil" } } },
                { "a directory over a link", "another entry",
                  { { "rootfs/l", '2', "%h" }, { "rootfs/l/", '5' }, { "rootfs/l/x", '0' } } },
                { "a link over a directory", "another entry",
                  { { "rootfs/d/", '5' }, { "rootfs/d", '2', "%h" }, { "rootfs/d/x", '0' } } },
                { "a link over a directory that was only implied", "another entry",
                  { { "rootfs/d/x", '0' }, { "rootfs/d", '2', "%h" } } },
                { "a fifo through a link", "symbolic link",
                  { { "rootfs/l", '2', "%h" }, { "rootfs/l/x", '6' } } },
                { "a link through a link", "symbolic link",
                  { { "rootfs/l", '2', "%h" }, { "rootfs/l/x", '2', "y" } } },
                { "a directory through a link", "symbolic link",
                  { { "rootfs/l", '2', "%h" }, { "rootfs/l/x/y/z/", '5' } } },
                { "a link to nothing", "without a target", { { "rootfs/l", '2', "" } } },
        };

        refuse_all(bad, ELEMENTSOF(bad), false);
}

TEST(hard_links_that_lead_out) {
        static const Bad bad[] = {
                { "absolute", "out of the image", { { "rootfs/h", '1', "%h/secret" } } },
                { "upwards", "out of the image", { { "rootfs/h", '1', "rootfs/../../x" } } },
                { "to metadata", "out of the root", { { "rootfs/h", '1', "metadata.yaml" } } },
                { "to the root filesystem", "out of the root", { { "rootfs/h", '1', "rootfs" } } },
                { "to a directory", "a directory", { { "rootfs/h", '1', "rootfs/bin" } } },
                { "to what comes later", "not come before",
                  { { "rootfs/h", '1', "rootfs/x" }, { "rootfs/x", '0' } } },
                { "to what is missing", "not come before", { { "rootfs/h", '1', "rootfs/y" } } },
                { "to itself", "not come before", { { "rootfs/h", '1', "rootfs/h" } } },
                { "without the prefix", "out of the root", { { "rootfs/h", '1', "bin/sh" } } },
                { "through a link", "not come before",
                  { { "rootfs/l", '2', "%h" }, { "rootfs/h", '1', "rootfs/l/secret" } } },
                { "placed through a link", "symbolic link",
                  { { "rootfs/l", '2', "%h" }, { "rootfs/l/h", '1', "rootfs/bin/sh" } } },
                { "over a file", "another entry", { { "rootfs/bin/sh", '1', "rootfs/bin/sh" } } },
                { "pax target", "out of the image",
                  { { "linkpath", 'x', NULL, "/etc/passwd" }, { "rootfs/h", '1', "rootfs/x" } } },
                { "GNU target", "out of the image",
                  { { "././@LongLink", 'K', NULL, "../x" }, { "rootfs/h", '1', "rootfs/x" } } },
                { "from metadata", "not a regular file",
                  { { "templates/t", '1', "rootfs/bin/sh" } } },
        };

        refuse_all(bad, ELEMENTSOF(bad), false);
}

static void refuse_name(ImageFixture *fixture, const char *title, const char *name,
                        const char *target, const char *why) {
        g_autoptr(GByteArray) tar = g_byte_array_new();
        g_autoptr(GBytes) archive = NULL;

        tar_append_image(tar);
        if (name)
                tar_append_pax(tar, "path", name, strlen(name));
        if (target)
                tar_append_pax(tar, "linkpath", target, strlen(target));
        tar_append(tar, "rootfs/x", target ? '2' : '0', "x", NULL, 0);
        tar_append_end(tar);
        archive = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
        image_fixture_refuse(fixture, title, archive, ERROR_INVALID_IMAGE, why);
}

TEST(names_that_are_too_long) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *component = g_strnfill(256, 'x');
        g_autofree char *long_component = g_strconcat("rootfs/", component, NULL);
        g_autofree char *long_name = g_strnfill(IMAGE_PATH_MAX + 1, 'x');
        g_autofree char *huge_name = g_strnfill(900000, 'x');
        g_autofree char *long_target = g_strnfill(IMAGE_PATH_MAX + 1, 'y');
        g_autoptr(GString) deep = g_string_new("rootfs");

        for (unsigned i = 0; i < IMAGE_DEPTH_MAX; i++)
                g_string_append(deep, "/d");
        refuse_name(fixture, "component", long_component, NULL, "longer than a file's name");
        refuse_name(fixture, "path", long_name, NULL, "too long");
        refuse_name(fixture, "huge path", huge_name, NULL, "too long");
        refuse_name(fixture, "depth", deep->str, NULL, "too deeply");
        refuse_name(fixture, "target", NULL, long_target, "too long");
}

/* --- Kinds ------------------------------------------------------------------------------- */

TEST(entries_that_do_not_fit_each_other) {
        static const Bad bad[] = {
                { "a file twice", "another entry", { { "rootfs/f", '0' }, { "rootfs/f", '0' } } },
                { "a file of two names", "another entry",
                  { { "rootfs/f", '0' }, { "./rootfs/f", '0' } } },
                { "a file, then a directory", "another entry",
                  { { "rootfs/f", '0' }, { "rootfs/f/", '5' } } },
                { "a directory, then a file", "another entry",
                  { { "rootfs/f/", '5' }, { "rootfs/f", '0' } } },
                { "below a file", "not a directory",
                  { { "rootfs/f", '0' }, { "rootfs/f/x", '0' } } },
                { "below a fifo", "not a directory",
                  { { "rootfs/f", '6' }, { "rootfs/f/x", '0' } } },
                { "below a device", "not a directory",
                  { { "rootfs/dev/d", '3' }, { "rootfs/dev/d/x", '0' } } },
                { "over a device", "another entry",
                  { { "rootfs/dev/d", '3' }, { "rootfs/dev/d", '0' } } },
                { "a character device outside dev/", "device node outside",
                  { { "rootfs/etc/null", '3' } } },
                { "a block device outside dev/", "device node outside",
                  { { "rootfs/devs/sda", '4' } } },
                { "a device in place of dev/", "another entry",
                  { { "rootfs/dev/x", '0' }, { "rootfs/dev", '4' } } },
        };

        refuse_all(bad, ELEMENTSOF(bad), false);
}

TEST(root_filesystems_that_are_none) {
        static const Bad bad[] = {
                { "a link", "not a directory",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs", '2', "%h" },
                    { "rootfs/x", '0' } } },
                { "a file", "not a directory",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs", '0' } } },
                { "a fifo", "not a directory",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs", '6' } } },
                { "a device", "not a directory",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs", '3' } } },
                { "a hard link", "not a directory",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs", '1', "metadata.yaml" } } },
                { "a link, later", "not a directory",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "rootfs", '2', "%h" } } },
                { "missing", "no root filesystem", { { "metadata.yaml", '0', NULL, HEAD } } },
                { "empty", "no root filesystem",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/", '5' } } },
                { "dot-dot", "\"..\"",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/..", '2', "%h" } } },
                { "the archive's top as a link", "is empty, \".\"",
                  { { ".", '2', "%h" }, { "metadata.yaml", '0', NULL, HEAD } } },
                { "nothing but a top", "empty", { { "./", '5' } } },
                { "a plain one without a program", "none of sbin/init",
                  { { "etc/", '5' }, { "etc/os-release", '0', NULL, "ID=x\n" } } },
                { "a plain one with a script for a shell", "none of sbin/init",
                  { { "bin/sh", '0', NULL, "#!/bin/sh -e\nexec /bin/sh\n" } } },
                { "a plain one that turns into an image", "plain root filesystem",
                  { { "etc/x", '0' }, { "metadata.yaml", '0', NULL, HEAD },
                    { "rootfs/x", '0' } } },
                { "an image that turns into a plain one", "only",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "etc/passwd", '0' } } },
        };

        refuse_all(bad, ELEMENTSOF(bad), true);
}

TEST(the_images_own_files_are_plain_files) {
        static const Bad bad[] = {
                { "metadata as a link", "not a regular file",
                  { { "metadata.yaml", '2', "%h/secret" }, { "rootfs/x", '0' } } },
                { "metadata as a fifo", "not a regular file",
                  { { "metadata.yaml", '6' }, { "rootfs/x", '0' } } },
                { "metadata as a directory", "not a regular file",
                  { { "metadata.yaml/", '5' }, { "rootfs/x", '0' } } },
                { "metadata as a device", "not a regular file",
                  { { "metadata.yaml", '3' }, { "rootfs/x", '0' } } },
                { "below metadata", "only", { { "metadata.yaml/x", '0', NULL, HEAD } } },
                { "metadata as a hard link", "not a regular file",
                  { { "rootfs/x", '0', NULL, HEAD }, { "metadata.yaml", '1', "rootfs/x" } } },
                { "no metadata", "no metadata.yaml", { { "rootfs/x", '0' } } },
                { "no metadata, but templates", "no metadata.yaml",
                  { { "templates/t", '0', NULL, "t" }, { "rootfs/x", '0' } } },
                { "good metadata, then bad", "another entry",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "metadata.yaml", '0', NULL, "architecture: arm64\n" } } },
                { "bad metadata, then good", "another entry",
                  { { "metadata.yaml", '0', NULL, "architecture: [\n" }, { "rootfs/x", '0' },
                    { "metadata.yaml", '0', NULL, HEAD } } },
                { "metadata of two names", "another entry",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "./metadata.yaml", '0', NULL, HEAD } } },
                { "templates as a link", "not a directory",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "templates", '2', "%h" } } },
                { "templates as a file", "not a directory",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "templates", '0' } } },
                { "a template as a link", "not a regular file",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "templates/t", '2', "%h/secret" } } },
                { "a template as a fifo", "not a regular file",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "templates/t", '6' } } },
                { "a template as a device", "not a regular file",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "templates/t", '4' } } },
                { "a template in a directory", "subdirectories",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "templates/a/t", '0' } } },
                { "a template upwards", "\"..\"",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "templates/../t", '0' } } },
                { "a template twice", "another entry",
                  { { "metadata.yaml", '0', NULL, HEAD }, { "rootfs/x", '0' },
                    { "templates/t", '0' }, { "templates/t", '0' } } },
        };

        refuse_all(bad, ELEMENTSOF(bad), true);
}

/* --- Metadata ---------------------------------------------------------------------------- */

static GBytes *make_with_metadata(const char *yaml, size_t size, const Member *members) {
        g_autoptr(GByteArray) tar = g_byte_array_new();

        tar_append(tar, "metadata.yaml", '0', NULL, yaml, size);
        tar_append(tar, "rootfs/x", '0', NULL, NULL, 0);
        for (const Member *m = members; m && m->type; m++)
                tar_append(tar, m->name, m->type, m->link, m->content, strlen(m->content));
        tar_append_end(tar);
        return g_byte_array_free_to_bytes(g_steal_pointer(&tar));
}

static void refuse_yaml(ImageFixture *fixture, const char *title, const char *yaml, size_t size,
                        const char *why) {
        g_autoptr(GBytes) archive = make_with_metadata(yaml, size, NULL);

        image_fixture_refuse(fixture, title, archive, ERROR_INVALID_IMAGE, why);
}

TEST(metadata_that_is_refused) {
        static const struct {
                const char *yaml;
                const char *why;
        } bad[] = {
                { "", "empty" },
                { "architecture: [\n", "metadata.yaml" },
                { "- architecture\n", "not a map" },
                { "properties: {os: x}\n", "\"architecture\" is missing" },
                { "architecture: vax\n", "no architecture" },
                { HEAD HEAD, "occurs twice" },
                { HEAD "---\n" HEAD, "more than one document" },
                { HEAD "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n", "anchors" },
                { HEAD "b: *a\n", "aliases" },
                { HEAD "<<: *a\n", "aliases" },
                { "!!python/object/apply:os.system [x]\n", "tags" },
                { HEAD "creation_date: {}\n", "number of seconds" },
                { HEAD "expiry_date: 1e300\n", "number of seconds" },
                { HEAD "properties: x\n", "not a map" },
                { HEAD "properties: {os: {}}\n", "not text" },
                { HEAD "properties: {os: \"\\e[2J\"}\n", "control characters" },
                { HEAD "templates: x\n", "not a map" },
                { HEAD "templates: {/a: [x]}\n", "not described by a map" },
                { HEAD "templates: {/a: {template: {}}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: ../t}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: ..}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: /etc/shadow}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: a/t}}\n", "mere file name" },
                { HEAD "templates: {/a: {template: t, when: create}}\n", "not a list" },
                { HEAD "templates: {/a: {template: t, when: [{}]}}\n", "list of words" },
                { HEAD "templates: {/a: {template: t, create_only: 1}}\n", "true or false" },
                { HEAD "templates: {/a: {template: t, properties: []}}\n", "not a map" },
                { HEAD "templates: {/../a: {template: t}}\n", "absolute path" },
                { HEAD "templates: {/a/../../b: {template: t}}\n", "absolute path" },
                { HEAD "templates: {a: {template: t}}\n", "absolute path" },
                { HEAD "templates: {/: {template: t}}\n", "absolute path" },
                { HEAD "templates: {/a: {template: t}}\n", "does not hold" },
                { "architecture: \xff\xfe\n", "not UTF-8" },
        };
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                refuse_yaml(fixture, bad[i].yaml, bad[i].yaml, strlen(bad[i].yaml), bad[i].why);
        refuse_yaml(fixture, "a NUL", HEAD "x: a\0b\n", sizeof(HEAD "x: a\0b\n") - 1,
                    "metadata.yaml");
}

TEST(metadata_that_is_a_bomb) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *large = g_strnfill(IMAGE_METADATA_MAX + 1, '#');
        g_autofree char *comment = g_strnfill(IMAGE_METADATA_MAX - 1, '#');
        g_autofree char *brackets = g_strnfill(YAML_DEPTH_MAX, '[');
        g_autofree char *many_brackets = g_strnfill(500000, '[');
        g_autofree char *many_braces = g_strnfill(500000, '{');
        g_autofree char *scalar = g_strnfill(YAML_SCALAR_MAX + 1, 'x');
        g_autofree char *deep = g_strconcat(HEAD "x: ", brackets, NULL);
        g_autofree char *deeper = g_strconcat(HEAD "x: ", many_brackets, NULL);
        g_autofree char *braces = g_strconcat(HEAD "x: ", many_braces, NULL);
        g_autofree char *long_value = g_strconcat(HEAD "x: ", scalar, NULL);
        g_autoptr(GString) wide = g_string_new(HEAD "x: [");
        g_autoptr(GString) keys = g_string_new(HEAD "properties:\n");
        g_autoptr(GString) dashes = g_string_new(HEAD "x:\n");

        for (unsigned i = 0; i < YAML_NODES_MAX; i++)
                g_string_append(wide, "1,");
        for (unsigned i = 0; i < 9000; i++)
                g_string_append_printf(keys, "  k%u: some text of a length\n", i);
        for (unsigned i = 0; i < 200000; i++)
                g_string_append(dashes, "- ");
        refuse_yaml(fixture, "size", large, strlen(large), "too large");
        refuse_yaml(fixture, "comments alone", comment, strlen(comment), "empty");
        refuse_yaml(fixture, "depth", deep, strlen(deep), "nested too deeply");
        refuse_yaml(fixture, "depth of lists", deeper, strlen(deeper), "nested too deeply");
        refuse_yaml(fixture, "depth of maps", braces, strlen(braces), "not a plain word");
        refuse_yaml(fixture, "depth of dashes", dashes->str, dashes->len, "nested too deeply");
        refuse_yaml(fixture, "values", wide->str, wide->len, "too many values");
        refuse_yaml(fixture, "a long value", long_value, strlen(long_value), "too long");
        refuse_yaml(fixture, "properties", keys->str, keys->len, "too large");
}

TEST(templates_that_are_refused) {
        static const char yaml[] = HEAD "templates: {/a: {template: t}}\n";
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *large = g_strnfill(IMAGE_TEMPLATE_MAX + 1, 'x');
        g_autofree char *half = g_strnfill(IMAGE_TEMPLATE_MAX, 'x');
        const Member too_large[] = { { "templates/t", '0', NULL, large }, { NULL } };
        const Member binary[] = { { "templates/t", '0', NULL, "\xff\xfe" }, { NULL } };
        const Member other[] = { { "templates/T", '0', NULL, "case" }, { NULL } };
        const Member heavy[] = { { "templates/t", '0', NULL, half }, { NULL } };
        const struct {
                const char *title;
                const char *yaml;
                const Member *members;
                const char *why;
        } bad[] = {
                { "too large", yaml, too_large, "too large" },
                { "not text", yaml, binary, "not UTF-8" },
                { "of another case", yaml, other, "does not hold" },
                { "too large together",
                  HEAD "templates: {/a: {template: t}, /b: {template: t}}\n", heavy,
                  "too large" },
        };
        g_autoptr(GByteArray) tar = g_byte_array_new();
        g_autoptr(GBytes) many = NULL;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(GBytes) archive =
                        make_with_metadata(bad[i].yaml, strlen(bad[i].yaml), bad[i].members);

                image_fixture_refuse(fixture, bad[i].title, archive, ERROR_INVALID_IMAGE,
                                     bad[i].why);
        }
        tar_append_image(tar);
        for (unsigned i = 0; i <= IMAGE_TEMPLATES_MAX; i++) {
                g_autofree char *name = g_strdup_printf("templates/%u", i);

                tar_append(tar, name, '0', NULL, "x", 1);
        }
        tar_append_end(tar);
        many = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
        image_fixture_refuse(fixture, "too many", many, ERROR_INVALID_IMAGE, "too many templates");
}

/* --- Attributes -------------------------------------------------------------------------- */

TEST(attributes_that_are_refused) {
        static const Bad bad[] = {
                { "uid above", "0 and 65535",
                  { { "uid", 'x', NULL, "65536" }, { "rootfs/f", '0' } } },
                { "gid above", "0 and 65535",
                  { { "gid", 'x', NULL, "65536" }, { "rootfs/f", '0' } } },
                { "uid -1", "0 and 65535", { { "uid", 'x', NULL, "-1" }, { "rootfs/f", '0' } } },
                { "uid 2^32", "0 and 65535",
                  { { "uid", 'x', NULL, "4294967296" }, { "rootfs/d/", '5' } } },
                { "uid 2^32 - 1", "0 and 65535",
                  { { "uid", 'x', NULL, "4294967295" }, { "rootfs/f", '6' } } },
                { "uid beyond all", "0 and 65535",
                  { { "uid", 'x', NULL, "99999999999999999999999999" },
                    { "rootfs/l", '2', "x" } } },
                { "an ACL for an owner above", "names an owner above",
                  { { "SCHILY.acl.access", 'x', NULL,
                      "user::rwx,user:x:rwx:70000,group::r-x,mask::rwx,other::r-x" },
                    { "rootfs/f", '0' } } },
                { "a raw ACL without form", "malformed",
                  { { "SCHILY.xattr.system.posix_acl_access", 'x', NULL, "junk" },
                    { "rootfs/f", '0' } } },
                { "a default ACL for an owner above", "names an owner above",
                  { { "SCHILY.acl.default", 'x', NULL,
                      "user::rwx,group:x:rwx:70000,group::r-x,mask::rwx,other::r-x" },
                    { "rootfs/d/", '5' } } },
        };

        refuse_all(bad, ELEMENTSOF(bad), false);
}

TEST(an_access_control_list_that_is_too_long) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GString) list = g_string_new("user::rwx,group::r-x,mask::rwx,other::r-x");
        g_autoptr(GByteArray) tar = g_byte_array_new();
        g_autoptr(GBytes) archive = NULL;

        for (unsigned i = 0; i < IMAGE_ACL_ENTRIES_MAX; i++)
                g_string_append_printf(list, ",user:x:r--:%u", i + 1);
        tar_append_image(tar);
        tar_append_pax(tar, "SCHILY.acl.access", list->str, list->len);
        tar_append(tar, "rootfs/f", '0', NULL, NULL, 0);
        tar_append_end(tar);
        archive = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
        image_fixture_refuse(fixture, "an ACL", archive, ERROR_INVALID_IMAGE, "list is too long");
}

static void append_xattr(GByteArray *tar, const char *name, const void *value, size_t size) {
        g_autofree char *key = g_strdup_printf("SCHILY.xattr.%s", name);

        tar_append_pax(tar, key, value, size);
}

/* What only the filesystem can judge; without a pool such an archive passes. */
TEST(extended_attributes_that_no_filesystem_takes) {
        static const struct {
                const char *title;
                const char *name;
                const char *value;
                size_t size;
        } bad[] = {
                { "a capability without form", "security.capability", "junk", 4 },
                { "a capability of no version", "security.capability",
                  "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16 },
                { "an ACL of nothing but others", "system.posix_acl_access",
                  "\2\0\0\0\x20\0\7\0\xff\xff\xff\xff", 12 },
                { "an attribute without a name", "user.", "x", 1 },
        };
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *before = image_fixture_listing(fixture);

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(GByteArray) tar = g_byte_array_new();
                g_autoptr(GBytes) archive = NULL;
                g_autoptr(WorkerClient) client = NULL;
                g_autofree char *after = NULL;

                tar_append_image(tar);
                append_xattr(tar, bad[i].name, bad[i].value, bad[i].size);
                tar_append(tar, "rootfs/f", '0', NULL, "x", 1);
                tar_append_end(tar);
                archive = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
                client = image_fixture_import(fixture, archive, true);
                if (client->result)
                        g_error("%s has been accepted", bad[i].title);
                worker_client_assert_error(client, ERROR_INVALID_IMAGE, bad[i].name);
                after = image_fixture_listing(fixture);
                g_assert_cmpstr(before, ==, after);
        }
}

TEST(extended_attributes_that_are_too_much) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autofree char *large = g_strnfill(IMAGE_XATTR_SIZE_MAX + 1, 'x');
        g_autoptr(GByteArray) one = g_byte_array_new(), many = g_byte_array_new();
        g_autoptr(GBytes) too_large = NULL, too_many = NULL;
        g_autoptr(GString) records = g_string_new(NULL);

        tar_append_image(one);
        append_xattr(one, "user.x", large, IMAGE_XATTR_SIZE_MAX + 1);
        tar_append(one, "rootfs/f", '0', NULL, "x", 1);
        tar_append_end(one);
        too_large = g_byte_array_free_to_bytes(g_steal_pointer(&one));
        image_fixture_refuse(fixture, "too large", too_large, ERROR_INVALID_IMAGE, "too large");

        for (unsigned i = 0; i <= IMAGE_XATTRS_MAX; i++)
                g_string_append_printf(records, "27 SCHILY.xattr.user.%03u=y\n", i);
        g_assert_cmpuint(records->len, ==, 27 * (IMAGE_XATTRS_MAX + 1));
        tar_append_image(many);
        tar_append(many, "pax", 'x', NULL, records->str, records->len);
        tar_append(many, "rootfs/f", '0', NULL, "x", 1);
        tar_append_end(many);
        too_many = g_byte_array_free_to_bytes(g_steal_pointer(&many));
        image_fixture_refuse(fixture, "too many", too_many, ERROR_INVALID_IMAGE, "too many");
}

/* --- What is kept stays inside ----------------------------------------------------------- */

/* Whether a local user can reach a file below the pool. */
static bool user_can_reach(const char *path) {
        pid_t pid = fork();
        int status;

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
                        _exit(2);
                _exit(access(path, F_OK) < 0 && errno == EACCES ? 0 : 1);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        return WEXITSTATUS(status) == 1;
}

TEST(set_user_id_programs_cannot_be_reached_from_the_host) {
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(TarBuilder) builder =
                tar_builder_new(ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FILTER_NONE);
        g_autofree char *volume = NULL, *program = NULL;
        g_autoptr(WorkerClient) client = NULL;
        g_autoptr(GBytes) archive = NULL;
        struct stat st;

        g_assert_cmpint(chmod(fixture->storage->directory, 0755), ==, 0);
        g_assert_cmpint(chmod(fixture->storage->state_dir, 0755), ==, 0);
        tar_builder_add_image(builder);
        tar_builder_add(builder, tar_entry_new("rootfs/bin/su", S_IFREG | 06755), "su", 2);
        archive = tar_builder_finish(builder);
        client = image_fixture_import(fixture, archive, true);
        worker_client_assert_result(client);
        volume = image_fixture_volume(fixture, archive);
        program = g_build_filename(volume, "bin/su", NULL);
        g_assert_cmpint(stat(program, &st), ==, 0);
        g_assert_cmphex(st.st_mode, ==, S_IFREG | 06755);
        g_assert_false(user_can_reach(program));
        g_assert_false(user_can_reach(fixture->pool_path));
        g_assert_true(user_can_reach(fixture->host_dir));
}

TEST(devices_are_left_out_and_counted) {
        static const Member members[] = {
                { "rootfs/dev/", '5' }, { "rootfs/dev/null", '3' }, { "rootfs/dev/sda", '4' },
                { "rootfs/dev/again", '1', "rootfs/dev/null" }, { NULL },
        };
        g_autoptr(ImageFixture) fixture = image_fixture_new_in_memory();
        g_autoptr(GByteArray) tar = g_byte_array_new();
        g_autofree char *volume = NULL, *devices = NULL;
        g_autoptr(WorkerClient) client = NULL;
        g_autoptr(GBytes) archive = NULL;
        guint32 n;

        tar_append_image(tar);
        append_members(fixture, tar, members);
        tar_append_end(tar);
        archive = g_byte_array_free_to_bytes(g_steal_pointer(&tar));
        client = image_fixture_import(fixture, archive, true);
        worker_client_assert_result(client);
        g_assert_true(g_variant_lookup(client->result, "skipped-devices", "u", &n));
        g_assert_cmpuint(n, ==, 3);
        volume = image_fixture_volume(fixture, archive);
        devices = g_build_filename(volume, "dev", NULL);
        g_assert_cmpint(rmdir(devices), ==, 0);
}

int main(void) {
        if (!storage_fixture_can_run()) {
                test_skip("needs root and loop devices");
                return 77;
        }
        return test_run();
}
