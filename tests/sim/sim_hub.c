/* Runs the hub's core through simulated worlds, one a seed; see README.md beside this file. */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct totals {
    uint64_t requests;
    uint64_t worked;
    uint64_t timeouts;
    uint64_t rewards;
    uint64_t ahead;
};

/* From a kind world, where everything must be answered, to an unkind one, by the seed. */
static struct faults faults_of_seed(uint64_t seed)
{
    if (seed % 5 == 0)
        return (struct faults){0};
    const double grade = (double)(seed % 5) / 4;
    return (struct faults){
        .loss = 0.3 * grade,
        .repeat = 0.2 * grade,
        .leave = 0.1 * grade,
        .liar = 0.2 * grade,
        .deaf = 0.2 * grade,
        .crashes = (unsigned)(5 * (grade - 0.25)),
        .outages = (unsigned)(6 * grade),
        .store_stops = (unsigned)(6 * grade),
    };
}

static bool run(uint64_t seed, size_t requests, struct totals *totals)
{
    const struct faults faults = faults_of_seed(seed);
    struct world *world = world_create(seed, requests, &faults);
    world_run(world);
    uint64_t worked = 0;
    for (size_t i = 0; i < requests; i++) {
        const bool answered = world->requests[i].state == REQUEST_ANSWERED;
        worked += answered && world->requests[i].answer == HUB_ANSWER_WORK;
        totals->timeouts += answered && world->requests[i].answer == HUB_ANSWER_TIMEOUT;
    }
    for (size_t i = 0; i < ACCOUNTS; i++)
        totals->rewards += world->told_rewards[i];
    /* Invariants that nothing happens in would hold as well: most requests must succeed. */
    if (worked < requests / (seed % 5 == 0 ? 2 : 8))
        world_fail(world, "only %" PRIu64 " of %zu requests were given work", worked, requests);
    /* Where nothing is lost, what is made ahead must be there when it is asked for. */
    if (seed % 5 == 0 && world->ahead < requests / 100)
        world_fail(world, "only %" PRIu64 " works were ready in time", world->ahead);
    totals->ahead += world->ahead;
    totals->requests += requests;
    totals->worked += worked;
    const bool good = world->failures == 0;
    world_destroy(world);
    return good;
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    const uint64_t only = option(argc, argv, "--seed", 0);
    const uint64_t seeds = option(argc, argv, "--seeds", 40);
    const size_t requests = (size_t)option(argc, argv, "--requests", 1500);
    struct totals totals = {0};
    uint64_t failed = 0;
    for (uint64_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : seeds); seed++)
        failed += !run(seed, requests, &totals);
    (void)printf("%" PRIu64 " requests: %" PRIu64 " given work (%" PRIu64
                 " chains' from the cache), %" PRIu64 " timed out; %" PRIu64
                 " rewards told; %" PRIu64 " seeds failed\n",
                 totals.requests, totals.worked, totals.ahead, totals.timeouts, totals.rewards,
                 failed);
    return failed == 0 ? 0 : 1;
}
