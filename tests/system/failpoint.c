/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Failpoints for tests alone, in the programs that are installed: a library that a world's
 * /etc/ld.so.preload puts in front of the C library, so that the programs have nothing of it.
 *
 * Before each call that lasts or that others see (names, contents and owners of files; subvolumes,
 * quotas, loop devices; mounts; links, addresses, rules; groups; processes; what is said to berthd
 * and to callers) it counts a step, and kills at the wanted one. Of what a worker calls over and
 * over, as when a tree is copied or removed, only the first calls count and every now and then one.
 *
 * CONTROL is mapped by each of the service's programs; the test writes it.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CONTROL "/run/world/failpoint"
/* So many calls all count; after that the 16th, 32nd, 64th ... */
#define OFTEN 8
#define API __attribute__((visibility("default")))

typedef struct Control {
        uint32_t whose;          /* steps that count: NOBODYS, a worker's or the service's */
        uint32_t wanted;         /* the step that is not reached */
        _Atomic uint32_t count;
        uint32_t with_service;   /* a worker's step kills the service before the worker */
        char where[48];          /* "PROGRAM CALL" once something was killed */
} Control;

enum { NOBODYS, WORKERS, SERVICES };

static Control *control;
static uint32_t own;             /* what this program's steps are */
static pid_t main_pid, service_pid;
static char program[16];

static __attribute__((constructor)) void begin(void) {
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        const char *name;
        void *map;
        int fd;

        if (n <= 0)
                return;
        path[n] = '\0';
        name = strrchr(path, '/') + 1;
        if (strcmp(name, "berthd") == 0)
                own = SERVICES;
        else if (strncmp(name, "berth-", 6) == 0 && strcmp(name, "berth-call") != 0)
                own = WORKERS;
        else
                return;
        fd = open(CONTROL, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return;
        map = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void) close(fd);
        if (map == MAP_FAILED)
                return;
        /* "worker-storage" is what is left of "berth-worker-storage". */
        (void) snprintf(program, sizeof(program), "%.15s", name + (own == WORKERS ? 6 : 0));
        main_pid = getpid();
        service_pid = getppid();
        control = map;
}

static void step(const char *call, uint32_t *times) {
        /* Its children, jails among them, end with it. */
        if (!control || control->whose != own || getpid() != main_pid)
                return;
        if (own == WORKERS && ++*times > OFTEN && (*times & (*times - 1)))
                return;
        if (atomic_fetch_add(&control->count, 1) + 1 != control->wanted)
                return;
        (void) snprintf(control->where, sizeof(control->where), "%s %s", program, call);
        if (control->with_service)
                (void) kill(service_pid, SIGKILL);
        (void) kill(main_pid, SIGKILL);
}

/* REAL(call): the C library's. Looked up at once, since a jail allows no more than it must. */
#define REAL(_name) ((__typeof__(&_name)) real_##_name)
#define WRAP_IF(_condition, _result, _name, _parameters, ...) \
        static void *real_##_name; \
        static __attribute__((constructor)) void find_##_name(void) { \
                real_##_name = dlsym(RTLD_NEXT, #_name); \
        } \
        API _result _name _parameters { \
                static uint32_t times; \
\
                if (!real_##_name) \
                        find_##_name(); \
                if (_condition) \
                        step(#_name, &times); \
                return REAL(_name)(__VA_ARGS__); \
        }
#define WRAP(...) WRAP_IF(true, __VA_ARGS__)

WRAP(int, rename, (const char *from, const char *to), from, to)
WRAP(int, renameat, (int from_fd, const char *from, int to_fd, const char *to), from_fd, from,
     to_fd, to)
WRAP(int, renameat2, (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
     from_fd, from, to_fd, to, flags)
WRAP(int, link, (const char *from, const char *to), from, to)
WRAP(int, linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags), from_fd,
     from, to_fd, to, flags)
WRAP(int, symlink, (const char *target, const char *path), target, path)
WRAP(int, symlinkat, (const char *target, int fd, const char *path), target, fd, path)
WRAP(int, unlink, (const char *path), path)
WRAP(int, unlinkat, (int fd, const char *path, int flags), fd, path, flags)
WRAP(int, rmdir, (const char *path), path)
WRAP(int, mkdir, (const char *path, mode_t mode), path, mode)
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), fd, path, mode)
WRAP(int, mknod, (const char *path, mode_t mode, dev_t device), path, mode, device)
WRAP(int, mknodat, (int fd, const char *path, mode_t mode, dev_t device), fd, path, mode, device)
WRAP(int, fsync, (int fd), fd)
WRAP(int, fdatasync, (int fd), fd)
WRAP(int, syncfs, (int fd), fd)
WRAP(int, ftruncate64, (int fd, off64_t size), fd, size)
WRAP(int, ftruncate, (int fd, off_t size), fd, size)
WRAP(int, setxattr, (const char *path, const char *name, const void *value, size_t size, int flags),
     path, name, value, size, flags)
WRAP(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags), fd,
     name, value, size, flags)
WRAP(int, chown, (const char *path, uid_t uid, gid_t gid), path, uid, gid)
WRAP(int, fchownat, (int fd, const char *path, uid_t uid, gid_t gid, int flags), fd, path, uid, gid,
     flags)

WRAP(int, mount, (const char *source, const char *target, const char *type, unsigned long flags,
                  const void *data), source, target, type, flags, data)
WRAP(int, umount2, (const char *target, int flags), target, flags)
WRAP(int, umount, (const char *target), target)

