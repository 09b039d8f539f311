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

TEST(bombs_are_bounded) {
        g_autoptr(GString) deep = g_string_new(NULL), nested = g_string_new(NULL);
        g_autoptr(GString) nots = g_string_new("{{ "), wide = g_string_new(NULL);
        GString *texts[] = { deep, nested, nots, wide };

        g_string_append(deep, "{{ ");
        for (int i = 0; i < 100000; i++) {
                g_string_append_c(deep, '(');
                g_string_append(nested, "{% if yes %}");
                g_string_append(nots, "not ");
        }
        g_string_append(deep, " }}");
        g_string_append(nots, "x }}");
        for (int i = 0; i < (2 << 20); i++)
                g_string_append_c(wide, 'x');
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_auto(Error) error = ERROR_INIT;
                g_autofree char *out = render(texts[i]->str, &error);

                g_assert_null(out);
                g_assert_nonnull(error.message);
        }
}

TEST_MAIN()
