/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Jails that may do more than others, each no more than it is for: those of decoders have threads,
 * those that download have the Internet, those that write archives read directories.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/cleanup.h"
#include "tests/unit/jail-fixture.h"
#include "tests/unit/test.h"

#define CALL(_name, ...) { #_name, SYS_##_name, { __VA_ARGS__ } }

typedef struct Attempt {
        const char *name;
        long number;
        long arguments[6];
} Attempt;

static void attempt_all(const Attempt *attempts, size_t n, GVariantDict *result) {
        for (size_t i = 0; i < n; i++) {
                const long *a = attempts[i].arguments;
                g_autofree char *key = g_strdup_printf("%zu %s", i, attempts[i].name);

                room_note(result, key,
                          syscall(attempts[i].number, a[0], a[1], a[2], a[3], a[4], a[5]));
        }
}

static void assert_answer(const JailSpec *spec, unsigned n, int expected) {
        g_auto(Error) error = ERROR_INIT;
        g_autoptr(GVariant) answer = room_run_as(spec, &error);

        g_assert_cmpstr(error.message, ==, NULL);
        room_assert_all(answer, n, expected);
}

/* --- threads --- */

/* By the number: what a C library makes of it may be another call. */
static int make_processes(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Attempt attempts[] = {
                CALL(clone, SIGCHLD), CALL(clone, CLONE_VM), CALL(clone, CLONE_NEWUSER | SIGCHLD),
                CALL(clone, CLONE_VM | CLONE_VFORK | SIGCHLD), CALL(execve), CALL(kill, 1, 0),
                CALL(socket, AF_UNIX, SOCK_STREAM), CALL(unshare, CLONE_NEWUSER),
                CALL(setns, jail->root_fd), CALL(ptrace), CALL(openat, jail->root_fd, (long) "x"),
        };

        attempt_all(attempts, ELEMENTSOF(attempts), result);
        return 0;
}

static gpointer write_down(gpointer p) {
        *(int *) p = 1;
        return NULL;
}

static int make_thread(Jail *jail, GVariantDict *result, Error *ret_error) {
        int done = 0;
        GThread *thread = g_thread_try_new("one", write_down, &done, NULL);

        if (thread)
                (void) g_thread_join(thread);
        g_variant_dict_insert(result, "thread", "i", done ? 0 : ECHILD);
        return 0;
}

TEST(threads_are_made_and_no_processes) {
        g_autoptr(Room) r = room_new();
        JailSpec spec = { .input_fd = r->secret_fd, .root_fd = r->root_fd, .idmapped = true,
                          .stage = "testing", .threads = true };

        spec.func = make_processes;
        assert_answer(&spec, 11, EPERM);
        spec.func = make_thread;
        assert_answer(&spec, 1, 0);
}

/* --- the network --- */

static int open_sockets(Jail *jail, GVariantDict *result, Error *ret_error) {
        for (int family = 0; family < AF_MAX; family++) {
                g_autofree char *key = g_strdup_printf("%d", family);
                bool fine = family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
                int type = family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM;
                int fd = (int) syscall(SYS_socket, family, type, 0);

                /* What is allowed may still be what this kernel has not got. */
                if (!fine || errno == EPERM)
                        room_note(result, key, fd);
                if (fd >= 0)
                        (void) close(fd);
                errno = 0;
        }
        return 0;
}

static int do_more_than_download(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Attempt attempts[] = {
                CALL(clone, SIGCHLD), CALL(execve), CALL(kill, 1, 0), CALL(ptrace),
                CALL(unshare, CLONE_NEWUSER), CALL(mount), CALL(setresuid, -1, -1, -1),
                CALL(socketpair, AF_INET, SOCK_STREAM), CALL(ioctl, 0, 0x8913 /* SIOCGIFFLAGS */),
                CALL(getdents64, 0), CALL(unlinkat, AT_FDCWD, (long) "x"),
                CALL(process_vm_readv, 1), CALL(bpf), CALL(keyctl), CALL(memfd_create, (long) "x"),
        };

        attempt_all(attempts, ELEMENTSOF(attempts), result);
        return 0;
}

TEST(the_internet_is_reached_and_nothing_else) {
        g_autoptr(Room) r = room_new();
        JailSpec spec = { .input_fd = r->secret_fd, .root_fd = -EBADF, .network = true,
                          .stage = "testing" };

        spec.func = open_sockets;
        assert_answer(&spec, AF_MAX - 3, EPERM);
        spec.func = do_more_than_download;
        assert_answer(&spec, 15, EPERM);
}

/* --- writing archives --- */

static int do_more_than_write(Jail *jail, GVariantDict *result, Error *ret_error) {
        const Attempt attempts[] = {
                CALL(clone, SIGCHLD), CALL(execve), CALL(socket, AF_INET, SOCK_STREAM),
                CALL(fcntl, jail->root_fd, F_SETFL, O_APPEND), CALL(fcntl, jail->root_fd, F_SETLK),
                CALL(unlinkat, jail->root_fd, (long) "link"), CALL(ioctl, 0, 0x5401),
        };

        attempt_all(attempts, ELEMENTSOF(attempts), result);
        return 0;
}

static int change_files(Jail *jail, GVariantDict *result, Error *ret_error) {
        room_note(result, "directory", mkdirat(jail->root_fd, "new", 0700));
        room_note(result, "link", symlinkat("x", jail->root_fd, "new"));
        room_note(result, "mode", fchmod(jail->root_fd, 0700));
        return 0;
}

TEST(who_writes_an_archive_changes_no_file) {
        g_autoptr(Room) r = room_new();
        JailSpec spec = { .input_fd = r->secret_fd, .root_fd = r->root_fd, .idmapped = true,
                          .stage = "testing", .writes_archive = true };

        spec.func = do_more_than_write;
        assert_answer(&spec, 7, EPERM);
        spec.func = change_files;
        assert_answer(&spec, 3, EROFS);
}

int main(void) {
        if (geteuid() != 0) {
                printf("SKIP: a jail can be made by root only\n");
                return 77;
        }
        return test_run();
}
