/* SPDX-License-Identifier: Apache-2.0 */
#include "client/introspection.h"

#include <stdbool.h>
#include <string.h>

#include "client/format.h"
#include "service/util/cleanup.h"

typedef struct Parser {
        const char *interface;
        bool in_interface;
        Method *current;
        GPtrArray *methods; /* of Method */
} Parser;

static void argument_free(gpointer data) {
        Argument *a = data;

        g_free(a->name);
        g_free(a->type);
        g_free(a);
}

void method_free(Method *m) {
        if (!m)
                return;

        g_free(m->name);
        g_ptr_array_unref(m->in);
        g_ptr_array_unref(m->out);
        g_free(m);
}

static const char *attribute(const char **names, const char **values, const char *wanted) {
        for (size_t i = 0; names[i]; i++)
                if (g_str_equal(names[i], wanted))
                        return values[i];
        return NULL;
}

static void parser_add_argument(Parser *p, const char **names, const char **values) {
        const char *direction = attribute(names, values, "direction");
        const char *type = attribute(names, values, "type");
        Argument *a;

        if (!type || !g_variant_is_signature(type))
                return;
        a = g_new(Argument, 1);
        *a = (Argument) { g_strdup(attribute(names, values, "name") ?: ""), g_strdup(type) };
        g_ptr_array_add(g_strcmp0(direction, "out") == 0 ? p->current->out : p->current->in, a);
}

static void on_start(GMarkupParseContext *context, const char *element, const char **names,
                     const char **values, gpointer userdata, GError **ret_error) {
        const char *name = attribute(names, values, "name");
        Parser *p = userdata;

        if (g_str_equal(element, "interface"))
                p->in_interface = g_strcmp0(name, p->interface) == 0;
        else if (p->in_interface && g_str_equal(element, "method") && name) {
                p->current = g_new(Method, 1);
                *p->current = (Method) {
                        .name = g_strdup(name),
                        .in = g_ptr_array_new_with_free_func(argument_free),
                        .out = g_ptr_array_new_with_free_func(argument_free),
                };
                g_ptr_array_add(p->methods, p->current);
        } else if (p->current && g_str_equal(element, "arg"))
                parser_add_argument(p, names, values);
}

static void on_end(GMarkupParseContext *context, const char *element, gpointer userdata,
                   GError **ret_error) {
        Parser *p = userdata;

        if (g_str_equal(element, "method"))
                p->current = NULL;
        else if (g_str_equal(element, "interface"))
                p->in_interface = false;
}

static int introspection_parse(const char *xml, const char *interface, GPtrArray **ret,
                               Error *ret_error) {
        static const GMarkupParser callbacks = { .start_element = on_start, .end_element = on_end };
        g_autoptr(GPtrArray) methods =
                g_ptr_array_new_with_free_func((GDestroyNotify) method_free);
        g_autoptr(GMarkupParseContext) context = NULL;
        g_autoptr(GError) error = NULL;
        Parser p = { .interface = interface, .methods = methods };

        context = g_markup_parse_context_new(&callbacks, 0, &p, NULL);
        if (!g_markup_parse_context_parse(context, xml, -1, &error) ||
            !g_markup_parse_context_end_parse(context, &error))
                return error_set(ret_error, ERROR_FAILED,
                                 "The introspection data of the service is malformed: %s",
                                 error->message);
        *ret = TAKE_PTR(methods);
        return 0;
}

int introspection_find_method(const char *xml, const char *interface, const char *member,
                              Method **ret, Error *ret_error) {
        g_autoptr(GPtrArray) methods = NULL;
        int r;

        r = introspection_parse(xml, interface, &methods, ret_error);
        if (r < 0)
                return r;
        *ret = NULL;
        for (guint i = 0; i < methods->len && !*ret; i++)
                if (g_str_equal(((Method *) g_ptr_array_index(methods, i))->name, member))
                        *ret = g_ptr_array_steal_index(methods, i);
        return 0;
}

int introspection_list_methods(const char *xml, const char *interface, GPtrArray **ret,
                               Error *ret_error) {
        g_autoptr(GPtrArray) methods = NULL, names = g_ptr_array_new_with_free_func(g_free);
        int r;

        r = introspection_parse(xml, interface, &methods, ret_error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < methods->len; i++)
                g_ptr_array_add(names, g_strdup(((Method *) g_ptr_array_index(methods, i))->name));
        format_sort(names);
        *ret = TAKE_PTR(names);
        return 0;
}

char *method_signature(const GPtrArray *arguments) {
        g_autoptr(GString) s = g_string_new(NULL);

        for (size_t i = 0; i < arguments->len; i++)
                g_string_append(s, ((Argument *) g_ptr_array_index(arguments, i))->type);
        return g_string_free(g_steal_pointer(&s), FALSE);
}
