#include "world.h"

#include <math.h>
#include <string.h>

void workers_create(struct world *world)
{
    for (size_t i = 0; i < WORKERS; i++) {
        world->workers[i].rate_hps = 50 + (double)random_below(&world->random, 2000);
        world->workers[i].latency_us = 500 + random_below(&world->random, 150000);
    }
}

/* A copy or two of a message, or none. */
static unsigned copies(struct world *world)
{
    if (!world->broker_up || random_unit(&world->random) < world->faults.loss)
        return 0;
    return random_unit(&world->random) < world->faults.repeat ? 2 : 1;
}

void workers_broadcast(struct world *world, const struct hub_action *action)
{
    const bool work = action->kind == HUB_WORK;
    const size_t root = world_root_index(world, &action->work.root);
    world_note(world, "%s root %zu", work ? "ask for" : "cancel", root);
    world->asked[root][action->work.type] = work;
    if (work)
        check_asked(world, action);
    for (size_t i = 0; i < WORKERS; i++) {
        for (unsigned n = copies(world); n > 0; n--) {
            const uint64_t delay_us =
                world->workers[i].latency_us + random_below(&world->random, 20000);
            struct event *event =
                world_schedule(world, world->now_us + delay_us, work ? EVENT_WORK : EVENT_CANCEL);
            event->index = i;
            event->root = action->work.root;
            event->threshold = action->work.threshold;
            event->type = action->work.type;
        }
    }
}

static size_t held_index(const struct sim_worker *worker, const struct root *root)
{
    for (size_t i = 0; i < worker->held_count; i++)
        if (memcmp(&worker->held[i].root, root, sizeof *root) == 0)
            return i;
    return ROOTS_ALL;
}

static void search(struct world *world, size_t index)
{
    struct sim_worker *worker = &world->workers[index];
    if (worker->held_count == 0)
        return;
    worker->search = ++world->search_stamps;
    const double tries = 0x1p64 / (double)-worker->held[0].threshold;
    const double seconds = -log(1 - random_unit(&world->random)) * tries / worker->rate_hps;
    struct event *event =
        world_schedule(world, world->now_us + (uint64_t)(seconds * 1e6), EVENT_FOUND);
    event->index = index;
    event->stamp = worker->search;
}

static void drop(struct sim_worker *worker, size_t held)
{
    worker->held_count--;
    memmove(&worker->held[held], &worker->held[held + 1],
            (worker->held_count - held) * sizeof worker->held[0]);
}

static void take(struct world *world, const struct event *event)
{
    struct sim_worker *worker = &world->workers[event->index];
    if (held_index(worker, &event->root) < ROOTS_ALL || worker->held_count == ROOTS_ALL)
        return;
    worker->held[worker->held_count].root = event->root;
    worker->held[worker->held_count].threshold = event->threshold;
    worker->held[worker->held_count++].type = event->type;
    if (worker->held_count == 1)
        search(world, event->index);
}

static void cancel(struct world *world, const struct event *event)
{
    struct sim_worker *worker = &world->workers[event->index];
    const size_t held = held_index(worker, &event->root);
    if (held == ROOTS_ALL || random_unit(&world->random) < world->faults.deaf)
        return;
    drop(worker, held);
    if (held == 0)
        search(world, event->index);
}

static uint64_t find_nonce(struct world *world, const struct root *root, uint64_t threshold)
{
    uint64_t nonce = random_next(&world->random);
    while (!work_valid(nonce, root, threshold))
        nonce++;
    return nonce;
}

static void found(struct world *world, const struct event *event)
{
    struct sim_worker *worker = &world->workers[event->index];
    if (event->stamp != worker->search || worker->held_count == 0)
        return;
    const struct root root = worker->held[0].root;
    const bool lies = random_unit(&world->random) < world->faults.liar;
    const uint64_t nonce =
        lies ? random_next(&world->random) : find_nonce(world, &root, worker->held[0].threshold);
    drop(worker, 0);
    for (unsigned n = copies(world); n > 0; n--) {
        struct event *result =
            world_schedule(world, world->now_us + worker->latency_us, EVENT_RESULT);
        result->root = root;
        result->nonce = nonce;
        result->account = (int)random_below(&world->random, ACCOUNTS + 1) - 1;
    }
    search(world, event->index);
}

static void result(struct world *world, const struct event *event)
{
    if (!world->broker_up)
        return;
    const struct account *account = event->account >= 0 ? &world->accounts[event->account] : NULL;
    const enum hub_verdict verdict =
        hub_core_result(world->core, world->now_us, &event->root, event->nonce, account);
    world_note(world, "result for root %zu: verdict %d", world_root_index(world, &event->root),
               (int)verdict);
    world_act(world);
}

void workers_event(struct world *world, const struct event *event)
{
    if (event->kind == EVENT_WORK)
        take(world, event);
    else if (event->kind == EVENT_CANCEL)
        cancel(world, event);
    else if (event->kind == EVENT_FOUND)
        found(world, event);
    else
        result(world, event);
}
