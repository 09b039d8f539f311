/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a method takes and gives, out of D-Bus introspection data.
 */

#include <glib.h>

#include "service/util/error.h"

typedef struct Argument {
        char *name;
        char *type;
} Argument;

typedef struct Method {
        char *name;
        GPtrArray *in;  /* of Argument */
        GPtrArray *out; /* of Argument */
} Method;

/* *ret is NULL when the interface has no such method. */
int introspection_find_method(const char *xml, const char *interface, const char *member,
                              Method **ret, Error *ret_error);
/* Names of all methods of an interface. */
int introspection_list_methods(const char *xml, const char *interface, GPtrArray **ret,
                               Error *ret_error);
void method_free(Method *m);
/* The types of the arguments in one string. */
char *method_signature(const GPtrArray *arguments);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Method, method_free)
