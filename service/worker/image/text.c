/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/text.h"

#include <string.h>

#include <glib.h>

/* What is longer shows its first and last half of that. */
#define MESSAGE_TEXT_MAX 200

static bool char_is_printable(gunichar c) {
        /* Format characters turn the direction of a line around, or hide. */
        return !g_unichar_iscntrl(c) && g_unichar_type(c) != G_UNICODE_FORMAT;
}

bool text_is_printable(const char *text) {
        if (!g_utf8_validate(text, -1, NULL))
                return false;
        for (const char *p = text; *p; p = g_utf8_next_char(p))
                if (g_unichar_iscntrl(g_utf8_get_char(p)))
                        return false;
        return true;
}

static char *text_escape(const char *bytes, size_t size) {
        g_autoptr(GString) out = g_string_new(NULL);

        for (size_t i = 0; i < size;) {
                gunichar c = g_utf8_get_char_validated(bytes + i, (gssize) (size - i));

                if (c != (gunichar) -1 && c != (gunichar) -2 && char_is_printable(c)) {
                        g_string_append_unichar(out, c);
                        i += (size_t) g_unichar_to_utf8(c, NULL);
                        continue;
                }
                g_string_append_printf(out, "\\x%02x", (unsigned char) bytes[i]);
                i++;
        }
        return g_string_free(g_steal_pointer(&out), FALSE);
}

char *text_for_message(const char *bytes) {
        size_t size = strlen(bytes);
        g_autofree char *head = NULL, *tail = NULL;

        if (size <= MESSAGE_TEXT_MAX)
                return text_escape(bytes, size);
        head = text_escape(bytes, MESSAGE_TEXT_MAX / 2);
        tail = text_escape(bytes + size - MESSAGE_TEXT_MAX / 2, MESSAGE_TEXT_MAX / 2);
        return g_strdup_printf("%s...%s", head, tail);
}
