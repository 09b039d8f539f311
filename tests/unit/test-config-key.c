/* SPDX-License-Identifier: Apache-2.0 */

/* The table of configuration keys: rows, names, and one reading for every value. */

#include <signal.h>
#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/util/cleanup.h"
#include "tests/unit/key-samples.h"
#include "tests/unit/test.h"

static int check(const char *key, const char *value, char **ret_message) {
        g_autoptr(GVariant) set = g_variant_ref_sink(g_variant_new_parsed("{%s: %s}", key, value));
        g_auto(Error) error = ERROR_INIT;
        int r = config_check(set, NULL, CONFIG_SCOPE_CONTAINER, &error);

        if (ret_message)
                *ret_message = g_strdup(error.message);
        return r;
}

TEST(rows_are_whole) {
        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                g_assert_nonnull(row->type);
                g_assert_nonnull(row->check);
                g_assert_nonnull(row->help);
                g_assert_null(strchr(row->help, '\n'));
                g_assert_cmpuint(row->scopes, !=, 0);
                /* What an absent key means must be a value that it could have. */
                if (row->fallback && !row->read_only)
                        if (row->check(row->fallback, NULL) < 0 &&
                            !g_str_has_prefix(row->name, "security.syscalls.intercept"))
                                g_error("%s: the fallback %s is refused", row->name, row->fallback);
                if (row->harmless_when)
                        g_assert_true(g_str_equal(row->harmless_when, "true") ||
                                      g_str_equal(row->harmless_when, "false"));
                for (const ConfigKey *other = config_key_table(); other != row; other++)
                        g_assert_cmpstr(other->name, !=, row->name);
        }
}

/* An absent key must never mean more than the harmless value does. */
TEST(fallbacks_are_harmless) {
        for (const ConfigKey *row = config_key_table(); row->name; row++)
                if (row->harmless_when)
                        g_assert_cmpstr(row->fallback, ==, row->harmless_when);
}

TEST(odd_spellings_have_no_second_reading) {
        static const char *const odd[] = { "", " ", "\t", "true ", " true", "0 ", "yes\n", "tru",
                                           "TRUE!", "2", "-", "null", "none", "0x1", "1.0" };
        g_autoptr(GVariant) absent = config_empty();
        bool on;

        for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
                g_autoptr(GVariant) config = g_variant_ref_sink(
                        g_variant_new_parsed("{'security.privileged': %s}", odd[i]));

                g_assert_cmpint(check("security.nesting", odd[i], NULL), <, 0);
                g_assert_cmpint(config_parse_boolean(odd[i], &on), <, 0);
                /* A record that says so anyway: read as if it were not there. */
                g_assert_false(config_get_boolean(config, "security.privileged"));
        }
        g_assert_false(config_get_boolean(absent, "security.privileged"));
        g_assert_true(config_get_boolean(absent, "security.idmap.isolated"));
        g_assert_cmpint(config_parse_boolean("True", &on), ==, 0);
        g_assert_true(on);
        g_assert_cmpint(config_parse_boolean("oFF", &on), ==, 0);
        g_assert_false(on);
}

/* A key of this row, of whatever table. */
static char *key_of(const ConfigKey *row) {
        return g_str_has_suffix(row->name, "*") ? g_strdup(key_sample(row)->key)
                                                : g_strdup(row->name);
}

static GVariant *config_of(const char *key, const char *value) {
        return g_variant_ref_sink(g_variant_new_parsed("{%s: %s}", key, value));
}

static void one_boolean(const ConfigKey *row) {
        static const char *const words[][2] = {
                { "true", "false" }, { "True", "False" }, { "TRUE", "FALSE" }, { "1", "0" },
                { "yes", "no" }, { "Yes", "NO" }, { "on", "off" }, { "ON", "Off" },
        };
        static const char *const odd[] = { "", " ", "\t", "true ", " true", "0 ", "1\n", "y", "n",
                                           "t", "2", "-1", "01", "enabled", "null", "truefalse",
                                           "\xef\xbd\x91\xef\xbd\x85\xef\xbd\x93" };
        g_autofree char *key = key_of(row);
        g_autoptr(GVariant) absent = config_empty();

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                for (int off = 0; off < 2; off++) {
                        g_autoptr(GVariant) config = config_of(key, words[i][off]);

                        if ((row->check(words[i][off], NULL) < 0) !=
                            (row->check(words[0][off], NULL) < 0))
                                g_error("%s takes only one of %s and %s", key, words[i][off],
                                        words[0][off]);
                        if (config_get_boolean(config, key) != !off)
                                g_error("%s=%s reads otherwise", key, words[i][off]);
                }
        for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
                g_autoptr(GVariant) config = config_of(key, odd[i]);

                if (row->check(odd[i], NULL) >= 0)
                        g_error("%s takes \"%s\"", key, odd[i]);
                /* In a record it is as if it were not there. */
                if (config_get_boolean(config, key) != config_get_boolean(absent, key))
                        g_error("%s=\"%s\" means something", key, odd[i]);
        }
}

