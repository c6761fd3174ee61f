#include "base/clock.h"
#include "base/thread.h"
#include "engine/engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Pauses before a device that failed is tried again. One that worked for a minute begins anew. */
enum { RETRY_FIRST_S = 1, RETRY_MAX_S = 60, SETTLED_S = 60 };

/* When to try a failed device again: known to its driver only. */
struct retry {
    unsigned pause_s;
    uint64_t at_us;
    uint64_t working_since_us;
};

void device_name(const struct device_choice *choice, char name[DEVICE_NAME_SIZE])
{
    if (choice->kind == DEVICE_CPU)
        (void)snprintf(name, DEVICE_NAME_SIZE, "cpu:%u", choice->threads);
    else if (choice->kind == DEVICE_OPENCL)
        (void)snprintf(name, DEVICE_NAME_SIZE, "opencl:%u:%u", choice->platform, choice->device);
    else
        (void)snprintf(name, DEVICE_NAME_SIZE, "cuda:%u", choice->device);
}

static struct searcher *create_searcher(const struct driver *driver, const struct kernel *kernel,
                                        struct error *error)
{
    const struct device_choice *choice = &driver->device->choice;
    const char *cache_dir = driver->engine->cache_dir;
    if (choice->kind == DEVICE_OPENCL)
        return searcher_opencl_create(choice->platform, choice->device, cache_dir, error);
    if (choice->kind == DEVICE_CUDA)
        return searcher_cuda_create(choice->device, cache_dir, error);
    struct searcher *searcher = searcher_cpu_create(kernel);
    if (searcher == NULL)
        (void)error_set(error, ERROR_MEMORY, "no memory for a search thread");
    return searcher;
}

/* A device's error with its name, as a line for people. */
static struct error named(const struct driver *driver, const struct error *error)
{
    struct error result;
    char name[DEVICE_NAME_SIZE];
    device_name(&driver->device->choice, name);
    (void)error_set(&result, error->code, "%s: %s", name, error->text);
    return result;
}

/* Calls on_device; the lock is held, but not during the call. */
static void tell(struct driver *driver, bool working, const struct error *what)
{
    struct engine *engine = driver->engine;
    if (engine->on_device == NULL)
        return;
    struct device_event event = {.device = (size_t)(driver->device - engine->devices),
                                 .working = working};
    (void)snprintf(event.text, sizeof event.text, "%s", named(driver, what).text);
    (void)pthread_mutex_unlock(&engine->mutex);
    engine->on_device(engine->context, &event);
    (void)pthread_mutex_lock(&engine->mutex);
}

/* What a driver does when it has a searcher, and when it has none any more. The lock is held. */
static void count_in(struct driver *driver)
{
    driver->works = true;
    driver->device->working++;
    driver->engine->working++;
    turns_announce(driver->engine);
}

static void count_out(struct driver *driver)
{
    turns_note(driver, NULL);
    driver->works = false;
    driver->device->working--;
    driver->engine->working--;
    turns_announce(driver->engine);
}

static void schedule_retry(struct retry *retry)
{
    const uint64_t now_us = clock_monotonic_us();
    const bool settled = retry->working_since_us != 0 &&
                         now_us - retry->working_since_us >= SETTLED_S * (uint64_t)1000000;
    if (retry->pause_s == 0 || settled)
        retry->pause_s = RETRY_FIRST_S;
    else if (retry->pause_s < RETRY_MAX_S)
        retry->pause_s = 2 * retry->pause_s > RETRY_MAX_S ? RETRY_MAX_S : 2 * retry->pause_s;
    retry->at_us = now_us + retry->pause_s * (uint64_t)1000000;
    retry->working_since_us = 0;
}

/* The device is out: its searches go on elsewhere, or end if there is no elsewhere. The lock is
 * held. */
static void note_failure(struct driver *driver, struct retry *retry, const struct error *error)
{
    struct engine *engine = driver->engine;
    engine->errors++;
    engine->last_error = named(driver, error);
    schedule_retry(retry);
    if (driver->device->working == 0 && !driver->device->out) {
        driver->device->out = true;
        tell(driver, false, error);
    }
    if (engine->working == 0 && !engine->stopping) {
        (void)pthread_mutex_unlock(&engine->mutex);
        turns_end_all(engine, SEARCH_FAILED);
        (void)pthread_mutex_lock(&engine->mutex);
    }
}

