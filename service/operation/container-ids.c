/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/container-ids.h"

#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/operation/container.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"

static IdUse use_of(const Container *c) {
        return (IdUse) { c->ids, c->ids_shared, c->object.name };
}

/* Of all containers but this one (NULL: of all). */
static GArray *list_used(Manager *m, const Container *self) {
        GArray *used = g_array_new(FALSE, FALSE, sizeof(IdUse));
        GHashTableIter iter;
        const Container *c;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_CONTAINER]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &c)) {
                IdUse use = use_of(c);

                if (c != self)
                        g_array_append_val(used, use);
        }
        return used;
}

static IdWish wish_of(GVariant *config) {
        return (IdWish) {
                .base = (uint32_t) config_get_integer(config, "security.idmap.base"),
                .size = (uint32_t) config_get_integer(config, "security.idmap.size"),
                .shared = !config_get_boolean(config, "security.idmap.isolated"),
        };
}

static int choose(Manager *m, const Container *self, const IdUse *now, GVariant *config,
                  IdUse *ret, Error *ret_error) {
        g_autoptr(GArray) used = list_used(m, self);
        IdWish wish = wish_of(config);
        IdUse use = { .shared = wish.shared };
        int r;

        /* A privileged one needs none; it keeps what it has for the day when it does. */
        if (id_use_fits(now, &wish, m->id_ranges, used) ||
            (config_get_boolean(config, "security.privileged") && now->range.size > 0)) {
                *ret = *now;
                return 0;
        }
        r = id_range_choose(&wish, m->id_ranges, used, &use.range, ret_error);
        if (r >= 0)
                *ret = use;
        return r;
}

static int make_map(Manager *m, IdRange range, GVariant *config, IdMap **ret, Error *ret_error) {
        const char *raw = config_get(config, "raw.idmap");
        g_autoptr(IdMap) map = NULL;
        int r = 0;

        if (config_get_boolean(config, "security.privileged")) {
                *ret = idmap_new();
                return 0;
        }
        map = idmap_new_range(range);
        if (raw)
                r = idmap_punch(map, raw, m->id_ranges, ret_error);
        if (r >= 0)
                *ret = TAKE_PTR(map);
        return r;
}

/* Owners on disk that are those of one map cannot become those of another. */
static int check_shifted(const Container *c, const IdMap *map, Error *ret_error) {
        if (!c->shifted || idmap_equal(c->shifted, map))
                return 0;
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "The files of container \"%s\" are stored with the owners of its id map, "
                         "since its pool's filesystem cannot be mounted idmapped; so it must keep "
                         "this map: put security.privileged, security.idmap.* and raw.idmap back "
                         "to what they were", c->object.name);
}

int container_choose_ids(Manager *m, Container *c, GVariant *config, Error *ret_error) {
        g_autoptr(IdMap) map = NULL;
        IdUse now = use_of(c), use;
        int r;

        r = choose(m, c, &now, config, &use, ret_error);
        if (r >= 0)
                r = make_map(m, use.range, config, &map, ret_error);
        if (r >= 0)
                r = check_shifted(c, map, ret_error);
        if (r < 0)
                return r;
        c->ids = use.range;
        c->ids_shared = use.shared;
        return 0;
}

int container_choose_first_ids(Manager *m, Container *c, Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL;

        container_expand(m, c, &config, &devices);
        return container_choose_ids(m, c, config, ret_error);
}

static bool ids_differ(GVariant *before, GVariant *after) {
        static const char *const keys[] = {
                "raw.idmap", "security.idmap.base", "security.idmap.isolated",
                "security.idmap.size", "security.privileged",
        };

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (g_strcmp0(config_get(before, keys[i]), config_get(after, keys[i])) != 0)
                        return true;
        return false;
}

int container_check_ids(Manager *m, const Container *c, GVariant *before, GVariant *after,
                        Error *ret_error) {
        g_autoptr(IdMap) map = NULL;
        IdUse now = use_of(c), use;
        int r;

        if (!ids_differ(before, after))
                return 0;
        r = choose(m, c, &now, after, &use, ret_error);
        if (r >= 0)
                r = make_map(m, use.range, after, &map, ret_error);
        return r < 0 ? r : check_shifted(c, map, ret_error);
}

int container_make_idmap(Manager *m, const Container *c, GVariant *config, IdMap **ret,
                         Error *ret_error) {
        return make_map(m, c->ids, config, ret, ret_error);
}

