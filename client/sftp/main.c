/* SPDX-License-Identifier: Apache-2.0 */

/*
 * berth-sftp: serves a directory over SFTP, for `berth file mount --listen`, as the user who has
 * called that: berth-sftp [USER]
 *
 * Standard input is held open by who wants the server and closed when it is to end; fd 3 listens,
 * fd 4 is the directory. Without a user name everybody is let in; with an empty one a name is made
 * up. Host key and password are made for this one run and kept nowhere. Each connection has a
 * process of its own.
 *
 * It is a program of its own since libssh takes longer to load than `berth list` runs.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

#include "client/sftp/session.h"
#include "client/sftp/tree.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define LISTEN_FD 3
#define ROOT_FD 4

/* Connections at a time; the next one waits. */
#define SESSIONS_MAX 32
#define USER_LENGTH 8
#define PASSWORD_LENGTH 20

/* A word of that many letters and digits that nobody can guess. */
static char *make_secret(size_t length) {
        static const char letters[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        g_autofree char *secret = g_malloc0(length + 1);
        size_t n = 0;

        while (n < length) {
                unsigned char byte;

                if (getrandom(&byte, sizeof(byte), 0) != sizeof(byte))
                        return NULL;
                /* No letter is likelier than another. */
                if (byte < 256 / (sizeof(letters) - 1) * (sizeof(letters) - 1))
                        secret[n++] = letters[byte % (sizeof(letters) - 1)];
        }
        return TAKE_PTR(secret);
}

/* Returns what the key is known by. */
static char *make_host_key(ssh_bind bind) {
        g_autofree char *shown = NULL;
        unsigned char *hash = NULL;
        bool no_config = false;
        ssh_key key = NULL;
        size_t size;
        char *text;

        if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK)
                return NULL;
        if (ssh_get_publickey_hash(key, SSH_PUBLICKEY_HASH_SHA256, &hash, &size) == 0) {
                text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, size);
                shown = g_strdup(text);
                ssh_string_free_char(text);
                ssh_clean_pubkey_hash(&hash);
        }
        /* What the host's administrator has for other servers is not for this one. */
        if (ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no_config) < 0 ||
            ssh_bind_options_set(bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) < 0) {
                ssh_key_free(key);
                return NULL;
        }
        /* The key is the bind's now. */
        return TAKE_PTR(shown);
}

static void announce(const Access *access, const char *key) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        char host[INET6_ADDRSTRLEN] = "?";
        in_port_t port = 0;

        if (getsockname(LISTEN_FD, (struct sockaddr *) &address, &size) == 0) {
                const struct sockaddr_in *v4 = (const struct sockaddr_in *) &address;
                const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) &address;
                bool is_v6 = address.ss_family == AF_INET6;

                (void) inet_ntop(address.ss_family,
                                 is_v6 ? (const void *) &v6->sin6_addr : &v4->sin_addr, host,
                                 sizeof(host));
                port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
        }
        printf(strchr(host, ':') ? "SSH SFTP listening on [%s]:%u\n"
                                 : "SSH SFTP listening on %s:%u\n",
               host, port);
        printf("Its host key is %s\n", key);
        if (access->user)
                printf("Login with username \"%s\" and password \"%s\"\n", access->user,
                       access->password);
        else
                printf("Login without username and password\n");
        (void) fflush(stdout);
}

static bool start_session(const Access *access, int connection, pid_t server) {
        pid_t pid = fork();

        if (pid != 0)
                return pid > 0;
        /* It ends with the server, which may be killed. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != server)
                _exit(EXIT_FAILURE);
        (void) signal(SIGPIPE, SIG_IGN);
        (void) close(STDIN_FILENO);
        (void) close(LISTEN_FD);
        if (tree_confine(ROOT_FD) < 0)
                _exit(EXIT_FAILURE);
        session_serve(access, connection, ROOT_FD);
        _exit(EXIT_SUCCESS);
}

static unsigned reap(int signal_fd) {
        struct signalfd_siginfo info;
        unsigned n = 0;

        while (read(signal_fd, &info, sizeof(info)) > 0)
                ;
        while (waitpid(-1, NULL, WNOHANG) > 0)
                n++;
        return n;
}

static int watch_children(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int serve(const Access *access) {
        _cleanup_close_ int signal_fd = watch_children();
        pid_t self = getpid();
        unsigned n = 0;

        if (signal_fd < 0)
                return signal_fd;
        for (;;) {
                struct pollfd fds[] = {
                        { .fd = STDIN_FILENO },
                        { .fd = signal_fd, .events = POLLIN },
                        { .fd = n < SESSIONS_MAX ? LISTEN_FD : -1, .events = POLLIN },
                };
                _cleanup_close_ int connection = -EBADF;

                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return -errno;
                if (fds[0].revents)
                        return 0;
                if (fds[1].revents)
                        n -= reap(signal_fd);
                if (!fds[2].revents)
                        continue;
                connection = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);
                if (connection >= 0 && start_session(access, connection, self))
                        n++;
        }
}

int main(int argc, char **argv) {
        Access access = { .bind = ssh_bind_new() };
        g_autofree char *user = NULL, *password = NULL, *key = NULL;
        int r;

        if (argc > 2 || fcntl(LISTEN_FD, F_GETFD) < 0 || fcntl(ROOT_FD, F_GETFD) < 0 ||
            fd_set_nonblock(LISTEN_FD, true) < 0) {
                fprintf(stderr, "berth-sftp is started by 'berth file mount --listen'\n");
                return EXIT_FAILURE;
        }
        if (argc == 2) {
                user = *argv[1] ? g_strdup(argv[1]) : make_secret(USER_LENGTH);
                password = make_secret(PASSWORD_LENGTH);
        }
        key = access.bind ? make_host_key(access.bind) : NULL;
        if (!key || (argc == 2 && (!user || !password))) {
                fprintf(stderr, "berth-sftp cannot make a key\n");
                return EXIT_FAILURE;
        }
        access.user = user;
        access.password = password;
        announce(&access, key);
        r = serve(&access);
        if (r < 0)
                fprintf(stderr, "berth-sftp cannot wait for connections: %s\n", g_strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
