#include "test.h"

#include "base/random.h"
#include "workserver/queue_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = 20000, ROOTS = 40, LOG_MAX = 64 };

/* What became of a request; a token is its index. */
struct told {
    bool asked;
    bool left;
    bool answered;
    enum queue_answer answer;
    uint64_t threshold;
    uint64_t value;
    struct root root;
    queue_waiter waiter;
};

/* The core, and a world that carries out its actions and checks each. */
struct scene {
    struct queue_core *core;
    struct told *told;
    uint64_t tokens;
    uint64_t now_us;
    struct {
        bool busy;
        struct root root;
        uint64_t threshold;
    } places[QUEUE_PLACES_MAX];
};

static struct queue_options options(void)
{
    return (struct queue_options){.entries_max = 8,
                                  .waiters_per_entry_max = 4,
                                  .waiters_max = 24,
                                  .results_max = 4,
                                  .places = 1,
                                  .seed = 1};
}

static void start(struct scene *scene, const struct queue_options *with)
{
    struct error error;
    *scene = (struct scene){.now_us = 1000};
    scene->core = queue_core_create(with, &error);
    scene->told = calloc(TOKENS_MAX, sizeof scene->told[0]);
    assert_non_null(scene->core);
    assert_non_null(scene->told);
}

static void end(struct scene *scene)
{
    queue_core_destroy(scene->core);
    free(scene->told);
}

static void carry_out(struct scene *scene)
{
    const struct queue_actions actions = queue_core_actions(scene->core);
    for (size_t i = 0; i < actions.count; i++) {
        const struct queue_action *action = &actions.items[i];
        if (action->kind == QUEUE_SEARCH) {
            scene->places[action->place].busy = true;
            scene->places[action->place].root = action->root;
            scene->places[action->place].threshold = action->threshold;
            continue;
        }
        if (action->kind == QUEUE_STOP) {
            scene->places[action->place].busy = false;
            continue;
        }
        struct told *told = &scene->told[action->token];
        assert_true(told->asked && !told->answered && !told->left);
        assert_memory_equal(&told->root, &action->root, sizeof told->root);
        told->answered = true;
        told->answer = action->answer;
        told->value = action->value;
        if (action->answer == QUEUE_FOUND)
            assert_true(action->value >= told->threshold);
    }
}

static struct root root_of(uint64_t number)
{
    struct root root = {{0}};
    store_le64(root.bytes, number + 1);
    return root;
}

static uint64_t ask_opened(struct scene *scene, uint64_t number, uint64_t threshold,
                           uint64_t priority, uint64_t opened_us)
{
    const uint64_t token = scene->tokens++;
    assert_true(token < TOKENS_MAX);
    struct told *told = &scene->told[token];
    *told = (struct told){.asked = true, .threshold = threshold, .root = root_of(number)};
    const queue_waiter waiter = queue_core_request(scene->core, scene->now_us,
                                                   &(struct queue_request){.token = token,
                                                                           .root = told->root,
                                                                           .threshold = threshold,
                                                                           .priority = priority,
                                                                           .opened_us = opened_us});
    carry_out(scene);
    told->waiter = waiter;
    assert_int_equal(waiter == 0, told->answered);
    return token;
}

static uint64_t ask(struct scene *scene, uint64_t number, uint64_t threshold, uint64_t priority)
{
    return ask_opened(scene, number, threshold, priority, scene->now_us);
}

static void find(struct scene *scene, uint64_t number, uint64_t value)
{
    const struct root root = root_of(number);
    queue_core_found(scene->core, scene->now_us, &root, value, value);
    carry_out(scene);
}

static void cancel_opened(struct scene *scene, uint64_t number, uint64_t opened_us)
{
    const struct root root = root_of(number);
    queue_core_cancel(scene->core, scene->now_us, &root, opened_us);
    carry_out(scene);
}

static void cancel(struct scene *scene, uint64_t number)
{
    cancel_opened(scene, number, scene->now_us);
}

static void leave(struct scene *scene, uint64_t token)
{
    scene->told[token].left = !scene->told[token].answered;
    queue_core_leave(scene->core, scene->now_us, scene->told[token].waiter);
    carry_out(scene);
}

static bool searches(const struct scene *scene, unsigned place, uint64_t number, uint64_t threshold)
{
    const struct root root = root_of(number);
    return scene->places[place].busy && scene->places[place].threshold == threshold &&
           memcmp(&scene->places[place].root, &root, sizeof root) == 0;
}

static bool was_told(const struct scene *scene, uint64_t token, enum queue_answer answer)
{
    return scene->told[token].answered && scene->told[token].answer == answer;
}

