/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/apparmor.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define PROFILES_MAX (1U << 20)

bool apparmor_is_on(void) {
        _cleanup_close_ int fd =
                open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
        char value = 'N';

        return fd >= 0 && read(fd, &value, 1) == 1 && value == 'Y';
}

bool apparmor_has_profile(const char *name) {
        _cleanup_close_ int fd =
                open("/sys/kernel/security/apparmor/profiles", O_RDONLY | O_CLOEXEC);
        g_autofree char *text = NULL, *line = g_strconcat(name, " (enforce)", NULL);
        g_auto(GStrv) lines = NULL;

        if (fd < 0 || fd_read_text(fd, PROFILES_MAX, &text) < 0)
                return false;
        lines = g_strsplit(text, "\n", -1);
        return g_strv_contains((const char *const *) lines, line);
}

int apparmor_read_label(const Process *process, char **ret) {
        g_autofree char *text = NULL;
        char *mode;
        int r;

        r = process_read(process, "attr/apparmor/current", &text);
        if (r == -ENOENT) /* Linux before 5.8 */
                r = process_read(process, "attr/current", &text);
        if (r < 0)
                return r;
        g_strchomp(text);
        mode = strrchr(text, '('); /* "LABEL (enforce)" */
        if (mode && mode > text && mode[-1] == ' ')
                mode[-1] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

int apparmor_open_exec(const Process *process) {
        int fd = openat(process->proc_fd, "attr/apparmor/exec", O_WRONLY | O_CLOEXEC);

        if (fd < 0 && errno == ENOENT)
                fd = openat(process->proc_fd, "attr/exec", O_WRONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int apparmor_write_exec(int fd, const char *label) {
        g_autofree char *command = g_strdup_printf("exec %s", label);

        return fd_write_all(fd, command, strlen(command));
}
