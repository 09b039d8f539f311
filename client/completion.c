/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "client/commands.h"
#include "client/file.h"
#include "client/format.h"
#include "client/help.h"
#include "client/image-record.h"
#include "client/snapshot.h"
#include "service/util/cleanup.h"

static void offer(const char *candidate, const char *word) {
        g_autofree char *shown = NULL;

        if (!g_str_has_prefix(candidate, word))
                return;
        shown = format_printable(candidate);
        puts(shown);
}

static void offer_options(const Option *options, const char *word) {
        for (const Option *o = options; o && o->name; o++) {
                g_autofree char *text = g_strconcat("--", o->name, o->argument ? "=" : "", NULL);

                if (o->help)
                        offer(text, word);
        }
}

static void offer_commands(const Command *commands, const char *word) {
        for (const Command *c = commands; c->name; c++)
                if (c->help)
                        offer(c->name, word);
}

static ObjectKind kind_of_letter(char letter) {
        switch (letter) {
        case 'c':
        case 'h':
                return OBJECT_CONTAINER;
        case 'i':
                return OBJECT_IMAGE;
        case 'j':
                return OBJECT_JOB;
        case 'n':
                return OBJECT_NETWORK;
        case 'p':
                return OBJECT_PROFILE;
        case 's':
                return OBJECT_POOL;
        default:
                return _OBJECT_KIND_INVALID;
        }
}

/* Names are in the paths. */
static const char *const only_names[] = { NULL };

/* "CONTAINER/SNAPSHOT", once the container is there. */
static int offer_snapshots(Client *c, const char *word, Error *ret_error) {
        g_autoptr(GPtrArray) all = NULL, snapshots = NULL;
        g_autofree char *container = g_strndup(word, strcspn(word, "/"));
        g_autofree char *path = object_make_path(OBJECT_CONTAINER, container);

        int r;

        r = client_get_objects(c, OBJECT_SNAPSHOT, only_names, &all, ret_error);
        if (r < 0)
                return r;
        snapshots = snapshots_among(all, path);
        for (size_t i = 0; i < snapshots->len; i++) {
                const Object *o = g_ptr_array_index(snapshots, i);
                g_autofree char *name = g_strconcat(container, "/", o->name, NULL);

                offer(name, word);
        }
        return 0;
}

static int offer_objects(Client *c, ObjectKind kind, const char *word, Error *ret_error) {
        g_autoptr(GPtrArray) objects = NULL;
        int r;

        if (kind == OBJECT_CONTAINER && strchr(word, '/'))
                return offer_snapshots(c, word, ret_error);
        r = client_get_objects(c, kind, kind == OBJECT_IMAGE ? NULL : only_names, &objects,
                               ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < objects->len; i++) {
                const Object *o = g_ptr_array_index(objects, i);
                g_autoptr(GPtrArray) aliases = NULL;

                if (kind != OBJECT_IMAGE) {
                        offer(o->name, word);
                        continue;
                }
                aliases = image_aliases(o);
                for (size_t j = 0; j < aliases->len; j++)
                        offer(g_ptr_array_index(aliases, j), word);
                if (aliases->len == 0 || *word)
                        offer(o->name, word);
        }
        return 0;
}

/* The option that takes a value and that `word` is, if any. */
static const Option *option_with_value(const Option *options, const char *word) {
        for (const Option *o = options; o && o->name; o++) {
                if (!o->argument)
                        continue;
                if (g_str_has_prefix(word, "--") && g_str_equal(word + 2, o->name))
                        return o;
                if (o->letter && word[0] == '-' && word[1] == o->letter && !word[2])
                        return o;
        }
        return NULL;
}

static void offer_key(const char *name, GVariant *dict, void *userdata) {
        gboolean read_only = FALSE;
        g_autofree char *beginning = g_strdup(name);

        (void) g_variant_lookup(dict, "read-only", "b", &read_only);
        /* "environment.*" is completed up to the dot. */
        if (g_str_has_suffix(beginning, ".*"))
                beginning[strlen(beginning) - 1] = '\0';
        if (!read_only)
                offer(beginning, userdata);
}

static void offer_type(const char *name, GVariant *dict, void *userdata) {
        offer(name, userdata);
}

/* "KEY=" of one type of device. */
typedef struct TypeOptions {
        const char *type, *word;
} TypeOptions;

static void offer_type_options(const char *name, GVariant *dict, void *userdata) {
        const TypeOptions *wanted = userdata;
        g_autoptr(GVariantIter) options = NULL;
        const char *option;

        if (!g_str_equal(name, wanted->type) ||
            !g_variant_lookup(dict, "options", "a(sa{sv})", &options))
                return;
        while (g_variant_iter_next(options, "(&s@a{sv})", &option, NULL)) {
                g_autofree char *text = g_strconcat(option, "=", NULL);

                offer(text, wanted->word);
        }
}

