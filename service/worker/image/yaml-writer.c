/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/yaml-writer.h"

#include <yaml.h>

#include "service/util/cleanup.h"

struct YamlWriter {
        yaml_emitter_t emitter;
        GByteArray *out;
        bool failed;
};

static int on_write(void *userdata, unsigned char *buffer, size_t size) {
        g_byte_array_append(userdata, buffer, (guint) size);
        return 1;
}

/* An event that could not be made owns nothing; one that could not be emitted is gone too. */
static void emit(YamlWriter *w, yaml_event_t *event, int made) {
        if (!made || w->failed || !yaml_emitter_emit(&w->emitter, event))
                w->failed = true;
}

YamlWriter *yaml_writer_new(void) {
        YamlWriter *w = g_new0(YamlWriter, 1);
        yaml_event_t event;
        int made;

        w->out = g_byte_array_new();
        if (!yaml_emitter_initialize(&w->emitter))
                g_error("Out of memory");
        yaml_emitter_set_output(&w->emitter, on_write, w->out);
        yaml_emitter_set_unicode(&w->emitter, 1);
        made = yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
        emit(w, &event, made);
        made = yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
        emit(w, &event, made);
        return w;
}

YamlWriter *yaml_writer_free(YamlWriter *w) {
        if (!w)
                return NULL;
        yaml_emitter_delete(&w->emitter);
        g_clear_pointer(&w->out, g_byte_array_unref);
        g_free(w);
        return NULL;
}

void yaml_put_string(YamlWriter *w, const char *text) {
        yaml_event_t event;
        int made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *) text, -1,
                                                0, 1, YAML_DOUBLE_QUOTED_SCALAR_STYLE);

        emit(w, &event, made);
}

void yaml_put_plain(YamlWriter *w, const char *text) {
        yaml_event_t event;
        int made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *) text, -1,
                                                1, 0, YAML_PLAIN_SCALAR_STYLE);

        emit(w, &event, made);
}

void yaml_put_boolean(YamlWriter *w, bool value) {
        yaml_put_plain(w, value ? "true" : "false");
}

void yaml_put_time(YamlWriter *w, uint64_t usec) {
        g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc((gint64) (usec / G_USEC_PER_SEC));
        g_autofree char *seconds = NULL, *text = NULL;

        if (usec == 0 || !time) {
                yaml_put_plain(w, "0001-01-01T00:00:00Z");
                return;
        }
        seconds = g_date_time_format(time, "%Y-%m-%dT%H:%M:%S");
        text = g_strdup_printf("%s.%06uZ", seconds, (unsigned) (usec % G_USEC_PER_SEC));
        yaml_put_plain(w, text);
}

void yaml_begin_map(YamlWriter *w) {
        yaml_event_t event;
        int made = yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                                       YAML_BLOCK_MAPPING_STYLE);

        emit(w, &event, made);
}

void yaml_end_map(YamlWriter *w) {
        yaml_event_t event;
        int made = yaml_mapping_end_event_initialize(&event);

        emit(w, &event, made);
}

static void begin_list(YamlWriter *w, yaml_sequence_style_t style) {
        yaml_event_t event;
        int made = yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style);

        emit(w, &event, made);
}

void yaml_begin_list(YamlWriter *w) {
        begin_list(w, YAML_BLOCK_SEQUENCE_STYLE);
}

void yaml_end_list(YamlWriter *w) {
        yaml_event_t event;
        int made = yaml_sequence_end_event_initialize(&event);

        emit(w, &event, made);
}

void yaml_put_map(YamlWriter *w, GVariant *map) {
        const char *key, *value;
        GVariantIter iter;

        yaml_begin_map(w);
        g_variant_iter_init(&iter, map);
        while (g_variant_iter_next(&iter, "{&s&s}", &key, &value)) {
                yaml_put_string(w, key);
                yaml_put_string(w, value);
        }
        yaml_end_map(w);
}

void yaml_put_words(YamlWriter *w, GVariant *words) {
        const char *word;
        GVariantIter iter;

        begin_list(w, YAML_FLOW_SEQUENCE_STYLE);
        g_variant_iter_init(&iter, words);
        while (g_variant_iter_next(&iter, "&s", &word))
                yaml_put_string(w, word);
        yaml_end_list(w);
}

int yaml_writer_finish(YamlWriter *w, const char *title, GBytes **ret, Error *ret_error) {
        yaml_event_t event;
        int made;

        made = yaml_document_end_event_initialize(&event, 1);
        emit(w, &event, made);
        made = yaml_stream_end_event_initialize(&event);
        emit(w, &event, made);
        if (w->failed)
                return error_set(ret_error, ERROR_FAILED, "%s cannot be written", title);
        *ret = g_byte_array_free_to_bytes(TAKE_PTR(w->out));
        return 0;
}