static void one_integer(const ConfigKey *row) {
        static const char *const odd[] = { "", " ", "\t", "5 ", " 5", "5\n", "+5", "-5", "05",
                                           "0x5", "5e2", "5.0", "5,0", "5'0", "five", "true",
                                           "18446744073709551616", "\xd9\xa5" };
        g_autofree char *key = key_of(row);
        g_autoptr(GVariant) absent = config_empty();

        for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
                g_autoptr(GVariant) config = config_of(key, odd[i]);

                if (row->check(odd[i], NULL) >= 0)
                        g_error("%s takes \"%s\"", key, odd[i]);
                if (config_get_integer(config, key) != config_get_integer(absent, key))
                        g_error("%s=\"%s\" means something", key, odd[i]);
        }
}

/* Of all tables: what is absent, empty, blank or spelled otherwise has one meaning. */
TEST(booleans_and_integers_have_one_reading) {
        unsigned booleans = 0, integers = 0;

        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                if (g_str_equal(row->type, "boolean")) {
                        one_boolean(row);
                        booleans++;
                } else if (g_str_equal(row->type, "integer")) {
                        one_integer(row);
                        integers++;
                }
        }
        g_assert_cmpuint(booleans, >, 20);
        g_assert_cmpuint(integers, >, 5);
}

TEST(typed_keys_refuse_blanks) {
        static const char *const odd[] = { "", " ", "\t", "\n" };

        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                g_autofree char *key = g_str_has_suffix(row->name, "kernel.*")
                                               ? g_strdup("limits.kernel.nofile")
                                               : g_strdup(row->name);

                if (row->read_only || strchr(key, '*') || row->check == config_check_text ||
                    row->check == config_check_line || !(row->scopes & CONFIG_SCOPE_CONTAINER))
                        continue;
                for (size_t i = 0; i < ELEMENTSOF(odd); i++)
                        if (check(key, odd[i], NULL) >= 0 && !strstr(row->type, "lines") &&
                            !g_str_equal(row->name, "snapshots.pattern"))
                                g_error("%s takes \"%s\"", key, odd[i]);
        }
}

typedef struct ValueCase {
        const char *key, *value;
        bool good;
} ValueCase;

static void check_cases(const ValueCase *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                g_autofree char *message = NULL;
                int r = check(cases[i].key, cases[i].value, &message);

                if ((r >= 0) != cases[i].good)
                        g_error("%s=\"%s\": %s", cases[i].key, cases[i].value,
                                message ?: "accepted");
                if (!cases[i].good)
                        g_assert_nonnull(strstr(message, "key"));
        }
}

TEST(values_about_system_calls) {
        static const ValueCase cases[] = {
                { "security.syscalls.deny", "# a word\nmount kill\n\nmount allow", true },
                { "security.syscalls.deny", "mount errno", false },
                { "security.syscalls.deny", "mount errno 4096", false },
                { "security.syscalls.deny", "mount kill now", false },
                { "raw.seccomp", "2\ndenylist\n[all]\nmount errno 1", true },
                { "raw.seccomp", "2\nallowlist\n[all]\nread\nwrite", true },
                { "raw.seccomp", "1\nmount", false },
                { "raw.seccomp", "2\ndenylist\nmount", false },
                { "raw.seccomp", "2\ndenylist\n[x86]\nmount", false },
                { "raw.seccomp", "2\nsomelist\n[all]\nmount", false },
                { "security.devlxd", "false", true },
                { "security.devlxd", "true", false },
        };

        check_cases(cases, ELEMENTSOF(cases));
}

