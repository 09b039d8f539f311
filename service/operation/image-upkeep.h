/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What happens to images by themselves: those that came with a launch are deleted when they have
 * not been used for images.remote_cache_expiry, and those that follow an image server are refreshed
 * every images.auto_update_interval. One timer waits for the next of it, and there is none where
 * there is no such image. It is no reason for the service to stay: what was due meanwhile is done
 * when it next comes up, and data/berth-images.timer wakes it.
 */

#include "service/operation/manager.h"

typedef struct ImageUpkeep ImageUpkeep;

/* Begins; to be called when recovery is over. */
int image_upkeep_new(Manager *m, ImageUpkeep **ret, Error *ret_error);
void image_upkeep_free(ImageUpkeep *upkeep);
/* Something may have changed about what is due. Cheap; looks later. */
void image_upkeep_touch(ImageUpkeep *upkeep);
