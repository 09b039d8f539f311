/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/scope.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/worker/program.h"

bool scope_has_systemd(void) {
        struct stat st;

        /* As sd_booted() looks. */
        return lstat("/run/systemd/system", &st) >= 0 && S_ISDIR(st.st_mode);
}

char *scope_of_container(const char *name) {
        return g_strconcat("berth-", name, ".scope", NULL);
}

char *scope_of_network(const char *name) {
        return g_strconcat("berthnet-", name, ".scope", NULL);
}

/* berth-scope is installed next to the workers. */
static char *find_program(void) {
        g_autofree char *self = g_new0(char, PATH_MAX), *directory = NULL;

        if (readlink("/proc/self/exe", self, PATH_MAX - 1) < 0)
                return NULL;
        directory = g_path_get_dirname(self);
        return g_build_filename(directory, "berth-scope", NULL);
}

static int run(GPtrArray *arguments, Error *ret_error) {
        g_autofree char *program = find_program();

        if (!program)
                return error_set_errno(ret_error, errno, "Cannot find berth-scope");
        arguments->pdata[0] = program;
        g_ptr_array_add(arguments, NULL);
        return program_run((const char *const *) arguments->pdata, -EBADF, ret_error);
}

int scope_create(const char *unit, const char *description, pid_t pid, Error *ret_error) {
        g_autofree char *number = g_strdup_printf("%d", pid);
        g_autoptr(GPtrArray) arguments = g_ptr_array_new();

        g_ptr_array_add(arguments, NULL);
        g_ptr_array_add(arguments, (char *) "unit");
        g_ptr_array_add(arguments, (char *) unit);
        g_ptr_array_add(arguments, (char *) description);
        g_ptr_array_add(arguments, number);
        return run(arguments, ret_error);
}

int scope_register_machine(const char *name, pid_t init_pid, const char *root,
                           const unsigned *interfaces, size_t n_interfaces, Error *ret_error) {
        g_autoptr(GPtrArray) numbers = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GPtrArray) arguments = g_ptr_array_new();

        g_ptr_array_add(numbers, g_strdup_printf("%d", init_pid));
        for (size_t i = 0; i < n_interfaces; i++)
                g_ptr_array_add(numbers, g_strdup_printf("%u", interfaces[i]));
        g_ptr_array_add(arguments, NULL);
        g_ptr_array_add(arguments, (char *) "machine");
        g_ptr_array_add(arguments, (char *) name);
        g_ptr_array_add(arguments, (char *) root);
        for (guint i = 0; i < numbers->len; i++)
                g_ptr_array_add(arguments, numbers->pdata[i]);
        return run(arguments, ret_error);
}

int scope_gate_open(ScopeGate *ret) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        *ret = (ScopeGate) { pair[0], pair[1] };
        return 0;
}

bool scope_gate_wait(ScopeGate *gate) {
        char byte;
        ssize_t n;

        gate->parent_fd = fd_close(gate->parent_fd);
        do
                n = read(gate->child_fd, &byte, 1);
        while (n < 0 && errno == EINTR);
        gate->child_fd = fd_close(gate->child_fd);
        return n == 1;
}

void scope_gate_release(ScopeGate *gate) {
        (void) send(gate->parent_fd, "", 1, MSG_NOSIGNAL);
}

void scope_gate_close(ScopeGate *gate) {
        gate->child_fd = fd_close(gate->child_fd);
        gate->parent_fd = fd_close(gate->parent_fd);
}
