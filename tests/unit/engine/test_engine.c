#include "test.h"

#include "base/random.h"
#include "engine/devices.h"
#include "engine/engine.h"
#include "engine/kernel.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

enum { ENDS_MAX = 65536 };

/* The ends of searches, in order, as the engine tells them. */
struct record {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct search_end ends[ENDS_MAX];
    size_t count;
};

static struct record record = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {{0}}, 0};

static void on_end(void *context, const struct search_end *end)
{
    struct record *r = context;
    (void)pthread_mutex_lock(&r->mutex);
    assert_true(r->count < ENDS_MAX);
    r->ends[r->count++] = *end;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->mutex);
}

static void wait_for(size_t count)
{
    (void)pthread_mutex_lock(&record.mutex);
    while (record.count < count)
        (void)pthread_cond_wait(&record.changed, &record.mutex);
    (void)pthread_mutex_unlock(&record.mutex);
}

static struct engine *start(unsigned threads)
{
    const struct device_choice choice = {.kind = DEVICE_CPU, .threads = threads, .kernel = NULL};
    struct error error;
    record.count = 0;
    struct engine *engine = engine_create(
        &(struct engine_options){
            .devices = &choice, .device_count = 1, .on_end = on_end, .context = &record},
        &error);
    assert_non_null(engine);
    return engine;
}

static struct root numbered_root(uint64_t number)
{
    struct root root = {{0}};
    store_le64(root.bytes, number);
    return root;
}

static search_id search(struct engine *engine, uint64_t number, uint64_t threshold,
                        enum search_priority priority)
{
    const struct root root = numbered_root(number);
    struct error error;
    const search_id id = engine_search(engine, &root, threshold, priority, &error);
    assert_true(id != 0);
    return id;
}

static void wait_until_searching(struct engine *engine)
{
    struct engine_stats stats;
    do {
        (void)sched_yield();
        engine_stats(engine, &stats);
    } while (stats.hashes == 0);
}

static void what_is_found_meets_the_threshold(void **state)
{
    (void)state;
    struct engine *engine = start(2);
    const struct root root = numbered_root(5);
    const search_id id = search(engine, 5, 0xffff000000000000, SEARCH_ONDEMAND);
    wait_for(1);
    const struct search_end end = record.ends[0];
    assert_true(end.id == id);
    assert_int_equal(end.outcome, SEARCH_FOUND);
    assert_memory_equal(&end.root, &root, sizeof root);
    assert_true(work_value(end.nonce, &root) == end.value);
    assert_true(end.value >= 0xffff000000000000);
    assert_true(end.hashes > 0);
    assert_false(engine_cancel(engine, id));
    engine_destroy(engine);
    assert_int_equal(record.count, 1);
}

static void on_demand_goes_first_and_interrupts_precache(void **state)
{
    (void)state;
    struct engine *engine = start(2);
    const search_id endless = search(engine, 1, UINT64_MAX, SEARCH_PRECACHE);
    wait_until_searching(engine);
    const search_id waiting = search(engine, 2, 0, SEARCH_PRECACHE);
    const search_id urgent = search(engine, 3, 0xfff0000000000000, SEARCH_ONDEMAND);
    wait_for(1);
    assert_true(record.ends[0].id == urgent);
    assert_true(engine_cancel(engine, endless));
    wait_for(3);
    assert_true(record.ends[1].id == endless);
    assert_int_equal(record.ends[1].outcome, SEARCH_CANCELLED);
    assert_true(record.ends[1].hashes > 0);
    assert_true(record.ends[2].id == waiting);
    engine_destroy(engine);
}

static void an_interrupted_search_goes_on_and_is_found(void **state)
{
    (void)state;
    enum { INTERRUPTIONS = 50 };
    const uint64_t threshold = UINT64_MAX << 42; /* 2^22 tries expected */
    struct engine *engine = start(2);
    const search_id long_one = search(engine, 1, threshold, SEARCH_PRECACHE);
    wait_until_searching(engine);
    for (uint64_t i = 0; i < INTERRUPTIONS; i++)
        (void)search(engine, 100 + i, 0xfff0000000000000, SEARCH_ONDEMAND);
    wait_for(INTERRUPTIONS + 1);
    engine_destroy(engine);
    assert_int_equal(record.count, INTERRUPTIONS + 1);
    for (size_t i = 0; i < record.count; i++) {
        assert_int_equal(record.ends[i].outcome, SEARCH_FOUND);
        if (record.ends[i].id == long_one)
            assert_true(record.ends[i].value >= threshold);
    }
}

