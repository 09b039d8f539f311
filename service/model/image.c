/* SPDX-License-Identifier: Apache-2.0 */
#include "service/model/image.h"

#include <string.h>

#include "service/model/config.h"
#include "service/model/record.h"

#define PROPERTY_KEY_MAX 64
#define PROPERTY_VALUE_MAX 4096

static const char *const states[] = {
        [IMAGE_READY] = "ready",
        [IMAGE_DELETING] = "deleting",
};
G_STATIC_ASSERT(G_N_ELEMENTS(states) == _IMAGE_STATE_MAX);

Image *image_new(const char *fingerprint, uid_t owner) {
        Image *image = g_new0(Image, 1);

        object_init(&image->object, OBJECT_IMAGE, fingerprint, owner);
        image->architecture = g_strdup("");
        image->filename = g_strdup("");
        image->rootfs_filename = g_strdup("");
        image->properties = config_empty();
        image->templates = image_templates_empty();
        image->aliases = g_new0(char *, 1);
        image->pools = g_new0(char *, 1);
        image->server = g_strdup("");
        image->remote_name = g_strdup("");
        return image;
}

Image *image_free(Image *image) {
        if (!image)
                return NULL;

        object_done(&image->object);
        g_free(image->architecture);
        g_free(image->filename);
        g_free(image->rootfs_filename);
        g_variant_unref(image->properties);
        g_variant_unref(image->templates);
        g_strfreev(image->aliases);
        g_strfreev(image->pools);
        g_free(image->server);
        g_free(image->remote_name);
        g_free(image);
        return NULL;
}

