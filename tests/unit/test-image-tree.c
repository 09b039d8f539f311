/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/tree.h"

#include <limits.h>
#include <string.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/entry-name.h"
#include "service/worker/image/text.h"
#include "tests/unit/test.h"

static TreeNode *add(Tree *tree, const char *name, TreeKind kind) {
        g_auto(Error) error = ERROR_INIT;
        TreeNode *node = NULL;

        (void) tree_add(tree, name, kind, &node, &error);
        g_assert_cmpstr(error.message, ==, NULL);
        return node;
}

static void add_symlink(Tree *tree, const char *name, const char *target) {
        add(tree, name, TREE_SYMLINK)->target = g_strdup(target);
}

static void refuse(Tree *tree, const char *name, TreeKind kind, const char *why) {
        g_auto(Error) error = ERROR_INIT;
        TreeNode *node = NULL;

        g_assert_cmpint(tree_add(tree, name, kind, &node, &error), <, 0);
        g_assert_cmpint(error.code, ==, ERROR_INVALID_IMAGE);
        g_assert_nonnull(strstr(error.message, why));
        g_assert_nonnull(strstr(error.message, name));
}

TEST(names_come_into_one_form) {
        static const struct {
                const char *raw;
                bool is_directory;
                const char *name;
        } good[] = {
                { "a", false, "a" },       { "./a", false, "a" },     { "a/b", false, "a/b" },
                { "a/", true, "a" },       { "a//", true, "a" },      { ".", true, "" },
                { "./", true, "" },        { "./.", true, "" },
                { "./a/b/", true, "a/b" }, { "...", false, "..." },
                { "..a", false, "..a" },   { "a b", false, "a b" },   { "\xff", false, "\xff" },
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                g_autofree char *name = NULL;

                g_assert_cmpint(entry_name_parse(good[i].raw, good[i].is_directory, &name, NULL),
                                ==, 0);
                g_assert_cmpstr(name, ==, good[i].name);
        }
}

TEST(names_that_are_refused) {
        static const char *const bad[] = {
                "", "/", "/a", "//a", "..", "../a", "a/..", "a/../b", "a/./b", "a//b", "././a",
                ".//a", "./..", "./../a",
        };
        g_autofree char *component = g_strnfill(NAME_MAX + 1, 'a');
        g_autofree char *path = g_strnfill(IMAGE_PATH_MAX + 1, 'a');
        g_autoptr(GString) deep = g_string_new("a");
        char *name = NULL;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                for (int is_directory = 0; is_directory < 2; is_directory++)
                        if (entry_name_parse(bad[i], is_directory, &name, NULL) >= 0)
                                g_error("accepted: \"%s\"", bad[i]);
        g_assert_cmpint(entry_name_parse(component, false, &name, NULL), <, 0);
        g_assert_cmpint(entry_name_parse(path, false, &name, NULL), <, 0);
        g_assert_cmpint(entry_name_parse("a/", false, &name, NULL), <, 0);
        g_assert_cmpint(entry_name_parse(".", false, &name, NULL), <, 0);

        for (unsigned i = 1; i < IMAGE_DEPTH_MAX; i++)
                g_string_append(deep, "/a");
        g_assert_cmpint(entry_name_parse(deep->str, false, &name, NULL), ==, 0);
        g_free(name);
        g_string_append(deep, "/a");
        g_assert_cmpint(entry_name_parse(deep->str, false, &name, NULL), <, 0);
}

TEST(what_is_below_a_directory) {
        g_assert_cmpstr(entry_name_below("rootfs/etc/passwd", "rootfs"), ==, "etc/passwd");
        g_assert_cmpstr(entry_name_below("rootfs", "rootfs"), ==, "");
        g_assert_cmpstr(entry_name_below("etc", ""), ==, "etc");
        g_assert_null(entry_name_below("rootfs2/etc", "rootfs"));
        g_assert_null(entry_name_below("root", "rootfs"));
}

TEST(parents_are_directories_of_the_archive) {
        g_autoptr(Tree) tree = tree_new();

        g_assert_true(add(tree, "usr/bin", TREE_DIRECTORY)->is_implied == FALSE);
        g_assert_true(tree_get(tree, "usr")->is_implied);
        g_assert_false(add(tree, "usr", TREE_DIRECTORY)->is_implied);
        add(tree, "usr/bin/env", TREE_FILE);
        add_symlink(tree, "bin", "usr/bin");
        refuse(tree, "bin/sh", TREE_FILE, "symbolic link");
        refuse(tree, "bin/a/b/c", TREE_DIRECTORY, "symbolic link");
        refuse(tree, "usr/bin/env/x", TREE_FILE, "not a directory");
        add(tree, "dev/null", TREE_SKIPPED);
        refuse(tree, "dev/null/x", TREE_FILE, "not a directory");
        g_assert_null(tree_get(tree, "bin/sh"));
}