static void an_interrupted_search_can_be_cancelled_and_keeps_its_count(void **state)
{
    (void)state;
    struct engine *engine = start(1);
    const search_id interrupted = search(engine, 1, UINT64_MAX, SEARCH_PRECACHE);
    wait_until_searching(engine);
    const search_id running = search(engine, 2, UINT64_MAX, SEARCH_ONDEMAND);
    assert_true(engine_cancel(engine, interrupted));
    assert_int_equal(record.count, 1);
    assert_true(record.ends[0].id == interrupted);
    assert_true(record.ends[0].hashes > 0);
    assert_true(engine_cancel(engine, running));
    assert_int_equal(record.count, 2);
    engine_destroy(engine);
}

static void searches_of_a_class_end_in_order_of_arrival(void **state)
{
    (void)state;
    struct engine *engine = start(1);
    const search_id blocker = search(engine, 0, UINT64_MAX, SEARCH_ONDEMAND);
    search_id ids[20];
    for (uint64_t i = 0; i < COUNT(ids); i++)
        ids[i] = search(engine, i + 1, 0xff00000000000000, SEARCH_ONDEMAND);
    assert_true(engine_cancel(engine, blocker));
    wait_for(COUNT(ids) + 1);
    for (size_t i = 0; i < COUNT(ids); i++)
        assert_true(record.ends[i + 1].id == ids[i]);
    engine_destroy(engine);
}

static void a_cancel_ends_a_search_that_runs_or_waits_and_no_other(void **state)
{
    (void)state;
    struct engine *engine = start(1);
    const search_id running = search(engine, 1, UINT64_MAX, SEARCH_ONDEMAND);
    const search_id waiting = search(engine, 2, UINT64_MAX, SEARCH_ONDEMAND);
    assert_true(engine_cancel(engine, waiting));
    assert_int_equal(record.count, 1);
    assert_true(record.ends[0].id == waiting);
    assert_true(engine_cancel(engine, running));
    assert_int_equal(record.count, 2);
    assert_false(engine_cancel(engine, running));
    assert_false(engine_cancel(engine, 12345));
    engine_destroy(engine);
    assert_int_equal(record.count, 2);
}

static void ending_the_engine_cancels_all_that_is_in_hand(void **state)
{
    (void)state;
    struct engine *engine = start(2);
    for (uint64_t i = 0; i < 10; i++)
        (void)search(engine, i, UINT64_MAX, i % 2 == 0 ? SEARCH_ONDEMAND : SEARCH_PRECACHE);
    struct engine_stats stats;
    engine_stats(engine, &stats);
    assert_int_equal(stats.queued, 10);
    engine_destroy(engine);
    assert_int_equal(record.count, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(record.ends[i].outcome, SEARCH_CANCELLED);
}

struct submitter {
    struct engine *engine;
    uint64_t first;
};

enum { SUBMITTERS = 4, EACH = 2500 };

static void *submit(void *argument)
{
    const struct submitter *submitter = argument;
    for (uint64_t i = 0; i < EACH; i++) {
        const search_id id = search(submitter->engine, submitter->first + i, 0xf000000000000000,
                                    i % 3 == 0 ? SEARCH_PRECACHE : SEARCH_ONDEMAND);
        if (i % 7 == 0)
            (void)engine_cancel(submitter->engine, id);
    }
    return NULL;
}

static void each_of_many_searches_from_many_threads_ends_once(void **state)
{
    (void)state;
    static bool seen[SUBMITTERS * EACH + 1];
    struct engine *engine = start(2);
    struct submitter submitters[SUBMITTERS];
    pthread_t threads[SUBMITTERS];
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (struct submitter){engine, (uint64_t)i * EACH};
        assert_int_equal(pthread_create(&threads[i], NULL, submit, &submitters[i]), 0);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        (void)pthread_join(threads[i], NULL);
    wait_for(SUBMITTERS * EACH);
    struct engine_stats stats;
    engine_stats(engine, &stats);
    engine_destroy(engine);
    assert_int_equal(record.count, SUBMITTERS * EACH);
    assert_int_equal(stats.found + stats.cancelled, SUBMITTERS * EACH);
    assert_int_equal(stats.errors, 0);
    for (size_t i = 0; i < record.count; i++) {
        assert_in_range(record.ends[i].id, 1, SUBMITTERS * EACH);
        assert_false(seen[record.ends[i].id]);
        seen[record.ends[i].id] = true;
    }
}

/* The tries of a search follow a geometric law: with p = 2^-10, the mean of 2,000 searches has a
 * standard deviation of 2^10 / sqrt(2000). A correct engine leaves five of them once in 1.7 million
 * runs. One thread, so that what other threads try after the find does not count. */
static void the_mean_of_many_searches_is_that_of_chance(void **state)
{
    (void)state;
    enum { SEARCHES = 2000 };
    struct engine *engine = start(1);
    for (uint64_t i = 0; i < SEARCHES; i++)
        (void)search(engine, i + 1000, UINT64_MAX << 54, SEARCH_ONDEMAND);
    wait_for(SEARCHES);
    engine_destroy(engine);
    double sum = 0;
    double sum_of_squares = 0;
    for (size_t i = 0; i < SEARCHES; i++) {
        sum += (double)record.ends[i].hashes;
        sum_of_squares += (double)record.ends[i].hashes * (double)record.ends[i].hashes;
    }
    const double mean = sum / SEARCHES;
    const double deviation = sqrt(sum_of_squares / SEARCHES - mean * mean);
    /* Tries are counted in whole groups: on average half a group more. */
    const double half_group = kernel_best()->width / 2.0;
    assert_true(fabs(mean - half_group - 1024) < 5 * 1024 / sqrt(SEARCHES));
    assert_true(fabs(deviation - 1024) < 8 * 1024 / sqrt(SEARCHES));
}

static void impossible_devices_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        struct device_choice choice;
        const char *reason;
    } cases[] = {
        {{.kind = DEVICE_CPU, .threads = 0, .kernel = NULL}, "1 to 1024 threads"},
        {{.kind = DEVICE_CPU, .threads = 1025, .kernel = NULL}, "1 to 1024 threads"},
        {{.kind = DEVICE_CPU, .threads = 1, .kernel = "abacus"}, "no CPU kernel abacus"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct error error;
        assert_null(engine_create(
            &(struct engine_options){.devices = &cases[i].choice, .device_count = 1}, &error));
        assert_non_null(strstr(error.text, cases[i].reason));
    }
    struct error error;
    assert_null(engine_create(&(struct engine_options){.device_count = 0}, &error));
}

