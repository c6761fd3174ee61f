/**
 * searcher: what one thread of the engine drives: a CPU kernel, or a whole device of another kind.
 *
 * A searcher is used by one thread at a time. Its batches are short enough that the thread can
 * leave a search in time: 50 µs on a CPU, 1.2 ms on other devices.
 */
#ifndef DPOW_ENGINE_SEARCHER_H
#define DPOW_ENGINE_SEARCHER_H

#include "base/error.h"
#include "engine/kernel.h"

struct searcher;

/** What a kind of searcher can do. */
struct searcher_ops {
    /**
     * Begins a search at a nonce. What is still in flight of the search before is abandoned: none
     * of its results is returned any more.
     * @return false if the device failed; destroy() is all that may follow
     */
    bool (*begin)(struct searcher *searcher, const struct root *root, uint64_t threshold,
                  uint64_t start, struct error *error);
    /**
     * Waits for the next batch of the search. Batches cover consecutive nonces, modulo 2^64, and
     * are of a size of the searcher's choice; a device may have further ones in flight meanwhile.
     * After a find the search may be begun anew, or go on behind the batch of the find.
     * @return false if the device failed or did not answer in time; destroy() is all that may
     *         follow
     */
    bool (*next)(struct searcher *searcher, struct kernel_result *result, struct error *error);
    /** Frees it; never waits for a device that hangs. */
    void (*destroy)(struct searcher *searcher);
};

/** The part that all kinds have in common. */
struct searcher {
    const struct searcher_ops *ops;
};

/** A searcher on the calling CPU; owned by the caller; NULL when out of memory. */
struct searcher *searcher_cpu_create(const struct kernel *kernel);

/**
 * A searcher on an OpenCL device, its kernel compiled or taken from the cache and its sizes tuned.
 * The thread that creates it is the one that uses it.
 * @param cache_dir folder for what is kept between starts, borrowed; NULL: nothing is
 * @return owned by the caller; NULL with the error naming the call, the device and the code
 */
struct searcher *searcher_opencl_create(unsigned platform, unsigned device, const char *cache_dir,
                                        struct error *error);

/** The same on a CUDA device. */
struct searcher *searcher_cuda_create(unsigned device, const char *cache_dir, struct error *error);

#endif
