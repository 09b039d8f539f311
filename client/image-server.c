/* SPDX-License-Identifier: Apache-2.0 */
#include "client/image-server.h"

#include <string.h>
#include <sys/utsname.h>

#include "client/commands.h"
#include "client/format.h"
#include "client/image.h"
#include "client/image-record.h"
#include "client/job.h"
#include "client/variant.h"
#include "service/util/cleanup.h"

void image_source_parse(const char *argument, char **ret_server, char **ret_name) {
        const char *colon = strchr(argument, ':');
        g_autofree char *server = colon ? g_strndup(argument, colon - argument) : NULL;

        *ret_name = g_strdup(colon ? colon + 1 : argument);
        *ret_server = server && !g_str_equal(server, "local") ? TAKE_PTR(server) : NULL;
}

/* --- what a server has --- */

static Object *object_of(const char *fingerprint, GVariant *dict) {
        static const struct {
                const char *key, *type, *property;
        } facts[] = {
                { "aliases", "as", "Aliases" },
                { "architecture", "s", "Architecture" },
                { "created", "t", "Created" },
                { "created", "t", "Uploaded" },
                { "properties", "a{ss}", "Properties" },
                { "size", "t", "Size" },
        };
        Object *o = g_new0(Object, 1);
        GVariantDict properties;

        g_variant_dict_init(&properties, NULL);
        for (size_t i = 0; i < ELEMENTSOF(facts); i++) {
                g_autoptr(GVariant) value = g_variant_lookup_value(
                        dict, facts[i].key, (const GVariantType *) facts[i].type);

                if (value)
                        g_variant_dict_insert_value(&properties, facts[i].property, value);
        }
        g_variant_dict_insert(&properties, "Public", "b", TRUE);
        o->kind = OBJECT_IMAGE;
        o->name = g_strdup(fingerprint);
        o->path = object_make_path(OBJECT_IMAGE, fingerprint);
        o->properties = variant_seal(g_variant_dict_end(&properties));
        return o;
}

int image_server_list(Client *c, const char *server, GPtrArray **ret, Error *ret_error) {
        g_autoptr(GPtrArray) images = g_ptr_array_new_with_free_func((GDestroyNotify) object_free);
        g_autoptr(GVariant) reply = NULL;
        g_autoptr(GVariantIter) iter = NULL;
        const char *fingerprint;
        GVariant *dict;
        int r;

        r = client_call(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "GetServerImages",
                        g_variant_new("(sa{sv})", server, NULL), "(a(sa{sv}))", &reply, ret_error);
        if (r < 0)
                return r;
        g_variant_get(reply, "(a(sa{sv}))", &iter);
        while (g_variant_iter_next(iter, "(&s@a{sv})", &fingerprint, &dict)) {
                g_ptr_array_add(images, object_of(fingerprint, dict));
                g_variant_unref(dict);
        }
        *ret = TAKE_PTR(images);
        return 0;
}

int image_get_all(Client *c, const char *server, GPtrArray **ret, Error *ret_error) {
        if (server)
                return image_server_list(c, server, ret, ret_error);
        return client_get_objects(c, OBJECT_IMAGE, NULL, ret, ret_error);
}

/* By alias for this machine, by ALIAS/ARCHITECTURE, or by a beginning of the fingerprint. */
static bool is_called(const Object *o, const char *name, const char *machine) {
        const char *architecture = object_get_string(o, "Architecture");
        g_autoptr(GPtrArray) aliases = image_aliases(o);

        if (strlen(name) >= 12 && g_str_has_prefix(o->name, name))
                return true;
        for (size_t i = 0; i < aliases->len; i++) {
                const char *alias = g_ptr_array_index(aliases, i);
                g_autofree char *whole = g_strconcat(alias, "/", architecture, NULL);

                if (g_str_equal(whole, name) ||
                    (g_str_equal(alias, name) &&
                     (!*architecture || g_str_equal(architecture, machine))))
                        return true;
        }
        return false;
}

