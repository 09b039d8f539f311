/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The language of the templates that images bring, as far as images use it: text with
 *
 *   {{ EXPRESSION }}      the value
 *   {% if EXPRESSION %} … {% elif EXPRESSION %} … {% else %} … {% endif %}
 *   {% autoescape on|off %} … {% endautoescape %}    accepted, without an effect
 *   {# comment #}         "{%-" and "-%}" (likewise for the others) eat blanks beside them
 *
 * Expressions have "texts", numbers, names such as container.name, config_get("key", "default"),
 * ==, !=, and, or, not, brackets, and filters: default:"x", default_if_none, upper, lower, title,
 * capfirst, trim, length, safe, escape. A name that there is none of is empty.
 *
 * No loop, no file, no other template: the time is that of reading the text once, and the output
 * is bounded. Whatever else is in a template is an error that names it and the line.
 */

#include <glib.h>

#include "service/util/error.h"

#define TEMPLATE_TEXT_MAX (1U << 20)
#define TEMPLATE_OUTPUT_MAX (1U << 20)

/* `context` a{sv}: what names stand for. Values are texts (s), truths (b), tables (a{ss}) and
 * tables of tables (a{sa{ss}}); of a table everything behind its name is the key, dots included.
 * config_get() looks into the table "config". `name` is for messages. */
int template_render(const char *name, const char *text, GVariant *context, char **ret,
                    Error *ret_error);