/* "CONTAINER/PATH": containers first, then what is in the directory. */
static int offer_files_inside(Client *c, const char *word, Error *ret_error) {
        g_autoptr(GVariant) reply = NULL, entries = NULL;
        g_autoptr(GPtrArray) containers = NULL;
        const char *slash = strrchr(word, '/'), *name, *type;
        g_autofree char *directory = NULL;
        g_auto(FilePlace) place = { 0 };
        GVariantIter iter;
        int r;

        if (!slash) {
                r = client_get_objects(c, OBJECT_CONTAINER, only_names, &containers, ret_error);
                if (r < 0)
                        return r;
                for (size_t i = 0; i < containers->len; i++) {
                        const Object *o = g_ptr_array_index(containers, i);
                        g_autofree char *text = g_strconcat(o->name, "/", NULL);

                        offer(text, word);
                }
                return 0;
        }
        directory = g_strndup(word, (gsize) (slash + 1 - word));
        r = file_place_parse(directory, &place, ret_error);
        if (r >= 0)
                r = client_call(c, OBJECT_CONTAINER, place.container, "ListDirectory",
                                g_variant_new("(sa{sv})", place.path, NULL), "(a(ss)b)", &reply,
                                ret_error);
        if (r < 0)
                return r;
        entries = g_variant_get_child_value(reply, 0);
        g_variant_iter_init(&iter, entries);
        while (g_variant_iter_next(&iter, "(&s&s)", &name, &type)) {
                g_autofree char *text = g_strconcat(
                        directory, name, g_str_equal(type, "directory") ? "/" : "", NULL);

                offer(text, word);
        }
        return 0;
}

/* Volumes: of one pool, or of all (NULL), then as POOL/VOLUME. */
static int offer_volumes(Client *c, const char *pool, const char *word, Error *ret_error) {
        g_autoptr(GPtrArray) volumes = NULL;
        int r;

        r = client_get_objects(c, OBJECT_VOLUME, NULL, &volumes, ret_error);
        if (r < 0)
                return r;
        for (guint i = 0; i < volumes->len; i++) {
                const Object *o = volumes->pdata[i];
                g_autoptr(GVariant) parent = object_get_value(o, "Pool", "o");
                g_autofree char *own = NULL, *text = NULL;

                if (!parent || !object_parse_path(g_variant_get_string(parent, NULL), NULL, &own))
                        continue;
                text = g_strconcat(own, "/", o->name, NULL);
                if (!pool || g_str_equal(own, pool))
                        offer(pool ? o->name : text, word);
        }
        return 0;
}

/* The words before it that matter: `first`, where it is a pool, and `type`, the third, where it is
 * a device's type. */
static int offer_argument(Client *c, const Command *command, size_t index, const char *first,
                          const char *type, const char *word, Error *ret_error) {
        static const struct {
                char letter;
                const char *name;
        } scopes[] = { { 'k', "container" }, { 'l', "profile" }, { 'm', "network" },
                       { 'r', "volume" } };
        const char *letters = command->complete ?: "-";
        char letter = letters[MIN(index, strlen(letters) - 1)];
        ObjectKind kind = kind_of_letter(letter);

        for (size_t i = 0; i < ELEMENTSOF(scopes); i++)
                if (letter == scopes[i].letter)
                        return config_for_each_key(c, scopes[i].name, offer_key, (char *) word,
                                                   ret_error);
        if (letter == 't')
                return config_for_each_device_type(c, offer_type, (char *) word, ret_error);
        if (letter == 'o')
                return config_for_each_device_type(c, offer_type_options,
                                                   &(TypeOptions) { type, word }, ret_error);
        if (letter == 'v' || letter == 'w')
                return offer_volumes(c, letter == 'v' ? first : NULL, word, ret_error);
        if (letter == 'e')
                return offer_files_inside(c, word, ret_error);
        return kind < 0 ? 0 : offer_objects(c, kind, word, ret_error);
}

int run_complete(Client *c, Error *ret_error) {
        const Command *command = c->root;
        size_t n = client_n_arguments(c), n_seen = 0;
        const char *word = n > 0 ? client_argument(c, n - 1) : "";
        const char *first = "", *third = "";
        const Option *pending = NULL;

        for (size_t i = 0; i + 1 < n; i++) {
                const char *before = client_argument(c, i);
                const Command *child = NULL;

                if (pending) {
                        pending = NULL;
                        continue;
                }
                if (before[0] == '-' && before[1]) {
                        pending = option_with_value(command->options, before);
                        continue;
                }
                if (command->children)
                        child = command_find(command->children, before);
                if (child)
                        command = child;
                else if (command->children)
                        return 0;
                else if (++n_seen == 1)
                        first = before;
                else if (n_seen == 3)
                        third = before;
        }
        if (pending) {
                /* Options whose values are objects. */
                if (g_str_equal(pending->name, "profile"))
                        return offer_objects(c, OBJECT_PROFILE, word, ret_error);
                if (g_str_equal(pending->name, "network"))
                        return offer_objects(c, OBJECT_NETWORK, word, ret_error);
                if (g_str_equal(pending->name, "storage"))
                        return offer_objects(c, OBJECT_POOL, word, ret_error);
                return 0;
        }
        if (*word == '-') {
                offer_options(command->options, word);
                offer_options(client_global_options, word);
                return 0;
        }
        if (command->children) {
                offer_commands(command->children, word);
                return 0;
        }
        return offer_argument(c, command, n_seen, first, third, word, ret_error);
}
