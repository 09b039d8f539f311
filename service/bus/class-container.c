/* SPDX-License-Identifier: Apache-2.0 */
#include "service/bus/call.h"
#include "service/bus/class-container-console.h"
#include "service/bus/class-container-copy.h"
#include "service/bus/class-container-exec.h"
#include "service/bus/class-container-files.h"
#include "service/bus/class-container-metadata.h"
#include "service/bus/container-archive.h"
#include "service/bus/disk-usage.h"
#include "service/bus/path.h"
#include "service/model/config.h"
#include "service/operation/container-state.h"
#include "service/operation/container-stateful.h"
#include "service/operation/container-wait.h"
#include "service/operation/snapshot.h"
#include "service/util/cleanup.h"

/* org.berth1.Container; see introspection/org.berth1.Container.xml. */

static Container *container_of(BusCall *call) {
        return (Container *) call->object;
}

/* --- verbs that start a job --- */

/* Not for Restart(): what runs has no saved state. */
static bool starts_state(BusCall *call) {
        return container_of(call)->stateful &&
               !option_get_boolean(call->options, "stateless", false);
}

static int start_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };

        container_start_privilege(call->manager, container_of(call), &needed);
        /* What was granted once is no leave to run as the host's root ever after. */
        if (container_is_privileged(call->manager, container_of(call)))
                needed.privilege = PRIVILEGE_HOST;
        if (starts_state(call) && needed.privilege < PRIVILEGE_KERNEL_SURFACE) {
                privilege_change_done(&needed);
                stateful_privilege(&needed);
        }
        if (needed.privilege > PRIVILEGE_USE)
                bus_call_require(call, &needed);
        return 0;
}

