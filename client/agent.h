/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * polkit's agent for terminals (pkttyagent), which asks for the password where the session has no
 * graphical agent. It lives from agent_open() to agent_close().
 */

#include <sys/types.h>

typedef struct Agent {
        pid_t pid; /* 0 when none runs */
} Agent;

#define AGENT_INIT ((Agent) { 0 })

/* Starts the agent and returns when it is registered with polkit. Does nothing where there is no
 * terminal to ask on, for root, who is never asked, and where the agent is not installed. */
int agent_open(Agent *agent);
void agent_close(Agent *agent);
