/* Devices that fail, hang and come back: the CUDA searcher is the test's own. */
#include "test.h"

#include "engine/engine.h"
#include "engine/searcher.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_MAX = 8 };

/* What the device is to do, and what the engine told. Written by the test before the engine starts
 * or under its own semaphores. */
struct scene {
    int creations_that_fail; /* The first so many. */
    int batches_that_work;   /* Of the first searcher; then it fails. */
    bool lies;               /* Calls every first nonce found. */
    bool fails_for_good;     /* Only the first creation works. */
    int created;
    sem_t told;
    sem_t ended;
    struct device_event events[EVENTS_MAX];
    size_t event_count;
    struct search_end end;
};

static struct scene scene;

struct fake {
    struct searcher common;
    struct kernel_task task;
    uint64_t start;
    int batches; /* Left before it fails; negative: never. */
};

static bool begin(struct searcher *searcher, const struct root *root, uint64_t threshold,
                  uint64_t start, struct error *error)
{
    struct fake *fake = (struct fake *)searcher;
    (void)error;
    kernel_prepare(&fake->task, root, threshold);
    fake->start = start;
    return true;
}

static bool next(struct searcher *searcher, struct kernel_result *result, struct error *error)
{
    struct fake *fake = (struct fake *)searcher;
    if (fake->batches == 0)
        return error_set(error, ERROR_SYSTEM, "the fan has stopped");
    fake->batches--;
    if (scene.lies)
        *result = (struct kernel_result){true, fake->start, 1};
    else
        *result = kernel_find("portable")->search(&fake->task, fake->start, 64);
    fake->start += result->tried;
    return true;
}

static void destroy(struct searcher *searcher)
{
    free(searcher);
}

struct searcher *searcher_cuda_create(unsigned device, const char *cache_dir, struct error *error)
{
    static const struct searcher_ops ops = {begin, next, destroy};
    (void)device;
    (void)cache_dir;
    const bool gone = scene.fails_for_good && scene.created > 0;
    if (scene.created++ < scene.creations_that_fail || gone) {
        (void)error_set(error, ERROR_SYSTEM, "there is no such card");
        return NULL;
    }
    struct fake *fake = calloc(1, sizeof *fake);
    assert_non_null(fake);
    fake->common.ops = &ops;
    fake->batches = scene.created == 1 ? scene.batches_that_work : -1;
    return &fake->common;
}

struct searcher *searcher_opencl_create(unsigned platform, unsigned device, const char *cache_dir,
                                        struct error *error)
{
    (void)platform;
    return searcher_cuda_create(device, cache_dir, error);
}

static void on_end(void *context, const struct search_end *end)
{
    struct scene *s = context;
    s->end = *end;
    (void)sem_post(&s->ended);
}

static void on_device(void *context, const struct device_event *event)
{
    struct scene *s = context;
    assert_true(s->event_count < EVENTS_MAX);
    s->events[s->event_count++] = *event;
    (void)sem_post(&s->told);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0) {
    }
}

static void set_scene(int creations_that_fail, int batches_that_work)
{
    scene = (struct scene){.creations_that_fail = creations_that_fail,
                           .batches_that_work = batches_that_work};
    (void)sem_init(&scene.told, 0, 0);
    (void)sem_init(&scene.ended, 0, 0);
}

static struct engine *start_parallel(size_t device_count, unsigned parallel, struct error *error)
{
    static const struct device_choice devices[] = {
        {.kind = DEVICE_CUDA, .device = 3},
        {.kind = DEVICE_CPU, .threads = 1, .kernel = "portable"},
    };
    return engine_create(&(struct engine_options){.devices = devices,
                                                  .device_count = device_count,
                                                  .parallel = parallel,
                                                  .on_end = on_end,
                                                  .on_device = on_device,
                                                  .context = &scene},
                         error);
}

static struct engine *start(size_t device_count, struct error *error)
{
    return start_parallel(device_count, 1, error);
}

