/* SPDX-License-Identifier: Apache-2.0 */

/* Records of all objects: what is written is read as it was, and whatever else lies there is
 * refused or read as something whole, never half. */

#include <string.h>

#include "service/model/config.h"
#include "service/model/container.h"
#include "service/model/image-server.h"
#include "service/model/image.h"
#include "service/model/network.h"
#include "service/model/pool.h"
#include "service/model/profile.h"
#include "service/model/volume.h"
#include "service/util/cleanup.h"
#include "tests/unit/test.h"

/* The record of something of each kind, and what comes of reading one: the record of that, or
 * NULL. */
typedef struct Kind {
        const char *name;
        GVariant *(*make)(void);
        GVariant *(*reread)(GVariant *record);
} Kind;

static GVariant *config(void) {
        return g_variant_ref_sink(g_variant_new_parsed("{'user.a': 'b', 'user.c': ''}"));
}

static GVariant *make_container(void) {
        g_autoptr(Container) c = container_new("c1", 1000);

        c->state = CONTAINER_STOPPED;
        c->image = g_strnfill(64, 'a');
        c->architecture = g_strdup("x86_64");
        c->pool = g_strdup("default");
        c->ids = (IdRange) { 1000000, 65536 };
        c->created = 12345;
        g_variant_unref(c->config);
        c->config = config();
        return container_to_record(c);
}

static GVariant *reread_container(GVariant *record) {
        g_autoptr(Container) c = NULL;

        return container_from_record("c1", record, &c) < 0 ? NULL : container_to_record(c);
}

static GVariant *make_network(void) {
        g_autoptr(Network) network = network_new("br0", 0);

        g_variant_unref(network->config);
        network->config = config();
        return network_to_record(network);
}

static GVariant *reread_network(GVariant *record) {
        g_autoptr(Network) network = NULL;

        return network_from_record("br0", record, &network) < 0 ? NULL
                                                                : network_to_record(network);
}

static GVariant *make_profile(void) {
        g_autoptr(Profile) profile = profile_new("p", 0);

        g_variant_unref(profile->config);
        profile->config = config();
        return profile_to_record(profile);
}

static GVariant *reread_profile(GVariant *record) {
        g_autoptr(Profile) profile = NULL;

        return profile_from_record("p", record, &profile) < 0 ? NULL : profile_to_record(profile);
}

static GVariant *make_pool(void) {
        g_autoptr(StoragePool) pool = storage_pool_new("p", 0);

        g_free(pool->driver);
        pool->driver = g_strdup("dir");
        return storage_pool_to_record(pool);
}

static GVariant *reread_pool(GVariant *record) {
        g_autoptr(StoragePool) pool = NULL;

        return storage_pool_from_record("p", record, &pool) < 0 ? NULL
                                                                : storage_pool_to_record(pool);
}

static GVariant *make_volume(void) {
        g_autoptr(StorageVolume) v = storage_volume_new("p", "v", 7);
        Snapshot *s = snapshot_new("v", "s", 7);

        v->rename_to = g_strdup("w");
        s->state = SNAPSHOT_DELETING;
        g_ptr_array_add(v->snapshots, s);
        g_variant_unref(v->config);
        v->config = config();
        return storage_volume_to_record(v);
}

static GVariant *reread_volume(GVariant *record) {
        g_autoptr(StorageVolume) v = NULL;

        return storage_volume_from_record("p/v", record, &v) < 0 ? NULL
                                                                 : storage_volume_to_record(v);
}

static GVariant *make_servers(void) {
        g_autoptr(GPtrArray) servers = image_servers_default();

        g_ptr_array_add(servers, image_server_new("b", "https://b.example/x",
                                                  IMAGE_SERVER_DIRECTORY));
        return image_servers_to_record(servers);
}

static GVariant *reread_servers(GVariant *record) {
        g_autoptr(GPtrArray) servers = NULL;

        return image_servers_from_record(record, &servers) < 0 ? NULL
                                                               : image_servers_to_record(servers);
}

static const Kind kinds[] = {
        { "volume", make_volume, reread_volume },
        { "container", make_container, reread_container },
        { "network", make_network, reread_network },
        { "profile", make_profile, reread_profile },
        { "pool", make_pool, reread_pool },
        { "servers", make_servers, reread_servers },
};

