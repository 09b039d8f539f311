/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/forward/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#define ELEMENTSOF(_a) (sizeof(_a) / sizeof((_a)[0]))

/* What passing bytes between sockets takes. There is no way to open a file, to run a program or to
 * look at another process. */
static const char *const allowed[] = {
        "accept4", "bind", "brk", "clock_gettime", "clock_gettime64", "close", "connect",
        "epoll_ctl", "epoll_pwait", "epoll_wait", "exit", "exit_group", "futex", "futex_time64",
        "getpeername", "getrandom", "getsockname", "getsockopt", "madvise", "mremap", "munmap",
        "pipe2", "read", "recvfrom", "recvmsg", "restart_syscall", "rt_sigprocmask",
        "rt_sigreturn", "sendmsg", "sendto", "setsockopt", "shutdown", "sigreturn", "splice",
        "write",
};

/* What the targets take: no way to the host's virtual machines, its hardware or its routes. */
static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };

static int add_rules(scmp_filter_ctx filter) {
        const int maps[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect) };

        for (size_t i = 0; i < ELEMENTSOF(allowed); i++) {
                int call = seccomp_syscall_resolve_name(allowed[i]), r;

                if (call == __NR_SCMP_ERROR)
                        continue;
                r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
                if (r < 0 && r != -EDOM)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(families); i++) {
                int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                         SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) families[i]));

                if (r < 0)
                        return r;
        }
        /* Memory is never made executable. */
        for (size_t i = 0; i < ELEMENTSOF(maps); i++) {
                int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, maps[i], 1,
                                         SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

                if (r < 0 && r != -EDOM)
                        return r;
        }
        return 0;
}

static int load_filter(void) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        int r;

        if (!filter)
                return -ENOMEM;
        r = add_rules(filter);
        if (r >= 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

static int become(const ForwardSpec *spec) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

        /* Groups of the host mean nothing in another user namespace. */
        if (spec->namespaces & CLONE_NEWUSER && setgroups(0, NULL) < 0)
                return -errno;
        if (setresgid(spec->gid, spec->gid, spec->gid) < 0 ||
            setresuid(spec->uid, spec->uid, spec->uid) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_capset, &header, none) < 0 ||
            /* Nobody who has the same uid may look into it. */
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return -errno;
        return 0;
}

int sandbox_enter(const ForwardSpec *spec, const char **ret_what) {
        int r;

        *ret_what = "enter the container's namespaces";
        if (spec->namespaces && setns(FORWARD_INIT_FD, spec->namespaces) < 0)
                return -errno;
        *ret_what = "give up its rights";
        r = become(spec);
        if (r < 0)
                return r;
        *ret_what = "restrict its system calls";
        return load_filter();
}
