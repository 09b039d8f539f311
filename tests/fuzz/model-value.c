/* SPDX-License-Identifier: Apache-2.0 */

/* Configuration, devices and records: what the tables describe. The seeds come from the tables. */

#include <string.h>

#include "service/model/config-key.h"
#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/model/container.h"
#include "service/model/device.h"
#include "service/model/image.h"
#include "service/model/limits.h"
#include "service/model/network.h"
#include "service/model/pool.h"
#include "service/model/privilege.h"
#include "service/model/profile.h"
#include "service/util/cleanup.h"
#include "tests/fuzz/target.h"

/* Values that some key or option or other takes, and some that none should. */
static const char *const values[] = {
        "true", "0", "1", "10", "50%", "10GiB", "25ms/100ms", "0-3,7", "1000", "soft", "c1,c2",
        "both 1000 1000\nuid 5-9 5-9", "lxc.cap.drop =", "@daily", "1w 2d", "snap%d", "/mnt/x",
        "default", "10.1.2.1/24", "fd42::1/64", "00:16:3e:00:00:01", "0666", "bridged", "unlimited",
        "64:128", "loop", "\xe2\x82\xac", "", " ", "a\nb", "..", "/../x", "-1",
        "99999999999999999999",
        "tcp:127.0.0.1:80", "unix:/x", "none", "auto",
};

/* "KEY=VALUE" separated by U+0001, the value reaching to the next. */
static GVariant *read_pairs(const uint8_t *data, size_t size) {
        g_autofree char *text = fuzz_text(data, size);
        g_auto(GStrv) pairs = g_strsplit(text, "\x01", 32);
        GVariantBuilder builder;

        g_variant_builder_init(&builder, CONFIG_TYPE);
        for (char **pair = pairs; *pair; pair++) {
                char *equals = strchr(*pair, '=');

                if (!equals)
                        continue;
                *equals = '\0';
                g_variant_builder_add(&builder, "{ss}", *pair, equals + 1);
        }
        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

/* --- configuration --- */

static void check_limits(GVariant *config) {
        static const LimitsHost host = { UINT64_C(8) << 30, "0-3" };
        CpuUser user = { 0 };

        for (CgroupVersion version = CGROUP_V1; version <= CGROUP_V2; version++) {
                g_autoptr(GPtrArray) limits = limits_list(config, "0-1", version, &host);
                g_autoptr(GVariant) empty = config_empty();
                g_autoptr(GPtrArray) none = limits_list(empty, "", version, &host);

                g_assert_cmpuint(limits->len, ==, none->len);
                for (guint i = 0; i < limits->len; i++) {
                        const Limit *limit = g_ptr_array_index(limits, i);

                        /* It is written to a file of the kernel as it is. */
                        g_assert_false(strchr(limit->files, '/'));
                        for (const char *p = limit->value; p && *p; p++)
                                g_assert_true(g_ascii_isprint(*p) || *p == '\n');
                }
        }
        cpu_user_read(config, &user);
        g_clear_pointer(&user.pinned, g_array_unref);
}

FUZZ_TARGET(config) {
        static const ConfigScope scopes[] = { CONFIG_SCOPE_CONTAINER, CONFIG_SCOPE_PROFILE,
                                              CONFIG_SCOPE_NETWORK, CONFIG_SCOPE_POOL };
        g_autoptr(GVariant) config = read_pairs(data, size), shown = NULL;

        (void) config_privilege(config);
        for (size_t i = 0; i < ELEMENTSOF(scopes); i++) {
                g_auto(Error) error = ERROR_INIT;
                int r = config_check(config, NULL, scopes[i], &error);

                fuzz_check_error(r, &error);
                if (r >= 0 && scopes[i] == CONFIG_SCOPE_CONTAINER)
                        check_limits(config);
        }
        shown = config_without_secrets(config);
        for (const ConfigKey *row = config_key_table(); row->name; row++)
                if (row->secret)
                        g_assert_null(config_get(shown, row->name));
}

FUZZ_SEEDS(config) {
        for (const ConfigKey *row = config_key_table(); row->name; row++)
                for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                        g_autoptr(GString) pair = g_string_new(row->name);

                        if (g_str_has_suffix(row->name, "*"))
                                g_string_overwrite(pair, pair->len - 1, "nofile");
                        g_string_append_printf(pair, "=%s", values[i]);
                        /* One good value is enough of a beginning, and some bad ones. */
                        if (row->check(values[i], NULL) >= 0 || i % 8 == 0)
                                fuzz_seed_text(pair->str);
                }
        fuzz_seed_text("user.a=b\x01user.a=c\x01limits.cpu=2\x01nothing=1\x01user.\xe2\x82\xac=");
}

/* --- devices --- */

/* A first option "name=…" is the device's name. */
FUZZ_TARGET(device) {
        g_autoptr(GVariant) options = read_pairs(data, size), devices = NULL;
        g_auto(Error) error = ERROR_INIT;
        const char *pool, *root, *target;
        GVariantBuilder builder;
        int r;

        g_variant_builder_init(&builder, DEVICES_TYPE);
        g_variant_builder_add(&builder, "{s@a{ss}}", "d1", options);
        devices = g_variant_ref_sink(g_variant_builder_end(&builder));
        (void) devices_privilege(devices); /* of records that nobody has checked, too */
        r = devices_check(devices, &error);
        fuzz_check_error(r, &error);
        if (r < 0)
                return;
        (void) devices_find_root(devices, &root, &pool, NULL);
        (void) device_get_network(options);
        target = device_get_target(options);
        if (target) {
                g_auto(GStrv) parts = g_strsplit(target, "/", -1);

                g_assert_cmpint(*target, !=, '/');
                g_assert_false(g_strv_contains((const char *const *) parts, ".."));
        }
        if ((device_is_disk(options) && config_get(options, "source") &&
             !device_is_volume(options)) || device_is_unix(options))
                g_assert_cmpint(device_privilege(options), >, PRIVILEGE_USE);
}

