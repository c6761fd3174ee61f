#include "engine/gpu_internal.h"

#include "base/clock.h"
#include "engine/kernel_internal.h"
#include "nano/difficulty.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Two launches of 1.2 ms keep a device busy, and are left within 5 ms. */
enum {
    LAUNCH_US = 1200,
    POLL_US = 50,
    ANSWER_LIMIT_US = 10 * 1000 * 1000,
    ITEMS_FIRST = 1 << 14,
    ITEMS_MAX = 1 << 30,
    TRIALS = 3,
};

/* A launch in flight. */
struct flight {
    bool flying;
    uint64_t start;
    uint32_t items;
    uint64_t launched_us;
};

struct searcher_gpu {
    struct searcher common;
    struct gpu_driver *driver;
    struct flight flights[GPU_SLOTS];
    unsigned oldest;       /* Slot of the launch that ends first. */
    uint64_t next_start;   /* Of the next launch. */
    uint32_t items;        /* That take about LAUNCH_US. */
    uint32_t items_useful; /* More would mostly be tried behind a find. */
    uint64_t done_us;      /* When the launch before ended. */
    bool hangs;
};

void gpu_task_words(uint64_t words[GPU_TASK_WORDS], const struct root *root, uint64_t threshold)
{
    struct kernel_task task;
    kernel_prepare(&task, root, threshold);
    memset(words, 0, GPU_TASK_WORDS * sizeof words[0]);
    memcpy(words, task.root, sizeof task.root);
    memcpy(words + 4, task.state, sizeof task.state);
    memcpy(words + 4, task.folded, 3 * sizeof task.folded[0]);
    words[4 + 13] = task.folded[3];
    words[20] = KERNEL_FIRST_WORD;
    words[21] = threshold;
}

static uint32_t round_up(const struct searcher_gpu *gpu, uint64_t items)
{
    const uint32_t local = gpu->driver->local;
    const uint64_t rounded = (items + local - 1) / local * local;
    return rounded > ITEMS_MAX ? ITEMS_MAX / local * local : (uint32_t)rounded;
}

static bool launch(struct searcher_gpu *gpu, unsigned slot, struct error *error)
{
    struct flight *flight = &gpu->flights[slot];
    flight->start = gpu->next_start;
    flight->items = round_up(gpu, gpu->items < gpu->items_useful ? gpu->items : gpu->items_useful);
    flight->launched_us = clock_monotonic_us();
    if (!gpu->driver->ops->launch(gpu->driver, slot, flight->start, flight->items, error))
        return false;
    flight->flying = true;
    gpu->next_start += flight->items;
    return true;
}

static void pause_us(uint64_t us)
{
    const struct timespec pause = {.tv_sec = 0, .tv_nsec = (long)us * 1000};
    (void)nanosleep(&pause, NULL);
}

/* Sleeps through most of a launch, then looks often: waiting inside the driver would cost a core
 * with some, and could not be given up with any. */
static bool wait_for(struct searcher_gpu *gpu, unsigned slot, uint32_t *hit, struct error *error)
{
    struct flight *flight = &gpu->flights[slot];
    const uint64_t expected_us =
        (uint64_t)LAUNCH_US * flight->items / (gpu->items == 0 ? 1 : gpu->items);
    const uint64_t begun_us =
        flight->launched_us > gpu->done_us ? flight->launched_us : gpu->done_us;
    uint64_t now_us = clock_monotonic_us();
    if (begun_us + expected_us * 3 / 4 > now_us + POLL_US)
        pause_us(begun_us + expected_us * 3 / 4 - now_us);
    for (;;) {
        const enum gpu_state state = gpu->driver->ops->poll(gpu->driver, slot, hit, error);
        now_us = clock_monotonic_us();
        if (state == GPU_FAILED) {
            flight->flying = false;
            return false;
        }
        if (state == GPU_DONE)
            break;
        if (now_us - flight->launched_us > ANSWER_LIMIT_US) {
            gpu->hangs = true;
            return error_set(error, ERROR_SYSTEM, "it has not answered for %d s",
                             ANSWER_LIMIT_US / 1000000);
        }
        pause_us(POLL_US);
    }
    flight->flying = false;
    gpu->done_us = now_us;
    return true;
}

/* Follows the measured speed by at most a factor of two a launch. Only a launch of full length
 * tells it. */
