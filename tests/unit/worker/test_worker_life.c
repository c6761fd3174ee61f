#include "test.h"

#include "base/random.h"
#include "worker/worker_core.h"

#include <stdlib.h>
#include <string.h>

enum { ROOTS_MAX = 6000, STEPS = 4000, SEEDS = 60, STEP_US = 50000 };

/* What the engine would hold for one type. */
struct running {
    bool is;
    bool stopped;
    uint64_t number; /* Of the root. */
    uint64_t threshold;
};

/* What is known of one root by the messages alone. */
struct known {
    bool asked;
    bool open; /* Solved, and neither cancelled nor rewarded. */
    uint64_t threshold;
    uint64_t found_us;
    uint64_t found_threshold;
};

/* A worker's surroundings: the hub's messages, the engine, the connection. */
struct life {
    struct worker_core *core;
    struct random random;
    uint64_t seed;
    uint64_t now_us;
    uint64_t roots; /* How many there are; more than WORKER_HELD_MAX makes the queue overflow. */
    bool connected;
    bool heartbeats;
    struct running running[WORK_TYPES];
    struct known known[ROOTS_MAX];
    uint64_t starts;
    uint64_t ends;
    uint64_t published;
};

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("seed %llu, at %llu us: " #condition, (unsigned long long)life->seed,         \
                     (unsigned long long)life->now_us);                                            \
    } while (0)

static struct root numbered(uint64_t number)
{
    struct root root = {{0}};
    store_le64(root.bytes, number + 1);
    return root;
}

static uint64_t number_of(const struct root *root)
{
    return load_le64(root->bytes) - 1;
}

static void check_start(struct life *life, const struct worker_action *action)
{
    const uint64_t number = number_of(&action->root);
    struct running *running = &life->running[action->type];
    HOLDS(!running->is);
    for (int type = 0; type < WORK_TYPES; type++) {
        const struct running *other = &life->running[type];
        HOLDS(!other->is || other->stopped || other->number != number);
    }
    /* Beside an on-demand search only what was searched already goes on, at a raised threshold. */
    HOLDS(action->type == WORK_ONDEMAND || !life->running[WORK_ONDEMAND].is ||
          running->number == number);
    HOLDS(life->known[number].asked);
    HOLDS(action->threshold == life->known[number].threshold);
    *running = (struct running){true, false, number, action->threshold};
    life->starts++;
}

static void check_publish(struct life *life, const struct worker_action *action)
{
    const struct known *known = &life->known[number_of(&action->root)];
    HOLDS(life->connected);
    HOLDS(known->open);
    HOLDS(life->now_us - known->found_us < WORKER_RESULT_US);
    HOLDS(work_valid(action->nonce, &action->root, known->found_threshold));
    life->published++;
}

/* What was waiting when the queue was dropped is known to nobody any more. */
static void forget_waiting(struct life *life)
{
    for (uint64_t i = 0; i < life->roots; i++) {
        bool searched = false;
        for (int type = 0; type < WORK_TYPES; type++)
            searched |= life->running[type].is && life->running[type].number == i;
        if (!searched)
            life->known[i].asked = false;
    }
}

static void check_actions(struct life *life)
{
    const struct worker_actions actions = worker_core_actions(life->core);
    for (size_t i = 0; i < actions.count; i++) {
        const struct worker_action *action = &actions.items[i];
        if (action->kind == WORKER_SEARCH) {
            check_start(life, action);
        } else if (action->kind == WORKER_STOP) {
            HOLDS(life->running[action->type].is && !life->running[action->type].stopped);
            life->running[action->type].stopped = true;
        } else if (action->kind == WORKER_PUBLISH) {
            check_publish(life, action);
        } else if (action->kind == WORKER_SAY_DROPPED) {
            HOLDS(action->count > 0);
            forget_waiting(life);
        }
    }
    struct worker_core_stats stats;
    worker_core_stats(life->core, &stats);
    HOLDS(stats.waiting + stats.searching <= WORKER_HELD_MAX);
}

/* A queue that overflows forgets roots that the messages still ask for; the thresholds are then
 * always the same, so that a root asked for anew is asked for as before. */
static void hub_asks(struct life *life)
{
    const uint64_t number = random_below(&life->random, life->roots);
    const struct root root = numbered(number);
    const bool overflows = life->roots > WORKER_HELD_MAX;
    const uint64_t threshold = (12 + (overflows ? 0 : random_below(&life->random, 3))) << 60;
    struct known *known = &life->known[number];
    if (!known->asked || threshold > known->threshold)
        known->threshold = threshold;
    known->asked = true;
    worker_core_work(life->core, life->now_us, &root, threshold,
                     (enum work_type)random_below(&life->random, WORK_TYPES));
}

