#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

struct heap {
    struct heap_item **items;
    size_t count;
    size_t capacity;
};

struct heap *heap_create(size_t capacity)
{
    struct heap *heap = calloc(1, sizeof *heap);
    if (heap == NULL)
        return NULL;
    heap->items = calloc(capacity > 0 ? capacity : 1, sizeof(struct heap_item *));
    if (heap->items == NULL) {
        free(heap);
        return NULL;
    }
    heap->capacity = capacity;
    return heap;
}

void heap_destroy(struct heap *heap)
{
    if (heap == NULL)
        return;
    free(heap->items);
    free(heap);
}

static bool before(const struct heap_item *a, const struct heap_item *b)
{
    return a->key < b->key || (a->key == b->key && a->sequence < b->sequence);
}

static void place(struct heap *heap, struct heap_item *item, size_t index)
{
    heap->items[index] = item;
    item->position = index + 1;
}

static void rise(struct heap *heap, struct heap_item *item, size_t index)
{
    while (index > 0 && before(item, heap->items[(index - 1) / 2])) {
        place(heap, heap->items[(index - 1) / 2], index);
        index = (index - 1) / 2;
    }
    place(heap, item, index);
}

static void sink(struct heap *heap, struct heap_item *item, size_t index)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!before(heap->items[child], item))
            break;
        place(heap, heap->items[child], index);
        index = child;
    }
    place(heap, item, index);
}

bool heap_insert(struct heap *heap, struct heap_item *item)
{
    if (heap->count == heap->capacity || item->position != 0)
        return false;
    rise(heap, item, heap->count++);
    return true;
}

void heap_remove(struct heap *heap, struct heap_item *item)
{
    assert(heap_contains(heap, item));
    const size_t index = item->position - 1;
    struct heap_item *last = heap->items[--heap->count];
    item->position = 0;
    if (last == item)
        return;
    if (index > 0 && before(last, heap->items[(index - 1) / 2]))
        rise(heap, last, index);
    else
        sink(heap, last, index);
}

bool heap_contains(const struct heap *heap, const struct heap_item *item)
{
    return item->position != 0 && item->position <= heap->count &&
           heap->items[item->position - 1] == item;
}

struct heap_item *heap_min(const struct heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}

size_t heap_count(const struct heap *heap)
{
    return heap->count;
}
