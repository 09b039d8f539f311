/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stands for all workers: answers each operation of service/worker/operations.h plausibly and
 * touches nothing outside the directories of the test. It is found through a symbolic link
 * berth-worker-ROOM, beside which are the file "log", to which every request is appended, and the
 * directory "plan". plan/OPERATION, if there is one, holds directives, a line each:
 *
 *   progress FRACTION TEXT  tell it
 *   gate                    wait, cancellable, until something is in the fifo plan/OPERATION.gate
 *   deaf                    from here on SIGTERM is not heard
 *   fail ERROR TEXT         end with this error ("Busy" stands for org.berth1.Error.Busy)
 *   error NAME TEXT         say that this is the error, and end
 *   die SIGNAL              end by it
 *   exit STATUS             end without a word
 *   garbage | huge | flood  send what is no message, or too much
 *   crowd                   send an event with more fds than there may be
 *   late                    send nothing that could be a result, then wait for ever
 *   lie                     give every value of the result another type
 *   fds N                   send N fds more than belong to the result
 *   dies-late               end by SIGKILL when all is done
 *   once                    the next time there is no such plan
 *   set KEY TEXT            what the operation itself looks at: see there
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/operations.h"
#include "service/worker/protocol.h"
#include "service/worker/user-namespace.h"
#include "service/worker/worker.h"
#include "tests/bus/fake-archive.h"
#include "tests/bus/fake-download.h"
#include "tests/bus/fake-files.h"
#include "tests/bus/fake-misbehaviour.h"
#include "tests/bus/fake-pool.h"

/* Exit status by which an init asks for a reboot. */
#define STATUS_REBOOT 7

typedef int (*FakeFunc)(Worker *worker, GVariantDict *result, Error *ret_error);

static char *directory;
static GHashTable *settings; /* of "set", and "lie", "fds" */

static const char *setting(const char *key) {
        return g_hash_table_lookup(settings, key);
}

static int setting_number(const char *key, int fallback) {
        const char *text = setting(key);

        return text ? (int) g_ascii_strtoll(text, NULL, 10) : fallback;
}

static void G_GNUC_PRINTF(1, 2) append_to_log(const char *format, ...) {
        g_autofree char *path = g_build_filename(directory, "log", NULL), *text = NULL;
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        g_assert_cmpint(fd_write_all(fd, text, strlen(text)), ==, 0);
}

/* --- misbehaving --- */

static void G_GNUC_NORETURN wait_for_ever(void) {
        for (;;)
                (void) pause();
}

static int pass_gate(Worker *worker, const char *operation, Error *ret_error) {
        g_autofree char *path = g_strdup_printf("%s/plan/%s.gate", directory, operation);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        struct pollfd gate = { .fd = fd, .events = POLLIN };
        sigset_t term, before;

        g_assert_cmpint(fd, >=, 0);
        /* Cancelling comes while this waits, or is seen before: never in between. */
        (void) sigemptyset(&term);
        (void) sigaddset(&term, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &term, &before);
        worker_progress(worker, "At the gate", 0.5);
        while (gate.revents == 0 && !worker_is_cancelled())
                (void) ppoll(&gate, 1, NULL, &before);
        (void) sigprocmask(SIG_SETMASK, &before, NULL);
        return gate.revents == 0 ? worker_cancelled(ret_error) : 0;
}

static int fail(const char *error, const char *text, Error *ret_error) {
        g_autofree char *name = g_strconcat("org.berth1.Error.", error, NULL);

        return error_set(ret_error, error_code_from_name(name), "%s", text);
}