int image_server_find(Client *c, const char *server, const char *name, Object **ret,
                      Error *ret_error) {
        g_autoptr(GPtrArray) images = NULL;
        struct utsname host;
        int r;

        r = image_server_list(c, server, &images, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < images->len; i++)
                if (is_called(g_ptr_array_index(images, i), name,
                              uname(&host) < 0 ? "" : host.machine)) {
                        *ret = g_ptr_array_steal_index(images, (guint) i);
                        return 0;
                }
        return error_set(ret_error, ERROR_NO_SUCH_IMAGE,
                         "The image server '%s' has no image '%s'", server, name);
}

/* --- downloading --- */

int image_server_download(Client *c, const char *server, const char *name, GVariant *options,
                          char **ret, Error *ret_error) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(options), objects = NULL;
        g_autoptr(GPtrArray) names = NULL;
        g_autoptr(Job) job = NULL;
        int r;

        if (!*name)
                return client_usage_error(ret_error, "'%s:' names no image", server);
        r = job_start(c, OBJECT_MANAGER, BERTH_ROOT_PATH, "DownloadImage",
                      g_variant_new("(ss@a{sv})", server, name, owned), &job, ret_error);
        if (r >= 0)
                r = job_wait(job, ret_error);
        if (r >= 0)
                r = job_get_objects(job, &objects, ret_error);
        if (r < 0)
                return r;
        names = object_names(objects);
        if (names->len == 0)
                return error_set(ret_error, ERROR_FAILED, "The service did not say what it made");
        *ret = g_strdup(g_ptr_array_index(names, 0));
        return 0;
}

static GVariant *copy_arguments(Client *c) {
        static const char *const flags[] = { "auto-update", "copy-aliases", "public" };
        g_autoptr(GPtrArray) aliases = client_options(c, "alias");
        GVariantDict options;

        g_variant_dict_init(&options, NULL);
        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (client_flag(c, flags[i]))
                        g_variant_dict_insert(&options, flags[i], "b", TRUE);
        if (aliases->len > 0)
                g_variant_dict_insert_value(
                        &options, "aliases",
                        g_variant_new_strv((const char *const *) aliases->pdata, aliases->len));
        return g_variant_dict_end(&options);
}

int run_image_copy(Client *c, Error *ret_error) {
        g_autofree char *server = NULL, *name = NULL, *fingerprint = NULL;
        int r;

        if (!g_str_equal(client_argument(c, 1), "local:"))
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "Images are copied from an image server to this machine alone, "
                                 "which is 'local:'");
        image_source_parse(client_argument(c, 0), &server, &name);
        if (!server)
                return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                 "'%s' is on this machine already; write SERVER:IMAGE",
                                 client_argument(c, 0));
        r = image_server_download(c, server, name, copy_arguments(c), &fingerprint, ret_error);
        if (r >= 0)
                client_say(c, "Image copied successfully!");
        return r;
}

static int refresh(Client *c, const char *argument, Error *ret_error) {
        g_autoptr(GPtrArray) names = NULL;
        g_autoptr(GVariant) objects = NULL;
        g_autofree char *path = NULL, *now = NULL;
        g_autoptr(Job) job = NULL;
        int r;

        r = client_get_image_path(c, argument, &path, ret_error);
        if (r >= 0)
                r = job_start(c, OBJECT_IMAGE, path, "Refresh", g_variant_new("(a{sv})", NULL),
                              &job, ret_error);
        if (r >= 0)
                r = job_wait(job, ret_error);
        if (r >= 0)
                r = job_get_objects(job, &objects, ret_error);
        if (r < 0)
                return r;
        names = object_names(objects);
        if (names->len > 0)
                now = object_make_path(OBJECT_IMAGE, g_ptr_array_index(names, 0));
        client_say(c, g_strcmp0(now, path) == 0 ? "%s is up to date" : "%s is a later image now",
                   argument);
        return 0;
}

int run_image_refresh(Client *c, Error *ret_error) {
        for (size_t i = 0; i < client_n_arguments(c); i++) {
                int r = refresh(c, client_argument(c, i), ret_error);

                if (r < 0)
                        return r;
        }
        return 0;
}
