/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "service/operation/step.h"
#include "service/util/cleanup.h"

/* Reading the files of a container that runs takes a picture of them, at once where its pool can,
 * else while the container is held still. The record says so, for a recovery to let it go. */

static bool must_hold(Job *job) {
        ContainerJob *data = job->data;
        const Container *c = data->container;
        const StoragePool *pool = manager_find_pool(job->manager, c->pool);

        return container_is_up(c) && !c->facts.frozen && !storage_pool_takes_pictures(pool);
}

int step_hold(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;
        int r;

        if (!must_hold(job))
                return JOB_STEP_DONE;
        c->held = true;
        r = manager_save(job->manager, &c->object, ret_error);
        return r < 0 ? r : step_freeze(job, ret_error);
}

int step_release(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        return c->held && container_is_up(c) ? step_unfreeze(job, ret_error) : JOB_STEP_DONE;
}

int step_released(Job *job, Error *ret_error) {
        ContainerJob *data = job->data;
        Container *c = data->container;

        if (!c->held)
                return JOB_STEP_DONE;
        c->held = false;
        return manager_save(job->manager, &c->object, ret_error);
}
