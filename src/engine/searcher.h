/**
 * searcher: what one thread of the engine drives: a CPU kernel, or a device of another kind.
 *
 * A searcher is used by one thread. Its batches are short enough that the thread can leave a search
 * within a millisecond.
 */
#ifndef DPOW_ENGINE_SEARCHER_H
#define DPOW_ENGINE_SEARCHER_H

#include "engine/kernel.h"

struct searcher;

/** What a kind of searcher can do. */
struct searcher_ops {
    /** Makes a root ready; batches follow. */
    void (*prepare)(struct searcher *searcher, const struct root *root, uint64_t threshold);
    /** Tries one batch of nonces from start on, of a size of the searcher's choice. */
    struct kernel_result (*batch)(struct searcher *searcher, uint64_t start);
    void (*destroy)(struct searcher *searcher);
};

/** The part that all kinds have in common. */
struct searcher {
    const struct searcher_ops *ops;
};

/** A searcher on the calling CPU; owned by the caller; NULL when out of memory. */
struct searcher *searcher_cpu_create(const struct kernel *kernel);

#endif
