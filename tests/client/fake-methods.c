/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "tests/client/fake-service.h"

#define ERROR_NAME(_name) "org.berth1.Error." _name

static GVariant *nothing(void) {
        return g_variant_new_tuple(NULL, 0);
}

static void reply_job(FakeCall *call, FakeJob *job) {
        call->reply->body = g_variant_new("(o)", fake_job_path(job));
}

static bool option_flag(const FakeCall *call, const char *name) {
        g_autoptr(GVariant) options = fake_options(call);
        gboolean b = FALSE;

        (void) g_variant_lookup(options, name, "b", &b);
        return b;
}

/* Manager */

static void get_object(FakeCall *call, ObjectKind kind, const char *error) {
        g_autofree char *path = NULL;
        const char *name;

        g_variant_get(call->body, "(&s)", &name);
        path = object_make_path(kind, name);
        if (g_hash_table_contains(call->fake->objects, path))
                call->reply->body = g_variant_new("(o)", path);
        else
                fake_fail(call, error, "%s '%s' does not exist", object_kind_to_noun(kind), name);
}

static FakeObject *find_image(Fake *f, const char *name) {
        GHashTableIter iter;
        gpointer value;

        g_hash_table_iter_init(&iter, f->objects);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                FakeObject *o = value;
                g_autofree const char **aliases = NULL;

                if (o->kind != OBJECT_IMAGE)
                        continue;
                aliases = g_variant_get_strv(fake_object_get(o, "Aliases"), NULL);
                if (g_str_has_prefix(o->name, name) || g_strv_contains(aliases, name))
                        return o;
        }
        return NULL;
}

static void get_image(FakeCall *call) {
        const FakeObject *o;
        const char *name;

        g_variant_get(call->body, "(&s)", &name);
        o = find_image(call->fake, name);
        if (o)
                call->reply->body = g_variant_new("(o)", o->path);
        else
                fake_fail(call, ERROR_NAME("NoSuchImage"), "Image '%s' does not exist", name);
}

FakeObject *fake_container_add(Fake *f, const char *name, const char *state) {
        static const char *const profiles[] = { "default" };
        FakeObject *o = fake_object_add(f, OBJECT_CONTAINER, name);

        fake_object_set(o, "Name", g_variant_new_string(name));
        fake_object_set(o, "Owner", g_variant_new_uint32(0));
        fake_object_set(o, "Created", g_variant_new_uint64(1504836420000000));
        fake_object_set(o, "Image", g_variant_new_string("e279c16d1a801b2b"));
        fake_object_set(o, "Architecture", g_variant_new_string("x86_64"));
        fake_object_set(o, "StoragePool", g_variant_new_string("default"));
        fake_object_set(o, "Description", g_variant_new_string(""));
        fake_object_set(o, "Profiles", g_variant_new_strv(profiles, 1));
        fake_object_set(o, "Ephemeral", g_variant_new_boolean(FALSE));
        fake_object_set(o, "Revision", g_variant_new_uint64(1));
        fake_object_set(o, "State", g_variant_new_string(state));
        fake_object_set(o, "InitPid",
                        g_variant_new_uint32(g_str_equal(state, "running") ? 4242 : 0));
        fake_object_set(o, "LastStarted", g_variant_new_uint64(0));
        fake_object_set(o, "Addresses",
                        g_variant_new_array(G_VARIANT_TYPE("(sssus)"), NULL, 0));
        return o;
}

static void create_container(FakeCall *call) {
        g_autofree char *path = NULL;
        const char *name, *image;
        FakeJob *job;

        g_variant_get(call->body, "(&s&s@a{sv})", &name, &image, NULL);
        if (!*name)
                name = "made-up";
        path = object_make_path(OBJECT_CONTAINER, name);
        if (g_hash_table_contains(call->fake->objects, path)) {
                fake_fail(call, ERROR_NAME("AlreadyExists"), "Container '%s' exists already", name);
                return;
        }
        if (!find_image(call->fake, image)) {
                fake_fail(call, ERROR_NAME("NoSuchImage"), "Image '%s' does not exist", image);
                return;
        }
        (void) fake_container_add(call->fake, name,
                                  option_flag(call, "start") ? "running" : "stopped");
        job = fake_job_new(call->fake, "container-create", path);
        fake_job_progress(job, "Unpacking", 0.5);
        fake_job_finish(job, NULL, NULL);
        call->reply->body = g_variant_new("(oo)", fake_job_path(job), path);
}