TEST(values) {
        static const ValueCase cases[] = {
                { "boot.after", "db,web-1", true }, { "boot.after", "db, web", false },
                { "boot.after", "../etc", false }, { "boot.autostart.delay", "10", true },
                { "boot.autostart.delay", "-1", false }, { "boot.autostart.delay", "010", false },
                { "environment.PATH", "/bin", true }, { "environment.LANG", "", true },
                { "environment.A=B", "x", false }, { "environment.1A", "x", false },
                { "environment.A", "x\ny", false }, { "environment.", "x", false },
                { "limits.cpu", "2", true }, { "limits.cpu", "1,3", true },
                { "limits.cpu", "0-3,7-11", true }, { "limits.cpu", "1-1", true },
                { "limits.cpu", "0", false }, { "limits.cpu", "3-1", false },
                { "limits.cpu", "1,", false }, { "limits.cpu", "-1", false },
                { "limits.cpu", "99999999999", false }, { "limits.cpu", "0-8192", false },
                { "limits.cpu.allowance", "50%", true },
                { "limits.cpu.allowance", "25ms/100ms", true },
                { "limits.cpu.allowance", "50", false }, { "limits.cpu.allowance", "0%", false },
                { "limits.cpu.allowance", "25ms/0ms", false },
                { "limits.cpu.allowance", "25 ms/100ms", false },
                { "limits.cpu.priority", "10", true }, { "limits.cpu.priority", "11", false },
                { "limits.memory", "256MB", true }, { "limits.memory", "4GiB", true },
                { "limits.memory", "1EiB", true }, { "limits.memory", "50%", true },
                { "limits.memory", "0%", false }, { "limits.memory", "101%", false },
                { "limits.memory", "1 GB", false }, { "limits.memory", "lots", false },
                { "limits.memory.enforce", "soft", true },
                { "limits.memory.enforce", "Soft", false },
                { "limits.memory.swap", "false", true }, { "limits.memory.swap", "1GiB", true },
                { "limits.memory.swap", "maybe", false }, { "limits.processes", "100", true },
                { "limits.processes", "0", false }, { "limits.kernel.nofile", "1024:2048", true },
                { "limits.kernel.nofile", "unlimited", true },
                { "limits.kernel.nofile", "1024:", false },
                { "limits.kernel.files", "1", false }, { "limits.hugepages.2MB", "64MB", true },
                { "limits.hugepages.3MB", "64MB", false },
                { "limits.network.priority", "5", false },
                { "linux.kernel_modules", "overlay,br_netfilter", true },
                { "linux.kernel_modules", "a b", false }, { "linux.kernel_modules", "-r", false },
                { "linux.sysctl.net.ipv4.ip_forward", "1", true },
                { "linux.sysctl.kernel.shmmax", "1", true },
                { "linux.sysctl.kernel.core_pattern", "|/x", false },
                { "linux.sysctl.net/../kernel/core_pattern", "|/x", false },
                { "linux.sysctl.net..x", "1", false }, { "linux.sysctl.vm.swappiness", "1", false },
                { "security.idmap.base", "0", false }, { "security.idmap.base", "200000", true },
                { "security.syscalls.deny", "mount errno 1\numount2", true },
                { "security.syscalls.deny", "[all]", false },
                { "security.syscalls.deny", "mount notify", false },
                { "security.syscalls.intercept.mount", "true", false },
                { "snapshots.schedule", "0 6 * * 1-5", true },
                { "snapshots.schedule", "*/15 0,12 1-31/2 * *", true },
                { "snapshots.schedule", "@daily, @startup", true },
                { "snapshots.schedule", "60 * * * *", false },
                { "snapshots.schedule", "* * * *", false },
                { "snapshots.schedule", "5-1 * * * *", false },
                { "snapshots.schedule", "@fortnightly", false },
                { "snapshots.expiry", "1M 2H 3d 4w 5m 6y", true },
                { "snapshots.expiry", "3d 3d", false }, { "snapshots.expiry", "3", false },
                { "snapshots.pattern", "snap%d", true }, { "snapshots.pattern", "a/b", false },
                { "user.anything-at_all/1", "x\ny", true },
                { "image.os", "x", false }, { "volatile.base_image", "x", false },
                { "bridge.mtu", "1500", false },
        };

        check_cases(cases, ELEMENTSOF(cases));
}

