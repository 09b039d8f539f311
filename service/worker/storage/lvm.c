/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/storage/lvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "service/util/cleanup.h"
#include "service/worker/program.h"

#define SEPARATOR "|"

/* --- What there must be ------------------------------------------------------------------ */

/* Asks the kernel for it, which loads the module: LVM's programs may not. */
static int check_kernel(Error *ret_error) {
        struct {
                struct dm_ioctl header;
                char room[1024];
        } request = {
                .header = {
                        .version = { DM_VERSION_MAJOR, 0, 0 },
                        .data_size = sizeof(request),
                        .data_start = sizeof(struct dm_ioctl),
                        .name = "thin-pool",
                },
        };
        _cleanup_close_ int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

        if (fd >= 0 && ioctl(fd, DM_GET_TARGET_VERSION, &request) >= 0)
                return 0;
        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                         "Storage pools of driver lvm need a kernel with thin provisioning "
                         "(CONFIG_DM_THIN_PROVISIONING), which this host's does not offer: %s",
                         g_strerror(errno));
}

int lvm_check(const char *filesystem, Error *ret_error) {
        g_autofree char *mkfs = g_strconcat("mkfs.", filesystem, NULL);
        const struct {
                const char *program, *package;
        } needed[] = {
                { "lvcreate", "lvm2" },
                { "thin_check", "thin-provisioning-tools" },
                { "mkfs.ext4", "e2fsprogs" },
                { mkfs, g_str_equal(filesystem, "xfs") ? "xfsprogs" : "e2fsprogs" },
        };

        for (size_t i = 0; i < ELEMENTSOF(needed); i++)
                if (!program_is_installed(needed[i].program))
                        return error_set(ret_error, ERROR_NOT_SUPPORTED,
                                         "Storage pools of driver lvm need the program %s, which "
                                         "is not installed on this host; install the package %s",
                                         needed[i].program, needed[i].package);
        return check_kernel(ret_error);
}

/* --- Running ----------------------------------------------------------------------------- */

static void add_config(GPtrArray *argv) {
        g_ptr_array_add(argv, (char *) "--config");
        g_ptr_array_add(argv, (char *) "activation { monitoring = 0 } "
                                       "backup { backup = 0 archive = 0 }");
}

static void add_arguments(GPtrArray *argv, va_list arguments) {
        const char *argument;

        while ((argument = va_arg(arguments, const char *)))
                g_ptr_array_add(argv, (char *) argument);
        g_ptr_array_add(argv, NULL);
}

int lvm_run(Error *ret_error, const char *program, ...) {
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        va_list arguments;

        g_ptr_array_add(argv, (char *) program);
        add_config(argv);
        va_start(arguments, program);
        add_arguments(argv, arguments);
        va_end(arguments);
        return program_run((const char *const *) argv->pdata, -EBADF, ret_error);
}

static void free_row(void *row) {
        g_strfreev(row);
}

static int read_rows(const char *text, guint n_columns, GPtrArray **ret) {
        g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(free_row);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++) {
                g_auto(GStrv) row = NULL;

                if (!*g_strstrip(*line))
                        continue;
                row = g_strsplit(*line, SEPARATOR, -1);
                if (g_strv_length(row) != n_columns)
                        return -EBADMSG;
                g_ptr_array_add(rows, g_steal_pointer(&row));
        }
        *ret = g_steal_pointer(&rows);
        return 0;
}

int lvm_report(Error *ret_error, GPtrArray **ret, const char *program, const char *columns, ...) {
        static const char *const form[] = {
                "--noheadings", "--separator", SEPARATOR, "--units", "b", "--nosuffix", "--options",
        };
        g_autoptr(GPtrArray) argv = g_ptr_array_new();
        g_autofree char *text = NULL;
        g_auto(GStrv) names = g_strsplit(columns, ",", -1);
        va_list arguments;
        int r;

        g_ptr_array_add(argv, (char *) program);
        add_config(argv);
        for (size_t i = 0; i < ELEMENTSOF(form); i++)
                g_ptr_array_add(argv, (char *) form[i]);
        g_ptr_array_add(argv, (char *) columns);
        va_start(arguments, columns);
        add_arguments(argv, arguments);
        va_end(arguments);
        r = program_read((const char *const *) argv->pdata, &text, ret_error);
        if (r >= 0)
                r = read_rows(text, g_strv_length(names), ret);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot read what %s says", program) : 0;
}
