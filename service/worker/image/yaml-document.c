/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/yaml-document.h"

#include <string.h>

#include <yaml.h>

#include "service/util/cleanup.h"
#include "service/worker/image/bounds.h"
#include "service/worker/image/text.h"

typedef struct Reader {
        const char *title;
        YamlText values;
        yaml_parser_t parser;
        size_t n_nodes;
} Reader;

/* GLib's cleanup macros want a type that is ours. */
typedef yaml_event_t Event;

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Event, yaml_event_delete)

YamlNode *yaml_node_free(YamlNode *node) {
        if (!node)
                return NULL;
        g_free(node->text);
        g_clear_pointer(&node->keys, g_ptr_array_unref);
        g_clear_pointer(&node->items, g_ptr_array_unref);
        g_free(node);
        return NULL;
}

static void node_destroy(gpointer node) {
        (void) yaml_node_free(node);
}

static YamlNode *node_new(YamlKind kind) {
        YamlNode *node = g_new(YamlNode, 1);

        *node = (YamlNode) { .kind = kind };
        if (kind == YAML_MAPPING)
                node->keys = g_ptr_array_new_with_free_func(g_free);
        if (kind != YAML_SCALAR)
                node->items = g_ptr_array_new_with_free_func(node_destroy);
        return node;
}

static YamlNode *node_get_n(const YamlNode *mapping, const char *key, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (g_str_equal(mapping->keys->pdata[i], key))
                        return mapping->items->pdata[i];
        return NULL;
}

YamlNode *yaml_node_get(const YamlNode *mapping, const char *key) {
        return node_get_n(mapping, key, mapping->items->len);
}

static int read_error(const Reader *reader, const yaml_mark_t *mark, const char *why,
                      Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_IMAGE, "%s is not acceptable, line %zu: %s",
                         reader->title, mark->line + 1, why);
}

static int read_event(Reader *reader, Event *ret, Error *ret_error) {
        if (yaml_parser_parse(&reader->parser, ret))
                return 0;
        /* The problems are constant strings of libyaml. */
        return read_error(reader, &reader->parser.problem_mark,
                          reader->parser.problem ?: "it cannot be parsed", ret_error);
}

static int check_plain(const Reader *reader, const Event *event, const void *anchor,
                       const void *tag, Error *ret_error) {
        if (anchor)
                return read_error(reader, &event->start_mark, "anchors are not allowed", ret_error);
        if (tag)
                return read_error(reader, &event->start_mark, "tags are not allowed", ret_error);
        return 0;
}

static int read_scalar(Reader *reader, const Event *event, YamlText may, YamlNode **ret,
                       Error *ret_error) {
        const char *text = (const char *) event->data.scalar.value;
        size_t size = event->data.scalar.length;
        YamlNode *node;
        int r;

        r = check_plain(reader, event, event->data.scalar.anchor, event->data.scalar.tag,
                        ret_error);
        if (r < 0)
                return r;
        if (size > YAML_SCALAR_MAX)
                return read_error(reader, &event->start_mark, "a value is too long", ret_error);
        if (strlen(text) != size || (may == YAML_TEXT_PRINTABLE && !text_is_printable(text)))
                return read_error(reader, &event->start_mark,
                                  "control characters are not allowed in a value", ret_error);
        node = node_new(YAML_SCALAR);
        node->text = g_strndup(text, size);
        node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        *ret = node;
        return 0;
}

static int read_node(Reader *reader, const Event *event, unsigned depth, YamlNode **ret,
                     Error *ret_error);

static int read_sequence(Reader *reader, unsigned depth, YamlNode **ret, Error *ret_error) {
        g_autoptr(YamlNode) node = node_new(YAML_SEQUENCE);

        for (;;) {
                g_auto(Event) event = { 0 };
                YamlNode *item;
                int r;

                r = read_event(reader, &event, ret_error);
                if (r < 0)
                        return r;
                if (event.type == YAML_SEQUENCE_END_EVENT)
                        break;
                r = read_node(reader, &event, depth, &item, ret_error);
                if (r < 0)
                        return r;
                g_ptr_array_add(node->items, item);
        }
        *ret = TAKE_PTR(node);
        return 0;
}

static int read_key(Reader *reader, const Event *event, YamlNode *mapping, Error *ret_error) {
        g_autoptr(YamlNode) key = NULL;
        int r;

        if (event->type != YAML_SCALAR_EVENT)
                return read_error(reader, &event->start_mark, "a key is not a plain word",
                                  ret_error);
        r = read_scalar(reader, event, YAML_TEXT_PRINTABLE, &key, ret_error);
        if (r < 0)
                return r;
        if (node_get_n(mapping, key->text, mapping->keys->len))
                return read_error(reader, &event->start_mark, "a key occurs twice", ret_error);
        g_ptr_array_add(mapping->keys, TAKE_PTR(key->text));
        return 0;
}

