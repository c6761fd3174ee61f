/**
 * heap: a priority queue of timers and the like, from which any item can be taken out.
 *
 * Items live inside the caller's structs; the heap holds pointers to them and keeps each item's
 * position up to date, so that insertion and removal of any item take O(log n). One thread uses it.
 */
#ifndef DPOW_BASE_HEAP_H
#define DPOW_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is queued. Zeroed memory is an item that is in no heap. */
struct heap_item {
    uint64_t key;      /**< The smallest comes first. Not to be changed while in a heap. */
    uint64_t sequence; /**< Among equal keys, the smallest comes first. Likewise. */
    size_t position;   /**< The heap's: 1 + index, 0 when in no heap. */
};

struct heap;

/** @return owned by the caller; NULL when out of memory */
struct heap *heap_create(size_t capacity);

/** Frees the heap, not the items. NULL is ignored. */
void heap_destroy(struct heap *heap);

/** @return false if the heap is full or the item is in a heap already */
bool heap_insert(struct heap *heap, struct heap_item *item);

/** Takes an item out; it must be in this heap. */
void heap_remove(struct heap *heap, struct heap_item *item);

/** Whether the item is in the heap (an item is in one heap at most). */
bool heap_contains(const struct heap *heap, const struct heap_item *item);

/** The first item, which stays in; NULL when the heap is empty. */
struct heap_item *heap_min(const struct heap *heap);

size_t heap_count(const struct heap *heap);

#endif
