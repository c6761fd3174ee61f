/**
 * engine: searches nonces for roots on this machine's devices.
 *
 * Start here. `kernel.h` lists the CPU kernels (one file per instruction set) and chooses among
 * them; `searcher_cpu.c` makes a searcher of one; `engine.c` owns the threads, the queue and the
 * answers; `devices.h` reads the user's list of devices. A new kind of device is a new
 * `struct searcher_ops` (searcher.h) and a line in engine.c, where searchers are made.
 *
 * This layer includes `base` and `nano` only.
 */
#ifndef DPOW_ENGINE_ENGINE_H
#define DPOW_ENGINE_ENGINE_H

#include "base/error.h"
#include "nano/work.h"

enum {
    ENGINE_QUEUE_MAX = 65536,  /**< Searches one engine holds at most. */
    ENGINE_DEVICES_MAX = 16,   /**< Devices one engine drives at most. */
    ENGINE_THREADS_MAX = 1024, /**< Threads of one device at most. */
};

/** Searches of a higher class go first, and interrupt lower ones; within a class, first come. */
enum search_priority { SEARCH_PRECACHE, SEARCH_ONDEMAND, SEARCH_PRIORITIES };

/** Names a search within its engine; never 0, never reused. */
typedef uint64_t search_id;

/** How a search ended. */
enum search_outcome {
    SEARCH_FOUND,
    SEARCH_CANCELLED, /**< engine_cancel() or engine_destroy(). */
};

/** What the engine says when a search ends: once for each search that was accepted. */
struct search_end {
    search_id id;
    enum search_outcome outcome;
    enum search_priority priority;
    struct root root;
    uint64_t nonce;  /**< Found only. */
    uint64_t value;  /**< Found only; recomputed by work_value(), at least the threshold. */
    uint64_t hashes; /**< Nonces tried for this search by all devices together. */
    uint64_t micros; /**< Time during which devices searched it. */
};

/**
 * Called at the end of each search, on a thread of the engine or of the caller of engine_cancel()
 * and engine_destroy(), never with a lock held that engine calls take. It must be brief (push to a
 * queue and wake a loop).
 */
typedef void (*search_end_callback)(void *context, const struct search_end *end);

/** What a device is. */
enum device_kind { DEVICE_CPU };

/** One kernel on some threads. */
struct device_choice {
    enum device_kind kind;
    unsigned threads;   /**< CPU: how many, 1 to ENGINE_THREADS_MAX. */
    const char *kernel; /**< CPU: the name of a kernel; NULL chooses the fastest supported. */
};

struct engine_options {
    const struct device_choice *devices;
    size_t device_count; /**< 1 to ENGINE_DEVICES_MAX. */
    search_end_callback on_end;
    void *context; /**< Given to on_end. */
};

/** What the engine has done; counters only grow. */
struct engine_stats {
    uint64_t hashes; /**< Nonces tried since the start, all devices. */
    uint64_t found;
    uint64_t cancelled;
    uint64_t errors; /**< Nonces a device called found that were not: it works no more as it did.*/
    size_t queued;   /**< Searches in hand, the running one included. */
};

struct engine;

/**
 * Starts the threads. They sleep while there is nothing to search.
 * @return the engine, owned by the caller, or NULL with the error filled: an unknown or unsupported
 *         kernel, a thread count out of range, no memory, no thread
 */
struct engine *engine_create(const struct engine_options *options, struct error *error);

/** Cancels every search (on_end is called for each), joins the threads, frees all. */
void engine_destroy(struct engine *engine);

/**
 * Adds a search. Several searches of one root are independent of each other. Any thread.
 * @param threshold any; 0 is met by the first nonce
 * @return the search's id, or 0 with ERROR_LIMIT when ENGINE_QUEUE_MAX searches are in hand
 */
search_id engine_search(struct engine *engine, const struct root *root, uint64_t threshold,
                        enum search_priority priority, struct error *error);

/**
 * Ends a search that has not ended: on_end is called with SEARCH_CANCELLED before this returns, and
 * the devices leave it within a millisecond. Any thread.
 * @return false if it has ended already (its on_end was called or is about to be)
 */
bool engine_cancel(struct engine *engine, search_id id);

/** The counters now, exact to one batch per thread. Any thread. */
void engine_stats(struct engine *engine, struct engine_stats *stats);

/** What one device is and has done. */
struct engine_device {
    enum device_kind kind;
    const char *kernel; /**< CPU: the kernel in use. */
    unsigned threads;
    uint64_t hashes; /**< Nonces tried since the start. */
};

size_t engine_device_count(const struct engine *engine);

/** A device by number, below engine_device_count(). Any thread. */
void engine_device(struct engine *engine, size_t index, struct engine_device *device);

/** How many CPU threads this process may use: the affinity mask, at least 1. */
unsigned engine_cpu_threads(void);

#endif
