/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/network/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "service/util/cleanup.h"

/* Added to the kernel's interface in version 3; older headers lack it. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define ACCESS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_FILE \
        (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
         LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_TRUNCATE)

static const uint64_t rights[] = {
        [SANDBOX_READ] = ACCESS_READ,
        [SANDBOX_EXECUTE] = ACCESS_READ | LANDLOCK_ACCESS_FS_EXECUTE,
        [SANDBOX_WRITE] = ACCESS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE,
        [SANDBOX_CREATE] = ACCESS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE |
                           LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG |
                           LANDLOCK_ACCESS_FS_REMOVE_FILE,
};

/* All rights that a version of the interface can take away: bits 0 to 12, then one each in
 * versions 2 (refer) and 3 (truncate). */
static uint64_t rights_of_version(int version) {
        uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

        if (version >= 2)
                all |= LANDLOCK_ACCESS_FS_REFER;
        if (version >= 3)
                all |= LANDLOCK_ACCESS_FS_TRUNCATE;
        return all;
}

static int allow(int ruleset, uint64_t handled, const SandboxPath *path) {
        _cleanup_close_ int fd = open(path->path, O_PATH | O_CLOEXEC);
        struct landlock_path_beneath_attr rule = { .parent_fd = fd };
        struct stat st;

        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        rule.allowed_access = rights[path->access] & handled;
        if (!S_ISDIR(st.st_mode))
                rule.allowed_access &= ACCESS_FILE;
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
                return -errno;
        return 0;
}

static int restrict_files(const SandboxPath *paths) {
        struct landlock_ruleset_attr attributes = { 0 };
        int version = (int) syscall(SYS_landlock_create_ruleset, NULL, 0,
                                    LANDLOCK_CREATE_RULESET_VERSION);

        if (version < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
        attributes.handled_access_fs = rights_of_version(version);

        _cleanup_close_ int ruleset = (int) syscall(SYS_landlock_create_ruleset, &attributes,
                                                    sizeof(attributes), 0);
        if (ruleset < 0)
                return -errno;
        for (const SandboxPath *p = paths; p->path; p++) {
                int r = allow(ruleset, attributes.handled_access_fs, p);

                if (r < 0)
                        return r;
        }
        return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* What serves names and addresses has no use for, whatever version of it this is: mounts and
 * namespaces, other processes, keys, and what the host as a whole is. That is a list of what is
 * denied, for nobody knows what the next version of a program of others calls. */
static const char *const denied[] = {
        "acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_adjtime64",
        "clock_settime", "clock_settime64", "delete_module", "fanotify_init", "finit_module",
        "fsconfig", "fsmount", "fsopen", "fspick", "init_module", "io_uring_enter",
        "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load",
        "kexec_load", "keyctl", "mknod", "mknodat", "mount", "mount_setattr", "move_mount",
        "name_to_handle_at", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
        "pivot_root", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace",
        "quotactl", "quotactl_fd", "reboot", "request_key", "setdomainname", "sethostname", "setns",
        "settimeofday", "stime", "swapoff", "swapon", "syslog", "umount", "umount2", "unshare",
        "userfaultfd", "vhangup",
};

static int deny_calls(void) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        int r = 0;

        if (!filter)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(denied); i++) {
                int call = seccomp_syscall_resolve_name(denied[i]);

                /* Not every architecture has every one, nor does every library know it. */
                if (call != __NR_SCMP_ERROR)
                        r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 0);
                if (r == -EDOM)
                        r = 0;
        }
        if (r >= 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

static int drop_capabilities(uint64_t keep) {
        for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
                if (!(keep & (UINT64_C(1) << cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
                        return -errno;
        return 0;
}

int sandbox_enter(uint64_t capabilities, const SandboxPath *paths) {
        int r;

        r = drop_capabilities(capabilities);
        if (r < 0)
                return r;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        r = restrict_files(paths);
        return r < 0 ? r : deny_calls();
}
