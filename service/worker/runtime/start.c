/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/start.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/model/config.h"
#include "service/model/device.h"
#include "service/model/failure-cause.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/util/tail.h"
#include "service/worker/operations.h"
#include "service/worker/runtime/apparmor.h"
#include "service/worker/runtime/cgroup-control.h"
#include "service/worker/runtime/cgroup-limits.h"
#include "service/worker/runtime/clean.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/container-scope.h"
#include "service/worker/runtime/criu.h"
#include "service/worker/runtime/device-forward.h"
#include "service/worker/runtime/device-nic.h"
#include "service/worker/runtime/device-rules.h"
#include "service/worker/runtime/device-stage.h"
#include "service/worker/runtime/disk-limits.h"
#include "service/worker/runtime/nic-limits.h"
#include "service/worker/runtime/nic-parent.h"
#include "service/worker/runtime/nic-port.h"
#include "service/worker/runtime/nic-record.h"
#include "service/worker/runtime/nic-routed.h"
#include "service/worker/runtime/kernel-module.h"
#include "service/worker/runtime/process.h"
#include "service/worker/runtime/state-seal.h"
#include "service/worker/runtime/syscall-filter.h"
#include "service/worker/runtime/systemd-hierarchy.h"
#include "service/worker/runtime/wait.h"
#include "service/worker/thin-volume.h"
#include "service/worker/user-namespace.h"

#define LOG_CAUSE_MAX (1U << 20)
#define STARTER "berth-start"

/* berth-start finds no newuidmap with either of these, so liblxc writes the id maps itself: berthd
 * has seen to it that the range is root's to give. The second holds apparmor_parser. */
#define PATH_PLAIN "PATH=/nonexistent"
#define PATH_APPARMOR "PATH=/usr/sbin:/sbin"

typedef struct Start {
        const char *name;
        const char *lxc_path;
        const char *rootfs;
        bool idmapped;
        IdMap *idmap;
        GVariant *nics;
        GVariant *devices;
        DeviceContext device_context;
        GPtrArray *mounts; /* of devices, as liblxc takes them */
        GVariant *config;
        const char *cpus;
        const char *log_file, *console_log;
        const char *architecture;
        const char *state, *state_key; /* of its processes, "" for none */
        bool stateless;                /* it is not restored, but forgotten */
        bool keep_state;               /* it is a snapshot's, and stays with that */

        SyscallRules *syscalls;
        CgroupHost *host;
        char *starter;  /* path of berth-start */
        bool apparmor;
        int log_fd;
        int state_fd;
        int userns_fd;  /* to mount its files for a restore */
        char *root;     /* where it sees them then */
} Start;

static void start_done(Start *start) {
        start->idmap = idmap_free(start->idmap);
        g_clear_pointer(&start->nics, g_variant_unref);
        g_clear_pointer(&start->devices, g_variant_unref);
        g_clear_pointer(&start->mounts, g_ptr_array_unref);
        g_clear_pointer(&start->config, g_variant_unref);
        start->syscalls = syscall_rules_free(start->syscalls);
        g_clear_pointer(&start->host, cgroup_host_free);
        g_clear_pointer(&start->starter, g_free);
        start->log_fd = fd_close(start->log_fd);
        start->state_fd = fd_close(start->state_fd);
        start->userns_fd = fd_close(start->userns_fd);
        g_clear_pointer(&start->root, g_free);
}

static bool is_restore(const Start *start) {
        return *start->state && !start->stateless;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Start, start_done)

/* For whom devices are made ready. */
static int read_device_context(Worker *worker, Start *start, Error *ret_error) {
        g_autoptr(GVariant) owner = NULL;
        int r;

        r = worker_get_variant(worker, "owner", "u", &owner, ret_error);
        if (r < 0)
                return r;
        start->device_context.container = start->name;
        start->device_context.owner = g_variant_get_uint32(owner);
        start->device_context.idmap = start->idmap;
        return 0;
}