static FakeObject *add_image(Fake *f, GBytes *archive, GVariant *aliases, const char *filename) {
        g_autofree char *sum = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, archive);
        FakeObject *o = fake_object_add(f, OBJECT_IMAGE, sum);

        o->archive = g_bytes_ref(archive);
        fake_object_set(o, "Fingerprint", g_variant_new_string(sum));
        fake_object_set(o, "Owner", g_variant_new_uint32(0));
        fake_object_set(o, "Size", g_variant_new_uint64(g_bytes_get_size(archive)));
        fake_object_set(o, "Architecture", g_variant_new_string("x86_64"));
        fake_object_set(o, "Filename", g_variant_new_string(filename));
        fake_object_set(o, "Created", g_variant_new_uint64(1504836420000000));
        fake_object_set(o, "Uploaded", g_variant_new_uint64(1504836420000000));
        fake_object_set(o, "Expires", g_variant_new_uint64(0));
        fake_object_set(o, "LastUsed", g_variant_new_uint64(0));
        fake_object_set(o, "Properties", g_variant_new_array(G_VARIANT_TYPE("{ss}"), NULL, 0));
        fake_object_set(o, "Aliases", aliases);
        fake_object_set(o, "Public", g_variant_new_boolean(FALSE));
        fake_object_set(o, "UsedBy", g_variant_new_objv(NULL, 0));
        return o;
}

static void import_image(FakeCall *call) {
        g_autoptr(GVariant) options = fake_options(call), aliases = NULL, properties = NULL;
        g_autoptr(GBytes) archive = NULL;
        const char *filename = "";
        const FakeObject *image;
        FakeObject *o;
        FakeJob *job;
        struct stat st;
        int fd;

        g_variant_get(call->body, "(h@a{sv})", &fd, NULL);
        if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))) {
                fake_fail(call, SD_BUS_ERROR_INVALID_ARGS, "Neither a file nor a pipe");
                return;
        }
        if (S_ISREG(st.st_mode) && st.st_size == 0) {
                fake_fail(call, ERROR_NAME("InvalidImage"), "The archive is empty");
                return;
        }
        /* From a pipe the client writes only once it has the job, and this fake has one thread:
         * a pipe has to be full before the call. */
        if (fd_read_all(fd, 1 << 20, &archive) < 0) {
                fake_fail(call, ERROR_NAME("InvalidImage"), "The archive cannot be read");
                return;
        }
        (void) g_variant_lookup(options, "filename", "&s", &filename);
        aliases = g_variant_lookup_value(options, "aliases", G_VARIANT_TYPE_STRING_ARRAY);
        properties = g_variant_lookup_value(options, "properties", G_VARIANT_TYPE("a{ss}"));
        o = add_image(call->fake, archive, aliases ?: g_variant_new_strv(NULL, 0), filename);
        if (properties)
                fake_object_set(o, "Properties", properties);
        image = o;
        job = fake_job_new(call->fake, "image-import", NULL);
        fake_job_set_object(job, image->path);
        fake_job_finish(job, NULL, NULL);
        reply_job(call, job);
}

static FakeObject *add_profile(Fake *f, const char *name, const char *description) {
        FakeObject *o = fake_object_add(f, OBJECT_PROFILE, name);

        fake_object_set(o, "Name", g_variant_new_string(name));
        fake_object_set(o, "Description", g_variant_new_string(description));
        fake_object_set(o, "Revision", g_variant_new_uint64(1));
        fake_object_set(o, "UsedBy", g_variant_new_objv(NULL, 0));
        return o;
}

static void take_settings(FakeObject *o, GVariant *options) {
        GVariant *v;

        v = g_variant_lookup_value(options, "config", G_VARIANT_TYPE("a{ss}"));
        if (v) {
                g_variant_unref(o->config);
                o->config = v;
        }
        v = g_variant_lookup_value(options, "devices", G_VARIANT_TYPE("a{sa{ss}}"));
        if (v) {
                g_variant_unref(o->devices);
                o->devices = v;
        }
}