static void adapt(struct searcher_gpu *gpu, const struct flight *flight, uint64_t elapsed_us)
{
    if (flight->items < gpu->items / 2)
        return;
    uint64_t items = (uint64_t)flight->items * LAUNCH_US / (elapsed_us == 0 ? 1 : elapsed_us);
    if (items > (uint64_t)gpu->items * 2)
        items = (uint64_t)gpu->items * 2;
    if (items < gpu->items / 2)
        items = gpu->items / 2;
    gpu->items = round_up(gpu, items);
}

/* Waits for what is in flight, also behind a launch that failed: its result may not be written
 * into memory that is freed. */
static bool drain(struct searcher_gpu *gpu, struct error *error)
{
    bool worked = true;
    for (unsigned i = 0; i < GPU_SLOTS && !gpu->hangs; i++) {
        const unsigned slot = (gpu->oldest + i) % GPU_SLOTS;
        uint32_t hit;
        if (gpu->flights[slot].flying)
            worked = wait_for(gpu, slot, &hit, error) && worked;
    }
    gpu->oldest = 0;
    return worked;
}

static bool begin(struct searcher *searcher, const struct root *root, uint64_t threshold,
                  uint64_t start, struct error *error)
{
    struct searcher_gpu *gpu = (struct searcher_gpu *)searcher;
    uint64_t words[GPU_TASK_WORDS];
    if (!drain(gpu, error))
        return false;
    gpu_task_words(words, root, threshold);
    if (!gpu->driver->ops->load(gpu->driver, words, error))
        return false;
    const double useful = difficulty_expected_hashes(threshold) / 4;
    gpu->items_useful = useful > ITEMS_MAX     ? ITEMS_MAX
                        : useful < ITEMS_FIRST ? ITEMS_FIRST
                                               : (uint32_t)useful;
    gpu->next_start = start;
    return true;
}

static bool next(struct searcher *searcher, struct kernel_result *result, struct error *error)
{
    struct searcher_gpu *gpu = (struct searcher_gpu *)searcher;
    for (unsigned i = 0; i < GPU_SLOTS; i++) {
        const unsigned slot = (gpu->oldest + i) % GPU_SLOTS;
        if (!gpu->flights[slot].flying && !launch(gpu, slot, error))
            return false;
    }
    const unsigned slot = gpu->oldest;
    const struct flight flight = gpu->flights[slot];
    const uint64_t before_us = gpu->done_us;
    uint32_t hit;
    if (!wait_for(gpu, slot, &hit, error))
        return false;
    gpu->oldest = (slot + 1) % GPU_SLOTS;
    if (hit == GPU_NONE)
        adapt(gpu, &flight,
              gpu->done_us - (flight.launched_us > before_us ? flight.launched_us : before_us));
    *result = (struct kernel_result){
        .found = hit != GPU_NONE,
        .nonce = hit == GPU_NONE ? 0 : flight.start + hit,
        .tried = flight.items,
    };
    return true;
}

static void destroy(struct searcher *searcher)
{
    struct searcher_gpu *gpu = (struct searcher_gpu *)searcher;
    struct error error;
    (void)drain(gpu, &error);
    gpu->driver->ops->destroy(gpu->driver, gpu->hangs);
    free(gpu);
}

/* The nonce of the highest value of a range. */
static uint64_t find_best(const struct root *root, uint64_t start, uint32_t count)
{
    uint64_t best = start;
    for (uint32_t i = 1; i < count; i++)
        if (work_value(start + i, root) > work_value(best, root))
            best = start + i;
    return best;
}

/* A compiler or a device that is wrong is found before it is used: in each of some ranges exactly
 * one nonce meets the threshold, and exactly that one must come back. */
static bool check(struct searcher_gpu *gpu, struct error *error)
{
    enum { CHECKS = 6, RANGE = 2048 };
    uint64_t start = UINT64_MAX - RANGE / 2; /* The first range passes the end of the numbers. */
    for (unsigned i = 0; i < CHECKS; i++) {
        const struct root root = {{0x71, 0x8c, 0xc2, (uint8_t)i}};
        struct kernel_result result = {.found = false};
        gpu->items = round_up(gpu, RANGE);
        const uint64_t best = find_best(&root, start, gpu->items);
        if (!begin(&gpu->common, &root, work_value(best, &root), start, error) ||
            !next(&gpu->common, &result, error))
            return false;
        if (!result.found || result.nonce != best || result.tried != gpu->items)
            return error_set(error, ERROR_SYSTEM, "it computes wrong hashes");
        start += UINT64_C(0x9e3779b97f4a7c15);
    }
    return true;
}

