/* SPDX-License-Identifier: Apache-2.0 */
#include "client/commands.h"
#include "client/format.h"
#include "client/image-record.h"
#include "client/job.h"
#include "client/snapshot.h"
#include "service/util/cleanup.h"

const Option publish_options[] = {
        { "alias", 0, "ALIAS", "Give it this alias (may be repeated)", NULL },
        { "compression", 0, "NAME", "gzip (default), bzip2, xz, zstd or none", NULL },
        { "expire", 0, "DATE", "When it expires, such as 2030-12-31T00:00:00Z", NULL },
        { "force", 'f', NULL, "Stop a container that runs, and start it again", NULL },
        { "public", 0, NULL, "Let everybody launch from it", NULL },
        { "reuse", 0, NULL, NULL, "the alias moves to the new image by itself" },
        { NULL },
};

static int add_properties(Client *c, GVariantDict *options, Error *ret_error) {
        GVariantBuilder b;

        if (client_n_arguments(c) < 2)
                return 0;
        g_variant_builder_init(&b, G_VARIANT_TYPE("a{ss}"));
        for (size_t i = 1; i < client_n_arguments(c); i++) {
                g_autofree char *key = NULL, *value = NULL;

                /* "local:" is where it is published anyway. */
                if (g_str_equal(client_argument(c, i), "local:"))
                        continue;
                if (parse_assignment(client_argument(c, i), &key, &value) < 0) {
                        g_variant_builder_clear(&b);
                        return client_usage_error(ret_error, "'%s' is not KEY=VALUE",
                                                  client_argument(c, i));
                }
                g_variant_builder_add(&b, "{ss}", key, value);
        }
        g_variant_dict_insert_value(options, "properties", g_variant_builder_end(&b));
        return 0;
}

static int add_expiry(Client *c, GVariantDict *options, Error *ret_error) {
        const char *text = client_option(c, "expire");
        uint64_t expires;

        if (!text)
                return 0;
        if (!image_parse_date(text, &expires) || expires == 0)
                return client_usage_error(ret_error, "'%s' is no date such as 2030-12-31 or "
                                                     "2030-12-31T00:00:00Z", text);
        g_variant_dict_insert(options, "expires", "t", expires);
        return 0;
}

static int publish_options_to_variant(Client *c, GVariant **ret, Error *ret_error) {
        g_autoptr(GPtrArray) aliases = client_options(c, "alias");
        const char *compression = client_option(c, "compression");
        GVariantDict options;
        int r;

        g_variant_dict_init(&options, NULL);
        r = add_properties(c, &options, ret_error);
        if (r >= 0)
                r = add_expiry(c, &options, ret_error);
        if (r < 0) {
                g_variant_dict_clear(&options);
                return r;
        }
        if (aliases->len > 0)
                g_variant_dict_insert_value(
                        &options, "aliases",
                        g_variant_new_strv((const char *const *) aliases->pdata, aliases->len));
        if (compression)
                g_variant_dict_insert(&options, "compression", "s", compression);
        if (client_flag(c, "force"))
                g_variant_dict_insert(&options, "force", "b", TRUE);
        if (client_flag(c, "public"))
                g_variant_dict_insert(&options, "public", "b", TRUE);
        *ret = g_variant_dict_end(&options);
        return 0;
}

int run_publish(Client *c, Error *ret_error) {
        g_autoptr(GVariant) objects = NULL;
        g_autoptr(GPtrArray) names = NULL;
        g_autofree char *path = NULL;
        g_autoptr(Job) job = NULL;
        GVariant *options;
        ObjectKind kind;
        int r;

        r = client_instance_path(client_argument(c, 0), &kind, &path, ret_error);
        if (r >= 0)
                r = publish_options_to_variant(c, &options, ret_error);
        if (r < 0)
                return r;
        r = job_start(c, kind, path, "Publish", g_variant_new("(@a{sv})", options), &job,
                      ret_error);
        if (r >= 0)
                r = job_wait(job, ret_error);
        if (r >= 0)
                r = job_get_objects(job, &objects, ret_error);
        if (r < 0)
                return r;
        names = object_names(objects);
        if (names->len > 0)
                client_say(c, "Instance published with fingerprint: %s",
                           (char *) g_ptr_array_index(names, 0));
        return 0;
}