GVariant *image_to_record(const Image *image) {
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        record_put_object(&dict, &image->object);
        g_variant_dict_insert(&dict, "state", "s", states[image->state]);
        g_variant_dict_insert(&dict, "size", "t", image->size);
        g_variant_dict_insert(&dict, "architecture", "s", image->architecture);
        g_variant_dict_insert(&dict, "filename", "s", image->filename);
        g_variant_dict_insert(&dict, "split", "b", image->split);
        g_variant_dict_insert(&dict, "rootfs-filename", "s", image->rootfs_filename);
        g_variant_dict_insert(&dict, "public", "b", image->public);
        g_variant_dict_insert(&dict, "created", "t", image->created);
        g_variant_dict_insert(&dict, "uploaded", "t", image->uploaded);
        g_variant_dict_insert(&dict, "expires", "t", image->expires);
        g_variant_dict_insert(&dict, "last-used", "t", image->last_used);
        g_variant_dict_insert_value(&dict, "properties", image->properties);
        g_variant_dict_insert_value(&dict, "templates", image->templates);
        g_variant_dict_insert(&dict, "aliases", "^as", image->aliases);
        g_variant_dict_insert(&dict, "pools", "^as", image->pools);
        g_variant_dict_insert(&dict, "server", "s", image->server);
        g_variant_dict_insert(&dict, "remote-name", "s", image->remote_name);
        g_variant_dict_insert(&dict, "refreshed", "t", image->refreshed);
        g_variant_dict_insert(&dict, "auto-update", "b", image->auto_update);
        g_variant_dict_insert(&dict, "cached", "b", image->cached);
        g_variant_dict_insert(&dict, "archive-lost", "b", image->archive_lost);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* An older service knew only images in one archive. */
static int split_from_record(const Record *record, Image *image) {
        if (!record_has(record, "split"))
                return 0;
        if (record_get_boolean(record, "split", &image->split) < 0 ||
            record_get_string(record, "rootfs-filename", &image->rootfs_filename) < 0)
                return -EBADMSG;
        return 0;
}

/* The same of image servers. */
static int source_from_record(const Record *record, Image *image) {
        if (!record_has(record, "server"))
                return 0;
        if (record_get_string(record, "server", &image->server) < 0 ||
            record_get_string(record, "remote-name", &image->remote_name) < 0 ||
            record_get_uint64(record, "refreshed", &image->refreshed) < 0 ||
            record_get_boolean(record, "auto-update", &image->auto_update) < 0 ||
            record_get_boolean(record, "cached", &image->cached) < 0)
                return -EBADMSG;
        return 0;
}

/* The same of images that came back without their archives. */
static int loss_from_record(const Record *record, Image *image) {
        return record_has(record, "archive-lost")
                       ? record_get_boolean(record, "archive-lost", &image->archive_lost) : 0;
}

int image_from_record(const char *name, GVariant *value, Image **ret) {
        g_autoptr(Record) record = record_open(value);
        g_autoptr(Image) image = image_new(name, 0);
        int state;

        if (record_get_object(record, &image->object) < 0 ||
            record_get_enum(record, "state", states, _IMAGE_STATE_MAX, &state) < 0 ||
            record_get_uint64(record, "size", &image->size) < 0 ||
            record_get_string(record, "architecture", &image->architecture) < 0 ||
            record_get_string(record, "filename", &image->filename) < 0 ||
            record_get_boolean(record, "public", &image->public) < 0 ||
            record_get_uint64(record, "created", &image->created) < 0 ||
            record_get_uint64(record, "uploaded", &image->uploaded) < 0 ||
            record_get_uint64(record, "expires", &image->expires) < 0 ||
            record_get_uint64(record, "last-used", &image->last_used) < 0 ||
            record_get_variant(record, "properties", CONFIG_TYPE, &image->properties) < 0 ||
            record_get_templates(record, &image->templates) < 0 ||
            record_get_strv(record, "aliases", &image->aliases) < 0 ||
            record_get_strv(record, "pools", &image->pools) < 0 ||
            split_from_record(record, image) < 0 || source_from_record(record, image) < 0 ||
            loss_from_record(record, image) < 0)
                return -EBADMSG;
        image->state = (ImageState) state;
        *ret = g_steal_pointer(&image);
        return 0;
}

static bool strv_contains(char **strv, const char *s) {
        return g_strv_contains((const char *const *) strv, s);
}

static void strv_add(char ***strv, const char *s) {
        guint n = g_strv_length(*strv);

        if (strv_contains(*strv, s))
                return;
        *strv = g_renew(char *, *strv, n + 2);
        (*strv)[n] = g_strdup(s);
        (*strv)[n + 1] = NULL;
}

static void strv_remove(char **strv, const char *s) {
        char **to = strv;

        for (char **from = strv; *from; from++)
                if (g_str_equal(*from, s))
                        g_free(*from);
                else
                        *to++ = *from;
        *to = NULL;
}

bool image_has_alias(const Image *image, const char *alias) {
        return strv_contains(image->aliases, alias);
}

void image_add_alias(Image *image, const char *alias) {
        strv_add(&image->aliases, alias);
}

void image_remove_alias(Image *image, const char *alias) {
        strv_remove(image->aliases, alias);
}

bool image_is_unpacked(const Image *image, const char *pool) {
        return strv_contains(image->pools, pool);
}

void image_set_unpacked(Image *image, const char *pool, bool unpacked) {
        if (unpacked)
                strv_add(&image->pools, pool);
        else
                strv_remove(image->pools, pool);
}

const char *image_get_label(const Image *image) {
        return image->aliases[0] ?: image->object.name;
}

int image_check_properties(GVariant *properties, Error *ret_error) {
        GVariantIter iter;
        const char *key, *value;

        g_variant_iter_init(&iter, properties);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789._-");

                if (n == 0 || n > PROPERTY_KEY_MAX || key[n])
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "\"%.64s\" is no name for an image property: use letters, "
                                         "digits, \".\", \"_\" and \"-\"", key);
                for (const char *p = value; *p; p++)
                        if (g_ascii_iscntrl(*p))
                                return error_set(ret_error, ERROR_INVALID_CONFIG,
                                                 "Image property \"%s\" holds a control character",
                                                 key);
                if (strlen(value) > PROPERTY_VALUE_MAX)
                        return error_set(ret_error, ERROR_INVALID_CONFIG,
                                         "Image property \"%s\" is longer than %d bytes", key,
                                         PROPERTY_VALUE_MAX);
        }
        return 0;
}
