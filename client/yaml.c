/* SPDX-License-Identifier: Apache-2.0 */
#include "client/yaml.h"

#include <string.h>

#include <yaml.h>

#include "client/format.h"
#include "client/variant.h"
#include "service/util/cleanup.h"

/* What people type is small and flat; more than this is an alias that refers to itself. */
#define YAML_DEPTH_MAX 32
#define YAML_NODES_MAX 100000

/* Writing */

static int emit(yaml_emitter_t *emitter, yaml_event_t *event) {
        return yaml_emitter_emit(emitter, event) ? 0 : -EIO;
}

/* Whether a reader that guesses types would take the bare text for something else than a string. */
static bool text_needs_quotes(const char *s) {
        static const char *const words[] = {
                "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf",
                "+.inf", "-.inf",
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (g_ascii_strcasecmp(s, words[i]) == 0)
                        return true;
        if (s[0] == '=' || g_str_equal(s, "<<"))
                return true; /* types of YAML 1.1 */
        /* Numbers of any base and dates are made of these; quotes too many do no harm. */
        if (!g_ascii_isdigit(s[0]) && !(strchr("+-.", s[0]) && g_ascii_isdigit(s[1])))
                return false;
        return strspn(s, "0123456789abcdefABCDEFxXoO_.:+-TZtz ") == strlen(s);
}

static int emit_text(yaml_emitter_t *emitter, const char *s, bool plain) {
        yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
        yaml_event_t event;

        if (!plain && strchr(s, '\n'))
                style = YAML_LITERAL_SCALAR_STYLE;
        else if (!plain && (!*s || text_needs_quotes(s)))
                style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
        if (!yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *) s,
                                          (int) strlen(s), 1, 1, style))
                return -ENOMEM;
        return emit(emitter, &event);
}

static int emit_value(yaml_emitter_t *emitter, GVariant *value);

static int emit_dictionary(yaml_emitter_t *emitter, GVariant *value) {
        g_autoptr(GPtrArray) entries = variant_entries(value);
        yaml_event_t event;
        int r;

        if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                                 entries->len == 0 ? YAML_FLOW_MAPPING_STYLE
                                                                   : YAML_BLOCK_MAPPING_STYLE))
                return -ENOMEM;
        r = emit(emitter, &event);
        for (size_t i = 0; r >= 0 && i < entries->len; i++) {
                GVariant *entry = g_ptr_array_index(entries, i);
                g_autoptr(GVariant) key = g_variant_get_child_value(entry, 0);
                g_autoptr(GVariant) content = g_variant_get_child_value(entry, 1);
                g_autofree char *name = variant_to_text(key);

                r = emit_text(emitter, name, false);
                if (r >= 0)
                        r = emit_value(emitter, content);
        }
        if (r < 0)
                return r;
        if (!yaml_mapping_end_event_initialize(&event))
                return -ENOMEM;
        return emit(emitter, &event);
}

static int emit_sequence(yaml_emitter_t *emitter, GVariant *value) {
        size_t n = g_variant_n_children(value);
        yaml_event_t event;
        int r;

        if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                                  n == 0 ? YAML_FLOW_SEQUENCE_STYLE
                                                         : YAML_BLOCK_SEQUENCE_STYLE))
                return -ENOMEM;
        r = emit(emitter, &event);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(value, i);

                r = emit_value(emitter, child);
        }
        if (r < 0)
                return r;
        if (!yaml_sequence_end_event_initialize(&event))
                return -ENOMEM;
        return emit(emitter, &event);
}

static int emit_value(yaml_emitter_t *emitter, GVariant *value) {
        g_autofree char *text = NULL;

        if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
                g_autoptr(GVariant) inner = g_variant_get_variant(value);

                return emit_value(emitter, inner);
        }
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_UNIT))
                return emit_text(emitter, "null", true);
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY))
                return emit_dictionary(emitter, value);
        if (g_variant_is_container(value))
                return emit_sequence(emitter, value);
        text = variant_to_text(value);
        return emit_text(emitter, text, !g_variant_is_of_type(value, G_VARIANT_TYPE_STRING));
}

static int yaml_append(void *data, unsigned char *buffer, size_t size) {
        g_string_append_len(data, (const char *) buffer, size);
        return 1;
}

static int emit_document(yaml_emitter_t *emitter, GVariant *value) {
        yaml_event_t event;
        int r;

        if (!yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING))
                return -ENOMEM;
        r = emit(emitter, &event);
        if (r < 0)
                return r;
        if (!yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1))
                return -ENOMEM;
        r = emit(emitter, &event);
        if (r >= 0)
                r = emit_value(emitter, value);
        if (r < 0)
                return r;
        if (!yaml_document_end_event_initialize(&event, 1))
                return -ENOMEM;
        r = emit(emitter, &event);
        if (r < 0)
                return r;
        if (!yaml_stream_end_event_initialize(&event))
                return -ENOMEM;
        return emit(emitter, &event);
}

char *yaml_from_variant(GVariant *value) {
        GString *text = g_string_new(NULL);
        yaml_emitter_t emitter;

        /* Memory is the only thing that can fail here, as everywhere in GLib. */
        if (!yaml_emitter_initialize(&emitter))
                g_error("Out of memory");
        yaml_emitter_set_output(&emitter, yaml_append, text);
        yaml_emitter_set_unicode(&emitter, 1);
        yaml_emitter_set_width(&emitter, -1);
        if (emit_document(&emitter, value) < 0)
                g_error("Cannot write YAML: %s", emitter.problem ?: "out of memory");
        yaml_emitter_delete(&emitter);
        return g_string_free(text, FALSE);
}

