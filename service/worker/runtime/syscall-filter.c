/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/syscall-filter.h"

#include <errno.h>
#include <sys/mount.h>

#include "service/util/cleanup.h"

/* As if the kernel were built without them: programs cope with that. */
#define DENIED_ERRNO ENOSYS

static const char *const denied_calls[] = {
        "delete_module", "finit_module",      "init_module",
        "kexec_load",    "kexec_file_load",   "open_by_handle_at",
};

/* Architectures whose programs the same kernel runs as well. */
static const uint32_t kin[][2] = {
        { SCMP_ARCH_X86_64, SCMP_ARCH_X86 },
        { SCMP_ARCH_X86_64, SCMP_ARCH_X32 },
        { SCMP_ARCH_AARCH64, SCMP_ARCH_ARM },
        { SCMP_ARCH_S390X, SCMP_ARCH_S390 },
        { SCMP_ARCH_PPC64, SCMP_ARCH_PPC },
};

char *syscall_filter_to_profile(void) {
        GString *profile = g_string_new("2\ndenylist\nreject_force_umount\n[all]\n");

        for (size_t i = 0; i < ELEMENTSOF(denied_calls); i++)
                g_string_append_printf(profile, "%s errno %d\n", denied_calls[i], DENIED_ERRNO);
        return g_string_free(profile, FALSE);
}

static int add_kin(scmp_filter_ctx filter) {
        uint32_t native = seccomp_arch_native();

        for (size_t i = 0; i < ELEMENTSOF(kin); i++) {
                int r;

                if (kin[i][0] != native)
                        continue;
                r = seccomp_arch_add(filter, kin[i][1]);
                if (r < 0 && r != -EEXIST)
                        return r;
        }
        return 0;
}

static int fill(scmp_filter_ctx filter) {
        int r;

        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
        if (r < 0)
                return r;
        r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(DENIED_ERRNO));
        if (r < 0)
                return r;
        r = add_kin(filter);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(denied_calls); i++) {
                int number = seccomp_syscall_resolve_name(denied_calls[i]);

                if (number == __NR_SCMP_ERROR)
                        continue; /* a call that libseccomp does not know can't be named */
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(DENIED_ERRNO), number, 0);
                if (r < 0)
                        return r;
        }
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(umount2), 1,
                                SCMP_A1(SCMP_CMP_MASKED_EQ, MNT_FORCE, MNT_FORCE));
}

int syscall_filter_new(scmp_filter_ctx *ret, Error *ret_error) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        int r;

        if (!filter)
                return error_set_errno(ret_error, ENOMEM, "Cannot make a filter of system calls");
        r = fill(filter);
        if (r < 0) {
                seccomp_release(filter);
                return error_set_errno(ret_error, -r, "Cannot make a filter of system calls");
        }
        *ret = filter;
        return 0;
}