FUZZ_SEEDS(device) {
        for (const DeviceType *type = device_type_table(); type->name; type++) {
                g_autoptr(GString) needed = g_string_new("type=");

                g_string_append(needed, type->name);
                for (const DeviceOption *o = type->options; o && o->name; o++)
                        for (size_t i = 0; o->required && i < ELEMENTSOF(values); i++)
                                if (o->check(values[i], NULL) >= 0) {
                                        g_string_append_printf(needed, "\x01%s=%s", o->name,
                                                               values[i]);
                                        break;
                                }
                fuzz_seed_text(needed->str);
                for (const DeviceOption *o = type->options; o && o->name; o++)
                        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                                g_autofree char *more = NULL;

                                if (o->check(values[i], NULL) < 0 && i % 8 != 0)
                                        continue;
                                more = g_strdup_printf("%s\x01%s=%s", needed->str, o->name,
                                                       values[i]);
                                fuzz_seed_text(more);
                        }
        }
        fuzz_seed_text("type=disk\x01source=/home\x01path=/mnt/../../x");
}

/* --- records --- */

/* What is read from a record is written and read again as the same. */
#define CHECK_RECORD(_type, _prefix) \
        static void check_##_prefix(GVariant *record) { \
                g_autoptr(_type) first = NULL, second = NULL; \
                g_autoptr(GVariant) one = NULL, two = NULL; \
                if (_prefix##_from_record("x", record, &first) < 0) \
                        return; \
                one = _prefix##_to_record(first); \
                g_assert_cmpint(_prefix##_from_record("x", one, &second), >=, 0); \
                two = _prefix##_to_record(second); \
                g_assert_true(g_variant_equal(one, two)); \
        }

CHECK_RECORD(Image, image)
CHECK_RECORD(Network, network)
CHECK_RECORD(Profile, profile)
CHECK_RECORD(StoragePool, storage_pool)

/* A container only lists its snapshots; they are the caller's. */
static Container *container_free_whole(Container *c) {
        for (guint i = 0; c && i < c->snapshots->len; i++)
                (void) snapshot_free(g_ptr_array_index(c->snapshots, i));
        return container_free(c);
}

static void check_container(GVariant *record) {
        Container *first = NULL, *second = NULL;

        if (container_from_record("x", record, &first) >= 0) {
                g_autoptr(GVariant) one = container_to_record(first), two = NULL;

                g_assert_cmpint(container_from_record("x", one, &second), >=, 0);
                two = container_to_record(second);
                g_assert_true(g_variant_equal(one, two));
                (void) config_privilege(first->config);
                (void) devices_privilege(first->devices);
        }
        (void) container_free_whole(first);
        (void) container_free_whole(second);
}

FUZZ_TARGET(record) {
        g_autoptr(GVariant) raw = fuzz_variant("(qa{sv})", data, size), record = NULL;
        ContainerFacts facts = { 0 };

        if (!raw)
                return;
        record = g_variant_get_child_value(raw, 1);
        check_container(record);
        check_image(record);
        check_network(record);
        check_profile(record);
        check_storage_pool(record);
        if (container_facts_from_record(record, &facts) >= 0) {
                g_free(facts.lxc_path);
                g_free(facts.cpus);
                idmap_free(facts.idmap);
        }
}

static void seed_record(GVariant *record) {
        fuzz_seed_variant(g_variant_new("(q@a{sv})", 1, record));
        g_variant_unref(record);
}

FUZZ_SEEDS(record) {
        g_autoptr(Image) image = image_new("aa", 0);
        g_autoptr(Network) network = network_new("net0", 0);
        g_autoptr(Profile) profile = profile_new("p", 1000);
        g_autoptr(StoragePool) pool = storage_pool_new("default", 0);
        Container *c = container_new("c1", 1000);

        c->image = g_strdup("aa");
        c->architecture = g_strdup("x86_64");
        c->pool = g_strdup("default");
        c->ids = (IdRange) { 1000000, 65536 };
        g_ptr_array_add(c->snapshots, snapshot_new("c1", "s1", 1000));
        image->architecture = image->architecture ?: g_strdup("x86_64");
        image->filename = image->filename ?: g_strdup("x.tar");
        pool->driver = pool->driver ?: g_strdup("dir");
        seed_record(container_to_record(c));
        seed_record(image_to_record(image));
        seed_record(network_to_record(network));
        seed_record(profile_to_record(profile));
        seed_record(storage_pool_to_record(pool));
        container_set_shifted(c, idmap_new_range(c->ids));
        seed_record(container_to_record(c));
        c->facts.lxc_path = g_strdup("/run/berth/x");
        c->facts.idmap = idmap_new_range(c->ids);
        seed_record(container_facts_to_record(&c->facts));
        (void) container_free_whole(c);
}