/* Reading */

typedef struct Reader {
        yaml_document_t document;
        size_t n_nodes;
} Reader;

static int read_node(Reader *reader, int index, unsigned depth, GVariant **ret, Error *ret_error);

static GVariant *read_scalar(const yaml_node_t *node) {
        const char *s = (const char *) node->data.scalar.value;

        if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
            (!*s || g_str_equal(s, "~") || g_str_equal(s, "null")))
                return g_variant_new_tuple(NULL, 0);
        return g_variant_new_string(s);
}

static int read_sequence(Reader *reader, const yaml_node_t *node, unsigned depth, GVariant **ret,
                         Error *ret_error) {
        g_auto(GVariantBuilder) builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("av"));
        for (yaml_node_item_t *i = node->data.sequence.items.start;
             i < node->data.sequence.items.top; i++) {
                GVariant *child;
                int r = read_node(reader, *i, depth + 1, &child, ret_error);

                if (r < 0)
                        return r;
                g_variant_builder_add(&builder, "v", child);
        }
        *ret = g_variant_builder_end(&builder);
        return 0;
}

static int read_mapping(Reader *reader, const yaml_node_t *node, unsigned depth, GVariant **ret,
                        Error *ret_error) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        g_auto(GVariantBuilder) builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
             p < node->data.mapping.pairs.top; p++) {
                yaml_node_t *key = yaml_document_get_node(&reader->document, p->key);
                const char *name;
                GVariant *child;
                int r;

                if (key->type != YAML_SCALAR_NODE)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "Line %zu of the YAML has a key that is no text",
                                         key->start_mark.line + 1);
                name = (const char *) key->data.scalar.value;
                if (strlen(name) != key->data.scalar.length)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "Line %zu of the YAML has a zero byte in a key",
                                         key->start_mark.line + 1);
                if (!g_hash_table_add(seen, (gpointer) name)) {
                        g_autofree char *shown = format_printable(name);

                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "Line %zu of the YAML has the key '%s' again",
                                         key->start_mark.line + 1, shown);
                }
                r = read_node(reader, p->value, depth + 1, &child, ret_error);
                if (r < 0)
                        return r;
                g_variant_builder_add(&builder, "{sv}", name, child);
        }
        *ret = g_variant_builder_end(&builder);
        return 0;
}

static int read_node(Reader *reader, int index, unsigned depth, GVariant **ret, Error *ret_error) {
        yaml_node_t *node = yaml_document_get_node(&reader->document, index);

        if (depth > YAML_DEPTH_MAX || ++reader->n_nodes > YAML_NODES_MAX)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The YAML is nested too deeply or too large");
        switch (node->type) {
        case YAML_SCALAR_NODE:
                if (strlen((const char *) node->data.scalar.value) != node->data.scalar.length)
                        return error_set(ret_error, ERROR_INVALID_ARGS,
                                         "Line %zu of the YAML has a zero byte",
                                         node->start_mark.line + 1);
                *ret = read_scalar(node);
                return 0;
        case YAML_SEQUENCE_NODE:
                return read_sequence(reader, node, depth, ret, ret_error);
        case YAML_MAPPING_NODE:
                return read_mapping(reader, node, depth, ret, ret_error);
        case YAML_NO_NODE:
                break;
        }
        return error_set(ret_error, ERROR_INVALID_ARGS, "The YAML is malformed");
}

static int parser_error(const yaml_parser_t *parser, Error *ret_error) {
        return error_set(ret_error, ERROR_INVALID_ARGS, "Line %zu of the YAML is malformed: %s",
                         parser->problem_mark.line + 1, parser->problem ?: "unknown reason");
}

static int parser_read(yaml_parser_t *parser, GVariant **ret, Error *ret_error) {
        Reader reader = { 0 };
        GVariant *value = NULL;
        int r;

        if (!yaml_parser_load(parser, &reader.document))
                return parser_error(parser, ret_error);
        if (yaml_document_get_root_node(&reader.document))
                r = read_node(&reader, 1, 0, &value, ret_error);
        else {
                value = g_variant_new_tuple(NULL, 0);
                r = 0;
        }
        yaml_document_delete(&reader.document);
        if (r < 0)
                return r;
        *ret = variant_seal(value);
        return 0;
}

static int parser_check_end(yaml_parser_t *parser, Error *ret_error) {
        yaml_document_t document;
        bool more;

        if (!yaml_parser_load(parser, &document))
                return parser_error(parser, ret_error);
        more = yaml_document_get_root_node(&document);
        yaml_document_delete(&document);
        if (more)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "The YAML has more than one document");
        return 0;
}

int yaml_to_variant(const char *text, GVariant **ret, Error *ret_error) {
        g_autoptr(GVariant) value = NULL;
        yaml_parser_t parser;
        int r;

        if (!g_utf8_validate(text, -1, NULL))
                return error_set(ret_error, ERROR_INVALID_ARGS, "The YAML is not valid UTF-8");
        if (!yaml_parser_initialize(&parser))
                g_error("Out of memory");
        yaml_parser_set_input_string(&parser, (const unsigned char *) text, strlen(text));
        r = parser_read(&parser, &value, ret_error);
        if (r >= 0 && !g_variant_is_of_type(value, G_VARIANT_TYPE_UNIT))
                r = parser_check_end(&parser, ret_error);
        yaml_parser_delete(&parser);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(value);
        return 0;
}
