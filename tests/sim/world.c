#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must_calloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        (void)fprintf(stderr, "out of memory\n");
        exit(2);
    }
    return memory;
}

static struct hub_core *new_core(struct world *world)
{
    struct error error;
    random_seed(&world->random, random_next(&world->random));
    for (size_t i = 0; i < sizeof world->options.seed; i++)
        world->options.seed[i] = (uint8_t)random_below(&world->random, 256);
    struct hub_core *core = hub_core_create(&world->options, &error);
    if (core == NULL) {
        (void)fprintf(stderr, "%s\n", error.text);
        exit(2);
    }
    return core;
}

struct world *world_create(uint64_t seed, size_t requests, const struct faults *faults)
{
    struct world *world = must_calloc(1, sizeof *world);
    world->seed = seed;
    world->faults = *faults;
    random_seed(&world->random, seed);
    world->event_capacity = 4096 + 64 * requests;
    world->queue = heap_create(world->event_capacity);
    world->requests = must_calloc(requests, sizeof *world->requests);
    world->request_count = requests;
    world->queued = must_calloc(8 * requests + 64, sizeof *world->queued);
    world->works = must_calloc(8 * requests + 64, sizeof *world->works);
    world->broker_up = true;
    for (size_t i = 0; i < ROOTS_ALL; i++)
        for (size_t b = 0; b < 32; b++)
            world->roots[i].bytes[b] = (uint8_t)random_below(&world->random, 256);
    for (size_t i = 0; i < ACCOUNTS; i++)
        memset(world->accounts[i].key, (int)i + 1, sizeof world->accounts[i].key);
    /* Small enough for eviction, refusal for want of room, and expiry to happen in a run. */
    world->options = hub_core_options_default();
    world->options.entries_max = ROOTS / 2;
    world->options.waiters_max = 64;
    world->options.waiters_per_entry_max = 8;
    world->options.cache_us = 20000000;
    world->options.reask_us = 400000;
    world->options.linger_us = 500000;
    world->options.grace_us = 1000000;
    world->options.chains_max = CHAINS - 2;
    world->options.send_threshold = UINT64_MAX << 59;
    world->options.receive_threshold = UINT64_MAX << 62;
    world->options.chain_works_per_hour = 100000;
    world->options.chain_us = 60000000;
    world->options.precache_parallel = 4;
    world->options.precache_us = 3000000;
    world->core = new_core(world);
    chains_policies(world);
    workers_create(world);
    services_schedule(world);
    return world;
}

void world_destroy(struct world *world)
{
    struct heap_item *item;
    while ((item = heap_min(world->queue)) != NULL) {
        heap_remove(world->queue, item);
        free(item);
    }
    heap_destroy(world->queue);
    hub_core_destroy(world->core);
    free(world->requests);
    free(world->queued);
    free(world->works);
    free(world);
}

struct event *world_schedule(struct world *world, uint64_t when_us, enum event_kind kind)
{
    struct event *event = must_calloc(1, sizeof *event);
    event->item.key = when_us > world->now_us ? when_us : world->now_us;
    event->item.sequence = world->sequence++;
    event->kind = kind;
    if (!heap_insert(world->queue, &event->item)) {
        (void)fprintf(stderr, "the simulation has more than %zu events waiting\n",
                      world->event_capacity);
        exit(2);
    }
    return event;
}

void world_note(struct world *world, const char *format, ...)
{
    char *line = world->history[world->history_count++ % HISTORY];
    const int used = snprintf(line, HISTORY_LINE, "%12.6f ", (double)world->now_us / 1e6);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + used, HISTORY_LINE - (size_t)used, format, arguments);
    va_end(arguments);
}

void world_fail(struct world *world, const char *format, ...)
{
    world->failures++;
    if (world->failures > 1)
        return;
    (void)fprintf(stderr, "seed %" PRIu64 " at %.6f s: ", world->seed, (double)world->now_us / 1e6);
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\nlast events:\n");
    const size_t first = world->history_count > HISTORY ? world->history_count - HISTORY : 0;
    for (size_t i = first; i < world->history_count; i++)
        (void)fprintf(stderr, "  %s\n", world->history[i % HISTORY]);
}

size_t world_root_index(const struct world *world, const struct root *root)
{
    for (size_t i = 0; i < ROOTS_ALL; i++)
        if (memcmp(&world->roots[i], root, sizeof *root) == 0)
            return i;
    return ROOTS_ALL;
}

static void act(struct world *world, const struct hub_action *action)
{
    switch (action->kind) {
    case HUB_REPLY:
        services_reply(world, action);
        break;
    case HUB_WORK:
    case HUB_CANCEL:
        workers_broadcast(world, action);
        break;
    case HUB_STORE_WORK:
    case HUB_STORE_ANSWER:
    case HUB_STORE_UNANSWER:
    case HUB_STORE_FRONTIER:
    case HUB_COUNT_ANSWER:
        database_submit(world, action);
        break;
    case HUB_REWARD:
        check_reward(world, action);
        break;
    case HUB_ASK_FRONTIER:
        chains_ask_node(world, &action->ask_frontier);
        break;
    }
}

void world_act(struct world *world)
{
    const struct hub_actions actions = hub_core_actions(world->core);
    for (size_t i = 0; i < actions.count; i++)
        act(world, &actions.items[i]);
    const uint64_t next = hub_core_next_timer(world->core);
    if (next != UINT64_MAX)
        world_schedule(world, next, EVENT_TIMER)->stamp = world->store_life;
}

static void crash(struct world *world)
{
    world_note(world, "CRASH");
    hub_core_destroy(world->core);
    database_crash(world);
    for (size_t i = 0; i < world->request_count; i++)
        if (world->requests[i].state == REQUEST_OPEN && world->requests[i].waiter != 0)
            world->requests[i].state = REQUEST_LOST;
    world->core = new_core(world);
    chains_policies(world);
    database_restore(world);
    chains_restore(world);
}

static void broker(struct world *world, bool up)
{
    world_note(world, "broker %s", up ? "back" : "gone");
    world->broker_up = up;
    if (!up)
        return;
    hub_core_broker_back(world->core);
    world_act(world);
}

static void timer(struct world *world, const struct event *event)
{
    /* Timers are scheduled anew after each event; those overtaken by others find nothing due. */
    if (event->stamp != world->store_life || hub_core_next_timer(world->core) > world->now_us)
        return;
    hub_core_timer(world->core, world->now_us);
    world_act(world);
}

static void dispatch(struct world *world, const struct event *event)
{
    switch (event->kind) {
    case EVENT_REQUEST:
    case EVENT_LEAVE:
        services_event(world, event);
        break;
    case EVENT_TIMER:
        timer(world, event);
        break;
    case EVENT_WORK:
    case EVENT_CANCEL:
    case EVENT_FOUND:
    case EVENT_RESULT:
        workers_event(world, event);
        break;
    case EVENT_COMMIT:
    case EVENT_STORE:
        database_event(world, event);
        break;
    case EVENT_CRASH:
        crash(world);
        break;
    case EVENT_CONFIRMED:
    case EVENT_FRONTIER:
    case EVENT_NODE:
        chains_event(world, event);
        break;
    case EVENT_BROKER:
        broker(world, event->stamp != 0);
        break;
    }
}

void world_run(struct world *world)
{
    struct heap_item *item;
    while ((item = heap_min(world->queue)) != NULL && world->failures == 0) {
        heap_remove(world->queue, item);
        struct event *event = (struct event *)(void *)item;
        world->now_us = item->key;
        dispatch(world, event);
        free(event);
    }
    if (world->failures == 0)
        check_end(world);
}
