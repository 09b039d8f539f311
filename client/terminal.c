/* SPDX-License-Identifier: Apache-2.0 */
#include "client/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "service/util/cleanup.h"

/* Mutable globals, because a signal handler has nothing else to find them by. */
static struct termios saved;
static volatile sig_atomic_t is_raw;

void terminal_restore(void) {
        if (!is_raw)
                return;
        is_raw = false;
        (void) tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
}

static void on_crash(int signal_number) {
        terminal_restore();
        (void) signal(signal_number, SIG_DFL);
        (void) raise(signal_number);
}

int terminal_set_raw(void) {
        static const int crashes[] = { SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE };
        struct sigaction action = { .sa_handler = on_crash };
        struct termios raw;

        if (!isatty(STDIN_FILENO))
                return 0;
        if (tcgetattr(STDIN_FILENO, &saved) < 0)
                return -errno;
        for (size_t i = 0; i < ELEMENTSOF(crashes); i++)
                if (sigaction(crashes[i], &action, NULL) < 0)
                        return -errno;
        raw = saved;
        cfmakeraw(&raw);
        is_raw = true;
        if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0) {
                is_raw = false;
                return -errno;
        }
        return 0;
}

void terminal_get_size(unsigned *ret_columns, unsigned *ret_rows) {
        struct winsize size = { 0 };

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                (void) ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
        *ret_columns = size.ws_col > 0 ? size.ws_col : 80;
        *ret_rows = size.ws_row > 0 ? size.ws_row : 24;
}
