/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Scopes of systemd's: where it is process 1 and all control groups are version 2, what outlives
 * berthd's unit gets a unit of its own below berth.slice, so that systemd counts, shows and stops
 * it as such. A container's scope holds all three of its groups (service/worker/runtime/cgroup.h)
 * and is handed over to us; the containers of other hosts do without.
 *
 * Speaking to systemd is berth-scope's work, so that no worker links libsystemd.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "service/util/error.h"

#define SCOPE_SLICE "berth.slice"

/* Whether systemd is process 1 here. */
bool scope_has_systemd(void);
/* "berth-NAME.scope", the unit of a container. */
char *scope_of_container(const char *name);
/* "berthnet-NAME.scope", that of a network. */
char *scope_of_network(const char *name);

/* Makes the unit and puts the process, a child of ours, into it. Its control group can be divided
 * further once the process has been moved on. One of that name that has just become empty is waited
 * for; one that is not is an error. */
int scope_create(const char *unit, const char *description, pid_t pid, Error *ret_error);

/* Tells systemd-machined of a container, which forgets it when its scope ends. Nothing happens
 * where machined is not installed. `interfaces` are indices of its host's ends. */
int scope_register_machine(const char *name, pid_t init_pid, const char *root,
                           const unsigned *interfaces, size_t n_interfaces, Error *ret_error);

/* What keeps a child from going on before it is where it should be. */
typedef struct ScopeGate {
        int child_fd, parent_fd;
} ScopeGate;

#define SCOPE_GATE_INIT ((ScopeGate) { -EBADF, -EBADF })

int scope_gate_open(ScopeGate *ret);
/* In the child: false when it must end, because the parent has failed. */
bool scope_gate_wait(ScopeGate *gate);
/* In the parent. */
void scope_gate_release(ScopeGate *gate);
void scope_gate_close(ScopeGate *gate);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ScopeGate, scope_gate_close)
