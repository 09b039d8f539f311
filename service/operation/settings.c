/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/settings.h"

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/record.h"
#include "service/operation/image-upkeep.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"

#define SERVERS_MAX 64U

struct Settings {
        RecordDir *records;
        GVariant *config;     /* a{ss} */
        GPtrArray *servers;   /* ImageServer */
        uint64_t refreshed;
};

/* --- records --- */

static int read_config(Settings *settings, GVariant *value) {
        g_autoptr(Record) record = record_open(value);

        return record_get_variant(record, "config", CONFIG_TYPE, &settings->config);
}

static int read_servers(Settings *settings, GVariant *record) {
        GPtrArray *servers;
        int r = image_servers_from_record(record, &servers);

        if (r < 0)
                return r;
        g_ptr_array_unref(settings->servers);
        settings->servers = servers;
        return 0;
}

static int read_images(Settings *settings, GVariant *value) {
        g_autoptr(Record) record = record_open(value);

        return record_get_uint64(record, "refreshed", &settings->refreshed);
}

static void load(const char *name, GVariant *record, void *userdata) {
        static const struct {
                const char *name;
                int (*read)(Settings *settings, GVariant *record);
        } readers[] = {
                { "config", read_config },
                { "image-servers", read_servers },
                { "images", read_images },
        };

        for (size_t i = 0; i < ELEMENTSOF(readers); i++)
                if (g_str_equal(readers[i].name, name) && readers[i].read(userdata, record) < 0)
                        log_error("The service's record \"%s\" makes no sense; it is left out.",
                                  name);
}

int settings_new(const char *state_dir, Settings **ret, Error *ret_error) {
        Settings *settings = g_new0(Settings, 1);
        int r;

        settings->config = config_empty();
        settings->servers = image_servers_default();
        r = record_dir_open(state_dir, "service", &settings->records, ret_error);
        if (r >= 0)
                r = record_dir_load(settings->records, load, settings, ret_error);
        if (r < 0) {
                (void) settings_free(settings);
                return r;
        }
        *ret = settings;
        return 0;
}

Settings *settings_free(Settings *settings) {
        if (!settings)
                return NULL;
        settings->records = record_dir_close(settings->records);
        g_clear_pointer(&settings->config, g_variant_unref);
        g_clear_pointer(&settings->servers, g_ptr_array_unref);
        g_free(settings);
        return NULL;
}

/* --- configuration --- */

GVariant *settings_get_config(const Settings *settings) {
        return settings->config;
}

int settings_update(Manager *m, GVariant *set, GVariant *unset, Error *ret_error) {
        Settings *settings = m->settings;
        g_autoptr(GVariant) config = NULL, record = NULL;
        GVariantDict dict;
        int r;

        r = config_check(set, unset, CONFIG_SCOPE_SERVICE, ret_error);
        if (r < 0)
                return r;
        config = config_merge(settings->config, set, unset);
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert_value(&dict, "config", config);
        record = g_variant_ref_sink(g_variant_dict_end(&dict));
        r = record_dir_write(settings->records, "config", record, ret_error);
        if (r < 0)
                return r;
        g_variant_unref(settings->config);
        settings->config = TAKE_PTR(config);
        image_upkeep_touch(m->image_upkeep);
        return 0;
}

/* --- image servers --- */

const GPtrArray *settings_get_image_servers(const Settings *settings) {
        return settings->servers;
}

static ImageServer *find_server(const Settings *settings, const char *name) {
        for (guint i = 0; i < settings->servers->len; i++) {
                ImageServer *server = settings->servers->pdata[i];

                if (g_str_equal(server->name, name))
                        return server;
        }
        return NULL;
}

int settings_get_image_server(const Settings *settings, const char *name, const ImageServer **ret,
                              Error *ret_error) {
        g_autofree char *shown = NULL;

        *ret = find_server(settings, name);
        if (*ret)
                return 0;
        shown = g_strescape(name, NULL);
        return error_set(ret_error, ERROR_NO_SUCH_IMAGE_SERVER,
                         "There is no image server \"%.80s\"", shown);
}

static int save_servers(Settings *settings, const GPtrArray *servers, Error *ret_error) {
        g_autoptr(GVariant) record = image_servers_to_record(servers);

        return record_dir_write(settings->records, "image-servers", record, ret_error);
}

