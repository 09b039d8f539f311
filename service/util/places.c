/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/places.h"

#include "service/util/fair-queue.h"

typedef struct User {
        unsigned taken;
} User;

struct Places {
        unsigned max, max_per_uid, taken;
        GHashTable *users; /* uid -> User, of those who have a place */
        FairQueue *waiting;
};

Places *places_new(unsigned max, unsigned max_per_uid) {
        Places *places = g_new0(Places, 1);

        places->max = max;
        places->max_per_uid = max_per_uid;
        places->users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        places->waiting = fair_queue_new();
        return places;
}

Places *places_free(Places *places) {
        if (!places)
                return NULL;

        g_hash_table_unref(places->users);
        (void) fair_queue_free(places->waiting);
        g_free(places);
        return NULL;
}

static bool may_have_one(uid_t uid, void *userdata) {
        const Places *places = userdata;
        const User *user = g_hash_table_lookup(places->users, GUINT_TO_POINTER(uid));

        return uid == 0 || !user || user->taken < places->max_per_uid;
}

static void give(Places *places, uid_t uid) {
        User *user = g_hash_table_lookup(places->users, GUINT_TO_POINTER(uid));

        if (!user) {
                user = g_new0(User, 1);
                g_hash_table_insert(places->users, GUINT_TO_POINTER(uid), user);
        }
        user->taken++;
        places->taken++;
}

bool places_take(Places *places, uid_t uid, void *item) {
        if (places->taken < places->max && may_have_one(uid, places)) {
                give(places, uid);
                return true;
        }
        fair_queue_push(places->waiting, uid, item);
        return false;
}

void *places_leave(Places *places, uid_t uid) {
        User *user = g_hash_table_lookup(places->users, GUINT_TO_POINTER(uid));
        uid_t next_uid = 0;
        void *next;

        g_assert(user && user->taken > 0);
        places->taken--;
        if (--user->taken == 0)
                g_hash_table_remove(places->users, GUINT_TO_POINTER(uid));
        next = fair_queue_pop(places->waiting, may_have_one, places, &next_uid);
        if (next)
                give(places, next_uid);
        return next;
}

void places_forget(Places *places, uid_t uid, void *item) {
        (void) fair_queue_remove(places->waiting, uid, item);
}

unsigned places_count_waiting(const Places *places, uid_t uid) {
        return fair_queue_count(places->waiting, uid);
}