WRAP(pid_t, fork, (void), )
WRAP(int, posix_spawn, (pid_t *restrict pid, const char *restrict path,
                        const posix_spawn_file_actions_t *restrict actions,
                        const posix_spawnattr_t *restrict attributes,
                        char *const argv[restrict], char *const environment[restrict]),
     pid, path, actions, attributes, argv, environment)
WRAP(int, kill, (pid_t pid, int signal), pid, signal)
/* While a child of it is at work. */
WRAP(pid_t, waitpid, (pid_t pid, int *status, int options), pid, status, options)
WRAP(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), type, id, info, options)

/* What is written into the kernel. */
static bool is_kernels(int fd) {
        struct statfs st;

        return fstatfs(fd, &st) >= 0 &&
               (st.f_type == CGROUP_SUPER_MAGIC || st.f_type == CGROUP2_SUPER_MAGIC ||
                st.f_type == PROC_SUPER_MAGIC || st.f_type == SYSFS_MAGIC);
}

WRAP_IF(is_kernels(fd), ssize_t, write, (int fd, const void *data, size_t size), fd, data, size)

static bool netlink_asks(int fd, const struct nlmsghdr *header, size_t size) {
        int protocol = -1;
        socklen_t n = sizeof(protocol);

        if (size < sizeof(*header) ||
            getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &n) < 0)
                return true;
        if (protocol == NETLINK_NETFILTER)
                return header->nlmsg_type != NFNL_MSG_BATCH_BEGIN;
        return protocol == NETLINK_ROUTE && ((header->nlmsg_type - RTM_BASE) & 3) == 2;
}

/* Not what only asks the kernel something. */
static bool changes(int fd, const void *data, size_t size) {
        int domain = -1;
        socklen_t n = sizeof(domain);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0)
                return false;
        return domain == AF_UNIX || (domain == AF_NETLINK && !netlink_asks(fd, data, size));
}

static bool message_changes(int fd, const struct msghdr *message) {
        return message->msg_iovlen > 0 &&
               changes(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len);
}

WRAP_IF(message_changes(fd, message), ssize_t, sendmsg,
        (int fd, const struct msghdr *message, int flags), fd, message, flags)
WRAP_IF(changes(fd, data, size), ssize_t, sendto,
        (int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t n),
        fd, data, size, flags, to, n)
WRAP_IF(changes(fd, data, size), ssize_t, send,
        (int fd, const void *data, size_t size, int flags), fd, data, size, flags)

/* --- those with arguments of any number --- */

static bool ioctl_changes(unsigned long request) {
        switch (_IOC_TYPE(request)) {
        case BTRFS_IOCTL_MAGIC:
                return _IOC_DIR(request) != _IOC_READ && _IOC_NR(request) != 17 /* searches */ &&
                       _IOC_NR(request) != 18 && _IOC_NR(request) != 60 &&
                       _IOC_NR(request) != 62;
        case 0x4c: /* loop devices */
        case 0xfd: /* device mapper */
                return true;
        case 'X': /* attributes, freezing */
        case 'f':
                return _IOC_DIR(request) & _IOC_WRITE;
        default:
                return false;
        }
}

API int ioctl(int fd, unsigned long request, ...) {
        static int (*real)(int, unsigned long, void *);
        static uint32_t times;
        va_list list;
        void *argument;

        va_start(list, request);
        argument = va_arg(list, void *);
        va_end(list);
        if (!real)
                real = (__typeof__(real)) dlsym(RTLD_NEXT, "ioctl");
        if (ioctl_changes(request))
                step("ioctl", &times);
        return real(fd, request, argument);
}

/* openat2(); liblxc asks whether there is one with nothing at all. */
static bool creates(const void *how) {
        return how && *(const uint64_t *) how & O_CREAT;
}

static bool syscall_changes(long number, const long *a) {
        switch (number) {
        case SYS_openat2:
                return creates((const void *) a[2]);
        case SYS_move_mount:
        case SYS_mount_setattr:
        case SYS_quotactl_fd:
        case SYS_pidfd_send_signal:
        case SYS_clone3:
        case SYS_renameat2:
                return true;
        default:
                return false;
        }
}

/* Those by number, and those that have names of their own since glibc 2.36. */
API long syscall(long number, ...) {
        static long (*real)(long, ...);
        static uint32_t times;
        long a[6];
        va_list list;

        va_start(list, number);
        for (size_t i = 0; i < 6; i++)
                a[i] = va_arg(list, long);
        va_end(list);
        if (!real)
                real = (__typeof__(real)) dlsym(RTLD_NEXT, "syscall");
        if (syscall_changes(number, a))
                step("syscall", &times);
        return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

WRAP(int, move_mount, (int from_fd, const char *from, int to_fd, const char *to, unsigned flags),
     from_fd, from, to_fd, to, flags)
WRAP(int, mount_setattr, (int fd, const char *path, unsigned flags, struct mount_attr *attributes,
                          size_t size), fd, path, flags, attributes, size)

#define OPEN(_name, _parameters, ...) \
        API int _name _parameters { \
                static int (*real)_parameters; \
                static uint32_t times; \
                mode_t mode; \
                va_list list; \
\
                va_start(list, flags); \
                mode = va_arg(list, mode_t); \
                va_end(list); \
                if (!real) \
                        real = (__typeof__(real)) dlsym(RTLD_NEXT, #_name); \
                if (flags & O_CREAT) \
                        step(#_name, &times); \
                return real(__VA_ARGS__, mode); \
        }

OPEN(open, (const char *path, int flags, ...), path, flags)
OPEN(open64, (const char *path, int flags, ...), path, flags)
OPEN(openat, (int fd, const char *path, int flags, ...), fd, path, flags)
OPEN(openat64, (int fd, const char *path, int flags, ...), fd, path, flags)