static void create_profile(FakeCall *call) {
        g_autoptr(GVariant) options = fake_options(call);
        g_autofree char *path = NULL;
        const char *name, *description = "";
        FakeObject *o;

        g_variant_get(call->body, "(&s@a{sv})", &name, NULL);
        path = object_make_path(OBJECT_PROFILE, name);
        if (g_hash_table_contains(call->fake->objects, path)) {
                fake_fail(call, ERROR_NAME("AlreadyExists"), "Profile '%s' exists already", name);
                return;
        }
        (void) g_variant_lookup(options, "description", "&s", &description);
        o = add_profile(call->fake, name, description);
        take_settings(o, options);
        call->reply->body = g_variant_new("(o)", path);
}

static void create_network(FakeCall *call) {
        const char *name, *type;
        FakeObject *o;
        FakeJob *job;

        g_variant_get(call->body, "(&s&s@a{ss}@a{sv})", &name, &type, NULL, NULL);
        o = fake_object_add(call->fake, OBJECT_NETWORK, name);
        fake_object_set(o, "Name", g_variant_new_string(name));
        fake_object_set(o, "Type", g_variant_new_string(type));
        fake_object_set(o, "Description", g_variant_new_string(""));
        fake_object_set(o, "State",
                        g_variant_new_string(g_str_equal(name, "broken") ? "error" : "up"));
        fake_object_set(o, "IPv4Address", g_variant_new_string("10.1.2.1/24"));
        fake_object_set(o, "IPv6Address", g_variant_new_string("none"));
        fake_object_set(o, "Revision", g_variant_new_uint64(1));
        fake_object_set(o, "UsedBy", g_variant_new_objv(NULL, 0));
        g_variant_unref(o->config);
        o->config = g_variant_get_child_value(call->body, 2);
        job = fake_job_new(call->fake, "network-create", o->path);
        fake_job_finish(job, NULL, NULL);
        reply_job(call, job);
}

static void create_pool(FakeCall *call) {
        const char *name, *driver;
        FakeObject *o;
        FakeJob *job;

        g_variant_get(call->body, "(&s&s@a{ss}@a{sv})", &name, &driver, NULL, NULL);
        o = fake_object_add(call->fake, OBJECT_POOL, name);
        fake_object_set(o, "Name", g_variant_new_string(name));
        fake_object_set(o, "Driver", g_variant_new_string(driver));
        fake_object_set(o, "Source", g_variant_new_string("/srv/pool"));
        fake_object_set(o, "Description", g_variant_new_string(""));
        fake_object_set(o, "State", g_variant_new_string("available"));
        fake_object_set(o, "Revision", g_variant_new_uint64(1));
        fake_object_set(o, "UsedBy", g_variant_new_objv(NULL, 0));
        g_variant_unref(o->config);
        o->config = g_variant_get_child_value(call->body, 2);
        job = fake_job_new(call->fake, "pool-create", o->path);
        fake_job_finish(job, NULL, NULL);
        reply_job(call, job);
}

static void manager_call(FakeCall *call) {
        if (g_str_equal(call->member, "GetContainer"))
                get_object(call, OBJECT_CONTAINER, ERROR_NAME("NoSuchContainer"));
        else if (g_str_equal(call->member, "GetImage"))
                get_image(call);
        else if (g_str_equal(call->member, "CreateContainer"))
                create_container(call);
        else if (g_str_equal(call->member, "ImportImage"))
                import_image(call);
        else if (g_str_equal(call->member, "CreateProfile"))
                create_profile(call);
        else if (g_str_equal(call->member, "CreateNetwork"))
                create_network(call);
        else if (g_str_equal(call->member, "CreateStoragePool"))
                create_pool(call);
        else if (g_str_equal(call->member, "GetConfigKeys"))
                call->reply->body = g_variant_new_parsed(
                        "([('limits.cpu', {'scopes': <['container', 'profile']>}), "
                        "('limits.memory', {'type': <'size or share'>, 'live': <true>, "
                        "'scopes': <['container', 'profile']>, 'action': <'use'>, "
                        "'help': <'memory'>}), "
                        "('security.nesting', {'type': <'boolean'>, 'default': <'false'>, "
                        "'scopes': <['container', 'profile']>, 'action': <'use-kernel-surface'>, "
                        "'help': <'containers inside it'>}), "
                        "('user.*', {'scopes': <['container', 'pool']>, 'secret': <true>}), "
                        "('volatile.*', {'scopes': <['container']>, 'read-only': <true>}), "
                        "('size', {'scopes': <['pool']>, 'help': <'of the loop file'>})],)");
        else if (g_str_equal(call->member, "GetDeviceTypes"))
                call->reply->body = g_variant_new_parsed(
                        "([('disk', {'help': <'a disk'>, 'options': <[('path', {'type': <'path'>, "
                        "'required': <true>, 'help': <'where'>}), ('pool', {'type': <'name'>, "
                        "'required': <false>, 'help': <'which pool'>})]>}), "
                        "('none', {'help': <'nothing'>, 'options': <@a(sa{sv}) []>})],)");
        else if (g_str_equal(call->member, "CheckAccess")) {
                const char *object;

                g_variant_get(call->body, "(&s&o)", NULL, &object);
                call->reply->body = g_variant_new(
                        "(s)", g_str_has_suffix(object, "/closed") ? "challenge" : "yes");
        }
        else
                fake_fail(call, SD_BUS_ERROR_NOT_SUPPORTED, "%s is not there", call->member);
}