/* Makes the searcher. The lock is held, but not while the device is being made ready. */
static void make_searcher(struct driver *driver, struct retry *retry)
{
    struct engine *engine = driver->engine;
    const struct kernel *kernel = driver->device->kernel;
    struct error error;
    (void)pthread_mutex_unlock(&engine->mutex);
    driver->searcher = create_searcher(driver, kernel, &error);
    (void)pthread_mutex_lock(&engine->mutex);
    if (driver->searcher == NULL) {
        note_failure(driver, retry, &error);
        return;
    }
    driver->kernel = kernel;
    retry->working_since_us = clock_monotonic_us();
    count_in(driver);
    if (driver->device->out) {
        driver->device->out = false;
        tell(driver, true, &(struct error){.text = "works again"});
    }
}

static void drop_searcher(struct driver *driver)
{
    struct engine *engine = driver->engine;
    struct searcher *searcher = driver->searcher;
    driver->searcher = NULL;
    (void)pthread_mutex_unlock(&engine->mutex);
    searcher->ops->destroy(searcher);
    (void)pthread_mutex_lock(&engine->mutex);
}

/* A CPU whose kernel errs searches on with the plain one; any other device is taken out. No wrong
 * work leaves the engine, and the searches go on. */
static void on_failure(struct driver *driver, struct retry *retry, const struct error *error)
{
    struct device *device = driver->device;
    count_out(driver);
    drop_searcher(driver);
    const struct kernel *plain = kernel_find("portable");
    if (device->choice.kind != DEVICE_CPU || driver->kernel == plain) {
        note_failure(driver, retry, error);
        return;
    }
    driver->engine->errors++;
    if (device->kernel != plain) {
        device->kernel = plain;
        tell(driver, true, error);
    }
    make_searcher(driver, retry);
}

/* A nonce that a searcher calls found; it counts too if its search was interrupted meanwhile. */
static void on_found(struct driver *driver, struct retry *retry, search_id id, uint64_t nonce)
{
    struct engine *engine = driver->engine;
    struct search *search = search_queue_find(&engine->queue, id);
    if (search == NULL)
        return;
    const uint64_t value = work_value(nonce, &search->root);
    if (value < search->threshold) {
        struct error error;
        (void)error_set(&error, ERROR_SYSTEM,
                        "it called a nonce found that is below the threshold%s",
                        driver->device->choice.kind == DEVICE_CPU
                            ? "; the kernel \"portable\" searches from now on"
                            : "");
        on_failure(driver, retry, &error);
        return;
    }
    engine->found++;
    struct search_end end = turns_take_out(engine, search, SEARCH_FOUND);
    end.nonce = nonce;
    end.value = value;
    (void)pthread_mutex_unlock(&engine->mutex);
    engine->on_end(engine->context, &end);
    (void)pthread_mutex_lock(&engine->mutex);
}

/* Batches until something is found or the searches that run have changed. */
static bool search_batches(struct driver *driver, uint64_t epoch, struct kernel_result *result,
                           struct error *error)
{
    const atomic_uint_fast64_t *now = &driver->engine->epoch;
    do {
        if (!driver->searcher->ops->next(driver->searcher, result, error))
            return false;
        atomic_store_explicit(&driver->hashes, driver_hashes(driver) + result->tried,
                              memory_order_relaxed);
    } while (!result->found && atomic_load_explicit(now, memory_order_acquire) == epoch);
    return true;
}

/* One stretch at the search that the driver is assigned to; the lock is held, but not while it
 * searches. A driver that stays with its search goes on where it was. */