/* Time of one launch of the present sizes, the shortest of a few; 0 on failure. */
static uint64_t time_launch(struct searcher_gpu *gpu, struct error *error)
{
    uint64_t shortest_us = UINT64_MAX;
    for (int trial = 0; trial < TRIALS; trial++) {
        uint32_t hit;
        const uint64_t begun_us = clock_monotonic_us();
        if (!launch(gpu, 0, error))
            return 0;
        const uint32_t items = gpu->flights[0].items;
        if (!wait_for(gpu, 0, &hit, error))
            return 0;
        const uint64_t us = (clock_monotonic_us() - begun_us) * gpu->items / items + 1;
        if (us < shortest_us)
            shortest_us = us;
    }
    return shortest_us;
}

/* Doubles the launch until it takes its time, then tries each size of a group. */
static bool tune(struct searcher_gpu *gpu, struct error *error)
{
    struct gpu_driver *driver = gpu->driver;
    double best = 0;
    uint32_t best_local = driver->local;
    uint64_t us = 0;
    if (!begin(&gpu->common, &(struct root){{1}}, UINT64_MAX, 0, error))
        return false;
    for (gpu->items = ITEMS_FIRST; gpu->items < ITEMS_MAX / 2; gpu->items *= 2) {
        us = time_launch(gpu, error);
        if (us == 0)
            return false;
        if (us >= LAUNCH_US)
            break;
    }
    for (driver->local = 32; driver->local <= driver->local_max && driver->local <= 1024;
         driver->local *= 2) {
        us = time_launch(gpu, error);
        if (us == 0)
            return false;
        if ((double)gpu->items / (double)us > best) {
            best = (double)gpu->items / (double)us;
            best_local = driver->local;
        }
    }
    driver->local = best_local;
    if (best > 0)
        gpu->items = round_up(gpu, (uint64_t)(best * LAUNCH_US) + 1);
    return true;
}

static bool remember(struct searcher_gpu *gpu, const char *cache_dir, const char *key)
{
    size_t size;
    uint32_t local;
    uint32_t items;
    char text[64] = "";
    void *data = gpu_cache_read(cache_dir, key, ".size", &size);
    if (data == NULL)
        return false;
    memcpy(text, data, size < sizeof text ? size : sizeof text - 1);
    free(data);
    if (sscanf(text, "local %" SCNu32 " items %" SCNu32, &local, &items) != 2 || local == 0 ||
        local > gpu->driver->local_max || items == 0 || items > ITEMS_MAX)
        return false;
    gpu->driver->local = local;
    gpu->items = round_up(gpu, items);
    return true;
}

static bool set_up(struct searcher_gpu *gpu, const char *cache_dir, const char *key,
                   struct error *error)
{
    char text[64];
    if (!check(gpu, error))
        return false;
    gpu->items = ITEMS_FIRST;
    if (remember(gpu, cache_dir, key))
        return true;
    if (!tune(gpu, error))
        return false;
    const int length = snprintf(text, sizeof text, "local %" PRIu32 " items %" PRIu32,
                                gpu->driver->local, gpu->items);
    gpu_cache_write(cache_dir, key, ".size", text, (size_t)length);
    return true;
}

struct searcher *searcher_gpu_create(struct gpu_driver *driver, const char *cache_dir,
                                     const char key[GPU_KEY_SIZE], struct error *error)
{
    static const struct searcher_ops ops = {begin, next, destroy};
    struct searcher_gpu *gpu = calloc(1, sizeof *gpu);
    if (gpu == NULL) {
        driver->ops->destroy(driver, false);
        (void)error_set(error, ERROR_MEMORY, "no memory for a device");
        return NULL;
    }
    gpu->common.ops = &ops;
    gpu->driver = driver;
    driver->local = driver->local_max < 64 ? driver->local_max : 64;
    if (set_up(gpu, cache_dir, key, error))
        return &gpu->common;
    gpu_cache_forget(cache_dir, key);
    destroy(&gpu->common);
    return NULL;
}
