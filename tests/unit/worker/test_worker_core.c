#include "test.h"

#include "base/random.h"
#include "worker/worker_core.h"

#include <string.h>

#define S 1000000ULL
#define EASY ((uint64_t)1 << 63)

static int set_up(void **state)
{
    struct error error;
    *state = worker_core_create(5, &error);
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    worker_core_destroy(*state);
    return 0;
}

static struct root numbered(uint64_t number)
{
    struct root root = {{0}};
    store_le64(root.bytes, number);
    return root;
}

static void work(struct worker_core *core, uint64_t number, uint64_t threshold, enum work_type type)
{
    const struct root root = numbered(number);
    worker_core_work(core, S, &root, threshold, type);
}

static void cancel(struct worker_core *core, uint64_t number)
{
    const struct root root = numbered(number);
    worker_core_cancel(core, S, &root);
}

static const char *acted(const struct worker_core *core)
{
    static char letters[WORKER_ACTIONS_MAX + 1];
    const struct worker_actions actions = worker_core_actions(core);
    for (size_t i = 0; i < actions.count; i++)
        letters[i] = "sxpSBD"[actions.items[i].kind];
    letters[actions.count] = '\0';
    return letters;
}

static uint64_t nonce_for(uint64_t number, uint64_t threshold)
{
    const struct root root = numbered(number);
    uint64_t nonce = 0;
    while (!work_valid(nonce, &root, threshold))
        nonce++;
    return nonce;
}

static void a_work_is_searched_and_its_result_sent(void **state)
{
    struct worker_core *core = *state;
    worker_core_connected(core, S);
    work(core, 1, EASY, WORK_ONDEMAND);
    assert_string_equal(acted(core), "s");
    assert_non_null(worker_core_searching(core, WORK_ONDEMAND));
    worker_core_ended(core, 2 * S, WORK_ONDEMAND, true, nonce_for(1, EASY));
    assert_string_equal(acted(core), "p");
    assert_true(worker_core_actions(core).items[0].nonce == nonce_for(1, EASY));
    assert_null(worker_core_searching(core, WORK_ONDEMAND));
}

static void a_root_held_already_is_ignored_unless_the_threshold_rises(void **state)
{
    struct worker_core *core = *state;
    worker_core_connected(core, S);
    work(core, 1, EASY, WORK_ONDEMAND);
    work(core, 1, EASY, WORK_ONDEMAND);
    assert_string_equal(acted(core), "");
    work(core, 1, EASY + 1, WORK_ONDEMAND);
    assert_string_equal(acted(core), "x");
    work(core, 1, EASY + 2, WORK_ONDEMAND);
    assert_string_equal(acted(core), "");
    worker_core_ended(core, S, WORK_ONDEMAND, false, 0);
    assert_string_equal(acted(core), "s");
    assert_true(worker_core_actions(core).items[0].threshold == EASY + 2);
}

static void a_cancel_stops_what_runs_and_removes_what_waits(void **state)
{
    struct worker_core *core = *state;
    struct worker_core_stats stats;
    worker_core_connected(core, S);
    work(core, 1, EASY, WORK_ONDEMAND);
    work(core, 2, EASY, WORK_ONDEMAND);
    cancel(core, 2);
    assert_string_equal(acted(core), "");
    cancel(core, 3);
    assert_string_equal(acted(core), "");
    cancel(core, 1);
    assert_string_equal(acted(core), "x");
    worker_core_stats(core, &stats);
    assert_int_equal(stats.cancelled, 2);
    assert_int_equal(stats.waiting + stats.searching, 0);
}

static void a_result_found_while_the_cancel_came_is_not_sent(void **state)
{
    struct worker_core *core = *state;
    worker_core_connected(core, S);
    work(core, 1, EASY, WORK_ONDEMAND);
    cancel(core, 1);
    worker_core_ended(core, S, WORK_ONDEMAND, true, nonce_for(1, EASY));
    assert_string_equal(acted(core), "");
}

static void the_same_root_again_after_a_cancel_is_searched_again(void **state)
{
    struct worker_core *core = *state;
    worker_core_connected(core, S);
    work(core, 1, EASY, WORK_ONDEMAND);
    cancel(core, 1);
    work(core, 1, EASY + 5, WORK_ONDEMAND);
    assert_string_equal(acted(core), "");
    worker_core_ended(core, S, WORK_ONDEMAND, false, 0);
    assert_string_equal(acted(core), "s");
    assert_true(worker_core_actions(core).items[0].threshold == EASY + 5);
}