static int read_args(Worker *worker, Start *start, Error *ret_error) {
        const struct {
                const char *key;
                const char **value;
        } strings[] = {
                { "name", &start->name },         { "lxc-path", &start->lxc_path },
                { "rootfs", &start->rootfs },     { "log-file", &start->log_file },
                { "architecture", &start->architecture }, { "cpus", &start->cpus },
                { "console-log", &start->console_log }, { "state", &start->state },
                { "state-key", &start->state_key },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(strings); i++)
                r = worker_get_string(worker, strings[i].key, strings[i].value, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "idmapped", &start->idmapped, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "stateless", &start->stateless, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "keep-state", &start->keep_state, ret_error);
        if (r >= 0)
                r = worker_get_idmap(worker, "idmap", &start->idmap, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "nics", "aa{ss}", &start->nics, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "devices", "a{sa{ss}}", &start->devices, ret_error);
        if (r >= 0)
                r = read_device_context(worker, start, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "config", "a{ss}", &start->config, ret_error);
        if (r < 0)
                return r;
        if (!container_name_is_valid(start->name))
                return error_set(ret_error, ERROR_INVALID_NAME,
                                 "\"%s\" is not a name for a container", start->name);
        if (!container_path_is_plain(start->lxc_path) || !container_path_is_plain(start->rootfs) ||
            !container_path_is_plain(start->log_file) ||
            !container_path_is_plain(start->console_log) ||
            (*start->state && !container_path_is_plain(start->state)))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "A path of container \"%s\" is not absolute and plain",
                                 start->name);
        return 0;
}

/* berth-start is installed next to this program. */
static int find_starter(char **ret) {
        g_autofree char *self = g_new0(char, PATH_MAX);
        g_autofree char *directory = NULL, *path = NULL;
        ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);

        if (n < 0)
                return -errno;
        directory = g_path_get_dirname(self);
        path = g_build_filename(directory, STARTER, NULL);
        /* A shell of liblxc's reads it as a word. */
        if (!container_path_is_plain(path))
                return -EINVAL;
        *ret = TAKE_PTR(path);
        return 0;
}

/* What commonly is missing, found before liblxc fails on it in its own words. */
static int check_rootfs(const Start *start, Error *ret_error) {
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
        };
        _cleanup_close_ int root = open(start->rootfs,
                                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_close_ int init = -EBADF;

        if (root < 0)
                return error_set_errno(ret_error, errno,
                                       "The root filesystem of container \"%s\" can't be opened",
                                       start->name);
        init = (int) syscall(SYS_openat2, root, "sbin/init", &how, sizeof(how));
        if (init < 0 && (errno == ENOENT || errno == ENOTDIR))
                return error_set(ret_error, ERROR_FAILED,
                                 "Container \"%s\" has no /sbin/init; its image does not hold a "
                                 "bootable system",
                                 start->name);
        return 0;
}

static int check_nics(const Start *start, Error *ret_error) {
        size_t n = g_variant_n_children(start->nics);

        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(start->nics, i);
                const char *parent = config_get(nic, "vlan.parent") ?: config_get(nic, "parent");
                const char *host_name;

                if (parent && if_nametoindex(parent) == 0)
                        return error_set(ret_error, ERROR_NO_SUCH_NETWORK,
                                         "Bridge \"%s\", which container \"%s\" is to be connected "
                                         "to, does not exist",
                                         parent, start->name);
                if (g_variant_lookup(nic, "host_name", "&s", &host_name) &&
                    if_nametoindex(host_name) != 0)
                        return error_set(ret_error, ERROR_IN_USE,
                                         "Network interface \"%s\" for container \"%s\" exists "
                                         "already",
                                         host_name, start->name);
        }
        return 0;
}

