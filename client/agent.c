/* SPDX-License-Identifier: Apache-2.0 */
#include "client/agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-login.h>

#include "service/util/cleanup.h"

/* In the child: the agent talks to the terminal, wherever our own streams lead. */
static void G_GNUC_NORETURN agent_exec(int notify_fd) {
        g_autofree char *notify = g_strdup_printf("%d", notify_fd);
        sigset_t none;
        int tty;

        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);

        tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (tty < 0)
                _exit(EXIT_FAILURE);
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (dup2(tty, fd) < 0)
                        _exit(EXIT_FAILURE);
        if (fcntl(notify_fd, F_SETFD, 0) < 0)
                _exit(EXIT_FAILURE);
        /* A desktop's own agent goes first; but polkit forgets about fallbacks for who has no
         * session. */
        (void) execlp("pkttyagent", "pkttyagent", "--notify-fd", notify,
                      sd_pid_get_session(0, NULL) >= 0 ? "--fallback" : NULL, (char *) NULL);
        _exit(EXIT_FAILURE);
}

int agent_open(Agent *agent, AgentTerminal where) {
        int fds[2];
        _cleanup_close_ int ready = -EBADF, notify = -EBADF;
        struct pollfd p;

        if (agent->pid > 0 || geteuid() == 0 ||
            (where == AGENT_ON_INPUT && !isatty(STDIN_FILENO)))
                return 0;
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        ready = fds[0];
        notify = fds[1];

        agent->pid = fork();
        if (agent->pid < 0) {
                agent->pid = 0;
                return -errno;
        }
        if (agent->pid == 0)
                agent_exec(notify);

        /* It closes its end when it is registered, and so does its death. */
        notify = fd_close(notify);
        p = (struct pollfd) { .fd = ready, .events = POLLHUP };
        while (poll(&p, 1, -1) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

void agent_close(Agent *agent) {
        if (agent->pid <= 0)
                return;

        (void) kill(agent->pid, SIGTERM);
        (void) kill(agent->pid, SIGCONT);
        while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        agent->pid = 0;
}
