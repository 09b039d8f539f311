/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/kernel-module.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/model/config-value.h"
#include "service/model/config.h"
#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/worker/runtime/process.h"

/* The kernel calls it "nf_nat" where its file may be nf-nat.ko. */
static bool is_there(const char *name) {
        g_autofree char *word = g_strdelimit(g_strdup(name), "-", '_');
        g_autofree char *path = g_build_filename("/sys/module", word, NULL);

        return access(path, F_OK) >= 0;
}

G_GNUC_NORETURN static void execute_modprobe(const char *name) {
        static const char *const programs[] = { "/usr/sbin/modprobe", "/sbin/modprobe" };
        const char *const argv[] = { "modprobe", "--quiet", "--use-blacklist", "--", name, NULL };
        const char *const envp[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

        process_reset_signals();
        for (size_t i = 0; i < ELEMENTSOF(programs); i++)
                (void) execve(programs[i], (char *const *) argv, (char *const *) envp);
        _exit(127);
}

static int load(const char *name, Error *ret_error) {
        _cleanup_close_ int pidfd = -EBADF;
        int status = 0, r;

        r = process_fork(-EBADF, 0, &pidfd);
        if (r == 0)
                execute_modprobe(name);
        if (r > 0)
                r = process_reap(pidfd, &status);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot run modprobe");
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
        return error_set(ret_error, ERROR_BACKEND_FAILED,
                         "The kernel module \"%s\" of linux.kernel_modules cannot be loaded%s",
                         name,
                         WIFEXITED(status) && WEXITSTATUS(status) == 127
                                 ? ": there is no modprobe"
                                 : "; see whether this kernel has it");
}

int kernel_modules_load(GVariant *config, Error *ret_error) {
        const char *value = config_get(config, "linux.kernel_modules");
        g_auto(GStrv) names = NULL;
        int r = 0;

        if (!value || !*value)
                return 0;
        r = config_check_modules(value, ret_error);
        names = g_strsplit(value, ",", -1);
        for (char **name = names; r >= 0 && *name; name++)
                if (!is_there(*name))
                        r = load(*name, ret_error);
        return r;
}