static void requests_for_one_root_share_a_search(void **state)
{
    (void)state;
    struct scene scene;
    const struct queue_options with = options();
    struct queue_stats stats;
    start(&scene, &with);
    const uint64_t high = ask(&scene, 1, 100, 0);
    assert_true(searches(&scene, 0, 1, 100));
    const uint64_t low = ask(&scene, 1, 50, 0);
    assert_true(searches(&scene, 0, 1, 50)); /* the lowest threshold of those who wait */
    const uint64_t higher = ask(&scene, 1, 300, 0);
    assert_true(searches(&scene, 0, 1, 50));
    find(&scene, 1, 120);
    assert_true(was_told(&scene, high, QUEUE_FOUND) && was_told(&scene, low, QUEUE_FOUND));
    assert_true(searches(&scene, 0, 1, 300)); /* it goes on for the rest */
    find(&scene, 1, 299);                     /* a find of the search before */
    assert_false(scene.told[higher].answered);
    find(&scene, 1, 300);
    assert_true(was_told(&scene, higher, QUEUE_FOUND));
    assert_false(scene.places[0].busy);
    queue_core_stats(scene.core, &stats);
    assert_int_equal(stats.joined, 2);
    assert_int_equal(stats.running + stats.waiting + stats.waiters, 0);
    end(&scene);
}

static void priority_then_arrival_decides(void **state)
{
    (void)state;
    struct scene scene;
    const struct queue_options with = options();
    start(&scene, &with);
    (void)ask(&scene, 0, 9, 0);
    (void)ask(&scene, 1, 9, 0);
    (void)ask(&scene, 2, 9, 5);
    (void)ask(&scene, 3, 9, 5);
    (void)ask(&scene, 4, 9, 0);
    (void)ask(&scene, 4, 9, 7); /* who joins can bring an entry forward */
    static const uint64_t order[] = {0, 4, 2, 3, 1};
    for (size_t i = 0; i < COUNT(order); i++) {
        assert_true(searches(&scene, 0, order[i], 9));
        find(&scene, order[i], 10);
    }
    end(&scene);
}

static void shuffle_draws_among_all_that_wait(void **state)
{
    (void)state;
    enum { ROUNDS = 600 };
    struct scene scene;
    struct queue_options with = options();
    unsigned first[4] = {0};
    with.shuffle = true;
    with.results_max = 0;
    start(&scene, &with);
    for (int round = 0; round < ROUNDS; round++) {
        for (uint64_t i = 0; i < 5; i++)
            (void)ask(&scene, i, 9, 0);
        find(&scene, 0, 10);
        for (uint64_t i = 1; i < 5; i++)
            first[i - 1] += searches(&scene, 0, i, 9);
        for (uint64_t i = 1; i < 5; i++)
            cancel(&scene, i);
    }
    for (int i = 0; i < 4; i++) /* 150 expected; 4.5 standard deviations are 48 */
        assert_in_range(first[i], 102, 198);
    end(&scene);
}

static void a_caller_that_hangs_up_leaves_and_an_empty_entry_stops(void **state)
{
    (void)state;
    struct scene scene;
    const struct queue_options with = options();
    start(&scene, &with);
    const uint64_t first = ask(&scene, 1, 9, 0);
    const uint64_t second = ask(&scene, 1, 9, 0);
    const uint64_t waiting = ask(&scene, 2, 9, 0);
    leave(&scene, first);
    assert_true(searches(&scene, 0, 1, 9));
    leave(&scene, second);
    assert_true(searches(&scene, 0, 2, 9));
    leave(&scene, waiting);
    assert_false(scene.places[0].busy);
    leave(&scene, waiting); /* again: nothing */
    end(&scene);
}

static void a_cancel_ends_whoever_waits_and_whoever_it_overtook(void **state)
{
    (void)state;
    struct scene scene;
    const struct queue_options with = options();
    start(&scene, &with);
    const uint64_t running = ask(&scene, 1, 9, 0);
    const uint64_t waiting = ask(&scene, 2, 9, 0);
    cancel(&scene, 2);
    cancel(&scene, 1);
    assert_true(was_told(&scene, running, QUEUE_CANCELLED));
    assert_true(was_told(&scene, waiting, QUEUE_CANCELLED));
    assert_false(scene.places[0].busy);
    const uint64_t opened_us = scene.now_us;
    scene.now_us += 1000;
    cancel(&scene, 3);
    scene.now_us += 1000;
    assert_true(was_told(&scene, ask_opened(&scene, 3, 9, 0, opened_us), QUEUE_CANCELLED));
    const uint64_t later = ask(&scene, 3, 9, 0); /* its connection is younger than the cancel */
    assert_false(scene.told[later].answered);
    leave(&scene, later);
    scene.now_us += 1000001;
    const uint64_t too_late = ask_opened(&scene, 3, 9, 0, opened_us);
    assert_false(scene.told[too_late].answered);
    end(&scene);
}

