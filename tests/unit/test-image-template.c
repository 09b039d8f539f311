/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/image-template.h"

#include <string.h>

#include "service/util/cleanup.h"
#include "tests/unit/test.h"

static GVariant *list_of(const char *text) {
        return g_variant_ref_sink(
                g_variant_parse(IMAGE_TEMPLATES_TYPE, text, NULL, NULL, NULL));
}

static void expect(GVariant *templates, const char *text) {
        g_autoptr(GVariant) wanted = list_of(text);
        g_autofree char *shown = g_variant_print(templates, FALSE);

        if (!g_variant_equal(templates, wanted))
                g_error("%s instead of %s", shown, text);
}

#define TWO_OF_ONE \
        "[('/a', 't', 'x', ['start'], {}, false), ('/b', 't', 'x', ['copy'], {'k': 'v'}, true)]"

TEST(texts_are_written_and_removed) {
        g_autoptr(GVariant) none = image_templates_empty(), two = list_of(TWO_OF_ONE);
        g_autoptr(GVariant) one = NULL, changed = NULL, more = NULL, files = NULL, left = NULL;

        g_assert_cmpint(image_templates_set(none, "new.tpl", "y", &one, NULL), ==, 0);
        expect(one, "[('', 'new.tpl', 'y', [], {}, false)]");
        /* All that is made from a text is made from the new one. */
        g_assert_cmpint(image_templates_set(two, "t", "z", &changed, NULL), ==, 0);
        expect(changed, "[('/a', 't', 'z', ['start'], {}, false),"
                        " ('/b', 't', 'z', ['copy'], {'k': 'v'}, true)]");
        g_assert_cmpint(image_templates_set(changed, "a", "", &more, NULL), ==, 0);
        files = g_variant_ref_sink(image_templates_get_files(more));
        g_assert_cmpuint(g_variant_n_children(files), ==, 2);
        g_assert_cmpstr(image_templates_get(more, "a"), ==, "");
        g_assert_cmpstr(image_templates_get(more, "t"), ==, "z");
        g_assert_null(image_templates_get(more, "b"));
        left = image_templates_remove(more, "t");
        expect(left, "[('', 'a', '', [], {}, false)]");
}

TEST(what_is_made_is_exchanged) {
        g_autoptr(GVariant) two = list_of(TWO_OF_ONE), rules = NULL, changed = NULL, same = NULL;
        g_autoptr(GVariant) none = g_variant_ref_sink(
                g_variant_new_array(g_variant_type_element(IMAGE_TEMPLATE_RULES_TYPE), NULL, 0));

        rules = g_variant_ref_sink(image_templates_get_rules(two));
        g_assert_cmpint(image_templates_set_rules(two, rules, &same, NULL), ==, 0);
        g_assert_true(g_variant_equal(two, same));
        /* The text stays when nothing is made from it. */
        g_assert_cmpint(image_templates_set_rules(two, none, &changed, NULL), ==, 0);
        expect(changed, "[('', 't', 'x', [], {}, false)]");
}

TEST(what_cannot_be_is_refused) {
        static const struct {
                const char *rules;
                ErrorCode code;
        } bad[] = {
                { "{'a': ('t', ['start'], {}, false)}", ERROR_INVALID_CONFIG },
                { "{'/../a': ('t', ['start'], {}, false)}", ERROR_INVALID_CONFIG },
                { "{'/a\\n': ('t', ['start'], {}, false)}", ERROR_INVALID_CONFIG },
                { "{'': ('t', ['start'], {}, false)}", ERROR_INVALID_CONFIG },
                { "{'/a': ('t', ['Start!'], {}, false)}", ERROR_INVALID_CONFIG },
                { "{'/a': ('u', ['start'], {}, false)}", ERROR_NO_SUCH_FILE },
                { "{'/a': ('t', [], {}, false), '/a': ('t', [], {}, true)}", ERROR_INVALID_CONFIG },
        };
        static const char *const names[] = { "", ".", "..", "a/b", "/a", "a\n" };
        g_autofree char *large = g_strnfill(IMAGE_TEMPLATE_MAX + 1, 'x');
        g_autofree char *half = g_strnfill(IMAGE_TEMPLATE_MAX, 'x');
        g_autoptr(GVariant) two = list_of(TWO_OF_ONE), result = NULL, full = NULL;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(GVariant) rules = g_variant_ref_sink(g_variant_parse(
                        IMAGE_TEMPLATE_RULES_TYPE, bad[i].rules, NULL, NULL, NULL));
                g_auto(Error) error = ERROR_INIT;

                g_assert_cmpint(image_templates_set_rules(two, rules, &result, &error), <, 0);
                g_assert_cmpint(error.code, ==, bad[i].code);
        }
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                g_assert_cmpint(image_templates_set(two, names[i], "x", &result, NULL), <, 0);
        g_assert_cmpint(image_templates_set(two, "l", large, &result, NULL), <, 0);
        g_assert_cmpint(image_templates_set(two, "l", half, &full, NULL), ==, 0);
        g_assert_cmpint(image_templates_set(full, "m", half, &result, NULL), <, 0);
        g_assert_null(result);
}

TEST(not_too_many) {
        g_autoptr(GVariant) list = image_templates_empty();
        GVariant *next;

        for (unsigned i = 0; i < IMAGE_TEMPLATES_MAX; i++) {
                g_autofree char *name = g_strdup_printf("%u", i);

                g_assert_cmpint(image_templates_set(list, name, "", &next, NULL), ==, 0);
                g_variant_unref(list);
                list = next;
        }
        g_assert_cmpint(image_templates_set(list, "over", "", &next, NULL), <, 0);
}

/* Records of a time when texts had no names. */
TEST(old_records_are_read) {
        g_autoptr(GVariant) old = g_variant_ref_sink(g_variant_new_parsed(
                "[('/a', 'x', ['start'], @a{ss} {}, false), ('/b', 'y', ['copy'], {}, true)]"));
        g_autoptr(GVariant) other = g_variant_ref_sink(g_variant_new_string("x"));
        g_autoptr(GVariant) upgraded = image_templates_upgrade(old), same = NULL;

        expect(upgraded, "[('/a', 'template0.tpl', 'x', ['start'], {}, false),"
                         " ('/b', 'template1.tpl', 'y', ['copy'], {}, true)]");
        same = image_templates_upgrade(upgraded);
        g_assert_true(g_variant_equal(same, upgraded));
        g_assert_null(image_templates_upgrade(other));
}

TEST_MAIN()
