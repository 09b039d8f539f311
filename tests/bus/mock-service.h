/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Another service of the host: takes every call to one object, notes it as "MEMBER(ARGUMENTS)" and
 * replies with nothing. */

#include <glib.h>

#include "tests/bus/harness.h"

typedef struct MockService MockService;

MockService *mock_service_new(Harness *h, const char *name, const char *path);
MockService *mock_service_free(MockService *service);

/* What was called, in its order, a line each; to be freed. */
char *mock_service_get_calls(const MockService *service);
/* How often such a call came. */
unsigned mock_service_count(const MockService *service, const char *call);
void mock_service_emit(MockService *service, const char *interface, const char *member);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MockService, mock_service_free)
