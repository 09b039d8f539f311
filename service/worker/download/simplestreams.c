/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/download/simplestreams.h"

#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "service/model/catalogue.h"
#include "service/util/cleanup.h"

#define DEPTH_MAX 16
/* Lists that an index may name. */
#define LISTS_MAX 16U

/* --- JSON -------------------------------------------------------------------------------- */

static void json_free(struct json_object **object) {
        (void) json_object_put(*object);
}

static int parse(const char *what, const char *text, size_t size, struct json_object **ret,
                 Error *ret_error) {
        struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
        struct json_object *root;
        enum json_tokener_error error;

        if (!tokener)
                return -ENOMEM;
        root = json_tokener_parse_ex(tokener, text, (int) MIN(size, (size_t) G_MAXINT));
        error = json_tokener_get_error(tokener);
        json_tokener_free(tokener);
        if (error != json_tokener_success || !json_object_is_type(root, json_type_object)) {
                json_object_put(root);
                return error_set(ret_error, ERROR_INVALID_IMAGE, "%s of the server is damaged: %s",
                                 what, error != json_tokener_success
                                               ? json_tokener_error_desc(error) : "no object");
        }
        *ret = root;
        return 0;
}

/* Members; NULL where there is none of that name and type. */
static struct json_object *get(struct json_object *object, const char *key, enum json_type type) {
        struct json_object *value;

        if (!json_object_is_type(object, json_type_object) ||
            !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
                return NULL;
        return value;
}

static const char *get_string(struct json_object *object, const char *key) {
        struct json_object *value = get(object, key, json_type_string);
        const char *text = value ? json_object_get_string(value) : NULL;

        /* No string that ends before its end. */
        return text && strlen(text) == (size_t) json_object_get_string_len(value) ? text : NULL;
}

static uint64_t get_size(struct json_object *object, const char *key) {
        struct json_object *value = get(object, key, json_type_int);
        int64_t n = value ? json_object_get_int64(value) : 0;

        return n > 0 ? (uint64_t) n : 0;
}

/* --- the index --------------------------------------------------------------------------- */

int simplestreams_parse_index(const char *text, size_t size, GPtrArray **ret, Error *ret_error) {
        __attribute__((cleanup(json_free))) struct json_object *root = NULL;
        g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
        struct json_object *index;
        int r;

        r = parse("The index", text, size, &root, ret_error);
        if (r < 0)
                return r;
        index = get(root, "index", json_type_object);
        if (!index)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "The index of the server names no lists of images");
        json_object_object_foreach(index, name, stream) {
                const char *type = get_string(stream, "datatype");
                const char *path = get_string(stream, "path");

                (void) name;
                if (paths->len < LISTS_MAX && type && path &&
                    g_str_equal(type, "image-downloads") && catalogue_path_is_valid(path))
                        g_ptr_array_add(paths, g_strdup(path));
        }
        *ret = TAKE_PTR(paths);
        return 0;
}

/* --- products ---------------------------------------------------------------------------- */

/* How an image can be put together: the type of the second file, and where the first says what the
 * SHA-256 of both is. In the order in which they are wanted. */
static const struct {
        const char *type, *hashes[2];
} parts[] = {
        { "squashfs", { "combined_squashfs_sha256" } },
        { "root.tar.xz", { "combined_rootxz_sha256", "combined_sha256" } },
};

/* The file of a version that has that type. */
static struct json_object *find_item(struct json_object *items, const char *type) {
        json_object_object_foreach(items, name, item) {
                const char *its_type = get_string(item, "ftype");

                (void) name;
                if (its_type && g_str_equal(its_type, type))
                        return item;
        }
        return NULL;
}

static struct json_object *find_either(struct json_object *items, const char *type,
                                       const char *other) {
        return find_item(items, type) ?: find_item(items, other);
}

static bool set_file(ListFile *file, struct json_object *item) {
        *file = (ListFile) {
                .path = get_string(item, "path"),
                .size = get_size(item, "size"),
                .hash = get_string(item, "sha256") ?: "",
        };
        return file->path;
}

