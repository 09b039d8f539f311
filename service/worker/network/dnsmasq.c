/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/dnsmasq.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/log.h"
#include "service/util/path.h"
#include "service/worker/network/detached-process.h"
#include "service/worker/network/sandbox.h"
#include "service/worker/scope.h"

#define PID_FILE "dnsmasq.pid"
#define HOSTS_DIR "hosts"
#define RAW_FILE "dnsmasq.conf"
/* Each lease costs memory and a line in the file that is written anew with each change. */
#define LEASES_MAX 16384U
/* It starts in 15 ms; a host that is out of breath may take longer. */
#define START_TIMEOUT_MSEC 20000
#define STOP_TIMEOUT_MSEC 5000
#define OUTPUT_MAX 4096
#define RAW_MAX (1U << 20)

typedef struct Account {
        char *user, *group;
} Account;

static void account_clear(Account *account) {
        g_clear_pointer(&account->user, g_free);
        g_clear_pointer(&account->group, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Account, account_clear)

static void G_GNUC_PRINTF(2, 3) add(GPtrArray *arguments, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        g_ptr_array_add(arguments, g_strdup_vprintf(format, ap));
        va_end(ap);
}

/* Returns how many addresses are lent. */
static uint64_t add_ipv4_range(GPtrArray *arguments, const NetworkFamily *f, const Subnet *first,
                               const Subnet *last) {
        g_autofree char *first_text = subnet_address_to_string(first);
        g_autofree char *last_text = subnet_address_to_string(last);
        Subnet mask = subnet_netmask(&f->subnet);
        g_autofree char *mask_text = subnet_address_to_string(&mask);

        add(arguments, "--dhcp-range=%s,%s,%s,%s", first_text, last_text, mask_text, f->expiry);
        return subnet_to_uint32(last) - subnet_to_uint32(first) + 1;
}

static void add_ipv4(GPtrArray *arguments, const NetworkOptions *options) {
        const NetworkFamily *f = &options->ipv4;
        uint64_t count = 0;

        for (guint i = 0; i < f->ranges->len; i++) {
                const NetworkRange *range = &g_array_index(f->ranges, NetworkRange, i);

                count += add_ipv4_range(arguments, f, &range->first, &range->last);
        }
        if (f->ranges->len == 0) {
                Subnet first = subnet_first_host(&f->subnet), last = subnet_last_host(&f->subnet);

                count = add_ipv4_range(arguments, f, &first, &last);
        }
        /* Those with addresses of their own outside the ranges count too. */
        if (f->ranges->len > 0)
                count = LEASES_MAX;
        add(arguments, "--dhcp-lease-max=%" G_GUINT64_FORMAT, MIN(count, LEASES_MAX));
        if (options->mtu > 0)
                add(arguments, "--dhcp-option-force=option:mtu,%u", options->mtu);
        if (f->gateway.family != AF_UNSPEC) {
                g_autofree char *gateway = subnet_address_to_string(&f->gateway);

                add(arguments, "--dhcp-option-force=option:router,%s", gateway);
        }
}

static void add_ipv6_stateful(GPtrArray *arguments, const NetworkFamily *f) {
        Subnet first = f->subnet, last = f->subnet;

        for (guint i = 0; i < f->ranges->len; i++) {
                const NetworkRange *range = &g_array_index(f->ranges, NetworkRange, i);
                g_autofree char *from = subnet_address_to_string(&range->first);
                g_autofree char *to = subnet_address_to_string(&range->last);

                add(arguments, "--dhcp-range=%s,%s,%u,%s", from, to, f->subnet.prefix, f->expiry);
        }
        if (f->ranges->len == 0) {
                memset(first.bytes + 8, 0, 8);
                first.bytes[15] = 2;
                memset(last.bytes + 8, 0xff, 8);

                g_autofree char *from = subnet_address_to_string(&first);
                g_autofree char *to = subnet_address_to_string(&last);
                add(arguments, "--dhcp-range=%s,%s,%u,%s", from, to, f->subnet.prefix, f->expiry);
        }
}

static void add_ipv6(GPtrArray *arguments, const char *interface, const NetworkFamily *f) {
        add(arguments, "--enable-ra");
        if (f->stateful)
                add_ipv6_stateful(arguments, f);
        else if (f->dhcp)
                add(arguments, "--dhcp-range=::,constructor:%s,ra-stateless,ra-names,%s",
                    interface, f->expiry);
        else
                add(arguments, "--dhcp-range=::,constructor:%s,ra-only,%s", interface, f->expiry);
}

static void add_names(GPtrArray *arguments, const char *interface, const NetworkOptions *options) {
        if (options->dns_mode != NETWORK_DNS_NONE) {
                add(arguments, "--domain=%s", options->domain);
                add(arguments, "--local=/%s/", options->domain);
                add(arguments, "--interface-name=_gateway.%s,%s", options->domain, interface);
        }
        if (options->dns_mode != NETWORK_DNS_DYNAMIC)
                add(arguments, "--dhcp-ignore-names");
        if (options->search[0]) {
                g_autofree char *domains = g_strjoinv(",", options->search);

                add(arguments, "--dhcp-option-force=option:domain-search,%s", domains);
                add(arguments, "--dhcp-option-force=option6:domain-search,%s", domains);
        }
}

char **dnsmasq_arguments(const DnsmasqConfig *config, const char *user, const char *group) {
        const NetworkOptions *options = config->options;
        GPtrArray *arguments = g_ptr_array_new();

        add(arguments, "%s", DNSMASQ_PATH);
        if (options->raw_dnsmasq)
                add(arguments, "--conf-file=%s/" RAW_FILE, config->run_dir);
        else
                add(arguments, "--conf-file=/dev/null");
        add(arguments, "--no-hosts"); /* the host's names are none of the containers' business */
        add(arguments, "--bind-interfaces");
        add(arguments, "--interface=%s", config->interface);
        add(arguments, "--except-interface=lo");
        add(arguments, "--user=%s", user);
        add(arguments, "--group=%s", group);
        add(arguments, "--pid-file=%s/" PID_FILE, config->run_dir);
        add(arguments, "--dhcp-leasefile=%s", config->lease_file);
        add(arguments, "--dhcp-hostsdir=%s/" HOSTS_DIR, config->run_dir);
        add(arguments, "--dhcp-authoritative");
        add(arguments, "--dhcp-no-override");
        add(arguments, "--dhcp-ignore-clid");
        add(arguments, "--no-ping");
        /* A container could fill the host's log by asking for leases. */
        add(arguments, "--quiet-dhcp");
        add(arguments, "--quiet-dhcp6");
        add(arguments, "--quiet-ra");
        if (options->ipv4.subnet.family != AF_UNSPEC && options->ipv4.dhcp)
                add_ipv4(arguments, options);
        if (options->ipv6.subnet.family != AF_UNSPEC)
                add_ipv6(arguments, config->interface, &options->ipv6);
        add_names(arguments, config->interface, options);
        g_ptr_array_add(arguments, NULL);
        return (char **) g_ptr_array_free(arguments, FALSE);
}

/* Debian and Fedora make a user for it; "nobody" is what it would choose itself. */
static int find_account(Account *ret, Error *ret_error) {
        const struct passwd *user = getpwnam("dnsmasq");
        const struct group *group;

        if (!user)
                user = getpwnam("nobody");
        if (!user || user->pw_uid == 0)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Neither user \"dnsmasq\" nor \"nobody\" is there to run dnsmasq "
                                 "as; install the package dnsmasq-base");
        ret->user = g_strdup(user->pw_name);
        group = getgrgid(user->pw_gid);
        ret->group = group ? g_strdup(group->gr_name) : g_strdup_printf("%u", user->pw_gid);
        return 0;
}

