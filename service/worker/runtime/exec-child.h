/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The way of a program into a container, as the processes on that way see it:
 *
 *   worker --fork--> intermediate --CLONE_PARENT--> child --execve--> program
 *
 * The intermediate is forked into the container's groups, takes init's limits while it is still
 * the host's root, enters all namespaces at once, opens the terminal, clones the child (which is
 * in the process namespace only then, and is the worker's own child to wait for), tells the worker
 * and ends. The child gives up what init does not have, becomes the user, and executes.
 *
 * Neither can be traced or looked into from inside: they are not dumpable until the program is
 * executed, and nothing but the three standard fds is open then. All that is read about the
 * container from /proc was read by the worker before the container was entered.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include <glib.h>
#include <seccomp.h>

#include "service/util/error.h"
#include "service/worker/runtime/cgroup.h"
#include "service/worker/runtime/process.h"

typedef struct ExecPlan ExecPlan;
typedef struct ExecReport ExecReport;

struct ExecPlan {
        GStrv argv;
        GStrv environment; /* "NAME=VALUE" */
        const char *cwd, *user, *group; /* "" for the defaults */
        bool terminal;
        uint32_t width, height;
        int stdio_fds[3]; /* without terminal */

        Process init;
        int proc_fd; /* the host's /proc */
        CgroupEntry cgroups;
        struct rlimit limits[RLIM_NLIMITS];
        uint64_t bounding_set;  /* of init */
        uint32_t personality;   /* likewise */
        char *oom_score_adj;    /* likewise */
        char *security_label;   /* likewise; NULL where no AppArmor is on */
        scmp_filter_ctx filter;
        int report_fd;          /* SOCK_SEQPACKET to the worker */
};

typedef enum ExecReportKind {
        EXEC_REPORT_READY,  /* with fds: pidfd of the child, then master and slave of a terminal */
        EXEC_REPORT_FAILED, /* nothing will be executed */
} ExecReportKind;

/* What intermediate and child send; that the program has been executed shows in the end of file.
 * The child in turn waits for the fd of its own attr/exec, if there is a security label to set. */
struct ExecReport {
        ExecReportKind kind;
        ErrorCode code;
        int exit_status; /* 126 or 127 where execve() failed, else -1 */
        char text[512];
};

/* The intermediate's whole life. */
G_GNUC_NORETURN void exec_child_run(const ExecPlan *plan);
