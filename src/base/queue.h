/**
 * queue: messages between threads: any number of producers, one consumer, first in first out.
 *
 * The messages are the caller's structs with a `struct queue_item` inside; the queue allocates
 * nothing and has no limit of its own: who produces bounds what is outstanding.
 */
#ifndef DPOW_BASE_QUEUE_H
#define DPOW_BASE_QUEUE_H

#include <pthread.h>
#include <stdbool.h>

/** The link inside a message. It belongs to the queue from push until it is taken. */
struct queue_item {
    struct queue_item *next;
};

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct queue_item *first;
    struct queue_item *last;
    bool closed;
};

/** @return false if the system has no mutex or condition to give */
bool queue_init(struct queue *queue);

/** Nobody may use the queue any more; what is in it stays the callers'. */
void queue_destroy(struct queue *queue);

/**
 * Adds a message. Any thread.
 * @return whether the queue was empty: then the consumer, if it sleeps elsewhere, must be woken
 */
bool queue_push(struct queue *queue, struct queue_item *item);

/** Takes all messages, oldest first, linked by next; NULL if there are none. Never waits. */
struct queue_item *queue_take_all(struct queue *queue);

/**
 * Waits for messages and takes all of them.
 * @return NULL once the queue is closed and empty
 */
struct queue_item *queue_wait_all(struct queue *queue);

/** Ends waits from now on; messages can still be pushed and taken. Any thread. */
void queue_close(struct queue *queue);

#endif