/* The process in the pid file, if it runs dnsmasq with this pid file: 1, else 0. A number in a file
 * that dnsmasq itself can write proves nothing, its program and arguments do. */
static int find_running(int run_fd, const char *run_dir, DetachedProcess *ret) {
        g_autofree char *own = g_strdup_printf("--pid-file=%s/" PID_FILE, run_dir);
        g_auto(DetachedProcess) process = DETACHED_PROCESS_INIT;
        int r;

        r = detached_process_from_pid_file(run_fd, PID_FILE, &process);
        if (r == -ENOENT || r == -ESRCH)
                return 0;
        if (r < 0)
                return r;
        if (!detached_process_runs(&process, DNSMASQ_PATH) ||
            !g_strv_contains((const char *const *) process.arguments, own))
                return 0;
        *ret = process;
        process = DETACHED_PROCESS_INIT;
        return 1;
}

static int end_running(DetachedProcess *process, Error *ret_error) {
        int r;

        r = detached_process_end(process, STOP_TIMEOUT_MSEC);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot end dnsmasq, process %d",
                                       (int) process->pid);
        return 0;
}

/* Both are there before dnsmasq starts, since its sandbox lets it make no files elsewhere. */
static int make_files(const DnsmasqConfig *config, int run_fd, Error *ret_error) {
        g_autofree char *lease_dir_path = g_path_get_dirname(config->lease_file);
        g_autofree char *lease_name = g_path_get_basename(config->lease_file);
        _cleanup_close_ int lease_dir = -EBADF, lease = -EBADF, hosts = -EBADF;

        hosts = path_make_dir(run_fd, HOSTS_DIR, 0755);
        if (hosts < 0)
                return error_set_errno(ret_error, -hosts, "Cannot make the directory %s/" HOSTS_DIR,
                                       config->run_dir);
        lease_dir = path_open_dir(lease_dir_path);
        if (lease_dir < 0)
                return error_set_errno(ret_error, -lease_dir, "Cannot open the directory %s",
                                       lease_dir_path);
        lease = path_open_beneath(lease_dir, lease_name, O_RDWR | O_CREAT, 0600);
        if (lease < 0)
                return error_set_errno(ret_error, -lease, "Cannot make the lease file %s",
                                       config->lease_file);
        return 0;
}

