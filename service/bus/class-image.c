/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "service/bus/call.h"
#include "service/bus/path.h"
#include "service/operation/image-download.h"
#include "service/operation/image.h"
#include "service/operation/step.h"
#include "service/operation/usage.h"
#include "service/util/cleanup.h"

/* org.berth1.Image; see introspection/org.berth1.Image.xml. */

static Image *image_of(BusCall *call) {
        return (Image *) call->object;
}

/* What is public is for every local user to have. */
static int export_prepare(BusCall *call, Error *ret_error) {
        if (image_of(call)->public)
                call->action = "use";
        return 0;
}

static int export(BusCall *call, Error *ret_error) {
        gint32 handle;
        Job *job;
        int r;

        g_variant_get(call->args, "(ha{sv})", &handle, NULL);
        r = image_export(call->manager, bus_call_caller(call), image_of(call),
                         bus_call_get_fd(call, handle),
                         option_get_string(call->options, "part", ""), &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int open_export(BusCall *call, Error *ret_error) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        g_autofree char *path = NULL;
        int pair[2], r;
        Job *job;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        theirs = pair[0];
        ours = pair[1];
        r = image_export(call->manager, bus_call_caller(call), image_of(call), ours,
                         option_get_string(call->options, "part", ""), &job, ret_error);
        if (r < 0)
                return r;
        path = bus_path_of(OBJECT_JOB, job->object.name);
        job_start(job);
        call->reply = g_variant_new("(oh)", path, bus_call_add_fd(call, TAKE_FD(theirs)));
        return 0;
}

static int refresh(BusCall *call, Error *ret_error) {
        Job *job;
        int r = image_refresh(call->manager, bus_call_caller(call), image_of(call), &job,
                              ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

static int delete(BusCall *call, Error *ret_error) {
        Job *job;
        int r = image_delete(call->manager, bus_call_caller(call), image_of(call), &job, ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

/* An alias that another image bears is that one's owner's to give. */
static int add_alias_prepare(BusCall *call, Error *ret_error) {
        const char *alias;
        Image *other;

        g_variant_get(call->args, "(&sa{sv})", &alias, NULL);
        if (manager_get_image(call->manager, alias, &other, NULL) >= 0 &&
            image_has_alias(other, alias) && other->object.owner != call->sender->uid) {
                call->access = BUS_ACTION;
                call->action = "manage-images";
        }
        return 0;
}

static int add_alias(BusCall *call, Error *ret_error) {
        const char *alias;

        g_variant_get(call->args, "(&sa{sv})", &alias, NULL);
        return image_alias_add(call->manager, image_of(call), alias,
                               option_get_boolean(call->options, "move", false), ret_error);
}

static int remove_alias(BusCall *call, Error *ret_error) {
        const char *alias;

        g_variant_get(call->args, "(&sa{sv})", &alias, NULL);
        return image_alias_remove(call->manager, image_of(call), alias, ret_error);
}

static int update(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) set = NULL, unset = NULL;
        bool public = option_get_boolean(call->options, "public", false);
        bool auto_update = option_get_boolean(call->options, "auto-update", false);
        uint64_t expires = option_get_uint64(call->options, "expires", 0);
        ImageUpdate args = { 0 };

        g_variant_get(call->args, "(@a{ss}@asa{sv})", &set, &unset, NULL);
        args.set = set;
        args.unset = unset;
        if (g_variant_lookup(call->options, "public", "b", NULL))
                args.public = &public;
        if (g_variant_lookup(call->options, "auto-update", "b", NULL))
                args.auto_update = &auto_update;
        if (g_variant_lookup(call->options, "expires", "t", NULL))
                args.expires = &expires;
        return image_update(call->manager, image_of(call), &args, ret_error);
}

/* --- properties --- */

static GVariant *property_fingerprint(Bus *bus, Object *o) {
        return g_variant_new_string(o->name);
}

static GVariant *property_owner(Bus *bus, Object *o) {
        return g_variant_new_uint32(o->owner);
}

static GVariant *property_size(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Image *) o)->size);
}

static GVariant *property_architecture(Bus *bus, Object *o) {
        return g_variant_new_string(((Image *) o)->architecture);
}

static GVariant *property_filename(Bus *bus, Object *o) {
        return g_variant_new_string(((Image *) o)->filename);
}

static GVariant *property_split(Bus *bus, Object *o) {
        return g_variant_new_boolean(((Image *) o)->split);
}

static GVariant *property_rootfs_filename(Bus *bus, Object *o) {
        return g_variant_new_string(((Image *) o)->rootfs_filename);
}

static GVariant *property_created(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Image *) o)->created);
}

