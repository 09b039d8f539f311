/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/templates.h"

#include <string.h>

#include "service/model/template.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/files/arguments.h"
#include "service/worker/files/place.h"

#define NEW_FILE_MODE 0644
#define NEW_DIRECTORY_MODE 0755

typedef struct Template {
        const char *path, *content, *trigger;
        GVariant *properties; /* a{ss} */
        gboolean create_only;
} Template;

/* Where it is to be comes from an image: no ".." may make another file of it than it seems. */
static int check_path(const char *path, Error *ret_error) {
        g_auto(GStrv) parts = g_strsplit(path, "/", -1);

        if (path[0] != '/')
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "Template %s: the path of a template has to be absolute", path);
        for (char **part = parts + 1; *part; part++)
                if (!path_is_component(*part))
                        return error_set(ret_error, ERROR_INVALID_IMAGE,
                                         "Template %s: the path holds an empty, \".\" or \"..\" "
                                         "component",
                                         path);
        return 0;
}

static int render(const Template *template, GVariant *context, char **ret, Error *ret_error) {
        GVariantDict dict;
        g_autoptr(GVariant) own = NULL;

        g_variant_dict_init(&dict, context);
        g_variant_dict_insert_value(&dict, "properties", template->properties);
        g_variant_dict_insert(&dict, "path", "s", template->path);
        g_variant_dict_insert(&dict, "trigger", "s", template->trigger);
        own = g_variant_ref_sink(g_variant_dict_end(&dict));
        return template_render(template->path, template->content, own, ret, ret_error);
}

static int write_file(const Inside *inside, const Template *template, const char *text,
                      Error *ret_error) {
        g_autofree char *parent = place_parent(template->path);
        g_auto(Place) place = PLACE_INIT;
        g_auto(NewFile) file = NEW_FILE_INIT;
        bool exists;
        int r;

        r = place_make_directories(inside, parent, NEW_DIRECTORY_MODE, (NewOwner) { 0 }, ret_error);
        if (r >= 0)
                r = place_find(inside, template->path, true, &place, ret_error);
        if (r < 0)
                return r;
        exists = place.stat.st_mode != 0;
        if (exists && template->create_only)
                return 0;
        if (exists && !S_ISREG(place.stat.st_mode))
                return place_error_type(template->path, place.stat.st_mode, ret_error);
        r = new_file_open(inside, place.dir_fd, &file);
        if (r >= 0)
                r = fd_write_all(file.fd, text, strlen(text));
        if (r < 0)
                return error_set_errno(ret_error, -r, "The file can't be written");
        return new_file_commit(&file, place.name, exists ? &place.stat : NULL, (NewFileOwner) { 0 },
                               NEW_FILE_MODE, template->path, ret_error);
}

static int templates_inside(const Inside *inside, void *userdata, GVariantDict *result,
                            Error *ret_error) {
        g_autoptr(GVariant) templates = NULL, context = NULL;
        GVariantIter iter;
        Template t;
        int r;

        r = worker_get_variant(inside->worker, "templates", "a(sssa{ss}b)", &templates, ret_error);
        if (r >= 0)
                r = worker_get_variant(inside->worker, "context", "a{sv}", &context, ret_error);
        if (r < 0)
                return r;
        g_variant_iter_init(&iter, templates);
        while (r >= 0 && g_variant_iter_next(&iter, "(&s&s&s@a{ss}b)", &t.path, &t.content,
                                             &t.trigger, &t.properties, &t.create_only)) {
                g_autoptr(GVariant) owned G_GNUC_UNUSED = t.properties;
                g_autofree char *text = NULL;
                g_auto(Error) error = ERROR_INIT;

                r = check_path(t.path, &error);
                if (r >= 0)
                        r = render(&t, context, &text, &error);
                if (r >= 0)
                        r = write_file(inside, &t, text, &error);
                if (r < 0 && error.message && !g_str_has_prefix(error.message, "Template "))
                        error_prefix(&error, "Template %s", t.path);
                error_move(ret_error, &error);
        }
        return r;
}

int file_templates(Worker *worker, GVariantDict *result, Error *ret_error) {
        return inside_run(worker, NULL, 0, templates_inside, NULL, result, ret_error);
}