/* What raw.dnsmasq says, in a file that dnsmasq itself may read and nobody else. Returns 1 when it
 * says something else than before. */
static int write_raw(const DnsmasqConfig *config, int run_fd, Error *ret_error) {
        const char *raw = config->options->raw_dnsmasq;
        _cleanup_close_ int fd = path_open_beneath(run_fd, RAW_FILE, O_RDONLY, 0);
        g_autofree char *old = NULL, *text = NULL;
        int r;

        if (!raw) {
                r = path_remove_file(run_fd, RAW_FILE);
                return r < 0 && r != -ENOENT
                               ? error_set_errno(ret_error, -r, "Cannot remove %s/" RAW_FILE,
                                                 config->run_dir)
                               : 0;
        }
        text = g_strconcat(raw, "\n", NULL);
        if (fd >= 0 && fd_read_text(fd, RAW_MAX, &old) >= 0 && g_str_equal(old, text))
                return 0;
        r = path_replace_file(run_fd, RAW_FILE, text, strlen(text), 0644);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot write %s/" RAW_FILE, config->run_dir)
                     : 1;
}

static void enter_sandbox(const DnsmasqConfig *config) {
        g_autofree char *resolv_conf = realpath("/etc/resolv.conf", NULL);
        g_autofree char *resolv_dir = g_path_get_dirname(resolv_conf ?: "/etc/resolv.conf");
        const SandboxPath paths[] = {
                { "/usr", SANDBOX_EXECUTE },
                { "/lib", SANDBOX_EXECUTE },
                { "/lib64", SANDBOX_EXECUTE },
                { "/bin", SANDBOX_EXECUTE },
                { "/sbin", SANDBOX_EXECUTE },
                { "/nix/store", SANDBOX_EXECUTE },
                { "/gnu/store", SANDBOX_EXECUTE },
                { "/etc", SANDBOX_READ },
                /* Its file of name servers is replaced, so the directory must be readable. */
                { resolv_dir, SANDBOX_READ },
                { "/proc", SANDBOX_READ },
                { "/dev/null", SANDBOX_WRITE },
                { "/dev/urandom", SANDBOX_READ },
                { config->run_dir, SANDBOX_CREATE },
                { config->lease_file, SANDBOX_WRITE },
                { NULL },
        };
        /* Of the six, it gives up all but the last three once it has changed its user. */
        const uint64_t capabilities =
                UINT64_C(1) << CAP_CHOWN | UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID |
                UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_NET_RAW |
                UINT64_C(1) << CAP_NET_BIND_SERVICE;
        int r;

        r = sandbox_enter(capabilities, paths);
        if (r < 0) {
                dprintf(STDERR_FILENO, "cannot enter its sandbox: %s\n", g_strerror(-r));
                _exit(EXIT_FAILURE);
        }
}

