/**
 * table: a hash table from 32-byte keys to pointers, for the cores.
 *
 * The capacity is fixed at creation, so nothing is allocated later. Keys come from outside: they
 * are hashed with SipHash under a secret seed, so that nobody can choose keys that collide. One
 * thread uses a table.
 */
#ifndef DPOW_BASE_TABLE_H
#define DPOW_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TABLE_KEY_SIZE = 32, TABLE_SEED_SIZE = 16 };

/** A key by value. */
struct table_key {
    uint8_t bytes[TABLE_KEY_SIZE];
};

/** The key of a number, for what is known by one. */
struct table_key table_key_of(uint64_t number);

struct table;

/**
 * @param capacity how many keys it can hold, at least 1
 * @param seed secret and random, except where runs must be repeatable
 * @return owned by the caller; NULL when out of memory or the capacity is absurd
 */
struct table *table_create(size_t capacity, const uint8_t seed[TABLE_SEED_SIZE]);

/** Frees the table, not what it points to. NULL is ignored. */
void table_destroy(struct table *table);

/** What was inserted for a key, or NULL. */
void *table_find(const struct table *table, const uint8_t key[TABLE_KEY_SIZE]);

/**
 * Adds a key, which is copied.
 * @param value not NULL
 * @return false if the key is there already or the table is full
 */
bool table_insert(struct table *table, const uint8_t key[TABLE_KEY_SIZE], void *value);

/** Takes a key out. @return what it stood for, or NULL if it was not there */
void *table_remove(struct table *table, const uint8_t key[TABLE_KEY_SIZE]);

/** Visits every value, in no order; a visitor returns false to stop. The table must not be changed.
 */
void table_each(const struct table *table, bool (*visit)(void *context, void *value),
                void *context);

size_t table_count(const struct table *table);

#endif
