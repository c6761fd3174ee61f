/**
 * kernel: the inner loop of a search on a CPU, one file per instruction set.
 *
 * Each kernel tries consecutive nonces for one root, several at a time. A new kernel is a new file
 * that defines its vector type and includes kernel_rounds.h, and a line in kernel_dispatch.c.
 * Thread-safe: kernels keep no state.
 */
#ifndef DPOW_ENGINE_KERNEL_H
#define DPOW_ENGINE_KERNEL_H

#include "nano/work.h"

/** A root made ready: everything about it that does not depend on the nonce. */
struct kernel_task {
    uint64_t root[4];   /**< Its 32 bytes as little-endian words: message words 1 to 4. */
    uint64_t state[16]; /**< Working state with columns 1 to 3 of the first round done. */
    uint64_t threshold;
};

/** Prepares a search. */
void kernel_prepare(struct kernel_task *task, const struct root *root, uint64_t threshold);

/** How a run over a range of nonces ended. */
struct kernel_result {
    bool found;
    uint64_t nonce; /**< Found only: the first of the range that meets the threshold. */
    uint64_t tried; /**< How many nonces were computed. */
};

/** One implementation. */
struct kernel {
    const char *name;
    unsigned width; /**< Nonces tried at a time; ranges are rounded up to a multiple of it. */
    /** Whether this processor and operating system can run it. */
    bool (*supported)(void);
    /** Tries count nonces (at least one) from start on, modulo 2^64, until one is found. */
    struct kernel_result (*search)(const struct kernel_task *task, uint64_t start, uint64_t count);
};

/** All kernels of this build, fastest first; the last is "portable". Ends with NULL. */
const struct kernel *const *kernel_all(void);

/** The fastest kernel that this processor supports. */
const struct kernel *kernel_best(void);

/** The kernel of that name, supported or not; NULL if this build has none. */
const struct kernel *kernel_find(const char *name);

#endif