/* Which files, and what they are known by. The type of the root filesystem, or NULL for none. */
static const char *set_files(ListImage *image, struct json_object *items) {
        struct json_object *first = find_either(items, "lxd.tar.xz", "incus.tar.xz"), *second;

        for (size_t i = 0; first && i < ELEMENTSOF(parts); i++) {
                image->fingerprint = get_string(first, parts[i].hashes[0]);
                if (!image->fingerprint && parts[i].hashes[1])
                        image->fingerprint = get_string(first, parts[i].hashes[1]);
                second = find_item(items, parts[i].type);
                if (image->fingerprint && second && set_file(&image->files[0], first) &&
                    set_file(&image->files[1], second))
                        return parts[i].type;
        }
        image->files[1] = (ListFile) { 0 };
        first = find_either(items, "lxd_combined.tar.gz", "incus_combined.tar.gz");
        image->fingerprint = first ? get_string(first, "sha256") : NULL;
        return image->fingerprint && set_file(&image->files[0], first) ? "tar.gz" : NULL;
}

/* "20230101_05:24" or "20230101": when it was made, by its name. */
static uint64_t time_of(const char *version) {
        g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
        g_autoptr(GDateTime) time = NULL;
        unsigned digits[12] = { 0 };
        size_t n = 0;

        for (const char *p = version; *p && n < ELEMENTSOF(digits); p++)
                if (g_ascii_isdigit(*p))
                        digits[n++] = (unsigned) (*p - '0');
        if (n < 8)
                return 0;
#define PAIR(i) ((gint) (10 * digits[i] + digits[(i) + 1]))
        time = g_date_time_new(utc, 100 * PAIR(0) + PAIR(2), PAIR(4), PAIR(6), PAIR(8), PAIR(10),
                               0);
#undef PAIR
        return time ? (uint64_t) g_date_time_to_unix(time) * G_USEC_PER_SEC : 0;
}

static char *describe(struct json_object *product, const char *version) {
        g_autoptr(GString) text = g_string_new(get_string(product, "os") ?: "");
        const char *release = get_string(product, "release_title") ?: get_string(product,
                                                                                 "release");
        const char *architecture = get_string(product, "arch");

        if (release)
                g_string_append_printf(text, " %s", release);
        if (architecture)
                g_string_append_printf(text, " %s", architecture);
        g_string_append_printf(text, " (%s)", version);
        return g_string_free(TAKE_PTR(text), FALSE);
}

/* Whether it is an image. */
static bool add_version(struct json_object *product, const char *name, struct json_object *version,
                        char **aliases, List *list) {
        struct json_object *items = get(version, "items", json_type_object);
        g_autofree char *description = describe(product, name);
        ListImage image = {
                .aliases = (const char *const *) aliases,
                .architecture = get_string(product, "arch") ?: "",
                .created = time_of(name),
        };
        const char *type = items ? set_files(&image, items) : NULL;
        const char *const properties[] = {
                "architecture", get_string(product, "arch"),
                "description", description,
                "os", get_string(product, "os"),
                "release", get_string(product, "release"),
                "serial", name,
                "type", type,
                "variant", get_string(product, "variant"),
                NULL,
        };

        image.properties = properties;
        if (!type || !*image.architecture)
                return false;
        list_add(list, &image);
        return true;
}

static int compare_versions(const void *a, const void *b) {
        return strcmp(*(const char *const *) b, *(const char *const *) a);
}

static void add_product(struct json_object *product, List *list) {
        struct json_object *versions = get(product, "versions", json_type_object);
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        const char *aliases = get_string(product, "aliases");
        g_auto(GStrv) words = aliases ? g_strsplit(aliases, ",", -1) : NULL;
        bool named = false;

        if (!versions)
                return;
        json_object_object_foreach(versions, version, unused) {
                (void) unused;
                g_ptr_array_add(names, version);
        }
        g_ptr_array_sort(names, compare_versions);
        for (char **word = words; word && *word; word++)
                g_strstrip(*word);
        for (guint i = 0; i < names->len; i++) {
                const char *name = names->pdata[i];

                if (add_version(product, name, get(versions, name, json_type_object),
                                named ? NULL : words, list))
                        named = true;
        }
}

int simplestreams_parse_products(const char *text, size_t size, List *list, Error *ret_error) {
        __attribute__((cleanup(json_free))) struct json_object *root = NULL;
        struct json_object *products;
        int r;

        r = parse("A list of products", text, size, &root, ret_error);
        if (r < 0)
                return r;
        products = get(root, "products", json_type_object);
        if (!products)
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "A list of the server has no products");
        json_object_object_foreach(products, name, product) {
                (void) name;
                add_product(product, list);
        }
        return 0;
}
