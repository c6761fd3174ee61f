#include "engine/engine_internal.h"

#include <sched.h>
#include <stdlib.h>

unsigned engine_cpu_threads(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 1;
    const int count = CPU_COUNT(&allowed);
    return count > 0 ? (unsigned)count : 1;
}

static bool choose_kernel(struct device *device, struct error *error)
{
    const char *name = device->choice.kernel;
    device->kernel = name == NULL ? kernel_best() : kernel_find(name);
    if (device->kernel == NULL)
        return error_set(error, ERROR_INVALID, "there is no CPU kernel %s in this build", name);
    if (!device->kernel->supported())
        return error_set(error, ERROR_INVALID, "this processor cannot run the kernel %s", name);
    return true;
}

static bool create_device(struct engine *engine, struct device *device, struct error *error)
{
    if (device->choice.kind != DEVICE_CPU) {
        device->choice.threads = 1;
        return drivers_create(engine, device, error);
    }
    if (device->choice.threads < 1 || device->choice.threads > ENGINE_THREADS_MAX)
        return error_set(error, ERROR_INVALID, "a CPU device must have 1 to %d threads",
                         ENGINE_THREADS_MAX);
    return choose_kernel(device, error) && drivers_create(engine, device, error);
}

static bool create_devices(struct engine *engine, const struct engine_options *options,
                           struct error *error)
{
    if (options->device_count < 1 || options->device_count > ENGINE_DEVICES_MAX)
        return error_set(error, ERROR_INVALID, "an engine must have 1 to %d devices",
                         ENGINE_DEVICES_MAX);
    if (options->parallel > ENGINE_PARALLEL_MAX)
        return error_set(error, ERROR_INVALID, "an engine runs at most %d searches at once",
                         ENGINE_PARALLEL_MAX);
    for (size_t i = 0; i < options->device_count; i++) {
        struct device *device = &engine->devices[i];
        device->choice = options->devices[i];
        if (!create_device(engine, device, error))
            return false;
        engine->device_count = i + 1;
    }
    /* A place among the running searches that no driver has would never be searched. */
    engine->parallel = options->parallel == 0 ? 1 : options->parallel;
    if (engine->parallel > engine->starting)
        engine->parallel = engine->starting;
    return true;
}

/* Pauses are counted by the monotonic clock: the other one can be set. */
static bool init_lock(struct engine *engine)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0)
        return false;
    const bool made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                      pthread_cond_init(&engine->changed, &attributes) == 0;
    (void)pthread_condattr_destroy(&attributes);
    if (!made)
        return false;
    if (pthread_mutex_init(&engine->mutex, NULL) == 0)
        return true;
    (void)pthread_cond_destroy(&engine->changed);
    return false;
}

static struct engine *allocate(const struct engine_options *options)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return NULL;
    engine->on_end = options->on_end;
    engine->on_device = options->on_device;
    engine->context = options->context;
    engine->cache_dir = options->cache_dir;
    engine->parallel = 1;
    if (search_queue_init(&engine->queue)) {
        if (init_lock(engine))
            return engine;
        search_queue_destroy(&engine->queue);
    }
    free(engine);
    return NULL;
}

struct engine *engine_create(const struct engine_options *options, struct error *error)
{
    struct engine *engine = allocate(options);
    if (engine == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the search engine");
        return NULL;
    }
    /* All devices are complete before the first thread runs: threads read each other's counters. */
    if (!create_devices(engine, options, error) || !drivers_start(engine, error)) {
        engine_destroy(engine);
        return NULL;
    }
    return engine;
}

void engine_destroy(struct engine *engine)
{
    if (engine == NULL)
        return;
    turns_end_all(engine, SEARCH_CANCELLED);
    drivers_destroy(engine);
    search_queue_destroy(&engine->queue);
    (void)pthread_cond_destroy(&engine->changed);
    (void)pthread_mutex_destroy(&engine->mutex);
    free(engine);
}

/* Takes the search if there is a device for it and room. The lock is held. */
static bool accept(struct engine *engine, struct search *search, struct error *error)
{
    if (engine->working == 0) {
        *error = engine->last_error;
        return false;
    }
    search->id = ++engine->last_id;
    if (!search_queue_add(&engine->queue, search))
        return error_set(error, ERROR_LIMIT, "%d searches are in hand already", ENGINE_QUEUE_MAX);
    turns_preempt(engine);
    turns_fill(engine);
    return true;
}

search_id engine_search(struct engine *engine, const struct root *root, uint64_t threshold,
                        enum search_priority priority, struct error *error)
{
    struct search *search = calloc(1, sizeof *search);
    if (search == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for one more search");
        return 0;
    }
    search->root = *root;
    search->threshold = threshold;
    search->priority = priority;
    (void)pthread_mutex_lock(&engine->mutex);
    const bool accepted = accept(engine, search, error);
    const search_id id = accepted ? search->id : 0;
    (void)pthread_mutex_unlock(&engine->mutex);
    if (!accepted)
        free(search);
    return id;
}

bool engine_cancel(struct engine *engine, search_id id)
{
    (void)pthread_mutex_lock(&engine->mutex);
    struct search *search = search_queue_find(&engine->queue, id);
    if (search == NULL) {
        (void)pthread_mutex_unlock(&engine->mutex);
        return false;
    }
    engine->cancelled++;
    const struct search_end end = turns_take_out(engine, search, SEARCH_CANCELLED);
    (void)pthread_mutex_unlock(&engine->mutex);
    engine->on_end(engine->context, &end);
    return true;
}

static uint64_t device_hashes(const struct device *device)
{
    uint64_t hashes = 0;
    for (unsigned t = 0; t < device->choice.threads; t++)
        hashes += driver_hashes(&device->drivers[t]);
    return hashes;
}

void engine_stats(struct engine *engine, struct engine_stats *stats)
{
    uint64_t hashes = 0;
    for (size_t d = 0; d < engine->device_count; d++)
        hashes += device_hashes(&engine->devices[d]);
    (void)pthread_mutex_lock(&engine->mutex);
    *stats = (struct engine_stats){
        .hashes = hashes,
        .found = engine->found,
        .cancelled = engine->cancelled,
        .failed = engine->failed,
        .errors = engine->errors,
        .queued = search_queue_count(&engine->queue),
    };
    (void)pthread_mutex_unlock(&engine->mutex);
}

size_t engine_device_count(const struct engine *engine)
{
    return engine->device_count;
}

void engine_device(struct engine *engine, size_t index, struct engine_device *device)
{
    const struct device *source = &engine->devices[index];
    const bool is_cpu = source->choice.kind == DEVICE_CPU;
    const char *other = source->choice.kind == DEVICE_OPENCL ? "opencl" : "cuda";
    (void)pthread_mutex_lock(&engine->mutex);
    *device = (struct engine_device){
        .kind = source->choice.kind,
        .kernel = is_cpu ? source->kernel->family : other,
        .variant = is_cpu ? source->kernel->name : other,
        .threads = source->choice.threads,
        .working = source->working > 0,
        .hashes = device_hashes(source),
    };
    device_name(&source->choice, device->name);
    (void)pthread_mutex_unlock(&engine->mutex);
}
