/* SPDX-License-Identifier: Apache-2.0 */
#include "client/agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <systemd/sd-login.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define END_MSEC 1000

/* Mutable globals, because a signal handler has nothing else to find them by. */
static volatile sig_atomic_t running; /* pid of the agent, 0 for none */
static struct termios saved;
static int terminal = -EBADF;

/* The agent turns the echo off to have a password typed, and there are moments in which it ends
 * without knowing that it has. What is in the background leaves the terminal alone. */
static void restore_echo(void) {
        struct termios now;
        sigset_t set;

        if (terminal < 0 || tcgetpgrp(terminal) != getpgrp() || tcgetattr(terminal, &now) < 0 ||
            (now.c_lflag & ECHO) || !(saved.c_lflag & ECHO))
                return;
        (void) sigemptyset(&set);
        (void) sigaddset(&set, SIGTTOU);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        (void) tcsetattr(terminal, TCSANOW, &saved);
        (void) sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Where nobody waits for a job we end at once, and the agent must not be left with the terminal. */
static void on_end(int signal_number) {
        pid_t pid = running;

        running = 0;
        if (pid > 0) {
                (void) kill(pid, SIGKILL);
                (void) waitpid(pid, NULL, 0);
                restore_echo();
        }
        (void) signal(signal_number, SIG_DFL);
        (void) raise(signal_number);
}

static void catch_ends(void) {
        static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
        struct sigaction action = { .sa_handler = on_end }, old;

        (void) sigfillset(&action.sa_mask);
        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (sigaction(ends[i], NULL, &old) >= 0 && old.sa_handler == SIG_DFL)
                        (void) sigaction(ends[i], &action, NULL);
}

/* How the terminal is before the agent has it. */
static void save_terminal(void) {
        terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (terminal >= 0 && tcgetattr(terminal, &saved) < 0)
                terminal = fd_close(terminal);
}

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

        save_terminal();
        catch_ends();
        agent->pid = fork();
        if (agent->pid < 0) {
                agent->pid = 0;
                return -errno;
        }
        if (agent->pid == 0)
                agent_exec(notify);
        running = agent->pid;

        /* It closes its end when it is registered, and so does its death. */
        notify = fd_close(notify);
        p = (struct pollfd) { .fd = ready, .events = POLLHUP };
        while (poll(&p, 1, -1) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

void agent_close(Agent *agent) {
        _cleanup_close_ int pidfd = -EBADF;
        struct pollfd p = { .events = POLLIN };

        if (agent->pid <= 0)
                return;

        p.fd = pidfd = fd_pidfd_open(agent->pid);
        (void) kill(agent->pid, SIGTERM);
        (void) kill(agent->pid, SIGCONT);
        /* One that the terminal has stopped again does not hold us up. */
        if (pidfd < 0 || poll(&p, 1, END_MSEC) <= 0)
                (void) kill(agent->pid, SIGKILL);
        while (waitpid(agent->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        running = agent->pid = 0;
        restore_echo();
        terminal = fd_close(terminal);
}