/* One line of a plan. */
static int obey(Worker *worker, const char *operation, char **words, Error *ret_error) {
        const char *verb = words[0], *first = words[1] ?: "", *rest = words[1] ? words[2] : NULL;

        if (g_str_equal(verb, "progress"))
                worker_progress(worker, rest ?: "", g_ascii_strtod(first, NULL));
        else if (g_str_equal(verb, "gate"))
                return pass_gate(worker, operation, ret_error);
        else if (g_str_equal(verb, "deaf"))
                (void) signal(SIGTERM, SIG_IGN);
        else if (g_str_equal(verb, "fail"))
                return fail(first, rest ?: "", ret_error);
        else if (g_str_equal(verb, "error"))
                fake_send_error(first, rest ?: "");
        else if (g_str_equal(verb, "die")) {
                (void) signal((int) g_ascii_strtoll(first, NULL, 10), SIG_DFL);
                (void) raise((int) g_ascii_strtoll(first, NULL, 10));
        } else if (g_str_equal(verb, "exit"))
                _exit((int) g_ascii_strtoll(first, NULL, 10));
        else if (g_str_equal(verb, "garbage"))
                fake_send_raw(100);
        else if (g_str_equal(verb, "huge"))
                fake_send_raw(PROTOCOL_MESSAGE_MAX + 1);
        else if (g_str_equal(verb, "crowd"))
                fake_send_crowd(worker);
        else if (g_str_equal(verb, "flood"))
                for (unsigned i = 0; !worker_is_cancelled(); i++)
                        worker_progress(worker, i % 2 ? "Ebb" : "Flood", 0);
        else if (g_str_equal(verb, "late"))
                wait_for_ever();
        else if (g_str_equal(verb, "lie"))
                g_hash_table_insert(settings, g_strdup("lie"), g_strdup("yes"));
        else if (g_str_equal(verb, "fds"))
                g_hash_table_insert(settings, g_strdup("fds"), g_strdup(first));
        else if (g_str_equal(verb, "dies-late"))
                g_hash_table_insert(settings, g_strdup(verb), g_strdup("yes"));
        else if (g_str_equal(verb, "once")) {
                g_autofree char *plan = g_build_filename(directory, "plan", operation, NULL);

                g_assert_cmpint(unlink(plan), ==, 0);
        } else if (g_str_equal(verb, "set"))
                g_hash_table_insert(settings, g_strdup(first), g_strdup(rest ?: ""));
        else
                g_error("There is no directive \"%s\"", verb);
        return 0;
}

static int follow_plan(Worker *worker, const char *operation, Error *ret_error) {
        g_autofree char *path = g_build_filename(directory, "plan", operation, NULL), *text = NULL;
        g_auto(GStrv) lines = NULL;
        int r = 0;

        if (!g_file_get_contents(path, &text, NULL, NULL))
                return 0;
        lines = g_strsplit(text, "\n", -1);
        for (char **line = lines; r >= 0 && *line; line++) {
                g_auto(GStrv) words = g_strsplit(*line, " ", 3);

                if (words[0] && *words[0])
                        r = obey(worker, operation, words, ret_error);
        }
        return r;
}

static void falsify(GVariantDict *result) {
        g_autoptr(GVariant) honest = g_variant_ref_sink(g_variant_dict_end(result));
        GVariantIter iter;
        const char *key;

        g_variant_dict_init(result, NULL);
        g_variant_iter_init(&iter, honest);
        while (g_variant_iter_next(&iter, "{&sv}", &key, NULL))
                g_variant_dict_insert(result, key, "(ny)", (gint16) -1, (guint8) 7);
}

static int run_fake(const char *operation, FakeFunc func, Worker *worker, GVariantDict *result,
                    Error *ret_error) {
        g_autofree char *args = g_variant_print(worker->args, FALSE);
        int r;

        append_to_log("%s %s\n", operation, args);
        r = follow_plan(worker, operation, ret_error);
        if (r >= 0)
                r = func(worker, result, ret_error);
        if (r < 0)
                return r;
        if (setting("dies-late"))
                (void) raise(SIGKILL);
        if (setting("lie"))
                falsify(result);
        for (int i = 0; i < setting_number("fds", 0); i++)
                worker_add_result_fd(worker, memfd_create("surplus", MFD_CLOEXEC));
        return 0;
}

