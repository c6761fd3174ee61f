#include "base/table.h"

#include "base/bytes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    uint8_t key[TABLE_KEY_SIZE];
    void *value; /* NULL: the slot is free. */
};

struct table {
    struct slot *slots;
    size_t mask; /* Slots - 1; their number is a power of two, at least twice the capacity. */
    size_t count;
    size_t capacity;
    uint8_t seed[TABLE_SEED_SIZE];
};

struct table_key table_key_of(uint64_t number)
{
    struct table_key key = {{0}};
    store_le64(key.bytes, number);
    return key;
}

struct table *table_create(size_t capacity, const uint8_t seed[TABLE_SEED_SIZE])
{
    if (capacity == 0 || capacity > SIZE_MAX / sizeof(struct slot) / 4)
        return NULL;
    size_t slots = 2;
    while (slots < 2 * capacity)
        slots *= 2;
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->slots = calloc(slots, sizeof *table->slots);
    if (table->slots == NULL) {
        free(table);
        return NULL;
    }
    table->mask = slots - 1;
    table->capacity = capacity;
    memcpy(table->seed, seed, TABLE_SEED_SIZE);
    return table;
}

void table_destroy(struct table *table)
{
    if (table == NULL)
        return;
    free(table->slots);
    free(table);
}

static size_t home(const struct table *table, const uint8_t key[TABLE_KEY_SIZE])
{
    uint64_t hash;
    _Static_assert(sizeof hash == crypto_shorthash_BYTES, "SipHash gives 64 bits");
    _Static_assert(TABLE_SEED_SIZE == crypto_shorthash_KEYBYTES, "SipHash takes a 16-byte key");
    (void)crypto_shorthash((unsigned char *)&hash, key, TABLE_KEY_SIZE, table->seed);
    return (size_t)hash & table->mask;
}

/* The slot that holds the key, or the free one where it would go. */
static size_t locate(const struct table *table, const uint8_t key[TABLE_KEY_SIZE])
{
    size_t index = home(table, key);
    while (table->slots[index].value != NULL &&
           memcmp(table->slots[index].key, key, TABLE_KEY_SIZE) != 0)
        index = (index + 1) & table->mask;
    return index;
}

void *table_find(const struct table *table, const uint8_t key[TABLE_KEY_SIZE])
{
    return table->slots[locate(table, key)].value;
}

bool table_insert(struct table *table, const uint8_t key[TABLE_KEY_SIZE], void *value)
{
    struct slot *slot = &table->slots[locate(table, key)];
    if (value == NULL || slot->value != NULL || table->count == table->capacity)
        return false;
    memcpy(slot->key, key, TABLE_KEY_SIZE);
    slot->value = value;
    table->count++;
    return true;
}

/* Moves back what had to go past the freed slot, so that searches never need tombstones. */
static void close_gap(struct table *table, size_t gap)
{
    size_t index = gap;
    for (;;) {
        index = (index + 1) & table->mask;
        if (table->slots[index].value == NULL)
            break;
        const size_t wanted = home(table, table->slots[index].key);
        if (((index - wanted) & table->mask) < ((index - gap) & table->mask))
            continue;
        table->slots[gap] = table->slots[index];
        gap = index;
    }
    table->slots[gap].value = NULL;
}

void *table_remove(struct table *table, const uint8_t key[TABLE_KEY_SIZE])
{
    const size_t index = locate(table, key);
    void *value = table->slots[index].value;
    if (value == NULL)
        return NULL;
    close_gap(table, index);
    table->count--;
    return value;
}

void table_each(const struct table *table, bool (*visit)(void *context, void *value), void *context)
{
    for (size_t i = 0; i <= table->mask; i++)
        if (table->slots[i].value != NULL && !visit(context, table->slots[i].value))
            return;
}

size_t table_count(const struct table *table)
{
    return table->count;
}
