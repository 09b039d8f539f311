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

typedef enum AgentTerminal {
        AGENT_ON_INPUT,        /* only where standard input is one: somebody sits there */
        AGENT_ON_ANY_TERMINAL, /* also where standard input is the data of a command */
} AgentTerminal;

/* Starts the agent and returns when it is registered with polkit. Does nothing where there is no
 * terminal to ask on, for root, who is never asked, and where the agent is not installed. */
int agent_open(Agent *agent, AgentTerminal where);
void agent_close(Agent *agent);