static void search_stretch(struct driver *driver, struct retry *retry, const struct search *search)
{
    struct engine *engine = driver->engine;
    const search_id id = search->id;
    const bool begins = driver->searching != id;
    const struct root root = search->root;
    const uint64_t threshold = search->threshold;
    const uint64_t epoch = atomic_load_explicit(&engine->epoch, memory_order_relaxed);
    struct kernel_result result = {.found = false};
    struct error error;
    if (begins)
        turns_note(driver, search);
    (void)pthread_mutex_unlock(&engine->mutex);
    const bool worked =
        (!begins || driver->searcher->ops->begin(driver->searcher, &root, threshold,
                                                 random_next(&driver->random), &error)) &&
        search_batches(driver, epoch, &result, &error);
    (void)pthread_mutex_lock(&engine->mutex);
    if (!worked)
        on_failure(driver, retry, &error);
    else if (result.found)
        on_found(driver, retry, id, result.nonce);
}

static void wait_for_change(struct engine *engine, uint64_t until_us)
{
    if (until_us == 0) {
        (void)pthread_cond_wait(&engine->changed, &engine->mutex);
        return;
    }
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000) * 1000};
    (void)pthread_cond_timedwait(&engine->changed, &engine->mutex, &until);
}

static void step(struct driver *driver, struct retry *retry)
{
    struct engine *engine = driver->engine;
    if (driver->searcher == NULL) {
        if (clock_monotonic_us() < retry->at_us)
            wait_for_change(engine, retry->at_us);
        else
            make_searcher(driver, retry);
        return;
    }
    const struct search *search = turns_assigned(engine, driver);
    if (search != NULL) {
        search_stretch(driver, retry, search);
        return;
    }
    turns_note(driver, NULL);
    wait_for_change(engine, 0);
}

static void *run(void *argument)
{
    struct driver *driver = argument;
    struct engine *engine = driver->engine;
    struct retry retry = {.pause_s = 0};
    (void)pthread_mutex_lock(&engine->mutex);
    make_searcher(driver, &retry);
    engine->starting--;
    (void)pthread_cond_broadcast(&engine->changed);
    while (!engine->stopping)
        step(driver, &retry);
    (void)pthread_mutex_unlock(&engine->mutex);
    if (driver->searcher != NULL)
        driver->searcher->ops->destroy(driver->searcher);
    return NULL;
}

bool drivers_create(struct engine *engine, struct device *device, struct error *error)
{
    const unsigned threads = device->choice.threads;
    device->drivers = calloc(threads, sizeof *device->drivers);
    if (device->drivers == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for %u search threads", threads);
    for (unsigned i = 0; i < threads; i++) {
        struct driver *driver = &device->drivers[i];
        uint64_t seed;
        random_system(&seed, sizeof seed);
        random_seed(&driver->random, seed);
        driver->engine = engine;
        driver->device = device;
        driver->number = engine->starting++;
    }
    return true;
}

bool drivers_start(struct engine *engine, struct error *error)
{
    for (size_t d = 0; d < engine->device_count; d++) {
        struct device *device = &engine->devices[d];
        for (unsigned t = 0; t < device->choice.threads; t++) {
            struct driver *driver = &device->drivers[t];
            driver->started = thread_start(&driver->handle, run, driver);
            if (!driver->started)
                return error_set(error, ERROR_SYSTEM, "the system gives no thread for the search");
        }
    }
    (void)pthread_mutex_lock(&engine->mutex);
    while (engine->starting > 0)
        wait_for_change(engine, 0);
    const bool works = engine->working > 0;
    if (!works)
        *error = engine->last_error;
    (void)pthread_mutex_unlock(&engine->mutex);
    return works;
}

void drivers_destroy(struct engine *engine)
{
    (void)pthread_mutex_lock(&engine->mutex);
    engine->stopping = true;
    (void)pthread_cond_broadcast(&engine->changed);
    (void)pthread_mutex_unlock(&engine->mutex);
    for (size_t d = 0; d < engine->device_count; d++) {
        struct device *device = &engine->devices[d];
        for (unsigned t = 0; device->drivers != NULL && t < device->choice.threads; t++)
            if (device->drivers[t].started)
                (void)pthread_join(device->drivers[t].handle, NULL);
    }
    for (size_t d = 0; d < engine->device_count; d++)
        free(engine->devices[d].drivers);
}
