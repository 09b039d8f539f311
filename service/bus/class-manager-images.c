/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/class-manager-images.h"

#include "service/model/catalogue.h"
#include "service/operation/image-download.h"
#include "service/operation/settings.h"
#include "service/util/cleanup.h"

/* --- configuration --- */

int bus_get_config(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new("(@a{ss})", settings_get_config(call->manager->settings));
        return 0;
}

int bus_update_config(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) set = NULL, unset = NULL;

        g_variant_get(call->args, "(@a{ss}@asa{sv})", &set, &unset, NULL);
        return settings_update(call->manager, set, unset, ret_error);
}

/* --- image servers --- */

int bus_image_server_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get_child(call->args, 0, "&s", &name);
        bus_call_detail(call, "server", name);
        return 0;
}

int bus_get_image_servers(BusCall *call, Error *ret_error) {
        const GPtrArray *servers = settings_get_image_servers(call->manager->settings);
        GVariantBuilder rows;

        g_variant_builder_init(&rows, G_VARIANT_TYPE("a(sa{sv})"));
        for (guint i = 0; i < servers->len; i++) {
                const ImageServer *server = servers->pdata[i];
                const char *protocol = image_server_protocol_to_string(server->protocol);
                GVariantDict dict;

                g_variant_dict_init(&dict, NULL);
                g_variant_dict_insert(&dict, "url", "s", server->url);
                g_variant_dict_insert(&dict, "protocol", "s", protocol);
                g_variant_builder_add(&rows, "(s@a{sv})", server->name, g_variant_dict_end(&dict));
        }
        call->reply = g_variant_new("(a(sa{sv}))", &rows);
        return 0;
}

const Option bus_add_image_server_options[] = {
        { "protocol", "s" },
        { NULL },
};

int bus_add_image_server(BusCall *call, Error *ret_error) {
        const char *name, *url;

        g_variant_get(call->args, "(&s&sa{sv})", &name, &url, NULL);
        return image_server_add(call->manager, name, url,
                                option_get_string(call->options, "protocol", "simplestreams"),
                                ret_error);
}

const Option bus_change_image_server_options[] = {
        { "name", "s" },
        { "protocol", "s" },
        { "url", "s" },
        { NULL },
};

int bus_change_image_server(BusCall *call, Error *ret_error) {
        const ImageServerChange change = {
                .name = option_get_string(call->options, "name", NULL),
                .url = option_get_string(call->options, "url", NULL),
                .protocol = option_get_string(call->options, "protocol", NULL),
        };
        const char *name;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        return image_server_change(call->manager, name, &change, ret_error);
}

int bus_remove_image_server(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        return image_server_remove(call->manager, name, ret_error);
}

/* --- what they have --- */

static GVariant *image_to_variant(GVariant *image) {
        g_autoptr(GVariant) aliases = NULL, properties = NULL;
        const char *fingerprint, *architecture;
        guint64 size, created;
        GVariantDict dict;

        g_variant_get(image, "(&s@as&stt@a{ss}a(sts))", &fingerprint, &aliases, &architecture,
                      &size, &created, &properties, NULL);
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert_value(&dict, "aliases", aliases);
        g_variant_dict_insert(&dict, "architecture", "s", architecture);
        g_variant_dict_insert(&dict, "size", "t", size);
        g_variant_dict_insert(&dict, "created", "t", created);
        g_variant_dict_insert_value(&dict, "properties", properties);
        return g_variant_new("(s@a{sv})", fingerprint, g_variant_dict_end(&dict));
}

static void list_told(GVariant *catalogue, const Error *error, void *userdata) {
        BusCall *call = userdata;
        GVariantBuilder images;

        if (error) {
                bus_call_fail(call, error);
                return;
        }
        g_variant_builder_init(&images, G_VARIANT_TYPE("a(sa{sv})"));
        for (gsize i = 0; i < g_variant_n_children(catalogue); i++) {
                g_autoptr(GVariant) image = g_variant_get_child_value(catalogue, i);

                g_variant_builder_add_value(&images, image_to_variant(image));
        }
        bus_call_reply(call, g_variant_new("(a(sa{sv}))", &images));
}

int bus_get_server_images(BusCall *call, Error *ret_error) {
        const char *server;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &server, NULL);
        r = image_server_list(call->manager, bus_call_caller(call), server, list_told, call, &job,
                              ret_error);
        if (r < 0)
                return r;
        job_start(job);
        return BUS_CALL_DEFERRED;
}

/* --- images from them --- */

const Option bus_download_image_options[] = {
        { "aliases", "as" },
        { "architecture", "s" },
        { "auto-update", "b" },
        { "cached", "b" },
        { "copy-aliases", "b" },
        { "public", "b" },
        { NULL },
};

/* An alias that an image of somebody else bears is not to be had by downloading either. Which the
 * server gives is not known yet: those are refused where they are taken. */
static void check_aliases(BusCall *call) {
        g_autofree const char **aliases = option_get_strv(call->options, "aliases");

        for (const char **alias = aliases; alias && *alias; alias++)
                if (!image_alias_is_free_for(call->manager, *alias, call->sender->uid))
                        call->action = "manage-images";
}

int bus_download_image_prepare(BusCall *call, Error *ret_error) {
        check_aliases(call);
        return bus_image_server_prepare(call, ret_error);
}

static bool may_take_aliases(const BusCall *call) {
        return call->sender->uid == 0 || g_str_equal(call->action, "manage-images");
}

int bus_download_image(BusCall *call, Error *ret_error) {
        g_autofree const char **aliases = option_get_strv(call->options, "aliases");
        ImageDownload args = {
                .architecture = option_get_string(call->options, "architecture", NULL),
                .aliases = aliases,
                .copy_aliases = option_get_boolean(call->options, "copy-aliases", false),
                .auto_update = option_get_boolean(call->options, "auto-update", false),
                .cached = option_get_boolean(call->options, "cached", false),
                .public = option_get_boolean(call->options, "public", false),
                .take_aliases = may_take_aliases(call),
        };
        Job *job;
        int r;

        g_variant_get(call->args, "(&s&sa{sv})", &args.server, &args.image, NULL);
        r = image_download(call->manager, bus_call_caller(call), &args, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

const Option bus_fetch_image_options[] = {
        { "aliases", "as" },
        { "properties", "a{ss}" },
        { "public", "b" },
        { NULL },
};

int bus_fetch_image_prepare(BusCall *call, Error *ret_error) {
        const char *url;

        check_aliases(call);
        g_variant_get_child(call->args, 0, "&s", &url);
        bus_call_detail(call, "url", url);
        return 0;
}

int bus_fetch_image(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) properties = option_get_variant(call->options, "properties", "a{ss}");
        g_autofree const char **aliases = option_get_strv(call->options, "aliases");
        ImageFetch args = {
                .aliases = aliases,
                .properties = properties,
                .public = option_get_boolean(call->options, "public", false),
                .take_aliases = may_take_aliases(call),
        };
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &args.url, NULL);
        r = image_fetch(call->manager, bus_call_caller(call), &args, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}