/* --- storage --- */

static int nothing(Worker *worker, GVariantDict *result, Error *ret_error) {
        return 0;
}

/* set source TEXT: what the result says. */
static int pool_create(Worker *worker, GVariantDict *result, Error *ret_error) {
        const char *source;
        int r;

        r = worker_get_string(worker, "source", &source, ret_error);
        if (r >= 0)
                r = make_dir_below(worker, "containers", NULL, ret_error);
        if (r >= 0)
                r = make_dir_below(worker, "images", NULL, ret_error);
        g_variant_dict_insert(result, "source", "s",
                              setting("source") ?: *source ? source : "/made/up");
        g_variant_dict_insert(result, "uuid", "s", "");
        g_variant_dict_insert(result, "size", "t", UINT64_C(0));
        return r;
}

/* set shifted: the pool cannot be mounted idmapped. */
static int report_owners(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(GVariant) idmap = NULL;
        int r = worker_get_variant(worker, "idmap", "a(suuu)", &idmap, ret_error);

        if (r < 0)
                return r;
        g_variant_dict_insert(result, "idmapped", "b", setting("shifted") == NULL);
        g_variant_dict_insert_value(result, "idmap", idmap);
        return 0;
}

static int container_create(Worker *worker, GVariantDict *result, Error *ret_error) {
        const char *container;
        int r;

        r = worker_get_string(worker, "container", &container, ret_error);
        if (r >= 0)
                r = make_dir_below(worker, "containers", container, ret_error);
        return r < 0 ? r : report_owners(worker, result, ret_error);
}

static int image_delete(Worker *worker, GVariantDict *result, Error *ret_error) {
        const char *image;
        int r = worker_get_string(worker, "image", &image, ret_error);

        return r < 0 ? r : remove_below(worker, "images", image, ret_error);
}

/* --- image --- */

/* Under its own name from the start: whoever kills us knows no other. */
static int write_spool(const char *path, const void *data, size_t size) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        return fd < 0 ? -errno : fd_write_all(fd, data, size);
}

/* set fingerprint TEXT: instead of the archive's hash; set templates TEXT: as GVariant writes
 * it. */
static int image_import(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int archive = worker_take_fd(worker, 0);
        g_autoptr(GVariant) none = g_variant_ref_sink(
                g_variant_new_array(G_VARIANT_TYPE("(sssasa{ss}b)"), NULL, 0));
        g_autoptr(GBytes) bytes = NULL;
        g_autofree char *fingerprint = NULL;
        g_autoptr(GVariant) properties = g_variant_ref_sink(
                g_variant_new_parsed("{'os': 'Fake', 'release': '1'}"));
        const char *spool, *pool;
        int r;

        r = fd_read_all(archive, 1 << 20, &bytes);
        if (r >= 0)
                r = worker_get_string(worker, "spool", &spool, ret_error);
        if (r < 0)
                return r;
        fingerprint = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
        r = write_spool(spool, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        if (r < 0)
                return r;
        if (worker_get_string(worker, "pool-path", &pool, NULL) >= 0)
                r = make_dir_below(worker, "images", fingerprint, ret_error);
        g_variant_dict_insert(result, "fingerprint", "s", setting("fingerprint") ?: fingerprint);
        g_variant_dict_insert(result, "size", "t", (guint64) g_bytes_get_size(bytes));
        g_variant_dict_insert(result, "architecture", "s", "x86_64");
        g_variant_dict_insert(result, "created", "t", UINT64_C(1000000));
        g_variant_dict_insert(result, "expires", "t", UINT64_C(0));
        g_variant_dict_insert_value(result, "properties", properties);
        g_variant_dict_insert_value(result, "templates",
                                    setting("templates")
                                            ? g_variant_new_parsed(setting("templates"))
                                            : none);
        g_variant_dict_insert(result, "unpacked", "b",
                              worker_get_string(worker, "pool-path", &pool, NULL) >= 0);
        g_variant_dict_insert(result, "skipped-devices", "u", 0U);
        return r;
}

static int download_list(Worker *worker, GVariantDict *result, Error *ret_error) {
        return fake_download_list(worker, setting("content"), ret_error);
}

static int image_publish(Worker *worker, GVariantDict *result, Error *ret_error) {
        static const char *const keys[] = { "architecture", "created", "expires", "properties",
                                            "templates" };
        const char *spool, *container;
        g_autofree char *fingerprint = NULL;
        int r;

        r = worker_get_string(worker, "spool", &spool, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "container", &container, ret_error);
        if (r < 0)
                return r;
        fingerprint = g_compute_checksum_for_string(G_CHECKSUM_SHA256, container, -1);
        r = write_spool(spool, container, strlen(container));
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                g_autoptr(GVariant) value = g_variant_lookup_value(worker->args, keys[i], NULL);

                g_variant_dict_insert_value(result, keys[i], value);
        }
        g_variant_dict_insert(result, "fingerprint", "s", fingerprint);
        g_variant_dict_insert(result, "size", "t", (guint64) strlen(container));
        g_variant_dict_insert(result, "unpacked", "b", FALSE);
        g_variant_dict_insert(result, "skipped-devices", "u", 0U);
        return 0;
}

