#include "engine/engine.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/thread.h"
#include "engine/search_queue.h"
#include "engine/searcher.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/* One thread of a device. The counter is the thread's own; others only read it. */
struct thread {
    struct engine *engine;
    struct searcher *searcher;
    struct random random;
    atomic_uint_fast64_t hashes;
    pthread_t handle;
    bool started;
};

struct device {
    struct device_choice choice;
    const struct kernel *kernel;
    struct thread *threads;
};

struct engine {
    search_end_callback on_end;
    void *context;
    struct device devices[ENGINE_DEVICES_MAX];
    size_t device_count;
    /* Grows whenever the search that threads should work on changes; they look at it after each
     * batch, without the lock. */
    atomic_uint_fast64_t epoch;

    pthread_mutex_t mutex; /* Guards what follows. */
    pthread_cond_t changed;
    struct search_queue queue;
    struct search *current;
    uint64_t turn_hashes; /* All threads' counters when the current search's turn began. */
    uint64_t turn_began_us;
    search_id last_id;
    uint64_t found;
    uint64_t cancelled;
    uint64_t errors;
    bool stopping;
};

unsigned engine_cpu_threads(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return 1;
    const int count = CPU_COUNT(&allowed);
    return count > 0 ? (unsigned)count : 1;
}

static uint64_t total_hashes(struct engine *engine)
{
    uint64_t total = 0;
    for (size_t d = 0; d < engine->device_count; d++)
        for (unsigned t = 0; t < engine->devices[d].choice.threads; t++)
            total +=
                atomic_load_explicit(&engine->devices[d].threads[t].hashes, memory_order_relaxed);
    return total;
}

static void end_turn(struct engine *engine)
{
    struct search *search = engine->current;
    search->hashes += total_hashes(engine) - engine->turn_hashes;
    search->micros += clock_monotonic_us() - engine->turn_began_us;
    engine->current = NULL;
}

static void begin_turn(struct engine *engine)
{
    engine->current = search_queue_next(&engine->queue);
    engine->turn_hashes = total_hashes(engine);
    engine->turn_began_us = clock_monotonic_us();
    atomic_fetch_add_explicit(&engine->epoch, 1, memory_order_release);
    if (engine->current != NULL)
        (void)pthread_cond_broadcast(&engine->changed);
}

/* Takes a search out for good and describes its end; the lock is held, the callback is not called
 * before it is released. */
static struct search_end take_out(struct engine *engine, struct search *search,
                                  enum search_outcome outcome)
{
    const bool running = search == engine->current;
    if (running)
        end_turn(engine);
    search_queue_remove(&engine->queue, search);
    if (running)
        begin_turn(engine);
    const struct search_end end = {
        .id = search->id,
        .outcome = outcome,
        .priority = search->priority,
        .root = search->root,
        .hashes = search->hashes,
        .micros = search->micros,
    };
    free(search);
    return end;
}

/* A nonce that a searcher calls found; it counts too if its search was interrupted meanwhile. A
 * device that errs is replaced by the plain kernel: its search goes on, and no wrong work leaves
 * the engine. */
static void report_found(struct thread *thread, search_id id, uint64_t nonce)
{
    struct engine *engine = thread->engine;
    struct search *search = search_queue_find(&engine->queue, id);
    if (search == NULL)
        return;
    const uint64_t value = work_value(nonce, &search->root);
    if (value < search->threshold) {
        engine->errors++;
        struct searcher *plain = searcher_cpu_create(kernel_find("portable"));
        if (plain != NULL) {
            thread->searcher->ops->destroy(thread->searcher);
            thread->searcher = plain;
        }
        return;
    }
    engine->found++;
    struct search_end end = take_out(engine, search, SEARCH_FOUND);
    end.nonce = nonce;
    end.value = value;
    (void)pthread_mutex_unlock(&engine->mutex);
    engine->on_end(engine->context, &end);
    (void)pthread_mutex_lock(&engine->mutex);
}

