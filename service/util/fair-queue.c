/* SPDX-License-Identifier: Apache-2.0 */
#include "service/util/fair-queue.h"

typedef struct Line {
        uid_t uid;
        GQueue items;
} Line;

/* Only users who wait have a line. */
struct FairQueue {
        GHashTable *lines; /* uid -> Line, owned */
        GQueue turns;      /* of Line: the one whose turn it is comes first */
};

static void line_free(void *p) {
        Line *line = p;

        g_queue_clear(&line->items);
        g_free(line);
}

FairQueue *fair_queue_new(void) {
        FairQueue *queue = g_new0(FairQueue, 1);

        queue->lines = g_hash_table_new_full(NULL, NULL, NULL, line_free);
        g_queue_init(&queue->turns);
        return queue;
}

FairQueue *fair_queue_free(FairQueue *queue) {
        if (!queue)
                return NULL;

        g_queue_clear(&queue->turns);
        g_hash_table_unref(queue->lines);
        g_free(queue);
        return NULL;
}

static Line *line_of(const FairQueue *queue, uid_t uid) {
        return g_hash_table_lookup(queue->lines, GUINT_TO_POINTER(uid));
}

void fair_queue_push(FairQueue *queue, uid_t uid, void *item) {
        Line *line = line_of(queue, uid);

        if (!line) {
                line = g_new0(Line, 1);
                line->uid = uid;
                g_queue_init(&line->items);
                g_hash_table_insert(queue->lines, GUINT_TO_POINTER(uid), line);
                g_queue_push_tail(&queue->turns, line);
        }
        g_queue_push_tail(&line->items, item);
}

static void drop_line(FairQueue *queue, Line *line) {
        g_queue_remove(&queue->turns, line);
        g_hash_table_remove(queue->lines, GUINT_TO_POINTER(line->uid));
}

void *fair_queue_pop(FairQueue *queue, bool (*may)(uid_t uid, void *userdata), void *userdata,
                     uid_t *ret_uid) {
        for (GList *turn = queue->turns.head; turn; turn = turn->next) {
                Line *line = turn->data;
                void *item;

                if (may && !may(line->uid, userdata))
                        continue;
                if (ret_uid)
                        *ret_uid = line->uid;
                item = g_queue_pop_head(&line->items);
                if (g_queue_is_empty(&line->items))
                        drop_line(queue, line);
                else {
                        g_queue_unlink(&queue->turns, turn);
                        g_queue_push_tail_link(&queue->turns, turn);
                }
                return item;
        }
        return NULL;
}

bool fair_queue_remove(FairQueue *queue, uid_t uid, void *item) {
        Line *line = line_of(queue, uid);

        if (!line || !g_queue_remove(&line->items, item))
                return false;
        if (g_queue_is_empty(&line->items))
                drop_line(queue, line);
        return true;
}

unsigned fair_queue_count(const FairQueue *queue, uid_t uid) {
        const Line *line = line_of(queue, uid);

        return line ? line->items.length : 0;
}

bool fair_queue_is_empty(const FairQueue *queue) {
        return g_hash_table_size(queue->lines) == 0;
}
