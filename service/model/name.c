/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/name.h"

#include <string.h>

typedef struct NameRule {
        const char *what;
        size_t min, max;
        const char *extra;   /* allowed beside ASCII letters and digits */
        bool letter_first;   /* else a letter or digit */
        const char *not_last;
        const char *text;
} NameRule;

#define LETTERS_AND_DIGITS "ASCII letters, digits, \"-\", \"_\", \".\", a letter or digit first"

static const NameRule rules[_NAME_KIND_MAX] = {
        [NAME_CONTAINER] = { "container", 1, 63, "-", true, "-",
                             "1 to 63 ASCII letters, digits and dashes, a letter first, "
                             "no dash last" },
        [NAME_PROFILE] = { "profile", 1, 63, "-_.", false, "", "1 to 63 " LETTERS_AND_DIGITS },
        [NAME_NETWORK] = { "network", 2, 15, "-_.", false, "", "2 to 15 " LETTERS_AND_DIGITS },
        [NAME_POOL] = { "storage pool", 1, 63, "-_.", false, "", "1 to 63 " LETTERS_AND_DIGITS },
        [NAME_DEVICE] = { "device", 1, 63, "-_.", false, "", "1 to 63 " LETTERS_AND_DIGITS },
        [NAME_SNAPSHOT] = { "snapshot", 1, 63, "-_.", false, "", "1 to 63 " LETTERS_AND_DIGITS },
        [NAME_VOLUME] = { "volume", 1, 63, "-_.", false, "", "1 to 63 " LETTERS_AND_DIGITS },
        [NAME_INTERFACE] = { "interface", 1, 15, "-_.", false, "", "1 to 15 " LETTERS_AND_DIGITS },
        [NAME_IMAGE_SERVER] = { "image server", 1, 63, "-_.", false, "",
                                "1 to 63 " LETTERS_AND_DIGITS },
        [NAME_ALIAS] = { "image alias", 1, 128, "!#$%&'()*+,-./:;=?@[]^_`{|}~", false, "/",
                         "1 to 128 printable ASCII characters without blanks, quotes or backslash, "
                         "a letter or digit first, no slash last" },
};

static bool rule_matches(const NameRule *rule, const char *name) {
        size_t n = strlen(name);

        if (n < rule->min || n > rule->max)
                return false;
        if (rule->letter_first ? !g_ascii_isalpha(name[0]) : !g_ascii_isalnum(name[0]))
                return false;
        for (const char *p = name; *p; p++)
                if (!g_ascii_isalnum(*p) && !strchr(rule->extra, *p))
                        return false;
        return !*rule->not_last || !strchr(rule->not_last, name[n - 1]);
}

int name_check(NameKind kind, const char *name, Error *ret_error) {
        const NameRule *rule = &rules[kind];
        g_autofree char *printable = NULL;

        if (rule_matches(rule, name))
                return 0;

        printable = g_strescape(name, NULL);
        if (strlen(printable) > 80)
                printable[80] = 0;
        return error_set(ret_error, ERROR_INVALID_NAME,
                         "\"%s\" is no name for a%s %s: use %s", printable,
                         strchr("aeiou", rule->what[0]) ? "n" : "", rule->what, rule->text);
}

bool name_is_fingerprint_prefix(const char *s) {
        size_t n = strspn(s, "0123456789abcdef");

        return n > 0 && n <= 64 && !s[n];
}

bool name_is_fingerprint(const char *s) {
        return strlen(s) == 64 && name_is_fingerprint_prefix(s);
}

char *name_generate(void) {
        static const char consonants[] = "bdfghjklmnprstvwz";
        static const char vowels[] = "aeiou";
        GString *name = g_string_new(NULL);

        for (int i = 0; i < 4; i++) {
                g_string_append_c(name, consonants[g_random_int_range(0, sizeof(consonants) - 1)]);
                g_string_append_c(name, vowels[g_random_int_range(0, sizeof(vowels) - 1)]);
        }
        return g_string_free(name, FALSE);
}
