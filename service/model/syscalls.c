/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/syscalls.h"

#include <errno.h>
#include <string.h>

#include "service/util/cleanup.h"

#define ERRNO_MAX 4095

static void rule_clear(gpointer p) {
        g_free(((SyscallRule *) p)->name);
}

GArray *syscalls_new(void) {
        GArray *rules = g_array_new(FALSE, FALSE, sizeof(SyscallRule));

        g_array_set_clear_func(rules, rule_clear);
        return rules;
}

static bool name_is_valid(const char *name) {
        if (!*name)
                return false;
        for (const char *p = name; *p; p++)
                if (!g_ascii_isalnum(*p) && *p != '_')
                        return false;
        return true;
}

void syscalls_add(GArray *rules, const char *name, SyscallAction action, unsigned errnum) {
        SyscallRule rule = { g_strdup(name), action, errnum };

        for (guint i = rules->len; i > 0; i--)
                if (g_str_equal(g_array_index(rules, SyscallRule, i - 1).name, name))
                        g_array_remove_index(rules, i - 1);
        g_array_append_val(rules, rule);
}

static bool parse_action(char *const *words, SyscallAction *ret, unsigned *ret_errnum) {
        guint64 number = 0;

        *ret = SYSCALL_PLAIN;
        *ret_errnum = 0;
        if (!words[0])
                return true;
        if (g_str_equal(words[0], "errno")) {
                *ret = SYSCALL_ERRNO;
                if (!words[1] ||
                    !g_ascii_string_to_unsigned(words[1], 10, 0, ERRNO_MAX, &number, NULL))
                        return false;
                *ret_errnum = (unsigned) number;
                return true;
        }
        *ret = g_str_equal(words[0], "kill") ? SYSCALL_KILL : SYSCALL_ALLOW;
        return !words[1] && (*ret == SYSCALL_KILL || g_str_equal(words[0], "allow"));
}

static int parse_line(const char *line, GArray *rules, Error *ret_error) {
        g_auto(GStrv) words = g_strsplit(line, " ", 3);
        SyscallAction action;
        unsigned errnum;

        if (!name_is_valid(words[0]) || !parse_action(words + 1, &action, &errnum))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "\"%s\" is no line such as \"mount\", \"mount errno 1\" "
                                 "or \"mount kill\"", line);
        if (rules)
                syscalls_add(rules, words[0], action, errnum);
        return 0;
}

int syscalls_parse(const char *text, GArray *rules, Error *ret_error) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        int r = 0;

        for (char **line = lines; r >= 0 && *line; line++)
                if (*g_strstrip(*line) && **line != '#')
                        r = parse_line(*line, rules, ret_error);
        return r;
}

int syscalls_parse_profile(const char *text, bool *ret_only, GArray *rules, Error *ret_error) {
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        bool only, in_section = false;
        int r = 0;

        if (!lines[0] || !g_str_equal(g_strstrip(lines[0]), "2") || !lines[1])
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "only profiles of version 2 are understood: \"2\" in the first "
                                 "line");
        g_strstrip(lines[1]);
        only = g_str_equal(lines[1], "allowlist") || g_str_equal(lines[1], "whitelist");
        if (!only && !g_str_equal(lines[1], "denylist") && !g_str_equal(lines[1], "blacklist"))
                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                 "the second line of the profile has to be \"denylist\" or "
                                 "\"allowlist\"");
        for (char **line = lines + 2; r >= 0 && *line; line++) {
                if (!*g_strstrip(*line) || **line == '#')
                        continue;
                if (g_str_equal(*line, "[all]"))
                        in_section = true;
                else if (**line == '[' || !in_section)
                        r = error_set(ret_error, ERROR_INVALID_CONFIG,
                                      "\"%s\" is not understood: lines of calls have to be in the "
                                      "section \"[all]\"", *line);
                else
                        r = parse_line(*line, rules, ret_error);
        }
        if (r >= 0 && ret_only)
                *ret_only = only;
        return r;
}
