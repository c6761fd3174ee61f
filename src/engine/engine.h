/**
 * engine: searches nonces for roots on this machine's devices.
 *
 * Start here. `kernel.h` lists the CPU kernels (one file per instruction set) and chooses among
 * them; `searcher.h` is what an engine drives: a kernel on one CPU thread, or a whole OpenCL or
 * CUDA device. `engine.c` is the face; `turns.c` decides which searches run and ends them, on the
 * queue of `search_queue.h`; `drivers.c` are the threads and what happens when a device fails.
 * `devices.h` reads the user's list of devices. A new kind of device is a new `struct searcher_ops`
 * and a line in drivers.c, where searchers are made.
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
    DEVICE_NAME_SIZE = 32,     /**< Of a device's name, the NUL included. */
    ENGINE_PARALLEL_MAX = 64,  /**< Searches that run at once at most. */
};

/** Searches of a higher class go first, and interrupt lower ones; within a class, first come. */
enum search_priority { SEARCH_PRECACHE, SEARCH_ONDEMAND, SEARCH_PRIORITIES };

/** Names a search within its engine; never 0, never reused. */
typedef uint64_t search_id;

/** How a search ended. */
enum search_outcome {
    SEARCH_FOUND,
    SEARCH_CANCELLED, /**< engine_cancel() or engine_destroy(). */
    SEARCH_FAILED,    /**< No device works any more. */
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
enum device_kind { DEVICE_CPU, DEVICE_OPENCL, DEVICE_CUDA };

/** One device to search on: a kernel on some CPU threads, or a device of another kind. */
struct device_choice {
    enum device_kind kind;
    unsigned threads;   /**< CPU: how many, 1 to ENGINE_THREADS_MAX. Others: 1, their driver's. */
    const char *kernel; /**< CPU: the name of a kernel or a family; NULL chooses the fastest. */
    unsigned platform;  /**< OpenCL: number of the platform, as enumerated. */
    unsigned device;    /**< OpenCL: number within the platform. CUDA: number of the device. */
};

/** A device was taken out, or works again. */
struct device_event {
    size_t device;  /**< Its number in the options. */
    bool working;   /**< Searches go on with it; otherwise it will be tried again. */
    char text[256]; /**< Which device, and what happened; one line. */
};

struct engine_options {
    const struct device_choice *devices;
    size_t device_count;   /**< 1 to ENGINE_DEVICES_MAX. */
    unsigned parallel;     /**< Searches that run at once, the devices divided among them; 1 to
                                ENGINE_PARALLEL_MAX, 0 means 1. */
    const char *cache_dir; /**< Folder for compiled kernels and tuned sizes, borrowed until
                                engine_destroy(); NULL: they are made anew at each start. */
    search_end_callback on_end;
    /** Called on a device's thread when the device fails and when it is back, as on_end with no
     * lock held; NULL when nobody wants to know. */
    void (*on_device)(void *context, const struct device_event *event);
    void *context; /**< Given to both callbacks. */
};

/** What the engine has done; counters only grow. */
struct engine_stats {
    uint64_t hashes; /**< Nonces tried since the start, all devices. */
    uint64_t found;
    uint64_t cancelled;
    uint64_t failed; /**< Searches that ended because no device worked. */
    uint64_t errors; /**< Failures of devices, nonces called found that were not among them. */
    size_t queued;   /**< Searches in hand, the running ones included. */
};

struct engine;

/**
 * Starts the threads and waits until each device is ready or has failed: a kernel that must be
 * compiled can take seconds. Devices that failed are told to on_device and tried again after 1, 2,
 * 4 … 60 s; the others search meanwhile. Threads sleep while there is nothing to search.
 * @return the engine, owned by the caller, or NULL with the error filled: an unknown or unsupported
 *         kernel, a count out of range, no memory, no thread, or no device works at all
 */
struct engine *engine_create(const struct engine_options *options, struct error *error);

/**
 * Cancels every search (on_end is called for each), joins the threads, frees all. A device that
 * hangs delays it until its driver gives up (searcher.h).
 */
void engine_destroy(struct engine *engine);

/**
 * Adds a search. Several searches of one root are independent of each other. Any thread.
 * @param threshold any; 0 is met by the first nonce
 * @return the search's id, or 0: ERROR_LIMIT when ENGINE_QUEUE_MAX searches are in hand,
 *         ERROR_SYSTEM with the device's own words when no device works
 */
search_id engine_search(struct engine *engine, const struct root *root, uint64_t threshold,
                        enum search_priority priority, struct error *error);

/**
 * Ends a search that has not ended: on_end is called with SEARCH_CANCELLED before this returns, and
 * the CPU leaves it within 200 µs, other devices within 5 ms. Any thread.
 * @return false if it has ended already (its on_end was called or is about to be)
 */
bool engine_cancel(struct engine *engine, search_id id);

/** The counters now, exact to one batch per thread. Any thread. */
void engine_stats(struct engine *engine, struct engine_stats *stats);

/** What one device is and has done. */
struct engine_device {
    enum device_kind kind;
    const char *kernel;  /**< What is in use: a CPU kernel's family, "opencl" or "cuda". */
    const char *variant; /**< CPU: the kernel's own name; otherwise as kernel. */
    unsigned threads;
    char name[DEVICE_NAME_SIZE]; /**< As lists of devices name it: "cpu:8", "cuda:0". */
    bool working;                /**< Not taken out. */
    uint64_t hashes;             /**< Nonces tried since the start. */
};

size_t engine_device_count(const struct engine *engine);

/** A device by number, below engine_device_count(). Any thread. */
void engine_device(struct engine *engine, size_t index, struct engine_device *device);

/** How many CPU threads this process may use: the affinity mask, at least 1. */
unsigned engine_cpu_threads(void);

#endif