/* Containers */

static void container_set_state(FakeCall *call, const char *state, const char *event) {
        bool running = g_str_equal(state, "running") || g_str_equal(state, "frozen");

        fake_object_change(call->fake, call->object, "State", g_variant_new_string(state));
        fake_object_change(call->fake, call->object, "InitPid",
                           g_variant_new_uint32(running ? 4242 : 0));
        (void) sd_bus_emit_signal(call->fake->bus, call->object->path, "org.berth1.Container",
                                  "Lifecycle", "sa{sv}", event, 0);
}

static void container_start(FakeCall *call) {
        const char *name = call->object->name;
        FakeJob *job;

        if (!g_str_equal(fake_object_get_string(call->object, "State"), "stopped")) {
                fake_fail(call, ERROR_NAME("AlreadyRunning"), "Container '%s' runs already", name);
                return;
        }
        job = fake_job_new(call->fake, "container-start", call->object->path);
        reply_job(call, job);
        if (g_str_equal(name, "broken"))
                fake_job_finish(job, ERROR_NAME("BackendFailed"),
                                "Container 'broken' does not start: no init in its root");
        else if (g_str_equal(name, "slow"))
                fake_job_progress(job, "Waiting for the moon", 0.5);
        else if (g_str_equal(name, "vanish"))
                (void) sd_event_exit(call->fake->event, 0);
        else {
                container_set_state(call, "running", "started");
                fake_job_finish(job, NULL, NULL);
        }
}

static void container_change(FakeCall *call, const char *state, const char *event) {
        FakeJob *job;

        if (g_str_equal(fake_object_get_string(call->object, "State"), "stopped")) {
                fake_fail(call, ERROR_NAME("NotRunning"), "Container '%s' does not run",
                          call->object->name);
                return;
        }
        job = fake_job_new(call->fake, "container-change", call->object->path);
        container_set_state(call, state, event);
        fake_job_finish(job, NULL, NULL);
        reply_job(call, job);
}

static void container_delete(FakeCall *call) {
        FakeJob *job;

        if (!g_str_equal(fake_object_get_string(call->object, "State"), "stopped") &&
            !option_flag(call, "force")) {
                fake_fail(call, ERROR_NAME("AlreadyRunning"), "Container '%s' runs",
                          call->object->name);
                return;
        }
        job = fake_job_new(call->fake, "container-delete", call->object->path);
        fake_object_remove(call->fake, call->object);
        fake_job_finish(job, NULL, NULL);
        reply_job(call, job);
}

static void container_rename(FakeCall *call) {
        FakeObject *o;
        const char *name;
        FakeJob *job;

        g_variant_get(call->body, "(&s@a{sv})", &name, NULL);
        o = fake_container_add(call->fake, name, "stopped");
        job = fake_job_new(call->fake, "container-rename", o->path);
        fake_object_remove(call->fake, call->object);
        fake_job_finish(job, NULL, NULL);
        reply_job(call, job);
}

