/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "service/bus/call.h"
#include "service/bus/class-manager-images.h"
#include "service/bus/container-archive.h"
#include "service/bus/path.h"
#include "service/model/config-key.h"
#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/privilege.h"
#include "service/operation/boot.h"
#include "service/operation/image.h"
#include "service/operation/initialize.h"
#include "service/operation/network.h"
#include "service/operation/pool.h"
#include "service/operation/profile.h"
#include "service/operation/rebuild.h"
#include "service/util/cleanup.h"

/* org.berth1.Manager; see introspection/org.berth1.Manager.xml. */

static GVariant *reply_path(ObjectKind kind, const char *name) {
        g_autofree char *path = bus_path_of(kind, name);

        return g_variant_new("(o)", path);
}

/* --- finding --- */

static int get_object(BusCall *call, ObjectKind kind, Error *ret_error) {
        const char *name;
        Object *o;
        int r;

        g_variant_get(call->args, "(&s)", &name);
        r = manager_get(call->manager, kind, name, &o, ret_error);
        if (r < 0)
                return r;
        call->reply = reply_path(kind, o->name);
        return 0;
}

static int get_container(BusCall *call, Error *ret_error) {
        return get_object(call, OBJECT_CONTAINER, ret_error);
}

static int get_profile(BusCall *call, Error *ret_error) {
        return get_object(call, OBJECT_PROFILE, ret_error);
}

static int get_network(BusCall *call, Error *ret_error) {
        return get_object(call, OBJECT_NETWORK, ret_error);
}

static int get_pool(BusCall *call, Error *ret_error) {
        return get_object(call, OBJECT_POOL, ret_error);
}

static int get_image(BusCall *call, Error *ret_error) {
        const char *name;
        Image *image;
        int r;

        g_variant_get(call->args, "(&s)", &name);
        r = manager_get_image(call->manager, name, &image, ret_error);
        if (r < 0)
                return r;
        call->reply = reply_path(OBJECT_IMAGE, image->object.name);
        return 0;
}

/* --- configuration keys --- */

static GVariant *key_to_variant(const ConfigKey *row) {
        g_autofree const char **scopes = config_key_scopes(row);
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "type", "s", row->type);
        g_variant_dict_insert(&dict, "scopes", "^as", scopes);
        g_variant_dict_insert(&dict, "action", "s",
                              row->scopes & CONFIG_SCOPE_SERVICE ?
                                      "configure" :
                                      privilege_to_string(config_class_privilege(row->class)));
        g_variant_dict_insert(&dict, "live", "b", row->live);
        g_variant_dict_insert(&dict, "secret", "b", row->secret);
        g_variant_dict_insert(&dict, "read-only", "b", row->read_only);
        if (row->fallback)
                g_variant_dict_insert(&dict, "default", "s", row->fallback);
        g_variant_dict_insert(&dict, "help", "s", row->help);
        return g_variant_new("(s@a{sv})", row->name, g_variant_dict_end(&dict));
}

static int get_config_keys(BusCall *call, Error *ret_error) {
        GVariantBuilder keys;

        g_variant_builder_init(&keys, G_VARIANT_TYPE("a(sa{sv})"));
        for (const ConfigKey *row = config_key_table(); row->name; row++)
                g_variant_builder_add_value(&keys, key_to_variant(row));
        call->reply = g_variant_new("(a(sa{sv}))", &keys);
        return 0;
}

/* --- types of devices --- */

static GVariant *device_type_to_variant(const DeviceType *type) {
        GVariantBuilder options;
        GVariantDict dict;

        g_variant_builder_init(&options, G_VARIANT_TYPE("a(sa{sv})"));
        for (const DeviceOption *o = type->options; o->name; o++) {
                GVariantDict option;

                g_variant_dict_init(&option, NULL);
                g_variant_dict_insert(&option, "type", "s", o->type);
                g_variant_dict_insert(&option, "required", "b", o->required);
                g_variant_dict_insert(&option, "help", "s", o->help);
                g_variant_builder_add(&options, "(s@a{sv})", o->name, g_variant_dict_end(&option));
        }
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "help", "s", type->help);
        g_variant_dict_insert(&dict, "options", "a(sa{sv})", &options);
        return g_variant_new("(s@a{sv})", type->name, g_variant_dict_end(&dict));
}