TEST(only_directories_come_twice) {
        g_autoptr(Tree) tree = tree_new();

        add(tree, "d", TREE_DIRECTORY);
        add(tree, "d", TREE_DIRECTORY);
        add(tree, "", TREE_DIRECTORY);
        add(tree, "f", TREE_FILE);
        add_symlink(tree, "l", "d");
        refuse(tree, "f", TREE_FILE, "another entry");
        refuse(tree, "f", TREE_DIRECTORY, "another entry");
        refuse(tree, "d", TREE_SYMLINK, "another entry");
        refuse(tree, "l", TREE_DIRECTORY, "another entry");
        refuse(tree, "l", TREE_SYMLINK, "another entry");
}

TEST(hard_links_are_to_what_has_come) {
        g_autoptr(Tree) tree = tree_new();
        TreeNode *node = NULL;

        add(tree, "d/f", TREE_FILE)->architecture = "x86_64";
        g_assert_cmpint(tree_add_link(tree, "g", "d/f", &node, NULL), ==, 0);
        g_assert_cmpstr(tree_get(tree, "g")->architecture, ==, "x86_64");
        g_assert_cmpint(tree_add_link(tree, "h", "later", &node, NULL), <, 0);
        g_assert_cmpint(tree_add_link(tree, "h", "h", &node, NULL), <, 0);
        g_assert_cmpint(tree_add_link(tree, "h", "d", &node, NULL), <, 0);
        g_assert_cmpint(tree_add_link(tree, "g", "d/f", &node, NULL), <, 0);
        add_symlink(tree, "l", "d");
        g_assert_cmpint(tree_add_link(tree, "h", "l/f", &node, NULL), <, 0);
        g_assert_cmpint(tree_add_link(tree, "l/h", "d/f", &node, NULL), <, 0);
        g_assert_cmpint(tree_add_link(tree, "m", "l", &node, NULL), ==, 0);
        g_assert_cmpint(node->kind, ==, TREE_SYMLINK);
}

TEST(links_resolve_inside_the_tree) {
        g_autoptr(Tree) tree = tree_new();
        TreeNode *dash = add(tree, "usr/bin/dash", TREE_FILE);

        add_symlink(tree, "bin", "usr/bin");
        add_symlink(tree, "usr/bin/sh", "dash");
        add_symlink(tree, "usr/bin/ash", "/bin/dash");
        add_symlink(tree, "usr/bin/csh", "../../../../usr/./bin//dash");
        add_symlink(tree, "self", "self");
        add_symlink(tree, "a", "b");
        add_symlink(tree, "b", "a/x");
        add_symlink(tree, "out", "/etc/passwd");
        g_assert_true(tree_resolve(tree, "bin/sh") == dash);
        g_assert_true(tree_resolve(tree, "bin/ash") == dash);
        g_assert_true(tree_resolve(tree, "bin/csh") == dash);
        g_assert_null(tree_resolve(tree, "self"));
        g_assert_null(tree_resolve(tree, "a"));
        g_assert_null(tree_resolve(tree, "out"));
        g_assert_null(tree_resolve(tree, "bin/dash/x"));
        g_assert_true(tree_resolve(tree, "bin/../../usr/bin/../bin/sh") == dash);
}

TEST(messages_are_printable) {
        g_autofree char *plain = text_for_message("Főtanúsítvány.crt");
        g_autofree char *escaped = text_for_message("a\x1b[2J\xff\n\xe2\x80\xae");
        g_autofree char *bytes = g_strnfill(5000, '\xc3');
        g_autofree char *shortened = text_for_message(bytes);

        g_assert_cmpstr(plain, ==, "Főtanúsítvány.crt");
        g_assert_cmpstr(escaped, ==, "a\\x1b[2J\\xff\\x0a\\xe2\\x80\\xae");
        g_assert_cmpuint(strlen(shortened), <, 1000);
        g_assert_true(text_is_printable(shortened));
        g_assert_false(text_is_printable("a\nb"));
        g_assert_false(text_is_printable("\xff"));
}

TEST_MAIN()