/* In the child: the "container" is this host, with the environment that was asked for. */
static void G_GNUC_NORETURN exec_child(GVariant *argv, GVariant *options) {
        g_autofree const char **words = g_variant_get_strv(argv, NULL);
        g_autoptr(GVariant) environment = NULL;
        const char *cwd;
        sigset_t none;

        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) signal(SIGPIPE, SIG_DFL);
        environment = g_variant_lookup_value(options, "environment", G_VARIANT_TYPE_STRING_ARRAY);
        for (size_t i = 0; environment && i < g_variant_n_children(environment); i++) {
                char *assignment;

                g_variant_get_child(environment, i, "s", &assignment);
                (void) putenv(assignment);
        }
        if (g_variant_lookup(options, "cwd", "&s", &cwd) && chdir(cwd) < 0)
                _exit(126);
        (void) execvp(words[0], (char **) words);
        _exit(errno == ENOENT ? 127 : 126);
}

static void container_exec(FakeCall *call) {
        static const char *const names[] = { "stdin", "stdout", "stderr" };
        g_autoptr(GVariant) options = fake_options(call);
        g_autoptr(GVariant) argv = g_variant_get_child_value(call->body, 0);
        int fds[3] = { -EBADF, -EBADF, -EBADF };
        FakeJob *job;
        pid_t pid;

        for (size_t i = 0; i < 3; i++) {
                struct stat st;

                (void) g_variant_lookup(options, names[i], "h", &fds[i]);
                if (fds[i] >= 0 && (fstat(fds[i], &st) < 0 || S_ISREG(st.st_mode) ||
                                    isatty(fds[i]))) {
                        fake_fail(call, SD_BUS_ERROR_INVALID_ARGS, "%s is no pipe", names[i]);
                        return;
                }
        }
        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                for (int i = 0; i < 3; i++) {
                        int fd = fds[i] >= 0 ? fds[i] : open("/dev/null", O_RDWR | O_CLOEXEC);

                        if (dup2(fd, i) < 0)
                                _exit(126);
                }
                exec_child(argv, options);
        }
        job = fake_job_new(call->fake, "container-exec", call->object->path);
        fake_job_watch_child(job, pid);
        reply_job(call, job);
}

static void container_exec_terminal(FakeCall *call) {
        g_autoptr(GVariant) options = fake_options(call);
        g_autoptr(GVariant) argv = g_variant_get_child_value(call->body, 0);
        struct winsize size = { .ws_col = 80, .ws_row = 24 };
        const char *program;
        guint32 number;
        FakeJob *job;
        int master;
        pid_t pid;

        g_variant_get_child(argv, 0, "&s", &program);
        if (g_str_equal(program, "no-such-program")) {
                fake_fail(call, error_code_to_name(ERROR_NO_SUCH_FILE), "There is no %s", program);
                return;
        }
        if (g_str_equal(program, "no-program")) {
                fake_fail(call, error_code_to_name(ERROR_WRONG_FILE_TYPE), "%s can't be executed",
                          program);
                return;
        }
        if (g_variant_lookup(options, "width", "u", &number))
                size.ws_col = number;
        if (g_variant_lookup(options, "height", "u", &number))
                size.ws_row = number;
        pid = forkpty(&master, NULL, NULL, &size);
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0)
                exec_child(argv, options);
        job = fake_job_new(call->fake, "container-exec", call->object->path);
        fake_job_watch_child(job, pid);
        call->reply->body = g_variant_new("(oh)", fake_job_path(job), master);
}

/* Prints, then echoes what is typed as a terminal does that is in raw mode on our side. */
static void container_get_console(FakeCall *call) {
        struct winsize size = { .ws_col = 80, .ws_row = 24 };
        FakeJob *job;
        int master;
        pid_t pid = forkpty(&master, NULL, NULL, &size);

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                execlp("sh", "sh", "-c",
                       "trap 'stty size' WINCH; echo login:; "
                       "while :; do read -r line && echo \"got $line\" | cat -v; "
                       "[ \"$line\" = bye ] && exit; [ -t 0 ] || exit; done", NULL);
                _exit(127);
        }
        job = fake_job_new(call->fake, "container-console", call->object->path);
        fake_job_watch_child(job, pid);
        call->reply->body = g_variant_new("(oh)", fake_job_path(job), master);
}

static void container_get_log(FakeCall *call, const char *text) {
        g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));

        call->reply->body = g_variant_new("(h)", fd_new_memfd("log", bytes));
}

