/**
 * engine_internal: what the files of the engine share: engine.c (its face), turns.c (which searches
 * run) and drivers.c (the threads).
 */
#ifndef DPOW_ENGINE_ENGINE_INTERNAL_H
#define DPOW_ENGINE_ENGINE_INTERNAL_H

#include "base/random.h"
#include "engine/engine.h"
#include "engine/search_queue.h"
#include "engine/searcher.h"

#include <pthread.h>
#include <stdatomic.h>

/** One thread, the driver of a searcher. What is not said otherwise is guarded by the lock. */
struct driver {
    struct engine *engine;
    struct device *device;
    unsigned number;             /**< Among all drivers: searches are divided by it. */
    struct searcher *searcher;   /**< The thread's own; NULL while its device is out. */
    struct random random;        /**< The thread's own. */
    const struct kernel *kernel; /**< The thread's own; CPU: what the searcher was made of. */
    atomic_uint_fast64_t hashes; /**< Written by the thread alone, read by all. */
    bool works;                  /**< Has a searcher. */
    search_id searching;         /**< The search it is at; 0 for none. */
    uint64_t searching_since;    /**< The thread's hashes when it came to it. */
    pthread_t handle;
    bool started;
};

/** A device of the options. Guarded by the lock. */
struct device {
    struct device_choice choice;
    const struct kernel *kernel; /**< CPU only. */
    struct driver *drivers;      /**< choice.threads of them. */
    unsigned working;            /**< Drivers that have a searcher. */
    bool out;                    /**< Taken out, not back yet. */
};

struct engine {
    search_end_callback on_end;
    void (*on_device)(void *context, const struct device_event *event);
    void *context;
    const char *cache_dir;
    unsigned parallel;
    struct device devices[ENGINE_DEVICES_MAX];
    size_t device_count;
    /** Grows whenever the searches that run change; drivers look at it after each batch, without
     *  the lock. */
    atomic_uint_fast64_t epoch;

    pthread_mutex_t mutex; /**< Guards what follows. */
    pthread_cond_t changed;
    struct search_queue queue;
    struct search *running[ENGINE_PARALLEL_MAX]; /**< The first `parallel` places; NULL if free. */
    search_id last_id;
    uint64_t found;
    uint64_t cancelled;
    uint64_t failed;
    uint64_t errors;
    unsigned starting; /**< Drivers that have not made their searcher for the first time yet. */
    unsigned working;  /**< Drivers that have a searcher. */
    struct error last_error; /**< Why the last device failed. */
    bool stopping;
};

/** Fills free places with the searches that are next. The lock is held. */
void turns_fill(struct engine *engine);

/** Interrupts the running search of the lowest class if one of a higher class waits and no place is
 * free. The lock is held. */
void turns_preempt(struct engine *engine);

/** Makes all drivers look again at what they should search. The lock is held. */
void turns_announce(struct engine *engine);

/** The search that a driver should be at; NULL if none runs. The lock is held. */
struct search *turns_assigned(struct engine *engine, const struct driver *driver);

/** Notes that a driver comes to a search, or leaves the one it is at (NULL). The lock is held. */
void turns_note(struct driver *driver, const struct search *search);

/**
 * Takes a search out for good, frees it and describes its end; the next one gets its place. The
 * lock is held; the callback is the caller's to call, after the release.
 */
struct search_end turns_take_out(struct engine *engine, struct search *search,
                                 enum search_outcome outcome);

/** Ends every search that is in hand, with its callback. The lock is not held. */
void turns_end_all(struct engine *engine, enum search_outcome outcome);

/** A device as lists of devices name it. */
void device_name(const struct device_choice *choice, char name[DEVICE_NAME_SIZE]);

/** Allocates the drivers of a device, or none on failure. */
bool drivers_create(struct engine *engine, struct device *device, struct error *error);

/** Starts all drivers and waits until each has a searcher or knows why not; fails if none has. */
bool drivers_start(struct engine *engine, struct error *error);

/** Joins all drivers and frees them. */
void drivers_destroy(struct engine *engine);

/** A driver's count. Any thread. */
static inline uint64_t driver_hashes(const struct driver *driver)
{
    return atomic_load_explicit(&driver->hashes, memory_order_relaxed);
}

#endif
