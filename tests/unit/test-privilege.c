/* SPDX-License-Identifier: Apache-2.0 */

/* Classes of keys and devices, and of changes. */

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/device-check.h"
#include "service/model/device.h"
#include "service/model/privilege.h"
#include "service/util/cleanup.h"
#include "tests/unit/classes.h"
#include "tests/unit/test.h"

static GVariant *parse(const char *type, const char *text) {
        GVariant *value = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, NULL);

        g_assert_nonnull(value);
        return value;
}

TEST(every_row_has_a_class) {
        for (const ConfigKey *row = config_key_table(); row->name; row++)
                if (row->class == _CONFIG_CLASS_UNSET)
                        g_error("the row of %s says no class", row->name);
}

TEST(classes_of_keys_are_those_of_the_file) {
        unsigned n = 0;

        for (const ConfigKey *row = config_key_table(); row->name; row++, n++) {
                const char *const *words = classes_find("key", row->name);

                if (!words)
                        g_error("add a line \"key %s CLASS\" to tests/unit/classes", row->name);
                g_assert_cmpstr(privilege_to_string(config_class_privilege(row->class)), ==,
                                words[0]);
                g_assert_cmpstr(row->harmless_when, ==, words[1]);
        }
        g_assert_cmpuint(classes_count("key"), ==, n);
}

TEST(names) {
        for (Privilege p = 0; p < _PRIVILEGE_MAX; p++)
                g_assert_cmpint(privilege_from_string(privilege_to_string(p)), ==, p);
        g_assert_cmpint(privilege_from_string("root"), <, 0);
        g_assert_cmpint(privilege_from_string(""), <, 0);
}

TEST(what_is_not_known_is_of_the_strongest_class) {
        g_autoptr(GVariant) config = parse("a{ss}", "{'user.a': 'b', 'no.such.key': 'x'}");
        g_autoptr(GVariant) devices = parse("a{sa{ss}}", "{'d': {'type': 'teapot'}}");
        g_autoptr(GVariant) untyped = parse("a{sa{ss}}", "{'d': {'path': '/'}}");

        g_assert_cmpint(config_privilege(config), ==, PRIVILEGE_HOST);
        g_assert_cmpint(devices_privilege(devices), ==, PRIVILEGE_HOST);
        g_assert_cmpint(devices_privilege(untyped), ==, PRIVILEGE_HOST);
}

TEST(classes) {
        static const struct {
                const char *config;
                Privilege privilege;
        } cases[] = {
                { "{}", PRIVILEGE_USE },
                { "{'limits.memory': '1GiB', 'boot.autostart': 'true'}", PRIVILEGE_USE },
                { "{'security.nesting': 'true'}", PRIVILEGE_KERNEL_SURFACE },
                { "{'security.nesting': 'off'}", PRIVILEGE_USE },
                { "{'security.nesting': ''}", PRIVILEGE_KERNEL_SURFACE },
                { "{'security.nesting': 'false '}", PRIVILEGE_KERNEL_SURFACE },
                { "{'linux.sysctl.net.x': '1'}", PRIVILEGE_KERNEL_SURFACE },
                { "{'security.privileged': 'TRUE'}", PRIVILEGE_HOST },
                { "{'security.privileged': 'No'}", PRIVILEGE_USE },
                { "{'security.idmap.isolated': 'false'}", PRIVILEGE_HOST },
                { "{'security.idmap.isolated': 'true'}", PRIVILEGE_USE },
                { "{'security.idmap.isolated': 'x'}", PRIVILEGE_HOST },
                { "{'raw.lxc': ''}", PRIVILEGE_HOST },
                { "{'raw.new': ''}", PRIVILEGE_HOST },
                { "{'security.nesting': 'true', 'raw.idmap': ''}", PRIVILEGE_HOST },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GVariant) config = parse("a{ss}", cases[i].config);

                if (config_privilege(config) != cases[i].privilege)
                        g_error("%s is %s", cases[i].config,
                                privilege_to_string(config_privilege(config)));
        }
}

TEST(changes) {
        static const struct {
                const char *before, *after;
                Privilege privilege;
                const char *keys;
        } cases[] = {
                { "{}", "{}", PRIVILEGE_USE, NULL },
                { "{}", "{'user.a': 'b'}", PRIVILEGE_USE, NULL },
                { "{}", "{'unknown': 'b'}", PRIVILEGE_HOST, "unknown" },
                { "{'unknown': 'b'}", "{}", PRIVILEGE_HOST, "unknown" },
                { "{'unknown': 'b'}", "{'unknown': 'c'}", PRIVILEGE_HOST, "unknown" },
                { "{'unknown': 'b'}", "{'unknown': 'b', 'user.a': 'c'}", PRIVILEGE_USE, NULL },
                { "{}", "{'a': '', 'b': '', 'user.c': ''}", PRIVILEGE_HOST, "a,b" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GVariant) before = parse("a{ss}", cases[i].before);
                g_autoptr(GVariant) after = parse("a{ss}", cases[i].after);
                g_autoptr(GVariant) devices = devices_empty();
                g_auto(PrivilegeChange) change = { 0 };

                privilege_compare(before, devices, after, devices, &change);
                g_assert_cmpint(change.privilege, ==, cases[i].privilege);
                g_assert_cmpstr(change.keys, ==, cases[i].keys);
        }
}

TEST(a_new_object_is_compared_with_nothing) {
        g_autoptr(GVariant) config = parse("a{ss}", "{'unknown': 'x'}");
        g_autoptr(GVariant) devices = parse(
                "a{sa{ss}}", "{'d': {'type': 'teapot'}, 'root': {'type': 'disk', 'path': '/'}}");
        g_auto(PrivilegeChange) change = { 0 };

        privilege_compare(NULL, NULL, config, devices, &change);
        g_assert_cmpint(change.privilege, ==, PRIVILEGE_HOST);
        g_assert_cmpstr(change.keys, ==, "unknown");
        g_assert_cmpstr(change.devices, ==, "d");
}

TEST(filesystems_of_block_devices_take_an_administrator) {
        static const struct {
                const char *source;
                Privilege privilege;
        } cases[] = {
                { "/dev/sdb1", PRIVILEGE_HOST },
                { "/dev/disk/by-uuid/x", PRIVILEGE_HOST },
                { "/dev/shm/mine", PRIVILEGE_OWN_FILES },
                { "/development", PRIVILEGE_OWN_FILES },
                /* Opened as the owner, and refused when it is a device. */
                { "//dev/sdb1", PRIVILEGE_OWN_FILES },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                g_autoptr(GVariant) options = g_variant_ref_sink(g_variant_new_parsed(
                        "{'type': 'disk', 'path': 'mnt', 'source': %s}", cases[i].source));

                g_assert_cmpint(device_privilege_of_disk(options), ==, cases[i].privilege);
                g_assert_cmpint(device_is_below_dev(options), ==,
                                cases[i].privilege == PRIVILEGE_HOST);
        }
}

TEST_MAIN()