static search_id search(struct engine *engine, uint64_t threshold, struct error *error)
{
    const struct root root = {{9}};
    return engine_search(engine, &root, threshold, SEARCH_ONDEMAND, error);
}

static void an_engine_without_a_working_device_does_not_start(void **state)
{
    (void)state;
    struct error error;
    set_scene(1, 0);
    assert_null(start(1, &error));
    assert_string_equal(error.text, "cuda:3: there is no such card");
}

static void a_device_that_fails_is_told_and_its_search_goes_on_elsewhere(void **state)
{
    (void)state;
    struct error error;
    struct engine_stats stats;
    struct engine_device device;
    set_scene(0, 1);
    struct engine *engine = start(2, &error);
    assert_non_null(engine);
    assert_true(search(engine, 0xfffff00000000000, &error) != 0);
    wait_for(&scene.told);
    assert_false(scene.events[0].working);
    assert_int_equal(scene.events[0].device, 0);
    assert_string_equal(scene.events[0].text, "cuda:3: the fan has stopped");
    wait_for(&scene.ended);
    assert_int_equal(scene.end.outcome, SEARCH_FOUND);
    assert_true(scene.end.value >= 0xfffff00000000000);
    engine_stats(engine, &stats);
    engine_device(engine, 1, &device);
    assert_int_equal(stats.errors, 1);
    assert_true(device.working);
    engine_destroy(engine);
}

static void a_device_that_lies_is_taken_out(void **state)
{
    (void)state;
    struct error error;
    set_scene(0, -1);
    scene.lies = true;
    struct engine *engine = start(1, &error);
    assert_non_null(engine);
    assert_true(search(engine, UINT64_MAX, &error) != 0);
    wait_for(&scene.told);
    assert_non_null(strstr(scene.events[0].text, "below the threshold"));
    wait_for(&scene.ended);
    assert_int_equal(scene.end.outcome, SEARCH_FAILED);
    engine_destroy(engine);
}

static void without_any_device_searches_fail_until_one_is_back(void **state)
{
    (void)state;
    struct error error;
    struct engine_stats stats;
    set_scene(0, 1);
    struct engine *engine = start(1, &error);
    assert_non_null(engine);
    const search_id id = search(engine, UINT64_MAX, &error);
    wait_for(&scene.ended);
    assert_true(scene.end.id == id);
    assert_int_equal(scene.end.outcome, SEARCH_FAILED);
    assert_true(search(engine, 0, &error) == 0);
    assert_int_equal(error.code, ERROR_SYSTEM);
    assert_string_equal(error.text, "cuda:3: the fan has stopped");
    wait_for(&scene.told);
    wait_for(&scene.told); /* after the pause of a second */
    assert_true(scene.events[1].working);
    assert_true(search(engine, 0, &error) != 0);
    wait_for(&scene.ended);
    assert_int_equal(scene.end.outcome, SEARCH_FOUND);
    engine_stats(engine, &stats);
    assert_int_equal(stats.failed, 1);
    engine_destroy(engine);
}

static void the_oldest_search_goes_on_when_too_few_devices_are_left(void **state)
{
    (void)state;
    struct error error;
    set_scene(0, 1);
    scene.fails_for_good = true;
    struct engine *engine = start_parallel(2, 2, &error);
    assert_non_null(engine);
    const search_id first = search(engine, 0xffffff0000000000, &error);
    assert_true(search(engine, UINT64_MAX, &error) != 0);
    wait_for(&scene.ended);
    assert_true(scene.end.id == first);
    assert_int_equal(scene.end.outcome, SEARCH_FOUND);
    engine_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_without_a_working_device_does_not_start),
        cmocka_unit_test(a_device_that_fails_is_told_and_its_search_goes_on_elsewhere),
        cmocka_unit_test(a_device_that_lies_is_taken_out),
        cmocka_unit_test(the_oldest_search_goes_on_when_too_few_devices_are_left),
        cmocka_unit_test(without_any_device_searches_fail_until_one_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
