#include "engine/search_queue.h"

#include "base/random.h"

bool search_queue_init(struct search_queue *queue)
{
    uint8_t seed[TABLE_SEED_SIZE];
    random_system(seed, sizeof seed);
    *queue = (struct search_queue){.by_id = table_create(ENGINE_QUEUE_MAX, seed)};
    return queue->by_id != NULL;
}

void search_queue_destroy(struct search_queue *queue)
{
    table_destroy(queue->by_id);
}

bool search_queue_add(struct search_queue *queue, struct search *search)
{
    if (!table_insert(queue->by_id, table_key_of(search->id).bytes, search))
        return false;
    const enum search_priority class = search->priority;
    search->waiting = true;
    search->next = NULL;
    search->previous = queue->last[class];
    if (search->previous != NULL)
        search->previous->next = search;
    else
        queue->first[class] = search;
    queue->last[class] = search;
    return true;
}

void search_queue_put_back(struct search_queue *queue, struct search *search)
{
    const enum search_priority class = search->priority;
    search->waiting = true;
    search->previous = NULL;
    search->next = queue->first[class];
    if (search->next != NULL)
        search->next->previous = search;
    else
        queue->last[class] = search;
    queue->first[class] = search;
}

static void unlink_waiting(struct search_queue *queue, struct search *search)
{
    if (search->previous != NULL)
        search->previous->next = search->next;
    else
        queue->first[search->priority] = search->next;
    if (search->next != NULL)
        search->next->previous = search->previous;
    else
        queue->last[search->priority] = search->previous;
    search->waiting = false;
}

int search_queue_next_priority(const struct search_queue *queue)
{
    for (int class = SEARCH_PRIORITIES - 1; class >= 0; class --)
        if (queue->first[class] != NULL)
            return class;
    return -1;
}

struct search *search_queue_next(struct search_queue *queue)
{
    const int class = search_queue_next_priority(queue);
    if (class < 0)
        return NULL;
    struct search *search = queue->first[class];
    unlink_waiting(queue, search);
    return search;
}

struct search *search_queue_find(const struct search_queue *queue, search_id id)
{
    return table_find(queue->by_id, table_key_of(id).bytes);
}

void search_queue_remove(struct search_queue *queue, struct search *search)
{
    (void)table_remove(queue->by_id, table_key_of(search->id).bytes);
    if (search->waiting)
        unlink_waiting(queue, search);
}

size_t search_queue_count(const struct search_queue *queue)
{
    return table_count(queue->by_id);
}
