/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/fair-queue.h"

#include "service/util/places.h"
#include "tests/unit/test.h"

#define ITEM(_i) GUINT_TO_POINTER(_i)
#define POP(_queue) GPOINTER_TO_UINT(fair_queue_pop(_queue, NULL, NULL, NULL))

TEST(users_are_served_in_turn) {
        g_autoptr(FairQueue) queue = fair_queue_new();
        uid_t uid = 0;

        for (unsigned i = 1; i <= 3; i++)
                fair_queue_push(queue, 1000, ITEM(i));
        fair_queue_push(queue, 1001, ITEM(11));
        fair_queue_push(queue, 1002, ITEM(21));
        fair_queue_push(queue, 1001, ITEM(12));
        g_assert_cmpuint(fair_queue_count(queue, 1000), ==, 3);
        g_assert_cmpuint(POP(queue), ==, 1);
        g_assert_cmpuint(GPOINTER_TO_UINT(fair_queue_pop(queue, NULL, NULL, &uid)), ==, 11);
        g_assert_cmpuint(uid, ==, 1001);
        g_assert_cmpuint(POP(queue), ==, 21);
        g_assert_cmpuint(POP(queue), ==, 2);
        /* Who comes late has not missed his turn. */
        fair_queue_push(queue, 1003, ITEM(31));
        g_assert_cmpuint(POP(queue), ==, 12);
        g_assert_cmpuint(POP(queue), ==, 3);
        g_assert_cmpuint(POP(queue), ==, 31);
        g_assert_true(fair_queue_is_empty(queue));
        g_assert_cmpuint(POP(queue), ==, 0);
}

TEST(what_is_taken_out_is_not_served) {
        g_autoptr(FairQueue) queue = fair_queue_new();

        fair_queue_push(queue, 1000, ITEM(1));
        fair_queue_push(queue, 1000, ITEM(2));
        fair_queue_push(queue, 1001, ITEM(3));
        g_assert_true(fair_queue_remove(queue, 1000, ITEM(1)));
        g_assert_true(fair_queue_remove(queue, 1001, ITEM(3)));
        g_assert_false(fair_queue_remove(queue, 1001, ITEM(3)));
        g_assert_cmpuint(POP(queue), ==, 2);
        g_assert_true(fair_queue_is_empty(queue));
}

static bool is_not(uid_t uid, void *other) {
        return uid != GPOINTER_TO_UINT(other);
}

TEST(who_may_not_is_passed_over) {
        g_autoptr(FairQueue) queue = fair_queue_new();

        fair_queue_push(queue, 1000, ITEM(1));
        g_assert_null(fair_queue_pop(queue, is_not, ITEM(1000), NULL));
        fair_queue_push(queue, 1001, ITEM(2));
        g_assert_true(fair_queue_pop(queue, is_not, ITEM(1000), NULL) == ITEM(2));
        g_assert_cmpuint(POP(queue), ==, 1);
}

TEST(nobody_has_more_places_than_he_may) {
        g_autoptr(Places) places = places_new(5, 2);

        g_assert_true(places_take(places, 1000, ITEM(1)));
        g_assert_true(places_take(places, 1000, ITEM(2)));
        g_assert_false(places_take(places, 1000, ITEM(3)));
        g_assert_false(places_take(places, 1000, ITEM(4)));
        g_assert_cmpuint(places_count_waiting(places, 1000), ==, 2);
        /* Others find some, until there are none. */
        g_assert_true(places_take(places, 1001, ITEM(11)));
        g_assert_true(places_take(places, 0, ITEM(91)));
        g_assert_true(places_take(places, 0, ITEM(92)));
        g_assert_false(places_take(places, 1002, ITEM(21)));
        g_assert_false(places_take(places, 0, ITEM(93)));

        /* What another one gives back is not for who has all that he may. */
        g_assert_true(places_leave(places, 1001) == ITEM(21));
        g_assert_true(places_leave(places, 1000) == ITEM(3));
        g_assert_true(places_leave(places, 0) == ITEM(93));
        places_forget(places, 1000, ITEM(4));
        g_assert_null(places_leave(places, 1000));
        g_assert_cmpuint(places_count_waiting(places, 1000), ==, 0);
}

TEST_MAIN()
