/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/console.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <lxc/lxccontainer.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/tail.h"
#include "service/worker/operations.h"
#include "service/worker/runtime/cgroup.h"
#include "service/worker/runtime/console-relay.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/process.h"
#include "service/worker/runtime/terminal.h"
#include "service/worker/runtime/wait.h"

/* The console's own tty; those of lxc.tty.max would count from 1. */
#define CONSOLE_TTY 0

typedef struct Console {
        const char *name, *lxc_path, *log_file;
        bool history;
        uint32_t width, height;
        int lock;  /* the monitor keeps the console ours as long as this socket is open */
        int proxy; /* master of the terminal that the monitor copies through */
        int master, slave;
        int monitor_fd;
} Console;

#define CONSOLE_INIT ((Console) { \
        .lock = -EBADF, .proxy = -EBADF, .master = -EBADF, .slave = -EBADF, .monitor_fd = -EBADF })

static void console_done(Console *c) {
        c->proxy = fd_close(c->proxy);
        c->lock = fd_close(c->lock);
        c->master = fd_close(c->master);
        c->slave = fd_close(c->slave);
        c->monitor_fd = fd_close(c->monitor_fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Console, console_done)

static int read_args(Worker *worker, Console *c, Error *ret_error) {
        g_autoptr(GVariant) width = NULL, height = NULL;
        int r;

        r = worker_get_string(worker, "name", &c->name, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "lxc-path", &c->lxc_path, ret_error);
        if (r >= 0)
                r = worker_get_string(worker, "console-log", &c->log_file, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "history", &c->history, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "width", "u", &width, ret_error);
        if (r >= 0)
                r = worker_get_variant(worker, "height", "u", &height, ret_error);
        if (r < 0)
                return r;
        c->width = g_variant_get_uint32(width);
        c->height = g_variant_get_uint32(height);
        if (!container_name_is_valid(c->name) || !container_path_is_plain(c->lxc_path) ||
            !container_path_is_plain(c->log_file))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "A name or path for the console is not plain");
        return 0;
}

/* The monitor that is asked must be the one of this start, and not another process that has got
 * hold of its address. */
static int check_monitor(Worker *worker, Console *c, Error *ret_error) {
        g_autoptr(CgroupHost) host = NULL;
        g_auto(Process) monitor = PROCESS_INIT;
        pid_t pid;
        int r;

        r = cgroup_host_new(&host, ret_error);
        if (r < 0)
                return r;
        c->monitor_fd = worker_take_fd(worker, 0);
        r = fd_pidfd_get_pid(c->monitor_fd, &pid);
        if (r >= 0)
                r = process_open(fcntl(c->monitor_fd, F_DUPFD_CLOEXEC, 3), pid, &monitor);
        if (r >= 0)
                r = cgroup_has_process(host, CGROUP_MONITOR, c->name, &monitor);
        if (r <= 0)
                return error_set(ret_error, ERROR_NOT_RUNNING,
                                 "Container \"%s\" does not run, or has no monitor any more",
                                 c->name);
        return 0;
}

/* Neither side of the client's terminal does anything to what passes: that is for the container's
 * own. */
static int set_raw(int fd) {
        struct termios raw;

        if (tcgetattr(fd, &raw) < 0)
                return -errno;
        cfmakeraw(&raw);
        return tcsetattr(fd, TCSANOW, &raw) < 0 ? -errno : 0;
}

/* A terminal that controls this process, so that a change of its size is a signal. */
static int open_terminal(Console *c) {
        int unlocked = 0, r;

        c->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (c->master < 0 || ioctl(c->master, TIOCSPTLCK, &unlocked) < 0)
                return -errno;
        c->slave = ioctl(c->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        if (c->slave < 0)
                return -errno;
        (void) setsid();
        if (ioctl(c->slave, TIOCSCTTY, 0) < 0)
                return -errno;
        r = set_raw(c->slave);
        return r < 0 ? r : terminal_resize(c->slave, c->width, c->height);
}

static int attach(Console *c, Error *ret_error) {
        struct lxc_container *container = lxc_container_new(c->name, c->lxc_path);
        int tty = CONSOLE_TTY, r;

        if (!container)
                return error_set(ret_error, ERROR_BACKEND_FAILED,
                                 "liblxc does not know container \"%s\"", c->name);
        c->lock = container->console_getfd(container, &tty, &c->proxy);
        lxc_container_put(container);
        if (c->lock < 0)
                return error_set(ret_error, ERROR_BUSY,
                                 "The console of container \"%s\" cannot be had: somebody has it, "
                                 "or its monitor does not answer",
                                 c->name);
        r = set_raw(c->proxy);
        if (r >= 0)
                r = fd_set_nonblock(c->proxy, true);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot set up the console") : 0;
}

static int announce(Worker *worker, Console *c, Error *ret_error) {
        GVariantDict event;
        int r;

        g_variant_dict_init(&event, NULL);
        g_variant_dict_insert(&event, "started", "b", TRUE);
        r = worker_send_event(worker, g_variant_dict_end(&event), &c->master, 1);
        /* From now on the client's is the only one: closing it detaches. */
        c->master = fd_close(c->master);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot hand the console over") : 0;
}

int console_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Console) c = CONSOLE_INIT;
        g_autoptr(GBytes) history = NULL;
        int r;

        wait_block_term();
        r = read_args(worker, &c, ret_error);
        if (r >= 0)
                r = check_monitor(worker, &c, ret_error);
        if (r < 0)
                return r;
        r = open_terminal(&c);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot make a terminal for the console");
        if (c.history && tail_read(c.log_file, CONSOLE_LOG_MAX, &history) < 0)
                history = NULL; /* one can live without it */
        r = attach(&c, ret_error);
        if (r >= 0)
                r = announce(worker, &c, ret_error);
        if (r < 0)
                return r;
        return console_relay_run(worker,
                                 &(ConsoleRelay) {
                                         .console = c.proxy,
                                         .terminal = c.slave,
                                         .monitor_fd = c.monitor_fd,
                                         .history = history,
                                 },
                                 ret_error);
}