static void container_call(FakeCall *call) {
        if (g_str_equal(call->member, "Start"))
                container_start(call);
        else if (g_str_equal(call->member, "Stop"))
                container_change(call, "stopped", "stopped");
        else if (g_str_equal(call->member, "Restart"))
                container_change(call, "running", "restarted");
        else if (g_str_equal(call->member, "Freeze"))
                container_change(call, "frozen", "frozen");
        else if (g_str_equal(call->member, "Unfreeze"))
                container_change(call, "running", "unfrozen");
        else if (g_str_equal(call->member, "Delete"))
                container_delete(call);
        else if (g_str_equal(call->member, "Rename"))
                container_rename(call);
        else if (g_str_equal(call->member, "Exec"))
                container_exec(call);
        else if (g_str_equal(call->member, "ExecTerminal"))
                container_exec_terminal(call);
        else if (g_str_equal(call->member, "GetConsole"))
                container_get_console(call);
        else if (g_str_equal(call->member, "GetConsoleLog"))
                container_get_log(call, "first line\r\n\033[2Jsecond line\r\n");
        else if (g_str_equal(call->member, "GetLog"))
                container_get_log(call, "what liblxc said\n");
        else if (g_str_equal(call->member, "GetState"))
                fake_get_state(call);
        else if (g_str_equal(call->member, "GetDiskUsage"))
                fake_get_disk_usage(call);
        else
                fake_fail(call, SD_BUS_ERROR_NOT_SUPPORTED, "%s is not there", call->member);
}

/* The others */

static void image_set_aliases(FakeCall *call, const char *add, const char *remove) {
        GVariant *old = fake_object_get(call->object, "Aliases");
        GVariantBuilder b;

        g_variant_builder_init(&b, G_VARIANT_TYPE_STRING_ARRAY);
        for (size_t i = 0; i < g_variant_n_children(old); i++) {
                const char *alias;

                g_variant_get_child(old, i, "&s", &alias);
                if (g_strcmp0(alias, remove) != 0)
                        g_variant_builder_add(&b, "s", alias);
        }
        if (add)
                g_variant_builder_add(&b, "s", add);
        fake_object_change(call->fake, call->object, "Aliases", g_variant_builder_end(&b));
        call->reply->body = nothing();
}

static void image_export(FakeCall *call) {
        gsize size;
        const void *data = g_bytes_get_data(call->object->archive, &size);
        FakeJob *job;
        int fd;

        g_variant_get(call->body, "(h@a{sv})", &fd, NULL);
        job = fake_job_new(call->fake, "image-export", call->object->path);
        if (fd_write_all(fd, data, size) < 0)
                fake_job_finish(job, ERROR_NAME("NoSpace"), "The archive cannot be written");
        else
                fake_job_finish(job, NULL, NULL);
        reply_job(call, job);
}

static void image_update(FakeCall *call) {
        g_autoptr(GVariant) set = g_variant_get_child_value(call->body, 0);
        g_autoptr(GVariant) unset = g_variant_get_child_value(call->body, 1);
        g_autoptr(GVariant) merged = NULL;

        merged = fake_merge_config(fake_object_get(call->object, "Properties"), set, unset);
        fake_object_change(call->fake, call->object, "Properties", merged);
        fake_object_change(call->fake, call->object, "Public",
                           g_variant_new_boolean(option_flag(call, "public")));
        call->reply->body = nothing();
}

static void image_call(FakeCall *call) {
        const char *alias;

        if (g_str_equal(call->member, "Export"))
                image_export(call);
        else if (g_str_equal(call->member, "AddAlias")) {
                g_variant_get(call->body, "(&s@a{sv})", &alias, NULL);
                image_set_aliases(call, alias, NULL);
        } else if (g_str_equal(call->member, "RemoveAlias")) {
                g_variant_get(call->body, "(&s@a{sv})", &alias, NULL);
                image_set_aliases(call, NULL, alias);
        } else if (g_str_equal(call->member, "Update"))
                image_update(call);
        else
                fake_fail(call, SD_BUS_ERROR_NOT_SUPPORTED, "%s is not there", call->member);
}

static void delete_with_job(FakeCall *call) {
        FakeJob *job = fake_job_new(call->fake, "delete", call->object->path);

        fake_object_remove(call->fake, call->object);
        fake_job_finish(job, NULL, NULL);
        reply_job(call, job);
}