/* Nothing of an earlier start may be there; empty groups of one are removed. */
static int check_groups(const Start *start, Error *ret_error) {
        g_autoptr(GArray) pids = NULL;

        if (cgroup_list_processes(start->host, CGROUP_PAYLOAD, start->name, &pids) < 0 ||
            pids->len > 0)
                return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                 "Processes of container \"%s\" are running already", start->name);
        for (CgroupKind kind = 0; kind < _CGROUP_KIND_MAX; kind++) {
                int r = cgroup_remove(start->host, kind, start->name);

                if (r == -EBUSY)
                        return error_set(ret_error, ERROR_ALREADY_RUNNING,
                                         "The monitor of container \"%s\" is running already",
                                         start->name);
                if (r < 0)
                        return error_set_errno(ret_error, -r,
                                               "Cannot remove old control groups of container "
                                               "\"%s\"",
                                               start->name);
        }
        return 0;
}

static int write_files(const Start *start, Error *ret_error) {
        g_autofree char *directory = g_build_filename(start->lxc_path, start->name, NULL);
        g_autofree char *seccomp_file = g_build_filename(directory, "seccomp", NULL);
        g_autofree char *hook =
                g_strdup_printf("%s --stopped %s", start->starter, start->lxc_path);
        g_autofree char *text = NULL, *profile = syscall_rules_to_profile(start->syscalls);
        g_autoptr(GPtrArray) limits = NULL;
        _cleanup_close_ int path_fd = -EBADF, fd = -EBADF;
        ContainerConfig config = {
                .name = start->name,
                .rootfs = start->root ?: start->rootfs,
                .idmapped = start->idmapped && !start->root,
                .restored = is_restore(start),
                .architecture = start->architecture,
                .idmap = start->idmap,
                .nics = start->nics,
                .mounts = start->mounts,
                .config = start->config,
                .directory = directory,
                .seccomp_file = seccomp_file,
                .log_file = start->log_file,
                .console_log = start->console_log,
                .stopped_hook = hook,
                .apparmor = start->apparmor,
                .cgroups = start->host,
        };
        int r;

        r = limits_to_lines(start->host, start->config, start->cpus, &limits, ret_error);
        if (r < 0)
                return r;
        if (idmap_is_host(start->idmap)) {
                r = device_rules_append(start->host, start->devices, limits);
                if (r < 0)
                        return error_set_errno(ret_error, -r,
                                               "Cannot tell which devices container \"%s\" has",
                                               start->name);
        }
        config.limits = limits;
        r = container_config_format(&config, &text, ret_error);
        if (r < 0)
                return r;
        path_fd = path_open_dir(start->lxc_path);
        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd,
                                       "Cannot open the run-time directory of container \"%s\"",
                                       start->name);
        /* liblxc insists that the container's root can pass; what is below is closed. */
        if (fchmod(path_fd, 0711) < 0)
                r = -errno;
        if (r >= 0)
                r = fd = path_make_dir(path_fd, start->name, 0700);
        if (r >= 0)
                r = path_replace_file(fd, "seccomp", profile, strlen(profile), 0600);
        if (r >= 0)
                r = path_replace_file(fd, "config", text, strlen(text), 0600);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot write the configuration of container \"%s\"",
                                       start->name);
        return 0;
}

/* The logs tell of this start only, and are liblxc's to append to. What was on the console of
 * processes that go on was said by them. */