static int image_unpack(Worker *worker, GVariantDict *result, Error *ret_error) {
        const char *image;
        int r = worker_get_string(worker, "image", &image, ret_error);

        return r < 0 ? r : make_dir_below(worker, "images", image, ret_error);
}

static int image_export(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int destination = worker_take_fd(worker, 0), archive = -EBADF;
        const char *path;
        int r = worker_get_string(worker, "archive", &path, ret_error);

        if (r < 0)
                return r;
        archive = open(path, O_RDONLY | O_CLOEXEC);
        return archive < 0 ? -errno : fd_copy(archive, destination, NULL);
}

/* What is to be made of an archive: one directory, and those of its snapshots. */
static int make_imported(Worker *worker, const char *key, const char *parent,
                         const char *snapshot_parent, Error *ret_error) {
        g_autoptr(GVariant) snapshots = NULL;
        const char *name;
        int r;

        r = fake_archive_send_index(worker, ret_error);
        if (r >= 0)
                r = fake_archive_await_verdict(worker, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, key, &name, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "snapshots", "as", &snapshots, ret_error);
        if (r >= 0)
                r = make_dir_below(worker, parent, name, ret_error);
        if (r >= 0)
                r = make_snapshots(worker, snapshot_parent, name, snapshots, ret_error);
        if (r >= 0 && setting("full"))
                r = error_set(ret_error, ERROR_NO_SPACE, "Full");
        return r;
}

static int volume_import(Worker *worker, GVariantDict *result, Error *ret_error) {
        return make_imported(worker, "volume", "custom", "custom-snapshots", ret_error);
}

static int container_import(Worker *worker, GVariantDict *result, Error *ret_error) {
        int r = make_imported(worker, "container", "containers", "snapshots", ret_error);

        if (r >= 0 && setting("hold"))
                r = pass_gate(worker, OPERATION_CONTAINER_IMPORT, ret_error);
        g_variant_dict_insert_value(result, "templates",
                                    g_variant_new_parsed("@a(sssasa{ss}b) []"));
        return r;
}

/* --- network --- */

/* set address TEXT: what is picked. */
static int network_pick(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_variant_dict_insert(result, "ipv4.address", "s", setting("address") ?: "10.77.1.1/24");
        g_variant_dict_insert(result, "ipv6.address", "s", "fd42:77:1::1/64");
        return 0;
}