static void a_cancel_does_not_reach_what_follows_it_on_its_connection(void **state)
{
    (void)state;
    struct scene scene;
    const struct queue_options with = options();
    start(&scene, &with);
    const uint64_t other_us = scene.now_us;
    const uint64_t own_us = scene.now_us + 1;
    scene.now_us += 1000;
    cancel_opened(&scene, 1, own_us);
    scene.now_us += 1000;
    const uint64_t own = ask_opened(&scene, 1, 9, 0, own_us);
    assert_false(scene.told[own].answered);
    assert_true(was_told(&scene, ask_opened(&scene, 1, 9, 0, other_us), QUEUE_CANCELLED));
    assert_false(scene.told[own].answered);
    end(&scene);
}

static void what_was_found_is_given_out_again_while_it_is_enough(void **state)
{
    (void)state;
    struct scene scene;
    const struct queue_options with = options();
    struct queue_stats stats;
    start(&scene, &with);
    (void)ask(&scene, 1, 9, 0);
    find(&scene, 1, 20);
    assert_true(was_told(&scene, ask(&scene, 1, 20, 0), QUEUE_FOUND));
    assert_false(scene.told[ask(&scene, 1, 21, 0)].answered);
    queue_core_stats(scene.core, &stats);
    assert_int_equal(stats.remembered, 1);
    end(&scene);
}

static void what_there_is_no_room_for_is_refused(void **state)
{
    (void)state;
    struct scene scene;
    const struct queue_options with = options();
    start(&scene, &with);
    for (int i = 0; i < 4; i++)
        assert_false(scene.told[ask(&scene, 0, 9, 0)].answered);
    assert_true(was_told(&scene, ask(&scene, 0, 9, 0), QUEUE_FULL)); /* waiters of an entry */
    for (uint64_t i = 1; i <= 8; i++)
        assert_false(scene.told[ask(&scene, i, 9, 0)].answered);
    assert_true(was_told(&scene, ask(&scene, 9, 9, 0), QUEUE_FULL)); /* entries */
    for (uint64_t i = 1; i <= 4; i++)
        for (int j = 0; j < 3; j++)
            assert_false(scene.told[ask(&scene, i, 9, 0)].answered);
    assert_true(was_told(&scene, ask(&scene, 5, 9, 0), QUEUE_FULL)); /* waiters in all */
    end(&scene);
}

static void requests_time_out_and_failures_and_stops_are_told(void **state)
{
    (void)state;
    struct scene scene;
    struct queue_options with = options();
    with.timeout_us = 500;
    start(&scene, &with);
    const uint64_t early = ask(&scene, 1, 9, 0);
    scene.now_us += 100;
    const uint64_t late = ask(&scene, 1, 9, 0);
    assert_true(queue_core_next_timer(scene.core) == 1500);
    scene.now_us = 1500;
    queue_core_timer(scene.core, scene.now_us);
    carry_out(&scene);
    assert_true(was_told(&scene, early, QUEUE_TIMEOUT) && !scene.told[late].answered);
    const struct root root = root_of(1);
    queue_core_failed(scene.core, scene.now_us, &root);
    carry_out(&scene);
    assert_true(was_told(&scene, late, QUEUE_FAILED));
    const uint64_t running = ask(&scene, 2, 9, 0);
    const uint64_t waiting = ask(&scene, 3, 9, 0);
    queue_core_clear(scene.core, scene.now_us);
    carry_out(&scene);
    assert_true(was_told(&scene, waiting, QUEUE_CANCELLED) && !scene.told[running].answered);
    queue_core_stop(scene.core, scene.now_us);
    carry_out(&scene);
    assert_true(was_told(&scene, running, QUEUE_CANCELLED));
    assert_true(was_told(&scene, ask(&scene, 4, 9, 0), QUEUE_CANCELLED));
    assert_true(queue_core_next_timer(scene.core) == UINT64_MAX);
    end(&scene);
}

struct listed {
    struct queue_listed entries[QUEUE_FINISHED_MAX];
    size_t count;
};

static void add_listed(void *context, const struct queue_listed *entry)
{
    struct listed *listed = context;
    assert_true(listed->count < QUEUE_FINISHED_MAX);
    listed->entries[listed->count++] = *entry;
}

static void entries_are_listed_by_state(void **state)
{
    (void)state;
    struct scene scene;
    struct queue_options with = options();
    with.results_max = 0;
    start(&scene, &with);
    for (uint64_t i = 0; i < QUEUE_FINISHED_MAX + 5; i++) {
        (void)ask(&scene, i, 9, 0);
        find(&scene, i, 10 + i);
    }
    (void)ask(&scene, 1, 7, 3);
    (void)ask(&scene, 2, 8, 4);
    struct listed listed = {.count = 0};
    queue_core_each(scene.core, QUEUE_FINISHED, add_listed, &listed);
    assert_int_equal(listed.count, QUEUE_FINISHED_MAX);
    assert_true(listed.entries[0].found && listed.entries[0].value == 15);
    listed.count = 0;
    queue_core_each(scene.core, QUEUE_RUNNING, add_listed, &listed);
    queue_core_each(scene.core, QUEUE_WAITING, add_listed, &listed);
    assert_int_equal(listed.count, 2);
    assert_true(listed.entries[0].threshold == 7 && listed.entries[0].priority == 3);
    assert_true(listed.entries[1].threshold == 8 && listed.entries[1].state == QUEUE_WAITING);
    end(&scene);
}