static int open_log(Start *start, Error *ret_error) {
        g_autofree char *older = g_strconcat(start->console_log, ".1", NULL);

        if (!is_restore(start) &&
            ((unlink(start->console_log) < 0 && errno != ENOENT) ||
             (unlink(older) < 0 && errno != ENOENT)))
                return error_set_errno(ret_error, errno,
                                       "Cannot remove the old log of the console of container "
                                       "\"%s\"", start->name);
        start->log_fd = open(start->log_file,
                             O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (start->log_fd < 0)
                return error_set_errno(ret_error, errno,
                                       "Cannot open the log file of container \"%s\"", start->name);
        return 0;
}

/* The filter of 32-bit calls is among what was saved. */
static int enter_restore(const Start *start) {
        int r = criu_unshare_cgroups(start->host, true);

        return r < 0 ? r : criu_mount_root(start->rootfs, start->root, start->userns_fd);
}

G_GNUC_NORETURN static void execute_starter(const Start *start) {
        const char *const argv[] = { start->starter, start->lxc_path, start->name,
                                     start->log_file, is_restore(start) ? start->state : NULL,
                                     NULL };
        const char *const envp[] = { is_restore(start)  ? CRIU_PATH
                                     : start->apparmor ? PATH_APPARMOR
                                                       : PATH_PLAIN,
                                     NULL };
        _cleanup_close_ int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        process_reset_signals();
        /* berthd is protected from the kernel's hunt for memory; containers are not. */
        (void) process_write_oom_score_adj(proc, "0");
        (void) setsid();
        umask(0022);
        if (is_restore(start))
                r = enter_restore(start);
        else
                r = syscall_rules_native_only(start->syscalls) ? syscall_filter_load_native_only()
                                                               : 0;
        if (r < 0)
                log_error("Cannot prepare the start of container \"%s\": %s", start->name,
                          g_strerror(-r));
        else if (chdir("/") >= 0 && close_range(3, UINT_MAX, 0) >= 0)
                (void) execve(start->starter, (char *const *) argv, (char *const *) envp);
        log_error("Cannot execute %s: %s", start->starter, g_strerror(errno));
        _exit(EXIT_FAILURE);
}

/* Everything that berth-start forks is in the pivot group until liblxc moves it to another of the
 * container's, so nobody is missed when a start has to be undone half-way. */
static int fork_starter(const Start *start, int *ret_pidfd, Error *ret_error) {
        bool scopes = cgroup_host_has_scopes(start->host);
        _cleanup_close_ int group =
                scopes ? -EBADF : cgroup_make_pivot(start->host, start->name);
        g_auto(ScopeGate) gate = SCOPE_GATE_INIT;
        _cleanup_close_ int pidfd = -EBADF;
        pid_t pid;
        int r = scopes ? scope_gate_open(&gate) : 0, status;

        if (r >= 0)
                r = pid = process_fork(group, 0, &pidfd);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot start container \"%s\"",
                                       start->name);
        if (pid == 0) {
                if (scopes && !scope_gate_wait(&gate))
                        _exit(EXIT_FAILURE);
                execute_starter(start);
        }
        r = scopes ? container_scope_enter(start->host, start->name, &gate, pid, ret_error) : 0;
        if (r < 0) {
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
                (void) process_reap(pidfd, &status);
                return r;
        }
        *ret_pidfd = TAKE_FD(pidfd);
        return 0;
}

static int run_starter(const Start *start, Error *ret_error) {
        _cleanup_close_ int pidfd = -EBADF;
        struct pollfd p = { .events = POLLIN };
        int r, status;

        r = fork_starter(start, &pidfd, ret_error);
        if (r < 0)
                return r;
        p.fd = pidfd;
        r = wait_poll(&p, 1, WAIT_FOREVER);
        if (r < 0)
                (void) fd_pidfd_send_signal(pidfd, SIGKILL);
        (void) process_reap(pidfd, &status);
        if (r == -ECANCELED)
                return worker_cancelled(ret_error);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot start container \"%s\"", start->name);
        return status == 0 ? 0 : -EREMOTEIO;
}

static char *read_cause(const Start *start) {
        g_autofree char *log = NULL;

        if (lseek(start->log_fd, 0, SEEK_SET) < 0 ||
            fd_read_text(start->log_fd, LOG_CAUSE_MAX, &log) < 0)
                return NULL;
        return failure_cause_from_log(log);
}

static char *read_last_words(const Start *start) {
        g_autoptr(GBytes) bytes = NULL;
        g_autofree char *text = NULL;

        if (tail_read(start->console_log, LAST_WORDS_MAX, &bytes) < 0)
                return NULL;
        text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        return failure_cause_from_console(text);
}