/* Lives until it is killed, or berthd ends. */
static void G_GNUC_NORETURN run_dnsmasq(pid_t berthd) {
        _cleanup_close_ int pidfd = fd_pidfd_open(berthd);
        struct pollfd p = { .fd = pidfd, .events = POLLIN };

        (void) close_range(0, (unsigned) pidfd - 1, 0);
        (void) poll(&p, 1, -1);
        _exit(0);
}

/* set dnsmasq yes: there is one; its pid is in the file "dnsmasq". */
static int network_up(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autofree char *path = g_build_filename(directory, "dnsmasq", NULL), *text = NULL;
        pid_t pid = 0, berthd = getppid();

        if (setting("dnsmasq")) {
                pid = fork();
                if (pid < 0)
                        return -errno;
                if (pid == 0)
                        run_dnsmasq(berthd);
                text = g_strdup_printf("%d", (int) pid);
                if (!g_file_set_contents(path, text, -1, NULL))
                        return -EIO;
                worker_add_result_fd(worker, fd_pidfd_open(pid));
        }
        g_variant_dict_insert(result, "dnsmasq-pid", "i", (int) pid);
        return 0;
}

/* --- runtime --- */

static void on_end(int signal) {
        _exit(signal == SIGPWR ? 0 : STATUS_REBOOT);
}

/* Its user namespace is mapped by the monitor; `ready` and `go` are their pipes. */
static void G_GNUC_NORETURN run_init(int ready, int go, bool privileged) {
        char byte = 0;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if ((!privileged && unshare(CLONE_NEWUSER) < 0) || write(ready, &byte, 1) != 1 ||
            read(go, &byte, 1) != 1)
                _exit(126);
        (void) prctl(PR_SET_PDEATHSIG, 0);
        (void) signal(SIGPWR, setting("deaf") ? SIG_IGN : on_end);
        (void) signal(SIGUSR1, on_end);
        (void) close_range(3, ~0U, 0);
        wait_for_ever();
}

/* For clean(), and for the harness when all is over. */
static void remember_pids(const char *lxc_path, pid_t init) {
        g_autofree char *pids = g_strdup_printf("%d %d", getpid(), init);
        g_autofree char *path = g_build_filename(lxc_path, "pids", NULL);

        append_to_log("pid %d\npid %d\n", getpid(), init);
        if (!g_file_set_contents(path, pids, -1, NULL))
                _exit(124);
}

/* Until somebody could find it, it ends with the worker, which may be killed at any time.
 * set monitor hang: does not end when init has. set words TEXT: init ends at once, and this is on
 * its console then. */
static void G_GNUC_NORETURN run_monitor(int report, const IdMap *map, const char *lxc_path,
                                        const char *console) {
        g_autofree char *target = g_build_filename(lxc_path, RUNTIME_TARGET_FILE, NULL);
        int ready[2], go[2], status = 0;
        char byte = 0;
        pid_t init;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void) setsid();
        (void) signal(SIGTERM, SIG_DFL);
        if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
                _exit(124);
        init = fork();
        if (init == 0)
                run_init(ready[1], go[0], idmap_is_host(map));
        if (init < 0 || read(ready[0], &byte, 1) != 1)
                _exit(124);
        if (!idmap_is_host(map) && user_namespace_map(init, map) < 0)
                _exit(125);
        remember_pids(lxc_path, init);
        (void) prctl(PR_SET_PDEATHSIG, 0);
        if (write(go[1], &byte, 1) != 1 || write(report, &init, sizeof(init)) != sizeof(init))
                _exit(124);
        (void) dup2(report, 3);
        (void) close_range(4, ~0U, 0);
        (void) waitpid(init, &status, 0);
        (void) close(3);
        if (setting("words"))
                (void) g_file_set_contents(console, setting("words"), -1, NULL);
        (void) g_file_set_contents(target, WIFEXITED(status) &&
                                   WEXITSTATUS(status) == STATUS_REBOOT ? "reboot" : "stop", -1,
                                   NULL);
        if (g_strcmp0(setting("monitor"), "hang") == 0)
                for (;;)
                        (void) pause();
        _exit(0);
}

