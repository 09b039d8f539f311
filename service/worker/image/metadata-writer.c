/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/metadata-writer.h"

#include <errno.h>
#include <string.h>

#include <yaml.h>

#include "service/util/cleanup.h"
#include "service/worker/image/description.h"

typedef struct MetadataWriter {
        yaml_emitter_t emitter;
        GByteArray *out;
        bool failed;
} MetadataWriter;

static int on_write(void *userdata, unsigned char *buffer, size_t size) {
        g_byte_array_append(userdata, buffer, (guint) size);
        return 1;
}

/* An event that could not be made owns nothing; one that could not be emitted is gone too. */
static void emit(MetadataWriter *w, yaml_event_t *event, int made) {
        if (!made || w->failed || !yaml_emitter_emit(&w->emitter, event))
                w->failed = true;
}

static void put_string(MetadataWriter *w, const char *text) {
        yaml_event_t event;
        int made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *) text, -1,
                                                0, 1, YAML_DOUBLE_QUOTED_SCALAR_STYLE);

        emit(w, &event, made);
}

/* Numbers and booleans: without quotes. */
static void put_plain(MetadataWriter *w, const char *text) {
        yaml_event_t event;
        int made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *) text, -1,
                                                1, 0, YAML_PLAIN_SCALAR_STYLE);

        emit(w, &event, made);
}

static void begin_map(MetadataWriter *w) {
        yaml_event_t event;
        int made = yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                                       YAML_BLOCK_MAPPING_STYLE);

        emit(w, &event, made);
}

static void end_map(MetadataWriter *w) {
        yaml_event_t event;
        int made = yaml_mapping_end_event_initialize(&event);

        emit(w, &event, made);
}

static void put_map(MetadataWriter *w, GVariant *map) {
        const char *key, *value;
        GVariantIter iter;

        begin_map(w);
        g_variant_iter_init(&iter, map);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                put_string(w, key);
                put_string(w, value);
        }
        end_map(w);
}

static void put_words(MetadataWriter *w, GVariant *words) {
        yaml_event_t event;
        const char *word;
        GVariantIter iter;
        int made;

        made = yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                                    YAML_FLOW_SEQUENCE_STYLE);
        emit(w, &event, made);
        g_variant_iter_init(&iter, words);
        while (g_variant_iter_next(&iter, "&s", &word))
                put_string(w, word);
        made = yaml_sequence_end_event_initialize(&event);
        emit(w, &event, made);
}

static void put_templates(MetadataWriter *w, GVariant *templates) {
        begin_map(w);
        for (gsize i = 0; i < g_variant_n_children(templates); i++) {
                g_autofree char *file = g_strdup_printf("%s%zu.tpl", METADATA_TEMPLATE_PREFIX,
                                                        (size_t) i);
                g_autoptr(GVariant) when = NULL, properties = NULL;
                gboolean create_only;
                const char *path;

                g_variant_get_child(templates, i, "(&s&s@as@a{ss}b)", &path, NULL, &when,
                                    &properties, &create_only);
                put_string(w, path);
                begin_map(w);
                put_string(w, "template");
                put_string(w, file);
                put_string(w, "when");
                put_words(w, when);
                put_string(w, "create_only");
                put_plain(w, create_only ? "true" : "false");
                put_string(w, "properties");
                put_map(w, properties);
                end_map(w);
        }
        end_map(w);
}

static void put_seconds(MetadataWriter *w, GVariant *args, const char *key, const char *name) {
        g_autofree char *text = NULL;
        guint64 usec = 0;

        (void) g_variant_lookup(args, key, "t", &usec);
        text = g_strdup_printf("%" G_GUINT64_FORMAT, usec / G_USEC_PER_SEC);
        put_string(w, name);
        put_plain(w, text);
}

static void put_document(MetadataWriter *w, GVariant *args) {
        g_autoptr(GVariant) properties = g_variant_lookup_value(args, "properties",
                                                                G_VARIANT_TYPE("a{ss}"));
        g_autoptr(GVariant) templates = g_variant_lookup_value(
                args, "templates", G_VARIANT_TYPE(IMAGE_TEMPLATES_TYPE));
        const char *architecture = "";
        yaml_event_t event;
        int made;

        made = yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
        emit(w, &event, made);
        made = yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
        emit(w, &event, made);
        begin_map(w);
        (void) g_variant_lookup(args, "architecture", "&s", &architecture);
        put_string(w, "architecture");
        put_string(w, architecture);
        put_seconds(w, args, "created", "creation_date");
        put_seconds(w, args, "expires", "expiry_date");
        put_string(w, "properties");
        put_map(w, properties);
        put_string(w, "templates");
        put_templates(w, templates);
        end_map(w);
        made = yaml_document_end_event_initialize(&event, 1);
        emit(w, &event, made);
        made = yaml_stream_end_event_initialize(&event);
        emit(w, &event, made);
}

int metadata_write(GVariant *args, GBytes **ret, Error *ret_error) {
        g_autoptr(GByteArray) out = g_byte_array_new();
        MetadataWriter w = { .out = out };

        if (!yaml_emitter_initialize(&w.emitter))
                return -ENOMEM;
        yaml_emitter_set_output(&w.emitter, on_write, out);
        yaml_emitter_set_unicode(&w.emitter, 1);
        put_document(&w, args);
        yaml_emitter_delete(&w.emitter);
        if (w.failed)
                return error_set(ret_error, ERROR_FAILED, "metadata.yaml cannot be written");
        *ret = g_byte_array_free_to_bytes(TAKE_PTR(out));
        return 0;
}
