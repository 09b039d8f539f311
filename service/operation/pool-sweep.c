/* SPDX-License-Identifier: Apache-2.0 */
#include "service/operation/pool-sweep.h"

#include <fcntl.h>

#include "service/operation/pool.h"
#include "service/operation/step.h"
#include "service/util/cleanup.h"
#include "service/util/log.h"
#include "service/util/path.h"

/* Below a pool's root; those of `levels` 1 are in directories named after what they are of. */
static const struct {
        const char *name;
        int levels;
} directories[] = {
        { "containers", 0 },       { "images", 0 }, { "custom", 0 },
        { "states", 0 },           { "snapshots", 1 },
        { "custom-snapshots", 1 },
};

static bool is_dirty(int dir_fd, const char *name, int levels) {
        _cleanup_close_ int fd = path_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
        g_autoptr(GPtrArray) names = NULL;
        bool found = false;

        if (fd < 0 || path_list_names(fd, &names) < 0)
                return false;
        for (guint i = 0; !found && i < names->len; i++) {
                const char *entry = names->pdata[i];

                found = levels > 0 ? is_dirty(fd, entry, levels - 1) : entry[0] == '.';
        }
        return found;
}

bool pool_needs_sweep(const char *path) {
        _cleanup_close_ int fd = path_open_dir(path);

        for (size_t i = 0; fd >= 0 && i < ELEMENTSOF(directories); i++)
                if (is_dirty(fd, directories[i].name, directories[i].levels))
                        return true;
        return false;
}

void pools_sweep(Manager *m) {
        GHashTableIter iter;
        StoragePool *pool;

        g_hash_table_iter_init(&iter, m->objects[OBJECT_POOL]);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &pool)) {
                g_autofree char *path = pool_get_path(m, pool->object.name);
                g_auto(Error) error = ERROR_INIT;
                Job *job;

                if (pool->state != POOL_AVAILABLE || !pool_needs_sweep(path))
                        continue;
                if (pool_sweep(m, pool, &job, &error) >= 0)
                        job_start(job);
                else
                        log_warning("Storage pool \"%s\" cannot be swept: %s", pool->object.name,
                                    error.message);
        }
}