/* The map that the request wants. set base N: another one. */
static int read_map(Worker *worker, IdMap **ret, Error *ret_error) {
        int r = worker_get_idmap(worker, "idmap", ret, ret_error);

        if (r >= 0 && setting("base")) {
                IdRange range = { (uint32_t) setting_number("base", 0), ID_RANGE_SIZE };

                idmap_free(*ret);
                *ret = idmap_new_range(range);
        }
        return r;
}

/* set init PID, set monitor-pid PID: what are claimed to be their pids. */
static int start(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autoptr(IdMap) map = NULL;
        const char *lxc_path, *console;
        pid_t monitor, init;
        int report[2], r;

        r = worker_get_string(worker, "lxc-path", &lxc_path, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "console-log", &console, ret_error);
        if (r >= 0)
                r = read_map(worker, &map, ret_error);
        if (r < 0)
                return r;
        if (pipe2(report, O_CLOEXEC) < 0)
                return -errno;
        monitor = fork();
        if (monitor == 0)
                run_monitor(report[1], map, lxc_path, console);
        if (monitor < 0 || close(report[1]) < 0 ||
            read(report[0], &init, sizeof(init)) != sizeof(init))
                return error_set(ret_error, ERROR_BACKEND_FAILED, "The fake container failed");
        g_variant_dict_insert(result, "init-pid", "i", setting_number("init", init));
        g_variant_dict_insert(result, "monitor-pid", "i",
                              setting_number("monitor-pid", monitor));
        worker_add_result_fd(worker, fd_pidfd_open(init));
        worker_add_result_fd(worker, fd_pidfd_open(monitor));
        /* The monitor says no more once it has reaped it. */
        return setting("words") && (kill(init, SIGKILL) < 0 || read(report[0], &init, 1) != 0)
                       ? -errno : 0;
}

static int clean(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autofree char *path = NULL, *text = NULL;
        g_auto(GStrv) pids = NULL;
        const char *lxc_path;
        int r = worker_get_string(worker, "lxc-path", &lxc_path, ret_error);

        if (r < 0)
                return r;
        path = g_build_filename(lxc_path, "pids", NULL);
        if (!g_file_get_contents(path, &text, NULL, NULL))
                return 0;
        pids = g_strsplit(text, " ", -1);
        for (char **pid = pids; *pid; pid++)
                (void) kill((pid_t) g_ascii_strtoll(*pid, NULL, 10), SIGKILL);
        return 0;
}

/* Waits for one word of berthd: "signal" gives its exit status. */
static int serve(void) {
        g_autofree char *data = g_malloc(PROTOCOL_MESSAGE_MAX);
        g_autoptr(GVariant) message = NULL, content = NULL;
        ssize_t n = fd_receive(PROTOCOL_CHANNEL_FD, data, PROTOCOL_MESSAGE_MAX, NULL, NULL);
        g_autofree char *text = NULL;
        const char *kind;
        gint32 signal;

        if (n <= 0)
                return 0;
        message = g_variant_ref_sink(g_variant_new_from_data(PROTOCOL_MESSAGE_TYPE, data, (gsize) n,
                                                             FALSE, NULL, NULL));
        text = g_variant_print(message, FALSE);
        append_to_log("told %s\n", text);
        g_variant_get(message, "(&s@a{sv})", &kind, &content);
        return g_variant_lookup(content, "signal", "i", &signal) ? 128 + signal : 0;
}

/* set silent yes: does not say that it has started. set serve yes: waits for a message of berthd,
 * then ends. set status N: the exit status. Copies stdin to stdout. */