static int start(BusCall *call, Error *ret_error) {
        bool stateless = option_get_boolean(call->options, "stateless", false);
        Job *job;
        int r = (stateless ? container_start_stateless : container_start)(
                call->manager, bus_call_caller(call), container_of(call), &job, ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

/* Of stopping and of taking a snapshot. */
static int saves_state_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        int r;

        if (!option_get_boolean(call->options, "stateful", false))
                return 0;
        r = stateful_check_allowed(call->manager, container_of(call), ret_error);
        if (r < 0)
                return r;
        stateful_privilege(&needed);
        bus_call_require(call, &needed);
        return 0;
}

static int stop_stateful(BusCall *call, Error *ret_error) {
        Job *job;
        int r;

        if (option_get_boolean(call->options, "force", false) ||
            g_variant_lookup(call->options, "timeout", "t", NULL))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "\"stateful\" goes with neither \"force\" nor \"timeout\": init "
                                 "is not asked to shut down");
        r = container_stop_stateful(call->manager, bus_call_caller(call), container_of(call), &job,
                                    ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int stop(BusCall *call, Error *ret_error) {
        Job *job;
        int r;

        if (option_get_boolean(call->options, "stateful", false))
                return stop_stateful(call, ret_error);
        r = container_stop(call->manager, bus_call_caller(call), container_of(call),
                               option_get_boolean(call->options, "force", false),
                               option_get_uint64(call->options, "timeout", 0), &job, ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

static int restart(BusCall *call, Error *ret_error) {
        Job *job;
        int r = container_restart(call->manager, bus_call_caller(call), container_of(call),
                                  option_get_boolean(call->options, "force", false),
                                  option_get_uint64(call->options, "timeout", 0), &job, ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

static int freeze(BusCall *call, Error *ret_error) {
        Job *job;
        int r = container_freeze(call->manager, bus_call_caller(call), container_of(call), true,
                                 &job, ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

static int unfreeze(BusCall *call, Error *ret_error) {
        Job *job;
        int r = container_freeze(call->manager, bus_call_caller(call), container_of(call), false,
                                 &job, ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

static int delete(BusCall *call, Error *ret_error) {
        Job *job;
        int r = container_delete(call->manager, bus_call_caller(call), container_of(call),
                                 option_get_boolean(call->options, "force", false), &job,
                                 ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

static int wait_for(BusCall *call, Error *ret_error) {
        const char *what;
        Job *job;
        int r, w;

        g_variant_get(call->args, "(&sa{sv})", &what, NULL);
        w = wait_what_from_string(what);
        if (w < 0)
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Nobody can wait for \"%s\"; it has to be \"running\", \"ip\" or "
                                 "\"stopped\" (or \"ready\", by WaitUntilReady())",
                                 what);
        r = container_wait(call->manager, bus_call_caller(call), container_of(call), (WaitWhat) w,
                           option_get_uint64(call->options, "timeout", 0), &job, ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int wait_until_ready(BusCall *call, Error *ret_error) {
        Job *job;
        int r = container_wait_ready(call->manager, bus_call_caller(call), container_of(call),
                                     option_get_uint64(call->options, "timeout", 0), &job,
                                     ret_error);

        return r < 0 ? r : bus_call_start_job(call, job);
}

static int rename_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        bus_call_detail(call, "new-name", name);
        return 0;
}

static int rename_container(BusCall *call, Error *ret_error) {
        const char *name;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = container_rename(call->manager, bus_call_caller(call), container_of(call), name, &job,
                             ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

/* --- snapshots --- */

static int create_snapshot_prepare(BusCall *call, Error *ret_error) {
        const char *name;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        bus_call_detail(call, "snapshot", *name ? name : "a new one");
        return saves_state_prepare(call, ret_error);
}

static int create_snapshot(BusCall *call, Error *ret_error) {
        uint64_t expires = option_get_uint64(call->options, "expires", 0);
        SnapshotCreate args = {
                .description = option_get_string(call->options, "description", NULL),
                .expires = g_variant_lookup(call->options, "expires", "t", NULL) ? &expires : NULL,
                .reuse = option_get_boolean(call->options, "reuse", false),
                .stateful = option_get_boolean(call->options, "stateful", false),
        };
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &args.name, NULL);
        r = snapshot_create(call->manager, bus_call_caller(call), container_of(call), &args, &job,
                            ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

static int restore_snapshot_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        const char *name;
        Snapshot *s;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = snapshot_get(call->manager, container_of(call), name, &s, ret_error);
        if (r >= 0)
                r = snapshot_restore_privilege(call->manager, container_of(call), s, &needed,
                                               ret_error);
        if (r < 0)
                return r;
        if (option_get_boolean(call->options, "stateful", false)) {
                r = stateful_check_snapshot(call->manager, container_of(call), s, ret_error);
                if (r < 0)
                        return r;
                if (needed.privilege < PRIVILEGE_KERNEL_SURFACE) {
                        privilege_change_done(&needed);
                        stateful_privilege(&needed);
                }
        }
        bus_call_detail(call, "snapshot", name);
        bus_call_require(call, &needed);
        return 0;
}

static int restore_snapshot(BusCall *call, Error *ret_error) {
        const char *name;
        Job *job;
        int r;

        g_variant_get(call->args, "(&sa{sv})", &name, NULL);
        r = snapshot_restore(call->manager, bus_call_caller(call), container_of(call), name,
                             option_get_boolean(call->options, "stateful", false), &job,
                             ret_error);
        return r < 0 ? r : bus_call_start_job(call, job);
}

/* --- configuration --- */

static int get_config_or_devices(BusCall *call, bool devices) {
        Container *c = container_of(call);
        g_autoptr(GVariant) all_config = NULL, all_devices = NULL;

        if (option_get_boolean(call->options, "expanded", false))
                profiles_merge(call->manager, (const char *const *) c->profiles, c->config,
                               c->devices, &all_config, &all_devices);
        if (devices)
                call->reply = g_variant_new("(@a{sa{ss}})", all_devices ?: c->devices);
        else
                call->reply = g_variant_new("(@a{ss})", all_config ?: c->config);
        return 0;
}

static int get_config(BusCall *call, Error *ret_error) {
        return get_config_or_devices(call, false);
}

static int get_devices(BusCall *call, Error *ret_error) {
        return get_config_or_devices(call, true);
}

/* What the arguments of Update() ask for, and what has to live as long. */
typedef struct UpdateArgs {
        ContainerUpdate update;
        GVariant *set, *unset, *devices;
        const char **profiles;
        uint64_t revision;
        bool ephemeral;
} UpdateArgs;

static void update_args_clear(UpdateArgs *args) {
        g_clear_pointer(&args->set, g_variant_unref);
        g_clear_pointer(&args->unset, g_variant_unref);
        g_clear_pointer(&args->devices, g_variant_unref);
        g_clear_pointer(&args->profiles, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UpdateArgs, update_args_clear)

static void update_args_read(BusCall *call, UpdateArgs *ret) {
        ret->devices = option_get_variant(call->options, "devices", "a{sa{ss}}");
        ret->profiles = option_get_strv(call->options, "profiles");
        ret->revision = option_get_uint64(call->options, "if-revision", 0);
        ret->ephemeral = option_get_boolean(call->options, "ephemeral", false);
        g_variant_get(call->args, "(@a{ss}@asa{sv})", &ret->set, &ret->unset, NULL);
        ret->update = (ContainerUpdate) {
                .set = ret->set,
                .unset = ret->unset,
                .devices = ret->devices,
                .profiles = ret->profiles,
                .description = option_get_string(call->options, "description", NULL),
                .if_revision = ret->revision > 0 ? &ret->revision : NULL,
                .ephemeral = g_variant_lookup(call->options, "ephemeral", "b", NULL)
                                     ? &ret->ephemeral : NULL,
        };
}

static int update_prepare(BusCall *call, Error *ret_error) {
        g_auto(PrivilegeChange) needed = { 0 };
        g_auto(UpdateArgs) args = { 0 };
        int r;

        update_args_read(call, &args);
        r = container_update_privilege(call->manager, container_of(call), &args.update, &needed,
                                       ret_error);
        if (r >= 0)
                bus_call_require(call, &needed);
        return r;
}

static int update(BusCall *call, Error *ret_error) {
        g_auto(UpdateArgs) args = { 0 };
        Job *job;
        int r;

        update_args_read(call, &args);
        r = container_update(call->manager, bus_call_caller(call), container_of(call),
                             &args.update, &job, ret_error);
        return r < 0 ? r : bus_call_wait_for_warnings(call, job);
}

static int get_state(BusCall *call, Error *ret_error) {
        call->reply = g_variant_new("(@a{sv})",
                                    container_read_state(call->manager, container_of(call)));
        return 0;
}

/* --- properties --- */

static GVariant *property_name(Bus *bus, Object *o) {
        return g_variant_new_string(o->name);
}

static GVariant *property_owner(Bus *bus, Object *o) {
        return g_variant_new_uint32(o->owner);
}

static GVariant *property_revision(Bus *bus, Object *o) {
        return g_variant_new_uint64(o->revision);
}

static GVariant *property_created(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Container *) o)->created);
}

static GVariant *property_last_started(Bus *bus, Object *o) {
        return g_variant_new_uint64(((Container *) o)->last_started);
}

static GVariant *property_image(Bus *bus, Object *o) {
        return g_variant_new_string(((Container *) o)->image);
}

static GVariant *property_architecture(Bus *bus, Object *o) {
        return g_variant_new_string(((Container *) o)->architecture);
}

static GVariant *property_pool(Bus *bus, Object *o) {
        return g_variant_new_string(((Container *) o)->pool);
}

static GVariant *property_description(Bus *bus, Object *o) {
        return g_variant_new_string(((Container *) o)->description);
}

static GVariant *property_profiles(Bus *bus, Object *o) {
        return g_variant_new_strv((const char *const *) ((Container *) o)->profiles, -1);
}

static GVariant *property_ephemeral(Bus *bus, Object *o) {
        return g_variant_new_boolean(((Container *) o)->ephemeral);
}

static GVariant *property_stateful(Bus *bus, Object *o) {
        return g_variant_new_boolean(((Container *) o)->stateful);
}

static GVariant *property_state(Bus *bus, Object *o) {
        return g_variant_new_string(container_state_to_string(((Container *) o)->state));
}

static GVariant *property_init_pid(Bus *bus, Object *o) {
        return g_variant_new_uint32((guint32) ((Container *) o)->facts.init_pid);
}

static GVariant *property_addresses(Bus *bus, Object *o) {
        return g_variant_ref(((Container *) o)->addresses);
}

static GVariant *property_snapshots(Bus *bus, Object *o) {
        const GPtrArray *snapshots = ((Container *) o)->snapshots;
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE_OBJECT_PATH_ARRAY);
        for (guint i = 0; i < snapshots->len; i++) {
                const Object *s = &((Snapshot *) snapshots->pdata[i])->object;
                g_autofree char *path = bus_path_of(OBJECT_SNAPSHOT, s->name);

                if (bus_shows(s))
                        g_variant_builder_add(&builder, "o", path);
        }
        return g_variant_builder_end(&builder);
}

/* --- tables --- */

static const Option create_snapshot_options[] = {
        { "description", "s" },
        { "expires", "t" },
        { "reuse", "b" },
        { "stateful", "b" },
        { NULL },
};

static const Option restore_snapshot_options[] = {
        { "stateful", "b" },
        { NULL },
};

static const Option start_options[] = {
        { "stateless", "b" },
        { NULL },
};

static const Option stop_options[] = {
        { "force", "b" },
        { "timeout", "t" },
        { "stateful", "b" },
        { NULL },
};

static const Option restart_options[] = {
        { "force", "b" },
        { "timeout", "t" },
        { NULL },
};

static const Option delete_options[] = {
        { "force", "b" },
        { NULL },
};

static const Option wait_options[] = {
        { "timeout", "t" },
        { NULL },
};

static const Option get_options[] = {
        { "expanded", "b" },
        { NULL },
};

static const Option update_options[] = {
        { "if-revision", "t" },
        { "profiles", "as" },
        { "description", "s" },
        { "ephemeral", "b" },
        { "devices", "a{sa{ss}}" },
        { NULL },
};

static const BusMethod methods[] = {
        { "Start", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "start the container $(container)",
          start_options, start_prepare, start },
        { "Stop", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "stop the container $(container)",
          stop_options, saves_state_prepare, stop },
        { "Restart", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "restart the container $(container)",
          restart_options, start_prepare, restart },
        { "Freeze", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "freeze the container $(container)",
          NULL, NULL, freeze },
        { "Unfreeze", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "thaw the container $(container)",
          NULL, NULL, unfreeze },
        { "Delete", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "delete the container $(container)",
          delete_options, NULL, delete },
        { "Rename", "sa{sv}", "o", SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "rename the container $(container) to $(new-name)",
          NULL, rename_prepare, rename_container },
        { "Exec", "asa{sv}", "o", SD_BUS_PARAM(argv) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "run $(command) in the container $(container)",
          bus_exec_options, bus_exec_prepare, bus_exec },
        { "ExecPipes", "asa{sv}", "ohhh",
          SD_BUS_PARAM(argv) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(stdin)
          SD_BUS_PARAM(stdout) SD_BUS_PARAM(stderr),
          BUS_OWNER, "use", "enter", "run $(command) in the container $(container)",
          bus_exec_pipes_options, bus_exec_prepare, bus_exec_pipes },
        { "ExecTerminal", "asa{sv}", "oh",
          SD_BUS_PARAM(argv) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(terminal),
          BUS_OWNER, "use", "enter", "run $(command) in the container $(container)",
          bus_exec_terminal_options, bus_exec_prepare, bus_exec_terminal },
        { "Copy", "sa{sv}", "oo",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(container),
          BUS_OWNER, "use", "enter", "copy the container $(container) to $(new-name)",
          bus_copy_options, bus_copy_prepare, bus_copy },
        { "Move", "sa{sv}", "o", SD_BUS_PARAM(pool) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "move the container $(container) to the pool $(pool)",
          NULL, bus_move_prepare, bus_move },
        { "Publish", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "make an image of the container $(container)",
          bus_publish_options, bus_publish_prepare, bus_publish },
        { "Export", "ha{sv}", "o",
          SD_BUS_PARAM(archive) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "export the container $(container)",
          bus_container_export_options, NULL, bus_container_export },
        { "OpenExport", "a{sv}", "oh",
          SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(archive),
          BUS_OWNER, "use", "enter", "export the container $(container)",
          bus_container_export_options, NULL, bus_container_open_export },
        { "SendState", "ha{sv}", "o", SD_BUS_PARAM(stream) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use-kernel-surface", "host-access",
          "send away the state of the container $(container)",
          NULL, bus_container_state_prepare, bus_container_send_state },
        { "ReceiveState", "ha{sv}", "o",
          SD_BUS_PARAM(stream) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use-kernel-surface", "host-access",
          "take in a state for the container $(container)",
          NULL, bus_container_state_prepare, bus_container_receive_state },
        { "CreateSnapshot", "sa{sv}", "o",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage", "take the snapshot $(snapshot) of the container $(container)",
          create_snapshot_options, create_snapshot_prepare, create_snapshot },
        { "RestoreSnapshot", "sa{sv}", "o",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "manage",
          "restore the container $(container) from its snapshot $(snapshot)",
          restore_snapshot_options, restore_snapshot_prepare, restore_snapshot },
        { "PullFile", "sa{sv}", "oha{sv}",
          SD_BUS_PARAM(path) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(data)
          SD_BUS_PARAM(facts),
          BUS_OWNER, "use", "enter", "read $(path) in the container $(container)",
          NULL, bus_files_prepare, bus_pull_file },
        { "PullFileTo", "sha{sv}", "oa{sv}",
          SD_BUS_PARAM(path) SD_BUS_PARAM(destination) SD_BUS_PARAM(options)
          SD_BUS_PARAM(job) SD_BUS_PARAM(facts),
          BUS_OWNER, "use", "enter", "read $(path) in the container $(container)",
          NULL, bus_files_prepare, bus_pull_file_to },
        { "PullTree", "sa{sv}", "oh",
          SD_BUS_PARAM(path) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(data),
          BUS_OWNER, "use", "enter", "read $(path) in the container $(container)",
          bus_pull_tree_options, bus_files_prepare, bus_pull_tree },
        { "PushFile", "sha{sv}", "o",
          SD_BUS_PARAM(path) SD_BUS_PARAM(source) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "change $(path) in the container $(container)",
          bus_push_file_options, bus_files_prepare, bus_push_file },
        { "PushFilePipe", "sa{sv}", "oh",
          SD_BUS_PARAM(path) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(data),
          BUS_OWNER, "use", "enter", "change $(path) in the container $(container)",
          bus_push_file_options, bus_files_prepare, bus_push_file_pipe },
        { "PushTree", "sha{sv}", "o",
          SD_BUS_PARAM(path) SD_BUS_PARAM(source) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "change $(path) in the container $(container)",
          bus_push_tree_options, bus_files_prepare, bus_push_tree },
        { "PushTreePipe", "sa{sv}", "oh",
          SD_BUS_PARAM(path) SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(data),
          BUS_OWNER, "use", "enter", "change $(path) in the container $(container)",
          bus_push_tree_options, bus_files_prepare, bus_push_tree_pipe },
        { "MountFiles", "sha{sv}", "o",
          SD_BUS_PARAM(path) SD_BUS_PARAM(fuse) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "mount $(path) of the container $(container)",
          NULL, bus_files_prepare, bus_mount_files },
        { "StatPath", "sa{sv}", "a{sv}",
          SD_BUS_PARAM(path) SD_BUS_PARAM(options) SD_BUS_PARAM(facts),
          BUS_OWNER, "use", "enter", "read $(path) in the container $(container)",
          bus_stat_options, bus_files_prepare, bus_stat_path },
        { "ListDirectory", "sa{sv}", "a(ss)b",
          SD_BUS_PARAM(path) SD_BUS_PARAM(options) SD_BUS_PARAM(entries) SD_BUS_PARAM(complete),
          BUS_OWNER, "use", "enter", "read $(path) in the container $(container)",
          NULL, bus_files_prepare, bus_list_directory },
        { "MakeDirectory", "sa{sv}", "o",
          SD_BUS_PARAM(path) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "change $(path) in the container $(container)",
          bus_make_directory_options, bus_files_prepare, bus_make_directory },
        { "DeletePath", "sa{sv}", "o",
          SD_BUS_PARAM(path) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "change $(path) in the container $(container)",
          bus_delete_path_options, bus_files_prepare, bus_delete_path },
        { "GetConsole", "a{sv}", "oh",
          SD_BUS_PARAM(options) SD_BUS_PARAM(job) SD_BUS_PARAM(terminal),
          BUS_OWNER, "use", "enter", "attach to the console of the container $(container)",
          bus_get_console_options, NULL, bus_get_console },
        { "GetConsoleLog", "a{sv}", "h", SD_BUS_PARAM(options) SD_BUS_PARAM(log),
          BUS_OWNER, NULL, "enter", "read what the console of the container $(container) showed",
          NULL, NULL, bus_get_console_log },
        { "GetLog", "a{sv}", "h", SD_BUS_PARAM(options) SD_BUS_PARAM(log),
          BUS_OWNER, NULL, "enter", "read the log of the container $(container)",
          NULL, NULL, bus_get_log },
        { "GetConfig", "a{sv}", "a{ss}", SD_BUS_PARAM(options) SD_BUS_PARAM(config),
          BUS_OWNER, NULL, "enter", "read the configuration of the container $(container)",
          get_options, NULL, get_config },
        { "GetDevices", "a{sv}", "a{sa{ss}}", SD_BUS_PARAM(options) SD_BUS_PARAM(devices),
          BUS_OWNER, NULL, "enter", "read the devices of the container $(container)",
          get_options, NULL, get_devices },
        { "ListTemplates", "a{sv}", "as", SD_BUS_PARAM(options) SD_BUS_PARAM(names),
          BUS_OWNER, NULL, "enter", "read the templates of the container $(container)",
          NULL, NULL, bus_list_templates },
        { "ReadTemplate", "sa{sv}", "s",
          SD_BUS_PARAM(name) SD_BUS_PARAM(options) SD_BUS_PARAM(content),
          BUS_OWNER, NULL, "enter", "read the template $(template) of the container $(container)",
          NULL, bus_template_prepare, bus_read_template },
        { "WriteTemplate", "ssa{sv}", "",
          SD_BUS_PARAM(name) SD_BUS_PARAM(content) SD_BUS_PARAM(options),
          BUS_OWNER, "use", "enter",
          "change the template $(template) of the container $(container)",
          bus_write_template_options, bus_template_prepare, bus_write_template },
        { "DeleteTemplate", "sa{sv}", "", SD_BUS_PARAM(name) SD_BUS_PARAM(options),
          BUS_OWNER, "use", "enter",
          "delete the template $(template) of the container $(container)",
          NULL, bus_template_prepare, bus_delete_template },
        { "GetMetadata", "a{sv}", "a{sv}", SD_BUS_PARAM(options) SD_BUS_PARAM(metadata),
          BUS_OWNER, NULL, "enter", "read the metadata of the container $(container)",
          NULL, NULL, bus_get_metadata },
        { "UpdateMetadata", "a{sv}", "", SD_BUS_PARAM(options),
          BUS_OWNER, "use", "enter", "change the metadata of the container $(container)",
          bus_update_metadata_options, NULL, bus_update_metadata },
        { "GetState", "a{sv}", "a{sv}", SD_BUS_PARAM(options) SD_BUS_PARAM(state),
          BUS_PUBLIC, .act = get_state },
        { "GetDiskUsage", "a{sv}", "a{sv}", SD_BUS_PARAM(options) SD_BUS_PARAM(usage),
          BUS_OWNER, NULL, "manage", "measure the files of the container $(container)",
          NULL, NULL, bus_get_disk_usage },
        { "Update", "a{ss}asa{sv}", "as",
          SD_BUS_PARAM(set) SD_BUS_PARAM(unset) SD_BUS_PARAM(options) SD_BUS_PARAM(warnings),
          BUS_OWNER, "use", "manage", "configure the container $(container)",
          update_options, update_prepare, update },
        { "WaitFor", "sa{sv}", "o", SD_BUS_PARAM(what) SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_PUBLIC, .options = wait_options, .act = wait_for },
        { "WaitUntilReady", "a{sv}", "o", SD_BUS_PARAM(options) SD_BUS_PARAM(job),
          BUS_OWNER, "use", "enter", "wait for what the container $(container) starts",
          wait_options, NULL, wait_until_ready },
        { NULL },
};

static const BusProperty properties[] = {
        { "Name", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_name },
        { "Owner", "u", SD_BUS_VTABLE_PROPERTY_CONST, property_owner },
        { "Created", "t", SD_BUS_VTABLE_PROPERTY_CONST, property_created },
        { "Image", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_image },
        { "Architecture", "s", SD_BUS_VTABLE_PROPERTY_CONST, property_architecture },
        { "StoragePool", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_pool },
        { "Description", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_description },
        { "Profiles", "as", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_profiles },
        { "Ephemeral", "b", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_ephemeral },
        { "Stateful", "b", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_stateful },
        { "Revision", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_revision },
        { "State", "s", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_state },
        { "InitPid", "u", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_init_pid },
        { "LastStarted", "t", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_last_started },
        { "Addresses", "a(sssus)", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_addresses },
        { "Snapshots", "ao", SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE, property_snapshots },
        { NULL },
};

static const BusSignal signals[] = {
        { "Lifecycle", "sa{sv}", SD_BUS_PARAM(event) SD_BUS_PARAM(details) },
        { NULL },
};

BusClass bus_class_container = {
        .kind = OBJECT_CONTAINER,
        .interface = BUS_NAME ".Container",
        .methods = methods,
        .properties = properties,
        .signals = signals,
};
