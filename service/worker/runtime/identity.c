/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker/runtime/identity.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <unistd.h>

void identity_clear(Identity *identity) {
        g_clear_pointer(&identity->groups, g_free);
}

int identity_get(uid_t uid, Identity *ret) {
        const struct passwd *user = getpwuid(uid);
        Identity identity = { .uid = uid };
        int n = NGROUPS_MAX;

        if (!user)
                return -ESRCH;
        identity.gid = user->pw_gid;
        identity.groups = g_new(gid_t, (size_t) n);
        if (getgrouplist(user->pw_name, user->pw_gid, identity.groups, &n) < 0) {
                g_free(identity.groups);
                return -E2BIG;
        }
        identity.n_groups = n;
        *ret = identity;
        return 0;
}

int identity_become(const Identity *identity) {
        if (setgroups((size_t) identity->n_groups, identity->groups) < 0 ||
            setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
            setresuid(identity->uid, identity->uid, identity->uid) < 0)
                return -errno;
        return 0;
}