static int exec(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int pidfd = worker_take_fd(worker, 0), in = worker_take_fd(worker, 1),
                            out = worker_take_fd(worker, 2), err = worker_take_fd(worker, 3);
        _cleanup_close_ int terminal = -EBADF;
        bool with_terminal;
        GVariantDict event;
        int r, status;

        r = worker_get_boolean(worker, "terminal", &with_terminal, ret_error);
        if (r < 0)
                return r;
        if (with_terminal)
                terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (!setting("silent")) {
                g_variant_dict_init(&event, NULL);
                g_variant_dict_insert(&event, "started", "b", TRUE);
                r = worker_send_event(worker, g_variant_dict_end(&event), &terminal, with_terminal);
                if (r < 0)
                        return r;
        }
        status = setting("serve") ? serve() : setting_number("status", 0);
        if (!with_terminal)
                (void) fd_copy(in, out, NULL);
        g_variant_dict_insert(result, "exit-status", "i", status);
        return pidfd < 0 || (!with_terminal && err < 0) ? -EBADF : 0;
}

/* As exec() on a terminal; one attaches for no time unless it is to serve. */
static int console(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        GVariantDict event;
        int r;

        if (setting("silent"))
                return 0;
        g_variant_dict_init(&event, NULL);
        g_variant_dict_insert(&event, "started", "b", TRUE);
        r = worker_send_event(worker, g_variant_dict_end(&event), &terminal, 1);
        if (r >= 0 && setting("serve"))
                (void) serve();
        return r;
}

/* set warning TEXT: what the result warns of. */
static int limits(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_variant_dict_insert(result, "warnings", "^as",
                              (const char *const[]) { setting("warning"), NULL });
        return 0;
}

/* --- files --- */

/* Pulls "fake"; pushes to a file "pushed" beside the log. set held yes: waits at a mount's gate. */
static int file_begun(Worker *worker) {
        GVariantDict event;

        if (setting("silent"))
                return 0;
        g_variant_dict_init(&event, NULL);
        g_variant_dict_insert(&event, "begun", "b", TRUE);
        g_variant_dict_insert(&event, "type", "s", "file");
        g_variant_dict_insert(&event, "mode", "u", 0640U);
        return worker_send_event(worker, g_variant_dict_end(&event), NULL, 0);
}

static int file_pull(Worker *worker, GVariantDict *result, Error *ret_error) {
        _cleanup_close_ int fd = worker_take_fd(worker, 0);
        int r = file_begun(worker);

        g_variant_dict_insert(result, "size", "t", UINT64_C(4));
        return r < 0 ? r : fd_write_all(fd, "fake", 4);
}

static int file_push(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_autofree char *path = g_build_filename(directory, "pushed", NULL);
        _cleanup_close_ int in = worker_take_fd(worker, 0);
        _cleanup_close_ int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        int r = file_begun(worker);

        r = r >= 0 && setting("held") ? pass_gate(worker, OPERATION_MOUNT, ret_error) : r;
        return r < 0 ? r : fd_copy(in, out, &(uint64_t) { 0 });
}

/* --- table --- */

