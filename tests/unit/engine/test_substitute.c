/* The engine with kernels of the test's own in place of the build's: kernel_dispatch.c is not
 * linked, because this file defines its functions. */
#include "test.h"

#include "engine/engine.h"
#include "engine/kernel.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

extern const struct kernel kernel_portable;

enum { ENDS_MAX = 16 };

/* What the kernels and the test tell each other, and the ends of searches in their order. */
struct scene {
    sem_t entered; /* A gated kernel is in its search... */
    sem_t leave;   /* ...and may leave it. */
    sem_t ended;
    struct search_end ends[ENDS_MAX];
    size_t count;
    atomic_bool open;          /* The gate stays open. */
    atomic_uint roots_entered; /* A bit for the number of each root that the gated kernel met. */
};

static struct scene scene;

static bool always(void)
{
    return true;
}

/* Calls every first nonce found. */
static struct kernel_result lie(const struct kernel_task *task, uint64_t start, uint64_t count)
{
    (void)task;
    (void)count;
    return (struct kernel_result){true, start, 1};
}

static struct kernel_result wait_and_search(const struct kernel_task *task, uint64_t start,
                                            uint64_t count)
{
    atomic_fetch_or(&scene.roots_entered, 1U << task->root[0]);
    (void)sem_post(&scene.entered);
    while (!atomic_load(&scene.open) && sem_wait(&scene.leave) != 0) {
    }
    return kernel_portable.search(task, start, count);
}

static const struct kernel liar = {"liar", "liar", 1, always, lie};
static const struct kernel gated = {"gated", "gated", 1, always, wait_and_search};
static const struct kernel *const kernels[] = {&liar, &gated, &kernel_portable, NULL};

const struct kernel *const *kernel_all(void)
{
    return kernels;
}

const struct kernel *kernel_best(void)
{
    return kernels[0];
}

const struct kernel *kernel_find(const char *name)
{
    for (const struct kernel *const *kernel = kernels; *kernel != NULL; kernel++)
        if (strcmp((*kernel)->name, name) == 0)
            return *kernel;
    return NULL;
}

/* Calls come one after the other: one thread searches, and a cancel comes while it is held. */
static void on_end(void *context, const struct search_end *end)
{
    struct scene *s = context;
    assert_true(s->count < ENDS_MAX);
    s->ends[s->count++] = *end;
    (void)sem_post(&s->ended);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static struct engine *start_threads(const char *kernel, unsigned threads, unsigned parallel)
{
    const struct device_choice choice = {.kind = DEVICE_CPU, .threads = threads, .kernel = kernel};
    struct error error;
    memset(&scene, 0, sizeof scene);
    (void)sem_init(&scene.entered, 0, 0);
    (void)sem_init(&scene.leave, 0, 0);
    (void)sem_init(&scene.ended, 0, 0);
    struct engine *engine = engine_create(&(struct engine_options){.devices = &choice,
                                                                   .device_count = 1,
                                                                   .parallel = parallel,
                                                                   .on_end = on_end,
                                                                   .context = &scene},
                                          &error);
    assert_non_null(engine);
    return engine;
}

static struct engine *start(const char *kernel)
{
    return start_threads(kernel, 1, 1);
}

static search_id search(struct engine *engine, uint8_t number, uint64_t threshold,
                        enum search_priority priority)
{
    const struct root root = {{number}};
    struct error error;
    const search_id id = engine_search(engine, &root, threshold, priority, &error);
    assert_true(id != 0);
    return id;
}

static void a_wrong_find_is_an_error_of_the_device_and_the_search_goes_on(void **state)
{
    (void)state;
    enum { SEARCHES = 8 };
    const uint64_t threshold = UINT64_MAX << 48; /* the liar's nonces meet it once in 65,536 */
    struct engine *engine = start("liar");
    for (unsigned i = 0; i < SEARCHES; i++)
        (void)search(engine, (uint8_t)i, threshold, SEARCH_ONDEMAND);
    for (int i = 0; i < SEARCHES; i++)
        wait_for(&scene.ended);
    struct engine_stats stats;
    engine_stats(engine, &stats);
    engine_destroy(engine);
    assert_int_equal(stats.errors, 1);
    assert_int_equal(stats.found, SEARCHES);
    for (unsigned i = 0; i < SEARCHES; i++) {
        const struct root root = {{(uint8_t)i}};
        assert_memory_equal(&scene.ends[i].root, &root, sizeof root);
        assert_true(scene.ends[i].value >= threshold);
        assert_true(work_value(scene.ends[i].nonce, &root) == scene.ends[i].value);
    }
}

static void what_is_found_while_its_search_is_interrupted_is_not_lost(void **state)
{
    (void)state;
    struct engine *engine = start("gated");
    const search_id first = search(engine, 1, 0, SEARCH_PRECACHE);
    wait_for(&scene.entered);
    const search_id urgent = search(engine, 2, 0, SEARCH_ONDEMAND);
    (void)sem_post(&scene.leave);
    wait_for(&scene.ended);
    assert_true(scene.ends[0].id == first);
    assert_int_equal(scene.ends[0].outcome, SEARCH_FOUND);
    wait_for(&scene.entered);
    (void)sem_post(&scene.leave);
    wait_for(&scene.ended);
    assert_true(scene.ends[1].id == urgent);
    engine_destroy(engine);
    assert_int_equal(scene.count, 2);
}

static void what_is_found_after_the_cancel_is_not_told(void **state)
{
    (void)state;
    struct engine *engine = start("gated");
    const search_id cancelled = search(engine, 1, 0, SEARCH_ONDEMAND);
    wait_for(&scene.entered);
    assert_true(engine_cancel(engine, cancelled));
    assert_int_equal(scene.count, 1);
    assert_int_equal(scene.ends[0].outcome, SEARCH_CANCELLED);
    (void)sem_post(&scene.leave);
    engine_destroy(engine);
    assert_int_equal(scene.count, 1);
}

static void searches_share_the_threads_if_the_engine_is_to_run_several(void **state)
{
    (void)state;
    struct engine *engine = start_threads("gated", 2, 4);
    (void)search(engine, 1, UINT64_MAX, SEARCH_ONDEMAND);
    wait_for(&scene.entered);
    wait_for(&scene.entered); /* the first search has both threads, the second search one of them */
    (void)search(engine, 2, UINT64_MAX, SEARCH_ONDEMAND);
    while (atomic_load(&scene.roots_entered) != (1 << 1 | 1 << 2)) {
        (void)sem_post(&scene.leave);
        wait_for(&scene.entered);
    }
    atomic_store(&scene.open, true);
    (void)sem_post(&scene.leave);
    (void)sem_post(&scene.leave);
    engine_destroy(engine);
    assert_int_equal(scene.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_find_is_an_error_of_the_device_and_the_search_goes_on),
        cmocka_unit_test(what_is_found_while_its_search_is_interrupted_is_not_lost),
        cmocka_unit_test(what_is_found_after_the_cancel_is_not_told),
        cmocka_unit_test(searches_share_the_threads_if_the_engine_is_to_run_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