static int get_device_types(BusCall *call, Error *ret_error) {
        GVariantBuilder types;

        g_variant_builder_init(&types, G_VARIANT_TYPE("a(sa{sv})"));
        for (const DeviceType *type = device_type_table(); type->name; type++)
                g_variant_builder_add_value(&types, device_type_to_variant(type));
        call->reply = g_variant_new("(a(sa{sv}))", &types);
        return 0;
}

/* --- creating --- */

/* What the arguments of CreateContainer() ask for, and what has to live as long. */
typedef struct CreateArgs {
        ContainerCreate create;
        GVariant *config, *devices;
        const char **profiles;
} CreateArgs;

static void create_args_clear(CreateArgs *args) {
        g_clear_pointer(&args->config, g_variant_unref);
        g_clear_pointer(&args->devices, g_variant_unref);
        g_clear_pointer(&args->profiles, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CreateArgs, create_args_clear)

static void create_args_read(BusCall *call, CreateArgs *ret) {
        ret->config = option_get_variant(call->options, "config", "a{ss}");
        ret->devices = option_get_variant(call->options, "devices", "a{sa{ss}}");
        ret->profiles = option_get_strv(call->options, "profiles");
        ret->create = (ContainerCreate) {
                .description = option_get_string(call->options, "description", NULL),
                .pool = option_get_string(call->options, "pool", NULL),
                .profiles = ret->profiles,
                .config = ret->config,
                .devices = ret->devices,
                .ephemeral = option_get_boolean(call->options, "ephemeral", false),
                .start = option_get_boolean(call->options, "start", false),
        };
        g_variant_get(call->args, "(&s&sa{sv})", &ret->create.name, &ret->create.image, NULL);
}

/* What an administrator brought, and what a server gives to everybody, is for everybody; what a
 * user imported or published is his, unless he made it public. To know its fingerprint is not to
 * have it. */
static bool image_is_for(const Image *image, uid_t uid) {
        return image->object.owner == uid || image->object.owner == 0 || image->public ||
               *image->server;
}

static int create_container_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_auto(CreateArgs) args = { 0 };
        const char *name, *image_name;
        Image *image;
        int r;

        g_variant_get(call->args, "(&s&sa{sv})", &name, &image_name, NULL);
        r = manager_get_image(call->manager, image_name, &image, ret_error);
        if (r < 0)
                return r;
        bus_call_detail(call, "container", *name ? name : "a new one");
        /* Not the alias: that may mean another image when the answer comes. */
        bus_call_detail(call, "image", image->object.name);
        create_args_read(call, &args);
        r = container_create_privilege(call->manager, bus_call_caller(call), &args.create, &needed,
                                       ret_error);
        if (r < 0)
                return r;
        bus_call_require(call, &needed);
        if (!image_is_for(image, call->sender->uid))
                call->action = needed.privilege == PRIVILEGE_USE
                                       ? "manage" : privilege_to_string(PRIVILEGE_HOST);
        return 0;
}

static int create_container(BusCall *call, Error *ret_error) {
        g_autofree char *job_path = NULL, *container_path = NULL;
        g_auto(CreateArgs) args = { 0 };
        Job *job;
        int r;

        create_args_read(call, &args);
        r = container_create(call->manager, bus_call_caller(call), &args.create, &job, ret_error);
        if (r < 0)
                return r;
        job_path = bus_path_of(OBJECT_JOB, job->object.name);
        container_path = bus_path_of(OBJECT_CONTAINER,
                                     g_array_index(job->subjects, JobSubject, 0).name);
        job_start(job);
        call->reply = g_variant_new("(oo)", job_path, container_path);
        return 0;
}

