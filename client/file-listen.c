/* SPDX-License-Identifier: Apache-2.0 */
#include "client/file-listen.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/format.h"
#include "client/fuse-mount.h"
#include "client/job.h"
#include "service/util/cleanup.h"

#define SERVER BERTH_LIBEXEC_DIR "/berth-sftp"
/* As lxc has it where nothing is said: a port that is free. */
#define DEFAULT_ADDRESS "127.0.0.1:0"
/* Where the server expects what listens, and the files. */
#define LISTEN_FD 3
#define ROOT_FD 4

/* --- where it listens --- */

/* "HOST:PORT", "[IPV6]:PORT" or ":PORT", which is every address that there is. */
static int parse_address(const char *text, char **ret_host, char **ret_port, Error *ret_error) {
        const char *colon = strrchr(text, ':');
        g_autofree char *host = colon ? g_strndup(text, (gsize) (colon - text)) : NULL;
        guint64 port;
        size_t n;

        if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &port, NULL))
                return client_usage_error(ret_error, "--listen '%s' is not ADDRESS:PORT", text);
        n = strlen(host);
        if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
                host[n - 1] = '\0';
                memmove(host, host + 1, n - 1);
        } else if (strchr(host, ':'))
                return client_usage_error(ret_error,
                                          "--listen '%s' is not ADDRESS:PORT; an IPv6 address is "
                                          "put in brackets, such as [::1]:2222",
                                          text);
        *ret_host = TAKE_PTR(host);
        *ret_port = g_strdup(colon + 1);
        return 0;
}

static int listen_on(const struct addrinfo *a) {
        _cleanup_close_ int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int on = 1, off = 0;

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                return -errno;
        if (a->ai_family == AF_INET6 &&
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
                return -errno;
        if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static bool is_loopback(const struct addrinfo *a) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *) a->ai_addr;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) a->ai_addr;

        return a->ai_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)
                                        : ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* Returns what listens; *ret_is_local where nobody on another machine can come. */
static int open_listener(const char *text, bool *ret_is_local, Error *ret_error) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
        g_autofree char *host = NULL, *port = NULL;
        struct addrinfo *found = NULL;
        int fd, r;

        r = parse_address(text, &host, &port, ret_error);
        if (r < 0)
                return r;
        g_assert(host && port);
        r = getaddrinfo(*host ? host : "::", port, &hints, &found);
        if (r != 0)
                return error_set(ret_error, ERROR_INVALID_ARGS, "There is no address '%s': %s",
                                 host, gai_strerror(r));
        *ret_is_local = is_loopback(found);
        fd = listen_on(found);
        freeaddrinfo(found);
        /* A host without IPv6. */
        if (fd == -EAFNOSUPPORT && !*host) {
                g_autofree char *other = g_strconcat("0.0.0.0:", port, NULL);

                return open_listener(other, ret_is_local, ret_error);
        }
        return fd < 0 ? error_set_errno(ret_error, -fd, "Cannot listen on '%s'", text) : fd;
}

/* --- the server --- */

/* It ends when the pipe to its standard input is closed. */
typedef struct Server {
        pid_t pid;
        int pipe;
} Server;

#define SERVER_INIT ((Server) { .pid = -1, .pipe = -EBADF })

/* Returns whether it did so when it was to. */
static bool server_end(Server *server) {
        int status = 0;

        server->pipe = fd_close(server->pipe);
        while (server->pid > 0 && waitpid(server->pid, &status, 0) < 0 && errno == EINTR)
                ;
        server->pid = -1;
        return status == 0;
}

static void server_done(Server *server) {
        (void) server_end(server);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Server, server_done)

/* `user`: NULL lets everybody in, "" makes a name up. Keys of the terminal are for us alone. */
static int server_start(Server *server, const char *user, int listener, int root,
                        Error *ret_error) {
        char *const argv[] = { (char *) "berth-sftp", (char *) user, NULL };
        posix_spawn_file_actions_t actions;
        /* Out of the way of those numbers. */
        _cleanup_close_ int listening = fcntl(listener, F_DUPFD_CLOEXEC, ROOT_FD + 1);
        _cleanup_close_ int files = fcntl(root, F_DUPFD_CLOEXEC, ROOT_FD + 1);
        _cleanup_close_ int theirs = -EBADF;
        posix_spawnattr_t attributes;
        int ends[2], r;

        if (listening < 0 || files < 0)
                return error_set_errno(ret_error, errno, "Cannot hand on what the server needs");
        if (pipe2(ends, O_CLOEXEC) < 0)
                return error_set_errno(ret_error, errno, "Cannot make a pipe");
        theirs = ends[0];
        server->pipe = ends[1];
        (void) posix_spawnattr_init(&attributes);
        (void) posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        (void) posix_spawn_file_actions_init(&actions);
        r = posix_spawn_file_actions_adddup2(&actions, theirs, STDIN_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, listening, LISTEN_FD);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, files, ROOT_FD);
        if (r == 0)
                r = posix_spawn(&server->pid, SERVER, &actions, &attributes, argv, environ);
        (void) posix_spawn_file_actions_destroy(&actions);
        (void) posix_spawnattr_destroy(&attributes);
        if (r == 0)
                return 0;
        server->pid = -1;
        return error_set_errno(ret_error, r, "Cannot run " SERVER);
}