/* What holds after every event: a place that is free has nothing to take, and what is searched is
 * wanted by somebody at that threshold. */
static void check(const struct scene *scene, const struct queue_options *with)
{
    struct queue_stats stats;
    unsigned busy = 0;
    queue_core_stats(scene->core, &stats);
    for (unsigned place = 0; place < with->places; place++) {
        bool wanted = false;
        if (!scene->places[place].busy)
            continue;
        busy++;
        for (uint64_t i = 0; i < scene->tokens && !wanted; i++) {
            const struct told *told = &scene->told[i];
            wanted = told->asked && !told->answered && !told->left &&
                     told->threshold >= scene->places[place].threshold &&
                     memcmp(&told->root, &scene->places[place].root, sizeof told->root) == 0;
        }
        assert_true(wanted);
    }
    assert_int_equal(busy, stats.running);
    assert_true(stats.waiting == 0 || busy == with->places);
}

static void act_at_random(struct scene *scene, struct random *random)
{
    const uint64_t number = random_below(random, ROOTS);
    const uint64_t choice = random_below(random, 100);
    scene->now_us += random_below(random, 2000);
    if (choice < 55)
        (void)ask_opened(scene, number, random_below(random, 1000), random_below(random, 3),
                         scene->now_us - random_below(random, 3000));
    else if (choice < 65 && scene->tokens > 0)
        leave(scene, random_below(random, scene->tokens));
    else if (choice < 70)
        cancel(scene, number);
    else if (choice < 72) {
        const struct root root = root_of(number);
        queue_core_failed(scene->core, scene->now_us, &root);
        carry_out(scene);
    } else if (choice < 75) {
        queue_core_timer(scene->core, scene->now_us);
        carry_out(scene);
    } else {
        find(scene, number, random_below(random, 1000));
    }
}

/* Thousands of events by seed: every request ends in exactly one answer, unless its caller hung up.
 */
static void nothing_is_lost_whatever_happens(void **state)
{
    (void)state;
    enum { SEEDS = 60, EVENTS = 400 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct scene scene;
        struct random random;
        struct queue_options with = options();
        random_seed(&random, seed);
        with.seed = seed;
        with.places = 1 + (unsigned)random_below(&random, 4);
        with.shuffle = random_below(&random, 2) == 0;
        with.timeout_us = random_below(&random, 2) == 0 ? 0 : 20000;
        with.results_max = (size_t)random_below(&random, 3) * 8;
        start(&scene, &with);
        for (int i = 0; i < EVENTS; i++) {
            act_at_random(&scene, &random);
            check(&scene, &with);
        }
        queue_core_stop(scene.core, scene.now_us);
        carry_out(&scene);
        for (uint64_t i = 0; i < scene.tokens; i++)
            if (scene.told[i].answered == scene.told[i].left)
                fail_msg("seed %llu: request %llu has no answer", (unsigned long long)seed,
                         (unsigned long long)i);
        end(&scene);
    }
}

static void a_queue_without_room_is_refused_with_a_reason(void **state)
{
    (void)state;
    struct error error;
    struct queue_options with = options();
    with.places = QUEUE_PLACES_MAX + 1;
    assert_null(queue_core_create(&with, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    with = options();
    with.entries_max = 0;
    assert_null(queue_core_create(&with, &error));
    queue_core_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_for_one_root_share_a_search),
        cmocka_unit_test(priority_then_arrival_decides),
        cmocka_unit_test(shuffle_draws_among_all_that_wait),
        cmocka_unit_test(a_caller_that_hangs_up_leaves_and_an_empty_entry_stops),
        cmocka_unit_test(a_cancel_ends_whoever_waits_and_whoever_it_overtook),
        cmocka_unit_test(a_cancel_does_not_reach_what_follows_it_on_its_connection),
        cmocka_unit_test(what_was_found_is_given_out_again_while_it_is_enough),
        cmocka_unit_test(what_there_is_no_room_for_is_refused),
        cmocka_unit_test(requests_time_out_and_failures_and_stops_are_told),
        cmocka_unit_test(entries_are_listed_by_state),
        cmocka_unit_test(nothing_is_lost_whatever_happens),
        cmocka_unit_test(a_queue_without_room_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