/* Batches from a random start until something is found or the search is no longer the one. */
static struct kernel_result search_turn(struct thread *thread, uint64_t epoch)
{
    struct engine *engine = thread->engine;
    uint64_t start = random_next(&thread->random);
    struct kernel_result result;
    do {
        result = thread->searcher->ops->batch(thread->searcher, start);
        start += result.tried;
        const uint64_t done = atomic_load_explicit(&thread->hashes, memory_order_relaxed);
        atomic_store_explicit(&thread->hashes, done + result.tried, memory_order_relaxed);
    } while (!result.found && atomic_load_explicit(&engine->epoch, memory_order_acquire) == epoch);
    return result;
}

static void *run(void *argument)
{
    struct thread *thread = argument;
    struct engine *engine = thread->engine;
    (void)pthread_mutex_lock(&engine->mutex);
    while (!engine->stopping) {
        if (engine->current == NULL) {
            (void)pthread_cond_wait(&engine->changed, &engine->mutex);
            continue;
        }
        const search_id id = engine->current->id;
        const uint64_t epoch = atomic_load_explicit(&engine->epoch, memory_order_relaxed);
        thread->searcher->ops->prepare(thread->searcher, &engine->current->root,
                                       engine->current->threshold);
        (void)pthread_mutex_unlock(&engine->mutex);
        const struct kernel_result result = search_turn(thread, epoch);
        (void)pthread_mutex_lock(&engine->mutex);
        if (result.found)
            report_found(thread, id, result.nonce);
    }
    (void)pthread_mutex_unlock(&engine->mutex);
    return NULL;
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

static bool start_thread(struct thread *thread, struct error *error)
{
    thread->started = thread_start(&thread->handle, run, thread);
    return thread->started ||
           error_set(error, ERROR_SYSTEM, "the system gives no thread for the search");
}

static bool create_device(struct engine *engine, struct device *device, struct error *error)
{
    const unsigned threads = device->choice.threads;
    if (threads < 1 || threads > ENGINE_THREADS_MAX)
        return error_set(error, ERROR_INVALID, "a CPU device must have 1 to %d threads",
                         ENGINE_THREADS_MAX);
    if (!choose_kernel(device, error))
        return false;
    device->threads = calloc(threads, sizeof *device->threads);
    if (device->threads == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for %u search threads", threads);
    for (unsigned i = 0; i < threads; i++) {
        struct thread *thread = &device->threads[i];
        uint64_t seed;
        random_system(&seed, sizeof seed);
        random_seed(&thread->random, seed);
        thread->engine = engine;
        thread->searcher = searcher_cpu_create(device->kernel);
        if (thread->searcher == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for %u search threads", threads);
    }
    return true;
}

/* All devices are complete before the first thread runs: threads read each other's counters. */
static bool start_devices(struct engine *engine, struct error *error)
{
    for (size_t d = 0; d < engine->device_count; d++)
        for (unsigned t = 0; t < engine->devices[d].choice.threads; t++)
            if (!start_thread(&engine->devices[d].threads[t], error))
                return false;
    return true;
}

static bool create_devices(struct engine *engine, const struct engine_options *options,
                           struct error *error)
{
    if (options->device_count < 1 || options->device_count > ENGINE_DEVICES_MAX)
        return error_set(error, ERROR_INVALID, "an engine must have 1 to %d devices",
                         ENGINE_DEVICES_MAX);
    for (size_t i = 0; i < options->device_count; i++) {
        struct device *device = &engine->devices[i];
        device->choice = options->devices[i];
        if (!create_device(engine, device, error)) {
            if (device->threads == NULL)
                device->choice.threads = 0;
            engine->device_count = i + 1;
            return false;
        }
        engine->device_count = i + 1;
    }
    return true;
}

static struct engine *allocate(const struct engine_options *options)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return NULL;
    engine->on_end = options->on_end;
    engine->context = options->context;
    if (!search_queue_init(&engine->queue)) {
        free(engine);
        return NULL;
    }
    if (pthread_mutex_init(&engine->mutex, NULL) != 0 ||
        pthread_cond_init(&engine->changed, NULL) != 0) {
        search_queue_destroy(&engine->queue);
        free(engine);
        return NULL;
    }
    return engine;
}

struct engine *engine_create(const struct engine_options *options, struct error *error)
{
    struct engine *engine = allocate(options);
    if (engine == NULL) {
        (void)error_set(error, ERROR_MEMORY, "no memory for the search engine");
        return NULL;
    }
    if (!create_devices(engine, options, error) || !start_devices(engine, error)) {
        engine_destroy(engine);
        return NULL;
    }
    return engine;
}

static void stop_threads(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->mutex);
    engine->stopping = true;
    (void)pthread_cond_broadcast(&engine->changed);
    (void)pthread_mutex_unlock(&engine->mutex);
    for (size_t d = 0; d < engine->device_count; d++) {
        struct device *device = &engine->devices[d];
        for (unsigned t = 0; t < device->choice.threads; t++) {
            if (device->threads[t].started)
                (void)pthread_join(device->threads[t].handle, NULL);
            if (device->threads[t].searcher != NULL)
                device->threads[t].searcher->ops->destroy(device->threads[t].searcher);
        }
        free(device->threads);
    }
}

static void cancel_all(struct engine *engine)
{
    for (;;) {
        (void)pthread_mutex_lock(&engine->mutex);
        struct search *search =
            engine->current != NULL ? engine->current : search_queue_next(&engine->queue);
        if (search == NULL) {
            (void)pthread_mutex_unlock(&engine->mutex);
            return;
        }
        engine->cancelled++;
        const struct search_end end = take_out(engine, search, SEARCH_CANCELLED);
        (void)pthread_mutex_unlock(&engine->mutex);
        engine->on_end(engine->context, &end);
    }
}

void engine_destroy(struct engine *engine)
{
    if (engine == NULL)
        return;
    cancel_all(engine);
    stop_threads(engine);
    search_queue_destroy(&engine->queue);
    (void)pthread_cond_destroy(&engine->changed);
    (void)pthread_mutex_destroy(&engine->mutex);
    free(engine);
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
    const search_id id = ++engine->last_id;
    search->id = id;
    const bool added = search_queue_add(&engine->queue, search);
    const bool interrupts =
        added && engine->current != NULL &&
        search_queue_next_priority(&engine->queue) > (int)engine->current->priority;
    if (interrupts) {
        struct search *interrupted = engine->current;
        end_turn(engine);
        search_queue_put_back(&engine->queue, interrupted);
    }
    if (added && engine->current == NULL)
        begin_turn(engine);
    (void)pthread_mutex_unlock(&engine->mutex);
    if (added)
        return id;
    free(search);
    (void)error_set(error, ERROR_LIMIT, "%d searches are in hand already", ENGINE_QUEUE_MAX);
    return 0;
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
    const struct search_end end = take_out(engine, search, SEARCH_CANCELLED);
    (void)pthread_mutex_unlock(&engine->mutex);
    engine->on_end(engine->context, &end);
    return true;
}

void engine_stats(struct engine *engine, struct engine_stats *stats)
{
    (void)pthread_mutex_lock(&engine->mutex);
    *stats = (struct engine_stats){
        .hashes = total_hashes(engine),
        .found = engine->found,
        .cancelled = engine->cancelled,
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
    uint64_t hashes = 0;
    for (unsigned t = 0; t < source->choice.threads; t++)
        hashes += atomic_load_explicit(&source->threads[t].hashes, memory_order_relaxed);
    *device = (struct engine_device){
        .kind = source->choice.kind,
        .kernel = source->kernel->name,
        .threads = source->choice.threads,
        .hashes = hashes,
    };
}