#define OPERATIONS(_) \
        _(POOL_CREATE, pool_create) \
        _(POOL_MOUNT, pool_create) \
        _(POOL_UNMOUNT, nothing) \
        _(POOL_GROW, nothing) \
        _(POOL_DELETE, fake_pool_delete) \
        _(CONTAINER_CREATE, container_create) \
        _(CONTAINER_COPY, fake_container_copy) \
        _(CONTAINER_DELETE, fake_container_delete) \
        _(CONTAINER_RENAME, fake_container_rename) \
        _(SNAPSHOT_CREATE, fake_snapshot_create) \
        _(SNAPSHOT_DELETE, fake_snapshot_delete) \
        _(SNAPSHOT_RENAME, fake_snapshot_rename) \
        _(SNAPSHOT_RESTORE, nothing) \
        _(SNAPSHOT_RESTORE_UNDO, nothing) \
        _(SNAPSHOT_RESTORE_END, nothing) \
        _(IMAGE_DELETE, image_delete) \
        _(VOLUME_CREATE, fake_volume_create) \
        _(VOLUME_COPY, fake_volume_copy) \
        _(VOLUME_DELETE, fake_volume_delete) \
        _(VOLUME_RENAME, fake_volume_rename) \
        _(VOLUME_RESIZE, nothing) \
        _(CONTAINER_USAGE, fake_usage) \
        _(VOLUME_USAGE, fake_usage) \
        _(VOLUME_SNAPSHOT_CREATE, fake_snapshot_create) \
        _(VOLUME_SNAPSHOT_DELETE, fake_snapshot_delete) \
        _(VOLUME_SNAPSHOT_RENAME, fake_snapshot_rename) \
        _(VOLUME_SNAPSHOT_RESTORE, nothing) \
        _(VOLUME_SNAPSHOT_RESTORE_UNDO, nothing) \
        _(VOLUME_SNAPSHOT_RESTORE_END, nothing) \
        _(IMAGE_IMPORT, image_import) \
        _(IMAGE_PUBLISH, image_publish) \
        _(IMAGE_UNPACK, image_unpack) \
        _(IMAGE_EXPORT, image_export) \
        _(DOWNLOAD_LIST, download_list) \
        _(DOWNLOAD_LOCATE, fake_download_locate) \
        _(DOWNLOAD_FETCH, fake_download_fetch) \
        _(CONTAINER_EXPORT, fake_archive_write) \
        _(CONTAINER_IMPORT, container_import) \
        _(VOLUME_EXPORT, fake_archive_write) _(VOLUME_IMPORT, volume_import) \
        _(STATE_EXPORT, fake_archive_write) _(STATE_IMPORT, fake_archive_read) \
        _(NETWORK_PICK, network_pick) \
        _(NETWORK_UP, network_up) \
        _(NETWORK_DOWN, nothing) \
        _(NETWORK_FIREWALL, nothing) \
        _(NETWORK_GUARD, nothing) \
        _(START, start) \
        _(FREEZE, nothing) \
        _(UNFREEZE, nothing) \
        _(LIMITS, limits) \
        _(DEVICES, nothing) \
        _(CLEAN, clean) \
        _(EXEC, exec) \
        _(CONSOLE, console) \
        _(FILE_PULL, file_pull) \
        _(FILE_PUSH, file_push) \
        _(FILE_STAT, fake_file_stat) \
        _(FILE_LIST, fake_file_list) \
        _(FILE_MAKE_DIRECTORY, nothing) \
        _(STATE_CREATE, nothing) _(STATE_DELETE, nothing) \
        _(DUMP, nothing) _(SIGN, nothing) \
        _(FILE_DELETE, nothing) \
        _(FILE_TEMPLATES, nothing) \
        _(TREE_PULL, file_pull) \
        _(TREE_PUSH, file_push) \
        _(MOUNT, file_push)

/* A WorkerFunc does not hear its operation's name, so each has a wrapper of its own. */
#define WRAPPER(_operation, _func) \
        static int fake_##_operation(Worker *worker, GVariantDict *result, Error *ret_error) { \
                return run_fake(OPERATION_##_operation, _func, worker, result, ret_error); \
        }
#define ROW(_operation, _func) { OPERATION_##_operation, fake_##_operation },

OPERATIONS(WRAPPER)

static const WorkerOperation operations[] = {
        OPERATIONS(ROW)
        { NULL, NULL },
};

#ifdef __SANITIZE_ADDRESS__
/* Looking for leaks at the end, it has a tracer. Killed then, its end is told by its pidfd while
 * waitid() still keeps it from the parent, and sd-event waits for ever for the next word. */
int __lsan_is_turned_off(void) __attribute__((visibility("default")));
int __lsan_is_turned_off(void) {
        return 1;
}
#endif

int main(int argc, char *argv[]) {
        g_autofree char *dir = g_path_get_dirname(argv[0]);
        g_autoptr(GHashTable) table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                            g_free);

        directory = dir;
        settings = table;
        return worker_main(operations);
}
