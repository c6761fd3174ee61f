#include "world.h"

#include <string.h>

static void start_commit(struct world *world)
{
    if (world->committing != 0 || world->queued_count == 0)
        return;
    world->committing = world->queued_count;
    const uint64_t micros = 200 + random_below(&world->random, 8000);
    world_schedule(world, world->now_us + micros, EVENT_COMMIT)->stamp = world->store_life;
}

void database_submit(struct world *world, const struct hub_action *action)
{
    struct sim_op *op = &world->queued[world->queued_count++];
    op->action = *action;
    op->request = world->request_count;
    if (action->kind == HUB_STORE_WORK)
        check_found(world, action);
    if (action->kind == HUB_STORE_ANSWER || action->kind == HUB_STORE_UNANSWER)
        for (size_t i = 0; i < world->request_count; i++)
            if (world->requests[i].waiter == action->store_answer.waiter &&
                world->requests[i].state != REQUEST_LOST) {
                op->request = i;
                world->requests[i].answering = true;
            }
    start_commit(world);
}

static struct sim_work *work_find(struct world *world, const struct root *root, uint64_t nonce)
{
    for (size_t i = world->work_count; i-- > 0;)
        if (world->works[i].nonce == nonce &&
            memcmp(&world->works[i].root, root, sizeof *root) == 0)
            return &world->works[i];
    return NULL;
}

static int account_index(const struct world *world, const struct account *account)
{
    for (int i = 0; i < ACCOUNTS; i++)
        if (memcmp(&world->accounts[i], account, sizeof *account) == 0)
            return i;
    return -1;
}

/* Makes a work durable; true if it brings a new reward. */
static bool apply_work(struct world *world, const struct hub_action *action)
{
    if (work_find(world, &action->store_work.root, action->store_work.nonce) != NULL)
        return false;
    struct sim_work *work = &world->works[world->work_count++];
    *work = (struct sim_work){.root = action->store_work.root,
                              .nonce = action->store_work.nonce,
                              .type = action->store_work.type,
                              .service_id = action->store_work.service_id,
                              .found_us = world->now_us,
                              .rewarded = action->store_work.has_account};
    if (work->rewarded)
        world->durable_rewards[account_index(world, &action->store_work.account)]++;
    return work->rewarded;
}

static void report_work(struct world *world, const struct hub_action *action, bool rewarded)
{
    const struct account account = action->store_work.account;
    struct client_totals totals = {0};
    if (rewarded)
        totals.rewarded.of[action->store_work.type] =
            world->durable_rewards[account_index(world, &account)];
    const struct hub_stored_work stored = {
        .type = action->store_work.type,
        .root = action->store_work.root,
        .nonce = action->store_work.nonce,
        .account = account,
        .durable = true,
        .totals = rewarded ? &totals : NULL,
    };
    hub_core_work_stored(world->core, &stored);
    world_act(world);
}

static void report_answer(struct world *world, const struct sim_op *op)
{
    if (op->request < world->request_count)
        world->requests[op->request].answer_durable = op->action.kind == HUB_STORE_ANSWER;
    hub_core_answer_stored(world->core, op->action.store_answer.waiter, HUB_STORED, false);
    world_act(world);
}

static void report_frontier(struct world *world, const struct hub_action *action)
{
    hub_core_frontier_stored(world->core, world->now_us, &action->store_frontier.account);
    world_act(world);
}

/* The whole batch is durable before anything of it is reported, as in the real store. */
static void commit(struct world *world)
{
    static struct sim_op batch[4096];
    static bool rewarded[4096];
    const size_t count = world->committing < 4096 ? world->committing : 4096;
    memcpy(batch, world->queued, count * sizeof batch[0]);
    world->queued_count -= count;
    memmove(world->queued, world->queued + count, world->queued_count * sizeof batch[0]);
    world->committing = 0;
    for (size_t i = 0; i < count; i++) {
        const struct hub_action *action = &batch[i].action;
        rewarded[i] = action->kind == HUB_STORE_WORK && apply_work(world, action);
        if (action->kind == HUB_STORE_FRONTIER)
            chains_store(world, action);
        if (action->kind == HUB_COUNT_ANSWER)
            world->counted_later[action->count_answer.service_id]++;
        if (action->kind == HUB_STORE_ANSWER)
            world->durable_answers[action->store_answer.service_id]++;
        if (action->kind == HUB_STORE_UNANSWER)
            world->durable_answers[action->store_answer.service_id]--;
    }
    for (size_t i = 0; i < count; i++) {
        if (batch[i].action.kind == HUB_STORE_WORK)
            report_work(world, &batch[i].action, rewarded[i]);
        else if (batch[i].action.kind == HUB_STORE_FRONTIER)
            report_frontier(world, &batch[i].action);
        else if (batch[i].action.kind != HUB_COUNT_ANSWER)
            report_answer(world, &batch[i]);
    }
}

void database_event(struct world *world, const struct event *event)
{
    if (event->kind == EVENT_STORE) {
        world->store_fails = event->stamp == 0;
        world_note(world, "store %s", world->store_fails ? "fails" : "works");
        hub_core_store_health(world->core, !world->store_fails);
        world_act(world);
        return;
    }
    if (event->stamp != world->store_life)
        return;
    if (world->store_fails) {
        world_schedule(world, world->now_us + 50000, EVENT_COMMIT)->stamp = world->store_life;
        return;
    }
    commit(world);
    start_commit(world);
}

void database_crash(struct world *world)
{
    world->store_life++;
    /* What is in the log but not told may survive a crash: commit it without telling anybody. */
    if (world->committing != 0 && !world->store_fails && random_below(&world->random, 2) == 0) {
        for (size_t i = 0; i < world->committing; i++) {
            const struct hub_action *action = &world->queued[i].action;
            if (action->kind == HUB_STORE_WORK)
                (void)apply_work(world, action);
            else if (action->kind == HUB_STORE_FRONTIER)
                chains_store(world, action);
            else if (action->kind == HUB_COUNT_ANSWER)
                world->counted_later[action->count_answer.service_id]++;
            else
                world->durable_answers[action->store_answer.service_id] +=
                    action->kind == HUB_STORE_ANSWER ? 1 : (uint64_t)-1;
            if (action->kind == HUB_STORE_ANSWER && world->queued[i].request < world->request_count)
                world->requests[world->queued[i].request].answer_durable = true;
            if (action->kind == HUB_STORE_UNANSWER &&
                world->queued[i].request < world->request_count)
                world->requests[world->queued[i].request].answer_durable = false;
        }
    }
    world->queued_count = 0;
    world->committing = 0;
}

void database_restore(struct world *world)
{
    hub_core_store_health(world->core, !world->store_fails);
    for (size_t i = world->work_count; i-- > 0;) {
        const struct sim_work *work = &world->works[i];
        const uint64_t end_us = work->found_us + world->options.cache_us;
        if (end_us > world->now_us)
            hub_core_restore_work(world->core, world->now_us, &work->root, work->nonce, work->type,
                                  work->service_id, end_us - world->now_us);
    }
    world_act(world);
}