static void G_GNUC_NORETURN execute(const DnsmasqConfig *config, char **arguments, int output) {
        char *const environment[] = { NULL };
        sigset_t none;
        int null_fd;

        /* An ignored signal stays ignored across execve(). */
        (void) signal(SIGPIPE, SIG_DFL);
        (void) signal(SIGTERM, SIG_DFL);
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) setsid();

        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0 ||
            dup2(output, STDERR_FILENO) < 0 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ||
            chdir("/") < 0)
                _exit(EXIT_FAILURE);
        enter_sandbox(config);
        (void) execve(DNSMASQ_PATH, arguments, environment);
        dprintf(STDERR_FILENO, "cannot execute " DNSMASQ_PATH ": %s\n", g_strerror(errno));
        _exit(EXIT_FAILURE);
}

/* What dnsmasq had to say: the last line of its output, printable characters only. */
static char *read_complaint(int output) {
        g_autoptr(GBytes) bytes = NULL;
        g_auto(GStrv) lines = NULL;
        g_autofree char *text = NULL;
        size_t n;

        if (lseek(output, 0, SEEK_SET) < 0 || fd_read_all(output, OUTPUT_MAX, &bytes) < 0 ||
            g_bytes_get_size(bytes) == 0)
                return g_strdup("no reason given");
        text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        g_strstrip(text);
        lines = g_strsplit(text, "\n", -1);
        n = g_strv_length(lines);
        if (n == 0)
                return g_strdup("no reason given");
        for (char *p = lines[n - 1]; *p; p++)
                if (!g_ascii_isprint(*p))
                        *p = '?';
        return g_strdup(g_str_has_prefix(lines[n - 1], "dnsmasq: ")
                                ? lines[n - 1] + strlen("dnsmasq: ") : lines[n - 1]);
}

/* Without --keep-in-foreground the process that was started ends only when its child, the one that
 * stays, has bound its sockets and written the pid file: its exit status is the answer. */
static int start(const DnsmasqConfig *config, char **arguments, Error *ret_error) {
        _cleanup_close_ int output = memfd_create("dnsmasq-output", MFD_CLOEXEC), pidfd = -EBADF;
        pid_t pid;
        int status, r;

        if (output < 0)
                return error_set_errno(ret_error, errno, "Cannot make a file in memory");
        pid = fork();
        if (pid < 0)
                return error_set_errno(ret_error, errno, "Cannot start dnsmasq");
        if (pid == 0)
                execute(config, arguments, output);

        pidfd = fd_pidfd_open(pid);
        r = pidfd < 0 ? pidfd : detached_process_await_exit(pidfd, START_TIMEOUT_MSEC);
        if (r < 0)
                (void) kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot await the start of dnsmasq for %s",
                                       config->interface);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS) {
                g_autofree char *complaint = read_complaint(output);

                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "Cannot start dnsmasq for %s: %s", config->interface, complaint);
        }
        return 0;
}

/* dnsmasq reads the hosts directory as its own user, and says nothing when it cannot. */
static int check_searchable(const char *path, Error *ret_error) {
        g_autofree char *ancestor = g_strdup(path);

        while (!g_str_equal(ancestor, "/")) {
                g_autofree char *child = g_steal_pointer(&ancestor);
                struct stat st;

                if (stat(child, &st) < 0)
                        return error_set_errno(ret_error, errno, "Cannot look at the directory %s",
                                               child);
                if (!(st.st_mode & S_IXOTH))
                        return error_set(ret_error, ERROR_FAILED,
                                         "Directory %s is closed to dnsmasq, which must read %s/"
                                         HOSTS_DIR "; make it searchable for all", child, path);
                ancestor = g_path_get_dirname(child);
        }
        return 0;
}