static void on_demand_is_begun_beside_precache_but_not_the_other_way(void **state)
{
    struct worker_core *core = *state;
    worker_core_connected(core, S);
    work(core, 1, EASY, WORK_PRECACHE);
    assert_string_equal(acted(core), "s");
    work(core, 2, EASY, WORK_ONDEMAND);
    assert_string_equal(acted(core), "s");
    worker_core_ended(core, S, WORK_PRECACHE, true, nonce_for(1, EASY));
    work(core, 3, EASY, WORK_PRECACHE);
    assert_string_equal(acted(core), "");
    worker_core_ended(core, S, WORK_ONDEMAND, true, nonce_for(2, EASY));
    assert_string_equal(acted(core), "ps");
}

static void a_result_without_a_connection_is_sent_later_unless_too_old(void **state)
{
    struct worker_core *core = *state;
    worker_core_connected(core, S);
    work(core, 1, EASY, WORK_ONDEMAND);
    worker_core_disconnected(core, 2 * S);
    worker_core_ended(core, 3 * S, WORK_ONDEMAND, true, nonce_for(1, EASY));
    assert_string_equal(acted(core), "");
    worker_core_connected(core, 20 * S);
    assert_string_equal(acted(core), "p");
    const struct root root = numbered(1);
    worker_core_rewarded(core, &root);
    worker_core_connected(core, 21 * S);
    assert_string_equal(acted(core), "");
    work(core, 2, EASY, WORK_ONDEMAND);
    worker_core_ended(core, 30 * S, WORK_ONDEMAND, true, nonce_for(2, EASY));
    worker_core_connected(core, 61 * S);
    assert_string_equal(acted(core), "");
}

static void a_result_cancelled_before_it_could_be_sent_is_not_sent(void **state)
{
    struct worker_core *core = *state;
    worker_core_connected(core, S);
    work(core, 1, EASY, WORK_ONDEMAND);
    worker_core_disconnected(core, 2 * S);
    worker_core_ended(core, 3 * S, WORK_ONDEMAND, true, nonce_for(1, EASY));
    cancel(core, 1);
    worker_core_connected(core, 4 * S);
    assert_string_equal(acted(core), "");
}

static void precache_that_somebody_waits_for_becomes_on_demand(void **state)
{
    struct worker_core *core = *state;
    worker_core_connected(core, S);
    work(core, 1, EASY, WORK_PRECACHE);
    work(core, 2, EASY, WORK_PRECACHE);
    work(core, 1, EASY, WORK_ONDEMAND); /* searched already, and nothing before it */
    assert_string_equal(acted(core), "");
    work(core, 2, EASY, WORK_ONDEMAND); /* waits */
    assert_string_equal(acted(core), "s");
    assert_int_equal(worker_core_actions(core).items[0].type, WORK_ONDEMAND);
    work(core, 1, EASY, WORK_ONDEMAND); /* searched, but behind an on-demand one */
    assert_string_equal(acted(core), "x");
    assert_int_equal(worker_core_actions(core).items[0].type, WORK_PRECACHE);
    worker_core_ended(core, S, WORK_PRECACHE, false, 0);
    assert_string_equal(acted(core), "");
    worker_core_ended(core, S, WORK_ONDEMAND, true, nonce_for(2, EASY));
    assert_string_equal(acted(core), "ps");
    assert_int_equal(worker_core_actions(core).items[1].type, WORK_ONDEMAND);
    work(core, 1, EASY, WORK_PRECACHE); /* the other way round changes nothing */
    assert_string_equal(acted(core), "");
}