static void device_lists_are_read_or_refused_with_the_device_named(void **state)
{
    (void)state;
    static const char *const good[] = {"auto", "cpu", "cpu:1", "cpu:1024", "cpu:1,cpu:2"};
    static const char *const wrong[] = {"",      ",",      "cpu,", "cpu:",  "cpu:0",  "cpu:1025",
                                        "cpu:x", "cpu:-1", "gpu",  "openc", "cuda:x", "CPU"};
    struct device_list list;
    struct error error;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(device_list_parse(good[i], NULL, &list, &error));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.choices[1].threads, 2);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(device_list_parse(wrong[i], NULL, &list, &error));
    assert_int_equal(list.count, 2);
    assert_true(engine_cpu_threads() >= 1);
}

static void devices_tell_what_they_are_and_did(void **state)
{
    (void)state;
    struct engine *engine = start(2);
    struct engine_device device;
    (void)search(engine, 1, 0xfff0000000000000, SEARCH_ONDEMAND);
    wait_for(1);
    assert_int_equal(engine_device_count(engine), 1);
    engine_device(engine, 0, &device);
    assert_int_equal(device.threads, 2);
    assert_string_equal(kernel_find(device.variant)->family, device.kernel);
    assert_true(device.working);
    assert_true(device.hashes > 0);
    engine_destroy(engine);
    engine_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_meets_the_threshold),
        cmocka_unit_test(on_demand_goes_first_and_interrupts_precache),
        cmocka_unit_test(an_interrupted_search_goes_on_and_is_found),
        cmocka_unit_test(an_interrupted_search_can_be_cancelled_and_keeps_its_count),
        cmocka_unit_test(searches_of_a_class_end_in_order_of_arrival),
        cmocka_unit_test(a_cancel_ends_a_search_that_runs_or_waits_and_no_other),
        cmocka_unit_test(ending_the_engine_cancels_all_that_is_in_hand),
        cmocka_unit_test(each_of_many_searches_from_many_threads_ends_once),
        cmocka_unit_test(the_mean_of_many_searches_is_that_of_chance),
        cmocka_unit_test(impossible_devices_are_refused_with_a_reason),
        cmocka_unit_test(device_lists_are_read_or_refused_with_the_device_named),
        cmocka_unit_test(devices_tell_what_they_are_and_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