static int open_run_dir(const char *path, Error *ret_error) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = path_make_dirs(path, 0755);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot make the directory %s", path);
        fd = path_open_dir(path);
        if (fd < 0)
                return error_set_errno(ret_error, -fd, "Cannot open the directory %s", path);
        r = check_searchable(path, ret_error);
        if (r < 0)
                return r;
        return TAKE_FD(fd);
}

/* Out of berthd's own unit, which ends before it. It works without. */
static void enter_scope(const DnsmasqConfig *config, pid_t pid) {
        g_autofree char *unit = scope_of_network(config->interface);
        g_autofree char *description =
                g_strdup_printf("Addresses and names of network %s of berth", config->interface);
        g_auto(Error) error = ERROR_INIT;

        if (scope_has_systemd() && scope_create(unit, description, pid, &error) < 0)
                log_warning("dnsmasq for %s has no unit: %s", config->interface, error.message);
}

int dnsmasq_ensure(const DnsmasqConfig *config, bool restart, pid_t *ret_pid, int *ret_pidfd,
                   Error *ret_error) {
        g_auto(Account) account = { 0 };
        g_auto(DetachedProcess) process = DETACHED_PROCESS_INIT;
        g_auto(GStrv) arguments = NULL;
        int r;

        r = find_account(&account, ret_error);
        if (r < 0)
                return r;
        arguments = dnsmasq_arguments(config, account.user, account.group);

        _cleanup_close_ int run_fd = open_run_dir(config->run_dir, ret_error);
        if (run_fd < 0)
                return run_fd;
        r = write_raw(config, run_fd, ret_error);
        if (r < 0)
                return r;
        restart = restart || r > 0;
        r = find_running(run_fd, config->run_dir, &process);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read %s/" PID_FILE, config->run_dir);
        if (r > 0 && (restart || detached_process_is_outdated(&process) ||
                      !g_strv_equal((const char *const *) process.arguments,
                                    (const char *const *) arguments))) {
                r = end_running(&process, ret_error);
                if (r < 0)
                        return r;
                detached_process_clear(&process);
                r = 0;
        }
        if (r == 0) {
                r = make_files(config, run_fd, ret_error);
                if (r < 0)
                        return r;
                r = start(config, arguments, ret_error);
                if (r < 0)
                        return r;
                r = find_running(run_fd, config->run_dir, &process);
                if (r <= 0)
                        return error_set(ret_error, ERROR_BACKEND_FAILED,
                                         "dnsmasq for %s ended as soon as it had started",
                                         config->interface);
                enter_scope(config, process.pid);
        }
        *ret_pid = process.pid;
        *ret_pidfd = TAKE_FD(process.pidfd);
        return 0;
}

int dnsmasq_stop(const char *run_dir, Error *ret_error) {
        g_auto(DetachedProcess) process = DETACHED_PROCESS_INIT;
        int r;

        _cleanup_close_ int run_fd = path_open_dir(run_dir);
        if (run_fd == -ENOENT)
                return 0;
        if (run_fd < 0)
                return error_set_errno(ret_error, -run_fd, "Cannot open the directory %s", run_dir);

        r = find_running(run_fd, run_dir, &process);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot read %s/" PID_FILE, run_dir);
        if (r > 0) {
                r = end_running(&process, ret_error);
                if (r < 0)
                        return r;
        }
        r = path_remove_file(run_fd, PID_FILE);
        if (r >= 0 || r == -ENOENT)
                r = path_remove_file(run_fd, RAW_FILE);
        if (r >= 0 || r == -ENOENT)
                r = path_remove_tree(run_fd, HOSTS_DIR);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot empty the directory %s", run_dir);
        return 0;
}
