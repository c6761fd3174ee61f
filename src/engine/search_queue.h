/**
 * search_queue: the searches in hand, by class and age, and by number. Guarded by its owner's lock.
 */
#ifndef DPOW_ENGINE_SEARCH_QUEUE_H
#define DPOW_ENGINE_SEARCH_QUEUE_H

#include "base/table.h"
#include "engine/engine.h"

/** One search from its acceptance to its end. */
struct search {
    search_id id;
    struct root root;
    uint64_t threshold;
    enum search_priority priority;
    uint64_t hashes;         /**< Tried in earlier turns. */
    uint64_t micros;         /**< Likewise. */
    uint64_t turn_began_us;  /**< Of the present turn. */
    struct search *previous; /**< Among the waiting ones of its class. */
    struct search *next;
    bool waiting; /**< In a list; those that run are not. */
};

/** All searches of an engine; those that run are known by number only. */
struct search_queue {
    struct search *first[SEARCH_PRIORITIES];
    struct search *last[SEARCH_PRIORITIES];
    struct table *by_id;
};

/** @return false when out of memory */
bool search_queue_init(struct search_queue *queue);

/** Frees the queue; it must hold no searches. */
void search_queue_destroy(struct search_queue *queue);

/** Takes a new search, last in its class. @return false if ENGINE_QUEUE_MAX are in hand */
bool search_queue_add(struct search_queue *queue, struct search *search);

/** Puts the interrupted search back, first in its class. */
void search_queue_put_back(struct search_queue *queue, struct search *search);

/** Takes the next search to run out of its list; NULL if none waits. */
struct search *search_queue_next(struct search_queue *queue);

/** The class of the search that would be next; -1 if none waits. */
int search_queue_next_priority(const struct search_queue *queue);

/** Waiting or running, by number; NULL if there is none. */
struct search *search_queue_find(const struct search_queue *queue, search_id id);

/** Forgets a search, waiting or running. It stays the caller's to free. */
void search_queue_remove(struct search_queue *queue, struct search *search);

size_t search_queue_count(const struct search_queue *queue);

#endif