static void network_get_state(FakeCall *call) {
        bool broken = g_str_equal(fake_object_get_string(call->object, "State"), "error");

        call->reply->body = g_variant_new_parsed(
                broken ? "({'error': <'No bridges here'>},)" : "({'mtu': <@u 1500>},)");
}

static void profile_call(FakeCall *call) {
        if (g_str_equal(call->member, "Delete")) {
                if (g_str_equal(call->object->name, "default")) {
                        fake_fail(call, ERROR_NAME("InUse"), "The profile 'default' stays");
                        return;
                }
                fake_object_remove(call->fake, call->object);
                call->reply->body = nothing();
        } else if (g_str_equal(call->member, "Rename")) {
                const char *name;
                const FakeObject *o;

                g_variant_get(call->body, "(&s@a{sv})", &name, NULL);
                o = add_profile(call->fake, name, "");
                fake_object_remove(call->fake, call->object);
                call->reply->body = g_variant_new("(o)", o->path);
        } else
                fake_fail(call, SD_BUS_ERROR_NOT_SUPPORTED, "%s is not there", call->member);
}

void fake_call(FakeCall *call) {
        ObjectKind kind = call->object->kind;

        if (fake_images_call(call) || fake_settings_call(call) || fake_migrate_call(call))
                return;
        if (g_str_equal(call->member, "GetSpace"))
                call->reply->body = g_variant_new("(tt)", UINT64_C(10737418240),
                                                  UINT64_C(1073741824));
        else if (kind == OBJECT_MANAGER)
                manager_call(call);
        else if (kind == OBJECT_CONTAINER)
                container_call(call);
        else if (kind == OBJECT_PROFILE)
                profile_call(call);
        else if (kind == OBJECT_NETWORK && g_str_equal(call->member, "GetState"))
                network_get_state(call);
        else if (g_str_equal(call->member, "Delete"))
                delete_with_job(call);
        else
                image_call(call);
}

void fake_populate(Fake *f) {
        static const char *const alias = "busybox";
        static const char *const bad[] = { "broken", "slow", "vanish", "guarded", "foreign" };
        g_autoptr(GBytes) archive = g_bytes_new_static("archive of busybox\n", 19);
        FakeObject *o;

        o = g_new0(FakeObject, 1);
        o->kind = OBJECT_MANAGER;
        o->path = g_strdup(BERTH_ROOT_PATH);
        o->name = g_strdup("");
        o->properties = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              (GDestroyNotify) g_variant_unref);
        fake_object_set(o, "Version", g_variant_new_string("9.9.9"));
        fake_object_set(o, "Architecture", g_variant_new_string("x86_64"));
        g_hash_table_replace(f->objects, g_strdup(o->path), o);

        o = fake_container_add(f, "c1", "running");
        fake_object_set(o, "Addresses",
                        g_variant_new_parsed("[('lo', 'inet', '127.0.0.1', uint32 8, 'local'),"
                                             " ('eth0', 'inet', '10.1.2.3', 24, 'global'),"
                                             " ('eth1', 'inet', '10.1.3.3', 24, 'global'),"
                                             " ('eth0', 'inet6', 'fd42::3', 64, 'global')]"));
        g_variant_unref(o->config);
        o->config = g_variant_ref_sink(g_variant_new_parsed(
                "{'limits.cpu': '6', 'user.team': 'web', 'user.note': 'two\\nlines', "
                "'image.os': 'BusyBox', 'volatile.last_state.power': 'RUNNING'}"));
        (void) fake_container_add(f, "c2", "stopped");
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                (void) fake_container_add(f, bad[i], "stopped");

        o = add_profile(f, "default", "Default profile");
        g_variant_unref(o->devices);
        o->devices = g_variant_ref_sink(g_variant_new_parsed(
                "{'root': {'type': 'disk', 'path': '/', 'pool': 'default'},"
                " 'eth0': {'type': 'nic', 'network': 'berthbr0'}}"));
        o = add_image(f, archive, g_variant_new_strv(&alias, 1), "busybox-1.36.tar.xz");
        fake_object_set(o, "Properties",
                        g_variant_new_parsed("{'os': 'busybox', 'description': 'Small, but "
                                             "\"complete\"'}"));
}