static GVariant *property_uploaded(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Image *) o)->uploaded);
}

static GVariant *property_expires(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Image *) o)->expires);
}

static GVariant *property_last_used(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Image *) o)->last_used);
}

static GVariant *property_properties(Bus *bus, Object *o) {
        return g_variant_ref(((Image *) o)->properties);
}

static GVariant *property_aliases(Bus *bus, Object *o) {
        return g_variant_new_strv((const char *const *) ((Image *) o)->aliases, -1);
}

static GVariant *property_public(Bus *bus, Object *o) {
        return g_variant_new_boolean(((Image *) o)->public);
}

static GVariant *property_auto_update(Bus *bus, Object *o) {
        return g_variant_new_boolean(((Image *) o)->auto_update);
}

static GVariant *property_cached(Bus *bus, Object *o) {
        return g_variant_new_boolean(((Image *) o)->cached);
}

static GVariant *property_server(Bus *bus, Object *o) {
        return g_variant_new_string(((Image *) o)->server);
}

static GVariant *property_server_alias(Bus *bus, Object *o) {
        return g_variant_new_string(((Image *) o)->remote_name);
}

static GVariant *property_used_by(Bus *bus, Object *o) {
        g_autoptr(GArray) users = usage_of(bus->manager, o);

        return bus_paths_of(users);
}

/* --- tables --- */

static const Option export_options[] = {
        { "part", "s" },
        { NULL },
};

static const Option alias_options[] = {
        { "move", "b" },
        { NULL },
};

static const Option update_options[] = {
        { "auto-update", "b" },
        { "expires", "t" },
        { "public", "b" },
        { NULL },
};

static const BusMethod methods[] = {
        { "Export", "ha{sv}", "o", SD_BUS_PARAM(archive) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "export the image $(image)",
          export_options, export_prepare, export },
        { "OpenExport", "a{sv}", "oh",
          SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(archive),
          BUS_OWNER, "use", "manage", "export the image $(image)",
          export_options, export_prepare, open_export },
        { "Refresh", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage-images", "refresh the image $(image)",
          NULL, NULL, refresh },
        { "Delete", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage-images", "delete the image $(image)",
          NULL, NULL, delete },
        { "AddAlias", "sa{sv}", "", SD_BUS_PARAM(alias) SD_BUS_PARAM(options),
          BUS_OWNER, "use", "manage-images", "name the image $(image)",
          alias_options, add_alias_prepare, add_alias },
        { "RemoveAlias", "sa{sv}", "", SD_BUS_PARAM(alias) SD_BUS_PARAM(options),
          BUS_OWNER, "use", "manage-images", "take a name from the image $(image)",
          NULL, NULL, remove_alias },
        { "Update", "a{ss}asa{sv}", "",
          SD_BUS_PARAM(set) SD_BUS_PARAM(unset) SD_BUS_PARAM(options),
          BUS_OWNER, "use", "manage-images", "change the image $(image)",
          update_options, NULL, update },
        { NULL },
};

static const BusProperty properties[] = {
        { "Fingerprint", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_fingerprint },
        { "Owner", "u", SD_BUS_VTABLE_PROPERTY_CONST, property_owner },
        { "Size", "t", SD_BUS_VTABLE_PROPERTY_CONST, property_size },
        { "Architecture", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_architecture },
        { "Filename", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_filename },
        { "Split", "b", SD_BUS_VTABLE_PROPERTY_CONST, property_split },
        { "RootfsFilename", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_rootfs_filename },
        { "Created", "t", SD_BUS_VTABLE_PROPERTY_CONST, property_created },
        { "Uploaded", "t", SD_BUS_VTABLE_PROPERTY_CONST, property_uploaded },
        { "Expires", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_expires },
        { "LastUsed", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_last_used },
        { "Properties", "a{ss}", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_properties },
        { "Aliases", "as", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_aliases },
        { "Public", "b", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_public },
        { "AutoUpdate", "b", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_auto_update },
        { "Cached", "b", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_cached },
        { "Server", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_server },
        { "ServerAlias", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_server_alias },
        { "UsedBy", "ao", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_used_by },
        { NULL },
};

BusClass bus_class_image = {
        .kind = OBJECT_IMAGE,
        .interface = BUS_NAME ".Image",
        .methods = methods,
        .properties = properties,
};