/* An alias that an image of somebody else bears is not to be had by importing either. */
static int import_prepare(BusCall *call, Error *ret_error) {
        g_autofree const char **aliases = option_get_strv(call->options, "aliases");

        for (const char **alias = aliases; alias && *alias; alias++)
                if (!image_alias_is_free_for(call->manager, *alias, call->sender->uid))
                        call->action = "manage-images";
        return 0;
}

static int import_image_from(BusCall *call, int fd, int rootfs, Job **ret, Error *ret_error) {
        g_autoptr(GVariant) properties = option_get_variant(call->options, "properties", "a{ss}");
        g_autofree const char **aliases = option_get_strv(call->options, "aliases");
        ImageImport args = {
                .archive = fd,
                .rootfs = rootfs,
                .aliases = aliases,
                .properties = properties,
                .filename = option_get_string(call->options, "filename", NULL),
                .rootfs_filename = option_get_string(call->options, "rootfs-filename", NULL),
                .public = option_get_boolean(call->options, "public", false),
                .take_aliases = call->sender->uid == 0 ||
                                g_str_equal(call->action, "manage-images"),
        };

        return image_import(call->manager, bus_call_caller(call), &args, ret, ret_error);
}

static int import_image(BusCall *call, Error *ret_error) {
        gint32 handle, rootfs;
        int fd = -EBADF, r;
        Job *job;

        g_variant_get(call->args, "(ha{sv})", &handle, NULL);
        if (g_variant_lookup(call->options, "rootfs", "h", &rootfs))
                fd = bus_call_get_fd(call, rootfs);
        r = import_image_from(call, bus_call_get_fd(call, handle), fd, &job, ret_error);
        if (r < 0)
                return r;
        return bus_call_start_job(call, job);
}

