/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Networks and profiles that come back from the copies of their records: part of rebuild.h. */

#include "service/operation/container.h"

/* What a copy says of a network, as far as it can be believed. ERROR_ACCESS_DENIED where it wants
 * more of the host than the caller was granted. */
int rebuild_network(Caller caller, const char *name, GVariant *record, Network **ret,
                    Error *ret_error);
/* The same of a profile, whose pools and networks are there. It is granted nothing: what it lets
 * containers do to the host is asked for again when they start. */
int rebuild_profile(Manager *m, const char *name, GVariant *record, Profile **ret,
                    Error *ret_error);

/* Exchanges what two profiles say, whatever these are called. */
void rebuild_exchange_profiles(Profile *a, Profile *b);
