/**
 * kernel: the inner loop of a search on a CPU, one file per instruction set.
 *
 * Each kernel tries consecutive nonces for one root, several at a time. Kernels of one instruction
 * set are a family, and the fastest of it is measured: what is best depends on how many vector
 * operations a processor begins at a time, and how soon their results are ready. There are two
 * kinds: C that reads like the algorithm (a file that defines its vector type and includes
 * kernel_rounds.h), and assembly that generate_kernel.py schedules (kernel_scheduled.c). A new
 * kernel also needs a line in kernel_dispatch.c. Thread-safe: kernels keep no state.
 */
#ifndef DPOW_ENGINE_KERNEL_H
#define DPOW_ENGINE_KERNEL_H

#include "nano/work.h"

/** A root made ready: everything about it that does not depend on the nonce. */
struct kernel_task {
    uint64_t root[4];   /**< Its 32 bytes as little-endian words: message words 1 to 4. */
    uint64_t state[16]; /**< Working state with columns 1 to 3 of the first round done. */
    /** Words 0, 1, 2 and 13 as the rest of that round needs them first: the sums of words 0 and 4,
     * 1 and 6, 2 and 7, and word 13 mixed with the last of these. */
    uint64_t folded[4];
    uint64_t threshold;
};

/** Prepares a search. */
void kernel_prepare(struct kernel_task *task, const struct root *root, uint64_t threshold);

/** How a run over a range of nonces ended. */
struct kernel_result {
    bool found;
    uint64_t nonce; /**< Found only: of the range, the first that meets the threshold; from devices
                         other than the CPU any that does. */
    uint64_t tried; /**< How many nonces were computed. */
};

/** One implementation. */
struct kernel {
    const char *name;   /**< As "avx512-2". */
    const char *family; /**< The instruction set, as "avx512". */
    unsigned width;     /**< Nonces tried at a time; ranges are rounded up to a multiple of it. */
    /** Whether this processor and operating system can run it. */
    bool (*supported)(void);
    /** Tries count nonces (at least one) from start on, modulo 2^64, until one is found. */
    struct kernel_result (*search)(const struct kernel_task *task, uint64_t start, uint64_t count);
};

/** All kernels of this build, by family, presumably faster ones first; the last is "portable". Ends
 * with NULL. */
const struct kernel *const *kernel_all(void);

/** The fastest kernel on this processor, by a measurement of a few milliseconds. */
const struct kernel *kernel_best(void);

/**
 * The kernel of that name, supported or not; of a family's name, its fastest by measurement, or any
 * if this processor supports none. NULL if this build has none of that name.
 */
const struct kernel *kernel_find(const char *name);

#endif
