#include "base/queue.h"

#include <stddef.h>

bool queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->last = NULL;
    queue->closed = false;
    if (pthread_mutex_init(&queue->mutex, NULL) != 0)
        return false;
    if (pthread_cond_init(&queue->filled, NULL) != 0) {
        (void)pthread_mutex_destroy(&queue->mutex);
        return false;
    }
    return true;
}

void queue_destroy(struct queue *queue)
{
    (void)pthread_cond_destroy(&queue->filled);
    (void)pthread_mutex_destroy(&queue->mutex);
}

bool queue_push(struct queue *queue, struct queue_item *item)
{
    item->next = NULL;
    (void)pthread_mutex_lock(&queue->mutex);
    const bool was_empty = queue->first == NULL;
    if (was_empty)
        queue->first = item;
    else
        queue->last->next = item;
    queue->last = item;
    if (was_empty)
        (void)pthread_cond_signal(&queue->filled);
    (void)pthread_mutex_unlock(&queue->mutex);
    return was_empty;
}

static struct queue_item *take_locked(struct queue *queue)
{
    struct queue_item *first = queue->first;
    queue->first = NULL;
    queue->last = NULL;
    return first;
}

struct queue_item *queue_take_all(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->mutex);
    struct queue_item *first = take_locked(queue);
    (void)pthread_mutex_unlock(&queue->mutex);
    return first;
}

struct queue_item *queue_wait_all(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->mutex);
    while (queue->first == NULL && !queue->closed)
        (void)pthread_cond_wait(&queue->filled, &queue->mutex);
    struct queue_item *first = take_locked(queue);
    (void)pthread_mutex_unlock(&queue->mutex);
    return first;
}

void queue_close(struct queue *queue)
{
    (void)pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    (void)pthread_cond_broadcast(&queue->filled);
    (void)pthread_mutex_unlock(&queue->mutex);
}