static int read_mapping(Reader *reader, unsigned depth, YamlNode **ret, Error *ret_error) {
        g_autoptr(YamlNode) node = node_new(YAML_MAPPING);

        for (;;) {
                g_auto(Event) key = { 0 }, event = { 0 };
                YamlNode *item;
                int r;

                r = read_event(reader, &key, ret_error);
                if (r < 0)
                        return r;
                if (key.type == YAML_MAPPING_END_EVENT)
                        break;
                r = read_key(reader, &key, node, ret_error);
                if (r >= 0)
                        r = read_event(reader, &event, ret_error);
                if (r >= 0)
                        r = read_node(reader, &event, depth, &item, ret_error);
                if (r < 0)
                        return r;
                g_ptr_array_add(node->items, item);
        }
        *ret = TAKE_PTR(node);
        return 0;
}

static int read_node(Reader *reader, const Event *event, unsigned depth, YamlNode **ret,
                     Error *ret_error) {
        int r;

        if (depth >= YAML_DEPTH_MAX)
                return read_error(reader, &event->start_mark, "it is nested too deeply", ret_error);
        if (++reader->n_nodes > YAML_NODES_MAX)
                return read_error(reader, &event->start_mark, "it has too many values", ret_error);

        switch (event->type) {
        case YAML_SCALAR_EVENT:
                return read_scalar(reader, event, reader->values, ret, ret_error);
        case YAML_SEQUENCE_START_EVENT:
                r = check_plain(reader, event, event->data.sequence_start.anchor,
                                event->data.sequence_start.tag, ret_error);
                return r < 0 ? r : read_sequence(reader, depth + 1, ret, ret_error);
        case YAML_MAPPING_START_EVENT:
                r = check_plain(reader, event, event->data.mapping_start.anchor,
                                event->data.mapping_start.tag, ret_error);
                return r < 0 ? r : read_mapping(reader, depth + 1, ret, ret_error);
        case YAML_ALIAS_EVENT:
                return read_error(reader, &event->start_mark, "aliases are not allowed", ret_error);
        default:
                return read_error(reader, &event->start_mark, "it has no content", ret_error);
        }
}

/* Reads the next event, which must be of that type. */
static int expect_event(Reader *reader, yaml_event_type_t type, const char *otherwise,
                        Error *ret_error) {
        g_auto(Event) event = { 0 };
        int r;

        r = read_event(reader, &event, ret_error);
        if (r < 0)
                return r;
        if (event.type != type)
                return read_error(reader, &event.start_mark, otherwise, ret_error);
        if (type == YAML_DOCUMENT_START_EVENT &&
            event.data.document_start.tag_directives.start !=
                    event.data.document_start.tag_directives.end)
                return read_error(reader, &event.start_mark, "tags are not allowed", ret_error);
        return 0;
}

static int read_document(Reader *reader, YamlNode **ret, Error *ret_error) {
        g_autoptr(YamlNode) root = NULL;
        g_auto(Event) event = { 0 };
        int r;

        r = expect_event(reader, YAML_STREAM_START_EVENT, "it is empty", ret_error);
        if (r >= 0)
                r = expect_event(reader, YAML_DOCUMENT_START_EVENT, "it is empty", ret_error);
        if (r >= 0)
                r = read_event(reader, &event, ret_error);
        if (r >= 0)
                r = read_node(reader, &event, 0, &root, ret_error);
        if (r >= 0)
                r = expect_event(reader, YAML_DOCUMENT_END_EVENT, "it does not end", ret_error);
        if (r >= 0)
                r = expect_event(reader, YAML_STREAM_END_EVENT,
                                 "there is more than one document", ret_error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(root);
        return 0;
}

int yaml_document_parse(const char *title, const char *data, size_t size, YamlText values,
                        YamlNode **ret, Error *ret_error) {
        Reader reader = { .title = title, .values = values };
        int r;

        /* libyaml would take UTF-16 as well, and look for a mark that says so. */
        if (!g_utf8_validate(data, (gssize) size, NULL))
                return error_set(ret_error, ERROR_INVALID_IMAGE,
                                 "%s is not acceptable: it is not UTF-8 text", title);
        if (!yaml_parser_initialize(&reader.parser))
                g_error("Out of memory");
        yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&reader.parser, (const unsigned char *) data, size);
        r = read_document(&reader, ret, ret_error);
        yaml_parser_delete(&reader.parser);
        return r;
}
