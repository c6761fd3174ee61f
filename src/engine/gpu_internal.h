/**
 * gpu_internal: what OpenCL and CUDA have in common. A driver launches the kernel and tells when it
 * is done; searcher_gpu.c does the rest: two launches in flight, their length, sizes, time limits.
 */
#ifndef DPOW_ENGINE_GPU_INTERNAL_H
#define DPOW_ENGINE_GPU_INTERNAL_H

#include "engine/gpu.h"
#include "engine/searcher.h"

enum {
    GPU_SLOTS = 2,      /**< Launches in flight. */
    GPU_TASK_WORDS = 24 /**< Of the kernel's table, as generate_kernel.py numbers them. */
};

/** What a launch gives when no nonce meets the threshold. */
#define GPU_NONE UINT32_MAX

/** The sources of the kernels, made by generate_gpu_kernel.py. */
extern const char kernel_opencl[];
extern const char kernel_cuda[];

/** The kernel's table for a search. */
void gpu_task_words(uint64_t words[GPU_TASK_WORDS], const struct root *root, uint64_t threshold);

enum gpu_state { GPU_BUSY, GPU_DONE, GPU_FAILED };

struct gpu_driver;

/** What a driver can do; all on the thread that created it. */
struct gpu_driver_ops {
    /** The task of the launches that follow; nothing is in flight. */
    bool (*load)(struct gpu_driver *driver, const uint64_t words[GPU_TASK_WORDS],
                 struct error *error);
    /** Begins to try items nonces from start on; a multiple of driver->local. Returns at once. */
    bool (*launch)(struct gpu_driver *driver, unsigned slot, uint64_t start, uint32_t items,
                   struct error *error);
    /** Whether the slot's launch is done, and then the offset of a nonce that meets the
     *  threshold, or GPU_NONE. */
    enum gpu_state (*poll)(struct gpu_driver *driver, unsigned slot, uint32_t *hit,
                           struct error *error);
    /** Frees it; what hangs is left to the end of the process, because freeing it would wait. */
    void (*destroy)(struct gpu_driver *driver, bool hangs);
};

/** The part that all drivers have in common. */
struct gpu_driver {
    const struct gpu_driver_ops *ops;
    uint32_t local; /**< Work items of a group; chosen by tuning. */
    uint32_t local_max;
};

/** The name under which something of a device is kept: hexadecimal digits. */
enum { GPU_KEY_SIZE = 33 };

/**
 * Makes a searcher of a driver: checks a known search, and tunes the sizes unless they are
 * remembered.
 * @param driver taken, also on failure
 * @param key names device, driver and kernel
 */
struct searcher *searcher_gpu_create(struct gpu_driver *driver, const char *cache_dir,
                                     const char key[GPU_KEY_SIZE], struct error *error);

/** The key of a device: a hash of texts that name it, its driver and its kernel; ends with NULL. */
void gpu_cache_key(const char *const *texts, char key[GPU_KEY_SIZE]);

/**
 * Reads what was kept under a key.
 * @param kind ends the file's name: ".bin", ".size"
 * @return owned by the caller; NULL if there is none, or not as it was written
 */
void *gpu_cache_read(const char *cache_dir, const char key[GPU_KEY_SIZE], const char *kind,
                     size_t *size);

/** Keeps something; failing to is no error: it is only made again. */
void gpu_cache_write(const char *cache_dir, const char key[GPU_KEY_SIZE], const char *kind,
                     const void *data, size_t size);

/** Removes what was kept under a key: a device failed with it, and may not with what is made anew.
 */
void gpu_cache_forget(const char *cache_dir, const char key[GPU_KEY_SIZE]);

#endif