int container_check_range(Manager *m, const Container *c, IdRange range, IdMap **ret_map,
                          Error *ret_error) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        g_autoptr(GArray) used = list_used(m, c);
        const IdUse use = { range, c->ids_shared, c->object.name };
        g_autoptr(IdMap) map = NULL;
        IdWish wish;
        int r;

        container_expand(m, c, &config, &devices);
        wish = wish_of(config);
        if (!id_range_is_valid(&range) || !id_use_fits(&use, &wish, m->id_ranges, used))
                return error_set(ret_error, ERROR_IN_USE,
                                 "Container \"%s\" cannot have the ids %" G_GUINT32_FORMAT
                                 "-%" G_GUINT64_FORMAT " of this host, which its state is for: "
                                 "they are another container's, not root's to give, or not what "
                                 "its security.idmap.* say", c->object.name, range.base,
                                 (guint64) range.base + range.size - 1);
        r = make_map(m, range, config, &map, ret_error);
        if (r >= 0)
                r = check_shifted(c, map, ret_error);
        if (r >= 0)
                *ret_map = TAKE_PTR(map);
        return r;
}

bool container_is_privileged(Manager *m, const Container *c) {
        const char *value;
        bool privileged;

        if (container_is_up(c))
                return idmap_is_host(c->facts.idmap);
        value = container_get_expanded(m, c, "security.privileged");
        return value && (config_parse_boolean(value, &privileged) < 0 || privileged);
}

IdMap *container_get_idmap(Manager *m, const Container *c) {
        g_autoptr(GVariant) config = NULL, devices = NULL;
        IdMap *map;

        if (container_is_up(c))
                return idmap_copy(c->facts.idmap);
        if (c->shifted)
                return idmap_copy(c->shifted);
        container_expand(m, c, &config, &devices);
        /* A hole that cannot be is for the start to complain about: to work on files that are
         * stored unshifted, any map will do. */
        if (make_map(m, c->ids, config, &map, NULL) < 0)
                return idmap_new_range(c->ids);
        return map;
}

/* --- after the records were read --- */

static gint compare_age(gconstpointer a, gconstpointer b) {
        const Container *x = a, *y = b;

        if (x->created != y->created)
                return x->created < y->created ? -1 : 1;
        return g_strcmp0(x->object.name, y->object.name);
}

static const Container *find_earlier(GList *containers, const Container *c) {
        for (GList *l = containers; l->data != c; l = l->next) {
                const Container *other = l->data;

                g_assert(other);
                if (!(c->ids_shared && other->ids_shared) &&
                    id_range_overlaps(&c->ids, &other->ids))
                        return other;
        }
        return NULL;
}

static gint compare_base(gconstpointer a, gconstpointer b) {
        const Container *x = a, *y = b;

        return x->ids.base < y->ids.base ? -1 : x->ids.base > y->ids.base;
}

/* Whether any two have the same ids: comparing each with each would be what a service with
 * thousands of containers spends most of its start on. */
static bool any_overlap(GList **containers) {
        uint64_t end_of_own = 0, end_of_shared = 0; /* of those before */

        *containers = g_list_sort(*containers, compare_base);
        for (GList *l = *containers; l; l = l->next) {
                const Container *c = l->data;
                uint64_t end = (uint64_t) c->ids.base + c->ids.size;

                if (c->ids.base < end_of_own || (!c->ids_shared && c->ids.base < end_of_shared))
                        return true;
                if (c->ids_shared)
                        end_of_shared = MAX(end_of_shared, end);
                else
                        end_of_own = MAX(end_of_own, end);
        }
        return false;
}

void container_ids_settle(Manager *m) {
        g_autoptr(GList) containers = g_hash_table_get_values(m->objects[OBJECT_CONTAINER]);

        if (!any_overlap(&containers))
                return;
        containers = g_list_sort(containers, compare_age);
        for (GList *l = containers; l; l = l->next) {
                Container *c = l->data;
                const Container *other = find_earlier(containers, c);
                g_auto(Error) error = ERROR_INIT;

                if (!other)
                        continue;
                log_error("The records of containers \"%s\" and \"%s\" have the same ids; \"%s\" "
                          "gets others.", other->object.name, c->object.name, c->object.name);
                if (container_choose_first_ids(m, c, &error) < 0)
                        log_error("Container \"%s\" cannot start: %s.", c->object.name,
                                  error.message);
        }
}
