/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/class-container-copy.h"

#include "service/bus/path.h"
#include "service/operation/container-copy.h"
#include "service/operation/image.h"
#include "service/util/cleanup.h"

const Option bus_copy_options[] = {
        { "config", "a{ss}" },
        { "devices", "a{sa{ss}}" },
        { "profiles", "as" },
        { "ephemeral", "b" },
        { "pool", "s" },
        { "without-snapshots", "b" },
        { "refresh", "b" },
        { NULL },
};

/* What the arguments ask for, and what has to live as long. */
typedef struct CopyArgs {
        ContainerCopy copy;
        GVariant *config, *devices;
        const char **profiles;
        bool ephemeral;
} CopyArgs;

static void copy_args_clear(CopyArgs *args) {
        g_clear_pointer(&args->config, g_variant_unref);
        g_clear_pointer(&args->devices, g_variant_unref);
        g_clear_pointer(&args->profiles, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CopyArgs, copy_args_clear)

static void copy_args_read(BusCall *call, CopyArgs *ret) {
        bool of_snapshot = call->object->kind == OBJECT_SNAPSHOT;
        Snapshot *s = of_snapshot ? (Snapshot *) call->object : NULL;

        ret->config = option_get_variant(call->options, "config", "a{ss}");
        ret->devices = option_get_variant(call->options, "devices", "a{sa{ss}}");
        ret->profiles = option_get_strv(call->options, "profiles");
        ret->ephemeral = option_get_boolean(call->options, "ephemeral", false);
        ret->copy = (ContainerCopy) {
                .source = s ? manager_get_container_of(call->manager, s)
                            : (Container *) call->object,
                .snapshot = s,
                .pool = option_get_string(call->options, "pool", NULL),
                .profiles = ret->profiles,
                .config = ret->config,
                .devices = ret->devices,
                .ephemeral = g_variant_lookup(call->options, "ephemeral", "b", NULL)
                                     ? &ret->ephemeral : NULL,
                .without_snapshots = option_get_boolean(call->options, "without-snapshots", false),
                .refresh = option_get_boolean(call->options, "refresh", false),
        };
        g_variant_get(call->args, "(&sa{sv})", &ret->copy.name, NULL);
}

int bus_copy_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_auto(CopyArgs) args = { 0 };
        int r;

        copy_args_read(call, &args);
        r = container_copy_privilege(call->manager, bus_call_caller(call), &args.copy, &needed,
                                     ret_error);
        if (r < 0)
                return r;
        bus_call_detail(call, "new-name", *args.copy.name ? args.copy.name : "a new one");
        bus_call_require(call, &needed);
        return 0;
}

int bus_copy(BusCall *call, Error *ret_error) {
        g_autofree char *job_path = NULL, *container_path = NULL;
        g_auto(CopyArgs) args = { 0 };
        Job *job;
        int r;

        copy_args_read(call, &args);
        r = container_copy(call->manager, bus_call_caller(call), &args.copy, &job, ret_error);
        if (r < 0)
                return r;
        job_path = bus_path_of(OBJECT_JOB, job->object.name);
        container_path = bus_path_of(OBJECT_CONTAINER,
                                     g_array_index(job->subjects, JobSubject, 0).name);
        job_start(job);
        call->reply = g_variant_new("(oo)", job_path, container_path);
        return 0;
}

const Option bus_publish_options[] = {
        { "aliases", "as" },
        { "compression", "s" },
        { "expires", "t" },
        { "force", "b" },
        { "properties", "a{ss}" },
        { "public", "b" },
        { NULL },
};

/* An alias that an image of somebody else bears is not to be had by publishing either. */
int bus_publish_prepare(BusCall *call, Error *ret_error) {
        g_autofree const char **aliases = option_get_strv(call->options, "aliases");

        for (const char **alias = aliases; alias && *alias; alias++)
                if (!image_alias_is_free_for(call->manager, *alias, call->sender->uid))
                        call->own_action = "manage-images";
        return 0;
}

int bus_publish(BusCall *call, Error *ret_error) {
        Snapshot *s = call->object->kind == OBJECT_SNAPSHOT ? (Snapshot *) call->object : NULL;
        g_autoptr(GVariant) properties = option_get_variant(call->options, "properties", "a{ss}");
        g_autofree const char **aliases = option_get_strv(call->options, "aliases");
        ImagePublish args = {
                .source = s ? manager_get_container_of(call->manager, s)
                            : (Container *) call->object,
                .snapshot = s,
                .aliases = aliases,
                .properties = properties,
                .compression = bus_call_get_compression(call, "images.compression_algorithm"),
                .expires = option_get_uint64(call->options, "expires", 0),
                .public = option_get_boolean(call->options, "public", false),
                .force = option_get_boolean(call->options, "force", false),
                .take_aliases = call->sender->uid == 0 ||
                                (call->object->owner == call->sender->uid &&
                                 g_str_equal(call->own_action, "manage-images")),
        };
        Job *job;
        int r;

        r = image_publish(call->manager, bus_call_caller(call), &args, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

int bus_move_prepare(BusCall *call, Error *ret_error) {
        const char *pool;

        g_variant_get(call->args, "(&sa{sv})", &pool, NULL);
        bus_call_detail(call, "pool", pool);
        return 0;
}

int bus_move(BusCall *call, Error *ret_error) {
        const char *pool;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &pool, NULL);
        r = container_move(call->manager, bus_call_caller(call), (Container *) call->object, pool,
                           &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}
