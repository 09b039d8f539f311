/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A YAML document as a tree, for documents from strangers: one document of UTF-8, with bounds on
 * size, depth and number of nodes, keys that are scalars and occur once, and without anchors,
 * aliases and tags, which make YAML expand, refer to itself or mean more than it says.
 */

#include <stdbool.h>
#include <stddef.h>

#include <glib.h>

#include "service/util/error.h"

typedef struct YamlNode YamlNode;

typedef enum YamlKind {
        YAML_SCALAR,
        YAML_SEQUENCE,
        YAML_MAPPING,
} YamlKind;

struct YamlNode {
        YamlKind kind;
        char *text;       /* scalar: its content */
        bool is_quoted;   /* scalar: written so that it can be nothing but a string */
        GPtrArray *keys;  /* mapping: char *, each as its value in `items` */
        GPtrArray *items; /* sequence, mapping: YamlNode * */
};

/* What values may hold; keys are printable always. */
typedef enum YamlText {
        YAML_TEXT_PRINTABLE,
        YAML_TEXT_ANY, /* lines and control characters, too: whoever shows it sees to them */
} YamlText;

/* The error's sentence begins with `title`, for example "metadata.yaml". */
int yaml_document_parse(const char *title, const char *data, size_t size, YamlText values,
                        YamlNode **ret, Error *ret_error);
YamlNode *yaml_node_free(YamlNode *node);
/* The value of `key` in a mapping, or NULL. */
YamlNode *yaml_node_get(const YamlNode *mapping, const char *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(YamlNode, yaml_node_free)