static int parse_protocol(const char *word, ImageServerProtocol *ret, Error *ret_error) {
        *ret = image_server_protocol_from_string(word);
        if (*ret < 0)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "An image server's protocol is simplestreams or directory");
        return 0;
}

static int check_free(const Settings *settings, const char *name, Error *ret_error) {
        int r = image_server_check_name(name, ret_error);

        if (r >= 0 && find_server(settings, name))
                return error_set(ret_error, ERROR_EXISTS,
                                 "There is an image server \"%s\" already", name);
        return r;
}

int image_server_add(Manager *m, const char *name, const char *url, const char *protocol,
                     Error *ret_error) {
        Settings *settings = m->settings;
        ImageServerProtocol p;
        int r;

        r = check_free(settings, name, ret_error);
        if (r >= 0)
                r = image_server_check_url(url, ret_error);
        if (r >= 0)
                r = parse_protocol(protocol, &p, ret_error);
        if (r < 0)
                return r;
        if (settings->servers->len >= SERVERS_MAX)
                return error_set(ret_error, ERROR_LIMITS_EXCEEDED,
                                 "There are %u image servers already", SERVERS_MAX);
        g_ptr_array_add(settings->servers, image_server_new(name, url, p));
        r = save_servers(settings, settings->servers, ret_error);
        if (r < 0)
                g_ptr_array_remove_index(settings->servers, settings->servers->len - 1);
        return r;
}

int image_server_remove(Manager *m, const char *name, Error *ret_error) {
        Settings *settings = m->settings;
        const ImageServer *server;
        guint i;
        int r;

        r = settings_get_image_server(settings, name, &server, ret_error);
        if (r < 0)
                return r;
        (void) g_ptr_array_find(settings->servers, server, &i);
        server = g_ptr_array_steal_index(settings->servers, i);
        r = save_servers(settings, settings->servers, ret_error);
        if (r < 0)
                g_ptr_array_insert(settings->servers, (gint) i, (gpointer) server);
        else
                (void) image_server_free((ImageServer *) server);
        return r;
}

static void rename_source(Manager *m, const char *from, const char *to) {
        GHashTableIter iter;
        Image *image;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_IMAGE]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &image)) {
                g_auto(Error) error = ERROR_INIT;

                if (!g_str_equal(image->server, from))
                        continue;
                g_free(image->server);
                image->server = g_strdup(to);
                if (manager_save(m, &image->object, &error) < 0)
                        log_error("%s.", error.message);
                manager_changed(m, &image->object);
        }
}

int image_server_change(Manager *m, const char *name, const ImageServerChange *change,
                        Error *ret_error) {
        Settings *settings = m->settings;
        const ImageServer *old;
        ImageServer *changed;
        ImageServerProtocol protocol;
        guint i;
        int r;

        r = settings_get_image_server(settings, name, &old, ret_error);
        if (r >= 0 && change->name && !g_str_equal(change->name, name))
                r = check_free(settings, change->name, ret_error);
        if (r >= 0 && change->url)
                r = image_server_check_url(change->url, ret_error);
        if (r < 0)
                return r;
        protocol = old->protocol;
        if (change->protocol)
                r = parse_protocol(change->protocol, &protocol, ret_error);
        if (r < 0)
                return r;
        changed = image_server_new(change->name ?: old->name, change->url ?: old->url, protocol);
        (void) g_ptr_array_find(settings->servers, old, &i);
        settings->servers->pdata[i] = changed;
        r = save_servers(settings, settings->servers, ret_error);
        if (r < 0) {
                settings->servers->pdata[i] = (gpointer) old;
                (void) image_server_free(changed);
                return r;
        }
        if (!g_str_equal(old->name, changed->name))
                rename_source(m, old->name, changed->name);
        (void) image_server_free((ImageServer *) old);
        return 0;
}

/* --- images --- */

uint64_t settings_get_refreshed(const Settings *settings) {
        return settings->refreshed;
}

void settings_set_refreshed(Settings *settings, uint64_t usec) {
        g_autoptr(GVariant) record = NULL;
        g_auto(Error) error = ERROR_INIT;
        GVariantDict dict;

        settings->refreshed = usec;
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "refreshed", "t", usec);
        record = g_variant_ref_sink(g_variant_dict_end(&dict));
        if (record_dir_write(settings->records, "images", record, &error) < 0)
                log_warning("%s.", error.message);
}
