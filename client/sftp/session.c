/* SPDX-License-Identifier: Apache-2.0 */
#include "client/sftp/session.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>
#include <libssh/callbacks.h>

#include "client/sftp/requests.h"

/* How often a password may be wrong, and how long all may take until the files are asked for. */
#define ATTEMPTS_MAX 3
#define LOGIN_TIMEOUT_SEC 60
/* How long who has closed his channel may take to go. */
#define GOODBYE_TIMEOUT_SEC 5

typedef struct Session {
        const Access *access;
        ssh_session ssh;
        ssh_channel channel;
        struct ssh_channel_callbacks_struct channel_callbacks;
        unsigned attempts;
        bool authenticated;
        bool wants_files;
} Session;

/* Takes as long whatever is wrong. */
static bool is_same(const char *given, const char *secret) {
        size_t n = strlen(secret), wrong = strlen(given) != n;

        for (size_t i = 0; i < n && given[i]; i++)
                wrong |= (unsigned char) given[i] ^ (unsigned char) secret[i];
        return wrong == 0;
}

static int on_password(ssh_session ssh, const char *user, const char *password, void *userdata) {
        Session *session = userdata;
        bool is_user, is_password;

        if (!session->access->user || session->attempts >= ATTEMPTS_MAX)
                return SSH_AUTH_DENIED;
        is_user = is_same(user, session->access->user);
        is_password = is_same(password, session->access->password);
        session->authenticated = is_user && is_password;
        session->attempts++;
        return session->authenticated ? SSH_AUTH_SUCCESS : SSH_AUTH_DENIED;
}

static int on_no_password(ssh_session ssh, const char *user, void *userdata) {
        Session *session = userdata;

        session->authenticated = !session->access->user;
        return session->authenticated ? SSH_AUTH_SUCCESS : SSH_AUTH_DENIED;
}

static int on_subsystem(ssh_session ssh, ssh_channel channel, const char *name, void *userdata) {
        Session *session = userdata;

        if (!g_str_equal(name, "sftp"))
                return SSH_ERROR;
        session->wants_files = true;
        return SSH_OK;
}

static ssh_channel on_channel(ssh_session ssh, void *userdata) {
        Session *session = userdata;

        if (!session->authenticated || session->channel)
                return NULL;
        session->channel = ssh_channel_new(ssh);
        if (session->channel)
                (void) ssh_set_channel_callbacks(session->channel, &session->channel_callbacks);
        return session->channel;
}

static bool is_alive(const Session *session) {
        return !(ssh_get_status(session->ssh) & (SSH_CLOSED | SSH_CLOSED_ERROR));
}

/* Handles what comes, as long as `goes_on` says so; false where the connection ended first. */
static bool handle_while(Session *session, bool (*goes_on)(const Session *session)) {
        ssh_event event = ssh_event_new();
        bool alive = event && ssh_event_add_session(event, session->ssh) == SSH_OK;

        while (alive && goes_on(session))
                alive = ssh_event_dopoll(event, -1) == SSH_OK && is_alive(session);
        if (event)
                ssh_event_free(event);
        return alive;
}

static bool is_at_the_door(const Session *session) {
        return !session->wants_files &&
               (session->authenticated || session->attempts < ATTEMPTS_MAX);
}

static void serve_files(Session *session, int root) {
        sftp_session sftp = sftp_server_new(session->ssh, session->channel);
        const char *banner = ssh_get_clientbanner(session->ssh);

        if (!sftp)
                return;
        /* What is made with libssh keeps to the letter unless it talks to an OpenSSH; all others
         * do as OpenSSH does. */
        if (sftp_server_init(sftp) == 0)
                requests_serve(sftp, root, !banner || !strstr(banner, "libssh_"));
        sftp_server_free(sftp);
        (void) ssh_channel_request_send_exit_status(session->channel, 0);
        (void) ssh_channel_send_eof(session->channel);
        (void) ssh_channel_close(session->channel);
        /* He says good-bye himself, or is told that the connection broke. */
        (void) alarm(GOODBYE_TIMEOUT_SEC);
        (void) handle_while(session, is_alive);
}

void session_serve(const Access *access, int connection, int root) {
        Session session = { .access = access, .ssh = ssh_new() };
        struct ssh_server_callbacks_struct callbacks = {
                .userdata = &session,
                .auth_none_function = on_no_password,
                .auth_password_function = on_password,
                .channel_open_request_session_function = on_channel,
        };

        session.channel_callbacks = (struct ssh_channel_callbacks_struct) {
                .userdata = &session,
                .channel_subsystem_request_function = on_subsystem,
        };
        if (!session.ssh)
                return;
        ssh_callbacks_init(&callbacks);
        ssh_callbacks_init(&session.channel_callbacks);
        (void) alarm(LOGIN_TIMEOUT_SEC);
        ssh_set_auth_methods(session.ssh,
                             access->user ? SSH_AUTH_METHOD_PASSWORD : SSH_AUTH_METHOD_NONE);
        if (ssh_bind_accept_fd(access->bind, session.ssh, connection) == SSH_OK &&
            ssh_set_server_callbacks(session.ssh, &callbacks) == SSH_OK &&
            ssh_handle_key_exchange(session.ssh) == SSH_OK &&
            handle_while(&session, is_at_the_door) && session.wants_files) {
                (void) alarm(0);
                serve_files(&session, root);
        }
        ssh_disconnect(session.ssh);
        ssh_free(session.ssh);
}