static void silence_is_told_and_what_waits_is_dropped_in_time(void **state)
{
    struct worker_core *core = *state;
    worker_core_connected(core, S);
    assert_int_equal(worker_core_next_timer(core), S + WORKER_GREETING_US);
    worker_core_heartbeat(core, 2 * S);
    assert_int_equal(worker_core_next_timer(core), 2 * S + WORKER_SILENCE_US);
    work(core, 1, EASY, WORK_ONDEMAND);
    work(core, 2, EASY, WORK_ONDEMAND);
    worker_core_timer(core, 12 * S);
    assert_string_equal(acted(core), "S");
    assert_int_equal(worker_core_actions(core).items[0].seconds, 10);
    worker_core_timer(core, 62 * S);
    assert_string_equal(acted(core), "D");
    assert_int_equal(worker_core_actions(core).items[0].count, 1);
    assert_int_equal(worker_core_next_timer(core), UINT64_MAX);
    assert_non_null(worker_core_searching(core, WORK_ONDEMAND));
    worker_core_heartbeat(core, 70 * S);
    assert_string_equal(acted(core), "B");
}

static void a_full_queue_gives_up_the_oldest_precache_first(void **state)
{
    struct worker_core *core = *state;
    struct worker_core_stats stats;
    worker_core_connected(core, S);
    work(core, 0, EASY, WORK_ONDEMAND);
    work(core, 1, EASY, WORK_PRECACHE);
    for (uint64_t i = 2; i < WORKER_HELD_MAX + 10; i++)
        work(core, i, EASY, WORK_ONDEMAND);
    worker_core_stats(core, &stats);
    assert_int_equal(stats.waiting + stats.searching, WORKER_HELD_MAX);
    work(core, 1, EASY, WORK_PRECACHE);
    worker_core_stats(core, &stats);
    assert_int_equal(stats.received, WORKER_HELD_MAX + 11);
}

/* A random life: at most one search of a type is out, each has one end, what was cancelled is not
 * sent, nothing is sent twice without a loss of the connection. */
static void in_a_random_life_searches_and_ends_pair_up(void **state)
{
    struct worker_core *core = *state;
    struct random random;
    bool running[WORK_TYPES] = {false};
    struct root roots[WORK_TYPES];
    uint64_t thresholds[WORK_TYPES] = {0};
    bool wanted[32] = {false};
    uint64_t sent = 0;
    random_seed(&random, 17);
    worker_core_connected(core, 1);
    for (uint64_t step = 2; step < 50000; step++) {
        const uint64_t number = random_below(&random, 32);
        const struct root root = numbered(number);
        const enum work_type type = (enum work_type)random_below(&random, WORK_TYPES);
        const uint64_t chance = random_below(&random, 10);
        if (chance < 4) {
            worker_core_work(core, step, &root, UINT64_MAX << (60 + random_below(&random, 4)),
                             type);
            wanted[number] = true;
        } else if (chance < 6) {
            worker_core_cancel(core, step, &root);
            wanted[number] = false;
        } else if (running[type]) {
            running[type] = false;
            uint64_t nonce = random_next(&random);
            while (!work_valid(nonce, &roots[type], thresholds[type]))
                nonce++;
            worker_core_ended(core, step, type, chance < 9, nonce);
        } else {
            continue;
        }
        const struct worker_actions actions = worker_core_actions(core);
        for (size_t i = 0; i < actions.count; i++) {
            const struct worker_action *action = &actions.items[i];
            if (action->kind == WORKER_SEARCH) {
                assert_false(running[action->type]);
                running[action->type] = true;
                roots[action->type] = action->root;
                thresholds[action->type] = action->threshold;
            } else if (action->kind == WORKER_STOP) {
                assert_true(running[action->type]);
            } else if (action->kind == WORKER_PUBLISH) {
                const uint64_t which = load_le64(action->root.bytes);
                assert_true(wanted[which]);
                wanted[which] = false;
                sent++;
            }
        }
    }
    assert_true(sent > 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_work_is_searched_and_its_result_sent),
        TEST(a_root_held_already_is_ignored_unless_the_threshold_rises),
        TEST(a_cancel_stops_what_runs_and_removes_what_waits),
        TEST(a_result_found_while_the_cancel_came_is_not_sent),
        TEST(the_same_root_again_after_a_cancel_is_searched_again),
        TEST(on_demand_is_begun_beside_precache_but_not_the_other_way),
        TEST(a_result_without_a_connection_is_sent_later_unless_too_old),
        TEST(a_result_cancelled_before_it_could_be_sent_is_not_sent),
        TEST(precache_that_somebody_waits_for_becomes_on_demand),
        TEST(silence_is_told_and_what_waits_is_dropped_in_time),
        TEST(a_full_queue_gives_up_the_oldest_precache_first),
        TEST(in_a_random_life_searches_and_ends_pair_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