/* --- the files --- */

static void directory_remove(char **directory) {
        if (*directory)
                (void) rmdir(*directory);
        g_clear_pointer(directory, g_free);
}

/* Of the user's alone, where what is forgotten goes with his session or the next boot. */
static int make_directory(char **ret, Error *ret_error) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        g_autofree char *directory = g_build_filename(runtime && *runtime ? runtime
                                                                          : g_get_tmp_dir(),
                                                      "berth-sftp-XXXXXX", NULL);

        if (!g_mkdtemp(directory))
                return error_set_errno(ret_error, errno, "Cannot make '%s'", directory);
        *ret = TAKE_PTR(directory);
        return 0;
}

/* Mounts and starts the job that serves the mount; what is left of it here is *ret_root, which
 * others on this machine have no name for. */
static int mount_unseen(Client *c, const FilePlace *source, int *ret_root, Job **ret,
                        Error *ret_error) {
        __attribute__((cleanup(directory_remove))) char *directory = NULL;
        g_auto(MountGuard) guard = MOUNT_GUARD_INIT;
        _cleanup_close_ int fuse = -EBADF;
        int r;

        r = make_directory(&directory, ret_error);
        if (r >= 0)
                r = mount_guard_start(&guard, directory, ret_error);
        if (r < 0)
                return r;
        r = fuse_mount(client_argument(c, 0), directory, &fuse, ret_error);
        if (r < 0) {
                mount_guard_dismiss(&guard);
                return r;
        }
        r = job_start(c, OBJECT_CONTAINER, source->container, "MountFiles",
                      g_variant_new("(sh@a{sv})", source->path, fuse,
                                    g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0)),
                      ret, ret_error);
        if (r < 0)
                return r;
        *ret_root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (*ret_root < 0)
                return error_set_errno(ret_error, errno, "Cannot open '%s'", directory);
        return 0;
}

static int serve(Client *c, const FilePlace *source, const char *user, int listener,
                 Error *ret_error) {
        _cleanup_close_ int listening = listener, root = -EBADF;
        g_auto(Server) server = SERVER_INIT;
        g_auto(Error) error = ERROR_INIT;
        g_autoptr(Job) job = NULL;
        int r;

        r = mount_unseen(c, source, &root, &job, ret_error);
        if (r >= 0)
                r = server_start(&server, user, listening, root, ret_error);
        if (r < 0)
                return r;
        /* It is the server's alone: the mount ends with it, and the job with the mount. */
        root = fd_close(root);
        listening = fd_close(listening);
        r = job_wait(job, &error);
        if (!server_end(&server) && r >= 0)
                return error_set(ret_error, ERROR_FAILED, "The SFTP server ended unexpectedly");
        /* That was what to wait for. */
        if (r < 0 && error.code == ERROR_CANCELLED)
                return 0;
        error_move(ret_error, &error);
        return r;
}

static void warn(const char *address, bool is_local, bool with_password) {
        if (!with_password)
                fprintf(stderr,
                        "Warning: everybody %s can read and change these files as the container's "
                        "root\n",
                        is_local ? "on this machine" : "who can reach this machine");
        else if (!is_local)
                fprintf(stderr,
                        "Warning: '%s' can be reached from other machines; who has the password "
                        "can read and change these files as the container's root\n",
                        address);
}

int file_listen(Client *c, const FilePlace *source, Error *ret_error) {
        const char *address = client_option(c, "listen"), *user = client_option(c, "auth-user");
        bool everybody = client_flag(c, "no-auth"), is_local;
        g_autofree char *shown = NULL;
        int listener;

        if (everybody && user)
                return client_usage_error(ret_error,
                                          "--no-auth and --auth-user exclude each other");
        if (user && !*user)
                return client_usage_error(ret_error, "--auth-user has no name");
        if (!address)
                address = DEFAULT_ADDRESS;
        listener = open_listener(address, &is_local, ret_error);
        if (listener < 0)
                return listener;
        shown = format_printable(address);
        warn(shown, is_local, !everybody);
        return serve(c, source, everybody ? NULL : user ? user : "", listener, ret_error);
}