TEST(an_unknown_key_names_the_nearest) {
        static const char *const cases[][2] = {
                { "limits.memmory", "limits.memory" },
                { "limit.cpu", "limits.cpu" },
                { "security.priviledged", "security.privileged" },
                { "snapshot.schedule", "snapshots.schedule" },
                { "boot.autostat", "boot.autostart" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *message = NULL, *quoted = g_strdup_printf("\"%s\"", cases[i][1]);

                g_assert_cmpint(check(cases[i][0], "1", &message), <, 0);
                if (!strstr(message, quoted))
                        g_error("%s", message);
        }
}

TEST(lines_for_liblxc) {
        static const struct {
                const char *value, *text;
        } cases[] = {
                { "lxc.aa_profile=unconfined", "lxc.apparmor.profile = unconfined\n" },
                { "lxc.mount.auto = proc sys cgroup", "lxc.mount.auto = proc sys cgroup\n" },
                { "# a comment\n\n  lxc.cap.drop=  sys_time  \nlxc.tty = 4\n",
                  "lxc.cap.drop = sys_time\nlxc.tty.max = 4\n" },
                { "lxc.mount.entry = /a b none bind", "lxc.mount.entry = /a b none bind\n" },
                { "", "" },
                { "nonsense", NULL },
                { "lxc.nosuch = 1", NULL },
                { "lxc.net.0.type = none", NULL },
                { "lxc.network.type = veth", NULL },
                { "lxc.rootfs.path = /", NULL },
                { "lxc.idmap = u 0 0 10", NULL },
                { "lxc.include = /etc/shadow", NULL },
                { "lxc.prlimit.nofile = 1", NULL },
                { "lxc.log.file = /x", NULL },
                { "lxc.cap.drop = a\rlxc.include = /x", NULL },
                { "lxc.haltsignal = SIGUSR1", "lxc.signal.halt = SIGUSR1\n" },
                { "lxc.signal.halt = SIGNAL", NULL },
                { "lxc.signal.halt = 0", NULL },
                { "lxc.signal.halt =", NULL },
                { "lxc.signal.stop = SIGTERM", NULL },
                { "lxc.signal.reboot = SIGINT", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autofree char *text = NULL;
                int r = config_parse_raw_lxc(cases[i].value, &text, NULL);

                if ((r >= 0) != !!cases[i].text)
                        g_error("\"%s\"", cases[i].value);
                g_assert_cmpstr(text, ==, cases[i].text);
        }
}

TEST(signals_that_halt) {
        const struct {
                const char *value;
                int signal;
        } cases[] = {
                { "", SIGPWR },
                { "lxc.signal.halt = SIGUSR1", SIGUSR1 },
                { "lxc.haltsignal=SIGTERM\nlxc.signal.halt = SIGINT", SIGINT },
                { "lxc.signal.halt = SIGRTMIN+3", SIGRTMIN + 3 },
                { "lxc.signal.halt = SIGRTMAX-2", SIGRTMAX - 2 },
                { "lxc.signal.halt = 10", 10 },
                { "lxc.signal.halt = SIGRTMAX-99", SIGPWR },
                { "lxc.signal.halt = SIGRTMIN+99", SIGPWR },
                { "lxc.signal.halt = SIG", SIGPWR },
                { "lxc.signal.halt = usr1", SIGPWR },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GVariant) config = g_variant_ref_sink(
                        g_variant_new_parsed("{'raw.lxc': %s}", cases[i].value));

                g_assert_cmpint(config_get_halt_signal(config, SIGPWR), ==, cases[i].signal);
        }
}

/* Each row, in each of its scopes. */
TEST(every_key_has_a_good_and_a_bad_value) {
        for (const ConfigKey *row = config_key_table(); row->name; row++) {
                const KeySample *sample = key_sample(row);
                const char *const values[] = { sample->good, sample->bad };

                for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                        g_autoptr(GVariant) set = NULL;

                        if (!values[i])
                                continue;
                        set = g_variant_ref_sink(
                                g_variant_new_parsed("{%s: %s}", sample->key, values[i]));
                        for (unsigned scope = 1; scope <= row->scopes; scope <<= 1) {
                                g_auto(Error) error = ERROR_INIT;

                                if (!(row->scopes & scope))
                                        continue;
                                if ((config_check(set, NULL, scope, &error) >= 0) != (i == 0))
                                        g_error("%s=%s: %s", sample->key, values[i],
                                                error.message ?: "accepted");
                        }
                }
        }
}

TEST_MAIN()
