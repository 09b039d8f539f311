/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/class-container-metadata.h"

#include "service/operation/container-metadata.h"
#include "service/util/cleanup.h"

const Option bus_write_template_options[] = {
        { "create", "b" },
        { NULL },
};

const Option bus_update_metadata_options[] = {
        { "properties", "a{ss}" },
        { "templates", "a{s(sasa{ss}b)}" },
        { "if-revision", "t" },
        { NULL },
};

static Container *container_of(BusCall *call) {
        return (Container *) call->object;
}

static const char *get_name(BusCall *call) {
        const char *name;

        g_variant_get_child(call->args, 0, "&s", &name);
        return name;
}

int bus_template_prepare(BusCall *call, Error *ret_error) {
        const char *name = get_name(call);

        if (!image_template_file_is_valid(name))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "A template has a mere file name, without \"/\"");
        bus_call_detail(call, "template", name);
        return 0;
}

int bus_list_templates(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new(
                "(@as)", image_templates_get_files(container_of(call)->templates));
        return 0;
}

int bus_read_template(BusCall *call, Error *ret_error) {
        const char *content;
        int r = container_read_template(container_of(call), get_name(call), &content, ret_error);

        if (r >= 0)
                call->reply = g_variant_new("(s)", content);
        return r;
}

int bus_write_template(BusCall *call, Error *ret_error) {
        const char *content;

        g_variant_get_child(call->args, 1, "&s", &content);
        return container_write_template(call->manager, container_of(call), get_name(call), content,
                                        option_get_boolean(call->options, "create", false),
                                        ret_error);
}

int bus_delete_template(BusCall *call, Error *ret_error) {
        return container_delete_template(call->manager, container_of(call), get_name(call),
                                         ret_error);
}

int bus_get_metadata(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new("(@a{sv})", container_get_metadata(container_of(call)));
        return 0;
}

int bus_update_metadata(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) properties = option_get_variant(call->options, "properties", "a{ss}");
        g_autoptr(GVariant) rules = option_get_variant(call->options, "templates",
                                                       "a{s(sasa{ss}b)}");
        uint64_t revision = option_get_uint64(call->options, "if-revision", 0);
        ContainerMetadata change = {
                .properties = properties,
                .rules = rules,
                .if_revision = revision > 0 ? &revision : NULL,
        };

        return container_update_metadata(call->manager, container_of(call), &change, ret_error);
}
