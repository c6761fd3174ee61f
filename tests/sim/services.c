#include "world.h"

/* Thresholds that take 2 to 256 tries: the simulation finds real nonces. */
static uint64_t random_threshold(struct world *world)
{
    return UINT64_MAX << (56 + random_below(&world->random, 8));
}

void services_schedule(struct world *world)
{
    uint64_t when_us = 0;
    for (size_t i = 0; i < world->request_count; i++) {
        when_us += random_below(&world->random, 100000);
        struct hub_request *request = &world->requests[i].request;
        request->token = i;
        request->service_id = (int64_t)random_below(&world->random, SERVICES) + 1;
        request->free = request->service_id == 1;
        request->root = world->roots[random_below(&world->random, ROOTS)];
        request->threshold = random_threshold(world);
        const bool held = random_below(&world->random, 8) == 0;
        request->start_us = when_us + (held ? random_below(&world->random, 900000) : 0);
        request->deadline_us = when_us + 1000000 + random_below(&world->random, 2000000);
        world_schedule(world, when_us, EVENT_REQUEST)->index = i;
        if (random_unit(&world->random) < world->faults.leave)
            world_schedule(world, when_us + random_below(&world->random, 1500000), EVENT_LEAVE)
                ->index = i;
    }
    chains_schedule(world, when_us);
    for (unsigned i = 0; i < world->faults.crashes; i++)
        world_schedule(world, random_below(&world->random, when_us), EVENT_CRASH);
    for (unsigned i = 0; i < world->faults.outages; i++) {
        const uint64_t gone_us = random_below(&world->random, when_us);
        world_schedule(world, gone_us, EVENT_BROKER)->stamp = 0;
        world_schedule(world, gone_us + random_below(&world->random, 3000000), EVENT_BROKER)
            ->stamp = 1;
    }
    for (unsigned i = 0; i < world->faults.store_stops; i++) {
        const uint64_t stop_us = random_below(&world->random, when_us);
        world_schedule(world, stop_us, EVENT_STORE)->stamp = 0;
        world_schedule(world, stop_us + random_below(&world->random, 5000000), EVENT_STORE)->stamp =
            1;
    }
}

static void ask(struct world *world, size_t index)
{
    struct sim_request *request = &world->requests[index];
    if (random_below(&world->random, 3) == 0)
        chains_ask(world, &request->request);
    world_note(world, "request %zu for root %zu until %.6f", index,
               world_root_index(world, &request->request.root),
               (double)request->request.deadline_us / 1e6);
    request->asked = true;
    const waiter_id waiter = hub_core_request(world->core, world->now_us, &request->request);
    request->waiter = waiter;
    world_act(world);
    if (waiter == 0 && request->state != REQUEST_ANSWERED)
        world_fail(world, "request %zu has neither a waiter nor an answer", index);
}

static void leave(struct world *world, size_t index)
{
    struct sim_request *request = &world->requests[index];
    if (request->state != REQUEST_OPEN || request->waiter == 0)
        return;
    world_note(world, "request %zu leaves", index);
    request->state = REQUEST_LEFT;
    if (!hub_core_leave(world->core, world->now_us, request->waiter))
        world_fail(world, "request %zu has no answer, yet it cannot leave", index);
    world_act(world);
}

void services_event(struct world *world, const struct event *event)
{
    if (event->kind == EVENT_REQUEST)
        ask(world, event->index);
    else
        leave(world, event->index);
}

void services_reply(struct world *world, const struct hub_action *action)
{
    struct sim_request *request = &world->requests[action->reply.token];
    world_note(world, "request %zu is told %d", (size_t)action->reply.token,
               (int)action->reply.answer);
    if (request->state != REQUEST_OPEN) {
        world_fail(world, "request %zu is answered in state %d", (size_t)action->reply.token,
                   (int)request->state);
        return;
    }
    request->state = REQUEST_ANSWERED;
    request->answer = action->reply.answer;
    if (request->request.free && !request->answer_durable &&
        action->reply.answer == HUB_ANSWER_WORK && action->reply.type == WORK_PRECACHE) {
        request->at_once = true;
        world->told_at_once[request->request.service_id]++;
    }
    check_reply(world, request, action);
    if (action->reply.answer != HUB_ANSWER_WORK)
        return;
    if (request->request.has_account && action->reply.type == WORK_PRECACHE)
        world->ahead++;
    chains_answered(world, &action->reply.root);
}
