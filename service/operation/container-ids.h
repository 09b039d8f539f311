/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which ids containers have: who gets which range of the host's, and the map that comes of it.
 *
 * A container has a range from its creation to its deletion. It gets another one at a start, when
 * its configuration wants another; what it had is free then, and not before. The map that it runs
 * with is kept with the facts of the run.
 */

#include "service/operation/manager.h"

/* Gives the container a range that `config` (expanded) asks for; one that will do stays. */
int container_choose_ids(Manager *m, Container *c, GVariant *config, Error *ret_error);
/* The same for one that is just being made, by its own configuration and profiles. */
int container_choose_first_ids(Manager *m, Container *c, Error *ret_error);
/* Whether a change from one configuration to another would work at the next start, as far as ids
 * are concerned. */
int container_check_ids(Manager *m, const Container *c, GVariant *before, GVariant *after,
                        Error *ret_error);
/* Whether it may have exactly that range, and the map that would come of it. */
int container_check_range(Manager *m, const Container *c, IdRange range, IdMap **ret_map,
                          Error *ret_error);
/* The map for its next start. */
int container_make_idmap(Manager *m, const Container *c, GVariant *config, IdMap **ret,
                         Error *ret_error);
/* The one that it runs with, or that its files can be worked on with while it does not run. */
IdMap *container_get_idmap(Manager *m, const Container *c);

/* After the records were read: where two have the same ids, one gets others. */
void container_ids_settle(Manager *m);
