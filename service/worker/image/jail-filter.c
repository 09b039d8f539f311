/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/image/jail-inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <seccomp.h>

#include "service/util/cleanup.h"

/*
 * What reading one file, unpacking and writing a tree of files takes; the file descriptors that
 * are open and the mount namespace say which. Everything else fails with EPERM rather than killing,
 * because C libraries try new system calls first and fall back.
 */
static const char *const allowed[] = {
        /* files that are open */
        "read", "readv", "pread64", "write", "writev", "pwrite64", "lseek", "_llseek", "close",
        "fstat", "fstat64", "ftruncate", "ftruncate64", "fadvise64", "fadvise64_64",
        "arm_fadvise64_64",
        /* names below the root; opening is by openat2() alone */
        "openat2", "mkdirat", "symlinkat", "linkat", "newfstatat", "fstatat64", "statx",
        /* the channel */
        "sendmsg",
        /* memory */
        "brk", "munmap", "mremap", "madvise",
        /* the process itself */
        "exit", "exit_group", "rt_sigreturn", "sigreturn", "rt_sigaction", "rt_sigprocmask",
        "futex", "futex_time64", "getpid", "gettid", "tgkill", "restart_syscall", "getrandom",
        /* time */
        "clock_gettime", "clock_gettime64", "gettimeofday", "time",
};

/* These work on a mere fd too, and are for what the jail has opened itself, not for what it was
 * given: the ids may be mapped to themselves, and then it owns those files of root's. */
static const char *const allowed_on_own[] = {
        "fchmod", "fchown", "fchown32", "fsetxattr", "fchownat", "utimensat", "utimensat_time64",
};

/* What reading a tree and writing one file takes beside, or instead of, some of these. */
static const char *const allowed_for_writing[] = {
        "getdents64", "readlinkat", "fgetxattr", "flistxattr",
};

/* What connecting and looking up names take beside. */
static const char *const allowed_for_network[] = {
        "bind", "connect", "getpeername", "getsockname", "getsockopt", "recvfrom", "recvmsg",
        "recvmmsg", "recvmmsg_time64", "sendmmsg", "sendto", "setsockopt", "shutdown",
        "poll", "ppoll", "ppoll_time64", "pipe2", "eventfd2", "openat",
        "clock_nanosleep", "clock_nanosleep_time64", "clock_getres", "clock_getres_time64", "uname",
        "sysinfo", "getuid", "geteuid", "getgid", "getegid",
};

/* What threads take beside being made. */
static const char *const allowed_for_threads[] = {
        "set_robust_list", "rseq", "sched_getaffinity", "sched_yield",
};

/* clone()'s flags: which argument they are differs. */
#if defined(__s390__) || defined(__s390x__)
#define CLONE_FLAGS_ARGUMENT 1
#else
#define CLONE_FLAGS_ARGUMENT 0
#endif

static int allow(scmp_filter_ctx filter, const char *name) {
        int call = seccomp_syscall_resolve_name(name), r;

        /* Not every architecture has every one. */
        if (call == __NR_SCMP_ERROR)
                return 0;
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
        return r == -EDOM ? 0 : r;
}

static int allow_where(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition) {
        int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);

        return r == -EDOM ? 0 : r;
}

static int add_rules_for_writing(scmp_filter_ctx filter) {
        static const scmp_datum_t fd_commands[] = { F_GETFL, F_SETFD };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(allowed_for_writing); i++)
                r = allow(filter, allowed_for_writing[i]);
        /* fdopendir() looks at how its fd was opened, and makes it close-on-exec. */
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(fd_commands); i++) {
                r = allow_where(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, fd_commands[i]));
                if (r >= 0)
                        r = allow_where(filter, SCMP_SYS(fcntl64),
                                        SCMP_A1(SCMP_CMP_EQ, fd_commands[i]));
        }
        return r;
}

static int add_rules(scmp_filter_ctx filter) {
        int r;

        for (size_t i = 0; i < ELEMENTSOF(allowed); i++) {
                r = allow(filter, allowed[i]);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(allowed_on_own); i++) {
                int call = seccomp_syscall_resolve_name(allowed_on_own[i]);

                if (call == __NR_SCMP_ERROR)
                        continue;
                r = allow_where(filter, call, SCMP_A0(SCMP_CMP_GE, JAIL_FD_FIRST_FREE));
                if (r < 0)
                        return r;
        }
        /* Memory is never made executable. */
        r = allow_where(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (r >= 0)
                r = allow_where(filter, SCMP_SYS(mmap2),
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (r >= 0)
                r = allow_where(filter, SCMP_SYS(mprotect),
                                SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        /* A directory that is open stays open in two places; nothing else is done to an fd. */
        if (r >= 0)
                r = allow_where(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
        if (r >= 0)
                r = allow_where(filter, SCMP_SYS(fcntl64), SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC));
        /* Of special files only fifos are made. */
        if (r >= 0)
                r = allow_where(filter, SCMP_SYS(mknodat),
                                SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, S_IFIFO));
        return r;
}

/* No process, but threads. */
static int add_rules_for_threads(scmp_filter_ctx filter) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(allowed_for_threads); i++)
                r = allow(filter, allowed_for_threads[i]);
        if (r >= 0)
                r = allow_where(filter, SCMP_SYS(clone),
                                SCMP_CMP(CLONE_FLAGS_ARGUMENT, SCMP_CMP_MASKED_EQ, CLONE_THREAD,
                                         CLONE_THREAD));
        /* Its flags are in memory, where no filter sees them; the C library then takes clone(). */
        if (r >= 0)
                r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
        return r == -EDOM ? 0 : r;
}

/* Sockets of the Internet, of netlink (which addresses the host has decides the order of those of a
 * name), and pairs of one's own. */
static int add_rules_for_network(scmp_filter_ctx filter) {
        static const scmp_datum_t families[] = { AF_INET, AF_INET6, AF_NETLINK };
        static const scmp_datum_t fd_commands[] = { F_GETFL, F_SETFL, F_GETFD, F_SETFD };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(allowed_for_network); i++)
                r = allow(filter, allowed_for_network[i]);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(families); i++)
                r = allow_where(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, families[i]));
        if (r >= 0)
                r = allow_where(filter, SCMP_SYS(socketpair), SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(fd_commands); i++) {
                r = allow_where(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, fd_commands[i]));
                if (r >= 0)
                        r = allow_where(filter, SCMP_SYS(fcntl64),
                                        SCMP_A1(SCMP_CMP_EQ, fd_commands[i]));
        }
        if (r >= 0)
                r = allow_where(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONBIO));
        return r;
}

int jail_filter_load(const JailSpec *spec) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
        int r;

        if (!filter)
                return -ENOMEM;
        r = add_rules(filter);
        if (r >= 0 && spec->writes_archive)
                r = add_rules_for_writing(filter);
        if (r >= 0 && spec->network)
                r = add_rules_for_network(filter);
        if (r >= 0 && (spec->threads || spec->network))
                r = add_rules_for_threads(filter);
        if (r >= 0 && spec->answer)
                r = allow(filter, "recvmsg");
        if (r >= 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}
