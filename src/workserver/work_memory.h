/**
 * work_memory: the works found last, the best of each root, given out to whoever asks for no more.
 * One thread uses it.
 */
#ifndef DPOW_WORKSERVER_WORK_MEMORY_H
#define DPOW_WORKSERVER_WORK_MEMORY_H

#include "base/table.h"
#include "nano/work.h"

struct work_memory;

/** @param capacity works, at least 1; @return owned, NULL when out of memory */
struct work_memory *work_memory_create(size_t capacity, const uint8_t seed[TABLE_SEED_SIZE]);
void work_memory_destroy(struct work_memory *memory);

/** Remembers a work unless a better one of its root is there; the oldest root makes room. */
void work_memory_add(struct work_memory *memory, const struct root *root, uint64_t nonce,
                     uint64_t value);

/** @return whether a work of the root reaches the threshold; it is written then */
bool work_memory_find(const struct work_memory *memory, const struct root *root, uint64_t threshold,
                      uint64_t *nonce, uint64_t *value);

#endif
