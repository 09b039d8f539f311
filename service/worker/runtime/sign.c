/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/sign.h"

#include "service/util/cleanup.h"
#include "service/util/fd.h"
#include "service/util/path.h"
#include "service/worker/runtime/container-config.h"
#include "service/worker/runtime/state-seal.h"

typedef struct Sign {
        const char *name, *from, *state, *key, *migration_key;
        bool incoming;
        IdMap *idmap;
        int state_fd;
} Sign;

static void sign_done(Sign *sign) {
        sign->idmap = idmap_free(sign->idmap);
        sign->state_fd = fd_close(sign->state_fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sign, sign_done)

static int read_args(Worker *worker, Sign *sign, Error *ret_error) {
        const struct {
                const char *key;
                const char **value;
        } strings[] = {
                { "name", &sign->name },           { "from", &sign->from },
                { "state", &sign->state },         { "state-key", &sign->key },
                { "migration-key", &sign->migration_key },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(strings); i++)
                r = worker_get_string(worker, strings[i].key, strings[i].value, ret_error);
        if (r >= 0)
                r = worker_get_boolean(worker, "incoming", &sign->incoming, ret_error);
        if (r >= 0)
                r = worker_get_idmap(worker, "idmap", &sign->idmap, ret_error);
        if (r < 0)
                return r;
        if (!container_name_is_valid(sign->name) || !container_path_is_plain(sign->state))
                return error_set(ret_error, ERROR_INVALID_ARGS,
                                 "Name or path of a state make no sense");
        return 0;
}

/* The files of a stranger until the seal is known to be right; beside them may be what CRIU would
 * write to, a link for one. */
static int take_in(const Sign *sign, Error *ret_error) {
        int r;

        r = state_check_seal(sign->state_fd, STATE_SEAL_TRANSFER, sign->migration_key, sign->from,
                             sign->idmap, ret_error);
        if (r < 0)
                return r;
        r = state_strip(sign->state_fd);
        if (r < 0)
                return error_set_errno(ret_error, -r, "Cannot clean the state of container \"%s\"",
                                       sign->name);
        return state_seal(sign->state_fd, STATE_SEAL_OWN, sign->key, sign->name, sign->idmap,
                          ret_error);
}

static int give_away(const Sign *sign, Error *ret_error) {
        int r = state_check_seal(sign->state_fd, STATE_SEAL_OWN, sign->key, sign->name,
                                 sign->idmap, ret_error);

        return r < 0 ? r
                     : state_seal(sign->state_fd, STATE_SEAL_TRANSFER, sign->migration_key,
                                  sign->name, sign->idmap, ret_error);
}

int sign_run(Worker *worker, GVariantDict *result, Error *ret_error) {
        g_auto(Sign) sign = { .state_fd = -EBADF };
        int r = read_args(worker, &sign, ret_error);

        if (r < 0)
                return r;
        sign.state_fd = path_open_dir(sign.state);
        if (sign.state_fd < 0)
                return error_set_errno(ret_error, -sign.state_fd,
                                       "Cannot open the state of container \"%s\"", sign.name);
        return sign.incoming ? take_in(&sign, ret_error) : give_away(&sign, ret_error);
}
