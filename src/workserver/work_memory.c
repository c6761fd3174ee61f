#include "workserver/work_memory.h"

#include <stdlib.h>

struct work {
    struct root root;
    uint64_t nonce;
    uint64_t value;
    bool used;
};

/* A ring by age; the table finds a root's place in it. */
struct work_memory {
    struct table *by_root;
    size_t capacity;
    size_t next;
    struct work works[];
};

struct work_memory *work_memory_create(size_t capacity, const uint8_t seed[TABLE_SEED_SIZE])
{
    struct work_memory *memory = calloc(1, sizeof *memory + capacity * sizeof memory->works[0]);
    if (memory == NULL)
        return NULL;
    memory->capacity = capacity;
    memory->by_root = table_create(capacity, seed);
    if (memory->by_root != NULL)
        return memory;
    free(memory);
    return NULL;
}

void work_memory_destroy(struct work_memory *memory)
{
    if (memory == NULL)
        return;
    table_destroy(memory->by_root);
    free(memory);
}

void work_memory_add(struct work_memory *memory, const struct root *root, uint64_t nonce,
                     uint64_t value)
{
    struct work *work = table_find(memory->by_root, root->bytes);
    if (work != NULL && work->value >= value)
        return;
    if (work == NULL) {
        work = &memory->works[memory->next];
        memory->next = (memory->next + 1) % memory->capacity;
        if (work->used)
            (void)table_remove(memory->by_root, work->root.bytes);
        (void)table_insert(memory->by_root, root->bytes, work);
    }
    *work = (struct work){.root = *root, .nonce = nonce, .value = value, .used = true};
}

bool work_memory_find(const struct work_memory *memory, const struct root *root, uint64_t threshold,
                      uint64_t *nonce, uint64_t *value)
{
    const struct work *work = table_find(memory->by_root, root->bytes);
    if (work == NULL || work->value < threshold)
        return false;
    *nonce = work->nonce;
    *value = work->value;
    return true;
}
