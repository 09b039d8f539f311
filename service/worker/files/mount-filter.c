/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/files/mount-filter.h"

#include <errno.h>
#include <sys/mman.h>

#include <seccomp.h>

#include "service/util/cleanup.h"

static const char *const allowed[] = {
        /* requests, and what is open */
        "read", "readv", "write", "writev", "pread64", "pwrite64", "lseek", "_llseek", "close",
        "fsync", "fdatasync", "fallocate", "ftruncate", "ftruncate64", "getdents64", "fstatfs",
        "fstatfs64", "fcntl", "fcntl64", "poll", "ppoll", "ppoll_time64", "sendmsg",
        /* names below the root */
        "openat", "openat2", "fstat", "fstat64", "newfstatat", "fstatat64", "statx", "readlinkat",
        "mknodat", "mkdirat", "symlinkat", "linkat", "unlinkat", "renameat", "renameat2",
        "fchownat", "fchmodat", "utimensat", "utimensat_time64",
        /* memory */
        "brk", "munmap", "mremap", "madvise",
        /* the process itself */
        "exit", "exit_group", "rt_sigreturn", "sigreturn", "rt_sigaction", "rt_sigprocmask",
        "futex", "futex_time64", "getpid", "gettid", "tgkill", "restart_syscall", "getrandom",
        "clock_gettime", "clock_gettime64", "gettimeofday", "time", "sched_yield",
};

static int add_rules(scmp_filter_ctx filter) {
        /* Memory is never made executable. */
        const struct scmp_arg_cmp plain = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
        const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect) };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(allowed); i++) {
                int call = seccomp_syscall_resolve_name(allowed[i]);

                /* Not every architecture has every one. */
                if (call != __NR_SCMP_ERROR)
                        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
                if (r == -EDOM)
                        r = 0;
        }
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(calls); i++) {
                r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, calls[i], 1, &plain);
                if (r == -EDOM)
                        r = 0;
        }
        return r;
}

int mount_filter_load(Error *ret_error) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        int r;

        if (!filter)
                return error_set_errno(ret_error, ENOMEM, "Cannot make a filter");
        r = add_rules(filter);
        if (r >= 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r < 0 ? error_set_errno(ret_error, -r, "Cannot load the filter of system calls") : 0;
}
