/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/process.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <glib.h>

#include "service/util/cleanup.h"
#include "service/util/fd.h"

#define PROC_FILE_MAX 65536U

static int read_proc(pid_t pid, const char *file, char **ret) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, file);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        g_autoptr(GBytes) bytes = NULL;
        int r;

        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        r = fd_read_all(fd, PROC_FILE_MAX, &bytes);
        if (r < 0)
                return r;
        *ret = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
        return 0;
}

int process_get_start_time(pid_t pid, uint64_t *ret) {
        g_autofree char *stat = NULL;
        g_auto(GStrv) fields = NULL;
        guint64 value;
        char *p;
        int r;

        r = read_proc(pid, "stat", &stat);
        if (r < 0)
                return r;
        /* The name, field 2, may hold blanks and brackets; nothing behind it does. */
        p = strrchr(stat, ')');
        if (!p)
                return -EBADMSG;
        fields = g_strsplit(p + 1, " ", -1); /* fields[1] is field 3 */
        if (g_strv_length(fields) < 21 ||
            !g_ascii_string_to_unsigned(fields[20], 10, 0, UINT64_MAX, &value, NULL))
                return -EBADMSG;
        *ret = value;
        return 0;
}

int process_open_netns(pid_t pid) {
        g_autofree char *path = g_strdup_printf("/proc/%d/ns/net", pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int process_check_uid_map(pid_t pid, uint32_t base, uint32_t size) {
        g_autofree char *map = NULL, *expected = g_strdup_printf("0 %u %u", base, size);
        g_auto(GStrv) words = NULL;
        GString *line = g_string_new(NULL);
        bool same;
        int r;

        r = read_proc(pid, "uid_map", &map);
        words = g_strsplit_set(map ?: "", " \n", -1);
        for (char **word = words; *word; word++)
                if (**word)
                        g_string_append_printf(line, "%s%s", line->len ? " " : "", *word);
        same = g_str_equal(line->str, expected);
        g_string_free(line, TRUE);
        return r < 0 ? r : same ? 0 : -EPERM;
}

int process_handles_signal(pid_t pid, int signal, bool *ret) {
        static const char *const lines[] = { "\nSigBlk:\t", "\nSigCgt:\t" };
        g_autofree char *status = NULL;
        guint64 mask = 0;
        int r;

        r = read_proc(pid, "status", &status);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                const char *p = strstr(status, lines[i]);

                if (p)
                        mask |= g_ascii_strtoull(p + strlen(lines[i]), NULL, 16);
        }
        *ret = mask & (UINT64_C(1) << (signal - 1));
        return 0;
}