/* It ran, and does not any more. Its monitor copies the console to the log, and then ends. */
static int describe_end(const Start *start, const Process *monitor, Error *ret_error) {
        struct pollfd p = { .fd = monitor->pidfd, .events = POLLIN };
        g_autofree char *cause = NULL, *words = NULL;

        if (p.fd >= 0 && wait_poll(&p, 1, wait_deadline(LAST_WORDS_USEC)) == -ECANCELED)
                return worker_cancelled(ret_error);
        cause = read_cause(start);
        words = read_last_words(start);
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "Container \"%s\" stopped as soon as it had started: %s%s%s", start->name,
                         cause ?: (words ? "" : "its init ended without a word"),
                         !cause && words ? "the last words on its console are: " : "",
                         !cause && words ? words : "");
}

static int describe_failure(const Start *start, Error *ret_error) {
        g_autofree char *cause = read_cause(start);

        if (is_restore(start)) {
                g_autofree char *reason = criu_read_cause(start->state_fd, "restore.log");

                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "CRIU cannot restore the saved state of container \"%s\": %s; "
                                 "the state is kept: try again, or %s", start->name,
                                 reason ?: cause ?: "no log gives a reason",
                                 start->keep_state ? "restore the snapshot stateless"
                                                   : "start it stateless, which forgets it");
        }
        return error_set(ret_error, ERROR_BACKEND_FAILED, "Container \"%s\" did not start: %s",
                         start->name, cause ?: "liblxc gives no reason in its log");
}

static int find_monitor(const Start *start, Process *ret) {
        g_autoptr(GArray) pids = NULL;
        int r;

        r = cgroup_list_processes(start->host, CGROUP_MONITOR, start->name, &pids);
        if (r < 0)
                return r;
        return pids->len == 1 ? process_open_by_pid(g_array_index(pids, pid_t, 0), ret) : -ESRCH;
}

static int find_init(const Start *start, const Process *monitor, Process *ret) {
        g_autoptr(GArray) pids = NULL;
        int r;

        r = cgroup_list_processes(start->host, CGROUP_PAYLOAD, start->name, &pids);
        if (r < 0)
                return r;
        for (guint i = 0; i < pids->len; i++) {
                g_auto(Process) process = PROCESS_INIT;
                pid_t parent;

                if (process_open_by_pid(g_array_index(pids, pid_t, i), &process) < 0 ||
                    process_read_parent(&process, &parent) < 0 || parent != monitor->pid)
                        continue;
                *ret = process;
                process = PROCESS_INIT;
                return process_is_alive(monitor) ? 0 : -ESRCH;
        }
        return -ESRCH;
}

static int set_disk_limits(const Start *start, const Process *init, int path_fd,
                           Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;
        int r = 0;

        g_variant_iter_init(&iter, start->devices);
        while (r >= 0 && g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_is_disk(owned) && device_has_limits(owned))
                        r = disk_limits_set(start->host, start->name, init, path_fd, name, owned,
                                            ret_error);
        }
        return r;
}

static int record_error(GVariant *nic, int r, Error *ret_error) {
        return error_set_errno(ret_error, -r, "Cannot take note of network interface \"%s\"",
                               config_get(nic, "name"));
}

static int complete_nic(const Process *init, int path_fd, GVariant *nic, Error *ret_error) {
        int r = device_nic_has_host_end(nic) ? 0 : nic_record_inside(path_fd, init, nic);

        /* Its root may have been quick to give it another name. */
        if (r < 0 && r != -ENODEV)
                return record_error(nic, r, ret_error);
        r = nic_routed_apply(path_fd, nic, ret_error);
        if (r < 0)
                return r;
        return device_has_limits(nic) ? nic_limits_apply(path_fd, nic, ret_error) : 0;
}