static int open_image_import(BusCall *call, Error *ret_error) {
        _cleanup_close_ int ours = -EBADF, theirs = -EBADF;
        g_autofree char *path = NULL;
        int pair[2], r;
        Job *job;

        if (pipe2(pair, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        ours = pair[0];
        theirs = pair[1];
        r = import_image_from(call, ours, -EBADF, &job, ret_error);
        if (r < 0)
                return r;
        path = bus_path_of(OBJECT_JOB, job->object.name);
        job_start(job);
        call->reply = g_variant_new("(oh)", path, bus_call_add_fd(call, TAKE_FD(theirs)));
        return 0;
}

static int create_profile(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) config = option_get_variant(call->options, "config", "a{ss}");
        g_autoptr(GVariant) devices = option_get_variant(call->options, "devices", "a{sa{ss}}");
        ProfileChange content = {
                .set = config,
                .devices = devices,
                .description = option_get_string(call->options, "description", NULL),
        };
        const char *name;
        Profile *profile;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = profile_create(call->manager, bus_call_caller(call), name, &content, &profile,
                           ret_error);
        if (r < 0)
                return r;
        call->reply = reply_path(OBJECT_PROFILE, name);
        return 0;
}

static int create_network(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        NetworkCreate args = {
                .description = option_get_string(call->options, "description", NULL),
        };
        Job *job;
        int r;

        g_variant_get(call->args, "(&s&s@a{ss}a{sv})", &args.name, &args.type, &config, NULL);
        args.config = config;
        r = network_create(call->manager, bus_call_caller(call), &args, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int create_pool(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) config = NULL;
        PoolCreate args = {
                .description = option_get_string(call->options, "description", NULL),
        };
        Job *job;
        int r;

        g_variant_get(call->args, "(&s&s@a{ss}a{sv})", &args.name, &args.driver, &config, NULL);
        args.config = config;
        r = pool_create(call->manager, bus_call_caller(call), &args, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int initialize_host(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) config = option_get_variant(call->options, "config", "a{ss}")
                                             ?: config_empty();
        g_autoptr(GVariant) pools = NULL, networks = NULL, profiles = NULL;
        InitializePlan plan;
        Job *job;
        int r;

        g_variant_get(call->args, "(@aa{sv}@aa{sv}@aa{sv}a{sv})", &pools, &networks, &profiles,
                      NULL);
        plan = (InitializePlan) { config, pools, networks, profiles };
        r = initialize(call->manager, bus_call_caller(call), &plan, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int recover(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) pools = NULL;
        Rebuild args;
        Job *job;
        int r;

        g_variant_get(call->args, "(@aa{sv}a{sv})", &pools, NULL);
        args = (Rebuild) { pools, option_get_boolean(call->options, "dry-run", false) };
        r = rebuild(call->manager, bus_call_caller(call), &args, &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int name_detail(BusCall *call, const char *key) {
        const char *name;

        g_variant_get_child(call->args, 0, "&s", &name);
        bus_call_detail(call, key, name);
        return 0;
}

static int create_profile_prepare(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) config = option_get_variant(call->options, "config", "a{ss}");
        g_autoptr(GVariant) devices = option_get_variant(call->options, "devices", "a{sa{ss}}");
        ProfileChange content = { .set = config, .devices = devices };
        g_auto(PrivilegeChange) needed = { 0 };
        int r;

        r = profile_change_privilege(call->manager, NULL, &content, &needed, ret_error);
        if (r < 0)
                return r;
        bus_call_require_for_profile(call, &needed);
        return name_detail(call, "profile");
}

static int create_network_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_autoptr(GVariant) config = NULL;
        NetworkCreate args = { 0 };
        int r;

        g_variant_get(call->args, "(&s&s@a{ss}a{sv})", &args.name, &args.type, &config, NULL);
        args.config = config;
        r = network_create_privilege(&args, &needed, ret_error);
        if (r < 0)
                return r;
        bus_call_require_beside(call, &needed);
        return name_detail(call, "network");
}

static int create_pool_prepare(BusCall *call, Error *ret_error) {
        return name_detail(call, "pool");
}

static int shut_down(BusCall *call, Error *ret_error) {
        Job *job;
        int r = boot_shutdown(call->manager, bus_call_caller(call),
                              option_get_boolean(call->options, "force", false),
                              option_get_uint64(call->options, "timeout", 0), &job, ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

/* --- asking --- */

static void check_access_answered(BusCall *call, const char *answer) {
        bus_call_reply(call, g_variant_new("(s)", answer));
}

static int check_access_action(BusCall *call, const char *action, const char **ret,
                               Error *ret_error) {
        static const char *const actions[] = {
                "use", "manage", "enter", "attach-own-files", "use-kernel-surface", "host-access",
                "manage-profiles", "manage-networks", "manage-storage", "manage-images",
                "configure", NULL,
        };
        const char *path;
        Object *o;

        if (!g_strv_contains(actions, action))
                return error_set(ret_error, ERROR_INVALID_ARGS, "There is no action \"%.64s\"",
                                 action);
        g_variant_get_child(call->args, 1, "&o", &path);
        o = bus_path_find(call->manager, path);
        if (!o && !g_str_equal(path, BUS_ROOT))
                return error_set(ret_error, ERROR_INVALID_ARGS, "There is no object %s", path);
        if (o && o->owner == call->sender->uid &&
            (g_str_equal(action, "manage") || g_str_equal(action, "enter")))
                action = "use";
        *ret = action;
        return 0;
}

static int check_access(BusCall *call, Error *ret_error) {
        g_autoptr(GVariant) details = NULL;
        GVariantDict dict;
        const char *action;
        int r;

        g_variant_get_child(call->args, 0, "&s", &action);
        r = check_access_action(call, action, &action, ret_error);
        if (r < 0)
                return r;
        if (call->sender->uid == 0) {
                call->reply = g_variant_new("(s)", "yes");
                return 0;
        }
        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "verb", "s", "CheckAccess");
        details = g_variant_ref_sink(g_variant_dict_end(&dict));
        call->on_verdict = check_access_answered;
        call->asked_action = g_strdup(action);
        r = bus_call_ask(call, action, details, ret_error);
        return r < 0 ? r : BUS_CALL_DEFERRED;
}

/* --- properties --- */

static GVariant *get_version(Bus *bus, Object *o) {
        return g_variant_new_string(BERTH_VERSION);
}

static GVariant *get_architecture(Bus *bus, Object *o) {
        struct utsname host;

        return g_variant_new_string(uname(&host) < 0 ? "" : host.machine);
}

/* --- tables --- */

static const Option create_container_options[] = {
        { "profiles", "as" },
        { "config", "a{ss}" },
        { "devices", "a{sa{ss}}" },
        { "ephemeral", "b" },
        { "description", "s" },
        { "pool", "s" },
        { "start", "b" },
        { NULL },
};

#define IMPORT_OPTIONS \
        { "aliases", "as" }, \
        { "public", "b" }, \
        { "properties", "a{ss}" }, \
        { "filename", "s" }

static const Option import_options[] = {
        IMPORT_OPTIONS,
        { "rootfs", "h" },
        { "rootfs-filename", "s" },
        { NULL },
};

static const Option open_import_options[] = {
        IMPORT_OPTIONS,
        { NULL },
};

static const Option profile_options[] = {
        { "description", "s" },
        { "config", "a{ss}" },
        { "devices", "a{sa{ss}}" },
        { NULL },
};

static const Option description_options[] = {
        { "description", "s" },
        { NULL },
};

static const Option initialize_options[] = {
        { "config", "a{ss}" },
        { NULL },
};

static const Option shutdown_options[] = {
        { "force", "b" },
        { "timeout", "t" },
        { NULL },
};

static const Option recover_options[] = {
        { "dry-run", "b" },
        { NULL },
};

static const BusMethod methods[] = {
        { "GetContainer", "s", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(container),
          BUS_PUBLIC, .act = get_container },
        { "GetImage", "s", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(image),
          BUS_PUBLIC, .act = get_image },
        { "GetProfile", "s", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(profile),
          BUS_PUBLIC, .act = get_profile },
        { "GetNetwork", "s", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(network),
          BUS_PUBLIC, .act = get_network },
        { "GetStoragePool", "s", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(pool),
          BUS_PUBLIC, .act = get_pool },
        { "GetConfigKeys", "a{sv}", "a(sa{sv})", SD_BUS_PARAM(options) SD_BUS_PARAM(keys),
          BUS_PUBLIC, .act = get_config_keys },
        { "GetDeviceTypes", "a{sv}", "a(sa{sv})", SD_BUS_PARAM(options) SD_BUS_PARAM(types),
          BUS_PUBLIC, .act = get_device_types },
        { "CreateContainer", "ssa{sv}", "oo",
          SD_BUS_PARAM(name) SD_BUS_PARAM(image) SD_BUS_PARAM(options) SD_BUS_PARAM(job)
          SD_BUS_PARAM(container),
          BUS_ACTION, NULL, "use", "create the container $(container)", create_container_options,
          create_container_prepare, create_container },
        { "ImportImage", "ha{sv}", "o",
          SD_BUS_PARAM(archive) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "use", "import an image", import_options, import_prepare,
          import_image },
        { "OpenImageImport", "a{sv}", "oh",
          SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(archive),
          BUS_ACTION, NULL, "use", "import an image", open_import_options, import_prepare,
          open_image_import },
        { "ImportContainer", "hsa{sv}", "oo",
          SD_BUS_PARAM(archive) SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job)
          SD_BUS_PARAM(container),
          BUS_ACTION, NULL, "use", "import the container $(container)",
          bus_container_import_options, bus_container_import_prepare, bus_container_import },
        { "OpenContainerImport", "sa{sv}", "oh",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(archive),
          BUS_ACTION, NULL, "use", "import the container $(container)",
          bus_container_import_options, bus_container_import_prepare,
          bus_container_open_import },
        { "CreateProfile", "sa{sv}", "o",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(profile),
          BUS_ACTION, NULL, "manage-profiles", "create the profile $(profile)", profile_options,
          create_profile_prepare, create_profile },
        { "CreateNetwork", "ssa{ss}a{sv}", "o",
          SD_BUS_PARAM(name) SD_BUS_PARAM(type) SD_BUS_PARAM(config) SD_BUS_PARAM(options)
          SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "manage-networks", "create the network $(network)",
          description_options, create_network_prepare, create_network },
        { "CreateStoragePool", "ssa{ss}a{sv}", "o",
          SD_BUS_PARAM(name) SD_BUS_PARAM(driver) SD_BUS_PARAM(config) SD_BUS_PARAM(options)
          SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "manage-storage", "create the storage pool $(pool)",
          description_options, create_pool_prepare, create_pool },
        { "Initialize", "aa{sv}aa{sv}aa{sv}a{sv}", "o",
          SD_BUS_PARAM(pools) SD_BUS_PARAM(networks) SD_BUS_PARAM(profiles) SD_BUS_PARAM(options)
          SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "configure", "set up this machine for containers",
          initialize_options, NULL, initialize_host },
        { "Recover", "aa{sv}a{sv}", "o",
          SD_BUS_PARAM(pools) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "configure", "bring back lost records of containers and volumes",
          recover_options, NULL, recover },
        { "Shutdown", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "configure", "stop all containers", shutdown_options, NULL,
          shut_down },
        { "GetConfig", "a{sv}", "a{ss}", SD_BUS_PARAM(options) SD_BUS_PARAM(config),
          BUS_PUBLIC, .act = bus_get_config },
        { "UpdateConfig", "a{ss}asa{sv}", "",
          SD_BUS_PARAM(set) SD_BUS_PARAM(unset) SD_BUS_PARAM(options),
          BUS_ACTION, NULL, "configure", "change the settings of the service", NULL, NULL,
          bus_update_config },
        { "GetImageServers", "a{sv}", "a(sa{sv})", SD_BUS_PARAM(options) SD_BUS_PARAM(servers),
          BUS_PUBLIC, .act = bus_get_image_servers },
        { "AddImageServer", "ssa{sv}", "",
          SD_BUS_PARAM(name) SD_BUS_PARAM(url) SD_BUS_PARAM(options),
          BUS_ACTION, NULL, "configure", "add the image server $(server)",
          bus_add_image_server_options, bus_image_server_prepare, bus_add_image_server },
        { "ChangeImageServer", "sa{sv}", "", SD_BUS_PARAM(name) SD_BUS_PARAM(options),
          BUS_ACTION, NULL, "configure", "change the image server $(server)",
          bus_change_image_server_options, bus_image_server_prepare, bus_change_image_server },
        { "RemoveImageServer", "sa{sv}", "", SD_BUS_PARAM(name) SD_BUS_PARAM(options),
          BUS_ACTION, NULL, "configure", "remove the image server $(server)", NULL,
          bus_image_server_prepare, bus_remove_image_server },
        { "GetServerImages", "sa{sv}", "a(sa{sv})",
          SD_BUS_PARAM(server) SD_BUS_PARAM(options) SD_BUS_PARAM(images),
          BUS_ACTION, NULL, "use", "ask the image server $(server)", NULL,
          bus_image_server_prepare, bus_get_server_images },
        { "DownloadImage", "ssa{sv}", "o",
          SD_BUS_PARAM(server) SD_BUS_PARAM(image) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "use", "download an image from $(server)",
          bus_download_image_options, bus_download_image_prepare, bus_download_image },
        { "FetchImage", "sa{sv}", "o",
          SD_BUS_PARAM(url) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_ACTION, NULL, "use", "download an image from $(url)",
          bus_fetch_image_options, bus_fetch_image_prepare, bus_fetch_image },
        { "CheckAccess", "so", "s",
          SD_BUS_PARAM(action) SD_BUS_PARAM(object) SD_BUS_PARAM(answer),
          BUS_PUBLIC, .act = check_access },
        { NULL },
};

static const BusProperty properties[] = {
        { "Version", "s", SD_BUS_VTABLE_PROPERTY_CONST, get_version },
        { "Architecture", "s", SD_BUS_VTABLE_PROPERTY_CONST, get_architecture },
        { NULL },
};

BusClass bus_class_manager = {
        .kind = _OBJECT_KIND_MAX,
        .interface = BUS_NAME ".Manager",
        .methods = methods,
        .properties = properties,
};
