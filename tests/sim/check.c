#include "world.h"

#include <inttypes.h>
#include <string.h>

static bool store_has(const struct world *world, const struct root *root, uint64_t nonce)
{
    for (size_t i = world->work_count; i-- > 0;)
        if (world->works[i].nonce == nonce &&
            memcmp(&world->works[i].root, root, sizeof *root) == 0)
            return true;
    return false;
}

/* What is made ahead is for a chain's block, at one of the two thresholds, and not too much. */
static void check_asked_ahead(struct world *world, const struct hub_action *action)
{
    struct hub_core_stats stats;
    hub_core_stats(world->core, &stats);
    if (world_root_index(world, &action->work.root) < ROOTS)
        world_fail(world, "a root is made ahead that is no chain's");
    if (action->work.threshold != world->options.send_threshold &&
        action->work.threshold != world->options.receive_threshold)
        world_fail(world, "a work is made ahead for %016" PRIx64, action->work.threshold);
    if (stats.precaching > world->options.precache_parallel)
        world_fail(world, "%zu works are made ahead at once", stats.precaching);
}

/* What workers are asked for is what the most demanding of those who wait asked for. Requests whose
 * deadline is this very moment may have been counted or not. */
void check_asked(struct world *world, const struct hub_action *action)
{
    if (action->work.type == WORK_PRECACHE) {
        check_asked_ahead(world, action);
        return;
    }
    uint64_t least = 0;
    uint64_t most = 0;
    for (size_t i = 0; i < world->request_count; i++) {
        const struct sim_request *request = &world->requests[i];
        const uint64_t threshold = request->request.threshold;
        if (request->state != REQUEST_OPEN || !request->asked || request->answering ||
            request->request.start_us > world->now_us ||
            memcmp(&request->request.root, &action->work.root, sizeof action->work.root) != 0)
            continue;
        if (request->request.deadline_us >= world->now_us && threshold > most)
            most = threshold;
        if (request->request.deadline_us > world->now_us && threshold > least)
            least = threshold;
    }
    if (action->work.threshold < least || action->work.threshold > most)
        world_fail(world, "workers are asked for %016" PRIx64 " instead of %016" PRIx64,
                   action->work.threshold, least);
}

/* A work is recorded, and its finder rewarded, only if it meets what somebody asked for. */
void check_found(struct world *world, const struct hub_action *action)
{
    bool asked = action->store_work.type == WORK_PRECACHE &&
                 (action->store_work.threshold == world->options.send_threshold ||
                  action->store_work.threshold == world->options.receive_threshold);
    for (size_t i = 0; i < world->request_count; i++)
        asked |= world->requests[i].asked &&
                 world->requests[i].request.threshold == action->store_work.threshold;
    if (!asked ||
        action->store_work.value !=
            work_value(action->store_work.nonce, &action->store_work.root) ||
        action->store_work.value < action->store_work.threshold)
        world_fail(world, "a work is recorded that meets nothing that was asked for");
}

static void check_work_reply(struct world *world, const struct sim_request *request,
                             const struct hub_action *action)
{
    if (!work_valid(action->reply.nonce, &request->request.root, request->request.threshold))
        world_fail(world, "an answer is below the threshold that was asked");
    if (memcmp(&action->reply.root, &request->request.root, sizeof action->reply.root) != 0)
        world_fail(world, "an answer is for another root");
    if (!request->answer_durable && !request->at_once)
        world_fail(world, "an answer was told before it was durable");
    if (!store_has(world, &action->reply.root, action->reply.nonce))
        world_fail(world, "a work was told before it was durable");
    if (world->now_us > request->request.deadline_us + world->options.grace_us)
        world_fail(world, "an answer came after its deadline and grace");
}

void check_reply(struct world *world, const struct sim_request *request,
                 const struct hub_action *action)
{
    const uint64_t deadline_us = request->request.deadline_us;
    if (action->reply.answer == HUB_ANSWER_WORK)
        check_work_reply(world, request, action);
    if (action->reply.answer == HUB_ANSWER_TIMEOUT && world->now_us != deadline_us)
        world_fail(world, "a time-out was told at another moment than its deadline");
    if (action->reply.answer == HUB_ANSWER_FAILED &&
        world->now_us != deadline_us + world->options.grace_us)
        world_fail(world, "a failure was told at another moment than the end of the grace");
    if (action->reply.answer == HUB_ANSWER_REVOKED || action->reply.answer == HUB_ANSWER_STOPPED)
        world_fail(world, "nothing was revoked or stopped in this world");
}

void check_reward(struct world *world, const struct hub_action *action)
{
    for (size_t i = 0; i < ACCOUNTS; i++) {
        if (memcmp(&world->accounts[i], &action->reward.account, sizeof world->accounts[i]) != 0)
            continue;
        world->told_rewards[i]++;
        if (world->told_rewards[i] > world->durable_rewards[i])
            world_fail(world, "a reward was told before it was durable");
    }
}

/* Durable answers of a service = those told + those whose service left or whose hub crashed. */
static void check_counts(struct world *world)
{
    uint64_t expected[SERVICES + 1] = {0};
    for (size_t i = 0; i < world->request_count; i++) {
        const struct sim_request *request = &world->requests[i];
        const bool told = request->state == REQUEST_ANSWERED && request->answer == HUB_ANSWER_WORK;
        if (told && !request->answer_durable && !request->at_once)
            world_fail(world, "request %zu was told a work that is not counted", i);
        /* A crash may come between a commit that was too late and its taking back. */
        const bool too_late = request->answer == HUB_ANSWER_FAILED && world->faults.crashes > 0;
        if (request->state == REQUEST_ANSWERED && !told && request->answer_durable && !too_late)
            world_fail(world, "request %zu is counted, but was told %d", i, (int)request->answer);
        if (request->answer_durable)
            expected[request->request.service_id]++;
    }
    for (size_t i = 1; i <= SERVICES; i++)
        if (expected[i] != world->durable_answers[i])
            world_fail(world, "service %zu has %" PRIu64 " answers counted instead of %" PRIu64, i,
                       world->durable_answers[i], expected[i]);
    for (size_t i = 1; i <= SERVICES; i++)
        if (world->counted_later[i] > world->told_at_once[i] ||
            (world->counted_later[i] < world->told_at_once[i] && world->faults.crashes == 0))
            world_fail(world,
                       "service %zu was told %" PRIu64 " works at once, and %" PRIu64
                       " are counted",
                       i, world->told_at_once[i], world->counted_later[i]);
}

void check_end(struct world *world)
{
    struct hub_core_stats stats;
    hub_core_stats(world->core, &stats);
    for (size_t i = 0; i < world->request_count; i++)
        if (world->requests[i].state == REQUEST_OPEN)
            world_fail(world, "request %zu was never answered", i);
    if (stats.waiters != 0 || stats.wanted != 0 || stats.entries != 0 || stats.chains != 0 ||
        stats.queued != 0 || stats.precaching != 0)
        world_fail(world, "%zu waiters, %zu wanted, %zu entries, %zu chains, %zu queued are left",
                   stats.waiters, stats.wanted, stats.entries, stats.chains, stats.queued);
    for (size_t i = 0; i < ROOTS_ALL; i++)
        for (int type = 0; type < WORK_TYPES; type++)
            if (world->asked[i][type] && world->faults.crashes == 0)
                world_fail(world, "root %zu was asked for and never cancelled", i);
    check_counts(world);
}