/* What of the devices takes a container that runs: rates of its interfaces, its proxies. */
static int complete_devices(const Start *start, const Process *init, Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(start->lxc_path);
        int r = 0;

        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd,
                                       "Cannot open the run-time directory of container \"%s\"",
                                       start->name);
        for (size_t i = 0; r >= 0 && i < g_variant_n_children(start->nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(start->nics, i);

                r = complete_nic(init, path_fd, nic, ret_error);
        }
        if (r >= 0)
                r = set_disk_limits(start, init, path_fd, ret_error);
        if (r < 0)
                return r;
        return device_forward_add_all(&start->device_context, start->host, init, path_fd,
                                      start->devices, ret_error);
}

static int report(const Start *start, Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Process) monitor = PROCESS_INIT, init = PROCESS_INIT;
        g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
        int r;

        r = find_monitor(start, &monitor);
        if (r >= 0)
                r = find_init(start, &monitor, &init);
        if (r == -ESRCH)
                return describe_end(start, &monitor, ret_error);
        if (r >= 0)
                r = process_check_idmap(&init, start->idmap);
        if (r == -EPERM)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Container \"%s\" did not get the id map that it should have",
                                 start->name);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot find the processes of container \"%s\"",
                                       start->name);

        r = complete_devices(start, &init, ret_error);
        if (r < 0)
                return r;
        if (!start->apparmor && config_get(start->config, "raw.apparmor"))
                g_ptr_array_add(warnings, g_strdup("raw.apparmor is of no effect: this kernel has "
                                                   "no AppArmor"));
        r = is_restore(start) ? limits_apply_all(start->host, start->name, start->config,
                                                 start->cpus, warnings, ret_error)
                              : 0;
        if (r < 0)
                return r;
        limits_apply_hints(start->host, start->name, start->config, start->cpus, warnings);
        container_scope_register(start->host, start->name, init.pid, start->rootfs, start->nics,
                                 warnings);
        g_variant_dict_insert_value(result, "warnings",
                                    g_variant_new_strv((const char *const *) warnings->pdata,
                                                       warnings->len));
        g_variant_dict_insert(result, "init-pid", "i", init.pid);
        g_variant_dict_insert(result, "monitor-pid", "i", monitor.pid);
        worker_add_result_fd(worker, TAKE_FD(init.pidfd));
        worker_add_result_fd(worker, TAKE_FD(monitor.pidfd));
        return 0;
}

/* In the order in which liblxc moves processes from group to group. */
static void undo(const Start *start) {
        g_auto(Error) error = ERROR_INIT;
        int r;

        r = cgroup_kill(start->host, CGROUP_PIVOT, start->name, &error);
        if (r >= 0)
                r = cgroup_kill(start->host, CGROUP_MONITOR, start->name, &error);
        if (r >= 0)
                r = container_clean(start->host, start->name, start->lxc_path, &error);
        if (r < 0)
                log_warning("%s", error.message);
}

