/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/template.h"

#include <string.h>

#include "tests/unit/test.h"

#define CONTEXT \
        "{'trigger': <'create'>, 'container': <{'name': 'c1', 'architecture': 'x86_64'}>," \
        " 'instance': <{'name': 'c1'}>, 'properties': <{'os': 'Debian', 'empty': ''}>," \
        " 'config': <{'user.x': 'y', 'user.a-b': 'dash'}>," \
        " 'devices': <{'eth0': {'type': 'nic', 'hwaddr': '00:16'}}>, 'yes': <true>, 'no': <false>}"

static char *render(const char *text, Error *error) {
        g_autoptr(GVariant) context = g_variant_ref_sink(g_variant_new_parsed(CONTEXT));
        char *out = NULL;

        return template_render("hostname.tpl", text, context, &out, error) < 0 ? NULL : out;
}

TEST(what_images_use) {
        static const char *const cases[][2] = {
                { "", "" },
                { "plain { text } % #\n", "plain { text } % #\n" },
                { "{{ container.name }}\n", "c1\n" },
                { "{{container.name}}{{ instance.name }}", "c1c1" },
                { "{{ config_get(\"user.x\", \"none\") }}", "y" },
                { "{{ config_get('user.none', 'none') }}", "none" },
                { "{{ config_get(\"user.none\") }}", "" },
                { "{{ config_get(\"user.none\", properties.os) }}", "Debian" },
                { "{{ config.user.x }}{{ config.user.a-b }}", "ydash" },
                { "{{ properties.os }}{{ properties.none }}", "Debian" },
                { "{{ devices.eth0.hwaddr }}", "00:16" },
                { "{{ devices. }}{{ config. }}{{ properties.. }}{{ yes. }}", "" },
                { "{{ properties.none|default:\"x\" }}", "x" },
                { "{{ properties.empty|default:'x'|upper }}", "X" },
                { "{{ properties.empty|default_if_none:'x' }}", "" },
                { "{{ properties.os | lower | safe }}", "debian" },
                { "{{ 'two words'|title }}{{ 'two words'|capfirst }}", "Two WordsTwo words" },
                { "{{ ' x '|trim }}{{ 'abc'|length }}", "x3" },
                { "{{ \"}}\" }}{{ '\\'' }}", "}}'" },
                { "{# a comment {{ nothing #}x", "x" },
                { "{% if trigger == \"create\" %}new{% else %}old{% endif %}", "new" },
                { "{% if trigger != 'create' %}new{% elif yes %}two{% else %}3{% endif %}", "two" },
                { "{% if no or not properties.none and yes %}1{% endif %}", "1" },
                { "{% if (no or yes) and no %}1{% endif %}0", "0" },
                { "{% if no && yes || yes %}1{% endif %}", "1" },
                { "{% if !no %}1{% endif %}", "1" },
                { "{% if devices.eth0 %}nic{% endif %}{% if devices.eth1 %}no{% endif %}", "nic" },
                { "{% if yes %}{% if no %}a{% else %}b{% endif %}{% endif %}", "b" },
                { "{% if no %}{% if yes %}a{% else %}b{% endif %}{{ x }}{% endif %}", "" },
                { "{% autoescape off %}<{{ 'a&b' }}>{% endautoescape %}", "<a&b>" },
                { "a  {%- if yes -%}  b  {%- endif -%}  c", "abc" },
                { "{{ yes }} {{ no }} {{ 12 }}", "True False 12" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(Error) error = ERROR_INIT;
                g_autofree char *out = render(cases[i][0], &error);

                if (g_strcmp0(out, cases[i][1]) != 0)
                        g_error("%s: \"%s\" instead of \"%s\", %s", cases[i][0], out, cases[i][1],
                                error.message);
        }
}

/* What would read, write, run or go on for ever, and what is only written wrongly. */
TEST(what_is_refused) {
        static const char *const cases[][2] = {
                { "{% include \"/etc/shadow\" %}", "line 1: \"{% include %}\" is not supported" },
                { "\n{% ssi '/etc/shadow' %}", "line 2: \"{% ssi %}\"" },
                { "{% import 'x' m %}", "import" },
                { "{% extends 'x' %}", "extends" },
                { "{% for x in y %}{% endfor %}", "for" },
                { "{% set x = 1 %}", "set" },
                { "{{ lookup('/etc/shadow') }}", "no function \"lookup\"" },
                { "{{ ''.__class__() }}", "not understood" },
                { "{{ x|filesizeformat }}", "no filter \"filesizeformat\"" },
                { "{{ x", "not closed" },
                { "{{ 'x }}", "not closed" },
                { "{% if yes %}", "\"if\" is not closed" },
                { "{% endif %}", "belongs to no" },
                { "{% else %}", "belongs to no" },
                { "{% elif yes %}", "belongs to no" },
                { "{% if yes %}{% else %}{% else %}{% endif %}", "belongs to no" },
                { "{% if no %}{% nonsense %}{% endif %}", "nonsense" },
                { "{{ devices }}", "is a table" },
                { "{{ }}", "a value is missing" },
                { "{{ (1 }}", "not closed" },
                { "{% %}", "without a name" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_auto(Error) error = ERROR_INIT;
                g_autofree char *out = render(cases[i][0], &error);

                g_assert_null(out);
                g_assert_nonnull(strstr(error.message, "hostname.tpl"));
                if (!strstr(error.message, cases[i][1]))
                        g_error("%s: %s", cases[i][0], error.message);
        }
}

/* What is a little too much, and what is far too much. */
static void refuse_bomb(const char *before, const char *piece, size_t n, const char *after,
                        const char *why) {
        for (int i = 0; i < 2; i++, n *= 100) {
                g_autoptr(GString) text = g_string_new(before);
                g_auto(Error) error = ERROR_INIT;
                g_autofree char *out = NULL;

                for (size_t k = 0; k < n; k++)
                        g_string_append(text, piece);
                g_string_append(text, after);
                out = render(text->str, &error);
                g_assert_null(out);
                if (!strstr(error.message, text->len > TEMPLATE_TEXT_MAX ? "larger than" : why))
                        g_error("%zu times %s: %s", n, piece, error.message);
        }
}

TEST(bombs_are_bounded) {
        refuse_bomb("{{ ", "(", 33, " }}", "too deep");
        refuse_bomb("{{ ", "not ", 33, "x }}", "too deep");
        refuse_bomb("", "{% if yes %}", 33, "", "nested more than");
        refuse_bomb("", "xxxxxxxxxxxxxxxx", TEMPLATE_TEXT_MAX / 16 + 1, "", "larger than");
        /* Nothing comes of it: it is the text that is too long. */
        refuse_bomb("", "{# 4567890123 #}", TEMPLATE_TEXT_MAX / 16 + 1, "", "it is larger than");
}

/* A short text that becomes a long one. */
TEST(what_comes_of_it_is_bounded) {
        g_autofree char *value = g_strnfill(TEMPLATE_OUTPUT_MAX / 4, 'x');
        g_autoptr(GVariant) context = g_variant_ref_sink(g_variant_new_parsed(
                "{'properties': <{'os': %s}>}", value));
        g_autofree char *whole = NULL, *none = NULL;
        g_auto(Error) error = ERROR_INIT;

        g_assert_cmpint(template_render("t", "{{ properties.os }}{{ properties.os }}"
                                        "{{ properties.os }}{{ properties.os }}", context, &whole,
                                        NULL), ==, 0);
        g_assert_cmpuint(strlen(whole), ==, TEMPLATE_OUTPUT_MAX);
        g_assert_cmpint(template_render("t", "{{ properties.os }}{{ properties.os }}"
                                        "{{ properties.os }}{{ properties.os }}x", context, &none,
                                        &error), <, 0);
        g_assert_nonnull(strstr(error.message, "would be larger than"));
}

TEST_MAIN()