/* Names are looked at like those of callers: in the pools lie copies of records. */
TEST(records_of_what_can_have_no_such_name) {
        static const char *const bad[] = { "p/../v", "p/.v", "../v", "/v", "p/", "p", "p/v/w" };
        static const char *const bad_snapshots[] = { "../s", "", ".s", "a/b" };
        g_autoptr(GVariant) record = make_volume();

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(StorageVolume) v = NULL;

                if (storage_volume_from_record(bad[i], record, &v) >= 0)
                        g_error("a volume %s", bad[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad_snapshots); i++) {
                g_autoptr(StorageVolume) v = storage_volume_new("p", "v", 7), again = NULL;
                Snapshot *s = snapshot_new("v", bad_snapshots[i], 7);
                g_autoptr(GVariant) other = NULL;

                g_ptr_array_add(v->snapshots, s);
                other = storage_volume_to_record(v);
                if (storage_volume_from_record("p/v", other, &again) >= 0)
                        g_error("a snapshot %s", bad_snapshots[i]);
        }
}

TEST(what_is_written_is_read) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                g_autoptr(GVariant) record = kinds[i].make(), again = kinds[i].reread(record);

                if (!again || !g_variant_equal(record, again))
                        g_error("the record of a %s is not what it was", kinds[i].name);
        }
}

/* A record without `key`, or with `value` in its place. */
static GVariant *change(GVariant *record, const char *key, GVariant *value) {
        GVariantDict dict;

        g_variant_dict_init(&dict, record);
        (void) g_variant_dict_remove(&dict, key);
        if (value)
                g_variant_dict_insert_value(&dict, key, value);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* A value of another type is no value; what is missing may have a fallback, but then the whole of
 * it reads the same a second time. */
TEST(each_entry_missing_or_of_another_type) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                g_autoptr(GVariant) record = kinds[i].make();
                GVariantIter iter;
                const char *key;

                g_variant_iter_init(&iter, record);
                while (g_variant_iter_next(&iter, "{&sv}", &key, NULL)) {
                        g_autoptr(GVariant) missing = change(record, key, NULL);
                        g_autoptr(GVariant) other = change(
                                record, key, g_variant_new_parsed("(@y 1, 'x')"));
                        g_autoptr(GVariant) read = kinds[i].reread(missing), twice = NULL;
                        g_autoptr(GVariant) mistaken = kinds[i].reread(other);

                        if (mistaken)
                                g_error("%s: \"%s\" of another type was read", kinds[i].name, key);
                        if (!read)
                                continue;
                        twice = kinds[i].reread(read);
                        g_assert_nonnull(twice);
                        g_assert_true(g_variant_equal(read, twice));
                }
        }
}

/* As the directory of records hands it on: what is not in normal form counts as damaged there. */
static GVariant *reread_bytes(const Kind *kind, const void *data, gsize size) {
        g_autoptr(GVariant) record = g_variant_ref_sink(g_variant_new_from_data(
                G_VARIANT_TYPE_VARDICT, data, size, FALSE, NULL, NULL));

        return g_variant_is_normal_form(record) ? kind->reread(record) : NULL;
}

/* Bytes that were cut off or changed: what is read of them is whole. */
TEST(damaged_bytes) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                g_autoptr(GVariant) record = kinds[i].make();
                gsize size = g_variant_get_size(record);
                const char *data = g_variant_get_data(record);

                for (gsize cut = 0; cut < size; cut++) {
                        g_autofree char *bytes = g_memdup2(data, size);
                        g_autoptr(GVariant) shorter = reread_bytes(&kinds[i], data, cut);
                        g_autoptr(GVariant) flipped = NULL;

                        bytes[cut] = (char) (bytes[cut] ^ 0x41);
                        flipped = reread_bytes(&kinds[i], bytes, size);
                        g_assert_null(shorter);
                        if (flipped)
                                g_assert_true(g_variant_is_normal_form(flipped));
                }
        }
}

TEST(servers_that_can_be_none) {
        static const char *const bad[] = {
                "[('../b', 'https://b.example', 'directory')]",
                "[('local', 'https://b.example', 'directory')]",
                "[('b', 'http://b.example', 'directory')]",
                "[('b', 'https://b.example/../x', 'directory')]",
                "[('b', 'file:///etc', 'directory')]",
                "[('b', 'https://b.example', 'gopher')]",
        };
        g_autoptr(GVariant) record = make_servers();

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                g_autoptr(GVariant) other = change(record, "servers", g_variant_new_parsed(bad[i]));

                if (reread_servers(other))
                        g_error("a server %s", bad[i]);
        }
}

TEST(states_that_there_are_not) {
        g_autoptr(GVariant) record = make_container();
        g_autoptr(GVariant) bad = change(record, "state", g_variant_new_string("dreaming"));

        g_assert_null(reread_container(bad));
}

TEST_MAIN()
