/**
 * random: a seeded generator for searches and simulations, and the system's randomness for secrets.
 */
#ifndef DPOW_BASE_RANDOM_H
#define DPOW_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** A fast generator (xoshiro256**), not for secrets. Owned by one thread. */
struct random {
    uint64_t state[4];
};

/** Starts a generator from a seed; equal seeds give equal sequences on every platform. */
void random_seed(struct random *random, uint64_t seed);

/** The next 64 bits. */
uint64_t random_next(struct random *random);

/** A number in [0, bound), without modulo bias; 0 if bound is 0. */
uint64_t random_below(struct random *random, uint64_t bound);

/** A double in [0, 1), from 53 bits. */
double random_unit(struct random *random);

/**
 * Fills bytes from the operating system's generator; fit for keys. Any thread. It cannot fail: a
 * system without randomness ends the process.
 */
void random_system(void *bytes, size_t size);

#endif