static int record_nics_before(const Start *start, int path_fd, Error *ret_error) {
        for (size_t i = 0; i < g_variant_n_children(start->nics); i++) {
                g_autoptr(GVariant) nic = g_variant_get_child_value(start->nics, i);
                int r = nic_parent_make(path_fd, nic, ret_error);

                if (r < 0)
                        return r;
                r = nic_record_before(path_fd, nic);
                if (r < 0)
                        return record_error(nic, r, ret_error);
                r = nic_port_check(nic, ret_error);
                if (r >= 0)
                        r = nic_routed_check(nic, ret_error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int stage_devices(Start *start, Error *ret_error) {
        _cleanup_close_ int path_fd = path_open_dir(start->lxc_path);
        int r;

        if (path_fd < 0)
                return error_set_errno(ret_error, -path_fd,
                                       "Cannot open the run-time directory of container \"%s\"",
                                       start->name);
        r = record_nics_before(start, path_fd, ret_error);
        if (r < 0)
                return r;
        start->mounts = g_ptr_array_new_with_free_func(g_free);
        return device_stage(path_fd, start->lxc_path, &start->device_context, start->devices,
                            start->mounts, ret_error);
}

/* Nothing that CRIU is to read is read before it is known to be ours. */
static int prepare_restore(Start *start, Error *ret_error) {
        _cleanup_close_ int path_fd = -EBADF, root_fd = -EBADF;
        const char *criu;
        int r;

        if (!*start->state)
                return 0;
        r = start->state_fd = path_open_dir(start->state);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot open the saved state of container \"%s\"",
                                       start->name);
        if (start->stateless)
                return 0;
        r = criu_find(start->host, start->name, &criu, ret_error);
        if (r < 0)
                return r;
        r = state_check_seal(start->state_fd, STATE_SEAL_OWN, start->state_key, start->name,
                             start->idmap, ret_error);
        if (r < 0)
                return r;
        start->root = g_build_filename(start->lxc_path, "root", NULL);
        r = path_fd = path_open_dir(start->lxc_path);
        if (r >= 0)
                r = root_fd = path_make_dir(path_fd, "root", 0755);
        if (r >= 0 && start->idmapped && !idmap_is_host(start->idmap))
                r = start->userns_fd = user_namespace_new(start->idmap);
        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot prepare to restore container \"%s\"", start->name);
        return 0;
}

/* From here on its files change: the state is of no use any more. */
static int use_state_up(const Start *start, Error *ret_error) {
        int r = *start->state && !start->keep_state ? state_discard(start->state_fd) : 0;

        if (r < 0)
                return error_set_errno(ret_error, -r,
                                       "Cannot use up the saved state of container \"%s\"",
                                       start->name);
        return 0;
}

/* Before anything else is mounted: what is mounted after it is seen by the container's monitor, and
 * nobody else, where any of these are mounted for it alone. */
static int show_volumes(const Start *start, Error *ret_error) {
        GVariantIter iter;
        const char *name;
        GVariant *options;
        int r = thin_volume_show(start->rootfs);

        g_variant_iter_init(&iter, start->devices);
        while (r >= 0 && g_variant_iter_next(&iter, "{&s@a{ss}}", &name, &options)) {
                g_autoptr(GVariant) owned = options;

                if (device_is_volume(owned))
                        r = thin_volume_show(config_get(owned, "source"));
        }
        return r < 0 ? error_set_errno(ret_error, -r,
                                       "The volumes of container \"%s\" cannot be mounted",
                                       start->name)
                     : 0;
}

static int prepare(Start *start, Error *ret_error) {
        int r;

        r = show_volumes(start, ret_error);
        if (r >= 0)
                r = check_rootfs(start, ret_error);
        if (r >= 0)
                r = check_nics(start, ret_error);
        if (r >= 0)
                r = find_starter(&start->starter);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot find " STARTER);
        r = prepare_restore(start, ret_error);
        if (r >= 0)
                r = syscall_rules_new(start->config, &start->syscalls, ret_error);
        if (r >= 0)
                r = kernel_modules_load(start->config, ret_error);
        if (r < 0)
                return r;
        start->apparmor = apparmor_is_on();
        r = stage_devices(start, ret_error);
        if (r >= 0)
                r = write_files(start, ret_error);
        return r < 0 ? r : open_log(start, ret_error);
}

int start_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Start) start = { .log_fd = -EBADF, .state_fd = -EBADF, .userns_fd = -EBADF };
        int r;

        r = read_args(worker, &start, ret_error);
        if (r < 0)
                return r;
        wait_block_term();
        systemd_hierarchy_ensure();
        r = cgroup_host_new(&start.host, ret_error);
        if (r >= 0)
                r = check_groups(&start, ret_error);
        if (r < 0)
                return r; /* what runs of this name is not ours to undo */

        r = prepare(&start, ret_error);
        if (r >= 0)
                r = run_starter(&start, ret_error);
        if (r >= 0)
                r = use_state_up(&start, ret_error);
        if (r >= 0)
                r = report(&start, worker, result, ret_error);
        else if (r == -EREMOTEIO)
                (void) describe_failure(&start, ret_error);
        if (r < 0)
                undo(&start);
        return r;
}