static void hub_cancels(struct life *life)
{
    const uint64_t number = random_below(&life->random, life->roots);
    const struct root root = numbered(number);
    life->known[number].asked = false;
    life->known[number].open = false;
    worker_core_cancel(life->core, life->now_us, &root);
}

static void hub_rewards(struct life *life)
{
    const uint64_t number = random_below(&life->random, life->roots);
    const struct root root = numbered(number);
    life->known[number].open = false;
    worker_core_rewarded(life->core, &root);
}

/* A search that was stopped may have found its nonce before. */
static void engine_ends(struct life *life, enum work_type type)
{
    struct running *running = &life->running[type];
    struct worker_core_stats before;
    struct worker_core_stats after;
    const uint64_t number = running->number;
    const struct root root = numbered(number);
    const bool found = !running->stopped || random_below(&life->random, 2) == 0;
    uint64_t nonce = random_next(&life->random);
    while (found && !work_valid(nonce, &root, running->threshold))
        nonce++;
    running->is = false;
    life->ends++;
    worker_core_stats(life->core, &before);
    const struct known known = life->known[number];
    worker_core_ended(life->core, life->now_us, type, found, nonce);
    worker_core_stats(life->core, &after);
    HOLDS(after.solved - before.solved <= 1);
    if (after.solved == before.solved)
        return;
    HOLDS(found && known.asked && work_valid(nonce, &root, known.threshold));
    life->known[number] =
        (struct known){false, true, known.threshold, life->now_us, known.threshold};
}

static void connection_changes(struct life *life)
{
    life->connected = !life->connected;
    if (life->connected)
        worker_core_connected(life->core, life->now_us);
    else
        worker_core_disconnected(life->core, life->now_us);
}

static void something_happens(struct life *life)
{
    const uint64_t chance = random_below(&life->random, 100);
    const enum work_type type = (enum work_type)random_below(&life->random, WORK_TYPES);
    if (chance < 40)
        hub_asks(life);
    else if (chance < 55)
        hub_cancels(life);
    else if (chance < 60)
        hub_rewards(life);
    else if (chance < 94 && life->running[type].is)
        engine_ends(life, type);
    else if (chance >= 94 && chance < 96)
        connection_changes(life);
    else if (chance >= 96 && life->heartbeats)
        worker_core_heartbeat(life->core, life->now_us);
    else
        return;
    check_actions(life);
}

static void time_passes(struct life *life)
{
    life->now_us += random_below(&life->random, STEP_US);
    if (life->now_us < worker_core_next_timer(life->core))
        return;
    worker_core_timer(life->core, life->now_us);
    check_actions(life);
}

/* Every search that is left is found, one after the other: nothing may stay behind. */
static void everything_is_found(struct life *life)
{
    struct worker_core_stats stats;
    while (life->running[WORK_PRECACHE].is || life->running[WORK_ONDEMAND].is) {
        const enum work_type type = life->running[WORK_ONDEMAND].is ? WORK_ONDEMAND : WORK_PRECACHE;
        engine_ends(life, type);
        check_actions(life);
    }
    worker_core_stats(life->core, &stats);
    HOLDS(stats.waiting == 0 && stats.searching == 0);
    HOLDS(life->starts == life->ends);
}

static void live(uint64_t seed, uint64_t roots)
{
    struct error error;
    struct life *life = calloc(1, sizeof *life);
    assert_non_null(life);
    life->core = worker_core_create(seed, &error);
    assert_non_null(life->core);
    random_seed(&life->random, seed);
    life->seed = seed;
    life->roots = roots;
    life->now_us = 1;
    connection_changes(life);
    for (int step = 0; step < STEPS; step++) {
        if (step % 1000 == 0)
            life->heartbeats = random_below(&life->random, 3) > 0;
        time_passes(life);
        something_happens(life);
    }
    everything_is_found(life);
    HOLDS(life->published > 0);
    worker_core_destroy(life->core);
    free(life);
}

static void any_life_of_a_worker_keeps_the_rules(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        live(seed, 2 + seed % 30);
}

static void any_life_with_a_flooded_queue_keeps_the_rules(void **state)
{
    (void)state;
    struct error error;
    struct life *life = calloc(1, sizeof *life);
    assert_non_null(life);
    life->core = worker_core_create(1, &error);
    assert_non_null(life->core);
    random_seed(&life->random, 1);
    life->seed = 1;
    life->roots = ROOTS_MAX;
    life->now_us = 1;
    connection_changes(life);
    for (int step = 0; step < 20000; step++) {
        hub_asks(life);
        check_actions(life);
    }
    for (int step = 0; step < STEPS; step++)
        something_happens(life);
    everything_is_found(life);
    worker_core_destroy(life->core);
    free(life);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_life_of_a_worker_keeps_the_rules),
        cmocka_unit_test(any_life_with_a_flooded_queue_keeps_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
